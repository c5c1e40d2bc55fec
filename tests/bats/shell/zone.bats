#!/usr/bin/env bats
# --tz: times and days of a zone, for people. The oracle is Python's zoneinfo.

load ../../lib/helpers
load ../../lib/host
load ../../lib/shell

BERLIN=Europe/Berlin

local_times() {
  python3 "$root/tests/oracles/local_times.py" "$@"
}

# make_local_days JOB DAY... - a record every 20 minutes of those days in Berlin.
make_local_days() {
  python3 -c 'import zoneinfo; zoneinfo.ZoneInfo("Europe/Berlin")' 2>/dev/null || skip 'this python3 has no zoneinfo'
  local_times write "$results/$1.jsonl" "$BERLIN" "${@:2}"
}

# The clocks are set forward on 2026-03-29, a day of 23 hours, and back on 2026-10-25, one of 25.
make_both_changes() {
  make_local_days job 2026-03-28 2026-03-29 2026-03-30 2026-10-24 2026-10-25 2026-10-26
}

@test "taskresults_local() agrees with zoneinfo, to the second, before 1970 as well" {
  require_host
  run host "$root/tests/oracles/local_times.py" function 3000 1
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "taskresults_local(): NULL, UTC by default, the ends of what can be written; what is no time or no zone is an error" {
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

@test "stats --by hour --tz: an hour that comes twice is two, in the order of time" {
  make_both_changes
  run taskresults stats --by hour --tz "$BERLIN" --raw
  [[ $status -eq 0 ]]
  diff <(sed 1d <<<"$output" | awk '{ print $2 "_" $3, $4 }') <(local_times hours "$results/job.jsonl" "$BERLIN")
  [[ $output == *'2026-10-25 02:00+02:00 '*'2026-10-25 02:00+01:00 '* && $output != *'2026-03-29 02:00'* ]]
}

@test "--since and --until with --tz: local days, of 23 and 25 hours; machine formats count the same and stay in UTC" {
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

@test "a day is told from a time in sla --window with --tz: TO of a day is included, TO of a time is not" {
  make_both_changes
  runs_in() { taskresults sla --window "$1" --tz "$BERLIN" --jsonl | grep -o '"runs":[0-9]*'; }
  [[ $(runs_in 2026-10-25..2026-10-25T23:40) == '"runs":74' ]]
  [[ $(runs_in 2026-03-29T00:00..2026-03-29) == '"runs":69' ]]
  append_raw job '{"timestamp": "2026-03-29T21:59:59.999999Z", "success": true}\n' # in the day's last microsecond
  [[ $(runs_in 2026-03-29T00:00..2026-03-29) == '"runs":70' ]]
}

@test "view, list, errors and follow show the times of the zone, and how far it is ahead; a time that cannot be read stays as it is" {
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

@test "--tz local is what TZ says; --tz UTC is UTC" {
  append_raw job '{"timestamp": "2026-07-01T12:00:00Z", "success": true}\n'
  [[ $(TZ=Asia/Kolkata taskresults view job --tz local) == '2026-07-01 17:30:00+05:30 | '* ]]
  [[ $(TZ='CET-1CEST,M3.5.0,M10.5.0/3' taskresults view job --tz local) == '2026-07-01 14:00:00+02:00 | '* ]]
  [[ $(TZ=Asia/Kolkata taskresults view job --tz UTC) == '2026-07-01 12:00:00Z | '* ]]
  [[ $(TZ=Asia/Kolkata taskresults view job) == '2026-07-01T12:00:00Z | '* ]]
}

@test "a zone that there is not is wrong usage, which names what can be written; its text is never run" {
  make_job job 1
  cd "$BATS_TEST_TMPDIR"
  for arguments in 'view job' 'view --all --csv' list stats errors 'sla --json' 'follow job' 'export job'; do
    for zone in Mars/Base '' ../../etc/passwd "x'); SELECT writefile('forged', 1); --" '$(touch forged)' 'Europe/Berlin '; do
      # shellcheck disable=SC2086  # words
      run taskresults $arguments --tz "$zone"
      [[ $status -eq 2 && $output == *"taskresults: --tz: zone '$zone': "*'Europe/Berlin'*', UTC, or local)'* ]] ||
        { echo "$arguments: $output"; return 1; }
      [[ ! -e forged ]]
    done
  done
}
