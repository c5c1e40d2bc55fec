# missed.bash - SQL for the status page: runs that a schedule expected and that did not take place, and flaky jobs.

# shellcheck shell=bash

load lib/logs

# The most expected runs that are examined, and the most missed runs on a page. If jobs run every minute, this covers
# fewer days than the page has; after a long time without a scheduler, even fewer.
SLOTS=10000000
MISSED=300000

# missed_tables - SQL: `missed` has each missed run, `missed_in` their number in each window. Also marks flaky jobs: the
# last run succeeded, but of the runs expected in 30 days, more than one in ten failed or was missed.
missed_tables() {
  printf '%s\n' "CREATE TEMP TABLE closed_log AS SELECT id AS job_id FROM job
  WHERE ($(pair_in id)) IN $(jobs_in "${unreadable_logs[@]}");
CREATE TEMP TABLE reach AS SELECT min($days, max(1, $SLOTS / max(1, 24 * (SELECT count(*) FROM known),
  (SELECT coalesce(max(runs), 0) FROM
    (SELECT sum(runs) AS runs FROM bucket WHERE cell > $oldest GROUP BY $day_of))))) AS days, 0 AS done;
CREATE TEMP TABLE missed(number INTEGER, at_us INTEGER, day INTEGER);"
  [[ -z $jobs_known || -z $logs_known ]] || slots_rows
  printf '%s\n' "CREATE INDEX temp.missed_number ON missed(number, at_us);
CREATE TEMP TABLE missed_in(number INTEGER PRIMARY KEY, day, week, month, quarter);
INSERT INTO missed_in SELECT number, sum(age <= 1), sum(age <= 7), sum(age <= 30), sum(age <= 90)
  FROM (SELECT number, ($now - at_us) / $DAY_US + 1 AS age FROM missed) GROUP BY number;
UPDATE job SET state = 'flaky' FROM (SELECT number, coalesce(counts->>'\$[4]', 0) AS runs,
    coalesce(counts->>'\$[5]', 0) AS failures, coalesce(month, 0) AS missed
  FROM job LEFT JOIN window USING (number) LEFT JOIN missed_in USING (number)) AS found
  WHERE found.number = job.number AND state = 'ok' AND 10 * (found.failures + missed) > found.runs + missed;"
}

# slots_rows - SQL: the slots of the jobs whose files can be read. If there are too many, they are read again for fewer
# days.
slots_rows() {
  local least
  printf '%s\n' "CREATE TEMP TABLE slot(job_id, slot_us);"
  for least in 7 1 0; do
    printf '%s\n' "DELETE FROM slot WHERE (SELECT NOT done FROM reach);
INSERT INTO slot SELECT $job_key, slot_us FROM task_slots((SELECT $now - days * $DAY_US FROM reach), $now)
  WHERE (SELECT NOT done FROM reach)
    AND $job_pair IN (SELECT $(pair_in job_id) FROM known
      WHERE job_id NOT IN unreadable AND job_id NOT IN closed_log)
    AND state = 'missed' LIMIT $((MISSED + 1));
UPDATE reach SET done = 1 WHERE (SELECT count(*) FROM slot) <= $MISSED;
UPDATE reach SET days = min(days, $least) WHERE NOT done;"
  done
  printf '%s\n' "DELETE FROM slot WHERE (SELECT NOT done FROM reach);
INSERT INTO missed SELECT number, slot_us, ($(zoned slot_us)) / $DAY_US - $first_day
  FROM slot JOIN job ON job.id = slot.job_id;
DROP TABLE slot;"
}
