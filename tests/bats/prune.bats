#!/usr/bin/env bats
# Pruning: what is kept, what is refused, and what happens while others write, after kills and after errors.
#
# The long runs take environment variables for their full size:
#   PRUNE_RECORDS=200000 PRUNE_KILLS=300 PRUNE_STRIDE=1 tests/run prune

# shellcheck disable=SC2154  # helpers.bash sets root, results and extension
load ../lib/helpers
load ../lib/host

setup_file() {
  export PRUNE_RECORDS=${PRUNE_RECORDS:-8000} PRUNE_KILLS=${PRUNE_KILLS:-15} PRUNE_STRIDE=${PRUNE_STRIDE:-29}
}

# prune JOB OPTIONS - the report of one prune.
prune() {
  sql "SELECT taskresults_prune('$1', $2)"
}

# at_step CALL COMMAND JOB OPTIONS - the report of a prune that waits before that system call until COMMAND has run.
at_step() {
  "$root/tests/prune/at_step.py" "$@"
}

# append_record JOB NAME [TIME] - one more record, as the scheduler writes it.
append_record() {
  printf '{"timestamp": "%s", "job_id": "j", "job_name": "%s", "success": true, "output": "", "error": ""}\n' \
    "${3:-2026-06-01T00:00:00Z}" "$2" >>"$results/$1.jsonl"
}

assert_no_leftovers() {
  local found
  found=$(find "$results" -name '*.new' -o -name '*.journal')
  [[ -z $found ]] || { echo "left over: $found"; return 1; }
}

assert_same_file() {
  [[ $(stat -c '%d:%i' "$2") == "$1" ]] || { echo "$2 is another file now"; return 1; }
}

# killed_prune JOB OPTIONS CALL - a prune that is killed before the system call of that name.
killed_prune() {
  ! env LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT="$3" PRUNE_FAULT=kill \
    sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT taskresults_prune('$1', $2)" >/dev/null 2>&1
}

# --- what is kept --------------------------------------------------------------------------------------------------

@test "keep N leaves the last N records, byte for byte" {
  make_job j 100 10
  tail -n 7 "$results/j.jsonl" >"$BATS_TEST_TMPDIR/expected"
  freed=$(head -n 93 "$results/j.jsonl" | wc -c)
  [[ $(prune j "'keep', 7") == '{"job_id":"j","result":"pruned","kept":7,"dropped":93,"bytes_freed":'$freed'}' ]]
  cmp "$BATS_TEST_TMPDIR/expected" "$results/j.jsonl"
  assert_no_leftovers
}

@test "without a receipt, the lines are not counted; count gives their number; keep 0 leaves an empty file" {
  make_job j 12
  [[ $(prune j "'keep', 10, 'receipt', 0") == *'"kept":10,"dropped":null,'* ]]
  [[ $(prune j "'keep', 4, 'receipt', 0, 'count', 1") == *'"kept":4,"dropped":6,'* ]]
  [[ $(prune j "'keep', 0, 'count', 1, 'force', 1") == *'"kept":0,"dropped":4,'* ]]
  [[ -f $results/j.jsonl && ! -s $results/j.jsonl ]]
}

@test "without a receipt, keep does not read the lines that it drops" {
  python3 "$root/tests/bench/generate.py" "$results/j.jsonl" 20000000
  with_faults FAULTS_LOG="$BATS_TEST_TMPDIR/log" -- sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT taskresults_prune('j', 'keep', 10, 'receipt', 0)"
  read -r _ bytes < <(grep bytes "$BATS_TEST_TMPDIR/log")
  ((bytes < 200000)) || { echo "read $bytes bytes"; return 1; }
  assert_rows 10 "SELECT count(*) FROM task_results"
}

@test "rejects among the kept records stay, and go with drop_rejects" {
  make_job j 3
  append_raw j 'torn{\n\n[1]\n'
  make_job j 2
  cp "$results/j.jsonl" "$BATS_TEST_TMPDIR/copy"
  [[ $(prune j "'keep', 3, 'count', 1") == *'"kept":3,"dropped":2,'* ]]
  cmp <(tail -n +3 "$BATS_TEST_TMPDIR/copy") "$results/j.jsonl"
  [[ $(prune j "'keep', 3, 'drop_rejects', 1, 'count', 1") == *'"kept":3,'* ]]
  cmp <(grep job_id "$BATS_TEST_TMPDIR/copy" | tail -n 3) <(grep . "$results/j.jsonl")
}

