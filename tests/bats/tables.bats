#!/usr/bin/env bats
# task_results and task_rejects: columns, types, arguments, and where they may be used.

load ../lib/helpers
load ../lib/host

# record JOB JSON... - appends each text as a line of the job.
record() {
  local job=$1
  shift
  printf '%s\n' "$@" >>"$results/$job.jsonl"
}

# --- columns -------------------------------------------------------------------------------------------------------

@test "task_results has its columns in order, seven of them hidden" {
  assert_rows 'timestamp|TEXT|0
job_id|TEXT|0
job_name|TEXT|0
success|INTEGER|0
output|TEXT|0
error|TEXT|0
job|TEXT|1
time_us|INTEGER|1
offset|INTEGER|1
record|TEXT|1
ok|INTEGER|1
host|TEXT|1
unbroken|INTEGER|1' "SELECT name, type, hidden FROM pragma_table_xinfo('task_results')"
}

@test "task_rejects has its columns in order, job, host and segment hidden" {
  assert_rows 'job_id|TEXT|0
offset|INTEGER|0
length|INTEGER|0
reason|TEXT|0
line|TEXT|0
job|TEXT|1
host|TEXT|1
segment|TEXT|1' "SELECT name, type, hidden FROM pragma_table_xinfo('task_rejects')"
}

@test "SELECT * shows the six columns of a record, as written" {
  record a '{"timestamp": "2026-02-15T01:44:15.821425Z", "job_id": "a", "job_name": "A b", "success": true, "output": "o\nk", "error": ""}'
  assert_rows "2026-02-15T01:44:15.821425Z|a|A b|1|o
k|" 'SELECT * FROM task_results'
}

