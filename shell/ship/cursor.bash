# cursor.bash - the cursor database: how far each file was shipped, and the batch that is on its way.
#
# There is one database per sink: STATE/NAME.db, made from the sink's URL. It is in WAL mode, and a commit is on the
# disk before it counts (synchronous=FULL). One transaction puts a batch into the spool and moves the cursors behind
# it; so a kill leaves either both or nothing. Its tables:
#   meta     one value a key: format, host, url, results, base (when it was made, in µs), sent (how many numbers of the
#            order were given away), moves_at and moves_hash (how far `moves` was read), took_STREAM (1 if the sink
#            has ever taken rows of records, rejects or files)
#   files    one row per job: where its last shipped line is (dev, inode, last_offset, last_hash, run), where the next
#            one begins (place), and the file's size and times when it was last listed (seen, hint)
#   counts   for each line that was shipped, how many were the same
#   spool    what has to be sent: the body of each request, until it is acknowledged; `bytes` only of parts
#   dead     rows that the sink refused, with its reason
#   moves    the pruner's moves that were not used yet

# shellcheck shell=bash

CURSOR_FORMAT=1
CURSOR_TABLES="
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE files(id INTEGER PRIMARY KEY, job TEXT UNIQUE, listed INTEGER, seen TEXT, seen_dev INTEGER,
  seen_inode INTEGER, seen_bytes INTEGER, hint TEXT, pending INTEGER, lost INTEGER NOT NULL DEFAULT 0,
  dev INTEGER, inode INTEGER, last_offset INTEGER, last_hash INTEGER, place INTEGER NOT NULL DEFAULT 0,
  searched INTEGER NOT NULL DEFAULT 0, run TEXT NOT NULL DEFAULT '', told_s INTEGER);
CREATE TABLE counts(file INTEGER, time_us INTEGER, hash INTEGER, n INTEGER, PRIMARY KEY(file, time_us, hash))
  WITHOUT ROWID;
CREATE TABLE spool(id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT, bytes INTEGER, refused TEXT, body TEXT);
CREATE TABLE dead(id INTEGER PRIMARY KEY, stream TEXT, at_s INTEGER, reason TEXT, body TEXT);
CREATE TABLE moves(id INTEGER PRIMARY KEY, file INTEGER, dev INTEGER, inode INTEGER, a INTEGER, new_inode INTEGER,
  b INTEGER);
CREATE INDEX moves_of_file ON moves(file, inode);"

# Each connection begins with this SQL. LINE_HASH finds a stored line again; of a line over max_line only the length is
# known.
CURSOR_SETUP=$'.timeout 20000\nPRAGMA synchronous=FULL; PRAGMA cache_size=-8000;'
LINE_HASH="taskresults_hash(ifnull(l.line, 'of ' || l.length || ' bytes'))"

# cursor_query SQL - sets `answer` to what it prints; ends the command if it fails. Each row is a line, and its cells
# are separated by \037. The program does not notice if its input breaks off, or its output is not taken; so the last
# line has to be there.
cursor_query() {
  local status
  answer=$(sqlite_database=$cursor && with_input "$CURSOR_SETUP"$'\n'"$1"$'\nSELECT \'whole\';' run_plain)
  status=$?
  ((status == 0)) || finish "$status"
  [[ $'\n'$answer == *$'\nwhole' ]] || die "$EXIT_IO" "the cursor $cursor: $sqlite3_program ended too early"
  answer=${answer%whole} answer=${answer%$'\n'}
}

# open_cursor - makes the database if there is none, and checks that it is for this sink, host and directory.
open_cursor() {
  local made_us=${EPOCHREALTIME/[.,]/} row key value url host results
  [[ ! -L $cursor ]] || die "$EXIT_IO" "the cursor $cursor is a symbolic link"
  cursor_query "SELECT count(*) FROM sqlite_schema WHERE name = 'meta';" # a kill may leave a database without tables
  if [[ $answer == 0 ]]; then
    set_sql_text url "$sink"
    set_sql_text host "$host_name"
    set_sql_text results "$results_path"
    # A batch's body is some megabytes long: with large pages, a quarter of the system calls are enough to write it.
    cursor_query "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; BEGIN IMMEDIATE; $CURSOR_TABLES
      INSERT INTO meta VALUES
      ('format', $CURSOR_FORMAT), ('url', $url), ('host', $host), ('results', $results), ('base', $made_us),
      ('sent', 0), ('moves_at', 0), ('moves_hash', taskresults_hash('')); COMMIT;"
  fi
  cursor_query "SELECT key, value FROM meta;"
  local -A meta=()
  while IFS=$'\037' read -r key value; do meta[$key]=$value; done < <(printf '%s\n' "$answer")
  [[ ${meta[format]-} == "$CURSOR_FORMAT" ]] ||
    die "$EXIT_IO" "the cursor $cursor was written by another version of taskresults; move it away, and all is sent" \
      'anew'
  same_cursor url "$sink" 'the sink'
  same_cursor host "$host_name" 'the host'
  same_cursor results "$results_path" 'the directory of results'
  cursor_base=${meta[base]}
}

# same_cursor KEY VALUE WORDS - with another host or directory the same lines would be sent under other keys.
same_cursor() {
  [[ ${meta[$1]-} == "$2" ]] ||
    die "$EXIT_IO" "the cursor $cursor is for $3 '${meta[$1]-}', and not for '$2'; name another --state directory"
}
