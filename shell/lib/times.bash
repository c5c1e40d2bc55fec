# times.bash - times given by a user, and times shown to one.

# shellcheck shell=bash

# time_option since|until [NAME] - turns the option into microseconds since the Unix epoch, in place. A time without a
# zone is UTC, as all times of the scheduler. 90s, 30m, 12h, 7d and 2w count back from now; a bare day is whole, so that
# --until includes it; anything else is for date(1): "yesterday", "last monday", ... NAME is the option that the user
# gave, if it is another.
time_option() {
  local text instant seconds nanoseconds
  [[ -v opt[$1] ]] || return 0
  text=${opt[$1]}
  if [[ $text =~ ^([0-9]{1,9})([smhdw])$ ]]; then
    local -A unit=([s]=1 [m]=60 [h]=3600 [d]=86400 [w]=604800)
    opt[$1]=$(((EPOCHSECONDS - 10#${BASH_REMATCH[1]} * ${unit[${BASH_REMATCH[2]}]}) * 1000000))
    return
  fi
  instant=$(LC_ALL=C TZ=UTC0 date -d "$text" '+%s %N' 2>/dev/null) && [[ -n ${text// /} ]] ||
    usage_error "--${2-$1} wants a time such as 2026-02-14, 2026-02-14T09:30:00Z or 7d, not '$text'"
  read -r seconds nanoseconds <<<"$instant"
  opt[$1]=$((seconds * 1000000 + 10#$nanoseconds / 1000))
  if [[ $1 == until && $text =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]]; then
    opt[$1]=$((${opt[$1]} + 86400 * 1000000 - 1))
  fi
}

# time_condition - the SQL condition that --since and --until make; to be joined by AND.
time_condition() {
  printf '1%s%s' "${opt[since]+ AND time_us >= ${opt[since]}}" "${opt[until]+ AND time_us <= ${opt[until]}}"
}

# relative_time EXPRESSION - SQL: microseconds as "5m ago".
relative_time() {
  local age="(CAST(strftime('%s', 'now') AS INTEGER) - ($1) / 1000000)"
  printf "CASE WHEN %s IS NULL THEN '' WHEN %s < 0 THEN 'in ' || (%s) ELSE (%s) || ' ago' END" \
    "$age" "$age" "$(duration "-$age")" "$(duration "$age")"
}

# duration EXPRESSION - SQL: seconds as "5m".
duration() {
  printf "CASE WHEN %s < 60 THEN (%s) || 's' WHEN %s < 3600 THEN ((%s) / 60) || 'm' WHEN %s < 172800
    THEN ((%s) / 3600) || 'h' ELSE ((%s) / 86400) || 'd' END" "$1" "$1" "$1" "$1" "$1" "$1" "$1"
}

# clock EXPRESSION - SQL: microseconds as 2026-02-14 09:30:00, UTC.
clock() {
  printf "coalesce(datetime((%s) / 1000000, 'unixepoch'), '')" "$1"
}

# span_option NAME - turns the option, a length of time such as 90s, 30m, 12h, 7d or 2w, into microseconds, in place.
span_option() {
  local -A unit=([s]=1 [m]=60 [h]=3600 [d]=86400 [w]=604800)
  [[ -v opt[$1] ]] || return 0
  [[ ${opt[$1]} =~ ^([0-9]{1,7})([smhdw])$ ]] ||
    usage_error "--$1 wants a length of time such as 90s, 30m, 12h or 7d, not '${opt[$1]}'"
  opt[$1]=$((10#${BASH_REMATCH[1]} * ${unit[${BASH_REMATCH[2]}]} * 1000000))
}
