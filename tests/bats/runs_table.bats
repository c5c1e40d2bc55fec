#!/usr/bin/env bats
# task_runs: every record, with the start of its run if the job's log has it.

load ../lib/helpers
load ../lib/state
load ../lib/host

@test "every recorded run has a duration, and those that timed out took a second and a half" {
  use_recorded
  assert_rows '285|285|0' "SELECT count(*), count(duration_s), sum(duration_s NOT BETWEEN 0.001 AND 5) FROM task_runs"
  assert_rows '2026-11-22T20:30:19.998982Z|2026-11-22T20:30:21.502373Z|1.503391
2026-11-22T20:30:23.041204Z|2026-11-22T20:30:24.549217Z|1.508013
2026-11-22T20:30:46.978907Z|2026-11-22T20:30:48.481929Z|1.503022' \
    "SELECT started, finished, duration_s FROM task_runs('slow-job')"
}

@test "each start in the recorded logs belongs to one record" {
  use_recorded
  assert_rows '285|285' "SELECT count(*), count(DISTINCT job_id || started) FROM task_runs"
  assert_rows '285' "SELECT count(*) FROM task_runs AS r JOIN task_logs AS l
    ON l.job_id = r.job_id AND l.event = 'started' AND l.time_us = r.started_us AND l.timestamp = r.started"
}

@test "task_runs has the rows of task_results" {
  use_recorded
  assert_rows 0 "SELECT count(*) FROM (
    SELECT rowid, job_id, timestamp, success, output, error, time_us, offset FROM task_results EXCEPT
    SELECT rowid, job_id, finished, success, output, error, time_us, offset FROM task_runs)"
  assert_rows 285 'SELECT count(*) FROM task_runs'
}

@test "a record has no start after a crash, if another writer wrote it, or if its log is missing" {
  log a 10:00:00 'Starting execution via agent_manager.py'
  log a 10:00:05 'Execution succeeded'
  log a 10:10:00 'Starting execution via agent_manager.py' # the power went
  log a 10:20:00 'Starting execution via agent_manager.py'
  log a 10:20:03 'Execution failed: Starting execution'
  finish a 10:00:05.000100
  finish a 10:15:00 # not the scheduler's
  finish a 10:20:03.000100 false
  finish b 10:00:00
  assert_rows 'a|2026-01-01T10:00:00Z|5.0001
a|NULL|NULL
a|2026-01-01T10:20:00Z|3.0001
b|NULL|NULL' 'SELECT job_id, started, duration_s FROM task_runs'
}

@test "a clock that is set back between runs changes nothing; within a run, that run has no duration" {
  log a 10:00:00 'Executing (command mode): x'
  log a 10:00:05 'Command executed successfully'
  log a 09:59:58 'Executing (command mode): x'
  log a 10:00:01 'Command failed: x'
  log a 12:00:00 'Executing (command mode): x'
  log a 11:00:00 'Command executed successfully'
  finish a 10:00:05.001
  finish a 10:00:01.001 false
  finish a 11:00:00.001
  assert_rows '2026-01-01T10:00:00Z|5.001
2026-01-01T09:59:58Z|3.001
2026-01-01T12:00:00Z|NULL' 'SELECT started, duration_s FROM task_runs'
}

@test "a log that was rotated away has durations for what is left" {
  log a 10:00:05 'Execution succeeded'
  log a 10:10:00 'Starting execution via agent_manager.py'
  log a 10:10:01 'Execution succeeded'
  finish a 10:00:05
  finish a 10:10:01
  assert_rows 'NULL
1.0' 'SELECT duration_s FROM task_runs'
}

@test "a record without a readable time has no start" {
  log a 10:00:00 'Starting execution via agent_manager.py'
  append_raw a '{"timestamp": "soon", "success": true}\n{"success": true}\n'
  assert_rows 'soon|NULL|NULL
NULL|NULL|NULL' 'SELECT finished, started, duration_s FROM task_runs'
}

@test "a record without a readable time has no time in microseconds either" {
  finish a 10:00:00
  printf '{"timestamp": "soon", "success": true}\n{"success": true}\n' >>"$results/a.jsonl"
  assert_rows $'1767261600000000\nNULL\nNULL' 'SELECT time_us FROM task_runs'
}

@test "a record's start does not depend on which other records are read, or in which order" {
  use_recorded
  assert_rows '0|0|285' "
    CREATE TABLE whole AS SELECT rowid AS r, started, duration_s FROM task_runs;
    CREATE TABLE down AS SELECT rowid AS r, started, duration_s FROM task_runs ORDER BY task_runs.rowid DESC;
    CREATE TABLE one AS SELECT r, (SELECT started FROM task_runs WHERE rowid = r) AS started FROM whole;
    SELECT (SELECT count(*) FROM (SELECT * FROM whole EXCEPT SELECT * FROM down)),
           (SELECT count(*) FROM (SELECT r, started FROM whole EXCEPT SELECT * FROM one)),
           (SELECT count(started) FROM one)"
}

