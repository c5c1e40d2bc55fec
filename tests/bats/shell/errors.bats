#!/usr/bin/env bats
# taskresults errors, and the SQL function taskresults_signature().

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# assert_signature EXPECTED ERROR
assert_signature() {
  # shellcheck source=shell/lib/sql_text.bash
  source "$root/shell/lib/sql_text.bash"
  assert_rows "$1" "SELECT taskresults_signature($(sql_text "$2"))"
}

@test "taskresults_signature folds numbers, times and identifiers" {
  assert_signature 'timeout after <n>s' 'timeout after 30.5s'
  assert_signature 'connect to <n> failed' 'connect to 10.0.0.1:443 failed'
  assert_signature 'exit code -<n>' 'exit code -9'
  assert_signature 'v<n>' 'v2'
  assert_signature '<time> x' '2026-02-14T09:00:01.551234Z x'
  assert_signature '<time> x' '2026-02-14 09:00 x'
  assert_signature '<time>  x' '2026-02-14 09:00:01,123+01:00  x'
  assert_signature 'on <time>, at <n>' 'on 2026-02-14, at 09:30'
  assert_signature 'request <id>' 'request 123e4567-e89b-12d3-a456-426614174000'
  assert_signature 'at <id> in <id>' 'at 0x7ffe12ab in 7f3a9b2c'
  assert_signature 'deadbeef <n> facade' 'deadbeef 12345678 facade'
  assert_signature 'x<n>_<n>' 'x86_64'
  assert_signature 'é<n>😀<n>' 'é1😀22'
  assert_signature '<n>f<n>a<n>b<n>z' '7f3a9b2z'
  assert_signature '<time> x' '2026-02-14T09:00:01-01:00 x'
  assert_signature 'read <n> of <n> bytes' 'read 1,024 of 2,048,000.5 bytes'
  assert_signature 'at <n>x<n>g' 'at 0x7g'
}

@test "taskresults_signature takes the line of an error that says most" {
  assert_signature 'ValueError: <n>' $'Traceback (most recent call last):\n  File "x", line 3\nValueError: 3\n'
  assert_signature 'first' $'\n \t\n first \r\nsecond'
  assert_signature 'Traceback (most recent call last)' 'Traceback (most recent call last)'
  assert_signature '' $' \n'
  assert_signature 'Traceback (most recent call last) in one line' 'Traceback (most recent call last) in one line'
  assert_signature '' ''
  assert_rows 'NULL|<n>' 'SELECT taskresults_signature(NULL), taskresults_signature(17)'
  long=$(printf 'é%.0s' {1..200})
  assert_signature "${long:0:150}" "$long"
  assert_signature "a${long:0:149}" "a$long"
  assert_rows '|0' "SELECT s, length(s) FROM (SELECT taskresults_signature(CAST(replace(hex(zeroblob(400)), '00', x'80') AS TEXT)) AS s)"
  # The worst case for growth: 150 numbers of one digit, each after a space.
  assert_rows '600|<n> <n>' "SELECT length(s), substr(s, 1, 7) FROM
    (SELECT taskresults_signature('1' || replace(hex(zeroblob(400)), '00', ' 1')) AS s)"
}

@test "failures are counted by kind, most frequent first" {
  make_job a 20 2
  make_job b 9 3
  append_raw b '{"timestamp": "2026-01-02T00:00:00Z", "success": false, "error": "other <7>"}\n'
  append_raw b '{"timestamp": "2026-01-02T00:00:01Z", "success": false}\n'
  run taskresults errors --csv
  assert_output $'times,jobs,job_id,first_run,last_run,signature\r
13,2,a,2026-01-01T00:01:00Z,2026-01-01T00:19:00Z,run <n> failed: Connection timeout\r
1,1,b,2026-01-02T00:00:01Z,2026-01-02T00:00:01Z,""\r
1,1,b,2026-01-02T00:00:00Z,2026-01-02T00:00:00Z,other <<n>>\r'
  run taskresults errors
  [[ $status -eq 0 && ${lines[0]} == 'TIMES  JOBS    FIRST RUN            LAST RUN '*' ERROR' ]]
  [[ ${lines[1]} == '   13  2 jobs  2026-01-01 00:01:00  2026-01-01 00:19:00  '*' ago  run <n> failed: Connection timeout' ]]
  [[ ${lines[2]} == *'(no error text)' ]]
  run taskresults errors b --min 2 --jsonl
  assert_output '{"times":3,"jobs":1,"job_id":"b","first_run":"2026-01-01T00:02:00Z","last_run":"2026-01-01T00:08:00Z","signature":"run <n> failed: Connection timeout"}'
  run taskresults errors --limit 1 --since 2026-01-02 --json
  assert_output $'[\n{"times":1,"jobs":1,"job_id":"b","first_run":"2026-01-02T00:00:01Z","last_run":"2026-01-02T00:00:01Z","signature":""}\n]'
  run taskresults errors --until 2025-12-31 --json
  assert_output '[]'
}

