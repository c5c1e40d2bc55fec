# data.bash - SQL for the status page: what is known of each job, in few passes, and printed as the page wants it.
#
# The page is a skeleton with {{marks}}; what stands for them comes from here, as the rows of one sqlite3 session:
# "NAME<US>VALUE" for each mark of one line, then the lines of each mark of several, each group behind a row "NAME".
# Everything is read first (`page_tables`), so that an error leaves no half of a page; then printed (`page_rows`).
#
# Passes over the results: every record once for the day counts, failures once for their causes, every line once for the
# rejects, once more for task_stats. The last runs and texts are read from the ends of the files.
#
# A page has a budget: with many jobs, fewer characters and runs of each. What is cut says so.

# shellcheck shell=bash

DAY_US=86400000000

# budget TOTAL LEAST MOST - a job's share of the total: how many jobs there are is known only to SQL.
budget() {
  printf 'max(%s, min(%s, %s / max(1, (SELECT count(*) FROM job))))' "$2" "$3" "$1"
}

# html EXPRESSION - SQL: the text as HTML, on one line. NUL is shown as U+FFFD, since HTML has none.
html() {
  local text character
  text="replace($(whole_text "coalesce($1, '')"), CAST(x'ff' AS TEXT), char(65533))"
  for character in '&/amp' '</lt' '>/gt' '"/quot'; do
    text="replace($text, '${character%%/*}', '&${character#*/};')"
  done
  printf "replace(replace(%s, char(10), ' '), char(13), ' ')" "$text"
}

# cut_text TEXT CHARACTERS - SQL: the beginning of a whole_text. One that JSON spells in more than two bytes a character
# (emoji, control characters) is cut to a third, so that no text costs more than was planned.
cut_text() {
  printf "CASE WHEN length(CAST(replace(json_quote(substr(%s, 1, %s)), '<', '123456') AS BLOB)) <= 2 * %s + 2
    THEN substr(%s, 1, %s) ELSE substr(%s, 1, %s / 3) END" "$1" "$2" "$2" "$1" "$2" "$1" "$2"
}

# newest CONDITION - SQL: the rowid of the job's newest record that meets the condition, looked for from the end.
newest() {
  printf '(SELECT rowid FROM task_results AS r WHERE r.job_id = job.id AND %s ORDER BY rowid DESC LIMIT 1)' "$1"
}

# jobs_table - SQL: `known`, what jobs.json says of the jobs, if it can be read; else it is empty. Of an id that is
# there twice, the last counts.
jobs_table() {
  local columns='name, schedule, next_run_us, overdue_s, state'
  echo "CREATE TEMP TABLE known(job_id UNIQUE, $columns);"
  [[ -z $jobs_known ]] || echo "INSERT OR REPLACE INTO known SELECT job_id, $columns FROM task_jobs;"
}

# A job's state is the worst that is true of it; one that is paused or gone is neither failing nor overdue. Of one whose
# file cannot be read, only the scheduler's list can tell anything.
state_of="CASE WHEN known.state = 'died' THEN 'died' WHEN id IN unreadable THEN 'unreadable'
  WHEN known.state IN ('paused', 'orphaned') THEN known.state
  WHEN stats.streak < 0 THEN 'failing' WHEN known.state IN ('overdue', 'running') THEN known.state
  WHEN coalesce(stats.runs, 0) = 0 THEN 'new' ELSE 'healthy' END"
severity="CASE state WHEN 'died' THEN 0 WHEN 'failing' THEN 1 WHEN 'unreadable' THEN 2 WHEN 'overdue' THEN 3
  WHEN 'running' THEN 4 WHEN 'healthy' THEN 5 WHEN 'new' THEN 6 WHEN 'paused' THEN 7 ELSE 8 END"

