#!/usr/bin/env bats
# Files of other programs, read by a mapping (ext/DIALECTS.md).

load ../lib/helpers
load ../lib/shell

setup_file() {
  export generated=$BATS_FILE_TMPDIR/generated PYTHONDONTWRITEBYTECODE=1 oracle dialect
  oracle=${TASKRESULTS_ROOT:-$BATS_TEST_DIRNAME/../..}/tests/oracles/dialects.py
  for dialect in openclaw runs gitlab n8n; do
    python3 "$oracle" generate "$dialect" "$generated/$dialect" 1600
    python3 "$oracle" generate "$dialect" "$generated/few-$dialect" 160
  done
}

# use DIALECT [DIRECTORY] - the examples of that program, or other files.
use() {
  export SCHEDULER_RESULTS_DIR=${2-$root/examples/dialects/$1} TASKRESULTS_MAP=$1
}

# assert_agrees COUNT - the last `run` of the oracle made at least so many comparisons, and found no difference.
assert_agrees() {
  printf '%s\n' "$output"
  [[ $status -eq 0 && $output =~ ([0-9]+)\ compared,\ 0\ disagreements$ ]] && ((BASH_REMATCH[1] >= $1))
}

# refuses WORDS STATEMENT... - the statements are an error that says so.
refuses() {
  run sql "${@:2}"
  printf '%s\n' "$output"
  [[ $status -ne 0 && $output == *"$1"* ]]
}

@test "every table over openclaw, runs, gitlab and n8n says what Python says, pushdown included" {
  for dialect in openclaw runs gitlab n8n; do
    run python3 "$oracle" check "$dialect" "$root/taskresults" "$generated/$dialect"
    assert_agrees 1500
  done
}

@test "so it does where each line and block has a boundary in it, with one thread and with two" {
  for dialect in openclaw n8n; do
    TASKRESULTS_THREADS=2 run python3 "$oracle" check "$dialect" "$root/build/tiny/taskresults" "$generated/few-$dialect"
    assert_agrees 150
    TASKRESULTS_THREADS=1 run python3 "$oracle" check "$dialect" "$root/build/tiny/taskresults" "$generated/few-$dialect"
    assert_agrees 150
  done
}

@test "list, stats, view, errors, export, sla, rejects, doctor, alerts, metrics, report, follow and history over each: as Python counts" {
  for dialect in openclaw runs gitlab n8n; do
    run python3 "$oracle" commands "$dialect" "$(tool taskresults)" "$generated/few-$dialect"
    assert_agrees 50
  done
}

