// duckdb.js - one statement in DuckDB, a whole process: node duckdb.js WHERE SQL
//
// WHERE is the directory that holds node_modules (.ci/deps bench installs @duckdb/node-api there). Prints the rows as the
// sqlite3 program does, | between columns; of COPY nothing. Two threads, as the machine that the bars were set on.
const { createRequire } = require('node:module');
const [where, sql] = process.argv.slice(2);
const { DuckDBInstance } = createRequire(`${where}/`)('@duckdb/node-api');

async function main() {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(sql)).getRows();
  if (!sql.startsWith('COPY')) console.log(rows.map((row) => row.join('|')).join('\n'));
}

main().catch((error) => {
  console.error(error.message.split('\n')[0]);
  process.exitCode = 1;
});
