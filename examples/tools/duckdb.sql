-- duckdb.sql - DuckDB over the same files. Run it in the directory of results.
--
-- ignore_errors leaves out lines that are not JSON, without a word.

CREATE VIEW runs AS SELECT * FROM read_json('*.jsonl', format = 'newline_delimited', ignore_errors = true, columns = {
    timestamp: 'TIMESTAMP', job_id: 'VARCHAR', job_name: 'VARCHAR', success: 'BOOLEAN', output: 'VARCHAR',
    error: 'VARCHAR'})
  WHERE job_id IS NOT NULL;

-- How often each job ran and failed
SELECT job_id, count(*) AS runs, count(*) FILTER (NOT success) AS failures FROM runs GROUP BY job_id ORDER BY job_id;

-- All of it in one file, for later
COPY runs TO 'runs.parquet' (FORMAT parquet);
