-- repeated_failures.sql - every time that a job failed at least three times in a row: when, how often, and why.
--
-- Failures belong to the same streak if the job had the same number of successes before each of them.
.mode box
WITH run AS (
  SELECT job_id, ok, error, time_us,
         sum(ok) OVER (PARTITION BY job_id ORDER BY rowid) AS successes_before
  FROM task_results)
SELECT job_id AS job, count(*) AS failures,
       datetime(min(time_us) / 1000000 - (min(time_us) % 1000000 < 0), 'unixepoch') AS first,
       datetime(max(time_us) / 1000000 - (max(time_us) % 1000000 < 0), 'unixepoch') AS last,
       group_concat(DISTINCT taskresults_signature(error)) AS causes
FROM run WHERE ok = 0
GROUP BY job_id, successes_before HAVING count(*) >= 3
ORDER BY first;
