# kinds.bash - SQL: which alerts of which kind fire now.

# shellcheck shell=bash

# for_how_long SINCE - SQL: the time from then to now.
for_how_long() {
  duration "(($now - $1) / 1000000)"
}

# find_alerts - SQL: those of the kinds that were asked for. Sets `kinds` to their names.
find_alerts() {
  kinds=()
  [[ ! -v opt[after] ]] || find_failing
  [[ ! -v opt[rate] ]] || find_rate
  [[ ! -v opt[silent-for] || -n $jobs_fault ]] || find_silent
  [[ ! -v opt[overdue] || -n $jobs_fault ]] || find_overdue
  [[ ! -v opt[suspicious] ]] || find_suspicious
  [[ ! -v opt[empty] ]] || find_empty
}

find_failing() {
  kinds+=(failing)
  sql+="INSERT INTO firing SELECT job, 'failing', since, 0, CASE streak WHEN 1 THEN 'failed'
      ELSE 'failed ' || streak || ' times in a row' || coalesce(', since ' || nullif($(clock since), ''), '') END
    FROM fact WHERE streak >= ${opt[after]};"
}

find_rate() {
  kinds+=(rate)
  sql+="INSERT INTO firing SELECT fact.job, 'rate', fact.at, 0,
    'failed ' || count(*) || ' of the last ' || min(seen, $rate_runs) || ' times'
    FROM fact JOIN recent ON id >= head AND id < head + min(seen, $rate_runs) WHERE NOT good
    GROUP BY fact.job HAVING count(*) >= $rate_failures;"
}

find_silent() {
  local enabled=1
  kinds+=(silent)
  ((!list_known)) || enabled='enabled'
  sql+="INSERT INTO firing SELECT job, 'silent', last, 0, CASE WHEN seen = 0 THEN 'never ran'
      WHEN last IS NULL THEN 'silent, for all one can tell: no record has a readable time'
      ELSE 'silent for ' || ($(for_how_long last)) || ', since ' || $(clock last) END
    FROM (SELECT *, coalesce(fact.at, CASE seen WHEN 0 THEN created END) AS last FROM fact
      LEFT JOIN known USING (job))
    WHERE $enabled AND (last IS NULL OR $now - last > ${opt[silent-for]});"
}

find_overdue() {
  kinds+=(overdue)
  sql+="INSERT INTO firing SELECT job, 'overdue', due, 0, CASE
      WHEN due IS NULL THEN 'overdue, for all one can tell: the time of its next run cannot be read'
      ELSE 'overdue for ' || ($(for_how_long due)) || ', since ' || $(clock due) END
    FROM (SELECT job, enabled, running, untold, coalesce(due, fact.at + every) AS due FROM fact
      JOIN known USING (job))
    WHERE enabled AND NOT running AND ($now - due > ${opt[grace]-300000000} OR (untold AND due IS NULL));"
}

find_suspicious() {
  kinds+=(suspicious)
  sql+="INSERT INTO firing SELECT fact.job, 'suspicious', recent.at, 0, 'succeeded, but looks suspicious'
    FROM fact JOIN recent ON id = head WHERE good AND suspect;"
}

find_empty() {
  kinds+=(empty)
  # Of the successes, those since the last that printed something are news; before it all must have printed something.
  sql+="INSERT INTO firing SELECT job, 'empty', fact.at, 0, 'succeeded, but printed nothing' FROM fact
    JOIN (SELECT job, min(id) FILTER (WHERE NOT blank) AS full_id, max(id) FILTER (WHERE blank) AS blank_id,
      count(*) FILTER (WHERE NOT blank) AS full FROM recent WHERE good GROUP BY job) USING (job)
    WHERE good_id = head AND blank_id >= head AND full_id > blank_id AND full >= 3;"
}
