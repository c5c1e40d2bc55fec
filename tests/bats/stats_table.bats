#!/usr/bin/env bats
# task_stats: the figures of each job, in one pass over its file.

load ../lib/helpers
load ../lib/state
load ../lib/host

# history JOB OUTCOMES - a record for each letter, s or f, one a minute from 2026-01-01T00:00:00Z. A failure's error has
# its number.
history() {
  python3 - "$results/$1.jsonl" "$2" <<'PYTHON'
import json, sys
with open(sys.argv[1], "a") as file:
    for i, verdict in enumerate(sys.argv[2]):
        file.write(json.dumps({"timestamp": "2026-01-01T%02d:%02d:00Z" % divmod(i, 60), "success": verdict == "s",
                               "output": "", "error": "" if verdict == "s" else f"no. {i}\nbroke"}) + "\n")
PYTHON
}

# --- columns -----------------------------------------------------------------------------------------------------------

@test "task_stats has its columns in order, the arguments first among the hidden ones" {
  assert_rows 'job_id:0 runs:0 successes:0 failures:0 success_rate:0 first_run:0 last_run:0 last_success:0 last_failure:0 last_error:0 streak:0 longest_failure_streak:0 mtbf_s:0 mttr_s:0 rejects:0 p50_s:0 p95_s:0 max_s:0 since:1 until:1 job:1 first_run_us:1 last_run_us:1 last_success_us:1 last_failure_us:1 last_duration_s:1 host:1 unknowns:1 others:1' \
    "SELECT group_concat(name || ':' || hidden, ' ') FROM pragma_table_xinfo('task_stats')"
}

@test "the figures of a job, counted by hand" {
  history a sffsssfsff
  printf 'torn\n[1]\n\n{"timest' >>"$results/a.jsonl"
  sql "SELECT * FROM task_stats" >"$BATS_TEST_TMPDIR/actual"
  # Outages begin at 1, 6 and 8 minutes: 300 and 120 seconds apart. The first two end 120 and 60 seconds after that.
  diff - "$BATS_TEST_TMPDIR/actual" <<'ROW'
a|10|5|5|50.0|2026-01-01T00:00:00Z|2026-01-01T00:09:00Z|2026-01-01T00:07:00Z|2026-01-01T00:09:00Z|no. 9
broke|-2|2|210.0|90.0|3|NULL|NULL|NULL
ROW
  assert_rows '1767225600000000|1767226140000000|1767226020000000|1767226140000000|NULL|NULL|a' \
    'SELECT first_run_us, last_run_us, last_success_us, last_failure_us, since, until, job FROM task_stats'
}

@test "figures of jobs with only successes, only failures, a single outage, and no records" {
  history good sss
  history bad fff
  history once sffs
  : >"$results/empty.jsonl"
  append_raw junk 'x\n\n'
  assert_rows "bad|3|0|3|0.0|NULL|2026-01-01T00:02:00Z|-3|3|NULL|NULL|0
empty|0|0|0|NULL|NULL|NULL|0|0|NULL|NULL|0
good|3|3|0|100.0|2026-01-01T00:02:00Z|NULL|3|0|NULL|NULL|0
junk|0|0|0|NULL|NULL|NULL|0|0|NULL|NULL|1
once|4|2|2|50.0|2026-01-01T00:03:00Z|2026-01-01T00:02:00Z|1|2|NULL|120.0|0" \
    'SELECT job_id, runs, successes, failures, success_rate, last_success, last_failure, streak, longest_failure_streak,
       mtbf_s, mttr_s, rejects FROM task_stats'
  assert_rows 'empty|NULL|NULL|NULL|NULL|NULL|NULL' 'SELECT job_id, first_run, last_run, last_error, first_run_us,
     last_run_us, last_failure_us FROM task_stats WHERE runs = 0 AND rejects = 0'
}

