#!/usr/bin/env bats
# A database file that somebody else made: what its views, triggers, constraints and names can do to the files that the
# extension reads and writes. Each test shows that an attack is refused, or ("what remains") what is still possible.

load ../lib/helpers

setup_hostile() {
  hostile=$BATS_TEST_TMPDIR/hostile.db
  mkdir "$BATS_TEST_TMPDIR/private"
  make_job own 2
  mv "$results/own.jsonl" "$BATS_TEST_TMPDIR/private/secret.jsonl"
  make_job own 3
  cp -a "$results" "$BATS_TEST_TMPDIR/before"
}

# made_by_them STATEMENT... - makes the database file, as an attacker who has the extension. The sqlite3 program may refuse
# what is in it only when it is used.
made_by_them() {
  rm -f "$hostile"
  sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" "$hostile" "$@"
}

# opened STATEMENT... - what happens to a user who opens it and trusts its schema. That is the library's default, and was
# that of older sqlite3 programs (of 3.44.2, not of 3.52.0).
opened() {
  run sqlite3 -batch -bail -init /dev/null -nullvalue NULL -cmd ".load $extension" "$hostile" 'PRAGMA trusted_schema=ON' "$@"
}

refused() {
  local words=$1
  shift
  opened "$@"
  [[ $status -ne 0 && $output == *"$words"* ]] || { printf '%s\nwanted: %s\ngot %s: %s\n' "$*" "$words" "$status" "$output"; return 1; }
}

nothing_changed() {
  diff -r "$BATS_TEST_TMPDIR/before" "$results"
  [[ $(ls -A "$BATS_TEST_TMPDIR") == "$(printf '%s\n' before hostile.db private results)" ]]
}

# Every function that acts on files. A schema must not be able to call any.
acting=("taskresults_prune('own', 'keep', 1)" "taskresults_prune_all('keep', 1)" 'taskresults_writable(1)'
  "taskresults_seal('own')" "taskresults_index('drop')"
  'taskresults_writable()' "taskresults_export_csv('stolen.csv', 'SELECT 1')")
# Those, and the functions that read files whose path is an argument.
direct=("${acting[@]}" "taskresults_policy('private/secret', 'own')" "taskresults_verify('own')")
# Registered in the same way as one of them.
alike=(taskresults_seal_all taskresults_seal_sign taskresults_verify_all)

@test "no function that acts on files can be called from a view, a trigger of any kind, or a view inside a view" {
  setup_hostile
  cd "$BATS_TEST_TMPDIR"
  local call trust
  for call in "${direct[@]}"; do
    made_by_them "CREATE TABLE t(x); CREATE TABLE u(x); CREATE VIEW v AS SELECT 1 AS x UNION SELECT $call;
      CREATE VIEW w AS SELECT x FROM v WHERE x; CREATE VIEW i AS SELECT 1 AS x;
      CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT $call; END;
      CREATE TRIGGER b BEFORE UPDATE ON t BEGIN SELECT $call; END;
      CREATE TRIGGER c INSTEAD OF INSERT ON i BEGIN INSERT INTO u SELECT $call; END;
      CREATE TRIGGER d AFTER DELETE ON t WHEN $call BEGIN SELECT 1; END;
      INSERT INTO u VALUES (1)"
    for trust in ON OFF; do
      for statement in 'SELECT * FROM v' 'SELECT * FROM w' 'INSERT INTO t VALUES (1)' 'INSERT INTO i VALUES (1)' \
        'UPDATE t SET x = 2' 'DELETE FROM t'; do
        refused "unsafe use of ${call%%(*}()" "PRAGMA trusted_schema=$trust" "$statement"
      done
    done
    nothing_changed
  done
}

@test "no function that acts on files can be called from a default, a check, a generated column or an index" {
  setup_hostile
  cd "$BATS_TEST_TMPDIR"
  local call place statement
  for call in "${direct[@]}"; do
    for place in "CREATE TABLE t(x, y DEFAULT ($call))" "CREATE TABLE t(x CHECK ($call))" "CREATE TABLE t(x, y AS ($call))" \
      "CREATE TABLE t(x, y AS ($call) STORED)" "CREATE TABLE t(x); CREATE INDEX i ON t($call)" \
      "CREATE TABLE t(x); CREATE INDEX i ON t(x) WHERE $call"; do
      # An attacker can write a schema into the file that sqlite3 itself would refuse to make.
      made_by_them 'CREATE TABLE keep(x)'
      run python3 - "$hostile" "$place" <<'PYTHON'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for number, text in enumerate(sys.argv[2].split("; "), 2):
    db.execute("CREATE TABLE t(x, y)" if text.startswith("CREATE TABLE") else "CREATE INDEX i ON t(x)")
db.execute("PRAGMA writable_schema = ON")
for text in sys.argv[2].split("; "):
    db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (text, text.split()[2].split("(")[0]))
