# rows.bash - SQL: the rows that `sla` prints.

# shellcheck shell=bash

columns=(job_id runs successes failures success_percent uptime_percent up_seconds down_seconds paused_seconds outages
  mtbf_seconds mttr_seconds budget_seconds budget_seconds_left budget_runs budget_runs_left missed)

# set_print_rows - sets `print_rows`, SQL.
set_print_rows() {
  case $format in
    csv) set_csv_rows ;;
    json | jsonl) set_json_rows ;;
    *) set_table_rows ;;
  esac
}

# sla_select - SQL: the columns, for programs.
sla_select() {
  printf '%s' "SELECT job_id, runs, successes, runs - successes AS failures,
  100.0 * successes / nullif(runs, 0) AS success_percent,
  100.0 * up / time AS uptime_percent, CASE WHEN time THEN up / 1e6 END AS up_seconds,
  CASE WHEN time THEN down / 1e6 END AS down_seconds, paused / 1e6 AS paused_seconds, outages,
  mtbf AS mtbf_seconds, mttr AS mttr_seconds, time_budget / 1e6 AS budget_seconds,
  (time_budget - down) / 1e6 AS budget_seconds_left, runs_budget / ${WHOLE}e0 AS budget_runs,
  (runs_budget - (runs - successes) * $WHOLE) / ${WHOLE}e0 AS budget_runs_left,
  $missed AS missed FROM sla ORDER BY job_id"
}

set_csv_rows() {
  local cells=("${columns[@]}")
  cells[-1]="CASE WHEN missed THEN 'true' ELSE 'false' END AS missed"
  print_rows=$(csv_statement "SELECT $(IFS=,; echo "${cells[*]}") FROM ($(sla_select))")
}

set_json_rows() {
  local name pairs=()
  for name in "${columns[@]}"; do pairs+=("$name" "$name"); done
  pairs[-1]="CASE WHEN missed THEN json('true') ELSE json('false') END"
  print_rows="SELECT $(json_row "${pairs[@]}") FROM ($(sla_select));"
}

set_table_rows() {
  local success_text uptime_text
  load lib/{fields,percent,times} terminal/table
  set_percent_text success_text successes runs 3
  set_percent_text uptime_text up time 3
  print_rows="SELECT $(cell job_id), runs, $success_text, $uptime_text,
    CASE WHEN time THEN $(span 'down / 1000000') ELSE '' END,
    outages, $(span mtbf), $(span mttr), $(span '(time_budget - down) / 1000000'),
    CASE WHEN runs_budget IS NULL THEN ''
      ELSE printf('%.1f', (runs_budget - (runs - successes) * $WHOLE) / ${WHOLE}e0) END,
    CASE WHEN $missed THEN $(paint red "'missed'") ELSE '' END
    FROM sla ORDER BY job_id;"
}

# span SECONDS - SQL: they may be less than none.
span() {
  local seconds="CAST(($1) AS INTEGER)"
  printf '%s' "CASE WHEN $1 IS NULL THEN '' WHEN $1 < 0 THEN '-' || ($(duration "-$seconds"))
    ELSE $(duration "$seconds") END"
}
