# tables.bash - SQL for the status page: what is known about each job, read in few passes.
#
# The page is a template with {{marks}}. What replaces them comes from one sqlite3 session, as rows: "NAME<US>VALUE" for
# each mark of one line; then, for each mark of several lines, a row "NAME" and its lines. Everything is read first
# (`page_tables`) and then printed (`page_rows`), so that an error does not leave half a page.
#
# Passes over the results: every record once for the day counts (by task_days), failures once for their causes, every
# line once for the rejects, once more for task_stats, and of jobs with a schedule once more for missed runs
# (missed.bash). The last runs and texts are read from the ends of the files.
#
# With --hosts, a job is HOST/JOB in all tables of ours, and on the page.
#
# A page has a budget: the more jobs, the fewer characters and runs of each. The page says what was cut.

# shellcheck shell=bash

load lib/fields lib/jobs_in report/{expressions,clock,missed}

DAY_US=86400000000

# jobs_table - SQL: `known` has what jobs.json says about the jobs; it is empty if the file cannot be read. Of jobs with
# the same id, one that is overdue counts.
jobs_table() {
  echo "CREATE TEMP TABLE known(job_id UNIQUE, name, schedule, next_run_us, overdue_s, state, started_us);"
  [[ -z $jobs_known ]] || echo "INSERT OR REPLACE INTO known
  SELECT $job_key, name, coalesce(nullif(cron, ''), schedule), next_run_us, overdue_s, state, started_us
  FROM task_jobs ORDER BY is_enabled, overdue_s;"
}

# page_tables NOW_US DAYS - SQL. Runs are counted in cells of time. A new cell begins at each midnight, and each day at
# the time of day that it is now. So both a calendar day and each of the four windows, which end now, consist of whole
# cells. The number of a cell is the number of its calendar day times 1024, plus its age in days of 24 hours; `day_of`
# and `age_of` give the two. Older runs share the first cell, runs in the future the last, and runs without a readable
# time have cell 0. It is a single number because SQLite reads a column of a virtual table again for each use.
page_tables() {
  local now=$1 days=$2 from back=400 oldest=$((3 * 1024)) # back: keeps what is divided above 0
  local today='(SELECT today FROM clock)' first_day='(SELECT first_day FROM clock)' cell day_of age_of
  from=$((now / DAY_US - back - 2))
  cell="(($(zoned "min(time_us, $now)")) / $DAY_US - $from) * 1024"
  cell="coalesce(max($oldest, $cell + (min(time_us, $now) - $((now - back * DAY_US))) / $DAY_US), 0)"
  day_of="(cell / 1024 + $from)"
  age_of="$back - cell % 1024"
  clock_table
  jobs_table
  job_tables
  count_tables
  window_table
  missed_tables
  day_tables
  text_tables
  cause_tables
}

# job_tables - SQL: the jobs, with all data that is a single row for each job.
job_tables() {
  printf '%s\n' "CREATE TEMP TABLE stats AS
  SELECT $job_key AS job_id, runs - unknowns AS runs, failures, streak, last_run_us, last_success_us FROM task_stats
  WHERE $known_jobs;
CREATE TEMP TABLE unreadable AS SELECT $job_key AS job_id FROM ($(unreadable_jobs));
CREATE UNIQUE INDEX temp.stats_job ON stats(job_id);
CREATE TEMP TABLE reject AS SELECT $job_key AS job_id, offset IS NULL AS entry, reason, count(*) AS lines
  FROM task_rejects GROUP BY 1, 2, 3;
CREATE TEMP TABLE job AS SELECT id,
    coalesce(stats.rowid, (SELECT count(*) FROM stats) + row_number() OVER (ORDER BY id)) AS number,
    known.name AS known_name, known.schedule, known.next_run_us, known.overdue_s, known.started_us,
    known.state AS scheduler_state, $state_of AS state, coalesce(stats.runs, 0) AS runs,
    coalesce(stats.failures, 0) AS failures, coalesce(stats.streak, 0) AS streak, last_run_us, last_success_us
  FROM (SELECT job_id AS id FROM stats UNION SELECT job_id FROM known UNION SELECT job_id FROM unreadable)
    LEFT JOIN stats ON stats.job_id = id
    LEFT JOIN known ON known.job_id = id;
CREATE UNIQUE INDEX temp.job_id ON job(id);
CREATE TEMP TABLE share AS SELECT $(budget 450000 120 2000) AS characters, $(budget 30000 10 60) AS recent,
  $(budget 4000 2 6) AS causes;"
}

# count_tables - SQL: runs and failures by cell, also of records that a prune has removed, or that were rotated away.
count_tables() {
  printf '%s\n' "CREATE TEMP TABLE failure AS SELECT stats.rowid AS number, cell, signature, times, f.last_us
  FROM (SELECT $job_key AS job_id, $cell AS cell, taskresults_signature(coalesce(error, '')) AS signature,
    count(*) AS times, max(time_us) AS last_us
    FROM task_results WHERE ok = 0 GROUP BY 1, 2, 3) AS f CROSS JOIN stats USING (job_id);
CREATE TEMP TABLE bucket(number INTEGER, cell INTEGER, runs INTEGER, failures INTEGER, pruned INTEGER,
  PRIMARY KEY (number, cell)) WITHOUT ROWID;"
  if [[ -n $has_segments ]]; then day_buckets; else mapped_buckets; fi
}

