#!/usr/bin/env bats
# taskresults run --ping: a monitoring service on loopback (tests/lib/switch.py) is called at the start and at the end.
# Whatever the service does, the run is as it would be without it.

# shellcheck disable=SC2154  # helpers.bash and bats set them

bats_require_minimum_version 1.5.0
load ../../lib/helpers
load ../../lib/shell
load ../../lib/state
load ../../lib/run

setup_file() {
  export BATS_TEST_TIMEOUT=300
}

eval "state_$(declare -f setup)"
setup() {
  state_setup
  command -v curl >/dev/null || missing_extra curl
  cd "$BATS_TEST_TMPDIR" || return
  unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
}

teardown() {
  [[ -z ${switch-} ]] || kill "$switch" 2>/dev/null || true
}

# start_switch [SECRET] - sets $switch, its process, and $url, and exports it.
start_switch() {
  python3 "$root/tests/lib/switch.py" "$PWD" "$@" >/dev/null 2>&1 3>&- &
  switch=$!
  await test -s port
  url=http://127.0.0.1:$(<port)/${1-key}
  export TASKRESULTS_PING_URL=$url
}

# requests - METHOD PATH BODY of each, the body as JSON.
requests() {
  python3 - requests <<'PYTHON'
import json, os, sys
for line in open(sys.argv[1]) if os.path.exists(sys.argv[1]) else ():
    told = json.loads(line)
    print(told["method"], told["path"], json.dumps(told["body"]))
PYTHON
}

# assert_requests LINE...
assert_requests() {
  local expected
  printf -v expected '%s\n' "$@"
  [[ $(requests) == "${expected%$'\n'}" ]] || { requests; return 1; }
}

@test "run --ping: it calls /start, then the exit status with the output of both streams" {
  start_switch
  run taskresults run a --ping env -- sh -c 'echo out; echo err >&2'
  [[ $status -eq 0 && $output == $'out\nerr' ]]
  run taskresults run a --ping env --quiet -- sh -c 'echo só; exit 42'
  [[ $status -eq 42 && $output == só ]]
  run taskresults run a --ping env -- false
  run taskresults run a --ping env --timeout 0.2 -- sh -c 'echo half; exec sleep 1000'
  [[ $status -eq 124 ]]
  run taskresults run a --ping env -- sh -c 'kill -KILL $$'
  run -127 taskresults run a --ping env -- ./no-such
  assert_requests 'GET /key/start ""' 'POST /key/0 "out\nerr\n"' 'GET /key/start ""' 'POST /key/42 "s\u00f3\n"' \
    'GET /key/start ""' 'POST /key/1 "exit status 1"' 'GET /key/start ""' 'POST /key/124 "half\n"' \
    'GET /key/start ""' 'POST /key/137 "killed by SIGKILL"' 'GET /key/start ""' \
    'POST /key/127 "[Errno 2] No such file or directory: '"'./no-such'"'"'
  [[ $(grep -c '"type": "text/plain; charset=utf-8"' requests) -eq 6 ]]
}

@test "run --ping: the status is 3 if the run was not recorded or not shown, and 128 + the number of a signal" {
  start_switch
  mkdir "$results/a.jsonl"
  run taskresults run a --ping env -- echo out
  [[ $status -eq 3 ]]
  rmdir "$results/a.jsonl"
  start "$(tool taskresults)" run a --ping env -- sh -c 'touch begun; exec sleep 1000'
  await test -e begun
  kill -TERM "$pid"
  wait "$pid" && return 1
  assert_requests 'GET /key/start ""' 'POST /key/3 "out\n"' 'GET /key/start ""' 'POST /key/143 "Interrupted (SIGTERM)"'
}

