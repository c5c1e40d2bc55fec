#!/usr/bin/env bats
# taskresults alerts: durations, digests, mutes and maintenance.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell
load ../../lib/alerts

oracle() { python3 "$root/tests/oracles/alerts.py" "$@"; }

# timed_runs JOB SECONDS|-... - appends successes that took so long, one an hour. - is a run that the log does not have; a
# number with ! is a failure.
timed_runs() {
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
  mkdir -p "$SCHEDULER_LOGS_DIR"
  python3 - "$results/$1.jsonl" "$SCHEDULER_LOGS_DIR/$1.log" "${@:2}" <<'PYTHON'
import datetime, json, sys
results, log = open(sys.argv[1], "a+"), open(sys.argv[2], "a")
results.seek(0)
for number, word in enumerate(sys.argv[3:], len(results.readlines())):
    ok, seconds = not word.endswith("!"), word.rstrip("!")
    ends = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=100 - number)
    stamp = lambda time: time.isoformat().replace("+00:00", "Z")
    if seconds != "-":
        begins = ends - datetime.timedelta(seconds=float(seconds))
        log.write(f"[{stamp(begins)}] Executing (command mode): working_dir=/opt, cmd=true\n")
        log.write(f"[{stamp(ends)}] Command {'executed successfully' if ok else 'failed: no'}\n")
    results.write(json.dumps({"timestamp": stamp(ends), "success": ok, "output": "x", "error": "" if ok else "no"}) + "\n")
PYTHON
}

# --- durations -------------------------------------------------------------------------------------------------------

@test "alerts: --slow and --fast compare with the median of the successes before; their values are the factors" {
  setup_alerts
  timed_runs even 60 60 60 60 60 100
  timed_runs slow 60 50 70 60 60 200
  timed_runs fast 600 600 600 600 600 5
  timed_runs failed 60 60 60 60 60 400!
  timed_runs few 60 60 60 60 900
  timed_runs untold 60 60 60 60 60 -
  timed_runs hasty 600 600 600 600 600 1! # a failure is often fast
  run taskresults alerts --slow --fast
  expect 1 'failed: took 400s, usually 60s' 'fast: took only 5.0s, usually 10m' 'slow: took 200s, usually 60s'
  run taskresults alerts --slow --fast
  expect 0
  timed_runs slow 60
  timed_runs failed - # nobody knows whether it was
  run taskresults alerts --slow --fast --recovered
  expect 0 'failed: not looked at any more: no longer slow' 'slow: recovered: no longer slow'
  run taskresults alerts --slow=1.5 --fast=200
  expect 1 'even: took 100s, usually 60s'
  # A difference of one second does not count.
  timed_runs second 1.05 1.05 1.05 1.05 1.05 0.05
  timed_runs more 1.05 1.05 1.05 1.05 1.05 0.04
  timed_runs twice 1 1 1 1 1 2
  run taskresults alerts --slow=1.5 --fast second more twice
  expect 1 'more: took only 0.0s, usually 1.0s'
}

@test "alerts: --slow reports a run that is still going on, by its checkpoint, and not a second time when it has ended" {
  setup_alerts
  timed_runs long 5 5 5 5 5
  timed_runs new 100000 100000 100000 100000 100000
  timed_runs few 5 5 5 5 5! # failures are not what is usual
  list_jobs long on '' cron '' new on '' cron '' few on '' cron ''
  local job
  for job in long new few; do
    printf '{"job_id": "x", "started_at": "%s", "pid": %s}' "$(TZ=UTC0 printf '%(%FT%TZ)T' $((EPOCHSECONDS - 50)))" "$$" \
      >".checkpoint_$job.json"
  done
  run taskresults alerts --slow --exec 'echo "$TASKRESULTS_MESSAGE|$TASKRESULTS_ALERT|$TASKRESULTS_SINCE"'
  expect 1 'long: running for [5-9]?s, usually 5.0s|slow|20??-??-?? ??:??:??'
  rm .checkpoint_*
  timed_runs long 70
  run taskresults alerts --slow --recovered
  expect 0
  timed_runs long 5
  run taskresults alerts --slow --recovered
  expect 0 'long: recovered: no longer slow'
}

@test "alerts: --slow with an unreadable list of jobs judges finished runs, ends no alert, and says what it leaves out" {
  setup_alerts
  local said="taskresults: left out: --slow of runs that are still going on, since the scheduler's list cannot be read: *"
  timed_runs going_on 5 5 5 5 5
  timed_runs ended 5 5 5 5 5 70
  list_jobs going_on on '' cron '' ended on '' cron ''
  printf '{"job_id": "x", "started_at": "%s", "pid": %s}' "$(TZ=UTC0 printf '%(%FT%TZ)T' $((EPOCHSECONDS - 50)))" "$$" \
    >.checkpoint_going_on.json # it counts if its process began at most a minute later
  run taskresults alerts --slow
  expect 1 'ended: took 70s, usually 5.0s' 'going_on: running for [5-9]?s, usually 5.0s'
  cp "$SCHEDULER_JOBS_FILE" list
  echo '{"jobs": [' >"$SCHEDULER_JOBS_FILE"
  timed_runs ended 5
  timed_runs later 5 5 5 5 5 70
  timed_runs hasty 600 600 600 600 600 5
  run taskresults alerts --slow --fast --recovered
  expect 3 'hasty: took only 5.0s, usually 10m' 'later: took 70s, usually 5.0s' "$said"
  run taskresults alerts --slow --recovered
  expect 3 "$said"
  run taskresults alerts --nagios --slow
  expect 1 'TASKRESULTS WARNING - 1: later: took 70s, usually 5.0s | *'
  mv list "$SCHEDULER_JOBS_FILE"
  run taskresults alerts --slow --recovered
  expect 0 'ended: recovered: no longer slow'
}

