-- views.sql - the tables that people know from one host, over all hosts: the same columns, and `host`. README.md says what is
-- different. ClickHouse 18.16 understands all but the lines that begin with SETTINGS (`apply --old` leaves them out). They only
-- make it faster: years are merged each by itself, and the arrays of one job are in memory at a time.

-- output_text and error_text are the columns as they are stored, '' for NULL: conditions on them use the indexes of words. They
-- are named in a subquery, because beside the new `error` that name would mean the new one.
CREATE VIEW task_results AS
SELECT timestamp, job_id, job_name, success,
  if(bitAnd(missing, 1) = 1, NULL, output_text) AS output, if(bitAnd(missing, 2) = 2, NULL, error_text) AS error,
  host, time_us, offset, seq AS rowid, ok, signature, output_text, error_text, shipped
FROM (
  SELECT timestamp, job_id, job_name, success, missing, output AS output_text, error AS error_text, host, time_us, offset, seq, ok,
    signature, shipped
  FROM records FINAL
  SETTINGS do_not_merge_across_partitions_select_final = 1
)
;

CREATE VIEW task_rejects AS
SELECT job_id, offset, length, reason, if(hex = 1, unhex(line), line) AS line, host, seq AS rowid, shipped
FROM rejects FINAL
;

-- One row for each job of each host that has a file, with records or without: what the records, the rejects and the heartbeat
-- know of it, joined by the outer GROUP BY. The arrays are those of one job: its runs in their order, and its turns, which are
-- the first run and each one that ended otherwise than the run before it. A lambda copies an array that it takes from outside
-- for each element, so neighbours come as arrays of their own.
CREATE VIEW task_stats AS
SELECT job_id, sum(part_runs) AS runs, sum(part_successes) AS successes, runs - successes AS failures,
  if(runs = 0, NULL, 100 * successes / runs) AS success_rate,
  max(at_first.1) AS first_run, max(at_last.1) AS last_run, max(at_success.1) AS last_success, max(at_failure.1) AS last_failure,
  max(at_failure.3) AS last_error, sum(part_streak) AS streak, sum(part_longest) AS longest_failure_streak,
  max(mean_gap_us) / 1000000 AS mtbf_s, max(mean_repair_us) / 1000000 AS mttr_s, sum(part_rejects) AS rejects,
  CAST(NULL AS Nullable(Float64)) AS p50_s, CAST(NULL AS Nullable(Float64)) AS p95_s, CAST(NULL AS Nullable(Float64)) AS max_s,
  host, max(at_first.2) AS first_run_us, max(at_last.2) AS last_run_us, max(at_success.2) AS last_success_us,
  max(at_failure.2) AS last_failure_us
