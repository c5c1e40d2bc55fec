#!/usr/bin/env bats
# taskresults alerts: what fires, and only once; the state file; --exec; --nagios.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell
load ../../lib/alerts

# --- what fires ------------------------------------------------------------------------------------------------------

@test "alerts: a failing job is reported once; again only after a success in between" {
  setup_alerts
  runs_of good 10 ok ok
  runs_of bad 10 ok fail
  run taskresults alerts
  expect 1 'bad: failed: broken'
  run taskresults alerts
  expect 0
  run_of bad 8 fail
  run taskresults alerts
  expect 0
  runs_of bad 7 ok fail fail # recovered and failed again between two looks
  run taskresults alerts
  expect 1 'bad: failed 2 times in a row, since 20??-??-?? ??:??:??: broken'
  run taskresults alerts
  expect 0
  run_of bad 1 ok
  run taskresults alerts --recovered
  expect 0 'bad: recovered: no longer failing'
  run taskresults alerts --recovered
  expect 0
  run_of bad 0 fail
  run taskresults alerts
  expect 1 'bad: failed: broken'
}

@test "alerts: without --recovered, a recovery is recorded without a message" {
  setup_alerts
  runs_of a 10 fail
  run taskresults alerts
  expect 1 'a: failed: broken'
  run_of a 9 ok
  run taskresults alerts
  expect 0
  [[ $(wc -l <"$state") == 1 ]]
}

@test "alerts: --after N fires after N failures in a row" {
  setup_alerts
  runs_of two 10 fail ok fail fail
  runs_of three 10 ok fail fail fail
  run taskresults alerts --after 3
  expect 1 'three: failed 3 times in a row, since *: broken'
}

@test "alerts: a long streak is counted, and stays the same one however long it gets, and after a prune" {
  setup_alerts
  make_job long 1500 1
  make_job short 40 1
  run taskresults alerts
  expect 1 'long: failed 1000 times in a row, since 2026-01-01 08:20:00: *' 'short: failed 40 times in a row, since 2026-01-01 00:00:00: *'
  # All records that are left, or that are read, are newer than the reported one.
  for ((i = 0; i < 1100; i++)); do
    printf '{"timestamp": "2026-01-02T%02d:%02d:00Z", "success": false}\n' $((2 + i / 60)) $((i % 60))
  done | tee -a "$results/long.jsonl" >>"$results/short.jsonl"
  printf '%s\n' "$(tail -n 5 "$results/short.jsonl")" >"$results/short.jsonl"
  run taskresults alerts
  expect 0
  append_raw long '{"timestamp": "2026-01-03T00:00:00Z", "success": true}\n{"timestamp": "2026-01-03T01:00:00Z", "success": false}\n'
  run taskresults alerts
  expect 1 'long: failed'
}

# --- what is new: the place in the file decides, not the time -----------------------------------------------------------

