#!/usr/bin/env bats
# What is pushed down: by EXPLAIN QUERY PLAN, by files opened, and by bytes read.

load ../lib/helpers
load ../lib/host

# assert_planned PLAN PREDICATE... - a query with any of the predicates has exactly that plan.
assert_planned() {
  local wanted=$1 predicate plan
  shift
  for predicate; do
    plan=$(sql "EXPLAIN QUERY PLAN SELECT output FROM task_results WHERE $predicate" | grep 'VIRTUAL TABLE')
    [[ $plan == *"VIRTUAL TABLE INDEX 0:$wanted" ]] || {
      printf 'predicate: %s\nwanted: %s\nplan: %s\n' "$predicate" "$wanted" "$plan"
      return 1
    }
  done
}

# --- EXPLAIN QUERY PLAN ------------------------------------------------------------------------------------------------

@test "job_id is pushed down for =, IS, IN, GLOB and as an argument" {
  assert_planned 'job_id = ?' "job_id = 'a'" "'a' = job_id" "job = 'a'" "job_id = (SELECT 'a')" "job_id COLLATE BINARY = 'a'"
  assert_planned 'job_id IS ?' "job_id IS 'a'" "job IS 'a'"
  assert_planned 'job_id IN (?)' "job_id IN ('a', 'b')" "job IN (SELECT 'a' UNION SELECT 'b')"
  assert_planned 'job_id GLOB ?' "job_id GLOB 'a*'" "job GLOB 'a*'"
  assert_plan 'VIRTUAL TABLE INDEX 0:job_id = ?' "SELECT * FROM task_results('a')"
  assert_plan 'VIRTUAL TABLE INDEX 0:job_id = ?' "SELECT * FROM task_rejects('a')"
  assert_plan 'VIRTUAL TABLE INDEX 0:job_id IN (?)' "SELECT * FROM task_rejects WHERE job_id IN ('a', 'b')"
}

@test "success and ok are pushed down for every comparison and for IN" {
  local column op
  for column in success ok; do
    for op in '=' 'IS' '<>' 'IS NOT' '<' '<=' '>' '>='; do
      assert_planned "$column $op ?" "$column $op 0" "$column $op '1'"
    done
    assert_planned "$column IN (?)" "$column IN (0, 1)"
    assert_planned "$column IS NULL" "$column IS NULL"
    assert_planned "$column >= ? AND $column <= ?" "$column BETWEEN 0 AND 1"
  done
}

@test "timestamp and time_us are pushed down for ranges and equality" {
  local column op
  for column in timestamp time_us; do
    for op in '=' 'IS' '<' '<=' '>' '>='; do assert_planned "$column $op ?" "$column $op '2026'"; done
    assert_planned "$column >= ? AND $column <= ?" "$column BETWEEN '2026' AND '2027'"
  done
}

@test "LIKE on output and error is pushed down" {
  assert_plan 'error LIKE ?' "SELECT * FROM task_results WHERE error LIKE '%refused%'"
  assert_plan 'success = ? AND output LIKE ?' "SELECT * FROM task_results WHERE success = 1 AND output LIKE '%done%'"
}

@test "several terms are pushed down together, and the order with them" {
  assert_planned 'job_id = ? AND success = ? AND timestamp > ?' "job_id = 'a' AND success = 0 AND timestamp > '2026'"
  assert_plan 'INDEX 0:ORDER BY rowid' 'SELECT output FROM task_results ORDER BY rowid'
  assert_plan 'INDEX 0:ORDER BY rowid DESC' 'SELECT output FROM task_results ORDER BY rowid DESC'
  assert_plan 'INDEX 0:success = ? AND job_id = ? ORDER BY rowid DESC' \
    "SELECT output FROM task_results('a') WHERE success = 0 ORDER BY rowid DESC LIMIT 5 OFFSET 2"
  assert_plan 'INDEX 0:ORDER BY rowid DESC' 'SELECT line FROM task_rejects ORDER BY rowid DESC'
}

