// chdb_server.mjs CHDB PLACE - today's ClickHouse behind HTTP on loopback, as far as our SQL, `apply` and `taskresults ship` need it.
//
// The engine is that of npm's package `chdb`, in the directory CHDB; it runs in this process. What a server would do beside it is done here:
// the parameters `database` and `query`, and all others as settings. PLACE gets the port, in the file `port`, and the data.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { renameSync, writeFileSync } from "node:fs";

const [chdb, place] = process.argv.slice(2);
const { Session } = createRequire(chdb + "/")("chdb");
const session = new Session(place + "/data");

function answer(parameters, body) {
  session.query(`USE ${parameters.get("database") ?? "default"}`);
  for (const [name, value] of parameters) {
    if (name !== "database" && name !== "query") session.query(`SET ${name} = '${value}'`);
  }
  const query = parameters.get("query");
  return session.query(query === null ? body : query + "\n" + body, "TabSeparated") ?? "";
}

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const url = new URL(request.url, "http://localhost");
    try {
      response.end(url.pathname === "/ping" ? "Ok.\n" : answer(url.searchParams, Buffer.concat(parts).toString()));
    } catch (error) {
      response.statusCode = 500;
      response.end(error.message.replace(/^Query failed: /, "") + "\n");
    }
  });
});
server.listen(0, "127.0.0.1", () => {
  writeFileSync(place + "/port.new", `${server.address().port}\n`);
  renameSync(place + "/port.new", place + "/port");
});
