-- task_days.sql - how each job ran on each day, for dashboards: `task_days` has a row for each host, job and day (UTC). It is made
-- anew every hour, but only the days of which something has arrived since. An ordinary materialized view would count lines that
-- are sent again; this one reads the records as everybody does, each once. 18.16 has no such views.

CREATE TABLE days (
  host LowCardinality(String),
  job_id String,
  day Date32,
  runs UInt64,
  failures UInt64,
  last_run_us Int64,
  refreshed DateTime
) ENGINE = ReplacingMergeTree(refreshed)
ORDER BY (host, job_id, day);

CREATE MATERIALIZED VIEW days_refresh REFRESH EVERY 1 HOUR APPEND TO days AS
SELECT host, job_id, toDate32(fromUnixTimestamp64Micro(assumeNotNull(time_us), 'UTC')) AS day, count() AS runs,
  countIf(ok = 0) AS failures, max(assumeNotNull(time_us)) AS last_run_us, now() AS refreshed
FROM records FINAL
WHERE time_us IS NOT NULL AND (host, job_id, day) IN (
  SELECT host, job_id, toDate32(fromUnixTimestamp64Micro(assumeNotNull(time_us), 'UTC'))
  FROM records
  WHERE time_us IS NOT NULL AND shipped >= (SELECT toDateTime(greatest(toInt64(max(refreshed)), 3600) - 3600) FROM days)
)
GROUP BY host, job_id, day;

CREATE VIEW task_days AS
SELECT host, job_id, day, runs, failures, 100 * (runs - failures) / runs AS success_rate, last_run_us
FROM days FINAL;
