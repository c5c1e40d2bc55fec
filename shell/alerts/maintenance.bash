# maintenance.bash - windows of time in which no alerts are reported.

# shellcheck shell=bash

MAINTENANCE_FORMS="'Sun 02:00-04:00', 'fri-mon 22:00-06:00', '02:00-02:30 Europe/Berlin', and several with ; between"

# maintenance_condition NOW TEXT - sets `condition`, SQL: NOW, an expression in microseconds, is in one of the windows
# of TEXT. Fails if TEXT cannot be read. A window is in the zone that it names, or else in that of --tz. It begins when
# cron would start a job at that time, and ends when the clocks next show its end. So it is right on days on which
# clocks change.
maintenance_condition() {
  local rest="$2;" window from to start end zone behind weekdays
  local days='(([A-Za-z,-]+)[[:space:]]+)?' time='([01]?[0-9]|2[0-3]):([0-5][0-9])'
  local form="^[[:space:]]*$days$time-($time|24:00)([[:space:]]+([^[:space:]]+))?[[:space:]]*\$"
  condition=''
  while [[ -n $rest ]]; do
    window=${rest%%;*} rest=${rest#*;} behind=0
    [[ $window =~ $form ]] || return
    from=$((10#${BASH_REMATCH[3]} * 60 + 10#${BASH_REMATCH[4]}))
    to=$((10#${BASH_REMATCH[6]:-24} * 60 + 10#${BASH_REMATCH[7]:-0}))
    ((from != to)) || return
    ((from != 0 || to != 24 * 60)) || behind=1 # a whole day does not end where it begins
    set_sql_text zone "${BASH_REMATCH[9]:-${opt[tz]-UTC}}"
    set_weekdays "${BASH_REMATCH[2]:-*}"
    set_sql_text start "$((from % 60)) $((from / 60)) * * $weekdays"
    set_sql_text end "$((to % 60)) $((to / 60 % 24)) * * *"
    condition+="${condition:+ OR }EXISTS (SELECT 1
      FROM taskresults_slots($start, $1 - $LONGEST_WINDOW_US, $1, $zone) AS began
      WHERE $1 < (SELECT slot_us FROM taskresults_slots($end, began.slot_us + $behind, NULL, $zone) LIMIT 1))"
  done
}

# set_weekdays DAYS - sets `weekdays`, as cron has them: a range that goes beyond the end of the week becomes two.
set_weekdays() {
  local rest=$1, days first last week='sun mon tue wed thu fri sat'
  weekdays=''
  while [[ -n $rest ]]; do
    days=${rest%%,*} rest=${rest#*,}
    if [[ ${days,,} =~ ^([a-z]{3})-([a-z]{3})$ ]]; then
      first=${week%%"${BASH_REMATCH[1]}"*} last=${week%%"${BASH_REMATCH[2]}"*}
      ((${#first} <= ${#last})) || days=${BASH_REMATCH[1]}-sat,sun-${BASH_REMATCH[2]}
    fi
    weekdays+=${weekdays:+,}$days
  done
}

# Longer than any window: a day on which the clocks are set back has 25 hours.
LONGEST_WINDOW_US=93600000000

# is_maintenance - is it now in a window of --maintenance?
is_maintenance() {
  local condition
  load lib/evaluate lib/sql_text
  maintenance_condition "${EPOCHREALTIME/[.,]/}" "${opt[maintenance]}" || bad_maintenance
  evaluate "$condition"
  ((${#values[@]})) || bad_maintenance "$value_error"
  ((values[0]))
}

bad_maintenance() {
  [[ -z ${1-} ]] || { load lib/sqlite_errors; say_sqlite_error "$1"; }
  usage_error "--maintenance wants days and times, such as $MAINTENANCE_FORMS, not '${opt[maintenance]}'"
}
