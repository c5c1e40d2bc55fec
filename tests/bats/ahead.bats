#!/usr/bin/env bats
# Long scans, for which a second thread reads ahead: the rows, their order and the errors are those of one thread, whatever
# is in the files and whatever happens to them. build/tiny has blocks of 61 bytes and of at most 3 lines.

load ../lib/helpers
load ../lib/host

# every_table - all rows and columns of the tables that read results, in the order in which the tables give them.
every_table() {
  sql 'SELECT rowid, job_id, timestamp, length(output), hex(error), hex(record) FROM task_results' \
    'SELECT rowid, offset FROM task_results WHERE success = 0' \
    'SELECT job_id, offset, length, reason, hex(line) FROM task_rejects' \
    'SELECT job_id, offset, length, terminated, reason, ok FROM task_lines WHERE offset >= 3000' \
    'SELECT * FROM task_stats' 'SELECT rowid, * FROM task_errors'
}

# assert_same_with_threads LEAST - one, two, three and eight threads print the same, and at least LEAST lines.
assert_same_with_threads() {
  local threads
  TASKRESULTS_THREADS=1 every_table >"$BATS_TEST_TMPDIR/alone"
  (($(wc -l <"$BATS_TEST_TMPDIR/alone") >= $1))
  for threads in 2 3 8; do
    TASKRESULTS_THREADS=$threads every_table >"$BATS_TEST_TMPDIR/together"
    cmp "$BATS_TEST_TMPDIR/alone" "$BATS_TEST_TMPDIR/together" || return 1
  done
}

# make_long_job JOB MEGABYTES - records of all lengths, with torn, glued and blank lines, and lines longer than a block.
make_long_job() {
  python3 - "$results/$1.jsonl" "$2" <<'PYTHON'
import json, random, sys
path, megabytes = sys.argv[1], int(sys.argv[2])
rng = random.Random(path.rsplit("/", 1)[1])
with open(path, "w") as file:
    while file.tell() < megabytes << 20:
        kind = rng.randrange(200)
        text = "x" * rng.choice([0, 3, 50, 700, 3000, 20000]) if kind else "y" * rng.choice([70000, 140000, 500000])
        record = {"timestamp": f"2026-01-01T00:00:{rng.randrange(60):02}Z", "success": rng.randrange(9) > 0,
                  "output": text, "error": rng.choice(["", "lost", "exit 1\n", "\u20ac"])}
        line = json.dumps(record)
        file.write(line[:rng.randrange(len(line))] + "\n" if kind == 1 else
                   line if kind == 2 else "\n" * 5000 if kind == 3 else "{}\n" * 9000 if kind == 4 else line + "\n")
PYTHON
}

@test "one, two, three and eight threads give the same rows of a long file, in the same order" {
  make_long_job a 7
  assert_same_with_threads 5000
}

@test "one, two, three and eight threads give the same rows of many small files, some of them empty" {
  local i
  for i in {1..25}; do head -c 130000 /dev/zero | tr '\0' '\n' >"$results/blank-$i.jsonl"; : >"$results/empty-$i.jsonl"; done
  for i in {1..25}; do make_job "job-$i" 20 3; done
  assert_same_with_threads 500
}

@test "one, two, three and eight threads give the same rows when blocks are of 61 bytes and 3 lines" {
  extension=$root/build/tiny/taskresults
  make_job a 400 3
  make_job b 1
  append_raw b '{"a": 1}\n{}\n{}\n{}\n{}\n{"output": "torn\n\n   \n{"output": "'"$(printf 'x%.0s' {1..300})"'"}\n{"output": "no end"}'
  make_job c 100 2
  append_raw c '{"output": "no en'
  assert_same_with_threads 500
}

@test "one, two, three and eight threads give the same rejects for entries without lines: a leftover of a prune, a name that is not UTF-8" {
  extension=$root/build/tiny/taskresults
  make_job a 400 3
  : >"$results/.taskresults-0123456789abcdef.new"
  printf 'bad\n' >"$results/"$'b\xff.jsonl'
  make_job c 40 2
  assert_same_with_threads 500
}

