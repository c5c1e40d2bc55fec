#!/usr/bin/env bats
# --hosts: commands over the results of several hosts, whose directories were copied to one machine.

load ../../lib/helpers
load ../../lib/shell

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

@test "--hosts: a job of no host is status 1, no match 3, a path without a star or with two 2" {
  local command
  for command in export rejects; do
    run taskresults "$command" nobody --hosts "$fleet/*/results"
    [[ $status -eq 1 && $output == 'taskresults: no such job: nobody' ]] || { echo "$command: $output"; return 1; }
    run taskresults "$command" --hosts "$fleet/x*/results"
    [[ $status -eq 3 && $output == *"results directory $fleet/x*/results: no directory matches"* ]] || { echo "$command: $output"; return 1; }
    for path in "$fleet/web1/results" "$fleet/*/*" ''; do
      run taskresults "$command" --hosts "$path"
      [[ $status -eq 2 && $output == *'--hosts wants a quoted path with one *'* ]] || { echo "$command $path: $output"; return 1; }
    done
  done
  run taskresults export --columns host
  [[ $status -eq 2 && $output == *"no column 'host'"* ]]
}
