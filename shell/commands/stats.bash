# stats [JOB] - counts the runs, successes and failures of one job or of each, in total or for each day
#
# Usage: taskresults stats [JOB] [OPTION...]
#
# The most failures in a row, and the mean time between runs, take into account only the records that were counted.
# Percentages are rounded down: 100 % means that no run failed. 0 % means that none succeeded; a little more is shown as
# <0.1 %.
#
# Options:
#   --since T       only runs at T or later: 7d, '90 days', 2026-02-14, 2026-02-14T09:30:00Z, yesterday and the like, in
#                   UTC; all forms: `taskresults help`
#   --until T       only runs at T or earlier; a bare day is included
#   --by PERIOD     a row for each hour, day, month, weekday or hour-of-day (UTC), beside the job
#   --total         one row for all jobs together
#   --raw           print control characters unchanged (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# The machine formats have job_id, period, runs, successes, failures, percent, first_run, last_run, worst_streak and
# interval_seconds; job_id is null with --total, and period without --by. --by, --since and --until skip records whose
# timestamp cannot be read, and a message says how many.
#
# Exit status:
#   0 fine; 1 no such job; 2 usage; 3 input or output failed, or a job was left out because its file cannot be read
#
# Examples:
#   taskresults stats
#   taskresults stats my-job --by day --since 7d
#   taskresults stats --total --json

# shellcheck shell=bash

parse_options 'since= until= by= total raw json jsonl csv' "$@"
load lib/{jobs,times,percent,sorts}
unreadable=()
job_argument
[[ -v args[0] ]] || { load lib/unreadable; readable_jobs; }
format_option json jsonl csv
time_options since until
at="$(seconds_of time_us), 'unixepoch'"
set_time_condition condition
condition+=" AND $job_condition"
case ${opt[by]-} in
  '') period=NULL ;;
  hour) period="strftime('%Y-%m-%d %H:00', $at)" ;;
  day) period="date($at)" ;;
  month) period="strftime('%Y-%m', $at)" ;;
  weekday) period="CASE strftime('%w', $at) WHEN '1' THEN '1 Monday' WHEN '2' THEN '2 Tuesday'
    WHEN '3' THEN '3 Wednesday'
    WHEN '4' THEN '4 Thursday' WHEN '5' THEN '5 Friday' WHEN '6' THEN '6 Saturday' ELSE '7 Sunday' END" ;;
  hour-of-day) period="strftime('%H', $at)" ;;
  *) usage_error "--by wants hour, day, month, weekday or hour-of-day, not '${opt[by]}'" ;;
esac
if [[ -v opt[by] ]]; then
  condition+=' AND time_us > -9223372036854775808' # any time; and records without one are counted
  load lib/query
  count_untimed
fi
sorts_all_runs
job=job_id
[[ ! -v opt[total] ]] || job=NULL

set_percent percent successes runs
set_percent_text percent_text successes runs 1

# A failure's streak is told by how many successes of its job came before it.
select="WITH
  run AS MATERIALIZED (SELECT $job AS job_id, job_id AS own_job, $period AS period, rowid AS place, time_us, ok AS good
    FROM task_results WHERE $condition),
  marked AS (SELECT *, sum(good) OVER (PARTITION BY own_job, period ORDER BY place) AS streak FROM run),
  worst AS (SELECT job_id, period, max(failures) AS worst_streak FROM (SELECT job_id, period, count(*) AS failures
    FROM marked WHERE NOT good GROUP BY own_job, period, streak) GROUP BY job_id, period),
  part AS (SELECT job_id, period, count(*) AS runs, sum(good) AS successes, min(time_us) AS first_us,
    max(time_us) AS last_us FROM run GROUP BY job_id, period)
  SELECT part.job_id, part.period, runs, successes, runs - successes AS failures,
    $percent AS percent, first_us, last_us, coalesce(worst_streak, 0) AS worst_streak,
    CASE WHEN runs > 1 THEN round((last_us - first_us) / 1e6 / (runs - 1), 1) END AS interval_seconds
  FROM part LEFT JOIN worst ON part.job_id IS worst.job_id AND part.period IS worst.period
  ORDER BY part.job_id, part.period"

if [[ -n $format ]]; then
  instant="strftime('%Y-%m-%dT%H:%M:%SZ'"
  rows_as "$format" "SELECT job_id, period, runs, successes, failures, percent,
    $instant, $(seconds_of first_us), 'unixepoch') AS first_run, $instant, $(seconds_of last_us),
      'unixepoch') AS last_run,
    worst_streak, interval_seconds FROM ($select)" \
    job_id period runs successes failures percent first_run last_run worst_streak interval_seconds
  no_such_job
  ((${#unreadable[@]} == 0)) || say_unreadable
  exit 0
fi

load lib/{rows,fields} terminal/table
set_rows rows "
  SELECT 'JOB', '${opt[by]+PERIOD}', 'RUNS', 'OK', 'FAILED', 'SUCCESS', 'WORST STREAK', 'EVERY', 'FIRST RUN',
    'LAST RUN', '';
  SELECT $(cell "coalesce(job_id, 'all')"), coalesce(period, ''), runs, successes,
    CASE WHEN failures THEN $(paint red failures) ELSE 0 END, $percent_text, worst_streak,
    coalesce($(duration 'CAST(interval_seconds AS INTEGER)'), ''), $(clock first_us), $(clock last_us),
    $(relative_time last_us) FROM ($select);" || exit
no_such_job
show_table "$rows" llrrrrrrllr 1 '9 10 7 8 11 4 3 5'
((${#unreadable[@]} == 0)) || say_unreadable
