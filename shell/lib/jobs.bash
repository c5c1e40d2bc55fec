# jobs.bash - a command's job argument, whether there is such a job at all, and which files of all cannot be read.

# shellcheck shell=bash

# job_argument - sets `job_condition`, SQL: all jobs, or the one that was named.
job_argument() {
  at_most 1
  job_condition=1
  [[ -v args[0] ]] || return 0
  job_condition="job_id = $(sql_text "${args[0]}")"
}

# named_jobs JOB... - sets `job_condition`, SQL: these jobs. However many there are, no process is started for one.
named_jobs() {
  local job text list=''
  for job; do
    set_sql_text text "$job"
    list+=${list:+, }$text
  done
  job_condition="job_id IN ($list)"
}

# no_such_job - complains, and exits with 1, if the job that was named has neither a file nor a reject.
no_such_job() {
  local found
  [[ -v args[0] ]] && ! has_file "${args[0]}" || return 0
  found=$(query "SELECT EXISTS (SELECT 1 FROM task_results WHERE $job_condition)
    OR EXISTS (SELECT 1 FROM task_rejects WHERE $job_condition);") || exit
  ((found)) || no_job "$EXIT_NO" "${args[0]}"
}

# no_job CODE JOB - complains that there is no such job, names one that may have been meant, and exits.
no_job() {
  say "no such job: $2"
  suggest_job "$2"
  exit "$1"
}

# suggest_job JOB - if it has no file: says which job may have been meant.
suggest_job() {
  ! has_file "$1" || return 0
  # shellcheck source=shell/hints/names.bash
  source "$shell_home/hints/names.bash"
  say_near_job "$1"
}

# require_jobs JOB... - no_job for the first that has no file of records, be it empty.
require_jobs() {
  local job dir=$results_dir
  [[ -r $dir && -x $dir ]] || return 0 # the query will say it
  for job; do
    [[ -n $job && $job != */* && -f $dir/$job.jsonl && ! -L $dir/$job.jsonl ]] || no_job "$EXIT_NO" "$job"
  done
}

# look_at_jobs_file - sets `jobs_known`, if the scheduler's list of jobs can be read; and `jobs_fault`, why it cannot,
# though it is there. Of what else may be wrong the command's own query tells.
look_at_jobs_file() {
  jobs_known='' jobs_fault=''
  [[ -e $jobs_file || -L $jobs_file ]] || return 0
  sqlite_setup
  if ! jobs_fault=$(in_progress=1 send_query 'SELECT 1 FROM task_jobs LIMIT 1;' 2>&1 >/dev/null) &&
    [[ $jobs_fault == "taskresults: jobs file "* ]]; then
    jobs_fault=${jobs_fault#taskresults: } jobs_fault=${jobs_fault%%$'\n'*}
  else
    jobs_known=1 jobs_fault=''
  fi
}

# say_unknown_jobs WORDS - of a list that cannot be read: what is missing without it.
say_unknown_jobs() {
  [[ -z $jobs_fault ]] || say "$1, since the scheduler's list cannot be read: $jobs_fault"
}

# Only a command that tells which jobs it has left out may leave out any.
unset TASKRESULTS_UNREADABLE

# readable_jobs - for a query over all jobs, which one unreadable file would fail: sets `unreadable`, the jobs whose
# files cannot be read, and has the queries to come pass over them. say_unreadable tells of them at the end.
readable_jobs() {
  local readable
  find_unreadable "$results_dir" .jsonl
  ((${#unreadable[@]} == 0)) || export TASKRESULTS_UNREADABLE=skip
}

# find_unreadable DIRECTORY SUFFIX - of a directory with a file for each job: sets `unreadable` and `readable`, which
# are names of jobs.
find_unreadable() {
  local path job dir=$1 suffix=$2
  unreadable=() readable=()
  [[ -r $dir && -x $dir ]] || return 0 # the query will say it
  for path in "$dir"/*"$suffix" "$dir"/.*"$suffix"; do
    [[ -f $path && ! -L $path ]] || continue
    job=${path:${#dir}+1:-${#suffix}}
    if [[ -r $path ]]; then readable+=("$job"); else unreadable+=("$job"); fi
  done
}

# jobs_in JOB... - SQL: the jobs, to stand behind IN. No name holds a /, so the names are split at it, inside JSON,
# where a quote of theirs ends nothing.
jobs_in() {
  local IFS=/
  (($#)) || { printf '()'; return; }
  printf '%s' "(SELECT value FROM json_each('[' || replace(json_quote($(sql_text "$*")), '/', '\",\"') || ']'))"
}

# unreadable_jobs - SQL: a SELECT of `unreadable` as job_id, without the names that are not UTF-8: such files are no
# jobs.
unreadable_jobs() {
  printf '%s' "SELECT DISTINCT job_id FROM task_rejects WHERE job_id IN $(jobs_in "${unreadable[@]}") AND offset IS NULL
    AND typeof(job_id) = 'text'"
}

# name_unreadable WORDS JOB... - names the jobs with the fix.
name_unreadable() {
  name_unreadable_files "$1" file "$results_dir" .jsonl "${@:2}"
}

# name_unreadable_files WORDS WHAT DIRECTORY SUFFIX JOB... - the same of any directory with a file for each job.
name_unreadable_files() {
  local job words=$1 what=$2 dir=$3 suffix=$4 quoted path messages=()
  shift 4
  (($#)) || return 0
  for job; do
    printf -v quoted '%q' "$job"
    printf -v path '%q' "$dir/$job$suffix"
    messages+=("$words: job $quoted, whose $what cannot be read; as its owner: chmod a+r -- $path")
  done
  say_each "${messages[@]}"
}

# say_unreadable - names those that were left out, and exits with 3, if there are any.
say_unreadable() {
  ((${#unreadable[@]})) || return 0
  name_unreadable 'left out' "${unreadable[@]}"
  exit "$EXIT_IO"
}
