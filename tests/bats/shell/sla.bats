#!/usr/bin/env bats
# taskresults sla: the example in shell/README.md, random histories against Python, and special cases.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

setup_logs() {
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
  mkdir -p "$SCHEDULER_LOGS_DIR"
}

# run_at JOB TIME ok|fail ... - records, in the order given.
run_at() {
  local job=$1 success
  shift
  while (($#)); do
    success=true
    [[ $2 == ok ]] || success=false
    append_raw "$job" "{\"timestamp\": \"$1\", \"job_id\": \"$job\", \"success\": $success}\n"
    shift 2
  done
}

# field NAME - that field of the one row that `sla --jsonl` printed into $output.
field() {
  python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" <<<"${lines[-1]}"
}

worked_example() {
  setup_logs
  run_at backup 2026-02-28T12:00:00Z ok 2026-03-02T00:00:00Z fail 2026-03-02T12:00:00Z ok 2026-03-05T00:00:00Z fail \
    2026-03-05T06:00:00Z fail 2026-03-06T18:00:00Z ok 2026-03-09T00:00:00Z ok
  printf '[2026-03-05T12:00:00Z] Job paused\n[2026-03-06T12:00:00Z] Job resumed\n' >"$SCHEDULER_LOGS_DIR/backup.log"
}

# Computed by hand in shell/README.md: 240 hours, 24 of them paused; down for 12 + 18; 6 runs, 3 of them failed.
@test "sla: the figures of the example in shell/README.md" {
  worked_example
  run taskresults sla --window 2026-03-01..2026-03-10 --target 90 --csv
  [[ $status -eq 1 ]]
  [[ ${lines[1]} == "backup,6,3,3,50.0,86.1111111111111"*",$((186 * 3600)).0,$((30 * 3600)).0,$((24 * 3600)).0,2,$((72 * 3600)).0,$((15 * 3600)).0,$((216 * 360)).0,-30240.0,0.6,-2.4,true,,,,"$'\r' ]]
  run taskresults sla backup --window 2026-03-01..2026-03-10 --target 90
  [[ $status -eq 1 && ${#lines[@]} -eq 2 ]]
  [[ ${lines[0]} == 'JOB     RUNS   SUCCESS    UPTIME  DOWN  OUTAGES  MTBF  MTTR  TIME LEFT  RUNS LEFT' ]]
  [[ ${lines[1]} == 'backup     6  50.000 %  86.111 %   30h        2    3d   15h        -8h       -2.4  missed' ]]
}

@test "sla: shell/README.md shows these figures in its example" {
  for figure in '| 2026-03-05 00:00 | failed |' '216 h' '86.111 %' '50 %' '15 h' '72 h' '21.6 h' '-8.4 h' '-2.4'; do
    grep -qF -- "$figure" "$root/shell/README.md" || { echo "not in it: $figure"; return 1; }
  done
}

# agree WINDOW OPTION... - for the files in ., `sla` prints what tests/oracles/sla.py computes for the window. Missed runs
# are taken from task_slots, durations from task_runs. Adds to `compared`.
agree() {
  local window=$1 from=${1%..*} to=${1#*..} longest=''
  shift
  : >slots
  : >durations
  [[ $* != *--max-duration* ]] || longest=3600000000
  [[ $* != *--max-duration* ]] || taskresults sql --mode json "SELECT job_id, offset, time_us - started_us AS took FROM task_runs
    WHERE started_us <= time_us" >durations
  [[ $* != *--count* ]] || taskresults sql --mode json "SELECT job_id, slot_us, state FROM task_slots('2026-01-01', '$to')" >slots
  python3 "$root/tests/oracles/sla.py" judge "$from" "$to" 87.5 results logs jobs.json slots "$longest" durations >expected
  taskresults sla --window "$window" --target 87.5 --jsonl "$@" >actual || [[ $? -eq 1 ]]
  python3 "$root/tests/oracles/sla.py" compare expected actual || return
  compared=$((compared + $(wc -l <actual)))
}

@test "sla agrees with Python over random histories (make test-long: three times as many)" {
  setup_logs
  cd "$BATS_TEST_TMPDIR"
  export SCHEDULER_JOBS_FILE=$PWD/jobs.json
  compared=0
  for seed in $(some_or_all 1 '1 2 3'); do
    rm -f results/* logs/*
    python3 "$root/tests/oracles/sla.py" make "$seed" 60 results logs jobs.json
    for window in 2026-03-02T00:00:00Z..2026-03-09T00:00:00Z 2026-02-01T00:00:00Z..2026-05-01T00:00:00Z \
      2026-03-20T00:00:00Z..2026-03-20T00:01:00Z; do
      agree "$window"
      agree "$window" --max-duration 1h
      agree "$window" --count missed
      agree "$window" --count missed --max-duration 1h
    done
  done
  ((compared > $(some_or_all 400 1200)))
}

@test "sla: without a run in the window there is no ratio and no uptime of 100 %, and a target is missed only if the job was down" {
  setup_logs
  run_at up 2026-02-01T00:00:00Z ok
  run_at down 2026-02-01T00:00:00Z fail
  run_at later 2026-04-01T00:00:00Z ok
  run taskresults sla --window 2026-03-01..2026-03-10 --target 50 --csv
  [[ $status -eq 1 ]]
  [[ ${lines[1]} == $'down,0,0,0,,0.0,0.0,864000.0,0.0,1,,,432000.0,-432000.0,,,true,,,,\r' ]]
  [[ ${lines[2]} == $'later,0,0,0,,,,,0.0,0,,,,,,,false,,,,\r' ]]
  [[ ${lines[3]} == $'up,0,0,0,,,,,0.0,0,,,,,,,false,,,,\r' ]]
  run taskresults sla up --window 2026-03-01..2026-03-10 --target 100
  [[ $status -eq 0 && $output != *100* ]]
}

@test "sla: the time before a job's first record is not counted" {
  setup_logs
  run_at a 2026-03-06T00:00:00Z fail 2026-03-08T00:00:00Z ok
  run taskresults sla --window 2026-03-01..2026-03-09T23:59:59Z --jsonl
  [[ $(field down_seconds) == 172800.0 && $(field up_seconds) == 172799.0 ]]
}

@test "sla: the window includes its beginning, and not its end" {
  setup_logs
  run_at a 2026-03-01T00:00:00Z ok 2026-03-02T00:00:00Z fail 2026-03-03T00:00:00Z ok
  runs() { taskresults sla --window "$1" --csv | tail -n 1 | cut -d, -f2,4; }
  [[ $(runs 2026-03-01T00:00:00Z..2026-03-03T00:00:00Z) == 2,1 ]]
  [[ $(runs 2026-03-01T00:00:00.000001Z..2026-03-03T00:00:00.000001Z) == 2,1 ]]
  [[ $(runs 2026-03-01..2026-03-02) == 2,1 ]]
  [[ $(runs ..2026-03-03) == 3,1 ]]
  [[ $(runs 2026-03-02..) == 2,1 ]]
  # An outage of no length, exactly at the beginning, counts as an outage.
  run_at b 2026-03-01T00:00:00Z fail 2026-03-01T00:00:00Z ok
  run taskresults sla b --window 2026-03-01..2026-03-02 --jsonl
  [[ $(field outages) == 1 && $(field down_seconds) == 0.0 && $(field mttr_seconds) == 0.0 ]]
}

@test "sla: a window that ends now contains no records from the future" {
  setup_logs
  local now=$EPOCHSECONDS
  at_hour() { TZ=UTC0 printf '%(%FT%TZ)T' "$((now + 3600 * $1))"; }
  run_at a "$(at_hour -3)" ok "$(at_hour -1)" fail "$(at_hour 1)" ok
  run taskresults sla --window 2h --jsonl
  [[ $status -eq 0 && $(field runs) == 1 && $(field failures) == 1 && $(field outages) == 1 ]]
  # It has been down since then. The exact time depends on when the command ran.
  [[ $(field down_seconds) =~ ^([0-9]+)\.[0-9]+$ ]]
  ((BASH_REMATCH[1] >= 3600 && BASH_REMATCH[1] <= 3600 + EPOCHSECONDS - now))
  run taskresults sla --window 4h --jsonl
  [[ $(field runs) == 2 && $(field up_seconds) == 7200.0 ]]
}

@test "sla: targets are compared exactly, without rounding" {
  setup_logs
  # 1 of 1000 seconds down, and 1 of 1000 runs failed.
  run_at a 2026-03-01T00:00:00Z fail 2026-03-01T00:00:01Z ok
  for ((i = 2; i < 1000; i++)); do
    printf '{"timestamp": "2026-03-01T00:%02d:%02dZ", "success": true}\n' $((i / 60)) $((i % 60))
  done >>"$results/a.jsonl"
  window=2026-03-01T00:00:00Z..2026-03-01T00:16:40Z
  run taskresults sla --window $window --target 99.9
  [[ $status -eq 0 && $output == *'99.900 %  99.900 %'* ]]
  run taskresults sla --window $window --target 99.900001
  [[ $status -eq 1 ]]
  # The same with one second and one microsecond.
  run_at b 2026-03-01T00:00:00Z fail 2026-03-01T00:00:01.000001Z ok
  run taskresults sla b --window $window --target 99.9 --of uptime
  [[ $status -eq 1 && $output == *' 99.899 % '* ]]
  run taskresults sla b --window $window --target 50 --of success
  [[ $status -eq 0 ]]
  run taskresults sla b --window $window --target 50.1 --of success
  [[ $status -eq 1 ]]
}

@test "sla: only a job that never failed has 100 %" {
  setup_logs
  run_at a 2020-01-01T00:00:00Z ok 2026-03-01T00:00:00Z fail 2026-03-01T00:00:00.000001Z ok
  run taskresults sla --window 2020-01-01..2026-03-31
  [[ ${lines[1]} == 'a       3  66.666 %  99.999 %    0s        1          0s' ]]
}

@test "sla: records without a readable time are not counted; a message says how many there are" {
  setup_logs
  run_at a 2026-03-01T00:00:00Z ok
  append_raw a '{"timestamp": "yesterday", "success": false}\n{"success": false}\n'
  run taskresults sla --window 2026-03-01..2026-03-02 --target 100 --jsonl
  [[ $status -eq 0 && ${lines[0]} == 'taskresults: 2 records without a readable time not counted; to see them: taskresults sql '* ]]
  [[ $(field runs) == 1 && $(field failures) == 0 ]]
}

@test "sla: without a directory of logs, one message says that pauses are not known" {
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/nowhere
  run_at a 2026-03-01T00:00:00Z ok
  run_at b 2026-03-01T00:00:00Z ok
  run taskresults sla --csv
  [[ $status -eq 0 && $output == *"no directory of logs $SCHEDULER_LOGS_DIR "* ]]
  [[ $(grep -c 'paused$' <<<"$output") == 1 && ${#lines[@]} -eq 4 ]]
}

@test "sla: jobs that were paused twice, resumed without a pause, are still paused, or were paused all the time" {
  setup_logs
  day() { printf '[2026-03-%02dT00:00:00Z] Job %s\n' "$1" "$2"; }
  for job in twice stray still all; do run_at "$job" 2026-03-01T00:00:00Z fail; done
  { day 2 paused; day 3 paused; day 4 resumed; } >"$SCHEDULER_LOGS_DIR/twice.log"
  { day 2 resumed; day 3 paused; day 4 resumed; day 5 resumed; } >"$SCHEDULER_LOGS_DIR/stray.log"
  day 4 paused >"$SCHEDULER_LOGS_DIR/still.log"
  printf '[2026-02-01T00:00:00Z] Job paused\n' >"$SCHEDULER_LOGS_DIR/all.log"
  run taskresults sla --window 2026-03-01..2026-03-05 --target 99 --csv
  [[ $status -eq 1 ]]
  [[ ${lines[1]} == all,1,0,1,0.0,,,,432000.0,* ]]
  [[ ${lines[2]} == still,1,0,1,0.0,0.0,0.0,259200.0,172800.0,* ]]
  [[ ${lines[3]} == stray,1,0,1,0.0,0.0,0.0,345600.0,86400.0,* ]]
  [[ ${lines[4]} == twice,1,0,1,0.0,0.0,0.0,259200.0,172800.0,* ]]
}

# --- what is in no record ----------------------------------------------------------------------------------------------------

# nightly JOB [DAY TIME SECONDS ok|fail]... - a job that is due at 3:00, its runs of March 2026, and their log.
nightly() {
  local job=$1 day=2026-03
  shift
  jobs+="${jobs:+, }{\"id\": \"$job\", \"schedule\": \"every day at 3:00 am\", \"enabled\": true, \"recurring\": true,
    \"created_at\": \"2026-02-28T12:00:00Z\"}"
  printf '{"jobs": [%s]}' "$jobs" >"$SCHEDULER_JOBS_FILE"
  while (($#)); do
    printf '[%sZ] Executing (command mode): x\n[%sZ] Command executed successfully\n' \
      "$day-$1T$2" "$(date -ud "$day-$1T$2Z + $3 seconds" +%FT%T)" >>"$SCHEDULER_LOGS_DIR/$job.log"
    run_at "$job" "$(date -ud "$day-$1T$2Z + $3 seconds" +%FT%TZ)" "$4"
    shift 4
  done
}

setup_nightly() {
  setup_logs
  jobs='' window=2026-03-01..2026-03-04
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json
}

# It was due on March 1 to 4 at 3:00. It did not run on the 2nd, and took two hours on the 4th.
missed_example() {
  setup_nightly
  nightly backup 01 03:00:00 600 ok 03 03:00:00 600 ok 04 03:00:00 7200 ok
}

@test "sla --count missed: a missed run counts as a failed run at the time when it was due" {
  missed_example
  run taskresults sla --window "$window" --target 75 --jsonl
  [[ $status -eq 0 && $(field runs) == 3 && $(field failures) == 0 && $(field missed_slots) == None ]]
  run taskresults sla --window "$window" --target 75 --jsonl --count missed
  # Down from March 2, 3:00, to March 3, 3:10.
  [[ $status -eq 1 && ${#lines[@]} -eq 1 && $(field runs) == 4 && $(field successes) == 3 && $(field failures) == 1 ]]
  [[ $(field missed_slots) == 1 && $(field unknown_slots) == 0 && $(field down_seconds) == $((24 * 3600 + 600)).0 ]]
  [[ $(field outages) == 1 && $(field slow_runs) == None && $(field missed) == True ]]
  run taskresults sla --window "$window" --target 75 --of success --jsonl --count missed
  [[ $status -eq 0 && $(field budget_runs_left) == 0.0 ]]
}

@test "sla --max-duration: a success that took longer counts as a failed run; one that took exactly as long does not" {
  missed_example
  run taskresults sla --window "$window" --target 100 --of success --jsonl --max-duration 2h
  [[ $status -eq 0 && $(field slow_runs) == 0 && $(field failures) == 0 && $(field missed_slots) == None ]]
  run taskresults sla --window "$window" --target 100 --of success --jsonl --max-duration 119m
  [[ $status -eq 1 && ${#lines[@]} -eq 1 && $(field runs) == 3 && $(field failures) == 1 && $(field slow_runs) == 1 ]]
  [[ $(field unknown_durations) == 0 && $(field outages) == 1 && $(field down_seconds) == $((19 * 3600)).0 ]]
  run taskresults sla --window "$window" --max-duration=119m --count=missed
  [[ $status -eq 0 && ${lines[0]} == 'JOB     RUNS   SUCCESS    UPTIME  DOWN  OUTAGES  MTBF  MTTR  TOO LONG  NOT RUN' ]]
  [[ ${lines[1]} == 'backup     4  50.000 %  53.500 %   43h        2    2d   24h         1        1' ]]
  run on_pty 60 "$(tool taskresults)" sla --window "$window" --max-duration=119m --count=missed --target 99
  [[ $output == *'TOO LONG  NOT RUN'*missed* ]]
}

@test "sla: a failed run that took too long counts once, and a failed run of unknown duration does not count as unknown" {
  setup_nightly
  nightly a 01 03:00:00 7200 fail 02 03:00:00 60 ok
  run_at b 2026-03-01T03:00:00Z fail
  run taskresults sla --window "$window" --max-duration 1h --jsonl
  [[ ${lines[0]} == *'"failures":1,'*'"slow_runs":0,"unknown_durations":0,'* ]]
  [[ ${lines[1]} == *'"failures":1,'*'"slow_runs":0,"unknown_durations":0,'* ]]
}

@test "sla: messages say what is unknown: jobs without a log, without a schedule, and times before records; these are not counted" {
  missed_example
  run_at unlogged 2026-03-01T03:00:00Z ok 2026-03-02T03:00:00Z ok
  jobs+=', {"id": "odd", "schedule": "whenever", "enabled": true, "recurring": true, "created_at": "2026-02-28T12:00:00Z"}'
  nightly older 03 03:00:00 60 ok
  run_at odd 2026-03-01T03:00:00Z ok
  printf '[2026-03-02T12:00:00Z] Job updated: schedule\n' >>"$SCHEDULER_LOGS_DIR/older.log"
  run taskresults sla --window "$window" --target 100 --of success --count missed --max-duration 1h --jsonl
  [[ $status -eq 1 ]]
  printf '%s\n' "${lines[@]}"
  [[ $output == *'taskresults: of 3 successes it is not known how long they took; they count as successes'* ]]
  [[ $output == *'taskresults: of 2 jobs it is not known what they missed: '* ]]
  [[ $output == *'"job_id":"odd"'*'"missed":false,"slow_runs":0,"unknown_durations":1,"missed_slots":null,"unknown_slots":null}'* ]]
  [[ $output == *'"job_id":"unlogged"'*'"missed":false,"slow_runs":0,"unknown_durations":2,"missed_slots":null,"unknown_slots":null}'* ]]
  run taskresults sla odd --window "$window" --count missed --max-duration 1h
  [[ ${lines[-1]} == odd*'  0, 1 unknown  unknown' ]]
}

@test "sla --count missed: a message says how many slots are unknown, with the command that shows why" {
  setup_nightly
  nightly a 02 03:00:00 60 ok
  python3 - "$SCHEDULER_JOBS_FILE" <<'PYTHON'
import json, sys
with open(sys.argv[1]) as file:
    state = json.load(file)
state["jobs"][0]["created_at"] = "2026-01-01T00:00:00Z"
with open(sys.argv[1], "w") as file:
    json.dump(state, file)
PYTHON
  [[ $(taskresults sql "SELECT state FROM task_slots('2026-03-01', '2026-03-01')" --mode list) == unknown ]]
  run taskresults sla --window 2026-03-01..2026-03-02 --count missed --jsonl
  [[ ${lines[0]} == 'taskresults: 1 slot is unknown, and not counted; to see why: taskresults sql "SELECT job_id, slot, reason FROM task_slots('* ]]
  [[ $(field missed_slots) == 0 && $(field unknown_slots) == 1 && $(field failures) == 0 ]]
  eval "${lines[0]##*see why: }" | grep -q '2026-03-01T03:00:00Z'
}

@test "sla --count missed: a job that never ran is shown, by name and among all; a run missed before the window means that it is down" {
  setup_nightly
  nightly idle
  run_at other 2026-03-01T00:00:00Z ok
  run taskresults sla --window "$window" --count missed --jsonl
  [[ ${lines[-2]} == '{"job_id":"idle","runs":4,"successes":0,"failures":4,'*'"missed_slots":4,"unknown_slots":0}' ]]
  run taskresults sla idle --window "$window" --count missed --jsonl
  [[ $status -eq 0 && $(field job_id) == idle && $(field down_seconds) == $((4 * 86400 - 3 * 3600)).0 ]]
  run taskresults sla idle --window 2026-03-02..2026-03-02 --count missed --jsonl
  [[ $(field down_seconds) == 86400.0 && $(field outages) == 1 && $(field runs) == 1 ]]
  run taskresults sla idle --window "$window"
  [[ $status -eq 1 && $output == 'taskresults: no such job: idle' ]]
  run taskresults sla nobody --window "$window" --count missed
  [[ $status -eq 1 && $output == 'taskresults: no such job: nobody' ]]
}

@test "sla: without logs, durations are unknown; without the list of jobs, missed runs cannot be counted, which is status 3" {
  missed_example
  SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults sla --window "$window" --max-duration 1h --jsonl
  [[ $status -eq 0 && $output == *"nowhere that can be read: it is not known when jobs were paused, nor how long runs took"* ]]
  [[ $(field unknown_durations) == 3 && $(field slow_runs) == 0 ]]
  rm "$SCHEDULER_JOBS_FILE"
  run taskresults sla --window "$window" --count missed
  [[ $status -eq 3 && $output == "taskresults: jobs file $SCHEDULER_JOBS_FILE"* ]]
  run taskresults sla --window "$window"
  [[ $status -eq 0 ]]
}

@test "sla --count, --max-duration: wrong usage" {
  setup_logs
  for bad in '--count all' '--count' '--max-duration soon' '--max-duration 2026-03-01' '--max-duration ' "--max-duration=-1h"; do
    # shellcheck disable=SC2086  # words
    run taskresults sla $bad
    [[ $status -eq 2 && $output == 'taskresults: --'* ]] || { echo "$bad: $status $output"; return 1; }
  done
}

@test "sla: jobs with hostile ids have their figures, by name and among all" {
  setup_logs
  make_hostile_jobs
  cd "$BATS_TEST_TMPDIR"
  for job in "${hostile_jobs[@]}"; do printf '%s\0' "$job"; done | LC_ALL=C sort -z >expected
  taskresults sla --jsonl | python3 -c '
import json, sys
sys.stdout.write("".join(json.loads(x)["job_id"] + "\0" for x in sys.stdin))' | LC_ALL=C sort -z | cmp expected -
  taskresults sla --jsonl -- "${hostile_jobs[@]}" | wc -l | grep -qx "${#hostile_jobs[@]}"
  [[ $(taskresults sla --csv --job=-n | tail -n 1) == -n,* ]]
  [[ $(taskresults sla --window 2026-01-01..2026-01-02 | wc -l) == $((${#hostile_jobs[@]} + 1)) ]]
  [[ ! -e pwned ]]
}

@test "sla: wrong usage, no jobs, and an unknown job have the right message and status" {
  setup_logs
  for bad in '--window soon' '--window 2026-03-02..2026-03-01' '--window 2999-01-01..' '--target 0' '--target 100.1' \
    '--target x' '--target 99.1234567' '--of all' '--json --csv' '--window soon..later'; do
    # shellcheck disable=SC2086  # words
    run taskresults sla $bad
    [[ $status -eq 2 && $output == 'taskresults: --'* ]] || { echo "$bad: $status $output"; return 1; }
  done
  run taskresults sla --json
  assert_output '[]'
  run taskresults sla --csv
  [[ $status -eq 0 && ${#lines[@]} -eq 1 && $output == job_id,runs,* ]]
  run taskresults sla nobody
  [[ $status -eq 1 && $output == 'taskresults: no such job: nobody' ]]
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults sla
  [[ $status -eq 3 && $output == 'taskresults: results directory '* ]]
}

@test "sla: a job whose file or log cannot be read is left out; a message has the fix; status 3" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  mkdir -m 755 "$open_place/logs"
  export SCHEDULER_LOGS_DIR=$open_place/logs
  local job
  for job in good "un'readable" 'no log' $'not\xffutf8'; do make_job "$job" 5; done
  for job in good 'no log' no-job; do printf '[2026-01-01T00:00:00Z] Job resumed\n' >"$SCHEDULER_LOGS_DIR/$job.log"; done
  chmod 644 "$results"/* "$SCHEDULER_LOGS_DIR"/*
  chmod 600 "$results/un'readable.jsonl" "$results/"$'not\xffutf8.jsonl' "$SCHEDULER_LOGS_DIR/no log.log" "$SCHEDULER_LOGS_DIR/no-job.log"
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  status=0
  "${as_nobody[@]}" "$(tool taskresults)" sla --window 2026-01-01..2026-01-02 --csv >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  [[ $status -eq 3 && $(cut -d , -f 1-3 "$BATS_TEST_TMPDIR/out" | tr -d '\r') == $'job_id,runs,successes\ngood,5,5' ]]
  grep -qF "left out: job un\\'readable, whose file cannot be read; as its owner: chmod a+r -- $results/un\\'readable.jsonl" "$BATS_TEST_TMPDIR/err"
  grep -qF "left out: job no\\ log, whose log cannot be read; as its owner: chmod a+r -- $SCHEDULER_LOGS_DIR/no\\ log.log" "$BATS_TEST_TMPDIR/err"
  run "${as_nobody[@]}" "$(tool taskresults)" sla --window 2026-01-01..2026-01-02 --target 100
  [[ $status -eq 3 && $output == *'good'*'left out'* ]]
  run "${as_nobody[@]}" "$(tool taskresults)" sla good --window 2026-01-01..2026-01-02
  [[ $status -eq 0 ]]
  run "${as_nobody[@]}" "$(tool taskresults)" sla "un'readable"
  [[ $status -eq 3 && $output == *'cannot be opened: Permission denied' && $output != *'left out'* ]]
}

@test "sla: a run that has just ended counts" {
  taskresults run a -- true
  [[ $(taskresults sla a --window 1d --json) == *'"runs":1,'* ]]
}

@test "sla --ratio: success by whole days is the same after a prune, by policy and of several hosts; and what Python counts" {
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/none
  echo '{"rules": [{"jobs": "a", "keep": 100, "target": 98.5}, {"jobs": "*", "keep": 50}]}' >"$BATS_TEST_TMPDIR/policy.json"
  mkdir -p "$BATS_TEST_TMPDIR/srv/one/results"
  python3 - "$results" "$BATS_TEST_TMPDIR/srv/one/results" >"$BATS_TEST_TMPDIR/expected" <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
for job, every in ("a", 50), ("b", 9):
    records = [(today + timedelta(hours=number - 2300), number % every > 0) for number in range(2300 + datetime.now(timezone.utc).hour)]
    for directory in sys.argv[1:]:
        with open(f"{directory}/{job}.jsonl", "w") as file:
            for when, good in records:
                file.write(json.dumps({"timestamp": when.isoformat().replace("+00:00", "Z"), "success": good}) + "\n")
            file.write('{"timestamp": "soon", "success": false}\n')
    counted = [good for when, good in records if when >= today - timedelta(days=89)]
    print(job, len(counted), sum(counted), sep=",")
PYTHON
  ratio() { taskresults sla --ratio --window 90d --csv "$@" 2>"$BATS_TEST_TMPDIR/said" | cut -d, -f"${fields-1-3}" | tail -n +2; }
  [[ $(ratio) == "$(cat "$BATS_TEST_TMPDIR/expected")" ]]
  grep -q '2 records without a readable time not counted' "$BATS_TEST_TMPDIR/said"
  ! grep -q logs "$BATS_TEST_TMPDIR/said" || false
  fields=1-20
  for options in "" "--target 99" "--policy $BATS_TEST_TMPDIR/policy.json" "--tz Europe/Berlin"; do
    # shellcheck disable=SC2086 # words
    ratio $options >"$BATS_TEST_TMPDIR/before${options//[^a-z]/}"
  done
  ratio --hosts "$BATS_TEST_TMPDIR/srv/*/results" >"$BATS_TEST_TMPDIR/hosts"
  taskresults prune --policy "$BATS_TEST_TMPDIR/policy.json" >"$BATS_TEST_TMPDIR/out"
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/srv/one/results taskresults prune --all --keep 100 >"$BATS_TEST_TMPDIR/out"
  for options in "" "--target 99" "--policy $BATS_TEST_TMPDIR/policy.json"; do
    # shellcheck disable=SC2086 # words
    diff <(ratio $options) "$BATS_TEST_TMPDIR/before${options//[^a-z]/}"
  done
  diff <(fields=2 ratio --tz Europe/Berlin) <(cut -d, -f2 "$BATS_TEST_TMPDIR/beforetzuropeerlin")
  diff <(ratio --hosts "$BATS_TEST_TMPDIR/srv/*/results") "$BATS_TEST_TMPDIR/hosts"
  run taskresults sla --ratio a --window 90d --target 99
  [[ $status -eq 1 && $output == *'RUNS LEFT'*missed* && $output != *UPTIME* ]]
  run taskresults sla --ratio --max-duration 5m
  [[ $status -eq 2 && $output == *'--ratio --max-duration cannot go together'* ]]
  run taskresults sla --ratio --of both
  [[ $status -eq 2 && $output == *'--ratio is about success alone'* ]]
}
