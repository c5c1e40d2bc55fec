# helpers.bash - helpers shared by all bats files. `load ../lib/helpers` at the top of each.
#
# Every test has a results directory of its own, $results, which the eponymous tables read.

# shellcheck shell=bash disable=SC2154  # bats sets BATS_*, status and output

root=${TASKRESULTS_ROOT:-$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)}

# Fixed surroundings: none of the caller's settings, a plain locale, and no terminal to read from.
unset SCHEDULER_LOGS_DIR SCHEDULER_JOBS_FILE TASKRESULTS_MAX_LINE TASKRESULTS_EXTENSION TASKRESULTS_SQLITE3
unset COLUMNS NO_COLOR POSIXLY_CORRECT LANGUAGE "${!LC_@}"
export LANG=C.UTF-8
exec </dev/null

setup() {
  results=$BATS_TEST_TMPDIR/results
  mkdir -p "$results"
  export SCHEDULER_RESULTS_DIR=$results
  extension=$root/taskresults
}

# sql STATEMENT... - runs the statements in one sqlite3 with the extension loaded; columns are separated by |, NULL
# prints as NULL. Statements are the tests' own texts; nothing is pasted into them.
sql() {
  sqlite3 -batch -bail -init /dev/null -nullvalue NULL -cmd ".load $extension" :memory: "$@"
}

# sqlite_version_number - the version of the sqlite3 program: 3.40.1 is 3040001. For tests that older versions cannot
# run.
sqlite_version_number() {
  sqlite3 -version | awk '{ split($1, part, "."); printf "%d%03d%03d\n", part[1], part[2], part[3] }'
}

# version_built - the project's, which stands in one place.
version_built() {
  sed -n 's/^#define TASKRESULTS_VERSION "\(.*\)"$/\1/p' "$root/include/taskresults.h"
}

# some_or_all SOME ALL - prints SOME, or ALL where TASKRESULTS_LONG is set, as `make test-long` does: how many random
# cases a test tries, or one of how many steps.
some_or_all() {
  if [[ ${TASKRESULTS_LONG-} ]]; then echo "$2"; else echo "$1"; fi
}

# append_raw JOB BYTES... - appends the bytes, as printf '%b' reads them, without a newline of its own.
append_raw() {
  local job=$1
  shift
  printf '%b' "$*" >>"$results/$job.jsonl"
}

# await COMMAND... - repeats it until it succeeds. Gives up after minutes, longer than even a busy machine needs.
await() {
  local began=$SECONDS
  until "$@" 2>/dev/null; do
    ((SECONDS < began + 300)) || { echo "never: $*"; return 1; }
    sleep 0.02
  done
}

# make_job JOB COUNT [FAIL_EVERY] - appends COUNT records as the scheduler writes them, one a minute from
# 2026-01-01T00:00:00Z; every FAIL_EVERY-th fails.
make_job() {
  if [[ $1 =~ ^[a-z]+-?[0-9]*$ ]] && (($2 <= 300)); then
    # Bats looks at each command, which takes longer than the command: not here.
    (trap - DEBUG && make_small_job "$1" "$2" "${3:-0}") >>"$results/$1.jsonl"
    return
  fi
  python3 "$root/tests/lib/make_job.py" "$results/$1.jsonl" "$1" "$2" "${3:-0}"
}

# The same without another program, for names whose capital is the first letter.
make_small_job() {
  local i when
  for ((i = 0; i < $2; i++)); do
    TZ=UTC0 printf -v when '%(%FT%T)T' $((1767225600 + 60 * i))
    if (($3 > 0 && (i + 1) % $3 == 0)); then
      printf '{"timestamp": "%sZ", "job_id": "%s", "job_name": "%s", "success": false, "output": "", "error": "%s"}\n' \
        "$when" "$1" "${1^}" "run $i failed: Connection timeout"
    else
      printf '{"timestamp": "%sZ", "job_id": "%s", "job_name": "%s", "success": true, "output": "%s", "error": ""}\n' \
        "$when" "$1" "${1^}" "run $i\\nall good"
    fi
  done
}

# assert_rows EXPECTED STATEMENT... - the statements print exactly that.
assert_rows() {
  local expected=$1 actual
  shift
  actual=$(sql "$@") || { echo "failed: $*"; return 1; }
  [[ $actual == "$expected" ]] || {
    printf 'statement: %s\nexpected:\n%s\nactual:\n%s\n' "$*" "$expected" "$actual"
    return 1
  }
}

# assert_sql_error WORDS STATEMENT... - the statements fail, and say WORDS.
assert_sql_error() {
  local words=$1
  shift
  run sql "$@"
  [[ $status -ne 0 && $output == *"$words"* ]] || {
    printf 'statement: %s\nwanted an error with: %s\nstatus %s, output:\n%s\n' "$*" "$words" "$status" "$output"
    return 1
  }
}

# assert_plan WORDS STATEMENT - EXPLAIN QUERY PLAN of the statement says WORDS.
assert_plan() {
  local plan
  plan=$(sql "EXPLAIN QUERY PLAN $2") || return 1
  [[ $plan == *"$1"* ]] || {
    printf 'statement: %s\nwanted in the plan: %s\nplan:\n%s\n' "$2" "$1" "$plan"
    return 1
  }
}

# with_faults VARIABLE=VALUE... -- COMMAND... - runs the command with the system-call shim of tests/shim/faults.c.
with_faults() {
  local settings=()
  while [[ $1 != -- ]]; do
    settings+=("$1")
    shift
  done
  shift
  env "${settings[@]}" LD_PRELOAD="$root/build/shim/faults.so" "$@"
}

# require_strace - skips a test where there is none, or where no process may be traced.
require_strace() {
  command -v strace >/dev/null || missing_extra strace
  strace -o /dev/null true 2>/dev/null || skip 'no process may be traced here'
}

# missing_extra WHAT - for a test whose package, of the group `extras` in .ci/deps, is not here: it is skipped, but
# fails where TASKRESULTS_EXTRAS is set, as .ci/run does.
missing_extra() {
  [[ -z ${TASKRESULTS_EXTRAS-} ]] || { echo "not here: $1"; return 1; }
  skip "not here: $1"
}
