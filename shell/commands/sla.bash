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
format_option json jsonl csv
[[ ! -v opt[job] ]] || args+=("${opt[job]}")

YEAR_1=-62135596800000000

# set_window - `from` and `to`, in microseconds; the window is [from, to).
set_window() {
  local text=${opt[window]-30d} now=${EPOCHREALTIME/[.,]/} first last expressions=()
  if [[ $text == *..* ]]; then
    set_sql_text first "${text%%..*}"
    set_sql_text last "${text#*..}"
    [[ $text == ..* ]] && expressions=("$YEAR_1") || expressions=("taskresults_time($first)")
    # A whole day ends where the next one begins.
    [[ $text == *.. ]] && expressions+=("$now") || expressions+=("taskresults_time($last, 'until')
      + (taskresults_time($last, 'until') - taskresults_time($last) = 86399999999)")
  else
    set_sql_text first "$text"
    expressions=("max($now - taskresults_span($first), $YEAR_1)" "$now")
  fi
  evaluate "${expressions[@]}"
  if ((${#values[@]} < 2)); then
    is_unreadable_time || die_of_sqlite "$value_error"
    usage_error "--window wants a length of time ($SPAN_FORMS), or FROM..TO, where each is a time, or nothing" \
      "($TIME_FORMS), not '$text'"
  fi
  from=${values[0]} to=${values[1]}
  ((to <= now)) || to=$now
  ((from < to)) || usage_error "--window has to begin before it ends, and before now; '$text' does not"
}
set_window

# Percentages as whole millionths of a percent, so that a target is met or missed exactly.
WHOLE=100000000
target=NULL
if [[ -v opt[target] ]]; then
  [[ ${opt[target]} =~ ^0*([0-9]{1,3})(\.([0-9]{1,6})0*)?%?$ ]] ||
    usage_error "--target wants a percentage, not '${opt[target]}'"
  digits=${BASH_REMATCH[3]}000000
  target=$((10#${BASH_REMATCH[1]} * 1000000 + 10#${digits:0:6}))
  ((target > 0 && target <= WHOLE)) || usage_error "--target wants a percentage up to 100, not '${opt[target]}'"
fi
case ${opt[of]-both} in
  both) missed='time_missed OR runs_missed' ;;
  uptime) missed='time_missed' ;;
  success) missed='runs_missed' ;;
  *) usage_error "--of wants uptime, success or both, not '${opt[of]}'" ;;
esac

unreadable=() unreadable_logs=()
if ((${#args[@]})); then
  named_jobs "${args[@]}"
  condition=$job_condition
else
  readable_jobs
  condition=1
fi

# leave_out_unreadable_logs - of a job whose log cannot be read, it is not known when it was paused. Sets
# `unreadable_logs` and `readable_logs`, SQL that chooses the others.
leave_out_unreadable_logs() {
  local readable results_left_out=("${unreadable[@]}")
  find_unreadable "$logs_dir" .log
  unreadable_logs=("${unreadable[@]}") unreadable=("${results_left_out[@]}") readable_logs=1
  ((${#unreadable_logs[@]})) || return 0
  readable_logs="job_id IN $(jobs_in "${readable[@]}")"
  condition+=" AND job_id NOT IN $(jobs_in "${unreadable_logs[@]}")"
}

switches="SELECT NULL AS job_id, NULL AS time_us, NULL AS offset, NULL AS pausing WHERE 0"
if [[ -d $logs_dir && -r $logs_dir && -x $logs_dir ]]; then
  readable_logs=$condition
  ((${#args[@]})) || leave_out_unreadable_logs
  switches="SELECT job_id, time_us, offset, event = 'paused' AS pausing FROM task_logs
    WHERE event IN ('paused', 'resumed') AND time_us IS NOT NULL AND $readable_logs"
else
  say "no directory of logs $logs_dir that can be read: it is not known when jobs were paused"
fi

# counted T - SQL: the instant T on the clock of a job, which stands still while the job is paused.
counted() {
  printf '%s' "($1 - coalesce((SELECT paused_before + min($1, resumed) - paused FROM pause
    WHERE pause.job_id = spell.job_id AND paused <= $1 ORDER BY paused DESC LIMIT 1), 0))"
}

# Record by record into the order of time; of these, where a job went up or down; from one such change to the next, a
# spell, of which the window shows the part between `since` and `until`.
tables="
CREATE TABLE event(place INTEGER PRIMARY KEY, job_id TEXT, at INTEGER, good INTEGER);
INSERT INTO event(job_id, at, good)
  SELECT job_id, time_us, ok FROM task_results WHERE $condition ORDER BY job_id, time_us, rowid;

CREATE TABLE pause(job_id TEXT, paused INTEGER, resumed INTEGER, paused_before INTEGER, PRIMARY KEY (job_id, paused))
  WITHOUT ROWID;
INSERT INTO pause
  WITH switch AS MATERIALIZED ($switches),
  change AS (SELECT *, lag(pausing, 1, 0) OVER (PARTITION BY job_id ORDER BY time_us, offset) AS was FROM switch),
  stretch AS (SELECT job_id, pausing, min(time_us, $to) AS paused,
      min(lead(time_us, 1, $to) OVER (PARTITION BY job_id ORDER BY time_us, offset), $to) AS resumed
    FROM change WHERE pausing <> was)
  SELECT job_id, paused, resumed,
    sum(resumed - paused) OVER (PARTITION BY job_id ORDER BY paused) - (resumed - paused)
  FROM stretch WHERE pausing AND resumed > paused;

CREATE TABLE spell AS
  WITH change AS (SELECT this.* FROM event AS this LEFT JOIN event AS last ON last.place = this.place - 1
      AND last.job_id = this.job_id AND last.at IS NOT NULL
    WHERE this.at < $to AND this.good IS NOT last.good),
  spell AS (SELECT job_id, good, at AS began, lead(at) OVER (PARTITION BY job_id ORDER BY place) AS ended FROM change)
  SELECT *, max(began, $from) AS since, coalesce(ended, $to) AS until
  FROM spell WHERE began >= $from OR coalesce(ended, $to) > $from;

CREATE TABLE part AS SELECT job_id, good, began, ended, until - since AS elapsed,
    $(counted since) AS clock, $(counted until) - $(counted since) AS length FROM spell;

CREATE TABLE sla AS
  WITH run AS (SELECT job_id, count(*) FILTER (WHERE at >= $from AND at < $to) AS runs,
      coalesce(sum(good) FILTER (WHERE at >= $from AND at < $to), 0) AS successes FROM event GROUP BY job_id),
  time AS (SELECT job_id, coalesce(sum(length) FILTER (WHERE good), 0) AS up,
      coalesce(sum(length) FILTER (WHERE NOT good), 0) AS down, sum(elapsed - length) AS paused,
      count(*) FILTER (WHERE NOT good) AS outages,
      avg(length) FILTER (WHERE NOT good AND ended IS NOT NULL) / 1e6 AS mttr,
      count(*) FILTER (WHERE NOT good AND began >= $from) AS begun,
      max(clock) FILTER (WHERE NOT good AND began >= $from)
        - min(clock) FILTER (WHERE NOT good AND began >= $from) AS apart
    FROM part GROUP BY job_id),
  -- A job that did not run was down all along, or else nothing shows that it was up.
  known AS (SELECT run.*, CASE WHEN up + down > 0 AND (runs > 0 OR down > 0) THEN up + down END AS time,
      up, down, coalesce(paused, 0) AS paused, coalesce(outages, 0) AS outages, mttr,
      CASE WHEN begun > 1 THEN apart / 1e6 / (begun - 1) END AS mtbf
    FROM run LEFT JOIN time USING (job_id)),
  budget AS (SELECT *, time / $WHOLE * ($WHOLE - $target) + time % $WHOLE * ($WHOLE - $target) / $WHOLE AS time_budget,
      nullif(runs, 0) * ($WHOLE - $target) AS runs_budget FROM known)
  SELECT *, coalesce(down > time_budget, 0) AS time_missed,
    coalesce((runs - successes) * $WHOLE > runs_budget, 0) AS runs_missed FROM budget;"

columns=(job_id runs successes failures success_percent uptime_percent up_seconds down_seconds paused_seconds outages
  mtbf_seconds mttr_seconds budget_seconds budget_seconds_left budget_runs budget_runs_left missed)
select="SELECT job_id, runs, successes, runs - successes AS failures,
  100.0 * successes / nullif(runs, 0) AS success_percent,
  100.0 * up / time AS uptime_percent, CASE WHEN time THEN up / 1e6 END AS up_seconds,
  CASE WHEN time THEN down / 1e6 END AS down_seconds, paused / 1e6 AS paused_seconds, outages,
  mtbf AS mtbf_seconds, mttr AS mttr_seconds, time_budget / 1e6 AS budget_seconds,
  (time_budget - down) / 1e6 AS budget_seconds_left, runs_budget / ${WHOLE}e0 AS budget_runs,
  (runs_budget - (runs - successes) * $WHOLE) / ${WHOLE}e0 AS budget_runs_left,
  $missed AS missed FROM sla ORDER BY job_id"

set_percent_text success_text successes runs 3
set_percent_text uptime_text up time 3

# span SECONDS - SQL: they may be less than none.
span() {
  local seconds="CAST(($1) AS INTEGER)"
  printf '%s' "CASE WHEN $1 IS NULL THEN '' WHEN $1 < 0 THEN '-' || ($(duration "-$seconds"))
    ELSE $(duration "$seconds") END"
}

case $format in
  csv)
    cells=("${columns[@]}")
    cells[-1]="CASE WHEN missed THEN 'true' ELSE 'false' END AS missed"
    print_rows=$(csv_statement "SELECT $(IFS=,; echo "${cells[*]}") FROM ($select)")
    ;;
  json | jsonl)
    pairs=()
    for name in "${columns[@]}"; do pairs+=("$name" "$name"); done
    pairs[-1]="CASE WHEN missed THEN json('true') ELSE json('false') END"
    print_rows="SELECT $(json_row "${pairs[@]}") FROM ($select);"
    ;;
  '')
    print_rows="SELECT $(cell job_id), runs, $success_text, $uptime_text,
      CASE WHEN time THEN $(span 'down / 1000000') ELSE '' END,
      outages, $(span mtbf), $(span mttr), $(span '(time_budget - down) / 1000000'),
      CASE WHEN runs_budget IS NULL THEN ''
        ELSE printf('%.1f', (runs_budget - (runs - successes) * $WHOLE) / ${WHOLE}e0) END,
      CASE WHEN $missed THEN $(paint red "'missed'") ELSE '' END
      FROM sla ORDER BY job_id;"
    ;;
esac

require_jobs "${args[@]}"

# The last line has the counts that decide on messages and on the exit status.
sorts_all_runs
answer=$(with_progress query "$tables
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
    {
      printf '%s\x1f' JOB RUNS SUCCESS UPTIME DOWN OUTAGES MTBF MTTR
      if [[ $target == NULL ]]; then printf '\x1f\x1f\n'; else printf 'TIME LEFT\x1fRUNS LEFT\x1f \n'; fi
      printf '%s' "$rows"
    } | show_table lrrrrrrrrrl 1 '7 8 2 6 5 9 10 4'
    finish "${PIPESTATUS[@]}"
    ;;
esac
name_unreadable_files 'left out' log "$logs_dir" .log "${unreadable_logs[@]}"
say_unreadable
((${#unreadable_logs[@]} == 0)) || exit "$EXIT_IO"
((missed_jobs == 0)) || exit "$EXIT_NO"
