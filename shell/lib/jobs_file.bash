# jobs_file.bash - whether the scheduler's list of jobs can be read.

# shellcheck shell=bash

load lib/query

# look_at_jobs_file - sets `jobs_known` if the scheduler's list of jobs can be read; or `jobs_fault`, the reason why an
# existing list cannot. Other errors are left to the command's own query.
look_at_jobs_file() {
  jobs_known='' jobs_fault=''
  jobs_file_exists || return 0
  sqlite_setup
  if ! jobs_fault=$(in_progress=1 send_query 'SELECT 1 FROM task_jobs LIMIT 1;' 2>&1 >/dev/null) &&
    [[ $jobs_fault == "taskresults: jobs file "* ]]; then
    jobs_fault=${jobs_fault#taskresults: } jobs_fault=${jobs_fault%%$'\n'*}
  else
    jobs_known=1 jobs_fault=''
  fi
}

# jobs_file_exists - with --hosts: that of any host.
jobs_file_exists() {
  if [[ -n $hosts ]]; then is_on_some_host "$jobs_file"; else [[ -e $jobs_file || -L $jobs_file ]]; fi
}

# say_unknown_jobs WORDS - if the list cannot be read, says what is missing without it.
say_unknown_jobs() {
  [[ -z $jobs_fault ]] || say "$1, since the scheduler's list cannot be read: $jobs_fault"
}
