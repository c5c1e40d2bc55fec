#!/usr/bin/env bats
# task_slots beside other tables, and in every form of a query: its rows are those of an oracle in Python.

load ../lib/helpers
load ../lib/host

NOW_S=1771171200 # tests/live/slot_joins.py: 2026-02-15T16:00:00Z

setup() {
  state=$BATS_TEST_TMPDIR/state
  results=$state/results
  export SCHEDULER_RESULTS_DIR=$results SCHEDULER_LOGS_DIR=$state/logs SCHEDULER_JOBS_FILE=$state/jobs.json
  extension=$root/taskresults
  oracles=$root/tests/lib:$root/tests/live:$root/tests/oracles
}

# at_that_time COMMAND... - with the clock standing, as the oracle has it.
at_that_time() {
  env CLOCK_STANDS_S=$NOW_S LD_PRELOAD="$root/build/shim/clock.so" "$@"
}

# slot_joins WORDS... - tests/live/slot_joins.py; without RIGHT and FULL JOIN before SQLite 3.39.
slot_joins() {
  local old=()
  (($(sqlite_version_number) >= 3039000)) || old=(old)
  PYTHONPATH=$oracles PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/live/slot_joins.py" "$@" "${old[@]}"
}

JOINS=$(some_or_all 400 1000)

# answers_of_joins [copy] [bare] [old] - what JOINS queries print.
answers_of_joins() {
  slot_joins sql "$state" "$JOINS" "$@" >"$BATS_TEST_TMPDIR/joins.sql"
  at_that_time sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: <"$BATS_TEST_TMPDIR/joins.sql"
}

@test "400 joins of every kind (make test-long: 1,000) with task_slots give the rows of a plain table that Python filled" {
  local form=()
  slot_joins data "$state"
  # SQLite 3.40 finds no partners in a RIGHT JOIN for tables with arguments, not even json_each(). And before 3.51.1, its own
  # answer to a RIGHT JOIN behind a LEFT JOIN may depend on whether its tables are virtual.
  (($(sqlite_version_number) >= 3046000)) || form=(bare)
  (($(sqlite_version_number) >= 3051001 || $(sqlite_version_number) == 3040001)) || form=(old)
  answers_of_joins "${form[@]}" >"$BATS_TEST_TMPDIR/actual"
  answers_of_joins copy "${form[@]}" >"$BATS_TEST_TMPDIR/expected"
  [[ $(tail -n 1 "$BATS_TEST_TMPDIR/actual") =~ ^"$JOINS"\ queries,\ ([0-9]+)\ selective$ ]]
  ((BASH_REMATCH[1] > JOINS / 2))
  cmp -s "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" || {
    diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" | cut -c 1-300 | head -n 10
    return 1
  }
}

# forms WHICH COUNT - tests/live/slot_forms.py agrees, over so many queries.
forms() {
  require_host
  cd "$BATS_TEST_TMPDIR" || return
  run at_that_time env TASKRESULTS_ROOT="$root" PYTHONPATH="$oracles" PYTHONDONTWRITEBYTECODE=1 \
    timeout 600 "$host_python" "$root/tests/live/slot_forms.py" "$1"
  [[ $status -eq 0 && $output =~ ^([0-9]+)\ queries\ agree$ ]] || { echo "$output" | cut -c 1-2000; return 1; }
  ((BASH_REMATCH[1] >= $2))
}

@test "arguments of task_slots: as values, as columns, from another table, from each other, NULL or left out" {
  forms args 300
}

@test "conditions on rows of task_slots give those of a plain table that Python filled, whatever is compared with what" {
  forms conditions 6000
}

@test "orders and groups of task_slots: job_id and slot_us need no sorting, others do, and all come out right" {
  forms orders 100
}

@test "a slot and its run are found in task_results, task_runs, task_jobs and task_stats" {
  forms tables 7
}

@test "an OR over conditions that are pushed down does not lose the rows where an argument is NULL" {
  slot_joins data "$state"
  local table condition="job_id = 'a' OR job_id GLOB '[b0]*'"
  for table in "task_stats(NULL, '2026-02-16')" "task_errors('2026-02-01', NULL)" "task_slots(NULL, '2026-02-15T16:00Z', NULL, NULL, 1)"; do
    wanted=$(at_that_time sqlite3 -init /dev/null -cmd ".load $extension" :memory: \
      "SELECT count(*), count(DISTINCT job_id) FROM (SELECT * FROM $table LIMIT 1000) WHERE $condition;")
    [[ $wanted != 0* ]]
    for from in "FROM $table WHERE $condition" "FROM (SELECT 1) LEFT JOIN $table ON $condition" \
      "FROM $table WHERE ($condition) AND (job_id IS NOT 'x' OR job_id = 'y')"; do
      run at_that_time sqlite3 -init /dev/null -cmd ".load $extension" :memory: "SELECT count(*), count(DISTINCT job_id) $from;"
      [[ $output == "$wanted" ]] || { echo "$from: $output, not $wanted"; return 1; }
    done
  done
  # There is a way to read them also where the arguments are another table's.
  run at_that_time sqlite3 -init /dev/null -cmd ".load $extension" :memory: "CREATE TEMP TABLE a(s, u);
    INSERT INTO a VALUES (NULL, '2026-02-16'); SELECT count(*) > 0 FROM a, task_stats(a.s, a.u) WHERE $condition;"
  [[ $status -eq 0 && $output == 1 ]]
}

