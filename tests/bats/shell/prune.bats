#!/usr/bin/env bats
# taskresults prune: its options reach the extension, and the reports are printed for people and for programs.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

# minutes JOB - the minutes of the records that are left in the file.
minutes() {
  sed -n 's/.*"timestamp": "[^"]*T00:\(..\):.*/\1/p' "$results/$1.jsonl" | tr '\n' ' '
}

killed_prune() {
  ! env LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT=nanosleep PRUNE_FAULT=kill \
    sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT taskresults_prune('$1', 'keep', 4)" >/dev/null 2>&1
}

@test "prune --keep, --since, --keep-failures, --drop-rejects keep the right records" {
  make_job a 10 3
  append_raw a 'junk\n'
  cp "$results/a.jsonl" "$BATS_TEST_TMPDIR/whole"
  run taskresults prune a --keep 8 --no-receipt
  [[ $status -eq 0 && ${lines[0]} == 'JOB  RESULT  KEPT      DROPPED  FREED  NOTE' ]]
  [[ ${lines[1]} == 'a    pruned     8  not counted  '*' B' && $(minutes a) == '02 03 04 05 06 07 08 09 ' ]]
  grep -q junk "$results/a.jsonl"
  taskresults prune a --since '2026-01-01 00:04' --keep-failures 1
  [[ $(minutes a) == '02 04 05 06 07 08 09 ' ]]
  taskresults prune a --since 2026-01-01T00:08:00Z --keep=3
  [[ $(minutes a) == '07 08 09 ' ]]
  grep -q junk "$results/a.jsonl"
  taskresults prune a --since 7d --drop-rejects --force
  [[ ! -s $results/a.jsonl ]]
}

@test "prune --max-bytes keeps the newest lines that fit; units are powers of 1000" {
  make_job a 60
  whole=$(wc -c <"$results/a.jsonl")
  for limit in "$whole" "0$whole" 1GB '20 kB' 1MB 999999999999999; do
    run taskresults prune a --max-bytes "$limit" --dry-run
    [[ $status -eq 0 && ${lines[1]} == *'nothing to drop'*60* ]] || { echo "$limit: $output"; return 1; }
  done
  taskresults prune a --max-bytes 1kB
  kept=$(wc -c <"$results/a.jsonl")
  ((kept <= 1000 && kept > 800))
  [[ $(minutes a) == *'58 59 ' ]]
  taskresults prune a --keep 3 --max-bytes 1kB
  [[ $(wc -l <"$results/a.jsonl") -eq 3 ]]
  for wrong in 1k 1KB 1MiB 1.5MB -1 '' ten 1000000000000000000; do
    run taskresults prune a --max-bytes "$wrong"
    [[ $status -eq 2 && $output == *'--max-bytes wants a number of bytes'* ]] || { echo "$wrong: $status $output"; return 1; }
  done
  run taskresults prune a --max-bytes 9 --keep-failures 1
  [[ $status -eq 2 && $output == *'--keep-failures needs --keep or --since'* ]]
}

@test "prune --dry-run reports what would be removed, and changes nothing" {
  make_job a 10
  cp "$results/a.jsonl" "$BATS_TEST_TMPDIR/whole"
  run taskresults prune a --keep 4 --dry-run
  [[ $status -eq 0 && ${lines[0]} == 'JOB  RESULT           KEPT  TO BE DROPPED  TO BE FREED  NOTE' ]]
  [[ ${lines[1]} == 'a    would be pruned     4              6 '*' B' ]]
  cmp "$results/a.jsonl" "$BATS_TEST_TMPDIR/whole"
  run taskresults prune a --keep 20
  [[ ${lines[1]} == 'a    nothing to drop'* ]]
  run taskresults prune a --keep 20 --dry-run
  [[ ${lines[1]} == 'a    nothing to drop'* && $output != *changed* ]]
  make_job b 20000
  run taskresults prune b --keep 1 --dry-run
  [[ ${lines[1]} == *' 2.6 MB' ]]
}

