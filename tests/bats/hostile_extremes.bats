#!/usr/bin/env bats
# Results that an attacker filled: too many files, too long or too deep lines, entries that are not files, directories
# swapped during a scan; and hosts with few descriptors, little memory, no permission. Tables and commands give the right
# answer, or an error that names the file; memory stays flat, nothing hangs, no descriptor is left open, and nothing in the
# directory changes.
#
# With FULL_SIZE=1, the commands are tested with 100,000 files; otherwise with 5,000.

load ../lib/helpers
load ../lib/host
load ../lib/shell

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# make_files COUNT - so many jobs of one record each, on a file system in memory if there is one.
make_files() {
  open_place=$(mktemp -d /dev/shm/taskresults.XXXXXX 2>/dev/null || mktemp -d)
  results=$open_place/results
  export SCHEDULER_RESULTS_DIR=$results
  mkdir "$results"
  python3 - "$results" "$1" <<'PYTHON'
import os, sys
directory = os.open(sys.argv[1], os.O_RDONLY)
record = b'{"timestamp": "2026-01-01T00:00:00Z", "job_id": "x", "job_name": "x", "success": true, "output": "ok", "error": ""}\n'
for number in range(int(sys.argv[2])):
    fd = os.open(f"job-{number:06}.jsonl", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=directory)
    os.write(fd, record)
    os.close(fd)
PYTHON
}

# Every command that only reads, as one would use it on all jobs.
readers=('list --jsonl' 'stats --total --jsonl' 'errors --jsonl' 'view --all --limit 3 --jsonl' 'rejects --jsonl'
  'export --format csv' 'sla --jsonl' 'metrics' 'report' 'doctor' 'prune --all --keep 1000000 --dry-run --jsonl'
  'alerts --after 1 --state state')

# what_is_there - every entry with its kind, size, mode and time, to notice any change.
what_is_there() {
  find "$results" -printf '%P %y %s %m %T@ %l\n' | LC_ALL=C sort
}

# each_command CHECK - runs every one of them, with a limit of time, and then CHECK.
each_command() {
  local command words before
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json
  mkdir -p "$SCHEDULER_LOGS_DIR"
  echo '{"jobs": []}' >"$SCHEDULER_JOBS_FILE"
  cd "$BATS_TEST_TMPDIR" || return
  before=$(what_is_there)
  for command in "${readers[@]}"; do
    read -ra words <<<"$command"
    run timeout 300 "$(tool taskresults)" "${words[@]}"
    "$1" "$command" || { printf '%s: status %s\n%s\n' "$command" "$status" "${output:0:2000}"; return 1; }
    [[ $(what_is_there) == "$before" ]] || { echo "$command changed something"; return 1; }
  done
}

# --- too many ---------------------------------------------------------------------------------------------------------

@test "a hundred thousand files: each gives a row, one is found by its name, and only their names take memory" {
  make_files 100000
  run_in_host <<'PYTHON'
import os, resource
peak_kb = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fds = lambda: len(os.listdir("/proc/self/fd"))
assert db.execute("SELECT count(*) FROM task_results('job-077777')").fetchall() == [(1,)]
before_kb, before_fds = peak_kb(), fds()
assert db.execute("SELECT count(*), sum(success), count(DISTINCT job_id) FROM task_results").fetchall() == [(100000, 100000, 100000)]
assert db.execute("SELECT count(*), sum(runs) FROM task_stats").fetchall() == [(100000, 100000)]
assert db.execute("SELECT count(*) FROM task_rejects").fetchall() == [(0,)]
assert fds() == before_fds, (before_fds, fds())
grown_kb = peak_kb() - before_kb
assert grown_kb < 40 * 1024, grown_kb  # half of which is the count of distinct ids, SQLite's own
PYTHON
}

as_usual() {
  ((status == 0))
}

@test "thousands of files: every command answers, and changes nothing" {
  make_files "$([[ -n ${FULL_SIZE-} ]] && echo 100000 || echo 5000)"
  each_command as_usual
}

# --- too long, too deep --------------------------------------------------------------------------------------------------

