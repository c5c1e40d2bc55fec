#!/usr/bin/env bats
# Failures below us are reported: of every call into libc (tests/live/each_call.py), and of an output that is full or closed.

# shellcheck disable=SC2154  # helpers.bash and bats set them

load ../lib/helpers
load ../lib/shell
load ../lib/state

teardown() {
  [[ -z ${follower-} ]] || kill "$follower" 2>/dev/null || true
}

# fail_call NAME N REASON COMMAND... - runs it; the N-th call of that name fails, with that errno (tests/shim/each_call.c).
fail_call() {
  head -c 8 /dev/zero >"$BATS_TEST_TMPDIR/calls"
  env LD_PRELOAD="$root/build/shim/each_call.so" EACH_CALL_STATE="$BATS_TEST_TMPDIR/calls" EACH_CALL_NAME="$1" \
    EACH_CALL_AT="$2" EACH_CALL_ERRNO="$3" "${@:4}"
}

# calls_met - how many calls of the name the last `fail_call` has seen.
calls_met() {
  od -An -td8 "$BATS_TEST_TMPDIR/calls" | tr -d ' '
}

# assert_fails NAME N REASON WORDS STATEMENT - with that call failing, the statement fails, and says WORDS.
assert_fails() {
  run fail_call "$1" "$2" "$3" sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: "$5"
  [[ $status -ne 0 && $output == *"$4"* ]] || {
    printf '%s %s: wanted: %s\nstatus %s: %s\n' "$1" "$2" "$4" "$status" "$output"
    return 1
  }
}

EINTR=4 EIO=5 ENOMEM=12

@test "loading the extension without memory is an error with a message" {
  assert_fails newlocale 1 "$ENOMEM" 'taskresults: out of memory' 'SELECT 1'
}

@test "an interrupted open, read or listing is repeated: each of them, in every table" {
  local name n table expected
  printf '{"jobs": [{"id": "a"}]}' >"$jobs_file"
  printf '{"pid": %s, "started_at": "2099-01-01T00:00:00Z"}' "$$" >"$BATS_TEST_TMPDIR/.checkpoint_a.json"
  finish lost 00:00:02
  log lost 00:00:01 'Starting execution'
  for table in task_jobs task_results task_logs task_runs task_stats; do
    expected=$(sql "SELECT * FROM $table")
    [[ $expected ]]
    for name in open openat read pread; do
      for ((n = 1; n < 100; n++)); do
        run fail_call "$name" "$n" "$EINTR" sqlite3 -batch -bail -init /dev/null -nullvalue NULL -cmd ".load $extension" \
          :memory: "SELECT * FROM $table"
        assert_output "$expected" || { echo "$table: $name $n"; return 1; }
        (($(calls_met) >= n)) || break
      done
      ((n > 1 || $(calls_met) == 0)) && ((n < 100))
    done
  done
}

@test "task_jobs: results that cannot be examined fail the query, and are not left out silently" {
  printf '{"jobs": []}' >"$jobs_file"
  finish lost 00:00:00
  assert_rows 'lost|orphaned' 'SELECT job_id, state FROM task_jobs'
  assert_fails fstatat 1 "$EIO" "$results/lost.jsonl cannot be looked at: Input/output error" 'SELECT * FROM task_jobs'
  [[ $(calls_met) == 1 ]]
}

@test "task_prunes: receipts that cannot be examined fail the query for one job, and are not left out silently" {
  make_job j 5
  sql "SELECT taskresults_prune('j', 'keep', 2)" >/dev/null
  assert_rows $'1\n0' "SELECT count(*) FROM task_prunes('j')" "SELECT count(*) FROM task_prunes('none')"
  assert_fails fstatat 1 "$EIO" "the receipts of prunes, $results/.taskresults/prunes/j.jsonl: it cannot be examined: Input/output error" \
    "SELECT count(*) FROM task_prunes('j')"
  [[ $(calls_met) == 1 ]]
}

@test "task_jobs: a process that cannot be examined fails the query, and is not taken for the job's" {
  printf '{"jobs": [{"id": "a"}]}' >"$jobs_file"
  printf '{"pid": %s, "started_at": "2099-01-01T00:00:00Z"}' "$$" >"$BATS_TEST_TMPDIR/.checkpoint_a.json"
  assert_rows 'a|running' 'SELECT job_id, state FROM task_jobs'
  assert_fails read 1 "$EIO" "job 'a': its process $$ cannot be looked at: Input/output error" 'SELECT * FROM task_jobs'
  [[ $(calls_met) == 1 ]]
}

@test "run: if the command's output cannot be read, a message says so, and the run is recorded" {
  local at
  # Earlier reads are of the environment, as many as it takes, and of the pipe that tells when the command has begun.
  for ((at = 2; at < 20; at++)); do
    run fail_call read "$at" "$EIO" "$(tool taskresults)" run "a$at" -- sh -c 'echo one; exec sleep 0'
    [[ $output != *"the command's standard output"* ]] || break
  done
  [[ $status -eq 3 && $output == "taskresults: the command's standard output cannot be read any more: Input/output error" ]]
  [[ $(sql "SELECT count(*) FROM task_results('a$at')") == 1 ]]
}

