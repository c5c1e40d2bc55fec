#!/usr/bin/env bats
# Programs that load the extension: Python, and applications in C that link it.

load ../lib/helpers
load ../lib/host

@test "Python's sqlite3 loads the extension and sees Python's types" {
  printf '{"success": true, "output": "é\\u0000\\ud83d\\ude00", "error": null, "job_name": 1.5}\n' >"$results/a.jsonl"
  run_in_host <<'PYTHON'
assert db.execute("SELECT success, output, error, job_name FROM task_results").fetchall() == [(1, "é\0😀", None, 1.5)]
assert [column[0] for column in db.execute("SELECT * FROM task_results").description] == \
    ["timestamp", "job_id", "job_name", "success", "output", "error"]
assert db.execute("SELECT count(*) FROM task_results WHERE job_id = ? AND success = ?", ("a", True)).fetchone() == (1,)
assert db.execute("SELECT count(*) FROM task_results WHERE job_id IN (SELECT value FROM json_each(?))", ('["a"]',)).fetchone() == (1,)
PYTHON
}

@test "two connections in two threads can read at the same time" {
  make_job a 2000 3
  run_in_host <<'PYTHON'
import threading
answers = []
def read():
    other = connect()
    for _ in range(10):
        answers.append(other.execute("SELECT count(*), sum(success) FROM task_results").fetchone())
    other.close()
threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert answers == [(2000, 1334)] * 40, set(answers)
PYTHON
}

@test "a number reads the same whatever the host's locale is" {
  printf '{"output": 1.5, "error": 12345678901234567890}\n' >"$results/a.jsonl"
  run_in_host <<'PYTHON'
import locale
for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C"):
    try:
        locale.setlocale(locale.LC_ALL, name)
    except locale.Error:
        continue
    assert db.execute("SELECT output, error FROM task_results").fetchall() == [(1.5, 1.2345678901234567e19)], name
PYTHON
}

# build_embedded FLAG... - compiles examples/embed.c with these flags and sources.
build_embedded() {
  # shellcheck disable=SC2046  # flags are words
  ${CC:-cc} -std=c11 -DSQLITE_CORE -Wall -Wextra -Werror -I"$root/include" $(pkg-config --cflags sqlite3 libcjson) \
    "$root/examples/embed.c" "$@" $(pkg-config --libs libcjson zlib libzstd sqlite3) -lm -pthread -o "$BATS_TEST_TMPDIR/embed"
}

assert_embedded() {
  make_job a 10 3
  make_job 'b c' 4
  run "$BATS_TEST_TMPDIR/embed" "$results"
  [[ $status -eq 0 && $output == 'a: 10 runs, 3 failed
b c: 4 runs, 0 failed' ]]
  run "$BATS_TEST_TMPDIR/embed" "$BATS_TEST_TMPDIR/nowhere"
  [[ $status -eq 1 && $output == "results directory $BATS_TEST_TMPDIR/nowhere: No such file"* ]]
}

@test "examples/embed.c works with libtaskresults.a" {
  build_embedded "$root/libtaskresults.a"
  assert_embedded
}

@test "examples/embed.c works with the sources compiled in" {
  build_embedded "$root"/ext/*.c "$root"/ext/*/*.c
  assert_embedded
}

@test "Python loads it read-only: by the entry point's name from 3.12 on, through load_extension() before" {
  make_job a 3
  require_host
  run host - "$extension" <<'PYTHON'
import sqlite3, sys
path, entry = sys.argv[1], "sqlite3_taskresults_readonly_init"
def by_sql(db): db.execute("SELECT load_extension(?, ?)", (path, entry))
def by_name(db): db.load_extension(path, entrypoint=entry)
for load in [by_sql] + [by_name] * (sys.version_info >= (3, 12)):
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    load(db)
    db.enable_load_extension(False)
    assert db.execute("SELECT count(*) FROM task_results").fetchone() == (3,)
    for attempt in ("SELECT taskresults_prune('a', 'keep', 1)", "SELECT load_extension('x')"):
        try:
            db.execute(attempt)
        except sqlite3.OperationalError:
            continue
        raise AssertionError(attempt)
PYTHON
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "a program that links libtaskresults.a can load it read-only" {
  build_embedded "$root/libtaskresults.a" -Dsqlite3_taskresults_init=sqlite3_taskresults_readonly_init
  make_job a 3
  run "$BATS_TEST_TMPDIR/embed" "$results" # names its directory
  [[ $status -eq 1 && $output == *'loaded read-only'* ]]
}
