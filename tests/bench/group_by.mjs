// group_by.mjs DIR - runs, and successes, of each job in DIR: DuckDB with declared columns and two threads, the rival of
// task_stats. BENCH_MODULES is the directory that holds node_modules/@duckdb/node-api (tests/bench/run installs it).
import { createRequire } from "node:module";

const { DuckDBInstance } = createRequire(process.env.BENCH_MODULES + "/")("@duckdb/node-api");
const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
const db = await instance.connect();
const reader = await db.runAndReadAll(
  `SELECT regexp_extract(filename, '([^/]*)\\.jsonl$', 1) AS job_id, count(*), count(*) FILTER (success)
   FROM read_ndjson(?, filename = true, columns = {timestamp: 'VARCHAR', success: 'BOOLEAN', error: 'VARCHAR'})
   GROUP BY 1 ORDER BY 1`,
  [process.argv[2] + "/*.jsonl"],
);
process.stdout.write(reader.getRows().map((row) => row.join("|") + "\n").join(""));