@test "alerts: --slow and --fast need logs; an unreadable log is named, and the job's alerts neither fire nor end" {
  setup_alerts
  timed_runs a 60 60 60 60 60 300
  SCHEDULER_LOGS_DIR=$PWD/nowhere run taskresults alerts --slow
  expect 3 "taskresults: left out: --slow, since the jobs' logs cannot be read: $PWD/nowhere; SCHEDULER_LOGS_DIR says where they are"
  run taskresults alerts --slow 3
  expect 2 'taskresults: the number of --slow goes after =: --slow=3' 'taskresults: no such job: 3'
  run taskresults alerts --slow
  expect 1 'a: took 300s, usually 60s'
  ((EUID)) || skip 'root reads everything'
  timed_runs b 60 60 60 60 60 300
  chmod 0 logs/a.log
  run taskresults alerts --slow --recovered
  expect 3 'taskresults: job a: its log is not readable; no alerts for it that need one' 'b: took 300s, usually 60s'
  chmod 600 logs/a.log
  run taskresults alerts --slow --recovered
  expect 0
}

@test "alerts: --slow and --fast agree with the oracle, also at their limits" {
  setup_alerts
  local seed expected all=0
  for seed in $(some_or_all 1 '1 2 3'); do
    rm -rf results logs .checkpoint_*
    mkdir results logs
    export SCHEDULER_LOGS_DIR=$PWD/logs
    expected=$(oracle durations "$seed" 200 "$PWD" "$$")
    rm -f "$state"
    run taskresults alerts --slow=3 --fast=10 --exec 'echo "$TASKRESULTS_JOB $TASKRESULTS_ALERT"'
    [[ $status -eq 1 ]]
    diff <(sort <<<"$output") <(printf '%s\n' "$expected")
    grep -q slow <<<"$expected" && grep -q fast <<<"$expected"
    all=$((all + $(wc -l <<<"$expected")))
  done
  ((all > $(some_or_all 15 60)))
}

