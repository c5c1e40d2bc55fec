#!/usr/bin/env bats
# What others do to a scheduler's files while task_slots, zones and the commands on top of them are at work: the answer is
# that of before or of after, or an error that names the file.

load ../lib/helpers
load ../lib/host
load ../lib/shell
load ../lib/state

# jobs ID SCHEDULE... - jobs.json lists these, made on 2026-01-01 at 00:30.
jobs() {
  python3 - "$jobs_file" "$@" <<'PYTHON'
import json, sys
words = sys.argv[2:]
json.dump({"jobs": [{"id": words[i], "name": words[i], "schedule": words[i + 1], "enabled": True,
                     "created_at": "2026-01-01T00:30:00Z"} for i in range(0, len(words), 2)]}, open(sys.argv[1], "w"))
PYTHON
}

@test "a file that is changed before any call of a query: the rows of before or of after, or an error that names it (every 60th case; make faults has all)" {
  run env TASKRESULTS_ROOT="$root" PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/live/changed_between_calls.py" 60
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "jobs.json is read anew by each statement: replaced, cut short, emptied, removed, a folder, a FIFO, and there again" {
  jobs a '0 * * * *' b '30 * * * *'
  run_in_host <<'PYTHON'
import json, os, sqlite3
path = os.environ["SCHEDULER_JOBS_FILE"]
whole = open(path).read()
def ask(): return db.execute("SELECT job_id, count(*) FROM task_slots('2026-01-01', '2026-01-01T05:00:00Z') GROUP BY job_id").fetchall()
def fails(*words):
    for table in ("task_slots('2026-01-01', '2026-01-02')", "task_jobs"):
        try: db.execute(f"SELECT * FROM {table}").fetchall()
        except sqlite3.Error as error: assert path in str(error) and any(word in str(error) for word in words), error
        else: raise AssertionError((table, words))
BOTH = [("a", 5), ("b", 4)]
assert ask() == BOTH
with open(path + ".new", "w") as file: file.write(whole.replace('"b"', '"c"'))
os.rename(path + ".new", path)
assert ask() == [("a", 5), ("c", 4)]
for cut in range(len(whole)):
    with open(path, "w") as file: file.write(whole[:cut])
    if cut % 40 == 0 or cut == len(whole) - 1: fails(f"byte {cut}: ", "byte ")
os.unlink(path)
fails("No such file")
os.mkdir(path)
fails("a directory")
os.rmdir(path)
os.mkfifo(path)
fails("a FIFO")
os.unlink(path)
os.symlink(path, path)
fails("Too many levels")
os.unlink(path)
with open(path, "w") as file: file.write(whole)
assert ask() == BOTH
if os.geteuid():
    os.chmod(path, 0)
    fails("Permission denied")
    os.chmod(path, 0o600)
    assert ask() == BOTH
PYTHON
}

@test "a query under way keeps the jobs that it began with; results and logs are those of the moment in which a job's turn comes" {
  local job
  for job in a b c; do
    log "$job" 01:00:00 'Starting execution'
    log "$job" 01:00:05 'Execution succeeded'
  done
  jobs a '0 * * * *' b '0 * * * *' c '0 * * * *'
  run_in_host <<'PYTHON'
import os
path, logs = os.environ["SCHEDULER_JOBS_FILE"], os.environ["SCHEDULER_LOGS_DIR"]
cursor = db.execute("SELECT job_id, substr(slot, 12, 5), state FROM task_slots('2026-01-01', '2026-01-01T02:30:00Z')")
assert cursor.fetchone() == ("a", "01:00", "ran")
os.unlink(path)
open(f"{logs}/b.log", "w").write("[2026-01-01T00:30:00Z] Scheduled: b\n[2026-01-01T00:45:00Z] Job paused\n")
os.unlink(f"{logs}/c.log")
rest = cursor.fetchall()
assert rest[0] == ("a", "02:00", "missed"), rest
# Of b, it is not known when it was enabled again; of c, nothing is known.
assert [row[:2] for row in rest[1:]] == [("b", "01:00"), ("b", "02:00"), ("c", "01:00"), ("c", "02:00")], rest
assert not any(row[2] == "ran" for row in rest[1:]), rest
PYTHON
}

@test "a log that is emptied again and again is an error, and not a job without runs" {
  jobs a '0 * * * *'
  log a 01:00:00 'Starting execution'
  log a 01:00:05 'Execution succeeded'
  log a 01:30:00 'Job paused'
  assert_rows '01:00 ran,02:00 unknown' "SELECT group_concat(substr(slot, 12, 5) || ' ' || state)
    FROM task_slots('2026-01-01', '2026-01-01T02:30:00Z')"
  run with_faults FAULTS_PREAD_AFTER=1 FAULTS_PREAD_TIMES=100 FAULTS_ERRNO=0 -- sqlite3 -batch -bail -init /dev/null \
    -cmd ".load $extension" :memory: "SELECT count(*) FROM task_slots('2026-01-01', '2026-01-01T02:30:00Z')"
  [[ $status -ne 0 && $output == *"job 'a': its log becomes shorter again and again"* ]]
  # Once is no harm.
  for after in 1 2 3; do
    run with_faults FAULTS_PREAD_AFTER=$after FAULTS_PREAD_TIMES=1 FAULTS_ERRNO=0 -- sqlite3 -batch -bail -init /dev/null \
      -cmd ".load $extension" :memory: "SELECT group_concat(state) FROM task_slots('2026-01-01', '2026-01-01T02:30:00Z')"
    [[ $status -eq 0 && $output == ran,unknown ]] || { echo "$after: $output"; return 1; }
  done
}

@test "a zone's file is read anew by each statement, and once for all of its rows; each prefix of it is an error" {
  local zones=$BATS_TEST_TMPDIR/zones
  mkdir "$zones"
  cp /usr/share/zoneinfo/Europe/Berlin "$zones/Town"
  TZDIR=$zones run_in_host <<'PYTHON'
import os, sqlite3
path = os.environ["TZDIR"] + "/Town"
whole = open(path, "rb").read()
ASK = "SELECT substr(taskresults_local(us, 'Town'), 12, 5) FROM (SELECT 1767225600000000 AS us UNION ALL SELECT 1782864000000000 UNION ALL SELECT 0)"
BERLIN = [("01:00",), ("02:00",), ("01:00",)]
def write(content):
    with open(path + ".new", "wb") as file: file.write(content)
    os.rename(path + ".new", path)
assert db.execute(ASK).fetchall() == BERLIN
for cut in range(len(whole)):
    write(whole[:cut])
    try: found = db.execute(ASK).fetchall()
    except sqlite3.Error as error: assert path in str(error) and "damaged" in str(error), error
    else: raise AssertionError((cut, found))
write(whole)
cursor = db.execute(ASK)
assert cursor.fetchone() == BERLIN[0]
os.unlink(path)
assert cursor.fetchall() == BERLIN[1:]
try: db.execute(ASK).fetchall()
except sqlite3.Error as error: assert path in str(error) and "No such file" in str(error), error
else: raise AssertionError("no file")
write(whole)
assert db.execute(ASK).fetchall() == BERLIN
PYTHON
}

@test "a zone's file that comes in pieces is read to its end" {
  cp /usr/share/zoneinfo/Europe/Berlin "$BATS_TEST_TMPDIR/zone.json" # so called, the shim acts on it
  local pieces
  for pieces in 1 7 1000; do
    run with_faults FAULTS_SHORT=$pieces FAULTS_EINTR=1 TZ="$BATS_TEST_TMPDIR/zone.json" -- sqlite3 -batch -bail -init /dev/null \
      -cmd ".load $extension" :memory: "SELECT taskresults_local(1782864000000000, 'local')"
    [[ $status -eq 0 && $output == 2026-07-01T02:00:00+02:00 ]] || { echo "$pieces: $output"; return 1; }
  done
}

# --- how the work grows ---------------------------------------------------------------------------------------------------

# hourly_jobs COUNT - as many jobs, each with a log and records of a day in 2026, of which two runs are missing.
hourly_jobs() {
  python3 - "$results" "$logs" "$jobs_file" "$1" <<'PYTHON'
import json, sys
results, logs, jobs, count = *sys.argv[1:4], int(sys.argv[4])
hours = [f"2026-01-01T{hour:02}:00" for hour in range(1, 24) if hour not in (7, 8)]
records = "".join('{"timestamp": "%s:20Z", "success": true}\n' % hour for hour in hours)
log = "[2026-01-01T00:30:00Z] Scheduled: x\n" + "".join(f"[{hour}:01Z] Starting execution\n[{hour}:20Z] Execution succeeded\n" for hour in hours)
for i in range(count):
    open(f"{results}/j{i}.jsonl", "w").write(records)
    open(f"{logs}/j{i}.log", "w").write(log)
json.dump({"jobs": [{"id": f"j{i}", "schedule": "0 * * * *", "created_at": "2026-01-01T00:30:00Z"} for i in range(count)]}, open(jobs, "w"))
PYTHON
}

# work_of WORDS... - runs the command; sets `opened` (results and logs), `bytes` read from them, and `processes`.
work_of() {
  local traces=$BATS_TEST_TMPDIR/traces
  rm -rf "$traces"
  mkdir "$traces"
  # A file for each process, so that lines of two processes do not mix.
  strace -ff -qq --seccomp-bpf -y -e trace=openat,execve,pread64 -o "$traces/of" "$(tool taskresults)" "$@" \
    >"$BATS_TEST_TMPDIR/out" || (($? == 1))
  cat "$traces"/* >"$BATS_TEST_TMPDIR/trace"
  opened=$(grep -cE '^openat\(.*"[^"]*\.(jsonl|log)".* = [0-9]' "$BATS_TEST_TMPDIR/trace")
  bytes=$(awk '/^pread64\([0-9]+<[^>]*\.(jsonl|log)>/ { sum += $NF } END { print sum + 0 }' "$BATS_TEST_TMPDIR/trace")
  processes=$(grep -c '^execve(.* = 0$' "$BATS_TEST_TMPDIR/trace")
}

@test "sla --count missed, next and metrics: 400 jobs are twenty times the files and bytes of 20, and no process more" {
  require_strace
  local words few=()
  local -A before=()
  hourly_jobs 20
  for words in 'sla --window 2026-01-01..2026-01-02 --count missed --max-duration 10s --csv' 'next --csv' 'metrics'; do
    # shellcheck disable=SC2086  # words
    work_of $words
    ((opened >= 40 && bytes > 0))
    before[$words]="$opened $bytes $processes"
  done
  hourly_jobs 400
  for words in "${!before[@]}"; do
    # shellcheck disable=SC2086
    work_of $words
    read -ra few <<<"${before[$words]}"
    ((opened <= 20 * few[0] && bytes <= 20 * few[1] && processes == few[2])) ||
      { echo "$words: ${few[*]}; $opened $bytes $processes"; return 1; }
    (($(grep -c '\bj[0-9]' "$BATS_TEST_TMPDIR/out") >= 400))
  done
}