@test "taskresults_slots with an OR, in a WHERE or an ON, gives the rows that it has; arguments that are NULL are those left out" {
  local due="taskresults_slots('30 */6 * * *', '2026-02-14', '2026-02-15', NULL)"
  assert_rows '2|2|3|8' "SELECT (SELECT count(*) FROM $due WHERE slot_us = 1771029000000000 OR slot = '2026-02-15T06:30:00Z'),
    (SELECT count(*) FROM $due WHERE slot_us IN (1771029000000000) OR slot LIKE '%15T06:30%' OR slot IS NULL),
    (SELECT count(*) FROM (SELECT 1771029000000000 AS x UNION ALL SELECT 5) LEFT JOIN $due ON slot_us = x OR slot_us = x + 21600000000),
    (SELECT count(*) FROM (SELECT '30 */6 * * *' AS x, NULL AS y), taskresults_slots(x, '2026-02-14', '2026-02-15', y)
      WHERE slot_us > 5 OR slot_us = 3 OR zone = 'x')"
  assert_sql_error 'taskresults_slots: no schedule' "SELECT * FROM taskresults_slots WHERE slot_us = 5 OR slot = 'x'"
}

# --- what is read --------------------------------------------------------------------------------------------------------

# counted STATEMENT - sets `answer`; and how many files of jobs it opened, and how many bytes it read.
counted() {
  answer=$(env FAULTS_LOG="$BATS_TEST_TMPDIR/log" CLOCK_STANDS_S=$NOW_S LD_PRELOAD="$root/build/shim/faults.so $root/build/shim/clock.so" \
    sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: "$@")
  opens=$(awk '$1 == "opens" { print $2 }' "$BATS_TEST_TMPDIR/log")
  bytes=$(awk '$1 == "bytes" { print $2 }' "$BATS_TEST_TMPDIR/log")
}

# many_jobs COUNT - jobs that are due each hour and ran, with a record and a log of some 50 runs each.
many_jobs() {
  mkdir -p "$results" "$state/logs"
  python3 - "$state" "$1" <<'PYTHON'
import json, sys
state, count = sys.argv[1], int(sys.argv[2])
json.dump({"jobs": [{"id": f"j{i}", "schedule": "0 * * * *", "created_at": "2026-02-13T00:30:00Z"} for i in range(count)]},
          open(f"{state}/jobs.json", "w"))
at = [f"2026-02-{13 + hour // 24}T{hour % 24:02}:00" for hour in range(1, 64)]
records = "".join('{"timestamp": "%s:09Z", "success": true}\n' % time for time in at)
log = "".join(f"[{time}:01Z] Starting execution\n[{time}:09Z] Execution succeeded\n" for time in at)
for i in range(count):
    open(f"{state}/results/j{i}.jsonl", "w").write(records)
    open(f"{state}/logs/j{i}.log", "w").write(log)
PYTHON
}

@test "of 500 jobs, a query opens the results and the log of those that it asks for, and of no other" {
  many_jobs 500
  local from="FROM task_slots('2026-02-13', '2026-02-15T15:30:00Z')" query
  counted "SELECT count(*), sum(state = 'ran') $from"
  [[ $answer == '31500|31500' ]]
  ((opens == 1001)) # and jobs.json
  for query in "job_id = 'j7'" "job = 'j7'" "job_id IS 'j7'" "job_id IN ('j7')" "job_id GLOB 'j7'" "job_id = (SELECT 'j7')" \
    "job_id = 'j7' AND job_id GLOB 'j*'"; do
    counted "SELECT count(*) $from WHERE $query"
    [[ $answer == 63 && $opens == 3 ]] || { echo "$query: $answer, $opens opened"; return 1; }
  done
  counted "SELECT count(*) $from WHERE job_id IN ('j7', 'j8', 'nobody')"
  [[ $answer == 126 && $opens == 5 ]]
  counted "SELECT count(*) $from WHERE job_id = 'nobody'"
  [[ $answer == 0 && $opens == 1 ]]
  counted "SELECT count(*) $from WHERE job_id = NULL"
  [[ $answer == 0 ]] && ((opens <= 1))
  counted 'CREATE TEMP TABLE n(job_id TEXT)' "INSERT INTO n VALUES ('j1'), ('j499'), (NULL)" "SELECT count(*) FROM n CROSS JOIN
    task_slots('2026-02-13', '2026-02-15T15:30:00Z') AS s ON s.job_id = n.job_id"
  [[ $answer == 126 ]] && ((opens <= 7)) # jobs.json for each of the three
  counted "SELECT job_id $from LIMIT 1"
  [[ $answer == j0 && $opens == 3 ]]
  counted "SELECT DISTINCT job_id $from WHERE state = 'ran' ORDER BY job_id LIMIT 2"
  [[ $answer == $'j0\nj1' ]] && ((opens <= 7))
}

