# shell.bash - running the commands under test: those of the checkout, or those in TASKRESULTS_BIN.
# `load ../lib/shell` below `load ../lib/helpers`.

# shellcheck shell=bash disable=SC2154,SC2034  # bats and helpers.bash set some, tests use others

# With this directory in the PATH, messages call the programs by their names, not by their paths.
PATH=${TASKRESULTS_BIN:-$root/shell}:$PATH

tool() {
  printf '%s\n' "${TASKRESULTS_BIN:-$root/shell}/$1"
}

taskresults() {
  "$(tool taskresults)" "$@"
}

view_results() {
  "$(tool view_results)" "$@"
}

# on_pty COLUMNS COMMAND... - runs it on a terminal of that width, and prints what the terminal got.
on_pty() {
  python3 "$root/tests/lib/on_pty.py" "$@"
}

# assert_output EXPECTED - the last `run` printed exactly that, with status 0.
assert_output() {
  [[ $status -eq 0 && $output == "$1" ]] || {
    printf 'status %s\nexpected:\n%s\nactual:\n%s\n' "$status" "$1" "$output"
    return 1
  }
}

# open_results - makes a results directory that other users may read, in `open_place`, which the test's teardown
# removes. Sets `as_nobody` to the words that run a command as the user nobody.
open_results() {
  open_place=$(mktemp -d /tmp/taskresults.XXXXXX) # the tests' own directories are closed to others
  chmod 755 "$open_place"
  results=$open_place/results
  export SCHEDULER_RESULTS_DIR=$results
  mkdir -m 755 "$results"
  as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
}

# open_state - the same, with logs and a jobs.json beside the results: `state` is the directory of all of them.
open_state() {
  open_results
  state=$open_place
  mkdir -m 755 "$state/logs"
  export SCHEDULER_LOGS_DIR=$state/logs SCHEDULER_JOBS_FILE=$state/jobs.json
}