FROM (
  SELECT host, job_id, part_runs, part_successes, at_first, at_last, at_success, at_failure,
    (toInt64(part_runs) - turns[-1].4 + 1) * if(turns[-1].2 = 1, 1, -1) AS part_streak,
    arrayReduce('max', arrayMap((turn, next) -> if(turn.2 = 1, toInt64(0), next - turn.4), turns,
      arrayPushBack(arrayPopFront(arrayMap(turn -> turn.4, turns)), toInt64(part_runs) + 1))) AS part_longest,
    arrayReduce('avg', arrayMap((turn, before) -> if(turn.3 < before, 0, turn.3 - before), outages,
      arrayPopBack(arrayPushFront(arrayMap(turn -> turn.3, outages), NULL)))) AS mean_gap_us,
    arrayReduce('avg', arrayMap((turn, before) -> if(turn.2 = 0, NULL, if(turn.3 < before, 0, turn.3 - before)), turns,
      arrayPopBack(arrayPushFront(arrayMap(turn -> turn.3, turns), NULL)))) AS mean_repair_us,
    toUInt64(0) AS part_rejects
  FROM (
    SELECT host, job_id, part_runs, part_successes, at_first, at_last, at_success, at_failure,
      arrayMap((run, number) -> tuple(run.1, run.2, run.3, toInt64(number)), ordered, arrayEnumerate(ordered)) AS numbered,
      arrayFilter((run, before) -> run.4 = 1 OR run.2 != before, numbered,
        arrayPopBack(arrayPushFront(arrayMap(run -> run.2, ordered), toUInt8(0)))) AS turns,
      arrayFilter(turn -> turn.2 = 0, turns) AS outages
    FROM (
      SELECT host, job_id, arraySort(groupArray(tuple(seq, ok, time_us))) AS ordered, count() AS part_runs, sum(ok) AS part_successes,
        argMin(tuple(timestamp, time_us), seq) AS at_first, argMax(tuple(timestamp, time_us), seq) AS at_last,
        argMaxIf(tuple(timestamp, time_us), seq, ok = 1) AS at_success,
        argMaxIf(tuple(timestamp, time_us, if(bitAnd(missing, 2) = 2, NULL, error)), seq, ok = 0) AS at_failure
      FROM records FINAL
      GROUP BY host, job_id
      SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_aggregation_in_order = 1
    )
  )
  UNION ALL
  SELECT host, job_id, toUInt64(0) AS part_runs, toUInt64(0) AS part_successes, tuple(NULL, NULL) AS at_first,
    tuple(NULL, NULL) AS at_last, tuple(NULL, NULL) AS at_success, tuple(NULL, NULL, NULL) AS at_failure, toInt64(0) AS part_streak,
    toInt64(0) AS part_longest, NULL AS mean_gap_us, NULL AS mean_repair_us, count() AS part_rejects
  FROM rejects FINAL
  GROUP BY host, job_id
  UNION ALL
  SELECT DISTINCT host, job_id, toUInt64(0) AS part_runs, toUInt64(0) AS part_successes, tuple(NULL, NULL) AS at_first,
    tuple(NULL, NULL) AS at_last, tuple(NULL, NULL) AS at_success, tuple(NULL, NULL, NULL) AS at_failure, toInt64(0) AS part_streak,
    toInt64(0) AS part_longest, NULL AS mean_gap_us, NULL AS mean_repair_us, toUInt64(0) AS part_rejects
  FROM files
)
GROUP BY host, job_id
;

-- The texts of the two times are computed from days since 0000-03-01, 400 years earlier (a calendar that ends with February):
-- the engines' own types end between 1970 and 2299, and clocks can be years off.
CREATE VIEW task_errors AS
SELECT job_id, error_group AS signature, times, texts[1] AS first_run, texts[2] AS last_run, host, first_run_us, last_run_us, rowid
FROM (
  SELECT host, job_id, error_group, times, first_run_us, last_run_us, rowid,
    arrayMap(us -> us + 74784816000000000, [first_run_us, last_run_us]) AS since,
    arrayMap(us -> intDiv(us, 86400000000), since) AS days,
    arrayMap((us, day) -> us - day * 86400000000, since, days) AS rests,
    arrayMap(day -> intDiv(day, 146097), days) AS eras,
    arrayMap((day, era) -> day - era * 146097, days, eras) AS era_days,
    arrayMap(day -> intDiv(day - intDiv(day, 1460) + intDiv(day, 36524) - intDiv(day, 146096), 365), era_days) AS era_years,
    arrayMap((day, year) -> day - (365 * year + intDiv(year, 4) - intDiv(year, 100)), era_days, era_years) AS year_days,
    arrayMap(day -> intDiv(5 * day + 2, 153), year_days) AS months,
    arrayMap((era, year, month) -> 10000 + era * 400 + year - 400 + (month > 9), eras, era_years, months) AS years,
    arrayMap((year, month, day) -> concat(substring(toString(year), 2), '-', substring(toString(if(month < 10, 103, 91) + month), 2), '-',
      substring(toString(101 + day - intDiv(153 * month + 2, 5)), 2)), years, months, year_days) AS dates,
    arrayMap((date, us) -> concat(date, 'T', substring(toString(100 + intDiv(us, 3600000000)), 2), ':',
      substring(toString(100 + intDiv(us, 60000000) % 60), 2), ':', substring(toString(100 + intDiv(us, 1000000) % 60), 2),
      if(us % 1000000 = 0, '', concat('.', substring(toString(1000000 + us % 1000000), 2))), 'Z'), dates, rests) AS texts
  FROM (
    SELECT host, job_id, ifNull(signature, '') AS error_group, count() AS times, min(time_us) AS first_run_us, max(time_us) AS last_run_us,
      min(seq) AS rowid
    FROM records FINAL
    WHERE ok = 0
    GROUP BY host, job_id, error_group
    SETTINGS do_not_merge_across_partitions_select_final = 1
  )
)
;
