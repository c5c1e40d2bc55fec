-- one-liners.sql - the one-liners of the project's README for a fleet. Both engines understand them. Above each is what one
-- types in SQLite, so that the differences can be seen; a test compares their results.

-- The latest five runs of a job. A table has no arguments, so the job is a condition.
-- SQLite: SELECT timestamp, success, error FROM task_results('price-watch') ORDER BY rowid DESC LIMIT 5
SELECT timestamp, success, error FROM task_results WHERE host = 'web-1' AND job_id = 'price-watch' ORDER BY rowid DESC LIMIT 5;

-- All failures of the last seven days, newest first.
-- SQLite: SELECT timestamp, job_id, error FROM task_results WHERE ok = 0 AND time_us >= (SELECT taskresults_time('7d')) ORDER BY time_us DESC, job_id
SELECT timestamp, job_id, error FROM task_results WHERE ok = 0 AND time_us >= toInt64(toUnixTimestamp(now() - 7 * 86400)) * 1000000 ORDER BY time_us DESC, job_id;

-- How often each job ran and failed.
-- SQLite: SELECT job_id, runs, failures, success_rate FROM task_stats ORDER BY success_rate, job_id
SELECT job_id, runs, failures, success_rate FROM task_stats ORDER BY success_rate, job_id;

-- What is broken now, since when, and why.
-- SQLite: SELECT job_id, last_success AS fine_until, -streak AS failing, last_error FROM task_stats WHERE streak < 0 ORDER BY job_id
SELECT job_id, last_success AS fine_until, -streak AS failing, last_error FROM task_stats WHERE streak < 0 ORDER BY job_id;

-- The most frequent errors. A result must not be called like the column that it sums up.
-- SQLite: SELECT signature, sum(times) AS total, count(*) AS jobs FROM task_errors GROUP BY signature ORDER BY total DESC, signature LIMIT 5
SELECT signature, sum(times) AS total, count() AS jobs FROM task_errors GROUP BY signature ORDER BY total DESC, signature LIMIT 5;

-- The days on which a job was below 90 %. SQLite's date() is toDate(), of a time and not of a text.
-- SQLite: SELECT job_id, date(timestamp) AS day, count(*) AS runs, 100 * sum(ok) / count(*) AS percent FROM task_results GROUP BY job_id, day HAVING percent < 90 ORDER BY day, job_id
SELECT job_id, toDate(toDateTime(intDiv(time_us, 1000000)), 'UTC') AS day, count() AS runs, intDiv(100 * sum(ok), count()) AS percent FROM task_results GROUP BY job_id, day HAVING percent < 90 ORDER BY day, job_id;

-- The last failure of each job. SQLite takes the other columns from the row with the greatest value; here argMax() does.
-- SQLite: SELECT job_id, max(rowid) > 0, timestamp, error FROM task_results WHERE ok = 0 GROUP BY job_id ORDER BY job_id
SELECT job_id, max(rowid) > 0, argMax(timestamp, rowid), argMax(error, rowid) FROM task_results WHERE ok = 0 GROUP BY job_id ORDER BY job_id;

-- Failures that mention something. SQLite's LIKE ignores case. That of ClickHouse does not: today's has ILIKE, and both have this.
-- SQLite: SELECT job_id, count(*) FROM task_results WHERE error LIKE '%TIMEOUT%' GROUP BY job_id ORDER BY job_id
SELECT job_id, count() FROM task_results WHERE positionCaseInsensitive(error_text, 'TIMEOUT') > 0 GROUP BY job_id ORDER BY job_id;

-- Lines in the files that are not valid records.
-- SQLite: SELECT job_id, reason, count(*) AS lines, min(offset) AS first_offset FROM task_rejects GROUP BY job_id, reason ORDER BY job_id, reason
SELECT job_id, reason, count() AS lines, min(offset) AS first_offset FROM task_rejects GROUP BY job_id, reason ORDER BY job_id, reason;
