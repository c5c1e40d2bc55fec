# run.bash - helpers shared by the tests of `taskresults run`. `load ../lib/run` below `load ../lib/shell`.

# shellcheck shell=bash disable=SC2154,SC2034  # helpers.bash and bats set some, tests use others

runner() {
  local home
  home=$(dirname "$(readlink -f "$(tool taskresults)")")
  if [[ -e $home/taskresults-run ]]; then echo "$home/taskresults-run"; else echo "$root/taskresults-run"; fi
}

# assert_record SUCCESS OUTPUT ERROR [NAME] - the last record of job a, key for key.
assert_record() {
  python3 - "$results/a.jsonl" "$1" "$2" "$3" "${4-a}" <<'PYTHON'
import json, re, sys
path, success, output, error, name = sys.argv[1:]
line = open(path).readlines()[-1]
record = json.loads(line)
assert json.dumps(record) + "\n" == line, line
assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", record.pop("timestamp")), line
expected = {"job_id": "a", "job_name": name, "success": success == "1", "output": output, "error": error}
assert record == expected and list(record) == list(expected), line
PYTHON
}

# start COMMAND... - runs it in the background, in a session of its own; sets $pid.
start() {
  # In the background a shell has INT and QUIT ignored, below nohup HUP as well.
  setsid env --default-signal "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
  pid=$!
}

# run_until_timeout WORD... - `taskresults run a --timeout T WORD...`, with the smallest of several T with which the
# command has time to make the file `begun`: on a busy machine a process may take seconds to start. Sets $timeout_words,
# the error.
run_until_timeout() {
  local seconds
  cd "$BATS_TEST_TMPDIR" || return
  for seconds in 0.3 1.2 5 20 80; do
    rm -f begun escaped
    run taskresults run a --timeout "$seconds" "$@"
    [[ ! -e begun ]] || break
  done
  timeout_words="Execution timed out ($seconds seconds)"
}

# is_gone FILE - the process with that number has ended, or is a zombie.
is_gone() {
  ! kill -0 "$(<"$1")" || grep -q '^State:.Z' "/proc/$(<"$1")/status"
}

# Instead of `! is_gone`: bats does not notice a failure of a negated command.
is_alive() {
  ! is_gone "$1"
}
