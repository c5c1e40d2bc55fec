# errors [JOB] - groups similar failures, most frequent first
#
# Usage: taskresults errors [JOB] [OPTION...]
#
# Failures are counted together if their errors differ only in times, identifiers and numbers. These are shown as
# <time>, <id> and <n>. Only one line of each error is compared: the last line of a Python traceback, otherwise the
# first line.
#
# Options:
#   --hosts PATH    of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   --history       also records in rotated and archived files; otherwise only those in the live ones
#   --since T       only runs at T or later: 7d, '90 days', 2026-02-14, 2026-02-14T09:30:00Z, yesterday and the like, in
#                   UTC; all forms: `taskresults help`
#   --until T       only runs at T or earlier; a bare day is included
#   --tz ZONE       show times in a time zone: Europe/Berlin, or local for that of this machine; and --since and --until
#                   mean its days. UTC is the default, and the machine formats stay in UTC
#   --grep TEXT     only runs whose output or error holds TEXT, wildcards taken literally; A to Z are the same as a to z
#   --limit N       show only the N most frequent groups
#   --min N         show only groups with at least N failures
#   --raw           print control characters unchanged (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# The machine formats have times (the number of failures), jobs (in how many jobs), job_id (the first of these by name),
# first_run, last_run and signature (what the errors have in common). With --hosts, the failures of each host are
# grouped by themselves, and host comes first.
#
# Exit status:
#   0 fine, even if nothing failed; 1 no such job; 2 usage; 3 input or output failed, or a job was left out because its
#   file cannot be read
#
# Examples:
#   taskresults errors --since 7d
#   taskresults errors my-job --min 3 --json

# shellcheck shell=bash

parse_options 'hosts= map= history since= until= tz= grep= limit= min= raw json jsonl csv' "$@"
load lib/option_values lib/jobs
unreadable=()
map_option
hosts_option
history_option
job_argument
[[ -v args[0] ]] || { load lib/unreadable; readable_jobs; }
format_option json jsonl csv
number_option limit
number_option min
zone_option
time_options since until
limit=${opt[limit]-0}

# set_groups - sets `groups`, SQL: the failures of each job by their signatures. Those of a text are counted here.
set_groups() {
  local condition table
  groups="task_errors(${opt[since]-NULL}, ${opt[until]-NULL})"
  [[ -v opt[grep] ]] || return 0
  load lib/grep
  set_time_condition condition
  condition+=' AND ok = 0'
  add_grep condition
  set_grep_source table "$records"
  groups="(SELECT ${host_column}job_id, count(*) AS times, min(time_us) AS first_run_us, max(time_us) AS last_run_us,
    coalesce(taskresults_signature(error), '') AS signature FROM $table WHERE $condition
    GROUP BY ${host_column}job_id, signature)"
}

load lib/times
set_groups
select="SELECT ${host_column}sum(times) AS times, count(*) AS jobs, min(job_id) AS job_id,
    min(first_run_us) AS first_us, max(last_run_us) AS last_us, signature
  FROM $groups WHERE $job_condition
  GROUP BY ${host_column}signature HAVING sum(times) >= ${opt[min]-0}
  ORDER BY sum(times) DESC, signature${hosts:+, host} LIMIT $((limit ? limit : -1))"

if [[ -n $format ]]; then
  instant="strftime('%Y-%m-%dT%H:%M:%SZ'"
  rows_as "$format" "SELECT ${host_column}times, jobs, job_id,
    $instant, $(seconds_of first_us), 'unixepoch') AS first_run,
    $instant, $(seconds_of last_us), 'unixepoch') AS last_run, signature FROM ($select)" \
    ${hosts:+host} times jobs job_id first_run last_run signature
  no_such_job
  ((${#unreadable[@]} == 0)) || say_unreadable
  exit 0
fi

load lib/{rows,fields} terminal/colour
set_rows rows "SELECT $host_header'TIMES', 'JOBS', 'FIRST RUN', 'LAST RUN', '', 'ERROR';
  SELECT ${host_cell}times, CASE jobs WHEN 1 THEN $(cell job_id) ELSE jobs || ' jobs' END,
    $(clock first_us), $(clock last_us), $(relative_time last_us),
    CASE signature WHEN '' THEN $(paint dim "'(no error text)'") ELSE $(cell signature) END
  FROM ($select);" || exit
no_such_job
if [[ $rows != *$'\n'*$'\n'* ]]; then
  say 'no failures'
else
  load terminal/table
  show_table "$rows" rllllll '6:24 2' '3 4 2'
fi
((${#unreadable[@]} == 0)) || say_unreadable
