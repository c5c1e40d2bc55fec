#!/usr/bin/env bats
# A path with a star: the directories of several hosts as one table, with the column host.

# shellcheck disable=SC2154  # helpers.bash sets root, results and extension
bats_require_minimum_version 1.5.0
load ../lib/helpers
load ../lib/host

setup() {
  results=$BATS_TEST_TMPDIR/results fleet=$BATS_TEST_TMPDIR/fleet
  mkdir -p "$results" "$fleet"
  export SCHEDULER_RESULTS_DIR=$results
  extension=$root/taskresults
}

# make_host HOST JOB... - three records of each job.
make_host() {
  local host=$1 job
  mkdir -p "$fleet/$host/results"
  for job in "${@:2}"; do
    make_job "$job" 3
    mv "$results/$job.jsonl" "$fleet/$host/results"
  done
}

# over PATTERN SQL - the rows of SQL, in which f is task_results over the pattern.
over() {
  sql "CREATE VIRTUAL TABLE temp.f USING task_results(dir='$1')" "$2"
}

assert_over() {
  local rows
  rows=$(over "$2" "$3")
  [[ $rows == "$1" ]] || { echo "$rows"; return 1; }
}

refuses() { # WORDS PATTERN [SQL]
  run over "$2" "${3:-SELECT count(*) FROM f}"
  [[ $status -ne 0 && $output == *"$1"* ]] || { echo "$output"; return 1; }
}

@test "every table of a path with a star says what UNION ALL over the hosts says: pushdown, joins, orders, rowids" {
  require_host
  mkdir "$BATS_TEST_TMPDIR/hosts"
  run "$host_python" "$root/tests/live/starred.py" "$extension" "$BATS_TEST_TMPDIR/hosts"
  [[ $status -eq 0 && $output == *selective ]] || { echo "$output"; return 1; }
}

@test "the star stands for a name or a part of one, not for a hidden one, a file, or a host without the directory" {
  make_host web1 a
  make_host web2 a b
  make_host db a
  make_host .hidden a
  mkdir "$fleet/web3"
  touch "$fleet/web4"
  ln -s web1 "$fleet/link"
  assert_over $'db|3\nlink|3\nweb1|3\nweb2|6' "$fleet/*/results" 'SELECT host, count(*) FROM f GROUP BY 1'
  assert_over $'1|3\n2|6' "$fleet/web*/results/" 'SELECT host, count(*) FROM f GROUP BY 1'
  assert_over 'we|3' "$fleet/*b1/results" 'SELECT host, count(*) FROM f GROUP BY 1'
  assert_over 'hidd|3' "$fleet/.*en/results" 'SELECT host, count(*) FROM f GROUP BY 1'
  assert_over 'result|6' "$fleet/web2/*s" 'SELECT host, count(*) FROM f GROUP BY 1'
  cd "$fleet"
  assert_over $'1|3\n2|6' 'web*/results' 'SELECT host, count(*) FROM f GROUP BY 1'
}

@test "without a star host is NULL, and a condition on it finds nothing" {
  make_host db a
  assert_over '3' "$fleet/db/results" 'SELECT count(*) FROM f WHERE host IS NULL'
  assert_over '0' "$fleet/db/results" "SELECT count(*) FROM f WHERE host = 'db'"
}

