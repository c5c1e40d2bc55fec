#!/usr/bin/env bats
# taskresults_hash(): 64-bit FNV-1a of the text's bytes, the same on every machine and in every encoding.

load ../lib/helpers
load ../lib/host

@test "taskresults_hash is FNV-1a of the UTF-8 bytes, as its authors' test vectors have it, in a database of any encoding" {
  # From the vectors at http://www.isthe.com/chongo/tech/comp/fnv/
  local encoding
  for encoding in UTF-8 UTF-16le UTF-16be; do
    assert_rows 'CBF29CE484222325|AF63DC4C8601EC8C|85944171F73967E8|CBF29CE484222325|85944171F73967E8' \
      "PRAGMA encoding = '$encoding'" "SELECT printf('%X', taskresults_hash('')), printf('%X', taskresults_hash('a')),
        printf('%X', taskresults_hash('foobar')), printf('%X', taskresults_hash(x'')), printf('%X', taskresults_hash(x'666f6f626172'))"
  done
  assert_rows 'NULL|integer|1|1' "SELECT taskresults_hash(NULL), typeof(taskresults_hash('a')),
    taskresults_hash(12) = taskresults_hash('12'), taskresults_hash('a' || char(0) || 'b') = taskresults_hash(x'610062')"
}

@test "a stored line is found again by its hash; a schema may call the function, too" {
  make_job a 5
  run_in_host <<'PYTHON'
def fnv(text):
    hash = 14695981039346656037
    for byte in text.encode():
        hash = (hash ^ byte) * 1099511628211 % 2**64
    return hash - 2**64 if hash >= 2**63 else hash
rows = db.execute("SELECT rowid, record, taskresults_hash(record) FROM task_results").fetchall()
assert len(rows) == 5 and all(fnv(record) == hash for _, record, hash in rows)
for rowid, record, hash in rows:
    assert db.execute("SELECT rowid FROM task_results('a') WHERE taskresults_hash(record) = ?", (hash,)).fetchall() == [(rowid,)]
db.execute("CREATE TABLE t(x, h GENERATED ALWAYS AS (taskresults_hash(x)))")
db.execute("INSERT INTO t VALUES ('a')")
assert db.execute("SELECT h FROM t").fetchone()[0] == fnv("a")
PYTHON
}

@test "taskresults_ship_body joins rows with a line feed between two; NULL without rows; what is too long is an error" {
  assert_rows '{"a":1,"seq":-5,"hash":9223372036854775807,"n":2,"b":"é"}' "SELECT taskresults_ship_body('{\"a\":1', -5, 9223372036854775807, 2, '\"b\":\"é\"}')"
  assert_rows $'{,"seq":1,"hash":0,"n":1,}\n{,"seq":2,"hash":0,"n":1,}' \
    "SELECT taskresults_ship_body('{', value, 0, 1, '}') FROM (SELECT value FROM json_each('[1, 2]') ORDER BY value)"
  assert_rows NULL "SELECT quote(taskresults_ship_body('{', 1, 0, 1, '}')) FROM (SELECT 1 WHERE 0)"
  run sql '.limit length 1000' "SELECT taskresults_ship_body('{', 1, 0, 1, '\"' || value || '\"}') FROM json_each('[\"$(printf '%0500d' 1)\", \"$(printf '%0500d' 1)\"]')"
  [[ $status != 0 && $output == *'too big'* ]]
}
