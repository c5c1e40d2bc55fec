#!/usr/bin/env bats
# task_jobs: jobs.json, complete or just being written; which jobs run, died, are overdue or orphaned.

load ../lib/helpers
load ../lib/state
load ../lib/host

# jobs JSON... - the jobs file has these elements.
jobs() {
  local IFS=,
  printf '{"jobs": [%s]}' "$*" >"$jobs_file"
}

# checkpoint JOB PID [STARTED_AT]
checkpoint() {
  printf '{"job_id": "x", "started_at": "%s", "pid": %s}' "${3:-$(date -u +%FT%T.%6NZ)}" "$2" \
    >"$BATS_TEST_TMPDIR/.checkpoint_$1.json"
}

# --- the recorded file ------------------------------------------------------------------------------------------------------

@test "the recorded jobs are there with their members" {
  use_recorded
  assert_rows '15|1' "SELECT count(*) FILTER (WHERE state <> 'orphaned'), count(*) FILTER (WHERE state = 'orphaned') FROM task_jobs"
  assert_rows "flaky-api|Flaky API|every 30 minutes|1|1|0|2026-11-22T20:30:15.850087Z|2026-11-22T21:00:15.850079Z|NULL|\
orchestrator|claude|command|NULL|NULL|NULL|1795381215850079|NULL" \
    "SELECT job_id, name, schedule, enabled, recurring, notify, created_at, next_run, last_run, agent, runtime, mode, cron,
            timeout, created_by, next_run_us, last_run_us FROM task_jobs WHERE job_id = 'flaky-api'"
  assert_rows 'exit-code-only|orphaned|NULL|NULL' "SELECT job_id, state, name, record FROM task_jobs WHERE state = 'orphaned'"
  assert_rows 'silent|paused|NULL' "SELECT job_id, state, overdue_s FROM task_jobs WHERE NOT enabled"
}

@test "the record of a job is the job, as JSON" {
  use_recorded
  run_in_host <<PYTHON
import json
with open("$recorded/jobs.json") as file:
    jobs = json.load(file)["jobs"]
rows = db.execute("SELECT record FROM task_jobs WHERE record IS NOT NULL").fetchall()
assert [json.loads(row[0]) for row in rows] == jobs
PYTHON
}

# --- members ----------------------------------------------------------------------------------------------------------------

@test "a member of another type is what json_extract() gives" {
  jobs '{"id": "a", "timeout": 300, "created_by": {"chat": [1, 2]}, "notify": null, "enabled": 1, "cron": 1.5, "name": [],
         "mode": 12345678901234567890}'
  assert_rows 'integer|300|text|{"chat":[1,2]}|null|1|1.5|[]|1.23456789012346e+19' \
    "SELECT typeof(timeout), timeout, typeof(created_by), created_by, typeof(notify), enabled, cron, name, printf('%.15g', mode)
     FROM task_jobs"
}

@test "the last of duplicate keys counts, as in Python, and keys are case-sensitive" {
  jobs '{"id": "first", "id": "last", "Name": "no"}'
  assert_rows 'last|NULL' 'SELECT job_id, name FROM task_jobs'
}

@test "an element that is not an object, has no id, or has another's id is a row, too" {
  jobs 1 null '"text"' '[{"id": "inside"}]' '{"id": 5}' '{}' '{"id": "a"}' '{"id": "a", "enabled": false}' '{"id": ""}'
  assert_rows 'NULL|NULL|1
NULL|NULL|null
NULL|NULL|"text"
NULL|NULL|[{"id":"inside"}]
NULL|idle|{"id":5}
NULL|idle|{}
a|idle|{"id":"a"}
a|paused|{"id":"a","enabled":false}
|idle|{"id":""}' 'SELECT job_id, state, record FROM task_jobs'
}

