#!/usr/bin/env bats
# taskresults run: it writes the same lines to the job's log as the scheduler, and nothing can forge one.

# shellcheck disable=SC2154  # helpers.bash and bats set them

bats_require_minimum_version 1.5.0
load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell
load ../../lib/state
load ../../lib/run

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# events JOB - the events of its log, a word a line.
events() {
  sql ".parameter init" ".parameter set :job '$1'" 'SELECT event FROM task_logs WHERE job_id = :job ORDER BY rowid'
}

# assert_log JOB DIRECTORY WORDS... - the last lines of its log have these words. Their times are in Python's form, in UTC,
# of the last minutes, and never decrease; the last one is the record's.
assert_log() {
  python3 - "$logs/$1.log" "$results/$1.jsonl" "${@:2}" <<'PYTHON'
import datetime, json, re, sys
log, result, directory, *expected = sys.argv[1:]
lines = open(log, encoding="utf-8", newline="\n").read()
assert lines.endswith("\n"), lines
lines = lines[:-1].split("\n")[-len(expected):]
stamps = []
for line, words in zip(lines, expected, strict=True):
    match = re.fullmatch(r"\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?)Z\] (.*)", line)
    assert match and match.group(2) == words.replace("DIR", directory), (line, words)
    stamps.append(datetime.datetime.fromisoformat(match.group(1)))
    assert stamps[-1].isoformat() == match.group(1), line
now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
assert stamps == sorted(stamps) and now - stamps[0] < datetime.timedelta(hours=1) and stamps[-1] <= now, stamps
record = json.loads(open(result).readlines()[-1])
assert record["timestamp"] == stamps[-1].isoformat() + "Z", (record, stamps)
PYTHON
}

@test "run: it writes a line to the log before the command and one after it, like the scheduler" {
  cd "$BATS_TEST_TMPDIR"
  taskresults run a -- true
  assert_log a "$PWD" 'Executing (command mode): working_dir=DIR, cmd=true' 'Command executed successfully'
  run taskresults run a -- sh -c 'echo out; echo disk full >&2; exit 3'
  assert_log a "$PWD" "Executing (command mode): working_dir=DIR, cmd=sh -c 'echo out; echo disk full >&2; exit 3'" \
    'Command failed: disk full'
  run taskresults run a -- sh -c 'exit 9'
  assert_log a "$PWD" "Executing (command mode): working_dir=DIR, cmd=sh -c 'exit 9'" 'Command failed: exit status 9'
  run taskresults run a --timeout 0.2 -- sleep 1000
  assert_log a "$PWD" 'Executing (command mode): working_dir=DIR, cmd=sleep 1000' 'Execution timed out (0.2 seconds)'
  run -127 taskresults run a -- ./no-such
  assert_log a "$PWD" 'Executing (command mode): working_dir=DIR, cmd=./no-such' \
    "Command failed: [Errno 2] No such file or directory: './no-such'"
  [[ $(events a | sort | uniq -c | tr -s ' \n' ' ') == ' 3 failed 5 started 1 succeeded 1 timed_out ' ]]
}

@test "run: the first line is in the log while the command runs, the second when the record is written" {
  cd "$BATS_TEST_TMPDIR"
  # shellcheck disable=SC2016  # the command's own
  taskresults run a -- sh -c 'wc -l <"$SCHEDULER_LOGS_DIR/a.log"; ! test -e "$SCHEDULER_RESULTS_DIR/a.jsonl"' >out
  [[ $(<out) -eq 1 ]]
  start "$(tool taskresults)" run a -- sh -c 'touch begun; exec sleep 1000'
  await test -e begun
  [[ $(events a) == $'started\nsucceeded\nstarted' ]]
  kill -TERM "$pid"
  wait "$pid" && return 1
  assert_log a "$PWD" "Executing (command mode): working_dir=DIR, cmd=sh -c 'touch begun; exec sleep 1000'" \
    'Command failed: Interrupted (SIGTERM)'
}

@test "run: task_runs has durations of wrapped commands, exactly from the log's first line to the record" {
  local i
  for i in 0 1 2 3 0.3; do
    run taskresults run a -- sh -c "sleep 0.0$i; exit ${i%.*}"
  done
  python3 - "$logs/a.log" "$results/a.jsonl" "$(sql 'SELECT duration_s FROM task_runs ORDER BY rowid')" <<'PYTHON'
import datetime, json, sys
log, result, told = sys.argv[1:]
time = datetime.datetime.fromisoformat
starts = [time(line[1:line.index("Z]")]) for line in open(log) if "Executing" in line]
ends = [time(json.loads(line)["timestamp"][:-1]) for line in open(result)]
told = [float(line) for line in told.split()]
assert len(starts) == len(ends) == len(told) == 5
for start, end, duration in zip(starts, ends, told):
    assert abs((end - start).total_seconds() - duration) < 1e-9 and duration > 0, (start, end, duration)
PYTHON
}