@test "since keeps records from then on, records without a readable time, and rejects, wherever they are in the file" {
  append_record j undatable yesterday
  append_record j old 2026-01-01T00:00:00Z
  append_raw j 'not json\n'
  append_record j new 2026-02-01T00:00:00.000001Z
  append_record j clock-went-back 2026-01-31T23:59:59.999999Z
  append_record j equal 2026-02-01T02:00:00+02:00
  [[ $(prune j "'since', '2026-02-01T00:00Z'") == *'"kept":3,'* ]]
  assert_rows $'undatable\nnew\nequal' "SELECT job_name FROM task_results"
  assert_rows 'not json' "SELECT line FROM task_rejects"
  assert_rows 1 "SELECT taskresults_prune('j', 'since', (SELECT max(time_us) FROM task_results))->>'kept' = 2"
}

@test "since takes the times that the commands take" {
  append_record j old 2026-01-31T23:59:59.999999Z
  append_record j day 2026-02-01T00:00:00Z
  append_record j soon "$(date -u -d '1 day' +%FT%TZ)"
  for since in 2026-02-01 '2026-02-01 00:00' 2026-02-01T01:00+01:00; do
    assert_rows 1 "SELECT taskresults_prune('j', 'since', '$since', 'dry_run', 1)->>'dropped'"
  done
  for since in 90s '12 hours' 3mo 'yesterday' now '2 weeks ago' "' || datetime('now', '-1 day') || '"; do
    assert_rows 2 "SELECT taskresults_prune('j', 'since', '$since', 'dry_run', 1)->>'dropped'"
  done
  assert_rows 0 "SELECT taskresults_prune('j', 'since', '99y', 'dry_run', 1)->>'dropped'"
}

@test "since agrees with time_us on times of every spelling" {
  python3 - "$results/j.jsonl" <<'PYTHON'
import json, random, sys
rng = random.Random(5)
def odd_time():
    return "%04d-%02d-%02d%s%02d:%02d:%02d%s%s" % (
        rng.choice([2026, 2025]), rng.randint(1, 13), rng.choice([1, 2, 28, 29, 30, 31]), rng.choice("TT "),
        rng.choice([0, 9, 12, 19, 20, 23, 24, 29]), rng.choice([0, 30, 59, 60]), rng.choice([0, 59, 60]),
        rng.choice(["", ".000001", ".999999", ".5", ".12345678", ".", "x"]), rng.choice(["Z", "Z", "", "+02:00", "z"]))
time = odd_time()
with open(sys.argv[1], "w") as file:
    for i in range(20000):
        time = odd_time() if rng.random() < 0.5 else time
        spelled = time if rng.random() < 0.7 else time[:11] + odd_time()[11:]
        file.write(json.dumps({"timestamp": spelled, "job_name": str(i)}) + "\n")
PYTHON
  since=$(sql "SELECT time_us FROM task_results WHERE timestamp LIKE '2026-02-28T12:%' AND time_us IS NOT NULL LIMIT 1")
  expected=$(sql "SELECT group_concat(job_name) FROM task_results WHERE time_us IS NULL OR time_us >= $since")
  prune j "'since', $since"
  assert_rows "$expected" "SELECT group_concat(job_name) FROM task_results"
}

@test "keep and since together keep what either of them keeps; keep_failures keeps more" {
  make_job j 60 10
  [[ $(prune j "'keep', 5, 'since', '2026-01-01T00:50Z', 'dry_run', 1") == *'"kept":10,"dropped":50,'* ]]
  [[ $(prune j "'keep', 20, 'since', '2026-01-01T00:50Z', 'dry_run', 1") == *'"kept":20,"dropped":40,'* ]]
  prune j "'keep', 5, 'since', '2026-01-01T00:50Z', 'keep_failures', 2"
  assert_rows $'39\n49\n50' "SELECT substr(timestamp, 15, 2) FROM task_results LIMIT 3"
  assert_rows 12 "SELECT count(*) FROM task_results"
}

