# rows.bash - SQL: the rows that `sla` prints.

# shellcheck shell=bash

columns=(${hosts:+host} job_id runs successes failures success_percent uptime_percent up_seconds down_seconds
  paused_seconds outages mtbf_seconds mttr_seconds budget_seconds budget_seconds_left budget_runs budget_runs_left
  missed slow_runs unknown_durations missed_slots unknown_slots)

MISSED=$((16 + hosts)) # the place of `missed` among them

# set_print_rows - sets `print_rows`, SQL.
set_print_rows() {
  local slow untold missing unknown
  set_extras
  case $format in
    csv) set_csv_rows ;;
    json | jsonl) set_json_rows ;;
    *) set_table_rows ;;
  esac
}

# set_extras - sets `slow`, `untold`, `missing` and `unknown`, SQL: a job's figures for --max-duration and --count
# missed; NULL without these options, and where they are not known.
set_extras() {
  slow=NULL untold=NULL missing=NULL unknown=NULL
  [[ $max_duration == NULL ]] || slow=slow_runs untold=untold_runs
  [[ -v opt[count] ]] || return 0
  missing="CASE WHEN job_id IN (SELECT job_id FROM scheduled) THEN missed_slots END"
  unknown="CASE WHEN job_id IN (SELECT job_id FROM scheduled) THEN (SELECT count(*) FROM slot
    WHERE slot.job_id = sla.job_id AND NOT is_missed AND at >= $from) END"
}

# sla_select - SQL: the columns, for programs.
sla_select() {
  printf '%s' "SELECT $host_column$own_job AS job_id, runs, successes, runs - successes AS failures,
  100.0 * successes / nullif(runs, 0) AS success_percent,
  100.0 * up / time AS uptime_percent, CASE WHEN time THEN up / 1e6 END AS up_seconds,
  CASE WHEN time THEN down / 1e6 END AS down_seconds, paused / 1e6 AS paused_seconds, outages,
  mtbf AS mtbf_seconds, mttr AS mttr_seconds, time_budget / 1e6 AS budget_seconds,
  (time_budget - down) / 1e6 AS budget_seconds_left, runs_budget / ${WHOLE}e0 AS budget_runs,
  (runs_budget - (runs - successes) * $WHOLE) / ${WHOLE}e0 AS budget_runs_left,
  $missed AS missed, $slow AS slow_runs, $untold AS unknown_durations, $missing AS missed_slots,
  $unknown AS unknown_slots FROM sla ORDER BY ${host_column}job_id"
}

set_csv_rows() {
  local cells=("${columns[@]}")
  cells[MISSED]="CASE WHEN missed THEN 'true' ELSE 'false' END AS missed"
  print_rows=$(csv_statement "SELECT $(IFS=,; echo "${cells[*]}") FROM ($(sla_select))")
}

set_json_rows() {
  local name pairs=()
  for name in "${columns[@]}"; do pairs+=("$name" "$name"); done
  pairs[2 * MISSED + 1]="CASE WHEN missed THEN json('true') ELSE json('false') END"
  print_rows="SELECT $(json_row "${pairs[@]}") FROM ($(sla_select));"
}

set_table_rows() {
  local success_text uptime_text
  load lib/{fields,percent,times} terminal/table
  set_percent_text success_text successes runs 3
  set_percent_text uptime_text up time 3
  print_rows="SELECT $host_cell$(cell "$own_job"), runs, $success_text, $uptime_text,
    CASE WHEN time THEN $(span 'down / 1000000') ELSE '' END,
    outages, $(span mtbf), $(span mttr), $(span '(time_budget - down) / 1000000'),
    CASE WHEN runs_budget IS NULL THEN ''
      ELSE printf('%.1f', (runs_budget - (runs - successes) * $WHOLE) / ${WHOLE}e0) END,
    $(extra_cells)CASE WHEN $missed THEN $(paint red "'missed'") ELSE '' END
    FROM sla ORDER BY ${hosts:+host, }job_id;"
}

# span SECONDS - SQL: the seconds as "5m"; they may be negative.
span() {
  local seconds="CAST(($1) AS INTEGER)"
  printf '%s' "CASE WHEN $1 IS NULL THEN '' WHEN $1 < 0 THEN '-' || ($(duration "-$seconds"))
    ELSE $(duration "$seconds") END"
}

# extra_cells - SQL: the columns of --max-duration and --count missed, if these were given, each followed by a comma.
extra_cells() {
  [[ $max_duration == NULL ]] || with_unknown "$slow" "$untold"
  [[ ! -v opt[count] ]] || with_unknown "$missing" "$unknown"
}

# with_unknown COUNT UNKNOWN - SQL: the count, followed by the number of unknown ones, if there are any.
with_unknown() {
  printf '%s' "CASE WHEN $1 IS NULL THEN 'unknown' WHEN $2 THEN $1 || ', ' || $2 || ' unknown' ELSE $1 END, "
}

# print_table ROWS - the rows of set_table_rows, below a header.
print_table() {
  local header align=lrrrrrrrrr drop='7 8 2 6 5 9 10'
  printf -v header '%s\x1f' ${hosts:+HOST} JOB RUNS SUCCESS UPTIME DOWN OUTAGES MTBF MTTR
  if [[ $target == NULL ]]; then header+=$'\x1f\x1f'; else header+=$'TIME LEFT\x1fRUNS LEFT\x1f'; fi
  [[ $max_duration == NULL ]] || { header+=$'TOO LONG\x1f' align+=r drop+=' 11'; }
  [[ ! -v opt[count] ]] || { header+=$'NOT RUN\x1f' align+=r drop+=" ${#align}"; }
  [[ $target == NULL ]] || header+=' '
  show_table "$header"$'\n'"$1" "${align}l" 1 "$drop 4"
}

# sla_counts - SQL: one row with the number of jobs, the number that miss the target, and the arguments of say_unknown.
sla_counts() {
  local slots=0 unscheduled=0
  if [[ -v opt[count] ]]; then
    slots="(SELECT count(*) FROM slot WHERE NOT is_missed AND at >= $from)"
    unscheduled="(SELECT count(*) FROM sla WHERE job_id NOT IN (SELECT job_id FROM scheduled))"
  fi
  printf '%s' "SELECT (SELECT count(*) FROM sla), (SELECT count(*) FROM sla WHERE $missed),
    (SELECT count(*) FROM event WHERE at IS NULL), (SELECT coalesce(sum(untold_runs), 0) FROM sla),
    $slots, $unscheduled;"
}
