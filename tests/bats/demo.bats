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

# The blocks marked ```sh run, in order, in one shell, from the top of the checkout.
@test "every one-liner of the README runs and prints something" {
  cd "$root"
  awk '/^```sh run/ {on = 1; n++; next} /^```/ {on = 0} on {print > out "/" sprintf("%02d", n) ".sh"}' \
    out="$BATS_TEST_TMPDIR" README.md
  count=0
  for block in "$BATS_TEST_TMPDIR"/??.sh; do
    printf 'set -euo pipefail\nexport SCHEDULER_RESULTS_DIR=examples/results\nexport SCHEDULER_LOGS_DIR=examples/logs SCHEDULER_JOBS_FILE=examples/jobs.json\nsql() { %s; }\n' \
      "$(sed -n 's/^sql() { \(.*\); }$/\1/p' README.md)" >"$BATS_TEST_TMPDIR/script"
    cat "$block" >>"$BATS_TEST_TMPDIR/script"
    run bash "$BATS_TEST_TMPDIR/script"
    [[ $status -eq 0 && -n $output ]] || { cat "$block"; echo "$output"; return 1; }
    count=$((count + 1))
  done
  ((count >= 10))
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