long_and_deep() {
  python3 - "$results" <<'PYTHON'
import json, sys
record = {"timestamp": "2026-01-01T00:00:00Z", "job_id": "x", "job_name": "x", "success": True, "output": "ok", "error": ""}
good = json.dumps(record) + "\n"
with open(sys.argv[1] + "/long.jsonl", "w") as file:
    file.write(good)
    for _ in range(3):
        file.write(json.dumps(record | {"success": False, "output": "x" * 10_000_000}) + "\n")
    file.write("\\" * 10_000_000 + "\n")
    file.write("[" * 10_000_000 + "\n")
    file.write("\0" * 10_000_000 + "\n")
    file.write(good + '{"output": "' + "torn " * 2_000_000)
with open(sys.argv[1] + "/deep.jsonl", "w") as file:
    for levels in (899, 900, 1000, 200_000):
        file.write('{"success": true, "extra": ' + "[" * (levels - 1) + "]" * (levels - 1) + "}\n")
    file.write('{"success": true, "extra": ' + '{"a": ' * 999 + "1" + "}" * 1000 + "\n")
    file.write(good)
PYTHON
}

@test "lines of 10 MB, and of a thousand levels, are rejects with their reasons; the records around them are rows; memory stays flat" {
  long_and_deep
  run_in_host <<'PYTHON'
import resource
db.execute("SELECT count(*) FROM task_results WHERE job_id = 'nobody'").fetchall()
before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for order in ("ASC", "DESC"):
    rows = db.execute(f"SELECT job_id, count(*) FROM (SELECT job_id, length(record) FROM task_results ORDER BY rowid {order}) GROUP BY 1 ORDER BY 1")
    assert rows.fetchall() == [("deep", 3), ("long", 2)]
rows = db.execute("SELECT job_id, reason, count(*), max(length(line)) FROM task_rejects GROUP BY 1, 2 ORDER BY 1, 2").fetchall()
assert [row[:3] for row in rows] == [("deep", "nested more than 900 levels deep", 3), ("long", "longer than max_line", 7)], rows
assert rows[1][3] is None
assert db.execute("SELECT runs, failures, rejects FROM task_stats WHERE job_id = 'long'").fetchall() == [(2, 0, 7)]
grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
assert grown_kb < 8 * 1024, grown_kb  # less than one such line
PYTHON
}

@test "with lines of 10 MB, every command answers about the records, and changes nothing" {
  long_and_deep
  each_command as_usual
}

@test "a line of 10 MB, if max_line allows it, is a row, and complete" {
  long_and_deep
  export TASKRESULTS_MAX_LINE=20000000
  assert_rows '3|10000000' "SELECT count(*), max(length(output)) FROM task_results('long') WHERE success = 0"
}

@test "a log message of 10 MB is cut, and the commands that read logs answer" {
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
  mkdir "$SCHEDULER_LOGS_DIR"
  make_job a 3
  python3 -c 'print("[2026-01-01T00:00:00Z] Job paused " + "x" * 10_000_000 + "\n" + "[" * 10_000_000 + "\n[2026-01-02T00:00:00Z] Job resumed")' >"$SCHEDULER_LOGS_DIR/a.log"
  assert_rows $'paused|1\nresumed|0' "SELECT event, length(message) BETWEEN 1000000 AND 1100000 FROM task_logs"
  run taskresults sla --window 2026-01-01..2026-01-03 --jsonl
  [[ $status -eq 0 && $output == *'"paused_seconds": 86400'* || $output == *'"paused_seconds":86400'* ]]
}

# --- entries that are not files ----------------------------------------------------------------------------------------

zoo() {
  make_job good 3
  mkfifo "$results/fifo.jsonl"
  python3 -c 'import os, socket, sys; os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind("socket.jsonl")' "$results"
  mkdir "$results/folder.jsonl"
  ln -s loop.jsonl "$results/loop.jsonl"
  ln -s there.jsonl "$results/here.jsonl"
  ln -s here.jsonl "$results/there.jsonl"
  ln -s /dev/zero "$results/zero.jsonl"
  ln -s . "$results/dot.jsonl"
  ln -s /etc/passwd "$results/passwd.jsonl"
  printf '{"success": true}\n' >"$results/"$'\xff\xfe.jsonl'
  mknod "$results/device.jsonl" c 1 5 2>/dev/null || true # where we may: /dev/zero
}