@test "escaped NULs and lone surrogates read as U+FFFD, and pairs as what they are" {
  jobs '{"id": "a\u0000b", "name": "\ud800x\udc00", "task": "\ud83d\ude00 \\u0000 \ud83d\ud83d\ude00"}'
  assert_rows 'a�b|�x�|😀 \u0000 �😀' 'SELECT job_id, name, task FROM task_jobs'
  jobs '{"id": "a", "name": "\ud800\ue000\uffff"}' # no pair: the second is no surrogate
  assert_rows 'EFBFBDEE8080EFBFBF' 'SELECT hex(name) FROM task_jobs'
}

@test "a job without the key enabled is enabled; one with a value that Python calls false is not" {
  jobs '{"id": "a"}' '{"id": "b", "enabled": true}' '{"id": "c", "enabled": "no"}' '{"id": "d", "enabled": null}' \
    '{"id": "e", "enabled": 0}' '{"id": "f", "enabled": ""}' '{"id": "g", "enabled": []}' '{"id": "h", "enabled": {}}' \
    '{"id": "i", "enabled": [0]}' '{"id": "j", "enabled": {"a": 0}}' '{"id": "k", "enabled": 0.5}'
  assert_rows 'idle|a,b,c,i,j,k
paused|d,e,f,g,h' 'SELECT state, group_concat(job_id) FROM task_jobs GROUP BY state'
  assert_rows '0|d,e,f,g,h
1|a,b,c,i,j,k' 'SELECT is_enabled, group_concat(job_id) FROM task_jobs GROUP BY is_enabled'
}

@test "interval_us: of \`every N unit\`, also where cron cannot be read; not of a time of day, of cron or of a single time" {
  jobs '{"id": "a", "schedule": "every 5 minutes"}' '{"id": "b", "schedule": "Every 2 weeks"}' '{"id": "c", "schedule": "every hour"}' \
    '{"id": "d", "schedule": "every 30 s"}' '{"id": "e", "schedule": "every 1 day", "cron": "0 9 * * *"}' \
    '{"id": "f", "schedule": "every day at 9"}' '{"id": "g", "schedule": "in 5 minutes"}' '{"id": "h", "schedule": 5}' '{"id": "i"}' \
    '{"id": "j", "schedule": "every 1 day", "cron": "x"}' 3
  assert_rows 'a|300000000
b|1209600000000
c|3600000000
j|86400000000' 'SELECT job_id, interval_us FROM task_jobs WHERE interval_us IS NOT NULL'
  assert_rows 11 'SELECT count(*) FROM task_jobs'
}

# --- late -------------------------------------------------------------------------------------------------------------------

@test "an enabled job whose next run is past is overdue, by so many seconds" {
  local next
  next=$(date -u -d '-100 seconds' +%FT%TZ)
  jobs "{\"id\": \"late\", \"next_run\": \"$next\"}" "{\"id\": \"off\", \"next_run\": \"$next\", \"enabled\": false}" \
    '{"id": "soon", "next_run": "9999-01-01T00:00:00Z"}' '{"id": "never", "next_run": null}' '{"id": "odd", "next_run": "soon"}'
  assert_rows 'late|1|overdue
never|NULL|idle
odd|NULL|unknown
off|NULL|paused
soon|NULL|idle' 'SELECT job_id, overdue_s BETWEEN 99 AND 160, state FROM task_jobs ORDER BY 1'
}

@test "next_run is read in any spelling of a time; if it cannot be read, the state is unknown, not idle" {
  jobs '{"id": "a", "next_run": "2026-01-01T00:30:00+0100"}' '{"id": "b", "next_run": "2026-01-01 00:30:00,5+01"}' \
    '{"id": "c", "next_run": "tomorrow"}' '{"id": "d", "next_run": 1767224000}' '{"id": "e", "next_run": ""}' '{"id": "f"}' \
    '{"id": "g", "next_run": "tomorrow", "enabled": false}' '{"id": "h", "next_run": "9999-01-01T00:00z"}'
  assert_rows 'a|overdue|1767223800000000
b|overdue|1767223800500000
c|unknown|NULL
d|unknown|NULL
e|idle|NULL
f|idle|NULL
g|paused|NULL
h|idle|253370764800000000' 'SELECT job_id, state, next_run_us FROM task_jobs ORDER BY 1'
  jobs '{"id": "a", "created_at": "2026-01-01T00:30:00+0100"}' '{"id": "b", "created_at": "tomorrow"}'
  assert_rows $'a|1767223800000000\nb|NULL' 'SELECT job_id, created_us FROM task_jobs ORDER BY 1'
}