@test "an order that is pushed down needs no sorting, any other does" {
  sorts() {
    sql "EXPLAIN QUERY PLAN $1" | grep -c 'USE TEMP B-TREE' || true
  }
  [[ $(sorts "SELECT output FROM task_results ORDER BY rowid DESC LIMIT 5") -eq 0 ]]
  [[ $(sorts "SELECT output FROM task_results('a') WHERE success = 0 ORDER BY rowid") -eq 0 ]]
  [[ $(sorts "SELECT output FROM task_results WHERE job_id IN ('a', 'b') ORDER BY rowid DESC") -eq 0 ]]
  [[ $(sorts "SELECT output FROM task_results ORDER BY job_id LIMIT 5") -eq 0 ]]
  [[ $(sorts "SELECT output FROM task_results WHERE success = 0 ORDER BY job DESC, rowid") -eq 0 ]]
  [[ $(sorts "SELECT job_id, count(*) FROM task_results GROUP BY job_id") -eq 0 ]]
  [[ $(sorts "SELECT job_id, count(*) FROM task_results GROUP BY job_id ORDER BY job_id DESC") -eq 0 ]]
  [[ $(sorts "SELECT job_id, count(*) FROM task_results GROUP BY job_id ORDER BY count(*)") -eq 1 ]]
  [[ $(sorts "SELECT row_number() OVER (PARTITION BY job_id ORDER BY rowid) FROM task_results") -eq 0 ]]
  [[ $(sorts "SELECT output FROM task_results ORDER BY job_id COLLATE NOCASE") -eq 1 ]]
  [[ $(sorts "SELECT output FROM task_results ORDER BY job_id, rowid DESC") -eq 1 ]]
  [[ $(sorts "SELECT job_id, success, count(*) FROM task_results GROUP BY job_id, success") -eq 1 ]]
  [[ $(sorts "SELECT line FROM task_rejects ORDER BY job_id") -eq 1 ]]
  [[ $(sorts "SELECT output FROM task_results ORDER BY time_us") -eq 1 ]]
  [[ $(sorts "SELECT output FROM task_results ORDER BY rowid, time_us") -eq 1 ]]
}

@test "SQLite sorts the jobs itself if the database is in UTF-16, or its encoding cannot be found out" {
  local job
  for job in b a-b a ā; do make_job "$job" 2; done
  run_in_host <<'PYTHON'
import sqlite3
QUERY = "SELECT job_id FROM task_results GROUP BY job_id ORDER BY job_id DESC"
def sorts(db): return any("B-TREE" in row[3] for row in db.execute("EXPLAIN QUERY PLAN " + QUERY))
def jobs(db): return [job for job, in db.execute(QUERY)]
assert jobs(db) == ["ā", "b", "a-b", "a"] and not sorts(db)
wide = connect()
wide.execute("PRAGMA encoding = 'UTF-16le'")
assert jobs(wide) == ["b", "a-b", "a", "ā"] and sorts(wide), jobs(wide) # by the bytes: 62 00, 61 00 2d 00, 61 00, 01 01
db.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK)
assert sorts(db) and jobs(db) == ["ā", "b", "a-b", "a"]
PYTHON
}

@test "a condition on rowid is a lookup" {
  assert_planned 'rowid = ?' 'rowid = 5' "rowid = '5'" 'rowid = 5.0'
}

@test "a range of offsets, or a single one, says where to start reading, and where to end" {
  assert_planned 'offset >= ?' 'offset >= 5' "offset >= '5'"
  assert_planned 'offset >= ? AND offset <= ?' 'offset BETWEEN 5 AND 9'
  assert_planned 'offset < ?' 'offset < 9'
  assert_planned 'offset <= ?' 'offset <= 9'
  assert_planned 'offset > ?' 'offset > 5'
  assert_planned 'offset = ?' 'offset = 5'
  assert_planned 'job_id = ? AND offset >= ? ORDER BY rowid DESC' "job_id = 'a' AND offset >= 5 ORDER BY rowid DESC"
}

@test "conditions whose pushdown could change the answer are not pushed down" {
  assert_planned 'every line' "job_id COLLATE NOCASE = 'a'" "job_id = 'a' COLLATE NOCASE" "job_id = 'a' COLLATE RTRIM" \
    "job_id COLLATE NOCASE IN ('a', 'b')" "timestamp > '2026' COLLATE NOCASE" "timestamp COLLATE RTRIM = '2026'" \
    "job_id <> 'a'" "job_id > 'a'" "job_id IS NOT 'a'" "job_id NOT IN ('a')" "job_id LIKE 'a%'" "job_id NOT GLOB 'a*'" \
    "+job_id = 'a'" "lower(job_id) = 'a'" "timestamp <> '2026'" "timestamp GLOB '2026*'" "timestamp IN ('2026', '2027')" \
    'time_us IN (1, 2)' 'time_us <> 1' 'success NOT IN (0)' 'rowid > 5' 'success + 0 = 0' "output = 'x'" \
    "job_name = 'a'" "record = 'x'" 'offset <> 9' 'offset IN (1, 2)' 'offset IS NULL'
}

# --- files opened --------------------------------------------------------------------------------------------------------

# counted STATEMENT - runs it under the shim and sets $answer, $opens and $bytes.
counted() {
  answer=$(with_faults FAULTS_LOG="$BATS_TEST_TMPDIR/log" -- \
    sqlite3 -batch -bail -init /dev/null -nullvalue NULL -cmd ".load $extension" :memory: "$@")
  opens=$(awk '$1 == "opens" {print $2}' "$BATS_TEST_TMPDIR/log")
  bytes=$(awk '$1 == "bytes" {print $2}' "$BATS_TEST_TMPDIR/log")
}