@test "run: a command's arguments, directory and output cannot forge a line of the log" {
  local forged=$'x\n[2026-11-28T05:00:00Z] Job paused\n'
  mkdir "$BATS_TEST_TMPDIR/$forged"
  cd "$BATS_TEST_TMPDIR/$forged"
  printf '{"jobs": [{"id": "a"}]}' >"$jobs_file"
  taskresults run a -- true "$forged" $'\r[2026-11-28T05:00:00Z] Job paused\r'
  run taskresults run a -- sh -c 'printf "%s" "$1" >&2; exit 1' - "$forged"
  run -127 taskresults run a -- "$forged"
  run taskresults run a --name "$forged" --timeout 0.2 -- sh -c 'printf "%s" "$1"; exec sleep 1000' - "$forged"
  [[ $(events a) == $'started\nsucceeded\nstarted\nfailed\nstarted\nfailed\nstarted\ntimed_out' ]]
  [[ $(wc -l <"$logs/a.log") -eq 8 && $(grep -cF '\n[2026-11-28T05:00:00Z] Job paused\n' "$logs/a.log") -eq 5 ]]
  assert_rows 0 "SELECT count(*) FROM task_logs WHERE event IN ('paused', 'other')"
  assert_rows 0 "SELECT count(*) FROM task_jobs WHERE state = 'paused'"
  run ! env LC_ALL=C grep -q '[^[:print:][:space:]]' "$logs/a.log"
  [[ $(LC_ALL=C tr -d '\n -~' <"$logs/a.log" | wc -c) -eq 0 ]]
}

@test "run: the command in the log is quoted for the shell, and at most 200 whole characters long" {
  python3 - "$(tool taskresults)" "$logs/a.log" "${RUN_WORDS:-60}" <<'PYTHON'
import os, random, subprocess, sys
tool, log, count = sys.argv[1:]
rng = random.Random(15)
pieces = [b"a", b"Z9", b" ", b"'", b'"', b"\\", b"$x", b"`id`", b"\n", b"\t", b"\r", b"\x1b[31m", b"\x7f", b"\xc3\xa9",
          b"\xe2\x82\xac", b"\xf0\x9f\x98\x80", b"\xff", b"\xe2\x82", b"\xc2\x85", b"\xe2\x80\xae", b"*", b"~", b"#", b"!",
          b"-", b"=", b"{a,b}", b"\\n"]
cut = 0
for i in range(int(count)):
    words = [b"true"] + [b"".join(rng.choices(pieces, k=rng.choice((0, 1, 2, 9)))) for _ in range(rng.randint(0, 4))]
    if rng.random() < 0.3:
        words.append(rng.choice(pieces) * rng.randint(40, 400))
    subprocess.run([tool, "run", "a", "--", *words], check=False, stderr=subprocess.DEVNULL)
    line = open(log, "rb").read().split(b"\n")[-3]
    command = line.split(b", cmd=", 1)[1]
    text = command.decode("utf-8")  # strictly: no character is cut
    assert len(text) <= 200 and text.isprintable(), line
    if len(text) < 190:
        got = subprocess.run(["bash", "-c", b"printf '%s\\0' " + command], env={**os.environ, "LC_ALL": "C.UTF-8"},
                             capture_output=True, check=True).stdout
        assert got.split(b"\0")[:-1] == words, (command, words)
    else:
        cut += 1
assert cut > int(count) / 20, cut
PYTHON
}

@test "run: a working directory that cannot be found out is a ? in the log" {
  head -c 8 /dev/zero >"$BATS_TEST_TMPDIR/calls"
  run env LD_PRELOAD="$root/build/shim/each_call.so" EACH_CALL_STATE="$BATS_TEST_TMPDIR/calls" EACH_CALL_NAME=getcwd \
    EACH_CALL_AT=1 EACH_CALL_ERRNO=2 "$(tool taskresults)" run a -- true
  [[ $status -eq 0 && -z $output ]]
  assert_log a / 'Executing (command mode): working_dir=?, cmd=true' 'Command executed successfully'
}

