-- regressions.sql - jobs that fail more often since a date, such as the day of a release.
--
-- Here the date is nine days before the last run, which fits the example data. To use a date of your own, replace the
-- first line by: WITH release(at_us) AS (VALUES (taskresults_time('2026-02-06'))),
.mode box
WITH release(at_us) AS (SELECT max(time_us) - taskresults_span('9d') FROM task_results),
side AS (
  SELECT job_id, count(*) FILTER (WHERE time_us < at_us) AS runs_before,
         count(*) FILTER (WHERE time_us >= at_us) AS runs_since,
         100.0 * avg(ok) FILTER (WHERE time_us < at_us) AS percent_before,
         100.0 * avg(ok) FILTER (WHERE time_us >= at_us) AS percent_since
  FROM task_results CROSS JOIN release GROUP BY job_id)
SELECT job_id AS job, runs_before, CAST(10 * percent_before AS INTEGER) / 10.0 AS percent_before, runs_since,
       CAST(10 * percent_since AS INTEGER) / 10.0 AS percent_since, round(percent_since - percent_before, 1) AS change
FROM side WHERE percent_since < percent_before
ORDER BY change, job;
