# logs.bash - the jobs' logs, for commands that show durations of runs, pauses, or runs that were missed.

# shellcheck shell=bash

# find_logs - sets `logs_known` if the directory of logs can be read; `unreadable_logs`, the jobs whose logs cannot, and
# `readable_logs`, those whose logs can. A log that cannot be read would make a query fail.
find_logs() {
  local unreadable readable
  unreadable_logs=() readable_logs=()
  look_at_logs_dir
  [[ -n $logs_known ]] || return 0
  load lib/unreadable
  find_unreadable "$logs_dir" .log
  unreadable_logs=("${unreadable[@]}") readable_logs=("${readable[@]}")
}

# look_at_logs_dir - sets `logs_known` alone, which takes no look at the logs.
look_at_logs_dir() {
  logs_known=
  if [[ -n $hosts ]]; then # a directory that cannot be read is an error of the query
    ! is_on_some_host "$logs_dir" || logs_known=1
  elif [[ -d $logs_dir && -r $logs_dir && -x $logs_dir ]]; then
    logs_known=1
  fi
}

# set_if_logged NAME EXPRESSION - sets NAME to SQL: the expression, which needs the job's log (or, under a mapping, its
# records); or NULL, without evaluating it, if the log cannot be read.
set_if_logged() {
  if [[ -z $logs_known$is_mapped ]]; then
    printf -v "$1" NULL
  elif ((${#unreadable_logs[@]})); then
    load lib/jobs_in
    printf -v "$1" '%s' "CASE WHEN $job_pair NOT IN $(jobs_in "${unreadable_logs[@]}") THEN $2 END"
  else
    printf -v "$1" '%s' "$2"
  fi
}

# say_unreadable_logs WORDS - what is missing without them, and the fix.
say_unreadable_logs() {
  ((${#unreadable_logs[@]})) || return 0
  load lib/name_unreadable
  name_unreadable_files "$1" log "$logs_dir" .log "${unreadable_logs[@]}"
}