@test "one, two, three and eight threads give the same rows and rejects around lines longer than max_line" {
  make_long_job a 6
  TASKRESULTS_MAX_LINE=1500 assert_same_with_threads 3000
}

@test "a file that cannot be opened fails the query after the rows of the files before it" {
  make_long_job a 6
  make_job c 3
  ln -s /nowhere "$results/b.jsonl" # passed over
  make_job d 3
  local threads rows
  for threads in 1 2; do
    TASKRESULTS_THREADS=$threads run with_faults FAULTS_OPEN_NAME=d.jsonl FAULTS_OPEN_ERRNO=13 -- sqlite3 -batch -init /dev/null \
      -cmd ".load $extension" :memory: 'SELECT job_id FROM task_results'
    [[ $status -ne 0 && $output == *"job 'd': $results/d.jsonl cannot be opened: Permission denied"* ]]
    rows[threads]=$(printf '%s\n' "${lines[@]}" | grep -c '^[ac]$')
  done
  ((rows[1] == rows[2] && rows[1] > 1000))
}

@test "with few free descriptors, two threads open files one after the other, like one thread" {
  local i
  make_long_job a 5
  for i in {10..30}; do make_job "job-$i" 3; done
  local count='SELECT count(*), count(DISTINCT job_id) FROM task_results'
  local expected
  expected=$(TASKRESULTS_THREADS=1 sql "$count")
  run bash -c 'exec 3>&- 4>&- 5>&- 6>&-; ulimit -n 6; exec sqlite3 -batch -init /dev/null -cmd ".load $1" :memory: "$2"' - "$extension" "$count"
  [[ $status -eq 0 && $output == "$expected" && $output == *'|22' ]]
}

@test "if the system gives no threads, the rows are the same" {
  make_long_job a 6
  local expected
  expected=$(TASKRESULTS_THREADS=1 sql 'SELECT count(*), sum(rowid) FROM task_results')
  run env LD_PRELOAD="$root/build/shim/no_threads.so" sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
    'SELECT count(*), sum(rowid) FROM task_results'
  [[ $status -eq 0 && $output == "$expected" ]]
}

@test "a read error in mid-file fails the query and names the byte, with one thread and with two" {
  make_long_job a 7
  local threads
  for threads in 1 2; do
    TASKRESULTS_THREADS=$threads run with_faults FAULTS_PREAD_AFTER=25 -- sqlite3 -batch -init /dev/null \
      -cmd ".load $extension" :memory: 'SELECT count(*) FROM task_results'
    [[ $status -ne 0 && $output == *"job 'a': $results/a.jsonl cannot be read at byte "*': Input/output error'* ]]
  done
}

@test "whichever read fails, once: the rows before it are right, and a piece of a line is never shown as a reject" {
  extension=$root/build/tiny/taskresults
  make_job a 20 3
  make_job b 5 3
  make_job c 5 3
  local query after failed=0 shown=$BATS_TEST_TMPDIR/shown right=$BATS_TEST_TMPDIR/right
  for query in 'SELECT rowid, offset, output FROM task_results' 'SELECT rowid, offset, line FROM task_rejects'; do
    sql "$query" >"$right"
    # Some of all reads, and all those around the first ones of b and c.
    for after in {0..196..4} {200..212} {244..252} 256 260; do
      # On a busy machine the query may read the block before the thread does. Then the read of the query fails.
      for _ in {1..40}; do
        TASKRESULTS_THREADS=2 run with_faults FAULTS_PREAD_AFTER="$after" FAULTS_PREAD_TIMES=1 -- bash -c \
          'exec sqlite3 -batch -init /dev/null -cmd ".load $1" :memory: "$2" >"$3"' - "$extension" "$query" "$shown"
        cmp -n "$(wc -c <"$shown")" "$shown" "$right"
        [[ $status -ne 0 || $(wc -c <"$shown") -eq $(wc -c <"$right") ]]
        ((status != 0 && failed >= 11)) || break
      done
      ((status == 0)) || failed=$((failed + 1))
    done
  done
  ((failed <= 11)) # before it shares with a thread; what fails in a block is read once more, in its turn
}