@test "run --ping: the body is the last 10 KB of the output, and always text" {
  start_switch
  taskresults run a --ping env -- seq 1 30000 >/dev/null
  # shellcheck disable=SC2016  # python's own
  taskresults run a --ping env --merge -- python3 -c 'import sys
sys.stdout.buffer.write(b"lost" + "€".encode() * 4000 + b"\"\\\n\r\t@/etc/passwd\0\xff\x1b[31m\nurl = \"http://127.0.0.1:1\"\n")' >/dev/null
  python3 - requests <<'PYTHON'
import json, sys
first, second = [json.loads(line)["body"] for line in open(sys.argv[1]) if "POST" in line]
assert first == "".join(f"{i}\n" for i in range(1, 30001))[-10240:]
end = '"\\\n\r\t@/etc/passwd\ufffd\ufffd\x1b[31m\nurl = "http://127.0.0.1:1"\n'
assert second.endswith(end) and set(second[:-len(end)]) == {"€"}, second[-100:]
assert 10240 - 3 <= len(second.encode()) - 4 <= 10240, len(second.encode())  # two bytes became U+FFFD
PYTHON
}

@test "run --ping: the URL, from the environment or a file, is in no command line; a URL as an argument is refused" {
  start_switch s3cret-key
  taskresults run a --ping env -- true
  printf '%s\r\nignored\n' "$url?create=1" >url
  env -u TASKRESULTS_PING_URL "$(tool taskresults)" run a --ping "@$PWD/url" -- true
  assert_requests 'GET /s3cret-key/start ""' 'POST /s3cret-key/0 ""' 'GET /s3cret-key/start?create=1 ""' \
    'POST /s3cret-key/0?create=1 ""'
  [[ $(grep -c '"seen": \[\]' requests) -eq 4 ]]
  for word in "$url" https://hc-ping.com/s3cret-key; do
    run taskresults run a --ping "$word" -- touch ran
    [[ $status -eq 2 && $output == *'takes no URL: it is a secret'* && $output != *s3cret* && ! -e ran ]]
  done
  for word in '' env2 @ ENV; do
    run taskresults run a --ping "$word" -- touch ran
    [[ $status -eq 2 && $output == *'--ping wants env or @FILE'* && ! -e ran ]]
  done
}

@test "run --ping: without a usable URL, the run goes on, with a message unless --quiet" {
  local words
  assert_no_ping() {
    run taskresults run a --ping "$1" -- echo fine
    [[ $status -eq 0 && $output == "taskresults: no ping: $2"$'\nfine' ]] || { echo "$output"; return 1; }
    run taskresults run a --ping "$1" --quiet -- sh -c 'exit 5'
    [[ $status -eq 5 && -z $output ]]
    assert_record 0 '' 'exit status 5'
  }
  assert_no_ping env 'TASKRESULTS_PING_URL: there is no URL'
  assert_no_ping @nowhere 'nowhere: No such file or directory'
  mkdir place
  assert_no_ping @place 'place: Is a directory'
  : >empty
  assert_no_ping @empty 'empty: there is no URL'
  for words in 'ftp://127.0.0.1/' 'file:///etc/passwd' '-K /etc/passwd'; do
    TASKRESULTS_PING_URL=$words run taskresults run a --ping env -- echo fine
    [[ $status -eq 0 && $output == 'taskresults: no ping: TASKRESULTS_PING_URL: the URL '*$'\nfine' ]]
  done
  printf -v words 'http://127.0.0.1:9/%02000d' 0
  printf '%s\n' "$words" >long
  TASKRESULTS_PING_URL=$words assert_no_ping env 'TASKRESULTS_PING_URL: the URL is too long'
  assert_no_ping @long 'long: the URL is too long'
}

@test "run --ping: without curl, the run goes on, with a message" {
  mkdir bin
  for program in "$(command -v bash)" "$(command -v sqlite3)" "$(command -v env)" "$(command -v sed)" "$(command -v realpath)"; do
    ln -s "$program" bin/
  done
  PATH=$PWD/bin TASKRESULTS_PING_URL=http://127.0.0.1:1/k run "$(tool taskresults)" run a --ping env -- /bin/echo fine
  [[ $status -eq 0 && $output == $'fine\n'*'the ping of the start failed: the curl program: No such file or directory'*'the ping of the end failed'* ]]
  assert_record 1 fine ''
}

