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

# lay_out_histories - the jobs a, b and c in live, rotated and archived files, one of them by `prune --archive`; and in
# the directory `whole`, one file each with all lines. Three lines of a are no records.
lay_out_histories() {
  local archive=$results/.taskresults/archive/a.jsonl
  whole=$BATS_TEST_TMPDIR/whole
  mkdir -p "$whole" "$archive"
  make_job a 120 7
  make_job b 10 3
  make_job c 40 4
  sed -i '10s/$/ x/; 60s/.*/[]/; 110s/.*/{/' "$results/a.jsonl"
  cp "$results"/*.jsonl "$whole"
  head -n 20 "$whole/a.jsonl" | zstd -q -o "$archive/20260101T000000Z-1.jsonl.zst"
  sed -n '21,50p' "$whole/a.jsonl" | gzip >"$results/a.jsonl.3.gz"
  sed -n '51,80p' "$whole/a.jsonl" | zstd -q -o "$results/a.jsonl.2.zst"
  sed -n '81,100p' "$whole/a.jsonl" >"$results/a.jsonl.1"
  sed -n '101,$p' "$whole/a.jsonl" >"$results/a.jsonl"
  mv "$results/b.jsonl" "$results/b.jsonl.1"
  taskresults prune c --keep 15 --archive >/dev/null
}

# says_the_same OPTIONS... - the same of all segments as of the whole files.
says_the_same() {
  local options
  for options; do
    # shellcheck disable=SC2086  # words
    diff <(taskresults $options --history 2>&1) <(SCHEDULER_RESULTS_DIR=$whole taskresults $options 2>&1) || { echo "$options"; return 1; }
  done
}

@test "list and errors --history: what they show of rotated, compressed and archived files is what they show of one file with all lines" {
  lay_out_histories
  says_the_same "list --csv" "list --sort runs" "errors --csv" "errors a --jsonl" "errors b" "errors --grep connection --csv" \
    "errors --since 2026-01-01T00:40Z --until 2026-01-01T01:30Z --csv" "list --failing --json"
  [[ $(taskresults list --csv) != "$(taskresults list --csv --history)" ]]
}

@test "stats, sla, export and view --history say of rotated, compressed and archived files what they say of one file with all lines" {
  lay_out_histories
  says_the_same "stats --csv" "stats b" "stats --by hour --csv" "stats a --since 2026-01-01T00:40Z --jsonl" \
    "sla --window 2026-01-01..2026-01-02 --csv" "sla b c --window 2026-01-01..2026-01-02 --target 90" \
    "export b --format tsv" "export c --format json --max-chars 3" "export a --format jsonl --errors" \
    "export a --columns time_us,job_id,record" "export a c --grep connection" \
    "view a" "view a --latest" "view b --limit 3 --csv" "view a --limit 50 --errors --jsonl" \
    "view c --limit 20" "view a --grep connection --limit 4" "view --all --limit 9 --since 2026-01-01T00:41Z --csv" \
    "stats nowhere" "sla nowhere" "export nowhere" "export b nowhere" "view nowhere"
  diff <(taskresults export --history | sort) <(SCHEDULER_RESULTS_DIR=$whole taskresults export | sort)
  [[ $(taskresults export c --history --columns segment | sort -u | wc -l) -eq 3 ]]
  [[ $(taskresults stats c --csv) != "$(taskresults stats c --csv --history)" ]]
  run taskresults export b # it has no live file
  [[ $status -eq 1 ]]
  diff <(TASKRESULTS_SEGMENTS=all sql 'SELECT segment_no, offset FROM task_runs ORDER BY job_id, segment_no, offset') \
    <(sql 'SELECT segment_no, offset FROM task_history ORDER BY job_id, segment_no, offset')
}

@test "view --history of several hosts: --limit counts from the end of each host's history" {
  lay_out_histories
  mkdir -p "$BATS_TEST_TMPDIR"/hosts/{x,y}
  cp -r "$results" "$BATS_TEST_TMPDIR/hosts/x/results"
  cp -r "$whole" "$BATS_TEST_TMPDIR/hosts/y/results"
  run taskresults view a --history --hosts "$BATS_TEST_TMPDIR/hosts/*/results" --limit 25 --csv
  [[ $(grep -c '^x,' <<<"$output") -eq 25 ]]
  diff <(sed -n 's/^x,//p' <<<"$output") <(sed -n 's/^y,//p' <<<"$output")
}

@test "rejects --history names the segment of each line, in which the offset counts" {
  lay_out_histories
  diff <(taskresults rejects a --history --jsonl | python3 -c 'import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(row["job_id"], row["reason"], row["line"])') <(SCHEDULER_RESULTS_DIR=$whole taskresults rejects a --jsonl | python3 -c 'import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(row["job_id"], row["reason"], row["line"])')
  run taskresults rejects --history --count --csv
  output=${output//$'\r'/}
  assert_output "job_id,segment,reason,lines,first_offset
a,20260101T000000Z-1.jsonl.zst,text after the record,1,$(head -n 9 "$whole/a.jsonl" | wc -c)
a,a.jsonl,cut short: a write was interrupted,1,$(head -n 9 "$results/a.jsonl" | wc -c)
a,a.jsonl.2.zst,\"JSON, but not an object\",1,$(sed -n 51,59p "$whole/a.jsonl" | wc -c)"
  run taskresults rejects a --history
  [[ ${lines[0]} == JOB*SEGMENT*OFFSET*REASON*LINE && ${lines[2]} == *a.jsonl.2.zst* ]]
  run taskresults next --history
  [[ $status -eq 2 && $output == *'unknown option: --history'* ]]
}
