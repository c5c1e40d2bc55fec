#!/usr/bin/env bats
# A query is stopped at each of its polls in turn: it ends as interrupted, its rows until then are right, and the
# connection can be used.

# shellcheck disable=SC2154  # helpers.bash sets root, results and extension
load ../lib/helpers
load ../lib/state

# assert_each LEAST EXTENSION STATEMENT - stops the statement at each poll, of which there are so many at least.
assert_each() {
  local out
  out=$("$root/build/live/each_poll" "$2" "$3") || { echo "$3: $out"; return 1; }
  echo "# $out: $3"
  ((${out% polls} >= $1)) || { echo "too few for: $3"; return 1; }
}

# Some jobs with logs, a torn line, a line longer than a buffer, and jobs.json with two schedules.
make_state() {
  local i
  for i in a b c; do
    make_job "$i" 12 3
    log "$i" 00:00:00 'Starting execution'
    log "$i" 00:00:04 'Execution succeeded'
  done
  append_raw b 'torn {\n' '{"output": "' "$(printf '%02000d' 0)" '"}\n'
  cat >"$jobs_file" <<'JSON'
{"jobs": [{"id": "a", "cron": "* * * * *", "created_at": "2025-12-01T00:00:00Z"},
          {"id": "b", "schedule": "every 2 minutes", "created_at": "2025-12-31T00:00:00Z"},
          {"id": "c", "cron": "0 0 * * *", "created_at": "2025-12-31T00:00:00Z"}]}
JSON
}

@test "a query of each table, stopped at each poll" {
  make_state
  local from least
  while read -r least from; do
    assert_each "$least" "$extension" "SELECT * FROM $from"
  done <<'TABLES'
4 task_results
4 task_results ORDER BY rowid DESC
4 task_results WHERE job_id IN ('c', 'a', 'none')
4 task_rejects
4 task_lines
4 task_stats
4 task_errors
2 task_runs
2 task_logs
1 task_jobs
TABLES
}

@test "a query that reads a few bytes at a time, with a second thread, stopped at each poll" {
  make_state
  export TASKRESULTS_THREADS=2
  assert_each 9 "$root/build/tiny/taskresults" "SELECT rowid, * FROM task_results"
  assert_each 9 "$root/build/tiny/taskresults" "SELECT count(*), sum(length(output)) FROM task_results"
  assert_each 9 "$root/build/tiny/taskresults" "SELECT rowid, output FROM task_results ORDER BY rowid DESC"
  assert_each 9 "$root/build/tiny/taskresults" "SELECT * FROM task_stats"
  assert_each 9 "$root/build/tiny/taskresults" "SELECT * FROM task_errors"
  assert_each 9 "$root/build/tiny/taskresults" "SELECT * FROM task_rejects"
}

@test "thousands of slots, of which the first, the last or all are wanted, stopped at each poll" {
  make_state
  local window="'2026-01-01', '2026-01-07', NULL, NULL"
  assert_each 3 "$extension" "SELECT count(*), min(slot), max(slot) FROM task_slots($window)"
  assert_each 3 "$extension" "SELECT count(*), min(slot), max(slot) FROM task_slots($window, 6000)"
  assert_each 3 "$extension" "SELECT count(*), min(slot), max(slot) FROM task_slots($window, -4000)"
  assert_each 3 "$extension" "SELECT count(*), min(slot) FROM task_slots('2026-01-01', '2026-03-01', NULL, NULL, -10)"
  assert_each 2 "$extension" "SELECT count(*), max(slot) FROM taskresults_slots('* * * * *', '2026-01-01', '2026-01-07')"
}

@test "a directory of thousands of names, stopped while it is listed" {
  make_state
  (cd "$results" && printf 'other-%s\0' {1..2100} | xargs -0 touch)
  assert_each 2 "$extension" "SELECT count(*) FROM task_results WHERE success = 7"
  assert_each 2 "$extension" "SELECT count(*) FROM task_jobs"
}