only_the_good_job() {
  case $1 in
    doctor) ((status == 1)) && [[ $output == *'not a regular file, but a FIFO'*'file name is not valid UTF-8'* ]] ;;
    prune*) ((status == 0 || status == 3)) && [[ $output == *'"job_id":"good"'* ]] ;;
    alerts*) ((status == 0)) ;;
    rejects*) ((status == 0)) && [[ $output == *"\"job_id\":\"x'FFFE'\""* && $output != *root:x:* ]] ;;
    *) ((status == 0)) && [[ $output != *root:x:* ]] ;;
  esac
}

@test "FIFOs, sockets, devices, loops of links, folders, names that are not UTF-8: every command answers in time" {
  zoo
  each_command only_the_good_job
  [[ $(taskresults list --csv | cut -d , -f 1,2 | tr -d '\r') == $'job_id,runs\ngood,3' ]]
}

@test "a command that is given an entry that is not a file by name reports it, and never waits" {
  zoo
  cd "$BATS_TEST_TMPDIR"
  local entry command
  for entry in fifo socket folder loop zero passwd; do
    for command in view stats errors rejects sla export; do
      run timeout 300 "$(tool taskresults)" "$command" "$entry"
      ((status == 0 || status == 1 || status == 3)) || { echo "$command $entry: $status, $output"; return 1; }
      [[ $output != *root:x:* ]]
    done
    run timeout 300 "$(tool taskresults)" prune "$entry" --keep 1
    [[ $status -eq 3 && $output == *"$entry.jsonl is "* ]]
    run timeout 300 "$(tool taskresults)" run "$entry" --quiet -- true
    [[ $output == *"$entry"* ]]
  done
  [[ -p $results/fifo.jsonl && -L $results/loop.jsonl && $(readlink "$results/passwd.jsonl") == /etc/passwd ]]
}

@test "-o with something that is not a file writes to it or refuses it, and never replaces it by a file" {
  make_job a 3
  cd "$BATS_TEST_TMPDIR"
  mkdir folder
  ln -s loop loop
  local command
  for command in metrics report export; do
    run timeout 300 "$(tool taskresults)" "$command" -o folder
    [[ $status -eq 3 && $output == *folder* && -z $(ls -A folder) ]]
    run timeout 300 "$(tool taskresults)" "$command" -o loop
    [[ $status -eq 3 && $output == *loop* && -L loop ]]
    run timeout 300 "$(tool taskresults)" "$command" -o /dev/full
    [[ $status -eq 3 && -c /dev/full ]] || { echo "$command: $status $output"; return 1; }
    run timeout 300 "$(tool taskresults)" "$command" -o /dev/null
    [[ $status -eq 0 && -c /dev/null ]]
  done
}

# --- swapped under a scan ------------------------------------------------------------------------------------------------

@test "if the results directory is replaced during a scan, the scan stays in the one that it opened" {
  local job
  for job in a b c; do make_job $job 3; done
  mkdir "$BATS_TEST_TMPDIR/other"
  printf '{"output": "forged"}\n' | tee "$BATS_TEST_TMPDIR/other/"{b,c,d}.jsonl >/dev/null
  run_in_host <<PYTHON
import os
for table in ("task_results", "task_stats", "task_errors", "task_runs"):
    column = "1" if table == "task_errors" else "job_id"
    rows = db.execute(f"SELECT job_id FROM {table} ORDER BY rowid" if table in ("task_results", "task_runs") else f"SELECT job_id FROM {table}")
    first = rows.fetchone()
    os.rename("$results", "$results.away")
    os.rename("$BATS_TEST_TMPDIR/other", "$results")
    seen = {first[0]} | {row[0] for row in rows} if first else set()
    assert "d" not in seen and (table == "task_errors" or seen == {"a", "b", "c"}), (table, seen)
    # The next query reads what is there now.
    assert db.execute("SELECT group_concat(job_id || output, ' ') FROM task_results").fetchall() == [("bforged cforged dforged",)]
    os.rename("$results", "$BATS_TEST_TMPDIR/other")
    os.rename("$results.away", "$results")
PYTHON
}

