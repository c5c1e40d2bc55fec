#!/usr/bin/env bats
# Failing disks, interrupted system calls, wrong file sizes, and patterns and records made to be slow.

load ../lib/helpers
load ../lib/host

# faulty VARIABLE=VALUE... -- STATEMENT... - one sqlite3 under the shim; sets $status and $output.
faulty() {
  local settings=()
  while [[ $1 != -- ]]; do
    settings+=("$1")
    shift
  done
  shift
  run with_faults "${settings[@]}" -- \
    sqlite3 -batch -bail -init /dev/null -nullvalue NULL -cmd ".load $extension" :memory: "$@"
}

# --- a read fails: the query fails, instead of ending early ----------------------------------------------------------------

@test "a read that fails at once fails the query; the message has job, file, byte and cause" {
  make_job a 10
  local table order
  for table in task_results task_rejects; do
    faulty FAULTS_PREAD_AFTER=0 -- "SELECT count(*) FROM $table"
    [[ $status -ne 0 && $output == *"job 'a': $results/a.jsonl cannot be read at byte 0: Input/output error"* ]]
  done
  for order in ASC DESC; do
    faulty FAULTS_PREAD_AFTER=0 -- "SELECT output FROM task_results ORDER BY rowid $order LIMIT 1"
    [[ $status -ne 0 && $output == *'Input/output error'* ]]
  done
}

@test "a read that fails in the middle fails the query after the rows before it, oldest or newest first" {
  make_job a 40000 3
  local size
  size=$(stat -c %s "$results/a.jsonl")
  faulty FAULTS_PREAD_AFTER=2 -- 'SELECT count(*) FROM task_results'
  [[ $status -ne 0 && $output =~ "cannot be read at byte "([0-9]+)": Input/output error" ]]
  ((BASH_REMATCH[1] > 0 && BASH_REMATCH[1] < size))
  faulty FAULTS_PREAD_AFTER=2 FAULTS_ERRNO=116 -- 'SELECT count(*) FROM task_results WHERE success = 0'
  [[ $status -ne 0 && $output == *': Stale file handle'* ]]
  faulty FAULTS_PREAD_AFTER=2 -- 'SELECT count(output) FROM (SELECT output FROM task_results ORDER BY rowid DESC)'
  [[ $status -ne 0 && $output =~ "cannot be read at byte "([0-9]+)": Input/output error" ]]
  ((BASH_REMATCH[1] > 0 && BASH_REMATCH[1] < size))
}

@test "a read that fails in the second file fails the query, with the second file's name" {
  make_job a 3
  make_job b 3
  faulty FAULTS_PREAD_AFTER=1 -- 'SELECT count(*) FROM task_results'
  [[ $status -ne 0 && $output == *"job 'b': $results/b.jsonl cannot be read at byte 0: Input/output error"* ]]
}

@test "a read that fails at a rowid's line fails the query" {
  make_job a 3
  local lookup='SELECT count(*) FROM task_results WHERE rowid = (SELECT max(rowid) FROM task_results)' after
  assert_rows 1 "$lookup"
  for after in 1 2; do # the byte before the line, then the line
    faulty FAULTS_PREAD_AFTER=$after -- "$lookup"
    [[ $status -ne 0 && $output == *"job 'a': $results/a.jsonl cannot be read"*'Input/output error'* ]]
  done
}

@test "an fstat that fails is an error or a reject, and never looks like the end of the file" {
  make_job a 3
  faulty FAULTS_FSTAT_AFTER=0 -- 'SELECT count(*) FROM task_results'
  [[ $status -ne 0 && $output == *"job 'a': $results/a.jsonl cannot be opened: Input/output error"* ]]
  faulty FAULTS_FSTAT_AFTER=0 -- 'SELECT job_id, reason FROM task_rejects'
  [[ $status -eq 0 && $output == 'a|cannot be opened: Input/output error' ]]
  faulty FAULTS_FSTAT_AFTER=1 -- 'SELECT count(*) FROM task_results'
  [[ $status -ne 0 && $output == *"job 'a': $results/a.jsonl cannot be read at byte "*': Input/output error'* ]]
}

