#!/usr/bin/env bats
# An interrupted query ends within 50 ms of processor time, whatever it is reading.

load ../lib/helpers
load ../lib/host

# Big files, made once: $big/good, $big/torn and $big/endless hold one job each. TASKRESULTS_TEST_BYTES makes them larger.
setup_file() {
  local tests=$BATS_TEST_DIRNAME/.. bytes=${TASKRESULTS_TEST_BYTES:-200000000}
  export big=$BATS_FILE_TMPDIR
  mkdir "$big"/{good,torn,endless}
  python3 "$tests/bench/generate.py" "$big/block" 20000000
  for ((written = 0; written < bytes; written += 20000000)); do cat "$big/block"; done >"$big/good/a.jsonl"
  # shellcheck disable=SC2016  # the scheduler's text, torn
  yes '{"timestamp": "2026-01-01T00:00:00Z", "job_id": "a", "success": false, "output": "torn' | head -c "$((bytes / 2))" \
    >"$big/torn/a.jsonl"
  head -c "$bytes" /dev/zero | tr '\0' x >"$big/endless/a.jsonl"
}

teardown_file() {
  rm -rf "$BATS_FILE_TMPDIR"/{good,torn,endless,block}
}

# stop HOW DELAY_MS DIRECTORY STATEMENT - prints "RESULT MICROSECONDS".
stop() {
  SCHEDULER_RESULTS_DIR=$3 "$root/build/live/interrupt" "$extension" "$1" "$2" "$4"
}

