# sql_texts.bash - many texts of SQL at once, as lib/sql_text has them one by one.

# shellcheck shell=bash

# sql_texts BEFORE AFTER - texts come in, each ended by a NUL byte; a line of SQL for each goes out: BEFORE, the text as
# `sql_text` spells it, AFTER, in which @ is the text again. For thousands of texts, where one process each would take
# seconds.
sql_texts() {
  od -An -v -tx1 | awk -v before="$1" -v after="$2" '
    { for (i = 1; i <= NF; i++) if ($i == "00") finish(); else hex = hex $i }
    function finish(  text, rest) {
      text = "CAST(x\047" hex "\047 AS TEXT)"
      rest = after
      if (index(after, "@")) gsub(/@/, text, rest)
      print before text rest
      hex = ""
    }'
}
