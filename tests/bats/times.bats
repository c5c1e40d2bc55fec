#!/usr/bin/env bats
# Times and lengths of time as people write them: taskresults_time(), taskresults_span(), and the commands' options.

load ../lib/helpers
load ../lib/host
load ../lib/shell

@test "times and lengths of time agree with Python over 4,000 texts, valid and invalid ones (make test-long: 12,000)" {
  require_host
  run host "$root/tests/oracles/times.py" "$(some_or_all 2000 6000)" 1
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "taskresults_span() gives microseconds, and returns NULL and integers unchanged" {
  assert_rows '90000000|31536000000000|7776000000000|129600000000|NULL|7' \
    "SELECT taskresults_span('90s'), taskresults_span('1y'), taskresults_span(' 3 Months '), taskresults_span('1d 12h'),
      taskresults_span(NULL), taskresults_span(7);"
  assert_rows '90000000|500000|90000000' \
    "SELECT taskresults_span('90', 'seconds'), taskresults_span('.5', 'seconds'), taskresults_span('1.5m', 'seconds');"
}

@test "taskresults_span() takes up to 2^63 - 1 microseconds, and refuses one more" {
  local text
  assert_rows '9223372036854775807|9223372036854000000' \
    "SELECT taskresults_span('9223372036854.775807', 'seconds'), taskresults_span('9223372036854s');"
  for text in 9223372036854.775808 9223372036855 9223372036854775808 99999999999999999999 '9223372036854s 1s'; do
    assert_sql_error "'$text' is no length of time" "SELECT taskresults_span('$text', 'seconds');"
  done
}

@test "taskresults_time() gives microseconds since 1970; a day means its beginning or end; NULL and integers are unchanged" {
  assert_rows '1771027200000000|1771113599999999|1771027200000000' \
    "SELECT taskresults_time('2026-02-14'), taskresults_time('2026-02-14', 'until'), taskresults_time('2026-02-14', 'since');"
  assert_rows '1771061400000000|1771061400000000|NULL|7' \
    "SELECT taskresults_time('2026-02-14T09:30:00Z'), taskresults_time('2026-02-14 11:30+02:00', 'until'),
      taskresults_time(NULL), taskresults_time(7, 'until');"
  assert_rows '1|1|1' "SELECT taskresults_time('today', 'until') - taskresults_time('today') = 86399999999,
      taskresults_time('today') - taskresults_time('yesterday', 'until') = 1,
      abs(taskresults_time('now') - taskresults_time('90 days ago') - taskresults_span('90d')) < 60000000;"
}

@test "a text that is not a time, or not a length of time, is an error that lists the accepted forms" {
  local text
  for text in '' 1z '7 days from now' '90' '-1d' 999999999d '2026-02-30' 'last monday'; do
    assert_sql_error "'$text' is no time; write 2026-02-14, " "SELECT taskresults_time('$text');"
  done
  for text in '' 1z 7 1.5h -1d 300000y '7d ago' today; do
    assert_sql_error "'$text' is no length of time; write 90s, " "SELECT taskresults_span('$text');"
  done
  assert_sql_error 'is no time' "SELECT taskresults_time(x'3764');"
  assert_sql_error 'is no length of time' "SELECT taskresults_span(x'3764');"
  assert_sql_error "'7.0' is no time" "SELECT taskresults_time(7.0);"
  assert_sql_error "neither 'since' nor 'until', and no zone: zone 'end': " "SELECT taskresults_time('7d', 'end');"
  assert_sql_error "is 'since' or 'until', not 'end'" "SELECT taskresults_time('7d', 'end', 'UTC');"
  assert_sql_error "can be 'seconds' only, not 'NULL'" "SELECT taskresults_span('7d', NULL);"
  assert_sql_error "can be 'seconds' only, not 'minutes'" "SELECT taskresults_span('7', 'minutes');"
}

@test "both functions can be used in views; taskresults_span() also in an index, but not taskresults_time(), which depends on now" {
  assert_rows '60000000|1' "CREATE TABLE t(a); CREATE INDEX i ON t(taskresults_span(a)); INSERT INTO t VALUES('1m');
    CREATE TEMP VIEW v AS SELECT taskresults_span(a) AS span, taskresults_time(a) > 0 AS past FROM t; SELECT * FROM v;"
  assert_sql_error 'non-deterministic' "CREATE TABLE t(a); CREATE INDEX i ON t(taskresults_time(a));"
}

# --- the commands -----------------------------------------------------------------------------------------------------

# Records from so many hours ago, oldest first, each with that number as its output.
runs_of_hours_ago() {
  python3 - "$results/a.jsonl" "$@" <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
with open(sys.argv[1], "w") as file:
    for hours in sys.argv[2:]:
        at = datetime.now(timezone.utc) - timedelta(hours=float(hours))
        at = at.isoformat().replace("+00:00", "Z")
        file.write(json.dumps({"timestamp": at, "job_id": "a", "success": False, "output": hours, "error": hours}) + "\n")
PYTHON
}

shown() {
  taskresults export --columns output "$@" | tail -n +2 | tr '\r\n' ' ' | tr -s ' '
}

@test "--since and --until mean the same time in all spellings, and never a time in the future" {
  local since
  runs_of_hours_ago 9000 8000 2200 2100 170 160 1
  for since in 90d '90 days' '90 Days ago' 3mo '3 months' '12w 6d' 2160h ' 90  D '; do
    [[ $(shown --since "$since") == '2100 170 160 1 ' ]] || { echo "$since"; return 1; }
    [[ $(shown --until "$since") == '9000 8000 2200 ' ]] || { echo "$since"; return 1; }
  done
  [[ $(shown --since 1y) == '8000 2200 2100 170 160 1 ' ]]
  [[ $(shown --since '7 days') == '160 1 ' ]]
  [[ $(shown --since 2w --until 7d) == '170 ' ]]
  [[ $(shown --until now) == '9000 8000 2200 2100 170 160 1 ' ]]
  [[ $(taskresults errors --since '7 days' --csv | wc -l) -eq 2 ]] # all are of one kind
  [[ $(taskresults stats --since '7 days' --json) == *'"runs":2,'* ]]
  [[ $(taskresults view a --since '7 days' --json | grep -c timestamp) -eq 2 ]]
}

@test "a date, today and yesterday mean whole days" {
  local day
  for day in 2026-02-13 2026-02-14 2026-02-15; do
    append_raw a "{\"timestamp\":\"${day}T00:00:00Z\",\"output\":\"$day first\"}\n{\"timestamp\":\"${day}T23:59:59.999999Z\",\"output\":\"$day last\"}\n"
  done
  [[ $(shown --since 2026-02-14 --until 2026-02-14) == '2026-02-14 first 2026-02-14 last ' ]]
  [[ $(shown --until yesterday) == "$(shown)" && $(shown --since today) == '' ]]
  [[ $(TZ=Asia/Tokyo shown --since 2026-02-15) == '2026-02-15 first 2026-02-15 last ' ]]
}

@test "a text that is not a time is a usage error in every command, with the accepted forms, and changes nothing" {
  local command text
  make_job a 3
  cp -r "$results" "$BATS_TEST_TMPDIR/before"
  cd "$BATS_TEST_TMPDIR" || return
  for text in '' 1z '7 days from now' tomorrow 999999999d 9999999999999999999d '2026-02-30' 7 -7d +7d 1.5d 'last monday'; do
    for command in 'view a --since' 'view a --until' 'stats --since' 'stats --until' 'errors --since' 'errors --until' \
      'export -o out.csv --since' 'export -o out.csv --until' 'prune a --since' 'prune --all --since' \
      'prune --all --keep 1 --since' 'alerts --state state --silent-for' 'alerts --state state --cooldown' \
      'alerts --state state --overdue --grace' 'alerts --state state --exec true --exec-timeout' 'sla --window'; do
      # shellcheck disable=SC2086  # words
      run taskresults $command "$text"
      [[ $status -eq 2 && $output == *"--${command##*--} wants a "*"3mo, 1y, '90 days'"*"not '$text'"* ]] ||
        { echo "$command '$text': $status $output"; return 1; }
    done
  done
  diff -r "$results" before
  [[ ! -e out.csv && ! -e state && ! -e state.lock ]]
}

@test "a very long text as a time is wrong usage, and is not taken for a missing sqlite3" {
  local text
  make_job a 1
  printf -v text '7%.0s' {1..100000}
  for command in 'errors --since' 'alerts --nagios --silent-for' 'sla --window' 'follow --interval'; do
    # shellcheck disable=SC2086  # words
    run taskresults $command "${text}d"
    [[ $output == *'--'*' wants '*'3mo, 1y'* && $output != *'program; on Debian'* ]] || { echo "$command: $status ${output:0:200}"; return 1; }
  done
}

@test "sla: windows of days, of spans, and open ones" {
  local window
  append_raw a '{"timestamp":"2026-02-01T00:00:00Z","success":true}\n{"timestamp":"2026-02-28T23:59:59Z","success":true}\n'
  runs() { taskresults sla --csv --window "$1" 2>/dev/null | tail -n +2 | cut -d, -f2; }
  [[ $(runs 2026-02-01..2026-02-28) -eq 2 ]]
  [[ $(runs 2026-02-01..2026-02-27) -eq 1 ]]
  [[ $(runs 2026-02-01..2026-02-28T23:59:59Z) -eq 1 ]] # without its end
  [[ $(runs ..2026-02-28) -eq 2 && $(runs 2026-02-02..) -eq 1 && $(runs ..) -eq 2 ]]
  [[ $(runs '9000 days') -eq 2 && $(runs '..1 hour ago') -eq 2 && $(runs 1h) -eq 0 ]]
  [[ $(runs 290000y) -eq 2 ]]
  for window in 7..8 2026-02-14 yesterday 1z.. ..1z 300000y; do
    run taskresults sla --window "$window"
    [[ $status -eq 2 && $output == *"--window wants "*"not '$window'"* ]] || { echo "$window: $status $output"; return 1; }
  done
  run taskresults sla --window 2w..3w
  [[ $status -eq 2 && $output == *'begin before it ends'* ]]
}

@test "options that take seconds take a number or a length of time" {
  local text
  make_job a 1
  for text in 300 5m '5 minutes'; do
    [[ $(taskresults report --refresh "$text") == *'content="300"'* ]]
  done
  for text in '' 0 1z -1; do
    run taskresults follow --interval "$text"
    [[ $status -eq 2 && $output == *--interval* ]]
  done
  run taskresults report --refresh 4s
  [[ $status -eq 2 ]]
}

@test "a command starts sqlite3 once, once more for all its options with times, and never date(1)" {
  local log=$BATS_TEST_TMPDIR/log alone
  make_job a 3
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\necho date >>%s\n' "$log" >"$BATS_TEST_TMPDIR/bin/date"
  printf '#!/bin/sh\necho sqlite3 >>%s\nexec sqlite3 "$@"\n' "$log" >"$BATS_TEST_TMPDIR/counted"
  chmod +x "$BATS_TEST_TMPDIR/bin/date" "$BATS_TEST_TMPDIR/counted"
  calls() {
    : >"$log"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH TASKRESULTS_SQLITE3=$BATS_TEST_TMPDIR/counted taskresults "$@" >/dev/null 2>&1
    sort "$log" | uniq -c | tr -s ' \n' ' '
  }
  alone=$(calls view a)
  [[ $alone == ' 1 sqlite3 ' ]]
  [[ $(calls view a --since 7d) == ' 2 sqlite3 ' && $(calls view a --since yesterday --until '2 h') == ' 2 sqlite3 ' ]]
  [[ $(calls alerts --nagios) == "$alone" ]]
  [[ $(calls alerts --nagios --silent-for 7d --grace '5 min') == ' 2 sqlite3 ' ]]
}

# --- records without a readable time -----------------------------------------------------------------------------------

# Two jobs, of which `a` is long enough for a second thread. Prints how many records, and how many failures, have no
# readable time.
records_without_time() {
  python3 - "$results" <<'PYTHON'
import json, random, sys
r, counts = random.Random(7), [0, 0]
for job, count in (("a", 70000), ("b", 50)):
    with open(f"{sys.argv[1]}/{job}.jsonl", "w") as file:
        for i in range(count):
            record = {"timestamp": f"2026-01-{r.randint(1, 28):02}T00:00:00Z", "success": r.random() < .5, "error": "e" * 100}
            if r.random() < .01:
                record["timestamp"] = r.choice(["soon", "", None, 5, "2026-02-30T00:00:00Z", "1771119855"])
                if r.random() < .2:
                    del record["timestamp"]
                counts[0] += 1
                counts[1] += not record["success"]
            file.write(json.dumps(record) + "\n")
print(*counts)
PYTHON
}

@test "with a range of times, a message says how many records were skipped because their time cannot be read, in every format" {
  local all failures command words='without a readable time, which no range'
  read -r all failures < <(records_without_time)
  ((failures > 100 && all > failures))
  for command in 'view --all' 'view --all --csv' 'stats' 'stats --by day' 'stats --json' 'export' 'export --format json'; do
    for range in '--since 2026-01-10' '--until 2026-01-10' '--since 2020-01-01 --until now'; do
      # shellcheck disable=SC2086  # words
      [[ $(taskresults $command $range 2>&1 >/dev/null) == "taskresults: passed over $all records $words"* ]] ||
        { echo "$command $range"; return 1; }
    done
  done
  [[ $(taskresults stats --by day 2>&1 >/dev/null) == *"passed over $all records $words"* ]]
  [[ $(taskresults errors --since 2026-01-10 2>&1 >/dev/null) == *"passed over $failures records $words"* ]]
  [[ $(taskresults view --all --errors --since 2026-01-10 2>&1 >/dev/null) == *"passed over $failures records $words"* ]]
  taskresults export --since 2026-01-10 -o "$BATS_TEST_TMPDIR/out.csv" 2>"$BATS_TEST_TMPDIR/said"
  [[ $(<"$BATS_TEST_TMPDIR/said") == *"passed over $all records $words"* ]]
  [[ $(grep -c untimed "$BATS_TEST_TMPDIR/out.csv") == 0 ]]
  # The same with one thread and with two; and the files are not read a second time for the count.
  for threads in 1 2; do
    [[ $(TASKRESULTS_THREADS=$threads sql "SELECT count(*) > 0 FROM task_results WHERE time_us > 0; SELECT taskresults_untimed();
      SELECT runs > 0 FROM task_stats('2020-01-01') WHERE job_id = 'a'; SELECT taskresults_untimed() > $all") == "1
$all
1
1" ]]
  done
}

@test "if both streams go into one file, the message about records without a time is on a line of its own" {
  printf '%s\n' '{"timestamp":"never","success":true}' '{"timestamp":"2026-01-01T00:00:00Z","success":true,"output":"\u0000"}' \
    >"$results/a.jsonl"
  mkdir "$BATS_TEST_TMPDIR/bin"
  # The last step waits until the query has ended and written its message.
  printf '#!/bin/bash\nuntil grep -aq "passed over" "%s"; do sleep 0.02; done\nexec %s "$@"\n' "$BATS_TEST_TMPDIR/both" \
    "$(command -v tr)" >"$BATS_TEST_TMPDIR/bin/tr"
  chmod +x "$BATS_TEST_TMPDIR/bin/tr"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH taskresults view a --since 2025-01-01 >>"$BATS_TEST_TMPDIR/both" 2>&1
  (($(grep -ac '^taskresults: passed over 1 record' "$BATS_TEST_TMPDIR/both") == 1))
  (($(grep -ac '^2026-01-01T00:00:00Z |' "$BATS_TEST_TMPDIR/both") == 1))
}

@test "without a range, or without such records, nothing is said" {
  append_raw a '{"timestamp":"soon","success":false}\n{"timestamp":"2026-01-01T00:00:00Z","success":false}\n'
  make_job b 3
  for command in 'view a' 'stats' 'errors' 'export' 'list' 'view b --since 2020-01-01' 'export b --until now' 'prune --all --since 2020-01-01'; do
    # shellcheck disable=SC2086  # words
    [[ -z $(taskresults $command 2>&1 >/dev/null) ]] || { echo "$command"; return 1; }
  done
  run taskresults view a --since 2020-01-01
  [[ $status -eq 0 && $output == *'passed over 1 record without'* ]]
}

# --- times before 1970, and times in the future ------------------------------------------------------------------------

@test "times before 1970, with any fraction, are shown as Python shows them" {
  python3 - "$results" <<'PYTHON' >"$BATS_TEST_TMPDIR/expected"
import json, random, sys
from datetime import datetime, timedelta, timezone
r = random.Random(5)
us = [-1, -500000, -999999, -1000000, -1000001, -86400000000, -86400000001, 0, 1] + [r.randrange(-10**16, 10**16) for _ in range(60)]
for number, us in enumerate(us):
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=us)
    with open(f"{sys.argv[1]}/j{number:03}.jsonl", "w") as file:
        file.write(json.dumps({"timestamp": at.isoformat().replace("+00:00", "Z"), "success": False}) + "\n")
    print(f"j{number:03} {at:%Y-%m-%d} {at:%H:%M:%S} {at:%Y-%m-%d} {at:%Y-%m-%d} {at:%H}:00 {at:%Y-%m} {at:%u} {at:%H} {at:%Y-%m-%dT%H:%M:%SZ}")
PYTHON
  period() { taskresults stats --by "$1" --csv | tail -n +2 | cut -d, -f2 | tr -d '\r'; }
  paste -d ' ' <(taskresults list | tail -n +2 | awk '{ print $1, $5, $6 }') <(period day) <(period hour) <(period month) \
    <(period weekday | cut -c1) <(period hour-of-day) <(taskresults stats --csv | tail -n +2 | cut -d, -f7) >"$BATS_TEST_TMPDIR/actual"
  diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
  taskresults report >"$BATS_TEST_TMPDIR/page.html"
  [[ $(taskresults errors --json) == *'"first_run":"'[01]* ]]
}

@test "a time in the future, because the clock was set back or by mistake, is shown as in the future" {
  local job hours
  for hours in -2.5 2.5 -100 100; do
    runs_of_hours_ago "$hours"
    mv "$results/a.jsonl" "$results/j$hours.jsonl"
  done
  # job, and how long ago by list, stats and errors
  for command in list stats errors; do
    # shellcheck disable=SC2086  # words
    taskresults $command >"$BATS_TEST_TMPDIR/$command"
  done
  for job in 'j-2.5=in 2h' 'j2.5=2h ago' 'j-100=in 4d' 'j100=4d ago'; do
    for command in list stats; do
      grep -qE "^${job%=*} .* ${job#*=}( |\$)" "$BATS_TEST_TMPDIR/$command" || { echo "$command $job"; return 1; }
    done
    [[ $(taskresults errors "${job%=*}") == *"  ${job#*=}  "* ]]
    [[ $(on_pty 120 "$(tool taskresults)" view "${job%=*}") == *"(${job#*=})"* ]]
  done
  [[ $(shown --since now) == '-100 -2.5 ' && $(shown --until now) == '100 2.5 ' && $(shown --since 3h) == '-100 -2.5 2.5 ' ]]
  [[ $(taskresults report) =~ ,-89[0-9][0-9],.*,-35999[0-9], || $(taskresults report) =~ ,-35999[0-9],.*,-89[0-9][0-9], ]]
  run taskresults alerts --nagios --silent-for 1h
  [[ $status -eq 2 && $output == *'2: j100: silent for 4d'*'j2.5: silent for 2h'* ]]
}
