# fields.bash - SQL expressions for what our commands print: texts with every byte, percentages, cells of tables.
#
# The sqlite3 program prints a text only up to its first NUL. No text of ours holds the byte FF (all are UTF-8), so FF
# stands for NUL on the way through the program, and `nul_bytes` turns it back.

# shellcheck shell=bash disable=SC2016  # the $ in '$' is JSON's

nul_bytes() {
  LC_ALL=C tr '\377' '\000'
}

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

# Percentages are cut, not rounded: 100 is only what is whole, and 0 only what is none. So less than the last digit
# shows is <0.1 % in tables, and exact where programs read it.

# set_percent NAME PART WHOLE - sets NAME to SQL: the number, cut to one digit; NULL if WHOLE is 0.
set_percent() {
  printf -v "$1" "CASE WHEN %s * 1000 / nullif(%s, 0) = 0 THEN 100.0 * %s / %s
    ELSE %s * 1000 / nullif(%s, 0) / 10.0 END" \
    "$2" "$3" "$2" "$3" "$2" "$3"
}

# set_percent_text NAME PART WHOLE DIGITS - sets NAME to SQL: the same as text, cut to 1 or 3 digits; '' if WHOLE is 0.
set_percent_text() {
  local whole_=1000 least_=0.1
  (($4 == 1)) || whole_=100000 least_=0.001
  printf -v "$1" "CASE WHEN coalesce(%s, 0) <= 0 THEN '' WHEN %s > 0 AND $whole_.0 * %s / %s < 1 THEN '<$least_ %%'
    ELSE printf('%%.$4f %%%%', min(CAST($whole_.0 * %s / %s AS INTEGER),
      CASE %s WHEN %s THEN $whole_ ELSE $whole_ - 1 END) * 100.0 / $whole_) END" "$3" "$2" "$2" "$3" "$2" "$3" "$2" "$3"
}

# cell EXPRESSION - a text for one cell of a table of ours: NULL is empty, line breaks and the separator are made
# visible.
cell() {
  local text
  set_whole_text text "$1"
  printf "replace(replace(coalesce(%s, ''), char(10), '␤'), char(31), '␟')" "$text"
}
