-- busiest_hours.sql - the hours of the day (UTC) in which most runs end, and how many of them fail.
.mode box
SELECT strftime('%H:00', time_us / 1000000 - (time_us % 1000000 < 0), 'unixepoch') AS hour, count(*) AS runs,
       count(DISTINCT job_id) AS jobs, sum(ok = 0) AS failures, round(100.0 * sum(ok = 0) / count(*), 1) AS percent_failed
FROM task_results WHERE time_us IS NOT NULL
GROUP BY hour
ORDER BY runs DESC, hour LIMIT 6;
