# tables.bash - SQL: from records to the figures of each job, step by step.
#
# With --hosts, job_id is HOST/JOB in all of these tables.

# shellcheck shell=bash

# counted T - SQL: the time T on a clock that stops while the job is paused.
counted() {
  printf '%s' "($1 - coalesce((SELECT paused_before + min($1, resumed) - paused FROM pause
    WHERE pause.job_id = spell.job_id AND paused <= $1 ORDER BY paused DESC LIMIT 1), 0))"
}

# The steps: records in the order of time; from these, the times at which a job went up or down; from one such change to
# the next lasts a spell, and the window has the part of it between `since` and `until`. Where a prune has removed runs
# from the middle of a file (`gap`), nobody knows what a job was; so its first spell begins behind that.
sla_tables() {
  event_table
  pause_table
  spell_tables
  sla_table
}

event_table() {
  local events="SELECT * FROM run"
  printf '%s\n' "CREATE TABLE run AS $(run_select);
CREATE TABLE gap(job_id TEXT PRIMARY KEY, at INTEGER) WITHOUT ROWID;
INSERT INTO gap SELECT job_id, max(at) FROM run WHERE NOT unbroken AND at IS NOT NULL GROUP BY job_id;"
  [[ ! -v opt[count] ]] || { slot_tables; events+=" $(missing_slots)"; }
  printf '%s\n' "CREATE TABLE event(place INTEGER PRIMARY KEY, job_id TEXT, at INTEGER, good INTEGER, is_slot INTEGER,
  is_slow INTEGER, is_untold INTEGER);
INSERT INTO event(job_id, at, good, is_slot, is_slow, is_untold)
  SELECT job_id, at, good, is_slot, is_slow, is_untold FROM ($events) ORDER BY job_id, at, is_slot, place;"
}

# run_select - SQL: a row for each record. With --max-duration, a success that took longer counts as a failure; the
# duration of some may be unknown.
run_select() {
  if [[ $max_duration == NULL ]]; then
    printf '%s' "SELECT $job_key AS job_id, time_us AS at, ok AS good, 0 AS is_slot, 0 AS is_slow, 0 AS is_untold,
      $place AS place, unbroken FROM $records WHERE $known_runs AND $condition"
  elif [[ -z $logs_known$is_mapped ]]; then
    printf '%s' "SELECT $job_key AS job_id, time_us AS at, ok AS good, 0 AS is_slot, 0 AS is_slow, ok AS is_untold,
      $place AS place, unbroken FROM $records WHERE $known_runs AND $condition"
  else
    printf '%s' "SELECT job_id, at, ok AND took <= $max_duration IS NOT 0 AS good, 0 AS is_slot,
        ok AND took > $max_duration IS 1 AS is_slow, ok AND took IS NULL AS is_untold, place, unbroken
      FROM (SELECT $job_key AS job_id, time_us AS at, ok, $place AS place, unbroken,
          CASE WHEN started_us <= time_us THEN time_us - started_us END AS took
        FROM task_runs WHERE $known_runs AND $condition)"
  fi
}

pause_table() {
  printf '%s\n' "CREATE TABLE pause(job_id TEXT, paused INTEGER, resumed INTEGER, paused_before INTEGER,
  PRIMARY KEY (job_id, paused))
  WITHOUT ROWID;
INSERT INTO pause
  WITH switch AS MATERIALIZED ($switches),
  change AS (SELECT *, lag(pausing, 1, 0) OVER (PARTITION BY job_id ORDER BY time_us, offset) AS was FROM switch),
  stretch AS (SELECT job_id, pausing, min(time_us, $to) AS paused,
      min(lead(time_us, 1, $to) OVER (PARTITION BY job_id ORDER BY time_us, offset), $to) AS resumed
    FROM change WHERE pausing <> was)
  SELECT job_id, paused, resumed,
    sum(resumed - paused) OVER (PARTITION BY job_id ORDER BY paused) - (resumed - paused)
  FROM stretch WHERE pausing AND resumed > paused;"
}

spell_tables() {
  printf '%s\n' "CREATE TABLE spell AS
  WITH known AS (SELECT event.* FROM event LEFT JOIN gap USING (job_id) WHERE gap.at IS NULL OR event.at > gap.at),
  change AS (SELECT this.* FROM known AS this LEFT JOIN event AS last ON last.place = this.place - 1
      AND last.job_id = this.job_id AND last.at IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM gap WHERE gap.job_id = last.job_id AND gap.at >= last.at)
    WHERE this.at < $to AND this.good IS NOT last.good),
  spell AS (SELECT job_id, good, at AS began, lead(at) OVER (PARTITION BY job_id ORDER BY place) AS ended FROM change)
  SELECT *, max(began, $from) AS since, coalesce(ended, $to) AS until
  FROM spell WHERE began >= $from OR coalesce(ended, $to) > $from;

CREATE TABLE part AS SELECT job_id, good, began, ended, until - since AS elapsed,
    $(counted since) AS clock, $(counted until) - $(counted since) AS length FROM spell;"
}

sla_table() {
  printf '%s\n' "CREATE TABLE sla AS
  WITH run AS (SELECT job_id, count(*) FILTER (WHERE at >= $from AND at < $to) AS runs,
      coalesce(sum(good) FILTER (WHERE at >= $from AND at < $to), 0) AS successes,
      count(*) FILTER (WHERE is_slot AND at >= $from AND at < $to) AS missed_slots,
      count(*) FILTER (WHERE is_slow AND at >= $from AND at < $to) AS slow_runs,
      count(*) FILTER (WHERE is_untold AND at >= $from AND at < $to) AS untold_runs FROM event GROUP BY job_id),
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
    coalesce((runs - successes) * $WHOLE > runs_budget, 0) AS runs_missed
    ${hosts:+, substr(job_id, 1, instr(job_id, '/') - 1) AS host} FROM budget;"
}
