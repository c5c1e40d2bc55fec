#!/usr/bin/env bats
# taskresults export, sql and doctor.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# --- export ----------------------------------------------------------------------------------------------------------

@test "export: CSV by RFC 4180, whose cells are the values that Python reads from the files" {
  export SCHEDULER_RESULTS_DIR=$root/tests/data/scheduler-state/results
  taskresults export >"$BATS_TEST_TMPDIR/csv"
  python3 - "$SCHEDULER_RESULTS_DIR" "$BATS_TEST_TMPDIR/csv" <<'PYTHON'
import csv, io, json, os, sys
directory, path = sys.argv[1:]
expected = [["timestamp", "job_id", "job_name", "success", "output", "error"]]
for name in sorted(os.listdir(directory), key=os.fsencode):
    for line in open(f"{directory}/{name}", encoding="utf-8"):
        record = json.loads(line)
        expected.append([record["timestamp"], name[:-6], record["job_name"], str(int(record["success"])),
                         record["output"].replace("\0", "<NUL>"), record["error"].replace("\0", "<NUL>")])
data = open(path, "rb").read()
assert data.endswith(b"\r\n")
text = data.decode("utf-8").replace("\0", "<NUL>")
rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
assert sorted(rows) == sorted(expected), len(rows)
assert b"<NUL>" not in data and b"\0" in data
PYTHON
}

@test "export: cells are quoted only where they must be; a missing value is an empty cell" {
  append_raw a '{"timestamp": "t", "job_name": "a,b", "success": null, "output": "q\\"q", "error": "x\\ry"}\n'
  append_raw a '{"timestamp": "", "success": "yes", "output": " plain é\x27 ", "error": "\\n"}\n'
  run taskresults export
  assert_output $'timestamp,job_id,job_name,success,output,error\r
t,a,"a,b",,"q""q","x\ry"\r
"",a,,yes, plain é\' ,"\n"\r'
  run taskresults export --format jsonl
  assert_output $'{"timestamp":"t","job_id":"a","job_name":"a,b","success":null,"output":"q\\"q","error":"x\\ry"}
{"timestamp":"","job_id":"a","job_name":null,"success":"yes","output":" plain é\' ","error":"\\n"}'
}

