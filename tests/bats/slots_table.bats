#!/usr/bin/env bats
# task_slots: the runs that schedules expect, and whether they took place.

load ../lib/helpers
load ../lib/host
load ../lib/shell

setup() {
  state=$BATS_TEST_TMPDIR/state
  results=$state/results
  mkdir -p "$results" "$state/logs"
  export SCHEDULER_RESULTS_DIR=$results SCHEDULER_LOGS_DIR=$state/logs SCHEDULER_JOBS_FILE=$state/jobs.json
  extension=$root/taskresults
}

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# jobs JSON... - jobs.json has these jobs, created on 2026-02-15 at 08:30 unless they say otherwise.
jobs() {
  python3 - "$state/jobs.json" "$@" <<'PYTHON'
import json, sys
jobs = [{"created_at": "2026-02-15T08:30:00Z", **json.loads(job)} for job in sys.argv[2:]]
json.dump({"jobs": jobs}, open(sys.argv[1], "w"))
PYTHON
}

# ran JOB TIME [SUCCESS] - appends a record of 2026-02-15. told JOB TIME WORDS... - appends a message.
ran() {
  printf '{"timestamp": "2026-02-15T%sZ", "job_id": "%s", "success": %s}\n' "$2" "$1" "${3:-true}" >>"$results/$1.jsonl"
}
told() {
  printf '[2026-02-15T%sZ] %s\n' "$2" "${*:3}" >>"$state/logs/$1.log"
}

# states ARGUMENTS [WHERE...] - time of day and state of each slot, in one line.
states() {
  sql "SELECT group_concat(substr(slot, 12, 5) || ' ' || state, ', ') FROM task_slots($1) ${*:2};"
}