# records JOB TIMESTAMP ok|fail ... - one record for each pair; - is a record without a time.
records() {
  local job=$1 time
  shift
  while (($#)); do
    time="\"timestamp\": \"$1\", "
    [[ $1 != - ]] || time=
    printf '{%s"success": %s, "error": "no. %s"}\n' "$time" "$([[ $2 == ok ]] && echo true || echo false)" "$((++record_number))" \
      >>"$results/$job.jsonl"
    shift 2
  done
}

@test "alerts: a failure after a success is new, whatever its time is: earlier, the same, or unreadable" {
  setup_alerts
  local job
  for job in back same none; do records "$job" 2026-02-14T10:00:00Z fail; done
  run taskresults alerts
  expect 1 'back: failed: *' 'none: failed: *' 'same: failed: *'
  records back 2026-02-14T09:00:00Z ok 2026-02-14T09:05:00Z fail
  records same 2026-02-14T10:00:00Z ok 2026-02-14T10:00:00Z fail
  records none - ok - fail
  run taskresults alerts
  expect 1 'back: failed: no. 5' 'none: failed: no. 9' 'same: failed: no. 7'
  run taskresults alerts
  expect 0
  for job in back same none; do records "$job" - fail 2020-01-01T00:00:00Z fail; done
  run taskresults alerts
  expect 0
}

@test "alerts: after a prune, nothing is reported again, and new failures are" {
  setup_alerts
  records a 2026-02-14T07:00:00Z ok 2026-02-14T08:00:00Z fail 2026-02-14T09:00:00Z ok 2026-02-14T10:00:00Z fail
  run taskresults alerts
  expect 1 'a: failed: no. 4'
  records a 2026-02-14T11:00:00Z fail
  taskresults prune a --keep 3 >/dev/null # what was told stays, and moves
  run taskresults alerts
  expect 0
  records a 2026-02-14T09:30:00Z ok 2026-02-14T09:40:00Z fail
  taskresults prune a --keep 4 >/dev/null
  run taskresults alerts
  expect 1 'a: failed: no. 7'
  run taskresults alerts
  expect 0
  # The reported record was pruned: a success before the failures makes them new, whatever their times are.
  records a 2026-02-14T09:50:00Z ok 2026-02-14T09:55:00Z fail
  taskresults prune a --keep 2 >/dev/null
  run taskresults alerts
  expect 1 'a: failed: no. 9'
  records a 2026-02-14T09:55:00Z ok 2026-02-14T09:55:00Z fail
  taskresults prune a --keep 2 >/dev/null
  run taskresults alerts
  expect 1 'a: failed: no. 11'
  records a 2026-02-13T00:00:00Z ok 2026-02-12T00:00:00Z fail
  taskresults prune a --keep 2 >/dev/null
  run taskresults alerts
  expect 1 'a: failed: no. 13'
  run taskresults alerts
  expect 0
  records a 2026-02-14T09:00:00Z fail 2026-02-14T09:10:00Z fail
  taskresults prune a --keep 2 >/dev/null
  run taskresults alerts
  expect 0
  # The streak goes on, though the reported record was pruned. From now on the state has the newest line.
  records a 2026-02-14T08:00:00Z ok 2026-02-14T08:10:00Z fail
  run taskresults alerts
  expect 1 'a: failed: no. 17'
}

@test "alerts: if all lines are equal, and a prune moves them, each failure after a success is reported" {
  setup_alerts
  local i
  for i in 1 2 3; do append_raw a '{"success": false}\n{"success": true }\n'; done
  append_raw a '{"success": false}\n'
  run taskresults alerts
  expect 1 'a: failed'
  for i in 1 2; do append_raw a '{"success": true }\n{"success": false}\n'; done
  printf '%s\n' "$(tail -n 6 "$results/a.jsonl")" >"$results/a.jsonl"
  run taskresults alerts
  expect 1 'a: failed'
  run taskresults alerts
  expect 0
}

@test "alerts: if another file replaces a job's, its failures are reported, even older ones" {
  setup_alerts
  records a 2026-02-14T07:00:00Z ok 2026-02-14T08:00:00Z fail
  run taskresults alerts
  expect 1 'a: failed: no. 2'
  cp "$results/a.jsonl" "$BATS_TEST_TMPDIR/copy"
  rm "$results/a.jsonl"
  records a 2026-02-14T12:00:00Z ok 2026-02-14T13:00:00Z fail # other lines
  run taskresults alerts
  expect 1 'a: failed: no. 4'
  # Older records might be new ones written with a clock that was set back. So they are reported, perhaps twice.
  cp "$BATS_TEST_TMPDIR/copy" "$results/a.jsonl"
  run taskresults alerts
  expect 1 'a: failed: no. 2'
  run taskresults alerts
  expect 0
  : >"$results/a.jsonl"
  run taskresults alerts
  expect 0
  records a 2026-02-14T05:00:00Z fail
  run taskresults alerts
  expect 1 'a: failed: no. 5'
}

@test "alerts: a state file of an older version, without places in files, is read, and has them from then on" {
  setup_alerts
  records a 2026-02-14T10:00:00Z ok 2026-02-14T11:00:00Z fail
  records b 2026-02-14T10:00:00Z ok 2026-02-14T11:00:00Z fail
  run taskresults alerts
  expect 1 'a: failed: no. 2' 'b: failed: no. 4'
  [[ $(grep -c '"hash":-\?[0-9]' "$state") -eq 2 ]]
  sed -i 's/,"offset":[0-9]*,"hash":-\?[0-9]*//' "$state"
  [[ $(wc -l <"$state") -eq 3 && $(grep -c hash "$state") -eq 0 ]]
  records a 2026-02-14T12:00:00Z ok 2026-02-14T13:00:00Z fail
  run taskresults alerts
  expect 1 'a: failed: no. 6'
  run taskresults alerts
  expect 0
  [[ $(grep -c '"hash":-\?[0-9]' "$state") -eq 2 ]]
  records b 2026-02-14T01:00:00Z ok 2026-02-14T02:00:00Z fail
  run taskresults alerts
  expect 1 'b: failed: no. 8'
}

@test "alerts: a streak longer than is counted is reported if a success came before it since the last run" {
  setup_alerts
  records a 2026-02-14T10:00:00Z fail
  run taskresults alerts
  expect 1 'a: failed: no. 1'
  append_raw a '{"success": true}\n'
  make_job a 1500 1
  run taskresults alerts
  expect 1 'a: failed 1000 times in a row, *'
  make_job a 1500 1
  run taskresults alerts
  expect 0
}

@test "alerts: whatever the clock does, and however often the file is pruned, each outage is reported once" {
  setup_alerts
  run python3 - "$(tool taskresults)" "$results" <<'PYTHON'
import os, random, subprocess, sys
taskresults, results = sys.argv[1:]
rng = random.Random(14)
JOBS = ["a", "b", "c", "d", "e", "f"]
lines = {job: [] for job in JOBS}  # (is it a failure?, line), as in the file
open_outage = {job: None for job in JOBS}  # the number of the record told of, while its outage goes on
number = told_in_all = 0
for look in range(25):
    for job in JOBS:
        for _ in range(rng.choice([0, 0, 1, 1, 2, 5])):
            number += 1
            failed = rng.random() < 0.6
            time = rng.choice(['"timestamp": "2026-02-14T%02d:00:00Z", ' % rng.randrange(24), ""])
            lines[job].append((failed, number, '{%s"success": %s, "error": "%d"}\n' % (time, "false" if failed else "true", number)))
        at = next((i for i, line in enumerate(lines[job]) if line[1] == open_outage[job]), None)
        if rng.random() < 0.4:  # a prune that leaves what was told, and maybe little more
            del lines[job][:rng.randint(0, max(0, len(lines[job]) - 1 if at is None else at))]
        open(f"{results}/{job}.jsonl.new", "w").writelines(line[2] for line in lines[job])
        os.replace(f"{results}/{job}.jsonl.new", f"{results}/{job}.jsonl")
    wanted = set()
    for job in JOBS:
        if not lines[job] or not lines[job][-1][0]:
            open_outage[job] = None
            continue
        behind = [line for line in lines[job] if open_outage[job] is not None and line[1] > open_outage[job]]
        if open_outage[job] is None or not all(line[0] for line in behind):
            wanted.add(job)
            open_outage[job] = lines[job][-1][1]
    out = subprocess.run([taskresults, "alerts"], stdout=subprocess.PIPE, text=True, check=False).stdout
    told = {line.split(":")[0] for line in out.splitlines()}
    assert told == wanted, (look, told, wanted)
    told_in_all += len(told)
print(told_in_all)
PYTHON
  printf '%s\n' "$output"
  [[ $status -eq 0 && $output -gt 25 ]]
}

# --- the other alerts ---------------------------------------------------------------------------------------------------

@test "alerts: --rate counts the last K runs, or all if there are fewer" {
  setup_alerts
  runs_of few 10 fail ok
  runs_of many 20 fail fail fail ok ok ok
  runs_of mixed 20 fail ok fail ok fail ok
  run taskresults alerts --rate 2/4
  expect 1 'mixed: failed 2 of the last 4 times: broken'
  run taskresults alerts --rate 1/4 --recovered
  expect 1 'few: failed 1 of the last 2 times: broken' 'many: failed 1 of the last 4 times: broken'
  runs_of mixed 5 ok ok ok ok
  run taskresults alerts --rate 1/4 --recovered
  expect 0 'mixed: recovered: no longer failing too often'
}

@test "alerts: --silent-for, with and without the scheduler's list" {
  setup_alerts
  runs_of fresh 10 ok
  runs_of stale 200 ok
  append_raw timeless '{"success": true}\n'
  run taskresults alerts --silent-for 2h
  expect 1 'stale: silent for 3h, since *' 'timeless: silent, for all one can tell: no record has a readable time'
  list_jobs stale off '' cron "$(ago 9000)" fresh on '' cron "$(ago 9000)" never on '' cron "$(ago 9000)" new on '' cron "$(ago 5)"
  run taskresults alerts --silent-for 2h --recovered
  expect 1 'never: never ran' 'stale: not looked at any more: no longer silent' 'timeless: not looked at any more: no longer silent'
  run_of never 0 ok
  run taskresults alerts --silent-for 2h --recovered
  expect 0 'never: recovered: no longer silent'
}

@test "alerts: --overdue goes by next_run, or by a schedule such as 'every 1 hour'" {
  setup_alerts
  runs_of hourly 90 ok
  runs_of daily 90 ok
  list_jobs late on "$(ago 30)" cron "$(ago 900)" soon on "$(ago 2)" cron "$(ago 900)" off off "$(ago 30)" cron "$(ago 900)" \
    hourly on '' 'every 1 hour' "$(ago 900)" daily on '' 'every 1 days' "$(ago 900)"
  run taskresults alerts --overdue
  expect 1 'hourly: overdue for 30m, since *' 'late: overdue for 30m, since *'
  run taskresults alerts --overdue --grace 1m
  expect 1 'soon: overdue for 2m, since *'
  printf '{"job_id": "late", "started_at": "x", "pid": %d}' "$$" >"$BATS_TEST_TMPDIR/.checkpoint_late.json" # it runs now
  run taskresults alerts --overdue --grace 1m --recovered
  expect 0 'late: recovered: no longer overdue'
  # Other spellings of times. One that cannot be read is reported, unless the schedule says when, or the job is paused.
  list_jobs zone on 2026-01-01T00:30:00+0100 cron "$(ago 900)" odd on tomorrow cron "$(ago 900)" off off tomorrow cron "$(ago 900)" \
    hourly on tomorrow 'every 1 hour' "$(ago 900)" daily on tomorrow 'every 1 days' "$(ago 900)"
  run taskresults alerts --overdue --nagios
  [[ $status -eq 2 && $output == *'3: hourly: overdue for 30m, since '* &&
    $output == *'; odd: overdue, for all one can tell: the time of its next run cannot be read; zone: overdue for '*', since 2025-12-31 23:30:00 '* ]]
  rm "$SCHEDULER_JOBS_FILE"
  run taskresults alerts --overdue
  expect 3 "taskresults: left out: --overdue, since the scheduler's list of jobs is not there: $SCHEDULER_JOBS_FILE; SCHEDULER_JOBS_FILE says where it is"
}

@test "alerts: a job without the key enabled is enabled, and one with a value that Python calls false is not" {
  setup_alerts
  local next values='' value i=0
  next=$(ago 30)
  for value in '"no"' '[0]' '0.5' null '""' '[]' '{}' '0'; do
    values+=", {\"id\": \"v$((++i))\", \"next_run\": \"$next\", \"enabled\": $value}"
  done
  printf '{"jobs": [{"id": "plain", "next_run": "%s"}%s]}' "$next" "$values" >"$SCHEDULER_JOBS_FILE"
  run taskresults alerts --overdue
  expect 1 'plain: overdue for 30m, since *' 'v1: overdue for 30m, since *' 'v2: overdue for 30m, since *' 'v3: overdue for 30m, since *'
}

@test "alerts: --suspicious reports successes whose output or error holds the pattern" {
  setup_alerts
  runs_of clean 10 ok
  run_of odd 10 ok $'all well\nTraceback (most recent call last)'
  run_of failed 10 fail Traceback
  append_raw warned '{"timestamp": "'"$(ago 3)"'", "success": true, "output": "done", "error": "Traceback: x"}\n'
  append_raw behind '{"timestamp": "'"$(ago 3)"'", "success": true, "output": "a\\u0000 Traceback", "error": ""}\n'
  run taskresults alerts --suspicious Traceback
  expect 1 'behind: succeeded, but looks suspicious: a␀ Traceback' 'odd: succeeded, but looks suspicious: all well' \
    'warned: succeeded, but looks suspicious: Traceback: x'
  run taskresults alerts --suspicious '[Tt]race?ack*last'
  expect 0
  run taskresults alerts --suspicious "no'such\"thing"
  expect 0
}

@test "alerts: --empty reports a success without output, of jobs whose output is never empty" {
  setup_alerts
  runs_of talks 20 ok ok ok empty empty
  runs_of young 20 ok ok empty
  runs_of sometimes 20 ok empty ok ok ok empty
  runs_of fails 20 ok ok ok fail
  run taskresults alerts --empty
  expect 1 'talks: succeeded, but printed nothing'
  run_of talks 1 ok
  run taskresults alerts --empty --recovered
  expect 0 'talks: recovered: no longer without output'
}

@test "alerts: the message has the line of the error that says most, with control characters made visible" {
  setup_alerts
  run_of trace 10 fail $'Traceback (most recent call last):\n  File "x"\nKeyError: \'price\'\n'
  run_of esc 10 fail $'red \e[31m\x01'
  run taskresults alerts
  expect 1 'esc: failed: red ␛\[31m␁' "trace: failed: KeyError: 'price'"
}

@test "alerts: only the named jobs are reported; a name that no job has is an error" {
  setup_alerts
  runs_of a 10 fail
  runs_of b 10 fail
  run taskresults alerts a
  expect 1 'a: failed: broken'
  run taskresults alerts --job b
  expect 1 'b: failed: broken'
  run taskresults alerts a nobody
  expect 2 'taskresults: no such job: nobody'
  list_jobs nobody on '' cron "$(ago 9)"
  run taskresults alerts a nobody
  expect 0
}

# --- the state -------------------------------------------------------------------------------------------------------

@test "alerts: --cooldown repeats an alert that goes on" {
  setup_alerts
  runs_of a 10 fail
  run taskresults alerts --cooldown 1h
  expect 1 'a: failed: broken'
  run taskresults alerts --cooldown 1h
  expect 0
  run taskresults alerts --cooldown 0s
  expect 1 'a: still: failed: broken'
}

@test "alerts: a run does not change the state of alerts that its options do not ask for" {
  setup_alerts
  runs_of a 200 fail fail
  runs_of b 200 fail fail
  taskresults alerts --after 1 a >/dev/null || true
  taskresults alerts --silent-for 1h b >/dev/null || true
  taskresults alerts --rate 1/1 >/dev/null || true
  [[ $(wc -l <"$state") == 5 ]]
  run taskresults alerts --after 1 a
  expect 0
  run taskresults alerts --silent-for 1h b
  expect 0
}

@test "alerts: the alert of a job whose file was removed ends" {
  setup_alerts
  runs_of a 10 fail
  taskresults alerts >/dev/null || true
  rm "$results/a.jsonl"
  run taskresults alerts --recovered
  expect 0 'a: not looked at any more: no longer failing'
  [[ $(wc -l <"$state") == 1 ]]
}

@test "alerts: a job whose file is not readable is named at each run, and the others are reported" {
  ((EUID)) || skip 'root reads everything'
  setup_alerts
  runs_of a 10 fail
  runs_of b 10 fail
  chmod 0 "$results/a.jsonl"
  run taskresults alerts
  expect 3 'taskresults: job a: its file is not readable *' 'b: failed: broken'
}

@test "alerts: a damaged state file is an error, and stays as it is" {
  setup_alerts
  runs_of a 10 fail
  runs_of b 10 fail
  taskresults alerts >/dev/null || true
  cp "$state" whole
  damage() {
    cp "$state" damaged
    run taskresults alerts
    [[ $status -eq 3 && $output == "taskresults: the state file $state is not whole or not ours ($1); move it away, "* ]] ||
      { echo "$status $output"; return 1; }
    cmp "$state" damaged
    cp whole "$state"
  }
  : >"$state"; damage 'it is empty'
  head -n 2 whole >"$state"; damage 'it does not have as many alerts as line 1 says'
  tail -n 2 whole >"$state"; damage 'line 1 is not its beginning'
  head -c -9 whole >"$state"; damage 'its last line is cut short'
  sed '3s/{/x/' whole >"$state"; damage 'line 3 is damaged'
  { cat whole; printf x; } >"$state"; damage 'its last line is cut short'
  sed '2s/"job"/"jab"/' whole >"$state"; damage 'an alert in it is damaged'
  tr '{' '\0' <whole >"$state"; damage 'line 1 is not its beginning'
  printf '\x80\xff\n' >"$state"; damage 'line 1 is not its beginning'
  run taskresults alerts
  expect 0
  mkdir other
  cp "$results/a.jsonl" other
  SCHEDULER_RESULTS_DIR=$PWD/other run taskresults alerts
  expect 3 "taskresults: the state file $state is of another directory of results, $results; name one for this directory, as with --state FILE"
  SCHEDULER_RESULTS_DIR=$PWD/other run taskresults alerts --state other.state
  expect 1 'a: failed: broken'
}

@test "alerts: a state that cannot be written is an error before anything is reported" {
  setup_alerts
  runs_of a 10 fail
  run taskresults alerts --state "$BATS_TEST_TMPDIR/nowhere/state"
  expect 3 'taskresults: cannot write */nowhere/state.lock: its directory: No such file or directory'
  mkdir folder
  run taskresults alerts --state folder
  expect 3 'taskresults: the state file ./folder is not a regular file'
}

@test "alerts: an alert that cannot be printed is printed at the next run" {
  setup_alerts
  runs_of a 10 fail
  [[ -c /dev/full ]] || skip 'no /dev/full'
  run bash -c '"$1" alerts >/dev/full 2>&1' - "$(tool taskresults)"
  [[ $status -eq 3 ]]
  run taskresults alerts
  expect 1 'a: failed: broken'
}

@test "alerts: two runs at the same time report each alert once" {
  setup_alerts
  for job in a b c d e f; do runs_of "$job" 10 fail; done
  # Repeated without a state each time: two runs can disturb each other where the first one makes the state and the lock.
  for ((i = 0; i < 5; i++)); do
    rm -rf "$XDG_STATE_HOME"
    for copy in 1 2 3 4; do
      taskresults alerts >"told.$copy" 2>&1 &
    done
    wait
    # On a busy machine, a run may give up waiting for the others, with a message. Then it must have reported nothing.
    sed -i "\\|another run is still going on, with the state file |d" told.*
    [[ $(cat told.* | sort) == "$(cat told.* | sort -u)" && $(cat told.* | wc -l) == 6 ]] || { sort told.* | uniq -c; return 1; }
  done
}

@test "alerts: killed while it reports, the state is complete, and alerts that were not reported come at the next run" {
  setup_alerts
  for job in a b c; do runs_of "$job" 10 fail; done
  mkfifo gate
  # The command records its alert. At the second one it hangs until the run has been killed.
  TOLD=$PWD/told GATE=$PWD/gate "$(tool taskresults)" alerts --exec 'echo "$TASKRESULTS_JOB" >>"$TOLD"
    [ "$TASKRESULTS_JOB" = a ] || read -r line <"$GATE"' &
  victim=$!
  until [[ -e told && $(wc -l <told) -ge 2 ]]; do
    kill -0 "$victim"
    read -rt 0.02 <> <(:) || true
  done
  kill -KILL "$victim"
  wait "$victim" || true
  echo go >gate
  [[ ! -e $state ]] || python3 -c 'import json, sys; [json.loads(x) for x in open(sys.argv[1])]' "$state"
  TOLD=$PWD/told run taskresults alerts --exec 'echo "$TASKRESULTS_JOB" >>"$TOLD"'
  [[ $status -eq 1 && $(sort -u told | tr '\n' ' ') == 'a b c ' ]]
  TOLD=$PWD/told run taskresults alerts --exec 'echo again >>"$TOLD"'
  [[ $status -eq 0 ]]
  [[ $(<told) != *again* ]]
}

# --- --exec ----------------------------------------------------------------------------------------------------------

@test "alerts: --exec has the facts in its environment" {
  setup_alerts
  runs_of a 10 ok fail fail
  run taskresults alerts --after 2 --rate 2/3 --exec 'env | grep ^TASKRESULTS_ | sort; echo'
  [[ $status -eq 1 ]]
  for fact in EVENT=fired ALERT=failing ALERT=rate JOB=a STREAK=2 FAILURES=2 ERROR=broken; do
    grep -qxF "TASKRESULTS_$fact" <<<"$output"
  done
  grep -qxF "TASKRESULTS_LAST_RUN=$(taskresults view a --latest --jsonl | python3 -c 'import json, sys; print(json.load(sys.stdin)["timestamp"])')" <<<"$output"
  grep -qxE 'TASKRESULTS_SINCE=20[-0-9]{8} [0-9:]{8}' <<<"$output"
  grep -qx 'TASKRESULTS_MESSAGE=a: failed 2 of the last 3 times: broken' <<<"$output"
}

@test "alerts: the commands for mail in the help and in shell/README.md send it" {
  setup_alerts
  run_of a 10 fail $'no route\nto "host"'
  mkdir bin
  printf '#!/bin/sh\nprintf "%%s|" "$@"; cat\n' >bin/mail
  chmod +x bin/mail
  for text in "$(taskresults help alerts)" "$(<"$root/shell/README.md")"; do
    command=$(grep -o "taskresults alerts --exec 'printenv .*'" <<<"$text")
    rm -f "$state"
    PATH=$PWD/bin:$(dirname "$(tool taskresults)"):$PATH run bash -c "$command"
    expect 1 '-s|a: failed: no route|me@example.org|no route' 'to "host"'
  done
}

@test "alerts: an alert whose --exec failed is tried again at the next run, the others are not" {
  setup_alerts
  for job in a b c; do runs_of "$job" 10 fail; done
  run taskresults alerts --exec '[ "$TASKRESULTS_JOB" != b ]'
  expect 3 'taskresults: --exec failed with status 1; it is tried again at the next run: b: failed: broken'
  run taskresults alerts --exec 'echo "$TASKRESULTS_JOB"'
  expect 1 b
  run_of b 1 ok
  run taskresults alerts --recovered --exec false
  expect 3 '*: b: recovered: no longer failing'
  run taskresults alerts --recovered --exec 'echo "$TASKRESULTS_EVENT"'
  expect 0 recovered
}

@test "alerts: --exec is stopped after --exec-timeout" {
  setup_alerts
  runs_of a 10 fail
  run taskresults alerts --exec-timeout 1s --exec 'exec sleep 60'
  expect 3 'taskresults: --exec failed with status 124; *'
}

@test "alerts: hostile job ids and errors reach the command's environment unchanged, and nothing else happens" {
  setup_alerts
  make_hostile_jobs # the last run of each failed, its error is the name
  cd "$BATS_TEST_TMPDIR"
  for job in "${hostile_jobs[@]}"; do printf '%s\0%s\0' "$job" "$job"; done | LC_ALL=C sort -z >expected
  TOLD=$PWD/told run taskresults alerts --exec 'printf "%s\0%s\0" "$TASKRESULTS_JOB" "$TASKRESULTS_ERROR" >>"$TOLD"'
  [[ $status -eq 1 && -z $output ]]
  LC_ALL=C sort -z told | cmp - expected
  run taskresults alerts
  expect 0
  run taskresults alerts --cooldown 0s -- "${hostile_jobs[@]}"
  [[ $status -eq 1 && ${#lines[@]} -eq ${#hostile_jobs[@]} ]] # one alert is one line
  run taskresults alerts --nagios
  [[ $status -eq 2 && ${#lines[@]} -eq 1 && $(tr -cd '|' <<<"$output") == '|' ]]
  [[ ! -e pwned ]]
}

@test "alerts: a NUL in an error is made visible, and a long error is cut" {
  setup_alerts
  append_raw a '{"timestamp": "2026-01-01T00:00:00Z", "success": false, "error": "x\\u0000'"$(printf 'ü%.0s' {1..5000})"'"}\n'
  run taskresults alerts --exec 'printf %s "$TASKRESULTS_ERROR"'
  [[ $status -eq 1 && $(python3 -c 'import sys; text = sys.stdin.read(); print(len(text), text[:3])' <<<"$output") == '4001 x␀ü' ]]
}

# --- --nagios --------------------------------------------------------------------------------------------------------

@test "alerts --nagios: OK, WARNING, CRITICAL, UNKNOWN, each time" {
  setup_alerts
  runs_of 'a|b' 10 ok ok
  run taskresults alerts --nagios
  expect 0 'TASKRESULTS OK - no alerts | jobs=1;;;0 alerts=0;;;0 failing=0;;;0'
  runs_of 'a|b' 8 fail ok
  for _ in 1 2; do
    run taskresults alerts --nagios --rate 1/3 --after 1
    expect 1 'TASKRESULTS WARNING - 1: a!b: failed 1 of the last 3 times: broken | jobs=1;;;0 alerts=1;;;0 failing=0;;;0 rate=1;;;0'
  done
  runs_of 'a|b' 5 fail
  run taskresults alerts --nagios
  expect 2 'TASKRESULTS CRITICAL - 1: a!b: failed: broken | jobs=1;;;0 alerts=1;;;0 failing=1;;;0'
  for bad in '--after x' '--nonsense' '--cooldown 1h' '--overdue' 'nobody'; do
    # shellcheck disable=SC2086  # words
    run taskresults alerts --nagios $bad
    expect 3 'TASKRESULTS UNKNOWN - *'
  done
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults alerts --nagios
  expect 3 'TASKRESULTS UNKNOWN - results directory *'
  [[ ! -e $state ]]
}

@test "alerts --nagios: exactly one line, whatever fails, and its word fits the status" {
  setup_alerts
  runs_of a 10 fail
  local broken
  broken() { printf '#!/bin/sh\n%s\n' "$1" >sqlite3 && chmod +x sqlite3; }
  for broken in 'exit 0' 'exit 1' 'exit 2' 'kill -9 $$' 'kill -SEGV $$' 'echo; exit 1' 'echo "TASKRESULTS OK - x" >&2; exit 0' \
    'case $* in *" :memory: .mode"* | *-version*) exec '"$(command -v sqlite3)"' "$@" ;; esac; exit 0' \
    'case $* in *" :memory: .mode"* | *-version*) exec '"$(command -v sqlite3)"' "$@" ;; esac; printf "a\nb|c\033[1m\n" >&2; exit 1'; do
    broken "$broken"
    TASKRESULTS_SQLITE3=$PWD/sqlite3 run taskresults alerts --nagios
    expect 3 'TASKRESULTS UNKNOWN - ?*'
    [[ $output != *$'\e'* && $output != *'|'* ]]
  done
  TASKRESULTS_SQLITE3=/nowhere/sqlite3 run taskresults alerts --nagios
  expect 3 'TASKRESULTS UNKNOWN - no /nowhere/sqlite3 program*'
  TASKRESULTS_EXTENSION=/nowhere run taskresults alerts --nagios
  expect 3 'TASKRESULTS UNKNOWN - *'
  run taskresults alerts --nagios $'no\nsuch\ejob'
  expect 3 'TASKRESULTS UNKNOWN - no such job: *'
  run taskresults alerts --nagios --help
  [[ $status -eq 0 && ${lines[0]} == 'taskresults alerts '* ]]
  run sh -c '"$1" alerts --nagios >/dev/full' sh "$(tool taskresults)"
  [[ $status -eq 3 ]]
  run env -u HOME "$(tool taskresults)" alerts --nagios
  expect 2 'TASKRESULTS CRITICAL - 1: a: failed: broken | *'
}

@test "alerts: without HOME, the state is in the user's home directory from the system, or the message says what to set" {
  setup_alerts
  unset XDG_STATE_HOME
  runs_of a 10 fail
  # In namespaces of the test's own, so that its passwd file decides where the user's home is.
  printf 'root:x:0:0::%s:/bin/sh\nother:x:12:12:::/bin/sh\n' "$PWD/home" >passwd
  mkdir home
  in_it() { unshare -rm sh -c 'mount --bind passwd /etc/passwd && exec "$@"' sh "$@"; }
  in_it true 2>/dev/null || skip 'no namespaces here'
  run in_it env -u HOME "$(tool taskresults)" alerts
  expect 1 'a: failed: broken'
  [[ -s home/.local/state/taskresults/alerts ]]
  run in_it env HOME= "$(tool taskresults)" alerts
  expect 0
  rm -r home
  run in_it env -u HOME "$(tool taskresults)" alerts
  expect 3 'taskresults: no home directory to keep the state in: name a file, with --state, or set HOME'
}

@test "alerts: wrong usage is status 2, and names the help" {
  setup_alerts
  for bad in '--after 0' '--after 1001' '--after x' '--rate 3' '--rate 4/3' '--rate 0/3' '--silent-for soon' '--cooldown 1' \
    '--exec-timeout 0s' '--grace x' '--state='; do
    # shellcheck disable=SC2086  # words
    run taskresults alerts $bad
    [[ $status -eq 2 ]] || { echo "$bad: $status $output"; return 1; }
  done
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults alerts
  [[ $status -eq 3 && ${lines[0]} == 'taskresults: results directory '*'/nowhere: no such directory' ]]
}

@test "alerts: only the end of a big file is read" {
  setup_alerts
  runs_of a 10 ok fail
  # A sparse file: reading it all would take seconds, but it takes no space.
  truncate -s 8G "$results/a.jsonl" || skip 'no sparse files'
  append_raw a '\n'
  runs_of a 5 ok ok ok fail
  run timeout 300 "$(tool taskresults)" alerts
  expect 1 'a: failed: broken'
}

@test "alerts: with a broken list of jobs, alerts that need it are left out, and none ends; the others are reported; status 3" {
  setup_alerts
  run_of fine 1 ok
  run_of late 1 ok
  list_jobs late on "$(ago 30)" '0 * * * *' '' fine on '' '' ''
  run taskresults alerts --overdue --silent-for 1h --after 1 --recovered
  expect 1 'late: overdue for 30m, since *'
  cp "$state" before
  echo '{"jobs": [' >"$SCHEDULER_JOBS_FILE"
  said="taskresults: left out: --overdue, --silent-for, since the scheduler's list cannot be read: jobs file *"
  run taskresults alerts --overdue --silent-for 1h --after 1 --recovered
  expect 3 "$said" # and late has not recovered
  run_of fine 0 fail
  run taskresults alerts --overdue --silent-for 1h --after 1 --recovered
  expect 3 'fine: failed*' "$said"
  run taskresults alerts --nagios --overdue --after 1
  [[ $status -eq 2 && $output == 'TASKRESULTS CRITICAL - 1: fine: failed'* ]]
  run_of fine 0 ok
  run taskresults alerts --nagios --overdue --after 1
  expect 3 "TASKRESULTS UNKNOWN - left out: --overdue, since *"
  run taskresults alerts fine unborn
  expect 3 "taskresults: left out: jobs that have not run yet, since *"
  # Alerts that do not need the list do not read it.
  run taskresults alerts
  [[ $status -eq 0 ]]
  list_jobs late on '' '0 * * * *' '' fine on '' '' ''
  run taskresults alerts --overdue --silent-for 1h --after 1 --recovered
  expect 0 'late: recovered: no longer overdue'
}
