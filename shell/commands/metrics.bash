# metrics - prints figures of all jobs in Prometheus's text format, for node_exporter's textfile collector
#
# Usage: taskresults metrics [-o FILE] [--hosts PATH]
#
# Each of these gauges has a value for every job with a file of results; missed and unknown slots, for every job whose
# schedule in the scheduler's list can be read. The label job_id names the job, and with --hosts, host its host. A slot
# is a time at which a job is due: see taskresults-tables(7), task_slots.
#
# Metrics:
#   taskresults_job_last_run_timestamp_seconds      when the last run finished; missing if its time cannot be read
#   taskresults_job_last_success_timestamp_seconds  when the last success finished; missing if there is none
#   taskresults_job_last_run_success                1 or 0; missing if there is no run
#   taskresults_job_last_run_duration_seconds       how long the last run took; missing if the job's log does not tell
#   taskresults_job_consecutive_failures            failures in a row, up to now
#   taskresults_job_runs                            runs that are in the file, by result="success" and result="failure";
#                                                   pruning lowers it, so it is not a counter
#   taskresults_job_rejected_lines                  lines of the file that are not valid records
#   taskresults_job_missed_slots                    slots of the last 7 days that were missed
#   taskresults_job_unknown_slots                   slots of the last 7 days of which nothing is known
#   taskresults_job_readable                        1, or 0 if the file cannot be read; then the job has no other metric
#
# Two more are not about a job: taskresults_build_info, with the label version, and
# taskresults_metrics_timestamp_seconds, the time of the metrics themselves. Set an alert on its age: if the metrics are
# no longer updated, all jobs seem to be fine.
#
# Options:
#   --hosts PATH    of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host; logs
#                   and the list of jobs are beside the results
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   -o, --output F  write the file F, whole or not at all, so that a collector never reads a part of it. node_exporter
#                   reads files called *.prom
#
# Environment:
#   SCHEDULER_LOGS_DIR    the jobs' logs, which say how long runs took; default /opt/.task-scheduler/logs. If this
#                         directory cannot be read, there are no durations, and no slots
#   SCHEDULER_JOBS_FILE   the scheduler's list of jobs; default /opt/.task-scheduler/jobs.json. Without it, there are no
#                         slots
#
# Exit status:
#   0 fine, whatever the jobs' state; 2 usage; 3 input or output failed, a job was left out because its file or its log
#   cannot be read, or all slots were left out because the list of jobs cannot be read. All other metrics were written,
#   and F was replaced
#
# Examples:
#   taskresults metrics
#   taskresults metrics -o taskresults.prom

# shellcheck shell=bash

