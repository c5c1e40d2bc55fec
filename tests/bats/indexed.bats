#!/usr/bin/env bats
# Tables that use an index: what a question costs when it is asked again; the answers are the same.

load ../lib/helpers
load ../lib/host

# An index must be in a folder that belongs to us alone.
new_index() {
  index=$BATS_TEST_TMPDIR/$1
  rm -rf "$index"
  mkdir -m 700 "$index"
}

# counted STATEMENT... - sets answer, and bytes: how many were read. An hour later, so that the files are not as new as the
# index: else all that is known of them would be compared.
counted() {
  answer=$(env FAULTS_LOG="$BATS_TEST_TMPDIR/log" CLOCK_OFFSET_S=3600 TASKRESULTS_INDEX="$index" \
    LD_PRELOAD="$root/build/shim/faults.so $root/build/shim/clock.so" \
    sqlite3 -batch -bail -init /dev/null -nullvalue NULL -cmd ".load $extension" :memory: "$@")
  bytes=$(awk '$1 == "bytes" {print $2}' "$BATS_TEST_TMPDIR/log")
}

# assert_indexed PERCENT STATEMENT - asked again with an index, the answer is that without it, and at most so much of
# the files is read. Some blocks are compared at random, which are of 1 MiB each.
assert_indexed() {
  local expected size most
  expected=$(TASKRESULTS_INDEX=off sql "$2") || return 1
  counted "$2"
  counted "$2"
  size=$(cat "$results"/*.jsonl | wc -c)
  most=$((size * $1 / 100))
  [[ -n $expected && $answer == "$expected" && $bytes -le $most ]] || {
    printf 'statement: %s\nexpected: %s\nactual: %s\n%s bytes read, wanted %s of %s at most\n' "$2" \
      "${expected:0:400}" "${answer:0:400}" "$bytes" "$most" "$size"
    return 1
  }
}

@test "asked again, a question reads a small part of the files, and has the same answer" {
  new_index index
  make_job a 80000 500
  make_job b 12000 700
  append_raw b '{"timestamp": "2026-01-02T03:04:05Z", "success": "yes", "error": "odd"}\nno record\n'
  local days="date(time_us / 1000000, 'unixepoch')"
  assert_indexed 35 'SELECT count(*) FROM task_results WHERE ok = 0'
  assert_indexed 35 'SELECT count(*), sum(success), sum(offset), max(time_us) FROM task_results'
  assert_indexed 35 "SELECT job_id, $days, count(*), sum(ok) FROM task_results GROUP BY 1, 2"
  assert_indexed 35 'SELECT * FROM task_stats'
  assert_indexed 35 "SELECT * FROM task_stats('2026-01-03', '2026-01-04T12:00:00Z')"
  assert_indexed 35 "SELECT * FROM task_days WHERE zone = 'Europe/Berlin'"
  assert_indexed 45 'SELECT * FROM task_rejects' # a block of 1 MiB more
  assert_indexed 45 'SELECT * FROM task_errors'
  assert_indexed 45 'SELECT offset, error FROM task_results WHERE ok = 0'
  assert_indexed 35 "SELECT timestamp, error FROM task_results('a') WHERE ok = 0 AND time_us > 1767900000000000"
  assert_indexed 35 "SELECT count(*) FROM task_history WHERE ok = 0"
}

@test "a connection that was loaded read-only uses no index, since it would write one" {
  new_index index
  make_job a 2000 500
  export TASKRESULTS_INDEX=$index
  run sqlite3 -batch -bail -init /dev/null :memory: ".load $extension sqlite3_taskresults_readonly_init" \
    'EXPLAIN QUERY PLAN SELECT count(*) FROM task_results WHERE ok = 0' 'SELECT count(*) FROM task_results WHERE ok = 0' \
    'SELECT sum(runs) FROM task_stats' 'SELECT count(*) FROM task_rejects'
  [[ $status -eq 0 && $output != *INDEX:* && -z $(ls -A "$index") ]]
  sql 'SELECT sum(runs) FROM task_stats' # an ordinary one does
  [[ -n $(ls -A "$index") ]]
}

@test "what is new is read, and only that" {
  new_index index
  make_job a 80000 50
  assert_indexed 25 'SELECT count(*), sum(ok) FROM task_results'
  make_job a 100 3
  counted 'SELECT count(*), sum(ok) FROM task_results'
  [[ $answer == '80100|78467' && $bytes -lt 2600000 ]]
  append_raw a '{"timestamp": "2026-03-01T00:00:00Z", "success": fal'
  counted 'SELECT count(*), sum(ok) FROM task_results'
  [[ $answer == '80100|78467' ]]
  append_raw a 'se}\n'
  counted 'SELECT count(*), sum(ok) FROM task_results'
  [[ $answer == '80101|78467' ]]
}

@test "EXPLAIN QUERY PLAN says INDEX where one can be used, and COVERING INDEX if no line is needed" {
  new_index index
  export TASKRESULTS_INDEX=$index
  assert_plan ':COVERING INDEX: ok = ?' 'SELECT count(*) FROM task_results WHERE ok = 0'
  assert_plan ':COVERING INDEX: every line' 'SELECT job_id, time_us, offset, success FROM task_results'
  assert_plan ':INDEX: ok = ?' 'SELECT error FROM task_results WHERE ok = 0'
  assert_plan ':INDEX: every line' 'SELECT * FROM task_errors'
  assert_plan ':INDEX: every line' 'SELECT * FROM task_rejects'
  assert_plan ':COVERING INDEX: every line' 'SELECT * FROM task_stats'
  assert_plan 'all segments: COVERING INDEX: every line' 'SELECT * FROM task_days'
  local statement
  for statement in 'SELECT error FROM task_results' 'SELECT ok FROM task_results WHERE rowid = 5' \
    'SELECT ok FROM task_results WHERE offset > 5' 'SELECT ok FROM task_results ORDER BY rowid DESC LIMIT 1' \
    'SELECT * FROM task_lines'; do
    [[ $(sql "EXPLAIN QUERY PLAN $statement") != *'INDEX: '* ]]
  done
  TASKRESULTS_INDEX=off
  [[ $(sql 'EXPLAIN QUERY PLAN SELECT count(*) FROM task_results WHERE ok = 0') != *'INDEX: '* ]]
}

@test "a line that is not what the index says is noticed when it is read: the answers are those of the file" {
  local query last_fails queries=('SELECT offset, error FROM task_results WHERE ok = 0' 'SELECT * FROM task_errors'
    'SELECT job_id, runs, failures, last_failure, last_error, rejects FROM task_stats')
  for query in "${queries[@]}"; do
    rm -f "$results/a.jsonl"
    make_job a 12000 0
    append_raw a '{"timestamp": "2026-01-02T03:04:05Z", "success": false, "error": "the only one"}\n'
    last_fails=12000
    [[ $query != *task_stats ]] || last_fails=0 # it reads the last failure alone
    make_job a 12000 "$last_fails"
    new_index index
    counted 'SELECT count(*) FROM task_results'
    # In the middle of the file, with both ends as they were.
    python3 -c 'import sys
with open(sys.argv[1], "r+b") as file:
    text = file.read()
    at = text.index(b"\"success\": false, \"error\": \"the only one")
    file.seek(at)
    file.write(b" success : ")' "$results/a.jsonl"
    append_raw a '{"timestamp": "2026-03-01T00:00:00Z", "success": true}\n' # a file that only grows is not compared
    assert_indexed 1000 "$query"
    # And no question believes it any more, not even one that reads no line.
    query='SELECT count(*) FROM task_results WHERE ok = 0'
    [[ $(TASKRESULTS_INDEX=$index sql "$query") == "$(TASKRESULTS_INDEX=off sql "$query")" ]]
  done
}

@test "in every state of the index the answers are the same, while files grow, are cut, replaced, renamed and pruned" {
  run python3 "$root/tests/live/indexed.py" "$root/build/tiny/taskresults" "$BATS_TEST_TMPDIR/place" \
    "$(some_or_all 4 200)"
  echo "$output"
  [[ $status -eq 0 && $output == *"106 questions each: 0 differences"* ]]
}

@test "queries over odd values give the answers of a scan, while the index is built, and after that" {
  local generator=$root/tests/live/pushdown.py
  python3 "$generator" data "$BATS_TEST_TMPDIR/odd"
  python3 "$generator" sql few | sed 's/ IS NOT DISTINCT FROM / IS /g; s/ IS DISTINCT FROM / IS NOT /g' \
    >"$BATS_TEST_TMPDIR/queries"
  new_index index
  export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/odd
  TASKRESULTS_INDEX=off sql <"$BATS_TEST_TMPDIR/queries" >"$BATS_TEST_TMPDIR/expected"
  extension=$root/build/tiny/taskresults
  TASKRESULTS_INDEX=$index sql <"$BATS_TEST_TMPDIR/queries" >"$BATS_TEST_TMPDIR/actual"
  [[ $(tail -n 1 "$BATS_TEST_TMPDIR/actual") =~ ^1153\ queries ]]
  cmp "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
}

@test "an index that is damaged, asked by two processes at once, or of another mapping or longest line: the answers are the same" {
  require_host
  run host "$root/tests/oracles/index_states.py" "$extension" "$(some_or_all 1 20)" 40
  echo "$output"
  [[ $status -eq 0 ]]
}
