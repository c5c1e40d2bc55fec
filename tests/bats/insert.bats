#!/usr/bin/env bats
# INSERT: how lines are written, the defaults, the checks, the opt-in, and transactions.

load ../lib/helpers
load ../lib/host

# insert STATEMENT... - runs the statements on a connection that may write.
insert() {
  sql 'SELECT taskresults_writable(1)' "$@" | tail -n +2
}

# run_all <SQL - runs all statements, also those after one that failed. The status only says that one failed.
run_all() {
  sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: || [[ $? -eq 1 ]]
}

# assert_insert_error WORDS COLUMNS VALUES - the INSERT fails and says WORDS, and no file appears.
assert_insert_error() {
  assert_sql_error "$1" 'SELECT taskresults_writable(1)' "INSERT INTO task_results($2) VALUES ($3)"
  [[ -z $(ls -A "$results") ]]
}

# assert_file JOB LINE... - the job's file holds exactly these lines.
assert_file() {
  local job=$1
  shift
  [[ $(cat "$results/$job.jsonl"; echo .) == "$(printf '%s\n' "$@"; echo .)" ]] || {
    printf 'the file holds:\n%s\n' "$(cat "$results/$job.jsonl")"
    return 1
  }
}

# outputs JOB... - the outputs of the jobs' records, one a line; checks that the files hold nothing else.
outputs() {
  local job
  for job; do
    [[ -e $results/$job.jsonl ]] && python3 -c '
import json, sys
for line in open(sys.argv[1]):
    print(json.loads(line)["output"])' "$results/$job.jsonl"
  done
  return 0
}

# --- the line ------------------------------------------------------------------------------------------------------

@test "a row becomes the line that the scheduler would have written" {
  insert "INSERT INTO task_results(timestamp, job_id, job_name, success, output, error)
          VALUES ('2026-02-15T01:44:15.821425Z', 'my-backup', 'My Backup', 1, 'done: ' || char(10, 233, 128512), '')"
  assert_file my-backup '{"timestamp": "2026-02-15T01:44:15.821425Z", "job_id": "my-backup", "job_name": "My Backup", "success": true, "output": "done: \n\u00e9\ud83d\ude00", "error": ""}'
}

