# sla [JOB...] - success ratio, uptime, outages and what is left of the error budget, per job, over a window of time
#
# Usage: taskresults sla [JOB...] [OPTION...]
#
# All jobs, or those that are named. What the figures mean:
#
#   the window     from its beginning up to, but without, its end; nothing after the present is in it. Two windows side
#                  by side count every run, and every microsecond, once
#   success        successful runs among the runs in the window
#   down           from a failure until the next success. Whether a job is up or down when the window begins, its last
#                  record before then says. Time before a job's first record ever, and time while it was paused, is not
#                  counted
#   uptime         the time that the job was up, among the time that is counted (up or down)
#   outages        stretches of down time in the window, with one that began before it
#   MTTR           mean time to recovery: of the outages that ended in the window, how long each was down in the window
#   MTBF           mean time between failures: from the beginning of an outage in the window to that of the next one.
#                  With MTTR, counted time
#   the budget     with --target: the down time, and the failed runs, that the target allows; and what is left of both,
#                  less than nothing if overspent
#
# A target is missed if a budget is overspent. A job that did not run in the window has no success ratio. If it was down
# it stayed down, and its uptime is 0 %; otherwise its uptime is unknown, and it misses no target: for jobs that ought
# to have run there is `taskresults alerts --silent-for D --overdue`.
#
# Records are put in the order of their timestamps, and of their places in the file where those are equal; so where the
# clock was set back, runs after that stand among earlier ones. Records whose timestamp cannot be read as
# one are not counted, and a message says how many. Percentages are cut, not rounded: only what never failed has 100 %.
#
# What did not happen is in no record, and a run that took too long is a success there. Both can count as failed runs:
#
#   missed slots   with --count missed: a run that the schedule expected and that did not take place, at the time when
#                  it was due: `missed` in task_slots (taskresults-tables(7) says what that is, and what is late, paused
#                  or skipped instead). One up to 31 days before the window says that the job is down when the window
#                  begins. A job of the scheduler's list that never ran has its missed slots
#   too long       with --max-duration: a success that took longer, as the job's log tells
#
# What is not known counts as nothing: neither slots that are `unknown` nor those of a job without a schedule are
# missed, and a success is one if no log tells how long it took. The table, the columns below and messages say of how
# many it is not known.
#
# Options:
#   --window W      24h, 7d, 30d (the default), '3 months' and the like, back from now; or FROM..TO with times such as
#                   2026-02-14, 2026-02-14T09:30:00Z or 7d, in UTC, where a bare day as TO is included; FROM.. ends now,
#                   and ..TO begins with each job's first record. All forms: `taskresults help`
#   --target P      a percentage, such as 99.9
#   --of MEASURE    what the target is for: uptime, success, or both (the default)
#   --count missed  a missed slot counts as a failed run
#   --max-duration D   a success that took longer than D (90s, 20m, 2h and the like) counts as a failed run
#   --job JOB       the same as JOB: for a name that begins with -
#   --raw           control characters as they are (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# The machine formats have job_id, runs, successes, failures, success_percent, uptime_percent, up_seconds, down_seconds,
# paused_seconds, outages, mtbf_seconds, mttr_seconds, budget_seconds, budget_seconds_left, budget_runs,
# budget_runs_left, missed (true or false), slow_runs and unknown_durations (successes that took too long, and of which
# that is not known), missed_slots and unknown_slots. What is unknown is null, and so is what was not asked for: the
# budget without --target, and the last four without their options. Missed slots are among runs and failures, and slow
# runs among failures.
#
# Environment:
#   SCHEDULER_LOGS_DIR    where the jobs' logs are, which tell of pauses and durations; /opt/.task-scheduler/logs
#   SCHEDULER_JOBS_FILE   the scheduler's list of jobs, for --count missed; /opt/.task-scheduler/jobs.json
#
# Exit status:
#   0 fine; 1 a target is missed, or there is no such job; 2 usage; 3 input or output failed, or a job was left out
#   because its file or its log cannot be read
#
# Examples:
#   taskresults sla --window 90d
#   taskresults sla --target 99.9 --window 2026-02-01..2026-02-28
#   taskresults sla my-job --target 95 --of success --json
#   taskresults sla --target 99 --of success --count missed --max-duration 2h

# shellcheck shell=bash

parse_options 'window= target= of= count= max-duration= job= raw json jsonl csv' "$@"
load lib/{query,jobs,sorts} sla/{window,target,jobs,tables,rows}
format_option json jsonl csv
[[ ! -v opt[job] ]] || args+=("${opt[job]}")
set_target
set_window
choose_jobs
choose_switches
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
if ((${#unreadable_logs[@]})); then
  load lib/name_unreadable
  name_unreadable_files 'left out' log "$logs_dir" .log "${unreadable_logs[@]}"
fi
((${#unreadable[@]} == 0)) || say_unreadable
((${#unreadable_logs[@]} == 0)) || exit "$EXIT_IO"
((missed_jobs == 0)) || exit "$EXIT_NO"
