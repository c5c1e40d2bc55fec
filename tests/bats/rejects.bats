#!/usr/bin/env bats
# Nothing is dropped silently: what is not a record is a row of task_rejects, with its reason.

load ../lib/helpers
load ../lib/host

good='{"timestamp": "2026-02-15T01:44:15Z", "success": true, "output": "ok"}'

# assert_reason REASON BYTES - the line of these bytes (as printf '%b' reads them) is the only reject, for that reason, with
# its offset, length and bytes; the records before and after it are rows.
assert_reason() {
  local reason=$1 bytes=$2 length
  rm -f "$results"/*
  printf '%s\n' "$good" >"$results/a.jsonl"
  printf '%b\n' "$bytes" >>"$results/a.jsonl"
  printf '%s\n' "$good" >>"$results/a.jsonl"
  length=$(printf '%b' "$bytes" | wc -c)
  assert_rows "a|$((${#good} + 1))|$length|$reason|$(printf '%b' "$bytes" | od -An -v -tx1 | tr -d ' \n')" \
    'SELECT job_id, offset, length, reason, lower(hex(line)) FROM task_rejects' || return 1
  assert_rows 2 'SELECT count(*) FROM task_results'
}

# assert_good BYTES... - each line is a record.
assert_good() {
  local bytes
  for bytes; do
    printf '%b\n' "$bytes" >"$results/a.jsonl"
    assert_rows '1|0' 'SELECT (SELECT count(*) FROM task_results), (SELECT count(*) FROM task_rejects)' || {
      printf 'line: %s\n' "$bytes"
      return 1
    }
  done
}

# --- reasons, one by one ---------------------------------------------------------------------------------------------

@test "a line that is not UTF-8 is rejected, and shown as a BLOB" {
  local bytes
  for bytes in '{"output": "caf\xe9"}' '\xff' '{"output": "\xc0\xaf"}' '{"output": "\xed\xa0\x80"}' \
    '{"output": "\xf4\x90\x80\x80"}' '{"output": "\xf0\x9f\x98"}' '{"k\x80": 1}'; do
    assert_reason 'not valid UTF-8' "$bytes"
    assert_rows blob 'SELECT typeof(line) FROM task_rejects'
  done
}

@test "a byte order mark is rejected" {
  assert_reason 'begins with a byte order mark' "\\xef\\xbb\\xbf{\"output\": \"x\"}"
  assert_rows text 'SELECT typeof(line) FROM task_rejects'
}

@test "a raw control character in a string is rejected" {
  local byte
  for byte in '\x00' '\x01' '\t' '\r' '\x1f'; do
    assert_reason 'raw control character in a string' "{\"output\": \"a${byte}b\"}"
  done
  assert_good '{"output": "a\x7fb"}'
}

@test "a bad escape is rejected" {
  local escape
  for escape in '\\x41' '\\u12' '\\u12g4' '\\U0041' "\\\\'" '\\0' '\\ '; do
    assert_reason 'bad escape in a string' "{\"output\": \"$escape\"}"
  done
}

@test "a line that was cut short is rejected" {
  local bytes
  for bytes in '{' '{"' '{"output' '{"output"' '{"output":' '{"output": ' '{"output": "x' '{"output": "x"' \
    '{"output": "x",' '{"output": tr' '{"output": -' '{"output": 1' '{"output": [' '{"output": {"a": [1, 2' '[' '"'; do
    assert_reason 'cut short: a write was interrupted' "$bytes"
  done
}

@test "a record with text after it is rejected" {
  assert_reason 'text after the record' '{"output": "x"} {"output": "y"}'
  assert_reason 'text after the record' '{"output": "x"}{"output": "y"}'
  assert_reason 'text after the record' '{"output": "x"}}'
  assert_reason 'text after the record' '{"output": "x"},'
  assert_reason 'text after the record' '{} \x0b'
}

@test "what only looks like a JSON number is rejected" {
  local number
  for number in 01 00 -01 1. 1.e2 1e 1e+ 1.5E- ; do
    assert_reason 'not a JSON number' "{\"success\": $number}"
  done
}

@test "malformed JSON is rejected" {
  local bytes
  for bytes in 'bad' '{output: 1}' "{'output': 1}" '{"output" 1}' '{"output": 1,}' '{,}' '{"a": [1,]}' '{"a": +1}' \
    '{"a": .5}' '{"a": 0x10}' '{"a": nul1}' '{"a": True}' '{"a": -x}' '{"a": 1; "b": 2}' '{"a": [1}' '{"a": {"b": 1]}' \
    '}' ']' '{"a": nan}' '{1: 2}' '\x0b{}' '\x00' '{"a":\xc2\xa01}'; do
    assert_reason 'malformed JSON' "$bytes"
  done
}

@test "JSON that is not an object is rejected" {
  local bytes
  for bytes in 1 -0 1.5e3 '"text"' '""' '[1,2]' '[]' '[{"output": "x"}]' null true false NaN Infinity -Infinity; do
    assert_reason 'JSON, but not an object' "$bytes"
  done
}

@test "an integer of more than 4300 digits is rejected; one of 4300, and a longer real, are not" {
  local digits
  digits=$(printf '9%.0s' {1..4300})
  assert_reason 'integer of more than 4300 digits' "{\"success\": 9$digits}"
  assert_reason 'integer of more than 4300 digits' "{\"x\": [-9$digits]}"
  assert_good "{\"success\": $digits}" "{\"success\": -$digits}" "{\"success\": 9$digits.0}" "{\"success\": 9${digits}e1}"
}

@test "nesting of 901 levels is rejected; 900 are not" {
  local open close
  open=$(printf '[%.0s' {1..899}) close=$(printf ']%.0s' {1..899})
  assert_reason 'nested more than 900 levels deep' "{\"x\": [$open$close]}"
  assert_good "{\"x\": $open$close}"
}

@test "an incomplete last line without a newline is 'still being written'; its reason comes with the newline" {
  printf '%s\n{"output": "x' "$good" >"$results/a.jsonl"
  assert_rows 'no newline yet: still being written, or cut short' 'SELECT reason FROM task_rejects'
  printf '\n' >>"$results/a.jsonl"
  assert_rows 'cut short: a write was interrupted' 'SELECT reason FROM task_rejects'
  printf 'bad' >>"$results/a.jsonl"
  assert_rows 'cut short: a write was interrupted
no newline yet: still being written, or cut short' 'SELECT reason FROM task_rejects'
}

@test "an unterminated last line that parses is a row" {
  printf '%s\n%s' "$good" "$good" >"$results/a.jsonl"
  assert_rows '2|0' 'SELECT (SELECT count(*) FROM task_results), (SELECT count(*) FROM task_rejects)'
}

@test "a compressed segment that is damaged is a reject from there on" {
  echo 'no archive' >"$results/a.jsonl.1.gz"
  assert_rows 'a|0|NULL|damaged: a.jsonl.1.gz cannot be read from its byte 0 on: it is not of gzip' \
    'CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)' 'SELECT job_id, offset, length, reason FROM r'
}

@test "this file tests every reason that the code has" {
  local reason
  sed -n '/^const char \*tr_reason_text/,/^}/s/.*\[TR_[A-Z0-9_]*\] = "\(.*\)",/\1/p' "$root/ext/read/reason.c" |
    grep -vxE 'ok|blank line|not of the mapping' >"$BATS_TEST_TMPDIR/reasons"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/reasons") -ge 13 ]]
  while IFS= read -r reason; do
    grep -qF "$reason" "$BATS_TEST_FILENAME" || { echo "not asserted: $reason"; return 1; }
  done <"$BATS_TEST_TMPDIR/reasons"
}

@test "blank lines, with CRLF too, are neither rows nor rejects; a vertical tab is not white space" {
  printf '\n \t\r\n%s\r\n\r\n\n\v\n  ' "$good" >"$results/a.jsonl"
  assert_rows '1|0B|malformed JSON' 'SELECT (SELECT count(*) FROM task_results), hex(line), reason FROM task_rejects'
}

# --- the collection of damaged and unusual files ------------------------------------------------------------------------

@test "every file of tests/data/odd-lines reads as its name says" {
  export SCHEDULER_RESULTS_DIR=$root/tests/data/odd-lines
  assert_rows 'bad-utf8|1|132 133 not valid UTF-8
blank-lines|1|
compact|1|
duplicates|1|
empty|0|
extended|1|
glued|1|0 183 cut short: a write was interrupted
lone-surrogate|1|
nan|1|
no-final-newline|2|
raw-utf8|1|
renamed|1|
reordered|1|
scalars|1|0 1 JSON, but not an object, 2 6 JSON, but not an object, 9 5 JSON, but not an object, 15 4 JSON, but not an object
success-types|7|
torn-middle|2|135 70 cut short: a write was interrupted
torn-tail|1|133 55 no newline yet: still being written, or cut short
whole-second|2|' "SELECT name,
      (SELECT count(*) FROM task_results(name)),
      (SELECT coalesce(group_concat(offset || ' ' || length || ' ' || reason, ', '), '') FROM task_rejects(name))
    FROM (SELECT substr(value, 1, length(value) - 6) AS name FROM json_each('[$(cd "$SCHEDULER_RESULTS_DIR" && printf '"%s",' *.jsonl | sed 's/,$//')]'))"
}

@test "the values of tests/data/odd-lines are those that its lines hold" {
  export SCHEDULER_RESULTS_DIR=$root/tests/data/odd-lines
  assert_rows 'integer|1
integer|0
null|NULL
integer|1
integer|0
text|true
text|[]' "SELECT typeof(success), success FROM task_results('success-types')"
  assert_rows '1771119855000000|2026-02-15T01:44:15Z
1771119855500000|2026-02-15T01:44:15.500000Z' "SELECT time_us, timestamp FROM task_results('whole-second')"
  assert_rows '0' "SELECT success FROM task_results('duplicates')"
  assert_rows 'NULL|23.45|["a",{"b":1}]' \
    "SELECT error, record->>'\$.duration_seconds', record->'\$.tags' FROM task_results('extended') WHERE json_valid(record)"
  assert_rows 'EFBFBD20656E64' "SELECT hex(output) FROM task_results('lone-surrogate')"
  assert_rows 'héllo 😀' "SELECT output FROM task_results('raw-utf8')"
  assert_rows '2026-02-15T01:44:15.821425Z|Odd|1|ok|' \
    "SELECT timestamp, job_name, success, output, error FROM task_results('reordered')" 
  assert_rows 'ok|0' "SELECT output, json_valid(record) FROM task_results('nan')"
}

@test "rows and rejects together are every line that is not blank, in the collection and in the recorded state" {
  local directory
  for directory in odd-lines scheduler-state/results; do
    export SCHEDULER_RESULTS_DIR=$root/tests/data/$directory
    assert_rows "$(find "$SCHEDULER_RESULTS_DIR" -name '*.jsonl' -exec grep -ahE '[^[:space:]]' {} + | wc -l)" \
      'SELECT (SELECT count(*) FROM task_results) + (SELECT count(*) FROM task_rejects)'
  done
}

# --- long lines --------------------------------------------------------------------------------------------------------

# line_of BYTES - one record of that length, without its newline.
line_of() {
  printf '{"output": "%s"}' "$(head -c $(($1 - 14)) /dev/zero | tr '\0' x)"
}

@test "a line of exactly max_line bytes is a row, one more is rejected, whichever way it is set" {
  { line_of 100; echo; line_of 101; echo; line_of 50; } >"$results/a.jsonl"
  local expected='100
50
101|101|longer than max_line|NULL'
  assert_rows "$expected" "CREATE VIRTUAL TABLE temp.r USING task_results(max_line=100, dir='$results')" \
    "CREATE VIRTUAL TABLE temp.x USING task_rejects(max_line='100', dir='$results')" \
    'SELECT length(record) FROM r' 'SELECT * FROM (SELECT offset, length, reason, line FROM x)'
  TASKRESULTS_MAX_LINE=100 assert_rows "$expected" 'SELECT length(record) FROM task_results' \
    'SELECT offset, length, reason, line FROM task_rejects'
}

@test "a table's max_line= overrides the environment's" {
  { line_of 100; echo; } >"$results/a.jsonl"
  TASKRESULTS_MAX_LINE=50 assert_rows '0|1' "CREATE VIRTUAL TABLE temp.r USING task_results(max_line=100)" \
    'SELECT (SELECT count(*) FROM task_results), (SELECT count(*) FROM r)'
}

@test "the default max_line is 1 MiB" {
  { line_of 1048576; echo; line_of 1048577; echo; line_of 60; } >"$results/a.jsonl"
  assert_rows '1048576
60' 'SELECT length(record) FROM task_results'
  assert_rows '1048577|1048577|longer than max_line' 'SELECT offset, length, reason FROM task_rejects'
}

# find_long_lines UNIT - long lines, of multiples of UNIT, among short ones; max_line is between the two lengths.
find_long_lines() {
  local unit=$1 order
  export TASKRESULTS_MAX_LINE=$((1000 * unit))
  { line_of 40; echo; line_of $((700 * unit)); echo; line_of $((2000 * unit)); echo; line_of 41; echo
    line_of $((900 * unit)); } >"$results/a.jsonl"
  for order in ASC DESC; do
    assert_rows "$([[ $order == ASC ]] && echo "40,$((700 * unit)),41,$((900 * unit))" ||
        echo "$((900 * unit)),41,$((700 * unit)),40")|$((700 * unit + 42))" \
      "SELECT group_concat(length(record)), (SELECT offset FROM task_rejects ORDER BY rowid $order)
       FROM (SELECT record FROM task_results ORDER BY rowid $order)"
  done
}

@test "a line that is too long is skipped, oldest or newest first, and the lines around it are read" {
  find_long_lines 1000
}

@test "a line that is too long is skipped with a read buffer of a few bytes, too" {
  extension=$root/build/tiny/taskresults
  find_long_lines 1
}

@test "a record of 10 MB is a row if max_line allows it" {
  { line_of 10000000; echo; line_of 50; echo; } >"$results/a.jsonl"
  TASKRESULTS_MAX_LINE=10000000 assert_rows '9999986|x
36|x' 'SELECT length(output), substr(output, -1) FROM task_results'
  TASKRESULTS_MAX_LINE=9999999 assert_rows '36' 'SELECT length(output) FROM task_results'
}

@test "a line of 100 MB is rejected within 24 MB of address space for data, oldest or newest first" {
  { line_of 50; echo; head -c 100000000 /dev/zero | tr '\0' x; echo; line_of 51; echo; } >"$results/a.jsonl"
  local order
  for order in ASC DESC; do
    run bash -c 'ulimit -d 24576; exec sqlite3 -batch -bail -init /dev/null -cmd ".load $0" :memory: "$@"' "$extension" \
      "SELECT group_concat(length(record)) FROM (SELECT record FROM task_results ORDER BY rowid $order)" \
      "SELECT offset, length, reason FROM task_rejects ORDER BY rowid $order"
    [[ $status -eq 0 ]]
    [[ $output == "$([[ $order == ASC ]] && echo 50,51 || echo 51,50)
51|100000000|longer than max_line" ]]
  done
}

# --- what a prune left behind --------------------------------------------------------------------------------------------

# leftover_name JOB - the prefix of a prune's own files for that job: FNV-1a of its id.
leftover_name() {
  python3 -c 'import sys
h = 14695981039346656037
for byte in sys.argv[1].encode():
    h = (h ^ byte) * 1099511628211 % 2**64
print(f".taskresults-{h:016x}")' "$1"
}

@test "what an interrupted prune left behind is a reject of its job, and never a row" {
  local name
  name=$(leftover_name my-job)
  printf '%s\n' "$good" | tee "$results/my-job.jsonl" "$results/other.jsonl" "$results/$name.new" >"$results/$name.journal"
  assert_rows "my-job|NULL|NULL|left by an interrupted prune; the next prune of the job finishes it: $name.journal|NULL
my-job|NULL|NULL|left by an interrupted prune; the next prune of the job finishes it: $name.new|NULL" \
    'SELECT * FROM task_rejects ORDER BY reason'
  assert_rows 2 "SELECT count(*) FROM task_rejects('my-job')"
  assert_rows 0 "SELECT count(*) FROM task_rejects('other')"
  assert_rows 2 'SELECT count(*) FROM task_results'
}

@test "what a prune left behind is shown even if its job is unknown; its lock is not a leftover" {
  touch "$results/.taskresults-0123456789abcdef.new" "$results/.taskresults-0123456789abcdef.lock" \
    "$results/.taskresults-0123456789abcdef.old" "$results/.taskresults-.new"
  assert_rows 'NULL|left by an interrupted prune; the next prune of the job finishes it: .taskresults-0123456789abcdef.new' \
    'SELECT job_id, reason FROM task_rejects'
}

@test "the rowids of a prune's leftovers, and of names that are not UTF-8, are not the rowid of any record" {
  echo '{}' >"$results/a.jsonl"
  echo '{}' >"$results/.taskresults-0123456789abcdef.new"
  echo '{}' >"$results/"$'\xff.jsonl'
  assert_rows '2|0' "CREATE TEMP TABLE seen AS SELECT rowid AS id FROM task_rejects" \
    "SELECT count(*), (SELECT count(*) FROM seen JOIN task_results AS r ON r.rowid = seen.id) FROM seen"
}

@test "while a prune is running, its files are not leftovers" {
  local name=.taskresults-0123456789abcdef
  touch "$results/$name.new" "$results/$name.lock"
  exec 9<"$results/$name.lock"
  flock 9
  assert_rows 0 'SELECT count(*) FROM task_rejects'
  exec 9<&-
  assert_rows 1 'SELECT count(*) FROM task_rejects'
}

@test "a leftover that was removed is no longer found, not even by its rowid" {
  run_in_host <<PYTHON
import os
path = "$results/.taskresults-0123456789abcdef.new"
open(path, "w").close()
rowid = db.execute("SELECT rowid FROM task_rejects").fetchone()[0]
assert len(db.execute("SELECT * FROM task_rejects WHERE rowid = ?", (rowid,)).fetchall()) == 1
os.remove(path)
assert db.execute("SELECT * FROM task_rejects WHERE rowid = ?", (rowid,)).fetchall() == []
assert db.execute("SELECT * FROM task_rejects").fetchall() == []
PYTHON
}

# --- as a table ------------------------------------------------------------------------------------------------------------

@test "task_rejects gives its rows in rowid order, in reverse, and by rowid" {
  printf 'bad 1\n%s\nbad 2\n' "$good" >"$results/a.jsonl"
  printf 'bad 3\n' >"$results/b.jsonl"
  assert_rows 'bad 1,bad 2,bad 3|bad 3,bad 2,bad 1|bad 2' "SELECT
    (SELECT group_concat(line) FROM (SELECT line FROM task_rejects ORDER BY rowid)),
    (SELECT group_concat(line) FROM (SELECT line FROM task_rejects ORDER BY rowid DESC)),
    (SELECT line FROM task_rejects WHERE rowid = (SELECT rowid FROM task_rejects WHERE line = 'bad 2'))"
}

@test "a rowid means the same line in both tables" {
  printf 'bad 1\n%s\n' "$good" | tee "$results/a.jsonl" >"$results/b.jsonl"
  assert_rows 0 "SELECT count(*) FROM task_results r, task_rejects x
                 WHERE (r.rowid - r.offset = x.rowid - x.offset) <> (r.job_id = x.job_id)"
  assert_rows 0 'SELECT count(*) FROM task_results WHERE rowid IN (SELECT rowid FROM task_rejects)'
}

@test "a read error within a line that is too long is an error, oldest or newest first" {
  head -c 300000 /dev/zero | tr '\0' x >"$results/a.jsonl"
  export TASKRESULTS_MAX_LINE=1000
  local order
  for order in '' 'ORDER BY rowid DESC'; do
    run with_faults FAULTS_PREAD_AFTER=1 -- \
      sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT length FROM task_rejects $order"
    [[ $status -ne 0 && $output == *'a.jsonl cannot be read at byte '*': Input/output error'* ]]
  done
}