@test "a clock that was set back gives no negative length of time; an unreadable time gives none" {
  append_raw back '{"timestamp": "2026-01-01T00:10:00Z", "success": false}\n{"timestamp": "2026-01-01T00:05:00Z", "success": true}\n'
  append_raw back '{"timestamp": "2026-01-01T00:06:00Z", "success": false}\n{"timestamp": "2026-01-01T00:07:00Z", "success": true}\n'
  append_raw unread '{"timestamp": "soon", "success": false}\n{"timestamp": "2026-01-01T00:05:00Z", "success": true}\n'
  append_raw unread '{"timestamp": "2026-01-01T00:06:00Z", "success": false}\n{"success": true}\n'
  append_raw unread '{"timestamp": "2026-01-01T00:08:00Z", "success": false}\n{"timestamp": "2026-01-01T00:10:00Z", "success": true}\n'
  assert_rows $'back|0.0|30.0\nunread|120.0|120.0' 'SELECT job_id, mtbf_s, mttr_s FROM task_stats'
}

@test "last_error is decoded and complete, whatever its type and length" {
  local job error expected
  history long f
  python3 -c 'import json; print(json.dumps({"success": False, "error": "\U0001f4a5 é\0" * 20000}))' >>"$results/long.jsonl"
  assert_rows 160000 "SELECT length(CAST(last_error AS BLOB)) FROM task_stats"
  while IFS='|' read -r job error expected; do
    printf '{"success": false, "error": "before"}\n{"success": false, "error": %s}\n{"success": true}\n' "$error" \
      >"$results/$job.jsonl"
    assert_rows "$expected" "SELECT typeof(last_error) || ' ' || last_error FROM task_stats WHERE job_id = '$job'"
  done <<'ERRORS'
quoted|"say \"no\" \u00e9"|text say "no" é
number|-12|integer -12
real|1.5e3|real 1500.0
object|{"a": [1, "b c"]}|text {"a":[1,"b c"]}
ERRORS
  append_raw none '{"success": false, "error": "before"}\n{"success": false}\n'
  assert_rows 'null' "SELECT typeof(last_error) FROM task_stats WHERE job_id = 'none'"
}

# --- against Python, and against SQL --------------------------------------------------------------------------------------

# check_stats DIRECTORY... - runs tests/oracles/stats.py; its words are in $output.
check_stats() {
  require_host
  run host -c "import sys; sys.path.append('$root/tests/oracles'); import stats; sys.exit(stats.main())" check "$@"
  printf '%s\n' "$output"
  [[ $status -eq 0 && $output == *' 0 disagreements' ]]
}

@test "every figure is what Python computes from the same lines, in several windows, for all jobs and for one" {
  python3 "$root/tests/oracles/stats.py" generate "$BATS_TEST_TMPDIR/histories"
  check_stats "$BATS_TEST_TMPDIR/histories" "$root/tests/data/odd-lines" "$root/tests/data/scheduler-state/results"
  [[ $output =~ ([0-9]+)\ rows\ compared ]]
  ((BASH_REMATCH[1] > 9000))
}

@test "a read buffer of a few bytes gives the same figures, and so does a plan that pushes nothing down" {
  python3 "$root/tests/oracles/stats.py" generate "$results"
  local statement="SELECT *, first_run_us, last_run_us, last_success_us, last_failure_us FROM task_stats"
  sql "$statement" >"$BATS_TEST_TMPDIR/expected"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/expected") -ge 120 ]]
  extension=$root/build/tiny/taskresults sql "$statement" | cmp "$BATS_TEST_TMPDIR/expected"
  sql "$statement WHERE job_id IN (SELECT job_id FROM task_stats)" | cmp "$BATS_TEST_TMPDIR/expected"
  sql "$statement ORDER BY rowid DESC" | sort | cmp - <(sort "$BATS_TEST_TMPDIR/expected")
  extension=$root/build/every_line/taskresults
  sql "$statement WHERE job_id GLOB 'job 1*' AND runs <> 3" >"$BATS_TEST_TMPDIR/expected"
  extension=$root/taskresults
  sql "$statement WHERE job_id GLOB 'job 1*' AND runs <> 3" | cmp "$BATS_TEST_TMPDIR/expected"
}

# --- durations --------------------------------------------------------------------------------------------------------------

# took JOB SECONDS... - runs that took so long, one a minute from 10:10:00 on, with their log.
took() {
  local job=$1 minute=10 seconds
  shift
  for seconds; do
    log "$job" "10:$minute:00" 'Executing (command mode): x'
    log "$job" "10:$minute:$(printf %02d "$seconds")" 'Command executed successfully'
    finish "$job" "10:$minute:$(printf %02d "$seconds")"
    ((minute++))
  done
}

