-- slowest_runs.sql - the slowest run of each job, and how much longer it took than that job's runs do on average.
--
-- A record has no duration. It is the time since the start, which is in the job's log. Jobs without a log are left out.
.mode box
SELECT job_id AS job, count(duration_s) AS runs, round(avg(duration_s), 1) AS average_s,
       round(max(duration_s), 1) AS slowest_s, started, success,
       round(max(duration_s) / avg(duration_s), 1) AS times_average
FROM task_runs
GROUP BY job_id HAVING count(duration_s) > 0
ORDER BY slowest_s DESC;
