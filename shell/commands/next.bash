# next [JOB...] - when each job is due next, and how its last slot ended
#
# Usage: taskresults next [JOB...] [OPTION...]
#
# The schedules are those of the scheduler's jobs.json, which are in UTC. The job that is due first comes first. Jobs
# that are not due follow, with the reason: a job that runs now and whose schedule counts from the end of that run, a
# job whose schedule cannot be read, a paused job, and a job that is never due again, because it was due only once, or
# because its schedule names a day that does not exist.
#
# The last slot is the latest time up to now at which the job was due. Its state is that of task_slots: ran, late,
# missed, paused, skipped, pending or unknown. A run that failed is shown as failed.
#
# Options:
#   --hosts PATH    of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host; logs
#                   and the list of jobs are beside the results
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   --within D      only jobs that are due within that time (90s, 30m, 12h, 7d), that run now, or whose schedule cannot
#                   be read, since these may be due, too
#   --limit N       only the first N
#   --tz ZONE       show times in a time zone: Europe/Berlin, or local for that of this machine; default UTC. The
#                   schedules, and the times in the formats below, stay in UTC
#   --raw           control characters as they are (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# The machine formats have job_id, state (due, running, unknown, paused or never), next, in_s (seconds from now),
# schedule, last (when it was due), last_state, late_s, last_success (true or false; null without a
# record) and reason. With --hosts, host comes first.
#
# Exit status:
#   0 fine, even if nothing is due; 1 no such job; 2 usage; 3 input or output failed, or a job was left out because
#   one of its files cannot be read
#
# Examples:
#   taskresults next --within 1h
#   taskresults next nightly-backup --json

# shellcheck shell=bash

parse_options 'hosts= map= within= limit= tz= raw json jsonl csv' "$@"
load lib/{option_values,unreadable,logs}
map_option
hosts_option
format_option json jsonl csv
zone_option
number_option limit
span_options within

# unreadable_files - sets `unreadable` and `unreadable_logs`, the jobs with records or a log that cannot be read. Later
# queries leave these jobs out.
unreadable_files() {
  find_logs
  find_unreadable "$results_dir" "$file_after"
  ((${#unreadable[@]} + ${#unreadable_logs[@]} == 0)) || export TASKRESULTS_UNREADABLE=skip
}

# say_left_out - names those jobs, and exits with 3, if there are any.
say_left_out() {
  ((${#unreadable[@]} + ${#unreadable_logs[@]})) || return 0
  load lib/name_unreadable
  name_unreadable 'left out' "${unreadable[@]}"
  say_unreadable_logs 'left out'
  exit "$EXIT_IO"
}

# choose_jobs - sets `wanted`, SQL: the jobs to look at. The tables open the files of no other job.
choose_jobs() {
  local left_out=("${unreadable[@]}" "${unreadable_logs[@]}")
  wanted=1
  if ((${#args[@]})); then
    load lib/listed_jobs
    named_jobs "${args[@]}"
    wanted=$job_condition
    require_listed_jobs "${args[@]}"
  fi
  ((${#left_out[@]})) || return 0
  load lib/jobs_in
  wanted="$job_pair IN (SELECT ${host_column}job_id FROM task_jobs WHERE record IS NOT NULL AND job_id IS NOT NULL
    AND $wanted AND $job_pair NOT IN $(jobs_in "${left_out[@]}"))"
}

unreadable_files
choose_jobs
within=1
[[ ! -v opt[within] ]] || within="state IN ('running', 'unknown') OR (state = 'due' AND
  next_us <= taskresults_time('now') + ${opt[within]})"
limit=${opt[limit]-0}

# Two passes over the jobs: joined without being materialized, each row would look into jobs.json.
select="WITH clock AS MATERIALIZED (SELECT taskresults_time('now') AS now),
  coming AS MATERIALIZED (SELECT ${host_column}job_id, slot, min(slot_us) AS slot_us, reason
    FROM task_slots((SELECT now FROM clock), '9999-12-31', NULL, NULL, 1) WHERE $wanted GROUP BY ${host_column}job_id),
  past AS MATERIALIZED (SELECT ${host_column}job_id, slot, max(slot_us) AS slot_us, state, late_s, ok, reason
    FROM task_slots('0001-01-01', (SELECT now FROM clock), NULL, NULL, -1) WHERE $wanted GROUP BY ${host_column}job_id),
  job AS (SELECT ${host_column}job_id, coalesce(nullif(cron, ''), schedule) AS schedule,
      CASE WHEN coming.slot IS NULL AND coming.job_id IS NOT NULL THEN 'unknown'
        WHEN NOT is_enabled THEN 'paused' WHEN coming.slot IS NOT NULL THEN 'due'
        WHEN task_jobs.state = 'running' THEN 'running' ELSE 'never' END AS state, coming.slot, coming.slot_us,
      coming.reason AS why, past.slot AS last, past.slot_us AS last_us, past.state AS last_state, late_s, ok,
      past.reason AS last_why
    FROM task_jobs LEFT JOIN coming USING (${host_column}job_id) LEFT JOIN past USING (${host_column}job_id)
    WHERE record IS NOT NULL AND job_id IS NOT NULL AND $wanted),
  shown AS (SELECT ${host_column}job_id, schedule, state, iif(state = 'due', slot, NULL) AS next,
      iif(state = 'due', slot_us, NULL) AS next_us, last, last_us, last_state, late_s, ok,
      CASE state WHEN 'unknown' THEN why WHEN 'paused' THEN coalesce(why, last_why, 'the job is not enabled')
        ELSE last_why END AS reason FROM job)
  SELECT * FROM shown WHERE $within
  ORDER BY CASE state WHEN 'due' THEN 0 WHEN 'running' THEN 1 WHEN 'unknown' THEN 2 WHEN 'paused' THEN 3 ELSE 4 END,
    next_us, ${host_column}job_id LIMIT $((limit ? limit : -1))"

if [[ -n $format ]]; then
  rows_as "$format" "SELECT ${host_column}job_id, state, next,
    (next_us - taskresults_time('now')) / 1000000 AS in_s, schedule, last, last_state, late_s,
    CASE ok WHEN 1 THEN json('true') WHEN 0 THEN json('false') END AS last_success,
    reason FROM ($select)" \
    ${hosts:+host} job_id state next in_s schedule last last_state late_s last_success reason
  say_left_out
  exit 0
fi

load lib/{rows,times,fields} terminal/colour
set_cell job job_id
set_cell schedule schedule
set_duration delay 'CAST(late_s AS INTEGER)'
set_cell reason "coalesce(reason, iif(last_state = 'late', 'began ' || ($delay) || ' late', NULL))"
set_clock at next_us
set_relative_time ahead next_us
set_clock last_at last_us
set_painted failed red "'failed'"
set_painted bad red last_state
set_painted good green last_state
set_rows rows "SELECT $host_header'JOB', 'NEXT', '', 'SCHEDULE', 'LAST', '', 'WHY';
  SELECT $host_cell$job, iif(state = 'due', $at, state), $ahead, $schedule, $last_at,
    CASE WHEN ok = 0 THEN $failed WHEN last_state IN ('late', 'missed') THEN $bad WHEN last_state = 'ran' THEN $good
      ELSE coalesce(last_state, '') END, $reason FROM ($select);" || exit
if [[ $rows == *$'\n'*$'\n'* ]]; then
  load terminal/table
  show_table "$rows" lllllll '7:20 4:9 1' '5 3'
else
  say "$([[ -v opt[within] ]] && echo 'nothing is due in that time' || echo 'no jobs')"
fi
say_left_out
