#!/usr/bin/env bats
# The recipes that send messages: examples/alerts, for `alerts --exec`, and the monitoring of examples/cron/taskresults-run.
# A server on loopback plays ntfy, and the monitoring service; Alertmanager and Apprise are the real ones.

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

eval "state_$(declare -f setup)"
setup() {
  state_setup
  cd "$BATS_TEST_TMPDIR" || return
  unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
  job=$'it\'s "x";\t$(touch pwned)\xe2\x80\xae é' # a name that says what is quoted, and what is not
}

teardown() {
  [[ -z ${server-} ]] || kill "$server" 2>/dev/null || true
}

# append SUCCESS ERROR TIME - a record of the job.
append() {
  python3 - "$results/$job.jsonl" "$job" "$@" <<'PYTHON'
import json, sys
path, job, success, error, time = sys.argv[1:]
record = {"timestamp": time, "job_id": job, "job_name": job, "success": success == "true", "output": "", "error": error}
open(path, "a").write(json.dumps(record) + "\n")
PYTHON
}

# start_switch [SECRET]
start_switch() {
  python3 "$root/tests/lib/switch.py" "$PWD" "$@" >/dev/null 2>&1 3>&- &
  server=$!
  await test -s port
  url=http://127.0.0.1:$(<port)/${1-key}
}

# tell RECIPE STATUS OPTION... - one run of alerts with it.
tell() {
  run taskresults alerts --state "$PWD/state" "${@:3}" --exec "$root/examples/alerts/$1"
  [[ $status -eq $2 && -z $output ]] || { echo "$status: $output"; return 1; }
}

error=$'line 1\n@/etc/passwd "\\ \xe2\x82\xac $(touch pwned)'

# tell_story RECIPE - a failure is reported once, then its recovery; and a message that did not arrive is sent again.
tell_story() {
  append false "$error" 2026-11-01T10:00:00Z
  printf 'key 500\ntopic 500\n' >answers
  run taskresults alerts --state "$PWD/state" --exec "$root/examples/alerts/$1"
  [[ $status -eq 3 ]]
  rm -f answers requests
  tell "$1" 1 --recovered
  tell "$1" 0 --recovered
  append true '' 2026-11-01T11:00:00Z
  tell "$1" 0 --recovered
  [[ ! -e pwned ]]
}

@test "the recipe for ntfy: title, text and priority arrive; the topic is in no command line" {
  command -v curl >/dev/null || missing_extra curl
  start_switch s3cret-topic
  printf 'url = "%s"\n' "$url" >ntfy.conf
  export NTFY_CONFIG=$PWD/ntfy.conf
  tell_story ntfy
  python3 - requests "$error" <<'PYTHON'
import json, sys
fired, recovered = map(json.loads, open(sys.argv[1]))
title = lambda told: {k.lower(): v for k, v in told["headers"].items()}["title"].encode("latin-1").decode()
assert (fired["method"], fired["path"], fired["body"]) == ("POST", "/s3cret-topic", sys.argv[2]), fired
assert fired["seen"] == recovered["seen"] == [], fired
assert "it's \"x\"" in title(fired) and "failed" in title(fired) and fired["headers"]["Priority"] == "high", fired
assert "it's \"x\"" in title(recovered) and title(recovered) == recovered["body"], recovered
assert recovered["headers"]["Priority"] == "default"
PYTHON
}

@test "the recipe for Apprise: title, text and kind arrive" {
  command -v apprise >/dev/null || missing_extra apprise
  start_switch
  printf 'json://%s\n' "${url#http://}" >apprise.conf
  export APPRISE_CONFIG=$PWD/apprise.conf
  tell_story apprise
  python3 - requests "$error" <<'PYTHON'
import json, sys
fired, recovered = [json.loads(json.loads(line)["body"]) for line in open(sys.argv[1])]
assert fired["message"] == sys.argv[2] and fired["type"] == "failure" and "it's \"x\"" in fired["title"], fired
assert recovered["type"] == "success" and recovered["title"] == recovered["message"], recovered
PYTHON
}

# active - the alerts that Alertmanager has, as JSON; nothing if it does not answer.
active() {
  curl -fsS "$ALERTMANAGER/api/v2/alerts?active=true" 2>/dev/null
}

has_none() {
  [[ $(active) == '[]' ]]
}

