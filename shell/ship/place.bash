# place.bash - SQL: finds the place in a file again, after a prune or another replacement.
#
# In this order: where the pruner says it moved the lines to; the last shipped line where it was; the last 64 lines, by
# their hashes, as one run, or as many of them as the file begins with; else the file is shipped anew. The key of a row
# makes it harmless to ship a line twice.

# shellcheck shell=bash

# set_import_of_moves NAME - sets NAME to the SQL that takes what the pruner has appended to the file `moves`. How far
# it was read is known by the hash of all bytes before: so we notice that the file was renamed to moves.1. A line that
# is not finished stays for later, and one that is no JSON is passed over: then the lines themselves have to do.
set_import_of_moves() {
  local now_ older_ file_=$results_path/.taskresults/shipped/moves
  printf -v "$1" ''
  [[ -s $file_ || -s $file_.1 ]] || return 0
  set_sql_text now_ "$file_"
  set_sql_text older_ "$file_.1"
  printf -v "$1" '%s' "CREATE TEMP TABLE journal AS
    SELECT ifnull(readfile($now_), x'') AS now, ifnull(readfile($older_), x'') AS older, at, hash, NULL AS text
    FROM (SELECT max(value) FILTER (WHERE key = 'moves_at') AS at, max(value) FILTER (WHERE key = 'moves_hash') AS hash
      FROM meta);
  UPDATE journal SET text = CASE
    WHEN at > 0 AND hash = taskresults_hash(substr(now, 1, at)) THEN substr(now, at + 1)
    WHEN at > 0 AND hash = taskresults_hash(substr(older, 1, at)) THEN substr(older, at + 1) || now
    ELSE older || now END;
  CREATE TEMP TABLE news AS SELECT line.key AS id, line.value AS text FROM journal CROSS JOIN json_each('[' ||
    replace(json_quote(replace(CAST(journal.text AS TEXT), char(10), '/')), '/', '\",\"') || ']') AS line;
  UPDATE meta SET value = (SELECT length(now) - (SELECT length(CAST(text AS BLOB)) FROM news ORDER BY id DESC LIMIT 1)
    FROM journal) WHERE key = 'moves_at' AND (SELECT length(text) FROM journal) > 0;
  UPDATE meta SET value = (SELECT taskresults_hash(substr(now, 1, (SELECT value FROM meta WHERE key = 'moves_at')))
    FROM journal) WHERE key = 'moves_hash' AND (SELECT length(text) FROM journal) > 0;
  DELETE FROM news WHERE id = (SELECT max(id) FROM news) OR NOT json_valid(text);
  INSERT INTO moves(file, dev, inode, a, new_inode, b) SELECT f.id, json_extract(text, '\$.dev'),
      json_extract(text, '\$.inode'), json_extract(text, '\$.end'), json_extract(text, '\$.new_inode'),
      json_extract(text, '\$.new_end')
    FROM news JOIN files AS f ON f.job || '.jsonl' = json_extract(text, '\$.file') WHERE f.place > 0 ORDER BY news.id;"
}

# The moves that lead from the file that was read to the one that is there now, and the place in that. An inode is used
# again soon, so they are followed in the order in which they were written.
CHAIN_SQL="CREATE TEMP TABLE target AS
  WITH RECURSIVE chain(inode, place, id) AS (
    SELECT inode, place, 0 FROM lost_file
    UNION SELECT m.new_inode, m.b + c.place - m.a, m.id FROM chain AS c JOIN lost_file AS f JOIN moves AS m
      ON m.file = f.id AND m.dev = f.dev AND m.inode = c.inode AND m.id > c.id AND m.a <= c.place)
  SELECT chain.* FROM chain JOIN present USING (inode) WHERE chain.id > 0 ORDER BY chain.id DESC LIMIT 1;"

# found.how: 1 the pruner's move, 2 the last line where it was, 3 the run, 4 no line is left, 5 anew
FIND_SQL="CREATE TEMP TABLE found(how INTEGER, offset INTEGER, length INTEGER, hash INTEGER, dev INTEGER,
  inode INTEGER);
INSERT INTO found SELECT 1, l.offset, l.length, $LINE_HASH, l.dev, l.inode FROM task_lines AS l
  WHERE l.job = (SELECT job FROM lost_file) AND l.offset < (SELECT place FROM target) ORDER BY l.rowid DESC LIMIT 1;