PYTHON
      [[ $status -eq 0 ]]
      for statement in 'INSERT INTO t(x) VALUES (1)' 'SELECT * FROM t' 'REINDEX'; do
        opened "$statement"
        [[ $output != *'"job_id"'* ]] || { echo "$place, $statement: $output"; return 1; }
      done
      refused '' 'INSERT INTO t(x) VALUES (1)'
      nothing_changed
    done
  done
}

@test "no function acts while a statement is prepared or explained, a hostile view's or the user's; it acts when the statement runs" {
  setup_hostile
  cd "$BATS_TEST_TMPDIR"
  local call
  for call in "${direct[@]}"; do
    # While it prepares, a SQLite built with STAT4 evaluates constants to estimate rows (tests/matrix/sqlite builds such ones).
    made_by_them 'CREATE TABLE t(x); CREATE TABLE u(x); CREATE INDEX i ON t(x);
      WITH n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000) INSERT INTO t SELECT n % 50 FROM n; ANALYZE' \
      "CREATE VIEW v AS SELECT * FROM t WHERE x = $call" \
      "CREATE TRIGGER a AFTER INSERT ON u BEGIN DELETE FROM t WHERE x = $call; END"
    for statement in 'SELECT * FROM v' 'EXPLAIN SELECT * FROM v' 'INSERT INTO u VALUES (1)'; do
      refused "unsafe use of ${call%%(*}()" "$statement"
    done
    opened "EXPLAIN SELECT * FROM t WHERE x = $call"
    if [[ $status -ne 0 ]]; then [[ $output == *'cannot be called while a statement is prepared' ]]; fi
    nothing_changed
  done
  opened "SELECT count(*) FROM t WHERE x = (SELECT taskresults_prune('own', 'keep', 1))"
  [[ $output == 0 && $(wc -l <"$results/own.jsonl") -eq 1 ]]
}

@test "views and triggers cannot use a table that names a path, whether the schema is trusted or not" {
  setup_hostile
  local trust table
  for table in "task_results(dir='$BATS_TEST_TMPDIR/private')" "task_rejects(dir='$BATS_TEST_TMPDIR/private')" \
    "task_stats(dir='$BATS_TEST_TMPDIR/private', logs='$BATS_TEST_TMPDIR/private')" "task_errors(dir='$BATS_TEST_TMPDIR/private')" \
    "task_logs(dir='$BATS_TEST_TMPDIR/private')" "task_jobs(file='/etc/passwd')" \
    "task_runs(dir='$BATS_TEST_TMPDIR/private', logs='$BATS_TEST_TMPDIR/private')"; do
    made_by_them "CREATE VIRTUAL TABLE theirs USING $table" 'CREATE TABLE t(x); CREATE TABLE log(x);
      CREATE VIEW v AS SELECT * FROM theirs; CREATE VIEW i AS SELECT 1 AS x;
      CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO log SELECT job_id FROM theirs; END;
      CREATE TRIGGER b INSTEAD OF INSERT ON i BEGIN INSERT INTO log SELECT job_id FROM theirs; END'
    for trust in ON OFF; do
      for statement in 'SELECT * FROM v' 'INSERT INTO t VALUES (1)' 'INSERT INTO i VALUES (1)'; do
        refused 'unsafe use of virtual table "theirs"' "PRAGMA trusted_schema=$trust" "$statement"
      done
    done
    opened 'SELECT count(*) FROM log'
    [[ $output == 0 ]]
  done
  nothing_changed
}

@test "opening the file, listing its tables and dropping them reads no path and touches no file" {
  setup_hostile
  made_by_them "CREATE VIRTUAL TABLE a USING task_results(dir='$BATS_TEST_TMPDIR/private')" \
    "CREATE VIRTUAL TABLE b USING task_jobs(file='$BATS_TEST_TMPDIR/private/secret.jsonl')"
  opened '.tables' 'PRAGMA table_info(a)' 'DROP TABLE a' 'DROP TABLE b' 'SELECT count(*) FROM sqlite_schema'
  [[ $status -eq 0 && ${lines[-1]} == 0 ]]
  [[ -s $BATS_TEST_TMPDIR/private/secret.jsonl ]]
  nothing_changed
}

