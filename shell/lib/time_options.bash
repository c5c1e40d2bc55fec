# time_options.bash - options that are times or lengths of time.
#
# The shell never parses times: the extension's taskresults_time() and taskresults_span() do, for all commands
# (ext/TABLES.md: Times and spans).

# shellcheck shell=bash

load lib/evaluate lib/sql_text

# time_options NAME... - converts these options, if given, into microseconds since the Unix epoch, in place. A whole day
# means its end in the option `until`, and its beginning in any other. Days, and times without a zone of their own, are
# in the zone of --tz.
time_options() {
  local name text names=() expressions=()
  for name; do
    [[ -v opt[$name] ]] || continue
    set_sql_text text "${opt[$name]}"
    [[ $name != until ]] || text+=", 'until'"
    names+=("$name") expressions+=("taskresults_time($text$zone_argument)")
  done
  evaluate_options 'a time'
  ((${#names[@]} == 0)) || { load lib/query; count_untimed; }
  # Without this check, swapped times would give "no failures".
  [[ ! -v opt[since] || ! -v opt[until] ]] || ((opt[since] <= opt[until])) ||
    usage_error '--since is later than --until: no time is in between'
}

# span_options NAME... - converts these options, if given, into microseconds, in place.
span_options() {
  local name text names=() expressions=()
  for name; do
    [[ -v opt[$name] ]] || continue
    set_sql_text text "${opt[$name]}"
    names+=("$name") expressions+=("taskresults_span($text)")
  done
  evaluate_options 'a length of time'
}

# seconds_option NAME - the same, but a number alone is seconds, and may have a fraction.
seconds_option() {
  local text
  [[ -v opt[$1] ]] || return 0
  set_sql_text text "${opt[$1]}"
  local names=("$1") expressions=("taskresults_span($text, 'seconds')")
  evaluate_options 'seconds, or a length of time'
}

# evaluate_options WORDS - each option in `names` gets the value of its expression; WORDS say what the option wants.
evaluate_options() {
  local at forms
  ((${#names[@]})) || return 0
  evaluate "${expressions[@]}"
  if ((${#values[@]} < ${#names[@]})); then
    set_forms
    at=${names[${#values[@]}]}
    usage_error "--$at wants $1 ($forms), not '${opt[$at]}'"
  fi
  for ((at = 0; at < ${#names[@]}; at++)); do opt[${names[at]}]=${values[at]}; done
}

# set_forms - if `evaluate` could not read a text as a time: sets `forms` to the accepted forms, from the extension's
# message. Any other error, such as out of memory, ends the command.
set_forms() {
  if [[ $value_error != *'is no time; write '* && $value_error != *'is no length of time; write '* ]]; then
    load lib/sqlite_errors
    die_of_sqlite "$value_error"
  fi
  forms=${value_error##*'; write '}
  cut_error_number forms
}