@test "p50_s, p95_s and max_s are the nearest rank of the durations in the logs, and NULL if there are none" {
  took one 7
  took two 9 3
  took twenty 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1
  took more 21 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1
  make_job unlogged 3
  finish half 09:00:00 # another writer's
  took half 4
  : >"$results/empty.jsonl"
  assert_rows $'empty|NULL|NULL|NULL|NULL\nhalf|4.0|4.0|4.0|4.0\nmore|11.0|20.0|21.0|1.0\none|7.0|7.0|7.0|7.0\ntwenty|10.0|19.0|20.0|1.0
two|3.0|9.0|9.0|3.0\nunlogged|NULL|NULL|NULL|NULL' 'SELECT job_id, p50_s, p95_s, max_s, last_duration_s FROM task_stats'
  assert_rows 'real|real|real|real' "SELECT typeof(p50_s), typeof(p95_s), typeof(max_s), typeof(last_duration_s)
    FROM task_stats WHERE job_id = 'one'"
  # Durations of a row that was not read must not be counted for the next row.
  assert_rows 'twenty|19.0|20.0' 'SELECT job_id, p95_s, max_s FROM task_stats WHERE runs = 20'
  assert_rows '3.0' "SELECT max_s FROM task_stats('2026-01-01T10:11:00Z', NULL, 'two')"
  assert_rows '9.0|9.0' "SELECT max_s, last_duration_s FROM task_stats(NULL, '2026-01-01T10:10:59Z') WHERE job_id = 'two'"
}

@test "the durations of task_stats are what Python computes from those of task_runs, in several windows, also for long histories" {
  require_host
  local built
  python3 "$root/tests/oracles/durations.py" generate "$BATS_TEST_TMPDIR/histories"
  for built in taskresults build/tiny/taskresults build/every_line/taskresults; do
    extension=$root/$built
    run host -c "import sys; sys.path.append('$root/tests/oracles'); import durations; sys.exit(durations.main())" \
      check "$BATS_TEST_TMPDIR/histories" "$recorded"
    printf '%s\n' "$output"
    [[ $status -eq 0 && $output == *' 0 disagreements' && $output =~ ([0-9]+)\ rows\ compared ]]
    ((BASH_REMATCH[1] > 3500))
  done
}

@test "a log is opened only if a duration is read, once, and only for the rows that are read" {
  use_recorded
  opens() {
    FAULTS_LOG=$BATS_TEST_TMPDIR/count LD_PRELOAD=$root/build/shim/faults.so \
      sqlite3 -init /dev/null -cmd ".load $extension" :memory: "$1" >/dev/null
    awk '/^opens/ {print $2}' "$BATS_TEST_TMPDIR/count"
  }
  [[ $(opens 'SELECT job_id, runs, mttr_s, rejects FROM task_stats') == 16 ]]
  [[ $(opens 'SELECT sum(runs) FROM (SELECT * FROM task_stats)') == 16 ]]
  [[ $(opens 'SELECT * FROM task_stats') == 32 ]]
  [[ $(opens 'SELECT p50_s, p95_s, max_s, last_duration_s FROM task_stats') == 32 ]]
  [[ $(opens "SELECT last_duration_s FROM task_stats('2026-01-01', NULL, 'slow-job')") == 2 ]]
  [[ $(opens "SELECT p95_s FROM task_stats WHERE runs >= 120") == 17 ]]
}