@test "the hidden columns hold the job, the time in microseconds, the offset and the line" {
  local first='{"timestamp": "1970-01-01T00:00:01.5Z"}' second='{ "timestamp":"1970-01-01 00:00:00-01:00" , "x":1 }'
  record a "$first" "$second"
  assert_rows "a|1500000|0|$first
a|3600000000|$((${#first} + 1))|$second" 'SELECT job, time_us, offset, record FROM task_results'
}

@test "a missing key is NULL in every column" {
  record a '{}'
  assert_rows 'NULL|a|NULL|NULL|NULL|NULL|a|NULL|0|{}|0' \
    'SELECT timestamp, job_id, job_name, success, output, error, job, time_us, offset, record, ok FROM task_results'
}

@test "a value of any JSON type reads as json_extract() reads it, in every column" {
  local value key
  for value in null true false 0 1 -1 1.5 -0.0 1e3 9223372036854775807 9223372036854775808 -9223372036854775808 \
    '""' '"0"' '"1.0"' '"true"' '"\u00e9\ud83d\ude00\n\t\"\\\/"' '"é😀"' '[]' '{}' '[1, 2.50, "a b", null]' \
    '{"a" : {"b": [true , false]}, "c": "d e"}' '[ [ ] ]'; do
    for key in timestamp job_name success output error; do
      record a "{\"$key\": $value}"
    done
  done
  for key in timestamp job_name success output error; do
    assert_rows 23 "SELECT count(*) FROM task_results WHERE json_type(record, '\$.$key') IS NOT NULL"
    assert_rows 0 "SELECT count(*) FROM task_results WHERE $key IS NOT json_extract(record, '\$.$key')
                     OR typeof($key) <> typeof(json_extract(record, '\$.$key'))"
  done
}

@test "numbers outside of int64, and NaN and Infinity, have the values that Python gives them" {
  record a '{"output": 18446744073709551616, "error": -9223372036854775809}' '{"output": 1e400, "error": -Infinity}' \
    '{"output": NaN, "error": Infinity}'
  assert_rows 'real|1.84467440737096e+19|real|-9.22337203685478e+18
real|Inf|real|-Inf
null|NULL|real|Inf' "SELECT typeof(output), iif(output IS NULL, NULL, printf('%.15g', output)), typeof(error), printf('%.15g', error)
    FROM task_results"
}

@test "a NUL in a text is kept, and so is what follows it" {
  record a '{"output": "a\u0000b"}'
  assert_rows '3|610062' 'SELECT length(CAST(output AS BLOB)), hex(output) FROM task_results'
}

@test "a lone surrogate reads as U+FFFD" {
  record a '{"output": "x\ud800y"}' '{"output": "\udc00"}'
  assert_rows '78EFBFBD79
EFBFBD' 'SELECT hex(output) FROM task_results'
}

@test "the last of duplicate keys wins, and a key may be spelled with escapes" {
  record a '{"success": true, "output": "1", "\u0073uccess": false, "output": "2"}'
  assert_rows '0|2' 'SELECT success, output FROM task_results'
}

@test "keys are case-sensitive" {
  record a '{"Success": true, "OUTPUT": "x"}'
  assert_rows 'NULL|NULL' 'SELECT success, output FROM task_results'
}

@test "the file's name is the job's id, whatever the lines say" {
  record renamed '{"job_id": "old-name", "output": "x"}'
  assert_rows 'renamed|renamed|1' "SELECT job_id, job, output = 'x' FROM task_results"
  assert_rows '' "SELECT * FROM task_results WHERE job_id = 'old-name'"
  assert_rows 'old-name' "SELECT record->>'\$.job_id' FROM task_results"
}

@test "texts of 5000 emoji written as escapes come back whole" {
  printf '{"output": "%s"}\n' "$(printf '\\ud83d\\ude00%.0s' {1..5000})" >"$results/a.jsonl"
  assert_rows '5000|20000|1' "SELECT length(output), length(CAST(output AS BLOB)),
    output = replace(printf('%5000s', ''), ' ', char(128512)) FROM task_results"
}

# --- arguments -----------------------------------------------------------------------------------------------------

@test "task_results('job') and task_rejects('job') show only that job" {
  record a '{"output": "of a"}' 'bad a'
  record b '{"output": "of b"}' 'bad b'
  assert_rows 'b|of b' "SELECT job_id, output FROM task_results('b')"
  assert_rows 'b|bad b' "SELECT job_id, line FROM task_rejects('b')"
  assert_rows '' "SELECT * FROM task_results('c')" "SELECT * FROM task_results(NULL)" "SELECT * FROM task_rejects('c')"
}

@test "task_rejects takes a job and a host as arguments; three are too many" {
  assert_rows 0 "SELECT count(*) FROM task_rejects('a', 'a host that is not there')"
  assert_sql_error 'too many arguments on task_rejects()' "SELECT * FROM task_rejects('a', 'b', 'c', 'd')"
}

@test "an unknown module argument is refused by name, with a list of the valid ones" {
  local argument
  for argument in "dri='/x'" colour=red dir "'/some/where'" '=x' 'max_line'; do
    assert_sql_error "the arguments are dir='PATH', max_line=BYTES, sync=off|data and map='MAPPING'" \
      "CREATE VIRTUAL TABLE temp.t USING task_results($argument)"
    assert_sql_error "the arguments are dir='PATH', max_line=BYTES, sync=off|data, map='MAPPING' and segments=live|all" \
      "CREATE VIRTUAL TABLE temp.t USING task_rejects($argument)"
  done
  assert_sql_error "task_results: unknown argument 'colour'" 'CREATE VIRTUAL TABLE temp.t USING task_results(colour=red)'
}

@test "an empty dir= is refused" {
  assert_sql_error 'dir= is empty' 'CREATE VIRTUAL TABLE temp.t USING task_results(dir=)'
  assert_sql_error 'dir= is empty' "CREATE VIRTUAL TABLE temp.t USING task_results(dir='')"
}

@test "a max_line that is not a number of bytes is refused, as an argument and in the environment" {
  local value
  for value in 0 -1 1.5 1e3 x "''" 1073741825 99999999999999999999; do
    assert_sql_error 'is not a number of bytes from 1 to 1073741824' \
      "CREATE VIRTUAL TABLE temp.t USING task_results(max_line=$value)"
  done
  for value in 0 -1 x 1073741825; do
    export TASKRESULTS_MAX_LINE=$value
    assert_sql_error "TASKRESULTS_MAX_LINE: '$value' is not a number of bytes" 'SELECT count(*) FROM task_results'
  done
}

@test "dir= may be quoted either way or not at all, with quotes and spaces inside" {
  local quoted="$BATS_TEST_TMPDIR/it's \"odd\" = dir"
  mkdir "$quoted"
  printf '{"output": "there"}\n' >"$quoted/a.jsonl"
  assert_rows 'there
there' "CREATE VIRTUAL TABLE temp.t USING task_results( DIR = '${quoted//\'/\'\'}' )" 'SELECT output FROM t' \
    "CREATE VIRTUAL TABLE temp.u USING task_results(dir=\"${quoted//\"/\"\"}\")" 'SELECT output FROM u'
  record a '{"output": "here"}'
  cd "$BATS_TEST_TMPDIR" # its own name may hold what is no token of SQL
  assert_rows here 'CREATE VIRTUAL TABLE temp.t USING task_results(dir=results)' 'SELECT output FROM t'
}

@test "an argument without a name is refused; a single quote sign is part of the path" {
  assert_sql_error "unknown argument ''; the arguments are dir='PATH'" "CREATE VIRTUAL TABLE temp.t USING task_results(='x')"
  assert_sql_error "directory a'y'b: No such file" "CREATE VIRTUAL TABLE temp.t USING task_results(dir='a'y'b')" 'SELECT * FROM t'
  assert_sql_error "directory 'x'y: No such file" "CREATE VIRTUAL TABLE temp.t USING task_results(dir='x'y)" 'SELECT * FROM t'
  mkdir "$BATS_TEST_TMPDIR/it's"
  assert_rows 0 "CREATE VIRTUAL TABLE temp.t USING task_results(dir='$BATS_TEST_TMPDIR/it''s')" 'SELECT count(*) FROM t'
  for table in task_jobs task_runs task_results; do
    sql "CREATE VIRTUAL TABLE temp.t USING $table(,)" # two arguments that say nothing
  done
}

@test "a table with dir= reads that directory; the eponymous table still reads its own" {
  record a '{"output": "here"}' 'bad here'
  mkdir "$BATS_TEST_TMPDIR/other"
  printf '{"output": "there"}\nbad there\n' >"$BATS_TEST_TMPDIR/other/a.jsonl"
  assert_rows 'there|bad there|here|bad here' \
    "CREATE VIRTUAL TABLE temp.t USING task_results(dir='$BATS_TEST_TMPDIR/other')" \
    "CREATE VIRTUAL TABLE temp.r USING task_rejects(dir='$BATS_TEST_TMPDIR/other')" \
    'SELECT t.output, r.line, task_results.output, task_rejects.line FROM t, r, task_results, task_rejects'
}

@test "the environment is read at each query, not when the extension is loaded" {
  record a '{"output": "first"}'
  mkdir "$BATS_TEST_TMPDIR/second"
  printf '{"output": "second"}\n{"output": "longer than thirty bytes, by far"}\n' >"$BATS_TEST_TMPDIR/second/a.jsonl"
  run_in_host <<PYTHON
import os
statement = "SELECT output FROM task_results"
rejects = "SELECT reason FROM task_rejects"
print(db.execute(statement).fetchall())
os.environ["SCHEDULER_RESULTS_DIR"] = "$BATS_TEST_TMPDIR/second"
print(db.execute(statement).fetchall(), db.execute(rejects).fetchall())
os.environ["TASKRESULTS_MAX_LINE"] = "30"
print(db.execute(statement).fetchall(), db.execute(rejects).fetchall())
PYTHON
  [[ $output == "[('first',)]
[('second',), ('longer than thirty bytes, by far',)] []
[('second',)] [('longer than max_line',)]" ]]
}

@test "without the variable, or with an empty one, the error names the default directory" {
  if [[ -e /opt/.task-scheduler/results ]]; then skip 'a scheduler lives here'; fi
  unset SCHEDULER_RESULTS_DIR
  assert_sql_error 'results directory /opt/.task-scheduler/results: No such file' 'SELECT * FROM task_results'
  export SCHEDULER_RESULTS_DIR=
  assert_sql_error 'results directory /opt/.task-scheduler/results: No such file' 'SELECT * FROM task_rejects'
}

# --- where it may be used --------------------------------------------------------------------------------------------

@test "a table with dir= is refused in views and triggers, whether the schema is trusted or not" {
  local database=$BATS_TEST_TMPDIR/hostile.db trust
  record a '{"output": "secret"}'
  sqlite3 -init /dev/null -cmd ".load $extension" "$database" \
    "CREATE VIRTUAL TABLE own USING task_results(dir='$results')" 'CREATE VIEW v AS SELECT output FROM own' \
    'CREATE TABLE log(x)' 'CREATE TABLE t(x)' \
    'CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log SELECT output FROM own; END'
  for trust in ON OFF; do
    run sqlite3 -init /dev/null -cmd ".load $extension" "$database" "PRAGMA trusted_schema=$trust" 'SELECT * FROM v'
    [[ $status -ne 0 && $output == *'unsafe use of virtual table "own"'* ]]
    run sqlite3 -init /dev/null -cmd ".load $extension" "$database" "PRAGMA trusted_schema=$trust" \
      'INSERT INTO t VALUES (1)'
    [[ $status -ne 0 && $output == *'unsafe use of virtual table "own"'* ]]
  done
  run sqlite3 -init /dev/null -cmd ".load $extension" "$database" 'SELECT count(*) FROM log' 'SELECT output FROM own'
  [[ $output == "0
secret" ]]
}

@test "a table with only max_line= is refused in a view, too, and so is one of task_rejects" {
  record a '{"output": "x"}'
  assert_sql_error 'unsafe use of virtual table "own"' 'CREATE VIRTUAL TABLE own USING task_rejects(max_line=10)' \
    'CREATE VIEW v AS SELECT * FROM own' 'SELECT * FROM v'
}

@test "a persistent view over the eponymous tables works in a later session" {
  local database=$BATS_TEST_TMPDIR/views.db
  record a '{"success": false, "output": "x"}' 'bad'
  sqlite3 -init /dev/null -cmd ".load $extension" "$database" \
    'CREATE VIEW failures AS SELECT job_id, output FROM task_results WHERE success = 0' \
    'CREATE VIEW odd AS SELECT job_id, line FROM task_rejects'
  run sqlite3 -init /dev/null -cmd ".load $extension" "$database" 'PRAGMA trusted_schema=ON' 'SELECT * FROM failures, odd'
  [[ $status -eq 0 && $output == 'a|x|a|bad' ]]
  # The table has no flag of its own here, so the host's PRAGMA trusted_schema decides.
  run sqlite3 -init /dev/null -cmd ".load $extension" "$database" 'PRAGMA trusted_schema=OFF' 'SELECT * FROM failures'
  [[ $status -ne 0 && $output == *'unsafe use of virtual table "task_results"'* ]]
}

@test "a table persists in a database file, can be dumped and restored, and dropping it touches no file" {
  local database=$BATS_TEST_TMPDIR/tables.db before
  record a '{"output": "x"}'
  before=$(ls -li --time-style=full-iso "$results"; cat "$results"/*)
  sqlite3 -init /dev/null -cmd ".load $extension" "$database" \
    "CREATE VIRTUAL TABLE own USING task_results(dir='$results', max_line=1000)"
  run sqlite3 -init /dev/null -cmd ".load $extension" "$database" 'SELECT output FROM own'
  [[ $output == x ]]
  sqlite3 -init /dev/null -cmd ".load $extension" "$database" .dump >"$BATS_TEST_TMPDIR/dump.sql"
  grep -q "USING task_results(dir=" "$BATS_TEST_TMPDIR/dump.sql"
  [[ $(grep -c 'INSERT INTO own' "$BATS_TEST_TMPDIR/dump.sql") -eq 0 ]]
  # Some versions of the program write dumps that they refuse to read in their defensive mode.
  sqlite3 -init /dev/null -cmd ".load $extension" -cmd '.dbconfig defensive off' "$database.2" \
    ".read $BATS_TEST_TMPDIR/dump.sql" >/dev/null
  run sqlite3 -init /dev/null -cmd ".load $extension" "$database.2" 'SELECT output FROM own' 'DROP TABLE own' \
    'SELECT count(*) FROM sqlite_schema'
  [[ $output == "x
0" ]]
  [[ $(ls -li --time-style=full-iso "$results"; cat "$results"/*) == "$before" ]]
}

@test "a table on a missing directory can be created, opened again and dropped; only a query fails" {
  local database=$BATS_TEST_TMPDIR/missing.db missing=$BATS_TEST_TMPDIR/nowhere
  sqlite3 -init /dev/null -cmd ".load $extension" "$database" \
    "CREATE VIRTUAL TABLE own USING task_results(dir='$missing')" "CREATE VIRTUAL TABLE odd USING task_rejects(dir='$missing')"
  run sqlite3 -init /dev/null -cmd ".load $extension" "$database" 'SELECT * FROM own'
  [[ $status -ne 0 && $output == *"results directory $missing: No such file or directory"* ]]
  run sqlite3 -init /dev/null -cmd ".load $extension" "$database" 'SELECT * FROM odd'
  [[ $status -ne 0 && $output == *"results directory $missing: No such file or directory"* ]]
  sqlite3 -init /dev/null -bail -cmd ".load $extension" "$database" 'DROP TABLE own' 'DROP TABLE odd'
}

@test "the tables cannot be written: the file stays as it was" {
  record a '{"output": "x"}'
  cp "$results/a.jsonl" "$BATS_TEST_TMPDIR/before"
  run sql "DELETE FROM task_results"
  [[ $status -ne 0 ]]
  run sql "UPDATE task_results SET success = 1"
  [[ $status -ne 0 ]]
  run sql "DELETE FROM task_rejects"
  [[ $status -ne 0 ]]
  cmp "$results/a.jsonl" "$BATS_TEST_TMPDIR/before"
}

@test "the extension can be loaded twice on one connection, also while tables are in use" {
  record a '{"output": "x"}'
  assert_rows 'x
x' "CREATE VIRTUAL TABLE temp.own USING task_results(dir='$results')" 'SELECT output FROM own' \
    ".load $extension" 'SELECT output FROM own'
}

@test "a pattern of more than a thousand bytes is not pushed down, and gives SQLite's answer" {
  local text
  text=$(printf 'x%.0s' {1..1200})
  append_raw a "{\"output\": \"$text\"}\n"
  assert_rows '1|0' "SELECT (SELECT count(*) FROM task_results WHERE output LIKE '$text'),
    (SELECT count(*) FROM task_results WHERE output LIKE '${text}y')"
}