@test "export: --columns, jobs, filters and --max-chars choose what is exported" {
  make_job a 4 2
  make_job b 2
  append_raw c '{"success": true, "output": "é😀\\u0000xyz", "error": null, "n": 1e999}\n'
  run taskresults export --columns job_id,success,offset,time_us a
  [[ $status -eq 0 && ${#lines[@]} -eq 5 && ${lines[0]} == $'job_id,success,offset,time_us\r' ]]
  [[ ${lines[1]} == $'a,1,0,1767225600000000\r' && ${lines[4]} =~ ^a,0,[0-9]+,1767225780000000 ]]
  [[ $(taskresults export a b --columns job_id | wc -l) == 7 ]]
  [[ $(taskresults export a --job b --columns job_id | wc -l) == 7 ]]
  [[ $(taskresults export --errors | wc -l) == 3 ]]
  [[ $(taskresults export --success --columns job_id | wc -l) == 6 ]]
  [[ $(taskresults export --since 2026-01-01T00:01 --until 2026-01-01T00:02 --columns job_id | wc -l) == 4 ]]
  [[ $(taskresults export c --columns output --max-chars 4 | tail -n 1 | tr '\0' '@') == $'é😀@x\r' ]]
  [[ $(taskresults export c --columns output --max-chars 4 --format jsonl) == '{"output":"é😀\u0000x"}' ]]
  [[ $(taskresults export c --columns record --format json | python3 -c 'import json, sys
print(json.loads(json.load(sys.stdin)[0]["record"])["n"])') == inf ]]
  : >"$results/empty.jsonl"
  run taskresults export empty
  assert_output $'timestamp,job_id,job_name,success,output,error\r'
  run taskresults export empty --format json
  assert_output '[]'
}

@test "export: --guard puts a quote before what a spreadsheet would take for a formula" {
  append_raw -- '{"success": -1, "output": "=1+1", "error": "+1"}\n'
  append_raw -- '{"success": true, "output": "-1", "error": "@x"}\n'
  append_raw -- '{"success": true, "output": "\\tx", "error": "\\rx"}\n'
  append_raw -- '{"success": true, "output": "a=1", "error": ""}\n'
  run taskresults export --columns job_id,success,output,error --guard
  assert_output $'job_id,success,output,error\r
\'--,-1,\'=1+1,\'+1\r
\'--,1,\'-1,\'@x\r
\'--,1,\'\tx,"\'\rx"\r
\'--,1,a=1,""\r'
  append_raw d '{"success": true, "output": "\\n=1+1", "error": " \\uff1d1"}\n'
  run taskresults export d --columns output,error --guard
  assert_output $'output,error\r\n"\'\n=1+1",\' ＝1\r'
  [[ $(taskresults export -- -- | wc -l) -eq 5 ]]
  [[ $(taskresults export --columns output --guard --max-chars 2 -- -- | sed -n 2p) == $'\'=1\r' ]]
}

@test "export: Python's csv reads files with --delimiter, --bom and TSV back" {
  append_raw a '{"success": true, "output": "x;y\\t\\"z\\"\\nü", "error": ""}\n'
  read_back() { # DELIMITER ENCODING
    python3 -c 'import csv, io, sys
rows = list(csv.reader(io.StringIO(sys.stdin.buffer.read().decode(sys.argv[2]), newline=""), delimiter=sys.argv[1], strict=True))
assert rows == [["output", "success"], ["x;y\t\"z\"\nü", "1"]], rows' "$@"
  }
  columns=(--columns 'output,success')
  taskresults export "${columns[@]}" --delimiter ';' | read_back ';' utf-8
  taskresults export "${columns[@]}" --delimiter '|' --bom | read_back '|' utf-8-sig
  taskresults export "${columns[@]}" --format tsv | read_back $'\t' utf-8
  taskresults export "${columns[@]}" --format tsv --bom --guard | read_back $'\t' utf-8-sig
  for tab in tab '\t' $'\t'; do cmp <(taskresults export --delimiter "$tab") <(taskresults export --format tsv); done
  taskresults export "${columns[@]}" --bom -o "$BATS_TEST_TMPDIR/x" && [[ $(head -c 3 "$BATS_TEST_TMPDIR/x" | od -An -tx1) == ' ef bb bf' ]]
  for wrong in '' ';;' '"' "'" . - + 1 e é ' ' $'\n'; do
    run taskresults export --delimiter "$wrong"
    [[ $status -eq 2 && $output == *'--delimiter wants '* ]]
  done
  run taskresults export --format json --bom
  [[ $status -eq 2 && $output == *'--bom is for CSV'* ]]
  run taskresults export --format tsv --delimiter ';'
  [[ $status -eq 2 && $output == *'TSV has tabs'* ]]
}

@test "export: -o writes the file whole or not at all" {
  make_job a 5
  cd "$BATS_TEST_TMPDIR"
  taskresults export -o out.csv
  cmp out.csv <(taskresults export)
  umask 027
  taskresults export --output ./new.csv
  [[ $(stat -c %a new.csv) == 640 ]]
  chmod 604 out.csv
  ln -s out.csv link.csv
  taskresults export -olink.csv --format json
  [[ -L link.csv && $(stat -c %a out.csv) == 604 && $(head -c 1 out.csv) == '[' ]]
  cp out.csv before
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults export -o out.csv
  [[ $status -eq 3 ]]
  cmp out.csv before
  run taskresults export -o nowhere/out.csv
  [[ $status -eq 3 && $output == *'cannot write nowhere/out.csv: its directory: No such file or directory'* ]]
  mkdir folder
  run taskresults export -o folder
  [[ $status -eq 3 && $output == *'cannot write folder: Is a directory'* ]]
  [[ $(taskresults export -o - | wc -l) == $(taskresults export -o /dev/stdout | wc -l) ]]
  [[ -z $(find . -name '.taskresults.*') ]]
}

@test "export: an unknown job is an error, and the file stays as it was; a job without records is exported" {
  make_job a 2
  : >"$results/empty.jsonl"
  ln -s a.jsonl "$results/link.jsonl"
  mkdir "$results/folder.jsonl"
  cd "$BATS_TEST_TMPDIR"
  echo before >out.csv
  local job format
  for job in no-such-job A '' a.jsonl ../results/a link folder; do
    for format in csv json jsonl; do
      run taskresults export a "$job" --format "$format" -o out.csv
      [[ $status -eq 1 && $output == "taskresults: no such job: $job"* && $(<out.csv) == before ]]
      run taskresults export --format "$format" --job="$job"
      [[ $status -eq 1 && $output == "taskresults: no such job: $job"* ]]
    done
  done
  taskresults export empty -o out.csv
  [[ $(<out.csv) == $'timestamp,job_id,job_name,success,output,error\r' ]]
  taskresults export a --since 2030-01-01 -o out.csv
  [[ $(wc -l <out.csv) -eq 1 ]]
}

@test "export, metrics, report: a query that fails or is killed half-way leaves the file as it was" {
  make_job a 2
  cd "$BATS_TEST_TMPDIR"
  echo before >out
  # The first rows arrive, and then the query fails or hangs.
  cat >breaks <<'SCRIPT'
#!/bin/bash
[[ $* != *-version* ]] || exec sqlite3 "$@"
cat >/dev/null
echo row
case $HOW in killed) kill -KILL $$ ;; *) echo 'Error: disk I/O error' >&2; exit 1 ;; esac
SCRIPT
  chmod +x breaks
  local command
  for command in export 'export a' 'export --format json' 'export --format jsonl' metrics report; do
    for HOW in killed failed; do
      export HOW
      TASKRESULTS_SQLITE3=$PWD/breaks run taskresults $command -o out
      [[ $status -eq 3 && $(<out) == before && -z $(find . -name '.taskresults.*') ]] || { echo "$command $HOW: $status $output"; return 1; }
    done
  done
}

@test "export: if it is interrupted, the file stays as it was, and no temporary file is left" {
  make_job a 1
  cd "$BATS_TEST_TMPDIR"
  echo before >out.csv
  # A sqlite3 that waits forever once it has begun.
  printf '#!/bin/bash\n[[ $* == *-version* ]] && exec sqlite3 "$@"\necho row; touch begun; exec sleep 60\n' >slow
  chmod +x slow
  TASKRESULTS_SQLITE3=$PWD/slow setsid "$(tool taskresults)" export -o out.csv 3>&- &
  exporter=$!
  until [[ -e begun && -n $(find . -name '.taskresults.*') ]]; do sleep 0.02; done
  kill -INT -- "-$exporter" || true
  kill -TERM -- "-$exporter"
  wait "$exporter" || true
  [[ $(<out.csv) == before && -z $(find . -name '.taskresults.*') ]]
}

# exporting_to_fifo SIGNALS - starts an export to a FIFO that has no reader yet, with these signals ignored; waits until it
# waits for the reader, and sets `exporter`.
exporting_to_fifo() {
  local pid=
  make_job a 1
  cd "$BATS_TEST_TMPDIR" || return
  mkfifo fifo
  # A background process of a script begins with INT and QUIT ignored.
  setsid env --default-signal=INT,QUIT ${1:+"--ignore-signal=$1"} "$(tool taskresults)" export -o fifo 2>words 3>&- &
  exporter=$!
  until
    pid=$(pgrep -g "$exporter" -f -- '--write fifo') && [[ $pid != *[!0-9]* ]] &&
      ! grep -q '^SigCgt:[[:space:]]*0*$' "/proc/$pid/status"
  do sleep 0.02; done
}

@test "export -o: signals that are ignored from the start, as with nohup, do not end it" {
  exporting_to_fifo HUP,INT
  kill -HUP -- "-$exporter"
  kill -INT -- "-$exporter"
  [[ $(<fifo) == *job_id* ]]
  wait "$exporter"
  [[ ! -s words ]]
}

@test "export -o: a reader of the FIFO that has read enough is no error, and nothing is said" {
  make_job a 3000
  cd "$BATS_TEST_TMPDIR" || return
  mkfifo fifo
  head -n 1 fifo >first 3>&- &
  run taskresults export -o fifo
  wait "$!"
  [[ $status -eq 0 && -z $output && $(<first) == *job_id* ]] || { echo "$status $output"; return 1; }
}

@test "export -o: a signal ends it while it waits for the FIFO's reader" {
  local signal status
  for signal in INT=130 TERM=143 HUP=129; do
    exporting_to_fifo ''
    kill "-${signal%=*}" "$exporter" # not to the writer
    status=0
    wait "$exporter" || status=$?
    [[ $status == "${signal#*=}" ]] || { echo "$signal: $status"; return 1; }
    ! pgrep -g "$exporter"
    rm fifo
  done
}

# --- sql -------------------------------------------------------------------------------------------------------------

@test "sql: takes statements as arguments or on standard input, modes, and a database; an error is status 3" {
  make_job a 3 3
  run taskresults sql 'SELECT count(*), sum(success) FROM task_results' "SELECT 'two'"
  assert_output $'3|2\ntwo'
  run taskresults sql --mode json 'SELECT job_id FROM task_results LIMIT 1'
  assert_output '[{"job_id":"a"}]'
  run taskresults sql --mode csv --header -- '-- a comment
    SELECT 1 AS x'
  assert_output $'x\r\n1\r'
  [[ $(echo 'SELECT 5;' | taskresults sql) == 5 ]]
  cd "$BATS_TEST_TMPDIR"
  taskresults sql --db=-my.db "CREATE TABLE t AS SELECT * FROM task_results"
  [[ $(taskresults sql --db ./-my.db 'SELECT count(*) FROM t') == 3 ]]
  run taskresults sql 'SELECT 1; SELECT nonsense; SELECT 2'
  [[ $status -eq 3 && $output == *'no such column: nonsense'* && $output != *$'\n2'* ]]
}

@test "sql: on a terminal it is interactive, with everything loaded" {
  make_job a 3
  printf 'import os, pty, sys\npid, fd = pty.fork()\nif pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
os.write(fd, b"SELECT count(*) || chr FROM task_results, (SELECT char(33) AS chr);\\n.quit\\n")
out = b""\nwhile True:\n  try: data = os.read(fd, 9999)\n  except OSError: break\n  if not data: break\n  out += data
os.waitpid(pid, 0)\nsys.stdout.buffer.write(out)\n' >"$BATS_TEST_TMPDIR/type.py"
  run python3 "$BATS_TEST_TMPDIR/type.py" "$(tool taskresults)" sql
  [[ $output == *'sqlite> '* && $output == *'│ 3!'* ]]
}

# --- doctor ----------------------------------------------------------------------------------------------------------

@test "doctor: if all is well, there is no FAIL, and status 0" {
  make_job a 3
  mkdir "$BATS_TEST_TMPDIR/logs"
  echo '{"jobs": []}' >"$BATS_TEST_TMPDIR/jobs.json"
  SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json run taskresults doctor
  [[ $status -eq 0 && $output == *"ok    results $results: 1 file"* && $output == *'ok    every line is a record'* ]]
  [[ $output != *FAIL* && $output != *note* ]]
}

@test "doctor: rejects are notes; entries that cannot be read are FAIL, each with a fix" {
  make_job a 1
  append_raw "o'b" '[]\n{\n'
  mkdir "$results/folder.jsonl"
  run taskresults doctor
  [[ $status -eq 1 ]]
  [[ $output == *"note  job o\\'b: 1 line: JSON, but not an object"*"to see them: taskresults rejects -- o\\'b"* ]]
  [[ $output == *'FAIL  job folder: not a regular file, but a directory'*'fix: move it out of '* ]]
}

@test "doctor: files and directories that the user may not read are FAIL, with the fix" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_place=$(mktemp -d /tmp/taskresults.XXXXXX) # the tests' own directories are closed to others
  results=$open_place/results
  export SCHEDULER_RESULTS_DIR=$results
  mkdir -m 755 "$results" && chmod 755 "$open_place"
  make_job a 1
  make_job b 1
  chmod 644 "$results/a.jsonl"
  chmod 600 "$results/b.jsonl"
  as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  run "${as_nobody[@]}" "$(tool taskresults)" doctor
  [[ $status -eq 1 && $output == *'FAIL  job b: '*'Permission denied'*'fix: as its owner: chmod a+r -- '*"/b.jsonl"* ]]
  chmod 700 "$results"
  run "${as_nobody[@]}" "$(tool taskresults)" doctor
  [[ $status -eq 1 && $output == *'FAIL  the results directory '*' is not readable for '* ]]
}

@test "doctor: jobs that died, have no id, or are listed twice have notes; so do logs that are not files; a broken list of jobs is FAIL" {
  make_job a 1
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json
  mkdir "$SCHEDULER_LOGS_DIR"
  mkfifo "$SCHEDULER_LOGS_DIR/fifo.log"
  printf '{"jobs": [{"id": "a"}, {"id": "o'"'"'b"}, {"id": "o'"'"'b"}, {"id": 5}, {"id": "odd", "next_run": "tomorrow"}]}' >"$SCHEDULER_JOBS_FILE"
  echo '{"pid": 0}' >"$BATS_TEST_TMPDIR/.checkpoint_a.json"
  run taskresults doctor
  [[ $status -eq 0 && $output == *'note  job a: its checkpoint names no process that lives'* ]]
  [[ $output == *"note  job o\\'b is 2 times in "* && $output == *'note  1 of the jobs in '*' have no id'* ]]
  [[ $output == *'note  job odd: its next_run cannot be read as a time'* ]]
  [[ $output == *'/logs/fifo.log is no regular file, so it is no log'* ]]
  printf '{"jobs": [' >"$SCHEDULER_JOBS_FILE"
  run taskresults doctor
  [[ $status -eq 1 && $output == *"FAIL  "*"jobs file $SCHEDULER_JOBS_FILE: byte 10: cut short"*'fix: mend the file'* ]]
}

@test "doctor: a missing results directory, sqlite3 or extension is FAIL, and so is an extension that cannot be loaded" {
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults doctor
  [[ $status -eq 1 && $output == *'FAIL  no results directory '*'/nowhere'*'fix: set SCHEDULER_RESULTS_DIR'* ]]
  TASKRESULTS_SQLITE3=/nowhere/sqlite3 run taskresults doctor
  [[ $status -eq 1 && $output == *'FAIL  no /nowhere/sqlite3 program'*'apt-get install sqlite3'* ]]
  [[ $(taskresults doctor) == *'ok    runner: '*'/taskresults-run'* ]]
  TASKRESULTS_EXTENSION=/nowhere/x.so run taskresults doctor
  [[ $status -eq 1 && $output == *'FAIL  the extension is not there'* ]]
  echo junk >"$BATS_TEST_TMPDIR/junk.so"
  TASKRESULTS_EXTENSION=$BATS_TEST_TMPDIR/junk.so run taskresults doctor
  [[ $status -eq 1 && $output == *'cannot be loaded'* ]]
}