@test "report, alerts, metrics and follow read by a mapping; a run that is neither is no failure, and no job is without a name" {
  use openclaw
  export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
  run taskresults alerts --after 1 --state "$BATS_TEST_TMPDIR/claw"
  [[ $status -eq 0 && -z $output ]]
  run taskresults report
  [[ $status -eq 0 && $output == *'"daily-report"'* ]]
  run taskresults metrics
  [[ $output == *'taskresults_job_runs{job_id="daily-report",result="success"} 2'* ]]
  [[ $output == *'taskresults_job_runs{job_id="daily-report",result="failure"} 1'* ]]
  [[ $output == *'taskresults_job_last_run_duration_seconds{job_id="daily-report"} 13.400000'* ]]
  run bash -o pipefail -c '"$0" follow daily-report --limit 4 --jsonl | head -n 4' "$(tool taskresults)"
  [[ ${#lines[@]} -eq 4 && ${lines[3]} == *'"nothing to do"'* ]]
  run taskresults view daily-report
  [[ ${lines[0]} == *'SUCCESS'* && $output == *'2026-02-11T08:00:00.210000Z | '*UNKNOWN* ]]
  use n8n
  run taskresults alerts --after 1 --state "$BATS_TEST_TMPDIR/n8n"
  [[ $status -eq 1 && $output == 'k3Vb: failed: 404 - not found' ]] || [[ $output == *'k3Vb: failed'* ]]
  use n8n "$generated/n8n"
  for command in list stats metrics report; do
    run taskresults "$command"
    [[ $status -eq 0 && $output != *'job_id=""'* && $output != *$'\n '* ]] || [[ $command == report ]]
  done
}

@test "--map is the same as TASKRESULTS_MAP, and map= of a table goes before both; @FILE and JSON are mappings, too" {
  use openclaw
  from_environment=$(taskresults list --json)
  export TASKRESULTS_MAP=n8n
  [[ $from_environment == *daily-report* && $(taskresults list --json --map openclaw) == "$from_environment" ]]
  [[ $(taskresults list --json) == '['$'\n'']' || $(taskresults list --json) == '[]' ]]
  sql "SELECT taskresults_mapping('openclaw')" >"$BATS_TEST_TMPDIR/own.json"
  [[ $(taskresults list --json --map "@$BATS_TEST_TMPDIR/own.json") == "$from_environment" ]]
  [[ $(taskresults list --json --map "$(<"$BATS_TEST_TMPDIR/own.json")") == "$from_environment" ]]
  assert_rows 4 "CREATE VIRTUAL TABLE temp.r USING task_results(map=openclaw); SELECT count(*) FROM r"
  assert_rows 'daily-report|4|1|1' \
    "CREATE VIRTUAL TABLE temp.s USING task_stats(map='@$BATS_TEST_TMPDIR/own.json');
    SELECT job_id, runs, unknowns, others FROM s"
}

@test "the file of a mapping is read for each query: it may be made, changed and broken while a program runs" {
  use openclaw
  unset TASKRESULTS_MAP
  map=$BATS_TEST_TMPDIR/map.json
  refuses 'mapping /' "CREATE VIRTUAL TABLE temp.r USING task_results(map='@$map'); SELECT count(*) FROM r"
  sql "SELECT taskresults_mapping('openclaw')" >"$map"
  printf '{"timestamp": "ts", "files": "*.txt", "success": "x"}' >"$map.other"
  assert_rows $'4\n0' "CREATE VIRTUAL TABLE temp.r USING task_results(map='@$map')" "SELECT count(*) FROM r" \
    ".shell cp $map.other $map" "SELECT count(*) FROM r"
  printf '{"timestamp": "ts", "files": "*.jsonl", "succes": "x"}' >"$map"
  refuses "mapping $map: succes: unknown key" "CREATE VIRTUAL TABLE temp.r USING task_results(map='@$map'); SELECT 1 FROM r"
  mkdir "$map.d"
  refuses "mapping $map.d: not a regular file, but a directory" "SELECT taskresults_mapping('@$map.d')"
  printf '{"timestamp": "ts"\0}' >"$map"
  refuses "mapping $map: byte 18: NUL" "SELECT taskresults_mapping('@$map')"
  head -c 70000 /dev/zero | tr '\0' ' ' >"$map"
  refuses 'larger than 64 KiB' "SELECT taskresults_mapping('@$map')"
}

@test "a mapping is JSON for the tables as it is for --map and for Python: no byte order mark, no 01, no line break in a text" {
  use '' "$results"
  unset TASKRESULTS_MAP
  printf '{"t": 5, "s": "ok"}\n' >"$results/a.jsonl"
  printf '{"timestamp": "t", "success": [{"s": ["ok", %s]}]}\n' 1 '-0.5E+3' '"\u00e9"' '1 ,2' 01 '1.' .5 1e NaN "'a'" '"\x"' $'"\t"' null, \
    $'1,\v2' >"$BATS_TEST_TMPDIR/maps"
  printf '\xEF\xBB\xBF%s\n' "$(head -n 1 "$BATS_TEST_TMPDIR/maps")" >>"$BATS_TEST_TMPDIR/maps"
  expected=$(python3 -c 'import json, sys
def never(text): raise ValueError
for line in open(sys.argv[1], "rb"):
    try:
        print(0, json.loads(line.decode(), parse_constant=never) and "")
    except ValueError:
        print(1)' "$BATS_TEST_TMPDIR/maps" | tr -d ' \n')
  told=''
  while IFS= read -r line; do
    printf '%s\n' "$line" >"$BATS_TEST_TMPDIR/map.json"
    by_table=0 by_command=0
    sql "CREATE VIRTUAL TABLE temp.r USING task_results(map='@$BATS_TEST_TMPDIR/map.json'); SELECT count(*) FROM r" >/dev/null 2>&1 || by_table=1
    taskresults list --map "@$BATS_TEST_TMPDIR/map.json" >/dev/null 2>&1 || by_command=1
    ((by_table == by_command))
    told+=$by_table
  done <"$BATS_TEST_TMPDIR/maps"
  [[ $told == "$expected" && $told == 000011111111111 ]]
}

@test "a name that is no mapping, and one that is wrong, are errors of every table and command" {
  use nothing "$results"
  for table in task_results task_rejects task_lines task_stats task_errors task_runs; do
    refuses "TASKRESULTS_MAP: 'nothing' is no mapping; there are native, openclaw, runs, gitlab, n8n, @FILE" "SELECT * FROM $table"
  done
  refuses "map: 'x' is no mapping" "CREATE VIRTUAL TABLE temp.r USING task_results(map=x)"
  refuses "map is given twice" "CREATE VIRTUAL TABLE temp.r USING task_results(map=openclaw, dir='/x', map=openclaw)"
  refuses "map: success: must be a list" "CREATE VIRTUAL TABLE temp.r USING task_results(map='{\"timestamp\": \"t\", \"success\": 1}')"
  run taskresults list
  [[ $status -eq 2 && $output == *"--map wants native, openclaw, runs, gitlab, n8n, @FILE or JSON, not 'nothing'"* ]]
  run taskresults list --map '{"timestamp": "t"}'
  [[ $status -eq 3 && $output == *'success and failure are missing'* ]]
}

@test "under a mapping nothing is written: INSERT, prune and ship refuse, with nothing changed" {
  cp -r "$root/examples/dialects/openclaw/." "$results"
  use openclaw "$results"
  before=$(cat "$results"/*)
  refuses 'files are only read: they belong to another program' \
    "SELECT taskresults_writable(1); INSERT INTO task_results(job_id, success) VALUES ('a', 1)"
  refuses 'taskresults_prune: under a mapping (TASKRESULTS_MAP) files are only read' "SELECT taskresults_prune('daily-report', 'keep', 1)"
  refuses 'files are only read' "SELECT taskresults_prune_all('keep', 1)"
  refuses 'taskresults_seal: there are no seals under a mapping (TASKRESULTS_MAP)' "SELECT taskresults_seal_all()"
  refuses 'taskresults_verify: there are no seals under a mapping' "SELECT taskresults_verify_all()"
  refuses 'taskresults_index: there is no index under a mapping' "SELECT taskresults_index('rebuild')"
  unset TASKRESULTS_MAP
  refuses 'under a mapping (map) files are only read' \
    "CREATE VIRTUAL TABLE temp.r USING task_results(dir='$results', map=openclaw); INSERT INTO r(job_id, success) VALUES ('a', 1)"
  TASKRESULTS_MAP=openclaw run taskresults run daily-report -- touch "$BATS_TEST_TMPDIR/was-run"
  [[ $status -eq 2 && $output == *'TASKRESULTS_MAP names another program'* && ! -e $BATS_TEST_TMPDIR/was-run ]]
  TASKRESULTS_MAP=openclaw run taskresults ship --to http://localhost:1
  [[ $status -eq 2 && $output == *'ship sends what our scheduler writes'* ]]
  [[ $(cat "$results"/*) == "$before" && $(ls -A "$results") == daily-report.jsonl ]]
}

@test "map=native is what there was before: rows, times, INSERT" {
  make_job ours 5 2
  append_raw ours '{"timestamp": 1770000000, "success": "no"}\n'
  unset TASKRESULTS_MAP
  query="SELECT job_id, timestamp, time_us, success, ok, offset FROM"
  without=$(sql "$query task_results")
  [[ $(TASKRESULTS_MAP=native sql "$query task_results") == "$without" ]]
  assert_rows "$without" "CREATE VIRTUAL TABLE temp.r USING task_results(map=native); $query r"
  TASKRESULTS_MAP=native sql "SELECT taskresults_writable(1); INSERT INTO task_results(job_id, success) VALUES ('ours', 1)"
  assert_rows '7|5' "SELECT count(*), sum(ok) FROM task_results"
}

@test "what needs files of one job each says so: follow, segments, days, history" {
  use gitlab
  refuses 'only the live files can be read' 'SELECT * FROM task_history'
  refuses 'only the live files can be read' 'SELECT * FROM task_days'
  refuses 'only the live files can be read' 'CREATE VIRTUAL TABLE temp.s USING task_stats(segments=all); SELECT * FROM s'
  run taskresults follow
  [[ $status -eq 2 && $output == *'under this mapping jobs share them'* ]]
  use openclaw
  assert_rows '4|daily-report.jsonl' 'SELECT count(*), max(segment) FROM task_history'
  assert_rows '3|1' 'SELECT sum(runs), sum(failures) FROM task_days'
  refuses 'only the live files can be read' "CREATE VIRTUAL TABLE temp.h USING task_history(map='{\"timestamp\": \"ts\", \"files\": \"run-*\", \"success\": \"a\"}'); SELECT * FROM h"
  for mapping in gitlab '{"timestamp": "ts", "files": "run-*", "success": "a"}'; do
    for command in 'list --history' 'stats --history' 'view x --history' 'errors --history' 'export --history' 'rejects --history' \
      'sla --history' 'sla --ratio'; do
      # shellcheck disable=SC2086  # split
      run taskresults $command --map "$mapping"
      [[ $status -eq 2 && $output == *"needs each job's rotated files"* ]]
    done
    run taskresults report --map "$mapping"
    [[ $status -eq 0 ]]
  done
}

# rotate FILE - cuts the file of a job into four: FILE.2.zst, FILE.1.gz, FILE-20260101 and itself.
rotate() {
  split -n l/4 -d -a 1 "$1" "$1.part"
  mv "$1.part0" "$1-20260101" && zstd -q --rm "$1.part1" -o "$1.2.zst" && gzip -n "$1.part2"
  mv "$1.part2.gz" "$1.1.gz" && mv "$1.part3" "$1"
}

@test "segments=all has all records of rotated files, whatever files are called, if a name tells the job" {
  cp -r "$generated/few-openclaw/." "$results"
  use openclaw "$results"
  map=$(sql "SELECT json_set(taskresults_mapping('openclaw'), '$.files', 'run-*.nd')")
  for table in 'job_id, record, success, time_us FROM task_results' 'job_id, day, runs, failures FROM task_days' \
    'job_id, runs, failures, unknowns, others, rejects FROM task_stats'; do
    before+=$(sql "SELECT $table ORDER BY 1, 2, 3, 4")
  done
  before+=$(taskresults sla --ratio --window 3000d --csv && taskresults stats --csv)
  for job in a b-2 ü; do
    mv "$results/$job.jsonl" "$results/run-$job.nd" && rotate "$results/run-$job.nd"
  done
  mv "$results/run-ü.nd" "$results/run-ü.nd.3" # it has no live file
  rm "$results/README.txt"
  printf 'x' >"$results/a.nd.1" && printf 'x' >"$results/run-a.nd.1.bak" && printf 'x' >"$results/run-a.jsonl"
  export TASKRESULTS_MAP=$map TASKRESULTS_SEGMENTS=all
  for table in 'job_id, record, success, time_us FROM task_history' 'job_id, day, runs, failures FROM task_days' \
    'job_id, runs, failures, unknowns, others, rejects FROM task_stats'; do
    after+=$(sql "SELECT $table ORDER BY 1, 2, 3, 4")
  done
  assert_rows $'a|4\nb-2|4\nü|4' 'SELECT job_id, count(DISTINCT segment) FROM task_history GROUP BY 1'
  unset TASKRESULTS_SEGMENTS
  after+=$(taskresults sla --ratio --window 3000d --csv && taskresults stats --csv --history)
  [[ $after == "$before" && ${#after} -gt 1000 ]] || diff <(echo "$before") <(echo "$after")
}

@test "the order of rotated files under a mapping is that of their records' times" {
  line() { printf '{"ts": %s, "status": "ok"}\n' "$1"; }
  line 1770000300 >"$results/a.log.1" && line 1770000200 >"$results/a.log.0" && line 1770000400 >"$results/a.log.2"
  line 1770000100 | gzip >"$results/a.log.3.gz" && line 1770000350 >"$results/a.log"
  use '{"files": "*.log", "timestamp": "ts", "success": [{"status": ["ok"]}]}' "$results"
  in_order=$'a.log.3.gz\na.log.0\na.log.1\na.log\na.log.2'
  assert_rows "$in_order" 'SELECT segment FROM task_history ORDER BY job_id, segment_no, offset'
  assert_rows "$(tac <<<"$in_order")" "SELECT segment FROM task_history WHERE job_id = 'a' ORDER BY segment_no DESC, offset DESC"
  rm "$results/a.log.3.gz"
  assert_rows $'a.log.2\na.log\na.log.1\na.log.0' \
    "SELECT segment FROM task_history WHERE job_id = 'a' ORDER BY segment_no DESC, offset DESC"
}

@test "a log that jobs share is read as it was at one moment, whenever it is rotated; of very many files, or it says so" {
  for arguments in 2 "23 $root/build/tiny/taskresults"; do # this one keeps two files open
    # shellcheck disable=SC2086  # split
    run env TASKRESULTS_ROOT="$root" PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/live/shared_rotated.py" $arguments
    printf '%s\n' "$output"
    [[ $status -eq 0 ]]
  done
  [[ $output =~ \ ([0-9]+)\ times\ told ]] && ((BASH_REMATCH[1] > 0))
}

@test "loaded read-only, a mapping from a file is refused, and a name or JSON is not" {
  use openclaw
  run sqlite3 -batch -bail -init /dev/null :memory: ".load $root/taskresults sqlite3_taskresults_readonly_init" \
    "SELECT taskresults_mapping('@/etc/hostname')"
  [[ $status -ne 0 && $output == *'loaded read-only'* ]]
  run sqlite3 -batch -bail -init /dev/null :memory: ".load $root/taskresults sqlite3_taskresults_readonly_init" \
    "CREATE VIRTUAL TABLE temp.r USING task_results(map='@/etc/hostname')"
  [[ $status -ne 0 && $output == *'loaded read-only'* ]]
  run sqlite3 -batch -bail -init /dev/null :memory: ".load $root/taskresults sqlite3_taskresults_readonly_init" \
    "CREATE VIRTUAL TABLE temp.r USING task_results(map=openclaw); SELECT count(*) FROM r"
  [[ $status -eq 0 && $output == 4 ]]
}

@test "doctor recognises a program by its files, and says what a mapping does not understand" {
  for dialect in openclaw runs gitlab n8n; do
    use native "$root/examples/dialects/$dialect"
    run taskresults doctor
    [[ $output == *"the mapping $dialect understands them"*"list --map $dialect"* ]]
  done
  unset TASKRESULTS_MAP
  use native "$results"
  make_job ours 3
  run taskresults doctor
  [[ $output != *'the mapping '* ]]
  use gitlab "$generated/few-gitlab"
  run taskresults doctor
  [[ $output == *"mapping gitlab: $(sql 'SELECT sum(runs) FROM task_stats') runs of "*" jobs in 1 files, of which 0 jobs are in more than one; \
$(sql 'SELECT sum(others) FROM task_stats') other lines"* ]]
  [[ $output == *"records without a job: $(sql 'SELECT count(*) FROM task_results WHERE job_id IS NULL')"* ]]
  use n8n
  run taskresults doctor
  [[ $output == *'3 runs of 2 jobs in 2 files, of which 1 jobs are in more than one; 1 other lines'* && $output != *'begin with the same'* ]]
  rm -rf "$results" && cp -r "$root/examples/dialects/runs" "$results"
  printf '{"ts": 1770000000, "status": "odd"}\n{"ts": 1770000000, "status": "odd"}\n' >>"$results/warehouse.jsonl"
  use runs "$results"
  run taskresults doctor
  [[ $output == *'a value that no list of the mapping has: status "odd" (2 times)'* && $output != *'"partial"'* ]]
  [[ $output != *'begin with the same record'* && $output != *'without a status'* && $output != *'runs of 2 jobs by'* ]]
}

@test "list: runs that are neither a success nor a failure change no state; without others it is unknown, and not failing" {
  local how
  for how in success failed partial skipped; do
    printf '{"finished_at": 1770000000, "status": "%s"}\n' "$how" >"$results/$how.jsonl"
    printf '{"finished_at": 1770000000, "status": "%s"}\n{"finished_at": 1770000001, "status": "partial"}\n' "$how" \
      >"$results/$how-partial.jsonl"
  done
  use runs "$results"
  [[ $(taskresults list --json | python3 -c 'import json, sys
for job in json.load(sys.stdin): print(job["job_id"], job["last_success"])') == 'failed False
failed-partial False
partial None
partial-partial None
skipped None
skipped-partial None
success True
success-partial True' ]]
  [[ $(taskresults list --failing --csv | cut -d , -f 1) == $'job_id\nfailed\nfailed-partial' ]]
  [[ $(taskresults list | grep -c ' unknown ') == 4 && $(taskresults list | grep -c ' failed ') == 2 ]]
}

@test "doctor names rotated files that a mapping does not read, and how to read them" {
  cp "$root"/examples/dialects/runs/*.jsonl "$results" && cp "$results/warehouse.jsonl" "$results/failed.jsonl"
  use runs "$results"
  cp "$results/failed.jsonl" "$results/failed.jsonl.1" && gzip -c "$results/failed.jsonl" >"$results/failed.jsonl.2.gz"
  run taskresults doctor
  [[ $output == *'rotated files in '*', which are not read: failed.jsonl.1, failed.jsonl.2.gz'*' list --map runs --history '* ]]
}

@test "doctor tells of copies, of jobs in the records of one file, and of runs without a status; what it prints can be pasted" {
  cp "$root/examples/dialects/runs/warehouse.jsonl" "$results/a b.jsonl" && cp "$results/a b.jsonl" "$results/copy.jsonl"
  printf '{"finished_at": 1770000000}\n{"finished_at": 1770000000, "status": null}\n{"status": "odd"}\ntorn\n' >>"$results/a b.jsonl"
  unset TASKRESULTS_MAP
  export SCHEDULER_RESULTS_DIR=$results
  run taskresults doctor --map runs
  [[ $output == *'2 files begin with the same record: those of a\ b and copy'* && $output == *'note  runs without a status: 2'* ]]
  printf "%s\n" "$output"
  [[ $output == *"taskresults rejects --map runs -- a\\ b"* ]]
  pasted=$(bash -c "$(sed -n "s/^ *\(.*sql --map runs '.*\)/\1/p" <<<"$output")")
  [[ $pasted == "$(TASKRESULTS_MAP=runs sql 'SELECT record FROM task_results WHERE ok IS NULL')" && $pasted == *'"odd"'* ]]
  for command in rejects view; do
    bash -c "$(sed -n "s/^.*to see them: \(.* $command --map .*\)/\1/p" <<<"$output")"
  done
  run taskresults doctor --map '{"timestamp": "finished_at", "success": "good one"}'
  [[ $output == *'runs without a value for good one, which count as failures: 9'* ]]
  cp "$root/examples/dialects/ours/runs.jsonl" "$results/runs.jsonl"
  for mapping in native runs; do
    run taskresults doctor --map "$mapping"
    [[ $output == *'one file, runs.jsonl, has runs of 2 jobs by its key recipeName'*'"job": "recipeName" and "files": "runs.jsonl"'* ]]
  done
  rm "$results"/*.jsonl && cp "$root/examples/dialects/ours/runs.jsonl" "$results/x.jsonl"
  SCHEDULER_RESULTS_DIR=$results run taskresults sla --map "$(<"$root/examples/dialects/ours/map.json")" --window 1d
  printf '{"recipeName": "a", "status": "done"}\n' >"$results/runs.jsonl"
  run taskresults sla --map "@$root/examples/dialects/ours/map.json" --window 1d
  [[ $output == *"taskresults sql --map @"*"/map.json 'SELECT job_id"* ]]
}

@test "names of files with brackets, stars and backslashes in them are those of the mapping, for follow, alerts and doctor, too" {
  for job in a b; do
    printf '{"t": 1770000000, "ok": true, "out": "%s"}\n{"t": 1770000001, "ok": 0}\n' "$job" >"$results/[x]\\?$job.log[1]"
  done
  printf '{"t": 5, "ok": false}\n' >"$results/x\\?a.log1"
  unset TASKRESULTS_MAP
  map='{"files": "[x]\\?*.log[1]", "timestamp": "t", "success": "ok", "output": "out"}'
  export SCHEDULER_RESULTS_DIR=$results
  [[ $(taskresults list --map "$map" --csv | cut -d, -f 1 | xargs) == 'job_id a b' ]]
  run bash -o pipefail -c '"$0" follow --map "$1" --limit 2 | head -n 6' "$(tool taskresults)" "$map"
  [[ ${#lines[@]} -eq 6 && $output == *'Output: a'* && $output == *'Output: b'* ]]
  run taskresults alerts --map "$map" --state "$BATS_TEST_TMPDIR/state"
  [[ $status -eq 1 && $output == *'a: failed'*'b: failed'* ]]
  run taskresults doctor --map "$map"
  [[ $output == *"results $results: 2 files"*'4 runs of 2 jobs;'* ]]
}

# timed_run JOB MS STATUS - appends a run of openclaw's that took so long, an hour after the one before.
timed_run() {
  printf '{"ts": %s, "jobId": "%s", "action": "finished", "status": "%s", "durationMs": %s}\n' \
    "$((hour += 3600000))" "$1" "$3" "$2" >>"$results/$1.jsonl"
}

# run_alerts OPTION... - `told`: what it says on its standard error.
run_alerts() {
  run bash -c '"$0" alerts "${@:2}" 2>"$1"' "$(tool taskresults)" "$BATS_TEST_TMPDIR/told" "$@"
  told=$(<"$BATS_TEST_TMPDIR/told")
  printf '%s\n' "$output" "$told"
}

@test "alerts --slow and --fast go by the durations in the records, and need no log for that" {
  hour=1770000000000
  export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
  unset SCHEDULER_LOGS_DIR
  for ms in 60000 50000 70000 60000 60000; do
    for job in even slow failed; do timed_run "$job" "$ms" ok; done
    timed_run slow null ok # these are not compared
    timed_run slow 5000000 skipped
    timed_run fast "${ms}0" ok
  done
  timed_run even 100000 ok && timed_run slow 200000 ok && timed_run failed 400000 error && timed_run fast 5000 ok
  timed_run few 60000 ok && timed_run few 900000 ok
  use openclaw "$results"
  expected=$'failed: took 400s, usually 60s\nfast: took only 5.0s, usually 10m\nslow: took 200s, usually 60s'
  run_alerts --slow --fast --state "$BATS_TEST_TMPDIR/one"
  [[ $status -eq 1 && $output == "$expected" && -z $told ]]
  run taskresults alerts --slow=1.5 even --state "$BATS_TEST_TMPDIR/two"
  [[ $status -eq 1 && $output == 'even: took 100s, usually 60s' ]]
  run_alerts --slow --fast --missed --state "$BATS_TEST_TMPDIR/three"
  [[ $output == "$expected" && $told == *'left out: --missed, since the jobs'* && $told != *slow* ]]
  mkdir "$BATS_TEST_TMPDIR/shared" && sort "$results"/*.jsonl >"$BATS_TEST_TMPDIR/shared/all.log"
  use "$(sql "SELECT json_set(taskresults_mapping('openclaw'), '$.files', '*.log', '$.job', 'jobId')")" "$BATS_TEST_TMPDIR/shared"
  run_alerts --slow --fast --state "$BATS_TEST_TMPDIR/four"
  [[ $status -eq 1 && $output == "$expected" && -z $told ]]
  use n8n
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR
  run_alerts --slow --fast --state "$BATS_TEST_TMPDIR/five"
  [[ $told == *'left out: --slow, --fast, since this mapping has neither "duration" nor "started"'* && -z $output ]]
}
