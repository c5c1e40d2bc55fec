# times.bash - SQL: times and lengths of time as they are shown. Each function sets the variable NAME.

# shellcheck shell=bash

# set_seconds NAME EXPRESSION - microseconds as whole seconds, rounded down: SQL's division rounds towards 0, and half a
# second before 1970 is in 1969.
set_seconds() {
  printf -v "$1" '((%s) / 1000000 - ((%s) %% 1000000 < 0))' "$2" "$2"
}

# set_relative_time NAME EXPRESSION - microseconds as "5m ago".
set_relative_time() {
  local age_ ago_ ahead_
  set_seconds age_ "$2"
  age_="(CAST(strftime('%s', 'now') AS INTEGER) - $age_)"
  set_duration ago_ "$age_"
  set_duration ahead_ "-$age_"
  printf -v "$1" "CASE WHEN %s IS NULL THEN '' WHEN %s < 0 THEN 'in ' || (%s) ELSE (%s) || ' ago' END" \
    "$age_" "$age_" "$ahead_" "$ago_"
}

# set_duration NAME EXPRESSION - seconds as "5m": how long ago, how late, for how long. Of a run: set_took.
set_duration() {
  printf -v "$1" "CASE WHEN %s < 60 THEN (%s) || 's' WHEN %s < 3600 THEN ((%s) / 60) || 'm' WHEN %s < 172800
    THEN ((%s) / 3600) || 'h' ELSE ((%s) / 86400) || 'd' END" "$2" "$2" "$2" "$2" "$2" "$2" "$2"
}

# set_took NAME EXPRESSION - how many microseconds a run took, as "2.5s", "90s" or "75m": so precise that one run is
# told from another that took three times as long.
set_took() {
  printf -v "$1" "CASE WHEN %s IS NULL THEN '' WHEN %s < 10000000 THEN printf('%%.1fs', (%s) / 100000 / 10.0)
    WHEN %s < 600000000 THEN ((%s) / 1000000) || 's' WHEN %s < 36000000000 THEN ((%s) / 60000000) || 'm'
    ELSE ((%s) / 3600000000) || 'h' END" "$2" "$2" "$2" "$2" "$2" "$2" "$2" "$2"
}

# set_clock NAME EXPRESSION - microseconds as 2026-02-14 09:30:00, UTC; with --tz as 2026-02-14 10:30:00+01:00.
set_clock() {
  local seconds_
  if [[ -n $zone ]]; then
    printf -v "$1" "coalesce(replace(taskresults_local(%s, $zone), 'T', ' '), '')" "$2"
    return
  fi
  set_seconds seconds_ "$2"
  printf -v "$1" "coalesce(datetime(%s, 'unixepoch'), '')" "$seconds_"
}

# The same, printed.
seconds_of() { print_sql set_seconds "$1"; }
relative_time() { print_sql set_relative_time "$1"; }
duration() { print_sql set_duration "$1"; }
took() { print_sql set_took "$1"; }
clock() { print_sql set_clock "$1"; }
utc_clock() { zone='' clock "$1"; }

print_sql() {
  local text
  "$1" text "$2"
  printf '%s' "$text"
}
