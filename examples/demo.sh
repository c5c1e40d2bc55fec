#!/bin/bash
# demo.sh - what `make demo` shows: the jobs, why they fail, a status page and a statement of SQL, over the example
# data, which ends now. Each command is printed before it is run.
set -euo pipefail
cd "$(dirname "$0")/.."
examples/fresh.sh build/examples
export SCHEDULER_RESULTS_DIR=build/examples/results SCHEDULER_LOGS_DIR=build/examples/logs
export SCHEDULER_JOBS_FILE=build/examples/jobs.json

# show WORD... - the command, as one would type it, and what it prints.
show() {
  local word line='$'
  for word; do
    if [[ $word == *[!A-Za-z0-9_./:=,-]* ]]; then line+=" \"$word\""; else line+=" $word"; fi
  done
  printf '\n%s\n' "$line"
  "$@"
}

echo 'Example data, dated as if its jobs had run until now. To go on with it, paste:'
echo "  export SCHEDULER_RESULTS_DIR=$SCHEDULER_RESULTS_DIR SCHEDULER_LOGS_DIR=$SCHEDULER_LOGS_DIR"
echo "  export SCHEDULER_JOBS_FILE=$SCHEDULER_JOBS_FILE"
show shell/taskresults list
show shell/taskresults errors --min 2
show shell/taskresults rejects
show shell/taskresults report --days 14 -o build/status.html
echo 'Written: open build/status.html in a browser.'
show sqlite3 -box -cmd '.load ./taskresults' :memory: \
  'SELECT job_id, duration_s, success FROM task_runs ORDER BY duration_s DESC LIMIT 3'
printf '\nNow your own:  SCHEDULER_RESULTS_DIR=/path/to/results shell/taskresults list\n'
