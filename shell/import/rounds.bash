# rounds.bash - the SQL of an import, and the program that runs it.
#
# The source is the database `main`, so that a query finds its own tables first; the cursor is attached to it. A round
# is one run of the program: it settles the batch that is on its way and takes a new one from the source, or appends the
# next part of the batch. Between two rounds the shell looks up the files of that part, since SQL cannot.

# shellcheck shell=bash

BATCH_ROWS=100000 # the source is read once for so many
PART_ROWS=2000
PATIENCE_MS=5000 # for a source that its program has locked

RECORD='job_id, job_name, success, output, error, timestamp'

# judge_end STATUS COMPLAINT - in place of that of lib/query: a locked source is no failure, and what a source lacks is
# told in its own words.
judge_end() {
  load lib/sqlite_errors
  case $2 in
    *'database is locked'* | *'locking protocol'*) return "$EXIT_BUSY" ;;
    *'no such table: '* | *'no such column: '*) say_drift "$2"; return "$EXIT_IO" ;;
    *'constraint failed: import_'*) say_wrong_cursor "$2"; return "$EXIT_IO" ;;
    *'not a database'*) say "$source_path, or the cursor $cursor, is not a SQLite database"; return "$EXIT_IO" ;;
    *'disk image is malformed'*) say "$source_path, or the cursor $cursor, is damaged"; return "$EXIT_IO" ;;
    *'attempt to write a readonly database'*)
      say "$source_path cannot be read without a change: its program ended in the middle of a write, or it is in WAL" \
        'mode, and files beside it cannot be made. Let its program open it, or import as a user who may write there'
      return "$EXIT_IO"
      ;;
  esac
  judge_sqlite "$@"
}

