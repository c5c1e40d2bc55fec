#!/usr/bin/env bats
# taskresults run: it records what the scheduler would have recorded, whatever the command does.

bats_require_minimum_version 1.5.0
load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell
load ../../lib/run

@test "a success: standard output is recorded stripped, and shown unchanged" {
  run taskresults run a -- printf ' \n\t two\nlines \n\n'
  [[ $status -eq 0 ]]
  assert_record 1 $'two\nlines' ''
  taskresults run a --name 'The A' -- sh -c 'echo out; echo err >&2' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
  [[ $(<"$BATS_TEST_TMPDIR/out") == out && $(<"$BATS_TEST_TMPDIR/err") == err ]]
  assert_record 1 out '' 'The A'
  taskresults run a -- true
  assert_record 1 '' ''
}

@test "a failure: standard error, or else standard output, is recorded as the error; the status is the command's" {
  run taskresults run a -- sh -c 'echo out; echo " err" >&2; exit 3'
  [[ $status -eq 3 && $output == $'out\n err' ]]
  assert_record 0 '' $' err\n'
  run taskresults run a -- sh -c 'echo out; exit 255'
  [[ $status -eq 255 ]]
  assert_record 0 '' $'out\n'
}

@test "a failure that prints nothing: the error is its status, or the signal that ended it" {
  run taskresults run a -- false
  [[ $status -eq 1 && -z $output ]]
  assert_record 0 '' 'exit status 1'
  run taskresults run a -- sh -c 'exit 124'
  [[ $status -eq 124 ]]
  assert_record 0 '' 'exit status 124'
  run taskresults run a --quiet --merge -- sh -c 'exit 42'
  [[ $status -eq 42 && -z $output ]]
  assert_record 0 '' 'exit status 42'
  # All signals that end a process, by the names that Python has for them.
  ulimit -c 0
  python3 - "$(tool taskresults)" "$results/a.jsonl" <<'PYTHON'
import json, signal, subprocess, sys
tool, path = sys.argv[1:]
for number in sorted(signal.valid_signals()):
    if number in (signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN,
                  signal.SIGTTOU) or signal.SIGRTMIN + 1 < number:
        continue
    name = f"signal {int(number)}" if number >= signal.SIGRTMIN else signal.Signals(number).name
    status = subprocess.run([tool, "run", "a", "--", sys.executable, "-c", f"import os, signal; "
                             f"signal.pthread_sigmask(signal.SIG_UNBLOCK, [{int(number)}]); "
                             f"{int(number)} in (9, 19) or signal.signal({int(number)}, signal.SIG_DFL); os.kill(os.getpid(), {int(number)})"],
                            capture_output=True).returncode
    record = json.loads(open(path).readlines()[-1])
    assert status == 128 + number and record["success"] is False and record["output"] == "", (number, status, record)
    assert record["error"] == f"killed by {name}", (number, record)
PYTHON
}

@test "a timeout keeps what was printed until then as the output, and its words alone as the error" {
  run_until_timeout -- sh -c 'echo " so far "; echo complaint >&2; touch begun; exec sleep 1000'
  [[ $status -eq 124 ]]
  assert_record 0 'so far' "$timeout_words"
  run_until_timeout -- sh -c 'echo; echo " complaint " >&2; touch begun; exec sleep 1000'
  assert_record 0 'complaint' "$timeout_words"
  run_until_timeout --merge -- sh -c 'echo 1; echo 2 >&2; echo 3; touch begun; exec sleep 1000'
  assert_record 0 $'1\n2\n3' "$timeout_words"
  # task_errors counts timeouts as one kind. On a busy machine there may be more than these three.
  [[ $(sql 'SELECT count(*), sum(times) >= 3 FROM task_errors') == '1|1' ]]
}

@test "--merge: both streams as one, in the order in which they were written, on standard output" {
  cd "$BATS_TEST_TMPDIR"
  taskresults run a --merge -- sh -c 'for i in 1 2 3 4 5; do echo "out $i"; echo "err $i" >&2; done' >out 2>err
  expected=$(for i in 1 2 3 4 5; do echo "out $i"; echo "err $i"; done)
  [[ $(<out) == "$expected" && ! -s err ]]
  assert_record 1 "$expected" ''
  taskresults run a --merge --quiet -- sh -c 'echo 1 >&2; echo 2; echo 3 >&2; exit 7' >out 2>err || status=$?
  [[ $status -eq 7 && $(<out) == $'1\n2\n3' && ! -s err ]]
  assert_record 0 '' $'1\n2\n3\n'
  taskresults run a --merge -- sh -c 'echo on stderr >&2' >out
  assert_record 1 'on stderr' ''
}

