# sql_text.bash - the one way in which a shell script of ours puts a text into SQL. Source it.
#
# Pasting a text between quotes lets it end the quotes; the sqlite3 shell's `.parameter set` evaluates its value as SQL,
# which can write files. So the bytes are spelled in hexadecimal, where nothing can be ended or evaluated.

# shellcheck shell=bash

# sql_text TEXT - prints a SQL expression whose value is exactly TEXT: CAST(x'...' AS TEXT).
#   sqlite3 ... "SELECT * FROM task_results($(sql_text "$job"))"
sql_text() {
  local LC_ALL=C i code hex= # a character is a byte then
  for ((i = 0; i < ${#1}; i++)); do
    printf -v code '%d' "'${1:i:1}"
    printf -v code '%02x' "$((code & 255))"
    hex+=$code
  done
  printf "CAST(x'%s' AS TEXT)" "$hex"
}

# sql_texts BEFORE AFTER - texts come in, each ended by a NUL byte; a line of SQL for each goes out: BEFORE, the text as
# `sql_text` spells it, AFTER. For thousands of texts, where one process each would take seconds.
sql_texts() {
  od -An -v -tx1 | awk -v before="$1" -v after="$2" '
    { for (i = 1; i <= NF; i++) if ($i == "00") finish(); else hex = hex $i }
    function finish() { print before "CAST(x\047" hex "\047 AS TEXT)" after; hex = "" }'
}
