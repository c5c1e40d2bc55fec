#!/usr/bin/env bats
# taskresults import: rows of other schedulers' databases, each once.

# shellcheck disable=SC2154,SC2030,SC2031  # helpers.bash and bats set them; tests are subshells

load ../../lib/helpers
load ../../lib/shell

eval "helpers_$(declare -f setup)"
setup() {
  helpers_setup
  source=$BATS_TEST_TMPDIR/source.db
  export SCHEDULER_RESULTS_DIR=$results
}

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# in_source SQL... - changes the source, as its own program would.
in_source() {
  sqlite3 -batch -init /dev/null "$source" "$@"
}

import() {
  taskresults import --from "$source" "$@"
}

# records - what is in the files, one record a line.
records() {
  sql "SELECT job_id, job_name, success, timestamp, output, error FROM task_results ORDER BY job_id, rowid"
}

# make_runs ROWS - a table for --query, with the VALUES; `query` reads it.
query='SELECT job AS job_id, name AS job_name, ok AS success, log AS output, err AS error, ended AS finished, id AS key FROM runs'
make_runs() {
  in_source "CREATE TABLE runs(id, job, name, ok, log, err, ended); INSERT INTO runs VALUES $1"
}

# import_until_append OPTION... - an import whose sqlite3 program ends just before it appends: the batch is on its way.
import_until_append() {
  local program=$BATS_TEST_TMPDIR/until_append
  cat >"$program" <<'END'
#!/bin/bash
[[ " $* " == *" file:"* ]] || exec sqlite3 "$@"
exec sqlite3 "$@" < <(sed '/TABLE temp.import_results/,$d')
END
  chmod +x "$program"
  TASKRESULTS_SQLITE3=$program run import "$@"
  [[ $status == 3 && $output == *'ended too early' ]] || { echo "$status: $output"; return 1; }
}

make_hermes() {
  in_source "CREATE TABLE executions (id TEXT PRIMARY KEY, job_id TEXT NOT NULL, source TEXT NOT NULL, process_id TEXT NOT NULL,
      pid INTEGER NOT NULL, status TEXT NOT NULL, claimed_at TEXT NOT NULL, started_at TEXT, finished_at TEXT, error TEXT);
    INSERT INTO executions VALUES
      ('b', 'mail', 'builtin', 'p', 1, 'completed', '', '', '2026-11-01T10:00:00.123456+01:00', NULL),
      ('a', 'mail', 'builtin', 'p', 1, 'failed', '', '', '2026-11-01T11:00:00+01:00', 'RuntimeError: no network'),
      ('c', 'mail', 'builtin', 'p', 1, 'running', '', '', NULL, NULL),
      ('d', 'mail', 'builtin', 'p', 1, 'claimed', '', NULL, NULL, NULL),
      ('e', 'news', 'builtin', 'p', 1, 'unknown', '', '', '2026-11-01T12:00:00', 'Scheduler restarted')"
}