# --- running ----------------------------------------------------------------------------------------------------------------

@test "a checkpoint of a live process is a running job, of a dead one a job that died" {
  local dead
  sleep 0 &
  dead=$!
  wait "$dead"
  jobs '{"id": "live"}' '{"id": "dead"}' '{"id": "off", "enabled": false}' '{"id": "none"}'
  checkpoint live $$
  checkpoint off $$
  checkpoint dead "$dead"
  assert_rows 'live|running
dead|died
off|running
none|idle' 'SELECT job_id, state FROM task_jobs'
}

@test "a running job has the time at which its run began, from its checkpoint; other jobs have none" {
  local dead
  sleep 0 &
  dead=$!
  wait "$dead"
  jobs '{"id": "live"}' '{"id": "offset"}' '{"id": "unsaid"}' '{"id": "unreadable"}' '{"id": "dead"}' '{"id": "none"}' '{"id": 5}'
  checkpoint live $$ 2099-01-01T00:00:00Z
  checkpoint offset $$ 2099-01-01T01:00:00.5+01:00
  printf '{"pid": %s}' "$$" >"$BATS_TEST_TMPDIR/.checkpoint_unsaid.json"
  checkpoint unreadable $$ 'some time'
  checkpoint dead "$dead" 2099-01-01T00:00:00Z
  assert_rows 'live|running|4070908800000000
offset|running|4070908800500000
unsaid|running|NULL
unreadable|running|NULL
dead|died|NULL
none|idle|NULL
NULL|idle|NULL' 'SELECT job_id, state, started_us FROM task_jobs'
  assert_rows '4070908800000000|running' "SELECT started_us, state FROM task_jobs WHERE job_id = 'live'"
}

@test "a process that began long after the job's run is another process: the job died" {
  jobs '{"id": "reused"}' '{"id": "close"}' '{"id": "unsaid"}'
  checkpoint reused $$ "$(date -u -d '-3 days' +%FT%TZ)"
  checkpoint close $$ "$(date -u -d "@$(($(stat -c %Y /proc/$$) - 50))" +%FT%TZ)"
  checkpoint unsaid $$ 'some time'
  assert_rows 'reused|died
close|running
unsaid|running' 'SELECT job_id, state FROM task_jobs'
}

@test "a job runs if its process is another user's, or if the checkpoint does not say when it began" {
  jobs '{"id": "unsaid"}' '{"id": "theirs"}'
  printf '{"pid": %d}' $$ >"$BATS_TEST_TMPDIR/.checkpoint_unsaid.json"
  checkpoint theirs 1
  assert_rows 'unsaid|running
theirs|running' 'SELECT job_id, state FROM task_jobs'
  ((EUID == 0)) || return 0
  load ../lib/shell
  open_results
  cp "$jobs_file" "$BATS_TEST_TMPDIR"/.checkpoint_* "$open_place"
  run "${as_nobody[@]}" env SCHEDULER_JOBS_FILE="$open_place/jobs.json" sqlite3 -batch -init /dev/null \
    -cmd ".load $extension" :memory: "SELECT state FROM task_jobs WHERE job_id = 'theirs'"
  rm -r "$open_place"
  [[ $status -ne 0 || $output == running || $output == *'cannot open shared object file: Permission denied'* ]]
}

