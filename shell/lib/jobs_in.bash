# jobs_in.bash - SQL for many jobs at once.

# shellcheck shell=bash

# jobs_in JOB... - SQL: the jobs, for use after `job_pair` IN. A job's name never contains a /, so the names are joined
# with / and split by SQL inside JSON, where quotes in names do no harm. With --hosts, a job is HOST/JOB: then // is
# between them.
jobs_in() {
  local between=/ columns=value joined
  (($#)) || { printf '(%s)' "${hosts:+SELECT NULL, NULL WHERE 0}"; return; }
  load lib/sql_text
  [[ -z $hosts ]] ||
    between=// columns="substr(value, 1, instr(value, '/') - 1), substr(value, instr(value, '/') + 1)"
  printf -v joined "$between%s" "$@"
  joined=$(sql_text "${joined#"$between"}")
  printf '%s' "(SELECT $columns FROM json_each('[' || replace(json_quote($joined), '$between', '\",\"') || ']'))"
}

# unreadable_jobs - SQL: a SELECT of `unreadable` as job_id, and with --hosts also as host, without names that are not
# UTF-8: such files belong to no job.
unreadable_jobs() {
  printf '%s' "SELECT DISTINCT ${host_column}job_id FROM task_rejects WHERE $job_pair IN $(jobs_in "${unreadable[@]}")
    AND offset IS NULL AND typeof(job_id) = 'text'"
}
