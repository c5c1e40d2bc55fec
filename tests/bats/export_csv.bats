#!/usr/bin/env bats
# taskresults_export_csv(): the rows of one SELECT -> a CSV file.

load ../lib/helpers
load ../lib/host

setup_place() {
  place=$BATS_TEST_TMPDIR/place
  mkdir "$place"
  cd "$place" || return
}

# refuses WORDS SELECT - the function fails with these words for that SELECT; nothing is written, and nothing else happens.
refuses() {
  assert_sql_error "$1" 'CREATE TABLE t(a)' "INSERT INTO t VALUES ('kept')" \
    "SELECT taskresults_export_csv('x', CAST(x'$(printf %s "$2" | od -An -v -tx1 | tr -d ' \n')' AS TEXT))"
  [[ -z $(find . -mindepth 1) ]] || { find .; return 1; }
}

# leftovers - the temporary files that are still there.
leftovers() {
  find . -name '.taskresults.*'
}

# --- what is written -------------------------------------------------------------------------------------------------

@test "Python's csv reads each cell back, and cells are quoted only where they must be: hostile texts of every length" {
  run_in_host <<'PYTHON'
import csv, io, os, random, tempfile
rng = random.Random(4180)
pieces = ['"', ',', '\r', '\n', '\r\n', '\0', '\t', ' ', "'", ';', '=', 'a', 'b' * 15, 'c' * 16, 'd' * 17, 'é', '😀', '\u2028', '""']
def text(length):
    made = ''
    while len(made) < length: made += rng.choice(pieces if rng.random() < .5 else 'abcdefgh')
    return made[:length]
values = [text(n) for n in range(200) for _ in range(6)]
values += ['x' * n + mark + 'y' * m for mark in '",\r\n\0' for n in range(0, 50, 3) for m in (0, 1, 15, 16, 17)]
# Around the limit of a large text and the buffer's end.
values += ['x' * 65537 + mark for mark in '",\r\n']
values += [piece * n for piece in 'x",' for n in (65535, 65536, 65537, 131070, 131071, 131072, 262143, 262144, 262145, 300000)]
values += [None, '', 0, 1, -1, 2**63 - 1, -2**63, 1.5, 0.1, 1e300, -0.0, float('inf'), float('-inf'), b'', b'a,b', b'\xff\0"', b'plain']
rng.shuffle(values)
if len(values) % 3: values += [None] * (3 - len(values) % 3)
db.execute('CREATE TABLE t(a, "b,""c", d)')
rows = list(zip(*[iter(values)] * 3))
db.executemany('INSERT INTO t VALUES (?, ?, ?)', rows)
def spelled(value):
    if value is None: return b''
    if isinstance(value, float): value = db.execute('SELECT CAST(? AS TEXT)', (value,)).fetchone()[0]
    data = value if isinstance(value, bytes) else str(value).encode()
    return data if data and not set(data) & set(b'",\r\n') else b'"' + data.replace(b'"', b'""') + b'"'
expected = b''.join(b','.join(map(spelled, row)) + b'\r\n' for row in [('a', 'b,"c', 'd')] + rows)
path = os.path.join(tempfile.mkdtemp(), 'x.csv')
assert db.execute('SELECT taskresults_export_csv(?, ?)', (path, 'SELECT * FROM t ORDER BY rowid')).fetchone() == (len(rows),)
data = open(path, 'rb').read()
assert data == expected, [i for i in range(len(data)) if data[i:i + 1] != expected[i:i + 1]][:1]
# Python's csv reader, which shares no code with this, agrees (it once refused NUL).
as_text = data.replace(b'\xff', b'?').decode().replace('\0', '<NUL>')
csv.field_size_limit(10**7)
read = list(csv.reader(io.StringIO(as_text, newline=''), strict=True))
plain = lambda v: '' if v is None else (v.replace(b'\xff', b'?') if isinstance(v, bytes) else spelled(v)
    if isinstance(v, float) else str(v).encode()).decode().replace('\0', '<NUL>')
assert read == [['a', 'b,"c', 'd']] + [list(map(plain, row)) for row in rows]
PYTHON
}

