#!/bin/bash
# demo.sh - what `make demo` shows: one-liners over the example results, each printed before it is run.
set -euo pipefail
cd "$(dirname "$0")/.."
export SCHEDULER_RESULTS_DIR=examples/results

show() {
  local title=$1 mode=$2 statement=$3
  printf '\n== %s ==\n$ sqlite3 -cmd ".load ./taskresults" %s :memory: "%s"\n' "$title" "$mode" "$statement"
  # shellcheck disable=SC2086  # $mode is one option or two
  sqlite3 -init /dev/null -batch -cmd '.load ./taskresults' $mode :memory: "$statement"
}

echo "export SCHEDULER_RESULTS_DIR=$SCHEDULER_RESULTS_DIR"

show 'A table: the latest failures' -box "
SELECT timestamp, job_id,
       replace(substr(error, 1, 45), char(10), ' ') AS error
FROM task_results WHERE ok = 0 ORDER BY time_us DESC LIMIT 5"

show 'A CSV: one job, texts cut to 50 characters' '-csv -header' "
SELECT timestamp, job_id, success,
       replace(substr(output, 1, 50), char(10), ' ') AS output
FROM task_results('nightly-backup') ORDER BY rowid DESC LIMIT 4"

show 'Statistics: every job' -box "
SELECT job_id, count(*) AS runs, sum(NOT ok) AS failures,
       1000 * sum(ok) / count(*) / 10.0 AS success_rate,
       datetime(max(time_us) / 1000000 - (max(time_us) % 1000000 < 0), 'unixepoch') AS last_run
FROM task_results GROUP BY job_id ORDER BY success_rate"

show 'Nothing is dropped silently: lines that are not records' -box "
SELECT job_id, offset, reason, substr(line, 1, 40) AS line FROM task_rejects"

cat <<'TEXT'

Now your own:  SCHEDULER_RESULTS_DIR=/path/to/results sqlite3 -cmd '.load ./taskresults'
TEXT
