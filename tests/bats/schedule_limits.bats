#!/usr/bin/env bats
# Times, zones and schedules at their ends: the first and the last year, the ends of integers, the longest interval.

# shellcheck disable=SC2154  # helpers.bash sets root, results and extension
load ../lib/helpers
load ../lib/state

@test "a time with a zone of its own, as Z, z, + or -, is that of no other zone" {
  local time
  for time in 2026-01-01T00:00:00{Z,z} 2026-01-01T05:30:00+05:30 2026-01-01T00:30:00+00:30 2025-12-31T19:00:00-05:00; do
    assert_rows 1767225600000000 "SELECT taskresults_time('$time', 'since', 'Asia/Tokyo')"
  done
}

@test "a day or a time that ends after 9999, or begins before the year 1, where its zone is, is no time" {
  local arguments
  for arguments in "'9999-12-31T23:59:59', 'since', 'America/New_York'" "'9999-12-31', 'until', 'America/New_York'" \
    "'0001-01-01T00:00:00', 'since', 'Asia/Tokyo'" "'0001-01-01', 'since', 'Asia/Tokyo'"; do
    assert_sql_error "is no time; write 2026-02-14" "SELECT taskresults_time($arguments)"
  done
  assert_rows 253402282799000000 "SELECT taskresults_time('9999-12-31T23:59:59', 'since', 'Etc/GMT-5')"
  assert_rows NULL "SELECT taskresults_local(-62167219200000000, 'America/New_York')"
  assert_rows 0000-01-01T00:00:00Z "SELECT taskresults_local(-62167219200000000)"
  assert_rows NULL "SELECT taskresults_local(253402300799000000, 'Asia/Tokyo')"
}

@test "an empty TZDIR is as good as none" {
  TZDIR='' assert_rows 1970-01-01T01:00:00+01:00 "SELECT taskresults_local(0, 'Europe/Berlin')"
}

@test "NULL in place of since, until or a zone is an error that names what is wanted" {
  assert_sql_error "neither 'since' nor 'until', and no zone" "SELECT taskresults_time('2026-01-01', NULL)"
  assert_sql_error "the second argument is 'since' or 'until', not 'NULL'" \
    "SELECT taskresults_time('2026-01-01', NULL, 'UTC')"
  assert_sql_error "there is no such zone" "SELECT taskresults_time('2026-01-01', 'since', NULL)"
  assert_sql_error "there is no such zone" "SELECT taskresults_local(0, NULL)"
  assert_sql_error "'(a BLOB)' is no time" "SELECT taskresults_time(x'00')"
}

@test "taskresults_slots: its arguments come back, conditions on them only filter, and each order is right" {
  local slots="taskresults_slots('@daily', '2026-01-01', '2026-01-03')"
  assert_rows "@daily|2026-01-01|2026-01-03|NULL" "SELECT DISTINCT schedule, since, until, zone FROM $slots"
  assert_rows $'2026-01-01T00:00:00Z\n2026-01-02T00:00:00Z\n2026-01-03T00:00:00Z' \
    "SELECT slot FROM $slots WHERE since >= '2025' ORDER BY slot"
  assert_rows '' "SELECT slot FROM $slots WHERE since < '2025'"
  assert_rows $'2026-01-03T00:00:00Z\n2026-01-02T00:00:00Z\n2026-01-01T00:00:00Z' \
    "SELECT slot FROM $slots ORDER BY slot_us DESC"
  assert_rows $'1767225600000000\n1767312000000000\n1767398400000000' "SELECT slot_us FROM $slots ORDER BY slot_us"
  assert_sql_error 'no such module: taskresults_slots' "CREATE VIRTUAL TABLE temp.x USING taskresults_slots(1)"
}

