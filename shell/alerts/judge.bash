# judge.bash - which alerts hold now, and which of them are new: one query over the ends of the jobs' files.

# shellcheck shell=bash

load alerts/{jobs,facts,durations,slots,kinds,mutes,news,notices} lib/{query,sql_texts,fields,times}
load terminal/visible

# jobs_on_each_host - SQL: with --hosts, the query touches all of them, so that none is passed over; and a JOB that was
# named without a host is that job of each.
jobs_on_each_host() {
  sql+="CREATE TABLE each_host AS SELECT host FROM task_results WHERE job_id = '';"
  ((${#args[@]})) || return 0
  sql+="CREATE TABLE of_host AS SELECT id, job AS name FROM named JOIN (SELECT job AS id FROM has_file
      UNION SELECT job FROM unreadable UNION SELECT job FROM known UNION SELECT job FROM told WHERE alert <> 'mute')
    ON job = $(job_in id);
  DELETE FROM named WHERE job IN (SELECT name FROM of_host);
  INSERT OR IGNORE INTO named SELECT id FROM of_host;"
}

# judge - runs the query; sets `state_fault`, `missing_job`, `firing_count`, `job_count`, `mute_count`, and an array for
# each column of the notices.
judge() {
  local answer at fields
  now=$((EPOCHSECONDS * 1000000))
  sql=$tables$'\n'
  sql+=$(each_text has_file "${jobs[@]}"; each_text unreadable "${unreadable[@]}"; each_text named "${args[@]}")$'\n'
  told_before
  known_jobs
  [[ -z $hosts ]] || jobs_on_each_host
  sql+="INSERT INTO wanted SELECT job FROM has_file;"
  if ((${#args[@]})); then
    sql+="INSERT OR IGNORE INTO wanted SELECT job FROM named WHERE job NOT IN unreadable;"
  else
    sql+="INSERT OR IGNORE INTO wanted SELECT job FROM known WHERE job NOT IN unreadable;"
  fi
  sql+=$'\n'
  leave_out_muted
  recent_records
  job_facts
  known_durations
  known_slots
  find_alerts
  find_news
  notices
  answer=$(query "$sql") || exit
  mapfile -td '' fields < <(printf '%s\n' "$answer" | tr '\376' '\000')
  ((${#fields[@]} >= 5)) || die "$EXIT_IO" 'no answer from sqlite3'
  state_fault=${fields[0]} missing_job=${fields[1]} firing_count=${fields[2]} job_count=${fields[3]}
  mute_count=${fields[4]}
  events=() alerts_of=() jobs_of=() streaks=() failures_of=() last_runs=() sinces=() errors_of=() messages=()
  lines_before=() lines_after=() json_of=()
  for ((at = 5; at + ${#NOTICE[@]} <= ${#fields[@]}; at += ${#NOTICE[@]})); do
    events+=("${fields[at]#$'\n'}") alerts_of+=("${fields[at + 1]}") jobs_of+=("${fields[at + 2]}")
    streaks+=("${fields[at + 3]}") failures_of+=("${fields[at + 4]}") last_runs+=("${fields[at + 5]}")
    sinces+=("${fields[at + 6]}") errors_of+=("${fields[at + 7]}") messages+=("${fields[at + 8]}")
    lines_before+=("${fields[at + 9]}") lines_after+=("${fields[at + 10]}")
    json_of+=("${fields[at + 11]}")
  done
  ((${#messages[@]} == 0)) ||
    mapfile -t messages < <(printf '%s\n' "${messages[@]}" | sed "$(visible_program)")
}
