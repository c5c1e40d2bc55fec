# records.bash - SQL for a record in the form of the scheduler's own viewer. Each function sets the variable NAME.

# shellcheck shell=bash

load lib/fields

# set_as_python NAME COLUMN - a value as Python prints it: null is None, a missing key nothing, true is True.
set_as_python() {
  local type_="CASE WHEN json_valid(record) THEN json_type(record, '\$.$2') END" text_
  set_whole_text text_ "$2"
  printf -v "$1" "CASE typeof(%s) WHEN 'text' THEN %s WHEN 'null' THEN CASE (%s) WHEN 'null' THEN 'None' ELSE '' END
    WHEN 'integer' THEN CASE (%s) WHEN 'true' THEN 'True' WHEN 'false' THEN 'False' ELSE %s END ELSE %s END" \
    "$2" "$text_" "$type_" "$type_" "$2" "$2"
}

NARROW=60 # columns: on a narrower terminal, a record's line has the result before the name

# Where records of several jobs are shown, a name that is empty, or not that of the file, does not tell which job it is.
with_job_id=

# set_record_block NAME CUT - two lines or one: the head, and the output or error up to CUT code points (0: whole).
set_record_block() {
  local when name output error good bad ended head ago LC_ALL=C # a character is a byte then
  set_as_python when timestamp
  [[ -z $zone ]] || when="coalesce(replace(taskresults_local(time_us, $zone), 'T', ' '), $when)"
  set_as_python name job_name
  [[ -z $with_job_id ]] || name="CASE WHEN job_name = job_id THEN job_id
    ELSE coalesce(nullif(($name), '') || ' ', '') || '(' || job_id || ')' END"
  set_painted good green "'✅ SUCCESS'"
  set_painted bad red "'❌ FAILED'"
  ended="CASE WHEN ok THEN $good ELSE $bad END"
  if on_terminal && ((terminal_columns < NARROW)); then # the least important part is cut off
    head="($when) || ' | ' || $ended || coalesce(' | ' || nullif(($name), ''), '')"
  else
    if on_terminal; then # beside the absolute time
      load lib/times
      set_relative_time ago time_us
      when="($when) || coalesce(' (' || nullif($ago, '') || ')', '')"
    fi
    head="($when) || ' | ' || ($name) || ' | ' || $ended"
  fi
  set_first_part output output "$2"
  set_first_part error error "$2"
  printf -v "$1" "%s || CASE
    WHEN ok AND output <> '' AND +output IS NOT 0 THEN char(10) || '  Output: ' || %s
    WHEN error <> '' AND +error IS NOT 0 THEN char(10) || '  Error: ' || %s ELSE '' END" \
    "$head" "$output" "$error"
}

set_first_part() {
  local text_
  set_whole_text text_ "$2"
  if (($3)); then
    printf -v "$1" "substr((%s), 1, %d) || CASE WHEN length((%s)) > %d THEN '...' ELSE '' END" \
      "$text_" "$3" "$text_" "$3"
  else
    printf -v "$1" '(%s)' "$text_"
  fi
}
