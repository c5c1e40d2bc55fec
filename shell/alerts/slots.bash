# slots.bash - SQL: runs that were expected and did not take place (--missed), and how much of the allowed failures is
# used up (--burn).

# shellcheck shell=bash

# How far back missed runs are searched for.
MISSED_WITHIN_US=604800000000

# 100 % in millionths of a percent, so that percentages are compared exactly.
ALL_RUNS=100000000

# slot_options - checks --missed and --burn. Sets `burn_target`, in millionths of a percent, and `burn_words` and
# `burn_span` for messages; the option is reduced to the length of time.
slot_options() {
  local digits
  if [[ -v opt[missed] ]]; then
    opt[missed]=${opt[missed]:-1}
    number_option missed
    ((opt[missed] > 0)) || usage_error '--missed wants 1 or more'
  fi
  [[ -v opt[burn] ]] || return 0
  [[ ${opt[burn]} =~ ^0*([0-9]{1,3})(\.([0-9]{1,6})0*)?%?/(.+)$ ]] ||
    usage_error "--burn wants P/D: P percent of the runs of D are to succeed, such as 99/30d, not '${opt[burn]}'"
  digits=${BASH_REMATCH[3]}000000
  burn_target=$((10#${BASH_REMATCH[1]} * 1000000 + 10#${digits:0:6}))
  burn_words="${BASH_REMATCH[1]}${BASH_REMATCH[2]} %" opt[burn]=${BASH_REMATCH[4]}
  ((burn_target > 0 && burn_target <= ALL_RUNS)) || usage_error "--burn wants a percentage up to 100, not $burn_words"
  burn_span=${opt[burn]}
}

# known_slots - SQL: fills the tables of missed and expected runs.
known_slots() {
  [[ -v opt[missed] || -v opt[burn] ]] && [[ -n $logs_known ]] || return 0
  ((list_known)) || return 0
  sql+="
  CREATE TABLE slotted(job TEXT PRIMARY KEY) WITHOUT ROWID;
  INSERT INTO slotted SELECT job FROM wanted WHERE job IN (SELECT job FROM known)
    AND job NOT IN (SELECT job FROM unread_log);"
  [[ ! -v opt[missed] ]] || missed_slots
  [[ ! -v opt[burn] ]] || sql+="
  INSERT INTO burnt SELECT $job_key, count(*), sum(state = 'missed'), sum(ok IS 0),
      min(slot_us) FILTER (WHERE state = 'missed' OR ok IS 0)
    FROM $(slots_since "$now - ${opt[burn]}") GROUP BY ${host_column}job_id;"
}

# slots_since TIME - SQL: the slots since then in which a run was expected, of the jobs that are examined.
slots_since() {
  printf '%s' "task_slots($1, $now, ${opt[grace]-NULL}) WHERE $job_pair IN (SELECT $(pair_in job) FROM slotted)
    AND state IN ('ran', 'late', 'missed')"
}

# missed_slots - SQL: fills `missed`, a row for each job. A reported alert is identified by its last missed slot,
# `upto`. A run at or after that slot (perhaps a late one for it) ends the alert, and slots missed after that run are
# new. When the end was reported or skipped, or if the job is paused, the state has `over` and the slot of the end. For
# an alert that began before the days that are searched, slots are read from `upto` on.
missed_slots() {
  local from="$now - $MISSED_WITHIN_US"
  sql+="
  CREATE TABLE slot AS SELECT $job_key AS job, slot_us AS slot, state = 'missed' AS is_missed
    FROM $(slots_since "$from");
  INSERT INTO slot SELECT told.job, slot_us, state = 'missed'
    FROM told CROSS JOIN task_slots(told.upto, $from - 1, ${opt[grace]-NULL}) AS s ON $(of_job s.job_id told.job)
    WHERE alert = 'missed' AND line->>'\$.over' IS NULL AND upto < $from AND told.job IN (SELECT job FROM slotted)
      AND s.state IN ('ran', 'late', 'missed');
  INSERT INTO missed SELECT job, enabled AND coalesce(upto IS NOT NULL AND NOT over AND ended_at IS NULL AND missed, 0)
      AS goes_on, ended_at, coalesce(ended_at, CASE WHEN NOT enabled THEN coalesce(last, upto) END) AS settled,
      untold, first_untold, last, since, streak
    FROM (SELECT job, upto, over, since, sum(is_missed) AS missed, max(slot) FILTER (WHERE is_missed) AS last,
        CASE WHEN over THEN upto ELSE min(slot) FILTER (WHERE has_ended) END AS ended_at,
        sum(is_missed AND is_behind) AS untold, min(slot) FILTER (WHERE is_missed AND is_behind) AS first_untold,
        sum(is_missed AND slot >= since) AS streak
      FROM (SELECT *, CASE WHEN upto IS NULL THEN 1 WHEN over THEN slot > upto ELSE has_ended END AS is_behind
        FROM (SELECT *, max(NOT is_missed AND slot >= upto) OVER (PARTITION BY job ORDER BY slot) AS has_ended
          FROM (SELECT slot.*, upto, coalesce(line->>'\$.over', 0) AS over, line->>'\$.since_us' AS since
            FROM slot LEFT JOIN (SELECT * FROM told WHERE alert = 'missed') USING (job))))
      GROUP BY job) JOIN (SELECT job, enabled FROM known) USING (job);"
}

missed_alerts() {
  sql+="INSERT INTO firing SELECT job, 'missed', began, is_new,
      CASE runs WHEN 1 THEN 'missed a run, due ' ELSE 'missed ' || runs || ' runs, since ' END || $(clock began)
    FROM (SELECT job, 1 AS is_new, first_untold AS began, untold AS runs FROM missed WHERE untold >= ${opt[missed]}
      UNION ALL SELECT job, 0, since, streak FROM missed WHERE untold < ${opt[missed]} AND goes_on);"
}

burn_alerts() {
  local may_fail="($ALL_RUNS - $burn_target) * expected" words
  load lib/sql_text
  set_sql_text words "$burn_span"
  sql+="INSERT INTO firing SELECT job, 'burn', since, 0, 'of ' || expected || ' runs expected in ' || $words ||
      ', ' || failed || ' failed and ' || missed || ' were missed; $burn_words allows ' || ($may_fail / $ALL_RUNS) ||
      ' of these'
    FROM burnt WHERE (failed + missed) * $ALL_RUNS > $may_fail;"
}