@test "a file that shrinks under the scan ends there, and the next one follows" {
  make_job b 3 1
  run_in_host <<PYTHON
import os
line = '{"success": false, "output": "' + "x" * 100 + '"}\\n'
def shrinks_at(read, size):
    with open("$results/a.jsonl", "w") as file: file.write(line * 70000)
    rows = db.execute("SELECT job_id FROM task_results WHERE success = 0")
    for _ in range(read): assert rows.fetchone() == ("a",)
    os.truncate("$results/a.jsonl", size)
    rest = [job for job, in rows.fetchall()]
    assert rest[-3:] == ["b"] * 3, rest[-3:]
    assert read + len(rest) - 3 <= max(size, read * len(line) + 6 * (256 << 10)) // len(line), (read, size, len(rest))
for read in (1, 20000, 33000, 45000, 69000):
    for size in (0, 1 << 20, 5 << 20, (6 << 20) + 77, 8 << 20):
        shrinks_at(read, size)
PYTHON
}

@test "a cursor that is closed or restarted in the middle of a scan ends its threads and closes its files" {
  make_long_job a 7
  make_long_job b 5
  run_in_host <<PYTHON
import os
def threads(): return len(os.listdir("/proc/self/task"))
def files(): return len(os.listdir("/proc/self/fd"))
db.execute("SELECT count(*) FROM task_results").fetchall()
before = threads(), files()
for _ in range(20):
    rows = db.execute("SELECT offset FROM task_results WHERE job_id = 'a'")
    while rows.fetchone()[0] < 5 << 20: pass
    assert threads() > before[0]
    rows.close()
    assert (threads(), files()) == before, (threads(), files(), before)
PYTHON
}

@test "files that the read-ahead opened are closed with the cursor; a file that was removed before that is skipped" {
  make_job a 400
  local i
  for i in {1..9}; do printf '{"success": %s}\n' true false >"$results/b$i.jsonl"; done # a block each
  TASKRESULTS_THREADS=2 run_in_host <<PYTHON
import os, sqlite3
db = sqlite3.connect(":memory:")
db.enable_load_extension(True)
db.load_extension("$root/build/tiny/taskresults")
def files(): return len(os.listdir("/proc/self/fd"))
def begin():
    rows = db.execute("SELECT job_id FROM task_results")
    for _ in range(400): assert rows.fetchone() == ("a",)
    return rows
db.execute("SELECT count(*) FROM task_results").fetchall()
before = files()
rows = begin()
assert files() >= before + 3, (files(), before) # the directory, a, and what comes next
rows.close()
assert files() == before, (files(), before)
rows = db.execute("SELECT job_id FROM task_results")
for _ in range(100): rows.fetchone()
os.remove("$results/b9.jsonl")
assert [job for job, in rows.fetchall()][-2:] == ["b8"] * 2
PYTHON
}

@test "a process forked in the middle of a scan has no threads, and can close the connection" {
  make_long_job a 7
  run_in_host <<PYTHON
import os, sys
rows = db.execute("SELECT offset FROM task_results")
while rows.fetchone()[0] < 5 << 20: pass
child = os.fork()
if child == 0:
    rows.close()
    db.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert len(rows.fetchall()) > 100
PYTHON
}

@test "a process forked in the middle of a scan has no threads, and can read on, whatever they were doing" {
  make_long_job a 7
  run_in_host <<PYTHON
import os, signal
def forks_at(block):
    rows = db.execute("SELECT offset FROM task_results")
    while rows.fetchone()[0] < block << 17: pass # blocks have just been posted: a helper is likely to be at work
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(sum(1 for row in rows) % 251)
    assert os.waitpid(child, 0)[1] == sum(1 for row in rows) % 251 << 8, block
for block in list(range(36, 52)) * 2: forks_at(block)
PYTHON
}

@test "TASKRESULTS_THREADS is a number from 1 to 8" {
  make_job a 1
  local value
  for value in 0 9 two 10 1x -1; do
    TASKRESULTS_THREADS=$value assert_sql_error "TASKRESULTS_THREADS: '$value' is not a number from 1 to 8" \
      'SELECT * FROM task_results'
  done
  TASKRESULTS_THREADS='' assert_rows 1 'SELECT count(*) FROM task_results'
}