# assert_stops HOW DIRECTORY STATEMENT - stopped after 20 ms, it returns within 50 ms more.
assert_stops() {
  local how=$1 directory=$2 statement=$3 outcome
  outcome=$(stop "$how" 20 "$directory" "$statement") || return 1
  echo "# $how: $outcome us: $statement"
  [[ $outcome == interrupted\ * ]] && ((${outcome#interrupted } <= 50000))
}

@test "sqlite3_interrupt() ends a scan that matches nothing, forwards and backwards" {
  assert_stops interrupt "$big/good" "SELECT output FROM task_results WHERE success = 7"
  assert_stops interrupt "$big/good" "SELECT output FROM task_results WHERE timestamp < '1999'"
  assert_stops interrupt "$big/good" "SELECT output FROM task_results WHERE time_us < 0 ORDER BY rowid DESC"
  assert_stops interrupt "$big/good" "SELECT count(*) FROM task_results"
}

@test "sqlite3_interrupt() ends a search for rejects among good lines" {
  assert_stops interrupt "$big/good" 'SELECT * FROM task_rejects'
  assert_stops interrupt "$big/good" 'SELECT * FROM task_rejects ORDER BY rowid DESC'
}

@test "sqlite3_interrupt() ends a scan of torn lines, of task_results and of task_rejects" {
  assert_stops interrupt "$big/torn" 'SELECT * FROM task_results'
  assert_stops interrupt "$big/torn" 'SELECT * FROM task_results ORDER BY rowid DESC'
  assert_stops interrupt "$big/torn" "SELECT * FROM task_rejects WHERE reason = 'x'"
}

@test "sqlite3_interrupt() ends the skipping of a very long line, from either end" {
  assert_stops interrupt "$big/endless" 'SELECT * FROM task_results'
  assert_stops interrupt "$big/endless" 'SELECT * FROM task_results ORDER BY rowid DESC'
  assert_stops interrupt "$big/endless" 'SELECT length FROM task_rejects'
}

@test "sqlite3_interrupt() ends the wait for a lease that is never released" {
  make_job a 1
  run with_faults FAULTS_OPEN_ERRNO=11 -- "$root/build/live/interrupt" "$extension" interrupt 20 'SELECT * FROM task_results'
  [[ $status -eq 0 && $output == interrupted\ * ]]
}

@test "a scan that is not interrupted runs to its end" {
  make_job a 1000
  run "$root/build/live/interrupt" "$extension" progress:1 600000 'SELECT count(*) FROM task_results'
  [[ $status -eq 0 && $output == done\ * ]]
}

@test "a progress handler can stop a scan that matches nothing" {
  local directory
  for directory in good torn endless; do
    assert_stops progress:10 "$big/$directory" "SELECT output FROM task_results WHERE success = 7"
    assert_stops progress:100 "$big/$directory" "SELECT output FROM task_results WHERE success = 7"
  done
  assert_stops progress:10 "$big/good" "SELECT * FROM task_rejects"
}

@test "Python's progress handler is called during a scan, and the host's handler is still set afterwards" {
  make_job a 3000
  run_in_host <<'PYTHON'
calls = 0
def count():
    global calls
    calls += 1
    return 0
db.set_progress_handler(count, 1)
db.execute("SELECT count(*) FROM task_results WHERE success = 7").fetchall()
during = calls
assert during > 0
db.execute("SELECT 1").fetchall()
assert calls > during, "the handler is gone"
PYTHON
}

@test "with 60,000 names in an IN, the progress handler is called all along, and can stop the query at any time" {
  make_job a 3
  run_in_host <<'PYTHON'
import sqlite3
NAMES, EVERY = 60000, 10
db.execute("CREATE TABLE names(n TEXT)")
db.executemany("INSERT INTO names VALUES (?)", [("job-%d" % i,) for i in range(NAMES - 1)] + [("a",)])
db.execute("CREATE TABLE plain AS SELECT job_id, success FROM task_results")
calls, stop_at = 0, None
def handler():
    global calls
    calls += 1
    return stop_at is not None and calls >= stop_at
db.set_progress_handler(handler, EVERY)
def calls_of(query, stop=None):
    """How often the handler was asked; and whether the query was stopped."""
    global calls, stop_at
    calls, stop_at = 0, stop
    try:
        assert db.execute(query).fetchone()[0] == 3, query
        return calls, False
    except sqlite3.OperationalError as error:
        assert "interrupt" in str(error), error
        return calls, True
for column, names in (("job_id", "SELECT n FROM names"), ("success", "SELECT n FROM names UNION ALL SELECT 1")):
    where = f" WHERE {column} IN ({names})"
    plain, _ = calls_of("SELECT count(*) FROM plain" + where)
    for table in ("task_results", "task_runs"):
        query = f"SELECT count(*) FROM {table}" + where
        ours, _ = calls_of(query)
        # SQLite makes the list in both cases. While we read it, we call the handler at least once in a thousand names.
        assert ours - plain >= NAMES / 1000, (query, plain, ours)
        for late in (1, (ours - plain) // 2, ours - plain - 20):
            told, stopped = calls_of(query, plain + late)
            assert stopped and told <= plain + late + 2, (query, plain, ours, late, told)
PYTHON
}

@test "after an interrupt the same statement runs to its end on the same connection" {
  make_job a 3000
  run_in_host <<'PYTHON'
import sqlite3
statement = "SELECT count(*) FROM task_results WHERE success = 1"
db.set_progress_handler(lambda: 1, 1)
for _ in range(3):
    try:
        db.execute(statement).fetchall()
        raise SystemExit("not interrupted")
    except sqlite3.OperationalError as error:
        assert "interrupt" in str(error), error
db.set_progress_handler(None, 0)
assert db.execute(statement).fetchall() == [(3000,)]
db.close()
PYTHON
}

# If SQLite's own parser notices the interrupt, the error is of another kind. It looks at each space, so the text has none.
@test "an interrupt while a table is being connected is reported as an interrupt" {
  make_job a 3
  run_in_host <<'PYTHON'
import sqlite3
for table in "task_results", "task_jobs", "task_runs":
    reader = db.execute("VALUES(1),(2)")
    db.interrupt()
    try:
        db.execute(f"select*from({table})")
        raise SystemExit("not interrupted")
    except sqlite3.OperationalError as error:
        assert "interrupted" in str(error), error
    reader.close()
    db.execute(f"SELECT * FROM {table} LIMIT 0")
PYTHON
}
