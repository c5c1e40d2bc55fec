#!/usr/bin/env bats
# taskresults run --lock and --jitter: one run of a job at a time, a random wait before the start, and signals in the wait.

# shellcheck disable=SC2154  # helpers.bash and bats set them

bats_require_minimum_version 1.5.0
load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell
load ../../lib/state
load ../../lib/run

setup_file() {
  export BATS_TEST_TIMEOUT=300
}

teardown() {
  [[ -z ${holder-} ]] || kill -KILL "$holder" 2>/dev/null || true
  [[ -z ${daemon-} ]] || kill -KILL "$daemon" 2>/dev/null || true
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# hold JOB [COMMAND...] - starts a run that holds the job's lock until there is a file `enough`; sets $holder.
hold() {
  rm -f begun enough
  setsid "$(tool taskresults)" run "$1" --lock skip -- sh -c 'touch begun; until test -e enough; do sleep 0.02; done' \
    >holder.out 2>&1 3>&- &
  holder=$!
  await test -e begun
}

let_go() {
  touch enough
  wait "$holder"
  holder=
}

# records JOB - the number of records.
records() {
  cat "$results/$1.jsonl" 2>/dev/null | wc -l
}

# waits_for_lock PID - a child of the process, whose id goes into the file `helper`, is blocked in flock().
waits_for_lock() {
  local child
  for child in $(pgrep -P "$1"); do
    grep -q "^[0-9]*: -> FLOCK *ADVISORY *WRITE *$child " /proc/locks || continue
    echo "$child" >helper
    return
  done
  return 1
}

@test "run --lock skip: while another run goes on, status 75, the scheduler's Skipped in the log, and no record" {
  cd "$BATS_TEST_TMPDIR"
  hold a
  run taskresults run a --lock skip -- touch ran
  [[ $status -eq 75 && $output == "taskresults: skipped: another run of 'a' goes on" ]]
  run taskresults run a --lock skip --quiet -- touch ran
  [[ $status -eq 75 && -z $output && ! -e ran && $(records a) -eq 0 ]]
  assert_rows $'started\nskipped\nskipped' "SELECT event FROM task_logs ORDER BY rowid"
  [[ $(tail -n 1 "$logs/a.log") == *"Z] Skipped — gate 'lock' blocked: another run of it goes on" ]]
  # Other jobs, other directories and runs without --lock are not kept out.
  taskresults run b --lock skip -- true
  mkdir other other_logs # a log of two runs at once does not tell which of them ended
  SCHEDULER_RESULTS_DIR=other SCHEDULER_LOGS_DIR=other_logs taskresults run a --lock skip -- true
  SCHEDULER_LOGS_DIR=other_logs taskresults run a -- true
  let_go
  taskresults run a --lock skip -- touch ran
  [[ -e ran && $(records a) -eq 3 ]]
  # Skipped runs are not starts in the log: the runs that were alone have their durations.
  assert_rows $'a|1\nb|1' "SELECT job_id, count(duration_s) FROM task_runs
    WHERE rowid IN (SELECT max(rowid) FROM task_results GROUP BY job_id) GROUP BY job_id"
}

@test "run --lock: all spellings of the results directory give the same lock, and HOME does not matter" {
  cd "$BATS_TEST_TMPDIR"
  hold a
  ln -s results link
  for directory in results results/ "$PWD/results" ./link ../"${PWD##*/}"/results; do
    SCHEDULER_RESULTS_DIR=$directory run env -u HOME XDG_STATE_HOME=/nowhere "$(tool taskresults)" run a --lock skip -- true
    [[ $status -eq 75 ]]
  done
  let_go
}

@test "run --lock wait: runs one after the other, none beside another, and none is left out" {
  cd "$BATS_TEST_TMPDIR"
  local i pids=()
  for i in {1..12}; do
    taskresults run a --lock wait -- sh -c 'mkdir alone && sleep 0.02 && rmdir alone' &
    pids+=("$!")
  done
  for i in "${pids[@]}"; do
    wait "$i"
  done
  [[ $(records a) -eq 12 ]]
  assert_rows '12|12' 'SELECT count(*), sum(success) FROM task_results'
  assert_rows 12 'SELECT count(duration_s) FROM task_runs'
}

@test "run --lock wait: a signal ends the wait: the signal's status, no record, no line in the log, no process left" {
  cd "$BATS_TEST_TMPDIR"
  hold a
  local signal before
  before=$(wc -l <"$logs/a.log")
  for signal in TERM INT HUP QUIT; do
    start "$(tool taskresults)" run a --lock wait -- touch ran
    await waits_for_lock "$pid"
    kill "-$signal" "$pid"
    status=0
    wait "$pid" || status=$?
    [[ $status -eq $((128 + $(kill -l "$signal"))) && ! -s out && ! -s err ]]
    await is_gone helper
  done
  [[ ! -e ran && $(records a) -eq 0 && $(wc -l <"$logs/a.log") -eq $before ]]
  # After KILL, no process is left that waits, or that gets the lock later.
  start "$(tool taskresults)" run a --lock wait -- touch ran
  await waits_for_lock "$pid"
  kill -KILL "$pid"
  await is_gone helper
  let_go
  taskresults run a --lock skip -- true
}

@test "run --lock wait: it can be stopped, as by Ctrl-Z, and continued while it waits" {
  cd "$BATS_TEST_TMPDIR"
  hold a
  start "$(tool taskresults)" run a --lock wait -- touch ran
  await waits_for_lock "$pid"
  kill -TSTP "$pid"
  await grep -q '^State:.T' "/proc/$pid/status"
  kill -CONT "$pid"
  let_go
  wait "$pid"
  [[ -e ran ]]
}

@test "run --lock: a killed run releases the lock; a daemon that the command leaves does not hold it" {
  cd "$BATS_TEST_TMPDIR"
  hold a
  kill -KILL "$holder"
  wait "$holder" || true
  holder=
  touch enough
  taskresults run a --lock skip -- true
  # shellcheck disable=SC2016  # the command's own
  taskresults run a --lock skip -- sh -c 'setsid sh -c "echo \$\$ >daemon; ls -l /proc/self/fd >fds; exec sleep 1000" </dev/null \
    >/dev/null 2>&1 & until test -s fds; do sleep 0.02; done'
  daemon=$(<daemon)
  is_alive daemon
  run ! grep -q '\.lock' fds
  taskresults run a --lock skip -- true
  is_alive daemon
}

@test "run --lock: nothing else in the results directory sees the lock, and only its user may open it" {
  cd "$BATS_TEST_TMPDIR"
  local long job
  printf -v long 'x%.0s' {1..249}
  umask 000
  for job in "${hostile_jobs[@]}" "$long"; do
    taskresults run --quiet --lock skip -- "$job" -- true </dev/null
  done
  local jobs=$((${#hostile_jobs[@]} + 1))
  [[ $(find results/.taskresults -type f -perm 600 -size 0 -printf .) == "$(printf '.%.0s' $(seq "$jobs"))" ]]
  [[ $(find results/.taskresults -type d -perm "$(stat -c %a results)" -printf .) == .. ]]
  assert_rows 0 'SELECT count(*) FROM task_rejects'
  assert_rows "$jobs" 'SELECT count(DISTINCT job_id) FROM task_results'
  [[ ! -e pwned ]]
  taskresults prune --all --keep 1
  run taskresults doctor
  [[ $output != *.taskresults* ]]
}

@test "run --lock: what root makes in another user's directory belongs to that user, who can then lock, too" {
  ((EUID == 0)) || skip 'needs root, to be somebody else'
  open_results
  chown 65534:65534 "$results"
  unset SCHEDULER_LOGS_DIR
  taskresults run a --lock skip -- true
  [[ $(find "$results/.taskresults" -uid 65534 -gid 65534 | wc -l) -eq 3 ]]
  run "${as_nobody[@]}" "$(tool taskresults)" run b --lock skip -- true
  [[ $status -eq 0 ]]
  run "${as_nobody[@]}" sh -c 'exec 9<"$0" && flock -n 9' "$results/.taskresults/locks/a.lock"
  [[ $status -eq 0 ]]
}

@test "run --lock: root gives away no folder of its own that the directory's owner moves to the place of the new one" {
  ((EUID == 0)) || skip 'needs root, to be somebody else'
  unset SCHEDULER_LOGS_DIR
  for path in .taskresults .taskresults/locks; do
    open_results
    chown 65534:65534 "$results"
    mkdir -m 700 "$results/other"
    touch "$results/other/secret"
    head -c 8 /dev/zero >"$BATS_TEST_TMPDIR/state"
    # The first time that a file is opened behind the making of the folder, another one is in its place.
    run env LD_PRELOAD="$root/build/shim/each_call.so" EACH_CALL_STATE="$BATS_TEST_TMPDIR/state" EACH_CALL_NAME=openat EACH_CALL_AT=1 EACH_CALL_ON=1 \
      EACH_CALL_RUN="cd '$results' && if test -d other && test -d $path; then mv $path made && mv other $path; fi" \
      "$(tool taskresults)" run a --lock skip -- touch "$BATS_TEST_TMPDIR/ran"
    [[ $status -eq 3 && $output == *'so the command was not run: Operation not permitted' && ! -e $BATS_TEST_TMPDIR/ran ]] || { echo "$status $output"; return 1; }
    [[ $(stat -c '%u %a' "$results/$path") == '0 700' && -d $results/made ]]
    rm -rf "$open_place"
  done
}

@test "run --lock: if the lock cannot be made, the command is not run, and a message says so" {
  cd "$BATS_TEST_TMPDIR"
  assert_refused() {
    run taskresults run a --lock "$1" --quiet -- touch ran
    [[ $status -eq 3 && $output == "taskresults: cannot lock 'a' in $results/.taskresults/locks, so the command was not run: $2" ]] ||
      { echo "$status $output"; return 1; }
    [[ ! -e ran && $(records a) -eq 0 && ! -e $logs/a.log ]]
  }
  # Links, and entries that are not directories or files, in each place.
  mkdir -p elsewhere/locks
  for path in .taskresults .taskresults/locks; do
    rm -rf "$results/.taskresults"
    mkdir -p "$results/$path"
    rmdir "$results/$path"
    ln -s "$PWD/elsewhere" "$results/$path"
    assert_refused skip 'Not a directory'
    rm "$results/$path"
    touch "$results/$path"
    assert_refused wait 'Not a directory'
  done
  rm -rf "$results/.taskresults"
  mkdir -p "$results/.taskresults/locks"
  ln -s "$PWD/planted" "$results/.taskresults/locks/a.lock"
  assert_refused skip 'Too many levels of symbolic links'
  rm "$results/.taskresults/locks/a.lock"
  mkfifo "$results/.taskresults/locks/a.lock"
  assert_refused wait 'Invalid argument'
  [[ ! -e planted && -z $(find elsewhere -type f) ]]
  results=$PWD/nowhere SCHEDULER_RESULTS_DIR=$PWD/nowhere assert_refused skip 'No such file or directory'
}

@test "run --lock: a directory for locks that belongs to another user, or has no permission, is refused" {
  ((EUID == 0)) || skip 'needs root, to be somebody else'
  open_results
  logs=$open_place/logs
  unset SCHEDULER_LOGS_DIR
  mkdir "$results/.taskresults"
  chown 65534 "$results/.taskresults"
  run taskresults run a --lock skip -- true
  [[ $status -eq 3 && $output == *'so the command was not run: Operation not permitted' ]]
  run "${as_nobody[@]}" "$(tool taskresults)" run a --lock skip -- true
  [[ $status -eq 3 ]]
  rm -r "$results/.taskresults"
  run "${as_nobody[@]}" "$(tool taskresults)" run a --lock wait -- true
  [[ $status -eq 3 && $output == *'so the command was not run: Permission denied' ]]
}

@test "run --lock: on a full disk, a lock that was made before still works" {
  ((EUID == 0)) || skip 'needs root, to mount a small disk'
  cd "$BATS_TEST_TMPDIR"
  # shellcheck disable=SC2016  # the inner shell's
  unshare -m bash -c 'mount -t tmpfs -o size=16k none "$0" && "$@" && { head -c 99999 /dev/zero >"$0/full" 2>/dev/null; "$@"; }' \
    "$results" "$(tool taskresults)" run a --lock skip --quiet -- sh -c "echo >>$PWD/ran" >out 2>&1 || status=$?
  ! grep -q '^unshare: \|^mount: ' out || skip 'no mounting here'
  [[ $(wc -l <ran) -eq 2 && ! -s out ]]
}

@test "run --jitter: it waits at random before the start; a signal ends the wait, without a record or a line in the log" {
  cd "$BATS_TEST_TMPDIR"
  local signal
  for signal in TERM INT HUP QUIT; do
    start "$(tool taskresults)" run a --jitter 1000y --lock skip -- touch ran
    is_waiting() { [[ $(readlink "/proc/$pid/exe") == */taskresults-run && $(awk '/^SigBlk/ { print $2 }' "/proc/$pid/status") == *7 ]]; }
    await is_waiting
    kill "-$signal" "$pid"
    status=0
    wait "$pid" || status=$?
    [[ $status -eq $((128 + $(kill -l "$signal"))) && ! -s out && ! -s err && ! -e ran ]]
  done
  # While it waits, it does not hold the lock.
  [[ $(records a) -eq 0 && ! -e $logs/a.log && ! -e $results/.taskresults ]]
  for jitter in 0 0.05; do
    taskresults run a --jitter "$jitter" -- true
  done
  [[ $(records a) -eq 2 ]]
}

@test "run --jitter: --timeout counts from the command's start" {
  # The timeout is shorter than the longest wait, and none of ten runs is ended by it.
  for _ in {1..5}; do
    taskresults run a --jitter 0.4 --timeout 10 -- true
  done
  assert_rows '5|5' 'SELECT count(*), sum(success) FROM task_results'
}

@test "run --lock and --jitter: a wrong value is wrong usage, before the command is run" {
  cd "$BATS_TEST_TMPDIR"
  for arguments in '--lock x' '--lock=' '--lock' '--lock SKIP' '--jitter x' '--jitter=' '--jitter -1' '--jitter 5w3'; do
    # shellcheck disable=SC2086  # words
    run taskresults run a $arguments -- touch ran
    [[ $status -eq 2 && $output == *'try: taskresults help run' ]] || { echo "$arguments: $status $output"; return 1; }
  done
  [[ ! -e ran && $(records a) -eq 0 ]]
}
