# notices.bash - SQL: what is to be reported.

# shellcheck shell=bash

# telling_line TEXT ENDING - SQL: the most useful line of an error: the last one of a traceback, otherwise the first.
telling_line() {
  printf '%s' "substr(CASE WHEN $1 GLOB 'Traceback*' THEN replace($2, rtrim($2, replace($2, char(10), '')), '')
    ELSE substr($1, 1, instr($1 || char(10), char(10)) - 1) END, 1, 200)"
}

# printable TEXT - SQL: the text with ␀ in place of NUL, which a variable of bash cannot contain.
printable() {
  printf "replace(%s, CAST(x'ff' AS TEXT), '␀')" "$(whole_text "$1")"
}

# The columns of the answer, which has a row for each notice.
NOTICE=(event alert job streak failures last_run since error message before after json)

# notices - SQL: the first row has the fault of the state, a named job that does not exist, and the counts; then comes a
# row for each alert that fires or was reported.
notices() {
  notice_table
  answer_table
  print_answer
}

# set_ended NAME - sets NAME to SQL: the event for an alert in `told` that no longer fires. `recovered`, `dropped` if
# nothing is known about the job any more, `forgotten` without a message, or `kept` if the job was not examined.
set_ended() {
  local kind list='' evaluated ended
  for kind in "${kinds[@]}"; do
    [[ $kind == slow && -n $jobs_fault ]] || list+="${list:+, }'$kind'" # it may still be going on
  done
  # A job that was not examined keeps its alerts.
  evaluated="told.alert IN ($list) AND told.job NOT IN (SELECT job FROM unreadable UNION SELECT job FROM muted)
    AND (told.alert NOT IN ('slow', 'fast', 'missed', 'burn') OR told.job NOT IN (SELECT job FROM unread_log))"
  ((${#args[@]} == 0)) || evaluated+=' AND told.job IN (SELECT job FROM named)'
  ended="CASE WHEN told.alert = 'silent' THEN $now - fact.at <= ${opt[silent-for]-0}
    WHEN told.alert = 'overdue' THEN (SELECT enabled FROM known WHERE known.job = told.job)
    WHEN told.alert IN ('slow', 'fast') THEN (SELECT took IS NOT NULL FROM timed WHERE timed.job = told.job AND n = 1)
    WHEN told.alert = 'missed' THEN (SELECT ended_at FROM missed WHERE missed.job = told.job)
    WHEN told.alert = 'burn' THEN told.job IN (SELECT job FROM burnt)
    ELSE seen > 0 END"
  ended="CASE WHEN $ended THEN 'recovered' ELSE 'dropped' END"
  [[ -v opt[recovered] ]] || ended="'forgotten'"
  printf -v "$1" '%s' "CASE WHEN $evaluated THEN $ended
    WHEN told.alert = 'mute' AND line->>'\$.until_us' <= $now THEN 'forgotten' ELSE 'kept' END"
}

# notice_table - SQL: the event for each alert that fires or was reported.
notice_table() {
  local what_becomes
  set_ended what_becomes
  sql+="CREATE TABLE notice AS
    SELECT CASE WHEN told.job IS NULL OR is_new THEN 'fired'
        WHEN ${opt[cooldown]-NULL} <= $now - sent THEN 'repeated' ELSE 'kept' END AS event,
      firing.alert, job, firing.since, words, coalesce(line, '') AS before, fired AS fired_before, is_refreshed
    FROM firing LEFT JOIN told USING (job, alert)
    UNION ALL
    SELECT CASE WHEN told.alert = 'missed' AND line->>'\$.over' IS NOT NULL
          THEN CASE WHEN upto < $now - $MISSED_WITHIN_US THEN 'forgotten' ELSE 'kept' END ELSE $what_becomes END,
      told.alert, told.job, told.fired, '', line, fired, 0
    FROM told LEFT JOIN fact USING (job)
    WHERE NOT EXISTS (SELECT 1 FROM firing WHERE firing.job = told.job AND firing.alert = told.alert);"
}

# answer_table - SQL: adds to each notice the facts to report.
answer_table() {
  local text quoted offset hash failures=NULL missed_told
  [[ ! -v opt[rate] ]] ||
    failures="(SELECT count(*) FROM recent AS r WHERE NOT r.good AND r.id >= head
      AND r.id < head + min(seen, $rate_runs))"
  # The text that a notice quotes. `quoted`, below, is the rowid of its record.
  text="(CASE WHEN alert = 'suspicious' AND NOT coalesce(($(whole_text output)) GLOB $pattern, 0) THEN error
    WHEN ok THEN output ELSE error END)"
  # For the state: what identifies the reported run. For `missed`, the last slot; for `failing`, the record's offset and
  # hash.
  missed_told="CASE alert WHEN 'missed' THEN (SELECT json_object('upto_us', last, 'since_us', notice.since) FROM missed
    WHERE missed.job = notice.job) ELSE '{}' END"
  offset="CASE alert WHEN 'failing' THEN place - begins END"
  hash="CASE alert WHEN 'failing' THEN (SELECT taskresults_hash(record) FROM task_results WHERE rowid = place) END"
  # Without a rowid there is no lookup: one for NULL would read every file.
  quoted="(CASE WHEN event NOT IN ('fired', 'repeated') THEN NULL
    WHEN alert IN ('failing', 'suspicious', 'empty') THEN place
    WHEN alert = 'rate' THEN (SELECT r.place FROM recent AS r
      WHERE NOT r.good AND r.id >= head AND r.id < head + seen ORDER BY r.id LIMIT 1) END)"
  sql+="CREATE TABLE answer AS
    SELECT event, alert, notice.job, CASE WHEN head THEN streak END AS streak,
      $failures AS failures,
      CASE WHEN place IS NOT NULL THEN (SELECT timestamp FROM task_results WHERE rowid = place) END AS last_run,
      notice.since, words, before,
      CASE WHEN $quoted IS NOT NULL THEN (SELECT substr($(printable "$text"), 1, 4000) FROM task_results
        WHERE rowid = $quoted) END AS error,
      CASE WHEN $quoted IS NOT NULL THEN (SELECT substr($(printable "$text"), -400) FROM task_results
        WHERE rowid = $quoted) END AS ending,
      CASE WHEN event IN ('fired', 'repeated') THEN json_patch(json_object('job', notice.job, 'alert', alert,
        'fired_us', CASE event WHEN 'fired' THEN $now ELSE fired_before END, 'sent_us', $now, 'upto_us', fact.at,
          'offset', $offset, 'hash', $hash), $missed_told)
        WHEN event = 'kept' AND is_refreshed
          THEN json_set(before, '\$.upto_us', fact.at, '\$.offset', $offset, '\$.hash', $hash)
        WHEN event = 'kept' THEN before
        WHEN alert = 'missed' AND before->>'\$.over' IS NULL AND notice.job IN (SELECT job FROM known)
          THEN json_set(before, '\$.over', 1, '\$.upto_us', coalesce((SELECT settled FROM missed
            WHERE missed.job = notice.job), before->>'\$.upto_us')) END AS after
    FROM notice LEFT JOIN fact USING (job) LEFT JOIN recent ON recent.id = head;"
}

