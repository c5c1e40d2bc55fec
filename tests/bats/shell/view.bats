#!/usr/bin/env bats
# taskresults view, and what all commands share: usage, errors, pipes.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

@test "view: prints the blocks of view_results, oldest first, without totals" {
  make_job a 3 2
  run taskresults view a
  assert_output '2026-01-01T00:00:00Z | A | ✅ SUCCESS
  Output: run 0
all good
2026-01-01T00:01:00Z | A | ❌ FAILED
  Error: run 1 failed: Connection timeout
2026-01-01T00:02:00Z | A | ✅ SUCCESS
  Output: run 2
all good'
}

@test "view: --latest, --limit, --success, --errors, --since and --until choose records" {
  make_job a 10 3
  times() { taskresults view a --jsonl "$@" | sed 's/.*T00:\(..\):.*/\1/' | tr '\n' ' '; }
  [[ $(times) == '00 01 02 03 04 05 06 07 08 09 ' ]]
  [[ $(times --latest) == '09 ' ]]
  [[ $(times --limit 3) == '07 08 09 ' ]]
  [[ $(times --limit 0) == "$(times)" ]]
  [[ $(times --limit=2 --errors) == '05 08 ' ]]
  [[ $(times --latest --success) == '09 ' ]]
  [[ $(times --since 2026-01-01T00:08:00) == '08 09 ' ]]
  [[ $(times --until '2026-01-01 00:01:30') == '00 01 ' ]]
  [[ $(times --since 2026-01-01T00:02Z --until 2026-01-01T00:05Z --errors) == '02 05 ' ]]
  [[ $(times --since 2026-01-01 --until 2026-01-01 | wc -w) == 10 ]]
  [[ -z $(times --since 30m) ]]
}

@test "view: Python reads the same values from CSV, JSON and JSON lines" {
  export SCHEDULER_RESULTS_DIR=$root/tests/data/scheduler-state/results
  for job in nul-byte big-output emoji-flood "o'brien's-\"job\"" ansi-color; do
    taskresults view --json "$job" >"$BATS_TEST_TMPDIR/json"
    taskresults view --jsonl "$job" >"$BATS_TEST_TMPDIR/jsonl"
    taskresults view --csv "$job" >"$BATS_TEST_TMPDIR/csv"
    python3 - "$BATS_TEST_TMPDIR" "$SCHEDULER_RESULTS_DIR/$job.jsonl" <<'PYTHON'
import csv, io, json, sys
where, source = sys.argv[1:]
records = [json.loads(line) for line in open(source)]
array = json.load(open(where + "/json", encoding="utf-8"))
assert array == records
assert [json.loads(line) for line in open(where + "/jsonl", encoding="utf-8")] == records
text = open(where + "/csv", encoding="utf-8", newline="").read()
cells = [{k: str(int(v)) if v in (True, False) else v for k, v in r.items()} for r in records]
assert text.count("\r\n") >= len(records) + 1
if "\0" not in text: # Python's csv reads no NUL before 3.11
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == cells
else:
    assert "a\0b" in text
PYTHON
  done
}

@test "view: --all shows the records of all jobs, newest first" {
  make_job a 2
  make_job b 3
  run taskresults view --all --csv --limit 3
  assert_output $'timestamp,job_id,job_name,success,output,error\r
2026-01-01T00:02:00Z,b,B,1,"run 2\nall good",""\r
2026-01-01T00:01:00Z,b,B,1,"run 1\nall good",""\r
2026-01-01T00:01:00Z,a,A,1,"run 1\nall good",""\r'
  [[ $(taskresults view --all | grep -c SUCCESS) == 5 ]]
}

@test "view: --full does not cut texts" {
  append_raw a "{\"success\": true, \"output\": \"$(printf 'x%.0s' {1..300})\"}\\n"
  [[ $(taskresults view a | tail -n 1) == "  Output: $(printf 'x%.0s' {1..200})..." ]]
  [[ $(taskresults view a --full | tail -n 1) == "  Output: $(printf 'x%.0s' {1..300})" ]]
}

