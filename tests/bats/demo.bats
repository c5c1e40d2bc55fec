#!/usr/bin/env bats
# What the README and the demo promise: their commands run, and print what they say.

load ../lib/helpers

# checkout DIRECTORY - a place like the top of the checkout, but with a build/ of its own.
checkout() {
  local entry
  mkdir -p "$1/build"
  for entry in Makefile README.md examples ext include shell taskresults.so taskresults-run; do ln -s "$root/$entry" "$1/$entry"; done
}

# All times and ages are replaced by the same text. The output is what a newcomer sees first.
@test "the demo shows the jobs, their errors, lines that are not records, a status page and SQL, in at most 40 lines" {
  checkout "$BATS_TEST_TMPDIR/checkout"
  run env -u COLUMNS LC_ALL=C.UTF-8 "$BATS_TEST_TMPDIR/checkout/examples/demo.sh"
  [[ $status -eq 0 && $(wc -l <<<"$output") -le 38 ]] # and at most two that say what is installed
  shown=$(sed -E 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}(\.[0-9]+Z)?/TIME/g; s/ +[0-9]+[smhd] ago/ AGO/g; s/ +/ /g' <<<"$output")
  echo "$shown"
  [[ $shown == *'$ shell/taskresults list
JOB RUNS SUCCESS LAST RUN LAST STATE STREAK
api-monitor 55 87.2 % TIME AGO ok 8
daily-digest 14 100.0 % TIME AGO ok 14
nightly-backup 14 78.5 % TIME AGO ok 2
price-watch 48 87.5 % TIME AGO failed 3'* ]]
  [[ $shown == *"TIME AGO KeyError: 'price'"* && $shown == *'api-monitor 4996 97 cut short: a write was interrupted'* ]]
  [[ $shown == *'│ nightly-backup │ 556.501998 │ 1 │'* ]]
  run grep -E '([4-9]|[0-9]{2,})d ago' <<<"$output" # alive: every job ran, and failed, in the last days
  [[ $status -eq 1 ]]
  grep -q 'Scheduled jobs' "$BATS_TEST_TMPDIR/checkout/build/status.html"
}

@test "the example data ends now, whenever that is" {
  for now in 2026-02-14T23:30:00Z 2026-11-28T05:03:59Z 2027-12-31T23:59:59Z 2028-02-29T02:09:07Z 2028-02-29T02:09:08Z \
    2028-03-01T12:00:00Z 2100-03-01T00:00:38Z 2026-01-03T00:00:00Z 2026-11-28T02:00:00Z 2026-11-28T02:05:00Z; do
    "$root/examples/fresh.sh" "$BATS_TEST_TMPDIR/data" "$now"
    python3 "$root/tests/oracles/example_dates.py" "$root/examples" "$BATS_TEST_TMPDIR/data" "$now"
  done
  "$root/examples/fresh.sh" "$BATS_TEST_TMPDIR/today"
  python3 "$root/tests/oracles/example_dates.py" "$root/examples" "$BATS_TEST_TMPDIR/today" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  # On the day on which the committed files end, they are copied unchanged.
  "$root/examples/fresh.sh" "$BATS_TEST_TMPDIR/same" '2026-02-14 23:30 UTC'
  diff -r "$root/examples/results" "$BATS_TEST_TMPDIR/same/results"
  diff -r "$root/examples/logs" "$BATS_TEST_TMPDIR/same/logs"
  diff <(sed 's/2999/2027/' "$root/examples/jobs.json") "$BATS_TEST_TMPDIR/same/jobs.json"
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