@test "a database in UTF-16 gives the same bytes" {
  setup_place
  local encoding
  for encoding in UTF-8 UTF-16le UTF-16be; do
    sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: "PRAGMA encoding = '$encoding'" \
      "CREATE TABLE t AS SELECT 'a,é😀' AS a, NULL AS b, 1.5 AS c UNION ALL SELECT '', x'C3A9', 'x' || char(0) || '\"'" \
      "SELECT taskresults_export_csv('$encoding', 'SELECT * FROM t'), (SELECT * FROM pragma_encoding)" >encoding
    [[ $(<encoding) == "2|$encoding" ]]
  done
  cmp UTF-8 UTF-16le
  cmp UTF-8 UTF-16be
  [[ $(tr '\0' '@' <UTF-8) == $'a,b,c\r\n"a,é😀",,1.5\r\n"",é,"x@"""\r' ]]
}

@test "options: header, newline, guard, max_chars, cut" {
  setup_place
  assert_rows 2 "SELECT taskresults_export_csv('x', 'VALUES (1, ''a''), (2, ''b'')', 'header', 0, 'newline', 'lf', 'sync', 0)"
  [[ $(<x) == $'1,a\n2,b' ]]
  assert_rows 0 "SELECT taskresults_export_csv('x', 'SELECT 1 AS one WHERE 0', 'newline', 'crlf')"
  [[ $(<x) == $'one\r' ]]
  assert_rows 0 "SELECT taskresults_export_csv('x', 'SELECT 1 WHERE 0', 'header', 0)"
  [[ -f x && ! -s x ]]
  sql "SELECT taskresults_export_csv('x', 'VALUES (''=1''), (''+,''), (-1), (''-''), (''@''), (char(9)), (char(13)),
    (char(0) || ''=''), (x''3D''), (''a=''), (''''), (NULL), (1e300), (-1.5)', 'guard', 1, 'header', 0, 'newline', 'lf')"
  [[ $(tr '\0' 0 <x) == $'\'=1\n"\'+,"\n-1\n\'-\n\'@\n\'\t\n"\'\r"\n\'0=\n\'=\na=\n""\n\n1.0e+300\n-1.5' ]]
  sql "SELECT taskresults_export_csv('x', 'SELECT ''é😀'' || char(0) || ''x'' AS a, 12345 AS b, 1.25 AS c, x''61626364'' AS d,
    NULL AS e, '''' AS f', 'max_chars', 3, 'header', 0)"
  [[ $(tr '\0' 0 <x) == $'é😀0,123,1.2,abc,,""\r' ]]
  sql "SELECT taskresults_export_csv('x', 'SELECT ''é😀'', 12345, x''61''', 'max_chars', 5, 'header', 0)"
  [[ $(<x) == $'é😀,12345,a\r' ]]
  sql "SELECT taskresults_export_csv('x', 'SELECT ''abc'' AS a, ''abc'' AS b, ''=bc'' AS \"c d\"', 'max_chars', 0,
    'cut', 'c d', 'cut', 'a', 'guard', 1, 'header', 0)"
  [[ $(<x) == $'"",abc,\'\r' ]]
  sql "SELECT taskresults_export_csv('x', 'SELECT ''=,'' || hex(zeroblob(40000))', 'guard', 1, 'header', 0)"
  [[ $(head -c 5 x) == "\"'=,0" && $(wc -c <x) -eq 80007 ]]
}

