#!/usr/bin/env bats
# task_logs: each byte of each log is in exactly one row, whatever the log contains, and in whatever order it is read.

load ../lib/helpers
load ../lib/state
load ../lib/host

everything='SELECT job_id, offset, quote(time_us), quote(timestamp), event, quote(message) FROM task_logs'

# --- the recorded logs ------------------------------------------------------------------------------------------------------

@test "the recorded logs have so many messages of each event" {
  use_recorded
  assert_rows 'deleted|1
exception|3
failed|65
notify_skipped|28
paused|2
resumed|1
scheduled|16
started|285
succeeded|214
timed_out|3' 'SELECT event, count(*) FROM task_logs GROUP BY event'
}

@test "no recorded message is of event other, and each has a time" {
  use_recorded
  assert_rows '0|0' "SELECT count(*) FILTER (WHERE event = 'other'), count(*) FILTER (WHERE time_us IS NULL) FROM task_logs"
}

@test "the rows of a log put together are the log, byte for byte" {
  use_recorded
  assert_rows '16|16' "
    WITH line AS (SELECT job_id, '[' || timestamp || '] ' || message || char(10) AS text FROM task_logs ORDER BY task_logs.rowid),
         whole AS (SELECT job_id, group_concat(text, '') AS text FROM line GROUP BY job_id)
    SELECT count(*), sum(CAST(text AS BLOB) = readfile('$recorded/logs/' || job_id || '.log')) FROM whole"
}

@test "task_logs tells which jobs were paused, resumed and deleted, and when" {
  use_recorded
  assert_rows '2026-11-22T20:30:52.710412Z|flaky-api|paused
2026-11-22T20:30:52.714399Z|flaky-api|resumed
2026-11-22T20:30:52.718394Z|silent|paused
2026-11-22T20:30:52.722387Z|exit-code-only|deleted' \
    "SELECT timestamp, job_id, event FROM task_logs WHERE event IN ('paused', 'resumed', 'deleted') ORDER BY time_us"
}

# --- messages ---------------------------------------------------------------------------------------------------------------

@test "lines without a timestamp belong to the message before them" {
  log_raw a '[2026-01-01T00:00:00Z] Execution failed: one\ntwo\n\n  [three]\n[2026-01-01T00:00:01Z] Job paused\n'
  assert_rows "failed|'Execution failed: one
two

  [three]'
paused|'Job paused'" 'SELECT event, quote(message) FROM task_logs'
}

@test "lines before the first timestamp are a row without a time" {
  log_raw c '\n'
  assert_rows "c|0|NULL|NULL|other|''" "$everything"
  log_raw a 'Job paused\nmore\n[2026-01-01T00:00:00Z] Job paused\n'
  log_raw b 'nothing but this'
  log_raw d ''
  assert_rows "a|0|NULL|NULL|other|'Job paused
more'
a|16|1767225600000000|'2026-01-01T00:00:00Z'|paused|'Job paused'
b|0|NULL|NULL|other|'nothing but this'
c|0|NULL|NULL|other|''" "$everything"
}

@test "a line with a bracket begins a message only if it holds an ISO time with its zone, and a blank follows" {
  local line
  for line in '[2026-01-01 00:00:00Z] x' '[2026-01-01T00:00:00] x' '[2026-01-01T00:00] x' '[2026-01-01T00:00:00Z]x' \
    '[2026-01-01T00:00:00Z]' '[2026-13-01T00:00:00Z] x' '[] x' '[' "[2026-01-01T00:00:00.$(printf '%060d' 0)Z] x"; do
    printf '%s\n' "$line" >>"$logs/a.log"
  done
  assert_rows '1|1' 'SELECT count(*), sum(timestamp IS NULL) FROM task_logs'
  log_raw b '[2026-01-01T01:00:00+01:00] x\n[2026-01-01T00:00Z] \n[2025-12-31T19:00:00.000001-05:00] z'
  assert_rows "1767225600000000|x
1767225600000000|
1767225600000001|z" "SELECT time_us, message FROM task_logs('b')"
  log_raw c '[2026-01-01T01:00:00+0100] x\n[2026-01-01t00:00:01,5z] y\n[2025-12-31T23:59:60+00] z\n'
  assert_rows "1767225600000000|x
1767225601500000|y
1767225600000000|z" "SELECT time_us, message FROM task_logs('c')"
}

@test "a last message that is still being written is shown as far as it is there" {
  log_raw a '[2026-01-01T00:00:00Z] Job paused\n[2026-01-01T00:00:01Z] Job res'
  assert_rows 'paused|Job paused
other|Job res' 'SELECT event, message FROM task_logs'
  log_raw a 'umed'
  assert_rows 'resumed|Job resumed' 'SELECT event, message FROM task_logs ORDER BY rowid DESC LIMIT 1'
}

