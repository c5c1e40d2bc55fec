#!/usr/bin/env bats
# Times and lengths of time as people write them: taskresults_time(), taskresults_span().

load ../helpers
load ../host

@test "times and spans agree with Python over 12,000 texts, good and bad ones" {
  require_host
  run host "$root/tests/times_oracle.py" 6000 1
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "taskresults_span: microseconds; NULL and integers as they are" {
  assert_rows '90000000|31536000000000|7776000000000|129600000000|NULL|7' \
    "SELECT taskresults_span('90s'), taskresults_span('1y'), taskresults_span(' 3 Months '), taskresults_span('1d 12h'),
      taskresults_span(NULL), taskresults_span(7);"
  assert_rows '90000000|500000|90000000' \
    "SELECT taskresults_span('90', 'seconds'), taskresults_span('.5', 'seconds'), taskresults_span('1.5m', 'seconds');"
}

@test "taskresults_time: microseconds since 1970; a bare day is whole; NULL and integers as they are" {
  assert_rows '1771027200000000|1771113599999999|1771027200000000' \
    "SELECT taskresults_time('2026-02-14'), taskresults_time('2026-02-14', 'until'), taskresults_time('2026-02-14', 'since');"
  assert_rows '1771061400000000|1771061400000000|NULL|7' \
    "SELECT taskresults_time('2026-02-14T09:30:00Z'), taskresults_time('2026-02-14 11:30+02:00', 'until'),
      taskresults_time(NULL), taskresults_time(7, 'until');"
  assert_rows '1|1|1' "SELECT taskresults_time('today', 'until') - taskresults_time('today') = 86399999999,
      taskresults_time('today') - taskresults_time('yesterday', 'until') = 1,
      abs(taskresults_time('now') - taskresults_time('90 days ago') - taskresults_span('90d')) < 60000000;"
}

@test "what is neither is an error that says what is understood" {
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
  assert_sql_error "is 'since' or 'until', not 'end'" "SELECT taskresults_time('7d', 'end');"
  assert_sql_error "can be 'seconds' only, not 'NULL'" "SELECT taskresults_span('7d', NULL);"
}

@test "a length of time can be in an index, and both in views; a time, which moves, not in an index" {
  assert_rows '60000000|1' "CREATE TABLE t(a); CREATE INDEX i ON t(taskresults_span(a)); INSERT INTO t VALUES('1m');
    CREATE TEMP VIEW v AS SELECT taskresults_span(a) AS span, taskresults_time(a) > 0 AS past FROM t; SELECT * FROM v;"
  assert_sql_error 'non-deterministic' "CREATE TABLE t(a); CREATE INDEX i ON t(taskresults_time(a));"
}
