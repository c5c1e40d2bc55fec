#!/usr/bin/env bats
# Pushdown saves work and changes no answer.

load ../lib/helpers
load ../lib/host

# Sets $odd and $plain, directories of results; $all, $few, $third and $copy, files of queries (see tests/live/pushdown.py).
setup_file() {
  local generator=$BATS_TEST_DIRNAME/../live/pushdown.py
  export odd=$BATS_FILE_TMPDIR/odd plain=$BATS_FILE_TMPDIR/plain
  export all=$BATS_FILE_TMPDIR/all.sql few=$BATS_FILE_TMPDIR/few.sql
  export third=$BATS_FILE_TMPDIR/third.sql copy=$BATS_FILE_TMPDIR/copy.sql
  python3 "$generator" data "$odd"
  python3 "$generator" data "$plain" plain
  python3 "$generator" sql >"$all"
  python3 "$generator" sql few >"$few"
  python3 "$generator" sql third >"$third"
  python3 "$generator" sql copy third >"$copy"
}

# SQLite has IS NOT DISTINCT FROM since 3.39. For older ones it is spelled IS, which means the same.
spelled_for_here() {
  if (($(sqlite_version_number) < 3039000)); then sed 's/ IS NOT DISTINCT FROM / IS /g; s/ IS DISTINCT FROM / IS NOT /g' "$1"; else cat "$1"; fi
}

# answers LIBRARY DIRECTORY QUERIES [ENCODING] - what the queries print.
answers() {
  { echo "PRAGMA encoding = '${4:-UTF-8}';"; spelled_for_here "$3"; } |
    SCHEDULER_RESULTS_DIR=$2 sqlite3 -batch -bail -init /dev/null -cmd ".load $1" :memory:
}

# build_planted FILE FROM TO PLACE - builds the extension with a planted mistake, as PLACE/taskresults.so: with FROM
# replaced by TO in ext/FILE.
build_planted() {
  local file=$1 from=$2 to=$3 place=$4 objects
  grep -qF "$from" "$root/ext/$file" || { echo "ext/$file has no longer: $from"; return 1; }
  python3 -c 'import sys; print(open(sys.argv[1]).read().replace(sys.argv[2], sys.argv[3]))' \
    "$root/ext/$file" "$from" "$to" >"$place/planted.c"
  mapfile -t objects < <(cd "$root" && printf '%s\n' ext/*.c ext/*/*.c | grep -v "/$file$" |
    sed "s:\(.*\)\.c:$root/build/release/\1.o:")
  # shellcheck disable=SC2046  # flags are words
  ${CC:-cc} -std=c11 -O0 -fPIC -shared -fvisibility=hidden -I"$root/ext/${file%/*}" -I"$root/include" \
    $(pkg-config --cflags sqlite3) -Wl,--strip-debug -o "$place/taskresults.so" "$place/planted.c" "${objects[@]}" \
    $(pkg-config --libs libcjson zlib libzstd) -lm -pthread
}

# assert_same EXPECTED ACTUAL COUNT - two files of answers are equal, and have COUNT answers or more, most of which are
# neither empty nor everything.
assert_same() {
  [[ $(tail -n 1 "$2") =~ ^([0-9]+)\ queries,\ ([0-9]+)\ selective$ ]] || { tail -n 3 "$2"; return 1; }
  ((BASH_REMATCH[1] >= $3 && BASH_REMATCH[2] > BASH_REMATCH[1] / 2)) || { tail -n 1 "$2"; return 1; }
  cmp -s "$1" "$2" || {
    diff "$1" "$2" | cut -c 1-200 | head -n 10
    return 1
  }
}

@test "3,200 of 9,700 queries over odd values (all: make test-long) give the answers of a build that pushes nothing down" {
  local queries
  queries=$(some_or_all "$third" "$all")
  answers "$root/build/every_line/taskresults" "$odd" "$queries" >"$BATS_TEST_TMPDIR/expected" &
  answers "$extension" "$odd" "$queries" >"$BATS_TEST_TMPDIR/actual"
  wait $!
  assert_same "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" "$(some_or_all 3200 9700)"
}

@test "900 queries over odd values give those answers in a UTF-16 database, too, where text sorts differently" {
  answers "$root/build/every_line/taskresults" "$odd" "$few" UTF-16le >"$BATS_TEST_TMPDIR/expected" &
  answers "$extension" "$odd" "$few" UTF-16le >"$BATS_TEST_TMPDIR/actual"
  wait $!
  assert_same "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" 900
}

