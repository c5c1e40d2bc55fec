#!/usr/bin/env bats
# What the README and the demo promise: their commands run, and print what they say.

load ../lib/helpers

@test "make demo prints a table, a CSV and statistics" {
  run "$root/examples/demo.sh"
  [[ $status -eq 0 ]]
  [[ $output == *'│ 2026-02-14T23:00:39.775034Z │ price-watch │'* ]]
  [[ $output == *'2026-02-14T02:00:45Z,nightly-backup,1,"Backup finished: 1491 files'* ]]
  [[ $output == *'│ nightly-backup │ 14   │ 3        │ 78.5         │ 2026-02-14 02:00:45 │'* ]]
  [[ $output == *'│ api-monitor │ 4996   │ cut short: a write was interrupted │'* ]]
}

@test "the README's story is true: the obvious grep counts nothing" {
  run grep -c '"success":true' "$root/examples/results/daily-digest.jsonl"
  [[ $output == 0 ]]
  run grep -c '"success": true' "$root/examples/results/daily-digest.jsonl"
  [[ $output == 14 ]]
}

@test "sql_text spells any text so that SQLite reads back exactly that text" {
  # shellcheck source=shell/lib/sql_text.bash
  source "$root/shell/lib/sql_text.bash"
  for text in '' "it's" '"; DROP TABLE x; --' '$(id)' $'two\nlines' '-x' '😀' '%s%n' "x'41'" $'\xff\x01'; do
    [[ $(sql "SELECT hex($(sql_text "$text")), typeof($(sql_text "$text"))") == \
      "$(printf '%s' "$text" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F)|text" ]]
  done
}