@test "a job whose process is a zombie is not running" {
  jobs '{"id": "z"}'
  python3 - "$BATS_TEST_TMPDIR/pid" "$BATS_TEST_TMPDIR/go" <<'PYTHON' &
import os, sys, time
pid = os.fork()
if pid == 0:
    os._exit(0)
while open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z":
    time.sleep(0.001)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(pid))
os.rename(sys.argv[1] + ".new", sys.argv[1])
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
os.waitpid(pid, 0)
PYTHON
  local parent=$!
  until [[ -e $BATS_TEST_TMPDIR/pid ]]; do read -rt 0.01 <> <(:) || :; done
  checkpoint z "$(cat "$BATS_TEST_TMPDIR/pid")"
  local state
  state=$(sql 'SELECT state FROM task_jobs')
  touch "$BATS_TEST_TMPDIR/go"
  wait "$parent"
  [[ $state == died ]]
}

@test "a checkpoint that names no process is a job that died" {
  jobs '{"id": "torn"}' '{"id": "empty"}' '{"id": "text"}' '{"id": "zero"}' '{"id": "minus"}' '{"id": "huge"}' '{"id": "array"}'
  printf '{"pid": 1' >"$BATS_TEST_TMPDIR/.checkpoint_torn.json"
  : >"$BATS_TEST_TMPDIR/.checkpoint_empty.json"
  checkpoint text '"1"'
  checkpoint zero 0
  checkpoint minus -1
  checkpoint huge 4294967297
  printf '[1]' >"$BATS_TEST_TMPDIR/.checkpoint_array.json"
  assert_rows '7|7' "SELECT count(*), sum(state = 'died') FROM task_jobs"
}

@test "a checkpoint that is a FIFO or a link fails the query, with its name, and is not opened" {
  jobs '{"id": "a"}'
  mkfifo "$BATS_TEST_TMPDIR/.checkpoint_a.json"
  assert_sql_error "job 'a': .checkpoint_a.json beside the jobs file: not a regular file, but a FIFO" 'SELECT state FROM task_jobs'
  assert_rows a 'SELECT job_id FROM task_jobs' # only the state needs it
  rm "$BATS_TEST_TMPDIR/.checkpoint_a.json"
  ln -s /proc/self/status "$BATS_TEST_TMPDIR/.checkpoint_a.json"
  assert_sql_error 'Too many levels of symbolic links' 'SELECT state FROM task_jobs'
}

@test "no checkpoint is looked for if an id cannot be a file's name" {
  jobs '{"id": "../x"}' "{\"id\": \"$(printf '%0300d' 0)\"}" '{"id": "a\u0000b"}'
  assert_rows 3 "SELECT count(*) FROM task_jobs WHERE state = 'idle'"
}

# --- orphans ----------------------------------------------------------------------------------------------------------------

@test "results without a job in jobs.json are orphaned jobs, in order; other entries of the directory are not" {
  jobs '{"id": "a"}' '{"id": 5}'
  make_job a 1
  make_job z 1
  make_job "b's" 1
  make_job 5 1
  mkdir "$results/dir.jsonl"
  ln -s a.jsonl "$results/link.jsonl"
  : >"$results/$(printf 'bad\xff').jsonl"
  assert_rows "a|idle
NULL|idle
5|orphaned
b's|orphaned
z|orphaned" 'SELECT job_id, state FROM task_jobs'
}

@test "without a results directory there are no orphans; one that cannot be listed is an error" {
  jobs '{"id": "a"}'
  export SCHEDULER_RESULTS_DIR=/no/such/directory
  assert_rows a 'SELECT job_id FROM task_jobs'
  export SCHEDULER_RESULTS_DIR=$jobs_file
  assert_sql_error "results directory $jobs_file: Not a directory" 'SELECT job_id FROM task_jobs'
  export SCHEDULER_RESULTS_DIR=$jobs_file/results
  assert_sql_error "results directory $jobs_file/results: Not a directory" 'SELECT job_id FROM task_jobs'
}

# --- the file ---------------------------------------------------------------------------------------------------------------