@test "errors: no failures is status 0, an unknown job 1, wrong usage 2" {
  make_job a 3
  run taskresults errors a
  assert_output 'taskresults: no failures'
  run taskresults errors nobody
  [[ $status -eq 1 && $output == 'taskresults: no such job: nobody' ]]
  for arguments in '--min x' 'a b' '--json --csv' '--since nonsense' '--oops'; do
    # shellcheck disable=SC2086  # words
    run taskresults errors $arguments
    [[ $status -eq 2 && $output == *'try: taskresults help errors' ]]
  done
}

@test "errors, list, stats and view --all: an unreadable file is named with the fix, the others are shown, and it is status 3" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  make_hostile_jobs
  chmod 644 "$results"/*.jsonl "$results"/.*.jsonl
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  run "${as_nobody[@]}" "$(tool taskresults)" errors --jsonl
  [[ $status -eq 0 ]]
  chmod 600 "$results/o'brien's-\"job\".jsonl"
  "${as_nobody[@]}" "$(tool taskresults)" view --all --jsonl >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  [[ $status -eq 3 ]]
  python3 -c 'import json, sys
jobs = sorted({json.loads(line)["job_id"] for line in open(sys.argv[1])})
assert jobs == sorted(sys.argv[3:]), jobs' "$BATS_TEST_TMPDIR/out" "${hostile_jobs[@]}"
  [[ $(<"$BATS_TEST_TMPDIR/err") == *"left out: job o\\'brien\\'s-\\\"job\\\", whose file cannot be read; as its owner: chmod a+r -- "* ]]
  run "${as_nobody[@]}" "$(tool taskresults)" errors
  [[ $status -eq 3 && $output == *'ERROR'*'left out: job '* ]]
  run "${as_nobody[@]}" "$(tool taskresults)" errors -- "o'brien's-\"job\""
  [[ $status -eq 3 && $output == *'cannot be opened: Permission denied' && $output != *'left out'* ]]
  for command in list stats; do
    status=0
    "${as_nobody[@]}" "$(tool taskresults)" "$command" --jsonl >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
    [[ $status -eq 3 && $(<"$BATS_TEST_TMPDIR/err") == *"left out: job o\\'brien\\'s-"* ]]
    [[ $(wc -l <"$BATS_TEST_TMPDIR/out") -eq $((${#hostile_jobs[@]} - 1)) ]]
    run "${as_nobody[@]}" "$(tool taskresults)" "$command"
    [[ $status -eq 3 && $output == 'JOB '*'.hidden'*'left out: job '* ]]
  done
  run "${as_nobody[@]}" "$(tool taskresults)" stats -- "o'brien's-\"job\""
  [[ $status -eq 3 && $output == *'cannot be opened: Permission denied' && $output != *'left out'* ]]
  run "${as_nobody[@]}" "$(tool taskresults)" stats -- --help
  [[ $status -eq 0 && $output != *'left out'* ]]
  # An export must be complete, since nobody would notice a gap.
  for format in csv jsonl; do
    status=0
    "${as_nobody[@]}" "$(tool taskresults)" export --format "$format" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
    [[ $status -eq 3 && ! -s $BATS_TEST_TMPDIR/out ]]
    [[ $(<"$BATS_TEST_TMPDIR/err") == *"not exported: job o\\'brien"*'chmod a+r -- '*'name them: taskresults export JOB...' ]]
  done
  run "${as_nobody[@]}" "$(tool taskresults)" export --columns job_id '*' '~'
  [[ $status -eq 0 && ${#lines[@]} -eq 5 ]]
  run "${as_nobody[@]}" "$(tool taskresults)" rejects
  [[ $status -eq 0 && $output == *'Permission denied'* ]]
}
