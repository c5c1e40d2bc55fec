-- tables.sql - the tables that `taskresults ship` fills, for a ClickHouse of today. README.md says where to run it.
--
-- A line of a file has the key (host, job_id, time, hash, n): n numbers identical lines of a job: 1, 2, 3 and so on. A line
-- that is shipped again has the same key, and of rows with one key the first shipment stays (ver is the greater, the smaller
-- seq is), so its place in the order stays as well. Queries use FINAL, as the views do, and see each line once, whether
-- the engine has merged the parts yet or not.

CREATE TABLE records (
  host LowCardinality(String),
  job_id String CODEC(ZSTD(1)),
  seq UInt64 CODEC(Delta(8), ZSTD(1)),                -- the order of a job's lines
  hash Int64 CODEC(ZSTD(1)),                          -- taskresults_hash() of the stored line
  n UInt32 CODEC(ZSTD(1)),
  time_us Nullable(Int64) CODEC(Delta(8), ZSTD(1)),   -- NULL if it cannot be read as a time
  timestamp Nullable(String) CODEC(ZSTD(1)),
  job_name LowCardinality(Nullable(String)),
  success Nullable(Float64) CODEC(ZSTD(1)),           -- NULL if it is a text; the verdict is ok
  ok UInt8 CODEC(ZSTD(1)),
  output String CODEC(ZSTD(3)),                       -- '' for NULL, because indexes of words take no Nullable
  error String CODEC(ZSTD(3)),
  missing UInt8 CODEC(ZSTD(1)),                       -- bit 0: output is NULL; bit 1: error is NULL
  signature LowCardinality(Nullable(String)),         -- of failures: taskresults_signature(error)
  offset UInt64 CODEC(Delta(8), ZSTD(1)),             -- where the line was when it was shipped
  ver UInt64 DEFAULT bitNot(seq) CODEC(Delta(8), ZSTD(1)),
  shipped DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1)),
  INDEX output_words output TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 1,
  INDEX output_parts output TYPE ngrambf_v1(4, 32768, 3, 0) GRANULARITY 1,
  INDEX error_words error TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 1,
  INDEX error_parts error TYPE ngrambf_v1(4, 32768, 3, 0) GRANULARITY 1,
  INDEX times time_us TYPE minmax GRANULARITY 1,
  INDEX shipments shipped TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(ver)
PARTITION BY toYear(toDateTime(toUInt32(least(greatest(intDiv(ifNull(time_us, 0), 1000000), 0), 4102444799)), 'UTC'))
ORDER BY (host, job_id, ifNull(time_us, 0), hash, n)
TTL shipped + INTERVAL 400 DAY; -- by the time of shipment: by that of the record, an old history would vanish as it arrives

CREATE TABLE rejects (
  host LowCardinality(String),
  job_id String CODEC(ZSTD(1)),
  seq UInt64 CODEC(Delta(8), ZSTD(1)),
  hash Int64 CODEC(ZSTD(1)),
  n UInt32 CODEC(ZSTD(1)),
  offset UInt64 CODEC(Delta(8), ZSTD(1)),
  length UInt64 CODEC(ZSTD(1)),
  reason LowCardinality(String),
  line Nullable(String) CODEC(ZSTD(3)),               -- NULL if it was too long to hold
  hex UInt8 CODEC(ZSTD(1)),                           -- 1: line is in hexadecimal, because it is not UTF-8
  ver UInt64 DEFAULT bitNot(seq) CODEC(Delta(8), ZSTD(1)),
  shipped DateTime DEFAULT now() CODEC(Delta(4), ZSTD(1))
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (host, job_id, hash, n)
TTL shipped + INTERVAL 400 DAY;

-- The heartbeat: a row for each file, when it is first seen and then at most once an hour. Jobs without a record are here, too;
-- and two shippers that call themselves by one host's name are two cursors.
CREATE TABLE files (
  host LowCardinality(String),
  job_id String,
  cursor UInt64,
  seen DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree(seen)
ORDER BY (host, job_id, cursor)
TTL seen + INTERVAL 400 DAY;