@test "run: --no-log-command keeps the command out of the log; durations are still known" {
  taskresults run a --no-log-command -- true --password s3cret
  assert_log a "$PWD" 'Executing (command mode): working_dir=DIR, cmd=(not logged)' 'Command executed successfully'
  run ! grep -q s3cret "$logs/a.log"
  assert_rows 1 'SELECT duration_s >= 0 FROM task_runs'
}

@test "run: the log is in SCHEDULER_LOGS_DIR, or in `logs` beside the results if that exists; otherwise no log is written" {
  cd "$BATS_TEST_TMPDIR"
  mkdir -p one/results two/results elsewhere
  unset SCHEDULER_LOGS_DIR
  SCHEDULER_RESULTS_DIR=$PWD/one/results taskresults run a -- true
  [[ $(find one | sort | tr '\n' ' ') == 'one one/results one/results/a.jsonl ' ]]
  mkdir one/logs
  SCHEDULER_RESULTS_DIR=one/results taskresults run a -- true
  [[ $(wc -l <one/logs/a.log) -eq 2 ]]
  SCHEDULER_LOGS_DIR=elsewhere SCHEDULER_RESULTS_DIR=one/results taskresults run a -- true
  [[ $(wc -l <one/logs/a.log) -eq 2 && $(wc -l <elsewhere/a.log) -eq 2 ]]
  # If the results directory is a link, `logs` is searched beside the directory itself, not beside the link.
  mkdir here
  ln -s ../one/results here/results
  SCHEDULER_RESULTS_DIR=here/results taskresults run a -- true
  [[ $(wc -l <one/logs/a.log) -eq 4 ]]
  # A named directory that does not exist.
  SCHEDULER_LOGS_DIR=nowhere run taskresults run a -- echo fine
  [[ $status -eq 0 && $output == $'taskresults: the log nowhere/a.log cannot be written: No such file or directory\nfine' ]]
  SCHEDULER_LOGS_DIR=nowhere run taskresults run a --quiet -- echo fine
  [[ $status -eq 0 && -z $output ]]
}

# assert_unlogged REASON - if the log cannot be written, a run goes on as usual, with one message, and none with --quiet.
assert_unlogged() {
  run taskresults run a -- echo fine
  [[ $status -eq 0 && $output == *"the log "*"/a.log cannot be written: $1"$'\n'fine ]] || { echo "$output"; return 1; }
  assert_record 1 fine ''
  run taskresults run a -- sh -c 'exit 7'
  [[ $status -eq 7 && $(grep -c 'cannot be written' <<<"$output") -eq 1 ]]
  run taskresults run a --quiet -- echo fine
  [[ $status -eq 0 && -z $output ]]
  assert_record 1 fine ''
}

@test "run: if the log cannot be written, a message says so, and nothing else changes; no link is followed" {
  cd "$BATS_TEST_TMPDIR"
  mkdir "$logs/a.log"
  assert_unlogged 'Is a directory'
  rmdir "$logs/a.log"
  ln -s "$PWD/planted" "$logs/a.log"
  assert_unlogged 'Too many levels of symbolic links'
  [[ ! -e planted ]]
  echo old >planted
  assert_unlogged 'Too many levels of symbolic links'
  [[ $(<planted) == old ]]
  rm "$logs/a.log"
  mkfifo "$logs/a.log"
  assert_unlogged 'Invalid argument'
  rm "$logs/a.log"
  # `logs` beside the results is not used if it is a link; a directory that the user named may be one.
  unset SCHEDULER_LOGS_DIR
  mv logs real
  ln -s real logs
  assert_unlogged 'Not a directory'
  [[ -z $(ls real) ]]
  SCHEDULER_LOGS_DIR=$PWD/logs taskresults run a -- true
  [[ $(wc -l <real/a.log) -eq 2 ]]
}

@test "run: no log is written in another user's directory, and the run is as usual" {
  ((EUID == 0)) || skip 'needs root, to be somebody else'
  open_results
  logs=$open_place/logs
  mkdir "$logs"
  chmod 777 "$results"
  SCHEDULER_LOGS_DIR=$logs run "${as_nobody[@]}" "$(tool taskresults)" run a -- echo fine
  [[ $status -eq 0 && $output == "taskresults: the log $logs/a.log cannot be written: Permission denied"$'\nfine' ]]
  assert_record 1 fine ''
}

