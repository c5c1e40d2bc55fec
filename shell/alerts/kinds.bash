# kinds.bash - SQL: which alerts of each kind fire now.
#
# A kind is a function that adds a row to `firing` for each job whose alert holds: the job, the kind, since when,
# is_new, and the words. The tables that it reads come from facts.bash, durations.bash and so on.

# shellcheck shell=bash

# for_how_long SINCE - SQL: the time from then to now.
for_how_long() {
  duration "(($now - $1) / 1000000)"
}

# find_alerts - SQL: the alerts of the requested kinds. Sets `kinds`. If the list of jobs is missing, kinds that need it
# are left out; if it cannot be read, all kinds that use it, except --slow, which then judges only finished runs; and
# without logs, kinds that need logs.
find_alerts() {
  kinds=()
  [[ ! -v opt[after] ]] || add_kind failing
  [[ ! -v opt[rate] ]] || add_kind rate
  [[ ! -v opt[silent-for] || -n $jobs_fault ]] || add_kind silent
  ((!list_known)) || [[ ! -v opt[overdue] ]] || add_kind overdue
  if [[ -n $logs_known ]]; then
    ((!list_known)) || [[ ! -v opt[missed] ]] || add_kind missed
    ((!list_known)) || [[ ! -v opt[burn] ]] || add_kind burn
  fi
  if [[ -n $durations_known ]]; then
    [[ ! -v opt[slow] ]] || add_kind slow
    [[ ! -v opt[fast] ]] || add_kind fast
  fi
  [[ ! -v opt[suspicious] ]] || add_kind suspicious
  [[ ! -v opt[empty] ]] || add_kind empty
}

add_kind() {
  kinds+=("$1")
  "$1_alerts"
}

failing_alerts() {
  sql+="INSERT INTO firing SELECT job, 'failing', since, 0, CASE streak WHEN 1 THEN 'failed'
      ELSE 'failed ' || streak || ' times in a row' || coalesce(', since ' || nullif($(clock since), ''), '') END
    FROM fact WHERE streak >= ${opt[after]};"
}

rate_alerts() {
  sql+="INSERT INTO firing SELECT fact.job, 'rate', fact.at, 0,
    'failed ' || count(*) || ' of the last ' || min(seen, $rate_runs) || ' times'
    FROM fact JOIN recent ON id >= head AND id < head + min(seen, $rate_runs) WHERE NOT good
    GROUP BY fact.job HAVING count(*) >= $rate_failures;"
}

silent_alerts() {
  local enabled=1
  ((!list_known)) || enabled='enabled'
  sql+="INSERT INTO firing SELECT job, 'silent', last, 0, CASE WHEN seen = 0 THEN 'never ran'
      WHEN last IS NULL THEN 'silent, for all one can tell: no record has a readable time'
      ELSE 'silent for ' || ($(for_how_long last)) || ', since ' || $(clock last) END
    FROM (SELECT *, coalesce(fact.at, CASE seen WHEN 0 THEN created END) AS last FROM fact
      LEFT JOIN known USING (job))
    WHERE $enabled AND (last IS NULL OR $now - last > ${opt[silent-for]});"
}

overdue_alerts() {
  sql+="INSERT INTO firing SELECT job, 'overdue', due, 0, CASE
      WHEN due IS NULL THEN 'overdue, for all one can tell: the time of its next run cannot be read'
      ELSE 'overdue for ' || ($(for_how_long due)) || ', since ' || $(clock due) END
    FROM (SELECT job, enabled, running, untold, coalesce(due, fact.at + every) AS due FROM fact
      JOIN known USING (job))
    WHERE enabled AND NOT running AND ($now - due > ${opt[grace]-300000000} OR (untold AND due IS NULL));"
}

suspicious_alerts() {
  sql+="INSERT INTO firing SELECT fact.job, 'suspicious', recent.at, 0, 'succeeded, but looks suspicious'
    FROM fact JOIN recent ON id = head WHERE good AND suspect;"
}

# empty_alerts - the last run succeeded and printed nothing, though successes usually print something: among those that
# were read, three or more printed something, and the ones without output are all newer than these.
empty_alerts() {
  sql+="INSERT INTO firing SELECT job, 'empty', fact.at, 0, 'succeeded, but printed nothing' FROM fact
    JOIN (SELECT job, min(id) FILTER (WHERE NOT blank) AS full_id, max(id) FILTER (WHERE blank) AS blank_id,
      count(*) FILTER (WHERE NOT blank) AS full FROM recent WHERE good GROUP BY job) USING (job)
    WHERE good_id = head AND blank_id >= head AND full_id > blank_id AND full >= 3;"
}
