# records.bash - SQL for a record in the form of the scheduler's own viewer. Each function sets the variable NAME.

# shellcheck shell=bash

load lib/whole_text

# With a column for each @: a value as Python prints it. null is None, a missing key nothing, true is True.
AS_PYTHON="(CASE typeof(@) WHEN 'text' THEN $WHOLE_TEXT ELSE
  CASE typeof(@) || ' ' || CASE WHEN json_valid(record) THEN json_type(record, '$.@') END
  WHEN 'null null' THEN 'None' WHEN 'integer true' THEN 'True' WHEN 'integer false' THEN 'False'
  ELSE coalesce(@, '') END END)"

# Where records of several jobs are shown, a name that is empty, or not that of the file, does not tell which job it is.
with_job_id=

# set_record_block NAME CUT - two lines or one: the head, and the output or error up to CUT code points (0: whole).
set_record_block() {
  local when=${AS_PYTHON//@/timestamp} name=${AS_PYTHON//@/job_name} text=$WHOLE_TEXT
  local good="'✅ SUCCESS'" bad="'❌ FAILED'" neither="'❔ UNKNOWN'" between=" || ' | ' || " head
  [[ -z $zone ]] || when="coalesce(replace(taskresults_local(time_us, $zone), 'T', ' '), $when)"
  [[ -z $with_job_id ]] || name="CASE WHEN job_name = job_id THEN job_id
    ELSE coalesce(nullif($name, '') || ' ', '') || '(' || job_id || ')' END"
  [[ -z $hosts ]] || name="host || '/' || $name"
  if [[ -n $stdout_is_terminal || -v opt[color] ]]; then
    load terminal/record_head
    set_record_head
  else
    head=$when$between$name$between"CASE WHEN ok THEN $good WHEN ok IS NULL THEN $neither ELSE $bad END"
  fi
  (($2 == 0)) || text="(SELECT iif(length(text) > $2, substr(text, 1, $2) || '...', text) FROM (SELECT $text AS text))"
  printf -v "$1" "%s || CASE
    WHEN ok IS NOT 0 AND output <> '' AND +output IS NOT 0 THEN char(10) || '  Output: ' || %s
    WHEN error <> '' AND +error IS NOT 0 THEN char(10) || '  Error: ' || %s ELSE '' END" \
    "$head" "${text//@/output}" "${text//@/error}"
}