@test "task_slots agrees with Python over 60 random directories, with different conditions, zones and grace times" {
  require_host
  cd "$BATS_TEST_TMPDIR"
  run host "$root/tests/oracles/slots.py" 60 1
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "the example in the manual gives the rows that the manual shows" {
  sqlite3 -batch -init /dev/null -table :memory: 'SELECT 1' >/dev/null 2>&1 || skip 'this sqlite3 cannot print tables'
  local block expected
  block=$(awk '/^\*\*An example\.\*\*/ { found = 1 } found && /^```sh$/ { on = 1; next } on && /^```$/ { exit } on' "$root/ext/TABLES.md")
  expected=$(awk '/^\*\*An example\.\*\*/ { found = 1 } found && /^```text$/ { on = 1; next } on && /^```$/ { exit } on' "$root/ext/TABLES.md")
  [[ $block == *task_slots* && $expected == *missed* ]]
  cd "$BATS_TEST_TMPDIR"
  actual=$(
    sql() { sqlite3 -batch -init /dev/null -table -cmd '.mode column' -cmd ".load $extension" :memory: "$@"; }
    eval "$block"
  )
  diff <(sed 's/ *$//' <<<"$expected") <(sed 's/ *$//' <<<"$actual")
}

@test "a slot gets the first run of its time; runs by hand, and runs from before the job was created, get no slot" {
  jobs '{"id": "a", "schedule": "0 * * * *"}'
  ran a 08:15:00
  ran a 09:00:10
  ran a 09:20:00
  ran a 10:30:00
  [[ $(states "'2026-02-15', '2026-02-15T11:59'") == '09:00 ran, 10:00 late, 11:00 missed' ]]
  assert_rows '10.0|1800.0|NULL' "SELECT group_concat(coalesce(late_s, 'NULL'), '|') FROM task_slots('2026-02-15', '2026-02-15T11:59');"
  told a 10:29:00 'Manual run triggered via API (run-now)'
  [[ $(states "'2026-02-15', '2026-02-15T11:59'") == '09:00 ran, 10:00 missed, 11:00 missed' ]]
}

@test "an interval counts from the end of a run, since that is when the scheduler sets the next one" {
  jobs '{"id": "a", "schedule": "every 10 minutes"}'
  told a 08:40:00 'Executing (command mode): x'
  told a 08:58:00 'Command executed successfully'
  ran a 08:58:00
  told a 09:08:01 'Executing (command mode): x'
  told a 09:08:31 'Command executed successfully'
  ran a 09:08:31
  [[ $(states "'2026-02-15', '2026-02-15T09:25'") == '08:40 ran, 09:08 ran, 09:18 missed' ]]
}

@test "grace: five minutes, or a tenth of the time until the next slot; or the given time" {
  jobs '{"id": "a", "schedule": "0 * * * *"}' '{"id": "b", "schedule": "*/10 * * * *"}'
  ran a 09:05:00
  ran a 10:05:01
  ran b 09:01:00
  ran b 09:11:01
  local window="'2026-02-15T09:00', '2026-02-15T10:30'"
  [[ $(states "$window" "WHERE job_id = 'a'") == '09:00 ran, 10:00 late' ]]
  [[ $(states "$window" "WHERE job_id = 'b' LIMIT 2") == '09:00 ran, 09:10 late'* ]]
  [[ $(states "$window, '302s'" "WHERE job_id = 'a'") == '09:00 ran, 10:00 ran' ]]
  [[ $(states "$window, 300000000" "WHERE job_id = 'a'") == '09:00 ran, 10:00 late' ]]
}

@test "a slot in the future, within its grace, or whose run is still going on is pending, not missed" {
  python3 - "$state" $$ <<'PYTHON'
import json, sys, time
from datetime import datetime, timedelta, timezone
now = datetime.now(timezone.utc)
iso = lambda at: at.isoformat().replace("+00:00", "Z")
created = iso(now - timedelta(minutes=100))
jobs = [{"id": name, "schedule": "every 99 minutes", "created_at": created} for name in ("due", "running", "missed")]
jobs[2]["schedule"] = "every 60 minutes"
json.dump({"jobs": jobs}, open(f"{sys.argv[1]}/jobs.json", "w"))
json.dump({"pid": int(sys.argv[2]), "started_at": iso(now + timedelta(seconds=30))}, open(f"{sys.argv[1]}/.checkpoint_running.json", "w"))
PYTHON
  assert_rows 'due pending|due pending|missed missed|missed pending|missed pending|running pending' \
    "SELECT group_concat(job_id || ' ' || state, '|') FROM task_slots('2h', taskresults_time('now') + 6000000000);"
  assert_rows '1|1|1' "SELECT sum(reason LIKE 'within the grace, which ends at %Z') > 0, sum(reason = 'to come') > 0,
    sum(reason LIKE 'running since %Z') FROM task_slots('2h', taskresults_time('now') + 6000000000);"
}

@test "slots during pauses, and skipped ones, are not missed; slots that the log says nothing about are unknown, with the reason" {
  jobs '{"id": "a", "schedule": "0 * * * *"}' '{"id": "b", "schedule": "0 * * * *", "enabled": false}' \
    '{"id": "c", "schedule": "0 * * * *"}'
  told a 08:30:00 'Scheduled: a'
  told a 09:30:00 'Job paused'
  told a 10:30:00 'Job resumed'
  told a 11:00:01 "Skipped — gate 'load' blocked: 9.5"
  told a 12:30:00 "Updated: ['enabled']"
  told a 13:30:00 'Starting execution via agent_manager.py'
  told c 10:15:00 "Updated: ['notify', 'schedule']"
  local window="'2026-02-15', '2026-02-15T14:30'"
  [[ $(states "$window" "WHERE job_id = 'a'") == '09:00 missed, 10:00 paused, 11:00 skipped, 12:00 missed, 13:00 unknown, 14:00 missed' ]]
  assert_rows "paused since 2026-02-15T09:30:00Z|Skipped — gate 'load' blocked: 9.5|\`enabled\` was changed at 2026-02-15T12:30:00Z, and the log does not tell to what" \
    "SELECT group_concat(reason, '|') FROM task_slots($window) WHERE job_id = 'a';"
  assert_rows 'unknown|the job is not enabled, and its log does not tell since when' \
    "SELECT DISTINCT state, reason FROM task_slots($window) WHERE job_id = 'b';"
  assert_rows 'unknown|2|the schedule was changed at 2026-02-15T10:15:00Z
missed|4|NULL' "SELECT state, count(*), reason FROM task_slots($window) WHERE job_id = 'c' GROUP BY state ORDER BY min(slot_us);"
}

@test "a run whose record was pruned counts if the log has it; a run that never ended is missed, with the reason" {
  jobs '{"id": "a", "schedule": "0 * * * *"}' '{"id": "b", "schedule": "0 * * * *"}'
  told a 09:00:00 'Executing (command mode): x'
  told a 09:00:05 'Command executed successfully'
  told a 10:00:00 'Executing (command mode): x'
  told a 11:00:00 'Executing (command mode): x'
  told a 11:00:05 'Command executed successfully'
  ran a 11:00:05
  assert_rows 'ran|NULL|2026-02-15T09:00:05Z|its record is gone
missed|NULL|NULL|a run began at 2026-02-15T10:00:00Z, and left no record
ran|0|2026-02-15T11:00:05Z|NULL' "SELECT state, offset, finished, reason FROM task_slots('2026-02-15', '2026-02-15T11:30') WHERE job_id = 'a';"
  ran b 11:00:05 # no log, and nothing older
  assert_rows 'unknown|neither the records nor the log go back so far|2' \
    "SELECT state, reason, count(*) FROM task_slots('2026-02-15', '2026-02-15T10:30') WHERE job_id = 'b';"
}

@test "a job whose schedule or time of creation cannot be read, or whose id is there twice, has one row, which says so" {
  jobs '{"id": "e", "schedule": "@hourly"}' '{"id": "e", "schedule": "@daily"}' '{"id": "a", "schedule": "every blue moon"}' '{"id": "b"}' '{"id": "c", "schedule": "@daily", "created_at": "soon"}' \
    '{"id": "d", "schedule": "every 5 minutes", "cron": "61 * * * *", "recurring": false}' '{"schedule": "@daily"}'
  assert_rows "a|NULL|unknown|schedule 'every blue moon' is not understood: 'blue moon' is no unit of time
b|NULL|unknown|it has no schedule
c|NULL|unknown|it has no created_at that can be read
d|2026-02-15T08:35:00Z|missed|NULL
e|NULL|unknown|jobs.json has this id 2 times: any of these jobs may have run" "SELECT job_id, slot, state, reason FROM task_slots('2026-02-15', '2026-02-15T14:00');"
}

@test "in a zone, the schedule goes by its clocks, and so do the days of since and until" {
  jobs '{"id": "a", "schedule": "30 2 * * *", "created_at": "2026-03-01T00:00:00Z"}'
  assert_rows '2026-03-28T01:30:00Z 2026-03-29T01:00:00Z 2026-03-30T00:30:00Z' \
    "SELECT group_concat(slot, ' ') FROM task_slots('2026-03-28', '2026-03-30', NULL, 'Europe/Berlin');"
}

@test "job_id and slot_us are pushed down: one job's files are opened, however many there are" {
  local i list=()
  for i in {1..30}; do
    list+=("{\"id\": \"j$i\", \"schedule\": \"0 * * * *\"}")
    ran "j$i" 09:00:01
    told "j$i" 09:00:00 'Executing (command mode): x'
  done
  jobs "${list[@]}"
  command -v strace >/dev/null || skip 'no strace here'
  strace -f -e trace=openat -o "$BATS_TEST_TMPDIR/trace" sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT count(*) FROM task_slots('2026-02-15', '2026-02-15T12:00') WHERE job_id = 'j7';"
  [[ $(grep -c '"j[0-9]*\.\(jsonl\|log\)"' "$BATS_TEST_TMPDIR/trace") == 2 ]]
}

@test "the plan says what is pushed down, and rows come in the order of jobs and slots without being sorted" {
  jobs '{"id": "b", "schedule": "0 */6 * * *"}' '{"id": "a", "schedule": "0 */6 * * *"}' '{"id": "c", "schedule": "@daily"}'
  run sql "EXPLAIN QUERY PLAN SELECT * FROM task_slots('7d') WHERE job_id = 'a' AND slot_us > 5 ORDER BY job_id, slot_us;"
  [[ $status -eq 0 && $output == *'since = ? AND job_id = ? AND time_us > ?'* && $output != *'TEMP B-TREE'* ]]
  run sql "EXPLAIN QUERY PLAN SELECT job_id, count(*) FROM task_slots GROUP BY job_id;"
  [[ $status -eq 0 && $output != *'TEMP B-TREE'* ]]
  run sql "EXPLAIN QUERY PLAN SELECT * FROM task_slots ORDER BY rowid;"
  [[ $status -eq 0 && $output == *'TEMP B-TREE'* ]]
  assert_rows 'a12 a18 a00 b12 b18 b00 c00' "SELECT group_concat(job_id || substr(slot, 12, 2), ' ') FROM (SELECT DISTINCT job_id, slot
    FROM task_slots('2026-02-15', '2026-02-16T00:00') ORDER BY job_id, slot_us);"
  # Also where SQLite uses the rowids.
  assert_rows '3|3|3' "SELECT count(*), count(DISTINCT rowid), (SELECT count(*) FROM task_slots('2026-02-15', '2026-02-16T00:00')
      WHERE job_id = 'a' AND (slot_us > 5 OR job_id = 'a')) FROM task_slots('2026-02-15', '2026-02-16T00:00') WHERE job_id = 'a';"
  assert_rows '1' "SELECT count(*) FROM task_slots('2026-02-15', '2026-02-16T00:00') WHERE rowid =
    (SELECT max(rowid) FROM task_slots('2026-02-15', '2026-02-16T00:00'));"
}

