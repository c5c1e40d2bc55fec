#!/usr/bin/env bats
# The recipes in examples/ that make metrics and the status page work.

load ../../lib/helpers
load ../../lib/shell

# run_crontab FILE NAME=VALUE... - runs the commands of a file for /etc/cron.d as cron would: each by sh, with only the
# variables that the file sets (and here, those that say where the commands and the results are).
run_crontab() {
  local file=$1 line settings=() ran=0
  shift
  while IFS= read -r line; do
    [[ -n $line && $line != '#'* ]] || continue
    if [[ $line =~ ^[A-Z_]+= ]]; then
      settings+=("$line")
      continue
    fi
    [[ $line =~ ^([^\ ]+\ +){5}[a-z]+\ +(.*)$ && $line != *%* ]] || { echo "not a line of cron: $line"; return 1; }
    env -i "${settings[@]}" PATH="$(dirname "$(tool taskresults)"):$PATH" SCHEDULER_RESULTS_DIR="$results" \
      SCHEDULER_JOBS_FILE="$BATS_TEST_TMPDIR/jobs.json" "$@" sh -c "${BASH_REMATCH[2]}" || return 1
    ran=$((ran + 1))
  done <"$file"
  ((ran == 1))
}

@test "cron: the commands of the crontabs run, and write their files" {
  make_job a 3
  run_crontab "$root/examples/cron/taskresults-metrics" METRICS="$BATS_TEST_TMPDIR/jobs.prom"
  grep -q '^taskresults_job_runs{job_id="a",result="success"} 3$' "$BATS_TEST_TMPDIR/jobs.prom"
  run_crontab "$root/examples/cron/taskresults-report" PAGE="$BATS_TEST_TMPDIR/status.html"
  grep -q '<h1>All jobs OK</h1>' "$BATS_TEST_TMPDIR/status.html"
}

@test "systemd finds no error in the units, and their commands run" {
  command -v systemd-analyze >/dev/null || missing_extra systemd-analyze
  make_job a 3
  mkdir "$BATS_TEST_TMPDIR/units"
  for name in metrics report; do
    for kind in service timer; do
      sed "s|^ExecStart=/usr/local/bin/taskresults |ExecStart=$(tool taskresults) |" "$root/examples/systemd/taskresults-$name.$kind" \
        >"$BATS_TEST_TMPDIR/units/taskresults-$name.$kind"
    done
  done
  run systemd-analyze verify --man=no "$BATS_TEST_TMPDIR"/units/*
  [[ $status -eq 0 && -z $output ]] || { echo "$output"; return 1; }
  for every in '*:*' '*:0/5'; do
    grep -qF "OnCalendar=$every" "$root"/examples/systemd/taskresults-{metrics,report}.timer
    systemd-analyze calendar "$every"
  done
  # The commands themselves, writing elsewhere.
  for name in metrics report; do
    read -ra words < <(sed -n 's|^ExecStart=/usr/local/bin/||p' "$root/examples/systemd/taskresults-$name.service")
    [[ ${words[0]} == taskresults && ${words[2]} == -o ]]
    words[3]=$BATS_TEST_TMPDIR/made
    "${words[@]}"
    grep -q . "$BATS_TEST_TMPDIR/made"
  done
}

@test "promtool accepts the alerting rules, and they use only metrics that exist" {
  command -v promtool >/dev/null || missing_extra promtool
  promtool check rules "$root/examples/prometheus/taskresults.rules.yml"
  # Only metrics that there are.
  make_job a 1
  export SCHEDULER_JOBS_FILE=$root/examples/jobs.json SCHEDULER_LOGS_DIR=$root/examples/logs
  for metric in $(grep -o 'taskresults_[a-z_]*' "$root/examples/prometheus/taskresults.rules.yml" | sort -u); do
    taskresults metrics | grep -q "^${metric}[{ ]"
  done
}
