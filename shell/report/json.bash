# json.bash - SQL for the status page: its data.

# shellcheck shell=bash

# data_rows - SQL: the page's data. It is one JSON object, with a line for each job; `columns` names the values in a
# line. JSON from a subquery goes through json(): otherwise newer versions of SQLite take it for a text.
data_rows() {
  local runs text other missed
  runs="$(recent_runs task_results NULL)"
  [[ -z $logs_known$is_mapped ]] ||
    runs="CASE WHEN id IN closed_log THEN $runs ELSE $(recent_runs task_runs duration_s) END"
  # A job without runs is not read here: perhaps its file cannot be read.
  runs="CASE WHEN runs THEN $runs END"
  missed="(SELECT group_concat($ago $(seconds_of at_us), ' ') FROM (SELECT at_us FROM missed
    WHERE missed.number = job.number ORDER BY at_us DESC LIMIT (SELECT recent / 2 FROM share)))"
  text=$(cut_text last.text share.characters)
  other=$(cut_text other.text '(share.characters / 3)')
  data_head
  data_jobs
  data_signatures
}

# recent_runs TABLE SECONDS - SQL: the job's last runs, newest first: how long ago; "!" if it failed; "/" and its
# duration in seconds, if known.
recent_runs() {
  printf '%s' "(SELECT group_concat(token, ' ') FROM (SELECT coalesce($ago $(seconds_of time_us), '?')
    || CASE WHEN ok THEN '' ELSE '!' END || CASE WHEN $2 IS NULL THEN '' ELSE '/' ||
      printf('%g', round($2, CASE WHEN $2 < 1 THEN 2 WHEN $2 < 100 THEN 1 ELSE 0 END)) END AS token FROM $1 AS r
    WHERE $known_runs AND $(of_job r.job_id job.id) ORDER BY rowid DESC LIMIT (SELECT recent FROM share)))"
}

data_head() {
  printf '%s\n' "SELECT 'data';
SELECT '{\"generated\":' || (now_us / 1000000) || ',\"days\":' || days || ',\"first_day\":' || first_day
  || ',\"zone\":' || json_quote($zone_name) || ',\"refresh\":${opt[refresh]-0},\"all\":'
  || json_object(
    'windows', json((SELECT json_group_array(n) FROM
      (SELECT key, sum(value) AS n FROM window, json_each(counts) GROUP BY key ORDER BY key))),
    'missed', json((SELECT json_array(sum(day), sum(week), sum(month), sum(quarter)) FROM missed_in)),
    'days', (SELECT group_concat(token, ' ') FROM (SELECT coalesce(runs, 0) || '-' || coalesce(failures, 0)
        || '-' || coalesce(missed, 0) AS token
      FROM calendar LEFT JOIN (SELECT day, sum(runs) AS runs, sum(failures) AS failures, sum(missed) AS missed FROM day
        GROUP BY day) USING (day)
      ORDER BY day)))
  || ',\"columns\":[\"id\",\"name\",\"state\",\"scheduler_state\",\"schedule\",'
  || '\"next\",\"overdue\",\"streak\",\"last\",\"last_success\",\"runs\",'
  || '\"failures\",\"windows\",\"missed\",\"days\",\"recent\",\"gaps\",\"begun\",\"causes\",\"kinds\",'
  || '\"text\",\"text_length\",\"other\",\"other_length\",\"other_at\",'
  || '\"rejects\"],'
  || '\"jobs\":[' FROM clock;"
}

data_jobs() {
  local on_host=
  [[ -z $hosts ]] || on_host="$(host_in id) || '/' || "
  printf '%s\n' "SELECT CASE WHEN row_number() OVER () > 1 THEN ',' ELSE '' END || row FROM (SELECT json_array(id,
    nullif(${on_host}substr(coalesce(known_name, name), 1, 200), id), state, scheduler_state, substr(schedule, 1, 100),
    $ago $(seconds_of next_run_us), CAST(overdue_s AS INTEGER), streak,
    $ago $(seconds_of last_run_us), $ago $(seconds_of last_success_us), runs, failures, json(counts),
    json(CASE WHEN quarter THEN json_array(missed_in.day, week, month, quarter) END),
    (SELECT group_concat(token, ' ') FROM (SELECT token FROM strip WHERE strip.number = job.number ORDER BY day)),
    $runs, $missed, $ago $(seconds_of started_us),
    json((SELECT json_group_array(json_array(n, times)) FROM (SELECT signature.number AS n, times FROM top_cause
      JOIN signature ON signature.text = top_cause.signature WHERE top_cause.number = job.number ORDER BY place))),
    (SELECT kinds FROM top_cause WHERE top_cause.number = job.number LIMIT 1),
    $text, length(last.text), $other, length(other.text), $ago $(seconds_of other.time_us),
    json((SELECT json_group_array(json_array(reason, lines)) FROM reject
      WHERE reject.job_id = job.id AND NOT entry))) AS row
  FROM (SELECT * FROM job ORDER BY $severity, id LIMIT -1 OFFSET 0) AS job
    CROSS JOIN share LEFT JOIN window USING (number) LEFT JOIN missed_in USING (number)
    LEFT JOIN last USING (number) LEFT JOIN other USING (number));"
}

data_signatures() {
  printf '%s\n' "SELECT '],\"signatures\":' || (SELECT json_group_array(substr(text, 1, 160))
  FROM (SELECT text FROM signature ORDER BY number))
  || ',\"common\":' || (SELECT json_group_array(json_array(number, times, jobs, $ago $(seconds_of last_us)))
    FROM (SELECT * FROM common JOIN signature ON text = signature ORDER BY times DESC, text)) || '}';"
}