@test "if the results directory is replaced before COMMIT, the records go into the one of the INSERT" {
  mkdir "$BATS_TEST_TMPDIR/other"
  run_in_host <<PYTHON
import os
db.execute("SELECT taskresults_writable(1)").fetchall()
db.execute("BEGIN")
db.execute("INSERT INTO task_results(job_id, success) VALUES ('a', 1)")
os.rename("$results", "$results.away")
os.rename("$BATS_TEST_TMPDIR/other", "$results")
db.execute("COMMIT")
assert os.listdir("$results") == [] and os.listdir("$results.away") == ["a.jsonl"]
PYTHON
}

@test "while a directory is swapped over and over, each query reads one of the two, or says that there is none" {
  local job
  for job in a b c d e f; do make_job $job 2; done
  cp -a "$results" "$BATS_TEST_TMPDIR/other"
  rm "$BATS_TEST_TMPDIR/other/"[d-f].jsonl
  run_in_host <<PYTHON
import os, threading
stop = threading.Event()
def swap():
    while not stop.is_set():
        os.rename("$results", "$results.away")
        os.rename("$BATS_TEST_TMPDIR/other", "$results")
        os.rename("$results.away", "$BATS_TEST_TMPDIR/other")
thread = threading.Thread(target=swap)
thread.start()
answers = set()
before = len(os.listdir("/proc/self/fd"))
try:
    for _ in range(2000):
        try:
            answers.add(db.execute("SELECT count(*) FROM task_results").fetchone()[0])
        except Exception as error:
            assert "$results: No such file or directory" in str(error), error
            answers.add("none")
finally:
    stop.set()
    thread.join()
assert answers <= {12, 6, "none"} and answers & {12, 6}, answers
assert len(os.listdir("/proc/self/fd")) == before
PYTHON
}

# --- few descriptors, little memory, no permission ---------------------------------------------------------------------