@test "delimiter: with each allowed character, Python's csv reads the file back; all others are refused" {
  run_in_host <<'PYTHON'
import csv, io, os, random, sqlite3, tempfile
path = os.path.join(tempfile.mkdtemp(), 'x.csv')
rng = random.Random(4180)
taken = []
for code in range(1, 0x180):
    mark = chr(code)
    pieces = [mark, mark, '"', ',', '\t', ';', '\r\n', 'a', 'b' * 17, "'", 'é', '=']
    texts = [''.join(rng.choices(pieces, k=k)) for k in [1, 2, 3, 5, 15, 16, 17, 33, 34] * 3] + ['x' * 70000 + mark, 'x' * 70000]
    rows = [(text, -1.5, None, text, float('inf'), 1e-300) for text in texts]
    db.execute('DROP TABLE IF EXISTS t')
    db.execute('CREATE TABLE t(a, b, c, d, e, f)')
    db.executemany('INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)', rows)
    try:
        db.execute("SELECT taskresults_export_csv(?, 'SELECT a, b, c, d AS \"=d;\t\", e, f FROM t', 'delimiter', ?, 'bom', 1)", (path, mark)).fetchone()
    except sqlite3.OperationalError as error:
        assert "the value of 'delimiter'" in str(error), error
        continue
    taken.append(mark)
    data = open(path, 'rb').read()
    assert data[:3] == b'\xef\xbb\xbf' and data.endswith(b'\r\n')
    read = list(csv.reader(io.StringIO(data[3:].decode(), newline=''), delimiter=mark, strict=True))
    assert read[0] == ['a', 'b', 'c', '=d;\t', 'e', 'f']
    assert [(a, d) for a, b, c, d, e, f in read[1:]] == [(a, d) for a, b, c, d, e, f in rows], mark
    assert {(b, c, e) for a, b, c, d, e, f in read[1:]} == {('-1.5', '', 'Inf')}, mark
assert ''.join(taken) == '\t!#$%&()*,/:;<=>?@[\\]^_`{|}~', taken
PYTHON
}

@test "guard: every text that a spreadsheet could take for a formula is marked, no other is, and the marks can be removed again" {
  run_in_host <<'PYTHON'
import csv, io, os, tempfile, unicodedata as u
csv.field_size_limit(10**7)
path = os.path.join(tempfile.mkdtemp(), 'x.csv')
def exported(values):
    db.execute('DROP TABLE IF EXISTS t')
    db.execute('CREATE TABLE t(a)')
    db.executemany('INSERT INTO t VALUES (?)', [(value,) for value in values])
    db.execute("SELECT taskresults_export_csv(?, 'SELECT a FROM t ORDER BY rowid', 'guard', 1, 'header', 0)", (path,)).fetchone()
    text = open(path, 'rb').read().decode('latin-1').replace('\0', '<NUL>')
    return [row[0] for row in csv.reader(io.StringIO(text, newline=''), strict=True)]
def check(values, want):
    for value, cell in zip(values, exported(values), strict=True):
        plain = value if isinstance(value, bytes) else str(value).encode()
        plain = plain.decode('latin-1').replace('\0', '<NUL>')
        assert cell == ("'" if want else '') + plain, (want, value, cell)
everything = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
# Characters that Unicode normalization (NFKC) turns into = + - @.
openers = [c for c in everything if u.normalize('NFKC', c)[:1] in tuple('=+-@')]
assert {'=', '\uff1d', '\uff0d', '\ufe6b'} < set(openers)
check([c + '1+1' for c in openers], True)
# White space, invisible characters and quotes do not hide a formula. Six kinds of Arabic and other marks are visible.
seen = set(map(chr, [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD]))
unseen = [c for c in everything if (u.category(c) in ('Cc', 'Cf', 'Zs', 'Zl', 'Zp', 'Pi', 'Pf') or c in '\'"`´') and c not in seen
          and not 0x2E00 <= ord(c) < 0x2E80]
assert len(unseen) > 200
check([c + '=1+1' for c in unseen], True)
check([' \n\ufeff\u3000"\uff1d1', '\u200b' * 300000 + '@', '\n', '\r\nx', '\tx', '\0x', "'=1"], True)
check([b'=1', b'\xff\xa0-1', b'\xc2=', b'\xf0\x9f=x', b' @\xff', b'\xed\xa0\x80=1'], True)
# Numbers stay numbers; and a text that begins with a letter, a digit or another sign is unchanged.
check([-5, -5.25, 0, 2**62], False)
plain = [c for c in everything if u.category(c)[0] in 'LN' or c in '!#$%&(),./:;<>?[\\]^_{|}~\u20ac\u2212']
plain = [c for c in plain if c not in '\u115f\u1160\u3164\uffa0']
check([c + '=1+1' for c in plain], False)
check(['', ' ', ' a=1', '"a"', "'", '\u3000', 'a\n=1', b'', b'\xffa', b'\xc3\xa9='], False)
# A name of a column may come from a hostile database.
db.execute('SELECT taskresults_export_csv(?, ?, \'guard\', 1)', (path, 'SELECT -1 AS " =x", 2 AS b')).fetchone()
assert open(path, 'rb').read() == b"' =x,b\r\n-1,2\r\n"
# To undo it, remove one ' wherever a text follows that would be marked. Texts that began with a ' come back, too.
texts = ['=1', "'=1", "''=1", "'a", "a'", "' =", '', '\n-']
marked = exported(texts)
known = set(exported([*texts, *(cell[1:] for cell in marked if cell[:1] == "'")]))
assert [cell[1:] if cell[:1] == "'" and cell in known and exported([cell[1:]]) == [cell] else cell for cell in marked] == texts
PYTHON
}

