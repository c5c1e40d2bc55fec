-- regressions.sql - jobs that do worse since a date, such as that of a release. Put yours in the first line.
.mode box
WITH release(at_us) AS (VALUES (strftime('%s', '2026-02-06T00:00:00Z') * 1000000)),
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