@test "in joins, groups and subqueries, each row has the durations of its own job" {
  took a 7 8
  took b 1
  make_job c 2
  assert_rows $'a|8.0|8.0\nb|1.0|1.0\nc|NULL|NULL' 'SELECT s.job_id, s.max_s, max(r.duration_s) FROM task_stats AS s
    JOIN task_runs AS r USING (job_id) GROUP BY s.job_id'
  assert_rows $'a|8.0|2\nb|1.0|1\nc|NULL|2' 'SELECT r.job_id, s.max_s, count(*) FROM task_results AS r
    LEFT JOIN task_stats AS s ON s.job_id = r.job_id AND s.runs > 0 GROUP BY 1'
  assert_rows $'a|1.0\nb|NULL' 'SELECT x.job_id, y.p50_s FROM task_stats AS x LEFT JOIN task_stats AS y
    ON y.p50_s < x.p50_s WHERE x.max_s > 0 ORDER BY 1'
  assert_rows $'a|7.0\nb|1.0\nc|NULL' 'SELECT job_id, (SELECT p50_s FROM task_stats(NULL, NULL, t.job_id)) FROM task_stats AS t'
  assert_rows 'b' 'SELECT job_id FROM task_stats WHERE p95_s < 5'
}

@test "without the default directory of logs, durations are NULL; a named directory that is missing is an error" {
  make_job a 2
  export SCHEDULER_LOGS_DIR=/no/such/logs
  assert_sql_error 'logs directory /no/such/logs: No such file or directory (set SCHEDULER_LOGS_DIR' 'SELECT * FROM task_stats'
  assert_rows 2 'SELECT runs FROM task_stats'
  unset SCHEDULER_LOGS_DIR
  [[ ! -e /opt/.task-scheduler/logs ]] || skip 'there are logs in the default directory here'
  assert_rows 'NULL|NULL|NULL|NULL' 'SELECT p50_s, p95_s, max_s, last_duration_s FROM task_stats'
  assert_rows 'a|2' 'SELECT job_id, runs FROM (SELECT * FROM task_stats)'
}

@test "a log that cannot be read fails the query that asks for it, with its name and the cause, and no other" {
  took a 3
  local select
  for select in p50_s max_s last_duration_s; do
    run with_faults FAULTS_OPEN_ERRNO=13 FAULTS_OPEN_NAME=a.log -- \
      sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT $select FROM task_stats"
    [[ $status -ne 0 && $output == *"job 'a': $logs/a.log cannot be opened: Permission denied"* ]]
  done
  run with_faults FAULTS_OPEN_ERRNO=13 FAULTS_OPEN_NAME=a.log -- \
    sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT runs FROM task_stats"
  [[ $status -eq 0 && $output == 1 ]]
}

@test "logs= names the logs; a log that is not a regular file gives no durations" {
  mkdir "$BATS_TEST_TMPDIR/l"
  took a 3
  mv "$logs/a.log" "$BATS_TEST_TMPDIR/l"
  assert_rows '3.0|NULL' "CREATE VIRTUAL TABLE temp.r USING task_stats(logs='$BATS_TEST_TMPDIR/l', dir='$results', max_line=10000)" \
    'SELECT p50_s, (SELECT p50_s FROM task_stats) FROM r'
  assert_sql_error "the arguments are dir='PATH', logs='PATH', max_line=BYTES, segments=live|all and map='MAPPING'" \
    'CREATE VIRTUAL TABLE temp.r USING task_stats(sync=off)'
  mkfifo "$logs/a.log"
  assert_rows NULL 'SELECT max_s FROM task_stats'
}

# --- the window -------------------------------------------------------------------------------------------------------------

@test "since and until: texts or microseconds, both ends included, NULL means no limit; rejects are always counted" {
  history a sfsf
  append_raw a '{"success": false}\n[1]\n'
  runs() { sql "SELECT runs || ',' || streak || ',' || rejects FROM task_stats$1"; }
  [[ $(runs '') == 5,-2,1 ]]
  [[ $(runs '(NULL, NULL)') == 5,-2,1 ]]
  [[ $(runs "('2026-01-01T00:01:00Z')") == 3,-1,1 ]]
  [[ $(runs "('2026-01-01 00:01', '2026-01-01T01:02:00+01:00')") == 2,1,1 ]]
  [[ $(runs "(NULL, 1767225660000000)") == 2,-1,1 ]]
  [[ $(runs "(1767225660000000, 1767225660000000)") == 1,-1,1 ]]
  [[ $(runs "(1767225660000000 + 0.5, 9e18)") == 2,-1,1 ]]
  [[ $(runs "(1767225660000001, 1767225660000000)") == 0,0,1 ]]
  [[ $(runs "(-9e999, 9e999)") == 4,-1,1 ]]
  [[ $(runs " WHERE until = '2026-01-01 00:00'") == 1,1,1 ]]
  assert_rows 'NULL|NULL|NULL|NULL' "SELECT success_rate, first_run, last_error, mttr_s FROM task_stats('2027-01-01 00:00')"
  assert_rows '2026-01-01 00:00|7' "SELECT since, until FROM task_stats('2026-01-01 00:00', 7)"
}