@test "conditions on the record are pushed down and change no answer" {
  use_recorded
  assert_plan 'timestamp >= ?' "SELECT * FROM task_runs WHERE finished >= '2026' ORDER BY rowid DESC"
  assert_plan 'job_id IN (?)' "SELECT * FROM task_runs WHERE job_id IN ('a', 'b')"
  local where
  for where in "success = 0" "finished > '2026-11-22T20:30:40'" "job_id GLOB '*-*'" "duration_s > 0.1" "started IS NULL" \
    "time_us < 1795379440000000" "job = 'silent' OR success = 0"; do
    sql "SELECT *, offset FROM task_runs WHERE $where ORDER BY job_id, offset" >"$BATS_TEST_TMPDIR/actual"
    extension=$root/build/every_line/taskresults sql "SELECT *, offset FROM task_runs WHERE $where ORDER BY job_id, offset" >"$BATS_TEST_TMPDIR/expected"
    cmp "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" || { echo "$where"; return 1; }
  done
}

@test "a log is read once for all of a job's records, and only if a start is asked for" {
  use_recorded
  opens() {
    FAULTS_LOG=$BATS_TEST_TMPDIR/count LD_PRELOAD=$root/build/shim/faults.so \
      sqlite3 -init /dev/null -cmd ".load $extension" :memory: "$1" >/dev/null
    awk '/^opens/ {print $2}' "$BATS_TEST_TMPDIR/count"
  }
  [[ $(opens "SELECT finished, success FROM task_runs") == 16 ]]
  [[ $(opens "SELECT duration_s, started FROM task_runs") == 32 ]]
  [[ $(opens "SELECT max(duration_s) FROM task_runs('slow-job')") == 2 ]]
}

@test "a log that grows is seen by the next pass of the same query" {
  run_in_host <<PYTHON
import os
def add(second):
    with open("$logs/a.log", "a") as log:
        log.write("[2026-01-01T00:00:%02dZ] Starting execution via agent_manager.py\n" % second)
        log.write("[2026-01-01T00:00:%02dZ] Execution succeeded\n" % (second + 1))
    with open("$results/a.jsonl", "a") as results:
        results.write('{"timestamp": "2026-01-01T00:00:%02d.5Z", "success": true}\n' % (second + 1))
add(0)
passes = db.execute("""SELECT v.key, r.duration_s FROM json_each('["a", "a", "a"]') AS v CROSS JOIN task_runs(v.value) AS r""")
first = passes.fetchone()
add(10)
rows = [first] + passes.fetchall()
assert [row for row in rows if row[0] == 2] == [(2, 1.5), (2, 1.5)], rows
PYTHON
}

@test "a log that is not a regular file gives no starts; one that cannot be read fails the query" {
  log other 10:00:00 'Starting execution via agent_manager.py'
  finish a 10:00:01
  ln -s other.log "$logs/a.log"
  assert_rows NULL 'SELECT duration_s FROM task_runs'
  rm "$logs/a.log"
  mkfifo "$logs/a.log"
  assert_rows NULL 'SELECT duration_s FROM task_runs'
  rm "$logs/a.log"
  log a 10:00:00 'Starting execution via agent_manager.py'
  run with_faults FAULTS_OPEN_ERRNO=13 FAULTS_OPEN_NAME=a.log -- \
    sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: 'SELECT duration_s FROM task_runs'
  [[ $status -ne 0 && $output == *"job 'a': $logs/a.log cannot be opened: Permission denied"* ]]
}

@test "a missing directory, of results or of logs, is an error that names its variable" {
  finish a 10:00:01
  SCHEDULER_LOGS_DIR=/no/such/logs assert_sql_error 'set SCHEDULER_LOGS_DIR' 'SELECT duration_s FROM task_runs'
  SCHEDULER_RESULTS_DIR=/no/such/results assert_sql_error 'set SCHEDULER_RESULTS_DIR' 'SELECT duration_s FROM task_runs'
}

@test "dir= and logs= name other directories; views cannot use them" {
  mkdir "$BATS_TEST_TMPDIR/r" "$BATS_TEST_TMPDIR/l"
  log a 10:00:00 'Starting execution via agent_manager.py'
  finish a 10:00:01
  mv "$logs/a.log" "$BATS_TEST_TMPDIR/l"
  mv "$results/a.jsonl" "$BATS_TEST_TMPDIR/r"
  assert_rows 'a|1.0|0' "CREATE VIRTUAL TABLE temp.r USING task_runs(dir='$BATS_TEST_TMPDIR/r', logs='$BATS_TEST_TMPDIR/l', max_line=10000)" \
    'SELECT job_id, duration_s, (SELECT count(*) FROM task_runs) FROM r'
  assert_sql_error 'unsafe use of virtual table "own"' "CREATE VIRTUAL TABLE own USING task_runs(dir='$BATS_TEST_TMPDIR/r')" \
    'CREATE VIEW v AS SELECT * FROM own' 'SELECT * FROM v'
  assert_sql_error "the arguments are dir='PATH', logs='PATH', max_line=BYTES, segments=live|all and map='MAPPING'" 'CREATE VIRTUAL TABLE temp.r USING task_runs(sync=off)'
  assert_sql_error 'logs= is empty' 'CREATE VIRTUAL TABLE temp.r USING task_runs(logs=)'
}

@test "sqlite3_interrupt() ends the reading of a log" {
  finish a 10:00:01
  yes '[2026-01-01T00:00:00Z] Notification skipped: no created_by info' | head -c 150000000 >"$logs/a.log"
  run "$root/build/live/interrupt" "$extension" interrupt 20 'SELECT duration_s FROM task_runs'
  [[ $output == interrupted\ * ]]
  ((${output#interrupted } < 200000))
}