@test "arguments that are not a time, a length of time or a zone are errors that name the argument" {
  jobs '{"id": "a", "schedule": "@daily"}'
  assert_sql_error "task_slots: since: 'soon' is no time" "SELECT * FROM task_slots('soon');"
  assert_sql_error "task_slots: grace: 'a bit' is no length of time" "SELECT * FROM task_slots(NULL, NULL, 'a bit');"
  assert_sql_error "task_slots: grace: '-1' is no length of time" "SELECT * FROM task_slots(NULL, NULL, -1);"
  assert_sql_error "zone 'Mars/Base'" "SELECT * FROM task_slots(NULL, NULL, NULL, 'Mars/Base');"
  assert_sql_error 'task_slots: grace is an argument, not a value to compare with' "SELECT * FROM task_slots WHERE grace > 5;"
  assert_rows 0 "SELECT count(*) FROM task_slots('now', '7d');"
}

@test "a torn jobs.json, a missing directory and an unreadable log are errors that name them" {
  printf '{"jobs": [{"id": "a", "sched' >"$state/jobs.json"
  assert_sql_error "jobs file $state/jobs.json: byte 28: " "SELECT * FROM task_slots;"
  jobs '{"id": "a", "schedule": "0 * * * *"}'
  SCHEDULER_LOGS_DIR=$state/none assert_sql_error "$state/none" "SELECT * FROM task_slots;"
  SCHEDULER_RESULTS_DIR=$state/none assert_sql_error "$state/none" "SELECT * FROM task_slots;"
  SCHEDULER_JOBS_FILE=$state/none.json assert_sql_error "$state/none.json" "SELECT * FROM task_slots;"
}