@test "the environment may have a star, too; what needs one directory refuses it" {
  make_host web1 a
  make_host web2 a b
  export SCHEDULER_RESULTS_DIR="$fleet/*/results"
  assert_rows $'web1|3\nweb2|6' 'SELECT host, count(*) FROM task_results GROUP BY 1'
  local words="results directory $fleet/*/results: a * stands for several hosts, and this needs one"
  assert_sql_error "$words" "SELECT taskresults_prune('a', 'keep', 1)"
  assert_sql_error "$words" "SELECT taskresults_prune_all('keep', 1)"
  refuses "$words" "$fleet/*/results" "INSERT INTO f(job_id, success) VALUES ('a', 1)"
  refuses 'host' "$fleet/web1/results" "INSERT INTO f(job_id, success, host) VALUES ('a', 1, 'web1')"
  [[ $(cat "$fleet"/*/results/*.jsonl | wc -l) == 9 ]]
}

@test "no match, two stars, a host that cannot be opened, and a name that is no UTF-8 are errors" {
  make_host web1 a
  refuses "results directory $fleet/x*/results: no directory matches" "$fleet/x*/results"
  refuses "directory $fleet/*/*: only one * can stand for the hosts" "$fleet/*/*"
  refuses "results directory $fleet/none: No such file" "$fleet/none/*/results"
  mkdir -p "$fleet"/$'b\xffd/results'
  refuses 'its name is not valid UTF-8' "$fleet/*/results"
  rm -r "$fleet"/$'b\xffd'
  ln -s loop "$fleet/loop"
  refuses "results directory $fleet/loop/results: Too many levels of symbolic links" "$fleet/*/results"
  assert_over 3 "$fleet/*/results" "SELECT count(*) FROM f WHERE host = 'web1'"
}

@test "a file that cannot be read is named with its host" {
  make_host web1 a
  mkdir "$fleet/web1/results/b.jsonl"
  ((EUID != 0)) || skip 'root reads everything'
  make_host web2 a
  chmod 0 "$fleet/web2/results/a.jsonl"
  refuses "job 'a': $fleet/web2/results/a.jsonl cannot be opened" "$fleet/*/results"
}

@test "what is no file, and what a prune left behind, is a reject of its host, with its job" {
  make_host web1 a
  make_host web2 a
  mkdir "$fleet/web2/results/b.jsonl"
  run ! env SCHEDULER_RESULTS_DIR="$fleet/web1/results" LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT=nanosleep \
    PRUNE_FAULT=kill sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT taskresults_prune('a', 'keep', 1)"
  run sql "CREATE VIRTUAL TABLE temp.r USING task_rejects(dir='$fleet/*/results')" \
    'SELECT DISTINCT host, job_id, substr(reason, 1, 12) FROM r ORDER BY 1, 2, 3'
  [[ $output == $'web1|a|left by an i\nweb2|b|not a regula' ]]
}

# opened - the directories and files of the fleet that the last traced query opened.
traced() { # SQL
  strace -f -qq -e trace=openat -o "$BATS_TEST_TMPDIR/trace" sqlite3 -batch -init /dev/null -cmd ".load $extension" \
    :memory: "CREATE VIRTUAL TABLE temp.f USING task_results(dir='$fleet/*/results')" "$1" >/dev/null
  sed -nE 's/^.*openat\([0-9]+, "((web|db)[^"]*)".* = [0-9]+$/\1/p' "$BATS_TEST_TMPDIR/trace" | sort | uniq -c | sed -E 's/^ +//' | tr '\n' ';'
}

@test "a condition on the host opens only its directory, one on both only one file" {
  require_strace
  make_host web1 a b
  make_host web2 a b
  make_host db a
  [[ $(traced "SELECT count(*) FROM f WHERE host = 'web1'") == '1 web1/results;1 web1/results/a.jsonl;1 web1/results/b.jsonl;' ]]
  [[ $(traced "SELECT count(*) FROM f WHERE host = 'web1' AND job_id = 'b'") == '1 web1/results;1 web1/results/b.jsonl;' ]]
  [[ $(traced "SELECT count(*) FROM f WHERE host IN ('db', 'web2') AND job_id = 'a'") == '1 db/results;1 db/results/a.jsonl;1 web2/results;1 web2/results/a.jsonl;' ]]
  [[ $(traced "SELECT count(*) FROM f WHERE host = 'nobody'") == '' ]]
  [[ $(traced "SELECT count(*) FROM f WHERE job_id = 'b'") == '1 db/results;1 web1/results;1 web1/results/b.jsonl;1 web2/results;1 web2/results/b.jsonl;' ]]
}

@test "logs: those of the same host; if the logs are of one directory, no duration is known" {
  make_host web1 a
  mkdir -p "$fleet/web1/logs"
  printf '[2026-01-01T00:00:%02dZ] Starting job\n' 0 >"$fleet/web1/logs/a.log"
  run sql "CREATE VIRTUAL TABLE temp.r USING task_runs(dir='$fleet/*/results', logs='$fleet/web1/logs')" \
    'SELECT host, count(*), count(duration_s) FROM r GROUP BY 1'
  [[ $output == 'web1|3|0' ]]
  run sql "CREATE VIRTUAL TABLE temp.r USING task_runs(dir='$fleet/web1/results', logs='$fleet/*/logs')" 'SELECT count(*), count(duration_s) FROM r'
  [[ $output == '3|0' ]]
}

# list_jobs HOST JOB... - the host's jobs.json.
list_jobs() {
  local host=$1 job jobs=()
  for job in "${@:2}"; do
    jobs+=("{\"id\": \"$job\", \"enabled\": true, \"created_at\": \"2026-01-01T00:00:00Z\", \"schedule\": \"daily\", \"cron\": \"0 0 * * *\"}")
  done
  mkdir -p "$fleet/$host"
  (IFS=,; echo "{\"jobs\": [${jobs[*]}]}") >"$fleet/$host/jobs.json"
}

# star_scheduler - the environment names the files of all hosts.
star_scheduler() {
  export SCHEDULER_RESULTS_DIR="$fleet/*/results" SCHEDULER_LOGS_DIR="$fleet/*/logs" SCHEDULER_JOBS_FILE="$fleet/*/jobs.json"
}

@test "jobs.json of several hosts: of those that have one; orphans are those of the same host" {
  make_host web1 a b
  make_host web2 a
  make_host db a
  list_jobs web1 a
  list_jobs web2 a c
  list_jobs new a
  star_scheduler
  assert_rows $'new|a|idle\nweb1|a|idle\nweb1|b|orphaned\nweb2|a|idle\nweb2|c|idle' 'SELECT host, job_id, state FROM task_jobs'
  export SCHEDULER_JOBS_FILE="$fleet/*.json" SCHEDULER_RESULTS_DIR="$fleet/*/results"
  mv "$fleet/web1/jobs.json" "$fleet/web1.json"
  assert_rows $'web1|a|idle\nweb1|b|orphaned' 'SELECT host, job_id, state FROM task_jobs'
}

@test "the name of a host may have a star itself" {
  make_host 'a*b' one
  list_jobs 'a*b' two
  star_scheduler
  assert_rows $'a*b|one|3' 'SELECT host, job_id, runs FROM task_stats'
  assert_rows $'a*b|two|idle\na*b|one|orphaned' 'SELECT host, job_id, state FROM task_jobs'
  assert_rows $'a*b|two' "SELECT DISTINCT host, job_id FROM task_slots"
}

@test "results, logs and jobs.json are all of one host, or all of several" {
  make_host web1 a
  list_jobs web1 a
  star_scheduler
  local one=$fleet/web1 of_one='of one; it needs a *, too'
  for table in task_jobs task_slots; do
    SCHEDULER_JOBS_FILE=$one/jobs.json assert_sql_error "results directory $fleet/*/results: its * stands for several hosts, and jobs file $one/jobs.json is $of_one" "SELECT * FROM $table"
    SCHEDULER_RESULTS_DIR=$one/results assert_sql_error "jobs file $fleet/*/jobs.json: its * stands for several hosts, and results directory $one/results is $of_one" "SELECT * FROM $table"
  done
  SCHEDULER_LOGS_DIR=$one/logs assert_sql_error "jobs file $fleet/*/jobs.json: its * stands for several hosts, and logs directory $one/logs is $of_one" 'SELECT * FROM task_slots'
}

@test "jobs.json: no match, two stars, and one that cannot be read or understood are errors that name it" {
  star_scheduler
  make_host web1 a
  assert_sql_error "jobs file $fleet/*/jobs.json: no file matches" 'SELECT * FROM task_jobs'
  list_jobs web1 a
  SCHEDULER_JOBS_FILE="$fleet/*/*.json" assert_sql_error 'only one * can stand for the hosts' 'SELECT * FROM task_jobs'
  SCHEDULER_JOBS_FILE="$fleet/none/*/jobs.json" assert_sql_error "jobs file $fleet/none/*/jobs.json: $fleet/none: No such file" 'SELECT * FROM task_jobs'
  mkdir "$fleet/web2"
  ln -s loop "$fleet/web2/loop"
  ln -s loop/jobs.json "$fleet/web2/jobs.json"
  ln -s loop "$fleet/loop"
  assert_sql_error "jobs file $fleet/loop/jobs.json: Too many levels of symbolic links" 'SELECT * FROM task_slots'
  rm "$fleet/loop" "$fleet/web2/jobs.json"
  mkdir "$fleet/web2/jobs.json"
  assert_sql_error "jobs file $fleet/web2/jobs.json: " 'SELECT * FROM task_slots'
  assert_rows 'web1' "SELECT host FROM task_jobs WHERE host = 'web1'"
}

@test "a condition on the host opens only its jobs.json, its records and its log" {
  require_strace
  star_scheduler
  for host in web1 web2 db; do
    make_host "$host" a
    list_jobs "$host" a
    mkdir "$fleet/$host/logs"
    touch "$fleet/$host/logs/a.log"
  done
  for table in task_jobs task_slots; do
    strace -f -qq -e trace=openat -o "$BATS_TEST_TMPDIR/trace" sqlite3 -batch -init /dev/null -cmd ".load $extension" \
      :memory: "SELECT count(*) FROM $table WHERE host IN ('web1', 'web2')" >/dev/null
    run grep -cE '"[^"]*web[12]' "$BATS_TEST_TMPDIR/trace"
    ((output >= 4))
    run ! grep -E '"([^"]*/)?db[/"]' "$BATS_TEST_TMPDIR/trace"
  done
}

@test "slots of a job are told by the records and the log of its own host, also where another has a job of that name" {
  star_scheduler
  list_jobs ran a
  list_jobs missed a
  mkdir -p "$fleet/ran/results" "$fleet/ran/logs"
  echo '{"timestamp": "2026-02-02T00:00:09Z", "success": true}' >"$fleet/ran/results/a.jsonl"
  printf '[2026-02-0%dT00:00:00Z] Starting job\n' 2 >"$fleet/ran/logs/a.log"
  assert_rows $'missed|missed\nran|ran' "SELECT host, state FROM task_slots('2026-02-02', '2026-02-02')"
  assert_rows $'a|missed|missed\na|ran|ran' "SELECT job_id, host, state FROM task_slots('2026-02-02', '2026-02-02') ORDER BY job_id, slot_us, host"
  assert_rows $'a|missed\na|ran\na|missed\na|missed' \
    "SELECT job_id, state FROM task_slots('2026-02-02', '2026-02-03') ORDER BY job_id, slot_us, host = 'ran'"
}

@test "slots of several hosts are sorted by job and slot, though each host's come together" {
  star_scheduler
  list_jobs one b a
  list_jobs two b a
  assert_rows $'a|02\na|02\na|03\na|03\nb|02\nb|02\nb|03\nb|03' \
    "SELECT job_id, substr(slot, 9, 2) FROM task_slots('2026-02-02', '2026-02-03') ORDER BY job_id, slot_us"
}

# plan_of SQL - its plan, in one line.
plan_of() {
  sql "EXPLAIN QUERY PLAN $1" | tr '\n' ' '
}

@test "the plans of task_jobs and task_slots: the host is pushed down; with a star, only job_id needs no sorting" {
  list_jobs one a
  list_jobs two a
  star_scheduler
  [[ $(plan_of "SELECT * FROM task_jobs WHERE host = 'one'") == *'host = ?'* ]]
  [[ $(plan_of "SELECT * FROM task_jobs WHERE host IN ('one', 'two')") == *'host IN (?)'* ]]
  [[ $(plan_of "SELECT * FROM task_slots WHERE host IN ('one', 'two') AND job_id = 'a'") == *'host IN (?)'*'job_id = ?'* ]]
  [[ $(plan_of "SELECT * FROM task_slots WHERE host = 'one' COLLATE NOCASE") != *'host ='* ]]
  [[ $(plan_of 'SELECT * FROM task_slots ORDER BY job_id') != *'TEMP B-TREE'* ]]
  [[ $(plan_of 'SELECT * FROM task_slots ORDER BY job_id, slot_us') == *'TEMP B-TREE'* ]]
  export SCHEDULER_RESULTS_DIR=$fleet/one/results SCHEDULER_LOGS_DIR=$fleet/one/logs SCHEDULER_JOBS_FILE=$fleet/one/jobs.json
  [[ $(plan_of 'SELECT * FROM task_slots ORDER BY job_id, slot_us') != *'TEMP B-TREE'* ]]
}

@test "a statement that relies on the order of one host is refused if the environment has a star when it runs" {
  list_jobs one a
  mkdir -p "$fleet/one/results" "$fleet/one/logs"
  export SCHEDULER_RESULTS_DIR=$fleet/one/results SCHEDULER_LOGS_DIR=$fleet/one/logs SCHEDULER_JOBS_FILE=$fleet/one/jobs.json
  run_in_host <<PYTHON
import ctypes, os
libc = ctypes.CDLL(None)
sql = "SELECT job_id FROM task_slots('2026-02-01', '2026-02-03') ORDER BY job_id, slot_us"
assert db.execute(sql).fetchall() == [("a",)] * 3
for name, path in (("RESULTS_DIR", "results"), ("LOGS_DIR", "logs"), ("JOBS_FILE", "jobs.json")):
    libc.setenv(f"SCHEDULER_{name}".encode(), f"$fleet/*/{path}".encode(), 1)
try:
    db.execute(sql).fetchall() # as it was prepared
    raise AssertionError("not refused")
except Exception as error:
    assert "a * stands for several hosts" in str(error), error
assert db.execute(sql + " ").fetchall() == [("a",)] * 3
PYTHON
}

@test "a rowid of task_prunes is none of task_results, though the names of both have one list" {
  mkdir -p "$BATS_TEST_TMPDIR/srv/one/results"
  printf '{"timestamp": "2026-01-0%d", "output": "x"}\n' 1 2 3 >"$BATS_TEST_TMPDIR/srv/one/results/a.jsonl"
  sql "SELECT taskresults_prune('a', 'keep', 1, 'dir', '$BATS_TEST_TMPDIR/srv/one/results')" >/dev/null
  assert_rows $'1\n0' "CREATE VIRTUAL TABLE temp.p USING task_prunes(dir='$BATS_TEST_TMPDIR/srv/*/results');
    CREATE VIRTUAL TABLE temp.r USING task_results(dir='$BATS_TEST_TMPDIR/srv/*/results');
    SELECT count(*) FROM p; SELECT count(*) FROM p CROSS JOIN r ON r.rowid = p.rowid"
}
