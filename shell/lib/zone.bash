# zone.bash - --tz: the time zone in which times are shown, and days are understood.

# shellcheck shell=bash

load lib/evaluate lib/sql_text

# read_zone - reads `zone_option`, and sets `zone_argument`, and `zone` unless the output is for programs. A zone that
# cannot be read is an error. Only the extension knows zones: taskresults_local() and taskresults_time() take one.
read_zone() {
  local text values value_error cause
  set_sql_text text "${opt[tz]}"
  evaluate "taskresults_local(0, $text)"
  if ((${#values[@]} == 0)); then
    cause=${value_error#*taskresults_local: }
    [[ $value_error == *"taskresults_local: zone '"* ]] || { load lib/sqlite_errors; die_of_sqlite "$value_error"; }
    cut_error_number cause
    usage_error "--tz: $cause"
  fi
  zone_argument=", $text"
  [[ -n ${format-} || -v opt[jsonl] ]] || zone=$text
}