# run_round SQL - sets `answer` to what it prints: each row a line, its cells separated by \037. Ends the command if it
# fails.
run_round() {
  local status path
  set_sql_text path "$cursor"
  answer=$(with_input ".timeout $PATIENCE_MS
PRAGMA trusted_schema=OFF; ATTACH $path AS import_cursor; PRAGMA import_cursor.synchronous=EXTRA;
$1
SELECT 'whole';" run_plain)
  status=$?
  ((status != EXIT_BUSY)) || die "$EXIT_BUSY" "$source_path is locked by another program; try again later"
  ((status == 0)) || finish "$status"
  [[ $'\n'$answer == *$'\nwhole' ]] || die "$EXIT_IO" "$source_path: $sqlite3_program ended too early"
}

# set_row_sql - sets `row_sql` to a SELECT of the source's rows as records, and what is wrong with a row: `problem`. A
# job's id is left as it is, for it names a file; other texts are made fit.
set_row_sql() {
  row_sql="SELECT *, CASE WHEN time_us IS NULL THEN 'finished is not a time' WHEN key IS NULL THEN 'key is NULL'
      WHEN typeof(job_id) <> 'text' OR job_id = '' OR instr(job_id, '/') OR instr(job_id, char(0)) OR
        length(CAST(job_id AS BLOB)) > 249 OR taskresults_text(job_id) <> job_id THEN 'job_id cannot name a file'
      WHEN typeof(success) NOT IN ('integer', 'real') OR success NOT IN (0, 1) THEN 'success is neither 0 nor 1'
    END AS problem
  FROM (SELECT taskresults_epoch(r.finished) AS time_us, r.key AS key, r.finished AS finished,
      CASE typeof(r.job_id) WHEN 'integer' THEN CAST(r.job_id AS TEXT) ELSE r.job_id END AS job_id,
      taskresults_text(r.job_name, 5000) AS job_name, r.success AS success,
      ifnull(taskresults_text(r.output, 5000), '') AS output, ifnull(taskresults_text(r.error, 5000), '') AS error
    FROM (
$rows
    ) AS r WHERE r.finished IS NOT NULL)"
}

# set_next_part - sets `next_part` to a SELECT of the part of the batch that comes next, and `next_jobs` to the SQL that
# prints its jobs. Rows of jobs in `waiting`, whose files cannot be appended to, stay in the batch.
set_next_part() {
  local IFS=,
  next_part="SELECT * FROM import_cursor.batch WHERE job_id NOT IN (${waiting[*]})
    ORDER BY time_us, key LIMIT $PART_ROWS"
  next_jobs="SELECT 'target', hex(job_id) FROM (SELECT DISTINCT job_id FROM ($next_part));"
}

# set_taking NAME - sets NAME to the SQL that makes a batch of the first new rows, if there is none but what waits. In
# what the source calls a key, 'a' and 'A' may be the same; not here.
set_taking() {
  local IFS=,
  printf -v "$1" '%s' "
CREATE TEMP TABLE import_pending AS SELECT count(*) AS n FROM import_cursor.batch
  WHERE job_id NOT IN (${waiting[*]});
INSERT OR IGNORE INTO import_cursor.batch SELECT time_us, key, $RECORD, taskresults_hash(json_array($RECORD))
  FROM (SELECT time_us, key, job_id, ifnull(nullif(job_name, ''), job_id) AS job_name,
      CAST(success AS INTEGER) AS success, output, error,
      strftime('%Y-%m-%dT%H:%M:%S', (time_us - us) / 1000000, 'unixepoch') || printf('.%06dZ', us) AS timestamp
    FROM (SELECT *, (time_us % 1000000 + 1000000) % 1000000 AS us FROM ($row_sql) AS r
      WHERE problem IS NULL AND (SELECT n FROM import_pending) = 0 AND NOT EXISTS (SELECT 1 FROM import_cursor.seen AS s
        WHERE s.time_us = r.time_us AND s.key COLLATE BINARY = r.key)
        AND NOT EXISTS (SELECT 1 FROM import_cursor.batch AS b
          WHERE b.time_us = r.time_us AND b.key COLLATE BINARY = r.key)
      ORDER BY time_us, key COLLATE BINARY LIMIT $BATCH_ROWS));
$next_jobs"
}

# SQL: counts the records of PART as imported.
COUNT_RECORDS="INSERT INTO import_cursor.records SELECT hash, count(*), unixepoch() FROM PART WHERE true GROUP BY hash
  ON CONFLICT DO UPDATE SET n = n + excluded.n, seen_s = excluded.seen_s;"

# SQL: of a batch that was on its way when an import ended too early, finds the lines that are in the files. Where a
# file is not the one that it was, or is shorter, it was pruned or rotated since; then all that is left of the job is
# searched, less the same records that were imported before. The source may have tables with the names of ours, so these
# have names in temp, which SQLite looks up first. (A DELETE without a condition would write even if there is nothing.)
SETTLE_SQL="CREATE VIRTUAL TABLE temp.import_lines USING task_lines;
CREATE VIRTUAL TABLE temp.import_history USING task_history;
BEGIN;
CREATE TEMP TABLE import_target AS SELECT t.*, ifnull(t.bytes <= (SELECT max(l.offset + l.length + l.terminated)
    FROM import_lines AS l WHERE l.job = t.job_id AND l.inode = t.inode AND l.dev = t.dev), 0) AS is_there
  FROM import_cursor.targets AS t;
CREATE TEMP TABLE import_line AS SELECT l.job_id, l.job_name, l.success, l.output, l.error, l.timestamp
  FROM import_target AS t CROSS JOIN import_lines AS l ON l.job = t.job_id
  WHERE t.is_there AND l.offset >= t.bytes AND l.reason IS NULL;
INSERT INTO import_line SELECT h.job_id, h.job_name, h.success, h.output, h.error, h.timestamp
  FROM import_target AS t CROSS JOIN import_history AS h ON h.job = t.job_id WHERE NOT t.is_there;
CREATE TEMP TABLE import_done AS SELECT b.time_us, b.key, b.hash
  FROM (SELECT *, row_number() OVER (PARTITION BY $RECORD ORDER BY time_us, key) AS place FROM import_cursor.batch) AS b
  JOIN (SELECT *, count(*) AS n FROM import_line GROUP BY $RECORD) AS l USING ($RECORD)
  JOIN import_target AS t ON t.job_id = b.job_id
  LEFT JOIN import_cursor.records AS r ON r.hash = b.hash AND NOT t.is_there
  WHERE b.place <= l.n - ifnull(r.n, 0);
INSERT OR IGNORE INTO import_cursor.seen SELECT time_us, key, unixepoch() FROM import_done;
${COUNT_RECORDS/PART/import_done}
DELETE FROM import_cursor.batch WHERE EXISTS (SELECT 1 FROM import_done AS d
  WHERE d.time_us = batch.time_us AND d.key = batch.key);
DELETE FROM import_cursor.targets WHERE true;
COMMIT;"

# set_refusals NAME - sets NAME to the SQL that notes the rows which cannot be records, each once; prints those that
# were not told before; and forgets what is long gone.
set_refusals() {
  printf -v "$1" '%s' "
INSERT OR IGNORE INTO import_cursor.refused(hash, problem, key, at_s)
  SELECT taskresults_hash(problem || quote(finished) || quote(key)), problem, taskresults_text(key, 60), unixepoch()
  FROM ($row_sql) WHERE problem IS NOT NULL;
INSERT OR IGNORE INTO import_cursor.refused(hash, problem, key, at_s)
  SELECT taskresults_hash(quote(time_us) || quote(key)), 'another row has its finish time and key',
    taskresults_text(key, 60), unixepoch()
  FROM ($row_sql) WHERE problem IS NULL GROUP BY time_us, key COLLATE BINARY HAVING count(*) > 1;
SELECT 'refused', count(*), problem, replace(replace(ifnull(min(key), ''), char(10), ' '), char(31), ' ')
  FROM import_cursor.refused WHERE NOT told GROUP BY problem;
UPDATE import_cursor.refused SET told = 1 WHERE NOT told;
DELETE FROM import_cursor.seen WHERE seen_s < unixepoch() - $REMEMBERED_S
  AND (time_us, key) NOT IN (SELECT time_us, +key FROM ($row_sql) WHERE problem IS NULL);
DELETE FROM import_cursor.records WHERE seen_s < unixepoch() - $REMEMBERED_S;"
}

# set_append NAME - sets NAME to the SQL that appends the next part of the batch. The files' lengths, from `targets`,
# are on the disk before, and so are the lines before the part is forgotten.
set_append() {
  printf -v "$1" '%s' "BEGIN; INSERT INTO import_cursor.targets VALUES $targets; COMMIT;
CREATE VIRTUAL TABLE temp.import_results USING task_results(sync=data);
CREATE TEMP TABLE import_part AS SELECT time_us, key, hash FROM ($next_part);
INSERT INTO import_results($RECORD) SELECT $RECORD FROM ($next_part) ORDER BY time_us, key;
SELECT 'imported', count(*) FROM import_part;
BEGIN; INSERT OR IGNORE INTO import_cursor.seen SELECT time_us, key, unixepoch() FROM import_part;
${COUNT_RECORDS/PART/import_part}
DELETE FROM import_cursor.batch WHERE (time_us, key) IN (SELECT time_us, key FROM import_part);
DELETE FROM import_cursor.targets; COMMIT;
$next_jobs"
}

# read_answer - from `answer`: sets `jobs` to the jobs of the part that comes next, adds to `imported`, and says
# what was refused.
read_answer() {
  local kind first second third
  jobs=()
  while IFS=$'\037' read -r kind first second third; do
    case $kind in
      target) jobs+=("$first") ;;
      imported) imported=$((imported + first)) ;;
      refused)
        has_refused=1
        say "$source_path: left out ${first} row$( ((first == 1)) || echo s): $second (key: $third)"
        ;;
    esac
  done < <(printf '%s\n' "$answer")
}