@test "run: if the disk of the log is full, a message says so, the record is complete, and the status is the command's" {
  ((EUID == 0)) || skip 'needs root, to mount a small disk'
  cd "$BATS_TEST_TMPDIR"
  # shellcheck disable=SC2016  # the inner shell's
  unshare -m bash -c 'mount -t tmpfs -o size=8k none "$1" && head -c 4096 /dev/zero >"$1/full" && printf "[torn" >"$1/a.log" &&
    head -c 4000 /dev/zero >>"$1/a.log" && shift && "$@"; code=$?; tail -c 200 "$0" >tail; exit "$code"' "$logs/a.log" "$logs" \
    "$(tool taskresults)" run a -- sh -c 'echo precious; exit 7' "$(printf 'x%.0s' {1..300})" >out 2>&1 || status=$?
  ! grep -q '^unshare: \|^mount: ' out || skip 'no mounting here'
  [[ $status -eq 7 && $(<out) == *"a.log cannot be written: No space left on device"$'\nprecious' ]]
  assert_record 0 '' $'precious\n'
}

@test "run: a torn last line of the log stays a line of its own" {
  log_raw a '[2026-01-01T00:00:00Z] Job pau'
  taskresults run a -- true
  [[ $(events a) == $'other\nstarted\nsucceeded' ]]
  log_raw a 'no newline'
  taskresults run a -- true
  [[ $(sed -n 4p "$logs/a.log") == 'no newline' && $(wc -l <"$logs/a.log") -eq 6 ]]
}

@test "run: the log's lines of runs at the same time are complete" {
  local i pids=()
  for i in {1..20}; do
    taskresults run a -- true "$(printf "$i%.0s" {1..70})" &
    pids+=("$!")
  done
  wait "${pids[@]}"
  [[ $(events a | sort | uniq -c | tr -s ' \n' ' ') == ' 20 started 20 succeeded ' ]]
}

@test "run: jobs with hostile ids have logs of their own, and nothing else happens" {
  cd "$BATS_TEST_TMPDIR"
  local job long
  printf -v long 'x%.0s' {1..249}
  for job in "${hostile_jobs[@]}" "$long"; do
    taskresults run --quiet -- "$job" -- true </dev/null
  done
  python3 - "$logs" "${hostile_jobs[@]}" "$long" <<'PYTHON'
import os, sys
directory, *jobs = sys.argv[1:]
assert sorted(os.listdir(directory)) == sorted(job + ".log" for job in jobs)
for job in jobs:
    assert len(open(f"{directory}/{job}.log", newline="\n").readlines()) == 2
PYTHON
  [[ ! -e pwned ]]
}

@test "run: with closed standard descriptors, no output gets into the log, and no line of the log into the output" {
  run bash -c '"$@" <&- >&- 2>&-' - "$(tool taskresults)" run a -- sh -c 'echo out; echo err >&2'
  [[ $status -eq 3 ]]
  run bash -c '"$@" <&- >&- 2>&-' - "$(tool taskresults)" run a --quiet -- sh -c 'echo out; echo err >&2; exit 4'
  [[ $status -eq 4 && $(events a) == $'started\nsucceeded\nstarted\nfailed' && $(wc -l <"$logs/a.log") -eq 4 ]]
  SCHEDULER_LOGS_DIR=/nowhere run bash -c '"$@" <&- 2>&-' - "$(tool taskresults)" run a -- echo out
  [[ $status -eq 0 && $output == out ]]
}

@test "sql, sla and doctor read the logs beside the results, where run writes them; a link is not followed" {
  unset SCHEDULER_LOGS_DIR
  mkdir -p "$results/../logs"
  taskresults run nap -- true
  [[ -s $results/../logs/nap.log ]]
  run taskresults sql "SELECT count(duration_s) FROM task_runs WHERE job_id = 'nap'"
  [[ $output == 1 ]]
  [[ $(taskresults doctor) == *"ok    logs $results/../logs"* ]]
  # The variable, if it is set, comes first.
  [[ $(SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/none taskresults doctor) == *"job logs, $BATS_TEST_TMPDIR/none, is missing"* ]]
  mv "$results/../logs" "$results/../others"
  ln -s others "$results/../logs"
  [[ $(taskresults doctor) != *"ok    logs $results/../logs"* ]]
  # The command of run gets the environment unchanged.
  rm "$results/../logs"
  mv "$results/../others" "$results/../logs"
  [[ $(taskresults run nap -- sh -c 'echo "<${SCHEDULER_LOGS_DIR-unset}>"') == '<unset>' ]]
}