@test "export: wrong options are errors that say what is right" {
  setup_place
  local call="SELECT taskresults_export_csv('x', 'SELECT 1 AS a'"
  assert_sql_error "unknown option 'headers'" "$call, 'headers', 1)"
  assert_sql_error "unknown option 'NULL'" "$call, NULL, 1)"
  assert_sql_error 'options come in pairs' "$call, 'header')"
  assert_sql_error "the value of 'header' has to be 0 or 1" "$call, 'header', 2)"
  assert_sql_error "the value of 'header' has to be 0 or 1" "$call, 'header', 2, 'guard', 1)"
  assert_sql_error "the value of 'guard' has to be 0 or 1" "$call, 'guard', 'yes')"
  assert_sql_error "the value of 'bom' has to be 0 or 1" "$call, 'bom', 3)"
  assert_sql_error "the value of 'delimiter' has to be one character" "$call, 'delimiter', ';;')"
  assert_sql_error "the value of 'delimiter' has to be one character" "$call, 'delimiter', NULL)"
  assert_sql_error "the value of 'newline' has to be 'crlf' or 'lf'" "$call, 'newline', char(10))"
  assert_sql_error "the value of 'newline' has to be 'crlf' or 'lf'" "$call, 'newline', NULL)"
  assert_sql_error "the value of 'max_chars' has to be 0 or more" "$call, 'max_chars', -1)"
  assert_sql_error "the value of 'max_chars' has to be 0 or more" "$call, 'max_chars', 'few')"
  assert_sql_error "the SELECT has no column 'b' to cut" "$call, 'max_chars', 1, 'cut', 'b')"
  assert_sql_error "'cut' goes with 'max_chars'" "$call, 'cut', 'a')"
  assert_sql_error "the value of 'cut' has to be a column's name" "$call, 'max_chars', 1, 'cut', NULL)"
  assert_sql_error "the arguments are a file's path and a SELECT" 'SELECT taskresults_export_csv()'
  assert_sql_error "the arguments are a file's path and a SELECT" "SELECT taskresults_export_csv('x')"
  assert_sql_error "the arguments are a file's path and a SELECT" "SELECT taskresults_export_csv('', 'SELECT 1')"
  assert_sql_error "the arguments are a file's path and a SELECT" "SELECT taskresults_export_csv(NULL, 'SELECT 1')"
  assert_sql_error "the arguments are a file's path and a SELECT" "SELECT taskresults_export_csv('x' || char(0), 'SELECT 1')"
  assert_sql_error "the arguments are a file's path and a SELECT" "SELECT taskresults_export_csv('x', x'53454C4543542031')"
  assert_sql_error "the arguments are a file's path and a SELECT" \
    "SELECT taskresults_export_csv('x', 'SELECT 1' || char(0) || 'x')"
  [[ -z $(find . -mindepth 1) ]]
}

# --- which statements ------------------------------------------------------------------------------------------------