@test "since and until take the times that the commands take: whole days, lengths of time, and words" {
  append_raw a '{"timestamp":"2026-02-13T23:59:59.999999Z","success":true}\n{"timestamp":"2026-02-14T00:00:00Z","success":true}\n'
  append_raw a '{"timestamp":"2026-02-14T23:59:59.999999Z"}\n{"timestamp":"2026-02-15T00:00:00Z"}\n'
  assert_rows 2 "SELECT runs FROM task_stats('2026-02-14', '2026-02-14')"
  assert_rows '3|3' "SELECT (SELECT runs FROM task_stats('2026-02-14')), (SELECT runs FROM task_stats(NULL, '2026-02-14'))"
  assert_rows '4|0|0' "SELECT (SELECT runs FROM task_stats('9000 days', 'now')), (SELECT runs FROM task_stats('1 hour ago')),
    (SELECT runs FROM task_stats('today', 'today'))"
  assert_rows '0|4' "SELECT (SELECT runs FROM task_stats(date('now', '-1 days'))), (SELECT runs FROM task_stats(NULL, date()))"
  assert_rows 1 "SELECT sum(times) FROM task_errors('2026-02-14', '2026-02-14')"
}

@test "an argument that is not a time is an error that names the argument" {
  history a s
  local bad
  for bad in "'soon'" "''" "'2026-02-30 00:00'" "'2026-02-30'" "'1767225660000000'" "'7 days from now'" "x'00'" "'é$(printf 'é%.0s' {1..200})'"; do
    assert_sql_error "task_stats: since: '" "SELECT * FROM task_stats($bad)"
    assert_sql_error "is no time" "SELECT * FROM task_stats(NULL, $bad)"
  done
  assert_sql_error "task_stats: until: 'soon' is no time" "SELECT * FROM task_stats WHERE until = 'soon'"
}

@test "any operator but = on an argument is an error, even if SQLite offers it as not usable" {
  history a s
  local condition
  for condition in '> 5' '>= 5' '<= 5' '<> 5' 'IS NULL' 'IS NOT NULL' 'IS 5' 'IS NOT 5' 'IN (5, 6)' 'BETWEEN 1 AND 2' \
    "LIKE 'x'" "GLOB 'x'" 'IN (SELECT job_id FROM task_results)'; do
    assert_sql_error 'task_stats: since is an argument' "SELECT * FROM task_stats WHERE since $condition"
    assert_sql_error 'task_stats: until is an argument' "SELECT * FROM task_stats(5) WHERE until $condition"
  done
  assert_sql_error 'task_stats: since is an argument' "SELECT * FROM task_stats AS s JOIN (SELECT 5 AS t UNION SELECT 6) ON s.since > t"
}

@test "arguments may come from another table: SQLite reads that one first" {
  history a sfsf
  local windows="WITH w(name, lower, upper) AS (VALUES ('all', NULL, NULL), ('late', '2026-01-01 00:02', NULL),
    ('early', NULL, '2026-01-01 00:00'))"
  local expected=$'all|4\nearly|1\nlate|2'
  assert_rows "$expected" "$windows SELECT name, runs FROM w, task_stats(w.lower, w.upper) ORDER BY 1"
  assert_rows "$expected" "$windows SELECT name, runs FROM task_stats(w.lower, w.upper), w ORDER BY 1"
  assert_rows "$expected" "$windows SELECT name, runs FROM w LEFT JOIN task_stats(w.lower, w.upper) ORDER BY 1"
  assert_rows "$expected" "$windows SELECT name, (SELECT runs FROM task_stats(w.lower, w.upper)) FROM w ORDER BY 1"
  assert_rows "$expected" "$windows SELECT name, runs FROM w, task_stats(w.lower, w.upper) AS s
    WHERE s.job_id = (SELECT job_id FROM task_results LIMIT 1) ORDER BY 1"
  assert_sql_error 'no query solution' "SELECT * FROM task_stats(b.last_run) AS a, task_stats(a.last_run) AS b"
}