@test "run --ping: a service that refuses, fails, cannot be reached or redirects does not change the run" {
  start_switch
  # Redirects are followed, with the body; but not without end, and not to a file.
  printf '%s\n' "key/0 301 $url/moved" "moved 302 $url/there" >answers
  taskresults run a --ping env -- echo fine
  [[ $(requests | tail -n 1) == 'POST /key/there "fine\n"' ]]
  printf '%s\n' '/start 302 /key/start' '/5 302 file:///etc/passwd' >answers
  run taskresults run a --ping env -- sh -c 'echo fine; exit 5'
  [[ $status -eq 5 && $output == $'fine\n'*'the ping of the start failed: curl: (47)'*'the ping of the end failed: curl: (1)'* ]]
  assert_record 0 '' $'fine\n'
  # A server that fails is called three times, one that does not know the URL once.
  : >requests
  printf '%s\n' '/start 404' '/0 503' >answers
  run taskresults run a --ping env -- echo fine
  [[ $status -eq 0 && $output == $'fine\n'*'the ping of the start failed: curl: (22)'*404*'the ping of the end failed: curl: (22)'*503* ]]
  assert_requests 'GET /key/start ""' 'POST /key/0 "fine\n"' 'POST /key/0 "fine\n"' 'POST /key/0 "fine\n"'
  assert_record 1 fine ''
  kill "$switch"
  wait "$switch" || true
  switch=
  run taskresults run a --ping env -- echo fine
  [[ $status -eq 0 && $output == $'fine\n'*'the ping of the start failed: curl: (7)'*'the ping of the end failed: curl: (7)'* ]]
  run taskresults run a --ping env --quiet -- echo fine
  [[ $status -eq 0 && -z $output ]]
  assert_record 1 fine ''
}

@test "run --ping: a service that hangs delays neither the command nor its record, and is given up" {
  start_switch
  echo '/start hang' >answers
  start timeout 100 "$(tool taskresults)" run a --ping env -- echo fine
  await grep -q . "$results/a.jsonl"
  assert_record 1 fine ''
  await grep -q start requests
  [[ $(requests) == 'GET /key/start ""' ]] # the end is told behind it
  touch release
  wait "$pid"
  assert_requests 'GET /key/start ""' 'POST /key/0 "fine\n"'
  # For ever.
  rm release requests
  status=0
  timeout 100 "$(tool taskresults)" run a --ping env -- sh -c 'exit 6' 2>err || status=$?
  [[ $status -eq 6 && $(<err) == 'taskresults: the ping of the start failed: '* ]]
  [[ $(requests | tail -n 1) == 'POST /key/6 "exit status 6"' ]]
  # A signal ends the wait for the service, and the status stays the command's.
  echo '/7 hang' >answers
  rm requests
  start "$(tool taskresults)" run a --ping env -- sh -c 'exit 7'
  await grep -q /key/7 requests
  kill -TERM "$pid"
  status=0
  wait "$pid" || status=$?
  [[ $status -eq 7 && $(<err) == 'taskresults: the ping of the end failed: it was interrupted' ]]
  touch release
}

@test "run --ping: a run that --lock skips calls nothing" {
  start_switch
  taskresults run a --lock skip -- sh -c '"$1" run a --lock skip --ping env --quiet -- true; echo "$?"' - "$(tool taskresults)" >out
  [[ $(<out) == 75 && ! -e requests ]]
}

@test "run --ping: a timeout ends the command and its daemon, but not curl" {
  start_switch
  echo '/start hang' >answers
  start timeout 100 "$(tool taskresults)" run a --timeout 0.5 --ping env -- sh -c 'setsid sleep 1000 & exec sleep 1000'
  await grep -q . "$results/a.jsonl"
  assert_record 0 '' 'Execution timed out (0.5 seconds)'
  touch release
  status=0
  wait "$pid" || status=$?
  [[ $status -eq 124 && ! -s err ]]
  assert_requests 'GET /key/start ""' 'POST /key/124 "Execution timed out (0.5 seconds)"'
}
