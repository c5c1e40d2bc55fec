# view JOB - prints a job's records, oldest first; or those of all jobs, newest first
#
# Usage: taskresults view JOB [OPTION...]
#        taskresults view --all [OPTION...]
#
# Prints each record as the scheduler's own viewer does, but without its header and summary (for totals, see
# `taskresults stats`). So the last records are there at once, however large the file is. On a terminal, each time is
# also shown as "2h ago", control characters are replaced by visible signs, and lines are cut to the width of the
# terminal. If that is below 60, the result of a run is printed before the job's name.
#
# Options:
#   --hosts PATH    of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   --history       also records in rotated and archived files; otherwise only those in the live ones
#   --success       only successful runs
#   --errors        only failed runs
#   --grep TEXT     only runs whose output or error holds TEXT, wildcards taken literally; A to Z are the same as a to z
#   --since T       only runs at T or later: 7d, '90 days', 2026-02-14, 2026-02-14T09:30:00Z, yesterday and the like, in
#                   UTC; all forms: `taskresults help`
#   --until T       only runs at T or earlier; a bare day is included
#   --tz ZONE       show times in a time zone: Europe/Berlin, or local for that of this machine; and --since and --until
#                   mean its days. UTC is the default, and the machine formats stay in UTC
#   --latest        of these, only the last one
#   --limit N       of these, only the last N; 0 means all
#   --all           every job's records, newest first
#   --full          print whole texts, instead of their first 200 characters
#   --raw           on a terminal, too: print every byte unchanged, and cut nothing
#   --json          a JSON array of objects, texts whole
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# With --hosts, the name of the host and a / come before the job's name. JOB is then that job on each host, one host
# after another, and --latest and --limit are for each host. With --all they are for all hosts together.
#
# The machine formats have timestamp, job_id, job_name, success, output and error; with --hosts, host comes first.
# --since and --until skip records whose timestamp cannot be read, and say how many.
#
# Exit status:
#   0 fine; 1 no such record (the machine formats are then empty but valid, and the status is 0); 2 usage; 3 input or
#   output failed, or, with --all, a job was left out because its file cannot be read
#
# Examples:
#   taskresults view my-job --latest
#   taskresults view my-job --errors --since 7d --full
#   taskresults view --all --limit 20 --jsonl

# shellcheck shell=bash
begin() { load lib/begin_rows; begin_rows; }
# What is asked for most often. It returns where there is more to say or to do.
[[ $# != 2 || $1 == -* || $2 != --latest || $results_dir == *'*'* || -t 1 ||
  -n ${TASKRESULTS_MAP-} ]] || { load view/latest; print_latest "$1"; }
parse_options 'hosts= map= history grep= success errors since= until= tz= latest limit= all full raw json jsonl
  csv' "$@"
at_most 1
# A few records go through a variable, which needs the fewest processes.
MOST_IN_VARIABLE=1000
limit=0 format='' condition=1 are_few='' unreadable=()
if [[ ${!opt[*]} == latest && $results_dir != *'*'* && -z ${TASKRESULTS_MAP-} ]]; then
  limit=1
else
  load lib/option_values
  map_option
  hosts_option
  history_option
  exclusive success errors
  format_option json jsonl csv
  number_option limit
  zone_option
  time_options since until
  limit=${opt[limit]-0}
  [[ ! -v opt[latest] ]] || limit=1
  set_time_condition condition
  [[ ! -v opt[success] ]] || condition+=' AND ok = 1'
  [[ ! -v opt[errors] ]] || condition+=' AND ok = 0'
fi
if [[ -z $format && ! -v opt[full] ]] && ((limit > 0 && limit <= MOST_IN_VARIABLE)); then
  are_few=1
  [[ -v opt[all] || -v rows_begun ]] || begin # of all jobs, some may have to be left out first
fi

