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
# Options:
#   --window W      24h, 7d, 30d (the default), '3 months' and the like, back from now; or FROM..TO with times such as
#                   2026-02-14, 2026-02-14T09:30:00Z or 7d, in UTC, where a bare day as TO is included; FROM.. ends now,
#                   and ..TO begins with each job's first record. All forms: `taskresults help`
#   --target P      a percentage, such as 99.9
#   --of MEASURE    what the target is for: uptime, success, or both (the default)
#   --job JOB       the same as JOB: for a name that begins with -
#   --raw           control characters as they are (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# The machine formats have job_id, runs, successes, failures, success_percent, uptime_percent, up_seconds, down_seconds,
# paused_seconds, outages, mtbf_seconds, mttr_seconds, budget_seconds, budget_seconds_left, budget_runs,
# budget_runs_left and missed (true or false). What is unknown is null, and so is the budget without --target.
#
# Environment:
#   SCHEDULER_LOGS_DIR    where the jobs' logs are, which tell of pauses; /opt/.task-scheduler/logs
#
# Exit status:
#   0 fine; 1 a target is missed, or there is no such job; 2 usage; 3 input or output failed, or a job was left out
#   because its file or its log cannot be read
#
# Examples:
#   taskresults sla --window 90d
#   taskresults sla --target 99.9 --window 2026-02-01..2026-02-28
#   taskresults sla my-job --target 95 --of success --json

# shellcheck shell=bash

parse_options 'window= target= of= job= raw json jsonl csv' "$@"
load lib/{query,jobs,sorts} sla/{window,target,jobs,tables,rows}
format_option json jsonl csv
[[ ! -v opt[job] ]] || args+=("${opt[job]}")
set_window
set_target
choose_jobs
choose_switches
set_print_rows
require_jobs "${args[@]}"

# The last line has the counts that decide on messages and on the exit status.
sorts_all_runs
answer=$(with_progress query "$(sla_tables)
  $print_rows
  SELECT (SELECT count(*) FROM sla), (SELECT count(*) FROM sla WHERE $missed),
    (SELECT count(*) FROM event WHERE at IS NULL);") || exit
counts=${answer##*$'\n'}
rows=${answer%"$counts"}
jobs=${counts%%$'\x1f'*} timeless=${counts##*$'\x1f'} missed_jobs=${counts#*$'\x1f'} missed_jobs=${missed_jobs%$'\x1f'*}
((timeless == 0)) || say "$timeless record$( ((timeless == 1)) || echo s) without a readable time not counted;" \
  "to see them: taskresults sql 'SELECT job_id, timestamp FROM task_results WHERE time_us IS NULL'"
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
  '')
    printf -v header '%s\x1f' JOB RUNS SUCCESS UPTIME DOWN OUTAGES MTBF MTTR
    if [[ $target == NULL ]]; then header+=$'\x1f\x1f\n'; else header+=$'TIME LEFT\x1fRUNS LEFT\x1f \n'; fi
    show_table "$header$rows" lrrrrrrrrrl 1 '7 8 2 6 5 9 10 4'
    ;;
esac
if ((${#unreadable_logs[@]})); then
  load lib/name_unreadable
  name_unreadable_files 'left out' log "$logs_dir" .log "${unreadable_logs[@]}"
fi
((${#unreadable[@]} == 0)) || say_unreadable
((${#unreadable_logs[@]} == 0)) || exit "$EXIT_IO"
((missed_jobs == 0)) || exit "$EXIT_NO"
