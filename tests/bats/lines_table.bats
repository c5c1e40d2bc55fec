#!/usr/bin/env bats
# task_lines: every line of the files in order, records and rejects, and whether the line is finished.

load ../lib/helpers
load ../lib/host

@test "every line of the odd lines and of the recorded state has the offset, length, end and text that Python finds" {
  local directory
  for directory in odd-lines scheduler-state/results; do
    export SCHEDULER_RESULTS_DIR=$root/tests/data/$directory
    python3 - "$SCHEDULER_RESULTS_DIR" >"$BATS_TEST_TMPDIR/expected" <<'PYTHON'
import os, sys
for name in sorted(filter(lambda n: n.endswith(".jsonl"), os.listdir(sys.argv[1])), key=os.fsencode):
    at = 0
    for line in open(os.path.join(sys.argv[1], name), "rb"):
        text = line.removesuffix(b"\n")
        if text.strip(b" \t\r"):
            print(name[:-6], at, len(text), int(line.endswith(b"\n")), text.hex().upper(), sep="|")
        at += len(line)
PYTHON
    sql 'SELECT job_id, offset, length, terminated, hex(line) FROM task_lines ORDER BY job_id, rowid' >"$BATS_TEST_TMPDIR/actual"
    [[ $(wc -l <"$BATS_TEST_TMPDIR/expected") -gt 30 ]]
    diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
  done
}

@test "task_lines has the records of task_results, with their values, and the rejects of task_rejects, with their reasons" {
  export SCHEDULER_RESULTS_DIR=$root/tests/data/odd-lines
  local of_records='rowid, job_id, offset, time_us, ok, timestamp, job_name, success, output, error'
  local of_rejects='rowid, job_id, offset, length, reason, line'
  sql "SELECT $of_records FROM task_results ORDER BY rowid" "SELECT $of_rejects FROM task_rejects WHERE offset IS NOT NULL ORDER BY rowid" \
    >"$BATS_TEST_TMPDIR/expected"
  sql "SELECT $of_records FROM task_lines WHERE reason IS NULL ORDER BY rowid" \
    "SELECT $of_rejects FROM task_lines WHERE reason IS NOT NULL ORDER BY rowid" >"$BATS_TEST_TMPDIR/actual"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/expected") -gt 30 ]]
  diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
  assert_rows 0 'SELECT count(*) FROM task_lines WHERE reason IS NOT NULL AND coalesce(time_us, ok, timestamp, job_name, success, output, error) IS NOT NULL'
}

@test "a reject has an offset, and NULL in a record's columns, whatever they are compared with" {
  printf '%s\n' '{"success": true, "output": "x", "timestamp": "2026-01-01T00:00:00Z"}' '{torn' '{"success": false}' >"$results/a.jsonl"
  local condition
  for condition in 'ok = 0' 'success = 0' 'success <> 1' 'NOT ok' 'ok < 1' 'offset > 70' 'reason IS NULL AND offset >= 70'; do
    assert_rows 76 "SELECT offset FROM task_lines WHERE $condition"
  done
  for condition in 'ok IS NOT 1' 'success IS NOT 1' 'time_us IS NULL' 'timestamp IS NULL' 'offset >= 70' 'offset >= 1'; do
    assert_rows $'70\n76' "SELECT offset FROM task_lines WHERE $condition ORDER BY rowid"
  done
  for condition in 'ok' "output LIKE 'X'" 'time_us > 0' "timestamp >= '2026'" "error IS NULL AND success = 1 AND offset < 70"; do
    assert_rows 0 "SELECT offset FROM task_lines WHERE $condition"
  done
  for condition in 'ok IS NULL' 'success IS NULL' "reason LIKE '%'" "job = 'a' AND reason IS NOT NULL"; do
    assert_rows 70 "SELECT offset FROM task_lines WHERE $condition"
  done
}

@test "a line that grows is not finished until its line feed is there" {
  printf '{"success": true}\n{"output"' >"$results/a.jsonl"
  assert_rows $'0|1|NULL\n18|0|no newline yet: still being written, or cut short' \
    'SELECT offset, terminated, reason FROM task_lines ORDER BY rowid'
  printf ': "x"}' >>"$results/a.jsonl"
  assert_rows '18|0|NULL|x' "SELECT offset, terminated, reason, output FROM task_lines('a') WHERE offset >= 18"
  printf '\n' >>"$results/a.jsonl"
  assert_rows '18|1|NULL|x' "SELECT offset, terminated, reason, output FROM task_lines('a') WHERE offset >= 18"
}

@test "a line that is too long has offset, length and end, but no text; a line that is not UTF-8 is a BLOB" {
  printf '{"output": "%090d"}\n\xff\xfe\n' 7 >"$results/a.jsonl"
  assert_rows $'0|104|1|longer than max_line|null\n105|2|1|not valid UTF-8|blob' \
    "CREATE VIRTUAL TABLE temp.l USING task_lines(max_line=50)" \
    'SELECT offset, length, terminated, reason, typeof(line) FROM l ORDER BY rowid'
}

