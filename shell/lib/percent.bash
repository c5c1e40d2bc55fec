# percent.bash - SQL expressions for percentages.
#
# They are cut, not rounded: 100 means all, and 0 means none. A value too small for the last digit is shown as <0.1 % in
# tables, and exactly in formats for programs.

# shellcheck shell=bash

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
