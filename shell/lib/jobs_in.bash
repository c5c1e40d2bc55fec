# jobs_in.bash - SQL for many jobs at once.

# shellcheck shell=bash

# jobs_in JOB... - SQL: the jobs, for use after IN. A job's name never contains a /, so the names are joined with / and
# split by SQL inside JSON, where quotes in names do no harm.
jobs_in() {
  local IFS=/
  (($#)) || { printf '()'; return; }
  load lib/sql_text
  printf '%s' "(SELECT value FROM json_each('[' || replace(json_quote($(sql_text "$*")), '/', '\",\"') || ']'))"
}

# unreadable_jobs - SQL: a SELECT of `unreadable` as job_id, without names that are not UTF-8: such files belong to no
# job.
unreadable_jobs() {
  printf '%s' "SELECT DISTINCT job_id FROM task_rejects WHERE job_id IN $(jobs_in "${unreadable[@]}") AND offset IS NULL
    AND typeof(job_id) = 'text'"
}