@test "run again, the commands of the scheduler's recorded state give the same texts" {
  results=$root/tests/data/scheduler-state/results
  python3 - "$root/tests/data/scheduler-state" "$(tool taskresults)" "$SCHEDULER_RESULTS_DIR" <<'PYTHON'
import json, subprocess, sys
state, tool, directory = sys.argv[1:]
for job in json.load(open(state + "/jobs.json"))["jobs"]:
    if job["id"] in ("slow-job", "my-monitor", "flaky-api", "latin1-output", "traceback"):
        continue # another time, another random number, another Python; latin1-output is below
    subprocess.run([tool, "run", job["id"], "--name", job["name"], "--", "sh", "-c", job["task"]], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    def last(where):
        record = json.loads(open(f"{where}/{job['id']}.jsonl").readlines()[-1])
        del record["timestamp"]
        return record
    assert last(directory) == last(state + "/results"), (last(directory), last(state + "/results"))
PYTHON
}

@test "bytes that are not UTF-8 are replaced in the record, and the run does not fail; NULs are kept" {
  taskresults run a -- printf 'caf\351\n' >"$BATS_TEST_TMPDIR/out"
  assert_record 1 $'caf\xef\xbf\xbd' ''
  [[ $(od -An -tx1 <"$BATS_TEST_TMPDIR/out") == ' 63 61 66 e9 0a' ]]
  taskresults run a -- printf 'a\000b' | cmp - <(printf 'a\000b')
  grep -qF '"output": "a\u0000b"' "$results/a.jsonl"
  python3 "$root/tests/live/run_texts.py" "$(runner)" "$BATS_TEST_TMPDIR" "${RUN_TEXTS:-60}"
}

@test "huge output takes little memory, and its recorded beginning is exact" {
  bash -c 'ulimit -v 200000; "$@"' - "$(tool taskresults)" run a -- \
    sh -c 'head -c 200000000 /dev/zero | tr "\000" " "; seq 1 2000; head -c 100000000 /dev/zero' | wc -c >"$BATS_TEST_TMPDIR/count"
  [[ $(<"$BATS_TEST_TMPDIR/count") == 300008893 ]]
  assert_record 1 "$(seq 1 2000 | head -c 5000)" ''
}

@test "a timeout: the error has the scheduler's words, the status is 124, and the whole process group is ended" {
  run_until_timeout -- sh -c 'sleep 1000 & echo partial; touch begun; sleep 1000'
  [[ $status -eq 124 && $output == partial ]]
  assert_record 0 'partial' "$timeout_words"
  # A process of the group that does not hold the output, and ignores TERM.
  run_until_timeout -- bash -c '(trap "" TERM; echo $BASHPID >pid; touch begun; exec sleep 1000) >/dev/null 2>&1 & exec sleep 1000'
  [[ $status -eq 124 ]]
  await is_gone pid
  assert_record 0 '' "$timeout_words"
  run taskresults run a --timeout 5m -- true
  assert_record 1 '' ''
}

@test "a command that ignores TERM is killed" {
  SECONDS=0
  run_until_timeout -- bash -c 'trap "" TERM; sleep 1000 & echo $! >pid; touch begun; wait; wait'
  [[ $status -eq 124 ]]
  ((SECONDS >= 4)) # so long it has after TERM
  assert_record 0 '' "$timeout_words"
  await is_gone pid
}

# A process that leaves the command's group and session, does not hold its output, and writes its id to the file `escaped`.
escape='setsid sh -c "echo \$\$ >escaped; exec sleep 1000" </dev/null >/dev/null 2>&1 & until test -s escaped; do sleep 0.02; done;'

@test "a timeout also ends processes that left the command's group: by TERM first, then by KILL" {
  run_until_timeout -- sh -c 'setsid sleep 1000 & echo $! >escaped; touch begun; sleep 1000'
  [[ $status -eq 124 ]]
  is_gone escaped
  assert_record 0 '' "$timeout_words"
  # Two levels: a process in a session of its own starts another in a session of its own, and neither holds the output.
  run_until_timeout -- sh -c 'setsid sh -c "setsid sleep 1000 & echo \$! >deep; echo \$\$ >escaped; touch begun; wait" >/dev/null 2>&1 &
    exec sleep 1000'
  [[ $status -eq 124 ]]
  is_gone escaped
  is_gone deep
  # It gets time to clean up after TERM ...
  run_until_timeout -- sh -c "setsid bash -c 'trap \"sleep 0.3; touch cleaned; exit\" TERM; echo \$\$ >escaped; touch begun
    while :; do sleep 0.02; done' >/dev/null 2>&1 & exec sleep 1000"
  [[ $status -eq 124 && -e cleaned ]]
  is_gone escaped
  # ... but not for ever.
  run_until_timeout -- sh -c "setsid bash -c 'trap \"\" TERM; echo \$\$ >escaped; touch begun; exec sleep 1000' & exec sleep 1000"
  [[ $status -eq 124 ]]
  is_gone escaped
}

@test "a timeout ends a process that forks for ever and so changes its id all the time" {
  printf '%s\n' 'trap "" TERM; move() { (move &); }; touch begun; move' >"$BATS_TEST_TMPDIR/mover_of_this_test"
  run_until_timeout -- setsid bash "$BATS_TEST_TMPDIR/mover_of_this_test"
  [[ $status -eq 124 ]]
  ! pgrep -f "$BATS_TEST_TMPDIR/mover_of_this_test"
}

@test "a signal that is passed on also ends processes that left the command's group" {
  cd "$BATS_TEST_TMPDIR"
  for signal in TERM INT HUP QUIT; do
    rm -f escaped
    start "$(tool taskresults)" run a -- sh -c "ulimit -c 0; $escape touch begun; exec sleep 1000"
    await test -e begun
    is_alive escaped
    kill "-$signal" "$pid"
    wait "$pid" && return 1
    is_gone escaped
    assert_record 0 '' "Interrupted (SIG$signal)"
    rm begun
  done
}

@test "a signal ends run at once, too, while a background process holds the output of a command that has ended" {
  cd "$BATS_TEST_TMPDIR"
  start "$(tool taskresults)" run a -- sh -c 'setsid sleep 1000 & echo $! >escaped; echo $$ >ran; echo done'
  await test -s ran
  has_ended() { grep -q '^State:.Z' "/proc/$(<ran)/status"; }
  await has_ended
  is_alive escaped
  kill -TERM "$pid"
  status=0
  wait "$pid" || status=$?
  [[ $status -eq 143 ]]
  is_gone escaped
  assert_record 0 '' $'done\n'
}

@test "a signal ends run at once, too, while the reader of its output does not read" {
  cd "$BATS_TEST_TMPDIR"
  mkfifo pipe
  exec {reader}<>pipe
  # shellcheck disable=SC2094  # which is full then
  dd if=/dev/zero of=pipe oflag=nonblock bs=4096 2>/dev/null || true
  setsid env --default-signal "$(tool taskresults)" run a -- sh -c 'echo unread; touch begun; exec sleep 1000' >pipe 2>err 3>&- {reader}>&- &
  pid=$!
  await test -e begun
  kill -INT "$pid"
  status=0
  wait "$pid" || status=$?
  [[ $status -eq 130 && $(<err) == 'taskresults: nobody reads standard output, so not all of it was shown' ]]
  assert_record 0 '' $'unread\n'
}

@test "a daemon that the command started lives on after the command ended by itself, with success or failure" {
  cd "$BATS_TEST_TMPDIR"
  for code in 0 1; do
    rm -f escaped
    run taskresults run a --timeout 1h -- sh -c "$escape exit $code"
    [[ $status -eq $code ]]
    is_alive escaped
    # A later run that is ended by a signal ends only its own processes.
    run taskresults run a --timeout 0.2 -- sleep 1000
    [[ $status -eq 124 ]]
    is_alive escaped
    kill "$(<escaped)"
  done
}

@test "a timeout does not touch a process that the caller started before `exec taskresults run`" {
  taskresults() { bash -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo "$!" >>strangers; exec "$@"' - "$(tool taskresults)" "$@"; }
  run_until_timeout -- sh -c "$escape touch begun; exec sleep 1000"
  [[ $status -eq 124 ]]
  is_gone escaped
  while read -r stranger; do
    kill -0 "$stranger"
    kill "$stranger"
  done <strangers
}

@test "in a PID namespace with the /proc of another, a timeout ends the command's processes and no others" {
  unshare -p -f true 2>/dev/null || skip 'no namespaces here'
  taskresults() {
    unshare -p -f sh -c 'sleep 1000 & "$@"; code=$?; kill -0 $! && exit "$code"' - "$(tool taskresults)" "$@"
  }
  run_until_timeout -- \
    sh -c 'setsid sh -c "trap : TERM; touch begun; while :; do sleep 0.02; done; touch survived" >/dev/null 2>&1 & exec sleep 1000'
  [[ $status -eq 124 && -e begun && ! -e survived ]]
  assert_record 0 '' "$timeout_words"
}

@test "commands that cannot be started: status 127 or 126, and Python's words as the error" {
  run -127 taskresults run a -- "no such 'thing'" x
  [[ $status -eq 127 && $output == "taskresults: no such 'thing': No such file or directory" ]]
  assert_record 0 '' "[Errno 2] No such file or directory: 'no such 'thing''"
  echo 'echo from a script' >"$BATS_TEST_TMPDIR/script"
  run taskresults run a -- "$BATS_TEST_TMPDIR/script"
  [[ $status -eq 126 && $output == *'Permission denied' ]]
  assert_record 0 '' "[Errno 13] Permission denied: '$BATS_TEST_TMPDIR/script'"
  chmod +x "$BATS_TEST_TMPDIR/script"
  run taskresults run a -- "$BATS_TEST_TMPDIR/script"
  [[ $status -eq 0 && $output == 'from a script' ]]
}

@test "if a signal ends the command, the status is 128 + its number" {
  run taskresults run a -- sh -c 'echo last words; kill -SEGV $$'
  [[ $status -eq 139 ]]
  assert_record 0 '' $'last words\n'
}

@test "TERM, INT, HUP and QUIT to run are passed on to the command, and the run is recorded as a failure" {
  cd "$BATS_TEST_TMPDIR"
  ulimit -c 0
  # Not below a shell, which may ignore INT and QUIT while its own command ends.
  sleeps() { pgrep --parent "$pid" --exact sleep >/dev/null; }
  for signal in TERM INT HUP QUIT; do
    start "$(tool taskresults)" run a -- sleep 1000
    await sleeps
    kill "-$signal" "$pid"
    wait "$pid" && return 1
    [[ $? -eq $((128 + $(kill -l "$signal"))) ]]
    assert_record 0 '' "Interrupted (SIG$signal)"
  done
  # Also if the command handles the signal and exits with 0.
  start "$(tool taskresults)" run a -- python3 -c 'import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("cleaned up")))
open("begun", "w").close()
signal.pause()'
  await test -e begun
  kill -TERM "$pid"
  wait "$pid" || status=$?
  [[ $status -eq 143 && $(<out) == 'cleaned up' ]]
  assert_record 0 '' $'cleaned up\n'
}

@test "a signal that is ignored from the start, as with nohup, stays ignored by run and by the command" {
  cd "$BATS_TEST_TMPDIR"
  start env --ignore-signal=HUP "$(tool taskresults)" run a -- sh -c 'touch begun; until test -e enough; do sleep 0.02; done'
  await test -e begun
  kill -HUP "-$pid"
  touch enough
  wait "$pid"
  assert_record 1 '' ''
}

# is_stopped PID - the process is in the stopped state.
is_stopped() {
  grep -q '^State:.T' "/proc/$1/status"
}

@test "without a terminal, a command that is stopped stays stopped until it is continued; of several signals, the first is recorded" {
  cd "$BATS_TEST_TMPDIR"
  start "$(tool taskresults)" run a -- sh -c 'echo $$ >ran; exec sleep 1000'
  await test -s ran
  kill -TSTP "$pid"
  await is_stopped "$(<ran)"
  kill -TERM "$pid"
  await grep -q '^ShdPnd:.*4000$' "/proc/$(<ran)/status" # there TERM waits
  kill -INT "$pid"
  kill -CONT "$(<ran)"
  wait "$pid" && return 1
  assert_record 0 '' 'Interrupted (SIGTERM)'
}

@test "--quiet prints only on failure, both streams" {
  run taskresults run a --quiet -- sh -c 'echo out; echo err >&2'
  [[ $status -eq 0 && -z $output ]]
  assert_record 1 out ''
  taskresults run a --quiet -- sh -c 'echo out; echo err >&2; exit 4' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  [[ $status -eq 4 && $(<"$BATS_TEST_TMPDIR/out") == out && $(<"$BATS_TEST_TMPDIR/err") == err ]]
  run_until_timeout --quiet -- sh -c 'echo out; touch begun; sleep 1000'
  [[ $status -eq 124 && $output == out ]]
  run env TMPDIR= "$(tool taskresults)" run a --quiet -- sh -c 'echo out; exit 4' # is /tmp
  [[ $status -eq 4 && $output == out ]]
}

# megabytes N - N MiB of numbered lines.
megabytes() {
  seq 1 9999999 | head -c "$(($1 * 1048576))"
}

# is_lossless STATUS EXPECTED - a --quiet run whose command printed 3 MiB and failed with 7 showed and recorded everything.
is_lossless() {
  [[ $1 -eq 7 ]]
  megabytes 3 | cmp - "$BATS_TEST_TMPDIR/out"
  assert_record 0 '' "${2-$'err\n'}"
}
noisy='seq 1 9999999 | head -c 3145728; echo err >&2; exit 7'

@test "--quiet keeps a little output in memory without using the disk, and more in a file without a name" {
  cd "$BATS_TEST_TMPDIR"
  TMPDIR=/nowhere run taskresults run a --quiet -- sh -c 'head -c 500000 /dev/zero; echo err >&2'
  [[ $status -eq 0 && -z $output ]]
  TMPDIR=/nowhere run taskresults run a --quiet -- sh -c 'echo precious; exit 7'
  [[ $status -eq 7 && $output == precious ]]
  assert_record 0 '' $'precious\n'
  mkdir spool
  TMPDIR=$PWD/spool taskresults run a --quiet -- sh -c "$noisy" >out 2>err || status=$?
  is_lossless "$status"
  [[ $(<err) == err && -z $(ls spool) ]]
  TMPDIR=$PWD/spool taskresults run a --quiet -- sh -c 'seq 1 9999999 | head -c 3145728' >out
  [[ ! -s out ]]
}

@test "--quiet, if more output cannot be kept: everything is shown, in order, and the record is complete" {
  cd "$BATS_TEST_TMPDIR"
  local long
  long=$(printf '/%04999d' 0)
  for place in /nowhere "$long" /dev/null; do
    status=0
    TMPDIR=$place taskresults run a --quiet -- sh -c "$noisy" >out 2>err || status=$?
    is_lossless "$status"
    [[ $(<err) == 'taskresults: cannot keep the output, so it is shown: '*$'\nerr' ]]
  done
  # A limit on the size of files, which is reached in the middle of a write.
  (ulimit -f 100; taskresults run a --quiet -- sh -c "$noisy" 2>err || echo "$?" >status) | cat >out
  is_lossless "$(<status)"
  [[ $(<err) == 'taskresults: cannot keep the output, so it is shown: File too large'$'\nerr' ]]
  status=0
  (ulimit -f 100; taskresults run a -- sh -c 'seq 1 9999999 | head -c 3145728; echo >&2' >limited 2>err) || status=$?
  [[ $status -eq 3 && $(<err) == 'taskresults: standard output cannot be shown any more: File too large' ]]
  # A success stays a success.
  TMPDIR=/nowhere taskresults run a --quiet -- sh -c 'seq 1 9999999 | head -c 3145728' >out 2>err
  megabytes 3 | cmp - out
}

@test "--quiet: if kept output cannot be read again, a message says so, the rest is shown, and run ends" {
  cd "$BATS_TEST_TMPDIR"
  local status=0
  head -c 8 /dev/zero >calls
  LD_PRELOAD="$root/build/shim/each_call.so" EACH_CALL_STATE="$PWD/calls" EACH_CALL_NAME=pread EACH_CALL_AT=1 \
    EACH_CALL_ON=1 EACH_CALL_ERRNO=5 SCHEDULER_LOGS_DIR='' timeout 300 "$(tool taskresults)" run a --quiet -- \
    sh -c 'yes | head -c 1055000; echo bad >&2; exit 7' >out 2>err || status=$?
  [[ $status -eq 7 && $(stat -c %s out) -eq $((1024 * 1024)) ]]
  [[ $(<err) == 'taskresults: what was kept of standard output cannot be read: Input/output error'$'\nbad' ]]
  [[ $(sql 'SELECT success, error FROM task_results') == '0|bad' ]]
}

@test "--quiet on a full disk: everything is shown, and the record is complete" {
  ((EUID == 0)) || skip 'needs root, to mount a small disk'
  cd "$BATS_TEST_TMPDIR"
  mkdir small
  for room in 4k 400k; do
    status=0
    unshare -m bash -c 'mount -t tmpfs -o size="$1" none small && head -c 4096 /dev/zero >small/some && export TMPDIR=$PWD/small &&
      shift && "$@"' - "$room" "$(tool taskresults)" run a --quiet -- sh -c "$noisy" >out 2>err || status=$?
    ! grep -q '^unshare: \|^mount: ' err || skip 'no mounting here'
    is_lossless "$status"
    [[ $(<err) == 'taskresults: cannot keep the output, so it is shown: No space left on device'$'\nerr' ]]
  done
  unshare -m bash -c 'mount -t tmpfs -o size=4k none small && head -c 4096 /dev/zero >small/some && export TMPDIR=$PWD/small &&
    "$@"' - "$(tool taskresults)" run a --quiet -- sh -c 'echo precious; echo err >&2; exit 7' >out 2>err || status=$?
  [[ $status -eq 7 && $(<out) == precious && $(<err) == err ]]
}

@test "standard input, arguments and the environment reach the command unchanged" {
  [[ $(printf 'a\nb' | taskresults run a -- cat) == $'a\nb' ]]
  cd "$BATS_TEST_TMPDIR"
  WORD='$(touch pwned)' taskresults run a -- python3 -c 'import os, sys; print(os.environ["WORD"], sys.argv[1:])' \
    --quiet -- '' $'new\nline' '$(touch pwned)' >out
  [[ $(<out) == "\$(touch pwned) ['--quiet', '--', '', 'new\\nline', '\$(touch pwned)']" && ! -e pwned ]]
  [[ $(taskresults run a -- sh -c 'ls /proc/self/fd | wc -l') == $(sh -c 'ls /proc/self/fd | wc -l' </dev/null | cat) ]]
}

@test "if the record cannot be written, a message says NOT RECORDED, the status is 3, and the output is still shown" {
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults run a --quiet -- echo precious
  [[ $status -eq 3 && $output == *'nowhere: No such file or directory'*'THIS RUN WAS NOT RECORDED'*precious ]]
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults run a -- sh -c 'echo precious; exit 9'
  [[ $status -eq 9 && $output == *precious*'THIS RUN WAS NOT RECORDED' ]]
  mkdir "$results/a.jsonl"
  run taskresults run a --quiet -- echo precious
  [[ $status -eq 3 && $output == *'NOT RECORDED'*precious ]]
  TASKRESULTS_EXTENSION=/nowhere/x run taskresults run b --quiet -- echo precious
  [[ $status -eq 3 && $output == *'the extension is not at'*'NOT RECORDED'*precious ]]
}

@test "a full disk, for the record or for standard output: a message, and status 3 for a success" {
  run bash -c '"$@" >/dev/full' - "$(tool taskresults)" run a -- echo out
  [[ $status -eq 3 && $output == 'taskresults: standard output cannot be shown any more: No space left on device' ]]
  assert_record 1 out ''
  run bash -c '"$@" >/dev/full' - "$(tool taskresults)" run a --quiet -- sh -c 'echo out; exit 9'
  [[ $status -eq 9 && $output == 'taskresults: standard output cannot be shown any more: No space left on device' ]]
  ((EUID == 0)) || skip 'needs root, to mount a small disk'
  mkdir "$BATS_TEST_TMPDIR/small"
  unshare -m bash -c 'mount -t tmpfs -o size=4k none "$1" && head -c 4096 /dev/zero >"$1/full" && export SCHEDULER_RESULTS_DIR=$1 &&
    shift && "$@"' - "$BATS_TEST_TMPDIR/small" "$(tool taskresults)" run a --quiet -- echo precious >"$BATS_TEST_TMPDIR/out" 2>&1 ||
    status=$?
  ! grep -q '^unshare: \|^mount: ' "$BATS_TEST_TMPDIR/out" || skip 'no mounting here'
  [[ $status -eq 3 && $(<"$BATS_TEST_TMPDIR/out") == *'No space left on device'*'NOT RECORDED'*precious ]]
}

@test "if the reader of the output ends, the command runs on, and its output is recorded completely" {
  taskresults run a -- sh -c 'seq 1 100000; echo "the end" >&2; exit 5' 2>"$BATS_TEST_TMPDIR/err" | head -n 1 >/dev/null
  [[ ${PIPESTATUS[0]} -eq 5 && $(<"$BATS_TEST_TMPDIR/err") == 'the end' ]]
  assert_record 0 '' $'the end\n'
}

@test "run waits for a background process that holds the output; the timeout ends the wait" {
  run taskresults run a -- sh -c '(sleep 0.3; echo late) & echo early'
  [[ $output == $'early\nlate' ]]
  assert_record 1 $'early\nlate' ''
  # A process that left the group and holds the pipe for ever is no longer waited for.
  run timeout 300 "$(tool taskresults)" run a --timeout 0.2 -- sh -c 'setsid sleep 1000 2>/dev/null & exit 0'
  [[ $status -eq 124 ]]
}

@test "on a terminal, the command can read, and Ctrl-C reaches it" {
  cat >"$BATS_TEST_TMPDIR/type.py" <<'PYTHON'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
os.write(terminal, sys.argv[1].encode().decode("unicode_escape").encode())
out = b""
while True:
    try:
        data = os.read(terminal, 9999)
    except OSError:
        break
    out += data
    if b"ready" in out and b"\3" not in out:
        os.write(terminal, b"\3")
        out += b"\3"
print(out.decode().replace("\3", ""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PYTHON
  run timeout 300 python3 "$BATS_TEST_TMPDIR/type.py" 'hello\n' "$(tool taskresults)" run a -- sh -c 'read -r word; echo "got $word"'
  [[ $status -eq 0 && $output == *'got hello'* ]]
  assert_record 1 'got hello' ''
  run timeout 300 python3 "$BATS_TEST_TMPDIR/type.py" '' "$(tool taskresults)" run a -- sh -c 'echo ready; exec sleep 1000'
  [[ $status -eq 130 ]]
  assert_record 0 '' $'ready\n'
  # A command that changes the terminal's settings is put into the foreground, too.
  run timeout 300 python3 "$BATS_TEST_TMPDIR/type.py" '' "$(tool taskresults)" run a -- sh -c 'stty -echo </dev/tty && echo set'
  [[ $status -eq 0 && $output == *set* ]]
  # If the command is stopped, run stops, too, until it is continued. Here the command does that, in place of a shell.
  # shellcheck disable=SC2016  # the command's own
  run timeout 300 python3 "$BATS_TEST_TMPDIR/type.py" '' "$(tool taskresults)" run a -- sh -c 'resume() {
      (until grep -q "^State:.T" "/proc/$PPID/status"; do sleep 0.02; done; kill -CONT "$PPID") &
    }
    resume; kill -STOP $$; echo once; resume; kill -STOP $$; echo twice'
  [[ $status -eq 0 && $output == *once*twice* ]]
  assert_record 1 $'once\ntwice' ''
}

@test "with closed standard descriptors, nothing is mixed up, and the record is complete" {
  run bash -c '"$@" <&-' - "$(tool taskresults)" run a -- sh -c 'cat; echo out'
  [[ $status -eq 0 && $output == out ]]
  assert_record 1 out ''
  # A success whose output cannot be shown is status 3.
  run bash -c '"$@" <&- >&- 2>&-' - "$(tool taskresults)" run a -- sh -c 'cat; echo out; echo err >&2'
  [[ $status -eq 3 && -z $output ]]
  assert_record 1 out ''
  run bash -c '"$@" <&- >&- 2>&-' - "$(tool taskresults)" run a --quiet -- sh -c 'cat; echo out; echo err >&2'
  [[ $status -eq 0 ]]
  assert_record 1 out ''
  run bash -c '"$@" >&- 2>&-' - "$(tool taskresults)" run a --merge -- sh -c 'echo out; echo err >&2; exit 9'
  [[ $status -eq 9 ]]
  assert_record 0 '' $'out\nerr\n'
}

@test "if the parent ignores PIPE, CHLD or XFSZ, the run ends; the command gets the default for PIPE and CHLD, and XFSZ unchanged" {
  # The bits of SIGPIPE and SIGCHLD; and of SIGXFSZ, which stays as it was. make has other signals ignored, too.
  local ours=$((0x1011000)) show=(sed -n 's/^SigIgn:\t//p' /proc/self/status)
  run env --default-signal --ignore-signal=PIPE,CHLD "$(tool taskresults)" run a -- "${show[@]}"
  [[ $status -eq 0 && $((16#$output & ours)) -eq 0 ]] || { echo "$status: $output"; return 1; }
  run env --default-signal --ignore-signal=XFSZ "$(tool taskresults)" run a -- "${show[@]}"
  [[ $status -eq 0 && $((16#$output & ours)) -eq $((0x1000000)) ]] || { echo "$status: $output"; return 1; }
  run env --default-signal --ignore-signal=PIPE,CHLD "$(tool taskresults)" run a --timeout 1s -- sh -c 'setsid sleep 1000 & exec sleep 1000'
  [[ $status -eq 124 ]]
}

@test "run with hostile job ids: one record in that job's file, with its name, and nothing else happens" {
  cd "$BATS_TEST_TMPDIR"
  for job in "${hostile_jobs[@]}"; do
    taskresults run --quiet --name "$job" -- "$job" -- printf %s "$job" </dev/null
  done
  python3 - "$results" "${hostile_jobs[@]}" <<'PYTHON'
import json, os, sys
directory, jobs = sys.argv[1], sys.argv[2:]
assert sorted(os.listdir(directory)) == sorted(job + ".jsonl" for job in jobs)
for job in jobs:
    record, = [json.loads(line) for line in open(f"{directory}/{job}.jsonl")]
    assert record["job_id"] == record["job_name"] == job and record["output"] == job.strip(), record
PYTHON
  [[ ! -e pwned ]]
}

@test "taskresults-run by itself refuses too few arguments; a timeout may be of months" {
  for words in '3 cat true' '0 true' 'quiet' '1 cat' 'quietly 1 cat true' 'timeout 1 cat true' 'x=1 1 cat true'; do
    # shellcheck disable=SC2086  # words
    run "$(runner)" $words
    [[ $status -eq 2 && $output == *'which starts it' ]] || { echo "$words: $status $output"; return 1; }
  done
  run "$(runner)" timeout=100000y 3 sh -c cat echo out
  [[ $status -eq 0 && $output == $'out\n1\n6f7574\n\n'20*Z ]]
}

@test "usage: a message says what is wrong before the command is run" {
  cd "$BATS_TEST_TMPDIR"
  for arguments in '' 'a' 'a --' '-- touch x' 'a touch x' 'a b -- touch x' '-- a touch x' 'a/b -- touch x' 'a --timeout 0 -- touch x' 'a --timeout x -- touch x' \
    'a --timeout 0.0001 -- touch x' 'a --timeout - -- touch x' 'a --timeout 5w3 -- touch x' 'a --timeout 300000y -- touch x' \
    'a --timeout=-1s -- touch x' 'a --timeout= -- touch x' 'a --oops -- touch x' "$(printf 'x%.0s' {1..250}) -- touch x"; do
    # shellcheck disable=SC2086  # words
    run taskresults run $arguments
    [[ $status -eq 2 && $output == *'try: taskresults help run' ]] || { echo "$arguments: $status $output"; return 1; }
  done
  for job in '' $'\xff'; do
    run taskresults run "$job" -- touch x
    [[ $status -eq 2 ]]
  done
  [[ ! -e x ]]
}