@test "dev and inode are those of the file that the line was read from, also when a thread reads ahead; a new file has another inode" {
  make_job a 3
  make_job b 60000
  expected() { stat -c '%n|%d|%i' "$results"/*.jsonl | sed 's|^.*/||; s|\.jsonl||'; }
  export TASKRESULTS_THREADS=2
  assert_rows "$(expected)" 'SELECT DISTINCT job_id, dev, inode FROM task_lines ORDER BY job_id'
  local before; before=$(expected)
  cp "$results/a.jsonl" "$results/c"
  mv "$results/c" "$results/a.jsonl"
  assert_rows "$(expected)" 'SELECT DISTINCT job_id, dev, inode FROM task_lines ORDER BY job_id'
  [[ $(expected) != "$before" ]]
}

@test "a file that cannot be opened or read is an error that names it, also with a range of offsets, and not the end of the lines" {
  make_job a 3
  make_job b 3
  local fault
  for fault in 'FAULTS_OPEN_NAME=b.jsonl FAULTS_OPEN_ERRNO=13' FAULTS_PREAD_AFTER=1; do
    # shellcheck disable=SC2086  # words
    run with_faults $fault -- \
      sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: 'SELECT job_id FROM task_lines WHERE offset >= 100'
    [[ $status -ne 0 && $output == *"$results/b.jsonl cannot be "* ]] || { echo "$fault: $output"; return 1; }
  done
}

@test "hash is taskresults_hash() of the stored line, and of a line that is too long of its length" {
  cp "$root"/tests/data/odd-lines/*.jsonl "$results"
  assert_rows 0 "SELECT count(*) FROM task_lines WHERE line IS NOT NULL AND hash <> taskresults_hash(line)"
  export TASKRESULTS_MAX_LINE=30
  assert_rows 0 "SELECT count(*) FROM task_lines WHERE hash <> taskresults_hash(coalesce(line, 'of ' || length || ' bytes'))"
  [[ $(sql 'SELECT count(*) > 10 FROM task_lines WHERE line IS NULL') == 1 ]]
}

@test "row has the values of the columns, in the very bytes that ship's SQL writes; NULL for rejects and rare numbers" {
  cp "$root"/tests/data/odd-lines/*.jsonl "$results"
  python3 - "$results/made.jsonl" <<'PYTHON'
import random, sys
rng = random.Random(5)
ESCAPES = [r"\"", r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t", r"\u0000", r"\u001F", r"\u0022", r"\u005c", r"\u007f", r"\u00e9", r"\u20AC",
           r"\ud83d\uDE00", r"\ud800", r"\udc00", r"\uD800\ud83d\ude00", "\x7f", "x", "\u00e9", "\U0001f600", "'", "/"]
def text():
    return '"' + "".join(rng.choice(ESCAPES) for _ in range(rng.randrange(6))) + '"'
def value():
    return rng.choice([text(), text(), text(), "null", "true", "false", "NaN", "Infinity", "-Infinity", "0", "-0", "12", "-7", "1.5", "1e400", "9" * 18,
                       "9" * 19, "1" + "0" * 30, '{"a": "b\\n\\"", "c": [1, "\\u0001"]}', "[ ]"])
with open(sys.argv[1], "w") as file:
    for _ in range(3000):
        keys = [k for k in ("timestamp", "job_name", "success", "output", "error") if rng.random() < 0.9]
        members = [f'"{k}": ' + ('"2026-01-01T00:00:00.25Z"' if k == "timestamp" and rng.random() < 0.7 else value()) for k in keys]
        file.write("{" + ", ".join(members) + "}\n")
PYTHON
  local RECORD_JSON
  eval "$(sed -n '/^RECORD_JSON=/,/^REJECT_JSON=/p' "$root/shell/ship/reading.bash" | sed '$d')"
  assert_rows '0|1|1' "SELECT sum('{' || row <> $RECORD_JSON), sum(row IS NOT NULL) > 1500, sum(row IS NULL) > 300 FROM task_lines AS l
    WHERE reason IS NULL"
  assert_rows 0 "SELECT count(*) FROM task_lines WHERE reason IS NOT NULL AND row IS NOT NULL"
  assert_rows 0 "SELECT count(*) FROM task_lines WHERE reason IS NULL AND row IS NULL AND typeof(success) = 'text'"
  export SCHEDULER_RESULTS_DIR=$root/examples/dialects/openclaw TASKRESULTS_MAP=openclaw
  assert_rows '1|0' 'SELECT count(time_us) > 0, count(row) FROM task_lines'
}
