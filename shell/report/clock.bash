# clock.bash - SQL for the status page: what day it is, and which days it shows, in UTC or in a zone.

# shellcheck shell=bash

load lib/sql_text

# How often the clocks of a zone may change in a page's days: Morocco's change four times in some years.
CLOCK_CHANGES=6

# clock_table - SQL: `clock` has the current time and the days. With a zone, `shift` has how much its clocks are ahead
# of UTC, and since when. taskresults_time() says when a day begins. On a day on which clocks change, the shift changes
# in the middle of the day, so that dividing by 24 hours gives the right day for all times.
clock_table() {
  local zone_name date="date(day * 86400, 'unixepoch')"
  if [[ -z $page_zone ]]; then
    printf '%s\n' "CREATE TEMP TABLE clock AS SELECT $now AS now_us, $days AS days, $((now / DAY_US)) AS today,
  $((now / DAY_US - days + 1)) AS first_day;"
  else
    set_sql_text zone_name "$page_zone"
    printf '%s\n' "CREATE TEMP TABLE midnight AS SELECT day, taskresults_time($date, $zone_name) AS at_us
  FROM (WITH RECURSIVE c(day) AS (VALUES ($((now / DAY_US + 1))) UNION ALL
    SELECT day - 1 FROM c WHERE day > $((now / DAY_US - days - 1))) SELECT day FROM c);
CREATE TEMP TABLE shift AS SELECT row_number() OVER (ORDER BY day DESC) AS place, from_us, shift_us FROM
  (SELECT day, (at_us + lag(at_us) OVER days) / 2 AS from_us, day * $DAY_US - at_us AS shift_us,
    day * $DAY_US - at_us IS NOT lag(day * $DAY_US - at_us) OVER days AS changes
  FROM midnight WINDOW days AS (ORDER BY day)) WHERE changes;
CREATE TEMP TABLE clock AS SELECT $now AS now_us, $days AS days, max(day) AS today, max(day) - $days + 1 AS first_day
  FROM midnight WHERE at_us <= $now;"
  fi
  printf '%s\n' "CREATE TEMP TABLE calendar AS WITH RECURSIVE c(day) AS (VALUES (0) UNION ALL
    SELECT day + 1 FROM c WHERE day + 1 < $days)
  SELECT day FROM c;"
}

# zoned EXPRESSION - SQL: microseconds of UTC as those that the zone's clocks show.
zoned() {
  local place shifts=
  [[ -n $page_zone ]] || { printf '%s' "$1"; return; }
  for ((place = 1; place <= CLOCK_CHANGES; place++)); do
    shifts+=" WHEN $1 >= (SELECT from_us FROM shift WHERE place = $place)"
    shifts+=" THEN (SELECT shift_us FROM shift WHERE place = $place)"
  done
  printf '%s' "$1 + CASE$shifts ELSE (SELECT shift_us FROM shift ORDER BY place DESC LIMIT 1) END"
}