@test "a trigger cannot write records, through the eponymous table or one of its own, until the user opts in" {
  setup_hostile
  made_by_them "CREATE VIRTUAL TABLE theirs USING task_results(dir='$BATS_TEST_TMPDIR/private')" \
    "CREATE TABLE t(x); CREATE TABLE u(x); CREATE VIEW i AS SELECT 1 AS x;
    CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO task_results(job_id, success) VALUES ('evil', 1); END;
    CREATE TRIGGER b AFTER INSERT ON u BEGIN INSERT INTO theirs(job_id, success) VALUES ('evil', 1); END;
    CREATE TRIGGER c INSTEAD OF INSERT ON i BEGIN INSERT OR REPLACE INTO task_results(job_id, success) VALUES ('evil', 1); END"
  refused 'first allow it on this connection' 'INSERT INTO t VALUES (1)'
  # Before 3.40, SQLite lets a trigger write into any virtual table. So there, every table needs the opt-in.
  local refusal='unsafe use of virtual table "theirs"' checks_writes=$(($(sqlite_version_number) >= 3040000))
  ((checks_writes)) || refusal='first allow it on this connection'
  refused "$refusal" 'INSERT INTO u VALUES (1)'
  refused 'first allow it on this connection' 'INSERT INTO i VALUES (1)'
  if ((checks_writes)); then
    refused 'unsafe use of virtual table "task_results"' 'SELECT taskresults_writable(1)' 'PRAGMA trusted_schema=OFF' \
      'INSERT INTO t VALUES (1)'
  fi
  nothing_changed
  opened 'SELECT taskresults_writable(1)' 'INSERT INTO t VALUES (1)' # which is what the opt-in means
  [[ $status -eq 0 && -s $results/evil.jsonl ]]
}

@test "what remains: a schema can read the tables without arguments, unless it is not trusted" {
  setup_hostile
  made_by_them 'CREATE TABLE t(x); CREATE TABLE log(x); CREATE VIEW v AS SELECT count(*) AS n FROM task_results;
    CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO log SELECT output FROM task_results; END;
    CREATE VIEW s AS SELECT taskresults_signature(x) AS x FROM t'
  opened 'SELECT * FROM v' 'INSERT INTO t VALUES (1)' 'SELECT count(*) FROM log' 'SELECT * FROM s'
  [[ $status -eq 0 && $output == $'3\n3\n<n>' ]]
  refused 'unsafe use of virtual table "task_results"' 'PRAGMA trusted_schema=OFF' 'SELECT * FROM v'
  refused 'unsafe use of virtual table "task_results"' 'PRAGMA trusted_schema=OFF' 'INSERT INTO t VALUES (1)'
  opened 'PRAGMA trusted_schema=OFF' 'SELECT * FROM s' # acts on nothing, so it is innocuous
  [[ $status -eq 0 ]]
}

@test "what remains: the file's table or view with the name of ours hides ours; one in temp hides the file's" {
  setup_hostile
  made_by_them "CREATE TABLE task_stats(job_id, runs); INSERT INTO task_stats VALUES ('forged', 7)" \
    "CREATE VIEW task_rejects AS SELECT 'forged' AS job_id" \
    "CREATE VIRTUAL TABLE task_results USING task_results(dir='$BATS_TEST_TMPDIR/private')"
  opened 'SELECT job_id FROM task_stats' 'SELECT job_id FROM task_rejects' 'SELECT count(*) FROM task_results'
  [[ $output == $'forged\nforged\n2' ]]
  opened 'CREATE VIRTUAL TABLE temp.task_results USING task_results(sync=off)' 'SELECT count(*) FROM task_results' \
    'CREATE VIRTUAL TABLE temp.task_stats USING task_stats(max_line=1048576)' 'SELECT job_id, runs FROM task_stats'
  [[ $output == $'3\nown|3' ]]
}

@test "the commands open no database and read no start-up file, so none of this can reach them" {
  setup_hostile
  made_by_them "CREATE TABLE task_stats(job_id, runs); INSERT INTO task_stats VALUES ('forged', 7)"
  cd "$BATS_TEST_TMPDIR"
  mkdir home
  printf '.open %s\n.shell touch pwned\n' "$hostile" >home/.sqliterc
  run env HOME="$BATS_TEST_TMPDIR/home" "$root/shell/taskresults" list --csv
  [[ $status -eq 0 && $output == *own,3,* && $output != *forged* && ! -e pwned ]]
}

# --- statements of visitors -------------------------------------------------------------------------------------------

# visited ENTRY_POINT STATEMENT... - a host loads the extension by that entry point, and runs a visitor's statements.
visited() {
  local entry_point=$1
  shift
  run sqlite3 -batch -bail -init /dev/null -nullvalue NULL -cmd ".load $extension $entry_point" :memory: "$@"
}

