-- 18.16/tables.sql - ../tables.sql for ClickHouse 18.16, which Debian 10 to 12 have. It knows no CODEC, no TTL, no LowCardinality
-- by default and no indexes of words. Old years go by `ALTER TABLE records DROP PARTITION 2024`.

CREATE TABLE records (
  host String,
  job_id String,
  seq UInt64,
  hash Int64,
  n UInt32,
  time_us Nullable(Int64),
  timestamp Nullable(String),
  job_name Nullable(String),
  success Nullable(Float64),
  ok UInt8,
  output String,
  error String,
  missing UInt8,
  signature Nullable(String),
  offset UInt64,
  ver UInt64 DEFAULT bitNot(seq),
  shipped DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree(ver)
PARTITION BY toYear(toDateTime(toUInt32(least(greatest(intDiv(ifNull(time_us, 0), 1000000), 0), 4102444799)), 'UTC'))
ORDER BY (host, job_id, ifNull(time_us, 0), hash, n);

CREATE TABLE rejects (
  host String,
  job_id String,
  seq UInt64,
  hash Int64,
  n UInt32,
  offset UInt64,
  length UInt64,
  reason String,
  line Nullable(String),
  hex UInt8,
  ver UInt64 DEFAULT bitNot(seq),
  shipped DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (host, job_id, hash, n);

CREATE TABLE files (
  host String,
  job_id String,
  cursor UInt64,
  seen DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree(seen)
ORDER BY (host, job_id, cursor);
