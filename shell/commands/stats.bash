# stats [JOB] - counts the runs, successes and failures of one job or of each, in total or for each day
#
# Usage: taskresults stats [JOB] [OPTION...]
#
# The most failures in a row, and the mean time between runs, take into account only the records that were counted.
# Percentages are rounded down: 100 % means that no run failed. 0 % means that none succeeded; a little more is shown as
# <0.1 %.
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
#   --by PERIOD     a row for each hour, day, month, weekday or hour-of-day, beside the job
#   --total         one row for all jobs together; with --hosts, for those of each host
#   --raw           print control characters unchanged (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# The machine formats have job_id, period, runs, successes, failures, percent, first_run, last_run, worst_streak,
# interval_seconds, p50_seconds, p95_seconds and max_seconds; job_id is null with --total, and period without --by. With
# --hosts, host comes first.
# --by, --since and --until skip records whose timestamp cannot be read, and a message says how many.
#
# P50, P95 and MAX say how long runs took: half of them took at most P50, 95 % at most P95, and the longest took MAX.
# P50 and P95 are always the duration of a real run (the nearest rank). Only runs count whose duration is in the job's
# log. If there is none, the table has no such columns, and in the machine formats they are null.
#
# Environment:
#   SCHEDULER_LOGS_DIR    the jobs' logs, which say how long runs took; default /opt/.task-scheduler/logs
#
# Exit status:
#   0 fine; 1 no such job; 2 usage; 3 input or output failed, or a job was left out because its file cannot be read, or
#   durations because its log cannot
#
# Examples:
#   taskresults stats
#   taskresults stats my-job --by day --since 7d
#   taskresults stats --total --json

# shellcheck shell=bash

# keep_log_of JOB - other jobs' logs are ignored.
keep_log_of() {
  local job
  local kept=()
  for job in "${unreadable_logs[@]}"; do
    [[ $job != "$1" && (-z $hosts || $job != */"$1") ]] || kept+=("$job")
  done
  unreadable_logs=("${kept[@]}")
}

parse_options 'hosts= map= history since= until= tz= by= total raw json jsonl csv' "$@"
load lib/{option_values,jobs,times,percent,sorts,logs}
unreadable=()
map_option
hosts_option
history_option
job_argument
[[ -v args[0] ]] || { load lib/unreadable; readable_jobs; }
format_option json jsonl csv
zone_option
time_options since until
at="$(seconds_of time_us), 'unixepoch'" ahead="''"
if [[ -n $zone ]]; then # two hours that have the same name differ in how far they are ahead of UTC
  at="substr(taskresults_local(time_us, $zone), 1, 19)" ahead="substr(taskresults_local(time_us, $zone), 20)"
fi
set_time_condition condition
condition+=" AND $known_jobs AND $job_condition"
order=part.period
case ${opt[by]-} in
  '') period=NULL ;;
  hour) period="strftime('%Y-%m-%d %H:00', $at) || $ahead" order=first_us ;;
  day) period="date($at)" ;;
  month) period="strftime('%Y-%m', $at)" ;;
  weekday) period="CASE strftime('%w', $at) WHEN '1' THEN '1 Monday' WHEN '2' THEN '2 Tuesday'
    WHEN '3' THEN '3 Wednesday'
    WHEN '4' THEN '4 Thursday' WHEN '5' THEN '5 Friday' WHEN '6' THEN '6 Saturday' ELSE '7 Sunday' END" ;;
  hour-of-day) period="strftime('%H', $at)" ;;
  *) usage_error "--by wants hour, day, month, weekday or hour-of-day, not '${opt[by]}'" ;;
esac
if [[ -v opt[by] ]]; then
  condition+=' AND time_us > -9223372036854775808' # any time, but records without one are counted as skipped
  load lib/query
  count_untimed
fi
sorts_all_runs
job=job_id
[[ ! -v opt[total] ]] || job=NULL

set_percent percent successes known_runs
set_percent_text percent_text successes known_runs 1

find_logs
[[ ! -v args[0] ]] || keep_log_of "${args[0]}"
source=task_runs
[[ -n $logs_known$is_mapped ]] || source=$records
set_if_logged took 'CASE WHEN started_us <= time_us THEN time_us - started_us END'

