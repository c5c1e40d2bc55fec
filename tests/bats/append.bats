#!/usr/bin/env bats
# How an INSERT reaches its file: one write, torn tails, other writers, failing systems.

load ../lib/helpers
load ../lib/host

# insert JOB OUTPUT... - inserts a record for each output, in one transaction.
insert() {
  local job=$1 output statements=()
  shift
  for output; do
    statements+=("INSERT INTO task_results(job_id, success, timestamp, output)
                  VALUES ('$job', 1, '2026-01-01T00:00:00Z', '$output')")
  done
  sql 'SELECT taskresults_writable(1)' BEGIN "${statements[@]}" COMMIT | tail -n +2
}

# line JOB OUTPUT - the line of that record.
line() {
  printf '{"timestamp": "2026-01-01T00:00:00Z", "job_id": "%s", "job_name": "%s", "success": true, ' "$1" "$1"
  printf '"output": "%s", "error": ""}\n' "$2"
}

# with_write_faults VARIABLE=VALUE... -- COMMAND... - runs it with tests/shim/write_faults.c in every sqlite3.
with_write_faults() {
  local settings=()
  while [[ $1 != -- ]]; do
    settings+=("$1")
    shift
  done
  shift
  (
    export "${settings[@]}"
    sqlite3() { LD_PRELOAD=$root/build/shim/write_faults.so command sqlite3 "$@"; }
    "$@"
  )
}

# --- one write -----------------------------------------------------------------------------------------------------

@test "a thousand records of two jobs are written by one write(2) for each job" {
  with_write_faults WRITE_FAULTS_LOG="$BATS_TEST_TMPDIR/log" -- sql 'SELECT taskresults_writable(1)' \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
     INSERT INTO task_results(job_id, success, output) SELECT iif(i % 3, 'a', 'b'), 1, i FROM n"
  [[ $(grep write "$BATS_TEST_TMPDIR/log") == "write $(wc -c <"$results/a.jsonl")"* ]]
  [[ $(grep -c write "$BATS_TEST_TMPDIR/log") -eq 2 ]]
  assert_rows 'a|667|b|333' "SELECT 'a', (SELECT count(*) FROM task_results('a')), 'b', (SELECT count(*) FROM task_results('b'))"
}

@test "sync=off syncs nothing; sync=data syncs each file, and the directory of a new one" {
  local log=$BATS_TEST_TMPDIR/log
  TASKRESULTS_SYNC=off with_write_faults WRITE_FAULTS_LOG="$log" -- insert a x
  [[ $(grep -c sync "$log") -eq 0 && -s $log ]]
  rm "$log"
  TASKRESULTS_SYNC=data with_write_faults WRITE_FAULTS_LOG="$log" -- insert a x
  [[ $(grep -E 'write|sync' "$log" | tr '\n' ' ') =~ ^write\ [0-9]+\ fdatasync\ $ ]]
  rm "$log"
  TASKRESULTS_SYNC=data with_write_faults WRITE_FAULTS_LOG="$log" -- insert new x
  [[ $(grep -E 'write|sync' "$log" | tr '\n' ' ') =~ ^write\ [0-9]+\ fdatasync\ fsync\ $ ]]
}

@test "sync=off is the default" {
  with_write_faults WRITE_FAULTS_LOG="$BATS_TEST_TMPDIR/log" -- insert a x
  [[ $(grep -c sync "$BATS_TEST_TMPDIR/log") -eq 0 && -s $BATS_TEST_TMPDIR/log ]]
}

# --- torn tails ----------------------------------------------------------------------------------------------------

@test "a torn last line stays a line of its own, and so does the next record" {
  append_raw a '{"output": "old"}\n{"output": "to'
  insert a new
  [[ $(cat "$results/a.jsonl") == $'{"output": "old"}\n{"output": "to\n'"$(line a new)" ]]
  assert_rows $'old\nnew' 'SELECT output FROM task_results'
  assert_rows 1 'SELECT count(*) FROM task_rejects'
}

@test "a last record that only lacks its newline is kept" {
  append_raw a '{"output": "old"}'
  insert a new
  [[ $(cat "$results/a.jsonl") == $'{"output": "old"}\n'"$(line a new)" ]]
}

@test "a file whose last line is complete, and an empty file, get no extra newline" {
  : >"$results/a.jsonl"
  insert a 1
  insert a 2
  [[ $(cat "$results/a.jsonl") == "$(line a 1)"$'\n'"$(line a 2)" ]]
}

@test "if another writer leaves a torn line just before our write, no record is lost, and only the first is written again" {
  append_raw a '{"output": "old"}\n'
  with_write_faults WRITE_FAULTS_TEAR=1 -- insert a 1 2 3
  [[ $(cat "$results/a.jsonl") == $'{"output": "old"}\n{"timestamp": "torn by somebody'"$(line a 1; line a 2; line a 3; echo; line a 1)" ]] || {
    cat "$results/a.jsonl"
    return 1
  }
  assert_rows 'old,2,3,1' 'SELECT group_concat(output) FROM task_results'
}

@test "a short write leaves a torn line, and the lines after it are complete" {
  with_write_faults WRITE_FAULTS_SHORT=150 WRITE_FAULTS_SHORT_AT=1 -- insert a 1 2 3
  [[ $(cat "$results/a.jsonl") == "$(line a 1; line a 2 | head -c $((150 - $(line a 1 | wc -c))); echo; line a 2; line a 3)" ]]
  assert_rows '1,2,3' 'SELECT group_concat(output) FROM task_results'
}

@test "half a line is never written by itself: it might complete another writer's torn line" {
  with_write_faults WRITE_FAULTS_SHORT=105 WRITE_FAULTS_SHORT_AT=1 WRITE_FAULTS_COME=1 WRITE_FAULTS_TEAR=2 -- insert a 1
  assert_rows 1 'SELECT count(*) FROM task_results WHERE job_name IS NOT NULL'
  assert_rows 1 'SELECT count(*) FROM task_results WHERE output = 1'
}

# --- failures ------------------------------------------------------------------------------------------------------

@test "whichever call fails, is cut short, or meets another writer: no record is lost, repeated or made up, and the error is right" {
  run env TASKRESULTS_ROOT="$root" python3 "$root/tests/live/append_faults.py"
  [[ $status -eq 0 && $output =~ ^([0-9]+)\ cases,\ ([0-9]+)\ of\ them\ failed ]] || { echo "$output"; return 1; }
  ((BASH_REMATCH[1] > 1000 && BASH_REMATCH[2] > 200))
}

@test "a full disk fails the COMMIT; the message names the file, the job, the cause, what to do, and what was written" {
  run with_write_faults WRITE_FAULTS_CALL=write WRITE_FAULTS_AT=2 WRITE_FAULTS_ERRNO=28 -- sql \
    'SELECT taskresults_writable(1)' \
    "INSERT INTO task_results(job_id, success) VALUES ('a', 1), ('b', 1), ('a', 1), ('c', 1), ('b', 1), ('b', 1)"
  [[ $status -ne 0 && $output == *"job 'b': cannot append to $results/b.jsonl: No space left on device (make room and \
insert again). Jobs written before that: 'a' (2 records); jobs not written: 'b' (3 records), 'c' (1 record)"* ]] || {
    echo "$output"
    return 1
  }
  [[ $(wc -l <"$results/a.jsonl") -eq 2 && ! -s $results/b.jsonl && ! -e $results/c.jsonl ]]
}

@test "the message for each cause says what to do about it" {
  while IFS='|' read -r number call words; do
    run with_write_faults "WRITE_FAULTS_CALL=$call" "WRITE_FAULTS_ERRNO=$number" WRITE_FAULTS_TIMES=0 -- sql \
      'SELECT taskresults_writable(1)' "INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
    [[ $status -ne 0 && $output == *"job 'a': cannot append to $results/a.jsonl: "*"($words). "* ]] || { echo "$number: $output"; return 1; }
  done <<'CAUSES'
1|open|give this user the right to read and write it and its directory
2|open|the directory was removed; make it again
5|write|look at the disk and the system's log
12|open|remove the cause and insert again
23|open|close files, or raise the limit on open ones
24|open|close files, or raise the limit on open ones
27|write|prune it, or raise the limit on file sizes
30|open|mount the file system for writing
122|write|make room and insert again
CAUSES
}

@test "a COMMIT of many jobs that fails names eight of them and counts the others, without those that ROLLBACK TO removed" {
  local i statements=('SELECT taskresults_writable(1)' BEGIN)
  for i in {a..p}; do statements+=("INSERT INTO task_results(job_id, success) VALUES ('$i', 1)"); done
  statements+=('SAVEPOINT s' "INSERT INTO task_results(job_id, success) VALUES ('taken', 1)" 'ROLLBACK TO s'
    "INSERT INTO task_results(job_id, success) VALUES ('z', 1)")
  run with_write_faults WRITE_FAULTS_CALL=write WRITE_FAULTS_AT=10 WRITE_FAULTS_ERRNO=28 -- sql "${statements[@]}" COMMIT
  [[ $status -ne 0 && $output != *taken* && $output == *"Jobs written before that: 'a' (1 record), 'b' (1 record), 'c' (1 record), "*"\
'h' (1 record), and 1 more job; jobs not written: 'j' (1 record)"* ]] || { echo "$output"; return 1; }
  [[ $output == *"jobs not written: 'j' (1 record), 'k' (1 record), 'l' (1 record), 'm' (1 record), 'n' (1 record), 'o' (1 record), \
'p' (1 record), 'z' (1 record)"* ]] || { echo "$output"; return 1; }
  run with_write_faults WRITE_FAULTS_CALL=write WRITE_FAULTS_AT=1 WRITE_FAULTS_ERRNO=28 -- sql "${statements[@]}" COMMIT
  [[ $output == *"Jobs written before that: none; jobs not written: "*", and 9 more jobs"* ]] || { echo "$output"; return 1; }
}

@test "after a failed COMMIT the transaction is over and its rows are gone; a later INSERT writes only its own" {
  local row="INSERT INTO task_results(job_id, success, output) VALUES ('a', 1,"
  run with_write_faults WRITE_FAULTS_CALL=write WRITE_FAULTS_AT=1 WRITE_FAULTS_ERRNO=28 -- \
    sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: <<SQL
SELECT taskresults_writable(1);
BEGIN;
$row 'x');
COMMIT;
COMMIT;
$row 'y');
SQL
  [[ $output == *'No space left on device'* && $output == *'no transaction is active'* ]]
  assert_rows y 'SELECT output FROM task_results'
}