day_buckets() {
  local zone_argument=NULL
  [[ -z $page_zone ]] || set_sql_text zone_argument "$page_zone"
  printf '%s\n' "INSERT INTO bucket SELECT stats.rowid, cell, d.runs, d.failures, pruned
  FROM (SELECT $job_key AS job_id, sum(pruned_runs) AS pruned,
    coalesce(max($oldest, (unixepoch(day) / 86400 - $from) * 1024 + $back - age), 0) AS cell, sum(runs) AS runs,
    sum(failures) AS failures FROM task_days WHERE as_of = $now AND zone = $zone_argument GROUP BY 1, cell) AS d
  CROSS JOIN stats USING (job_id);"
}

# mapped_buckets - SQL: the same with a mapping whose files are not such as task_days can read.
mapped_buckets() {
  printf '%s\n' "INSERT INTO bucket SELECT stats.rowid, value >> 40, value & 0xffffffffff, 0, 0
  FROM stats CROSS JOIN json_each(
  '[' || (SELECT group_concat((cell << 40) + runs) FROM (SELECT $cell AS cell, count(*) AS runs FROM task_results AS r
    WHERE $known_runs AND $(of_job r.job_id stats.job_id) GROUP BY 1)) || ']');
UPDATE bucket SET failures = min(runs, f.failures)
  FROM (SELECT number, cell, sum(times) AS failures FROM failure GROUP BY 1, 2) AS f
  WHERE bucket.number = f.number AND bucket.cell = f.cell;"
}

# window_table - SQL: the counts of the four windows.
window_table() {
  printf '%s\n' "CREATE TEMP TABLE window(number INTEGER PRIMARY KEY, counts);
INSERT INTO window SELECT number, json_array(sum(runs * (age <= 1)), sum(failures * (age <= 1)), sum(runs * (age <= 7)),
    sum(failures * (age <= 7)), sum(runs * (age <= 30)), sum(failures * (age <= 30)), sum(runs), sum(failures))
  FROM (SELECT number, runs, failures, $age_of AS age FROM bucket) WHERE age <= 90 GROUP BY number;"
}

# day_tables - SQL: the token of a day is RUNS, RUNS-FAILURES or RUNS-FAILURES-MISSED; it is empty if it equals that of
# the day before; and ~N before it means that N days had no runs.
day_tables() {
  printf '%s\n' "CREATE TEMP TABLE day(number INTEGER, day INTEGER, runs INTEGER, failures INTEGER, missed INTEGER,
  PRIMARY KEY (number, day)) WITHOUT ROWID;
INSERT INTO day SELECT number, $day_of - $first_day AS day, sum(runs), sum(failures), 0 FROM bucket
  WHERE cell > 0 GROUP BY 1, 2 HAVING day >= 0;
INSERT INTO day SELECT number, day, 0, 0, count(*) FROM missed WHERE day >= 0 GROUP BY 1, 2
  ON CONFLICT DO UPDATE SET missed = excluded.missed;
CREATE TEMP TABLE strip(number INTEGER, day INTEGER, token TEXT, PRIMARY KEY (number, day)) WITHOUT ROWID;
INSERT INTO strip SELECT number, day, CASE WHEN day - before > 1 THEN '~' || (day - before - 1) || ' ' ELSE '' END ||
    CASE WHEN day - before = 1 AND token = lag(token) OVER each THEN '' ELSE token END
  FROM (SELECT number, day, lag(day, 1, -1) OVER each AS before, runs || CASE WHEN missed THEN '-' || failures || '-'
      || missed WHEN failures THEN '-' || failures ELSE '' END AS token
    FROM day WINDOW each AS (PARTITION BY number ORDER BY day))
  WINDOW each AS (PARTITION BY number ORDER BY day);"
}

text_tables() {
  printf '%s\n' "-- A job's last run, and the last one that ended the other way. No NULL goes into \"rowid =\": it would
-- read every file.
CREATE TEMP TABLE place AS SELECT number, streak, $(newest 1) AS last,
  CASE WHEN failures = 0 OR failures = runs THEN NULL
    WHEN streak < 0 THEN $(newest 'ok = 1') ELSE $(newest 'ok = 0') END AS other FROM job WHERE runs > 0;
CREATE TEMP TABLE last(number INTEGER PRIMARY KEY, name, text);
INSERT INTO last SELECT number, $(whole_text job_name),
    CASE WHEN streak < 0 THEN $(whole_text error) ELSE $(whole_text output) END
  FROM place CROSS JOIN task_results AS r WHERE last IS NOT NULL AND r.rowid = last;
CREATE TEMP TABLE other(number INTEGER PRIMARY KEY, time_us, text);
INSERT INTO other SELECT number, time_us, CASE WHEN streak < 0 THEN $(whole_text output) ELSE $(whole_text error) END
  FROM place CROSS JOIN task_results AS r WHERE other IS NOT NULL AND r.rowid = other;"
}

cause_tables() {
  printf '%s\n' "-- The commonest causes of each job, and the texts they are made of, each once.
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