@test "hermes: finished runs alone, in the order of their ends, with the times in UTC; again, only what is new" {
  make_hermes
  run import --preset hermes
  assert_output '3 rows imported'
  [[ $(records) == 'mail|mail|1|2026-11-01T09:00:00.123456Z||
mail|mail|0|2026-11-01T10:00:00.000000Z||RuntimeError: no network
news|news|0|2026-11-01T12:00:00.000000Z||Scheduler restarted' ]] || { records; return 1; }
  local before
  before=$(stat -c '%i %y' "$results/.taskresults/imported/hermes.db" "$results"/*.jsonl)
  run import --preset hermes
  assert_output '0 rows imported'
  [[ $(stat -c '%i %y' "$results/.taskresults/imported/hermes.db" "$results"/*.jsonl) == "$before" ]] # it wrote nothing
  # A run that ended before others which were imported, and its scheduler forgets old ones.
  in_source "UPDATE executions SET status = 'completed', finished_at = '2026-11-01T09:30:00+01:00' WHERE id = 'c';
    DELETE FROM executions WHERE id = 'b'"
  run import --preset hermes --quiet
  assert_output ''
  [[ $(records | wc -l) == 4 && $(records) == *'mail|mail|1|2026-11-01T08:30:00.000000Z||'* ]]
}

@test "openclaw: runs of cron in task_runs, without those that were skipped or had nothing to do" {
  in_source "CREATE TABLE task_runs (task_id TEXT NOT NULL PRIMARY KEY, runtime TEXT NOT NULL, source_id TEXT, status TEXT NOT NULL,
      started_at INTEGER, ended_at INTEGER, error TEXT, terminal_summary TEXT, detail_json TEXT);
    INSERT INTO task_runs VALUES
      ('1', 'cron', 'brief', 'succeeded', 0, 1770000000123, NULL, 'Sent.', '{\"kind\": \"cron-run\", \"status\": \"ok\"}'),
      ('2', 'cron', 'brief', 'timed_out', 0, 1770000001000, NULL, NULL, NULL), ('3', 'cron', 'brief', 'lost', 0, 1770000002000, 'gone', NULL, '{'),
      ('4', 'cron', 'brief', 'failed', 0, 1770000003000, 'no', NULL, '{\"kind\": \"cron-run\", \"status\": \"skipped\"}'),
      ('5', 'cron', 'brief', 'succeeded', 0, 1770000004000, NULL, NULL, '{\"triggerFired\": false}'),
      ('6', 'cron', 'brief', 'running', 0, NULL, NULL, NULL, NULL), ('7', 'acp', 'brief', 'failed', 0, 1770000005000, 'x', NULL, NULL)"
  run import --preset openclaw
  assert_output '3 rows imported'
  [[ $(records) == 'brief|brief|1|2026-02-02T02:40:00.123000Z|Sent.|
brief|brief|0|2026-02-02T02:40:01.000000Z||timed_out
brief|brief|0|2026-02-02T02:40:02.000000Z||gone' ]] || { records; return 1; }
}

@test "openclaw-2026.6: cron_run_logs, also after a VACUUM, which renumbers rows" {
  in_source "CREATE TABLE cron_run_logs (store_key TEXT NOT NULL, job_id TEXT NOT NULL, seq INTEGER NOT NULL, ts INTEGER NOT NULL,
      status TEXT, error TEXT, summary TEXT, duration_ms INTEGER, entry_json TEXT NOT NULL, created_at INTEGER NOT NULL,
      PRIMARY KEY (store_key, job_id, seq));
    INSERT INTO cron_run_logs VALUES ('s', 'a', 1, 1770000000000, 'ok', NULL, 'one', 5, '{}', 0), ('s', 'a', 2, 1770000000000, 'ok', NULL, 'one', 5, '{}', 0),
      ('s', 'a', 3, 1770000001000, 'error', 'no', NULL, 5, '{}', 0), ('s', 'b', 1, 1770000002000, 'skipped', NULL, NULL, 5, '{}', 0)"
  run import --preset openclaw-2026.6
  assert_output '3 rows imported'
  in_source "DELETE FROM cron_run_logs WHERE seq = 1; VACUUM"
  run import --preset openclaw-2026.6
  assert_output '0 rows imported'
  [[ $(records) == 'a|a|1|2026-02-02T02:40:00.000000Z|one|
a|a|1|2026-02-02T02:40:00.000000Z|one|
a|a|0|2026-02-02T02:40:01.000000Z||no' ]]
}

@test "odd values: NULL, numbers, blobs, NUL, bytes that are not UTF-8, huge texts; seconds, milliseconds, microseconds" {
  make_runs "(1, 'a', NULL, 1, NULL, NULL, 1770000000), (2, 'a', '', 1, 12.5, x'6f6bff', 1770000000123), (3, 7, 'n', 0, 'a' || char(0) || 'b', '', 1770000000123456),
    (x'04', 'a', 'A', 1.0, replace(hex(zeroblob(6000)), '00', 'é'), CAST(x'c3' AS TEXT), '1770000001'), ('5', 'a', 'x', 0, zeroblob(3), 'e', 1770000002.25)"
  run import --query "$query"
  assert_output '5 rows imported'
  python3 - "$results" <<'PYTHON'
import json, sys
rows = {job: [json.loads(line) for line in open(f"{sys.argv[1]}/{job}.jsonl", encoding="utf-8")] for job in ("a", "7")}
a = rows["a"]
assert [row["timestamp"] for row in a] == ["2026-02-02T02:40:00.000000Z", "2026-02-02T02:40:00.123000Z", "2026-02-02T02:40:01.000000Z", "2026-02-02T02:40:02.250000Z"]
assert [row["job_name"] for row in a] == ["a", "a", "A", "x"]
assert [row["output"] for row in a] == ["", "12.5", "é" * 5000, "\0\0\0"]
assert [row["error"] for row in a] == ["", "ok\ufffd", "\ufffd", "e"]
assert rows["7"] == [{"timestamp": "2026-02-02T02:40:00.123456Z", "job_id": "7", "job_name": "n", "success": False, "output": "a\0b", "error": ""}]
PYTHON
  run import --query "$query"
  assert_output '0 rows imported'
}

@test "a row that cannot be a record is left out, and named once; the others are imported" {
  make_runs "(1, 'a', '', 1, '', '', 'soon'), (2, 'x/y', '', 1, '', '', 1770000000), (3, 'a', '', 2, '', '', 1770000000), (4, 'a', '', NULL, '', '', 1770000000),
    (NULL, 'a', '', 1, '', '', 1770000000), (6, 'a', '', 1, 'good', '', 1770000000), (7, x'61', '', 1, '', '', 1770000000), (8, '', '', 1, '', '', 1770000000),
    (9, 'a', '', 1, 'twice', '', 1770000000), (9, 'a', '', 1, 'twice', '', 1770000000), (10, CAST(x'ff' AS TEXT), '', 1, '', '', 1770000000), (11, 'a', '', 1, '', '', 9e20)"
  run import --query "$query"
  [[ $status == 1 && $output == *'left out 4 rows: job_id cannot name a file (key: 10)'* && $output == *'2 rows: success is neither 0 nor 1 (key: 3)'* &&
    $output == *"2 rows: finished is not a time (key: 1)"* && $output == *'1 row: key is NULL'* && $output == *'1 row: another row has its finish time and key (key: 9)'* &&
    $output == *$'\n2 rows imported' ]] || { echo "$status: $output"; return 1; }
  run import --query "$query"
  assert_output '0 rows imported'
  [[ $(sql "SELECT group_concat(output) FROM task_results") == good,twice ]]
}

@test "keys that the source takes for equal, or of another type, are different rows" {
  in_source "CREATE TABLE runs(id TEXT COLLATE NOCASE, job, name, ok, log, err, ended); INSERT INTO runs VALUES
    ('a', 'j', '', 1, '', '', 1770000000), ('A', 'j', '', 1, '', '', 1770000000)"
  run import --query "$query"
  assert_output '2 rows imported'
  run import --name keys --query "SELECT 'j' AS job_id, '' AS job_name, 1 AS success, '' AS output, '' AS error, 1770000000 AS finished, value AS key
    FROM json_each('[1, \"1\", 1]') ; "
  [[ $status == 1 && $output == *'another row has its finish time and key'*'2 rows imported' ]] || { echo "$output"; return 1; }
}

@test "the database is not changed, and is read while its program holds a transaction on a WAL database" {
  local before writer
  make_hermes
  in_source 'PRAGMA journal_mode=WAL' >"$BATS_TEST_TMPDIR/mode"
  before=$(sha256sum <"$source")
  mkfifo "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
  sqlite3 -batch -init /dev/null "$source" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- &
  writer=$!
  exec 7>"$BATS_TEST_TMPDIR/in" 8<"$BATS_TEST_TMPDIR/out"
  printf '%s\n' "BEGIN IMMEDIATE; INSERT INTO executions SELECT 'z', job_id, source, process_id, pid, status, '', '', finished_at, error FROM executions LIMIT 1; SELECT 1;" >&7
  read -r <&8
  run import --preset hermes
  assert_output '3 rows imported'
  printf '%s\n' 'COMMIT; SELECT 2;' >&7
  read -r <&8
  run import --preset hermes
  assert_output '1 row imported'
  [[ $(sha256sum <"$source") == "$before" ]]
  exec 7>&- 8<&-
  wait "$writer"
}

@test "a database that its program has locked is busy: 75, and the next import has the rows" {
  local writer
  make_hermes
  mkfifo "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
  sqlite3 -batch -init /dev/null "$source" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- &
  writer=$!
  exec 7>"$BATS_TEST_TMPDIR/in" 8<"$BATS_TEST_TMPDIR/out"
  printf '%s\n' 'BEGIN EXCLUSIVE; SELECT 1;' >&7
  read -r <&8
  run import --preset hermes
  [[ $status == 75 && $output == *"$source is locked by another program; try again later" ]]
  exec 7>&- 8<&-
  wait "$writer"
  run import --preset hermes
  assert_output '3 rows imported'
}

@test "a database that cannot be read without a change is named, and left as it is" {
  local before
  make_hermes
  cp "$source" "$BATS_TEST_TMPDIR/whole.db"
  python3 - "$BATS_TEST_TMPDIR/whole.db" "$source" <<'PYTHON'
import shutil, sqlite3, sys
whole, hot = sys.argv[1:]
db = sqlite3.connect(whole, isolation_level=None)
db.execute("PRAGMA cache_size=1")
db.execute("BEGIN")
db.execute("INSERT INTO executions SELECT value, hex(randomblob(3000)), '', '', 1, 'completed', '', '', '2026-11-01T00:00:00', '' FROM json_each('[1,2,3,4,5,6,7,8]')")
shutil.copy(whole, hot)
shutil.copy(whole + "-journal", hot + "-journal")
PYTHON
  before=$(sha256sum <"$source")
  run import --preset hermes
  [[ $status == 3 && $output == *"$source cannot be read without a change: its program ended in the middle of a write"* ]] || { echo "$output"; return 1; }
  [[ $(sha256sum <"$source") == "$before" && $(ls "$results") == '' ]]
  in_source 'SELECT count(*) FROM executions'
  run import --preset hermes
  assert_output '3 rows imported'
  printf 'x%.0s' {1..5000} >"$source"
  run import --preset hermes
  [[ $status == 3 && $output == *'is not a SQLite database' ]]
}

@test "two imports with one cursor do not run at once: 75; with another name, all rows are new" {
  make_hermes
  import --preset hermes
  exec 7>>"$results/.taskresults/imported/hermes.lock"
  flock 7
  run import --preset hermes 7>&-
  [[ $status == 75 && $output == *'another import is running with the cursor '*hermes.db ]]
  exec 7>&-
  run import --preset hermes --name again
  assert_output '3 rows imported'
  [[ $(records | wc -l) == 6 ]]
}

@test "what a source lacks is named by table and column; a preset that fits is named, too" {
  make_hermes
  run import --preset openclaw
  [[ $status == 3 && $output == *'the preset openclaw reads the table task_runs, which is not there;'*'the database fits --preset hermes' ]]
  in_source 'ALTER TABLE executions RENAME COLUMN error TO failure'
  run import --preset hermes
  [[ $status == 3 && $output == *'reads the column error of executions, which is not there; was that program updated?' ]]
  run import --query 'SELECT job_id, status AS success FROM executions'
  [[ $status == 3 && $output == *'no such column: '*'; the query has to have the columns job_id, job_name,'* ]]
  [[ $(ls "$results") == '' ]]
}

@test "what is called a table in the source may be a view, which calls nothing that acts" {
  in_source "CREATE VIEW executions AS SELECT 'x' AS job_id, 1 AS id, 'completed' AS status, 1770000000 AS finished_at,
    writefile('$BATS_TEST_TMPDIR/made', 'x') AS error"
  run import --preset hermes
  [[ $status == 3 && ! -e $BATS_TEST_TMPDIR/made ]]
  in_source "DROP VIEW executions; CREATE VIEW executions AS SELECT 'x' AS job_id, 1 AS id, 'completed' AS status, 1770000000 AS finished_at, readfile('/etc/passwd') AS error"
  run import --preset hermes
  [[ $status == 3 && $output == *'unsafe use of readfile'* ]]
  [[ $(ls "$results") == '' ]]
}

@test "many rows: 4,500 in batches, each once, a job's in the order of their ends; no job's file keeps the others back for good" {
  make_runs "(0, 'b', '', 1, '', '', 1)"
  in_source "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)
    INSERT INTO runs SELECT i, 'job' || (i % 3), '', 1, i, '', 1770000000 + (i * 7919) % 4507 FROM n; DELETE FROM runs WHERE id = 0"
  mkdir "$results/job1.jsonl"
  run import --query "$query"
  [[ $status == 3 && $output == *'job1'*'is a directory'*'3000 rows imported' ]] || { echo "$status: $output"; return 1; }
  in_source "INSERT INTO runs VALUES (4501, 'job1', '', 1, 4501, '', 1770005000), (4502, 'job2', '', 1, 4502, '', 1770005001); DELETE FROM runs WHERE id < 9"
  run import --query "$query"
  [[ $status == 3 && $output == *'job1'*'is a directory'*$'\n1 row imported' ]] || { echo "$status: $output"; return 1; }
  rmdir "$results/job1.jsonl"
  ln -s "$BATS_TEST_TMPDIR/none" "$results/job1.jsonl"
  run import --query "$query"
  [[ $status == 3 && $output == *'job1'*'is a symbolic link'*$'\n0 rows imported' ]] || { echo "$status: $output"; return 1; }
  rm "$results/job1.jsonl"
  run import --query "$query"
  assert_output '1501 rows imported'
  assert_rows '4502|4502|0' "SELECT count(*), count(DISTINCT output), (SELECT count(*) FROM (SELECT time_us < lag(time_us) OVER (PARTITION BY job_id ORDER BY rowid)
    AS back FROM task_results) WHERE back) FROM task_results"
}

@test "the cursor is in a folder of the results that is ours, and open to nobody else; another user has to name one" {
  make_hermes
  import --preset hermes
  [[ $(stat -c %a "$results/.taskresults/imported/hermes.db") == 600 ]]
  rm -r "$results/.taskresults/imported"
  mkdir "$BATS_TEST_TMPDIR/elsewhere"
  ln -s "$BATS_TEST_TMPDIR/elsewhere" "$results/.taskresults/imported"
  run import --preset hermes
  [[ $status == 3 && $output == *"has to be a directory of this user, and no link"* ]]
  rm "$results/.taskresults/imported"
  run import --preset hermes --state "$BATS_TEST_TMPDIR/new state"
  assert_output '3 rows imported'
  [[ -f "$BATS_TEST_TMPDIR/new state/hermes.db" && $(stat -c %a "$BATS_TEST_TMPDIR/new state") == 700 ]]
  # A cursor elsewhere is for one directory of results.
  mkdir "$results.other"
  SCHEDULER_RESULTS_DIR=$results.other run import --preset hermes --state "$BATS_TEST_TMPDIR/new state"
  [[ $status == 3 && $output == *"is for another directory of results, and not for $results.other; name another --state" ]]
}

@test "a cursor that is damaged, or of another version, is refused before anything is settled with it" {
  local cursor=$results/.taskresults/imported/hermes.db
  make_hermes
  import_until_append --preset hermes
  cp "$cursor" "$BATS_TEST_TMPDIR/good.db"
  sqlite3 -batch -init /dev/null "$cursor" "UPDATE batch SET error = 'other' WHERE job_id = 'news'"
  run import --preset hermes
  [[ $status == 3 && $output == *"the cursor $cursor is damaged: "* ]] || { echo "$output"; return 1; }
  cp "$BATS_TEST_TMPDIR/good.db" "$cursor"
  sqlite3 -batch -init /dev/null "$cursor" "UPDATE meta SET value = 2 WHERE key = 'format'"
  run import --preset hermes
  [[ $status == 3 && $output == *'was written by another version of taskresults'* ]]
  [[ $(sqlite3 -batch -init /dev/null "$cursor" 'SELECT count(*) FROM targets') == 2 && $(ls "$results") == '' ]]
  cp "$BATS_TEST_TMPDIR/good.db" "$cursor"
  run import --preset hermes
  assert_output '3 rows imported'
}

# import_then_forget - imports what is new, and then has the cursor as it was when the batch was on its way: as if the
# import was killed between its last line and its note of it.
import_then_forget() {
  local cursor=$results/.taskresults/imported/c.db
  import_until_append --query "$query" --name c
  cp "$cursor" "$BATS_TEST_TMPDIR/on_its_way.db"
  run import --query "$query" --name c
  [[ $status == 0 ]] || { echo "$status: $output"; return 1; }
  cp "$BATS_TEST_TMPDIR/on_its_way.db" "$cursor"
}

@test "after a kill: a success of 1.0, a shorter longest line, a map, or tables with our names in the source change nothing" {
  make_runs "(1, 'a', '', 1.0, 'first', '', 1770000000), (2, 'a', '', 1, 'second', '', 1770000001)"
  in_source 'CREATE TABLE task_lines(x); CREATE TABLE task_history(x); CREATE TABLE task_results(x)'
  import --query "$query" --name c
  in_source "INSERT INTO runs VALUES (3, 'a', '', 1.0, 'third', '', 1770000002), (4, 'block', '', 0.0, '', '', 1770000002)"
  import_then_forget
  TASKRESULTS_MAP=runs run import --query "$query" --name c
  [[ $status == 2 && $output == *'TASKRESULTS_MAP names another program: unset it'* ]] || { echo "$status: $output"; return 1; }
  TASKRESULTS_MAX_LINE=10 run import --query "$query" --name c
  assert_output '0 rows imported'
  assert_rows 'first,second,third,' "SELECT group_concat(output) FROM (SELECT output FROM task_results ORDER BY job_id, rowid)"
}

@test "after a kill and a copytruncate, the rows are found in the copy" {
  make_runs "(1, 'a', '', 1, printf('%.500c', 'x'), '', 1770000000)"
  import --query "$query" --name c
  in_source "INSERT INTO runs VALUES (2, 'a', '', 1, 'second', '', 1770000001), (3, 'block', '', 1, '', '', 1770000002)"
  import_then_forget
  cp "$results/a.jsonl" "$results/a.jsonl.1"
  make_line() { printf '{"timestamp": "2026-11-01T00:00:00Z", "job_id": "a", "job_name": "a", "success": true, "output": "", "error": ""}\n'; }
  make_line >"$results/a.jsonl"
  run import --query "$query" --name c
  assert_output '0 rows imported'
  [[ $(cat "$results"/a.jsonl* | wc -l) == 3 ]]
}

@test "after a kill, a row is not taken for an older one of the same record that was rotated away" {
  make_runs "(1, 'a', '', 1, 'same', '', 1770000000)"
  import --query "$query" --name c
  mv "$results/a.jsonl" "$results/a.jsonl.1"
  in_source "INSERT INTO runs VALUES (2, 'a', '', 1, 'same', '', 1770000000), (3, 'block', '', 1, '', '', 1770000002)"
  import_then_forget # its second import settled a batch of which nothing was in the files
  [[ $(cat "$results"/a.jsonl* | wc -l) == 2 ]] || { cat "$results"/a.jsonl*; return 1; }
  run import --query "$query" --name c
  assert_output '0 rows imported'
  in_source "INSERT INTO runs VALUES (4, 'a', '', 1, 'same', '', 1770000000), (5, 'block', '', 1, '', '', 1770000003)"
  mv "$results/a.jsonl" "$results/a.jsonl.2"
  import_then_forget
  run import --query "$query" --name c
  assert_output '0 rows imported'
  [[ $(cat "$results"/a.jsonl* | wc -l) == 3 ]]
}

@test "two queries of one database do not share a cursor unless --name says so; a cursor without its query takes the next" {
  make_runs "(1, 'a', '', 1, '', '', 1770000000)"
  in_source "CREATE TABLE more AS SELECT * FROM runs"
  run import --query "$query"
  assert_output '1 row imported'
  run import --query "${query/runs/more}"
  [[ $status == 3 && $output == *'is for another --query, and two that share a cursor would miss rows. Give this one a --name'* ]] || { echo "$status: $output"; return 1; }
  run import --query "${query/runs/more}" --name more
  assert_output '1 row imported'
  run import --query "$query;"
  assert_output '0 rows imported'
  [[ $(records | wc -l) == 2 ]]
  rm "$results/.taskresults/imported/more.db"
  local cursors=("$results/.taskresults/imported"/*.db) name
  name=${cursors[0]##*/} name=${name%.db}
  run import --query "${query/runs/more}" --name "$name"
  assert_output '0 rows imported'
  sqlite3 -batch -init /dev/null "${cursors[0]}" "DELETE FROM meta WHERE key IN ('source', 'query')"
  run import --query "${query/runs/more} "
  assert_output '0 rows imported'
  run import --query "$query"
  [[ $status == 3 && $output == *"or, if it takes the other's place, --name '$name', which goes on where that ended" ]] || { echo "$output"; return 1; }
}

@test "a row without a status is named by the presets" {
  in_source "CREATE TABLE executions(id, job_id, status, finished_at, error); INSERT INTO executions VALUES ('n', 'mail', NULL, 1770000000, 'x');
    CREATE TABLE task_runs(task_id, runtime, source_id, ended_at, status, error, terminal_summary, detail_json);
    INSERT INTO task_runs VALUES ('n', 'cron', 'mail', 1770000000, NULL, '', '', '{}');
    CREATE TABLE cron_run_logs(store_key, job_id, seq, ts, status, error, summary); INSERT INTO cron_run_logs VALUES ('s', 'mail', 1, 1770000000, NULL, '', '')"
  local preset
  for preset in hermes openclaw openclaw-2026.6; do
    run import --preset "$preset"
    [[ $status == 1 && $output == *'left out 1 row: success is neither 0 nor 1'* ]] || { echo "$preset: $status: $output"; return 1; }
  done
}

@test "as root, import does not keep its cursor in another user's directory" {
  ((EUID == 0)) || skip 'needs root'
  make_hermes
  open_results
  chown 65534 "$results"
  run import --preset hermes
  [[ $status == 3 && $output == *'belongs to another user: import as that user, or name --state DIR' ]]
  chmod 755 "$BATS_TEST_TMPDIR"
  cp "$source" "$open_place/source.db"
  run "${as_nobody[@]}" "$(tool taskresults)" import --from "$open_place/source.db" --preset hermes
  assert_output '3 rows imported'
  [[ $(stat -c %u "$results/mail.jsonl" "$results/.taskresults/imported/hermes.db" | sort -u) == 65534 ]]
}

@test "a killed import: each row is in the files once, whatever happened to them since" {
  require_strace
  mkdir "$BATS_TEST_TMPDIR/killed"
  local stride=20 # make import-killed tries every step
  [[ -z ${TASKRESULTS_BIN-} ]] || stride=60
  python3 "$root/tests/live/import_killed.py" "${TASKRESULTS_BIN:-$root/shell}" "$extension" "$BATS_TEST_TMPDIR/killed" "$stride"
}

@test "usage: a source and what to read from it, once" {
  make_hermes
  run import
  [[ $status == 2 && $output == *'--preset NAME, or --query SQL'* ]]
  run taskresults import --preset hermes
  [[ $status == 2 && $output == *'import wants a database: --from DB'* ]]
  run import --preset nothing
  [[ $status == 2 && $output == *'--preset wants one of hermes openclaw-2026.6 openclaw, not '* ]]
  run import --preset ../import/hermes
  [[ $status == 2 ]]
  run import --preset hermes --query x
  [[ $status == 2 && $output == *'cannot go together'* ]]
  run import --query ' ; '
  [[ $status == 2 ]]
  source=$BATS_TEST_TMPDIR/none.db run import --preset hermes
  [[ $status == 3 && $output == *'does not exist'* && ! -e $BATS_TEST_TMPDIR/none.db ]]
}