@test "any single SELECT is accepted, with comments, white space and semicolons around it" {
  setup_place
  assert_rows $'1\n1\n1\n1\n1\n2' "SELECT taskresults_export_csv('x', 'select*FROM(SELECT 1)')" \
    "SELECT taskresults_export_csv('x', ' ; -- no '';'' here' || char(10) || '/* nor ; here */ SELECT 1 ; ; -- the end')" \
    "SELECT taskresults_export_csv('x', 'WITH a(b) AS (VALUES (1)) SELECT b FROM a /* open')" \
    "SELECT taskresults_export_csv('x', 'VALUES(1)' || char(12, 13, 10, 9))" \
    "SELECT taskresults_export_csv('x', 'SELECT 1;/**/')" \
    "SELECT taskresults_export_csv('x', 'SELECT 1 UNION ALL SELECT 2 ORDER BY 1 DESC')"
  [[ $(<x) == $'1\r\n2\r\n1\r' ]]
}

@test "anything but a single SELECT is refused before it can do anything" {
  setup_place
  local words='the statement has to be one SELECT' statement
  for statement in '' ' -- nothing' ';' 'BEGIN' 'PRAGMA user_version = 7' 'PRAGMA table_info(t)' 'EXPLAIN SELECT 1' \
    "ATTACH 'other.db' AS o" 'DELETE FROM t' "INSERT INTO t VALUES (1) RETURNING a" "VACUUM INTO 'other.db'" 'SELECTED' \
    'CREATE TABLE u(a)' '/* never ends' '/ 1' '- 1' 'SELECT9' 'SELECT$' 'SELECT_' 'SELECTé' 'WITH x AS (SELECT 1) DELETE FROM t RETURNING a' 'WITH x AS (SELECT 1) INSERT INTO t SELECT 2' \
    'SAVEPOINT s' 'ROLLBACK' 'REINDEX' 'with_x'; do
    refuses "$words" "$statement"
  done
  for statement in 'SELECT' 'SELECT{' 'SELECT-'; do refuses '' "$statement"; done # a SELECT, says the parser, and a bad one
  for statement in 'SELECT 1; DELETE FROM t' 'SELECT 1; SELECT 2' 'SELECT 1; -- x
    PRAGMA user_version = 7' 'SELECT 1;;; /* */ x' 'SELECT 1; é'; do
    refuses 'there is more text after the SELECT' "$statement"
  done
  refuses 'the SELECT has parameters' 'SELECT ?1'
  refuses 'the SELECT has parameters' 'SELECT :a FROM t'
  refuses 'no such column: nonsense' 'SELECT nonsense'
  refuses 'incomplete input' 'SELECT 1 FROM'
  refuses 'syntax error' 'SELECT 1 SELECT 2'
}