@test "3,000 queries over plain values give the answers of a materialized copy" {
  answers "$extension" "$plain" "$copy" >"$BATS_TEST_TMPDIR/expected" &
  answers "$extension" "$plain" "$third" >"$BATS_TEST_TMPDIR/actual"
  wait $!
  assert_same "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" 3000
}

# joins_of LIBRARY [copy] [old] - what JOINS joins over a few jobs print (see tests/live/joins.py).
JOINS=$(some_or_all 400 800)
joins_of() {
  local generator=$BATS_TEST_DIRNAME/../live/joins.py old=
  (($(sqlite_version_number) >= 3039000)) || old=old
  [[ -d $BATS_FILE_TMPDIR/joined ]] || python3 "$generator" data "$BATS_FILE_TMPDIR/joined"
  python3 "$generator" sql "$JOINS" "${@:2}" $old >"$BATS_TEST_TMPDIR/joins.sql"
  SCHEDULER_LOGS_DIR=$BATS_FILE_TMPDIR/joined/logs answers "$1" "$BATS_FILE_TMPDIR/joined" "$BATS_TEST_TMPDIR/joins.sql"
}

@test "joins of every kind give the answers of a build that pushes nothing down, and of plain tables" {
  local same=
  joins_of "$extension" >"$BATS_TEST_TMPDIR/actual"
  joins_of "$root/build/every_line/taskresults" >"$BATS_TEST_TMPDIR/expected"
  assert_same "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" "$JOINS"
  # Before 3.51.1, SQLite may ignore an ON clause of a RIGHT JOIN after a LEFT JOIN if its tables are virtual. A virtual
  # table cannot prevent that.
  (($(sqlite_version_number) >= 3051001)) || same=old
  joins_of "$extension" $same >"$BATS_TEST_TMPDIR/actual"
  joins_of "$extension" copy $same >"$BATS_TEST_TMPDIR/expected"
  assert_same "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" "$JOINS"
}

@test "that comparison of joins notices a build that uses terms of an ON clause on a SQLite that offers wrong ones" {
  local place=$BATS_TEST_TMPDIR
  (($(sqlite_version_number) < 3051001)) || skip 'this SQLite offers no such thing'
  local JOINS=800 # 400 do not show it
  build_planted base/joins.c 'sqlite3_libversion_number() >= 3051001' true "$place"
  joins_of "$extension" >"$place/expected"
  joins_of "$place/taskresults" >"$place/actual"
  run cmp -s "$place/expected" "$place/actual"
  [[ $status -eq 1 ]]
}

# --- the comparison itself -------------------------------------------------------------------------------------------------

# assert_caught FILE FROM TO [ENCODING] - builds the extension with FROM replaced by TO in the file; the answers then differ.
assert_caught() {
  local file=$1 from=$2 to=$3 encoding=${4:-UTF-8} place
  place=$(mktemp -d "$BATS_TEST_TMPDIR/planted.XXXXXX")
  build_planted "$file" "$from" "$to" "$place" || return 1
  # It stops at the first difference. Answers that merely end early do not count as one.
  if [[ $(answers "$place/taskresults" "$odd" "$few" "$encoding" | cmp "$BATS_TEST_TMPDIR/right-$encoding" - 2>&1) != *differ:* ]]; then
    echo "not noticed: ext/$file with '$to' for '$from'"
    return 1
  fi
}