@test "taskresults_slots at the ends of time: single times, the first and the last integer, intervals that are too long" {
  assert_rows 2026-01-01T00:10:00Z "SELECT slot FROM taskresults_slots('in 10 minutes', '2026-01-01', '2026-01-02')"
  assert_rows '' "SELECT slot FROM taskresults_slots('in 10 minutes', '2026-01-01', '2026-01-01T00:05Z')"
  assert_rows 0 "SELECT count(*) FROM taskresults_slots('in 10 minutes', 9223372036854775807)"
  assert_rows 0 "SELECT count(*) FROM taskresults_slots('@daily', 9223372036854775807)"
  assert_rows '3|0001-01-01T00:00:00Z|0001-01-03T00:00:00Z' \
    "SELECT count(*), min(slot), max(slot) FROM taskresults_slots('@daily', -9223372036854775808, '0001-01-03')"
  assert_rows 9999-12-31T00:00:00Z "SELECT max(slot) FROM taskresults_slots('@daily', '9999-12-01')"
  assert_sql_error 'that is too long' "SELECT * FROM taskresults_slots('every 99999999999999 weeks')"
  assert_sql_error 'that is too long' "SELECT * FROM taskresults_slots('every 316200000000 weeks')"
}

@test "a word that is no unit is quoted up to 100 bytes, and no character is cut" {
  run sql "SELECT * FROM taskresults_slots('every xé' || replace(hex(zeroblob(60)), '00', 'é'))"
  [[ $status -ne 0 && $output == *"'xé$(printf 'é%.0s' {1..48})' is no unit of time" ]] || { echo "$output"; return 1; }
  run sql "SELECT * FROM taskresults_slots('every ' || CAST(x'$(printf '80%.0s' {1..200})' AS TEXT))"
  [[ $status -ne 0 && $output == *"'' is no unit of time" ]]
}

# The jobs of the next tests: a time a year, two intervals, a time that comes once, and one whose cron is refused.
write_jobs() {
  cat >"$jobs_file" <<'JSON'
{"jobs": [{"id": "yearly", "cron": "0 0 1 1 *", "created_at": "2020-06-01T00:00:00Z"},
          {"id": "weekly", "schedule": "every 7 days", "created_at": "2020-06-01T00:00:00Z"},
          {"id": "once", "schedule": "in 9 hours", "recurring": false, "created_at": "2026-01-01T00:00:00Z"},
          {"id": "odd", "cron": "61 * * * *", "created_at": "2020-06-01T00:00:00Z"}]}
JSON
}

@test "task_slots: a job whose cron is refused, and that has no other schedule, says why" {
  write_jobs
  run sql "SELECT state, reason FROM task_slots WHERE job_id = 'odd'"
  [[ $status -eq 0 && $output == 'unknown|'*61* ]] || { echo "$output"; return 1; }
}

@test "task_slots: the last ones, wanted of a window that begins and ends anywhere, are those of all" {
  write_jobs
  local last window job all
  for window in "-9223372036854775808, '2026-06-01'" "'0001-01-01', '2026-06-01'" "'2026-01-01', 9223372036854775807" \
    "'2025-12-31', '2026-01-02'" "NULL, -9223372036854775808"; do
    for job in yearly weekly once; do
      [[ $job != weekly || $window != *9223372036854775807 ]] || continue # half a million slots
      all=$(sql "SELECT slot, state FROM task_slots($window) WHERE job_id = '$job' ORDER BY slot_us")
      for last in 1 3 5000 9223372036854775807; do
        assert_rows "$(tail -n "$last" <<<"$all")" \
          "SELECT slot, state FROM task_slots($window, NULL, NULL, -$last) WHERE job_id = '$job' ORDER BY slot_us"
      done
    done
  done
}

@test "task_slots: conditions on slot_us at the ends of integers, and each order, give the rows that SQLite would" {
  write_jobs
  local all condition order
  for condition in 'slot_us <= -9223372036854775808' 'slot_us >= -9223372036854775808' \
    'slot_us >= 9223372036854775807' 'slot_us < 9223372036854775807' 'slot_us > 1767225600000000'; do
    for order in 'job_id, slot_us' 'job_id, slot_us DESC' 'job_id, slot' 'job_id DESC, slot_us' 'slot_us, job_id' \
      'job_id, slot_us, state'; do
      all=$(sql "CREATE TEMP TABLE t AS SELECT * FROM task_slots('2025-12-01', '2026-02-01')" \
        "SELECT job_id, slot, state FROM t WHERE $condition ORDER BY $order")
      assert_rows "$all" \
        "SELECT job_id, slot, state FROM task_slots('2025-12-01', '2026-02-01') WHERE $condition ORDER BY $order"
      [[ -n $all || $condition == *'<= -9'* || $condition == *'>= 9'* ]]
    done
  done
}
