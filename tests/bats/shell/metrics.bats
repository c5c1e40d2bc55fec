#!/usr/bin/env bats
# taskresults metrics: the text format of Prometheus.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# samples_of METRIC - its lines, without HELP and TYPE.
samples_of() {
  taskresults metrics | grep "^$1[{ ]"
}

# check_metrics - promtool finds no error in standard input.
check_metrics() {
  command -v promtool >/dev/null || missing_extra promtool
  promtool check metrics
}

@test "metrics: the example data, byte for byte" {
  export SCHEDULER_RESULTS_DIR=$root/examples/results SCHEDULER_LOGS_DIR=$root/examples/logs
  local before=$EPOCHSECONDS
  run taskresults metrics
  [[ $status -eq 0 ]]
  version=$(taskresults version | cut -d ' ' -f 2)
  [[ $output =~ (taskresults_metrics_timestamp_seconds\ ([0-9]+))$ ]]
  made=${BASH_REMATCH[2]}
  ((made >= before - 1 && made <= EPOCHSECONDS + 1)) # bash asks a coarser clock
  diff - <(printf '%s\n' "$output") <<METRICS
# HELP taskresults_job_last_run_timestamp_seconds When the last run of the job finished.
# TYPE taskresults_job_last_run_timestamp_seconds gauge
taskresults_job_last_run_timestamp_seconds{job_id="api-monitor"} 1771092083.092869
taskresults_job_last_run_timestamp_seconds{job_id="daily-digest"} 1771059620.615306
taskresults_job_last_run_timestamp_seconds{job_id="nightly-backup"} 1771034948.000000
taskresults_job_last_run_timestamp_seconds{job_id="price-watch"} 1771110039.775034
# HELP taskresults_job_last_success_timestamp_seconds When the last successful run of the job finished.
# TYPE taskresults_job_last_success_timestamp_seconds gauge
taskresults_job_last_success_timestamp_seconds{job_id="api-monitor"} 1771092083.092869
taskresults_job_last_success_timestamp_seconds{job_id="daily-digest"} 1771059620.615306
taskresults_job_last_success_timestamp_seconds{job_id="nightly-backup"} 1771034948.000000
taskresults_job_last_success_timestamp_seconds{job_id="price-watch"} 1771099204.000000
# HELP taskresults_job_last_run_success Whether the last run of the job succeeded.
# TYPE taskresults_job_last_run_success gauge
taskresults_job_last_run_success{job_id="api-monitor"} 1
taskresults_job_last_run_success{job_id="daily-digest"} 1
taskresults_job_last_run_success{job_id="nightly-backup"} 1
taskresults_job_last_run_success{job_id="price-watch"} 0
# HELP taskresults_job_last_run_duration_seconds How long the last run of the job took.
# TYPE taskresults_job_last_run_duration_seconds gauge
taskresults_job_last_run_duration_seconds{job_id="daily-digest"} 5.150953
taskresults_job_last_run_duration_seconds{job_id="nightly-backup"} 528.548349
taskresults_job_last_run_duration_seconds{job_id="price-watch"} 1.267412
# HELP taskresults_job_consecutive_failures Failures of the job in a row, up to now.
# TYPE taskresults_job_consecutive_failures gauge
taskresults_job_consecutive_failures{job_id="api-monitor"} 0
taskresults_job_consecutive_failures{job_id="daily-digest"} 0
taskresults_job_consecutive_failures{job_id="nightly-backup"} 0
taskresults_job_consecutive_failures{job_id="price-watch"} 3
# HELP taskresults_job_runs Runs of the job that are kept, by their result.
# TYPE taskresults_job_runs gauge
taskresults_job_runs{job_id="api-monitor",result="success"} 48
taskresults_job_runs{job_id="api-monitor",result="failure"} 7
taskresults_job_runs{job_id="daily-digest",result="success"} 14
taskresults_job_runs{job_id="daily-digest",result="failure"} 0
taskresults_job_runs{job_id="nightly-backup",result="success"} 11
taskresults_job_runs{job_id="nightly-backup",result="failure"} 3
taskresults_job_runs{job_id="price-watch",result="success"} 42
taskresults_job_runs{job_id="price-watch",result="failure"} 6
# HELP taskresults_job_rejected_lines Lines in the file of the job that are no records.
# TYPE taskresults_job_rejected_lines gauge
taskresults_job_rejected_lines{job_id="api-monitor"} 1
taskresults_job_rejected_lines{job_id="daily-digest"} 0
taskresults_job_rejected_lines{job_id="nightly-backup"} 0
taskresults_job_rejected_lines{job_id="price-watch"} 0
# HELP taskresults_job_missed_slots Runs that were due within the last 7 days and did not take place.
# TYPE taskresults_job_missed_slots gauge
# HELP taskresults_job_unknown_slots Times of the last 7 days at which the job was due, and nothing is known.
# TYPE taskresults_job_unknown_slots gauge
# HELP taskresults_job_readable Whether the file of the job can be read; if not, it has no other sample.
# TYPE taskresults_job_readable gauge
taskresults_job_readable{job_id="api-monitor"} 1
taskresults_job_readable{job_id="daily-digest"} 1
taskresults_job_readable{job_id="nightly-backup"} 1
taskresults_job_readable{job_id="price-watch"} 1
# HELP taskresults_build_info The version that made these metrics.
# TYPE taskresults_build_info gauge
taskresults_build_info{version="$version"} 1
# HELP taskresults_metrics_timestamp_seconds When these metrics were made.
# TYPE taskresults_metrics_timestamp_seconds gauge
taskresults_metrics_timestamp_seconds $made
METRICS
}

