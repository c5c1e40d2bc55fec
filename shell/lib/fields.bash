# fields.bash - SQL expressions for what our commands print: texts with every byte, cells of tables.

# shellcheck shell=bash disable=SC2016  # the $ in '$' is JSON's

load lib/whole_text

# set_whole_text NAME EXPRESSION - sets NAME to SQL: the text with FF for NUL.
set_whole_text() {
  printf -v "$1" '%s' "${WHOLE_TEXT//@/"$2"}"
}

whole_text() {
  local text
  set_whole_text text "$1"
  printf '%s' "$text"
}

# set_cell NAME EXPRESSION - sets NAME to SQL: a text for one cell of a table of ours. NULL is empty, line breaks and
# the separator are made visible.
set_cell() {
  local whole_
  set_whole_text whole_ "$2"
  printf -v "$1" "replace(replace(coalesce(%s, ''), char(10), '␤'), char(31), '␟')" "$whole_"
}

cell() {
  local text
  set_cell text "$1"
  printf '%s' "$text"
}