@test "PRAGMA query_only: functions with side effects are refused, reading works" {
  setup_hostile
  cd "$BATS_TEST_TMPDIR"
  : >hostile.db
  local call
  for call in "${acting[@]}" 'taskresults_writable(0)'; do
    visited sqlite3_taskresults_init 'PRAGMA query_only=1' "SELECT $call"
    if [[ $call == 'taskresults_writable()' ]]; then
      [[ $status -eq 0 && $output == 0 ]]
    else
      [[ $status -ne 0 && $output == *'refused under PRAGMA query_only'* ]]
    fi
    nothing_changed
  done
  local statement insert="(job_id, success) VALUES ('own', 1)"
  for statement in "INSERT INTO task_results$insert" "INSERT INTO temp.r$insert" 'INSERT INTO t VALUES (1)' \
    "CREATE VIRTUAL TABLE temp.p USING task_results(dir='private')"; do
    visited sqlite3_taskresults_init "PRAGMA trusted_schema=ON; SELECT taskresults_writable(1); CREATE TABLE t(x);
      CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO task_results$insert; END;
      CREATE VIRTUAL TABLE temp.r USING task_results(dir='$results')" 'PRAGMA query_only=1' \
      'SELECT count(*) FROM task_results' "$statement"
    [[ $status -ne 0 && $output == *'attempt to write a readonly database'* && $output == *3* ]]
  done
  nothing_changed
  visited sqlite3_taskresults_init 'PRAGMA query_only=1' 'PRAGMA query_only=0' "SELECT taskresults_prune('own', 'keep', 1)"
  [[ $status -eq 0 && $(wc -l <"$results/own.jsonl") -eq 1 ]]
}

@test "loaded read-only: no function with side effects, no INSERT, no path; reading works" {
  setup_hostile
  cd "$BATS_TEST_TMPDIR"
  : >hostile.db
  local call table
  for call in "${acting[@]}"; do
    visited sqlite3_taskresults_readonly_init "SELECT $call"
    [[ $status -ne 0 && $output == *"no such function: ${call%%(*}"* ]]
  done
  for table in "task_results(dir='private')" "task_results( DIR = \"private\" )" 'task_rejects(max_line=9, dir=private)' 'task_lines(dir=private)' \
    'task_prunes(dir=private)' 'task_days(dir=private)' 'task_stats(dir=private)' 'task_errors(dir=private)' 'task_logs(dir=private)' 'task_runs(dir=private)' \
    'task_runs(logs=private)' 'task_stats(logs=private)' 'task_slots(file=private/jobs.json)' 'task_slots(logs=private)' 'task_slots(results=private)' 'task_jobs(file=private/jobs.json)' 'task_jobs(results=private)'; do
    visited sqlite3_taskresults_readonly_init "CREATE VIRTUAL TABLE temp.p USING $table" 'SELECT * FROM p'
    [[ $status -ne 0 && $output == *'= is refused, because taskresults was loaded read-only'* ]]
  done
  visited sqlite3_taskresults_readonly_init "INSERT INTO task_results(job_id, success) VALUES ('own', 1)"
  [[ $status -ne 0 && $output == *'may not be modified'* ]]
  nothing_changed
  visited sqlite3_taskresults_readonly_init "CREATE VIRTUAL TABLE temp.r USING task_results(max_line=50)" \
    "SELECT (SELECT count(*) FROM task_results('own')), (SELECT count(*) FROM r), (SELECT runs FROM task_stats),
      (SELECT count(*) FROM task_rejects), taskresults_signature('line 12'), taskresults_version() IS NOT NULL"
  [[ $status -eq 0 && $output == '3|0|3|0|line <n>|1' ]]
}

# A new function must be on one of two lists: functions with side effects, or functions that visitors may call.
@test "a normal load adds the functions that only direct statements may call, and no others" {
  local names="SELECT DISTINCT name FROM pragma_function_list WHERE name LIKE 'taskresults%' ORDER BY name"
  visited sqlite3_taskresults_init "$names"
  local with=$output
  visited sqlite3_taskresults_readonly_init "$names"
  [[ $(comm -23 <(echo "$with") <(echo "$output")) == $(printf '%s\n' "${direct[@]%%(*}" "${alike[@]}" | sort -u) ]]
  [[ -z $(comm -13 <(echo "$with") <(echo "$output")) ]]
}

@test "the first load of a connection decides, read-only or not" {
  visited sqlite3_taskresults_init ".load $extension sqlite3_taskresults_readonly_init"
  [[ $output == *'loaded here already, with the power to act'* ]]
  visited sqlite3_taskresults_readonly_init ".load $extension"
  [[ $output == *'loaded here already, without the power to act'* ]]
  visited sqlite3_taskresults_readonly_init ".load $extension sqlite3_taskresults_readonly_init" 'SELECT 1'
  [[ $output == 1 ]]
}