@test "prune refuses what looks like a mistake, without --force, with the number of records, and changes nothing" {
  make_job a 10
  make_job b 5
  append_raw b 'junk\n'
  cp -r "$results" "$BATS_TEST_TMPDIR/whole"
  unchanged() { diff -r "$results" "$BATS_TEST_TMPDIR/whole"; }
  went='15 records and 1 other line of 2 jobs would go, from 2026-01-01T00:00:00Z to 2026-01-01T00:09:00Z'
  [[ -n $(sql "SELECT taskresults_time('2026-02-01') < taskresults_time('now')") ]]
  while IFS='|' read -r arguments words; do
    # shellcheck disable=SC2086  # words
    run taskresults prune $arguments
    [[ $status -eq 1 && ${#lines[@]} -eq 1 && $output == "taskresults: refused: $words; nothing was changed (if that is meant: 'force', 1, or --force)" ]] ||
      { echo "$arguments: $status $output"; return 1; }
    unchanged
    # shellcheck disable=SC2086
    run taskresults prune $arguments --dry-run
    [[ $status -eq 0 && ${lines[-1]} == "taskresults: without --force that would be refused: $words" ]]
    unchanged
  done <<RUNS
--all --since 7d --drop-rejects|no record would be left in any job of $results: $went
--all --since 7d --quiet|no record would be left in any job of $results: ${went/ and 1 other line}
--all --keep 0 --jsonl|keep 0 keeps nothing, and no other rule does: $went
a --keep 0 --keep-failures 0|keep 0 keeps nothing, and no other rule does: ${went/15 records and 1 other line of 2 jobs/10 records of 1 job}
--all --max-bytes 0|max_bytes 0 keeps nothing: $went
--all --since 2200-01-01 --keep 3|since is later than now (2200-01-01T00:00:00Z): 9 records of 2 jobs would go, from 2026-01-01T00:00:00Z to 2026-01-01T00:06:00Z
RUNS
  run taskresults prune nobody --keep 0
  [[ $status -eq 1 && $output == *'there is no such job'* ]]
  # That old records expire may empty one job of several. It must not empty all.
  taskresults prune a --since 7d
  [[ ! -s $results/a.jsonl ]]
  run taskresults prune b --since 7d
  [[ $status -eq 1 && $output == *"no record would be left in any job of $results: 5 records of 1 job would go"* ]]
  printf '{"timestamp": "%s"}\n' "$(date -u +%FT%TZ)" >>"$results/a.jsonl"
  taskresults prune --all --since 90d --quiet
  [[ $(cat "$results/b.jsonl") == junk && $(wc -l <"$results/a.jsonl") == 1 ]]
  taskresults prune --all --keep 0 --force
  [[ ! -s $results/a.jsonl && ! -s $results/b.jsonl ]]
  run taskresults prune --all --since 7d
  [[ $status -eq 0 && $output != *refused* ]]
}

@test "prune: machine formats have a report for each job" {
  make_job a 3
  make_job b 1
  run taskresults prune --all --keep 1 --dry-run --json
  assert_output $'[
{"job_id":"a","result":"dry_run","kept":1,"dropped":2,"bytes_freed":258,"recovered":false,"reason":null,"unshipped":null,"sink":null,"archive":null,"rule":null},
{"job_id":"b","result":"dry_run","kept":1,"dropped":0,"bytes_freed":0,"recovered":false,"reason":null,"unshipped":null,"sink":null,"archive":null,"rule":null}\n]'
  run taskresults prune --all --keep 1 --jsonl
  assert_output $'{"job_id":"a","result":"pruned","kept":1,"dropped":2,"bytes_freed":258,"recovered":false,"reason":null,"unshipped":null,"sink":null,"archive":null,"rule":null}
{"job_id":"b","result":"unchanged","kept":1,"dropped":0,"bytes_freed":0,"recovered":false,"reason":null,"unshipped":null,"sink":null,"archive":null,"rule":null}'
  rm "$results"/*.jsonl
  run taskresults prune --all --keep 1 --json
  assert_output '[]'
}

@test "what taskresults ship has not read stays, and the note says so; --unshipped removes it" {
  make_job a 9
  make_job b 2
  mkdir -m 700 "$results/.taskresults" "$results/.taskresults/shipped"
  {
    echo '{"taskresults_marks":1,"cursor":"/var/lib/cursor.db"}'
    stat -c '{"file":"%n","dev":%d,"inode":%i,"end":0}' "$results/b.jsonl"
  } >"$results/.taskresults/shipped/fleet.jsonl"
  run taskresults prune a --keep 2
  [[ $status -eq 0 && ${lines[1]} == 'a    nothing to drop     9        0    0 B  7 lines stay that fleet has not read yet (--unshipped)' ]]
  run taskresults prune a --keep 2 --jsonl
  [[ $output == *'"reason":null,"unshipped":7,"sink":"fleet","archive":null,"rule":null}' ]]
  run taskresults prune a --keep 8
  [[ ${lines[1]} == *'1 line stays that fleet has not'* ]]
  run taskresults prune a --keep 2 --unshipped
  [[ $status -eq 0 && ${lines[1]} == 'a    pruned     2'* && $(minutes a) == '07 08 ' ]]
  echo broken >>"$results/.taskresults/shipped/fleet.jsonl"
  run taskresults prune --all --keep 1
  [[ $status -eq 3 && $output == *'/.taskresults/shipped/fleet.jsonl, cannot be understood at byte '*'--unshipped'* && $(minutes a) == '07 08 ' ]]
}

@test "prune of a busy job is status 75 and changes nothing; with --all, the other jobs are pruned" {
  make_job a 5
  make_job b 5
  cp "$results/a.jsonl" "$BATS_TEST_TMPDIR/whole"
  exec {writer}>>"$results/a.jsonl"
  run taskresults prune --all --keep 1
  [[ $status -eq 75 && ${lines[1]} == 'a    busy '*'has had it open'* && ${lines[2]} == 'b    pruned '* ]]
  [[ ${lines[3]} == 'taskresults: 1 job busy: try again later; '* ]]
  cmp "$results/a.jsonl" "$BATS_TEST_TMPDIR/whole"
  run taskresults prune --all --keep 1 --quiet
  [[ $status -eq 75 && ${#lines[@]} -eq 3 && ${lines[1]} == 'a    busy '* && ${lines[2]} == 'taskresults: 1 job busy'* ]]
  run taskresults prune b --keep 1 --quiet
  [[ $status -eq 0 && -z $output ]]
  run taskresults prune a --keep 1 --jsonl
  [[ $status -eq 75 && ${lines[0]} == '{"job_id":"a","result":"busy","kept":null,"dropped":null,"bytes_freed":0,"recovered":false,"reason":"'* ]]
  # If one job failed and one was busy, the status is that of the failure.
  ln "$results/b.jsonl" "$BATS_TEST_TMPDIR/link"
  run taskresults prune --all --keep 0 --force
  [[ $status -eq 3 && $output == *'1 job busy'* && $output == *'1 job could not be pruned' ]]
  exec {writer}>&-
  run taskresults prune a --keep 1
  [[ $status -eq 0 && $(minutes a) == '04 ' ]]
}

@test "prune of a job that cannot be pruned is status 3, and its file stays as it was" {
  make_job a 5
  make_job b 5
  ln "$results/a.jsonl" "$BATS_TEST_TMPDIR/link"
  run taskresults prune a --keep 1
  [[ $status -eq 3 && $output == *'hard links'* && $(minutes a) == '00 01 02 03 04 ' ]]
  run taskresults prune --all --keep 1 --jsonl
  [[ $status -eq 3 && ${lines[0]} == *'"job_id":"a","result":"failed",'*'hard links'* && $(minutes b) == '04 ' ]]
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults prune --all --keep 1
  [[ $status -eq 3 && $output == *'nowhere: No such file or directory'* ]]
}

@test "prune first finishes what an interrupted prune left, and says so; before that, doctor names it" {
  [[ -e $root/build/shim/prune_faults.so ]] || skip 'the shim is not built'
  make_job a 10
  killed_prune a
  run taskresults doctor
  [[ $output == *'job a: left by an interrupted prune'*'taskresults prune -- a --keep'* ]]
  run taskresults prune a --keep 4 --json
  [[ $status -eq 0 && $output == *'"recovered":true'* && $(minutes a) == '06 07 08 09 ' ]]
  [[ -z $(find "$results" -name '*.new' -o -name '*.journal') ]]
}

@test "prune --offline works where a writer cannot be kept out: it promises that none is running" {
  make_job a 5
  run taskresults prune a --keep 2 --offline
  [[ $status -eq 0 && $(minutes a) == '03 04 ' ]]
}

@test "prune without a rule, of an unknown job, and other wrong usage is refused" {
  make_job a 2
  cp "$results/a.jsonl" "$BATS_TEST_TMPDIR/whole"
  for arguments in 'a' '--all' 'a --keep-failures 3' 'a --drop-rejects' '--keep 1' 'a --all --keep 1' 'a b --keep 1' \
    'a --keep -1' 'a --keep x' 'a --keep' 'a --since sometime' 'a --keep 1 --csv' 'a --keep 1 --json --jsonl' 'a --keep= ' \
    'a --keep 1 --keep 2' 'a --keep 1 --keep=1' 'a --since 7d --keep 1 --since=2026-01-01' 'a --keep 1 --force=1' \
    'a --since 90dayz' 'a --since 90' 'a --keep 1e3' 'a --keep 99999999999999999999' 'a --keep 1 --keep-failures 1,000'; do
    # shellcheck disable=SC2086  # words
    run taskresults prune $arguments
    [[ $status -eq 2 && $output == *'try: taskresults help prune' ]] || { echo "$arguments: $status $output"; return 1; }
  done
  cmp "$results/a.jsonl" "$BATS_TEST_TMPDIR/whole"
  for job in nobody a/../a ''; do
    run taskresults prune "$job" --keep 1
    [[ $status -eq 1 && $output == 'taskresults: '* ]]
  done
}

@test "prune of a job with a hostile id prunes that job, and no other" {
  make_hostile_jobs
  cd "$BATS_TEST_TMPDIR"
  for job in "${hostile_jobs[@]}"; do
    taskresults prune --keep 1 --jsonl -- "$job" >>reports
    [[ $(wc -l <"$results/$job.jsonl") == 1 ]]
  done
  python3 -c 'import json, sys
reports = [json.loads(line) for line in open("reports")]
assert [r["job_id"] for r in reports] == sys.argv[1:]
assert all(r["result"] == "pruned" for r in reports)' "${hostile_jobs[@]}"
  [[ $(taskresults prune --all --keep 0 --force | wc -l) == $((${#hostile_jobs[@]} + 1)) ]]
  [[ ! -e pwned && $(cat "$results"/* "$results"/.*.jsonl | wc -c) == 0 ]]
}

@test "prune --count prints how many lines were dropped and how many records stay, like a dry run" {
  make_job a 10
  make_job b 3
  run taskresults prune a --keep 4 --dry-run --jsonl
  [[ $output == *'"kept":4,"dropped":6,'* ]]
  run taskresults prune a --keep 4 --count --no-receipt --jsonl
  [[ $output == *'"result":"pruned","kept":4,"dropped":6,'* && $(wc -l <"$results/a.jsonl") == 4 ]]
  run taskresults prune --all --keep 2 --count --no-receipt
  [[ $status -eq 0 && $output != *'not counted'* ]]
}
