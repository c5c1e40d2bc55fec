# jobs_in.bash - SQL for many jobs at once.

# shellcheck shell=bash

# jobs_in JOB... - SQL: the jobs, to stand behind IN. No name holds a /, so the names are split at it, inside JSON,
# where a quote of theirs ends nothing.
jobs_in() {
  local IFS=/
  (($#)) || { printf '()'; return; }
  load lib/sql_text
  printf '%s' "(SELECT value FROM json_each('[' || replace(json_quote($(sql_text "$*")), '/', '\",\"') || ']'))"
}

# unreadable_jobs - SQL: a SELECT of `unreadable` as job_id, without the names that are not UTF-8: such files are no
# jobs.
unreadable_jobs() {
  printf '%s' "SELECT DISTINCT job_id FROM task_rejects WHERE job_id IN $(jobs_in "${unreadable[@]}") AND offset IS NULL
    AND typeof(job_id) = 'text'"
}
