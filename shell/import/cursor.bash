# cursor.bash - the cursor database: which rows were imported, and the batch that is on its way.
#
# A batch is appended part by part. It is on the disk, with the length of each file of a part, before the first line of
# that part is appended; the part is forgotten in the transaction that notes its rows as imported. So after a kill, what
# stands behind those lengths tells which rows of the batch are in the files. Its tables:
#   meta      one value a key: format; results, the directory that it is for; source and query, what a --query reads
#   seen      one row for each row that was imported: when it finished, its key, and when it was imported
#   records   how many rows became the same record, which only their keys told apart: by its hash
#   batch     the records that are on their way, each with a hash of its values
#   targets   the files of the part that is on its way, as they were before: device, inode (NULL: none), length
#   refused   the rows that cannot be records: why, and whether it was said

# shellcheck shell=bash

load lib/own_folder

IMPORT_FORMAT=1
IMPORT_TABLES="CREATE TABLE IF NOT EXISTS import_cursor.meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS import_cursor.seen(time_us INTEGER, key, seen_s INTEGER, PRIMARY KEY(time_us, key))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS import_cursor.records(hash INTEGER PRIMARY KEY, n INTEGER, seen_s INTEGER);
CREATE TABLE IF NOT EXISTS import_cursor.batch(time_us INTEGER, key, job_id TEXT, job_name TEXT, success INTEGER,
  output TEXT, error TEXT, timestamp TEXT, hash INTEGER, PRIMARY KEY(time_us, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS import_cursor.targets(job_id TEXT PRIMARY KEY, dev INTEGER, inode INTEGER, bytes INTEGER)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS import_cursor.refused(hash INTEGER PRIMARY KEY, problem TEXT, key TEXT, at_s INTEGER,
  told INTEGER NOT NULL DEFAULT 0);
INSERT OR IGNORE INTO import_cursor.meta VALUES ('format', $IMPORT_FORMAT);"

# set_check NAME - sets NAME to the SQL that makes the tables if there are none, and fails if the cursor cannot be used:
# nothing may be settled then. A cursor that is in the directory of results moves with it.
set_check() {
  local results source query may_differ
  set_sql_text results "$results_path"
  set_sql_text source "$(realpath -- "$source_path")"
  set_sql_text query "$rows"
  # A preset's keys differ from database to database, and a name that is given says which cursor is meant.
  may_differ=1
  [[ ! -v opt[query] || -v opt[name] ]] || may_differ=0
  printf -v "$1" '%s' "BEGIN; $IMPORT_TABLES
INSERT OR IGNORE INTO import_cursor.meta VALUES ('results', $results);
INSERT OR IGNORE INTO import_cursor.meta SELECT * FROM (VALUES ('source', $source), ('query', $query))
  WHERE ${opt[query]+1}+0;
COMMIT;
CREATE TEMP TABLE import_check(
  format CONSTRAINT import_format CHECK (format = $IMPORT_FORMAT),
  results CONSTRAINT import_results CHECK (results = $results OR NOT ${opt[state]+1}+0),
  source CONSTRAINT import_query CHECK (source = $source OR $may_differ),
  query CONSTRAINT import_query CHECK (query = $query OR $may_differ),
  wrong CONSTRAINT import_wrong CHECK (wrong = 0));
INSERT INTO import_check SELECT max(value) FILTER (WHERE key = 'format'), max(value) FILTER (WHERE key = 'results'),
  max(value) FILTER (WHERE key = 'source'), max(value) FILTER (WHERE key = 'query'),
  (SELECT count(*) FROM import_cursor.batch WHERE hash IS NOT taskresults_hash(json_array($RECORD)))
  FROM import_cursor.meta;"
}

# say_wrong_cursor COMPLAINT - what of import_check failed.
say_wrong_cursor() {
  case $1 in
    *import_format*) say "the cursor $cursor was written by another version of taskresults; use that one" ;;
    *import_query*)
      say "the cursor $cursor is for another --query, and two that share a cursor would miss rows. Give this one a" \
        "--name of its own; or, if it takes the other's place, --name ${cursor_name@Q}, which goes on where that ended"
      ;;
    *import_results*)
      say "the cursor $cursor is for another directory of results, and not for $results_path; name another --state"
      ;;
    *)
      say "the cursor $cursor is damaged: its batch is not what was put into it. Move it away, and all rows of the" \
        'source are imported anew'
      ;;
  esac
}

# A row is remembered for longer than any scheduler keeps it: these many seconds, and as long as it is there.
REMEMBERED_S=34560000

# open_cursor - sets `cursor` to the database of this import, makes its directory, and locks it, so that only one import
# uses it.
open_cursor() {
  local name=${opt[name]-$default_name} folder
  [[ -n $name ]] || usage_error '--name wants a name'
  name=${name#/} name=${name//[!a-zA-Z0-9._-]/_}
  [[ $name != .* ]] || name=_$name
  ((${#name} <= 200)) || name=${name: -200}
  if [[ -v opt[state] ]]; then
    [[ -n ${opt[state]} ]] || usage_error '--state wants a directory'
    folder=${opt[state]}
    [[ $folder == /* ]] || folder=$PWD/$folder
    (umask 077 && mkdir -p -- "$folder") || exit "$EXIT_IO"
  else
    own_state_folder
  fi
  cursor=$folder/$name.db cursor_name=$name
  [[ ! -L $cursor && ! -L $folder/$name.lock ]] || die "$EXIT_IO" "the cursor $cursor or its lock is a symbolic link"
  # The folders have to be on the disk before the results, or all would be imported again after a power cut.
  [[ -s $cursor ]] || sync -- "$folder" "$folder/.." "$folder/../.." 2>/dev/null
  (umask 077 && : >>"$cursor" && : >>"$folder/$name.lock") 2>/dev/null ||
    die "$EXIT_IO" "cannot write in the directory $folder"
  exec {lock}>>"$folder/$name.lock"
  flock -n "$lock" || die "$EXIT_BUSY" "another import is running with the cursor $cursor"
}

# own_state_folder - sets `folder` to .taskresults/imported in the directory of results. Another user could put anything
# there, and could not append to files that we make; so the directory has to be ours.
own_state_folder() {
  [[ -O $results_path ]] ||
    die "$EXIT_IO" "the directory $results_path belongs to another user: import as that user, or name --state DIR"
  folder=$results_path/.taskresults/imported
  make_own_folder "${folder%/*}" && make_own_folder "$folder"
  if ! is_own_folder "${folder%/*}" || ! is_own_folder "$folder" || [[ ! -O ${folder%/*} || ! -O $folder ]]; then
    die "$EXIT_IO" "the cursor's directory $folder has to be a directory of this user, and no link; or name --state DIR"
  fi
}
