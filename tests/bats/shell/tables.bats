#!/usr/bin/env bats
# taskresults list, stats and rejects.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

three_jobs() {
  make_job steady 4
  make_job flaky 5 2
  make_job broken 3 1
}

# --- list ------------------------------------------------------------------------------------------------------------

@test "list: runs, rate, last run, last state and streak of each job" {
  three_jobs
  append_raw flaky '{"timestamp": "2026-01-01T01:00:00.25Z", "success": false}\nnot a record\n'
  run taskresults list
  [[ $status -eq 0 && ${#lines[@]} -eq 4 ]]
  [[ ${lines[0]} =~ ^'JOB     RUNS  SUCCESS  LAST RUN '\ *'  LAST STATE  STREAK'$ ]]
  [[ ${lines[1]} =~ ^'broken     3    0.0 %  2026-01-01 00:02:00  '[0-9]+'d ago  failed           3'$ ]]
  [[ ${lines[2]} =~ ^'flaky      6   50.0 %  2026-01-01 01:00:00  '[0-9]+'d ago  failed           1'$ ]]
  [[ ${lines[3]} =~ ^'steady     4  100.0 %  2026-01-01 00:03:00  '[0-9]+'d ago  ok               4'$ ]]
}

@test "list: CSV and JSON have all columns" {
  three_jobs
  run taskresults list --csv
  assert_output $'job_id,runs,successes,failures,percent,last_run,last_success,streak\r
broken,3,0,3,0.0,2026-01-01T00:02:00Z,false,3\r
flaky,5,3,2,60.0,2026-01-01T00:04:00Z,true,1\r
steady,4,4,0,100.0,2026-01-01T00:03:00Z,true,4\r'
  run taskresults list --failing --json
  assert_output $'[\n{"job_id":"broken","runs":3,"successes":0,"failures":3,"percent":0.0,"last_run":"2026-01-01T00:02:00Z","last_success":false,"streak":3}\n]'
  taskresults list --jsonl | python3 -c 'import json, sys; assert [json.loads(x)["streak"] for x in sys.stdin] == [3, 1, 4]'
}

@test "list: --sort orders the jobs by each of its words" {
  three_jobs
  order() { taskresults list --sort "$1" --csv | tail -n +2 | cut -d, -f1 | tr '\n' ' '; }
  [[ $(order name) == 'broken flaky steady ' ]]
  [[ $(order runs) == 'flaky steady broken ' ]]
  [[ $(order rate) == 'broken flaky steady ' ]]
  [[ $(order last) == 'flaky steady broken ' ]]
  [[ $(order streak) == 'steady broken flaky ' ]]
  run taskresults list --sort size
  [[ $status -eq 2 ]]
}

@test "list agrees with Python about streaks" {
  python3 - "$results" >"$BATS_TEST_TMPDIR/expected" <<'PYTHON'
import itertools, json, random, sys
random.seed(4)
for number in range(40):
    job = f"job-{number:02}"
    runs = [random.random() < random.choice((0, .3, .7, 1)) for _ in range(random.randint(1, 30))]
    with open(f"{sys.argv[1]}/{job}.jsonl", "w") as file:
        for success in runs:
            file.write(json.dumps({"timestamp": "2026-01-01T00:00:00Z", "success": success}) + "\n")
    streak = len(list(next(itertools.groupby(reversed(runs)))[1]))
    print(f"{job},{len(runs)},{sum(runs)},{str(runs[-1]).lower()},{streak}")
PYTHON
  taskresults list --csv | tr -d '\r' | tail -n +2 | cut -d, -f1,2,3,7,8 | diff "$BATS_TEST_TMPDIR/expected" -
}

@test "list: an empty directory gives no jobs; a missing one is an error" {
  run taskresults list --json
  assert_output '[]'
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults list
  [[ $status -eq 3 && $output == 'taskresults: results directory '* ]]
}

# --- stats -----------------------------------------------------------------------------------------------------------

@test "stats: figures of each job, of one job, and of all jobs together" {
  three_jobs
  run taskresults stats --csv
  assert_output $'job_id,period,runs,successes,failures,percent,first_run,last_run,worst_streak,interval_seconds,p50_seconds,p95_seconds,max_seconds\r
broken,,3,0,3,0.0,2026-01-01T00:00:00Z,2026-01-01T00:02:00Z,3,60.0,,,\r
flaky,,5,3,2,60.0,2026-01-01T00:00:00Z,2026-01-01T00:04:00Z,1,60.0,,,\r
steady,,4,4,0,100.0,2026-01-01T00:00:00Z,2026-01-01T00:03:00Z,0,60.0,,,\r'
  run taskresults stats --total --jsonl
  assert_output '{"job_id":null,"period":null,"runs":12,"successes":7,"failures":5,"percent":58.3,"first_run":"2026-01-01T00:00:00Z","last_run":"2026-01-01T00:04:00Z","worst_streak":3,"interval_seconds":21.8,"p50_seconds":null,"p95_seconds":null,"max_seconds":null}'
  run taskresults stats flaky
  [[ $status -eq 0 && ${#lines[@]} -eq 2 ]]
  [[ ${lines[1]} =~ ^'flaky     5   3       2   60.0 %             1     1m  2026-01-01 00:00:00  2026-01-01 00:04:00  '[0-9]+'d ago'$ ]]
}

# timed JOB SECONDS... - runs that took so long, one a minute from 2026-01-01T00:00:00Z on, with their log.
timed() {
  local job=$1 minute=10
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
  mkdir -p "$SCHEDULER_LOGS_DIR"
  for took in "${@:2}"; do
    printf '[2026-01-01T00:%s:00Z] Starting execution\n[2026-01-01T00:%s:%02dZ] Execution succeeded\n' \
      "$minute" "$minute" "$took" >>"$SCHEDULER_LOGS_DIR/$job.log"
    append_raw "$job" "{\"timestamp\": \"2026-01-01T00:$minute:$(printf %02d "$took")Z\", \"success\": true}\n"
    ((++minute))
  done
}

@test "stats: durations, if logs have them, are those of task_stats: for each job, a range of times, and all jobs" {
  timed a 5 1 4 2 3
  timed b 40 20
  append_raw c '{"timestamp": "2026-01-01T00:00:00Z", "success": true}\n'
  durations() { taskresults stats "$@" --csv | tail -n +2 | cut -d, -f1,11- | tr -d '\r' | tr '\n' ' '; }
  [[ $(durations) == 'a,3.0,5.0,5.0 b,20.0,40.0,40.0 c,,, ' ]]
  [[ $(durations --since 2026-01-01T00:11:00Z) == 'a,2.0,4.0,4.0 b,20.0,20.0,20.0 ' ]]
  [[ $(durations --total) == ',4.0,40.0,40.0 ' ]]
  [[ $(durations --by day a) == 'a,3.0,5.0,5.0 ' ]]
  [[ $(durations c) == 'c,,, ' ]]
  [[ $(durations) == "$(taskresults sql --mode csv 'SELECT job_id, p50_s, p95_s, max_s FROM task_stats' |
    grep -v ^job_id | tr -d '\r' | tr '\n' ' ')" ]]
  run taskresults stats
  [[ ${lines[0]} == *' P50   P95   MAX  FIRST RUN '* ]]
  [[ ${lines[1]} == *' 3.0s '*' 5.0s '*' 5.0s '* && ${lines[2]} == *' 20s '*' 40s '*' 40s '* ]]
  run taskresults stats c
  [[ ${lines[0]} != *P95* ]]
  # Precise enough to tell one from three times as long, as alerts --slow has them.
  printf '[2026-01-01T00:%s]%s\n' 00:00Z ' Starting execution' 01:59Z ' Execution succeeded' 10:00Z ' Starting execution' \
    59:30Z ' Execution succeeded' >"$SCHEDULER_LOGS_DIR/e.log"
  append_raw e '{"timestamp": "2026-01-01T00:01:59Z", "success": true}\n' '{"timestamp": "2026-01-01T00:59:30Z", "success": true}\n'
  run taskresults stats e
  [[ ${lines[1]} == *' 119s '*' 49m '*' 49m '* ]] || { echo "$output"; return 1; }
}

@test "stats: if a log cannot be read, only its job lacks durations; a message has the fix; status 3" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  timed a 5
  timed b 6
  cp -r "$SCHEDULER_LOGS_DIR" "$open_place/logs"
  export SCHEDULER_LOGS_DIR=$open_place/logs
  chmod 644 "$results"/*.jsonl "$SCHEDULER_LOGS_DIR/a.log"
  chmod 755 "$SCHEDULER_LOGS_DIR"
  chmod 600 "$SCHEDULER_LOGS_DIR/b.log"
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  run "${as_nobody[@]}" "$(tool taskresults)" stats --csv
  [[ $status -eq 3 && $output == *"no durations: job b, whose log cannot be read; as its owner: chmod a+r -- $SCHEDULER_LOGS_DIR/b.log"* ]]
  [[ $output == *'a,,1,1,'*',5.0,5.0,5.0'* && $output == *'b,,1,1,'*',,,,'* ]]
  run "${as_nobody[@]}" "$(tool taskresults)" stats a --csv
  [[ $status -eq 0 && $output == *',5.0,5.0,5.0'* ]]
  run "${as_nobody[@]}" "$(tool taskresults)" stats b --csv
  [[ $status -eq 3 ]]
}

@test "stats: --by takes every period, also with a range of times" {
  make_job a 1500 4
  append_raw a '{"timestamp": "no time", "success": true}\n'
  periods() { taskresults stats a --by "$1" --csv | tail -n +2 | cut -d, -f2,3 | tr '\n' ' '; }
  [[ $(periods day) == '2026-01-01,1440 2026-01-02,60 ' ]]
  [[ $(periods month) == '2026-01,1500 ' ]]
  [[ $(periods weekday) == '4 Thursday,1440 5 Friday,60 ' ]]
  [[ $(periods hour | cut -c1-24) == '2026-01-01 00:00,60 2026' ]]
  [[ $(periods hour-of-day | cut -c1-13) == '00,120 01,60 ' ]]
  run taskresults stats a --by year
  [[ $status -eq 2 ]]
  runs() { taskresults stats a --csv "$@" | tail -n +2 | cut -d, -f3; }
  [[ $(runs) == 1501 ]]
  [[ $(runs --since 2026-01-02) == 60 ]]
  [[ $(runs --until 2026-01-01) == 1440 ]]
  [[ $(runs --until 2026-01-01T00:00:00Z) == 1 ]]
  [[ $(runs --since '2026-01-01 00:01' --until '2026-01-01 01:02:00+01:00') == 2 ]]
  [[ -z $(runs --since 1h) ]]
}

@test "stats: an unknown job is an error" {
  make_job a 1
  run taskresults stats nobody
  [[ $status -eq 1 && $output == 'taskresults: no such job: nobody' ]]
}

@test "stats, errors, rejects: a job whose file is empty, as after a prune, is a job" {
  make_job a 1
  append_raw empty ''
  for command in stats errors rejects; do
    run taskresults "$command" empty
    [[ $status -eq 0 && $output != *'no such job'* ]] || { echo "$command: $status $output"; return 1; }
  done
}

# --- rejects ---------------------------------------------------------------------------------------------------------

@test "rejects: shows lines and entries with their reasons" {
  make_job a 1
  append_raw a '[1]\n\xff\n{"x": "two\n'
  mkdir "$results/folder.jsonl"
  run taskresults rejects
  [[ $status -eq 0 && ${#lines[@]} -eq 5 ]]
  [[ ${lines[0]} == 'JOB     OFFSET  LENGTH  REASON '*'  LINE' ]]
  [[ $output == *'  JSON, but not an object '*'[1]'* ]]
  [[ $output == *"  not valid UTF-8 "*"x'FF'"* ]]
  [[ $output == *$'\nfolder  '*'not a regular file, but a directory'* ]]
  run taskresults rejects a --csv
  [[ ${lines[0]} == $'job_id,offset,length,reason,line,line_hex\r' ]]
  [[ ${lines[1]} =~ ^'a,'[0-9]+',3,"JSON, but not an object",[1],' ]]
  [[ ${lines[2]} == *',1,not valid UTF-8,,FF'* ]]
  [[ ${lines[3]} == *',"{""x"": ""two",'* ]]
  taskresults rejects --json | python3 -c 'import json, sys; assert len(json.load(sys.stdin)) == 4'
}

@test "rejects: a file name that is not UTF-8 is printed as ASCII on a terminal, and in JSON" {
  make_job a 1
  printf 'torn\n' >"$results/"$'raw\x9b31m\xfa\xff.jsonl'
  for arguments in rejects 'rejects --count'; do
    # shellcheck disable=SC2086  # words
    on_pty 120 "$(tool taskresults)" $arguments >"$BATS_TEST_TMPDIR/pty"
    python3 -c '
import re, sys
text = re.sub(rb"\x1b\[[0-9;]*m", b"", open(sys.argv[1], "rb").read()).decode()
assert "x\x277261779B33316DFAFF\x27" in text, text
' "$BATS_TEST_TMPDIR/pty"
  done
}

@test "rejects: --count, no rejects, and an unknown job" {
  make_job a 1
  append_raw b '[1]\n[2]\n{\n'
  run taskresults rejects --count --csv
  assert_output $'job_id,reason,lines,first_offset\r
b,"JSON, but not an object",2,0\r
b,cut short: a write was interrupted,1,8\r'
  run taskresults rejects --count
  [[ $status -eq 0 && ${lines[1]} == 'b    JSON, but not an object                 2             0' ]]
  run taskresults rejects a
  assert_output 'taskresults: no rejects: every line is a record'
  run taskresults rejects nobody
  [[ $status -eq 1 ]]
}

# --- all of them -----------------------------------------------------------------------------------------------------

@test "list, stats and rejects: hostile job ids come back unchanged" {
  make_hostile_jobs
  cd "$BATS_TEST_TMPDIR"
  for command in 'list' 'stats --'; do
    for job in "${hostile_jobs[@]}"; do printf '%s\0' "$job"; done | LC_ALL=C sort -z >expected
    # shellcheck disable=SC2086  # words
    taskresults ${command% --} --jsonl |
      python3 -c 'import json, sys; sys.stdout.write("".join(json.loads(x)["job_id"] + "\0" for x in sys.stdin))' |
      LC_ALL=C sort -z | cmp expected -
  done
  for job in "${hostile_jobs[@]}"; do
    taskresults stats --jsonl -- "$job" >>stats
    taskresults errors --jsonl -- "$job" >>errors
    taskresults rejects --count --jsonl -- "$job"
  done
  python3 - "${hostile_jobs[@]}" <<'PYTHON'
import json, sys
for name in ("stats", "errors"):
    assert [json.loads(line)["job_id"] for line in open(name)] == sys.argv[1:], name
PYTHON
  [[ $(taskresults list | wc -l) == $((${#hostile_jobs[@]} + 1)) ]] # one row is one line, whatever the name
  [[ ! -e pwned ]]
}

@test "tables show control characters as visible signs; --raw prints them unchanged" {
  append_raw $'esc\e[31m\x01\n' '{"success": true}\n'
  [[ $(taskresults list) == *$'\n''esc␛[31m␁␤ '* ]]
  [[ $(taskresults list --raw) == *$'\n''esc'$'\e''[31m'$'\x01''␤ '* ]]
}

@test "--color: always colours a pipe, and makes control characters visible there; never has no colour on a terminal; auto obeys NO_COLOR" {
  make_job a 2 2
  append_raw a '{"success": true, "output": "esc\\u001b[31m", "error": ""}\n'
  for option in --color --color=always; do
    NO_COLOR=1 run taskresults list $option
    [[ ${lines[0]} == $'\e[1mJOB '* && ${lines[1]} == *$'\e[32mok\e[0m'* ]]
    run taskresults view a $option
    [[ $output == *$'\e[31m❌ FAILED\e[0m'* && $output == *'esc␛[31m' ]]
    [[ $(taskresults view a $option --raw | tail -n 1) == *$'esc\e[31m' ]]
    run taskresults doctor $option
    [[ $output == *$'ok '* ]]
  done
  [[ $(taskresults view a --color=auto) != *$'\e[3'[12]*SUCCESS* && $(taskresults list --color=never) != *$'\e'* ]]
  run on_pty 90 "$(tool taskresults)" list --color=never
  [[ $output != *$'\e'* && $output == *ok* ]]
  run on_pty 90 "$(tool taskresults)" list --color=auto
  [[ $output == *$'\e[32mok'* ]]
  NO_COLOR=1 run on_pty 90 "$(tool taskresults)" list --color=auto
  [[ $output != *$'\e'* ]]
  for option in --color= --color=blue; do
    run taskresults list $option
    [[ $status -eq 2 && $output == *'--color wants auto, always or never'* ]]
  done
  # Formats for programs have no colour, but every command takes the option.
  cmp <(taskresults list --json) <(taskresults list --json --color)
  cmp <(taskresults export) <(taskresults export --color=always)
  for file in "$root"/shell/commands/*.bash; do
    command=$(basename "$file" .bash)
    run taskresults "$command" --color=never --help
    [[ $status -eq 0 && $output == *"taskresults $command"* ]]
  done
  run view_results a --color
  [[ $status -eq 2 && $output == *'unknown option: --color'* ]]
}

@test "on a terminal, tables have colour unless NO_COLOR is set, keep to the width, and align wide characters" {
  make_job 日本 2 2
  make_job "a-very-long-job-name-that-does-not-fit-on-a-narrow-terminal-at-all-xxxxxxxxxxxxxxxx" 2
  run on_pty 90 "$(tool taskresults)" list
  [[ $status -eq 0 && ${lines[0]} == $'\e[1mJOB '* && $output == *$'\e[31mfailed\e[0m'* && $output == *$'\e[32mok\e[0m'* ]]
  [[ $output == *'a-very-long'*'…  '* ]]
  NO_COLOR=1 run on_pty 90 "$(tool taskresults)" list
  [[ $output != *$'\e'* ]]
  printf '%s\n' "${lines[@]}" | tr -d '\r' | python3 -c '
import sys, unicodedata
rows = [sum(2 if unicodedata.east_asian_width(c) == "W" else 1 for c in line.rstrip("\n")) for line in sys.stdin]
assert rows[0] == rows[1] == rows[2] == 90, rows'
  TERM=dumb run on_pty 90 "$(tool taskresults)" list
  [[ $output != *$'\e'* ]]
}

@test "on a narrow terminal tables fit, and keep the most important columns: the job, its state, the error" {
  make_job 日本の長い名前のジョブです 4 2
  make_job a-job-with-a-rather-long-name 30 3
  append_raw a-job-with-a-rather-long-name '[]\n{"success": true, "timestamp": "2026-01-01T10:00:00Z"'
  append_raw err '{"timestamp":"2026-01-01T00:00:00Z","success":false,"error":"Connection to database.example.org refused by peer"}\n'
  for width in 40 60 80; do
    for arguments in list 'list --sort runs' stats 'stats --by hour' 'stats --by weekday' 'stats --total' errors rejects 'rejects --count' \
      'sla --window 2026-01-01..2026-01-02' 'sla --target 99.9 --window 2026-01-01..2026-01-02' 'prune --all --keep 3 --dry-run' 'view --all'; do
      # shellcheck disable=SC2086  # words
      COLUMNS=$width SCHEDULER_LOGS_DIR=$results on_pty 200 "$(tool taskresults)" $arguments >"$BATS_TEST_TMPDIR/table" || [[ $arguments == sla* ]]
      python3 - "$width" "$BATS_TEST_TMPDIR/table" "$arguments" <<'PYTHON'
import re, sys, unicodedata
width, path, arguments = int(sys.argv[1]), *sys.argv[2:]
lines = open(path, encoding="utf-8", newline="").read().split("\n")
lines = [re.sub(r"\x1b\[\d*m|\r", "", line) for line in lines if not line.startswith("taskresults: ")]
assert len(lines) > 2 or "total" in arguments, lines
for line in lines:
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
    assert columns <= width, (arguments, width, columns, line)
    assert line == line.rstrip(), (arguments, line)
head, text = lines[0], "\n".join(lines)
kept = {"list": ["JOB", "LAST RUN", "LAST STATE"], "stats": ["JOB", "SUCCESS"], "errors": ["TIMES", "LAST RUN", "ERROR"],
        "rejects": ["JOB", "REASON"], "sla": ["JOB", "SUCCESS"], "prune": ["JOB", "RESULT", "DROPPED"], "view": []}
for name in kept[arguments.split()[0]]:
    assert name in head or "total" in arguments and name == "JOB", (arguments, width, head)
if arguments == "list": assert "failed" in text and "d ago" in text, text
if arguments == "errors": assert "Connection to database" in text, text
if arguments == "list" and width == 60: assert "SUCCESS" in head and "a-job-with-a" in text, text
if arguments == "stats --by hour": assert "2026-01-01 00:00" in text, text
PYTHON
    done
  done
  # Without a terminal, no column is left out.
  [[ $(COLUMNS=40 taskresults list | head -n 1) == 'JOB '*'RUNS  SUCCESS  LAST RUN '*'LAST STATE  STREAK' ]]
}