@test "bytes that are not UTF-8 read as U+FFFD, NUL is kept" {
  log_raw a '[2026-01-01T00:00:00Z] caf\xe9 \xc3\xa9 \xf0\x9f\x98\x80 \xf0\x9f\n[2026-01-01T00:00:01Z] a\x00b'
  assert_rows "text|636166EFBFBD20C3A920F09F988020EFBFBDEFBFBD
text|610062" 'SELECT typeof(message), hex(message) FROM task_logs'
}

# --- limits -----------------------------------------------------------------------------------------------------------------

@test "a message that max_line cuts says at its end how much is missing" {
  local long
  long=$(printf '%0500d' 0)
  log a 00:00:00 "$long"
  log a 00:00:01 'Job paused'
  log_raw b "[2026-01-01T00:00:00Z] short\n$long\n$long\nend\n[2026-01-01T00:00:01Z] Job paused\n"
  export TASKRESULTS_MAX_LINE=200
  local order
  for order in ASC DESC; do
    assert_rows "00:00|177|… [323 more bytes; see max_line]
00:01|10|ob paused
00:00|177|… [834 more bytes; see max_line]
00:01|10|ob paused" "
      SELECT substr(timestamp, 15, 5), instr(message || '…', '…') - 1, substr(message, instr(message, '…') + (message NOT LIKE '%…%') * 2)
      FROM (SELECT rowid AS r, * FROM task_logs ORDER BY rowid $order) ORDER BY job_id, timestamp"
  done
}

@test "a character that max_line would cut through is left out whole" {
  local i
  for i in 0 1 2 3; do log "j$i" 00:00:00 "$(printf '%*s' "$i" '')$(printf '😀%.0s' {1..100})"; done
  export TASKRESULTS_MAX_LINE=200
  assert_rows '0|4' "SELECT sum(instr(message, char(65533)) > 0), sum(message LIKE '%😀… [% more bytes; see max_line]') FROM task_logs"
}