# beside COMMAND... - runs it in the background, two at a time; all_went_well waits for the last ones.
beside() {
  "$@" 3>&- &
  begun+=("$!")
  ((${#begun[@]} < 2)) || all_went_well
}

all_went_well() {
  local pid
  for pid in "${begun[@]}"; do wait "$pid"; done
  begun=()
}

@test "that comparison notices mistakes planted into the code that skips lines" {
  answers "$extension" "$odd" "$few" >"$BATS_TEST_TMPDIR/right-UTF-8"
  answers "$extension" "$odd" "$few" UTF-16le >"$BATS_TEST_TMPDIR/right-UTF-16le"
  beside assert_caught query/filter.c 'term->numeric && tr_looks_numeric(job_id, length)' 'false'
  beside assert_caught query/filter.c 'if (tr_looks_numeric(text, span->length)) return false;' ''
  beside assert_caught query/filter.c 'tr_looks_numeric(bound->text, bound->length) ||' ''
  beside assert_caught query/filter.c 'success == TR_FALSE && filter->skip_false' 'success != TR_TRUE && filter->skip_false'
  beside assert_caught query/filter.c 'tr_record_is_ok(line, record) ? filter->skip_ok' 'true ? filter->skip_ok'
  beside assert_caught query/filter.c 'filter->skip_true |= filter->skip_ok;' 'filter->skip_true |= filter->skip_not_ok;'
  beside assert_caught query/filter.c 'is_range(op) && !is_ascii(text, span->length)' 'false' UTF-16le
  beside assert_caught query/filter.c 'filter->from_offset = bound' 'filter->from_offset = bound + (bound < 1000)'
  beside assert_caught query/like_phrase.c 'return !span->escaped || !has_plain_escape(text, span->length);' 'return true;'
  beside assert_caught query/like_phrase.c 'folded(text[i]) != phrase' 'text[i] != phrase'
  beside assert_caught query/like_phrase.c '"%_\"\\/"' '"\"\\/"'
  beside assert_caught query/plan.c 'sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0' 'true'
  beside assert_caught query/plan.c 'by[0].desc ? TR_ORDER_ROWID_DESC : TR_ORDER_ROWID' 'TR_ORDER_ROWID'
  beside assert_caught query/plan.c 'by[0].desc ? TR_ORDER_JOB_DESC : TR_ORDER_JOB' 'TR_ORDER_JOB'
  beside assert_caught query/plan.c ' && !by[1].desc' ''
  beside assert_caught query/plan.c '(count == 1 || ends_with_rowid)' 'true'
  beside assert_caught scan/file_list.c '(x_length > y_length) - (x_length < y_length)' '0'
  beside assert_caught scan/file_list.c 'if (order >= TR_ORDER_JOB)' 'if (order > TR_ORDER_JOB)'
  beside assert_caught scan/file_list.c 'is_descending = order == TR_ORDER_JOB_DESC' 'is_descending = false'
  beside assert_caught base/connection.c 'strcmp(encoding, "UTF-8") == 0' 'true' UTF-16le
  all_went_well
}

@test "if the host replaces like() or glob(), its function decides, not SQLite's" {
  make_job a 2
  append_raw a '{"output": "Hello", "error": "\xc3\x84rger"}\n'
  run_in_host <<PYTHON
def count(where): return db.execute("SELECT count(*) FROM task_results WHERE " + where).fetchone()[0]
assert count("error LIKE '%\u00e4rger%'") == 0 and count("job_id GLOB 'A'") == 0 and count("output LIKE '%jello%'") == 0
db.create_function("like", 2, lambda pattern, text: int(text is not None and pattern.strip("%").lower()[1:] in text.lower()))
db.create_function("glob", 2, lambda pattern, text: int(pattern.lower() == text.lower()))
assert count("error LIKE '%\u00e4rger%'") == 1, "like"
assert count("output LIKE '%jello%'") == 1, "like, of ASCII"
assert count("job_id GLOB 'A'") == 3, "glob"
other = connect()
other.execute("PRAGMA case_sensitive_like = ON")
assert other.execute("SELECT count(*) FROM task_results WHERE output LIKE '%hello%'").fetchone() == (0,)
assert other.execute("SELECT count(*) FROM task_results WHERE output LIKE '%Hello%'").fetchone() == (1,)
PYTHON
}

@test "the host's like() and glob() are noticed, too, if they take any number of arguments, or if a table has the name of SQLite's list of functions" {
  make_job a 2
  run_in_host <<PYTHON
def count(db, where): return db.execute("SELECT count(*) FROM task_results WHERE " + where).fetchone()[0]
always = lambda *arguments: 1
assert count(db, "output LIKE '%nowhere%'") == 0 and count(db, "job_id GLOB 'b*'") == 0
db = connect() # a statement that is prepared keeps its function
db.create_function("like", -1, always)
assert count(db, "output LIKE '%nowhere%'") == 2, "like"
db = connect()
db.create_function("GLOB", -1, always)
assert count(db, "job_id GLOB 'b*'") == 2, "glob"
db = connect()
db.execute("CREATE TABLE pragma_function_list(name, builtin, narg)")
db.create_function("like", 2, always)
assert count(db, "output LIKE '%nowhere%'") == 2, "a table"
PYTHON
}

@test "a progress handler that stops the query just once, while we ask SQLite about patterns or the encoding, does stop it" {
  make_job a 2
  run_in_host <<PYTHON
import sqlite3
def stops_at(n, every, query):
    calls = [0]
    def handler():
        calls[0] += 1
        return calls[0] == n
    db.set_progress_handler(handler, every)
    try:
        db.execute(query).fetchone()
    except sqlite3.OperationalError as error:
        assert str(error) == "interrupted", error
        return True
    assert calls[0] < n, f"stop {n} of {calls[0]} was lost"
    return False
for every, query in ((50, "SELECT count(*) FROM task_results WHERE output LIKE '%hello%'"),
                     (1, "SELECT count(*) FROM task_results WHERE success <> 1"),
                     (1, "SELECT job_id, count(*) FROM task_results GROUP BY job_id")):
    n = 1
    while stops_at(n, every, query): n += 1
    assert n > 1, "the handler never ran"
PYTHON
}

# --- errors ----------------------------------------------------------------------------------------------------------------

@test "a pattern that is too long for the connection is the same error as without pushdown" {
  make_job a 3
  run_in_host <<PYTHON
import sqlite3
LIKE_PATTERN_LENGTH = 8
def error(where):
    try: return db.execute("SELECT count(*) FROM task_results WHERE " + where).fetchone()
    except sqlite3.OperationalError as error: return str(error)
too_complex = "LIKE or GLOB pattern too complex"
assert error("job_id GLOB hex(zeroblob(25001))") == too_complex
assert error("job GLOB hex(zeroblob(25001)) AND success = 1") == too_complex
assert error("output LIKE hex(zeroblob(25001))") == too_complex
if not hasattr(db, "setlimit"): raise SystemExit(0)
db.setlimit(LIKE_PATTERN_LENGTH, 20)
for column in ("job_id", "output", "error"):
    for op in ("GLOB", "LIKE"):
        assert error(f"{column} {op} 'Finished: 1'") == (0,), (column, op)
        assert error(f"{column} {op} '12345678901234567890'") == (0,), (column, op)
        assert error(f"{column} {op} '123456789012345678901'") == too_complex, (column, op)
        assert error(f"{column} {op} 'ééééééééééx'") == too_complex, (column, op)
PYTHON
}

@test "a connection that has seen more jobs than rowids can number fails a query of all; SQLite then filters a list of names itself" {
  local job place
  place=$(mktemp -d "$BATS_TEST_TMPDIR/few.XXXXXX")
  for job in a b c d e; do make_job "$job" 1; done
  build_planted base/names.c 'names->count > TR_MAX_ORDINAL' 'names->count > 3' "$place"
  few() { sqlite3 -batch -init /dev/null -cmd ".load $place/taskresults" :memory: "$1" 2>&1; }
  run few "SELECT count(*) FROM task_results"
  [[ $status -ne 0 && $output == *'has seen 8388608 different files'*'open a new one'* && $output != *'disk is full'* ]]
  [[ $(few "SELECT count(*) FROM task_results WHERE job_id IN ('a', 'b', 'c', 'd')") == 4 ]]
  [[ $(few "SELECT count(*) FROM task_results WHERE job_id GLOB 'b' AND job_id IN ('b', 'c', 'd', 'v', 'w', 'x', 'y', 'z')") == 1 ]]
  [[ $(few "SELECT count(*) FROM task_results WHERE job_id GLOB 'b' AND job_id IN ('u', 'c', 'd', 'v', 'w', 'x', 'y', 'z')") == 0 ]]
}

# SQLite's answer to (a, b) IN (…) depends on whether its terms are pushed down, and a table cannot tell them from others.
@test "(a, b) IN a list of values of other types: the form that ext/TABLES.md recommends gives the rows of a plain table" {
  printf '{"success": true}\n' | tee "$results/1.jsonl" >"$results/01.jsonl"
  printf '{"success": false}\n' >>"$results/1.jsonl"
  local setup="CREATE TABLE t(x, y); INSERT INTO t VALUES ('1', 1), (1, 1), ('01', '0');
    CREATE TABLE typed(x TEXT, y INTEGER); INSERT INTO typed SELECT * FROM t;
    CREATE TEMP TABLE plain(job_id TEXT, success INTEGER); INSERT INTO plain SELECT job_id, success FROM task_results;"
  assert_rows '1|1' "$setup" "SELECT (SELECT count(*) FROM task_results WHERE (+job_id, +success) IN (SELECT x, y FROM t)),
    (SELECT count(*) FROM plain WHERE (+job_id, +success) IN (SELECT x, y FROM t))"
  assert_rows '1|1' "$setup" "SELECT (SELECT count(*) FROM task_results WHERE (job_id, success) IN (SELECT x, y FROM typed)),
    (SELECT count(*) FROM plain WHERE (job_id, success) IN (SELECT x, y FROM typed))"
}

# --- outer joins -----------------------------------------------------------------------------------------------------------

# Up to 3.50.4, SQLite offers some terms of an ON clause to the left table, though its rows stay whatever ON says.
@test "an outer join keeps the rows of its left table: in a statement, a view, a trigger and a CTE, whatever ON says" {
  local job
  for job in a b; do
    printf '{"success": true}\n{"success": false, "error": "timeout"}\n{"success": false, "error": "disk"}\n' >"$results/$job.jsonl"
  done
  run_in_host <<PYTHON
import itertools, sqlite3
db.execute("ATTACH '$BATS_TEST_TMPDIR/other.db' AS \"o'th\"\"er\"")
for place in ("main", "temp", '"o\'th""er"'):
    db.execute(f"CREATE TABLE {place}.note(job_id, text)")
    db.execute(f"INSERT INTO {place}.note VALUES ('a', 'A'), ('b', 'B')")
db.execute("CREATE TABLE plain AS SELECT job_id, success, error FROM task_results")
db.execute("CREATE TABLE seen(n)")
db.execute("CREATE TABLE plain_logs(job_id, time_us)")
terms = ("r.error LIKE '%timeout%'", "r.job_id GLOB 'a*'", "r.success <> 1", "r.success != 1", "1 <> r.success", "r.success IS NOT 1",
         "like('%timeout%', r.error)", "glob('b*', r.job_id)")
joins = ["LEFT JOIN", "left outer join", "NATURAL LEFT JOIN", "Left/**/Join"]
if sqlite3.sqlite_version_info >= (3, 39): joins += ["FULL JOIN", "FULL OUTER JOIN"]
on = "{t} r {j} note n ON n.job_id = r.job_id AND {w}"
flipped = "note n RIGHT JOIN {t} r ON n.job_id = r.job_id AND {w}"
def count(sql): return db.execute(sql).fetchone()[0]
def in_view(place, select):
    db.execute(f"CREATE VIEW {place}.v AS {select}")
    try: return count("SELECT n FROM v")
    finally: db.execute(f"DROP VIEW {place}.v")
def in_trigger(select):
    db.execute(f"CREATE TEMP TRIGGER t AFTER INSERT ON main.note BEGIN INSERT INTO seen {select}; END")
    db.execute("INSERT INTO main.note VALUES (NULL, NULL)")
    db.execute("DROP TRIGGER t")
    db.execute("DELETE FROM main.note WHERE job_id IS NULL")
    return count("SELECT n FROM seen ORDER BY rowid DESC LIMIT 1")
places = [count, lambda s: in_view("temp", s), in_trigger, lambda s: count(f"WITH c AS ({s}) SELECT n FROM c"),
          lambda s: count(f"SELECT ({s}) FROM plain LIMIT 1"), lambda s: count("SELECT n FROM (" + s.replace("{t} r", "(SELECT * FROM {t}) r") + ")")]
if sqlite3.sqlite_version_info < (3, 42): places.append(lambda s: in_view("main", s))
asked = 0
for join, term, place in itertools.product(joins, terms, places):
    if "NATURAL" in join: select = f"SELECT count(*) AS n FROM {{t}} r {join} note n"
    else: select = "SELECT count(*) AS n FROM " + on.replace("{j}", join).replace("{w}", term)
    ours, right = place(select.format(t="task_results")), place(select.format(t="plain"))
    assert ours == right and right >= 6, (sqlite3.sqlite_version, select, ours, right)
    asked += 1
if sqlite3.sqlite_version_info >= (3, 39):
    for term in terms:
        select = "SELECT count(*) FROM " + flipped.replace("{w}", term)
        assert count(select.format(t="task_results")) == count(select.format(t="plain")), term
# The word may be in the text that is at work only by way of what it uses: a statement prepared inside of another, too.
rows = db.execute("SELECT r.rowid FROM task_results r LEFT JOIN note n ON n.job_id = r.job_id AND r.error LIKE '%timeout%'")
next(rows)
assert count("SELECT count(*) FROM task_results WHERE error LIKE '%timeout%'") == 2
assert len(rows.fetchall()) == 5
assert asked >= 100, asked
PYTHON
}

@test "the search for outer joins leaves no lock in a transaction, and works if an authorizer forbids it" {
  make_job a 4 2
  run_in_host <<PYTHON
import sqlite3
path = "$BATS_TEST_TMPDIR/other.db"
db.isolation_level = None
db.execute(f"ATTACH '{path}' AS other")
db.execute("CREATE TABLE other.t(x)")
db.execute("CREATE TEMP TABLE note(job_id)")
count = "SELECT count(*) FROM task_results r WHERE success <> 1"
for begin in ("SELECT 1", "BEGIN"):
    db.execute(begin)
    assert db.execute(count).fetchone() == (2,)
    neighbour = sqlite3.connect(path, timeout=0, isolation_level=None)
    neighbour.execute("BEGIN EXCLUSIVE")
    neighbour.close()
db.execute("COMMIT")
db.execute("CREATE TEMP VIEW v AS SELECT r.rowid FROM task_results r LEFT JOIN note n ON r.success <> 1")
for denied in (sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_READ):
    for answer in (sqlite3.SQLITE_DENY, sqlite3.SQLITE_IGNORE):
        db.set_authorizer(lambda action, one, *_: answer if action == denied and one in ("database_list", "sqlite_master",
                                                                                         "sqlite_temp_master") else sqlite3.SQLITE_OK)
        assert db.execute("SELECT count(*) FROM v").fetchone() == (4,), (denied, answer)
        assert db.execute(count).fetchone() == (2,), (denied, answer)
        db.set_authorizer(None)
PYTHON
}

# --- rowids ------------------------------------------------------------------------------------------------------------------

@test "a scan from any byte of a file on gives the lines that begin there or later, in both directions, with and without blocks" {
  make_job a 3
  printf '{"success": true}\n\n{torn\n\xff\n{"output": "%0200d"}\n{"success": 1}' 7 >>"$results/a.jsonl"
  make_job b 9
  : >"$results/c.jsonl"
  run_in_host <<PYTHON
import glob, json, os, sqlite3
root, results = "$root", "$results"

def lines(path):
    at = 0
    for line in open(path, "rb"):
        text = line.rstrip(b"\\n")
        if text:
            try:
                yield at, isinstance(json.loads(text), dict)
            except ValueError:
                yield at, False
        at += len(line)

files = {os.path.basename(p)[:-6]: list(lines(p)) for p in sorted(glob.glob(results + "/*.jsonl"))}
size = os.path.getsize(results + "/a.jsonl")
for library in root + "/taskresults", root + "/build/tiny/taskresults":
    for threads in "1", "3":
        os.environ["TASKRESULTS_THREADS"] = threads
        db = sqlite3.connect(":memory:")
        db.enable_load_extension(True)
        db.load_extension(library)
        for table, kind in ("task_results", True), ("task_rejects", False):
            for at in range(size + 2):
                wanted = [(job, o) for job in files for o, record in files[job] if record is kind and o >= at]
                for order in "job_id, offset", "rowid", "rowid DESC":
                    got = db.execute(f"SELECT job_id, offset FROM {table} WHERE offset >= ? ORDER BY {order}", (at,)).fetchall()
                    if order == "rowid DESC":
                        got.reverse()
                    assert (got if order != "rowid" else sorted(got)) == wanted, (library, threads, table, at, order, got)
PYTHON
}

@test "every row is found by its rowid, and nothing by any other number" {
  make_job a 5 2
  make_job b 5
  # The last part of each of these two lines would be a record, but it is not a line.
  printf ' {"output": "x"}\n{"timestamp": "2026", "job_id": {"output": "glued"}\n' >>"$results/b.jsonl"
  run_in_host <<'PYTHON'
rows = db.execute("SELECT rowid, offset, length(CAST(record AS BLOB)), record FROM task_results").fetchall()
assert len(rows) == 11
one = "SELECT rowid, record FROM task_results WHERE rowid = ?"
for rowid, offset, length, record in rows:
    assert db.execute(one, (rowid,)).fetchall() == [(rowid, record)], rowid
    for other in range(rowid + 1, rowid + length + 1):  # up to the newline
        assert db.execute(one, (other,)).fetchall() == [], other
reject, length = db.execute("SELECT rowid, length FROM task_rejects").fetchone()
ends = [rowid + length + 1 for rowid, _, length, _ in rows if rowid + length + 1 not in {r[0] for r in rows}]
for other in [*range(reject, reject + length + 1), -1, -2**63, 2**63 - 1, 2**62, 7 << 40, (7 << 40) + 5, 2**40 - 1] + ends:
    assert db.execute(one, (other,)).fetchall() == [], other
PYTHON
}

@test "a number that is a text with an exponent bounds offsets and times as the number itself" {
  make_job a 8
  run_in_host <<'PYTHON'
rows = db.execute("SELECT offset, time_us FROM task_results").fetchall()
low, high = max(offset for offset, _ in rows) // 2, max(time for _, time in rows) - 1
for place, column, bound in ((0, "offset", low), (1, "time_us", high)):
    texts = [form % bound for form in ("%d", " %d ", "%d.0", "%dE0", "%de0", "%d0E-1", "0.%dE" + str(len(str(bound))))]
    for operator, wanted in (("<=", lambda x: x <= bound), (">", lambda x: x > bound)):
        expected = [row for row in rows if wanted(row[place])]
        assert 0 < len(expected) < len(rows)
        for text in texts:
            found = db.execute(f"SELECT offset, time_us FROM task_results WHERE {column} {operator} ?", (text,)).fetchall()
            assert found == expected, (column, operator, text)
PYTHON
}

@test "a rowid means the same line as long as the connection lasts, in all tables, whatever files appear or vanish" {
  make_job m 3
  run_in_host <<PYTHON
import os
rowids = db.execute("SELECT rowid, record FROM task_results").fetchall()
line = open("$results/m.jsonl").readline()
for name in ("a", "z", "M"):
    open("$results/" + name + ".jsonl", "w").write(line)
    db.execute("SELECT count(*) FROM task_results").fetchall()
db.execute("CREATE VIRTUAL TABLE temp.own USING task_results(dir='$results')")
assert db.execute("SELECT rowid, record FROM task_results('m')").fetchall() == rowids
assert db.execute("SELECT rowid, record FROM own WHERE job_id = 'm'").fetchall() == rowids
os.remove("$results/m.jsonl")
assert db.execute("SELECT count(*) FROM task_results WHERE rowid IN (" + ",".join(str(r) for r, _ in rowids) + ")").fetchone() == (0,)
open("$results/m.jsonl", "w").write(line)
assert db.execute("SELECT rowid, record FROM task_results('m')").fetchall() == rowids[:1]
PYTHON
}

@test "an OR over two indexes shows each row once, while files appear and vanish between its two passes" {
  make_job m 6 2
  make_job n 4 2
  assert_plan 'MULTI-INDEX OR' "SELECT rowid FROM task_results WHERE success = 0 OR job_id = 'm'"
  run_in_host <<PYTHON
import os, shutil
rows = db.execute("SELECT rowid, job_id, success FROM task_results WHERE success = 0 OR job_id = 'm'")
seen = [next(rows)]
for name in ("a", "b", "c", "z"):  # the first pass has its list of files; the second will find others
    shutil.copy("$results/n.jsonl", "$results/" + name + ".jsonl")
os.remove("$results/n.jsonl")
seen += rows.fetchall()
of_m = [row for row in seen if row[1] == "m"]
assert len(of_m) == 6 and len(set(of_m)) == 6, seen
assert len(seen) == len(set(row[0] for row in seen)), seen
print(sorted(set(row[1] for row in seen)), len(seen))
PYTHON
  [[ $output == "['m'] 6" ]]
}

# --- several at once ---------------------------------------------------------------------------------------------------------

@test "joins with the table as the inner one, correlated subqueries, windows, CTEs and views give the same answer" {
  make_job a 10 3
  make_job b 7 2
  make_job c 1
  local tables="CREATE TEMP TABLE jobs(name TEXT)" rows="INSERT INTO jobs VALUES ('a'), ('b'), ('c'), ('none'), (NULL)"
  local expected='a|10|3
b|7|3
c|1|0'
  assert_rows "$expected" "$tables" "$rows" "SELECT name, count(*), sum(NOT success) FROM jobs JOIN task_results ON job_id = name
    GROUP BY name"
  assert_rows "$expected" "$tables" "$rows" "SELECT name, count(*), sum(NOT success) FROM jobs, task_results(jobs.name)
    GROUP BY name"
  assert_rows "$expected
none|0|0" "$tables" "$rows" "SELECT name, (SELECT count(*) FROM task_results WHERE job_id = jobs.name),
      (SELECT count(*) FROM task_results WHERE job_id = jobs.name AND success = 0) FROM jobs WHERE name IS NOT NULL"
  assert_rows "$expected" 'WITH failed AS (SELECT * FROM task_results WHERE success = 0),
      every AS (SELECT job_id, success FROM task_results)
    SELECT job_id, count(*), (SELECT count(*) FROM failed WHERE failed.job_id = every.job_id) FROM every GROUP BY job_id'
  assert_rows "$expected" 'CREATE TEMP VIEW v AS SELECT job_id, success FROM task_results' \
    'SELECT job_id, count(*), sum(success = 0) FROM v GROUP BY job_id'
  assert_rows "$expected" "SELECT DISTINCT job_id, count(*) OVER w, sum(NOT success) OVER w FROM task_results
    WINDOW w AS (PARTITION BY job_id)"
  assert_rows "$expected" "SELECT job_id, sum(n), sum(f) FROM (SELECT job_id, 1 AS n, 0 AS f FROM task_results UNION ALL
      SELECT job_id, 0, 1 FROM task_results WHERE success = 0) GROUP BY job_id"
}

@test "two cursors on one table do not disturb each other" {
  make_job a 50
  make_job b 50
  assert_rows '10000|5000|5050' 'SELECT count(*), sum(x.job_id = y.job_id), sum(x.rowid <= y.rowid)
                                FROM task_results x CROSS JOIN task_results y'
}

@test "streaks computed by SQL windows are those counted by hand" {
  local success
  for success in true false false true false false false true; do
    printf '{"success": %s}\n' "$success" >>"$results/a.jsonl"
  done
  assert_rows '2
3' "WITH numbered AS (SELECT rowid AS id, success, row_number() OVER (ORDER BY rowid)
      - row_number() OVER (PARTITION BY success ORDER BY rowid) AS streak FROM task_results('a'))
    SELECT count(*) FROM numbered WHERE success = 0 GROUP BY streak ORDER BY min(id)"
}

@test "job_id compared with numbers is what it is in a plain table: as text, or as numbers, by the other side's affinity" {
  local job table condition
  for job in 5 05 5.0 a; do append_raw "$job" '{"timestamp": "2026-02-01T00:00:00Z", "success": false}\n'; done
  for condition in 'job_id = 5' 'job_id = 5.0' "job_id = '5'" 'job_id IN (5)' 'job = 5' 'job_id > 4' 'job_id = CAST(5 AS INTEGER)' \
    'job_id = CAST(5 AS REAL)' 'job_id = (SELECT x FROM n)' 'job_id IN (SELECT x FROM n)' 'job_id GLOB 5' \
    'job_id BETWEEN CAST(4 AS INTEGER) AND 6'; do
    for table in plain task_results task_stats task_days task_history task_errors task_runs task_lines; do
      echo "SELECT group_concat(job_id) FROM (SELECT DISTINCT job_id FROM $table WHERE $condition ORDER BY +job_id);"
    done
  done >"$BATS_TEST_TMPDIR/queries"
  sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
    "CREATE TABLE plain AS SELECT DISTINCT job_id, job_id AS job FROM task_results" "CREATE TABLE n(x INTEGER)" \
    "INSERT INTO n VALUES(5)" ".read $BATS_TEST_TMPDIR/queries" >"$BATS_TEST_TMPDIR/answers"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/answers") -eq 96 ]]
  # Seven tables each: what the plain one said.
  awk 'NR % 8 == 1 {plain = $0} $0 != plain {print "answer " NR ": " $0 ", and not " plain; wrong = 1} END {exit wrong}' \
    "$BATS_TEST_TMPDIR/answers"
  [[ $(sort -u "$BATS_TEST_TMPDIR/answers" | wc -l) -ge 4 ]]
}
