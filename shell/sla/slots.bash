# slots.bash - SQL: with --count missed, the runs that a schedule expected and that did not take place.

# shellcheck shell=bash

LOOK_BACK=$((31 * 86400 * 1000000)) # microseconds: how far before the window a missed slot says that a job is down

# slot_tables - SQL: `slot` has the missed and the unknown slots, in the window and before it; `scheduled` has the jobs
# whose slots are known at all.
slot_tables() {
  printf '%s\n' "CREATE TABLE slot AS
  SELECT $job_key AS job_id, slot_us AS at, state = 'missed' AS is_missed
  FROM task_slots(max($YEAR_1, $from - $LOOK_BACK), $to - 1)
  WHERE state IN ('missed', 'unknown') AND $slots_condition;
CREATE INDEX slot_job ON slot(job_id);
CREATE TABLE scheduled(job_id TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT OR IGNORE INTO scheduled SELECT $job_key FROM task_jobs
  WHERE record IS NOT NULL AND job_id IS NOT NULL AND $job_key NOT IN (SELECT job_id FROM slot WHERE at IS NULL);"
}

# missing_slots - SQL: missed slots as events, to be added to those of `run`.
missing_slots() {
  printf '%s' "UNION ALL SELECT job_id, at, 0, 1, 0, 0, 0, 1 FROM slot WHERE is_missed"
}

# choose_slots - sets `slots_condition`, SQL: the jobs whose slots count. If a job's file or log cannot be read, its
# missed runs are not known. The condition is such that neither of these files is opened.
choose_slots() {
  local left_out=("${unreadable[@]}" "${unreadable_logs[@]}")
  slots_condition=$condition
  ((${#left_out[@]})) || return 0
  load lib/jobs_in
  slots_condition="$job_pair IN (SELECT ${host_column}job_id FROM task_jobs
    WHERE $job_pair NOT IN $(jobs_in "${left_out[@]}"))"
}

# require_scheduled_jobs JOB... - ends with no_job for the first that has no file and is not in the scheduler's list.
require_scheduled_jobs() {
  local job without_file=()
  for job; do
    if [[ -n $job && $job != */* ]]; then
      if [[ -n $hosts$shared_files ]]; then has_file "$job" && continue; fi
      [[ -n $hosts$shared_files || ! -f $results_dir/$file_before$job$file_after ]] || continue
    fi
    without_file+=("$job")
  done
  load lib/listed_jobs
  [[ $records == task_results ]] || set_recordless_jobs without_file "${without_file[@]}"
  require_listed_jobs "${without_file[@]}"
}
