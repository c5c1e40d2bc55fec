#!/usr/bin/env bats
# task_errors: the failures of each job by kind, in one pass over its file.

load ../lib/helpers

# failure JOB TIME ERROR - a record; ERROR is JSON.
failure() {
  printf '{"timestamp": "%s", "success": false, "error": %s}\n' "$2" "$3" >>"$results/$1.jsonl"
}

two_jobs() {
  failure a 2026-01-01T00:01:00Z '"exit 1"'
  failure a 2026-01-01T00:03:00.5Z '"lost"'
  printf '{"success": true, "error": "exit 1"}\ntorn\n' >>"$results/a.jsonl"
  failure a 2026-01-01T00:02:00Z '"exit 22\nmore"'
  failure b 2026-01-01T00:05:00Z '"lost"'
}

# --- columns -----------------------------------------------------------------------------------------------------------

@test "task_errors has its columns in order, the arguments first among the hidden ones" {
  assert_rows 'job_id:0 signature:0 times:0 first_run:0 last_run:0 since:1 until:1 job:1 first_run_us:1 last_run_us:1 host:1' \
    "SELECT group_concat(name || ':' || hidden, ' ') FROM pragma_table_xinfo('task_errors')"
}

@test "task_errors has a row for each kind of error of each job, in the order of the file; a job that did not fail has none" {
  two_jobs
  printf '{"success": true}\n' >"$results/good.jsonl"
  : >"$results/empty.jsonl"
  assert_rows 'a|exit <n>|2|2026-01-01T00:01:00Z|2026-01-01T00:02:00Z
a|lost|1|2026-01-01T00:03:00.500000Z|2026-01-01T00:03:00.500000Z
b|lost|1|2026-01-01T00:05:00Z|2026-01-01T00:05:00Z' 'SELECT * FROM task_errors'
  assert_rows 'a|NULL|NULL|1767225660000000|1767225720000000' \
    "SELECT job, since, until, first_run_us, last_run_us FROM task_errors WHERE signature = 'exit <n>'"
  assert_rows $'exit <n>|2|1\nlost|2|2' \
    'SELECT signature, sum(times), count(*) FROM task_errors GROUP BY signature ORDER BY 2 DESC, 1'
}

@test "first and last are the earliest and latest run by time, and NULL where no time can be read" {
  failure a 2026-01-01T00:09:00Z '"x"'
  failure a 2026-01-01T00:01:00Z '"x"'
  failure a soon '"x"'
  failure a soon '"y"'
  failure a 1969-12-31T23:59:59Z '"z"'
  assert_rows 'x|3|2026-01-01T00:01:00Z|2026-01-01T00:09:00Z|1767225660000000|1767226140000000
y|1|NULL|NULL|NULL|NULL
z|1|1969-12-31T23:59:59Z|1969-12-31T23:59:59Z|-1000000|-1000000' \
    'SELECT signature, times, first_run, last_run, first_run_us, last_run_us FROM task_errors'
}

# --- against SQL ----------------------------------------------------------------------------------------------------------