# assert_counted ANSWER OPENS STATEMENT
assert_counted() {
  counted "${@:3}"
  [[ $answer == "$1" && $opens -eq $2 ]] || {
    printf 'statement: %s\nwanted %s with %s opens; got %s with %s\n' "$3" "$1" "$2" "$answer" "$opens"
    return 1
  }
}

many_jobs() {
  python3 - "$results" <<'PYTHON'
import sys
for i in range(2000):
    with open(f"{sys.argv[1]}/job-{i:04}.jsonl", "w") as file:
        file.write('{"timestamp": "2026-01-01T00:00:00Z", "success": true, "output": "x"}\n')
PYTHON
}

@test "among 2,000 jobs, a query opens just the files of the jobs it names" {
  many_jobs
  assert_counted 2000 2000 'SELECT count(*) FROM task_results'
  assert_counted 1 1 "SELECT count(*) FROM task_results WHERE job_id = 'job-0042'"
  assert_counted 1 1 "SELECT count(*) FROM task_results('job-0042')"
  assert_counted 1 1 "SELECT count(*) FROM task_results WHERE job_id IS 'job-0042'"
  assert_counted 3 3 "SELECT count(*) FROM task_results WHERE job_id IN ('job-0042', 'job-1000', 'job-1999')"
  assert_counted 3 3 "SELECT count(*) FROM task_results WHERE job = 'job-0042' OR job = 'job-1000' OR job = 'job-1999'"
  assert_counted 10 10 "SELECT count(*) FROM task_results WHERE job_id GLOB 'job-004?'"
  assert_counted 2 2 "SELECT count(*) FROM task_results WHERE job_id GLOB 'job-[01]042'"
  assert_counted 1 1 "SELECT count(*) FROM task_results WHERE job_id GLOB '*42' AND job_id = 'job-0042'"
  assert_counted 0 0 "SELECT count(*) FROM task_results WHERE job_id GLOB '*43' AND job_id = 'job-0042'"
  assert_counted 1 1 "SELECT count(*) FROM task_results WHERE job_id IN ('job-0042', 'job-0043') AND job_id = 'job-0043'"
  assert_counted 0 0 "SELECT count(*) FROM task_results WHERE job_id = 'nobody'"
  assert_counted 0 0 "SELECT count(*) FROM task_results WHERE job_id = NULL"
  assert_counted 0 0 "SELECT count(*) FROM task_results WHERE job_id IN ()"
  assert_counted 0 1 "SELECT count(*) FROM task_rejects WHERE job_id = 'job-0042'"
}

@test "a join opens one file for each job it looks up, however many there are" {
  many_jobs
  assert_counted 4 4 "CREATE TABLE j(name TEXT)" \
    "INSERT INTO j VALUES ('job-0001'), ('job-0002'), ('job-0003'), ('nobody'), (NULL), ('job-1001')" \
    'ANALYZE' 'SELECT count(*) FROM j JOIN task_results ON job_id = j.name'
  assert_counted 2 2 "CREATE TEMP TABLE j(name TEXT)" "INSERT INTO j VALUES ('job-0001'), ('job-0002')" \
    'SELECT count(*) FROM j, task_results(j.name)'
  assert_counted 2 2 "CREATE TEMP TABLE j(name TEXT)" "INSERT INTO j VALUES ('job-0001'), ('job-0002')" \
    'SELECT count(*) FROM task_results WHERE job_id IN (SELECT name FROM j)'
}

@test "LIMIT opens no more files than it needs" {
  many_jobs
  assert_counted job-0000 1 'SELECT job_id FROM task_results LIMIT 1'
  assert_counted 'job-1999
job-1998' 2 'SELECT job_id FROM task_results ORDER BY rowid DESC LIMIT 2'
  assert_counted 'job-1999
job-1998' 2 'SELECT job_id FROM task_results ORDER BY job_id DESC LIMIT 2'
}

@test "a lookup by rowid opens one file, and reads little of it" {
  make_job big 20000
  make_job other 10
  counted "SELECT max(rowid) - min(rowid) > 2000000 FROM task_results('big')"
  [[ $answer == 1 ]]
  counted "SELECT 1 FROM task_results('other') LIMIT 0" "SELECT count(*) FROM task_results WHERE rowid = (SELECT rowid FROM task_results('other') LIMIT 1)"
  [[ $answer == 1 && $opens -eq 2 ]]
}

@test "rowid = NULL opens no file" {
  make_job a 10
  counted "SELECT count(r.rowid) FROM (SELECT NULL AS place) LEFT JOIN task_results AS r ON r.rowid = place"
  [[ $answer == 0 && $opens -eq 0 ]]
}

# --- bytes read ------------------------------------------------------------------------------------------------------------

