#!/usr/bin/env bats
# What commands say to people who asked for something that is not there: where it is, or what it is called.

load ../helpers
load ../shell

teardown() {
  [[ -z ${scheduler_pid-} ]] || kill "$scheduler_pid"
  [[ -z ${opt_place-} ]] || rm -rf "$opt_place"
}

# make_state DIRECTORY - what a scheduler keeps.
make_state() {
  mkdir -p "$1/results" "$1/logs"
  echo '{"jobs": []}' >"$1/jobs.json"
}

# start_scheduler NAME [SCRIPT] - a process of that name, in the current directory, which waits for its end.
start_scheduler() {
  ( exec -a "$1" bash -c 'mkfifo "$1" && : <"$1"' "${2-}" "$BATS_TEST_TMPDIR/fifo" ) 3>&- &
  scheduler_pid=$!
  until [[ -p $BATS_TEST_TMPDIR/fifo ]]; do kill -0 "$scheduler_pid"; done
}

# pasted - the directory that the printed lines lead to, when a shell gets them: `results logs jobs`.
pasted() {
  (
    unset SCHEDULER_RESULTS_DIR SCHEDULER_LOGS_DIR SCHEDULER_JOBS_FILE
    eval "$(grep -o 'export SCHEDULER_[A-Z_]*=.*' <<<"$output")"
    printf '%s\n' "${SCHEDULER_RESULTS_DIR-}" "${SCHEDULER_LOGS_DIR-}" "${SCHEDULER_JOBS_FILE-}"
  )
}

# --- no results directory --------------------------------------------------------------------------------------------

@test "no results directory: every command says where a running scheduler keeps its own, in lines to paste; none talks SQL" {
  repository="$BATS_TEST_TMPDIR/it's a \$(touch forged)"
  make_state "$repository/.task-scheduler"
  mkdir "$repository/src"
  cd "$repository/src"
  start_scheduler task-scheduler-daemon
  cd "$BATS_TEST_TMPDIR"
  export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere
  state=$repository/.task-scheduler
  for arguments in list 'view a' 'view --all' stats 'stats a' errors rejects export follow sla metrics alerts \
    'report -o page' 'prune a --keep 1' doctor 'sql SELECT\ 1\ FROM\ task_results' 'run a -- true'; do
    eval "run taskresults $arguments"
    [[ $(pasted) == "$state/results"$'\n'"$state/logs"$'\n'"$state/jobs.json" ]] || { echo "$arguments: $output"; return 1; }
    [[ ! -e forged && ($arguments == sql* || $output != *'CREATE VIRTUAL'*) ]]
  done
  run view_results a
  [[ $status -eq 3 && $(pasted) == "$state/results"* && $output != *'CREATE VIRTUAL'* ]]
  # Nothing was taken silently.
  run taskresults list
  [[ $status -eq 3 && ! -e page ]]
}

@test "no results directory: found by the settings of a process, by its script, in a unit, below /opt" {
  export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere
  run taskresults list
  [[ $status -eq 3 && $output == *'nowhere: No such file or directory'* ]]
  make_state "$BATS_TEST_TMPDIR/one/.task-scheduler"
  make_state "$BATS_TEST_TMPDIR/two"
  export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
  mkdir -p "$XDG_CONFIG_HOME/systemd/user"
  unit=$XDG_CONFIG_HOME/systemd/user/task-scheduler-x.service
  printf '[Service]\nExecStart=/usr/bin/python3 -u %s/bin/task_scheduler.py --loop\n' "$BATS_TEST_TMPDIR/one" >"$unit"
  run taskresults list
  [[ $output == *"$BATS_TEST_TMPDIR/one/.task-scheduler/results; to use them:"* ]]
  printf '[Service]\nEnvironment="SCHEDULER_RESULTS_DIR=%s" X=1\n' "$BATS_TEST_TMPDIR/two/results" >"$unit"
  run taskresults list
  [[ $output == *"$BATS_TEST_TMPDIR/two/results; to use them:"* && $output != *one/* ]]
  rm "$unit"
  # Beside the results lies the rest.
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/two/results run taskresults doctor
  [[ $(pasted) == $'\n'"$BATS_TEST_TMPDIR/two/logs"$'\n'"$BATS_TEST_TMPDIR/two/jobs.json" ]]
  # One that is in use is not suggested, and doctor names the others.
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/two/results start_scheduler python3 "$BATS_TEST_TMPDIR/one/bin/task-scheduler.py"
  run taskresults list
  [[ $output == *"$BATS_TEST_TMPDIR/one/.task-scheduler/results; to use them:"*"$BATS_TEST_TMPDIR/two/results; to use them:"* ||
    $output == *"$BATS_TEST_TMPDIR/two/results; to use them:"*"$BATS_TEST_TMPDIR/one/.task-scheduler/results; to use them:"* ]]
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/one/.task-scheduler/../.task-scheduler/results run taskresults doctor
  [[ $output == *"note  "*"$BATS_TEST_TMPDIR/two/results"* && $output != *"export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/one"* ]]
  [[ -w /opt ]] || skip 'the rest needs to write into /opt'
  opt_place=$(mktemp -d /opt/taskresults-test.XXXXXX)
  make_state "$opt_place/.task-scheduler"
  run taskresults list
  [[ $output == *"$opt_place/.task-scheduler/results; to use them:"* ]]
}

@test "a jobs file or logs that are missing: the variable, no SQL" {
  make_job a 1
  SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/none.json run taskresults alerts --overdue
  [[ $status -eq 3 && $output == *none.json* && $output != *'CREATE VIRTUAL'* ]]
  SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/none run taskresults sql 'SELECT * FROM task_logs'
  [[ $status -eq 3 && $output == *'SCHEDULER_LOGS_DIR says where it is'* ]]
}
