#!/usr/bin/env bats
# Other programs write the directory: which entries are jobs, which are rejects, and what is an error.

load ../lib/helpers
load ../lib/host

good='{"timestamp": "2026-02-15T01:44:15Z", "success": true, "output": "ok"}'

teardown() {
  if [[ -n ${place:-} ]]; then rm -rf "$place"; fi
}

# quoted TEXT - as a SQL string.
quoted() {
  printf "'%s'" "${1//\'/\'\'}"
}

# --- names -------------------------------------------------------------------------------------------------------------

# Each is a job's id. Together they cover most of what a file name may contain.
odd_names=(a '' . .. ... -rf --help .hidden 'two words' ' ' "o'brien's" 'say "hi"' 'a;b' '100%' '%s%n' 'a|b' '*' '[a]' '?'
  '$HOME' '`id`' 'back\slash' '\' $'new\nline' $'\n' $'\t' $'\x01' '😀' 'ünï-cödé' 'A' 'a.jsonl' '.jsonl' '123' '1e2'
  '~' '#' '--' '/*' 'a,b' '&' '(' 'NULL' '-' "$(printf 'x%.0s' {1..249})" "$(printf 'é%.0s' {1..124})y")

# odd_names contains '/*', which is left out here: only a slash cannot be in a file's name.
make_odd_names() {
  local name
  jobs=()
  for name in "${odd_names[@]}"; do
    [[ $name == */* ]] && continue
    printf '%s\n' "$good" >"$results/$name.jsonl"
    jobs+=("$name")
  done
}

@test "any file name that ends in .jsonl is a job, by its exact bytes" {
  make_odd_names
  local name
  printf '%s\0' "${jobs[@]}" | python3 -c 'import sys
print("\n".join(sorted(name.hex().upper() for name in sys.stdin.buffer.read().split(b"\0")[:-1])))' \
    >"$BATS_TEST_TMPDIR/expected"
  sql 'SELECT hex(job_id) FROM task_results ORDER BY 1' >"$BATS_TEST_TMPDIR/actual"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/actual") -eq ${#jobs[@]} && ${#jobs[@]} -ge 40 ]]
  cmp "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
}

@test "every such job is found by =, IN, IS, argument and escaped GLOB, and alone" {
  make_odd_names
  local name text glob statements=()
  for name in "${jobs[@]}"; do
    text=$(quoted "$name")
    glob=$(sed -e 's/[][*?]/[&]/g' <<<"$name.")
    glob=$(quoted "${glob%.}")
    statements+=("SELECT 'wrong: ' || $text WHERE
      (SELECT group_concat(job_id, char(1)) FROM task_results WHERE job_id = $text) IS NOT $text OR
      (SELECT group_concat(job_id, char(1)) FROM task_results WHERE job_id IN ($text, 'nobody')) IS NOT $text OR
      (SELECT group_concat(job_id, char(1)) FROM task_results WHERE job_id IS $text) IS NOT $text OR
      (SELECT group_concat(job_id, char(1)) FROM task_results($text)) IS NOT $text OR
      (SELECT group_concat(job_id, char(1)) FROM task_results WHERE job_id GLOB $glob) IS NOT $text")
  done
  assert_rows '' "${statements[@]}"
}

@test "a job_id with a slash, a NUL or too many bytes matches no row, and reaches no other directory" {
  mkdir "$results/sub" "$BATS_TEST_TMPDIR/outside"
  printf '%s\n' "$good" | tee "$results/a.jsonl" "$results/sub/b.jsonl" >"$BATS_TEST_TMPDIR/outside/c.jsonl"
  local job
  for job in "'sub/b'" "'../outside/c'" "'./a'" "'/a'" "'$results/a'" "'a' || char(0)" "'a' || char(0) || 'b'" "char(0)" \
    "printf('%0250d', 0)" "'a' || printf('%1000000s', '')" "''" "'a/'" "'sub'"; do
    assert_rows "" "SELECT 1 FROM task_results WHERE job_id = $job" "SELECT 1 FROM task_results($job)" \
      "SELECT 1 FROM task_results WHERE job_id IN ($job, 'nobody')" "SELECT 1 FROM task_results WHERE job_id IS $job" \
      "SELECT 1 FROM task_rejects WHERE job_id = $job"
  done
}

@test "files with other endings are neither jobs nor rejects" {
  printf '%s\n' "$good" | tee "$results"/{a.json,a.jsonl.bak,a.jsonl~,a.JSONL,jsonl,a_jsonl,.a.jsonl.swp} >/dev/null
  assert_rows '0|0' 'SELECT (SELECT count(*) FROM task_results), (SELECT count(*) FROM task_rejects)'
}

@test "a file name that is not UTF-8 is a reject with its bytes, and never a job" {
  printf '%s\n' "$good" >"$results"/$'caf\xe9.jsonl'
  printf '%s\n' "$good" >"$results/a.jsonl"
  assert_rows 'blob|636166E9|NULL|NULL|file name is not valid UTF-8|NULL' \
    'SELECT typeof(job_id), hex(job_id), offset, length, reason, line FROM task_rejects'
  assert_rows a 'SELECT job_id FROM task_results'
  assert_rows '' "SELECT job_id FROM task_results WHERE job_id = CAST(x'636166E9' AS TEXT)" \
    "SELECT job_id FROM task_results WHERE job_id = x'636166E9'"
}

# --- entries that are not files ------------------------------------------------------------------------------------------

# assert_irregular WORDS - the entry `odd` is a reject with those words; a query for its job shows no row and does not
# wait; the jobs before and after it are read.
assert_irregular() {
  printf '%s\n' "$good" | tee "$results/a.jsonl" >"$results/z.jsonl"
  assert_rows "odd|NULL|NULL|not a regular file, but $1|NULL" 'SELECT * FROM task_rejects'
  assert_rows "odd|not a regular file, but $1" "SELECT job_id, reason FROM task_rejects('odd')"
  assert_rows 'a
z' 'SELECT job_id FROM task_results'
  assert_rows '' "SELECT job_id FROM task_results('odd')"
}

@test "a FIFO is a reject, and is never waited for" {
  mkfifo "$results/odd.jsonl"
  assert_irregular 'a FIFO'
}

@test "a symbolic link is a reject and is never followed, whether its target exists or not" {
  printf '%s\n' "$good" >"$BATS_TEST_TMPDIR/target.jsonl"
  ln -s "$BATS_TEST_TMPDIR/target.jsonl" "$results/odd.jsonl"
  assert_irregular 'a symbolic link'
  ln -sfn nowhere "$results/odd.jsonl"
  assert_irregular 'a symbolic link'
  ln -sfn odd.jsonl "$results/odd.jsonl"
  assert_irregular 'a symbolic link'
}

@test "a directory is a reject" {
  mkdir "$results/odd.jsonl"
  printf '%s\n' "$good" >"$results/odd.jsonl/inner.jsonl"
  assert_irregular 'a directory'
}

@test "a socket is a reject" {
  (cd "$results" && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("odd.jsonl")')
  assert_irregular 'a socket'
}

@test "a device is a reject and never opened" {
  mknod "$results/odd.jsonl" c 1 5 2>/dev/null || skip 'may not make device nodes here'
  assert_irregular 'a device'
}

@test "a hard link is a file like any other" {
  printf '%s\n' "$good" >"$BATS_TEST_TMPDIR/target"
  ln "$BATS_TEST_TMPDIR/target" "$results/a.jsonl"
  assert_rows 'a|0' 'SELECT job_id, (SELECT count(*) FROM task_rejects) FROM task_results'
}

# --- what cannot be read -------------------------------------------------------------------------------------------------

@test "a file that may not be read fails task_results, with job and cause, and is a row of task_rejects" {
  local user=()
  place=$(mktemp -d) # for all to enter, which bats' own is not
  chmod 755 "$place"
  cp "$root/taskresults.so" "$place/"
  printf '%s\n' "$good" | tee "$place/a.jsonl" "$place/closed.jsonl" >/dev/null
  chmod 000 "$place/closed.jsonl"
  ((EUID == 0)) && user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  as_user() {
    SCHEDULER_RESULTS_DIR=$place "${user[@]}" sqlite3 -batch -bail -init /dev/null -cmd ".load $place/taskresults" \
      :memory: "$@"
  }
  run as_user 'SELECT * FROM task_results'
  [[ $status -ne 0 && $output == *"job 'closed': $place/closed.jsonl cannot be opened: Permission denied"* ]]
  run as_user 'SELECT job_id, offset IS NULL, reason FROM task_rejects' 'SELECT job_id FROM task_results WHERE job_id = '"'a'"
  [[ $status -eq 0 && $output == 'closed|1|cannot be opened: Permission denied
a' ]]
}

@test "any other failure to open a file fails task_results, with job and cause, and is a row of task_rejects" {
  printf '%s\n' "$good" | tee "$results/a.jsonl" >"$results/b.jsonl"
  run with_faults FAULTS_OPEN_ERRNO=5 FAULTS_OPEN_NAME=b.jsonl -- \
    sqlite3 -bail -init /dev/null -cmd ".load $extension" :memory: 'SELECT job_id FROM task_results'
  [[ $status -ne 0 && $output == *"job 'b': $results/b.jsonl cannot be opened: Input/output error"* ]]
  run with_faults FAULTS_OPEN_ERRNO=24 FAULTS_OPEN_NAME=b.jsonl -- \
    sqlite3 -bail -init /dev/null -cmd ".load $extension" :memory: 'SELECT job_id, reason FROM task_rejects' \
    "SELECT job_id FROM task_results('a')"
  [[ $status -eq 0 && $output == 'b|cannot be opened: Too many open files
a' ]]
}

@test "a file of more than 1 TiB, whose offsets do not fit into a rowid, is refused and not misread" {
  printf '%s\n' "$good" >"$results/huge.jsonl"
  truncate -s $((2 ** 40 + 1)) "$results/huge.jsonl" 2>/dev/null || skip 'this file system has no files of 1 TiB'
  assert_sql_error "job 'huge': $results/huge.jsonl cannot be opened: File too large" 'SELECT * FROM task_results'
  assert_rows 'huge|cannot be opened: File too large' 'SELECT job_id, reason FROM task_rejects'
}

@test "a missing directory is an error that names it and says what to do, in both tables, with and without a job" {
  export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere
  local words="results directory $SCHEDULER_RESULTS_DIR: No such file or directory (set SCHEDULER_RESULTS_DIR"
  assert_sql_error "$words" 'SELECT * FROM task_results'
  assert_sql_error "$words" "SELECT * FROM task_results('a')"
  assert_sql_error "$words" 'SELECT * FROM task_results WHERE rowid = 5'
  assert_sql_error "$words" 'SELECT * FROM task_rejects'
}

@test "a results directory that is a file is an error, one that is a link to a directory is not" {
  printf '%s\n' "$good" >"$results/a.jsonl"
  ln -s "$results" "$BATS_TEST_TMPDIR/link"
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/link assert_rows a 'SELECT job_id FROM task_results'
  SCHEDULER_RESULTS_DIR=$results/a.jsonl assert_sql_error "results directory $results/a.jsonl: Not a directory" \
    'SELECT * FROM task_results'
}

@test "an empty directory, and one with only empty files, gives no rows and no rejects" {
  assert_rows '0|0' 'SELECT (SELECT count(*) FROM task_results), (SELECT count(*) FROM task_rejects)'
  : >"$results/a.jsonl"
  assert_rows '0|0' 'SELECT (SELECT count(*) FROM task_results), (SELECT count(*) FROM task_rejects)'
  assert_rows '' 'SELECT * FROM task_results ORDER BY rowid DESC'
}

@test "a relative results directory is resolved when the query runs" {
  printf '%s\n' "$good" >"$results/a.jsonl"
  cd "$BATS_TEST_TMPDIR"
  SCHEDULER_RESULTS_DIR=results assert_rows a 'SELECT job_id FROM task_results'
  SCHEDULER_RESULTS_DIR=./results/../results assert_rows a "SELECT job_id FROM task_results('a')"
}

# --- while others work on it -----------------------------------------------------------------------------------------------

@test "a file that vanishes between listing and opening is skipped" {
  make_job a 3
  make_job b 3
  make_job c 3
  run_in_host <<PYTHON
import os
rows = db.execute("SELECT job_id FROM task_results ORDER BY rowid")
assert next(rows) == ("a",)
os.remove("$results/b.jsonl")
print("".join(row[0] for row in rows))
PYTHON
  [[ $output == aaccc ]]
}

@test "a file that becomes a FIFO, a link or a directory between listing and opening is skipped without waiting" {
  run_in_host <<PYTHON
import os, shutil
path = "$results/b.jsonl"
def become(change):
    for job in "abc":
        with open("$results/" + job + ".jsonl", "w") as file:
            file.write('{"output": "x"}\n' * (3 if job == "a" else 1))  # Python may be one row ahead
    rows = db.execute("SELECT job_id FROM task_results ORDER BY rowid")
    assert next(rows) == ("a",)
    os.remove(path)
    change()
    print("".join(row[0] for row in rows), db.execute("SELECT reason FROM task_rejects").fetchone()[0])
    shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
become(lambda: os.mkfifo(path))
become(lambda: os.symlink("a.jsonl", path))
become(lambda: os.mkdir(path))
PYTHON
  [[ $output == 'aac not a regular file, but a FIFO
aac not a regular file, but a symbolic link
aac not a regular file, but a directory' ]]
}

@test "a directory that is moved away during a query is still read to its end" {
  make_job a 2
  make_job b 2
  run_in_host <<PYTHON
import os
rows = db.execute("SELECT job_id FROM task_results ORDER BY rowid")
assert next(rows) == ("a",)
os.rename("$results", "$results.moved")
print("".join(row[0] for row in rows))
try:
    db.execute("SELECT * FROM task_results").fetchall()
except Exception as error:
    print("results directory $results: No such file" in str(error))
PYTHON
  [[ $output == 'abb
True' ]]
}

@test "an open that meets a simulated lease is repeated until the lease is released" {
  make_job a 3
  run with_faults FAULTS_OPEN_ERRNO=11 FAULTS_OPEN_TIMES=5 -- \
    sqlite3 -bail -init /dev/null -cmd ".load $extension" :memory: 'SELECT count(*) FROM task_results'
  [[ $status -eq 0 && $output == 3 ]]
}

@test "an open that meets another process's real lease is repeated until the lease is released" {
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
time.sleep(0.05)  # a pruner at work: the reader has to come back several times
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
PYTHON
  local holder=$! state
  read -r state <"$BATS_TEST_TMPDIR/ready" || true
  if [[ $state == none ]]; then skip 'no leases on this file system'; fi
  assert_rows 3 'SELECT count(*) FROM task_results'
  wait "$holder"
}