# page_tables NOW_US DAYS - SQL. Runs are counted by cells of time: a new one begins at each midnight, and at each time
# of day that is now's. So a day is one cell or two, and so is each of the four windows, which end now. A cell's number
# is its day's plus that of its day counted from now; days are told from it by `day_of`, windows by `age_of`. Older runs
# share the cell before the first, runs without a time that can be read have cell 0, and a run that is dated later than
# now counts as one of today. One number, since SQLite asks a virtual table anew for each use of a column; and a group
# by job, since sorting a job's runs is cheaper than sorting all.
page_tables() {
  local now=$1 days=$2 today first_day back oldest cell day_of age_of
  today=$((now / DAY_US)) first_day=$((now / DAY_US - days + 1)) back=1000 # keeps what is divided above 0
  oldest=$((today + back - 2 * 367 - 2))
  cell="coalesce(max($oldest, time_us / $DAY_US + (time_us - $((now - back * DAY_US))) / $DAY_US), 0)"
  day_of="(cell + $((today - back + 1))) / 2"
  age_of="$back - cell + $day_of"
  jobs_table
  printf '%s\n' "CREATE TEMP TABLE clock AS SELECT $now AS now_us, $days AS days;
CREATE TEMP TABLE calendar AS WITH RECURSIVE c(day) AS (VALUES (0) UNION ALL
    SELECT day + 1 FROM c WHERE day + 1 < $days)
  SELECT day FROM c;
CREATE TEMP TABLE stats AS SELECT job_id, runs, failures, streak, last_run_us, last_success_us FROM task_stats;
CREATE TEMP TABLE unreadable AS $(unreadable_jobs);
CREATE UNIQUE INDEX temp.stats_job ON stats(job_id);
CREATE TEMP TABLE reject AS SELECT job_id, offset IS NULL AS entry, reason, count(*) AS lines
  FROM task_rejects GROUP BY 1, 2, 3;
CREATE TEMP TABLE job AS SELECT id, stats.rowid AS number, known.name AS known_name, known.schedule, known.next_run_us,
    known.overdue_s, known.state AS scheduler_state, $state_of AS state, coalesce(stats.runs, 0) AS runs,
    coalesce(stats.failures, 0) AS failures, coalesce(stats.streak, 0) AS streak, last_run_us, last_success_us
  FROM (SELECT job_id AS id FROM stats UNION SELECT job_id FROM known UNION SELECT job_id FROM unreadable)
    LEFT JOIN stats ON stats.job_id = id
    LEFT JOIN known ON known.job_id = id;
CREATE TEMP TABLE share AS SELECT $(budget 600000 120 2000) AS characters, $(budget 30000 10 60) AS recent,
  $(budget 4000 2 6) AS causes;

CREATE TEMP TABLE failure AS SELECT stats.rowid AS number, cell, signature, times, f.last_us
  FROM (SELECT job_id, $cell AS cell, taskresults_signature(coalesce(error, '')) AS signature, count(*) AS times,
    max(time_us) AS last_us FROM task_results WHERE ok = 0 GROUP BY 1, 2, 3) AS f CROSS JOIN stats USING (job_id);
CREATE TEMP TABLE bucket(number INTEGER, cell INTEGER, runs INTEGER, failures INTEGER,
  PRIMARY KEY (number, cell)) WITHOUT ROWID;
INSERT INTO bucket SELECT stats.rowid, value >> 40, value & 0xffffffffff, 0 FROM stats CROSS JOIN json_each(
  '[' || (SELECT group_concat((cell << 40) + runs) FROM (SELECT $cell AS cell, count(*) AS runs FROM task_results AS r
    WHERE r.job_id = stats.job_id GROUP BY 1)) || ']');
UPDATE bucket SET failures = min(runs, f.failures)
  FROM (SELECT number, cell, sum(times) AS failures FROM failure GROUP BY 1, 2) AS f
  WHERE bucket.number = f.number AND bucket.cell = f.cell;

CREATE TEMP TABLE window(number INTEGER PRIMARY KEY, counts);
INSERT INTO window SELECT number, json_array(sum(runs * (age <= 1)), sum(failures * (age <= 1)), sum(runs * (age <= 7)),
    sum(failures * (age <= 7)), sum(runs * (age <= 30)), sum(failures * (age <= 30)), sum(runs), sum(failures))
  FROM (SELECT number, runs, failures, $age_of AS age FROM bucket) WHERE age <= 90 GROUP BY number;

-- A day's token: RUNS or RUNS-FAILURES; nothing if it is as the day before; ahead of it ~N, if N days were without
-- runs.
CREATE TEMP TABLE day(number INTEGER, day INTEGER, runs INTEGER, failures INTEGER,
  PRIMARY KEY (number, day)) WITHOUT ROWID;
INSERT INTO day SELECT number, min($day_of, $today) - $first_day AS day, sum(runs), sum(failures) FROM bucket
  WHERE cell > 0 GROUP BY 1, 2 HAVING day >= 0;
CREATE TEMP TABLE strip(number INTEGER, day INTEGER, token TEXT, PRIMARY KEY (number, day)) WITHOUT ROWID;
INSERT INTO strip SELECT number, day, CASE WHEN day - before > 1 THEN '~' || (day - before - 1) || ' ' ELSE '' END ||
    CASE WHEN day - before = 1 AND runs = runs_before AND failures = failures_before THEN ''
      WHEN failures THEN runs || '-' || failures ELSE runs END
  FROM (SELECT *, lag(day, 1, -1) OVER each AS before, lag(runs) OVER each AS runs_before,
      lag(failures) OVER each AS failures_before FROM day WINDOW each AS (PARTITION BY number ORDER BY day));

-- A job's last run, and the last one that ended the other way. No NULL goes into \"rowid =\": it would read every file.
CREATE TEMP TABLE place AS SELECT number, streak, $(newest 1) AS last,
  CASE WHEN failures = 0 OR failures = runs THEN NULL
    WHEN streak < 0 THEN $(newest 'ok = 1') ELSE $(newest 'ok = 0') END AS other FROM job WHERE runs > 0;
CREATE TEMP TABLE last(number INTEGER PRIMARY KEY, name, text);
INSERT INTO last SELECT number, $(whole_text job_name),
    CASE WHEN streak < 0 THEN $(whole_text error) ELSE $(whole_text output) END
  FROM place CROSS JOIN task_results AS r WHERE last IS NOT NULL AND r.rowid = last;
CREATE TEMP TABLE other(number INTEGER PRIMARY KEY, time_us, text);
INSERT INTO other SELECT number, time_us, CASE WHEN streak < 0 THEN $(whole_text output) ELSE $(whole_text error) END
  FROM place CROSS JOIN task_results AS r WHERE other IS NOT NULL AND r.rowid = other;

-- The commonest causes of each job, and the texts they are made of, each once.
CREATE TEMP TABLE cause AS SELECT number, signature, sum(times) AS times, max(last_us) AS last_us FROM failure
  WHERE $day_of >= $first_day GROUP BY 1, 2;
CREATE TEMP TABLE top_cause AS SELECT * FROM (SELECT *, count(*) OVER (PARTITION BY number) AS kinds,
    row_number() OVER (PARTITION BY number ORDER BY times DESC, signature) AS place FROM cause)
  WHERE place <= (SELECT share.causes FROM share);
CREATE INDEX temp.top_cause_number ON top_cause(number);
CREATE TEMP TABLE common AS SELECT signature, sum(times) AS times, count(*) AS jobs, max(last_us) AS last_us FROM cause
  GROUP BY signature ORDER BY times DESC, signature LIMIT 8;
CREATE TEMP TABLE signature(number INTEGER PRIMARY KEY, text UNIQUE);
INSERT INTO signature(text) SELECT signature FROM common UNION SELECT signature FROM top_cause;"
}