@test "max_bytes is a limit: the newest lines that fit stay, and nothing older, whatever the other rules keep" {
  make_job j 60 10
  size=$(tail -n 7 "$results/j.jsonl" | wc -c)
  tail -n 7 "$results/j.jsonl" >"$BATS_TEST_TMPDIR/newest"
  [[ $(prune j "'max_bytes', $((size + 5)), 'dry_run', 1") == *'"kept":7,"dropped":53,'* ]]
  [[ $(prune j "'max_bytes', $((size - 1)), 'dry_run', 1") == *'"kept":6,"dropped":54,'* ]]
  [[ $(prune j "'since', '2026-01-01', 'keep', 50, 'keep_failures', 9, 'max_bytes', $size") == *'"kept":7,'* ]]
  cmp "$results/j.jsonl" "$BATS_TEST_TMPDIR/newest"
  [[ $(prune j "'keep', 2, 'max_bytes', 1000000") == *'"kept":2,'* ]]
  # An older, shorter line that would fit behind a long one goes, too.
  { printf '{"job_name": "short"}\n{"output": "%0500d"}\n' 7; cat "$results/j.jsonl"; } >"$BATS_TEST_TMPDIR/long"
  cp "$BATS_TEST_TMPDIR/long" "$results/j.jsonl"
  [[ $(prune j "'max_bytes', 500") == *'"kept":2,'* ]]
  # The newest line stays even if it alone is too long, be it a record or not.
  [[ $(prune j "'max_bytes', 5") == *'"kept":1,'* ]]
  printf '%0500d\n' 7 >>"$results/j.jsonl"
  [[ $(prune j "'max_bytes', 5, 'force', 1") == *'"kept":0,'* && $(wc -l <"$results/j.jsonl") -eq 1 ]]
}

@test "random options over generated files: kept lines and report are those of a model in Python" {
  require_host
  "$host_python" "$root/tests/prune/choices.py" "$extension" "$(some_or_all 80 150)"
  "$host_python" "$root/tests/prune/choices.py" "$root/build/tiny/taskresults" "$(some_or_all 50 150)"
}

@test "random rules over generated directories: what looks like a mistake is refused, with the number of records it would remove" {
  require_host
  "$host_python" "$root/tests/prune/guards.py" "$extension" "$(some_or_all 120 300)"
}

@test "with a buffer of seven bytes, the same lines are kept" {
  cp "$root"/tests/data/odd-lines/*.jsonl "$results"
  make_job j 30 4
  mkdir "$BATS_TEST_TMPDIR/tiny"
  cp "$results"/*.jsonl "$BATS_TEST_TMPDIR/tiny"
  options="'keep', 2, 'keep_failures', 3"
  sql "SELECT taskresults_prune_all($options)" >/dev/null
  extension=$root/build/tiny/taskresults sql "SELECT taskresults_prune_all($options, 'dir', '$BATS_TEST_TMPDIR/tiny')" >/dev/null
  for file in "$results"/*.jsonl; do cmp "$file" "$BATS_TEST_TMPDIR/tiny/${file##*/}"; done
}