@test "6,000 generated rows give, byte for byte, the files that Python's json.dumps gives" {
  python3 "$root/tests/live/insert_texts.py" "$BATS_TEST_TMPDIR/rows.sql" "$BATS_TEST_TMPDIR/expected" 6000
  sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: <"$BATS_TEST_TMPDIR/rows.sql"
  [[ $(cat "$results"/*.jsonl "$results"/.*.jsonl | wc -l) -eq 6000 ]]
  diff -r "$BATS_TEST_TMPDIR/expected" "$results"
}

@test "6,000 generated rows give, byte for byte, the files that Python's json.dumps gives, in a UTF-16 database, too" {
  python3 "$root/tests/live/insert_texts.py" "$BATS_TEST_TMPDIR/rows.sql" "$BATS_TEST_TMPDIR/expected" 1000 utf-16-le
  { echo "PRAGMA encoding = 'UTF-16le';"; cat "$BATS_TEST_TMPDIR/rows.sql"; } |
    sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory:
  diff -r "$BATS_TEST_TMPDIR/expected" "$results"
}

@test "texts are read back as they were inserted, a NUL and 5000 emoji included" {
  insert "INSERT INTO task_results(job_id, success, output, error)
          VALUES ('a', 0, 'x' || char(0) || 'y', replace(hex(zeroblob(3000)), '0', char(128512)))"
  assert_rows "a|0|780079|5000|1" "SELECT job_id, success, hex(output), length(error),
      error = replace(hex(zeroblob(2500)), '0', char(128512)) FROM task_results"
}

@test "the defaults of what is left out: timestamp is now, job_name is the job's id, output and error are empty" {
  insert "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
  assert_rows "a|1|||1" "SELECT job_name, success, output, error,
      abs(julianday('now') * 86400 - julianday(timestamp) * 86400) < 60 FROM task_results"
  [[ $(sql 'SELECT timestamp FROM task_results') =~ ^20[0-9-]{8}T[0-9:]{8}(\.[0-9]{6})?Z$ ]]
}

@test "NULL means the default, in every column that has one" {
  insert "INSERT INTO task_results VALUES (NULL, 'a', NULL, 1, NULL, NULL)"
  assert_rows "a|a|1|||1" "SELECT job_id, job_name, success, output, error, time_us > 0 FROM task_results"
}

@test "numbers become text in columns of text" {
  insert "INSERT INTO task_results(job_id, job_name, success, output, error) VALUES ('a', 7, 1, 42, -0.5)"
  assert_rows "7|42|-0.5|text" "SELECT job_name, output, error, typeof(output) FROM task_results"
}

@test "success is 0 or 1, however it is spelled" {
  insert "INSERT INTO task_results(job_id, success) VALUES ('a', 1), ('a', 0), ('a', '1'), ('a', 0.0), ('a', ' 1.0 '),
          ('a', true), ('a', 2 > 3)"
  assert_rows "1,0,1,0,1,1,0" "SELECT group_concat(success) FROM task_results"
}

@test "the hidden column job can be used instead of job_id" {
  insert "INSERT INTO task_results(job, success) VALUES ('a', 1)" \
    "INSERT INTO task_results(job, job_id, success) VALUES ('a', 'a', 1)"
  assert_rows "a|2" "SELECT job_id, count(*) FROM task_results"
}

@test "a timestamp is written as it was given" {
  insert "INSERT INTO task_results(job_id, success, timestamp) VALUES ('a', 1, '2026-02-15 01:44+02:00')"
  assert_rows "2026-02-15 01:44+02:00|1771112640000000" "SELECT timestamp, time_us FROM task_results"
}

@test "rows can be copied from another directory, or from the table itself" {
  make_job a 3
  mkdir "$results/old"
  sql "CREATE VIRTUAL TABLE temp.old USING task_results(dir='$results/old')" "INSERT INTO old SELECT * FROM task_results"
  cmp "$results/a.jsonl" "$results/old/a.jsonl"
  insert "INSERT INTO task_results SELECT * FROM task_results"
  [[ $(wc -l <"$results/a.jsonl") -eq 6 ]]
}

@test "a new file can be read by all and written by its owner, less what the umask forbids" {
  insert "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
  (umask 077 && insert "INSERT INTO task_results(job_id, success) VALUES ('b', 1)")
  [[ $(stat -c %a "$results/a.jsonl" "$results/b.jsonl") == $'644\n600' ]]
}

# --- the checks ----------------------------------------------------------------------------------------------------

@test "a job id that is missing, is not text, or cannot be a file's name is refused" {
  assert_insert_error 'job_id is missing' success 1
  assert_insert_error 'job_id is missing' 'job_id, success' "'', 1"
  assert_insert_error 'job_id must be text' 'job_id, success' '7, 1'
  assert_insert_error 'job_id must be text' 'job_id, success' "x'61', 1"
  assert_insert_error "job_id cannot be a file's name" 'job_id, success' "'../a', 1"
  assert_insert_error "job_id cannot be a file's name" 'job_id, success' "'a' || char(0), 1"
  assert_insert_error "job_id cannot be a file's name" 'job_id, success' "replace(hex(zeroblob(125)), '0', 'x'), 1"
  assert_insert_error 'job is another name for job_id' 'job_id, job, success' "'a', 'b', 1"
}

@test "if both job and job_id are given, they must be equal" {
  local insert="INSERT INTO t(job_id, job, success) VALUES ('ab',"
  local table="CREATE VIRTUAL TABLE temp.t USING task_results(dir='$results')"
  sql "$table" "$insert 'ab', 1)"
  assert_sql_error 'job is another name for job_id, and differs from it' "$table" "$insert 'ac', 1)"
  assert_sql_error 'job is another name for job_id, and differs from it' "$table" "$insert 'abc', 1)"
  assert_rows ab 'SELECT job_id FROM task_results'
}

@test "a success that is neither 0 nor 1 is refused" {
  local value
  for value in NULL 2 -1 0.5 "'true'" "''" "x'31'" 9e999; do
    assert_insert_error 'success must be 0 or 1' 'job_id, success' "'a', $value"
  done
}

@test "a timestamp that the reader would not understand is refused" {
  local value
  for value in "'now'" "''" "'2026-02-30T00:00:00Z'" 1771119855 "'2026-02-15'"; do
    assert_insert_error 'timestamp must be like 2026-02-15T01:44:15.821425Z' 'job_id, success, timestamp' "'a', 1, $value"
  done
}

@test "invalid UTF-8 is refused in every text, a lone surrogate included" {
  local column
  for column in job_name output error timestamp; do
    assert_insert_error "$column is not valid UTF-8" "job_id, success, $column" "'a', 1, CAST(x'61FF' AS TEXT)"
    assert_insert_error "$column is not valid UTF-8" "job_id, success, $column" "'a', 1, char(55357)"
    assert_insert_error "$column must be text, not a BLOB" "job_id, success, $column" "'a', 1, x'61'"
  done
  assert_insert_error 'job_id is not valid UTF-8' 'job_id, success' "CAST(x'61FF' AS TEXT), 1"
}

@test "columns that are computed cannot be inserted" {
  assert_insert_error 'rowid cannot be chosen' 'rowid, job_id, success' "1, 'a', 1"
  assert_insert_error 'time_us is computed' 'job_id, success, time_us' "'a', 1, 0"
  assert_insert_error 'offset cannot be chosen' 'job_id, success, offset' "'a', 1, 0"
  assert_insert_error 'record is computed' 'job_id, success, record' "'a', 1, '{}'"
  assert_insert_error 'ok is computed; give success' 'job_id, success, ok' "'a', 1, 1"
  assert_insert_error 'ok is computed; give success' 'job_id, ok' "'a', 1"
}

@test "a record whose line would be longer than max_line is refused" {
  export TASKRESULTS_MAX_LINE=200
  insert "INSERT INTO task_results(job_id, success, timestamp, output)
          VALUES ('a', 1, '2026-01-01T00:00Z', substr(hex(zeroblob(200)), 1, 90))"
  [[ $(wc -c <"$results/a.jsonl") -eq 201 ]]
  assert_rows 1 'SELECT count(*) FROM task_results'
  assert_sql_error "job 'a': the record would be longer than the longest line that is read, 200 bytes" \
    'SELECT taskresults_writable(1)' "INSERT INTO task_results(job_id, success, timestamp, output)
     VALUES ('a', 1, '2026-01-01T00:00Z', substr(hex(zeroblob(200)), 1, 91))"
}

# In the build with tiny limits: 100,000 bytes in place of 1 GiB.
@test "a transaction with too much for one job fails at the row that exceeds the limit, and can go on or be rolled back" {
  big="WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
    INSERT INTO task_results(job_id, success, output) SELECT 'j', 1, hex(zeroblob(2000)) FROM n;"
  small="INSERT INTO task_results(job_id, success) VALUES ('j', 1), ('other', 0);"
  for ending in ROLLBACK COMMIT; do
    run sqlite3 -batch -init /dev/null -cmd ".load $root/build/tiny/taskresults" :memory: <<SQL
SELECT taskresults_writable(1);
BEGIN;
$small
$big
$small
.shell cat "$results"/*.jsonl 2>/dev/null | wc -c
$ending;
SQL
    [[ $output == *"job 'j': more than 100000 bytes in one transaction; commit more often"* ]]
    [[ $(tail -n 1 <<<"$output") == 0 ]]
    [[ $ending == COMMIT ]] || [[ -z $(ls "$results") ]]
  done
  assert_rows $'j|2\nother|2' "SELECT job_id, count(*) FROM task_results GROUP BY job_id"
}

@test "a missing directory fails the INSERT and is named" {
  export SCHEDULER_RESULTS_DIR=$results/none
  assert_sql_error "results directory $results/none: No such file or directory" \
    'SELECT taskresults_writable(1)' 'BEGIN' "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
}

@test "an entry that is no regular file fails the INSERT, and nothing is written through it" {
  ln -s "$BATS_TEST_TMPDIR/elsewhere" "$results/link.jsonl"
  mkdir "$results/dir.jsonl"
  mkfifo "$results/fifo.jsonl"
  local job kind
  for job in 'link:a symbolic link' 'dir:a directory' 'fifo:a FIFO'; do
    kind=${job#*:} job=${job%%:*}
    assert_sql_error "job '$job': cannot append to $results/$job.jsonl: it is $kind" \
      'SELECT taskresults_writable(1)' 'BEGIN' "INSERT INTO task_results(job_id, success) VALUES ('$job', 1)"
  done
  [[ ! -e $BATS_TEST_TMPDIR/elsewhere ]]
}

@test "an entry that stops being a regular file before the COMMIT fails the COMMIT" {
  run sql 'SELECT taskresults_writable(1)' BEGIN "INSERT INTO task_results(job_id, success) VALUES ('a', 1)" \
    ".shell ln -s '$BATS_TEST_TMPDIR/elsewhere' '$results/a.jsonl'" COMMIT
  [[ $status -ne 0 && $output == *"job 'a': cannot append to $results/a.jsonl: "* && ! -e $BATS_TEST_TMPDIR/elsewhere ]]
  rm "$results/a.jsonl"
  run sql 'SELECT taskresults_writable(1)' BEGIN "INSERT INTO task_results(job_id, success) VALUES ('a', 1)" \
    ".shell mkfifo '$results/a.jsonl'" COMMIT
  [[ $status -ne 0 && $output == *"job 'a': cannot append to $results/a.jsonl: it is a FIFO (only a regular file"* ]]
}

@test "wrong settings in the environment fail the INSERT, which names the variable" {
  for setting in TASKRESULTS_MAX_LINE TASKRESULTS_SYNC; do
    run env "$setting=much" sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: 'SELECT taskresults_writable(1)' \
      "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
    [[ $status -ne 0 && $output == *"$setting"* && ! -e $results/a.jsonl ]] || { echo "$output"; return 1; }
  done
}

@test "UPDATE and DELETE say that history is append-only, and name the pruner" {
  make_job a 3
  local before
  before=$(cat "$results/a.jsonl")
  assert_sql_error 'history is append-only, so there is no DELETE; taskresults_prune() drops old records' \
    'SELECT taskresults_writable(1)' 'DELETE FROM task_results WHERE success'
  assert_sql_error 'history is append-only, so there is no UPDATE; taskresults_prune() drops old records' \
    'SELECT taskresults_writable(1)' "UPDATE task_results SET output = '' WHERE job_id = 'a'"
  assert_sql_error 'there is no UPDATE' "CREATE VIRTUAL TABLE temp.t USING task_results(dir='$results')" \
    "UPDATE t SET rowid = 1"
  [[ $(cat "$results/a.jsonl") == "$before" ]]
}

# --- the opt-in ----------------------------------------------------------------------------------------------------

@test "task_results takes no rows before taskresults_writable(1), and none after taskresults_writable(0)" {
  local row="INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
  assert_sql_error 'to INSERT, first allow it on this connection: SELECT taskresults_writable(1)' "$row"
  assert_sql_error 'first allow it' 'SELECT taskresults_writable(1)' 'SELECT taskresults_writable(0)' "$row"
  assert_sql_error 'first allow it' 'CREATE VIRTUAL TABLE temp.t USING task_results' \
    "INSERT INTO t(job_id, success) VALUES ('a', 1)"
  [[ -z $(ls -A "$results") ]]
}

@test "taskresults_writable() without an argument returns the setting; it takes only 0 and 1" {
  assert_rows $'0\n1\n1\n0\n0' 'SELECT taskresults_writable()' 'SELECT taskresults_writable(1)' \
    'SELECT taskresults_writable()' "SELECT taskresults_writable('0')" 'SELECT taskresults_writable()'
  local value
  for value in NULL 2 "'yes'" 0.5 "x'31'"; do
    assert_sql_error 'taskresults_writable: the argument must be 0 or 1' "SELECT taskresults_writable($value)"
  done
}

@test "a table with arguments needs no opt-in, and does not opt in for task_results" {
  local table="CREATE VIRTUAL TABLE temp.t USING task_results(sync=data)"
  sql "$table" "INSERT INTO t(job_id, success) VALUES ('a', 1)"
  assert_rows 1 'SELECT count(*) FROM task_results'
  assert_sql_error 'first allow it' "$table" "INSERT INTO t(job_id, success) VALUES ('a', 1)" \
    "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
}

@test "a hostile database's triggers and views write nothing and cannot opt in" {
  local database=$BATS_TEST_TMPDIR/hostile.db
  mkdir "$results/stolen"
  sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" "$database" "
    CREATE VIRTUAL TABLE theirs USING task_results(dir='$results/stolen');
    CREATE TABLE one(x); CREATE TABLE two(x); CREATE TABLE three(x); CREATE TABLE four(x);
    CREATE TRIGGER t1 AFTER INSERT ON one BEGIN INSERT INTO task_results(job_id, success) VALUES ('evil', 1); END;
    CREATE TRIGGER t2 AFTER INSERT ON two BEGIN SELECT taskresults_writable(1); END;
    CREATE TRIGGER t3 AFTER INSERT ON three BEGIN INSERT INTO theirs(job_id, success) VALUES ('evil', 1); END;
    CREATE TRIGGER t4 AFTER INSERT ON four WHEN taskresults_writable(1) BEGIN SELECT 1; END;
    CREATE VIEW five AS SELECT taskresults_writable(1) AS x;
    CREATE TABLE six(x, y AS (x))"
  attack() {
    run sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" "$database" 'PRAGMA trusted_schema=ON' "$2"
    [[ $status -ne 0 && $output == *"$1"* ]] || { echo "$2: $output"; return 1; }
  }
  attack 'first allow it on this connection' 'INSERT INTO one VALUES (1)'
  attack 'unsafe use of taskresults_writable()' 'INSERT INTO two VALUES (1)'
  # Before 3.40, SQLite lets a trigger write into it. So there, it needs the opt-in.
  local refusal='unsafe use of virtual table "theirs"'
  (($(sqlite_version_number) >= 3040000)) || refusal='first allow it on this connection'
  attack "$refusal" 'INSERT INTO three VALUES (1)'
  attack 'unsafe use of taskresults_writable()' 'INSERT INTO four VALUES (1)'
  attack 'unsafe use of taskresults_writable()' 'SELECT * FROM five'
  [[ -z $(find "$results" -name '*.jsonl') ]]
  # The same trigger does write once the application has opted in. So the refusals above have the right cause.
  sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" "$database" 'PRAGMA trusted_schema=ON' 'SELECT taskresults_writable(1)' \
    'INSERT INTO one VALUES (1)'
  [[ -s $results/evil.jsonl ]]
}

# --- transactions --------------------------------------------------------------------------------------------------

@test "nothing is in the file until COMMIT, and a transaction does not see its own rows" {
  run sql 'SELECT taskresults_writable(1)' BEGIN "INSERT INTO task_results(job_id, success) VALUES ('a', 1)" \
    ".shell ls '$results'" 'SELECT count(*) FROM task_results' COMMIT 'SELECT count(*) FROM task_results'
  [[ $status -eq 0 && $output == $'1\n0\n1' ]]
}

@test "ROLLBACK leaves no trace, not even a file" {
  insert BEGIN "INSERT INTO task_results(job_id, success) VALUES ('a', 1), ('b', 1)" ROLLBACK
  [[ -z $(ls -A "$results") ]]
}

@test "a connection that is closed inside a transaction leaves no trace" {
  insert BEGIN "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
  [[ -z $(ls -A "$results") ]]
}

@test "the rows of a job are written by one write(2), in their order" {
  insert BEGIN "INSERT INTO task_results(job_id, success, output) VALUES ('a', 1, 1), ('b', 1, 2), ('a', 1, 3)" \
    "INSERT INTO task_results(job_id, success, output) VALUES ('b', 1, 4), ('a', 1, 5)" COMMIT
  [[ $(outputs a b) == $'1\n3\n5\n2\n4' ]]
}

@test "ROLLBACK TO takes back what came after the savepoint, RELEASE keeps it" {
  local row="INSERT INTO task_results(job_id, success, output) VALUES ('a', 1,"
  insert BEGIN "$row 1)" 'SAVEPOINT x' "$row 2)" 'SAVEPOINT y' "$row 3)" 'ROLLBACK TO y' "$row 4)" 'RELEASE y' \
    'ROLLBACK TO x' "$row 5)" COMMIT
  [[ $(outputs a) == $'1\n5' ]]
}

@test "ROLLBACK TO the savepoint that opened the transaction takes back everything" {
  local row="INSERT INTO task_results(job_id, success, output) VALUES ('a', 1,"
  insert 'SAVEPOINT x' "$row 1)" 'SAVEPOINT y' "$row 2)" 'ROLLBACK TO x' "$row 3)" 'RELEASE x'
  [[ $(outputs a) == 3 ]]
}

@test "ROLLBACK TO a savepoint older than the first row takes back everything" {
  local row="INSERT INTO task_results(job_id, success, output) VALUES ('a', 1,"
  insert BEGIN 'SAVEPOINT x' 'SAVEPOINT y' 'SAVEPOINT z' "$row 1)" 'RELEASE z' 'ROLLBACK TO x' "$row 2)" COMMIT
  [[ $(outputs a) == 2 ]]
}

@test "a statement that fails at its third row leaves out the first two, and the transaction goes on" {
  run_all 2>"$BATS_TEST_TMPDIR/errors" <<'SQL'
SELECT taskresults_writable(1);
BEGIN;
INSERT INTO task_results(job_id, success, output) VALUES ('a', 1, 'before');
INSERT INTO task_results(job_id, success, output) VALUES ('a', 1, 1), ('b', 1, 2), ('a', 7, 3);
INSERT INTO task_results(job_id, success, output) VALUES ('a', 1, 'after');
COMMIT;
INSERT INTO task_results(job_id, success, output) VALUES ('a', 1, 4), ('a', 7, 5);
INSERT OR FAIL INTO task_results(job_id, success, output) VALUES ('a', 1, 6), ('a', 7, 7);
INSERT OR IGNORE INTO task_results(job_id, success, output) VALUES ('a', 1, 8), ('a', 7, 9);
SQL
  [[ $(grep -c 'success must be 0 or 1' "$BATS_TEST_TMPDIR/errors") -eq 4 ]]
  [[ $(outputs a b) == $'before\nafter' ]]
}

@test "1,500 random transactions leave the same rows as in an ordinary table" {
  python3 "$root/tests/live/transactions.py" 1500 >"$BATS_TEST_TMPDIR/transactions.sql"
  run_all <"$BATS_TEST_TMPDIR/transactions.sql" >"$BATS_TEST_TMPDIR/answers" 2>"$BATS_TEST_TMPDIR/errors"
  grep ': ours' "$BATS_TEST_TMPDIR/answers" | cut -c 1-500 | head -n 3
  [[ $(grep -c '^same$' "$BATS_TEST_TMPDIR/answers") -eq 1501 ]]
  [[ $(tail -n 1 "$BATS_TEST_TMPDIR/answers") =~ ^[0-9]{4,}\ rows$ ]]
  (($(grep -c 'CHECK constraint' "$BATS_TEST_TMPDIR/errors") > 100))
}

@test "a COMMIT that fails because the database is locked can be repeated, and writes the rows once" {
  run_in_host <<PYTHON
import sqlite3, os
path = "$BATS_TEST_TMPDIR/main.db"
db = connect(path)
other = sqlite3.connect(path, isolation_level=None, timeout=0)
db.execute("PRAGMA busy_timeout = 0")
db.execute("CREATE TABLE t(x)")
db.execute("SELECT taskresults_writable(1)")
other.execute("BEGIN")
other.execute("SELECT * FROM t").fetchall()
db.execute("BEGIN")
db.execute("INSERT INTO t VALUES (1)")
db.execute("INSERT INTO task_results(job_id, success, output) VALUES ('a', 1, 'once')")
for attempt in range(3):
    try:
        db.execute("COMMIT")
        raise SystemExit("not locked")
    except sqlite3.OperationalError as error:
        assert "locked" in str(error), error
other.execute("COMMIT")
db.execute("INSERT INTO task_results(job_id, success, output) VALUES ('a', 1, 'more')")
db.execute("COMMIT")
assert db.execute("SELECT group_concat(output) FROM task_results").fetchall() == [("once,more",)]
PYTHON
}

@test "after such a COMMIT, ROLLBACK TO an older savepoint keeps what it wrote, and takes back later rows" {
  run_in_host <<PYTHON
import sqlite3
path = "$BATS_TEST_TMPDIR/main.db"
db = connect(path)
other = sqlite3.connect(path, isolation_level=None, timeout=0)
db.execute("PRAGMA busy_timeout = 0")
db.execute("CREATE TABLE t(x)")
db.execute("SELECT taskresults_writable(1)")
other.execute("BEGIN")
other.execute("SELECT * FROM t").fetchall()
row = "INSERT INTO task_results(job_id, success, output) VALUES ('a', 1, ?)"
db.execute("BEGIN")
db.execute("INSERT INTO t VALUES (1)")
db.execute(row, ("first",))
db.execute("SAVEPOINT x")
try:
    db.execute("COMMIT")
    raise SystemExit("not locked")
except sqlite3.OperationalError as error:
    assert "locked" in str(error), error
db.execute(row, ("later",))
db.execute("ROLLBACK TO x")
other.execute("COMMIT")
db.execute("COMMIT")
assert db.execute("SELECT group_concat(output) FROM task_results").fetchall() == [("first",)]
PYTHON
}

@test "a table made in the same transaction takes rows only after COMMIT" {
  local table="CREATE VIRTUAL TABLE temp.t USING task_results(dir='$results')"
  local row="INSERT INTO t(job_id, success) VALUES ('a', 1)"
  assert_sql_error 'this table was made in the same transaction; COMMIT before the first INSERT' BEGIN "$table" "$row"
  sql BEGIN "$table" COMMIT "$row"
  assert_rows 1 'SELECT count(*) FROM task_results'
}

@test "DROP TABLE is refused while rows wait for the COMMIT" {
  local table="CREATE VIRTUAL TABLE temp.t USING task_results(dir='$results')"
  local row="INSERT INTO t(job_id, success) VALUES ('a', 1)"
  assert_sql_error locked "$table" BEGIN "$row" 'DROP TABLE t'
  sql "$table" BEGIN "$row" ROLLBACK 'DROP TABLE t'
  sql "$table" "$row" 'DROP TABLE t'
  assert_rows 1 'SELECT count(*) FROM task_results'
}

@test "all rows of a transaction go into the directory that was set at its first row" {
  run_in_host <<PYTHON
import os
first, second = "$results", "$BATS_TEST_TMPDIR/second"
os.mkdir(second)
db.execute("SELECT taskresults_writable(1)")
row = "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
db.execute("BEGIN")
db.execute(row)
os.environ["SCHEDULER_RESULTS_DIR"] = second
db.execute(row)
db.execute("COMMIT")
assert len(open(first + "/a.jsonl").readlines()) == 2
db.execute(row)
assert len(open(second + "/a.jsonl").readlines()) == 1
PYTHON
}

@test "INSERT takes the write lock of main: in a read-only database it fails, and a temp table needs none" {
  sqlite3 -batch -init /dev/null "$BATS_TEST_TMPDIR/main.db" 'CREATE TABLE t(x)'
  run sqlite3 -readonly -batch -bail -init /dev/null -cmd ".load $extension" "$BATS_TEST_TMPDIR/main.db" \
    'SELECT taskresults_writable(1)' "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
  [[ $status -ne 0 && $output == *'attempt to write a readonly database'* ]]
  sqlite3 -readonly -batch -bail -init /dev/null -cmd ".load $extension" "$BATS_TEST_TMPDIR/main.db" \
    "CREATE VIRTUAL TABLE temp.t USING task_results(dir='$results')" "INSERT INTO t(job_id, success) VALUES ('a', 1)"
  assert_rows 1 'SELECT count(*) FROM task_results'
}

@test "RETURNING gives the values of the INSERT, changes() counts the rows, last_insert_rowid() is not the rowid of a record" {
  make_job a 1
  assert_rows $'1\n|b|1|x|-1\n1|-1|0' 'SELECT taskresults_writable(1)' \
    "INSERT INTO task_results(job_id, success, output) VALUES ('b', 1, 'x')
       RETURNING ifnull(timestamp, ''), job_id, success, output, rowid" \
    'SELECT changes(), last_insert_rowid(), (SELECT count(*) FROM task_results WHERE rowid = last_insert_rowid())'
}

# --- options -------------------------------------------------------------------------------------------------------

@test "sync, as an argument or in TASKRESULTS_SYNC, takes off and data, and nothing else" {
  assert_sql_error "sync: 'full' is neither off nor data" 'CREATE VIRTUAL TABLE temp.t USING task_results(sync=full)'
  TASKRESULTS_SYNC=on assert_sql_error "TASKRESULTS_SYNC: 'on' is neither off nor data" \
    'SELECT taskresults_writable(1)' "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
  TASKRESULTS_SYNC=on assert_rows 0 'SELECT count(*) FROM task_results'
}
