# listed_jobs.bash - jobs that were named, in the scheduler's list.

# shellcheck shell=bash

load lib/{jobs,rows,sql_text}

# require_listed_jobs JOB... - calls no_job for the first that is not in the scheduler's list. It takes one query,
# however many they are.
require_listed_jobs() {
  local job text values='' at=0 missing
  (($#)) || return 0
  for job; do
    set_sql_text text "$job"
    values+="${values:+, }($((++at)), $text)"
  done
  set_rows missing "SELECT min(column1) FROM (VALUES $values) WHERE column2 NOT IN
    (SELECT job_id FROM task_jobs WHERE record IS NOT NULL AND job_id IS NOT NULL);" || exit
  missing=${missing%$'\n'}
  [[ -z $missing ]] || no_job "$EXIT_NO" "${!missing}"
}
