# jobs.bash - which jobs `sla` counts, and where their pauses come from.

# shellcheck shell=bash

# choose_jobs - sets `condition`, SQL: all jobs, or those that were named.
choose_jobs() {
  unreadable=() unreadable_logs=()
  if ((${#args[@]})); then
    named_jobs "${args[@]}"
    condition=$job_condition
  else
    load lib/unreadable
    readable_jobs
    condition=1
  fi
}

# choose_switches - sets `switches`, SQL: when jobs were paused and resumed, from their logs; and `logs_known` if there
# are logs.
choose_switches() {
  local with_logs more=''
  [[ $max_duration == NULL ]] || more=', nor how long runs took'
  switches="SELECT NULL AS job_id, NULL AS time_us, NULL AS offset, NULL AS pausing WHERE 0"
  load lib/logs
  look_at_logs_dir
  if [[ -n $logs_known ]]; then
    with_logs=$condition
    ((${#args[@]})) || leave_out_unreadable_logs
    switches="SELECT $job_key AS job_id, time_us, offset, event = 'paused' AS pausing FROM task_logs
      WHERE event IN ('paused', 'resumed') AND time_us IS NOT NULL AND $with_logs"
  else
    say "no directory of logs $logs_dir that can be read: it is not known when jobs were paused$more"
  fi
}

# leave_out_unreadable_logs - if a job's log cannot be read, its pauses are not known. Sets `with_logs`, SQL that
# selects the other jobs.
leave_out_unreadable_logs() {
  find_logs
  with_logs=1
  ((${#unreadable_logs[@]})) || return 0
  load lib/jobs_in
  with_logs="$job_pair IN $(jobs_in "${readable_logs[@]}")"
  condition+=" AND $job_pair NOT IN $(jobs_in "${unreadable_logs[@]}")"
}

# require_their_jobs - ends with no_job for the first named job that does not exist.
require_their_jobs() {
  if [[ -v opt[count] ]]; then
    require_scheduled_jobs "${args[@]}"
  else
    require_jobs "${args[@]}"
  fi
}

# say_unknown TIMELESS UNTOLD SLOTS UNSCHEDULED - the numbers of records without a readable time, of successes without a
# known duration, of slots that may have been missed, and of jobs without a readable schedule.
say_unknown() {
  local called
  (($1 + $3 == 0)) || { load lib/called; set_sql_called; }
  (($1 == 0)) || say "$1 record$( (($1 == 1)) || echo s) without a readable time not counted;" \
    "to see them: $called 'SELECT ${host_column}job_id, timestamp FROM $records WHERE time_us IS NULL'"
  (($2 == 0)) || say "of $2 success$( (($2 == 1)) || echo es) it is not known how long they took;" \
    "they count as successes"
  (($3 == 0)) || say "$3 slot$( (($3 == 1)) && echo ' is' || echo 's are') unknown, and not counted; to see why:" \
    "$called \"SELECT ${host_column}job_id, slot, reason FROM task_slots($from, $to - 1) WHERE state = 'unknown'\""
  (($4 == 0)) || say "of $4 job$( (($4 == 1)) || echo s) it is not known what they missed:" \
    "the scheduler's list has no schedule for them that can be read, or has them twice"
}
