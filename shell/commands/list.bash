# list - the jobs: number of runs, success rate, last run, how it ended, and how often in a row
#
# Usage: taskresults list [OPTION...]
#
# A job's streak is how many times in a row its last runs ended the same way. Jobs are sorted by name. A job without a
# record, for example after a prune that dropped all of them, is not listed.
# Percentages are rounded down: 100 % means that no run failed. 0 % means that none succeeded; a little more is shown as
# <0.1 %.
#
# Under a mapping, a run can be neither a success nor a failure. Such a run does not change the last state and the
# streak. If there are no others, the last state is unknown, and last_success is null.
#
# Options:
#   --hosts PATH    of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   --history       also records in rotated and archived files; otherwise only those in the live ones
#   --failing       only jobs whose last run failed
#   --sort COLUMN   name, runs, rate, last (newest first) or streak (longest first)
#   --tz ZONE       show times in a time zone: Europe/Berlin, or local for that of this machine; default UTC. The
#                   machine formats stay in UTC
#   --raw           print control characters unchanged (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# The machine formats have job_id, runs, successes, failures, percent, last_run, last_success and streak. With --hosts,
# host comes first, and jobs are sorted by host before their name.
#
# Exit status:
#   0 fine; 2 usage; 3 input or output failed, or a job was left out because its file cannot be read
#
# Examples:
#   taskresults list --failing
#   taskresults list --sort rate --json

# shellcheck shell=bash

parse_options 'hosts= map= history failing sort= tz= raw json jsonl csv' "$@"
load lib/{option_values,unreadable,percent}
map_option
hosts_option
history_option
at_most 0
format_option json jsonl csv
zone_option
case ${opt[sort]-name} in
  name) order='' ;;
  runs) order='runs DESC, ' ;;
  rate) order='success_rate, ' ;;
  last) order='last_us DESC, ' ;;
  streak) order='streak DESC, ' ;;
  *) usage_error "--sort wants name, runs, rate, last or streak, not '${opt[sort]}'" ;;
esac
readable_jobs

# How the last run ended: 1, 0, or NULL if that is not known. A run that is neither a success nor a failure ends no
# streak. Without a streak, as after a scattered prune, the last record says it.
last_success="CASE WHEN streak THEN streak > 0 WHEN successes > 0 AND last_success IS last_run THEN 1
    WHEN failures > 0 AND last_failure IS last_run THEN 0 END"
failing=1
[[ ! -v opt[failing] ]] || failing="($last_success) = 0"

set_percent percent successes '(runs - unknowns)'
set_percent_text percent_text successes '(runs - unknowns)' 1
select="SELECT ${host_column}job_id, runs, unknowns, successes, failures, $percent AS percent,
    last_run, last_run_us AS last_us, abs(streak) AS streak,
    $last_success AS last_success
  FROM task_stats WHERE runs > 0 AND $known_jobs AND $failing ORDER BY $order${host_column}job_id"

if [[ -n $format ]]; then
  rows_as "$format" "SELECT ${host_column}job_id, runs, successes, failures, percent, last_run,
    CASE last_success WHEN 1 THEN json('true') WHEN 0 THEN json('false') END AS last_success, streak FROM ($select)" \
    ${hosts:+host} job_id runs successes failures percent last_run last_success streak
  say_unreadable
  exit 0
fi

load lib/{rows,times,fields} terminal/table
set_cell job job_id
set_clock at last_us
set_cell written last_run
set_relative_time ago last_us
set_painted good green "'ok'"
set_painted bad red "'failed'"
set_rows rows "SELECT $host_header'JOB', 'RUNS', 'SUCCESS', 'LAST RUN', '', 'LAST STATE', 'STREAK';
  SELECT $host_cell$job, runs, $percent_text, coalesce(nullif($at, ''), $written), $ago,
    CASE last_success WHEN 1 THEN $good WHEN 0 THEN $bad ELSE 'unknown' END, streak FROM ($select);" || exit
show_table "$rows" lrrlrlr 1 '4 2 7 3'
say_unreadable