@test "metrics: a value that is not known has no sample" {
  append_raw never '{"timestamp": "2026-01-01T00:00:00.5Z", "success": false}\n'
  append_raw untimed '{"timestamp": "soon", "success": true}\n[1]\n'
  append_raw old '{"timestamp": "1969-12-31T23:59:59.75Z", "success": true}\n'
  : >"$results/empty.jsonl"
  [[ $(samples_of taskresults_job_last_run_timestamp_seconds) == \
    $'taskresults_job_last_run_timestamp_seconds{job_id="never"} 1767225600.500000
taskresults_job_last_run_timestamp_seconds{job_id="old"} -0.250000' ]]
  [[ $(samples_of taskresults_job_last_success_timestamp_seconds) == \
    'taskresults_job_last_success_timestamp_seconds{job_id="old"} -0.250000' ]]
  [[ $(samples_of taskresults_job_last_run_success | tr '\n' ' ') == \
    'taskresults_job_last_run_success{job_id="never"} 0 taskresults_job_last_run_success{job_id="old"} 1 taskresults_job_last_run_success{job_id="untimed"} 1 ' ]]
  [[ $(samples_of taskresults_job_consecutive_failures | cut -d ' ' -f 2 | tr '\n' ' ') == '0 1 0 0 ' ]] # empty, never, …
  [[ $(samples_of taskresults_job_rejected_lines | grep -v ' 0$') == 'taskresults_job_rejected_lines{job_id="untimed"} 1' ]]
}

# due_daily JOB... - the list of jobs: all are due at midnight, and were created a little more than eight days ago.
due_daily() {
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
  mkdir -p "$SCHEDULER_LOGS_DIR"
  python3 - "$SCHEDULER_JOBS_FILE" "$((EPOCHSECONDS / 86400 * 86400 - 8 * 86400 - 3600))" "$@" <<'PYTHON'
import datetime, json, sys
created = datetime.datetime.fromtimestamp(int(sys.argv[2]), datetime.timezone.utc).isoformat()
jobs = [{"id": job, "schedule": "0 0 * * *", "enabled": True, "recurring": True, "created_at": created} for job in sys.argv[3:]]
with open(sys.argv[1], "w") as file:
    json.dump({"jobs": jobs}, file)
PYTHON
}

# ran JOB DAYS_AGO SECONDS - a run that began at midnight, and took so long.
ran() {
  local began=$((EPOCHSECONDS / 86400 * 86400 - $2 * 86400)) start end
  TZ=UTC0 printf -v start '%(%FT%TZ)T' "$began"
  TZ=UTC0 printf -v end '%(%FT%TZ)T' $((began + $3))
  printf '[%s] Starting execution\n[%s] Execution succeeded\n' "$start" "$end" >>"$SCHEDULER_LOGS_DIR/$1.log"
  append_raw "$1" "{\"timestamp\": \"$end\", \"success\": true}\n"
}

@test "metrics: the last duration, and the number of missed slots, of jobs in the list, with and without a file" {
  due_daily a never
  local day
  for day in 8 7 5 4; do ran a "$day" 30; done # not on the 6th, nor on the last three days
  ran unlisted 3 2
  append_raw unlogged '{"timestamp": "2026-01-01T00:00:00Z", "success": true}\n'
  # A run that is due now, or is within its grace time, is not missed yet.
  local pending
  pending=$(taskresults sql --mode list "SELECT count(*) FROM task_slots WHERE job_id = 'a' AND state = 'pending'")
  run taskresults metrics
  [[ $status -eq 0 ]]
  [[ $(grep '^taskresults_job_last_run_duration_seconds{' <<<"$output") == \
    $'taskresults_job_last_run_duration_seconds{job_id="a"} 30.000000
taskresults_job_last_run_duration_seconds{job_id="unlisted"} 2.000000' ]]
  [[ $(grep '^taskresults_job_missed_slots{' <<<"$output") == \
    'taskresults_job_missed_slots{job_id="a"} '$((5 - pending))$'\ntaskresults_job_missed_slots{job_id="never"} '$((7 - pending)) ]]
  [[ $(grep '^taskresults_job_unknown_slots{' <<<"$output") == \
    $'taskresults_job_unknown_slots{job_id="a"} 0\ntaskresults_job_unknown_slots{job_id="never"} 0' ]]
  check_metrics <<<"$output"
}

@test "metrics: with a broken list of jobs, only the slots are missing; without logs, durations and slots" {
  due_daily a
  ran a 2 5
  printf '{"jobs": [{"id": "a"' >"$SCHEDULER_JOBS_FILE"
  run taskresults metrics
  [[ $status -eq 3 && $output == *"taskresults: no missed runs, since the scheduler's list cannot be read: jobs file "* ]]
  [[ $output == *'last_run_duration_seconds{job_id="a"} 5.000000'* && $output != *'_slots{'* ]]
  [[ $output == *'taskresults_job_runs{job_id="a",result="success"} 1'* ]]
  rm "$SCHEDULER_JOBS_FILE"
  run taskresults metrics
  [[ $status -eq 0 && $output == *'last_run_duration_seconds{'* && $output != *'_slots{'* ]]
  due_daily a
  SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults metrics
  [[ $status -eq 0 && $output != *'last_run_duration_seconds{'* && $output != *'_slots{'* ]]
  check_metrics <<<"$output"
}

@test "metrics: if a log cannot be read, only its job lacks durations and slots; a message has the fix; status 3" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  due_daily a b
  cp -r "$SCHEDULER_JOBS_FILE" "$SCHEDULER_LOGS_DIR" "$open_place"
  export SCHEDULER_JOBS_FILE=$open_place/jobs.json SCHEDULER_LOGS_DIR=$open_place/logs
  ran a 2 5
  ran b 2 6
  chmod 644 "$SCHEDULER_JOBS_FILE" "$results"/*.jsonl
  chmod 755 "$SCHEDULER_LOGS_DIR"
  chmod 644 "$SCHEDULER_LOGS_DIR/a.log"
  chmod 600 "$SCHEDULER_LOGS_DIR/b.log"
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  run "${as_nobody[@]}" "$(tool taskresults)" metrics
  [[ $status -eq 3 ]]
  [[ $output == *"no duration and no missed runs: job b, whose log cannot be read; as its owner: chmod a+r -- $SCHEDULER_LOGS_DIR/b.log"* ]]
  [[ $(grep -c '_duration_seconds{\|_slots{' <<<"$output") == 3 && $output == *'missed_slots{job_id="a"}'* ]]
  [[ $output == *'taskresults_job_runs{job_id="b",result="success"} 1'* ]]
}

# costs_of COUNT - sets `processes` and `opened` of `metrics` with so many jobs, each with results and a log.
costs_of() {
  local i names=() here=$BATS_TEST_TMPDIR/jobs-$1
  mkdir -p "$here/traces" "$here/results"
  export SCHEDULER_RESULTS_DIR=$here/results
  for ((i = 0; i < $1; i++)); do names+=("job-$i"); done
  rm -rf "$BATS_TEST_TMPDIR/logs"
  due_daily "${names[@]}"
  results=$here/results ran job-0 2 5
  for ((i = 1; i < $1; i++)); do
    printf '%s\n' "$(<"$here/results/job-0.jsonl")" >"$here/results/job-$i.jsonl"
    printf '%s\n' "$(<"$SCHEDULER_LOGS_DIR/job-0.log")" >"$SCHEDULER_LOGS_DIR/job-$i.log"
  done
  strace -ff -qq --seccomp-bpf -e trace=execve,openat -o "$here/traces/of" "$(tool taskresults)" metrics >"$here/metrics"
  [[ $(grep -c '_duration_seconds{' "$here/metrics") == "$1" && $(grep -c '_missed_slots{' "$here/metrics") == "$1" ]]
  processes=$(cat "$here"/traces/* | grep -c '^execve(.* = 0$')
  opened=$(cat "$here"/traces/* | grep -c '^openat(.* = [0-9]*$')
}

@test "metrics: it starts as many processes for 2,000 jobs as for one, and opens a few files for each job" {
  require_strace
  local few opened_few processes opened
  costs_of 1
  few=$processes opened_few=$opened
  costs_of 2000
  [[ $processes == "$few" ]]
  echo "$opened_few files are opened for one job, $opened for 2,000"
  ((opened - opened_few <= 1999 * 9))
}

@test "metrics: job ids are escaped, and are read back unchanged" {
  make_hostile_jobs
  append_raw $'all "three"\\of\nthem' '{"success": true}\n'
  taskresults metrics >"$BATS_TEST_TMPDIR/metrics"
  grep -qF 'taskresults_job_last_run_success{job_id="all \"three\"\\of\nthem"} 1' "$BATS_TEST_TMPDIR/metrics"
  python3 - "$results" "$BATS_TEST_TMPDIR/metrics" <<'PYTHON'
import os, re, sys
jobs = {name.removesuffix(".jsonl") for name in os.listdir(sys.argv[1])}
seen = {}
with open(sys.argv[2], encoding="utf-8", newline="\n") as file:
    for line in file:
        if not line.startswith("#") and "{job_id=" in line:
            name, label = re.fullmatch(r'(\w+)\{job_id="((?:[^"\\\n]|\\[\\"n])*)"(?:,result="\w+")?\} [0-9.]+\n', line).groups()
            label = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], label)
            seen.setdefault(name, set()).add(label)
assert len(seen) == 7 and all(labels == jobs for name, labels in seen.items() if "timestamp" not in name), seen
PYTHON
}

@test "metrics: promtool finds no fault" {
  make_job a 5 2
  check_metrics < <(taskresults metrics)
  make_hostile_jobs
  append_raw $'all "three"\\of\nthem' '[1]\n'
  check_metrics < <(taskresults metrics)
  rm -- "$results"/* "$results"/.*.jsonl
  check_metrics < <(taskresults metrics)
}

@test "metrics: -o writes the file whole or not at all" {
  make_job a 3
  cd "$BATS_TEST_TMPDIR"
  taskresults metrics -o jobs.prom
  [[ $(grep -v '^taskresults_metrics_timestamp' jobs.prom) == "$(taskresults metrics | grep -v '^taskresults_metrics_timestamp')" ]]
  cp jobs.prom before
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults metrics -o jobs.prom
  [[ $status -eq 3 && $output == 'taskresults: results directory '* ]]
  cmp jobs.prom before
  [[ -z $(find . -name '.taskresults.*') ]]
  for arguments in 'a' '--output=' '--oops'; do
    run taskresults metrics $arguments
    [[ $status -eq 2 && $output == *'try: taskresults help metrics' ]]
  done
}

@test "metrics: a job whose file cannot be read has only a sample that says so, the others have all samples; status 3" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  make_hostile_jobs
  printf '{"success": true}\n' >"$results/"$'not\xffutf8.jsonl' # no job, so no label, readable or not
  chmod 644 "$results"/*.jsonl "$results"/.*.jsonl
  chmod 600 "$results/o'brien's-\"job\".jsonl" "$results/"$'not\xffutf8.jsonl'
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  mkdir -m 777 "$open_place/out"
  : >"$open_place/out/jobs.prom" && chmod 666 "$open_place/out/jobs.prom"
  run "${as_nobody[@]}" "$(tool taskresults)" metrics -o "$open_place/out/jobs.prom"
  [[ $status -eq 3 && $output == *"left out: job o\\'brien\\'s-\\\"job\\\", whose file cannot be read; as its owner: chmod a+r -- "* ]]
  [[ $(grep '} 0$' "$open_place/out/jobs.prom" | grep readable) == 'taskresults_job_readable{job_id="o'\''brien'\''s-\"job\""} 0' ]]
  [[ $(grep -c '^taskresults_job_readable{.* 1$' "$open_place/out/jobs.prom") -eq $((${#hostile_jobs[@]} - 1)) ]]
  [[ $(grep -c '^taskresults_job_consecutive_failures{.* 1$' "$open_place/out/jobs.prom") -eq $((${#hostile_jobs[@]} - 1)) ]]
  [[ $(grep -c brien "$open_place/out/jobs.prom") -eq 1 ]]
  grep -q '^taskresults_metrics_timestamp_seconds' "$open_place/out/jobs.prom"
  check_metrics <"$open_place/out/jobs.prom"
  chmod 600 "$results"/*.jsonl "$results"/.*.jsonl # not even one
  run "${as_nobody[@]}" "$(tool taskresults)" metrics
  [[ $status -eq 3 && $(grep -c '^taskresults_job_.*} 0' <<<"$output") -eq ${#hostile_jobs[@]} ]]
}