@test "view: no such record is status 1; machine formats are empty" {
  make_job a 1
  for arguments in 'nobody' 'a --errors' '--all --since 2030-01-01'; do
    # shellcheck disable=SC2086  # words
    run taskresults view $arguments
    [[ $status -eq 1 && $output == 'taskresults: no such record'* ]]
  done
  run taskresults view nobody --json
  assert_output '[]'
  run taskresults view nobody --jsonl
  assert_output ''
}

@test "view: on a terminal, control characters are visible, times have their age, lines are cut; --raw switches that off" {
  append_raw a '{"timestamp": "2026-01-01T00:00:00Z", "job_name": "A", "success": true, "output": "\\u001b[31mred\\u0000\\u0007\\u009b\\u202e '
  append_raw a "$(printf '日%.0s' {1..60})\"}\\n"
  run on_pty 60 "$(tool taskresults)" view a
  [[ $status -eq 0 ]]
  [[ ${lines[0]} =~ ^'2026-01-01T00:00:00Z ('[0-9]+'d ago) | A | '$'\e[32m✅ SUCCESS\e[0m\r'$ ]]
  [[ ${lines[1]} == '  Output: ␛[31mred␀␇�� 日'*'日…'$'\r' ]]
  NO_COLOR=1 run on_pty 60 "$(tool taskresults)" view a
  [[ $output != *$'\e'* && $output == *'✅ SUCCESS'* ]]
  [[ $(on_pty 60 "$(tool taskresults)" view a --raw | tr -d '\r' | cat -v) == \
    "2026-01-01T00:00:00Z | A | $(printf '\e[32m✅ SUCCESS\e[0m' | cat -v)"*'  Output: ^[[31mred^@^GM-BM-^[M-bM-^@M-.'* ]]
  [[ $(taskresults view a | tail -n 1 | cat -v) == '  Output: ^[[31mred^@^G'* ]] # not a terminal: every byte
}

@test "view: on a narrow terminal, SUCCESS or FAILED is not cut off" {
  append_raw a '{"timestamp": "2026-01-01T00:00:00.123456Z", "job_name": "A long name", "success": false, "error": "x"}\n'
  run on_pty 40 env NO_COLOR=1 "$(tool taskresults)" view a
  [[ ${lines[0]} == '2026-01-01T00:00:00.123456Z | ❌ FAILED'*$'\r' ]]
  run on_pty 60 env NO_COLOR=1 "$(tool taskresults)" view a
  [[ ${lines[0]} == '2026-01-01T00:00:00.123456Z ('*'d ago) | A long'* ]]
}

@test "view and export: hostile job ids come back unchanged" {
  make_hostile_jobs
  cd "$BATS_TEST_TMPDIR"
  for job in "${hostile_jobs[@]}"; do
    taskresults view --jsonl -- "$job" >>viewed
    taskresults export "--job=$job" --columns job_id --format jsonl >>exported
    [[ $(taskresults view -- "$job" | grep -c 'SUCCESS\|FAILED') == 2 ]]
  done
  taskresults export --columns job_id -- "${hostile_jobs[@]}" >csv
  python3 - "${hostile_jobs[@]}" <<'PYTHON'
import csv, json, sys
twice = [job for job in sys.argv[1:] for _ in range(2)]
for name in ("viewed", "exported"):
    assert [json.loads(line)["job_id"] for line in open(name)] == twice, name
rows = list(csv.reader(open("csv", newline="")))
assert rows[0] == ["job_id"] and sorted(row[0] for row in rows[1:]) == sorted(twice)
PYTHON
  [[ ! -e pwned ]]
}

# --- what all commands share -----------------------------------------------------------------------------------------

