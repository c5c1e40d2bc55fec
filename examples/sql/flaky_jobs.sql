-- flaky_jobs.sql - jobs that often change between success and failure.
--
-- flips counts the changes. flakiness is the percentage of runs whose result differs from that of the run before.
.mode box
WITH run AS (
  SELECT job_id, ok, lag(ok) OVER (PARTITION BY job_id ORDER BY rowid) AS before FROM task_results)
SELECT job_id AS job, count(*) AS runs, sum(ok <> before) AS flips,
       round(100.0 * sum(ok <> before) / (count(*) - 1), 1) AS flakiness
FROM run
GROUP BY job_id HAVING count(*) > 1 AND flips > 0
ORDER BY flakiness DESC, job;
