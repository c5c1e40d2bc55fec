#!/usr/bin/env bats
# view_results prints the same bytes as the scheduler's viewer. It is compared with an independent program in Python.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

# assert_same JOB [FILTER...] - both programs print the same bytes.
assert_same() {
  python3 "$root/tests/oracles/viewer.py" "$SCHEDULER_RESULTS_DIR" "$@" >"$BATS_TEST_TMPDIR/theirs"
  view_results "$@" >"$BATS_TEST_TMPDIR/ours" 2>"$BATS_TEST_TMPDIR/stderr" || {
    cat "$BATS_TEST_TMPDIR/stderr"
    return 1
  }
  cmp "$BATS_TEST_TMPDIR/theirs" "$BATS_TEST_TMPDIR/ours" || { printf 'view_results %s\n' "$*"; return 1; }
}

@test "the recorded state of the real scheduler: the same bytes, whatever the filters" {
  export SCHEDULER_RESULTS_DIR=$root/tests/data/scheduler-state/results
  for file in "$SCHEDULER_RESULTS_DIR"/*.jsonl "$SCHEDULER_RESULTS_DIR"/...jsonl; do
    job=$(basename "$file" .jsonl)
    assert_same "$job"
    assert_same "$job" --errors --limit 3
  done
  for job in flaky-api nul-byte; do
    for filters in '--latest' '--success' '--errors' '--limit 2' '--limit 0' '--success --latest' '--errors --limit 2' \
      '--latest --limit 7' '--limit 100000' '--success --errors' '--limit -2' '--limit -1000' '--limit=007'; do
      words=${filters/=007/ 7}
      # shellcheck disable=SC2086  # words
      assert_same "$job" $words
    done
  done
}

@test "the same bytes for texts of every length around the cut (in code points), with line breaks at the end, empty and missing" {
  python3 - "$results/cut.jsonl" <<'PYTHON'
import json, sys
with open(sys.argv[1], "w") as file:
    def record(**fields):
        fields = {"timestamp": "2026-02-15T01:44:15Z", "job_id": "cut", "job_name": "Cut", **fields}
        file.write(json.dumps({k: v for k, v in fields.items() if v != "absent"}) + "\n")
    for letter in ("x", "é", "😀", "\0", "\\", "\"", "\n", "\x1b"):
        for length in (1, 199, 200, 201, 400):
            record(success=True, output=letter * length, error="")
            record(success=False, output="", error=letter * length)
    record(success=True, output="", error="an error all the same")
    record(success=True, output=None, error=None)
    record(success=False, output="not shown", error="")
    record(success="absent", output="x", error="y")
    record(success="absent", output="absent", error="absent")
    record(timestamp="absent", job_name="absent", success=True, output="x", error="")
    record(timestamp=None, job_name=None, success=True, output="x", error="")
    record(job_name=7, success=1, output="\\u0000 \\ \0 \"q\"", error="")
    record(job_name=True, success=0, output="", error="e\u0000\u0001\ufffd")
    record(success="yes", output="x", error="")
    record(success="", output="x", error="z")
    record(success=[], output="x", error="")
    record(success=[1], output="x", error="")
PYTHON
  assert_same cut
  assert_same cut --success
  assert_same cut --errors
}

@test "more records than are read from the end of the file: reading it forwards gives the same bytes" {
  make_job many 2500 7
  for filters in '' '--limit 999' '--limit 1000' '--limit 1001' '--limit 2499' '--success --limit 1500' '--errors'; do
    # shellcheck disable=SC2086  # words
    assert_same many $filters
  done
}

@test "hostile job ids: the same bytes, and nothing happens" {
  make_hostile_jobs
  cd "$BATS_TEST_TMPDIR"
  for job in "${hostile_jobs[@]}"; do
    assert_same "$job" --limit 5
  done
  [[ ! -e pwned ]]
}

@test "no results: the original's words, and exit status 0 like the original" {
  assert_same nobody
  : >"$results/empty.jsonl"
  assert_same empty --latest
  make_job a 1
  assert_same a/../a
}

@test "a damaged file: every record on standard output, the count of the other lines on standard error" {
  make_job a 3
  append_raw a '{"timestamp": "2026-01-01T00:05:00Z", "succ\n[]\n'
  make_job a 2
  view_results a >"$BATS_TEST_TMPDIR/ours" 2>"$BATS_TEST_TMPDIR/stderr"
  [[ $(grep -c SUCCESS "$BATS_TEST_TMPDIR/ours") == 5 ]]
  grep -q '^📋 Results for job: a (showing 5 of 5 total)$' "$BATS_TEST_TMPDIR/ours"
  [[ $(<"$BATS_TEST_TMPDIR/stderr") == 'view_results: passed over 2 lines that cannot be read as a record; to see them: taskresults rejects -- a' ]]
  append_raw b 'junk\n'
  view_results b >"$BATS_TEST_TMPDIR/ours" 2>"$BATS_TEST_TMPDIR/stderr"
  [[ $(<"$BATS_TEST_TMPDIR/ours") == 'No results found for job: b' ]]
  [[ $(<"$BATS_TEST_TMPDIR/stderr") == *'passed over 1 line that'* ]]
}

@test "on a terminal, too, the bytes are the original's" {
  export SCHEDULER_RESULTS_DIR=$root/tests/data/scheduler-state/results
  python3 "$root/tests/oracles/viewer.py" "$SCHEDULER_RESULTS_DIR" ansi-color >"$BATS_TEST_TMPDIR/theirs"
  on_pty 40 "$(tool view_results)" ansi-color | tr -d '\r' >"$BATS_TEST_TMPDIR/ours"
  cmp "$BATS_TEST_TMPDIR/theirs" "$BATS_TEST_TMPDIR/ours"
}

@test "usage: no job, a bad limit, an unknown option, or one argument too many is status 2" {
  for arguments in '' 'a --limit x' 'a --limit' 'a --oops' 'a b' 'a --latest=1' 'a --limit 99999999999999999999'; do
    # shellcheck disable=SC2086  # words
    run view_results $arguments
    [[ $status -eq 2 && $output == 'view_results: '*'try: view_results --help' ]] || { echo "$arguments: $output"; return 1; }
  done
  run view_results --help
  [[ $status -eq 0 && $output == *'Usage: view_results JOB'* ]]
}

@test "a missing directory and an unreadable file are errors, with one message" {
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run view_results a
  [[ $status -eq 3 && $output == 'view_results: results directory '*'nowhere'*'No such file or directory'* ]]
  [[ $(grep -c 'No such file' <<<"$output") -eq 1 && ${lines[1]} == 'view_results: '* ]] # then a hint
}

@test "a closed pipe ends it without a message, also if the parent ignores SIGPIPE" {
  make_job a 20000
  [[ $( (view_results a; echo "status $?" >&2) 2>&1 >/dev/full) == *'No space left on device'*'status 3' ]]
  [[ $( (view_results a; echo "status $?" >&2) 2>&1 > >(head -n 1 >/dev/null)) == 'status 0' ]]
  [[ $( (trap '' PIPE; view_results a; echo "status $?" >&2) 2>&1 > >(head -n 1 >/dev/null)) == 'status 0' ]]
}
