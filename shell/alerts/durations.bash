# durations.bash - SQL: how long runs take, and which took longer or less long than is usual for their job.

# shellcheck shell=bash

# A run is compared with the last 30 successes, and with none if there are fewer than 5. They are searched among the
# last 1,000 runs.
USUAL_RUNS=30
FEWEST_USUAL_RUNS=5
LONGEST_SEARCH=1000

# The least difference: logs have whole seconds, so a difference of one second may be none.
LEAST_DIFFERENCE_US=1000000

# Columns of task_runs, as those of `timed`.
TIMED="ok AS good, CAST(round(duration_s * 1000000) AS INTEGER) AS took, started_us AS started"

# The default factors. Durations of the same work vary by a half or two thirds from day to day, and by a factor of three
# once in hundreds of runs. A run that does nothing takes a small part of the usual time.
SLOW_FACTOR=3
FAST_FACTOR=10

# factor_option NAME DEFAULT - turns the option, if it is given, into thousandths.
factor_option() {
  local digits
  [[ -v opt[$1] ]] || return 0
  [[ ${opt[$1]:-$2} =~ ^0*([0-9]{1,6})(\.([0-9]{1,3})0*)?$ ]] ||
    usage_error "--$1 wants a factor, such as --$1=$2 or --$1=2.5, not '${opt[$1]}'"
  digits=${BASH_REMATCH[3]}000
  opt[$1]=$((10#${BASH_REMATCH[1]} * 1000 + 10#${digits:0:3}))
  ((opt[$1] > 1000)) || usage_error "--$1 wants a factor above 1"
}

# look_at_logs - if an alert needs logs: calls find_logs, reduces `unreadable_logs` to the jobs that were asked for, and
# names them in a message. If there is no directory of logs, it adds to `unjudged` which alerts are left out. Under a
# mapping, records may have the durations.
look_at_logs() {
  local job asked_for=() messages=() left_out
  local -A asked=()
  logs_known='' durations_known='' unreadable_logs=()
  set_given missed burn slow fast
  [[ -n $left_out ]] || return 0
  load lib/logs
  find_logs
  durations_known=$has_durations
  [[ -n $shared_files ]] || durations_known+=$logs_known
  leave_out_logless
  [[ -n $logs_known ]] || return 0
  for job in "${args[@]}"; do asked["=$job"]=1; done
  for job in "${unreadable_logs[@]}"; do
    ((${#args[@]} == 0)) || [[ -v asked["=$job"] || -n $hosts && -v asked["=${job#*/}"] ]] || continue
    asked_for+=("$job") messages+=("job $job: its log is not readable; no alerts for it that need one")
  done
  unreadable_logs=("${asked_for[@]}")
  ((${#messages[@]})) || return 0
  load lib/say
  say_each "${messages[@]}"
}

# leave_out_logless - for look_at_logs, with its variables: adds to `unjudged`.
leave_out_logless() {
  local needs_logs=(missed burn) needs_durations=(slow fast)
  [[ -z $logs_known ]] || needs_logs=()
  [[ -z $durations_known ]] || needs_durations=()
  set_given "${needs_logs[@]}" "${needs_durations[@]}"
  if [[ -z $left_out ]]; then
    return
  elif [[ -z $logs_known ]]; then
    unjudged+=("left out: $left_out, since the jobs' logs cannot be read: $logs_dir;\
 SCHEDULER_LOGS_DIR says where they are")
  else
    unjudged+=("left out: $left_out, since this mapping has neither \"duration\" nor \"started\"")
  fi
}

# known_durations - SQL: for each job that has a log, the newest run (with n = 1), and the successes before it whose
# duration is known, newest first. Under a mapping, for each job.
known_durations() {
  [[ -v opt[slow] || -v opt[fast] ]] && [[ -n $durations_known ]] || return 0
  sql+="CREATE TABLE logged(job TEXT PRIMARY KEY) WITHOUT ROWID;"$'\n'
  sql+=$(each_text logged "${readable_logs[@]}"; each_text unread_log "${unreadable_logs[@]}")$'\n'
  [[ -z $is_mapped ]] || sql+="INSERT OR IGNORE INTO logged SELECT job FROM wanted;"$'\n'
  if [[ -n $shared_files ]]; then sql+=$(timed_in_shared_files); else sql+=$(timed_by_job); fi
  sql+="
  -- Twice the median, which is an integer: of the successes before the newest run; and, with going_on = 1, of those
  -- before a run that is still going on, which include the newest one.
  CREATE TABLE usual AS WITH
    compared AS (SELECT job, going_on, took, row_number() OVER (PARTITION BY job, going_on ORDER BY n) AS nth
      FROM timed JOIN (SELECT 0 AS going_on UNION ALL SELECT 1)
      WHERE good AND took IS NOT NULL AND (n > 1 OR going_on)),
    ranked AS (SELECT job, going_on, took, row_number() OVER (PARTITION BY job, going_on ORDER BY took) AS nth,
        count(*) OVER (PARTITION BY job, going_on) AS runs FROM compared WHERE nth <= $USUAL_RUNS)
    SELECT job, going_on, sum(CASE WHEN runs % 2 THEN 2 * took ELSE took END) AS twice FROM ranked
      WHERE runs >= $FEWEST_USUAL_RUNS AND nth IN ((runs + 1) / 2, runs / 2 + 1) GROUP BY job, going_on;"
}

# timed_by_job - a single statement, so that each log is read once.
timed_by_job() {
  printf '%s' "INSERT INTO timed
    SELECT job, value->>0, value->>1, value->>2, value->>3 FROM wanted JOIN logged USING (job) JOIN json_each((
      SELECT json_group_array(json_array(n, good, took, started)) FROM (
        SELECT * FROM (SELECT row_number() OVER (ORDER BY rowid DESC) AS n, $TIMED
          FROM task_runs WHERE $known_runs AND $(of_job job_id wanted.job) ORDER BY rowid DESC LIMIT $LONGEST_SEARCH)
        WHERE n = 1 OR (good AND took IS NOT NULL) LIMIT $((USUAL_RUNS + 1)))))
    WHERE job NOT IN (SELECT job FROM unread_log);"
}

# timed_in_shared_files - the same, so that files are read once for all jobs.
timed_in_shared_files() {
  printf '%s' "INSERT INTO timed
    SELECT job, n, good, took, started FROM (
      SELECT *, row_number() OVER (PARTITION BY job ORDER BY n) AS nth FROM (
        SELECT $job_key AS job, row_number() OVER (PARTITION BY ${host_column}job_id ORDER BY rowid DESC) AS n, $TIMED
        FROM task_runs WHERE $known_runs)
      WHERE n <= $LONGEST_SEARCH AND (n = 1 OR (good AND took IS NOT NULL)))
    WHERE nth <= $((USUAL_RUNS + 1)) AND job IN (SELECT job FROM wanted);"
}

# slow_alerts - a run that is still going on comes before the newest record, as it will be newer.
slow_alerts() {
  local is_slow="took * 2000 > ${opt[slow]} * twice AND took * 2 - twice > 2 * $LEAST_DIFFERENCE_US"
  sql+="INSERT INTO firing SELECT job, 'slow', started, 0,
      'running for ' || $(took took) || ', usually ' || $(took '(twice / 2)')
    FROM (SELECT job, started, twice, $now - started AS took FROM fact JOIN known USING (job) JOIN usual USING (job)
      WHERE running AND going_on)
    WHERE $is_slow;
  INSERT OR IGNORE INTO firing SELECT job, 'slow', started, 0,
      'took ' || $(took took) || ', usually ' || $(took '(twice / 2)')
    FROM timed JOIN usual USING (job) WHERE n = 1 AND NOT going_on AND $is_slow;"
}

# fast_alerts - only successes: failures are often fast, and other alerts report them.
fast_alerts() {
  sql+="INSERT INTO firing SELECT job, 'fast', started, 0,
      'took only ' || $(took took) || ', usually ' || $(took '(twice / 2)')
    FROM timed JOIN usual USING (job) WHERE n = 1 AND good AND NOT going_on
      AND took * 2 * ${opt[fast]} < twice * 1000 AND twice - took * 2 > 2 * $LEAST_DIFFERENCE_US;"
}