# The build with a small buffer shares every file of 64 bytes or more between two threads, the real one none below 4 MiB.
@test "two threads keep the same lines as one, whatever is in the middle of the file" {
  mkdir "$BATS_TEST_TMPDIR/shared"
  python3 - "$results" <<'PYTHON'
import json, random, sys
rng = random.Random(11)
def line(i):
    time = "2026-%02d-%02dT%02d:00:0%dZ" % (rng.randint(1, 3), rng.randint(1, 28), rng.randint(0, 23), rng.randint(0, 9))
    odd = rng.random()
    text = json.dumps({"timestamp": time if odd > 0.02 else "soon", "job_name": str(i), "output": "x" * rng.choice([0, 9, 400])})
    if odd < 0.04: return text[:rng.randint(1, len(text))] + "\n"
    if odd < 0.05: return "\n" * rng.randint(1, 5)
    if odd < 0.06: return "{\n}\n \n"
    return text + ("\r\n" if odd < 0.08 else "\n")
for job in range(40):
    with open("%s/j%d.jsonl" % (sys.argv[1], job), "w") as file:
        if job % 8 == 6:  # the middle is blank, and goes with what stands behind it
            file.write(line(0) + "\n" * rng.randint(500, 900) + '{"job_name": "kept"}\n')
        count = rng.choice([1, 2, 3, 10, 300])
        for i in range(count):
            file.write(line(i))
            if job % 8 == 7 and i % 100 < 2:  # more than the second thread takes, and more than anybody does
                file.write(json.dumps({"timestamp": "2026-01-01T00:00Z", "output": "y" * (200000, 1100000)[i % 2]}) + "\n")
        file.write(rng.choice(["", "", "torn"]))
PYTHON
  mkdir "$BATS_TEST_TMPDIR/alone"
  for options in "'since', '2026-02-01T00:00Z'" "'since', '2026-03-20T00:00Z', 'count', 1, 'drop_rejects', 1"; do
    cp "$results"/*.jsonl "$BATS_TEST_TMPDIR/shared"
    cp "$results"/*.jsonl "$BATS_TEST_TMPDIR/alone"
    sql "SELECT taskresults_prune_all($options)" >"$BATS_TEST_TMPDIR/report"
    for threads in shared=2 alone=1; do
      TASKRESULTS_THREADS=${threads#*=} extension=$root/build/tiny/taskresults sql \
        "SELECT taskresults_prune_all($options, 'dir', '$BATS_TEST_TMPDIR/${threads%=*}')" >"$BATS_TEST_TMPDIR/tiny_report"
      cmp "$BATS_TEST_TMPDIR/report" "$BATS_TEST_TMPDIR/tiny_report"
      diff -rq -x '.*' "$results" "$BATS_TEST_TMPDIR/${threads%=*}"
    done
  done
  grep -q '"dropped":[1-9]' "$BATS_TEST_TMPDIR/report"
}

@test "a complete record at the end without a newline is kept, and gets a newline" {
  make_job j 3
  append_raw j '{"timestamp": "2026-06-01T'
  prune j "'keep', 1"
  [[ $(tail -n 1 "$results/j.jsonl") == '{"timestamp": "2026-06-01T' ]]
  [[ $(wc -l <"$results/j.jsonl") == 2 ]]
  assert_no_leftovers
}

@test "keep 0 keeps an unfinished last line: it may become a record" {
  make_job j 3
  append_raw j '{"timestamp": "2026-06-01T'
  prune j "'keep', 0, 'force', 1"
  [[ $(cat "$results/j.jsonl") == '{"timestamp": "2026-06-01T' ]]
}

@test "a dry run reports what would be removed, and changes nothing" {
  make_job j 10
  before=$(stat -c '%d:%i %y %z' "$results/j.jsonl")
  [[ $(prune j "'keep', 4, 'dry_run', 1") == '{"job_id":"j","result":"dry_run","kept":4,"dropped":6,'* ]]
  [[ $(stat -c '%d:%i %y %z' "$results/j.jsonl") == "$before" ]]
  [[ $(ls -A "$results") == j.jsonl ]]
}

@test "if there is nothing to drop, the file is not touched" {
  make_job j 4
  before=$(stat -c '%d:%i' "$results/j.jsonl")
  [[ $(prune j "'keep', 4") == '{"job_id":"j","result":"unchanged","kept":4,"dropped":0,"bytes_freed":0}' ]]
  assert_same_file "$before" "$results/j.jsonl"
}

@test "mode, owner and access lists are kept" {
  make_job j 10
  chmod 640 "$results/j.jsonl"
  ((EUID)) || chown 1234:4321 "$results/j.jsonl"
  python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"mine")' "$results/j.jsonl" || note=no
  before=$(stat -c '%a %u %g' "$results/j.jsonl")
  prune j "'keep', 1"
  [[ $(stat -c '%a %u %g' "$results/j.jsonl") == "$before" ]]
  [[ ${note:-} ]] || python3 -c 'import os, sys; assert os.getxattr(sys.argv[1], "user.note") == b"mine"' "$results/j.jsonl"
}

# --- the functions -------------------------------------------------------------------------------------------------

@test "a job id is taken literally" {
  long=$(printf 'x%.0s' {1..249})
  for job in "a*" "b%" "-c" ".." "d'e" 'f"g' "h;i" "ü" "$long"; do make_job "$job" 3; done
  for job in "a*" "b%" "-c" ".." "d''e" 'f"g' "h;i" "ü" "$long"; do
    [[ $(sql "SELECT taskresults_prune('$job', 'keep', 1)->>'result'") == pruned ]]
  done
  assert_rows 9 "SELECT count(*) FROM task_results"
  assert_sql_error "there is no such job" "SELECT taskresults_prune('a?', 'keep', 1)"
  assert_sql_error "cannot be the name of a job" "SELECT taskresults_prune('a/b', 'keep', 1)"
}

@test "prune: wrong options are errors that say what is right" {
  make_job j 3
  assert_sql_error "unknown option 'keeep'; the options are keep, since," "SELECT taskresults_prune('j', 'keeep', 1)"
  assert_sql_error "say what to keep" "SELECT taskresults_prune('j')"
  assert_sql_error "say what to keep" "SELECT taskresults_prune_all('count', 1)"
  assert_sql_error "in pairs" "SELECT taskresults_prune('j', 'keep')"
  assert_sql_error "the value of 'keep'" "SELECT taskresults_prune('j', 'keep', -1)"
  assert_sql_error "the value of 'keep'" "SELECT taskresults_prune('j', 'keep', NULL)"
  assert_sql_error "the value of 'since'" "SELECT taskresults_prune('j', 'keep', 1, 'since', NULL)"
  assert_sql_error "the value of 'since'" "SELECT taskresults_prune('j', 'since', 'last week')"
  for value in "'90 dayz'" "''" "'2026'" "'90'" "'1771156800000000'" "'2026-02-30'" 3.7 "x'00'" "'90d' || char(0) || 'x'"; do
    assert_sql_error "the value of 'since' has to be a time: 2026-02-14, " "SELECT taskresults_prune('j', 'since', $value)"
  done
  for value in "'10abc'" 3.7 "'3.7'" "''" "x'3130'" "'1 0'" 99999999999999999999 "'10' || char(0)" "'ten'"; do
    assert_sql_error "the value of 'keep'" "SELECT taskresults_prune('j', 'keep', $value)"
    assert_sql_error "the value of 'keep_failures'" "SELECT taskresults_prune('j', 'keep', 3, 'keep_failures', $value)"
    assert_sql_error "the value of 'drop_rejects'" "SELECT taskresults_prune('j', 'keep', 3, 'drop_rejects', $value)"
  done
  assert_sql_error "the value of 'max_bytes' has to be a number of bytes" "SELECT taskresults_prune('j', 'max_bytes', -1)"
  assert_sql_error "'keep_failures' needs 'keep' or 'since'" "SELECT taskresults_prune('j', 'max_bytes', 9, 'keep_failures', 1)"
  assert_sql_error "the option 'keep' is given twice" "SELECT taskresults_prune('j', 'keep', 1, 'keep', 3)"
  assert_sql_error "unknown option 'keep'" "SELECT taskresults_prune('j', 'keep' || char(0) || 'x', 1)"
  assert_sql_error "unknown option 'KEEP'" "SELECT taskresults_prune('j', 'KEEP', 1)"
  assert_sql_error "the value of 'dry_run'" "SELECT taskresults_prune('j', 'keep', 1, 'dry_run', 'yes')"
  assert_sql_error "the first argument" "SELECT taskresults_prune()"
  assert_sql_error "the first argument" "SELECT taskresults_prune(NULL, 'keep', 1)"
  assert_sql_error "/no/such" "SELECT taskresults_prune('j', 'keep', 1, 'dir', '/no/such')"
  assert_rows 3 "SELECT count(*) FROM task_results"
}

@test "a job that does not exist is an error, and leaves no trace" {
  assert_sql_error "job 'none': $results/none.jsonl does not exist" "SELECT taskresults_prune('none', 'keep', 1)"
  [[ -z $(ls -A "$results") ]]
}

@test "no view or trigger can prune" {
  make_job j 3
  assert_sql_error "unsafe use of" "CREATE VIEW v AS SELECT taskresults_prune('j', 'keep', 1); SELECT * FROM v"
  assert_rows 3 "SELECT count(*) FROM task_results"
}

@test "prune_all reports each job, and a refused one does not stop the others" {
  make_job a 5
  make_job b 1
  ln -s a.jsonl "$results/c.jsonl"
  make_job d 5
  assert_rows $'a|pruned\nb|unchanged\nc|failed\nd|pruned' \
    "SELECT value->>'job_id', value->>'result' FROM json_each(taskresults_prune_all('keep', 2))"
  assert_rows 5 "SELECT count(*) FROM task_results"
}

@test "a prune leaves no file open" {
  make_job j 50
  open_files() { echo ".shell ls /proc/\$PPID/fd | wc -l"; }
  counts=$(sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "$(open_files)" \
    "SELECT taskresults_prune('j', 'keep', 20)" "SELECT taskresults_prune_all('keep', 10)" "$(open_files)" | grep -v '[[{]')
  [[ $(uniq <<<"$counts" | wc -l) == 1 && -n $counts ]]
}

# --- refusals ------------------------------------------------------------------------------------------------------

@test "links, files with a second name, and entries that are not files are refused" {
  make_job j 5
  ln -s j.jsonl "$results/link.jsonl"
  assert_sql_error "is a symbolic link" "SELECT taskresults_prune('link', 'keep', 1)"
  mkfifo "$results/fifo.jsonl"
  assert_sql_error "is a FIFO" "SELECT taskresults_prune('fifo', 'keep', 1)"
  ln "$results/j.jsonl" "$results/other-name"
  assert_sql_error "has 2 names" "SELECT taskresults_prune('j', 'keep', 1)"
  assert_rows 5 "SELECT count(*) FROM task_results"
}

@test "too little space is refused before anything is written" {
  small=$BATS_TEST_TMPDIR/small
  mkdir "$small"
  mount -t tmpfs -o size=4m none "$small" 2>/dev/null || skip "cannot mount a tmpfs"
  python3 "$root/tests/bench/generate.py" "$small/j.jsonl" 2500000
  run sql "SELECT taskresults_prune('j', 'keep', 10, 'dir', '$small')"
  [[ $output == *'"result":"pruned"'* ]] || { umount "$small"; false; }
  python3 "$root/tests/bench/generate.py" "$small/j.jsonl" 2500000
  run sql "SELECT taskresults_prune('j', 'since', '2026-01-01T00:05Z', 'dir', '$small')"
  left=$(find "$small" -name '*.new')
  umount "$small"
  [[ $status -ne 0 && $output == *"free some, or keep fewer"* && -z $left ]]
}

@test "on a file system without leases or exchange, prune refuses; with offline, it prunes" {
  for call in "fcntl F_SETLEASE" renameat2; do
    make_job j 5
    append_raw j 'unfinished'
    tail -n 2 "$results/j.jsonl" >"$BATS_TEST_TMPDIR/expected"
    lacking=(env LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT="$call" "PRUNE_FAULT=errno 22"
      sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory:)
    run "${lacking[@]}" "SELECT taskresults_prune('j', 'keep', 1)"
    [[ $status -ne 0 && $output == *"'offline', 1"* ]]
    assert_no_leftovers
    [[ $(wc -l <"$results/j.jsonl") == 5 ]]
    [[ $("${lacking[@]}" "SELECT taskresults_prune('j', 'keep', 1, 'offline', 1)") == *'"result":"pruned"'* ]]
    cmp "$BATS_TEST_TMPDIR/expected" "$results/j.jsonl"
    assert_no_leftovers
    rm "$results/j.jsonl"
  done
}

# --- while others use the file -------------------------------------------------------------------------------------

@test "if a writer keeps the file open, prune is busy, changes nothing, and makes no other writer wait" {
  make_job j 10
  cp "$results/j.jsonl" "$BATS_TEST_TMPDIR/copy"
  "$root/tests/prune/hold.py" "$results/j.jsonl" "$BATS_TEST_TMPDIR/hold" held 3>&- >/dev/null 2>&1 &
  await test -e "$BATS_TEST_TMPDIR/hold.open"
  prune j "'keep', 1" >"$BATS_TEST_TMPDIR/report" &
  pruner=$!
  await compgen -G "$results/.taskresults-*.lock" >/dev/null
  # A writer that would have to wait for a lease would get EWOULDBLOCK here.
  python3 - "$results/j.jsonl" "$pruner" <<'PYTHON'
import os, sys, time
while os.path.exists(f"/proc/{sys.argv[2]}") and open(f"/proc/{sys.argv[2]}/stat").read().split()[2] != "Z":
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
    os.write(file, b"another\n")
    os.close(file)
    time.sleep(0.01)
PYTHON
  wait "$pruner"
  [[ $(cat "$BATS_TEST_TMPDIR/report") == *'"result":"busy","kept":null,"dropped":null,"bytes_freed":0,"reason":'*'has had it open'* ]]
  assert_no_leftovers
  cmp <(grep -v another "$results/j.jsonl") "$BATS_TEST_TMPDIR/copy"
  touch "$BATS_TEST_TMPDIR/hold.go"
  await test -e "$BATS_TEST_TMPDIR/hold.done"
  [[ $(prune j "'keep', 1") == *'"result":"pruned"'* ]]
}

@test "while it copies the last lines, other programs' opens and our readers wait, and none fails" {
  make_job j 10
  at_step "fcntl F_GETLEASE" "
    $root/tests/prune/hold.py $results/j.jsonl $BATS_TEST_TMPDIR/hold appended 3>&- >/dev/null 2>&1 &
    writer=\$!
    touch $BATS_TEST_TMPDIR/hold.go
    until grep -q break_lease /proc/\$writer/wchan || ((n++ > 1000)); do sleep 0.005; done
    [[ ! -e $BATS_TEST_TMPDIR/hold.open ]]
    sqlite3 -batch -init /dev/null -cmd '.load $extension' :memory: 'SELECT count(*) FROM task_results' \
      >$BATS_TEST_TMPDIR/count 3>&- &
    " j "'keep', 4" >"$BATS_TEST_TMPDIR/report"
  grep pruned "$BATS_TEST_TMPDIR/report"
  await test -e "$BATS_TEST_TMPDIR/hold.done"
  [[ $(tail -n 1 "$results/j.jsonl") == appended ]]
  await test -s "$BATS_TEST_TMPDIR/count"
  [[ $(cat "$BATS_TEST_TMPDIR/count") == 4 ]]
  assert_no_leftovers
}

@test "if a writer has the old file open during the exchange: busy, visible in task_rejects, and finished by the next prune" {
  make_job j 10
  at_step renameat2 "
    $root/tests/prune/hold.py $results/j.jsonl $BATS_TEST_TMPDIR/hold '{\"job_name\": \"late\"}' 3>&- >/dev/null 2>&1 &
    until [[ -e $BATS_TEST_TMPDIR/hold.open ]] || ! kill -0 \$!; do sleep 0.005; done" j "'keep', 4" >"$BATS_TEST_TMPDIR/report"
  grep '"result":"busy".*still has the old file open' "$BATS_TEST_TMPDIR/report"
  append_record j meanwhile
  assert_rows 'j|NULL' "SELECT DISTINCT job_id, offset FROM task_rejects WHERE reason LIKE 'left by an interrupted prune%'"
  assert_rows 0 "SELECT count(*) FROM task_rejects WHERE job_id = 'other'"
  [[ $(prune j "'keep', 4") == *busy* ]]
  touch "$BATS_TEST_TMPDIR/hold.go"
  await test -e "$BATS_TEST_TMPDIR/hold.done"
  [[ $(prune j "'keep', 100") == *'"recovered":true'* ]]
  assert_rows $'meanwhile\nlate' "SELECT job_name FROM task_results LIMIT 2 OFFSET 4"
  assert_rows '6|0' "SELECT count(*), (SELECT count(*) FROM task_rejects) FROM task_results"
  assert_no_leftovers
}

@test "two prunes of one job do not run at the same time" {
  make_job j 10
  prune j "'keep', 9"
  exec 9<"$(echo "$results"/.taskresults-*.lock)"
  flock 9
  [[ $(prune j "'keep', 4") == *'"result":"busy"'*'another prune'* ]]
  exec 9<&-
  [[ $(prune j "'keep', 4") == *'"result":"pruned"'* ]]
}

@test "a file that is cut or replaced while it is copied is not pruned" {
  make_job j 10
  run at_step fsync "truncate -s 100 $results/j.jsonl" j "'keep', 4"
  [[ $status -ne 0 && $output == *"shrank while it was being pruned: stop the program that truncates it"* && $(stat -c %s "$results/j.jsonl") == 100 ]]
  assert_no_leftovers
  make_job j 10
  echo other >"$results/other"
  run at_step fsync "mv $results/other $results/j.jsonl" j "'keep', 4"
  [[ $status -ne 0 && $output == *"was replaced, linked or truncated"* && $(cat "$results/j.jsonl") == other ]]
  assert_no_leftovers
  make_job j 10
  run at_step fsync "rm $results/j.jsonl" j "'keep', 4"
  [[ $status -ne 0 && ! -e $results/j.jsonl ]]
  assert_no_leftovers
}

@test "if the file is replaced just before the exchange, all lines of the new one are carried over" {
  make_job j 10
  echo '{"job_name": "replacement"}' >"$results/other"
  [[ $(at_step renameat2 "mv $results/other $results/j.jsonl" j "'keep', 4") == *'"result":"pruned"'* ]]
  assert_rows $'5|replacement' "SELECT count(*), max(job_name) FILTER (WHERE timestamp IS NULL) FROM task_results"
  assert_no_leftovers
}

# --- kills ---------------------------------------------------------------------------------------------------------

@test "what a killed prune left behind is in task_rejects under its job, even if the job's file is gone" {
  make_job j 10
  make_job k 1
  killed_prune j "'keep', 4" nanosleep
  assert_rows $'j\nj' "SELECT job_id FROM task_rejects"
  rm "$results/j.jsonl"
  assert_rows $'j\nj' "SELECT job_id FROM task_rejects"
  assert_rows $'j|unchanged|1\nk|unchanged|NULL' \
    "SELECT value->>'job_id', value->>'result', value->>'recovered' FROM json_each(taskresults_prune_all('keep', 4))"
  assert_no_leftovers
}

@test "if the file was replaced or removed after the kill, lines not yet carried over are added to what is there" {
  for change in "rm" "cp /dev/null"; do
    rm -f "$results"/j.jsonl
    make_job j 10
    # killed right after the exchange; a record had come in after the copy
    env LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_APPEND="$results/j.jsonl" PRUNE_AT=renameat2 \
      PRUNE_FAULT=torn sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
      "SELECT taskresults_prune('j', 'keep', 4)" >/dev/null 2>&1 && return 1
    count=$(wc -l <"$results/j.jsonl.numbers")
    rm "$results/j.jsonl" "$results/j.jsonl.numbers"
    [[ $change == rm ]] || append_record j other
    [[ $(prune j "'keep', 1000") == *'"recovered":true'* ]]
    found=$(sql "SELECT count(*) FROM task_results WHERE job_name <> 'other' AND timestamp LIKE '2026-06%'")
    # lines from before the copy's end were kept or dropped; those after it are here
    ((found > 10 && found <= count)) || { echo "$found of $count"; return 1; }
    assert_rows 0 "SELECT count(*) - count(DISTINCT job_name) FROM task_results"
    assert_no_leftovers
  done
}

@test "a damaged journal stops the next prune, and nothing is deleted" {
  make_job j 10
  killed_prune j "'keep', 4" nanosleep
  journal=$(echo "$results"/.taskresults-*.journal)
  head -c 2048 /dev/zero >"$journal"
  assert_sql_error "${journal##*/} of an interrupted prune cannot be read" "SELECT taskresults_prune('j', 'keep', 4)"
  [[ -e $journal && -e ${journal%.journal}.new ]]
}

