# facts.bash - SQL: what is known of each job.
#
# Only the last few records of each job are read, however long its file is.

# shellcheck shell=bash

# How far back the length of a streak is counted, and how many runs --empty looks at.
LONGEST_STREAK=1000
EMPTY_RUNS=50

# The tables of the query: the facts, what was reported before, what fires now.
tables="
CREATE TABLE has_file(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE unreadable(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE named(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE wanted(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE recent(id INTEGER PRIMARY KEY, job TEXT, place INTEGER, begins INTEGER, good INTEGER, at INTEGER,
  blank INTEGER, suspect INTEGER, unbroken INTEGER);
CREATE TABLE known(job TEXT PRIMARY KEY, enabled INTEGER, created INTEGER, due INTEGER, running INTEGER, every INTEGER,
  untold INTEGER, started INTEGER)
  WITHOUT ROWID;
CREATE TABLE unread_log(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE timed(job TEXT, n INTEGER, good INTEGER, took INTEGER, started INTEGER, PRIMARY KEY (job, n))
  WITHOUT ROWID;
CREATE TABLE missed(job TEXT PRIMARY KEY, goes_on INTEGER, ended_at INTEGER, settled INTEGER, untold INTEGER,
  first_untold INTEGER, last INTEGER, since INTEGER, streak INTEGER) WITHOUT ROWID;
CREATE TABLE burnt(job TEXT PRIMARY KEY, expected INTEGER, missed INTEGER, failed INTEGER, since INTEGER)
  WITHOUT ROWID;
CREATE TABLE muted(job TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE state_line(number INTEGER PRIMARY KEY, line TEXT);
CREATE TABLE told(job TEXT, alert TEXT, fired INTEGER, sent INTEGER, upto INTEGER, line TEXT, offset INTEGER,
  hash INTEGER, place INTEGER, is_refreshed INTEGER DEFAULT 0, PRIMARY KEY (job, alert));
CREATE TABLE firing(job TEXT, alert TEXT, since INTEGER, is_new INTEGER DEFAULT 0, words TEXT,
  PRIMARY KEY (job, alert));"

# look_at_list - sets `list_known` to 1 if the scheduler's list of jobs is needed and readable, or `jobs_fault` to the
# reason why it cannot be read. It adds to `unjudged` which alerts are then left out: they neither fire nor end.
look_at_list() {
  local left_out
  list_known=0 jobs_fault=
  load lib/jobs_file
  if ! jobs_file_exists; then
    set_given overdue missed burn
    [[ -z $left_out ]] || unjudged+=("left out: $left_out, since the scheduler's list of jobs is not there: $jobs_file;\
 SCHEDULER_JOBS_FILE says where it is")
    return
  fi
  set_given overdue silent-for missed burn
  [[ ! -v opt[slow] ]] || left_out+="${left_out:+, }--slow of runs that are still going on"
  [[ -n $left_out ]] || ((${#args[@]})) || return 0
  look_at_jobs_file
  if [[ -z $jobs_fault ]]; then list_known=1; return; fi
  unjudged+=("left out: ${left_out:-jobs that have not run yet}, since the scheduler's list cannot be read:\
 $jobs_fault")
}

# set_given NAME... - sets `left_out` to those of these options that were given.
set_given() {
  local name
  left_out=
  for name; do [[ ! -v opt[$name] ]] || left_out+="${left_out:+, }--$name"; done
}

# known_jobs - SQL: the scheduler's list, if it is there. Of jobs with the same id, one that is overdue counts.
known_jobs() {
  look_at_list
  ((list_known)) || return 0
  sql+="INSERT OR REPLACE INTO known SELECT $job_key, is_enabled, created_us, next_run_us, state = 'running',
      interval_us, state = 'unknown', started_us
    FROM task_jobs WHERE record IS NOT NULL AND typeof(job_id) = 'text' ORDER BY is_enabled, overdue_s;"
}

# recent_records - SQL: the last records of each job, newest first. Sets `reach` to their number, and `pattern` to SQL:
# the GLOB of --suspicious.
recent_records() {
  local blank=NULL suspect=NULL same='job = @'
  pattern=NULL
  reach=${opt[after]-1}
  ((reach >= ${rate_runs-1})) || reach=$rate_runs
  if [[ -v opt[empty] ]]; then
    blank="trim(coalesce(output, ''), ' ' || char(9, 10, 13)) = ''"
    ((reach >= EMPTY_RUNS)) || reach=$EMPTY_RUNS
  fi
  if [[ -v opt[suspicious] ]]; then
    load lib/sql_text
    pattern="'*' || $(sql_text "${opt[suspicious]}") || '*'"
    suspect="coalesce($(whole_text output), '') GLOB $pattern OR coalesce($(whole_text error), '') GLOB $pattern"
  fi
  sql+="
  -- begins: the place of the file's first byte. unbroken: are all later runs still there? Asked of failures alone.
  CREATE TEMP VIEW newest AS SELECT $job_key AS job, ${host_column}job_id, rowid AS place,
    rowid - offset AS begins, ok AS good, time_us AS at, $blank AS blank, $suspect AS suspect,
    ok OR unbroken AS unbroken FROM task_results
    WHERE $known_runs;"$'\n'
  [[ -z $hosts ]] || same="host = $(host_in @) AND job_id = $(job_in @)"
  ((${#jobs[@]} == 0)) || sql+=$(printf '%s\0' "${jobs[@]}" | sql_texts \
    "INSERT INTO recent(job, place, begins, good, at, blank, suspect, unbroken) SELECT " \
    ", place, begins, good, at, blank, suspect, unbroken FROM newest
      WHERE $same ORDER BY place DESC LIMIT $reach;")$'\n'
}

# job_facts - SQL: a row for each job. The records of a job have consecutive ids in `recent`, from `head` on, the
# newest.
job_facts() {
  # SQLite computes row_number() row by row, so only as many records are read as the outer query needs.
  local numbered='SELECT good, at, place, unbroken, row_number() OVER (ORDER BY place DESC) AS n FROM newest WHERE'
  numbered+=" $(of_job job fact.job)"
  sql+="
  CREATE TABLE fact AS
    SELECT job, count(id) AS seen, min(id) AS head, min(id) FILTER (WHERE good) AS good_id,
      min(id) FILTER (WHERE good OR NOT unbroken) AS stop_id, NULL AS streak, NULL AS since, NULL AS first,
      0 AS bounded, min(id) FILTER (WHERE at IS NOT NULL) AS timed_id, NULL AS at
    FROM wanted LEFT JOIN recent USING (job) GROUP BY job;
  -- A streak reaches back to the last success, or to where a prune has removed runs. The last run counts at any rate.
  UPDATE fact SET streak = max(coalesce(stop_id - head, seen), seen > 0 AND good_id IS NOT head);
  -- If all records read so far are failures: read on, to the success before them, or up to the longest streak counted.
  UPDATE fact SET (streak, bounded) = (SELECT n - 1, good FROM ($numbered)
      WHERE good OR NOT unbroken OR n > $LONGEST_STREAK LIMIT 1)
    WHERE stop_id IS NULL AND seen = $reach;
  UPDATE fact SET bounded = 0, streak = (SELECT count(*) FROM newest WHERE $(of_job job fact.job)) WHERE streak IS NULL;
  UPDATE fact SET bounded = 1 WHERE good_id > head AND good_id = stop_id;
  UPDATE fact SET (since, first) = (SELECT at, place FROM recent WHERE id = head + streak - 1)
    WHERE streak BETWEEN 1 AND seen;
  UPDATE fact SET (since, first) = (SELECT at, place FROM ($numbered) WHERE n = fact.streak LIMIT 1)
    WHERE streak > seen;
  UPDATE fact SET at = (SELECT at FROM recent WHERE id = timed_id);
  CREATE UNIQUE INDEX fact_job ON fact(job);"$'\n'
}
