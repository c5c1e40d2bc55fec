# alerts.bash - helpers shared by the suites of `taskresults alerts`. `load ../../lib/alerts` below `load
# ../../lib/shell`.

# shellcheck shell=bash disable=SC2154,SC2034  # bats and helpers.bash set some, tests use others

setup_alerts() {
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
  state=$XDG_STATE_HOME/taskresults/alerts
  cd "$BATS_TEST_TMPDIR" || return
}

# ago MINUTES - a timestamp.
ago() { TZ=UTC0 printf '%(%FT%TZ)T\n' "$((EPOCHSECONDS - 60 * $1))"; }

# run_of JOB MINUTES_AGO ok|fail|empty [TEXT] - appends one record.
run_of() {
  local text=${4-} success=true output='' error=''
  text=${text//\"/\\\"} text=${text//$'\n'/\\n} text=${text//$'\e'/\\u001b} text=${text//$'\x01'/\\u0001}
  case $3 in
    ok) output=${text:-fine} ;;
    fail) success=false error=${text:-broken} ;;
  esac
  printf '{"timestamp": "%s", "job_id": "%s", "success": %s, "output": "%s", "error": "%s"}\n' \
    "$(ago "$2")" "$1" "$success" "$output" "$error" >>"$results/$1.jsonl"
}

# runs_of JOB MINUTES_AGO ok|fail|empty ... - appends records, one a minute from then on.
runs_of() {
  local job=$1 minutes=$2 verdict
  shift 2
  for verdict; do
    run_of "$job" "$minutes" "$verdict"
    minutes=$((minutes - 1))
  done
}

# list_jobs JOB ENABLED NEXT_RUN SCHEDULE CREATED ... - the scheduler's list.
list_jobs() {
  python3 -c '
import json, sys
words = sys.argv[1:]
jobs = [{"id": words[i], "name": words[i], "enabled": words[i + 1] == "on", "next_run": words[i + 2] or None,
         "schedule": words[i + 3], "created_at": words[i + 4]} for i in range(0, len(words), 5)]
json.dump({"jobs": jobs}, sys.stdout)' "$@" >"$SCHEDULER_JOBS_FILE"
}

# expect STATUS LINE... - the last `run` had this status, and printed exactly these lines (each a pattern).
expect() {
  local code=$1 i
  shift
  [[ $status -eq $code && ${#lines[@]} -eq $# ]] || { printf 'status %s\n%s\n' "$status" "$output"; return 1; }
  for ((i = 0; i < $#; i++)); do
    # shellcheck disable=SC2053  # a pattern
    [[ ${lines[i]} == ${*:i+1:1} ]] || { printf 'line: %s\nwanted: %s\n' "${lines[i]}" "${*:i+1:1}"; return 1; }
  done
}
