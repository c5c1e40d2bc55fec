# octal.bash - a path in a dot command of the sqlite3 program.

# shellcheck shell=bash

# set_octal NAME TEXT - sets NAME to the text for use between quotes: in octal escapes, so that quotes and backslashes
# do no harm.
set_octal() {
  local i_ code_ octal_=
  for ((i_ = 0; i_ < ${#2}; i_++)); do
    printf -v code_ '%d' "'${2:i_:1}"
    printf -v code_ '\\%03o' "$((code_ & 255))"
    octal_+=$code_
  done
  printf -v "$1" '%s' "$octal_"
}
