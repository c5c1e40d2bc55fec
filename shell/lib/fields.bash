# fields.bash - SQL expressions for what our commands print: texts with every byte, cells of tables.
#
# The sqlite3 program prints a text only up to its first NUL. The byte FF never occurs in our texts (all are UTF-8), so
# it replaces NUL on the way through the program, and `nul_bytes` (terminal/show) turns it back.

# shellcheck shell=bash disable=SC2016  # the $ in '$' is JSON's

# set_whole_text NAME EXPRESSION - sets NAME to SQL: the text with FF for NUL. replace() and substr() stop at a NUL; the
# JSON functions do not.
set_whole_text() {
  local quoted_="replace(json_quote($2), '\\\\', CAST(x'fe' AS TEXT))"
  quoted_="replace(replace($quoted_, '\\u0000', CAST(x'ff' AS TEXT)), CAST(x'fe' AS TEXT), '\\\\')"
  printf -v "$1" "CASE WHEN instr(CAST(%s AS BLOB), x'00') THEN json_extract(%s, '\$') ELSE %s END" "$2" "$quoted_" "$2"
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