@test "wrong usage is status 2, and names the help" {
  make_job a 1
  for arguments in 'view' 'view a b' 'view a --all' 'view a --limit -1' 'view a --limit' 'view a --oops' 'view a -x' \
    'view a --json --csv' 'view a --success --errors' 'view a --since' 'view a --latest=yes' 'view a --since sometime' \
    'list a' 'stats a b' 'export --format xml' 'export --columns nothing' 'export --guard --format json' 'sql --mode x' \
    'doctor a' 'follow --csv' 'version a' 'help nothing' 'help ../taskresults' 'rejects --limit 1'; do
    # shellcheck disable=SC2086  # words
    run taskresults $arguments
    [[ $status -eq 2 && $output == 'taskresults: '*'try: taskresults help'* ]] || { echo "$arguments: $status $output"; return 1; }
  done
  run taskresults nonsense
  [[ $status -eq 2 && $output == *"no command 'nonsense'"*'try: taskresults help' ]]
  run taskresults '../lib/say'
  [[ $status -eq 2 ]]
  run taskresults
  [[ $status -eq 2 && $output == *'Usage: taskresults COMMAND'* ]]
}

@test "every command has its help, with usage and examples; help lists them all" {
  for file in "$root"/shell/commands/*.bash; do
    command=$(basename "$file" .bash)
    run taskresults help "$command"
    [[ $status -eq 0 && $output == "taskresults $command"*' - '*"Usage: taskresults $command"*'Examples:'* ]]
    [[ $(taskresults "$command" --help) == "$output" ]]
    [[ $(taskresults help) == *$'\n'"  $command "* ]]
    # The help has exactly the options that the parser takes.
    # shellcheck disable=SC2046  # names of ours, without blanks
    spec=$(cat "$file" $(find "$root/shell/$command" -name '*.bash' 2>/dev/null) | tr '\n' ' ' | grep -o "parse_options [\\ ]*'[^']*'" |
      sed "s/^parse_options [\\ ]*'//; s/'$//" | tr -s ' ' '\n' | sed 's/^.://; s/=?*$//' | sort -u)
    documented=$(awk '/^Options:/ {on = 1; next} /^$/ {on = 0} on' <<<"$output" | grep -o '^  \(-., \)\?--[a-z-]*' |
      sed 's/.*--//' | sort)
    [[ $spec == "$documented" ]] || { echo "$command: $spec / $documented"; return 1; }
  done
  [[ $(taskresults --help) == "$(taskresults help)" ]]
  [[ $(taskresults --version) == "$(taskresults version)" ]]
  [[ $(taskresults version) == "taskresults $(version_built) (SQLite "* ]]
}

@test "the examples in the help run" {
  cp "$root"/examples/results/*.jsonl "$results"
  make_job my-job 30 3
  cd "$BATS_TEST_TMPDIR"
  mkdir bin
  printf '#!/bin/sh\ncat >/dev/null\n' >bin/mail
  chmod +x bin/mail
  PATH=$PWD/bin:$(dirname "$(tool taskresults)"):$PATH
  export XDG_STATE_HOME=$PWD/state
  cp -r "$root/examples/logs" "$logs.examples" # `run` writes there
  export SCHEDULER_JOBS_FILE=$root/examples/jobs.json SCHEDULER_LOGS_DIR=$logs.examples
  for file in "$root"/shell/commands/*.bash "$root/shell/taskresults" "$root/shell/view_results"; do
    awk '/^# Examples:/ {on = 1; next} on && /^#   / {print substr($0, 5); next} {on = 0}' "$file"
  done >examples
  (($(wc -l <examples) > 20))
  while IFS= read -r example; do
    [[ $example != 'taskresults follow'* ]] || example="timeout 1 $example; true"
    [[ $example != *' --sign '* ]] || continue # it needs a key: tests/bats/seals.bats makes one
    [[ $example != 'taskresults ship'* ]] || continue # it needs a server: tests/bats/shell/ship.bats runs it
    [[ $example != 'taskresults import'* && $example != ' '* ]] || continue # it needs a database: shell/import.bats has some
    run bash -c "$example" </dev/null
    case $example in # what may be answered with no, or with a service's state
      *--since* | *doctor* | 'taskresults alerts'* | 'taskresults sla'*) ((status != 1)) || continue ;;&
      *--nagios*) ((status != 2)) || continue ;;
    esac
    [[ $status -eq 0 ]] || { echo "$example: $status $output"; return 1; }
  done <examples
  [[ -s results.csv ]]
}

@test "the commands work through a symbolic link, from another directory, and with a blank in the path" {
  make_job a 1
  mkdir "$BATS_TEST_TMPDIR/a place"
  ln -s "$(tool taskresults)" "$BATS_TEST_TMPDIR/a place/tr"
  cd /
  [[ $("$BATS_TEST_TMPDIR/a place/tr" view a --latest --csv | wc -l) -ge 2 ]]
  cp "$root/taskresults.so" "$BATS_TEST_TMPDIR/a place/it's \"x\".so"
  TASKRESULTS_EXTENSION="$BATS_TEST_TMPDIR/a place/it's \"x\".so" run taskresults version
  [[ $output == *'it'"'"'s'* || $output == 'taskresults '* ]]
  TASKRESULTS_EXTENSION=/nowhere/x run taskresults version
  [[ $status -eq 3 && $output == *'the extension is not at /nowhere/x'* ]]
  TASKRESULTS_SQLITE3=/nowhere/sqlite3 run taskresults version
  [[ $status -eq 3 && $output == *'no /nowhere/sqlite3 program'* ]]
}

@test "the user's ~/.sqliterc has no effect on the commands" {
  make_job a 1
  echo 'SELECT 1/0 FROM nonsense; .mode html' >"$BATS_TEST_TMPDIR/.sqliterc"
  HOME=$BATS_TEST_TMPDIR run taskresults list --csv
  [[ $status -eq 0 && ${lines[1]} == a,1,1,0,100.0,* && $output != *'<'* ]]
}

@test "sqlite3 3.50 and newer, which rewrites control characters, is told not to" {
  make_job a 1
  cat >"$BATS_TEST_TMPDIR/newer" <<'SCRIPT'
#!/bin/bash
# It says that it is 3.50, and fails if .mode does not ask for unchanged bytes.
if [[ $* == *-version* ]]; then echo '3.50.1 2025-06-06'; exit; fi
sed 's/^\.mode list --escape off$/.mode list/; t; s/^\.mode list$/.exit 9/' | exec sqlite3 "$@"
SCRIPT
  chmod +x "$BATS_TEST_TMPDIR/newer"
  TASKRESULTS_SQLITE3=$BATS_TEST_TMPDIR/newer run taskresults view a
  [[ $status -eq 0 && $output == *SUCCESS* ]]
}

@test "view --latest, with a program that ends before or after a statement came, or is none: the same one message" {
  make_job a 1
  cd "$BATS_TEST_TMPDIR"
  printf '#!/bin/sh\nhead -c 1 >/dev/null\n' >reads
  printf '#!/bin/sh\nexec sleep 0 <&-\n' >closes
  chmod +x reads closes
  local program
  for program in /bin/true ./reads ./closes /nowhere/sqlite3; do
    for _ in {1..8}; do
      TASKRESULTS_SQLITE3=$program run taskresults view a --latest
      [[ $status -eq 3 && $output == "taskresults: no $program program; on Debian: apt-get install sqlite3" ]] ||
        { echo "$program: $status $output"; return 1; }
    done
  done
}

@test "a closed pipe ends a command without a message, a full disk with one" {
  make_job a 3000
  for command in 'view a' 'view a --json' 'export' 'rejects --json' 'stats a --by hour'; do
    # shellcheck disable=SC2086  # words
    [[ $( (taskresults $command; echo "status $?" >&2) 2>&1 > >(head -c 20 >/dev/null)) == 'status 0' ]]
    # shellcheck disable=SC2086  # words
    run bash -c '"$@" >/dev/full' - "$(tool taskresults)" $command
    [[ $status -eq 3 && $output == *'No space left on device'* ]] || { echo "$command: $status $output"; return 1; }
  done
}

@test "on a terminal, a line shows progress if a command takes longer than a second, and ends with it" {
  make_job a 3 2
  append_raw a 'junk\n'
  # A stand-in for sqlite3 that waits until the line is there.
  printf '#!/bin/bash\n[[ $* == *-version* ]] || until grep -q "reading, 1s" "$SHOWN"; do sleep 0.05; done\nexec sqlite3 "$@"\n' \
    >"$BATS_TEST_TMPDIR/slow"
  chmod +x "$BATS_TEST_TMPDIR/slow"
  export TASKRESULTS_SQLITE3=$BATS_TEST_TMPDIR/slow
  # Once with the rows on the terminal, too, and once without.
  for arguments in list stats 'view a' 'view a --json' errors rejects 'prune a --keep 9' export; do
    # shellcheck disable=SC2086  # words
    export SHOWN=$BATS_TEST_TMPDIR/pty.${arguments// /}
    on_pty 80 "$(tool taskresults)" $arguments >"$SHOWN" 3>&- &
    wanted+=("$arguments" "$SHOWN" "$!")
  done
  for ((i = 0; i < ${#wanted[@]}; i += 3)); do
    wait "${wanted[i + 2]}"
    [[ $(<"${wanted[i + 1]}") =~ $'\r''taskresults: reading, 1s'$'\e[K'.*$'\r\e[K'[^$'\r'] ]] || { echo "${wanted[i]}"; return 1; }
  done
  export SHOWN=$BATS_TEST_TMPDIR/pty
  on_pty 80 bash -c '"$1" export >"$2"' - "$(tool taskresults)" "$BATS_TEST_TMPDIR/csv" >"$BATS_TEST_TMPDIR/pty"
  [[ $(<"$BATS_TEST_TMPDIR/pty") == $'\rtaskresults: reading, 1s\e[K'*$'\r\e[K' && $(wc -l <"$BATS_TEST_TMPDIR/csv") -gt 3 ]]
  [[ $(taskresults list 2>&1) != *reading* ]]
  # Also if the command fails: the terminal closes, which happens only when the command's last process has ended.
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run timeout 300 python3 "$root/tests/lib/on_pty.py" 80 \
    "$(tool taskresults)" export -o "$BATS_TEST_TMPDIR/x.csv"
  [[ $status -eq 3 && $output == *'No such file or directory'* ]]
}

@test "a command that failed leaves no process on the terminal, even before its parent has waited for it" {
  make_job a 1
  # This parent reads the terminal until its last process has closed it, and only then waits for the command.
  python3 - "$(tool taskresults)" "$BATS_TEST_TMPDIR/nowhere/x" <<'EOF'
import os, pty, select, subprocess, sys

for command in ("metrics", "report", "export"):
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.argv[1], command, "-o", sys.argv[2]], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    while True:
        assert select.select([ours], [], [], 300)[0], f"{command}: somebody holds the terminal"
        try:
            data = os.read(ours, 4096)
        except OSError:  # EIO: it is closed
            break
        assert b"reading, 300s" not in data, f"{command}: it counts on"
    assert process.wait() == 3, command
EOF
}

@test "view --all and follow also show the job's id if its name is empty or differs; view JOB does not" {
  local ok='"timestamp": "2026-01-01T00:00:00Z", "success": true'
  append_raw backup "{\"job_name\": \"Nightly\", $ok}\\n"
  append_raw empty "{\"job_name\": \"\", $ok}\\n"
  append_raw none "{$ok}\\n"
  append_raw same "{\"job_name\": \"same\", $ok}\\n"
  local heads=$'Nightly (backup)\n(empty)\n(none)\nsame'
  [[ $(taskresults view --all | awk -F ' [|] ' '{ print $2 }' | sort) == "$(sort <<<"$heads")" ]]
  [[ $(taskresults view backup) == '2026-01-01T00:00:00Z | Nightly | ✅ SUCCESS' ]]
  [[ $(view_results backup) == *'2026-01-01T00:00:00Z | Nightly | ✅ SUCCESS'* ]]
  [[ $(timeout 60 "$(tool taskresults)" follow --limit 1 2>/dev/null | head -n 4 | awk -F ' [|] ' '{ print $2 }' | sort) == \
    "$(sort <<<"$heads")" ]]
}