# slots - SQL: SELECT, for each job whose slots are known, how many of the last 7 days were missed, and are unknown.
slots() {
  local left_out=("${unreadable[@]}" "${unreadable_logs[@]}") listed='record IS NOT NULL AND job_id IS NOT NULL'
  local wanted="$job_pair IN (SELECT ${host_column}job_id FROM listed)"
  if [[ -z $logs_known || -z $jobs_known ]]; then
    printf '%s' "SELECT ${hosts:+NULL AS host, }NULL AS job_id, '' AS labels, NULL AS missed, NULL AS unknown WHERE 0"
    return
  fi
  if ((${#left_out[@]})); then
    listed+=" AND $job_pair NOT IN $(jobs_in "${left_out[@]}")"
  elif [[ -n $hosts ]]; then
    wanted=1 # each pair would be looked for in the list of its host, which would be read as often
  fi
  printf '%s' "WITH listed AS MATERIALIZED (SELECT DISTINCT ${host_column}job_id FROM task_jobs WHERE $listed),
    counted AS MATERIALIZED (SELECT ${host_column}job_id, sum(state = 'missed') AS missed,
      sum(state = 'unknown') AS unknown, sum(slot_us IS NULL) AS unread
      FROM task_slots WHERE $wanted GROUP BY ${host_column}job_id)
    SELECT ${host_column}job_id, '' AS labels, coalesce(missed, 0) AS missed, coalesce(unknown, 0) AS unknown
    FROM listed LEFT JOIN counted USING (${host_column}job_id) WHERE coalesce(unread, 0) = 0"
}

parse_options 'o:output= hosts= map=' "$@"
load lib/option_values lib/query lib/unreadable lib/jobs_in lib/jobs_file lib/logs
at_most 0
map_option
hosts_option
[[ ! -v opt[output] || -n ${opt[output]} ]] || usage_error '--output wants a file'
readable_jobs
find_logs
look_at_jobs_file
set_if_logged last_duration last_duration_s

# label COLUMN - SQL: the label with its value, in which three characters are escaped; all others stay as they are.
label() {
  printf '%s' "'$1=\"' || replace(replace(replace($1, '\\', '\\\\'), '\"', '\\\"'), char(10), '\\n') || '\"'"
}
label=$(label job_id)
[[ -z $hosts ]] || label="$(label host) || ',' || $label"

# seconds COLUMN - SQL: microseconds as seconds, with every digit, which a REAL would not have. NULL stays NULL.
seconds() {
  printf "CASE WHEN %s < 0 THEN '-' ELSE '' END || CASE WHEN %s IS NOT NULL
    THEN printf('%%d.%%06d', abs(%s) / 1000000, abs(%s) %% 1000000) END" "$1" "$1" "$1" "$1"
}

# gauge NAME HELP VALUE [FROM] - SQL: a metric with a sample for each row, where the value is not NULL.
gauge() {
  printf "SELECT '# HELP %s %s' || char(10) || '# TYPE %s gauge';
    SELECT '%s{' || %s || labels || '} ' || value FROM (SELECT ${host_column}job_id, labels, %s AS value FROM %s)
    WHERE value IS NOT NULL ORDER BY ${host_column}job_id, labels DESC;\n" "$1" "$2" "$1" "$1" "$label" "$3" "${4-job}"
}

statements() {
  echo "CREATE TEMP TABLE job AS SELECT ${host_column}job_id, '' AS labels, runs, successes, failures, streak,
    last_run_us, last_success_us, rejects, $last_duration AS took FROM task_stats WHERE $known_jobs;
    CREATE TEMP TABLE slots AS $(slots);
    CREATE TEMP TABLE unreadable AS $(unreadable_jobs);"
  gauge taskresults_job_last_run_timestamp_seconds 'When the last run of the job finished.' "$(seconds last_run_us)"
  gauge taskresults_job_last_success_timestamp_seconds 'When the last successful run of the job finished.' \
    "$(seconds last_success_us)"
  gauge taskresults_job_last_run_success 'Whether the last run of the job succeeded.' \
    'CASE WHEN streak THEN streak > 0 WHEN successes + failures THEN last_success_us IS last_run_us END'
  gauge taskresults_job_last_run_duration_seconds 'How long the last run of the job took.' "printf('%.6f', took)" \
    '(SELECT * FROM job WHERE took IS NOT NULL)'
  gauge taskresults_job_consecutive_failures 'Failures of the job in a row, up to now.' 'max(0, -streak)'
  gauge taskresults_job_runs 'Runs of the job that are kept, by their result.' runs \
    "(SELECT ${host_column}job_id, ',result=\"success\"' AS labels, successes AS runs FROM job
      UNION ALL SELECT ${host_column}job_id, ',result=\"failure\"', failures FROM job)"
  gauge taskresults_job_rejected_lines 'Lines in the file of the job that are no records.' rejects
  gauge taskresults_job_missed_slots 'Runs that were due within the last 7 days and did not take place.' missed slots
  gauge taskresults_job_unknown_slots 'Times of the last 7 days at which the job was due, and nothing is known.' \
    unknown slots
  gauge taskresults_job_readable 'Whether the file of the job can be read; if not, it has no other sample.' readable \
    "(SELECT ${host_column}job_id, '' AS labels, 1 AS readable FROM job
      UNION ALL SELECT ${host_column}job_id, '', 0 FROM unreadable)"
  echo "SELECT '# HELP taskresults_build_info The version that made these metrics.' || char(10) ||
      '# TYPE taskresults_build_info gauge' || char(10) ||
      'taskresults_build_info{version=\"' || taskresults_version() || '\"} 1';
    SELECT '# HELP taskresults_metrics_timestamp_seconds When these metrics were made.' || char(10) ||
      '# TYPE taskresults_metrics_timestamp_seconds gauge' || char(10) ||
      'taskresults_metrics_timestamp_seconds $EPOCHSECONDS';"
}

metrics() {
  query "$(statements)" | if on_terminal; then load terminal/visible; sed "$(visible_program)"; else cat; fi
  finish "${PIPESTATUS[@]}"
}

if [[ -v opt[output] && ${opt[output]} != - ]]; then
  load lib/atomic
  with_progress write_atomically "${opt[output]}" metrics || exit
else
  metrics
fi

say_unknown_jobs 'no missed runs'
say_unreadable_logs 'no duration and no missed runs'
say_unreadable
((${#unreadable_logs[@]} == 0)) && [[ -z $jobs_fault ]] || exit "$EXIT_IO"