@test "what task_slots reads grows as the jobs do, not faster; a log is read back to a day before, and not to its beginning" {
  local few_bytes few_opens
  many_jobs 40
  counted "SELECT count(*) FROM task_slots('2026-02-13', '2026-02-15T15:30:00Z')"
  few_bytes=$bytes few_opens=$opens
  rm -r "$state"
  many_jobs 400
  counted "SELECT count(*) FROM task_slots('2026-02-13', '2026-02-15T15:30:00Z')"
  ((opens - 1 == 10 * (few_opens - 1) && bytes <= 10 * few_bytes + 1000))
  # One job with years of log, of which a day is wanted.
  python3 - "$state" <<'PYTHON'
import datetime, json, sys
state, at = sys.argv[1], datetime.datetime(2020, 1, 1)
json.dump({"jobs": [{"id": "old", "schedule": "@hourly", "created_at": "2020-01-01T00:00:00Z"}]}, open(f"{state}/jobs.json", "w"))
with open(f"{state}/logs/old.log", "w") as log:
    while at < datetime.datetime(2026, 2, 15, 16):
        log.write(f"[{at:%FT%T}Z] Starting execution\n[{at:%FT%T}Z] Execution succeeded\n")
        at += datetime.timedelta(hours=1)
open(f"{state}/results/old.jsonl", "w").write('{"timestamp": "2026-02-15T15:00:00Z", "success": true}\n')
PYTHON
  (($(stat -c %s "$state/logs/old.log") > 4000000))
  counted "SELECT count(*), sum(state = 'ran') FROM task_slots('2026-02-15T00:00', '2026-02-15T15:00')"
  [[ $answer == '16|16' ]]
  ((bytes < 256 * 1024))
}

@test "slots are made as they are asked for: LIMIT, slot_us and per_job make a few of a schedule of every second" {
  mkdir -p "$results" "$state/logs"
  echo '{"jobs": [{"id": "a", "schedule": "every 1 second", "created_at": "1990-01-01T00:00:00Z"},
    {"id": "b", "schedule": "* * * * *", "created_at": "1990-01-01T00:00:00Z"}]}' >"$state/jobs.json"
  require_host
  run at_that_time env TASKRESULTS_ROOT="$root" PYTHONPATH="$oracles" PYTHONDONTWRITEBYTECODE=1 timeout 300 "$host_python" - <<'PYTHON'
from host import connect
db, steps = connect(), 0
def count():
    global steps
    steps += 1
    return 0
db.set_progress_handler(count, 1)  # for each step of SQLite's, of which a row takes several
ALL = "task_slots('1990-01-01', '2026-02-15T00:00:00Z'"
for query, rows, limit in (
        (f"SELECT slot FROM {ALL}) LIMIT 3", 3, 1000),
        (f"SELECT slot FROM {ALL}) WHERE slot_us BETWEEN 1771000000000000 AND 1771000002000000", 3, 1000),
        (f"SELECT slot FROM {ALL}) WHERE job_id = 'b' AND slot_us > 1771113000000000", 10, 1000),
        (f"SELECT slot FROM {ALL}, NULL, NULL, 2)", 4, 1000),
        (f"SELECT slot FROM {ALL}, NULL, NULL, -2)", 4, 1000),
        (f"SELECT slot FROM {ALL}) ORDER BY job_id, slot_us LIMIT 2", 2, 1000),
        (f"SELECT count(*) FROM {ALL}) WHERE slot_us < 0", 1, 1000),
        (f"SELECT slot FROM {ALL}) WHERE slot_us = 1771000020000000", 2, 1000)):
    steps = 0
    found = db.execute(query).fetchall()
    assert len(found) == rows and steps < limit, (query, len(found), steps)
PYTHON
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}