# page_rows - SQL. Seconds are counted back from when the page was made.
page_rows() {
  local us="CAST(x'1f' AS TEXT)" ago="(SELECT now_us FROM clock) / 1000000 -"
  local generated="strftime('%Y-%m-%dT%H:%M:%SZ', now_us / 1000000, 'unixepoch')"
  printf '%s\n' "CREATE TEMP TABLE tally AS SELECT count(*) AS jobs, coalesce(sum(state = 'failing'), 0) AS failing,
  coalesce(sum(state = 'overdue'), 0) AS overdue, coalesce(sum(state = 'died'), 0) AS died,
  coalesce(sum(state = 'unreadable'), 0) AS unreadable,
  coalesce(sum(state = 'running'), 0) AS running, coalesce(sum(state = 'paused'), 0) AS paused,
  coalesce(sum(state = 'orphaned'), 0) AS orphaned, coalesce(sum(state = 'new'), 0) AS new,
  coalesce(sum(state = 'healthy'), 0) AS healthy FROM job;
SELECT 'generated' || $us || $generated FROM clock;
SELECT 'version' || $us || taskresults_version();
SELECT 'health' || $us || CASE WHEN jobs = 0 THEN 'empty' WHEN died THEN 'died' WHEN failing THEN 'failing'
  WHEN unreadable THEN 'unreadable' WHEN overdue THEN 'overdue' ELSE 'healthy' END FROM tally;
SELECT 'headline' || $us || CASE WHEN jobs = 0 THEN 'No jobs yet'
  WHEN (failing > 0) + (unreadable > 0) + (overdue > 0) + (died > 0) > 1
    THEN (failing + unreadable + overdue + died) || ' of ' || jobs || ' jobs need attention'
  WHEN failing THEN failing || ' of ' || jobs || ' jobs failing'
  WHEN unreadable THEN unreadable || ' of ' || jobs || ' jobs cannot be read'
  WHEN overdue THEN overdue || ' of ' || jobs || ' jobs overdue'
  WHEN died THEN died || ' of ' || jobs || ' jobs died while running'
  WHEN healthy + running = 0 THEN 'No job has run' ELSE 'All jobs healthy' END FROM tally;
SELECT 'summary' || $us || CASE WHEN jobs = 0 THEN 'As soon as the scheduler has written a result, its job is here.'
  ELSE substr(CASE WHEN failing THEN ', ' || failing || ' failing' ELSE '' END
    || CASE WHEN died THEN ', ' || died || ' died' ELSE '' END
    || CASE WHEN unreadable THEN ', ' || unreadable || ' unreadable' ELSE '' END
    || CASE WHEN overdue THEN ', ' || overdue || ' overdue' ELSE '' END
    || CASE WHEN healthy THEN ', ' || healthy || ' healthy' ELSE '' END
    || CASE WHEN running THEN ', ' || running || ' running' ELSE '' END
    || CASE WHEN paused THEN ', ' || paused || ' paused' ELSE '' END
    || CASE WHEN new THEN ', ' || new || ' without a run' ELSE '' END
    || CASE WHEN orphaned THEN ', ' || orphaned || ' with results but no job' ELSE '' END, 3) END FROM tally;
$(plain_rows)
$(notes)
$(data_rows)"
}

