#!/usr/bin/env bats
# What sla --count missed, stats, metrics and next say of histories that are made up run by run, so that the truth is
# known.

load ../../lib/helpers
load ../../lib/shell

@test "sla --count missed, stats, metrics and next tell what was done to the jobs, over 40 random histories" {
  python3 -c 'import zoneinfo; zoneinfo.ZoneInfo("Europe/Berlin")' 2>/dev/null || skip 'this python3 has no zoneinfo'
  cd "$BATS_TEST_TMPDIR"
  run python3 "$root/tests/oracles/histories.py" "$(tool taskresults)" 40 1
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "list and errors --history: what they show of rotated, compressed and archived files is what they show of one file with all lines" {
  local whole=$BATS_TEST_TMPDIR/whole archive=$results/.taskresults/archive/a.jsonl options
  mkdir -p "$whole" "$archive"
  make_job a 120 7
  make_job b 10 3
  cp "$results"/*.jsonl "$whole"
  head -n 20 "$whole/a.jsonl" | zstd -q -o "$archive/20260101T000000Z-1.jsonl.zst"
  sed -n '21,50p' "$whole/a.jsonl" | gzip >"$results/a.jsonl.3.gz"
  sed -n '51,80p' "$whole/a.jsonl" | zstd -q -o "$results/a.jsonl.2.zst"
  sed -n '81,100p' "$whole/a.jsonl" >"$results/a.jsonl.1"
  sed -n '101,$p' "$whole/a.jsonl" >"$results/a.jsonl"
  mv "$results/b.jsonl" "$results/b.jsonl.1"
  for options in "list --csv" "list --sort runs" "errors --csv" "errors a --jsonl" "errors b" "errors --grep connection --csv" \
    "errors --since 2026-01-01T00:40Z --until 2026-01-01T01:30Z --csv" "list --failing --json"; do
    # shellcheck disable=SC2086  # words
    diff <(taskresults $options --history 2>&1) <(SCHEDULER_RESULTS_DIR=$whole taskresults $options 2>&1) || { echo "$options"; return 1; }
  done
  [[ $(taskresults list --csv) != "$(taskresults list --csv --history)" ]]
  run taskresults next --history
  [[ $status -eq 2 && $output == *'unknown option: --history'* ]]
}
