# record_head.bash - the first line of a record, on a terminal or in colour.

# shellcheck shell=bash

load terminal/colour

NARROW=60 # columns: on a narrower terminal, a record's line has the result before the name

# set_record_head - for set_record_block (lib/records), whose variables it uses.
set_record_head() {
  local ended ago
  set_painted good green "$good"
  set_painted bad red "$bad"
  ended="CASE WHEN ok THEN $good WHEN ok IS NULL THEN $neither ELSE $bad END"
  if on_terminal && ((terminal_columns < NARROW)); then # the least important part is cut off
    head="$when$between$ended || coalesce(' | ' || nullif($name, ''), '')"
    return
  fi
  if on_terminal; then # beside the absolute time
    load lib/times
    set_relative_time ago time_us
    when="$when || coalesce(' (' || nullif($ago, '') || ')', '')"
  fi
  head=$when$between$name$between$ended
}
