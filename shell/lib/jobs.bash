# jobs.bash - a command's job argument, and whether there is such a job at all.

# shellcheck shell=bash

# job_argument - sets `job_condition`, SQL: all jobs, or the one that was named.
job_argument() {
  at_most 1
  job_condition=1
  [[ -v args[0] ]] || return 0
  job_condition="job_id = $(sql_text "${args[0]}")"
}

# no_such_job - complains, and exits with 1, if the job that was named has neither a record nor a reject.
no_such_job() {
  local found
  [[ -v args[0] ]] || return 0
  found=$(query "SELECT EXISTS (SELECT 1 FROM task_results WHERE $job_condition)
    OR EXISTS (SELECT 1 FROM task_rejects WHERE $job_condition);") || exit
  ((found)) || die "$EXIT_NO" "no such job: ${args[0]}"
}