print_answer() {
  local text row fe json="''" members="'job', job"
  local ended_words="CASE alert WHEN 'rate' THEN 'failing too often' WHEN 'empty' THEN 'without output'
    WHEN 'missed' THEN 'missing runs' WHEN 'burn' THEN 'beyond what it may fail'
    WHEN 'fast' THEN 'unusually fast' ELSE alert END"
  text=$(telling_line error "rtrim(ending, ' ' || char(9, 10, 13))")
  # The final } is removed, so that the message can be appended, whose control characters are made visible later.
  [[ -z $hosts ]] || members="'host', $(host_in job), 'job', $(job_in job)"
  [[ ! -v opt[digest] ]] ||
    json="rtrim(json_object('event', event, 'alert', alert, $members, 'streak', streak, 'failures', failures,
      'last_run', last_run, 'since', nullif($(utc_clock since), ''), 'error', error), '}')"
  row="event, alert, job, streak, failures, $(printable last_run), $(utc_clock since), error,
    $(cell job) || ': ' || CASE event WHEN 'repeated' THEN 'still: ' ELSE '' END ||
      CASE event WHEN 'recovered' THEN 'recovered: no longer ' || $ended_words
        WHEN 'dropped' THEN 'not looked at any more: no longer ' || $ended_words ELSE words ||
        CASE WHEN trim(error) <> '' THEN ': ' || $(cell "$text") ELSE '' END END,
    before, after, $json"
  fe="CAST(x'fe' AS TEXT)"
  # shellcheck disable=SC1078  # it is closed
  sql+="SELECT coalesce($fault, '') || $fe || coalesce((SELECT job FROM named WHERE job NOT IN has_file
      AND job NOT IN unreadable AND job NOT IN (SELECT job FROM known) 
      AND job NOT IN (SELECT job FROM told WHERE alert <> 'mute') LIMIT 1), '')
    || $fe || (SELECT count(*) FROM firing) || $fe || (SELECT count(*) FROM wanted)
    || $fe || ($(mutes_that_last)) || $fe;"$'\n'
  sql+=$'.separator "\\376" "\\376\\n"\n'"SELECT $row FROM answer ORDER BY job, alert;"
}
