# sla [JOB...] - success ratio, uptime, outages and the remaining error budget of each job, over a window of time
#
# Usage: taskresults sla [JOB...] [OPTION...]
#
# Shows all jobs, or those that are named. What the figures mean:
#
#   the window     includes its first instant, not its last, and ends now at the latest. So two windows, one right
#                  after the other, count every run and every microsecond once
#   success        the percentage of the runs in the window that succeeded
#   down           from a failure until the next success; otherwise the job is up. The last record before the window
#                  says whether the job is up or down at its beginning. The time before the job's first record, and the
#                  time while it was paused, are not counted
#   uptime         the percentage of the counted time during which the job was up
#   outages        how many times the job was down in the window, including an outage that began before it
#   MTTR           mean time to recovery: how long an outage that ended in the window lasted within the window, on
#                  average
#   MTBF           mean time between failures: from the beginning of one outage in the window to the beginning of the
#                  next. Like MTTR, it includes only counted time
#   the budget     with --target or --policy: the down time and the failed runs that the target allows, and how much is
#                  left of each: less than 0 if there was more than allowed
#
# A target is missed if less than 0 is left of a budget. A job that did not run in the window has no success ratio. If
# it was down before, it stayed down, and its uptime is 0 %. Otherwise its uptime is unknown, and it misses no target.
# To find jobs that should have run, use `taskresults alerts --silent-for D --overdue`.
#
# Records are sorted by timestamp, and by position in the file if the timestamps are equal. So after a clock was set
# back, later runs are sorted among earlier ones. Records whose timestamp cannot be read are not counted, and a message
# says how many. Percentages are rounded down, so 100 % means no failure at all.
#
# A run that did not take place has no record, and a run that took too long may be recorded as a success. Both can count
# as failed runs:
#
#   missed slots   with --count missed: a run that the schedule expected and that did not take place. It counts as a
#                  failure at the time when it was due. taskresults-tables(7) says under task_slots what is `missed`,
#                  and what is late, paused or skipped instead. A slot that was missed up to 31 days before the window
#                  can mean that the job is down when the window begins. Jobs in the scheduler's list that never ran
#                  have missed slots, too
#   too long       with --max-duration: a success that took longer, according to the job's log
#
# What is not known does not count: neither `unknown` slots nor those of a job without a schedule are missed, and a
# success without a duration in the log stays a success. The table, the columns below and messages say how many
# these are.
#
# Options:
#   --hosts PATH    of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host; logs
#                   and the list of jobs are beside the results
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   --history       also records in rotated and archived files; otherwise only those in the live ones
#   --window W      the last 24h, 7d, 30d (the default), '3 months' and the like; or FROM..TO with times such as
#                   2026-02-14, 2026-02-14T09:30:00Z or 7d, in UTC. If TO is a whole day, that day is included. FROM..
#                   ends now, and ..TO begins with each job's first record. All forms: `taskresults help`
#   --tz ZONE       the days of --window are those of a time zone: Europe/Berlin, or local for that of this machine;
#                   default UTC
#   --target P      a percentage, such as 99.9
#   --policy FILE   each job's target, from the file that prune takes (`target`; ext/PRUNING.md has its form). A job
#                   without a target misses none
#   --of MEASURE    what the target is for: uptime, success, or both (the default)
#   --count missed  a missed slot counts as a failed run
#   --max-duration D   a success that took longer than D (90s, 20m, 2h and the like) counts as a failed run
#   --ratio         success alone, by whole days: also of runs whose records a prune has removed (if it left a receipt)
#                   or a rotation has moved. A day counts if it begins in the window: with 30d, these are today and the
#                   29 days before. Uptime and what follows from it are not known then
#   --job JOB       the same as JOB: for a name that begins with -
#   --raw           print control characters unchanged (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# The machine formats have job_id, runs, successes, failures, success_percent, uptime_percent, up_seconds, down_seconds,
# paused_seconds, outages, mtbf_seconds, mttr_seconds, budget_seconds, budget_seconds_left, budget_runs,
# budget_runs_left, missed (true or false), slow_runs and unknown_durations (how many successful runs took too long, and
# for how many that is not known), missed_slots and unknown_slots. Unknown values are null. So are the budget of a job
# without a target, and the last four without their options. Missed slots are included in runs and failures, and slow
# runs in failures. With --hosts, host comes first.
#
# Environment:
#   SCHEDULER_LOGS_DIR    the jobs' logs, for pauses and durations; default /opt/.task-scheduler/logs
#   SCHEDULER_JOBS_FILE   the scheduler's list of jobs, for --count missed; default /opt/.task-scheduler/jobs.json
#
# Exit status:
#   0 fine; 1 a target is missed, or there is no such job; 2 usage; 3 input or output failed, or a job was left out
#   because its file or its log cannot be read
#
# Examples:
#   taskresults sla --window 90d
#   taskresults sla --target 99.9 --window 2026-02-01..2026-02-28
#   taskresults sla my-job --target 95 --of success --json
#   taskresults sla --ratio --window 90d --target 99.5
#   taskresults sla --target 99 --of success --count missed --max-duration 2h

# shellcheck shell=bash

parse_options 'hosts= map= history window= tz= target= policy= of= count= max-duration= ratio job= raw json jsonl
  csv' "$@"
load lib/option_values
map_option
hosts_option
history_option
load lib/{query,jobs,sorts} sla/{window,target,jobs,tables,rows}
[[ ! -v opt[ratio] ]] || { load sla/ratio; check_ratio; }
format_option json jsonl csv
[[ ! -v opt[job] ]] || args+=("${opt[job]}")
set_target
zone_option
set_window
choose_jobs
[[ -v opt[ratio] ]] || choose_switches
[[ ! -v opt[count] ]] || { load sla/slots; choose_slots; }
set_print_rows
require_their_jobs

# The last line has the counts that decide on messages and on the exit status.
sorts_all_runs
answer=$(with_progress query "$(sla_tables)
  $print_rows
  $(sla_counts)") || exit
counts=${answer##*$'\n'}
rows=${answer%"$counts"}
# shellcheck disable=SC2086  # split, and all of them are numbers
set -- ${counts//$'\x1f'/ }
jobs=$1 missed_jobs=$2
say_unknown "${@:3}"
if ((jobs == 0 && ${#args[@]} > 0)); then
  no_job "$EXIT_NO" "${args[0]}"
fi

case $format in
  csv)
    printf '%s' "$rows" || exit "$EXIT_IO"
    ;;
  json | jsonl)
    printf '%s' "$rows" | json_lines "$format"
    finish "${PIPESTATUS[@]}"
    ;;
  '') print_table "$rows" ;;
esac
[[ -v opt[ratio] ]] || say_unreadable_logs 'left out'
((${#unreadable[@]} == 0)) || say_unreadable
((${#unreadable_logs[@]} == 0)) || exit "$EXIT_IO"
((missed_jobs == 0)) || exit "$EXIT_NO"