@test "a missing jobs file fails the query, with its name and the variable's" {
  assert_sql_error "jobs file $jobs_file: No such file or directory (set SCHEDULER_JOBS_FILE" 'SELECT * FROM task_jobs'
  export SCHEDULER_JOBS_FILE=/no/such/place/jobs.json
  assert_sql_error 'jobs file /no/such/place/jobs.json: No such file or directory' 'SELECT * FROM task_jobs'
  assert_rows dropped "CREATE VIRTUAL TABLE temp.j USING task_jobs(file='/no/such/place')" 'DROP TABLE j' "SELECT 'dropped'"
}

@test "without the variable, or with an empty one, the error names the default file; a file of more than 64 MiB is not read" {
  truncate -s $((64 * 1024 * 1024 + 1)) "$jobs_file"
  assert_sql_error "jobs file $jobs_file: larger than 64 MiB" 'SELECT * FROM task_jobs'
  [[ ! -e /opt/.task-scheduler/jobs.json ]] || skip 'there is a scheduler here'
  SCHEDULER_JOBS_FILE='' assert_sql_error 'jobs file /opt/.task-scheduler/jobs.json: ' 'SELECT * FROM task_jobs'
  unset SCHEDULER_JOBS_FILE
  assert_sql_error 'jobs file /opt/.task-scheduler/jobs.json: ' 'SELECT * FROM task_jobs'
}

