# listing.bash - lists the files with their sizes and times: which of them have to be read at all.
#
# A file whose device, inode, size and time of change are those of the last time that all of it was read is not opened.
# This is only a hint of when to look: what was shipped of a file is decided by its lines (reading.bash).

# shellcheck shell=bash

# set_listing NAME - sets NAME to the SQL that records all files and their sizes now: this round ships no line that
# begins after that size, so that it ends even if a writer is faster. A name that is not UTF-8 is not a job: in a UTF-8
# locale, the dot of sed does not match its bytes; sed puts an unreadable entry in its place. A name has no /, so the
# parts are joined by it (see lib/jobs_in).
set_listing() {
  local found text
  found=$(find "$results_path/" -maxdepth 1 -ignore_readdir_race -name '*.jsonl' \
    \( -type f -readable -printf '%D/%i/%T@/%s/%f/\0' -o -printf '%D/%i/%T@/unreadable/%f/\0' \) |
    LC_ALL=C.UTF-8 sed -z '/^.*$/!{g;s|^|0/0/0/unreadable/not UTF-8/|}' | tr -d '\0') ||
    die "$EXIT_IO" "the directory $results_path cannot be listed"
  set_sql_text text "$found"
  printf -v "$1" '%s' "CREATE TEMP TABLE entry AS SELECT
      max(value) FILTER (WHERE key % 5 = 0) AS dev, max(value) FILTER (WHERE key % 5 = 1) AS inode,
      max(value) FILTER (WHERE key % 5 = 2) AS changed, max(value) FILTER (WHERE key % 5 = 3) AS bytes,
      max(value) FILTER (WHERE key % 5 = 4) AS name
    FROM json_each('[' || replace(json_quote($text), '/', '\",\"') || ']') GROUP BY key / 5 HAVING count(*) = 5;
  CREATE TEMP TABLE listing(job TEXT PRIMARY KEY, seen TEXT, dev INTEGER, inode INTEGER, bytes INTEGER) WITHOUT ROWID;
  INSERT OR IGNORE INTO listing SELECT substr(name, 1, length(name) - 6),
    dev || ':' || inode || ':' || changed || ':' || bytes, dev, inode, bytes FROM entry
    WHERE bytes <> 'unreadable' AND length(name) > 6;
  UPDATE files SET listed = 0, pending = 0 WHERE listed AND job NOT IN (SELECT job FROM listing);
  INSERT INTO files(job, listed, seen, seen_dev, seen_inode, seen_bytes, pending)
    SELECT job, 1, seen, dev, inode, bytes, 1 FROM listing WHERE true ORDER BY job
    ON CONFLICT DO UPDATE SET listed = 1, seen = excluded.seen, seen_dev = excluded.seen_dev,
      seen_inode = excluded.seen_inode, seen_bytes = excluded.seen_bytes, pending = 1, searched = place
    WHERE hint IS NOT excluded.seen OR NOT listed OR lost;
  SELECT 'unreadable' FROM entry WHERE bytes = 'unreadable' AND length(name) > 6 LIMIT 1;"
}
