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

@test "task_slots agrees with Python over 25 random directories (make test-long: 60), with different conditions, zones and grace times" {
  require_host
  cd "$BATS_TEST_TMPDIR"
  run host "$root/tests/oracles/slots.py" "$(some_or_all 25 60)" 1
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
  open_state
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

@test "arguments come back as they were given, NULL as if they were not, and of other types they are refused" {
  jobs '{"id": "a", "schedule": "0 * * * *"}'
  local window="'2026-02-15T09:00Z', '2026-02-15T10:00Z'"
  assert_rows '2026-02-15T09:00Z|2026-02-15T10:00Z|90s|UTC|2|a' \
    "SELECT DISTINCT since, until, grace, zone, per_job, job FROM task_slots($window, '90s', 'UTC', 2);"
  assert_rows '2|0|0|0' "SELECT count(*), count(grace), count(zone), count(per_job) FROM task_slots($window, NULL, NULL, NULL);"
  assert_sql_error "task_slots: grace: '(a BLOB)' is no length of time" "SELECT * FROM task_slots($window, x'3930');"
  assert_sql_error "task_slots: grace: '1.5' is no length of time" "SELECT * FROM task_slots($window, 1.5);"
  local wrong
  for wrong in 0 "'2'" 1.5 "x'32'" -9223372036854775808; do
    assert_sql_error 'task_slots: per_job wants how many slots of each job' "SELECT * FROM task_slots($window, NULL, NULL, $wrong);"
  done
  assert_sql_error "zone '5'" "SELECT * FROM task_slots($window, NULL, 5);"
  # However long the grace is, its end is not passed over.
  assert_rows 'pending' "SELECT DISTINCT state FROM task_slots($window, 9223372036854775807);"
  assert_rows '0|0' "SELECT (SELECT count(*) FROM task_slots($window) WHERE job_id = NULL), (SELECT count(*) FROM task_slots($window)
    WHERE slot_us = NULL);"
}

@test "rows come in whatever order is asked for" {
  jobs '{"id": "b", "schedule": "0 * * * *"}' '{"id": "a", "schedule": "30 * * * *"}' '{"id": "ä", "schedule": "0 9 * * *"}'
  ran b 09:00:10
  local order
  for order in 'job_id' 'job_id, slot_us' 'job_id, slot_us DESC' 'job_id DESC, slot_us' 'job_id, state, slot_us' \
    'job_id, slot_us, state' 'job_id, slot' 'slot_us, job_id' 'state, job_id, slot_us' 'job_id COLLATE nocase DESC, slot_us'; do
    assert_rows 1 "CREATE TABLE kept AS SELECT * FROM task_slots('2026-02-15', '2026-02-15T11:00');
      SELECT (SELECT group_concat(job_id || coalesce(slot, ''), ' ') FROM (SELECT * FROM kept ORDER BY $order, slot_us)) =
        (SELECT group_concat(job_id || coalesce(slot, ''), ' ') FROM (SELECT * FROM task_slots('2026-02-15', '2026-02-15T11:00')
        ORDER BY $order, slot_us));"
  done
}

