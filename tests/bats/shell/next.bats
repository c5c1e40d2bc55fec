#!/usr/bin/env bats
# taskresults next: when each job is due next, and how its last slot ended.

load ../../lib/helpers
load ../../lib/shell

setup() {
  state=$BATS_TEST_TMPDIR/state
  results=$state/results
  mkdir -p "$results" "$state/logs"
  export SCHEDULER_RESULTS_DIR=$results SCHEDULER_LOGS_DIR=$state/logs SCHEDULER_JOBS_FILE=$state/jobs.json
}

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# jobs JSON... - jobs.json has these jobs, created on 2026-02-15 unless they say otherwise.
jobs() {
  python3 - "$state/jobs.json" "$@" <<'PYTHON'
import json, sys
jobs = [{"created_at": "2026-02-15T08:30:00Z", **json.loads(job)} for job in sys.argv[2:]]
json.dump({"jobs": jobs}, open(sys.argv[1], "w"))
PYTHON
}

@test "next agrees with Python over 30 random directories: for all jobs, for one, and with --within" {
  cd "$BATS_TEST_TMPDIR"
  run python3 "$root/tests/oracles/next.py" "$(tool taskresults)" 30 1
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "next: jobs with a next time come first, then the others, with the reason" {
  jobs '{"id": "yearly", "schedule": "cron", "cron": "0 0 29 2 *"}' '{"id": "minute", "schedule": "* * * * *"}' \
    '{"id": "odd", "schedule": "every blue moon"}' '{"id": "february", "schedule": "0 0 30 2 *"}' \
    '{"id": "once", "schedule": "in 5 minutes", "recurring": false}' '{"id": "off", "schedule": "@daily", "enabled": false}'
  run taskresults next
  [[ $status -eq 0 && ${lines[0]} == 'JOB '*NEXT*SCHEDULE*LAST*WHY ]]
  [[ ${lines[1]} == 'minute '*'* * * * *'* && ${lines[2]} == 'yearly    2028-02-29 00:00:00  in '*'d  0 0 29 2 *'* ]]
  [[ ${lines[3]} == 'odd '*unknown*"'blue moon' is no unit of time" ]]
  [[ ${lines[4]} == 'off '*paused*'not enabled'* && ${lines[5]} == 'february '*never* && ${lines[6]} == 'once '*never*'2026-02-15 08:35:00  missed' ]]
  run taskresults next --csv yearly once
  [[ ${output//$'\r'/} == 'job_id,state,next,in_s,schedule,last,last_state,late_s,last_success,reason
yearly,due,2028-02-29T00:00:00Z,'*',0 0 29 2 *,,,,,
once,never,,,in 5 minutes,2026-02-15T08:35:00Z,missed,,,' ]]
  run taskresults next --within 1h february
  [[ $status -eq 0 && $output == *'nothing is due in that time' ]]
}

@test "jobs with the same id: next lists both, and no command counts a slot or says that a run was missed; doctor tells of it" {
  local hour='"schedule": "0 * * * *", "next_run": "2026-03-01T00:00:00Z"'
  jobs '{"id": "twin", "schedule": "*/5 * * * *", "enabled": false}' "{\"id\": \"one\", $hour}" "{\"id\": \"twin\", $hour}" \
    '{"id": "twin", "schedule": "@daily", "next_run": "9999-01-01T00:00:00Z"}'
  make_job twin 3
  make_job one 3
  : >"$state/logs/twin.log"
  local reason='jobs.json has this id 3 times: any of these jobs may have run'
  run taskresults sql --mode list "SELECT job_id, slot, state, reason FROM task_slots WHERE job_id = 'twin'"
  assert_output "twin||unknown|$reason"
  run taskresults next twin --csv
  assert_output "$(printf '%s\r\n' job_id,state,next,in_s,schedule,last,last_state,late_s,last_success,reason \
    "twin,unknown,,,*/5 * * * *,,unknown,,,$reason" "twin,unknown,,,0 * * * *,,unknown,,,$reason" \
    "twin,unknown,,,@daily,,unknown,,,$reason")"
  run taskresults alerts --missed --burn 99/30d --state "$state/s" twin
  [[ $status -eq 0 && -z $output ]]
  run taskresults alerts --overdue --state "$state/s" twin # whichever stands first or last
  [[ $status -eq 1 && $output == 'twin: overdue for '*', since 2026-03-01 00:00:00' ]]
  run taskresults metrics
  [[ $status -eq 0 && $output == *'missed_slots{job_id="one"}'* && $output != *'slots{job_id="twin"}'* ]]
  run taskresults sla --count missed --csv --window 2026-02-15..2026-02-18
  [[ $output == *'of 1 job it is not known what they missed: '*', or has them twice'* && ${output//$'\r'/} == *$'\n''twin,'*',false,,,,' ]]
  run taskresults report -o "$state/page.html"
  [[ $status -eq 0 ]]
  run taskresults doctor
  [[ $output == *"note  job twin is 3 times in $SCHEDULER_JOBS_FILE"* && $output != *'job one'* ]]
}

@test "next: a run that failed or was late is shown; orphaned results and entries without an id are left out" {
  jobs '{"id": "a", "schedule": "@monthly"}' '{"schedule": "@daily"}'
  local first
  first=$(date -u +%Y-%m-01)
  printf '{"timestamp": "%sT00:20:00Z", "job_id": "a", "success": false}\n' "$first" >"$results/a.jsonl"
  make_job orphan 2
  run taskresults next --jsonl
  [[ $status -eq 0 && ${#lines[@]} -eq 1 && $output == *'"last_state":"late","late_s":1200.0,"last_success":false'* ]]
  run taskresults next
  [[ ${lines[1]} == 'a '*'failed  began 20m late' ]]
  run taskresults next orphan
  [[ $status -eq 1 && $output == *'no such job: orphan'* ]]
}

@test "next: a job whose records or log cannot be read is left out, also if it is named; a message has the fix; status 3" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_state
  jobs '{"id": "a", "schedule": "@daily"}' '{"id": "b", "schedule": "@daily"}' '{"id": "c", "schedule": "@daily"}'
  make_job a 1
  touch "$state/logs/b.log"
  chmod 644 "$state/jobs.json"
  chmod 600 "$results/a.jsonl" "$state/logs/b.log"
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  run "${as_nobody[@]}" "$(tool taskresults)" next --csv
  [[ $status -eq 3 && $output == *$'\nc,due,'* && $output != *$'\na,'* && $output != *$'\nb,'* ]]
  [[ $output == *"left out: job a, whose file cannot be read"*"results/a.jsonl"* ]]
  [[ $output == *"left out: job b, whose log cannot be read"*"logs/b.log"* ]]
  run "${as_nobody[@]}" "$(tool taskresults)" next --csv a b c
  [[ $status -eq 3 && $output == *$'\nc,due,'* && $output != *$'\na,'* && $output != *$'\nb,'* ]]
}

@test "next: a broken or missing list of jobs is an error that names it; wrong options are named" {
  printf '{"jobs": [' >"$state/jobs.json"
  run taskresults next
  [[ $status -eq 3 && $output == *"jobs file $state/jobs.json: byte 10: "* ]]
  rm "$state/jobs.json"
  run taskresults next a
  [[ $status -eq 3 && $output == *"jobs file $state/jobs.json: No such file or directory"* ]]
  jobs '{"id": "a", "schedule": "@daily"}'
  run taskresults next --within soon
  [[ $status -eq 2 && $output == *"--within wants a length of time"* ]]
  run taskresults next --limit few
  [[ $status -eq 2 ]]
}

@test "next: 500 jobs are read in two passes: each file is opened twice, jobs.json a few times" {
  command -v strace >/dev/null || skip 'no strace here'
  python3 - "$state" <<'PYTHON'
import json, sys
jobs = [{"id": f"j{i}", "schedule": "0 * * * *", "created_at": "2026-02-15T08:30:00Z"} for i in range(500)]
json.dump({"jobs": jobs}, open(f"{sys.argv[1]}/jobs.json", "w"))
for i in range(500):
    open(f"{sys.argv[1]}/results/j{i}.jsonl", "w").write('{"timestamp": "2026-02-15T09:00:01Z", "job_id": "j", "success": true}\n')
    open(f"{sys.argv[1]}/logs/j{i}.log", "w").write("[2026-02-15T09:00:00Z] Executing (command mode): x\n")
PYTHON
  strace -f -qq -e trace=openat -o "$BATS_TEST_TMPDIR/trace" "$(tool taskresults)" next --csv >"$BATS_TEST_TMPDIR/rows"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/rows") == 501 ]]
  [[ $(grep -c '"j[0-9]*\.jsonl"' "$BATS_TEST_TMPDIR/trace") -le 1000 ]]
  [[ $(grep -c '"j[0-9]*\.log"' "$BATS_TEST_TMPDIR/trace") == 1000 ]]
  (($(grep -c 'jobs\.json"' "$BATS_TEST_TMPDIR/trace") <= 3))
}
