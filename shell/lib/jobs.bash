# jobs.bash - a command's job argument, and whether the job exists.

# shellcheck shell=bash

# job_argument - sets `job_condition`, SQL: all jobs, or the one that was named.
job_argument() {
  at_most 1
  job_condition=1
  [[ -v args[0] ]] || return 0
  load lib/sql_text
  set_sql_text job_condition "${args[0]}"
  job_condition="job_id = $job_condition"
}

# named_jobs JOB... - sets `job_condition`, SQL: these jobs. It starts no process per job.
named_jobs() {
  local job text list=''
  load lib/sql_text
  for job; do
    set_sql_text text "$job"
    list+=${list:+, }$text
  done
  job_condition="job_id IN ($list)"
}

# no_such_job - reports and exits with 1 if the named job has neither a file nor a reject.
no_such_job() {
  local found
  [[ -v args[0] ]] && ! has_file "${args[0]}" || return 0
  load lib/query
  found=$(query "SELECT EXISTS (SELECT 1 FROM $records WHERE $job_condition)
    OR EXISTS (SELECT 1 FROM task_rejects WHERE $job_condition);") || exit
  ((found)) || no_job "$EXIT_NO" "${args[0]}"
}

# no_job CODE JOB - reports that there is no such job, names one that may have been meant, and exits.
no_job() {
  say "no such job: $2"
  suggest_job "$2"
  exit "$1"
}

# suggest_job JOB - if the job has no file: names one that may have been meant.
suggest_job() {
  ! has_file "$1" || return 0
  [[ -z $hosts$shared_files ]] || return 0 # names are compared in one directory
  load hints/names
  say_near_job "$1"
}

# require_jobs JOB... - calls no_job for the first that has no file of records. An empty file will do.
require_jobs() {
  local job path dir=$results_dir lost=()
  if [[ -n $hosts ]]; then
    for job; do
      has_file "$job" || {
        load lib/query lib/sql_text
        query "SELECT 1 FROM task_results($(sql_text "$job")) LIMIT 1" >/dev/null || exit # a host that cannot be read
        no_job "$EXIT_NO" "$job"
      }
    done
    return
  fi
  [[ -r $dir && -x $dir ]] || return 0 # the query will report it
  for job; do
    [[ -z $shared_files ]] || { has_shared_job "$job" || no_job "$EXIT_NO" "$job"; continue; }
    path=$dir/$file_before$job$file_after
    [[ -n $job && $job != */* && -f $path && ! -L $path ]] || lost+=("$job")
  done
  [[ $records == task_results ]] || set_recordless_jobs lost "${lost[@]}"
  [[ ! -v lost[0] ]] || no_job "$EXIT_NO" "${lost[0]}"
}

# set_recordless_jobs NAME JOB... - sets NAME to those of the jobs that have neither a record nor a reject in any file,
# with one query. For --history: a job may have no live file any more.
set_recordless_jobs() {
  local -n recordless=$1
  local jobs=("${@:2}") job text values='' at=0 found
  recordless=()
  ((${#jobs[@]})) || return 0
  load lib/query lib/sql_text
  for job in "${jobs[@]}"; do
    set_sql_text text "$job"
    values+="${values:+, }($((at++)), $text)"
  done
  found=$(query "SELECT column1 FROM (VALUES $values)
    WHERE NOT EXISTS (SELECT 1 FROM $records WHERE job_id = column2)
      AND NOT EXISTS (SELECT 1 FROM task_rejects WHERE job_id = column2);") || exit
  for at in $found; do recordless+=("${jobs[at]}"); done
}

