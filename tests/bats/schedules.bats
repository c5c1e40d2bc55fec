#!/usr/bin/env bats
# Schedules and zones: taskresults_slots(), and taskresults_time() with a zone.

load ../lib/helpers
load ../lib/host

# require_croniter - sets `python` to one that has croniter; without one, the test is skipped.
require_croniter() {
  require_host
  for host_python in "$host_python" /usr/bin/python3; do
    "$host_python" -c 'import croniter, sqlite3; sqlite3.connect(":memory:").enable_load_extension' 2>/dev/null && return
  done
  skip 'no python3 here has croniter (Debian: python3-croniter)'
}

schedules() {
  run host "$root/tests/oracles/schedules.py" "$@"
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "cron is due as croniter says, over 1,500 random expressions, good and bad ones (make schedules: 100,000)" {
  require_croniter
  schedules cron "$(some_or_all 1500 4000)" 1
}

@test "in a zone, a time that a clock change skips is due just after it, and a time that comes twice is due once, as zoneinfo says" {
  require_croniter
  schedules zones "$(some_or_all 30 60)" 1
}

@test "'every 5 minutes', 'every day at 9:30 pm', 'in 10 minutes': what the scheduler understands, and nothing else" {
  require_host
  schedules words "$(some_or_all 1500 3000)" 1
}

@test "taskresults_time() in a zone agrees with zoneinfo: days of 23 and 25 hours, times that are skipped or come twice" {
  require_host
  schedules times "$(some_or_all 1500 3000)" 1
}

@test "taskresults_slots: SINCE and UNTIL are both included; the defaults are now and the end of the year 9999" {
  assert_rows '2026-02-15T00:00:00Z|1771113600000000
2026-02-15T12:00:00Z|1771156800000000
2026-02-16T00:00:00Z|1771200000000000' \
    "SELECT * FROM taskresults_slots('0 */12 * * *', '2026-02-15', '2026-02-16T00:00');"
  assert_rows '24|2026-02-15T23:00:00Z' "SELECT count(*), max(slot) FROM taskresults_slots('@hourly', '2026-02-15', '2026-02-15');"
  assert_rows '3|1' "SELECT count(*), min(slot_us) > taskresults_time('now') - 1000000
    FROM (SELECT slot_us FROM taskresults_slots('* * * * *') LIMIT 3);"
  assert_rows '9999-12-31T23:59:00Z' "SELECT max(slot) FROM taskresults_slots('* * * * *', '9999-12-31');"
  assert_rows '2096-02-29T00:00:00Z 2104-02-29T00:00:00Z' \
    "SELECT group_concat(slot, ' ') FROM (SELECT slot FROM taskresults_slots('0 0 29 2 *', '2096-01-01') LIMIT 2);"
  assert_rows '0' "SELECT count(*) FROM taskresults_slots('0 0 30 2 *', '2026-01-01');"
  assert_rows '0' "SELECT count(*) FROM taskresults_slots(NULL, '2026-01-01');"
  assert_rows '0|0' "SELECT (SELECT count(*) FROM taskresults_slots('@daily', '2026-02-15', '2026-02-14')),
    (SELECT count(*) FROM taskresults_slots('@daily', 9223372036854775807, NULL));"
}

@test "an interval counts from SINCE on, and is not due at SINCE itself; 'in' is due once" {
  assert_rows '2026-02-15T00:40:00Z 2026-02-15T01:20:00Z 2026-02-15T02:00:00Z' \
    "SELECT group_concat(slot, ' ') FROM taskresults_slots('every 40 minutes', '2026-02-15', '2026-02-15T02:00');"
  assert_rows '2026-02-15T00:40:00Z' "SELECT group_concat(slot, ' ') FROM taskresults_slots('in 40 minutes', '2026-02-15');"
}

@test "slots come in order, so that LIMIT and ORDER BY need no sorting; arguments may come from another table" {
  run sql "EXPLAIN QUERY PLAN SELECT slot FROM taskresults_slots('@daily') ORDER BY slot_us LIMIT 5;"
  [[ $status -eq 0 && $output != *'TEMP B-TREE'* ]]
  assert_rows 'a|2|b|1' "CREATE TABLE job(id, cron); INSERT INTO job VALUES('a', '0 */12 * * *'), ('b', '@daily');
    SELECT group_concat(id || '|' || count, '|') FROM (SELECT id, count(*) AS count
      FROM job CROSS JOIN taskresults_slots(cron, '2026-02-15', '2026-02-15') GROUP BY id ORDER BY id);"
  assert_rows 'a b' "CREATE TABLE job(id, cron); INSERT INTO job VALUES('a', '0 */12 * * *'), ('b', '@daily');
    SELECT group_concat(id, ' ') FROM (SELECT DISTINCT id FROM taskresults_slots(cron, '2026-02-15', '2026-02-15'), job
      ORDER BY id);"
}

@test "a wrong schedule, time or zone is an error that names it" {
  assert_sql_error "taskresults_slots: '* * * *' is no schedule: cron has five fields, not 4" \
    "SELECT * FROM taskresults_slots('* * * *');"
  assert_sql_error "'é' is no minute" "SELECT * FROM taskresults_slots('é * * * *');"
  assert_sql_error "'61' is no minute" "SELECT * FROM taskresults_slots('61 * * * *');"
  assert_sql_error "'mon#2' is no weekday" "SELECT * FROM taskresults_slots('0 0 * * mon#2');"
  assert_sql_error "'fortnight' is no unit of time" "SELECT * FROM taskresults_slots('every 2 fortnight');"
  assert_sql_error 'a time such as 09:30 or 9:30 am is missing' "SELECT * FROM taskresults_slots('every day at noon');"
  assert_sql_error 'it is no time, as @daily is' "SELECT * FROM taskresults_slots('@reboot');"
  assert_sql_error 'it is empty' "SELECT * FROM taskresults_slots('');"
  assert_sql_error "taskresults_slots: since: 'soon' is no time" "SELECT * FROM taskresults_slots('@daily', 'soon');"
  assert_sql_error "zone 'Mars/Base': /usr/share/zoneinfo/Mars/Base: " \
    "SELECT * FROM taskresults_slots('@daily', 'now', 'now', 'Mars/Base');"
  assert_sql_error 'no schedule; write taskresults_slots(schedule' "SELECT * FROM taskresults_slots;"
  assert_sql_error "zone '../zoneinfo/UTC': its name: " "SELECT * FROM taskresults_slots('@daily', 1, 1, '../zoneinfo/UTC');"
  assert_sql_error "zone '/etc/localtime': its name: " "SELECT taskresults_time('today', '/etc/localtime');"
}

# --- files of zones -----------------------------------------------------------------------------------------------------

# noon_in ZONE - the hour of UTC at which it is noon there on 2026-07-01.
noon_in() {
  sql "SELECT strftime('%H:%M', taskresults_time('2026-07-01T12:00', '$1') / 1000000, 'unixepoch');"
}

@test "local means TZ: a zone's name, a POSIX rule, or UTC if it is empty; the host's TZ is not changed" {
  [[ $(TZ=Asia/Kolkata noon_in local) == 06:30 ]]
  [[ $(TZ=:America/New_York noon_in local) == 16:00 ]]
  [[ $(TZ='CET-1CEST,M3.5.0,M10.5.0/3' noon_in local) == 10:00 ]]
  [[ $(TZ='<+0330>-3:30' noon_in local) == 08:30 ]]
  [[ $(TZ='' noon_in local) == 12:00 && $(TZ=UTC noon_in local) == 12:00 ]]
  [[ $(TZ=Asia/Kolkata noon_in Europe/Berlin) == 10:00 ]]
  TZ=Nowhere/Land assert_sql_error "zone 'Nowhere/Land'" "SELECT taskresults_time('today', 'local');"
  TZ=Asia/Kolkata assert_rows '17:30' "SELECT strftime('%H:%M', '2026-07-01 12:00', 'localtime')
    FROM (SELECT taskresults_time('2026-07-01T12:00', 'Europe/Berlin') AS t) WHERE t > 0;"
}

@test "UTC needs no file; a zone file that is cut short, damaged, too large or a FIFO is an error" {
  local zones=$BATS_TEST_TMPDIR/zones berlin=/usr/share/zoneinfo/Europe/Berlin size
  mkdir "$zones"
  [[ $(TZDIR=$zones noon_in UTC) == 12:00 ]]
  cp "$berlin" "$zones/Good"
  [[ $(TZDIR=$zones noon_in Good) == 10:00 ]]
  size=$(stat -Lc %s "$berlin")
  for length in 0 3 43 44 100 $((size / 2)) $((size - 1)); do
    head -c "$length" "$berlin" >"$zones/Cut"
    TZDIR=$zones assert_sql_error "zone 'Cut': $zones/Cut: it is damaged" "SELECT taskresults_time('today', 'Cut');"
  done
  mkfifo "$zones/Fifo"
  mkdir "$zones/Dir"
  truncate -s 1M "$zones/Large"
  for name in Fifo Dir Large; do
    TZDIR=$zones assert_sql_error "zone '$name': $zones/$name: not a file of a zone" "SELECT taskresults_time('today', '$name');"
  done
}

@test "a read-only connection has schedules and zones; a zone's name can open no file but a zone's" {
  run sqlite3 -batch -bail -init /dev/null :memory: \
    "SELECT load_extension('$extension', 'sqlite3_taskresults_readonly_init');" \
    "SELECT count(*) FROM taskresults_slots('@hourly', '2026-07-01', '2026-07-01', 'Europe/Berlin');"
  [[ $status -eq 0 && $output == *24 ]]
  assert_sql_error 'its name' "SELECT taskresults_time('today', 'Europe/../../../../etc/passwd');"
}