@test "the message also counts the records that other tables of the transaction have written" {
  mkdir "$BATS_TEST_TMPDIR/other"
  run with_write_faults WRITE_FAULTS_CALL=write WRITE_FAULTS_AT=3 WRITE_FAULTS_ERRNO=5 -- sql \
    "CREATE VIRTUAL TABLE temp.one USING task_results(dir='$results')" \
    "CREATE VIRTUAL TABLE temp.two USING task_results(dir='$BATS_TEST_TMPDIR/other')" \
    "INSERT INTO one(job_id, success) VALUES ('before', 1)" BEGIN \
    "INSERT INTO one(job_id, success) VALUES ('a', 1), ('a', 0)" "INSERT INTO two(job_id, success) VALUES ('b', 1)" COMMIT
  [[ $status -ne 0 && $output == *"job 'b': cannot append to $BATS_TEST_TMPDIR/other/b.jsonl: Input/output error "*"; \
through other tables of this transaction, 2 records were written"* ]] || { echo "$output"; return 1; }
}

@test "a failed sync says that the records are in the file" {
  TASKRESULTS_SYNC=data run with_write_faults WRITE_FAULTS_CALL=fdatasync -- insert a 1 2
  [[ $output == *"job 'a': cannot sync $results/a.jsonl: Input/output error"*"2 of its 2 records are in \
the file, and must not be inserted again. Jobs written before that: none; jobs not written: none"* ]] || { echo "$output"; return 1; }
  [[ $(wc -l <"$results/a.jsonl") -eq 2 ]]
}