@test "killed before and after every system call: nothing is lost, repeated or glued" {
  "$root/tests/prune/every_step.py" kill "$((PRUNE_STRIDE > 1 ? 5 : 1))"
  "$root/tests/prune/every_step.py" torn "$((PRUNE_STRIDE > 1 ? 5 : 1))"
}

@test "the recovery killed at every system call: nothing is lost, repeated or glued" {
  "$root/tests/prune/every_step.py" recovery "$PRUNE_STRIDE"
}

@test "every system call failing with EIO, ENOSPC, EINTR or half done: the old or the new file whole, and the error tells which" {
  "$root/tests/prune/every_step.py" faults "$PRUNE_STRIDE"
  "$root/tests/prune/every_step.py" offline "$((PRUNE_STRIDE > 1 ? 3 : 1))"
}

@test "if the power fails at any system call, every synced record is there, once" {
  local alone=(unshare -m) # otherwise copies of the mount in other namespaces would keep the failed disk mounted
  unshare -m true 2>/dev/null || alone=()
  run "${alone[@]}" "$root/tests/prune/power.py" "$PRUNE_STRIDE"
  [[ $output != skip* ]] || skip "$output"
  [[ $status == 0 ]] || { echo "$output"; return 1; }
}

# --- under load ----------------------------------------------------------------------------------------------------

# On the file system of TMPDIR (/var/tmp without it), and in memory.
on_both_file_systems() {
  local dir
  for dir in "${TMPDIR:-/var/tmp}" /dev/shm; do
    [[ -w $dir ]] || continue
    "$root/tests/prune/stress.py" dir="$dir" "$@" || return 1
  done
}

@test "one writer at full speed, with continuous pruning and a reader: nothing is lost or repeated" {
  on_both_file_systems records="$PRUNE_RECORDS" readers=1
}

@test "four writers of 300 B to 60 KB, with continuous pruning and a reader: nothing is lost or repeated" {
  on_both_file_systems records="$PRUNE_RECORDS" writers=4 sizes=300-60000 keep=1000 readers=1
}

@test "a writer that holds the file open for 20 ms across two writes, with continuous pruning: nothing is lost or repeated" {
  on_both_file_systems hold_ms=20 records=60 keep=10
}

@test "the pruner and its recovery are killed at random moments: nothing is lost or repeated" {
  on_both_file_systems kills="$PRUNE_KILLS" writers=2 readers=1
}