@test "an error of the SELECT is passed on unchanged, and leaves no file" {
  setup_place
  echo before >x
  assert_sql_error 'integer overflow' "SELECT taskresults_export_csv('x', 'SELECT abs(value) FROM
    (SELECT 1 AS value UNION ALL SELECT -9223372036854775807 - 1)')"
  assert_sql_error 'malformed JSON' "SELECT taskresults_export_csv('x',
    'WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 100000)
     SELECT json_extract(CASE n WHEN 99999 THEN ''{'' ELSE ''{}'' END, ''$'') FROM c')"
  SCHEDULER_RESULTS_DIR=/nowhere assert_sql_error 'results directory /nowhere: No such file or directory' \
    "SELECT taskresults_export_csv('x', 'SELECT * FROM task_results')"
  [[ $(<x) == before && -z $(leftovers) ]]
}

@test "views and triggers cannot call it, not even a view that an export reads" {
  setup_place
  sqlite3 -batch hostile.db "CREATE TABLE t(a); CREATE VIEW v AS SELECT taskresults_export_csv('stolen', 'SELECT 1') AS a;
    CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT taskresults_export_csv('stolen', 'SELECT 1'); END"
  assert_sql_error 'unsafe use of taskresults_export_csv' "ATTACH 'hostile.db' AS h" 'SELECT * FROM h.v'
  assert_sql_error 'unsafe use of taskresults_export_csv' "ATTACH 'hostile.db' AS h" 'INSERT INTO h.t VALUES (1)'
  assert_sql_error 'unsafe use of taskresults_export_csv' "ATTACH 'hostile.db' AS h" \
    "SELECT taskresults_export_csv('x', 'SELECT * FROM h.v')"
  [[ ! -e stolen && ! -e x ]]
}

@test "it cannot be used inside its own SELECT, not even in one that would never end" {
  setup_place
  assert_sql_error 'cannot be used inside its own SELECT' \
    "SELECT taskresults_export_csv('x', 'SELECT taskresults_export_csv(''y'', ''SELECT 1'')')"
  assert_sql_error 'cannot be used inside its own SELECT' 'CREATE TABLE t(s)' \
    "INSERT INTO t VALUES ('SELECT taskresults_export_csv(''x'', s) FROM t')" \
    "SELECT taskresults_export_csv('x', s) FROM t"
  [[ -z $(find . -mindepth 1) ]]
  assert_rows '1|1' "SELECT taskresults_export_csv('x', 'SELECT 1'), taskresults_export_csv('y', 'SELECT 2')"
}

# --- which files -----------------------------------------------------------------------------------------------------

@test "the file's mode is kept, links are followed, a directory and a missing directory are refused" {
  setup_place
  local export="'SELECT 1 AS a')"
  (umask 027 && sql "SELECT taskresults_export_csv('new', $export")
  [[ $(stat -c %a new) == 640 ]]
  echo before >old
  chmod 604 old
  ln -s old link
  mkdir folder
  ln -s folder/later ahead
  ln -s "$PWD/ahead" twice
  ln -s loop loop
  assert_rows $'1\n1' "SELECT taskresults_export_csv('link', $export" "SELECT taskresults_export_csv('twice', $export"
  [[ -L link && -L ahead && -L twice && $(stat -c %a old) == 604 && $(<old) == $'a\r\n1\r' && -f folder/later ]]
  assert_sql_error 'cannot write folder: Is a directory' "SELECT taskresults_export_csv('folder', $export"
  assert_sql_error 'cannot write new/: Not a directory' "SELECT taskresults_export_csv('new/', $export"
  assert_sql_error 'cannot write none/: its directory: No such file or directory' "SELECT taskresults_export_csv('none/', $export"
  assert_sql_error 'cannot write none/x: its directory: No such file or directory' \
    "SELECT taskresults_export_csv('none/x', $export"
  assert_sql_error 'cannot write loop: Too many levels of symbolic links' "SELECT taskresults_export_csv('loop', $export"
  assert_sql_error 'File name too long' "SELECT taskresults_export_csv(replace(hex(zeroblob(3000)), '0', 'x'), $export"
  assert_sql_error 'cannot write /: Is a directory' "SELECT taskresults_export_csv('/', $export"
  assert_sql_error 'File name too long' "SELECT taskresults_export_csv(replace(hex(zeroblob(128)), '0', 'x'), $export"
  python3 -c 'import os, socket; os.symlink("a/" * 2040, "long"); socket.socket(socket.AF_UNIX).bind("socket")'
  assert_sql_error 'File name too long' "SELECT taskresults_export_csv('long/' || replace(hex(zeroblob(99)), '0', 'x'), $export"
  assert_sql_error 'cannot write socket: No such device or address' "SELECT taskresults_export_csv('socket', $export"
  assert_rows 1 "SELECT taskresults_export_csv('$PWD/-o''; \$(x) ☃', $export"
  [[ -f "-o'; \$(x) ☃" ]]
  [[ -z $(leftovers) && $(<new) == $'a\r\n1\r' ]]
}

@test "a FIFO, a device and standard output are written to directly" {
  setup_place
  mkfifo pipe
  cat pipe >got &
  local reader=$!
  sql "SELECT taskresults_export_csv('pipe', 'WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 99999)
    SELECT n FROM c')"
  wait "$reader"
  [[ -p pipe && $(tail -n 1 got) == $'99999\r' && $(wc -l <got) == 100000 ]]
  assert_rows 1 "SELECT taskresults_export_csv('/dev/null', 'SELECT 1')"
  { echo first; sql "SELECT taskresults_export_csv('/dev/stdout', 'SELECT 1 AS a') > 9"; } >out
  [[ $(<out) == $'first\na\r\n1\r\n0' ]]
  [[ $(sql "SELECT taskresults_export_csv('/dev/stdout', 'SELECT 1 AS a')" | tr '\n' ' ') == $'a\r 1\r 1 ' ]]
  sql "SELECT taskresults_export_csv('/dev/stderr', 'SELECT 1 AS a')" 2>err >/dev/null
  [[ $(<err) == $'a\r\n1\r' ]]
  assert_sql_error 'cannot write /dev/full: at byte 0: No space left on device' \
    "SELECT taskresults_export_csv('/dev/full', 'SELECT 1')"
  assert_sql_error 'cannot write /dev/full: at byte 0: No space left on device' \
    "SELECT taskresults_export_csv('/dev/full', 'SELECT replace(hex(zeroblob(200000)), ''0'', ''\"'')')"
  python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
  assert_sql_error 'cannot write socket: No such device or address' "SELECT taskresults_export_csv('socket', 'SELECT 1')"
}

@test "a closed standard output is an error" {
  run_in_host <<'PYTHON'
import os, sqlite3
os.close(1)
try: db.execute("SELECT taskresults_export_csv('/dev/stdout', 'SELECT 1')").fetchall()
except sqlite3.Error as error: assert str(error) == 'cannot write /dev/stdout: Bad file descriptor', error
else: assert False
PYTHON
}

@test "if the reader of a pipe ends, the export ends: by SIGPIPE, or with an error if that is ignored" {
  setup_place
  local endless="WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"
  run bash -c 'sqlite3 -batch -bail -init /dev/null -cmd ".load $1" :memory: "$2" | head -n 1; exit "${PIPESTATUS[0]}"' \
    _ "$extension" "SELECT taskresults_export_csv('/dev/stdout', '$endless')"
  [[ $status -eq 141 && $output == $'n\r' ]]
  run bash -c 'trap "" PIPE; sqlite3 -batch -bail -init /dev/null -cmd ".load $1" :memory: "$2" 2>err | head -n 1' \
    _ "$extension" "SELECT taskresults_export_csv('/dev/stdout', '$endless')"
  [[ $(<err) == *'cannot write /dev/stdout: at byte '*': Broken pipe'* ]]
}

# --- whole or not at all -----------------------------------------------------------------------------------------------

big="SELECT taskresults_export_csv('x', 'WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 60000)
  SELECT n, n FROM c')"

# In build/tiny the second write is done by a second thread; in the normal build, writes after 4 MiB are.
each_build() {
  extension=$root/taskresults "$@" && extension=$root/build/tiny/taskresults "$@"
}

@test "with a second thread that writes, the bytes are the same" {
  setup_place
  local rows='WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 400000) SELECT n, hex(n * n), n FROM c'
  TASKRESULTS_THREADS=1 sql "SELECT taskresults_export_csv('alone', '$rows')"
  sql "SELECT taskresults_export_csv('together', '$rows')"
  sql "SELECT taskresults_export_csv('/dev/stdout', '$rows')" >stdout
  [[ $(stat -c %s alone) -gt 10000000 ]]
  cmp alone together
  cmp alone <(head -n -1 stdout)
}

@test "a disk that fills up while the second thread writes is an error that names the byte, and the file stays as it was" {
  setup_place
  echo before >x
  run bash -c 'trap "" XFSZ; ulimit -f 8192; exec "$@"' - sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT taskresults_export_csv('x', 'WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c) SELECT n, n, n FROM c')"
  [[ $status -ne 0 && $output == *'cannot write x: at byte 8388608: File too large; the file is what it was'* ]]
  [[ $(<x) == before && -z $(leftovers) ]]
}

whichever_call_fails() {
  with_faults_at() { LD_PRELOAD=$root/build/shim/export_faults.so env "$@" sqlite3 -batch -bail -init /dev/null \
    -cmd ".load $extension" :memory: "$big"; }
  rm -f "$BATS_TEST_TMPDIR/log" x
  echo before >x
  with_faults_at EXPORT_FAULTS_LOG="$BATS_TEST_TMPDIR/log"
  mapfile -t calls <"$BATS_TEST_TMPDIR/log"
  [[ ${calls[*]} == 'openat fchmod write write write fsync close renameat fsync directory' ]]
  local n errno
  for n in "${!calls[@]}"; do
    for errno in 5 28; do
      echo before >x
      run with_faults_at EXPORT_FAULTS_AT=$((n + 1)) EXPORT_FAULTS_ERRNO=$errno
      [[ $status -ne 0 && $output == *' x'*': '$([[ $errno == 5 ]] && echo 'Input/output error' || echo 'No space left')* ]]
      [[ -z $(leftovers) ]]
      if [[ ${calls[n]} == 'fsync directory' ]]; then
        [[ $output == *'x is written, but may not outlast a power cut'* && $(wc -l <x) == 60001 ]]
      else
        [[ $output == *'the file is what it was'* && $(<x) == before ]]
      fi
    done
  done
  run with_faults_at EXPORT_FAULTS_AT=4
  [[ $output == *'cannot write x: at byte 262144: Input/output error'* ]]
  run with_faults_at EXPORT_FAULTS_AT=1 EXPORT_FAULTS_ERRNO=17 EXPORT_FAULTS_TIMES=1000 # every name is taken
  [[ $output == *'cannot write x: a temporary file beside it cannot be made: File exists'* && -z $(leftovers) ]]
}

@test "whichever of its system calls fails: the file stays as it was, no temporary file is left, and the error has the cause" {
  setup_place
  each_build whichever_call_fails
}

killed_at_any_call() {
  local n
  for n in {1..9}; do
    echo before >x
    run env LD_PRELOAD="$root/build/shim/export_faults.so" EXPORT_FAULTS_AT="$n" EXPORT_FAULTS_KILL=1 \
      sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: "$big"
    [[ $status -eq 137 ]]
    [[ $(<x) == before || (n -eq 9 && $(wc -l <x) == 60001) ]]
  done
}

@test "killed at any of its system calls, the file is the old one or the complete new one" {
  setup_place
  each_build killed_at_any_call
}

interrupted_calls() {
  sql "$big" >/dev/null
  mv x whole
  local settings
  for settings in 'EXPORT_FAULTS_AT=3 EXPORT_FAULTS_ERRNO=4 EXPORT_FAULTS_TIMES=3' 'EXPORT_FAULTS_SHORT=1000' \
    'EXPORT_FAULTS_AT=4 EXPORT_FAULTS_ERRNO=4 EXPORT_FAULTS_TIMES=3' \
    'EXPORT_FAULTS_AT=1 EXPORT_FAULTS_ERRNO=17' 'EXPORT_FAULTS_AT=3 EXPORT_FAULTS_ERRNO=11'; do
    # shellcheck disable=SC2086  # words
    LD_PRELOAD=$root/build/shim/export_faults.so env $settings sqlite3 -batch -bail -init /dev/null \
      -cmd ".load $extension" :memory: "$big"
    cmp x whole
    rm x
  done
  rm whole
  [[ -z $(leftovers) ]]
}

@test "interrupted calls and short writes are continued" {
  setup_place
  each_build interrupted_calls
}

@test "an interrupt or a time limit ends it at once and leaves no file, also while it waits for a FIFO's reader" {
  setup_place
  mkfifo pipe stalled
  exec {held}<>stalled # open, but never read
  echo before >x
  local target outcome how
  for target in x pipe stalled; do
    for how in interrupt progress:1000; do
      [[ $target == pipe && $how == progress:* ]] && how=progress:10
      outcome=$(timeout 300 "$root/build/live/interrupt" "$extension" "$how" 100 "SELECT taskresults_export_csv('$target',
        'WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c) SELECT n FROM c')")
      echo "# $target $how: $outcome"
      [[ $outcome == interrupted\ * && ${outcome#interrupted } -lt 1000000 ]]
    done
  done
  exec {held}<&-
  [[ $(<x) == before && -z $(leftovers) ]]
}
