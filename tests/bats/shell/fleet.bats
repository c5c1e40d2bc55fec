#!/usr/bin/env bats
# --hosts: commands over the results of several hosts, whose directories were copied to one machine.

load ../../lib/helpers
load ../../lib/shell

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

setup() {
  fleet=$BATS_TEST_TMPDIR/fleet results=$BATS_TEST_TMPDIR/fleet/web1/results
  mkdir -p "$results"
  export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/none
  make_job a 2
  make_job b 1
  append_raw b 'junk\n'
  mkdir -p "$fleet/web2/results"
  cp "$results/a.jsonl" "$fleet/web2/results"
  printf 'x\n' >>"$fleet/web2/results/a.jsonl"
}

@test "export --hosts: the records of each host with its name, in all formats, as one export of each" {
  local host
  run taskresults export --hosts "$fleet/*/results"
  [[ $status -eq 0 && ${lines[0]} == $'host,timestamp,job_id,job_name,success,output,error\r' && ${#lines[@]} == 11 ]] # an output has two lines
  for host in web1 web2; do
    SCHEDULER_RESULTS_DIR=$fleet/$host/results taskresults export | sed -n "2,\$s/^2026/$host,&/; 2,\$p"
  done >"$BATS_TEST_TMPDIR/expected"
  [[ $(printf '%s\n' "${lines[@]:1}") == "$(<"$BATS_TEST_TMPDIR/expected")" ]]
  run taskresults export a --hosts "$fleet/web*/results/" --columns host,job_id,offset --format jsonl
  [[ $status -eq 0 && ${lines[0]} == '{"host":"1","job_id":"a","offset":0}' && ${lines[2]} == '{"host":"2","job_id":"a","offset":0}' && ${#lines[@]} == 4 ]]
  run taskresults export b --hosts "$fleet/*/results" --columns host,job_id --grep 1 --since 2020-01-01
  [[ $status -eq 0 && ${lines[0]} == $'host,job_id\r' ]]
}

@test "rejects --hosts: with the host in the table, in --count and in the machine formats" {
  run taskresults rejects --hosts "$fleet/*/results"
  [[ $status -eq 0 && ${lines[0]} == 'HOST  JOB  OFFSET  LENGTH  REASON          LINE' && ${#lines[@]} == 3 ]]
  [[ ${lines[1]} == 'web1  b '*junk && ${lines[2]} == 'web2  a '*x ]]
  run taskresults rejects --hosts "$fleet/*/results" --count
  [[ ${lines[0]} == 'HOST  JOB  REASON          LINES  FIRST OFFSET' && ${lines[2]} == 'web2  a    malformed JSON      1 '* ]]
  run taskresults rejects a --hosts "$fleet/*/results" --jsonl
  [[ ${#lines[@]} == 1 && $output == '{"host":"web2","job_id":"a",'*'"line":"x","line_hex":null}' ]]
  run taskresults rejects --hosts "$fleet/web1/*" --csv --count
  [[ ${lines[0]} == $'host,job_id,reason,lines,first_offset\r' && ${lines[1]} == results,b,* ]]
}

# same_as_each_host COMMAND... - what these commands say of several hosts is what they say of each (tests/live/fleet_union.py).
same_as_each_host() {
  mkdir "$BATS_TEST_TMPDIR/union"
  run python3 "$root/tests/live/fleet_union.py" "$(tool taskresults)" "$BATS_TEST_TMPDIR/union" "$@"
  [[ $status -eq 0 && $output == *' commands are the same' ]] || { echo "$output"; return 1; }
}

@test "export, rejects, list, errors and stats --hosts say what they say of each host, in the machine formats" {
  same_as_each_host export rejects list errors stats
}

@test "view --hosts says what it says of each host: of one job, of all, the last few, those with a text" {
  same_as_each_host view
}

@test "sla --hosts says what it says of each host, also with slots and durations from each host's own list and logs" {
  same_as_each_host sla
}

@test "metrics --hosts has the samples of each host, with the label host" {
  same_as_each_host metrics
  mkdir -p "$fleet/a\"b\\/results"
  make_job x 1
  mv "$results/x.jsonl" "$fleet/a\"b\\/results"
  run taskresults metrics --hosts "$fleet/*/results"
  [[ $status -eq 0 && $output == *'taskresults_job_runs{host="a\"b\\",job_id="x",result="success"} 1'* ]]
}

@test "next --hosts says what it says of each host" {
  same_as_each_host next
}

@test "alerts --hosts fires what it fires on each host: all kinds, all jobs or one" {
  same_as_each_host alerts
}

@test "report --hosts shows the jobs of each host as HOST/JOB, with their own runs, texts and missed runs" {
  same_as_each_host report
  run taskresults report --hosts "$fleet/*/results"
  [[ $status -eq 0 && $output == *'<tr><th scope="row">web1/a<td>'* && $output == *'<tr><th scope="row">web2/a<td>'* ]]
}

@test "sql --hosts: the tables are those of the hosts, and commands suggest it" {
  echo '{"jobs": [{"id": "z"}]}' | tee "$fleet/web1/jobs.json" >"$fleet/web2/jobs.json"
  mkdir "$fleet/web1/logs"
  run taskresults sql --hosts "$fleet/*/results" "SELECT host, job_id, state FROM task_jobs WHERE job_id IN ('b', 'z')" 'SELECT count(DISTINCT host) FROM task_logs'
  [[ $status -eq 0 && $output == $'web1|z|idle\nweb1|b|orphaned\nweb2|z|idle\n0' ]] || { echo "$output"; return 1; }
  printf '{"success": true}\n' >>"$fleet/web2/results/a.jsonl"
  run taskresults stats --by day --hosts "$fleet/*/results" --csv
  [[ $status -eq 0 && $output =~ 'to see them: '(.*)$ ]]
  run eval "${BASH_REMATCH[1]}"
  [[ $output == 'web2|a|' ]]
}

# fail_on HOST; succeed_on HOST - a new record of the job a.
fail_on() { printf '{"timestamp": "2026-03-01T00:00:00Z", "success": false, "error": "lost"}\n' >>"$fleet/$1/results/a.jsonl"; }
succeed_on() { printf '{"timestamp": "2026-03-01T00:00:00Z", "success": true}\n' >>"$fleet/$1/results/a.jsonl"; }

fleet_alerts() { taskresults alerts --hosts "$fleet/*/results" --state "$BATS_TEST_TMPDIR/state" "$@"; }

@test "alerts keep a job of one host apart from that of another: what fires, ends and fires again, in the state and in the command" {
  fail_on web1
  run fleet_alerts --recovered
  [[ $status -eq 1 && $output == 'web1/a: failed: lost' ]]
  run fleet_alerts --recovered
  [[ $status -eq 0 && -z $output ]]
  fail_on web2
  run fleet_alerts --recovered --exec 'echo "$TASKRESULTS_HOST $TASKRESULTS_JOB $TASKRESULTS_EVENT"'
  [[ $status -eq 1 && $output == 'web2 a fired' ]]
  succeed_on web1
  run fleet_alerts --recovered
  [[ $output == 'web1/a: recovered: no longer failing' ]]
  fail_on web1
  run fleet_alerts --recovered a
  [[ $status -eq 1 && $output == 'web1/a: failed: lost' ]]
  run fleet_alerts --cooldown 0s web2/a
  [[ $output == 'web2/a: still: failed: lost' ]]
  run fleet_alerts nobody
  [[ $status -eq 2 && $output == *'no such job: nobody'* ]]
  run taskresults alerts --nagios --hosts "$fleet/*/results"
  [[ $status -eq 2 && $output == 'TASKRESULTS CRITICAL - 2: web1/a: failed: lost; web2/a: failed: lost | jobs=3;;;0 alerts=2;'* ]]
}

@test "alerts mute HOST/JOB, or JOB on each host; a state file is that of one path" {
  fail_on web1
  fail_on web2
  run fleet_alerts mute web1/a --for 1h
  [[ $status -eq 0 && $output == 'web1/a: muted until '* ]]
  run fleet_alerts
  [[ $output == 'web2/a: failed: lost' ]]
  run fleet_alerts unmute web1/a
  [[ $status -eq 0 ]]
  run fleet_alerts mute a --for 1h
  [[ $output == '*/a: muted until '* ]]
  run fleet_alerts mute nobody --for 1h
  [[ $status -eq 2 && $output == *'no such job: '* ]]
  run fleet_alerts
  [[ -z $output ]]
  run fleet_alerts unmute a
  [[ $status -eq 0 ]]
  run fleet_alerts
  [[ $output == 'web1/a: failed: lost' ]]
  run taskresults alerts --hosts "$fleet/web*/results" --state "$BATS_TEST_TMPDIR/state"
  [[ $status -eq 3 && $output == *"is of another directory of results, $fleet/*/results;"* ]]
}

@test "alerts that search a moved line look at the file of the same host" {
  fail_on web1
  fail_on web2
  run fleet_alerts
  [[ ${#lines[@]} == 2 ]]
  SCHEDULER_RESULTS_DIR=$fleet/web2/results taskresults prune a --keep 1 >"$BATS_TEST_TMPDIR/said"
  fail_on web2
  run fleet_alerts
  [[ $status -eq 0 && -z $output ]]
}

@test "tables have a column HOST in front, and view the host before the job's name" {
  printf '{"timestamp": "2026-02-01T00:00:00Z", "job_name": "A", "success": false, "error": "lost"}\n' | tee "$results/c.jsonl" >"$fleet/web2/results/c.jsonl"
  run taskresults list --hosts "$fleet/*/results"
  [[ $status -eq 0 && ${lines[0]} == 'HOST  JOB  RUNS  SUCCESS  LAST RUN '* && ${lines[1]} == 'web1  a       2 '* && ${#lines[@]} == 6 ]]
  run taskresults stats --hosts "$fleet/*/results" --total
  [[ ${lines[0]} == 'HOST  JOB  RUNS  OK '* && ${lines[1]} == 'web1  all     4   3 '* && ${lines[2]} == 'web2  all     3   2 '* && ${#lines[@]} == 3 ]]
  run taskresults errors --hosts "$fleet/*/results"
  [[ ${lines[1]} == 'web1      1  c '*lost && ${lines[2]} == 'web2      1  c '*lost && ${#lines[@]} == 3 ]]
  run taskresults sla c --hosts "$fleet/*/results" --window 2026-01-01..2026-03-01
  [[ ${lines[-2]} == 'web1  c       1 '* && ${lines[-1]} == 'web2  c       1 '* ]]
  run taskresults view c --hosts "$fleet/*/results"
  [[ ${lines[0]} == '2026-02-01T00:00:00Z | web1/A | ❌ FAILED' && ${lines[2]} == *' | web2/A | '* ]]
  run taskresults view --all --limit 1 --success --hosts "$fleet/*/results"
  [[ ${lines[0]} == *' | web2/'* ]]
}

@test "view JOB --limit --hosts reads the last few of each host, not all: as many bytes of ten times as many records" {
  command -v strace >/dev/null || skip 'no strace here'
  local size bytes=()
  for size in 2000 20000; do
    make_job long "$size"
    cp "$results/long.jsonl" "$fleet/web2/results"
    strace -f -qq -e trace=pread64 -P "$results/long.jsonl" -P "$fleet/web2/results/long.jsonl" -o "$BATS_TEST_TMPDIR/reads" \
      "$(tool taskresults)" view long --latest --hosts "$fleet/*/results" >"$BATS_TEST_TMPDIR/said"
    [[ $(grep -c ' | web[12]/' "$BATS_TEST_TMPDIR/said") == 2 ]]
    bytes+=("$(awk '{ sum += $NF } END { print sum + 0 }' "$BATS_TEST_TMPDIR/reads")")
  done
  ((bytes[0] > 0 && bytes[1] < bytes[0] * 2)) || { echo "${bytes[@]}"; return 1; }
}

@test "a file or a log of a host that cannot be read is named with its host, and the others are shown" {
  ((EUID == 0)) || skip 'only root can change users'
  open_results
  (umask 022 && mkdir -p "$open_place/web1/results" "$open_place/web2/results" "$open_place/web2/logs")
  cp "$fleet/web1/results/"* "$open_place/web1/results"
  cp "$fleet/web2/results/"* "$open_place/web2/results"
  chmod 0 "$open_place/web2/results/a.jsonl"
  touch "$open_place/web2/logs/a.log"
  local command path="$open_place/*/results"
  for command in list errors stats 'view --all' sla; do
    # shellcheck disable=SC2086  # words
    run "${as_nobody[@]}" "$(tool taskresults)" $command --csv --hosts "$path"
    [[ $status -eq 3 && $output == *"left out: job web2/a, whose file cannot be read"*"chmod a+r -- $open_place/web2/results/a.jsonl"* ]] || { echo "$command: $output"; return 1; }
    [[ $command == errors || $output == *web1* ]] || { echo "$command: $output"; return 1; }
    [[ $output != *$'\n'web2,a* ]]
  done
  run "${as_nobody[@]}" "$(tool taskresults)" export --hosts "$path"
  [[ $status -eq 3 && $output == *"not exported: job web2/a"*'nothing was exported'* && $output != *web1* ]] || { echo "$output"; return 1; }
  chmod 644 "$open_place/web2/results/a.jsonl"
  chmod 0 "$open_place/web2/logs/a.log"
  for command in stats sla 'sla --count missed'; do
    echo '{"jobs": [{"id": "a", "created_at": "2026-01-01T00:00:00Z", "schedule": "daily", "cron": "0 0 * * *"}]}' >"$open_place/web2/jobs.json"
    # shellcheck disable=SC2086  # words
    run "${as_nobody[@]}" "$(tool taskresults)" $command --csv --hosts "$path"
    [[ $status -eq 3 && $output == *"job web2/a, whose log cannot be read"* && $output == *web1,a* ]] || { echo "$command: $output"; return 1; }
  done
  chmod 0 "$open_place/web2/results"
  mkdir -m 777 "$open_place/state"
  for command in 'list --csv' 'errors --csv' 'stats --csv' 'view --all' 'view a' 'view a --latest' sla export 'rejects --csv' metrics next report \
    alerts; do
    # shellcheck disable=SC2086  # words
    run "${as_nobody[@]}" env XDG_STATE_HOME="$open_place/state" "$(tool taskresults)" $command --hosts "$path"
    [[ $status -eq 3 && $output == *"results directory $open_place/web2/results: Permission denied"* ]] || { echo "$command: $output"; return 1; }
  done
}

@test "a path with a star in SCHEDULER_RESULTS_DIR is the same as --hosts" {
  run taskresults list --csv --hosts "$fleet/*/results"
  local listed=$output
  export SCHEDULER_RESULTS_DIR="$fleet/*/results"
  run taskresults list --csv
  [[ $status -eq 0 && $output == "$listed" && $output == *web2,a* ]]
}

@test "--hosts: a job of no host is status 1, no match 3, a path without a star or with two 2" {
  local command
  for command in export rejects errors stats view sla; do
    run taskresults "$command" nobody --hosts "$fleet/*/results"
    [[ $status -eq 1 && $output == *'taskresults: no such '*': nobody' ]] || { echo "$command: $output"; return 1; }
  done
  for command in export rejects list errors stats 'view --all' 'view a' 'view a --limit 1' 'export a' sla 'sla a' metrics report alerts; do
    # shellcheck disable=SC2086  # words
    run taskresults $command --hosts "$fleet/x*/results"
    [[ $status -eq 3 && $output == *"results directory $fleet/x*/results: no directory matches"* ]] || { echo "$command: $output"; return 1; }
    for path in "$fleet/web1/results" "$fleet/*/*" ''; do
      # shellcheck disable=SC2086  # words
      run taskresults $command --hosts "$path"
      [[ $status -eq 2 && $output == *'--hosts wants a quoted path with one *'* ]] || { echo "$command $path: $output"; return 1; }
    done
  done
  for command in prune run follow doctor; do
    run taskresults "$command" --hosts "$fleet/*/results"
    [[ $status -eq 2 && $output == *"--hosts is not for $command, which is about one host"* ]] || { echo "$command: $output"; return 1; }
  done
  run taskresults export --columns host
  [[ $status -eq 2 && $output == *"no column 'host'"* ]]
}

@test "view JOB --limit: a host whose file begins with a blank line is shown, too" {
  mkdir -p "$BATS_TEST_TMPDIR/srv/one/results" "$BATS_TEST_TMPDIR/srv/o'n*e/results"
  local line='{"timestamp": "2026-01-01T00:00:00Z", "success": true, "output": "%s"}\n'
  # shellcheck disable=SC2059  # the format is ours
  printf "\n$line" first >"$BATS_TEST_TMPDIR/srv/one/results/a.jsonl"
  # shellcheck disable=SC2059
  printf "\n\n$line$line" second third >"$BATS_TEST_TMPDIR/srv/o'n*e/results/a.jsonl"
  run taskresults view a --limit 1 --hosts "$BATS_TEST_TMPDIR/srv/*/results" --jsonl
  [[ $status -eq 0 && ${#lines[@]} -eq 2 && $output == *'"third"'*'"first"'* ]] || { echo "$output"; return 1; }
}

@test "sla --policy with --hosts: a rule is for the job's own name, on each host" {
  mkdir -p "$BATS_TEST_TMPDIR/srv/one/results" "$BATS_TEST_TMPDIR/srv/two/results"
  echo '{"timestamp": "2026-01-01T00:00:00Z", "success": true}' >"$BATS_TEST_TMPDIR/srv/one/results/nightly-a.jsonl"
  echo '{"timestamp": "2026-01-01T00:00:00Z", "success": false}' >"$BATS_TEST_TMPDIR/srv/two/results/nightly-a.jsonl"
  echo '{"rules": [{"jobs": "nightly-*", "target": 99.9}]}' >"$BATS_TEST_TMPDIR/policy.json"
  run taskresults sla --policy "$BATS_TEST_TMPDIR/policy.json" --of success --window 2026-01-01..2026-01-02 \
    --hosts "$BATS_TEST_TMPDIR/srv/*/results" --csv
  [[ $status -eq 1 && $output == *$'\none,nightly-a,'*',0,'*$'\ntwo,nightly-a,'*',1,'* ]] || { echo "$status $output"; return 1; }
}
