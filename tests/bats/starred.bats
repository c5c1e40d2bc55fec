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
  echo '{"jobs": [{"id": "a", "enabled": true, "created_at": "2026-01-01T00:00:00Z", "schedule": "0 * * * *"}]}' >"$fleet/jobs.json"
  SCHEDULER_JOBS_FILE=$fleet/jobs.json assert_sql_error "$words" 'SELECT * FROM task_slots'
  SCHEDULER_JOBS_FILE=$fleet/jobs.json SCHEDULER_RESULTS_DIR=$fleet/web1/results SCHEDULER_LOGS_DIR="$fleet/*/logs" \
    assert_sql_error "${words/results directory*results:/logs directory $fleet/*/logs:}" 'SELECT * FROM task_slots'
  SCHEDULER_JOBS_FILE=$fleet/jobs.json assert_sql_error "$words" 'SELECT count(*) FROM task_jobs'
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