if [[ -v opt[all] ]]; then
  ((${#args[@]} == 0)) || usage_error "--all or a job, not both"
  table=$records order='time_us DESC, rowid DESC' reverse=
  [[ ! -v opt[history] ]] || order="time_us DESC, job_id DESC, $place DESC"
  load lib/unreadable
  ((limit)) || { load lib/sorts; sorts_all_runs; }
  readable_jobs
else
  ((${#args[@]} == 1)) || usage_error 'which job? (or --all)'
  load lib/sql_text
  set_sql_text job "${args[0]}"
  table="$records($job)" order=rowid reverse='rowid DESC'
  [[ ! -v opt[history] ]] || order="${host_column}segment_no, offset" reverse='segment_no DESC, offset DESC'
fi
[[ ! -v opt[grep] ]] || { load lib/grep; add_grep condition; set_grep_source table "$table"; }

# set_record_select NAME COLUMNS [SHOWN] - sets NAME to SQL. The last few records of one job are read from the end, and
# then reversed.
set_record_select() {
  local last_few more
  if ((limit)) && [[ -n $reverse && -n $hosts && -v opt[history] ]]; then
    printf -v "$1" 'SELECT %s FROM (SELECT *, row_number() OVER (PARTITION BY on_host ORDER BY place DESC) AS nth
      FROM (SELECT host AS on_host, %s AS place, %s FROM %s WHERE %s)) WHERE nth <= %s ORDER BY on_host, place' \
      "${3-*}" "$place" "$2" "$table" "$condition" "$limit"
  elif ((limit)) && [[ -n $reverse && -n $hosts ]]; then # of each host, from where its last few begin
    add_hosts_with more "${args[0]}" # task_lines has no blank lines, but reports a host that cannot be read
    last_few="SELECT on_host, (SELECT min(offset) FROM (SELECT offset FROM $table AS one
      WHERE one.host = on_host AND $condition ORDER BY one.rowid DESC LIMIT $limit)) AS begins
      FROM (SELECT host AS on_host FROM task_lines WHERE job_id = $job AND offset = 0$more)"
    printf -v "$1" 'WITH last_few AS MATERIALIZED (%s) SELECT %s FROM last_few CROSS JOIN %s AS each
      WHERE each.host = on_host AND each.offset >= begins AND %s ORDER BY each.rowid' \
      "$last_few" "$2" "$table" "$condition"
  elif ((limit)) && [[ -n $reverse ]]; then
    printf -v "$1" 'SELECT %s FROM (SELECT %s AS place, %s FROM %s WHERE %s ORDER BY %s LIMIT %s) ORDER BY place' \
      "${3-*}" "$place" "$2" "$table" "$condition" "$reverse" "$limit"
  else
    printf -v "$1" 'SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %s' \
      "$2" "$table" "$condition" "$order" "$((limit ? limit : -1))"
  fi
}

# end_with_hints - which job may have been meant, and which were left out.
end_with_hints() {
  [[ ! -v args[0] ]] || has_file "${args[0]}" || { load lib/jobs; suggest_job "${args[0]}"; }
  ((${#unreadable[@]} == 0)) || say_unreadable
}

columns=(${hosts:+host} timestamp job_id job_name success output error)
if [[ -n $format ]]; then
  printf -v list ', %s' "${columns[@]}"
  set_record_select record_select "${list#, }"
  rows_as "$format" "$record_select" "${columns[@]}"
  end_with_hints
  exit 0
fi

load lib/records

cut=200
[[ ! -v opt[full] ]] || cut=0

# An empty answer is told by the first line that comes, not by a count, which would read the whole file. It is printed
# in one go: where both streams go into one file, as in cron's mails, a message of the query must not stand within it.
NOTHING_CAME=100
no_record() {
  say "no such record${args[0]+ of job: ${args[0]}}"
  end_with_hints
  exit "$EXIT_NO"
}

[[ ! -v opt[all] ]] || with_job_id=1
set_record_block block "$cut"
set_record_select statement "$block AS block" block
statement+=';'
[[ -z $are_few ]] || { load view/few; print_few; }
load view/many
print_many
(($? != NOTHING_CAME)) || no_record
end_with_hints
