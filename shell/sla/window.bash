# window.bash - the range of time that `sla` is about.

# shellcheck shell=bash

load lib/evaluate lib/sql_text

YEAR_1=-62135596800000000

# set_window - `from` and `to`, in microseconds; the window is [from, to). And `max_duration`, or NULL.
set_window() {
  local text=${opt[window]-30d} now=${EPOCHREALTIME/[.,]/} first last longest forms expressions=()
  if [[ $text == *..* ]]; then
    set_sql_text first "${text%%..*}"
    set_sql_text last "${text#*..}"
    [[ $text == ..* ]] && expressions=("$YEAR_1") || expressions=("taskresults_time($first$zone_argument)")
    # A whole day, of 23 to 25 hours, ends where the next one begins.
    [[ $text == *.. ]] && expressions+=("$now") || expressions+=("taskresults_time($last, 'until'$zone_argument)
      + (taskresults_time($last, 'until'$zone_argument) - taskresults_time($last$zone_argument) > 43200000000)")
  else
    set_sql_text first "$text"
    expressions=("max($now - taskresults_span($first), $YEAR_1)" "$now")
  fi
  if [[ -v opt[max-duration] ]]; then
    set_sql_text longest "${opt[max-duration]}"
    expressions+=("taskresults_span($longest)")
  fi
  evaluate "${expressions[@]}"
  if ((${#values[@]} < 2)); then
    load lib/time_options
    set_forms
    usage_error "--window wants a length of time, or FROM..TO, where each is a time or nothing ($forms)," \
      "not '$text'"
  fi
  [[ ! -v opt[max-duration] ]] || ((${#values[@]} == 3)) ||
    usage_error "--max-duration wants a length of time such as 90s, 20m or 2h, not '${opt[max-duration]}'"
  from=${values[0]} to=${values[1]} max_duration=${values[2]-NULL}
  ((to <= now)) || to=$now
  ((from < to)) || usage_error "--window has to begin before it ends, and before now; '$text' does not"
}