@test "after an error, the same connection can run the query again" {
  make_job a 3
  run_in_host <<PYTHON
import os, sqlite3
statement = "SELECT count(*) FROM task_results"
os.rename("$results", "$results.away")
try:
    db.execute(statement).fetchall()
    raise SystemExit("no error")
except sqlite3.OperationalError as error:
    assert "$results" in str(error), error
os.rename("$results.away", "$results")
assert db.execute(statement).fetchall() == [(3,)]
PYTHON
}

# --- what is not an error -------------------------------------------------------------------------------------------------

@test "a file that shrinks during a scan ends there, and gives only complete lines" {
  make_job a 40000
  local whole after
  whole=$(sql 'SELECT count(*) FROM task_results')
  for after in 0 1 2; do
    faulty FAULTS_PREAD_AFTER=$after FAULTS_ERRNO=0 -- 'SELECT count(*), sum(json_valid(record)) FROM task_results'
    [[ $status -eq 0 ]]
    [[ $after -eq 0 ]] || ((${output%|*} > 0 && ${output%|*} < whole && ${output%|*} == ${output#*|}))
    [[ $after -gt 0 || $output == '0|NULL' ]]
    faulty FAULTS_PREAD_AFTER=$after FAULTS_ERRNO=0 -- 'SELECT count(*) FROM task_rejects'
    [[ $status -eq 0 && $output == 0 ]]
  done
}

@test "interrupted system calls and short reads change no answer" {
  make_job a 700 7
  printf 'bad\n{"output": "torn' >>"$results/a.jsonl"
  make_job b 10
  local statement statements=('SELECT count(*), sum(success), sum(offset), sum(length(record)) FROM task_results'
    'SELECT offset, reason FROM task_rejects'
    'SELECT offset FROM task_results ORDER BY rowid DESC LIMIT 3'
    "SELECT sum(offset), count(*) FROM (SELECT offset FROM task_results('a') ORDER BY rowid DESC)"
    'SELECT count(*) FROM task_results WHERE rowid IN (SELECT rowid FROM task_results WHERE success = 0 AND offset < 9000)')
  for statement in "${statements[@]}"; do
    sql "$statement" >"$BATS_TEST_TMPDIR/expected"
    [[ -s $BATS_TEST_TMPDIR/expected ]]
    faulty FAULTS_EINTR=1 -- "$statement"
    [[ $status -eq 0 && $output == "$(cat "$BATS_TEST_TMPDIR/expected")" ]]
    faulty FAULTS_SHORT=1 -- "$statement"
    [[ $status -eq 0 && $output == "$(cat "$BATS_TEST_TMPDIR/expected")" ]]
    faulty FAULTS_SHORT=1000 FAULTS_EINTR=1 -- "$statement"
    [[ $status -eq 0 && $output == "$(cat "$BATS_TEST_TMPDIR/expected")" ]]
  done
}

@test "a read buffer of a few bytes gives the same rows and rejects, oldest and newest first" {
  local directory order statement
  make_job a 30 4
  for directory in "$results" "$root/tests/data/odd-lines" "$root/tests/data/scheduler-state/results"; do
    export SCHEDULER_RESULTS_DIR=$directory
    for order in ASC DESC; do
      for statement in "SELECT rowid, timestamp, job_id, job_name, success, output, error, time_us, record FROM task_results
          ORDER BY rowid $order" "SELECT rowid, * FROM task_rejects ORDER BY rowid $order"; do
        extension=$root/taskresults sql "$statement" >"$BATS_TEST_TMPDIR/expected"
        extension=$root/build/tiny/taskresults sql "$statement" >"$BATS_TEST_TMPDIR/actual"
        cmp "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
      done
    done
  done
  [[ $(wc -c <"$BATS_TEST_TMPDIR/expected") -eq 0 ]] # the recorded state has no rejects; it does have rows:
  assert_rows 1 'SELECT count(*) > 100 FROM task_results'
}

# --- made to be slow or large ---------------------------------------------------------------------------------------------

@test "an authorizer that forbids every further statement does not stop a scan" {
  make_job a 3
  run_in_host <<'PYTHON'
import sqlite3
forbid = False
def forbid_from_now():
    global forbid
    forbid = True
    return "a"
db.create_function("forbid_from_now", 0, forbid_from_now)
db.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if forbid and action == sqlite3.SQLITE_SELECT else sqlite3.SQLITE_OK)
assert db.execute("SELECT count(*) FROM task_results(forbid_from_now())").fetchall() == [(3,)]
try:
    db.execute("SELECT 1")
    raise SystemExit("the authorizer forbids nothing")
except sqlite3.DatabaseError:
    pass
PYTHON
}

@test "patterns made to backtrack do not make a query slow" {
  local i
  for i in {1..50}; do printf '{}\n' >"$results/$(printf 'a%.0s' {1..200})$i.jsonl"; done
  timeout 300 sqlite3 -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT count(*) FROM task_results WHERE job_id GLOB '*a*a*a*b'" >"$BATS_TEST_TMPDIR/count"
  [[ $(cat "$BATS_TEST_TMPDIR/count") == 0 ]]
}

@test "a record with sixty thousand keys, and a line with a megabyte of brackets, do not make a query slow" {
  python3 - "$results/a.jsonl" <<'PYTHON'
import json, sys
with open(sys.argv[1], "w") as file:
    file.write(json.dumps({f"k{i}": i for i in range(60000)} | {"output": "end"}) + "\n")
    file.write('{"x": ' + "[" * 500000 + "]" * 500000 + "}\n")
    file.write('{"x": "' + "\\" * 1000000 + '"}\n')
    file.write('{"output": "' + "\\u0000" * 170000 + '"}\n')
PYTHON
  run timeout 300 sqlite3 -batch -nullvalue NULL -init /dev/null -cmd ".load $extension" :memory: \
    'SELECT length(CAST(output AS BLOB)) FROM task_results' 'SELECT reason FROM task_rejects'
  [[ $status -eq 0 && $output == '3
NULL
170000
nested more than 900 levels deep' ]]
}

@test "looking up a hundred thousand unknown jobs takes no memory" {
  make_job a 1
  run_in_host <<'PYTHON'
import resource
lookups = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
             SELECT count(*) FROM n, task_results(printf('%d-%0200d', n.i, 0))"""
db.execute(lookups, (1000,)).fetchall()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert db.execute(lookups, (100000,)).fetchall() == [(0,)]
grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown_kb < 4096, grown_kb  # keeping the names would take 20 MB
PYTHON
}

@test "one hundred cursors and tables at once close all their descriptors" {
  make_job a 3
  run_in_host <<'PYTHON'
import os
def descriptors():
    return len(os.listdir("/proc/self/fd"))
db.execute("SELECT count(*) FROM task_results").fetchall()
before = descriptors()
cursors = [db.execute("SELECT * FROM task_results") for _ in range(100)]
for cursor in cursors:
    assert cursor.fetchone() is not None
assert descriptors() >= before + 100
for cursor in cursors:
    cursor.close()
assert descriptors() == before, (before, descriptors())
try:
    db.execute("SELECT * FROM task_results, (SELECT abs(-9223372036854775808))").fetchall()
    raise SystemExit("no error")
except Exception:
    pass
assert descriptors() == before
PYTHON
}

@test "programs that the host starts inherit no descriptor of ours" {
  make_job a 3
  run_in_host <<PYTHON
import os
rows = db.execute("SELECT * FROM task_results")
assert rows.fetchone() is not None
flags = [open(f"/proc/self/fdinfo/{fd}").read().split() for fd in os.listdir("/proc/self/fd")
         if os.path.exists(f"/proc/self/fd/{fd}") and "$results" in os.readlink(f"/proc/self/fd/{fd}")]
assert len(flags) >= 2, flags
assert all(int(words[words.index("flags:") + 1], 8) & os.O_CLOEXEC for words in flags), flags
PYTHON
}
