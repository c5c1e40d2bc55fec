# records.bash - SQL for a record in the form of the scheduler's own viewer.

# shellcheck shell=bash

# as_python COLUMN - a value as Python prints it: null is None, a missing key nothing, true is True.
as_python() {
  local type="CASE WHEN json_valid(record) THEN json_type(record, '\$.$1') END"
  printf "CASE typeof(%s) WHEN 'text' THEN %s WHEN 'null' THEN CASE (%s) WHEN 'null' THEN 'None' ELSE '' END
    WHEN 'integer' THEN CASE (%s) WHEN 'true' THEN 'True' WHEN 'false' THEN 'False' ELSE %s END ELSE %s END" \
    "$1" "$(whole_text "$1")" "$type" "$type" "$1" "$1"
}

# record_block CUT - two lines or one: the head, and the output or error up to CUT code points (0: whole).
record_block() {
  local when name
  when=$(as_python timestamp)
  name=$(as_python job_name)
  if on_terminal; then # beside the absolute time
    when="($when) || coalesce(' (' || nullif($(relative_time time_us), '') || ')', '')"
  fi
  printf "(%s) || ' | ' || (%s) || ' | ' || CASE WHEN %s THEN %s ELSE %s END || CASE
    WHEN %s AND output <> '' AND +output IS NOT 0 THEN char(10) || '  Output: ' || %s
    WHEN error <> '' AND +error IS NOT 0 THEN char(10) || '  Error: ' || %s ELSE '' END" \
    "$when" "$name" "$is_success" "$(paint green "'✅ SUCCESS'")" "$(paint red "'❌ FAILED'")" \
    "$is_success" "$(first_part output "$1")" "$(first_part error "$1")"
}

first_part() {
  local text
  text="($(whole_text "$1"))"
  if (($2)); then
    printf "substr(%s, 1, %d) || CASE WHEN length(%s) > %d THEN '...' ELSE '' END" "$text" "$2" "$text" "$2"
  else
    printf '%s' "$text"
  fi
}