@test "whichever call fails, the answer is right or there is an error (every 90th case of SQL, every 180th of commands; make faults has all)" {
  run env TASKRESULTS_ROOT="$root" PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/live/each_call.py" 90
  [[ $status -eq 0 ]] || {
    echo "$output"
    return 1
  }
}

@test "no command says that all is well when its output cannot be written" {
  [[ -c /dev/full ]] || skip 'no /dev/full'
  use_recorded
  local words failed=0
  for words in 'view my-backup' 'view --all' list 'list --json' 'list --csv' stats 'stats --jsonl' errors export \
    'export --format json' 'export --format jsonl' 'sla --window 365d' 'alerts --state /dev/null' \
    metrics report 'report -o /dev/full' 'metrics -o /dev/full' 'export -o /dev/full' doctor version help 'help view' \
    'sql SELECT(1)' 'prune my-backup --keep 1 --dry-run'; do
    # shellcheck disable=SC2086  # words
    run timeout 300 bash -c '"$@" >/dev/full' - "$(tool taskresults)" $words
    ((status != 0 && status != 124)) || { echo "taskresults $words: status $status: $output"; failed=1; }
  done
  ((failed == 0))
}

@test "follow ends when its output cannot be written, and waits for no further record" {
  [[ -c /dev/full ]] || skip 'no /dev/full'
  make_job a 3
  local form
  for form in '' --jsonl; do
    # shellcheck disable=SC2086  # no word, or one
    run timeout 300 bash -c '"$@" >/dev/full' - "$(tool taskresults)" follow --limit 1 --interval 1000 $form
    [[ $status -eq 3 && $output == *'No space left on device'* ]]
    # shellcheck disable=SC2086
    run timeout 300 bash -c '"$@" >&-' - "$(tool taskresults)" follow --limit 1 --interval 1000 $form
    [[ $status -eq 3 ]]
  done
  # Here a later record is the first that cannot be written.
  bash -c '"$@" >/dev/full' - "$(tool taskresults)" follow --interval 0.05 2>"$BATS_TEST_TMPDIR/err" 3>&- &
  follower=$!
  while kill -0 "$follower" 2>/dev/null; do make_job a 1; sleep 0.02; done
  run wait "$follower"
  [[ $status -eq 3 && $(<"$BATS_TEST_TMPDIR/err") == *'No space left on device'* ]]
}

# into_a_pipe_without_reader COMMAND... - standard output is such a pipe; status and standard error are the command's.
into_a_pipe_without_reader() {
  local both out pipe=$BATS_TEST_TMPDIR/pipe
  [[ -p $pipe ]] || mkfifo "$pipe"
  # shellcheck disable=SC2094 # that is the way to open a pipe which nobody reads yet
  exec {both}<>"$pipe" {out}>"$pipe" {both}>&-
  timeout 300 "$@" >&"$out" {out}>&-
}

@test "a closed pipe is not an error: status 0, and no message" {
  use_recorded
  local words expected failed=0
  for words in 'view my-backup' 'view --all' list 'list --json' 'list --csv' stats 'stats --jsonl' errors export \
    'export --format json' 'export --format jsonl' metrics report version help 'help list' 'list --help' 'sql SELECT(1)' \
    'follow --limit 5' 'follow --limit 5 --jsonl' 'prune my-backup --keep 1 --dry-run'; do
    # shellcheck disable=SC2086  # words
    run into_a_pipe_without_reader "$(tool taskresults)" $words
    [[ $status -eq 0 && -z $output ]] || { echo "taskresults $words: status $status: $output"; failed=1; }
  done
  for words in doctor 'sla --window 365d' 'alerts --state /dev/null'; do # these answer with their status
    # shellcheck disable=SC2086
    run bash -c '"$@" 2>&1 >/dev/null' - "$(tool taskresults)" $words
    expected="$status $output"
    # shellcheck disable=SC2086
    run into_a_pipe_without_reader "$(tool taskresults)" $words
    [[ "$status $output" == "$expected" ]] || { echo "taskresults $words: $status $output, not $expected"; failed=1; }
  done
  ((failed == 0))
}

@test "with its standard descriptors closed, each command ends, with an error if it had something to print" {
  make_job a 3 2
  local words failed=0
  for words in 'view a' list stats errors export metrics report doctor version 'sql SELECT(1)' 'run a -- echo one'; do
    # shellcheck disable=SC2086
    run timeout 300 bash -c '"$@" >&-' - "$(tool taskresults)" $words
    ((status == 3)) || { echo "taskresults $words: status $status: $output"; failed=1; }
    # shellcheck disable=SC2086
    run timeout 300 bash -c '"$@" <&- >&- 2>&-' - "$(tool taskresults)" $words
    ((status == 3)) || { echo "taskresults $words, all closed: status $status"; failed=1; }
  done
  run timeout 300 bash -c '"$@" <&- >&- 2>&-' - "$(tool taskresults)" run a -- true
  ((status == 0 && failed == 0))
  [[ $(sql "SELECT count(*) FROM task_results('a')") == 6 ]]
}
