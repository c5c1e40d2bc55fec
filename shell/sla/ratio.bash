# ratio.bash - SQL for `sla --ratio`: success by days alone, which are known also of records that a prune has removed.
#
# Loaded behind tables and rows, whose functions of the same names it replaces.

# shellcheck shell=bash

# check_ratio - what else was asked for must not need each record.
check_ratio() {
  exclusive ratio max-duration
  exclusive ratio count
  [[ -n $has_segments ]] || refuse_segments --ratio
  [[ ${opt[of]-success} == success ]] || usage_error "--ratio is about success alone, not --of ${opt[of]}"
  opt[of]=success
}

# sla_tables - SQL: `sla` has what the others have, and NULL where it is not known. A day counts if it begins in the
# window.
sla_tables() {
  local begins="taskresults_time(day$zone_argument)" named_zone=${zone_argument#, }
  printf '%s\n' "CREATE TABLE counted AS
  SELECT $job_key AS job_id, $begins >= $from AND $begins < $to AS is_in, day IS NULL AS is_timeless, sum(runs) AS runs,
    sum(failures) AS failures FROM task_days WHERE zone = ${named_zone:-NULL} AND $condition GROUP BY 1, 2, 3;
CREATE TABLE sla AS
  WITH run AS (SELECT job_id, coalesce(sum(runs) FILTER (WHERE is_in), 0) AS runs,
    coalesce(sum(runs - failures) FILTER (WHERE is_in), 0) AS successes FROM counted GROUP BY job_id),
  budget AS (SELECT *, nullif(runs, 0) * ($WHOLE - $target) AS runs_budget FROM run)
  SELECT *, NULL AS time, NULL AS up, NULL AS down, NULL AS paused, NULL AS outages, NULL AS mttr, NULL AS mtbf,
    NULL AS time_budget, coalesce((runs - successes) * $WHOLE > runs_budget, 0) AS runs_missed
    ${hosts:+, substr(job_id, 1, instr(job_id, '/') - 1) AS host} FROM budget;"
}

sla_counts() {
  printf '%s' "SELECT (SELECT count(*) FROM sla), (SELECT count(*) FROM sla WHERE $missed),
    (SELECT coalesce(sum(runs), 0) FROM counted WHERE is_timeless), 0, 0, 0;"
}

set_table_rows() {
  local success_text
  load lib/{fields,percent} terminal/table
  set_percent_text success_text successes runs 3
  print_rows="SELECT $host_cell$(cell "$own_job"), runs, runs - successes, $success_text,
    CASE WHEN runs_budget IS NULL THEN ''
      ELSE printf('%.1f', (runs_budget - (runs - successes) * $WHOLE) / ${WHOLE}e0) END,
    CASE WHEN $missed THEN $(paint red "'missed'") ELSE '' END
    FROM sla ORDER BY ${hosts:+host, }job_id;"
}

print_table() {
  local header
  printf -v header '%s\x1f' ${hosts:+HOST} JOB RUNS FAILED SUCCESS
  if [[ $target == NULL ]]; then header+=$'\x1f'; else header+=$'RUNS LEFT\x1f '; fi
  show_table "$header"$'\n'"$1" lrrrrl 1 '5 3'
}
