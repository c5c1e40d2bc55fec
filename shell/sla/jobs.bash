# jobs.bash - which jobs `sla` counts, and where it reads their pauses.

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

# choose_switches - sets `switches`, SQL: when jobs were paused and resumed, as their logs tell.
choose_switches() {
  local readable_logs
  switches="SELECT NULL AS job_id, NULL AS time_us, NULL AS offset, NULL AS pausing WHERE 0"
  if [[ -d $logs_dir && -r $logs_dir && -x $logs_dir ]]; then
    readable_logs=$condition
    ((${#args[@]})) || leave_out_unreadable_logs
    switches="SELECT job_id, time_us, offset, event = 'paused' AS pausing FROM task_logs
      WHERE event IN ('paused', 'resumed') AND time_us IS NOT NULL AND $readable_logs"
  else
    say "no directory of logs $logs_dir that can be read: it is not known when jobs were paused"
  fi
}

# leave_out_unreadable_logs - of a job whose log cannot be read, it is not known when it was paused. Sets
# `unreadable_logs` and `readable_logs`, SQL that chooses the others.
leave_out_unreadable_logs() {
  local readable results_left_out=("${unreadable[@]}")
  find_unreadable "$logs_dir" .log
  unreadable_logs=("${unreadable[@]}") unreadable=("${results_left_out[@]}") readable_logs=1
  ((${#unreadable_logs[@]})) || return 0
  load lib/jobs_in
  readable_logs="job_id IN $(jobs_in "${readable[@]}")"
  condition+=" AND job_id NOT IN $(jobs_in "${unreadable_logs[@]}")"
}
