#!/usr/bin/env bats
# A directory in use: what readers see while other programs write, truncate, replace and remove files.
# TASKRESULTS_TEST_SECONDS makes the long version.

load ../lib/helpers
load ../lib/host

seconds=${TASKRESULTS_TEST_SECONDS:-1}

@test "while a writer appends at full speed, readers see only complete records, in order, and never fewer than before" {
  require_host
  export HOST_SECONDS=$((20 * seconds + 600))
  : >"$results/live.jsonl"
  python3 "$root/tests/live/writer.py" "$results/live.jsonl" "$seconds" "$BATS_TEST_TMPDIR/enough" >"$BATS_TEST_TMPDIR/written" &
  local writer=$!
  run host "$root/tests/live/reader.py" "$writer" "$BATS_TEST_TMPDIR/enough"
  touch "$BATS_TEST_TMPDIR/enough" # also if it failed
  wait "$writer"
  echo "# written $(cat "$BATS_TEST_TMPDIR/written"); read, in passes: $output"
  [[ $status -eq 0 && ${output% *} -eq $(cat "$BATS_TEST_TMPDIR/written") ]]
  ((${output#* } >= 3))
}

@test "while files are truncated, replaced and removed, readers do not fail, and never take a piece of a line for a row" {
  require_host
  export HOST_SECONDS=$((20 * seconds + 600))
  python3 "$root/tests/live/vandal.py" "$results" "$seconds" "$BATS_TEST_TMPDIR/enough" >"$BATS_TEST_TMPDIR/actions" &
  local vandal=$!
  run host "$root/tests/live/witness.py" "$vandal" "$BATS_TEST_TMPDIR/enough"
  touch "$BATS_TEST_TMPDIR/enough"
  wait "$vandal"
  echo "# actions $(cat "$BATS_TEST_TMPDIR/actions"); rows and passes: $output"
  [[ $status -eq 0 ]]
  ((${output% *} > 1000 && ${output#* } >= 3 && $(cat "$BATS_TEST_TMPDIR/actions") > 100))
}

# --- the same step by step -----------------------------------------------------------------------------------------------

@test "a scan ends where the file ended when it was opened; what is appended later is in the next scan" {
  make_job a 3
  run_in_host <<PYTHON
rows = db.execute("SELECT record FROM task_results")
first = rows.fetchone()
with open("$results/a.jsonl", "a") as file:
    file.write(first[0] + "\n")
assert len(rows.fetchall()) == 2
assert len(db.execute("SELECT record FROM task_results").fetchall()) == 4
PYTHON
}

@test "a half-written tail is a reject at first, and a row when the rest has come" {
  append_raw a '{"output": "one"}\n{"output": "t'
  assert_rows 'one
no newline yet: still being written, or cut short' 'SELECT output FROM task_results' 'SELECT reason FROM task_rejects'
  append_raw a 'wo"'
  assert_rows 'one
no newline yet: still being written, or cut short' 'SELECT output FROM task_results' 'SELECT reason FROM task_rejects'
  append_raw a '}'
  assert_rows 'one
two' 'SELECT output FROM task_results' 'SELECT reason FROM task_rejects'
  append_raw a '\n'
  assert_rows 'one
two' 'SELECT output FROM task_results' 'SELECT reason FROM task_rejects'
}

@test "a record that follows a torn line without a newline is one reject with it; the records around it are rows" {
  append_raw a '{"output": "one"}\n{"output": "to' '\b' 'rn'
  append_raw a '{"output": "two"}\n{"output": "three"}\n'
  assert_rows 'one
three
1' 'SELECT output FROM task_results' 'SELECT count(*) FROM task_rejects'
}

@test "a file that is emptied during a scan ends there; what is written into it then is in the next scan" {
  make_job a 5000
  run_in_host <<PYTHON
rows = db.execute("SELECT record FROM task_results")
seen = [rows.fetchone()]
before = open("$results/a.jsonl").read()
open("$results/a.jsonl", "w").close()
seen += rows.fetchall()
assert all(row[0] + "\n" in before[:len(before)] for row in seen)
assert 0 < len(seen) < 5000, len(seen)
assert db.execute("SELECT count(*) FROM task_results").fetchone() == (0,)
PYTHON
}

@test "if a file is replaced during a scan, the scan reads the old file to its end" {
  make_job a 5000
  run_in_host <<PYTHON
import os
rows = db.execute("SELECT job_name FROM task_results")
seen = [rows.fetchone()]
with open("$results/a.jsonl.tmp", "w") as file:
    file.write('{"job_name": "new"}\n')
os.rename("$results/a.jsonl.tmp", "$results/a.jsonl")
seen += rows.fetchall()
assert seen == [("A",)] * 5000, len(seen)
assert db.execute("SELECT job_name FROM task_results").fetchall() == [("new",)]
PYTHON
}

@test "a file that is removed during a scan is read to its end" {
  make_job a 5000
  run_in_host <<PYTHON
import os
rows = db.execute("SELECT job_name FROM task_results")
rows.fetchone()
os.remove("$results/a.jsonl")
assert len(rows.fetchall()) == 4999
assert db.execute("SELECT count(*) FROM task_results").fetchone() == (0,)
PYTHON
}

@test "a file that is cut and then grows again gives no row made of two pieces, if the scan saw that it was shorter" {
  make_job a 5000
  run_in_host <<PYTHON
import os
path = "$results/a.jsonl"
size = os.path.getsize(path)
for order in ("ASC", "DESC"):
    original = open(path).read()
    lines = set(original.splitlines())
    rows = db.execute("SELECT record FROM task_results ORDER BY rowid " + order)
    seen = [rows.fetchone()[0]]
    os.truncate(path, size // 2 if order == "ASC" else size - 10)
    seen += [row[0] for row in rows.fetchall()]
    assert set(seen) <= lines
    assert 0 < len(seen) < 5000, len(seen)
    open(path, "w").write(original)
PYTHON
}
