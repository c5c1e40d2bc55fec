#!/usr/bin/env bats
# --tz: times and days of a zone, for people. The oracle is Python's zoneinfo.

load ../../lib/helpers
load ../../lib/host
load ../../lib/shell

BERLIN=Europe/Berlin

local_times() {
  python3 "$root/tests/oracles/local_times.py" "$@"
}

# make_local_days JOB DAY... - a record for every 20 minutes of these days in Berlin.
make_local_days() {
  python3 -c 'import zoneinfo; zoneinfo.ZoneInfo("Europe/Berlin")' 2>/dev/null || skip 'this python3 has no zoneinfo'
  local_times write "$results/$1.jsonl" "$BERLIN" "${@:2}"
}

# The clocks are set forward on 2026-03-29, a day of 23 hours, and back on 2026-10-25, one of 25.
make_both_changes() {
  make_local_days job 2026-03-28 2026-03-29 2026-03-30 2026-10-24 2026-10-25 2026-10-26
}

@test "taskresults_local() agrees with zoneinfo, to the second, also before 1970" {
  require_host
  run host "$root/tests/oracles/local_times.py" function 3000 1
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "taskresults_local(): NULL stays NULL, the default is UTC, the first and last possible time work, a wrong time or zone is an error" {
  assert_rows '1970-01-01T00:00:00Z|1969-12-31T23:59:59Z|NULL|NULL' \
    "SELECT taskresults_local(0), taskresults_local(-1, 'UTC'), taskresults_local(NULL), taskresults_local(NULL, 'Asia/Tokyo');"
  assert_rows '9999-12-31T23:59:59Z|NULL|NULL|NULL|0000-01-01T00:00:00Z|NULL' \
    "SELECT taskresults_local(253402300799999999), taskresults_local(253402300800000000),
      taskresults_local(253402300799999999, 'Asia/Tokyo'), taskresults_local(9223372036854775807, 'Asia/Tokyo'),
      taskresults_local(-62167219200000000), taskresults_local(-9223372036854775808, 'America/New_York');"
  assert_sql_error 'taskresults_local: the first argument is a time in microseconds' "SELECT taskresults_local('2026-02-14');"
  assert_sql_error "taskresults_local: zone 'Mars/Base': /usr/share/zoneinfo/Mars/Base: " "SELECT taskresults_local(0, 'Mars/Base');"
  assert_sql_error "taskresults_local: zone '../x': its name: " "SELECT taskresults_local(0, '../x');"
  assert_sql_error "taskresults_local: zone '': its name: " "SELECT taskresults_local(0, NULL);"
  # A zone that differs from row to row.
  assert_rows '1970-01-01T09:00:00+09:00 1970-01-01T00:00:00Z 1969-12-31T19:00:00-05:00' \
    "WITH z(name) AS (VALUES ('Asia/Tokyo'), ('UTC'), ('America/New_York'))
      SELECT group_concat(taskresults_local(0, name), ' ') FROM z;"
}

@test "taskresults_local() reads the file of a zone once for a statement, however many rows there are" {
  require_strace
  make_job job 300
  run strace -f -e trace=openat -o "$BATS_TEST_TMPDIR/trace" sqlite3 -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT count(taskresults_local(time_us, 'Europe/Berlin')) FROM task_results;"
  assert_output 300
  [[ $(grep -c Europe/Berlin "$BATS_TEST_TMPDIR/trace") == 1 ]]
}

@test "stats --by day --tz: days of 23 and 25 hours, and their times, are those of zoneinfo" {
  make_both_changes
  run taskresults stats --by day --tz "$BERLIN" --raw
  [[ $status -eq 0 ]]
  local told
  told=$(sed 1d <<<"$output" | sed 's/\([0-9]\) \([0-9][0-9]:\)/\1_\2/g' | awk '{ print $2, $3, $5, $(NF - 3), $(NF - 2) }' )
  diff <(printf '%s\n' "$told") <(local_times days "$results/job.jsonl" "$BERLIN")
  [[ $told == *'2026-03-29 69 '* && $told == *'2026-10-25 75 '* ]]
}

@test "stats --by hour --tz: an hour that comes twice has two rows, in the order of time" {
  make_both_changes
  run taskresults stats --by hour --tz "$BERLIN" --raw
  [[ $status -eq 0 ]]
  diff <(sed 1d <<<"$output" | awk '{ print $2 "_" $3, $4 }') <(local_times hours "$results/job.jsonl" "$BERLIN")
  [[ $output == *'2026-10-25 02:00+02:00 '*'2026-10-25 02:00+01:00 '* && $output != *'2026-03-29 02:00'* ]]
}

@test "--since and --until with --tz mean local days, of 23 and 25 hours; formats for programs have the same records, in UTC" {
  make_both_changes
  for pair in 2026-03-28/72 2026-03-29/69 2026-10-25/75 2026-10-26/72; do
    day=${pair%/*} runs=${pair#*/}
    [[ $(taskresults view job --since "$day" --until "$day" --tz "$BERLIN" --jsonl | wc -l) == "$runs" ]]
    [[ $(taskresults export job --since "$day" --until "$day" --tz "$BERLIN" --format jsonl | wc -l) == "$runs" ]]
    [[ $(taskresults stats job --since "$day" --until "$day" --tz "$BERLIN" --csv | sed -n '2s/,/ /gp' | cut -d' ' -f3) == "$runs" ]]
    [[ $(taskresults errors --since "$day" --until "$day" --tz "$BERLIN" --jsonl | grep -o '"times":[0-9]*') == "\"times\":$((runs / 3))" ]]
    [[ $(taskresults sla --window "$day..$day" --tz "$BERLIN" --jsonl | grep -o '"runs":[0-9]*') == "\"runs\":$runs" ]]
  done
  run taskresults view job --since 2026-10-25 --until 2026-10-25 --tz "$BERLIN" --jsonl
  [[ ${lines[0]} == '{"timestamp":"2026-10-24T22:00:00Z"'* && ${lines[74]} == '{"timestamp":"2026-10-25T22:40:00Z"'* ]]
  run taskresults stats job --by day --since 2026-10-25 --until 2026-10-25 --tz "$BERLIN" --csv
  [[ ${lines[1]} == 'job,2026-10-24,6,'*,2026-10-24T22:00:00Z,* && ${lines[2]} == 'job,2026-10-25,69,'* ]]
  for command in list errors stats; do
    for format in csv json jsonl; do
      diff <(taskresults "$command" "--$format") <(taskresults "$command" "--$format" --tz "$BERLIN")
    done
  done
  diff <(taskresults view job --csv) <(taskresults view job --csv --tz "$BERLIN")
}

@test "sla --window with --tz: TO is included if it is a day, and not if it is a time" {
  make_both_changes
  runs_in() { taskresults sla --window "$1" --tz "$BERLIN" --jsonl | grep -o '"runs":[0-9]*'; }
  [[ $(runs_in 2026-10-25..2026-10-25T23:40) == '"runs":74' ]]
  [[ $(runs_in 2026-03-29T00:00..2026-03-29) == '"runs":69' ]]
  append_raw job '{"timestamp": "2026-03-29T21:59:59.999999Z", "success": true}\n' # in the day's last microsecond
  [[ $(runs_in 2026-03-29T00:00..2026-03-29) == '"runs":70' ]]
}

@test "view, list, errors and follow show times in the zone, with the offset; an unreadable time is unchanged" {
  append_raw job '{"timestamp": "2026-10-25T00:30:00.5Z", "job_name": "Job", "success": true}\n' \
    '{"timestamp": "2026-10-25T01:30:00+00:00", "job_name": "Job", "success": false, "error": "no"}\n'
  append_raw odd '{"timestamp": "soon", "job_name": "Odd", "success": true}\n'
  run taskresults view job --tz "$BERLIN"
  assert_output $'2026-10-25 02:30:00+02:00 | Job | ✅ SUCCESS\n2026-10-25 02:30:00+01:00 | Job | ❌ FAILED\n  Error: no'
  run taskresults view job --tz "$BERLIN" --latest
  [[ $output == '2026-10-25 02:30:00+01:00 | '* ]]
  run taskresults view odd --tz "$BERLIN"
  assert_output 'soon | Odd | ✅ SUCCESS'
  run taskresults list --tz "$BERLIN"
  [[ $output == *' 2026-10-25 02:30:00+01:00 '* && $output == *' soon '* ]]
  run taskresults errors --tz America/New_York
  [[ $output == *' 2026-10-24 21:30:00-04:00 '* ]]
  timeout 60 "$(tool taskresults)" follow job --limit 1 --tz "$BERLIN" 2>/dev/null | head -n 1 >"$BATS_TEST_TMPDIR/followed"
  [[ $(<"$BATS_TEST_TMPDIR/followed") == '2026-10-25 02:30:00+01:00 | '* ]]
  # Without --tz nothing changes.
  [[ $(taskresults list) == *' 2026-10-25 01:30:00 '* ]]
}

# zoneinfo ZONE - converts lines of times in UTC to that zone.
zoneinfo() {
  python3 -c 'import datetime, sys, zoneinfo
for line in sys.stdin:
    time = datetime.datetime.fromisoformat(line.strip().replace("Z", "+00:00"))
    print(time.astimezone(zoneinfo.ZoneInfo(sys.argv[1])).isoformat(" "))' "$1"
}

@test "next --tz: right on both days on which clocks change, with the offset in an hour that comes twice; JSON and CSV stay in UTC" {
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
  mkdir "$SCHEDULER_LOGS_DIR"
  python3 - "$SCHEDULER_JOBS_FILE" <<'PYTHON'
import json, sys
once = {"created_at": "2026-01-01T00:00:00Z", "recurring": False}
json.dump({"jobs": [{"id": "a", "cron": "59 0 29 3 *", **once}, {"id": "b", "cron": "0 1 29 3 *", **once},
                    {"id": "c", "cron": "30 0 25 10 *", **once}, {"id": "d", "cron": "30 1 25 10 *", **once},
                    {"id": "e", "cron": "0 12 * * *", "created_at": "2026-01-01T00:00:00Z"}]}, open(sys.argv[1], "w"))
PYTHON
  run taskresults next --tz "$BERLIN" a b c d
  [[ ${lines[1]} == 'a '*' 2026-03-29 01:59:00+01:00  '* && ${lines[2]} == 'b '*' 2026-03-29 03:00:00+02:00  '* ]]
  [[ ${lines[3]} == 'c '*' 2026-10-25 02:30:00+02:00  '* && ${lines[4]} == 'd '*' 2026-10-25 02:30:00+01:00  '* ]]
  due() { taskresults next e --jsonl "$@" | grep -o '"next":"[^"]*"' | cut -d'"' -f4; }
  # Not around noon, when the next run changes.
  until shown=$(due --tz "$BERLIN") && run taskresults next e --tz "$BERLIN" && [[ $shown == "$(due)" ]]; do :; done
  [[ ${lines[1]} == "e    $(zoneinfo "$BERLIN" <<<"$shown")  in "* ]]
  for format in csv json jsonl; do
    diff <(taskresults next a b c d "--$format") <(taskresults next a b c d "--$format" --tz "$BERLIN")
  done
}

@test "doctor --tz: times are in the zone; if the extension is missing, doctor reports that" {
  append_raw job '{"timestamp": "2026-10-25T01:30:00Z", "success": true}\n' '{"timestamp": "2026-10-25T01:40:00Z", "success": false}\n' \
    '{"timestamp": "2026-10-25T01:50:00Z", "success": false}\n'
  run taskresults doctor --tz "$BERLIN"
  [[ $output == *'its last success was on 2026-10-25 02:30:00+01:00 ('* ]]
  run taskresults doctor
  [[ $output == *'its last success was on 2026-10-25 01:30:00 ('* ]]
  run env TASKRESULTS_EXTENSION=/nowhere "$(tool taskresults)" doctor --tz "$BERLIN"
  [[ $status -eq 1 && $output == *'FAIL  the extension is not there'* && $output != *--tz* ]]
}

@test "alerts --tz: messages have times in the zone; formats for programs, and the state, stay in UTC" {
  cd "$BATS_TEST_TMPDIR"
  fail_twice() { # JOB TIME
    append_raw "$1" "{\"timestamp\": \"$2\", \"success\": false}\\n" '{"timestamp": "2026-10-26T00:00:00Z", "success": false}\n'
  }
  fail_twice a 2026-10-25T00:30:00Z
  fail_twice b 2026-10-25T01:30:00Z
  run taskresults alerts --state s --tz "$BERLIN" --after 2
  [[ ${lines[0]} == 'a: failed 2 times in a row, since 2026-10-25 02:30:00+02:00' ]]
  [[ ${lines[1]} == 'b: failed 2 times in a row, since 2026-10-25 02:30:00+01:00' ]]
  run taskresults alerts --nagios --tz "$BERLIN" --after 2 b
  [[ $output == *'since 2026-10-25 02:30:00+01:00 | '* ]]
  plain_state() { sed 's/_us":1[0-9]*/_us":1/g' "$1"; }
  taskresults alerts --state utc --after 2 || [[ $? -eq 1 ]]
  diff <(plain_state s) <(plain_state utc)
  run taskresults alerts --state t --tz "$BERLIN" --after 2 b --exec 'printenv TASKRESULTS_MESSAGE TASKRESULTS_SINCE TASKRESULTS_LAST_RUN'
  [[ $output == $'b: failed 2 times in a row, since 2026-10-25 02:30:00+01:00\n2026-10-25 01:30:00\n2026-10-26T00:00:00Z' ]]
  run taskresults alerts --state u --tz "$BERLIN" --after 2 b --digest --exec cat
  [[ $output == *'"last_run":"2026-10-26T00:00:00Z","since":"2026-10-25 01:30:00",'*'since 2026-10-25 02:30:00+01:00"'* ]]
  run taskresults alerts mute b --for 1d --tz "$BERLIN" --state s
  until=$(python3 -c 'import datetime, json
mute = [json.loads(line) for line in open("s") if "mute" in line][0]
print(datetime.datetime.fromtimestamp(mute["until_us"] // 10**6, datetime.timezone.utc).isoformat())')
  assert_output "b: muted until $(zoneinfo "$BERLIN" <<<"$until")"
  run taskresults alerts mute --list --tz "$BERLIN" --state s
  [[ $output == "b: muted until $(zoneinfo "$BERLIN" <<<"$until"), for "* ]]
}

@test "alerts --maintenance: windows are in UTC, or in the zone of --tz, or in the zone that the window names" {
  cd "$BATS_TEST_TMPDIR"
  append_raw a '{"timestamp": "2026-10-25T00:30:00Z", "success": false}\n'
  # Two hours around now, by the clocks of Tokyo, which are nine hours ahead of UTC.
  now_there=$(TZ=JST-9 printf '%(%H:%M)T-%(%H:%M)T' "$((EPOCHSECONDS - 3600))" "$((EPOCHSECONDS + 3600))")
  tells() { rm -f s; run taskresults alerts --state s "$@"; [[ $status -eq 1 && $output == 'a: failed' ]]; }
  is_quiet() { rm -f s; run taskresults alerts --state s "$@"; [[ $status -eq 0 && -z $output ]]; }
  tells --maintenance "$now_there"
  is_quiet --maintenance "$now_there" --tz Asia/Tokyo
  is_quiet --tz local --maintenance "$now_there Asia/Tokyo"
  tells --tz Asia/Tokyo --maintenance "$now_there UTC"
  is_quiet --tz Asia/Tokyo --maintenance "$now_there UTC; $now_there"
}

@test "--tz local is the zone in TZ; --tz UTC is UTC" {
  append_raw job '{"timestamp": "2026-07-01T12:00:00Z", "success": true}\n'
  [[ $(TZ=Asia/Kolkata taskresults view job --tz local) == '2026-07-01 17:30:00+05:30 | '* ]]
  [[ $(TZ='CET-1CEST,M3.5.0,M10.5.0/3' taskresults view job --tz local) == '2026-07-01 14:00:00+02:00 | '* ]]
  [[ $(TZ=Asia/Kolkata taskresults view job --tz UTC) == '2026-07-01 12:00:00Z | '* ]]
  [[ $(TZ=Asia/Kolkata taskresults view job) == '2026-07-01T12:00:00Z | '* ]]
}

@test "an unknown zone is wrong usage, with a message on what is possible; the text is never run as a command" {
  make_job job 1
  cd "$BATS_TEST_TMPDIR"
  for arguments in 'view job' 'view --all --csv' list stats errors 'sla --json' 'follow job' 'export job' next 'next --json' doctor \
    'alerts --state s' 'alerts mute job --for 1d --state s'; do
    for zone in Mars/Base '' ../../etc/passwd "x'); SELECT writefile('forged', 1); --" '$(touch forged)' 'Europe/Berlin '; do
      # shellcheck disable=SC2086  # words
      run taskresults $arguments --tz "$zone"
      [[ $status -eq 2 && $output == *"taskresults: --tz: zone '$zone': "*'Europe/Berlin'*', UTC, or local)'* ]] ||
        { echo "$arguments: $output"; return 1; }
      [[ ! -e forged && ! -e s ]]
    done
  done
}