@test "a real limit on the file's size: complete records up to it, one torn line, and an error that counts the records" {
  run bash -c 'trap "" XFSZ; ulimit -f 2; exec "$@"' - sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: \
    'SELECT taskresults_writable(1)' \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
     INSERT INTO task_results(job_id, success, output) SELECT 'a', 1, i FROM n"
  [[ $status -ne 0 && $output =~ File\ too\ large\ .*\ ([0-9]+)\ of\ its\ 50\ records\ are\ in\ the\ file ]] || {
    echo "$output"
    return 1
  }
  [[ $(wc -c <"$results/a.jsonl") -eq 2048 ]]
  assert_rows "${BASH_REMATCH[1]}|1" 'SELECT (SELECT count(*) FROM task_results), (SELECT count(*) FROM task_rejects)'
  insert a after
  assert_rows after 'SELECT output FROM task_results ORDER BY rowid DESC LIMIT 1'
}

@test "a directory that cannot be written to fails the INSERT, not the COMMIT" {
  run_in_host <<'PYTHON'
import os, sqlite3, tempfile
directory = tempfile.mkdtemp(prefix="taskresults-")
try:
    open(directory + "/old.jsonl", "w").close()
    os.chmod(directory + "/old.jsonl", 0o444)
    os.chmod(directory, 0o555)
    db.execute("CREATE VIRTUAL TABLE temp.t USING task_results(dir='%s')" % directory)
    if os.geteuid() == 0:
        os.seteuid(65534)
    db.execute("BEGIN")
    for job, words in (("new", "cannot make"), ("old", "cannot append to")):
        try:
            db.execute("INSERT INTO t(job_id, success) VALUES (?, 1)", (job,))
            raise SystemExit("inserted")
        except sqlite3.OperationalError as error:
            expected = "job '%s': %s %s/%s.jsonl: Permission denied (give this user the right" % (job, words, directory, job)
            assert str(error).startswith(expected), error
    db.execute("COMMIT")
finally:
    if os.getuid() == 0:
        os.seteuid(0)
    os.chmod(directory, 0o755)
    os.remove(directory + "/old.jsonl")
    os.rmdir(directory)
PYTHON
}