@test "two different values for one argument give no row; NULL as an argument, with many conditions, works or is an error" {
  history a sf
  assert_rows 1 "SELECT runs FROM task_stats('2026-01-01 00:01') WHERE since = '2026-01-01 00:01'"
  assert_rows '' "SELECT runs FROM task_stats('2026-01-01 00:01') WHERE since = '2026-01-01 00:00'"
  local many='1' i
  for i in {0..30}; do
    many+=" AND runs <> 1$i"
    run sql "SELECT runs FROM task_stats('2026-01-01 00:01', NULL) WHERE $many"
    [[ $output == 1 || $output == *'until cannot be NULL beside so many conditions'* ]]
    assert_rows 1 "SELECT runs FROM task_stats('2026-01-01 00:01', 9e18) WHERE $many"
  done
  # The conditions with < come first, so that they use up the places that SQLite counts.
  many=$(printf 'runs < 100%d AND ' {1..20})
  assert_rows 1 "SELECT runs FROM task_stats WHERE $many since = '2026-01-01 00:01'"
  assert_rows 1 "SELECT runs FROM task_stats WHERE $many since = '2026-01-01 00:01' AND since = '2026-01-01 00:01'"
  assert_rows '' "SELECT runs FROM task_stats WHERE $many since = '2026-01-01 00:01' AND since = '2026-01-01 00:00'"
  for name in since until; do
    assert_sql_error "$name cannot be NULL beside so many conditions" "SELECT runs FROM task_stats WHERE $many $name = NULL"
  done
}

@test "arguments work together with LIMIT and OFFSET; a number outside of int64 means its limit; a BLOB is not a time" {
  history a sf
  assert_rows 2 "SELECT runs FROM task_stats('2026-01-01 00:00') LIMIT 1 OFFSET 0"
  assert_rows '2|2' "SELECT (SELECT runs FROM task_stats(-1e30)), (SELECT runs FROM task_stats(NULL, 1e30))"
  assert_rows 'NULL' "SELECT (SELECT nullif(runs, 0) FROM task_stats(1e30))"
  assert_sql_error "task_stats: until: '(a BLOB)' is no time" "SELECT runs FROM task_stats(NULL, x'00')"
}

# --- what is read ---------------------------------------------------------------------------------------------------------

@test "conditions on job_id choose the files to read; one job is one open" {
  local job condition
  for job in a b c d; do history "$job" sf; done
  counted() {
    answer=$(FAULTS_LOG=$BATS_TEST_TMPDIR/log LD_PRELOAD=$root/build/shim/faults.so sql "$1")
    opens=$(awk '$1 == "opens" {print $2}' "$BATS_TEST_TMPDIR/log")
  }
  for condition in "WHERE job_id = 'b'" "WHERE job IS 'b'" "WHERE job_id GLOB 'b*'" "WHERE job_id IN ('b', 'none')" \
    "(NULL, NULL, 'b')"; do
    counted "SELECT group_concat(job_id) FROM task_stats $condition"
    [[ $answer == b && $opens -eq 1 ]] || { echo "$condition: $answer, $opens opens"; return 1; }
  done
  counted 'SELECT job_id FROM task_stats LIMIT 2'
  [[ $answer == $'a\nb' && $opens -eq 2 ]]
  counted 'SELECT group_concat(job_id) FROM task_stats'
  [[ $answer == a,b,c,d && $opens -eq 4 ]]
  assert_plan 'since = ? AND until = ? AND job_id = ?' "SELECT * FROM task_stats(1, 2) WHERE job_id = 'b'"
  assert_plan 'job_id GLOB ? ORDER BY rowid DESC' "SELECT * FROM task_stats WHERE job_id GLOB 'b*' ORDER BY rowid DESC"
}

@test "an OR over jobs and rowids shows each job once" {
  history a sf
  history b s
  assert_rows $'a|2\nb|1' "SELECT job_id, runs FROM task_stats WHERE job_id = 'a' OR job_id = 'b' OR rowid = 0 OR job_id GLOB '?' ORDER BY 1"
}