# TASKRESULTS_TEST_BYTES makes the file larger: the bytes read must not grow with it.
@test "the last five of a big file are read from its end: less than 256 KB" {
  python3 "$root/tests/bench/generate.py" "$results/big.jsonl" "${TASKRESULTS_TEST_BYTES:-50000000}"
  tail -n 5 "$results/big.jsonl" | tac >"$BATS_TEST_TMPDIR/expected"
  counted 'SELECT record FROM task_results ORDER BY rowid DESC LIMIT 5'
  [[ $answer == "$(cat "$BATS_TEST_TMPDIR/expected")" ]]
  ((bytes > 0 && bytes < 256 * 1024 && opens == 1))
  counted "SELECT record FROM task_results('big') WHERE timestamp > '2026-01-01' ORDER BY rowid DESC LIMIT 3 OFFSET 2"
  [[ $answer == "$(tail -n 3 "$BATS_TEST_TMPDIR/expected")" ]]
  ((bytes < 256 * 1024))
  counted 'SELECT count(*) FROM (SELECT 1 FROM task_results LIMIT 3)'
  [[ $answer == 3 ]]
  ((bytes < 256 * 1024))
  counted "SELECT count(*) FROM task_results WHERE rowid = (SELECT rowid FROM task_results ORDER BY rowid DESC LIMIT 1)"
  [[ $answer == 1 ]]
  ((bytes < 512 * 1024))
}

@test "offset >= n reads from there on, and one byte before it; newest first, at most one buffer before it" {
  make_job a 50000
  make_job b 3
  local size behind
  size=$(stat -c %s "$results/a.jsonl") behind=$(tail -n 3 "$results/a.jsonl" | wc -c)
  counted "SELECT count(*) FROM task_results('a') WHERE offset >= $size"
  [[ $answer == 0 && $bytes -eq 1 ]]
  counted "SELECT count(*) FROM task_results('a') WHERE offset >= $((size - behind))"
  [[ $answer == 3 && $bytes -eq $((behind + 1)) ]]
  counted "SELECT count(*) FROM task_rejects('a') WHERE offset > $((size - behind))"
  [[ $answer == 0 && $bytes -eq $((behind + 1)) ]]
  counted "SELECT count(*) FROM (SELECT 1 FROM task_results('a') WHERE offset >= $((size - behind)) ORDER BY rowid DESC)"
  [[ $answer == 3 ]]
  ((bytes <= 64 * 1024))
}

@test "a scan stops reading at the end of a range of offsets, oldest or newest first, also when a thread reads ahead" {
  python3 "$root/tests/bench/generate.py" "$results/big.jsonl" 20000000
  local first second
  first=$(head -n 1 "$results/big.jsonl" | wc -c) second=$(head -n 2 "$results/big.jsonl" | wc -c)
  export TASKRESULTS_THREADS=2
  counted "SELECT count(*), max(offset) FROM task_results WHERE offset <= $second"
  [[ $answer == "3|$second" ]]
  ((bytes <= 64 * 1024))
  counted "SELECT count(*), max(offset) FROM task_results('big') WHERE offset < $second"
  [[ $answer == "2|$first" ]]
  ((bytes <= 64 * 1024))
  counted "SELECT group_concat(offset) FROM task_lines('big') WHERE offset = $first"
  [[ $answer == "$first" ]]
  ((bytes <= 64 * 1024 + 1))
  counted "SELECT group_concat(offset) FROM (SELECT offset FROM task_lines('big') WHERE offset < $second ORDER BY rowid DESC)"
  [[ $answer == "$first,0" ]]
  counted "SELECT count(*) FROM task_lines('big') WHERE offset < 10000000"
  ((answer == $(head -c 10000000 "$results/big.jsonl" | wc -l) + 1 && bytes < 11000000))
}

@test "offset < 0 finds no line, and offset < a very large number finds all" {
  make_job a 3
  assert_rows '0|0|3|3' "SELECT (SELECT count(*) FROM task_lines WHERE offset < 0), (SELECT count(*) FROM task_lines WHERE offset < -1),
    (SELECT count(*) FROM task_lines WHERE offset < 9223372036854775807), (SELECT count(*) FROM task_lines WHERE offset <= 1e300)"
}

@test "a full scan reads every byte once" {
  make_job a 5000
  make_job b 5000
  counted 'SELECT count(*) FROM task_results'
  [[ $answer == 10000 && $bytes -eq $(cat "$results"/*.jsonl | wc -c) ]]
  counted 'SELECT count(*) FROM task_results WHERE success = 0'
  [[ $answer == 0 && $bytes -eq $(cat "$results"/*.jsonl | wc -c) ]]
  counted 'SELECT count(*) FROM (SELECT 1 FROM task_results ORDER BY rowid DESC)'
  [[ $answer == 10000 && $bytes -eq $(cat "$results"/*.jsonl | wc -c) ]]
}