# notes - what the page does not show, and why.
notes() {
  local missing='was not there'
  [[ -z $jobs_fault ]] || missing='could not be read'
  printf '%s\n' "SELECT 'notes';
SELECT '<li>Lines that are no records, and so in no count: ' || sum(lines) || ' (see taskresults rejects).'
  FROM reject WHERE NOT entry GROUP BY NULL;
SELECT '<li>Entries of the directory that cannot be read as a job''s file: '
  || sum(lines) || ' (see taskresults rejects).'
  FROM reject WHERE entry AND (job_id IN unreadable) IS NOT 1 GROUP BY NULL;
SELECT '<li>Jobs whose file cannot be read, and so in no count: ' || count(*)
  || ' (taskresults doctor says how to mend it).'
  FROM unreadable GROUP BY NULL;
SELECT '<li>Runs without a time that can be read, in the totals, but in no day and no rate: ' || sum(runs) || '.'
  FROM bucket WHERE cell = 0 GROUP BY NULL;
SELECT '<li>Of each job: the last ' || recent || ' runs, texts up to ' || characters
  || ' characters (fewer, if they are mostly not ASCII), the ' || causes || ' commonest causes of its failures.'
  FROM share;
SELECT '<li>$( [[ -n $jobs_known ]] && echo "Paused, overdue and running are as of when the page was made." ||
  echo "The scheduler''s list of jobs $missing: what is paused, overdue or running is not known." )';"
}

# plain_rows - the table for a browser without JavaScript. Rates are cut, not rounded, as the script does.
plain_rows() {
  local i runs failures cells=
  for i in 0 2 4 6; do
    runs="(counts->>'\$[$i]')" failures="(counts->>'\$[$((i + 1))]')"
    cells+=" || '<td>' || CASE WHEN 1000 * ($runs - $failures) < $runs AND $failures < $runs THEN '&lt;0.1'
      ELSE coalesce((1000 * ($runs - $failures) / $runs) / 10.0, '') END"
  done
  printf '%s\n' "SELECT 'rows';
SELECT '<tr><th scope=\"row\">' || $(html id) || '<td>' || CASE state WHEN 'new' THEN 'no runs' ELSE state END $cells ||
  '<td>' || $(clock last_run_us)
  FROM job LEFT JOIN window USING (number) ORDER BY $severity, id;"
}

