-- causes_by_week.sql - what made jobs fail, week by week, most frequent first.
--
-- A cause is the most telling line of an error, without its times, identifiers and numbers. A week begins on Monday.
.mode box
SELECT date(time_us / 1000000 - (time_us % 1000000 < 0), 'unixepoch', '-6 days', 'weekday 1') AS week,
       taskresults_signature(error) AS cause, count(*) AS failures, count(DISTINCT job_id) AS jobs
FROM task_results WHERE ok = 0 AND time_us IS NOT NULL
GROUP BY week, cause
ORDER BY week, failures DESC, cause;
