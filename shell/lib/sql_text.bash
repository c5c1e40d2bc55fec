# sql_text.bash - the one way in which a shell script of ours puts a text into SQL. Source it.
#
# Pasting a text between quotes lets it end the quotes; the sqlite3 shell's `.parameter set` evaluates its value as SQL,
# which can write files. So the bytes are spelled in hexadecimal, where nothing can be ended or evaluated.

# shellcheck shell=bash

# sql_text TEXT - prints a SQL expression whose value is exactly TEXT: CAST(x'...' AS TEXT).
#   sqlite3 ... "SELECT * FROM task_results($(sql_text "$job"))"
sql_text() {
  local text_
  set_sql_text text_ "$1"
  printf '%s' "$text_"
}

LONGEST_BY_BASH=1000 # bytes: bash takes time in proportion to the square of them

# set_sql_text NAME TEXT - the same into the variable, without a process, unless the text is long.
set_sql_text() {
  local LC_ALL=C bytes_=$2 i_ length_ code_ hex_= # whoever sources this may have characters of several bytes
  length_=${#bytes_}
  if ((length_ > LONGEST_BY_BASH)); then
    hex_=$(printf '%s' "$bytes_" | od -An -v -tx1 | tr -d ' \n')
    length_=0
  fi
  for ((i_ = 0; i_ < length_; i_++)); do
    printf -v code_ '%02x' "'${bytes_:i_:1}"
    hex_+=${code_: -2} # a byte above 7F may count as negative
  done
  printf -v "$1" "CAST(x'%s' AS TEXT)" "$hex_"
}
