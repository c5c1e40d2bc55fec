#!/usr/bin/env bats
# taskresults follow: each new record is shown exactly once, whatever happens to the file.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

as_nobody=()

teardown() {
  [[ -z ${follower-} ]] || kill "$follower" 2>/dev/null || true
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# start_following ARGUMENT... - starts follow in the background, with a short interval; its output goes to $out.
start_following() {
  out=$BATS_TEST_TMPDIR/out
  setsid env --default-signal "${as_nobody[@]}" "$(tool taskresults)" follow --interval 0.05 "$@" >"$out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
  follower=$!
}

lines_are() {
  [[ $(wc -l <"$out") == "$1" ]]
}

# record JOB NUMBER... - appends records whose output is the number.
record() {
  local number
  for number in "${@:2}"; do
    printf '{"timestamp": "2026-01-01T00:00:%02d.%06dZ", "job_id": "x", "success": true, "output": "%s"}\n' \
      "$((number / 1000 % 60))" "$((number % 1000))" "$number" >>"$results/$1.jsonl"
  done
}

# numbers - the outputs that were shown, in order.
numbers() {
  sed -n 's/.*"output":"\([0-9]*\)".*/\1/p' "$out" | tr '\n' ' '
}

@test "follow shows new records of all jobs, also of new jobs, and none that was there before" {
  record a 1 2 3
  start_following --jsonl --limit 1
  await lines_are 1
  record a 4
  await lines_are 2
  record b 5 6
  await lines_are 4
  record a 7
  await lines_are 5
  [[ $(numbers) == '3 4 5 6 7 ' ]]
}

@test "follow JOB... shows only these jobs" {
  record a 1
  record b 2
  start_following --jsonl --limit 5 a
  await lines_are 1
  record b 3
  record a 4
  await lines_are 2
  [[ $(numbers) == '1 4 ' ]]
}

@test "follow shows each record once across an exchange of the file that keeps the last lines, and one that keeps none" {
  # shellcheck disable=SC2046  # numbers
  record a $(seq 1 50)
  start_following --jsonl --limit 1 a
  await lines_are 1
  tail -n 3 "$results/a.jsonl" >"$results/new" && mv "$results/new" "$results/a.jsonl" # 48 49 50
  record a 51
  await lines_are 2
  : >"$results/new" && mv "$results/new" "$results/a.jsonl"
  record a 52 53
  await lines_are 4
  record other 1 && record a 54
  await lines_are 5
  [[ $(numbers) == '50 51 52 53 54 ' ]]
}

@test "follow: if the last record is pruned and older ones stay, only newer ones are shown" {
  record a 1 2 3 4 5
  start_following --jsonl --limit 1 a
  await lines_are 1
  sed -n '2p;3p' "$results/a.jsonl" >"$results/new" && mv "$results/new" "$results/a.jsonl"
  record a 6
  await lines_are 2
  [[ $(numbers) == '5 6 ' ]]
}

@test "follow: after a file was cut short in place, its new records are shown" {
  record a 1 2 3 4 5
  start_following --jsonl --limit 1 a
  await lines_are 1
  : >"$results/a.jsonl"
  record a 6
  await lines_are 2
  [[ $(numbers) == '5 6 ' ]]
}

@test "follow shows each record exactly once, with many appends and exchanges of the file" {
  record a 0
  start_following --jsonl --limit 1 a
  await lines_are 1
  for round in {1..12}; do
    for i in {1..20}; do record a "$((round * 20 + i))"; done
    # An exchange as a pruner makes it, but in the writer's process, so that no record is lost between.
    tail -n "$((round * 3 % 30 + 5))" "$results/a.jsonl" >"$results/new"
    await lines_are "$((round * 20 + 1))"
    mv "$results/new" "$results/a.jsonl"
  done
  [[ $(numbers) == "0 $(seq -s ' ' 21 260) " ]]
}

@test "follow shows each record exactly once, with the real pruner and a writer at full speed" {
  run timeout 900 python3 "$root/tests/live/follow_pruned.py" "$(tool taskresults)" "$root/taskresults" "${FOLLOW_RECORDS:-1500}" 200
  echo "$output"
  [[ $status -eq 0 ]]
}

@test "follow shows a half-written record once, when it is complete" {
  record a 1
  start_following --jsonl --limit 1 a
  await lines_are 1
  append_raw a '{"timestamp": "2026-01-01T00:01:00Z", "success": true, "out'
  record b 2
  append_raw a 'put": "3"}\n'
  await lines_are 2
  record a 4
  await lines_are 3
  [[ $(numbers) == '1 3 4 ' ]]
}

@test "follow prints the form of view; --errors and --success filter; NULs are printed" {
  make_job a 4 2
  start_following --errors --limit 1
  await lines_are 2
  append_raw a '{"timestamp": "2026-01-02T00:00:00Z", "success": true}\n'
  append_raw a '{"timestamp": "2026-01-02T00:00:01Z", "job_name": "A", "success": false, "error": "e\\u0000e"}\n'
  await lines_are 4
  [[ $(tr '\0' '@' <"$out") == "2026-01-01T00:03:00Z | A (a) | ❌ FAILED
  Error: run 3 failed: Connection timeout
2026-01-02T00:00:01Z | A (a) | ❌ FAILED
  Error: e@e" ]]
  kill "$follower"
  start_following --success --limit 2 --jsonl
  await lines_are 2
  grep -q '"timestamp":"2026-01-01T00:02:00Z"' "$out"
  grep -q '"timestamp":"2026-01-02T00:00:00Z"' "$out"
}

@test "follow: each record of jobs with hostile ids is shown once" {
  make_hostile_jobs
  cd "$BATS_TEST_TMPDIR"
  start_following --jsonl --limit 1
  await lines_are "${#hostile_jobs[@]}"
  make_hostile_jobs
  await lines_are "$((3 * ${#hostile_jobs[@]}))"
  [[ ! -e pwned && ! -s err ]]
  kill "$follower"
  start_following --jsonl --limit 1 -- "${hostile_jobs[@]}"
  await lines_are "${#hostile_jobs[@]}"
}

no_process_left() { ! pgrep --session "$follower" >/dev/null; }

# follow_alone ARGUMENT... - like start_following, but it looks once a day. It begins without ignored signals, which a
# background process of a script or one below nohup would have.
follow_alone() {
  out=$BATS_TEST_TMPDIR/out
  rm -f "$out" # of one before, which would be taken for its own
  setsid env --default-signal "$@" "$(tool taskresults)" follow --interval 86400 --limit 1 --jsonl >"$out" \
    2>"$BATS_TEST_TMPDIR/err" 3>&- &
  follower=$!
  await lines_are 1
}

@test "follow: if it is killed, it leaves no process behind" {
  record a 1
  start_following --jsonl --limit 1
  await lines_are 1
  kill "$follower"
  await no_process_left
}

# none_of SESSION - no process of the session is running.
none_of() { ! pgrep -s "$1" >/dev/null; }

@test "follow: INT, TERM, HUP or QUIT to its process alone ends it and its children at once; with nohup, HUP does nothing" {
  make_job a 1
  for expected in INT:130 TERM:143 HUP:129 QUIT:131; do
    out=$BATS_TEST_TMPDIR/out
    rm -f "$out" # of the one before, which would be taken for its own
    # Its interval is an hour. A background process of a script begins with INT and QUIT ignored.
    setsid env --default-signal=INT,QUIT,HUP,TERM "$(tool taskresults)" follow --limit 1 --interval 3600 >"$out" \
      2>"$BATS_TEST_TMPDIR/err" 3>&- &
    follower=$!
    await lines_are 3
    kill "-${expected%:*}" "$follower"
    status=0
    wait "$follower" || status=$?
    [[ $status -eq ${expected#*:} ]]
    await none_of "$follower"
    [[ ! -s $BATS_TEST_TMPDIR/err ]]
  done
  rm -f "$out"
  setsid env --ignore-signal=HUP "$(tool taskresults)" follow --limit 1 --interval 0.05 >"$out" \
    2>"$BATS_TEST_TMPDIR/err" 3>&- &
  follower=$!
  await lines_are 3
  kill -HUP "$follower"
  record a 7
  await lines_are 5
  kill "$follower"
  await none_of "$follower"
}

@test "follow: Ctrl-C on a terminal ends it, with status 130" {
  make_job a 1
  run env PATH="$PATH" python3 - "$(tool taskresults)" <<'PYTHON'
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as a terminal's shell does; below nohup, it may be ignored
    os.execv(sys.argv[1], [sys.argv[1], "follow", "--limit", "1", "--interval", "3600"])
seen = b""
while b"a job" not in seen.lower() and b"SUCCESS" not in seen:
    seen += os.read(terminal, 65536)
os.write(terminal, b"\x03")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PYTHON
  [[ $status -eq 0 && $output == 130 ]]
}

@test "follow: a signal to its process alone ends it and its children at once, without a message" {
  record a 1
  ulimit -c 0
  for signal in INT TERM HUP QUIT PIPE KILL; do
    follow_alone
    kill -s "$signal" "$follower"
    status=0
    wait "$follower" || status=$?
    [[ $status -eq $((128 + $(kill -l "$signal"))) ]]
    await no_process_left
    [[ ! -s $BATS_TEST_TMPDIR/err ]]
  done
}

@test "follow: a signal ends it, too, while the reader of its output does not read" {
  record a 1
  mkfifo "$BATS_TEST_TMPDIR/pipe"
  exec {reader}<>"$BATS_TEST_TMPDIR/pipe"
  dd if=/dev/zero of="$BATS_TEST_TMPDIR/pipe" oflag=nonblock bs=4096 2>/dev/null || true
  setsid "$(tool taskresults)" follow --interval 86400 --limit 1 --jsonl >"$BATS_TEST_TMPDIR/pipe" 2>"$BATS_TEST_TMPDIR/err" 3>&- \
    {reader}>&- &
  follower=$!
  await pgrep --session "$follower" --exact sed
  kill -TERM "$follower"
  status=0
  wait "$follower" || status=$?
  [[ $status -eq 143 ]]
  await no_process_left
}

@test "follow: signals that are ignored from the start, as with nohup, stay ignored" {
  record a 1
  follow_alone env --ignore-signal=HUP,INT
  kill -HUP "$follower"
  kill -INT "$follower"
  kill -TERM "$follower"
  status=0
  wait "$follower" || status=$?
  [[ $status -eq 143 ]]
  await no_process_left
}

@test "follow: it ends when the reader of its output ends, even if it has nothing to write" {
  record a 1
  mkfifo "$BATS_TEST_TMPDIR/pipe"
  for ignored in '' PIPE,HUP; do
    setsid env --default-signal --ignore-signal="$ignored" "$(tool taskresults)" follow --interval 86400 --limit 1 --jsonl >"$BATS_TEST_TMPDIR/pipe" \
      2>"$BATS_TEST_TMPDIR/err" 3>&- &
    follower=$!
    read -r line <"$BATS_TEST_TMPDIR/pipe"
    [[ $line == *'"output":"1"'* ]]
    wait "$follower"
    await no_process_left
    [[ ! -s $BATS_TEST_TMPDIR/err ]]
  done
}

@test "follow: it ends when nobody reads; wrong usage is status 2; a missing directory is an error" {
  record a 1
  { taskresults follow --interval 0.05 --limit 1 --jsonl 2>"$BATS_TEST_TMPDIR/err" || echo "status $?"; } 3>&- |
    head -n 1 >"$BATS_TEST_TMPDIR/out" &
  while [[ -n $(jobs -r) ]]; do record a 2; sleep 0.02; done # the whole pipeline
  [[ $(<"$BATS_TEST_TMPDIR/out") == *'"output":"'[12]'"'* && ! -s $BATS_TEST_TMPDIR/err ]]
  for arguments in '--interval 0' '--interval x' '--limit x' '--success --errors' '--csv'; do
    # shellcheck disable=SC2086  # words
    run taskresults follow $arguments
    [[ $status -eq 2 ]]
  done
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults follow
  [[ $status -eq 3 ]]
}

@test "follow: a job whose file cannot be read is named once; the others go on, and it is followed when it can be read" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  record a 1
  record b 2
  record '$(closed)' 3
  chmod 644 "$results"/*.jsonl
  chmod 600 "$results/\$(closed).jsonl"
  start_following --jsonl --limit 1
  await lines_are 2
  chmod 600 "$results/b.jsonl"
  record b 4
  record a 5
  await lines_are 3
  is_told() { [[ $(grep -c 'not followed yet: job' "$BATS_TEST_TMPDIR/err") == 2 ]]; }
  await is_told
  [[ $(<"$BATS_TEST_TMPDIR/err") == *'not followed yet: job b,'*'chmod a+r -- '"$results/b.jsonl" ]]
  chmod 644 "$results/b.jsonl" # known before: not one is missed
  await lines_are 4
  chmod 644 "$results/\$(closed).jsonl" # new: as at the start
  await lines_are 5
  record '$(closed)' 6
  record b 7
  await lines_are 7
  [[ $(numbers) == '1 2 5 4 3 6 7 ' || $(numbers) == '1 2 5 4 3 7 6 ' || $(numbers) == '2 1 5 4 3 '* ]]
  is_told
}

@test "follow: a results directory that vanishes is named once, and followed again when it is back" {
  record a 1
  start_following --jsonl --limit 1
  await lines_are 1
  mv "$results" "$results.away"
  await grep -q 'cannot be read any more' "$BATS_TEST_TMPDIR/err"
  sleep 0.3
  mv "$results.away" "$results"
  record a 2
  await lines_are 2
  [[ $(numbers) == '1 2 ' && $(wc -l <"$BATS_TEST_TMPDIR/err") -eq 1 ]]
}