# assert_as_sql_counts ROWS - the rows are those of GROUP BY taskresults_signature(), in each of several windows; and there
# are at least so many.
assert_as_sql_counts() {
  local window arguments expected actual="SELECT job_id, signature, times, first_run_us, last_run_us FROM task_errors"
  expected="SELECT job_id, taskresults_signature(coalesce(error, '')) AS signature, count(*), min(time_us), max(time_us)
    FROM task_results WHERE ok = 0"
  for window in '' 'AND time_us >= 1771000000000000' 'AND time_us BETWEEN 1770700000000000 AND 1771119855821425'; do
    case $window in
      '') arguments='' ;;
      *BETWEEN*) arguments='(1770700000000000, 1771119855821425)' ;;
      *) arguments='(1771000000000000)' ;;
    esac
    sql "CREATE TEMP TABLE expected AS $expected $window GROUP BY 1, 2" "CREATE TEMP TABLE actual AS $actual$arguments" \
      'SELECT count(*) FROM expected' 'SELECT count(*) FROM actual' 'SELECT * FROM expected EXCEPT SELECT * FROM actual' \
      'SELECT * FROM actual EXCEPT SELECT * FROM expected' >"$BATS_TEST_TMPDIR/compared"
    mapfile -t lines <"$BATS_TEST_TMPDIR/compared"
    [[ ${#lines[@]} -eq 2 && ${lines[0]} -eq ${lines[1]} && (-n $window || ${lines[0]} -ge $1) ]] || {
      echo "window: $window"
      head "$BATS_TEST_TMPDIR/compared"
      return 1
    }
  done
}

@test "the rows are those of GROUP BY taskresults_signature(), over recorded, odd and generated lines" {
  SCHEDULER_RESULTS_DIR=$root/tests/data/scheduler-state/results assert_as_sql_counts 6
  SCHEDULER_RESULTS_DIR=$root/tests/data/odd-lines assert_as_sql_counts 2
  python3 "$root/tests/differential/generate.py" "$BATS_TEST_TMPDIR/lines" "$root/tests/data" --lines 9000 --longest 3000 --seed 7
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/lines assert_as_sql_counts 600
}

@test "the rows are those of GROUP BY taskresults_signature(), over generated failures: NUL, non-ASCII, other types, texts spelled in two ways, at the limits of length" {
  python3 "$root/tests/differential/errors.py" "$results"
  assert_as_sql_counts 350
  assert_rows '1|1|1|1' "SELECT sum(times) > 2000, sum(instr(CAST(signature AS BLOB), x'00') > 0) > 9, sum(signature GLOB '*[^ -~]*') > 99,
    max(times) > 50 FROM task_errors"
  extension=$root/build/tiny/taskresults assert_as_sql_counts 350
  local chosen="SELECT * FROM task_errors WHERE job_id GLOB 'job [1-5]' AND times > 1 ORDER BY rowid DESC"
  sql "$chosen" | cmp - <(extension=$root/build/every_line/taskresults && sql "$chosen")
}

@test "a failure without an error has an empty signature, also if a second thread parsed it into memory that was used before" {
  for _ in {1..60}; do printf '{"success": false}\n'; done >"$results/a.jsonl"
  extension=$root/build/tiny/taskresults MALLOC_PERTURB_=65 TASKRESULTS_THREADS=2 assert_rows 'a||60' \
    'SELECT job_id, signature, times FROM task_errors'
}

# --- rowids, windows, jobs ------------------------------------------------------------------------------------------------

@test "the rowid is that of the group's first record; it finds exactly that row, and rows come in its order" {
  two_jobs
  assert_rows $'exit <n>|exit 1\nlost|lost\nlost|lost' \
    'SELECT signature, error FROM task_errors AS e JOIN task_results AS r ON r.rowid = e.rowid ORDER BY e.rowid'
  assert_rows 'a|lost|1' "SELECT job_id, signature, times FROM task_errors WHERE rowid =
    (SELECT rowid FROM task_results WHERE job_id = 'a' AND error = 'lost')"
  assert_rows '' "SELECT * FROM task_errors WHERE rowid = (SELECT rowid FROM task_results WHERE error GLOB 'exit 22*')"
  assert_rows $'b|lost\na|lost\na|exit <n>' 'SELECT job_id, signature FROM task_errors ORDER BY rowid DESC'
  assert_rows 3 "SELECT count(*) FROM task_errors WHERE job_id = 'a' OR job_id = 'b' OR job_id GLOB '?' OR rowid = 0"
}

@test "since and until restrict what is counted, both ends included; a value that is not a time is an error that names the table" {
  two_jobs
  failure a never '"lost"'
  assert_rows $'a|lost|1\na|exit <n>|1' "SELECT job_id, signature, times FROM task_errors('2026-01-01T00:02:00Z', '2026-01-01 00:04')"
  assert_rows 'a|exit <n>|1|2026-01-01 00:01' "SELECT job_id, signature, times, until FROM task_errors(NULL, '2026-01-01 00:01')"
  assert_rows 2 "SELECT times FROM task_errors(NULL, NULL, 'a') WHERE signature = 'lost'"
  assert_rows $'now|1\never|4' "WITH w(name, lower) AS (VALUES ('now', '2026-01-01 00:05'), ('ever', '2026-01-01 00:00'))
    SELECT name, sum(times) FROM task_errors(w.lower) AS e, w GROUP BY 1 ORDER BY 2"
  assert_sql_error "task_errors: since: 'soon' is no time" "SELECT * FROM task_errors('soon')"
  assert_sql_error 'task_errors: until is an argument' 'SELECT * FROM task_errors WHERE until < 5'
}

@test "conditions on job_id choose files" {
  two_jobs
  local condition
  for condition in "WHERE job_id = 'b'" "WHERE job IS 'b'" "WHERE job_id GLOB 'b*'" "WHERE job_id IN ('b', 'none')" "(NULL, NULL, 'b')"; do
    run env FAULTS_LOG="$BATS_TEST_TMPDIR/log" LD_PRELOAD="$root/build/shim/faults.so" sqlite3 -init /dev/null -cmd ".load $extension" \
      :memory: "SELECT job_id FROM task_errors $condition"
    [[ $output == b && $(awk '$1 == "opens" {print $2}' "$BATS_TEST_TMPDIR/log") -eq 1 ]]
  done
  assert_plan 'since = ? AND until = ? AND job_id = ?' "SELECT * FROM task_errors(1, 2) WHERE job_id = 'b'"
}

@test "hostile job ids come back unchanged; a file that cannot be read fails the query, with job and cause" {
  load ../lib/hostile
  make_hostile_jobs
  assert_rows "${#hostile_jobs[@]}|${#hostile_jobs[@]}" 'SELECT count(DISTINCT job_id), sum(times) FROM task_errors'
  run env FAULTS_OPEN_ERRNO=13 FAULTS_OPEN_NAME=null.jsonl LD_PRELOAD="$root/build/shim/faults.so" sqlite3 -bail -init /dev/null \
    -cmd ".load $extension" :memory: 'SELECT * FROM task_errors'
  [[ $status -ne 0 && $output == *"job 'null': $results/null.jsonl cannot be opened: Permission denied"* ]]
}

@test "a table of one's own takes dir= and max_line=, and cannot be used in views; the eponymous one can" {
  two_jobs
  local own="CREATE VIRTUAL TABLE own USING task_errors(dir='$results', max_line=74)"
  assert_rows $'a|exit <n>|1\na|lost|1\nb|lost|1' "$own" 'SELECT job_id, signature, times FROM own'
  assert_sql_error 'unsafe use of virtual table' "$own" 'CREATE VIEW v AS SELECT * FROM own' 'SELECT * FROM v'
  sqlite3 -batch -init /dev/null -cmd ".load $extension" "$BATS_TEST_TMPDIR/db" 'CREATE VIEW v AS SELECT * FROM task_errors'
  [[ $(sqlite3 -batch -init /dev/null -cmd ".load $extension" "$BATS_TEST_TMPDIR/db" 'PRAGMA trusted_schema=ON' 'SELECT count(*) FROM v') == 3 ]]
  assert_sql_error 'may not be modified' 'DELETE FROM task_errors'
}

@test "memory grows with the number of kinds of errors, not with the number of texts" {
  python3 - "$results/a.jsonl" <<'PYTHON'
import sys
with open(sys.argv[1], "w") as file:
    for i in range(2000):
        file.write('{"success": false, "error": "exit 1\\n%07d%s"}\n' % (i, "x" * 7000))
PYTHON
  run sqlite3 -stats -batch -init /dev/null -cmd ".load $extension" :memory: 'SELECT signature, times FROM task_errors'
  [[ ${lines[0]} == 'exit <n>|2000' ]]
  [[ $output =~ Memory\ Used:\ +[0-9]+\ \(max\ ([0-9]+)\) ]]
  ((BASH_REMATCH[1] < 8000000)) # of 14 million, and with the blocks of a second thread
}