DELETE FROM found WHERE inode <> (SELECT inode FROM target) OR offset + length + 1 > (SELECT place FROM target);
INSERT INTO found SELECT 1, NULL, NULL, NULL, dev, inode FROM present
  WHERE EXISTS (SELECT 1 FROM target) AND NOT EXISTS (SELECT 1 FROM found);
INSERT INTO found SELECT 2, l.offset, l.length, $LINE_HASH, l.dev, l.inode FROM task_lines AS l
  WHERE NOT EXISTS (SELECT 1 FROM found) AND l.job = (SELECT job FROM lost_file) AND l.terminated
    AND l.offset = (SELECT last_offset FROM lost_file) AND $LINE_HASH = (SELECT last_hash FROM lost_file);
INSERT INTO found SELECT 3, l.offset, l.length, f.last_hash, l.dev, l.inode FROM lost_file AS f
    CROSS JOIN task_lines AS l ON l.job = f.job
  WHERE NOT EXISTS (SELECT 1 FROM found) AND l.terminated AND $LINE_HASH = f.last_hash
    AND (SELECT substr(f.run, 1, length(run)) = substr(run, 1, length(f.run)) FROM (
      SELECT group_concat(printf('%016x', hash), '') AS run FROM (SELECT ${LINE_HASH//l./b.} AS hash
        FROM task_lines AS b WHERE b.job = f.job AND b.offset <= l.offset ORDER BY b.rowid DESC LIMIT $RUN_LINES)))
  LIMIT 1;
INSERT INTO found(how) SELECT 4 WHERE NOT EXISTS (SELECT 1 FROM found) AND NOT EXISTS (SELECT 1 FROM present);
INSERT INTO found(how, dev, inode) SELECT 5, dev, inode FROM present WHERE NOT EXISTS (SELECT 1 FROM found);"

# The file is shipped from its beginning. If it is an old file that came back from a backup, its lines are counted from
# 1 again, so that they get the same keys as before. If it is a new file, counting goes on, so that a line identical to
# an old one is not taken for the old one. The file's first lines decide which of the two it is.
ANEW_SQL="DELETE FROM counts WHERE file = (SELECT id FROM lost_file) AND (SELECT how FROM found) = 5
  AND (SELECT 2 * sum(known) >= count(*) FROM (SELECT EXISTS (SELECT 1 FROM counts AS c WHERE c.file = f.id
      AND c.time_us = ifnull(l.time_us, 0) AND c.hash = $LINE_HASH) AS known
    FROM lost_file AS f CROSS JOIN task_lines AS l ON l.job = f.job WHERE l.terminated LIMIT $RUN_LINES));"
SETTLE_SQL="UPDATE files SET lost = 0, pending = 1, hint = NULL, last_offset = n.offset, last_hash = n.hash,
    dev = n.dev, inode = n.inode, place = ifnull(n.offset + n.length + 1, 0),
    searched = ifnull(n.offset + n.length + 1, 0),
    run = CASE WHEN n.how = 1 THEN ifnull((SELECT group_concat(printf('%016x', hash), '') FROM (SELECT
        $LINE_HASH AS hash FROM task_lines AS l WHERE l.job = files.job AND l.offset <= n.offset
        ORDER BY l.rowid DESC LIMIT $RUN_LINES)), '') WHEN n.how < 4 THEN run ELSE '' END
  FROM found AS n WHERE files.id = (SELECT id FROM lost_file);
DELETE FROM moves WHERE file = (SELECT id FROM lost_file) AND id <= max(ifnull((SELECT id FROM target), 0),
  ifnull((SELECT max(m.id) FROM moves AS m WHERE m.file = moves.file AND m.new_inode = (SELECT inode FROM found)), 0));
SELECT 'found', how, job FROM found, lost_file;"

# find_again FILE - looks for the place in the file with this number in the cursor database; says so if it is read anew.
find_again() {
  cursor_query "BEGIN IMMEDIATE; CREATE TEMP TABLE lost_file AS SELECT * FROM files WHERE id = $1;
    CREATE TEMP TABLE present AS SELECT l.dev, l.inode FROM task_lines AS l
      WHERE l.job = (SELECT job FROM lost_file) LIMIT 1;
    $CHAIN_SQL $FIND_SQL $ANEW_SQL $SETTLE_SQL COMMIT;"
  [[ $answer != $'found\0375\037'* ]] ||
    say "job $(quoted "${answer##*$'\037'}"): its file is not the one that was read before;" \
      'it is shipped from its beginning'
}