@test "a file that is not JSON is an error with the byte and the cause" {
  local case count=0 pids=()
  while IFS= read -r case; do
    count=$((count + 1))
    printf '%b' "${case%|*}" >"$jobs_file.$count"
    SCHEDULER_JOBS_FILE=$jobs_file.$count assert_sql_error "jobs file $jobs_file.$count: ${case##*|}" 'SELECT * FROM task_jobs' &
    pids+=($!) # each takes as long as it takes to give a file up
  done <<'CASES'
|byte 0: nothing in it
{"jobs": [|byte 10: cut short
{"jobs": [\n{"id": "a",}]}|byte 22: malformed JSON
{"jobs": []} x|byte 13: text after the record
{"jobs": ["\xff"]}|byte 11: not valid UTF-8
{"jobs": ["a\nb"]}|byte 12: raw control character
\xef\xbb\xbf{"jobs": []}|byte 0: begins with a byte order mark
{"jobs": [01]}|byte 12: not a JSON number
{"jobs": [NaN]}|byte 10: NaN
{"jobs": [0, -Infinity]}|byte 13: NaN
{"a": Infinity, "jobs": []}|byte 6: NaN
[]|byte 2: JSON, but not an object
{"job": []}|no array "jobs" in it
{"jobs": {}}|no array "jobs" in it
CASES
  ((count == 14))
  for ((case = 0; case < count; case++)); do wait "${pids[case]}"; done
}

@test "a jobs file that is a FIFO or a directory is an error, and nothing waits" {
  mkfifo "$jobs_file"
  run timeout 300 sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: 'SELECT * FROM task_jobs'
  [[ $status -ne 0 && $status -ne 124 && $output == *"not a regular file, but a FIFO"* ]]
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR
  assert_sql_error "not a regular file, but a directory" 'SELECT * FROM task_jobs'
}

@test "a file that is being rewritten all the time is read whole every time" {
  run_in_host <<PYTHON
import os, threading
path = "$jobs_file"
def write(count):
    with open(path, "w") as file: # truncated, then written in pieces, as json.dump() does
        file.write('{"jobs": [')
        file.flush()
        file.write(",".join('{"id": "%d-of-%d"}' % (i, count) for i in range(count)))
        file.flush()
        file.write("]}")
write(1)
stop = False
def keep_writing():
    count = 0
    while not stop:
        count = count % 50 + 1
        write(count)
        threading.Event().wait(0.003)
writer = threading.Thread(target=keep_writing)
writer.start()
try:
    seen = set()
    for _ in range(5000):
        ids = [row[0] for row in db.execute("SELECT job_id FROM task_jobs")]
        assert ids == ["%d-of-%d" % (i, len(ids)) for i in range(len(ids))], ids
        seen.add(len(ids))
        if len(seen) == 10:
            break
    assert len(seen) == 10, seen
finally:
    stop = True
    writer.join()
PYTHON
}

@test "sqlite3_interrupt() ends the wait for a file that does not parse" {
  printf '{"jobs": [' >"$jobs_file"
  # Counted are pauses, of which there would be 50, not seconds: these depend on what else the machine does.
  run env LD_PRELOAD="$root/build/shim/each_call.so" EACH_CALL_LOG="$BATS_TEST_TMPDIR/calls" \
    "$root/build/live/interrupt" "$extension" interrupt 5 'SELECT * FROM task_jobs'
  [[ $output == interrupted\ * ]]
  local pauses
  pauses=$(grep -cx nanosleep "$BATS_TEST_TMPDIR/calls")
  ((pauses > 0 && pauses < 50))
}

@test "a read error of jobs.json is an error with the byte" {
  jobs '{"id": "a"}'
  run with_faults FAULTS_PREAD_AFTER=0 -- sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: 'SELECT * FROM task_jobs'
  [[ $status -ne 0 && $output == *"jobs file $jobs_file: byte 0: Input/output error"* ]]
  run with_faults FAULTS_EINTR=1 FAULTS_SHORT=3 -- \
    sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: 'SELECT job_id FROM task_jobs'
  [[ $status -eq 0 && $output == a ]]
}

# --- the table --------------------------------------------------------------------------------------------------------------

@test "file= and results= name another file and directory; views cannot use them" {
  jobs '{"id": "here"}'
  mkdir "$BATS_TEST_TMPDIR/other" "$BATS_TEST_TMPDIR/other/results"
  printf '{"jobs": [{"id": "there"}]}' >"$BATS_TEST_TMPDIR/other/jobs.json"
  : >"$BATS_TEST_TMPDIR/other/results/orphan.jsonl"
  printf '{"pid": 0}' >"$BATS_TEST_TMPDIR/other/.checkpoint_there.json"
  assert_rows 'there|died
orphan|orphaned
here|idle' "CREATE VIRTUAL TABLE temp.j USING task_jobs(file='$BATS_TEST_TMPDIR/other/jobs.json', results='$BATS_TEST_TMPDIR/other/results')" \
    'SELECT job_id, state FROM j' 'SELECT job_id, state FROM task_jobs'
  assert_rows here 'CREATE VIEW v AS SELECT job_id FROM task_jobs' 'PRAGMA trusted_schema = 1' 'SELECT * FROM v'
  assert_sql_error 'unsafe use of virtual table "own"' "CREATE VIRTUAL TABLE own USING task_jobs(file='$jobs_file')" \
    'CREATE VIEW v AS SELECT * FROM own' 'SELECT * FROM v'
  assert_sql_error "the arguments are file='PATH' and results='PATH'" 'CREATE VIRTUAL TABLE temp.j USING task_jobs(dir=x)'
  assert_sql_error 'file= is empty' 'CREATE VIRTUAL TABLE temp.j USING task_jobs(file=)'
}

@test "a relative path, and one without a slash, work, too" {
  jobs '{"id": "a"}'
  checkpoint a 0
  cd "$BATS_TEST_TMPDIR"
  SCHEDULER_JOBS_FILE=jobs.json assert_rows 'a|died' 'SELECT job_id, state FROM task_jobs'
  SCHEDULER_JOBS_FILE=./jobs.json assert_rows 'a|died' 'SELECT job_id, state FROM task_jobs'
}

@test "jobs join with results" {
  use_recorded
  assert_rows 'my-backup|25
slow-job|3' "SELECT j.job_id, count(*) FROM task_jobs AS j JOIN task_results AS r ON r.job_id = j.job_id
    WHERE j.notify GROUP BY 1"
}