@test "hostile job ids come back unchanged from task_stats, and find their rows" {
  load ../lib/hostile
  make_hostile_jobs
  assert_rows "${#hostile_jobs[@]}|0" 'SELECT count(*), sum(runs <> 2 OR last_error <> job_id OR streak <> -1) FROM task_stats'
}

@test "a file that cannot be read fails the query, with job and cause; entries that are not files are not jobs" {
  history a sf
  mkdir "$results/folder.jsonl"
  ln -s a.jsonl "$results/link.jsonl"
  mkfifo "$results/fifo.jsonl"
  printf '{}\n' >"$results/"$'bad\xff.jsonl'
  assert_rows a 'SELECT job_id FROM task_stats'
  run env FAULTS_OPEN_ERRNO=13 FAULTS_OPEN_NAME=a.jsonl LD_PRELOAD="$root/build/shim/faults.so" sqlite3 -bail -init /dev/null \
    -cmd ".load $extension" :memory: 'SELECT * FROM task_stats'
  [[ $status -ne 0 && $output == *"job 'a': $results/a.jsonl cannot be opened: Permission denied"* ]]
  run env FAULTS_PREAD_AFTER=0 LD_PRELOAD="$root/build/shim/faults.so" sqlite3 -bail -init /dev/null -cmd ".load $extension" \
    :memory: 'SELECT * FROM task_stats'
  [[ $status -ne 0 && $output == *"job 'a': $results/a.jsonl cannot be read at byte 0: Input/output error"* ]]
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere assert_sql_error "results directory $BATS_TEST_TMPDIR/nowhere" \
    'SELECT * FROM task_stats'
}

@test "a job's row comes before the next file is opened" {
  history a s
  history b s
  history c s
  run_in_host <<PYTHON
import os
rows = db.execute("SELECT job_id, runs FROM task_stats")
assert next(rows) == ("a", 1)  # some versions have stepped to b by now
os.remove("$results/c.jsonl")
assert rows.fetchall() == [("b", 1)]
PYTHON
}

@test "a table of one's own takes dir= and max_line=, and cannot be used in views; the eponymous one can" {
  history a sf
  mkdir "$BATS_TEST_TMPDIR/other"
  mv "$results/a.jsonl" "$BATS_TEST_TMPDIR/other/b.jsonl"
  history a s
  local own="CREATE VIRTUAL TABLE own USING task_stats(dir='$BATS_TEST_TMPDIR/other', max_line=85)"
  assert_rows $'b|1|1\na|1|0' "$own" "SELECT job_id, runs, rejects FROM own UNION ALL SELECT job_id, runs, rejects FROM task_stats"
  assert_rows 'b|0' "$own" "SELECT job_id, runs FROM own('2027-01-01 00:00')"
  assert_sql_error 'unsafe use of virtual table' "$own" 'CREATE VIEW v AS SELECT * FROM own' 'SELECT * FROM v'
  sqlite3 -batch -init /dev/null -cmd ".load $extension" "$BATS_TEST_TMPDIR/db" 'CREATE VIEW v AS SELECT * FROM task_stats'
  [[ $(sqlite3 -batch -init /dev/null -cmd ".load $extension" "$BATS_TEST_TMPDIR/db" 'PRAGMA trusted_schema=ON' 'SELECT job_id FROM v') == a ]]
  assert_sql_error 'may not be modified' "DELETE FROM task_stats"
}

@test "an interrupt and a progress handler end it within 50 ms of processor time, in the middle of a file" {
  local how outcome
  python3 "$root/tests/bench/generate.py" "$BATS_TEST_TMPDIR/block" 20000000
  for _ in {1..8}; do cat "$BATS_TEST_TMPDIR/block"; done >"$results/a.jsonl"
  for how in interrupt progress:1000; do
    outcome=$("$root/build/live/interrupt" "$extension" "$how" 20 'SELECT * FROM task_stats')
    echo "# $how: $outcome"
    [[ $outcome == interrupted\ * ]] && ((${outcome#interrupted } <= 50000))
  done
  rm "$results/a.jsonl" "$BATS_TEST_TMPDIR/block"
}