@test "the recipe for Alertmanager: an alert is raised with its labels, sent again, and resolved" {
  local program
  for program in prometheus-alertmanager curl jq; do
    command -v "$program" >/dev/null || missing_extra "$program"
  done
  printf 'route:\n  receiver: nobody\nreceivers:\n- name: nobody\n' >alertmanager.yml
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  export ALERTMANAGER=http://127.0.0.1:$port
  prometheus-alertmanager --config.file=alertmanager.yml --storage.path="$PWD/store" --web.listen-address="127.0.0.1:$port" \
    --cluster.listen-address= >alertmanager.log 2>&1 3>&- &
  server=$!
  await has_none
  append false "$error" 2026-11-01T10:00:00.5Z
  tell alertmanager 1 --recovered
  active >raised
  append false "$error" 2026-11-01T10:05:00Z
  await tell alertmanager 1 --recovered --cooldown 1s # as soon as the second is over
  active >again
  python3 - raised again "$error" "$job" <<'PYTHON'
import datetime, json, sys
raised, again = [json.load(open(name)) for name in sys.argv[1:3]]
assert len(raised) == len(again) == 1
for alert, in raised, again:
    assert alert["labels"] == {"alertname": "TaskResults", "alert": "failing", "job": sys.argv[4]}, alert
    assert alert["annotations"]["description"] == sys.argv[3] and "failed" in alert["annotations"]["summary"], alert
    assert alert["startsAt"] == "2026-11-01T10:00:00.000Z", alert
    end = datetime.datetime.fromisoformat(alert["endsAt"].replace("Z", "+00:00"))
    left = end - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(days=1, hours=23) < left <= datetime.timedelta(days=2, seconds=1), alert
assert raised[0]["fingerprint"] == again[0]["fingerprint"]
PYTHON
  append true '' 2026-11-01T11:00:00Z
  tell alertmanager 0 --recovered
  await has_none
  [[ ! -e pwned ]]
  # No server: the alert is sent again later.
  kill "$server"
  wait "$server" || true
  server=
  append false "$error" 2026-11-01T12:00:00Z
  run taskresults alerts --state "$PWD/state" --exec "$root/examples/alerts/alertmanager"
  [[ $status -eq 3 && $output == *'curl: (7)'* ]]
}

# run_cron NAME=VALUE... - runs the line of examples/cron/taskresults-run as cron would: by sh, in an environment of its own.
run_cron() {
  local line settings=() command=
  while IFS= read -r line; do
    case $line in
      '' | '#'*) ;;
      [A-Z]*=*) line=${line/=\"/=} settings+=("${line%\"}") ;;
      *) command=$(sed -E 's/^([^ ]+ +){5}root +//' <<<"$line") ;;
    esac
  done <"$root/examples/cron/taskresults-run"
  [[ -n $command && $command != *%* ]]
  run env -i "${settings[@]}" PATH="$(dirname "$(tool taskresults)"):$PATH" SCHEDULER_RESULTS_DIR="$results" \
    SCHEDULER_LOGS_DIR="$logs" JITTER=0.01 "$@" sh -c "$command"
}

@test "the recipe for a monitoring service: it is called for a success and for a failure, and not for a run that was skipped" {
  command -v curl >/dev/null || missing_extra curl
  start_switch
  echo "$url" >backup.url
  # shellcheck disable=SC2016  # the script's own
  printf '#!/bin/sh\necho "backing up $*"\nexit "$(cat code)"\n' >backup
  chmod +x backup
  echo 0 >code
  run_cron PING="@$PWD/backup.url" BACKUP="$PWD/backup"
  [[ $status -eq 0 && -z $output ]]
  echo 4 >code
  run_cron PING="@$PWD/backup.url" BACKUP="$PWD/backup"
  [[ $status -eq 4 && $output == 'backing up --all' ]]
  # While a run is going on, the next one is skipped, without a ping.
  # shellcheck disable=SC2016  # the script's own
  printf '#!/bin/sh\ntouch begun; until test -e enough; do sleep 0.02; done\n' >slow
  chmod +x slow
  run_cron PING="@$PWD/backup.url" BACKUP="$PWD/slow" &
  local slow=$!
  await test -e begun
  run_cron PING="@$PWD/backup.url" BACKUP="$PWD/backup"
  [[ $status -eq 75 && -z $output ]]
  touch enough
  wait "$slow"
  python3 - requests <<'PYTHON'
import json, sys
told = [json.loads(line) for line in open(sys.argv[1])]
assert [(r["path"], r["body"]) for r in told] == [("/key/start", ""), ("/key/0", "backing up --all\n"), ("/key/start", ""),
    ("/key/4", "backing up --all\n"), ("/key/start", ""), ("/key/0", "")], told
PYTHON
  assert_rows 3 'SELECT count(duration_s) FROM task_runs'
}