@test "a message of very many lines takes little memory" {
  { printf '[2026-01-01T00:00:00Z] x\n'; yes continued | head -c 100000000; } >"$logs/a.log"
  head -c 100000000 /dev/zero >"$logs/b.log"
  local order
  for order in ASC DESC; do
    run bash -c "ulimit -v 300000; sqlite3 -batch -init /dev/null -cmd '.load $extension' :memory: \
      \"SELECT job_id, length(CAST(message AS BLOB)) FROM task_logs ORDER BY rowid $order\""
    [[ $status -eq 0 && ${#lines[@]} -eq 2 ]]
    [[ $output == *'a|10485'* && $output == *'b|10486'* ]]
  done
}

# --- every order, every buffer ------------------------------------------------------------------------------------------------

# A log with every form of message, and lines of all lengths, so that the end of a buffer falls on every part of a line.
odd_logs() {
  local i
  log_raw a 'leading\nlines\n'
  for i in {1..60}; do
    printf '[2026-01-01T00:%02d:00Z] %s\n' "$((i % 60))" "$(head -c "$i" /dev/zero | tr '\0' x)"
    ((i % 3)) || printf '%*s\n\n' "$i" ''
    ((i % 7)) || printf '[2026-01-01T00:00:00Z\n'
  done >>"$logs/a.log"
  log_raw b '\n\n[2026-01-01T00:00:00Z] \n\n\n'
  log_raw c '[2026-01-01T00:00:00Z] torn'
  cp "$recorded/logs/traceback.log" "$logs/d.log"
}

@test "newest first gives the same rows" {
  odd_logs
  assert_rows '0|0|1' "
    CREATE TABLE up AS SELECT rowid AS r, *, offset FROM task_logs ORDER BY task_logs.rowid;
    CREATE TABLE down AS SELECT rowid AS r, *, offset FROM task_logs ORDER BY task_logs.rowid DESC;
    SELECT (SELECT count(*) FROM (SELECT * FROM up EXCEPT SELECT * FROM down)),
           (SELECT count(*) FROM (SELECT * FROM down EXCEPT SELECT * FROM up)),
           (SELECT count(*) FROM up) = (SELECT count(*) FROM down) AND (SELECT r FROM down LIMIT 1) = (SELECT max(r) FROM up)"
}

@test "a read buffer of 7 bytes gives the same rows, in either order" {
  odd_logs
  local order
  for order in '' 'ORDER BY rowid DESC'; do
    sql "$everything $order" >"$BATS_TEST_TMPDIR/expected"
    extension=$root/build/tiny/taskresults sql "$everything $order" >"$BATS_TEST_TMPDIR/actual"
    cmp "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
    [[ $(wc -l <"$BATS_TEST_TMPDIR/actual") -gt 60 ]]
  done
}

@test "a rowid finds its message; the rowid of a byte at which no message begins finds none" {
  odd_logs
  assert_rows '1|1' "
    CREATE TABLE m AS SELECT rowid AS r, message FROM task_logs;
    SELECT count(*) = count(found), sum(found = message) = count(*)
    FROM (SELECT message, (SELECT l.message FROM task_logs AS l WHERE l.rowid = r) AS found FROM m)"
  assert_rows 0 "
    CREATE TABLE m AS SELECT rowid AS r FROM task_logs;
    SELECT count(*) FROM m, (SELECT value AS d FROM json_each('[-3, -1, 1, 2, 9]')) WHERE
      r + d NOT IN (SELECT r FROM m) AND EXISTS (SELECT 1 FROM task_logs WHERE rowid = r + d)"
}

# --- pushdown ---------------------------------------------------------------------------------------------------------------

@test "a query for one job opens only its log" {
  log a 00:00:00 x
  log b 00:00:00 x
  log c 00:00:00 x
  opens() {
    FAULTS_LOG=$BATS_TEST_TMPDIR/count LD_PRELOAD=$root/build/shim/faults.so \
      sqlite3 -init /dev/null -cmd ".load $extension" :memory: "$1" >/dev/null
    awk '/^opens/ {print $2}' "$BATS_TEST_TMPDIR/count"
  }
  [[ $(opens 'SELECT * FROM task_logs') == 3 ]]
  [[ $(opens "SELECT * FROM task_logs('b')") == 1 ]]
  [[ $(opens "SELECT * FROM task_logs WHERE job_id = 'b'") == 1 ]]
  [[ $(opens "SELECT * FROM task_logs WHERE job_id IN ('a', 'c', 'none')") == 2 ]]
  [[ $(opens "SELECT * FROM task_logs WHERE job_id GLOB '[bc]'") == 2 ]]
  assert_plan 'timestamp >= ? AND job_id = ? ORDER BY rowid DESC' \
    "SELECT * FROM task_logs('a') WHERE timestamp >= '2026' ORDER BY rowid DESC"
  assert_plan 'time_us < ?' 'SELECT * FROM task_logs WHERE time_us < 5'
}

@test "answers are the same with and without pushdown" {
  odd_logs
  log_raw 12 '[2026-01-01T00:00:00Z] x\n'
  local where
  for where in "job_id = 'a'" 'job_id = 12' "job_id IN ('b', 'c', NULL)" "job_id GLOB '*[a1]*'" "job_id IS 'c'" \
    "job = 'a' OR job_id = 'b'" "timestamp > '2026-01-01T00:30'" "timestamp = '2026-01-01T00:00:00Z'" 'timestamp IS NULL' \
    'time_us IS NULL' "time_us BETWEEN 1767225600000000 AND 1767227400000000.5" "NOT timestamp < '2026-01-01T00:50'" \
    "timestamp <> '2026-01-01T00:00:00Z' OR job_id = 'd'" "event = 'failed'" 'time_us > NULL' "job_id = 'a' COLLATE NOCASE"; do
    sql "$everything WHERE $where" >"$BATS_TEST_TMPDIR/actual"
    extension=$root/build/every_line/taskresults sql "$everything WHERE $where" >"$BATS_TEST_TMPDIR/expected"
    cmp "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" || { echo "$where"; return 1; }
  done
}

# --- the directory ------------------------------------------------------------------------------------------------------------

@test "a missing directory of logs fails the query, not CREATE TABLE" {
  export SCHEDULER_LOGS_DIR=/no/such/logs
  assert_sql_error 'logs directory /no/such/logs: No such file or directory (set SCHEDULER_LOGS_DIR' 'SELECT * FROM task_logs'
  assert_rows dropped "CREATE VIRTUAL TABLE temp.l USING task_logs(dir='/no/such/place')" 'DROP TABLE l' "SELECT 'dropped'"
}

@test "an empty directory gives no rows, and so does a job without a log" {
  assert_rows '' 'SELECT * FROM task_logs'
  log a 00:00:00 x
  assert_rows '' "SELECT * FROM task_logs('b')" "SELECT * FROM task_logs('../logs/a')" "SELECT * FROM task_logs('')"
}

@test "dir= names another directory; views cannot use it" {
  log a 00:00:00 here
  mkdir "$BATS_TEST_TMPDIR/other"
  printf '[2026-01-01T00:00:00Z] there\n' >"$BATS_TEST_TMPDIR/other/a.log"
  assert_rows 'there|here' "CREATE VIRTUAL TABLE temp.l USING task_logs(dir='$BATS_TEST_TMPDIR/other', max_line=1000)" \
    'SELECT l.message, t.message FROM l, task_logs AS t'
  assert_rows here 'CREATE VIEW v AS SELECT message FROM task_logs' 'PRAGMA trusted_schema = 1' 'SELECT * FROM v'
  assert_sql_error 'unsafe use of virtual table "own"' 'CREATE VIRTUAL TABLE own USING task_logs(max_line=10)' \
    'CREATE VIEW v AS SELECT * FROM own' 'SELECT * FROM v'
}

@test "an unknown argument is refused; sync= is unknown here" {
  local argument
  for argument in sync=off colour=red logs=x; do
    assert_sql_error "the arguments are dir='PATH' and max_line=BYTES" "CREATE VIRTUAL TABLE temp.l USING task_logs($argument)"
  done
}

@test "an entry that is not a file is a row that says so; a FIFO is not waited for, a link not followed" {
  log good 00:00:00 x
  mkfifo "$logs/fifo.log"
  mkdir "$logs/dir.log"
  ln -s good.log "$logs/link.log"
  ln -s nowhere "$logs/dangling.log"
  printf '[2026-01-01T00:00:00Z] unseen\n' >"$logs/$(printf 'bad\xff').log"
  printf 'x\n' >"$logs/other.txt"
  run timeout 300 sqlite3 -batch -init /dev/null -nullvalue NULL -cmd ".load $extension" :memory: \
    "SELECT job_id, offset, time_us, event, message FROM task_logs WHERE event = 'other' AND offset IS NULL
     ORDER BY typeof(job_id) DESC, job_id"
  [[ $status -eq 0 && $output == "dangling|NULL|NULL|other|not a regular file, but a symbolic link
dir|NULL|NULL|other|not a regular file, but a directory
fifo|NULL|NULL|other|not a regular file, but a FIFO
link|NULL|NULL|other|not a regular file, but a symbolic link
"* ]]
  assert_rows 'blob|626164FF|file name is not valid UTF-8' \
    "SELECT typeof(job_id), hex(job_id), message FROM task_logs WHERE job_id = x'626164ff'"
  assert_rows 'link|NULL' "SELECT job_id, offset FROM task_logs('link')"
  assert_rows 6 'SELECT count(*) FROM task_logs'
}

@test "a log that cannot be opened or read fails the query, with its name" {
  log a 00:00:00 x
  log b 00:00:00 x
  run with_faults FAULTS_OPEN_ERRNO=13 FAULTS_OPEN_NAME=b.log -- \
    sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: 'SELECT message FROM task_logs'
  [[ $status -ne 0 && $output == *"job 'b': $logs/b.log cannot be opened: Permission denied"* ]]
  local order
  for order in ASC DESC; do
    run with_faults FAULTS_PREAD_AFTER=1 -- \
      sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT message FROM task_logs ORDER BY rowid $order"
    [[ $status -ne 0 && $output == *"cannot be read at byte 0: Input/output error"* ]]
  done
}

@test "a log that shrinks during a scan ends there; the messages before are complete" {
  yes '[2026-01-01T00:00:00Z] Execution succeeded' | head -n 40000 >"$logs/a.log"
  local order
  for order in ASC DESC; do
    run with_faults FAULTS_PREAD_AFTER=2 FAULTS_ERRNO=0 -- sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
      "SELECT count(*) BETWEEN 1 AND 39999, count(*) FILTER (WHERE message <> 'Execution succeeded') FROM
       (SELECT message FROM task_logs ORDER BY rowid $order)"
    [[ $status -eq 0 && $output == '1|0' ]]
  done
}

@test "interrupted system calls and short reads do not change the rows" {
  odd_logs
  sql "$everything" >"$BATS_TEST_TMPDIR/expected"
  with_faults FAULTS_EINTR=1 FAULTS_SHORT=13 -- sqlite3 -batch -bail -init /dev/null -nullvalue NULL -cmd ".load $extension" \
    :memory: "$everything" >"$BATS_TEST_TMPDIR/actual"
  cmp "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
}

@test "sqlite3_interrupt() ends a scan of one endless message, from either end" {
  { printf '[2026-01-01T00:00:00Z] x\n'; yes continued | head -c 150000000; } >"$logs/a.log"
  local order
  for order in ASC DESC; do
    run "$root/build/live/interrupt" "$extension" interrupt 20 "SELECT message FROM task_logs ORDER BY rowid $order"
    [[ $output == interrupted\ * ]]
    ((${output#interrupted } < 200000))
  done
}

@test "rows are read-only" {
  log a 00:00:00 x
  assert_sql_error 'may not be modified' "INSERT INTO task_logs(message) VALUES ('x')"
  assert_sql_error 'may not be modified' 'DELETE FROM task_logs'
}