# --- beside a pruner -----------------------------------------------------------------------------------------------

@test "a COMMIT that meets a lease waits until the holder lets go" {
  make_job a 3
  mkfifo "$BATS_TEST_TMPDIR/ready"
  python3 - "$results/a.jsonl" "$BATS_TEST_TMPDIR/ready" <<'PYTHON' &
import fcntl, os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
fd = os.open(sys.argv[1], os.O_RDWR)
try:
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
except OSError:
    open(sys.argv[2], "w").write("none")
    sys.exit()
with open(sys.argv[2], "w") as ready:
    ready.write("held")
if signal.sigtimedwait({signal.SIGIO}, 20) is None:
    sys.exit("nobody came")
time.sleep(0.05)  # a pruner at work: the writer has to come back several times
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
PYTHON
  local holder=$! state
  read -r state <"$BATS_TEST_TMPDIR/ready" || true
  if [[ $state == none ]]; then skip 'no leases on this file system'; fi
  insert a new
  wait "$holder"
  assert_rows 4 'SELECT count(*) FROM task_results'
}

@test "an interrupt ends the wait for a lease if nothing is written yet; if something is, the COMMIT is finished first" {
  require_host
  cat >"$BATS_TEST_TMPDIR/program" <<'PYTHON'
import os, sqlite3, sys, threading, time
from host import connect
db = connect()
db.execute("SELECT taskresults_writable(1)")
db.execute("BEGIN")
for job in ("a", "b"):
    db.execute("INSERT INTO task_results(job_id, success) VALUES (?, 1)", (job,))

def interrupt_while_it_waits():
    log = os.environ["WRITE_FAULTS_LOG"]
    while not os.path.exists(log) or open(log).read().count("open\n") < int(sys.argv[1]):
        time.sleep(0.001)
    db.interrupt()

thread = threading.Thread(target=interrupt_while_it_waits)
thread.start()
try:
    db.execute("COMMIT")
    print("committed")
except sqlite3.OperationalError as error:
    print(error)
thread.join()
PYTHON
  # attempt AT TIMES OPENS - opens fail with EAGAIN from the AT-th on; the interrupt comes at the OPENS-th.
  attempt() {
    rm -f "$BATS_TEST_TMPDIR/log"
    WRITE_FAULTS_CALL=open WRITE_FAULTS_ERRNO=11 WRITE_FAULTS_TIMES="$2" WRITE_FAULTS_AT="$1" \
      WRITE_FAULTS_LOG=$BATS_TEST_TMPDIR/log LD_PRELOAD=$root/build/shim/write_faults.so \
      host "$BATS_TEST_TMPDIR/program" "$3"
  }
  [[ $(attempt 1 0 2) == interrupted && -z $(ls -A "$results") ]]
  [[ $(attempt 2 50 4) == committed ]]
  assert_rows 'a,b' 'SELECT group_concat(job_id) FROM task_results'
}

# --- beside other writers ------------------------------------------------------------------------------------------

@test "four writers, two of ours and two Pythons: every record of 20 KB is there once, whole and in order" {
  local count=${TASKRESULTS_WRITERS:-500}
  TASKRESULTS_ROOT=$root run timeout 600 python3 "$root/tests/live/writers.py" "$count"
  [[ $status -eq 0 && $output == "$((4 * count)) records, 0 torn lines"* ]] || { echo "$output"; return 1; }
  assert_rows "$((4 * count))|0" 'SELECT (SELECT count(*) FROM task_results), (SELECT count(*) FROM task_rejects)'
}

@test "two writers beside a process that does nothing but tear lines lose no record and repeat none" {
  TASKRESULTS_ROOT=$root run timeout 600 python3 "$root/tests/live/writers.py" 200 torn
  [[ $status -eq 0 && $output == '400 records, '* ]] || { echo "$output"; return 1; }
}