@test "with 16 descriptors a hundred jobs are read; with too few, the query fails and says so" {
  make_files 100
  run bash -c 'ulimit -n 16; sqlite3 -batch -init /dev/null -cmd ".load $1" :memory: "SELECT count(*) FROM task_results" \
    "SELECT count(*) FROM task_stats" "SELECT sum(rejects) FROM task_stats" "SELECT count(*) FROM task_results AS a JOIN task_results AS b USING (job_id)"' - "$extension"
  [[ $status -eq 0 && $output == $'100\n100\n0\n100' ]]
  run bash -c 'ulimit -n 16; sqlite3 -batch -bail -init /dev/null -cmd ".load $1" :memory: \
    "SELECT count(*) FROM task_results a, task_results b, task_results c, task_results d, task_results e, task_results f, task_results g"' - "$extension"
  [[ $status -ne 0 && $output == *'Too many open files'* && $output == *"$results"* ]]
  run_in_host <<'PYTHON'
import os, resource
low = os.dup(0)  # the lowest number that is free
os.close(low)
resource.setrlimit(resource.RLIMIT_NOFILE, (low + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
cursors, failed = [], 0
for _ in range(5):
    try:
        cursors.append(db.execute("SELECT * FROM task_results"))
    except Exception as error:
        failed += 1
        assert "Too many open files" in str(error) or "unable to open" in str(error), error
assert failed == 5, failed
resource.setrlimit(resource.RLIMIT_NOFILE, (low + 20, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
assert db.execute("SELECT count(*) FROM task_results").fetchall() == [(100,)]  # nothing was left open, and it goes on
PYTHON
}

right_or_said() {
  ((status == 0 || status == 3 || status == 1)) && { ((status == 0)) || [[ -n $output ]]; }
}

@test "with 16 descriptors every command answers" {
  make_files 100
  ulimit -Sn 16
  each_command right_or_said
  run taskresults list --csv
  [[ $status -eq 0 && ${#lines[@]} -eq 101 ]]
}

@test "with little address space a scan gives all rows; a line that does not fit is 'out of memory', never fewer rows" {
  make_job big 50000
  local limit_kb answers=0
  for limit_kb in 40000 30000 25000 22000 20000 18000 16000 14000 12000 10000 8000; do
    run bash -c 'ulimit -v "$1"; exec sqlite3 -batch -bail -init /dev/null -cmd ".load $2" :memory: \
      "SELECT count(*), sum(length(output)) > 0 FROM task_results"' - "$limit_kb" "$extension"
    if ((status == 0)); then
      [[ $output == '50000|1' ]] || { echo "$limit_kb: $output"; return 1; }
      answers=$((answers + 1))
    else
      [[ $output != 50000* && $output != [0-9]* ]] || { echo "$limit_kb: $output"; return 1; }
    fi
  done
  ((answers >= 3))
}

@test "run, with few descriptors or little memory: the record is complete, or it fails and says why" {
  local limit recorded=0
  for limit in '-n 16' '-n 12' '-n 10' '-n 8' '-n 6' '-v 30000' '-v 15000' '-v 10000' '-v 8000' '-v 6000'; do
    rm -f "$results/r.jsonl"
    run bash -c 'ulimit $1; exec "$2" run r -- echo one' - "$limit" "$(tool taskresults)"
    if ((status == 0)); then
      [[ $output == one && $(sql "SELECT output, error FROM task_results('r')") == 'one|' ]] || { echo "$limit: $output"; return 1; }
      recorded=$((recorded + 1))
    else
      ((status >= 3)) && [[ -n $output ]] || { echo "$limit: status $status, $output"; return 1; }
      [[ $(sql "SELECT count(*) FROM task_rejects('r')") == 0 ]]
    fi
  done
  ((recorded > 0))
}

@test "follow, with few descriptors or little memory: it shows the records, or fails and says why" {
  make_job a 3
  local limit shown=0 out=$BATS_TEST_TMPDIR/out follower status
  settled() { [[ $(<"$out") == *'run 1'*'run 2'* ]] || ! kill -0 "$follower"; }
  for limit in '-n 16' '-n 12' '-n 10' '-n 8' '-n 6' '-v 30000' '-v 10000' '-v 6000'; do
    : >"$out"
    env --default-signal bash -c 'ulimit $1; exec "$2" follow --limit 2 --interval 0.1' - "$limit" "$(tool taskresults)" \
      >"$out" 2>&1 3>&- &
    follower=$! status=0
    await settled
    if kill "$follower"; then shown=$((shown + 1)); fi
    wait "$follower" || status=$?
    # We ended it, or it ended itself, with a message.
    ((status >= 3)) && [[ -s $out ]] || { echo "$limit: status $status, $(<"$out")"; return 1; }
  done
  ((shown > 0))
}

@test "a results directory without permission: run shows its command's output and says that it is not recorded; follow fails" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  make_job a 3
  local mode
  for mode in 0 311 644 555; do
    chmod "$mode" "$results"
    "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
    cd "$open_place"
    run "${as_nobody[@]}" timeout 300 "$(tool taskresults)" run new -- echo one
    [[ $status -eq 3 && $output == *one* && $output == *'NOT RECORDED'* ]] || ((mode == 311 && status == 0)) ||
      { echo "$mode, run: $status, $output"; return 1; }
    ((mode != 555)) || continue
    run "${as_nobody[@]}" timeout 300 "$(tool taskresults)" follow --limit 2 --interval 0.1
    [[ $status -eq 3 && $output == *"$results"* ]] || { echo "$mode, follow: $status, $output"; return 1; }
  done
}

@test "a results directory without permission: every command names it, and ends" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  make_job a 3
  local command words
  for mode in 0 311 644; do
    chmod "$mode" "$results"
    "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
    cd "$open_place"
    mkdir -p -m 777 state
    for command in "${readers[@]}"; do
      read -ra words <<<"${command/--state state/--state state/alerts}"
      run "${as_nobody[@]}" timeout 300 "$(tool taskresults)" "${words[@]}"
      [[ $command == 'doctor' && $status -eq 1 || $status -eq 3 ]] || { echo "$mode, $command: $status, $output"; return 1; }
      [[ $output == *"$results"* ]] || { echo "$mode, $command: $output"; return 1; }
    done
  done
}