# A quantile is the duration at that place, rounded up, among those that are known, in order: the nearest rank.
# A failure's streak is told by how many successes of its job came before it. The worst one is looked for behind the
# last place where a prune has removed runs.
select="WITH
  run AS MATERIALIZED (SELECT ${host_column}$job AS job_id, job_id AS own_job, $period AS period, $place AS place,
    time_us, ok AS good, unbroken, $took AS took FROM $source WHERE $condition),
  marked AS (SELECT *, sum(good) OVER (PARTITION BY ${host_column}own_job, period ORDER BY place) AS streak FROM run),
  worst AS (SELECT ${host_column}job_id, period, max(failures) AS worst_streak
    FROM (SELECT ${host_column}job_id, period, count(*) AS failures FROM marked WHERE NOT good AND unbroken
      GROUP BY ${host_column}own_job, period, streak) GROUP BY ${host_column}job_id, period),
  part AS (SELECT ${host_column}job_id, period, count(*) AS runs, count(good) AS known_runs,
    coalesce(sum(good), 0) AS successes, min(time_us) AS first_us,
    max(time_us) AS last_us FROM run GROUP BY ${host_column}job_id, period),
  timed AS (SELECT ${host_column}job_id, period, took,
    row_number() OVER (PARTITION BY ${host_column}job_id, period ORDER BY took) AS nth,
    count(*) OVER (PARTITION BY ${host_column}job_id, period) AS known FROM run WHERE took IS NOT NULL),
  durations AS (SELECT ${host_column}job_id, period, max(took) FILTER (WHERE nth = (known * 50 + 99) / 100) AS p50_us,
    max(took) FILTER (WHERE nth = (known * 95 + 99) / 100) AS p95_us, max(took) AS max_us
    FROM timed GROUP BY ${host_column}job_id, period)
  SELECT ${hosts:+part.host, }part.job_id, part.period, runs, known_runs, successes, known_runs - successes AS failures,
    $percent AS percent, first_us, last_us, coalesce(worst_streak, 0) AS worst_streak,
    CASE WHEN runs > 1 THEN round((last_us - first_us) / 1e6 / (runs - 1), 1) END AS interval_seconds,
    p50_us, p95_us, max_us, p50_us / 1e6 AS p50_seconds, p95_us / 1e6 AS p95_seconds, max_us / 1e6 AS max_seconds
  FROM part LEFT JOIN worst ON part.job_id IS worst.job_id AND part.period IS worst.period
      ${hosts:+AND part.host = worst.host}
    LEFT JOIN durations ON part.job_id IS durations.job_id AND part.period IS durations.period
      ${hosts:+AND part.host = durations.host}
  ORDER BY ${hosts:+part.host, }part.job_id, $order"

# tell_unreadable - names what could not be read, and exits with 3 if there is anything.
tell_unreadable() {
  say_unreadable_logs 'no durations'
  ((${#unreadable[@]} == 0)) || say_unreadable
  ((${#unreadable_logs[@]} == 0)) || exit "$EXIT_IO"
}

if [[ -n $format ]]; then
  instant="strftime('%Y-%m-%dT%H:%M:%SZ'"
  rows_as "$format" "SELECT ${host_column}job_id, period, runs, successes, failures, percent,
    $instant, $(seconds_of first_us), 'unixepoch') AS first_run, $instant, $(seconds_of last_us),
      'unixepoch') AS last_run,
    worst_streak, interval_seconds, p50_seconds, p95_seconds, max_seconds FROM ($select)" \
    ${hosts:+host} job_id period runs successes failures percent first_run last_run worst_streak interval_seconds \
    p50_seconds p95_seconds max_seconds
  no_such_job
  tell_unreadable
  exit 0
fi

load lib/{rows,fields} terminal/table
set_rows rows "CREATE TEMP TABLE figures AS $select;
  SELECT $host_header'JOB', '${opt[by]+PERIOD}', 'RUNS', 'OK', 'FAILED', 'SUCCESS', 'WORST STREAK', 'EVERY',
    iif(max(max_seconds) IS NULL, '', 'P50'), iif(max(max_seconds) IS NULL, '', 'P95'),
    iif(max(max_seconds) IS NULL, '', 'MAX'), 'FIRST RUN', 'LAST RUN', '' FROM figures;
  SELECT $host_cell$(cell "coalesce(job_id, 'all')"), coalesce(period, ''), runs, successes,
    CASE WHEN failures THEN $(paint red failures) ELSE 0 END, $percent_text, worst_streak,
    coalesce($(duration 'CAST(interval_seconds AS INTEGER)'), ''), $(took p50_us), $(took p95_us), $(took max_us),
    $(clock first_us), $(clock last_us), $(relative_time last_us)
    FROM figures ORDER BY rowid;" || exit
no_such_job
show_table "$rows" llrrrrrrrrrllr 1 '12 9 11 13 10 7 8 14 4 3 5'
tell_unreadable
