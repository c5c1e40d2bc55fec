# state.bash - tests that need a scheduler's whole state: logs and jobs beside the results. `load ../lib/state` below
# `load ../lib/helpers`.

# shellcheck shell=bash disable=SC2154  # helpers.bash and bats set them

recorded=$root/tests/data/scheduler-state

eval "results_$(declare -f setup)"
setup() {
  results_setup
  logs=$BATS_TEST_TMPDIR/logs
  jobs_file=$BATS_TEST_TMPDIR/jobs.json
  mkdir -p "$logs"
  export SCHEDULER_LOGS_DIR=$logs SCHEDULER_JOBS_FILE=$jobs_file
}

# use_recorded - the tables read the recorded state directory, in place.
use_recorded() {
  export SCHEDULER_RESULTS_DIR=$recorded/results SCHEDULER_LOGS_DIR=$recorded/logs
  export SCHEDULER_JOBS_FILE=$recorded/jobs.json
}

# log_raw JOB BYTES... - appends the bytes, as printf '%b' reads them, to the job's log, without a newline of its own.
log_raw() {
  local job=$1
  shift
  printf '%b' "$*" >>"$logs/$job.log"
}

# log JOB TIME WORDS - appends a message as the scheduler does; TIME is of 2026-01-01.
log() {
  printf '[2026-01-01T%sZ] %s\n' "$2" "$3" >>"$logs/$1.log"
}

# finish JOB TIME [true|false] - appends a record that finished at TIME of 2026-01-01.
finish() {
  printf '{"timestamp": "2026-01-01T%sZ", "job_id": "x", "job_name": "X", "success": %s, "output": "", "error": ""}\n' \
    "$2" "${3:-true}" >>"$results/$1.jsonl"
}