# data_rows - the page's data: one JSON object, a line for each job; `columns` names what stands at each place. What
# comes out of a subquery goes through json(): newer SQLites take it for a text otherwise.
data_rows() {
  local runs text other
  # A job without a run is not looked for: its file may be one that cannot be read.
  runs="CASE WHEN runs THEN (SELECT group_concat(token, ' ') FROM (SELECT coalesce($ago $(seconds_of time_us), '?')
    || CASE WHEN ok THEN '' ELSE '!' END AS token FROM task_results AS r
    WHERE r.job_id = job.id ORDER BY rowid DESC LIMIT (SELECT recent FROM share))) END"
  text=$(cut_text last.text share.characters)
  other=$(cut_text other.text '(share.characters / 3)')
  printf '%s\n' "SELECT 'data';
SELECT '{\"generated\":' || (now_us / 1000000) || ',\"days\":' || days || ',\"refresh\":${opt[refresh]-0},\"all\":'
  || json_object(
    'windows', json((SELECT json_group_array(n) FROM
      (SELECT key, sum(value) AS n FROM window, json_each(counts) GROUP BY key ORDER BY key))),
    'days', (SELECT group_concat(token, ' ') FROM (SELECT coalesce(runs, 0) || '-' || coalesce(failures, 0) AS token
      FROM calendar LEFT JOIN (SELECT day, sum(runs) AS runs, sum(failures) AS failures FROM day
        GROUP BY day) USING (day)
      ORDER BY day)))
  || ',\"columns\":[\"id\",\"name\",\"state\",\"scheduler_state\",\"schedule\",'
  || '\"next\",\"overdue\",\"streak\",\"last\",\"last_success\",\"runs\",'
  || '\"failures\",\"windows\",\"days\",\"recent\",\"causes\",\"kinds\",'
  || '\"text\",\"text_length\",\"other\",\"other_length\",\"other_at\",'
  || '\"rejects\"],'
  || '\"jobs\":[' FROM clock;
SELECT CASE WHEN row_number() OVER () > 1 THEN ',' ELSE '' END || row FROM (SELECT json_array(id,
    nullif(substr(coalesce(known_name, name), 1, 200), id), state, scheduler_state, substr(schedule, 1, 100),
    $ago $(seconds_of next_run_us), CAST(overdue_s AS INTEGER), streak,
    $ago $(seconds_of last_run_us), $ago $(seconds_of last_success_us), runs, failures, json(counts),
    (SELECT group_concat(token, ' ') FROM (SELECT token FROM strip WHERE strip.number = job.number ORDER BY day)),
    $runs,
    json((SELECT json_group_array(json_array(n, times)) FROM (SELECT signature.number AS n, times FROM top_cause
      JOIN signature ON signature.text = top_cause.signature WHERE top_cause.number = job.number ORDER BY place))),
    (SELECT kinds FROM top_cause WHERE top_cause.number = job.number LIMIT 1),
    $text, length(last.text), $other, length(other.text), $ago $(seconds_of other.time_us),
    json((SELECT json_group_array(json_array(reason, lines)) FROM reject
      WHERE reject.job_id = job.id AND NOT entry))) AS row
  FROM (SELECT * FROM job ORDER BY $severity, id LIMIT -1 OFFSET 0) AS job
    CROSS JOIN share LEFT JOIN window USING (number) LEFT JOIN last USING (number) LEFT JOIN other USING (number));
SELECT '],\"signatures\":' || (SELECT json_group_array(substr(text, 1, 160))
  FROM (SELECT text FROM signature ORDER BY number))
  || ',\"common\":' || (SELECT json_group_array(json_array(number, times, jobs, $ago $(seconds_of last_us)))
    FROM (SELECT * FROM common JOIN signature ON text = signature ORDER BY times DESC, text)) || '}';"
}