# set_targets - sets `targets` to the SQL values of the part's files, of `jobs`, as they are now. Fails if some of them
# cannot be appended to: then these are in `waiting` now, and another part comes next.
set_targets() {
  local hex name path i there=() paths=() stats=() before=${#waiting[@]}
  targets=
  for hex in "${jobs[@]}"; do
    name=
    for ((i = 0; i < ${#hex}; i += 2)); do name+="\\x${hex:i:2}"; done
    printf -v name '%b' "$name"
    path=$results_path/$name.jsonl
    if [[ -L $path || (-e $path && ! (-f $path && -w $path)) ]]; then
      waiting+=("CAST(x'$hex' AS TEXT)")
      say "the rows of the job $name wait, since its file $path $(why_not "$path")"
    elif [[ -e $path ]]; then
      paths+=("$path") there+=("$hex")
    else
      targets+="${targets:+, }(CAST(x'$hex' AS TEXT), NULL, NULL, 0)"
    fi
  done
  ((${#waiting[@]} == before)) || return
  ((${#paths[@]} == 0)) || mapfile -t stats < <(stat --printf '%d, %i, %s\n' -- "${paths[@]}")
  ((${#stats[@]} == ${#paths[@]})) || die "$EXIT_BUSY" 'a file of results disappeared just now; try again'
  for i in "${!there[@]}"; do targets+="${targets:+, }(CAST(x'${there[i]}' AS TEXT), ${stats[i]})"; done
}

# why_not PATH - prints why a file cannot be appended to.
why_not() {
  if [[ -L $1 ]]; then
    echo 'is a symbolic link'
  elif [[ -d $1 ]]; then
    echo 'is a directory'
  elif [[ -f $1 ]]; then
    echo 'cannot be written'
  else
    echo 'is no regular file'
  fi
}
