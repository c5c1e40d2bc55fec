# reading.bash - SQL: takes the next batch from the files into the spool, and moves the cursors behind it.
#
# All of it is one transaction. A scan of a file begins at the last line that was shipped: if that line is still there,
# with its hash, what follows it is new. Else the file is `lost`, nothing of it is taken, and place.bash looks where the
# line is now. The pruner's record of moves is read after the scan, because a prune writes it before it replaces a file:
# so what the scan saw of a replaced file is known to be another file's.

# shellcheck shell=bash

BATCH_ROWS=10000
BATCH_BYTES=4000000 # of the files
RUN_LINES=64        # so many hashes are kept to find the place again
HEARTBEAT_S=3600

# Which files are read, and up to which byte. The files before it have used a part of the batch's bytes; the rest is the
# limit for this file.
PLAN_SQL="CREATE TEMP TABLE plan(ord INTEGER PRIMARY KEY, file INTEGER, job TEXT, since INTEGER, until INTEGER,
  head TEXT);
INSERT INTO plan SELECT NULL, id, job, ifnull(last_offset, 0), min(seen_bytes, searched + $BATCH_BYTES - used),
    '{\"host\":' || (SELECT json_quote(value) FROM meta WHERE key = 'host') || ',\"job_id\":' || json_quote(job)
  FROM (SELECT *, ifnull(sum(max(0, seen_bytes - searched)) OVER
      (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS used
    FROM files WHERE pending AND NOT lost)
  WHERE used < $BATCH_BYTES ORDER BY id LIMIT $BATCH_ROWS;"

# The rows, without what is known later: the place in the order, and how many were the same. The extension writes them
# (ext/tables/lines_row.c), but for rejects, and for records whose `success` is a rare number. A value that is not text
# becomes its text.
RECORD_JSON="json_object('time_us', l.time_us, 'timestamp', CAST(l.timestamp AS TEXT), 'job_name',
  CAST(l.job_name AS TEXT), 'success', CASE typeof(l.success) WHEN 'integer' THEN l.success
    WHEN 'real' THEN json(iif(abs(l.success) > 1.7976931348623157e308, iif(l.success > 0, '1e999', '-1e999'),
      printf('%!.17g', l.success))) END, 'ok', l.ok,
  'output', ifnull(CAST(l.output AS TEXT), ''), 'error', ifnull(CAST(l.error AS TEXT), ''),
  'missing', (l.output IS NULL) + 2 * (l.error IS NULL),
  'signature', CASE WHEN NOT l.ok THEN taskresults_signature(CAST(l.error AS TEXT)) END, 'offset', l.offset)"
REJECT_JSON="json_object('offset', l.offset, 'length', l.length, 'reason', l.reason,
  'line', iif(typeof(l.line) = 'blob', hex(l.line), l.line), 'hex', typeof(l.line) = 'blob')"
SCAN_SQL="CREATE TEMP TABLE batch(id INTEGER PRIMARY KEY, ord INTEGER, file INTEGER, offset INTEGER, length INTEGER,
  dev INTEGER, inode INTEGER, time_us INTEGER, hash INTEGER, is_record INTEGER, row TEXT);
INSERT INTO batch SELECT NULL, p.ord, p.file, l.offset, l.length, l.dev, l.inode, ifnull(l.time_us, 0), l.hash,
    l.reason IS NULL, ifnull(l.row, substr(iif(l.reason IS NULL, $RECORD_JSON, $REJECT_JSON), 2))
  FROM plan AS p CROSS JOIN task_lines AS l ON l.job = p.job AND l.offset >= p.since AND l.offset < p.until
  WHERE l.terminated LIMIT $BATCH_ROWS;"

# Which files were reached, whether their last line was proven, and which lines are theirs. \`whole\`: up to \`until\`.
REACHED_SQL="CREATE TEMP TABLE reached AS
  WITH span AS (SELECT file, min(id) AS first, max(id) AS last FROM batch GROUP BY file),
    cut AS (SELECT iif(count(*) < $BATCH_ROWS, 1e18, (SELECT ord FROM batch ORDER BY id DESC LIMIT 1)) AS ord
      FROM batch)
  SELECT p.file, p.until, span.first, span.last, b.dev, b.inode, p.ord < cut.ord AS whole,
    f.last_offset IS NULL OR (b.offset IS f.last_offset AND b.hash IS f.last_hash) AS proven,
    f.last_offset IS NOT NULL AS has_anchor
  FROM plan AS p JOIN cut JOIN files AS f ON f.id = p.file LEFT JOIN span ON span.file = p.file
    LEFT JOIN batch AS b ON b.id = span.first
  WHERE p.ord <= cut.ord;"
LOST_SQL="UPDATE files SET lost = 1 WHERE id IN (SELECT r.file FROM reached AS r JOIN files AS f ON f.id = r.file
  WHERE NOT r.proven OR EXISTS (SELECT 1 FROM moves AS m WHERE m.file = f.id AND m.inode = f.inode AND m.dev = f.dev
    AND (r.inode IS NOT f.inode OR EXISTS (SELECT 1 FROM moves AS back
      WHERE back.file = f.id AND back.new_inode = f.inode AND back.id > m.id))));
DELETE FROM batch WHERE id IN (SELECT first FROM reached WHERE has_anchor);
DELETE FROM batch WHERE EXISTS (SELECT 1 FROM files WHERE lost) AND file IN (SELECT id FROM files WHERE lost);
DELETE FROM reached WHERE file IN (SELECT id FROM files WHERE lost);
UPDATE reached SET first = first + has_anchor;"