@test "a log that cannot be read is an error that names it" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  state=$open_place
  mkdir -m 755 "$state/logs"
  export SCHEDULER_LOGS_DIR=$state/logs SCHEDULER_JOBS_FILE=$state/jobs.json
  jobs '{"id": "a", "schedule": "0 * * * *"}'
  told a 09:00:00 'Job paused'
  chmod 644 "$state/jobs.json"
  chmod 600 "$state/logs/a.log"
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  run "${as_nobody[@]}" "$(tool taskresults)" sql "SELECT * FROM task_slots"
  [[ $status -eq 3 && $output == *"job 'a': $state/logs/a.log cannot be opened: Permission denied"* ]]
}

@test "a window after the last possible time is empty, and per_job may be as large as it gets" {
  jobs '{"id": "a", "schedule": "every 1 second", "created_at": "1900-01-01T00:00:00Z"}' \
    '{"id": "c", "schedule": "0 * * * *"}'
  [[ $(sql "SELECT count(*) FROM task_slots WHERE slot_us >= 9223372036854775807;") == 0 ]]
  [[ $(sql "SELECT group_concat(substr(slot, 12, 5)) FROM task_slots('2026-02-15T09:00:00Z', '2026-02-15T10:30:00Z',
    NULL, NULL, -9223372036854775807) WHERE job_id = 'c';") == 09:00,10:00 ]]
}