@test "a run that goes on counts before those that were cut short; one whose end is told does not go on" {
  python3 - "$state" $$ <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
now = datetime.now(timezone.utc)
after = lambda seconds: (now + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
jobs = [{"id": name, "schedule": "every 99 minutes", "created_at": after(-6000)} for name in "ab"]
json.dump({"jobs": jobs}, open(f"{sys.argv[1]}/jobs.json", "w"))
for name in "ab":
    with open(f"{sys.argv[1]}/logs/{name}.log", "w") as log:
        log.writelines(f"[{after(seconds)}] Executing (command mode): x\n" for seconds in (-55, -45))
    json.dump({"pid": int(sys.argv[2]), "started_at": after(30)}, open(f"{sys.argv[1]}/.checkpoint_{name}.json", "w"))
with open(f"{sys.argv[1]}/results/b.jsonl", "w") as results:
    results.write(json.dumps({"timestamp": after(3600), "success": True}) + "\n")
PYTHON
  assert_rows 'a|pending|1' "SELECT job_id, state, reason LIKE 'running since %Z' FROM task_slots('2h') WHERE job_id = 'a';"
  [[ $(sql "SELECT state FROM task_slots('2h') WHERE job_id = 'b';") == late ]]
}

@test "what has no time that can be read, and what is no log, tells nothing of a slot" {
  jobs '{"id": "a", "schedule": "0 * * * *"}' '{"id": "b", "schedule": "0 * * * *"}'
  printf '{"timestamp": "soon", "success": true}\nno record\n{"success": true}\n' >"$results/a.jsonl"
  ran a 09:00:10
  printf '[soon] Job paused\n[2026-02-30T09:10:00Z] Job paused\nJob paused\n' >"$state/logs/a.log"
  ran b 09:00:10
  mkfifo "$state/logs/b.log" # task_logs shows what it is
  [[ $(states "'2026-02-15', '2026-02-15T10:30'" "WHERE job_id = 'a'") == '09:00 ran, 10:00 missed' ]]
  [[ $(states "'2026-02-15', '2026-02-15T10:30'" "WHERE job_id = 'b'") == '09:00 ran, 10:00 missed' ]]
}

@test "of an update only whole names in quotes count; one that disabled the job pauses it from then on" {
  jobs '{"id": "a", "schedule": "0 * * * *"}' '{"id": "b", "schedule": "0 * * * *"}' '{"id": "c", "schedule": "0 * * * *"}' \
    '{"id": "d", "schedule": "0 * * * *", "enabled": false}'
  told a 09:30:00 "Updated: ['schedule_note', 'my cron', cron, \"cron', 'schedule"
  told b 09:30:00 'Updated: ["name", "cron"]'
  told c 09:30:00 "Updated: 'schedule'"
  told d 09:30:00 "Updated: ['enabled']"
  local window="'2026-02-15', '2026-02-15T11:30'"
  [[ $(states "$window" "WHERE job_id = 'a'") == '09:00 missed, 10:00 missed, 11:00 missed' ]]
  [[ $(states "$window" "WHERE job_id = 'b'") == '09:00 unknown, 10:00 missed, 11:00 missed' ]]
  [[ $(states "$window" "WHERE job_id = 'c'") == '09:00 unknown, 10:00 missed, 11:00 missed' ]]
  [[ $(states "$window" "WHERE job_id = 'd' AND slot_us > taskresults_time('2026-02-15T09:30Z')") == '10:00 paused, 11:00 paused' ]]
}

@test "the reason of a skip is its first line, up to 200 bytes of whole characters" {
  jobs '{"id": "a", "schedule": "0 * * * *"}'
  told a 09:00:01 'Skipped — the first line
and a second one'
  told a 10:00:01 "Skipped $(printf 'ä%.0s' {1..200})"
  told a 11:00:01 $'Skipped \xff'
  local window="'2026-02-15', '2026-02-15T11:30'"
  assert_rows 'Skipped — the first line' "SELECT reason FROM task_slots($window) LIMIT 1;"
  assert_rows '200|104|1' "SELECT length(CAST(reason AS BLOB)), length(reason), replace(reason, 'ä', '') = 'Skipped '
    FROM task_slots($window) LIMIT 1 OFFSET 1;"
  assert_rows 'Skipped �' "SELECT reason FROM task_slots($window) LIMIT 1 OFFSET 2;"
}

@test "a schedule that is never due has no slots, and many slots are as many as asked for" {
  jobs '{"id": "never", "schedule": "0 0 30 2 *"}' '{"id": "often", "schedule": "every 1 second"}' \
    '{"id": "once", "schedule": "in 10 minutes", "recurring": false}' '{"id": "cron", "schedule": "* * * * *"}'
  local window="'2026-02-15', '2026-02-15T11:59:59'"
  assert_rows 'cron|209
often|12599
once|1' "SELECT job_id, count(*) FROM task_slots($window) GROUP BY job_id;"
  assert_rows 'cron|150|2026-02-15T09:30:00Z|2026-02-15T11:59:00Z
often|5000|2026-02-15T10:36:40Z|2026-02-15T11:59:59Z
once|1|2026-02-15T08:40:00Z|2026-02-15T08:40:00Z' \
    "SELECT job_id, count(*), min(slot), max(slot) FROM task_slots($window, NULL, NULL, CASE 'x' WHEN 'x' THEN -5000 END)
      WHERE job_id <> 'cron' GROUP BY job_id UNION ALL
    SELECT job_id, count(*), min(slot), max(slot) FROM task_slots($window, NULL, NULL, -150) WHERE job_id = 'cron' ORDER BY 1;"
  assert_rows 'cron|209
often|12599
once|1' "SELECT job_id, count(*) FROM task_slots($window, NULL, NULL, -9223372036854775807) GROUP BY job_id;"
  assert_rows 'cron|9
often|9
once|1' "SELECT job_id, count(*) FROM task_slots($window, NULL, NULL, 9) GROUP BY job_id;"
  # A leap day comes back after years; the window that is looked into grows as far as that.
  jobs '{"id": "leap", "schedule": "0 0 29 2 *", "created_at": "0001-01-01T00:00:00Z"}'
  assert_rows '2016-02-29 2020-02-29 2024-02-29' \
    "SELECT group_concat(substr(slot, 1, 10), ' ') FROM task_slots('0001-01-01', '2026-02-15', NULL, NULL, -3);"
  assert_rows '491' "SELECT count(*) FROM task_slots('0001-01-01', '2026-02-15', NULL, NULL, -9223372036854775807);"
}

@test "an interval does not count from what came before the job was made" {
  jobs '{"id": "a", "schedule": "every 1 hour"}'
  told a 07:00:00 'Executing (command mode): x'
  told a 07:00:05 'Command executed successfully'
  told a 08:00:00 'Job paused'
  told a 08:10:00 'Job resumed'
  ran a 07:00:05
  [[ $(states "'2026-02-15', '2026-02-15T11:00'") == '09:30 missed, 10:30 missed' ]]
}