# counts_of OPTION... - sets `processes`, how many start, without those that save the state every second; and `opened`, how
# often the extension opens a file.
counts_of() {
  rm -rf traces "$XDG_STATE_HOME" # the first run makes a lock
  mkdir traces
  head -c 8 /dev/zero >calls
  # strace writes a file for each process, so that lines of two processes do not mix.
  strace -ff -qq --seccomp-bpf -e trace=execve -o traces/of -E LD_PRELOAD="$root/build/shim/each_call.so" \
    -E EACH_CALL_STATE="$PWD/calls" -E EACH_CALL_NAME=openat "$(tool taskresults)" alerts "$@" >told || [[ $? -eq 1 ]]
  processes=$(cat traces/* | grep -v taskresults-run | grep -c '^execve(.* = 0$')
  opened=$(od -An -td8 calls | tr -d ' ')
}

needs_strace() {
  command -v strace >/dev/null || skip 'no strace'
  strace -o /dev/null true 2>/dev/null || skip 'nothing may be traced here'
}

@test "alerts: --slow and --fast read each log once, and start as many processes for many jobs as for few" {
  needs_strace
  setup_alerts
  export SCHEDULER_LOGS_DIR=$PWD/logs
  local count few='' logs
  for count in 5 60; do
    rm -rf results logs
    mkdir results logs
    oracle durations 4 "$count" "$PWD" "$$" >/dev/null
    counts_of --slow --fast
    [[ -s told && $processes -eq ${few:-$processes} ]] || { echo "$few $processes"; return 1; }
    few=$processes
  done
  logs=(logs/*)
  strace -f -qq --seccomp-bpf -e trace=openat -o trace "$(tool taskresults)" alerts --slow --fast >told
  opened=$(grep -cE 'openat\(.*"[^"]*\.log"' trace)
  [[ $opened -eq ${#logs[@]} ]] || { echo "$opened ${#logs[@]}"; return 1; }
}

# same_jobs FROM TO - jobs of those numbers, due every hour. Each one's last run took long and failed, and runs before it
# were missed.
same_jobs() {
  python3 - "$1" "$2" <<'PYTHON'
import datetime, json, os, sys
hour, now = datetime.timedelta(hours=1), datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
slot = (now - datetime.timedelta(minutes=30)).replace(second=0)
stamp = lambda time: time.isoformat().replace("+00:00", "Z")
results, log = [], []
for hours in (30, 29, 28, 27, 26, 25, 5, 4):
    begins, ok = slot - hours * hour, hours > 4
    ends = begins + datetime.timedelta(seconds=30 if ok else 300)
    log.append(f"[{stamp(begins)}] Executing (command mode): working_dir=/opt, cmd=true\n"
               f"[{stamp(ends)}] Command {'executed successfully' if ok else 'failed: no'}\n")
    results.append(json.dumps({"timestamp": stamp(ends), "success": ok, "output": "x", "error": "" if ok else "no"}) + "\n")
jobs = []
for number in range(int(sys.argv[1]), int(sys.argv[2])):
    open(f"results/j{number}.jsonl", "w").writelines(results)
    open(f"logs/j{number}.log", "w").writelines(log)
for number in range(int(sys.argv[2])):
    jobs.append({"id": f"j{number}", "enabled": True, "cron": f"{slot.minute} * * * *", "created_at": stamp(slot - 31 * hour)})
json.dump({"jobs": jobs}, open("jobs.json", "w"))
PYTHON
}

@test "alerts: with 400 jobs, each kind opens twenty times as many files as with 20, and starts no more processes" {
  needs_strace
  setup_alerts
  export SCHEDULER_LOGS_DIR=$PWD/logs
  mkdir logs
  local kinds kind few_processes few_opened all=0
  kinds=('--after 1' '--missed' '--burn 99/30d' '--slow --fast' '--rate 1/3 --silent-for 2h --overdue --suspicious x --empty')
  local -A processes_of=() opened_of=()
  same_jobs 0 20
  for kind in "${kinds[@]}"; do
    # shellcheck disable=SC2086  # words
    counts_of $kind
    processes_of[$kind]=$processes opened_of[$kind]=$opened
  done
  same_jobs 20 400
  for kind in "${kinds[@]}"; do
    # shellcheck disable=SC2086  # words
    counts_of $kind
    few_processes=${processes_of[$kind]} few_opened=${opened_of[$kind]}
    ((processes == few_processes && opened <= 20 * few_opened && opened >= 400)) ||
      { echo "$kind: $few_processes, $few_opened; $processes, $opened"; return 1; }
    all=$((all + $(wc -l <told)))
  done
  ((all > 2000))
}

@test "alerts: without the list of jobs or the logs, the other alerts are reported, then what is left out; nothing ends; status 3" {
  setup_alerts
  local kind options=(--after 1 --overdue --missed --burn 99/1d --slow --fast --recovered)
  local no_list="the scheduler's list of jobs is not there: $SCHEDULER_JOBS_FILE; SCHEDULER_JOBS_FILE says where it is"
  local no_logs="the jobs' logs cannot be read: $PWD/logs; SCHEDULER_LOGS_DIR says where they are"
  runs_of a 90 ok fail
  list_jobs a on "$(ago 30)" '*/30 * * * *' "$(ago 9000)"
  timed_runs b 60 60 60 60 60 300
  run taskresults alerts "${options[@]}"
  [[ $status -eq 1 && ${#lines[@]} -eq 5 ]] || { echo "$status $output"; return 1; }
  for kind in failing overdue missed burn slow; do grep -q "\"$kind\"" "$state" || { cat "$state"; return 1; }; done
  cp "$state" before
  mv "$SCHEDULER_JOBS_FILE" list
  run taskresults alerts "${options[@]}"
  expect 3 "taskresults: left out: --overdue, --missed, --burn, since $no_list"
  cmp "$state" before
  mv logs no_logs
  run taskresults alerts "${options[@]}"
  expect 3 "taskresults: left out: --missed, --burn, --slow, --fast, since $no_logs" \
    "taskresults: left out: --overdue, --missed, --burn, since $no_list"
  cmp "$state" before
  run_of a 1 ok
  run_of a 0 fail
  run taskresults alerts --overdue
  expect 3 "taskresults: left out: --overdue, since $no_list"
  run taskresults alerts --overdue --after 1
  expect 3 'a: failed: broken' "taskresults: left out: --overdue, since $no_list"
  run taskresults alerts --nagios --overdue --after 1
  [[ $status -eq 2 ]]
  run taskresults alerts --nagios --overdue --slow
  expect 3 "TASKRESULTS UNKNOWN - left out: --slow, since $no_logs"
  mv list "$SCHEDULER_JOBS_FILE"
  run taskresults alerts --missed
  expect 3 "taskresults: left out: --missed, since $no_logs"
}

# --- missed runs -----------------------------------------------------------------------------------------------------

@test "alerts: --missed and --burn agree with the oracle, at each of a series of runs" {
  setup_alerts
  local seed all=0
  export SCHEDULER_LOGS_DIR=$PWD/logs
  for seed in $(some_or_all 1 '1 2'); do
    rm -rf results logs state
    mkdir results logs
    run oracle missed "$seed" 16 "$PWD" "$(tool taskresults)"
    [[ $status -eq 0 ]] || { echo "seed $seed: $output"; return 1; }
    all=$((all + output))
  done
  ((all > $(some_or_all 16 32)))
}

# hourly_and_daily MISSED - two jobs that have been due for thirty days, last half an hour ago. The daily job failed once;
# the hourly one failed five times, and missed so many runs. It was also run by hand.
hourly_and_daily() {
  rm -rf results logs
  mkdir results logs
  python3 - "$1" <<'PYTHON'
import datetime, json, sys
hour, now = datetime.timedelta(hours=1), datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
last, missed = (now - hour / 2).replace(second=0), int(sys.argv[1])
stamp = lambda time: time.isoformat().replace("+00:00", "Z")
jobs = []
for name, cron, every, fates in (
        ("daily", f"{last.minute} {last.hour} * * *", 24 * hour, ["failed"] + ["ran"] * 29),
        ("hourly", f"{last.minute} * * * *", hour, ["failed"] * 5 + ["missed"] * missed + ["ran"] * (715 - missed))):
    with open(f"results/{name}.jsonl", "w") as results, open(f"logs/{name}.log", "w") as log:
        for number, fate in enumerate(reversed(fates)):
            begins = last - every * (len(fates) - 1 - number)
            if fate == "missed":
                continue
            ends, ok = begins + datetime.timedelta(seconds=9), fate == "ran"
            log.write(f"[{stamp(begins)}] Executing (command mode): working_dir=/opt, cmd=true\n"
                      f"[{stamp(ends)}] Command {'executed successfully' if ok else 'failed: no'}\n")
            results.write(json.dumps({"timestamp": stamp(ends), "success": ok, "output": "", "error": ""}) + "\n")
            if number == 10:  # by hand: it is nobody's run
                by_hand = begins + datetime.timedelta(minutes=20)
                log.write(f"[{stamp(by_hand)}] Manual run triggered\n[{stamp(by_hand)}] Executing (command mode): "
                          f"working_dir=/opt, cmd=true\n[{stamp(by_hand)}] Command failed: no\n")
                results.write(json.dumps({"timestamp": stamp(by_hand), "success": False, "output": "", "error": ""}) + "\n")
    jobs.append({"id": name, "enabled": True, "cron": cron, "created_at": stamp(last - 900 * hour)})
json.dump({"jobs": jobs}, open("jobs.json", "w"))
PYTHON
}

@test "alerts: --burn prints what the example in shell/README.md shows" {
  setup_alerts
  export SCHEDULER_LOGS_DIR=$PWD/logs
  local daily='daily: of 30 runs expected in 30d, 1 failed and 0 were missed; 99 % allows 0 of these'
  local hourly='hourly: of 720 runs expected in 30d, 5 failed and 3 were missed; 99 % allows 7 of these'
  hourly_and_daily 3
  run taskresults alerts --burn 99/30d
  expect 1 "$daily" "$hourly"
  run taskresults alerts --nagios --burn 99/30d
  [[ $status -eq 1 && $output == 'TASKRESULTS WARNING - 2: '* ]]
  hourly_and_daily 2
  run taskresults alerts --burn 99/30d --recovered
  expect 0 'hourly: recovered: no longer beyond what it may fail'
  grep -A2 -F '$ taskresults alerts --burn 99/30d' "$root/shell/README.md" | tail -n 2 | diff - <(printf '%s\n' "$daily" "$hourly")
  grep -qx '| every day | 30 | 0.3 | the first failed or missed run |' "$root/shell/README.md"
  grep -qx '| every hour | 720 | 7.2 | the 8th |' "$root/shell/README.md"
  [[ $(python3 -c 'print(30 / 100, 720 / 100, 30 * 24 * 12, 30 * 24 * 12 / 100)') == '0.3 7.2 8640 86.4' ]]
}

# slots_of JOB HOURS_AGO - the only job of jobs.json: it was due once, that many hours ago, and is due again in a year.
slots_of() {
  local due=$((EPOCHSECONDS - 3600 * $2))
  list_jobs "$1" "${3-on}" '' "$(TZ=UTC0 printf '%(%-M %-H %-d %-m)T *' "$due")" \
    "$(TZ=UTC0 printf '%(%FT%TZ)T' "$((due - 86400))")"
}

@test "alerts: --missed, an outage longer than the days that are searched still goes on, until a run ends it" {
  setup_alerts
  mkdir logs
  export SCHEDULER_LOGS_DIR=$PWD/logs
  slots_of yearly 100
  run taskresults alerts --missed --recovered
  expect 1 'yearly: missed a run, due *'
  # As if four days had passed.
  slots_of yearly 196
  python3 - "$state" <<'PYTHON'
import re, sys
text = open(sys.argv[1]).read()
earlier = lambda match: match[1] + str(int(match[2]) - 96 * 3600 * 10**6)
open(sys.argv[1], "w").write(re.sub(r'("(?:upto|since|sent)_us":)(\d+)', earlier, text))
PYTHON
  run taskresults alerts --missed --recovered
  expect 0
  run taskresults alerts --missed --recovered --cooldown 1s
  [[ $status -eq 1 && $output == 'yearly: still: missed a run, due '* ]] || { echo "$output"; return 1; }
  run_of yearly 0 ok # a late one of that slot
  run taskresults alerts --missed --recovered
  expect 0 'yearly: recovered: no longer missing runs'
  run taskresults alerts --missed --recovered
  expect 0
}

@test "alerts: --missed, the alert of a job that is paused ends; after it is resumed, only later missed runs are reported" {
  setup_alerts
  mkdir logs
  export SCHEDULER_LOGS_DIR=$PWD/logs
  slots_of a 50
  run taskresults alerts --missed --recovered
  expect 1 'a: missed a run, due *'
  slots_of a 50 off
  run taskresults alerts --missed --recovered --cooldown 1s
  expect 0 'a: not looked at any more: no longer missing runs'
  run taskresults alerts --missed --recovered --cooldown 0s
  expect 0
  slots_of a 50
  run taskresults alerts --missed --recovered
  expect 0
  # It is due every hour, as if it had always been: these runs come after the reported one.
  list_jobs a on '' "$(TZ=UTC0 printf '%(%-M)T' $((EPOCHSECONDS - 1800))) * * * *" "$(ago $((51 * 60)))"
  run taskresults alerts --missed --recovered
  [[ $status -eq 1 && $output =~ ^'a: missed '(49|50)' runs, since ' ]] || { echo "$output"; return 1; }
}

# --- digest ----------------------------------------------------------------------------------------------------------

@test "alerts: --digest runs the command once, with all facts as JSON; if it fails, everything is reported again" {
  setup_alerts
  local job
  for job in a b c d e f; do run_of "$job" 10 fail "no \"$job\" \\\\ at all"; done
  run taskresults alerts --digest
  expect 2 'taskresults: --digest wants --exec, which it runs once for all' '*'
  run taskresults alerts --digest --exec 'cat >>facts; exit 4'
  expect 3 'taskresults: --exec failed with status 4; it is tried again at the next run: 6 alerts: a: failed: no "a" *; and 1 more'
  rm facts
  run taskresults alerts --digest --exec 'echo once >>runs; cat >facts; env |
    grep -E "^TASKRESULTS_(ALERT|ERROR|EVENT|FAILURES|JOB|LAST_RUN|MESSAGE|SINCE|STREAK)=" | LC_ALL=C sort'
  expect 1 'TASKRESULTS_ALERT=' 'TASKRESULTS_ERROR=' 'TASKRESULTS_EVENT=digest' 'TASKRESULTS_FAILURES=' 'TASKRESULTS_JOB=' \
    'TASKRESULTS_LAST_RUN=' 'TASKRESULTS_MESSAGE=6 alerts: a: failed: *; and 1 more' 'TASKRESULTS_SINCE=' 'TASKRESULTS_STREAK='
  [[ $(wc -l <runs) -eq 1 && $(wc -l <facts) -eq 8 ]]
  python3 - "$(taskresults view f --latest --jsonl)" <<'PYTHON'
import json, sys
record = json.loads(sys.argv[1])
facts = json.load(open("facts"))
assert [fact["job"] for fact in facts] == list("abcdef")
last = facts[-1]
since = last.pop("since")
assert since.replace(" ", "T") + "Z" == record["timestamp"]
assert last == {"event": "fired", "alert": "failing", "job": "f", "streak": 1, "failures": None,
                "last_run": record["timestamp"], "error": record["error"], "message": "f: failed: " + record["error"]}, last
PYTHON
  run taskresults alerts --digest --exec 'echo again >>runs'
  expect 0
  [[ $(wc -l <runs) -eq 1 ]]
  # A command that does not read its input, though that is more than fits into a pipe.
  run_of a 9 ok
  append_raw a '{"timestamp": "2026-01-01T00:00:00Z", "success": false, "error": "'"$(printf 'x%.0s' {1..5000})"'"}\n'
  for job in $(seq 30); do append_raw "long$job" '{"success": false, "error": "'"$(printf 'x%.0s' {1..5000})"'"}\n'; done
  run taskresults alerts --digest --exec true
  [[ $status -eq 1 && -z $output ]]
}

@test "alerts: --digest, hostile names and errors come back unchanged from the JSON" {
  setup_alerts
  make_hostile_jobs # the last run of each failed, its error is the name
  cd "$BATS_TEST_TMPDIR"
  for job in "${hostile_jobs[@]}"; do printf '%s\0%s\0' "$job" "$job"; done | LC_ALL=C sort -z >expected
  run taskresults alerts --digest --exec 'cat >facts'
  [[ $status -eq 1 && -z $output ]]
  python3 -c '
import json, re, sys
for fact in json.load(open("facts", encoding="utf-8")):
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f]", fact["message"])
    sys.stdout.write(fact["job"] + "\0" + fact["error"] + "\0")' | LC_ALL=C sort -z | cmp - expected
  [[ ! -e pwned ]]
}

@test "alerts: --digest, killed while the command runs: everything is reported again" {
  setup_alerts
  local job
  for job in a b c; do runs_of "$job" 10 fail; done
  mkfifo gate
  TOLD=$PWD/told GATE=$PWD/gate "$(tool taskresults)" alerts --digest --exec 'cat >>"$TOLD"; read -r line <"$GATE"' &
  victim=$!
  await grep -qs '^]' told
  kill -KILL "$victim"
  wait "$victim" || true
  echo go >gate
  TOLD=$PWD/again run taskresults alerts --digest --exec 'cat >>"$TOLD"'
  [[ $status -eq 1 ]]
  cmp told again
}

# --- mutes -----------------------------------------------------------------------------------------------------------

# let_mutes_end - changes the state as if the mutes' time were over.
let_mutes_end() { sed -i 's/"until_us":[0-9]*/"until_us":1/' "$state"; }

@test "alerts: a muted job is not reported; when the mute ends, alerts that hold are reported, and those that ended meanwhile" {
  setup_alerts
  runs_of a 10 fail
  runs_of web-1 10 fail
  runs_of web-2 10 ok
  run taskresults alerts
  expect 1 'a: failed: broken' 'web-1: failed: broken'
  run taskresults alerts mute 'web-*' --for 2h
  expect 0 'web-\*: muted until 20??-??-?? ??:??:??'
  run taskresults alerts mute --list
  expect 0 'web-\*: muted until 20??-??-?? ??:??:??, for [12]h'
  run_of web-1 9 ok
  run_of web-2 9 fail
  run_of a 9 ok
  run taskresults alerts --recovered
  expect 0 'a: recovered: no longer failing'
  let_mutes_end
  run taskresults alerts --recovered
  expect 1 'web-1: recovered: no longer failing' 'web-2: failed: broken'
  [[ $(grep -c mute "$state") -eq 0 ]]
  run taskresults alerts mute --list
  expect 0
  run taskresults alerts mute web-2 a --for 5m
  expect 0 'a: muted until *' 'web-2: muted until *'
  run_of a 8 fail
  run taskresults alerts
  expect 0
  run taskresults alerts unmute a
  expect 0
  run taskresults alerts
  expect 1 'a: failed: broken'
  run taskresults alerts unmute a
  expect 1 'taskresults: there is no mute of a; to see those there are: taskresults alerts mute --list'
}

@test "alerts: mute takes a GLOB, or an exact name with special characters; --nagios reports muted jobs, too" {
  setup_alerts
  runs_of 'a[1]' 10 fail
  runs_of a1 10 fail
  run taskresults alerts mute 'a[1]' --for 1h # both
  expect 0 '*'
  run taskresults alerts
  expect 0
  run taskresults alerts --nagios
  [[ $status -eq 2 && $output == 'TASKRESULTS CRITICAL - 2: '* ]]
  run taskresults alerts mute 'b*' --for 1h
  expect 2 'taskresults: no such job: b\*'
  # A job of the list that has not run yet can be muted. With --job, mute is the name of a job.
  list_jobs unborn on '' cron "$(ago 900)"
  run taskresults alerts mute unborn --for 1h
  expect 0 '*'
  runs_of mute 10 fail
  run taskresults alerts --job mute
  expect 1 'mute: failed: broken'
  # The second holds, not the longer one.
  run taskresults alerts mute a1 --for 2d
  run taskresults alerts mute a1 --for 2h
  run taskresults alerts mute --list
  expect 0 'a1: muted until *, for [12]h' 'a\[1\]: muted until *' 'unborn: muted until *'
}

@test "alerts: options may come before the words mute and unmute" {
  setup_alerts
  runs_of a 10 fail
  run taskresults alerts --state "$PWD/s" --for=1h mute a
  expect 0 'a: muted until *'
  run taskresults alerts --color=never --state="$PWD/s" --list mute
  expect 0 'a: muted until *, for *'
  run taskresults alerts --job a --state "$PWD/s" unmute
  expect 0
  run taskresults alerts --state mute --for 1h mute a # the first is the name of a file
  expect 0 'a: muted until *'
  [[ -s mute ]]
  # Behind another option, or behind --, it is the name of a job.
  runs_of mute 10 fail
  run taskresults alerts --after 1 mute
  expect 1 'mute: failed: broken'
  run taskresults alerts --state "$PWD/t" -- mute
  expect 1 'mute: failed: broken'
}

@test "alerts: wrong usage of mute is status 2, and names the help" {
  setup_alerts
  runs_of a 10 fail
  local bad
  for bad in 'mute' 'mute a' 'mute --for 1h' 'mute a --for x' 'mute a --for 0s' 'mute a --list' 'mute --list --for 1h' 'unmute' \
    'unmute a --for 1h' 'mute a --after 2 --for 1h'; do
    # shellcheck disable=SC2086  # words
    run taskresults alerts $bad
    [[ $status -eq 2 ]] || { echo "$bad: $status $output"; return 1; }
  done
  run taskresults alerts mute a '' --for 1h
  expect 2 'taskresults: mute wants a JOB, or a GLOB, that is not empty' 'taskresults: try: taskresults help alerts'
  [[ ! -s $state ]]
}

@test "alerts: jobs with hostile names can be muted, listed and unmuted" {
  setup_alerts
  make_hostile_jobs
  cd "$BATS_TEST_TMPDIR"
  run taskresults alerts mute --for 1h -- "${hostile_jobs[@]}"
  [[ $status -eq 0 && ${#lines[@]} -eq ${#hostile_jobs[@]} && $output != *$'\e'* ]]
  run taskresults alerts
  expect 0
  run taskresults alerts mute --list
  [[ $status -eq 0 && ${#lines[@]} -eq ${#hostile_jobs[@]} && $output != *$'\e'* ]]
  run taskresults alerts unmute -- "${hostile_jobs[@]}"
  expect 0
  run taskresults alerts
  [[ $status -eq 1 && ${#lines[@]} -eq ${#hostile_jobs[@]} ]]
  [[ ! -e pwned ]]
}

@test "alerts: a damaged state, or a damaged mute in it, is an error for mute and unmute, too, and the file stays as it is" {
  setup_alerts
  runs_of a 10 fail
  taskresults alerts mute a --for 1h >/dev/null
  cp "$state" whole
  local bad
  for bad in 's/"until_us":[0-9]*/"until_us":"soon"/' 's/,"until_us":[0-9]*//' '2s/{/x/' '2d'; do
    sed "$bad" whole >"$state"
    cp "$state" damaged
    for words in 'mute a --for 1h' 'unmute a' 'mute --list' ''; do
      # shellcheck disable=SC2086  # words
      run taskresults alerts $words
      [[ $status -eq 3 && $output == "taskresults: the state file $state is not whole or not ours ("* ]]
      cmp "$state" damaged
    done
  done
}

@test "alerts: mute waits for a run that is reporting, and neither loses what the other wrote" {
  setup_alerts
  local job
  for job in a b c d; do runs_of "$job" 10 fail; done
  mkfifo gate
  GATE=$PWD/gate "$(tool taskresults)" alerts --exec '[ "$TASKRESULTS_JOB" != a ] || { echo >>told; read -r line <"$GATE"; }' &
  await test -s told
  "$(tool taskresults)" alerts mute d --for 1h >muted 2>&1 &
  await pgrep -P "$!" flock >children
  [[ ! -s muted ]]
  echo go >gate
  wait
  grep -q '^d: muted until' muted
  [[ $(head -n 1 "$state") == *'"alerts":5,'* && $(grep -c '"alert":"failing"' "$state") -eq 4 ]]
}

# --- maintenance -----------------------------------------------------------------------------------------------------

# window HOURS HOURS - a window of maintenance between these two times, in hours from now.
window() { TZ=UTC0 printf '%(%H:%M)T-%(%H:%M)T' "$((EPOCHSECONDS + 3600 * $1))" "$((EPOCHSECONDS + 3600 * $2))"; }

@test "alerts: in a window of --maintenance nothing is reported; after it, what still holds is" {
  setup_alerts
  runs_of a 10 fail
  run taskresults alerts --maintenance "$(window -2 2)"
  expect 0
  [[ ! -e $state ]]
  run taskresults alerts --maintenance "$(window 6 8); $(window -3 1)"
  expect 0
  run taskresults alerts --maintenance "$(window 6 8)"
  expect 1 'a: failed: broken'
  run_of a 9 ok
  run taskresults alerts --recovered --maintenance "$(window -2 2)"
  expect 0
  run taskresults alerts --recovered --maintenance "$(window 6 8)"
  expect 0 'a: recovered: no longer failing'
}

@test "alerts: a --maintenance that cannot be read is wrong usage, at any time of day" {
  setup_alerts
  runs_of a 10 fail
  local bad
  for bad in '' 'Sun' 'Sunday 02:00-04:00' 'Sun 2-4' 'Sun 02:00-02:00' 'Sun 2:00-02:00' 'Sun 02:00-25:00' 'Sun 24:00-01:00' \
    'Sun 02:60-03:00' 'Sun 02:00-04:00;' '01:00-02:00 Mars' '01:00-02:00 UTC UTC' 'fri-xxx 01:00-02:00' 'xxx-fri 01:00-02:00' 'fri-mon, 01:00-02:00' 'fri--mon 1:00-2:00' "1:00-2:00 '; SELECT 1"; do
    run taskresults alerts --maintenance "$bad"
    [[ $status -eq 2 && $output == *'--maintenance wants days and times, such as '* ]] || { echo "$bad: $status $output"; return 1; }
  done
  run taskresults alerts --nagios --maintenance '01:00-02:00'
  expect 3 'TASKRESULTS UNKNOWN - *'
}

@test "alerts: windows of --maintenance agree with the oracle, also on days on which clocks change" {
  setup_alerts
  oracle maintenance 15 60 80 >windows.json
  source "$root/shell/lib/sql_text.bash"
  source "$root/shell/alerts/maintenance.bash"
  python3 -c '
import json
for number, window in enumerate(json.load(open("windows.json"))):
    print(window["text"])
    with open(f"times.{number}", "w") as file:
        file.write(",".join(f"({time}, {int(is_in)})" for time, is_in in window["times"].items()))' >texts
  # Bats looks at each command, which takes longer than the command: not in this loop.
  (
    trap - DEBUG
    number=0
    while IFS= read -r text; do
      maintenance_condition t.column1 "$text" || { echo "not read: $text" >&2; exit 1; }
      set_sql_text quoted "$text"
      printf 'SELECT %s, column1, column2 FROM (VALUES %s) AS t WHERE (%s) IS NOT column2;\n' "$quoted" \
        "$(<"times.$number")" "$condition"
      printf 'SELECT sum(column2), count(*) FROM (VALUES %s);\n' "$(<"times.$number")" >>counts
      number=$((number + 1))
    done <texts >statements
    [[ $number -eq 60 ]]
  )
  sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: <statements >differences
  [[ ! -s differences ]] || { cat differences; return 1; }
  # Some times are in a window, and some are not.
  sqlite3 -batch :memory: <counts | awk -F'|' '{ inside += $1; all += $2 } END { exit !(inside > 300 && all - inside > 300) }'
}

# --- everything is reported at least once ----------------------------------------------------------------------------

@test "alerts: with random mutes, maintenance and failing commands, each alert that still holds when reporting works is reported once" {
  setup_alerts
  mkdir logs
  export SCHEDULER_LOGS_DIR=$PWD/logs
  run oracle looks "$(some_or_all 6 15)" 40 "$PWD" "$(tool taskresults)"
  printf '%s\n' "$output"
  [[ $status -eq 0 && $output -gt $(some_or_all 15 40) ]]
}

@test "alerts: a state file from a version without mutes is read; such a version keeps the mutes of a newer one" {
  setup_alerts
  runs_of a 10 fail
  runs_of b 10 fail
  taskresults alerts a >/dev/null || true
  [[ $(sed 's/":[0-9-]*\([,}]\)/":N\1/g; s/"results":"[0-9a-f]*"/R/' "$state") == '{"taskresults_alerts":N,"alerts":N,R}
{"job":"a","alert":"failing","fired_us":N,"sent_us":N,"upto_us":N,"offset":N,"hash":N}' ]]
  cp "$state" before
  taskresults alerts mute b --for 1h >/dev/null
  # That version checked this: a first line with the count, and as many alerts, each with these members.
  python3 - "$state" <<'PYTHON'
import json, sys
head, *alerts = [json.loads(line) for line in open(sys.argv[1])]
assert head["taskresults_alerts"] == 1 and head["alerts"] == len(alerts) == 2
assert all(isinstance(alert[key], kind) for alert in alerts
           for key, kind in (("job", str), ("alert", str), ("fired_us", int), ("sent_us", int)))
PYTHON
  taskresults alerts unmute b
  cmp "$state" before
  run taskresults alerts
  expect 1 'b: failed: broken'
}

# make_state - a state with everything it can contain: an alert that goes on, a mute, and missed runs that are over. Then it
# adds a failure that is new.
make_state() {
  export SCHEDULER_LOGS_DIR=$PWD/logs
  mkdir -p logs
  runs_of goes_on 10 fail
  slots_of over 2
  taskresults alerts --after 1 --missed >/dev/null || [[ $? -eq 1 ]]
  run_of over 0 ok # a late one of that slot
  taskresults alerts mute quiet goes_on --for 1h >/dev/null
  taskresults alerts --missed
  run_of new 10 fail
  [[ $(grep -c '"over":1' "$state") -eq 1 && $(grep -c '"mute"' "$state") -eq 2 && $(wc -l <"$state") -eq 6 ]] || { cat "$state"; return 1; }
}

# kill_at N NAME - runs `alerts`, killed at the N-th call of that name; sets the count in `calls`.
kill_at() {
  cp before "$state"
  head -c 8 /dev/zero >calls
  run env LD_PRELOAD="$root/build/shim/each_call.so" EACH_CALL_STATE="$PWD/calls" EACH_CALL_NAME="$2" \
    EACH_CALL_AT="$1" EACH_CALL_KILL=1 "$(tool taskresults)" alerts --after 1 --missed
}

@test "alerts: killed at any call, the state is the old one or says what was reported, with all mutes; the next run reports the rest" {
  setup_alerts
  runs_of quiet 10 fail
  make_state
  cp "$state" before
  local name n calls every told kept=0 replaced=0 left=0 beside=${state%/*}/.taskresults
  echo mine | tee "$beside.abcdef" "$beside.other.new" >"$beside.alerts.news" # of others
  for name in openat read write fsync renameat close; do
    kill_at 0 "$name" # which never comes
    calls=$(od -An -td8 calls)
    # Most come before anything is written: of these, a few.
    every=$(some_or_all $((calls / 6 + 1)) 8)
    for ((n = 1; n <= calls; n += n + every < calls - 4 ? every : 1)); do
      kill_at "$n" "$name"
      (($(od -An -td8 calls) >= n)) || break # pipes are read in as many pieces as they come
      told=$(grep -c '^new: failed' <<<"$output" || true)
      if cmp -s before "$state"; then
        kept=$((kept + 1))
        [[ ! -e $beside.alerts.new ]] || left=$((left + 1))
        run taskresults alerts --after 1 --missed
        expect 1 'new: failed: broken'
        [[ ! -e $beside.alerts.new ]]
      else
        replaced=$((replaced + 1))
        [[ $told -eq 1 ]]
      fi
      [[ $(head -n 1 "$state") == *'"alerts":6,'* && $(wc -l <"$state") -eq 7 ]]
      [[ $(grep -v '"new"' "$state" | tail -n +2) == "$(tail -n +2 before)" ]]
    done
    run taskresults alerts --after 1 --missed
    expect 0
    ((n > 1 && calls > 0))
  done
  ((kept > 10 && replaced > 0 && left > 0))
  [[ $(cat "$beside".*) == $'mine\nmine\nmine' ]]
}

@test "alerts: temporary files that a kill left beside the state are removed by the next run, even with no news; other files stay" {
  setup_alerts
  runs_of a 10 fail
  local at=0 left
  for left in alerts.lock.new alerts.new; do # a run makes the lock, and then the state
    head -c 8 /dev/zero >calls
    run env LD_PRELOAD="$root/build/shim/each_call.so" EACH_CALL_STATE="$PWD/calls" EACH_CALL_NAME=renameat \
      EACH_CALL_AT=$((++at)) EACH_CALL_KILL=1 "$(tool taskresults)" alerts
    [[ $(cd "${state%/*}" && echo .taskresults.*) == ".taskresults.$left" ]]
  done
  run taskresults alerts mute --list
  expect 0
  [[ $(ls -A "${state%/*}") == alerts.lock ]]
  # A link or a directory has the temporary file's name. Then another name is used.
  echo mine >target
  ln -s "$PWD/target" "${state%/*}/.taskresults.alerts.new"
  mkdir other
  run taskresults alerts
  expect 1 'a: failed: broken'
  mkdir other/.taskresults.y.new
  run taskresults alerts --state other/y
  expect 1 'a: failed: broken'
  [[ $(<target) == mine && -L ${state%/*}/.taskresults.alerts.new && -d other/.taskresults.y.new ]]
  # A name to which nothing can be added.
  long=$(printf '%0249d' 7)
  run taskresults alerts --state "other/$long"
  expect 1 'a: failed: broken'
  [[ -s other/$long ]]
}

@test "alerts: if the state's disk is full, new alerts are reported, the state stays complete, and they are reported again" {
  ((EUID == 0)) || skip 'needs root, to mount a small disk'
  setup_alerts
  runs_of quiet 10 fail
  make_state
  # shellcheck disable=SC2016  # the inner shell's
  SMALL=$PWD/small STATE=$state T=$(tool taskresults) unshare -m bash -c 'mkdir "$SMALL" &&
    mount -t tmpfs -o size=16k none "$SMALL" && cp "$STATE" "$SMALL/state" && : >"$SMALL/state.lock" || exit
    head -c 99999 /dev/zero >"$SMALL/full" 2>/dev/null
    for words in "--after 1" "mute new --for 1h" "unmute quiet"; do
      "$T" alerts $words --state "$SMALL/state"
      echo "status $?"
      cmp "$STATE" "$SMALL/state" && echo the same
    done
    rm "$SMALL/full"
    "$T" alerts --state "$SMALL/state"; "$T" alerts --state "$SMALL/state" && echo done' >out 2>&1 || true
  ! grep -q '^unshare: \|^mount: ' out || skip 'no mounting here'
  mapfile -t lines <out
  status=0
  expect 0 'new: failed: broken' 'taskresults: */small/state: *: No space left on device; *' 'status 3' 'the same' \
    'taskresults: */small/state: *: No space left on device; *' 'status 3' 'the same' \
    'taskresults: */small/state: *: No space left on device; *' 'status 3' 'the same' 'new: failed: broken' 'done' ||
    { cat out; return 1; }
}