# `n` of each line: 1 for the first of several identical lines, and so on. `counts` has the number of the last one; the
# others are counted back from it. Most lines occur once: only those that do not are in `repeated`.
COUNT_SQL="CREATE TEMP TABLE again(file INTEGER, time_us INTEGER, hash INTEGER, PRIMARY KEY(file, time_us, hash))
  WITHOUT ROWID;
CREATE TEMP TRIGGER counted_again AFTER UPDATE ON main.counts BEGIN
  INSERT INTO again SELECT new.file, new.time_us, new.hash WHERE NOT EXISTS
    (SELECT 1 FROM again AS a WHERE a.file = new.file AND a.time_us = new.time_us AND a.hash = new.hash); END;
INSERT INTO counts SELECT file, time_us, hash, 1 FROM batch WHERE true ON CONFLICT DO UPDATE SET n = n + 1;
DROP TRIGGER counted_again;
CREATE TEMP TABLE repeated(id INTEGER PRIMARY KEY, n INTEGER);
INSERT INTO repeated
  SELECT b.id, c.n + 1 - row_number() OVER (PARTITION BY b.file, b.time_us, b.hash ORDER BY b.id DESC)
  FROM batch AS b CROSS JOIN again USING (file, time_us, hash) CROSS JOIN counts AS c USING (file, time_us, hash)
  WHERE EXISTS (SELECT 1 FROM again);"

# spool_sql STREAM CONDITION - SQL: one request with those rows of the batch. Without rows it is deleted again: SQLite
# 3.38 has no HAVING without GROUP BY, and a query around this one would hold the body twice.
spool_sql() {
  printf '%s' "INSERT INTO spool(stream, body) SELECT '$1', taskresults_ship_body(p.head, meta.next + b.id, b.hash,
      ifnull((SELECT n FROM repeated AS r WHERE r.id = b.id), 1), b.row)
    FROM (SELECT sum(value) AS next FROM meta WHERE key IN ('base', 'sent')) AS meta
      CROSS JOIN batch AS b CROSS JOIN plan AS p ON p.ord = b.ord WHERE $2;
    DELETE FROM spool WHERE body IS NULL;"
}

# A row for each file once an hour, so that the sink knows jobs without records, and hosts that ship nothing any more.
HEARTBEAT_SQL="CREATE TEMP TABLE told AS SELECT id FROM files
  WHERE listed AND (told_s IS NULL OR told_s NOT BETWEEN unixepoch() - $HEARTBEAT_S AND unixepoch()) LIMIT $BATCH_ROWS;
INSERT INTO spool(stream, body) SELECT 'files', group_concat(json_object('host',
    (SELECT value FROM meta WHERE key = 'host'), 'job_id', job, 'cursor', (SELECT value FROM meta WHERE key = 'base')),
    char(10))
  FROM files WHERE id IN (SELECT id FROM told);
DELETE FROM spool WHERE body IS NULL;
UPDATE files SET told_s = unixepoch() WHERE id IN (SELECT id FROM told);"

# The cursors. A file is finished for this round when it was read up to its size at the start. It need not be read again
# if the file that was read is the one that was listed.
MOVE_CURSORS_SQL="UPDATE files SET last_offset = b.offset, last_hash = b.hash, place = b.offset + b.length + 1,
    searched = b.offset + b.length + 1, dev = b.dev, inode = b.inode, run = substr(ifnull((SELECT
      group_concat(printf('%016x', hash), '') FROM (SELECT hash FROM batch AS t
        WHERE t.id BETWEEN max(r.first, r.last - $RUN_LINES + 1) AND r.last ORDER BY t.id DESC)), '') || run,
      1, 16 * $RUN_LINES)
  FROM reached AS r JOIN batch AS b ON b.id = r.last WHERE r.file = files.id;
UPDATE files SET dev = r.dev, inode = r.inode FROM reached AS r
  WHERE r.file = files.id AND r.inode IS NOT NULL AND files.inode IS NOT r.inode;
UPDATE files SET searched = max(searched, r.until) FROM reached AS r WHERE r.file = files.id AND r.whole;
UPDATE files SET pending = 0, hint = iif(r.inode IS NULL OR (r.inode = seen_inode AND r.dev = seen_dev), seen, hint)
  FROM reached AS r WHERE r.file = files.id AND r.whole AND r.until >= seen_bytes;
UPDATE meta SET value = value + (SELECT ifnull(max(id), 0) FROM batch) WHERE key = 'sent';
SELECT 'lost', id FROM files WHERE lost AND pending;
SELECT 'more', 1 FROM files WHERE pending AND NOT lost LIMIT 1;"

# The next batch is made by the same program.
FORGET_SQL="DROP TABLE plan; DROP TABLE batch; DROP TABLE reached; DROP TABLE again; DROP TABLE repeated;
DROP TABLE told; DROP TABLE IF EXISTS journal; DROP TABLE IF EXISTS news;"

# set_batch NAME - sets NAME to the SQL of a batch.
set_batch() {
  local moves
  set_import_of_moves moves
  printf -v "$1" '%s\n' "$PLAN_SQL" "$SCAN_SQL" "$moves" "$REACHED_SQL" "$LOST_SQL" "$COUNT_SQL" \
    "$(spool_sql records b.is_record)" "$(spool_sql rejects 'NOT b.is_record')" "$HEARTBEAT_SQL" \
    "$MOVE_CURSORS_SQL" "$FORGET_SQL"
}
