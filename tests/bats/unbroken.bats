#!/usr/bin/env bats
# After a prune that removes runs from the middle of a file, two failures stand side by side between which others ran:
# figures of runs in a row start behind that place. The oracle is tests/oracles/unbroken.py.
#
# shellcheck disable=SC2154  # helpers.bash sets root, results and extension

load ../lib/helpers
load ../lib/host
load ../lib/pruning
load ../lib/shell
load ../lib/alerts

# write_day JOB - runs at each hour: a failure, six successes, three failures; of which 0, 7, 8 and 9 o'clock are kept by
scattered="'keep', 2, 'keep_failures', 2"
write_day() {
  local hour success
  for hour in {0..9}; do
    success=true
    ((hour > 0 && hour < 7)) || success=false
    append_raw "$1" "{\"timestamp\": \"2026-02-01T0$hour:00:00Z\", \"job_id\": \"$1\", \"success\": $success, \"output\": \"$hour\"}\n"
  done
}

@test "after prunes of every kind, rotations, truncations and copies, the figures of runs in a row are what Python counts" {
  require_host
  run host "$root/tests/oracles/unbroken.py" "${UNBROKEN_SEEDS-25}" "$BATS_TEST_TMPDIR"
  printf '%s\n' "$output"
  [[ $status -eq 0 && ${output##* } -gt 50 ]]
}

@test "beside prunes that are killed, or run between two reads, a row of task_stats is that before or that behind the prune" {
  TASKRESULTS_ROOT=$root python3 "$root/tests/live/unbroken_pruned.py" "${UNBROKEN_PRUNED_STRIDE-13}"
}

@test "list, metrics, stats, sla and alerts count runs in a row behind the gap; runs and rates are those of all records" {
  setup_alerts
  write_day j
  prune j "$scattered"
  assert_rows '4|0|-3|3|2026-02-01T00:00:00Z' "SELECT runs, successes, streak, longest_failure_streak, first_run FROM task_stats"
  assert_rows $'0|0\n7|1\n8|1\n9|1' 'SELECT output, unbroken FROM task_results'
  [[ $(taskresults list --jsonl) == *'"runs":4,'*'"last_success":false,"streak":3}' ]]
  [[ $(taskresults metrics) == *'taskresults_job_consecutive_failures{job_id="j"} 3'* ]]
  [[ $(taskresults stats j --jsonl) == *'"runs":4,'*'"worst_streak":3,'* ]]
  # Down from 7:00 to 10:00, and not from midnight on.
  run taskresults sla j --jsonl --window 2026-02-01T00:00:00Z..2026-02-01T10:00:00Z
  [[ $output == *'"runs":4,'*'"down_seconds":10800.0,'* || $output == *'"runs":4,'*'"down_seconds":10800,'* ]] ||
    { echo "$output"; return 1; }
  run taskresults alerts --after 3
  [[ $output == *'failed 3 times in a row, since 2026-02-01 07:00'* ]] || { echo "$output"; return 1; }
}

@test "if a prune keeps failures alone, there is no run behind the gap: the streak is 0, and the last run failed" {
  setup_alerts
  write_day j
  append_raw j '{"timestamp": "2026-02-01T10:00:00Z", "success": true}\n'
  prune j "'keep', 0, 'keep_failures', 2"
  assert_rows '2|0|0|NULL|2026-02-01T09:00:00Z' 'SELECT runs, streak, longest_failure_streak, mtbf_s, last_run FROM task_stats'
  [[ $(taskresults list --jsonl) == *'"last_success":false,"streak":0}' ]]
  [[ $(taskresults list --failing --csv | cut -d , -f 1,7,8) == $'job_id,last_success,streak\r\nj,false,0\r' ]]
  [[ $(taskresults metrics) == *'taskresults_job_last_run_success{job_id="j"} 0'* ]]
  run taskresults alerts
  [[ $output == *'j: failed'* ]] || { echo "$output"; return 1; }
}

@test "receipts of a build without unbroken_from: behind a scattered prune, what it kept is not counted" {
  write_day j
  prune j "$scattered"
  sed -i 's/,"unbroken_from":[0-9]*,"unbroken_hash":"[0-9a-f]*"//' "$results/.taskresults/prunes/j.jsonl"
  assert_rows '4|0' 'SELECT runs, streak FROM task_stats'
  write_day j
  assert_rows '14|-3|3' 'SELECT runs, streak, longest_failure_streak FROM task_stats'
}

@test "without receipts, and for columns that are not of runs in a row, no receipts are opened; one job's are opened alone" {
  local columns
  opens() {
    FAULTS_LOG=$BATS_TEST_TMPDIR/log LD_PRELOAD=$root/build/shim/faults.so sql "$1" >/dev/null
    awk '$1 == "opens" {print $2}' "$BATS_TEST_TMPDIR/log"
  }
  write_day j
  write_day k
  [[ $(opens 'SELECT streak FROM task_stats') -eq 2 ]]
  prune j "$scattered"
  columns=$(opens 'SELECT runs, last_error FROM task_stats')
  [[ $columns -eq 2 ]]
  run opens 'SELECT streak, mtbf_s FROM task_stats'
  [[ $output -eq 3 ]] || { echo "$output opens"; return 1; }
}

@test "receipts that cannot be read are an error with their path; lines that are none are passed over" {
  write_day j
  prune j "$scattered"
  printf 'garbage\n{"id":"' >>"$results/.taskresults/prunes/j.jsonl"
  assert_rows -3 'SELECT streak FROM task_stats'
  rm "$results/.taskresults/prunes/j.jsonl"
  mkfifo "$results/.taskresults/prunes/j.jsonl"
  assert_sql_error '/.taskresults/prunes/j.jsonl: it is a FIFO' 'SELECT streak FROM task_stats'
  assert_rows 4 'SELECT runs FROM task_stats'
}

@test "in all segments, runs in a row begin behind the gap of the live file, and go on over a rotation" {
  write_day j
  prune j "$scattered"
  mv "$results/j.jsonl" "$results/j.jsonl.1"
  append_raw j '{"timestamp": "2026-02-01T10:00:00Z", "success": false}\n'
  TASKRESULTS_SEGMENTS=all assert_rows "5|-4" "SELECT runs, streak FROM task_stats"
  assert_rows "1|-1" "SELECT runs, streak FROM task_stats"
}
