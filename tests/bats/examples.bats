#!/usr/bin/env bats
# The examples run, and do what they say: SQL files, cron and systemd recipes.

load ../lib/helpers
load ../lib/shell

example_data() {
  cd "$root" || return
  export SCHEDULER_RESULTS_DIR=examples/results SCHEDULER_LOGS_DIR=examples/logs SCHEDULER_JOBS_FILE=examples/jobs.json
}

@test "every SQL example begins with its name and what it is for, and runs as the README says" {
  example_data
  count=0
  for file in examples/sql/*.sql; do
    [[ $(head -n 1 "$file") == "-- $(basename "$file") - "?* ]]
    # SQLite 3.38's program crashes in box mode, on its own tables as well.
    if (($(sqlite_version_number) < 3039000)); then box=list least=1; else box=box least=5; fi
    run sqlite3 -init /dev/null -bail -cmd '.load ./taskresults' :memory: < <(sed "s/^\.mode box/.mode $box/" "$file")
    [[ $status -eq 0 && ${#lines[@]} -ge least ]] || { echo "$file: $status $output"; return 1; }
    count=$((count + 1))
  done
  ((count >= 7))
}

@test "every SQL example gives these rows on the example data" {
  example_data
  for file in examples/sql/*.sql; do
    grep -v '^\.mode ' "$file" | sqlite3 -init /dev/null -bail -csv -header -cmd '.load ./taskresults' :memory: | tr -d '\r' |
      diff "tests/data/example-sql/$(basename "$file" .sql).csv" - || { echo "$file differs"; return 1; }
  done
}

@test "every SQL example finds something in the fresh example data" {
  example_data
  examples/fresh.sh "$BATS_TEST_TMPDIR/fresh"
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/fresh/results SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/fresh/logs
  SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/fresh/jobs.json
  for file in examples/sql/*.sql; do
    run sqlite3 -init /dev/null -bail -list -cmd '.load ./taskresults' :memory: < <(grep -v '^\.mode ' "$file")
    [[ $status -eq 0 && ${#lines[@]} -ge 1 ]] || { echo "$file: $status $output"; return 1; }
  done
}

# Three of them, computed in Python as well.
@test "the SQL examples agree with Python" {
  example_data
  python3 - <<'PYTHON'
import csv, glob, itertools, json
def rows(name):
    with open(f"tests/data/example-sql/{name}.csv") as file:
        return list(csv.DictReader(file))
jobs = {}
for path in glob.glob("examples/results/*.jsonl"):
    for line in open(path, encoding="utf-8"):
        try:
            jobs.setdefault(path.split("/")[-1][:-6], []).append(json.loads(line))
        except ValueError:
            pass
flips = {job: sum(a["success"] != b["success"] for a, b in zip(runs, runs[1:])) for job, runs in jobs.items()}
assert {row["job"]: int(row["flips"]) for row in rows("flaky_jobs")} == {job: n for job, n in flips.items() if n}
streaks = sorted((job, n) for job, runs in jobs.items() for good, group in itertools.groupby(r["success"] for r in runs)
                 if not good and (n := len(list(group))) >= 3)
assert sorted((row["job"], int(row["failures"])) for row in rows("repeated_failures")) == streaks
hours = {}
for run in itertools.chain(*jobs.values()):
    hour = hours.setdefault(run["timestamp"][11:13] + ":00", [0, 0])
    hour[0] += 1
    hour[1] += not run["success"]
for row in rows("busiest_hours"):
    assert [int(row["runs"]), int(row["failures"])] == hours[row["hour"]], row
PYTHON
}

# --- recipes ---------------------------------------------------------------------------------------------------------

# The recipes run with the commands under test, on a state directory of the test's own, and with a stand-in for logger(1)
# that records its messages.
stage() {
  local bin=$BATS_TEST_TMPDIR/bin
  mkdir -p "$bin" "$BATS_TEST_TMPDIR/home"
  printf '#!/bin/sh\nfor word; do :; done\nprintf "%%s\\n" "$word" >>"%s"\n' "$BATS_TEST_TMPDIR/logged" >"$bin/logger"
  chmod +x "$bin/logger"
  ln -s "$(tool taskresults)" "$bin/taskresults"
  export HOME=$BATS_TEST_TMPDIR/home PATH=$bin:$PATH STATE_DIRECTORY=$BATS_TEST_TMPDIR/home
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json
  unset XDG_STATE_HOME
  echo '{"jobs": []}' >"$SCHEDULER_JOBS_FILE"
  make_job broken 1200 1
  make_job fine 1200
}

# in_results COUNT JOB - the job has that many records left.
in_results() {
  [[ $(wc -l <"$results/$2.jsonl") == "$1" ]]
}

@test "the cron recipe: alerts are printed once, the pager is called, old records are pruned" {
  stage
  mapfile -t commands < <(sed -n 's/^[0-9*][^ ]* [^ ]* [^ ]* [^ ]* [^ ]* *scheduler *//p' "$root/examples/cron/taskresults")
  [[ ${#commands[@]} -eq 3 ]]
  run grep -n '%' <(printf '%s\n' "${commands[@]}")
  [[ $status -eq 1 ]] # cron would end the command there
  run sh -c "${commands[0]}"
  [[ $status -eq 1 && ${#lines[@]} -eq 1 && $output == 'broken: failed 1000 times in a row, since '* ]]
  run sh -c "${commands[0]}"
  [[ $status -eq 0 && -z $output ]]
  run sh -c "${commands[1]}"
  [[ $status -eq 1 && -z $output && $(<"$BATS_TEST_TMPDIR/logged") == 'broken: failed 1000 times in a row, '* ]]
  run sh -c "${commands[2]}"
  [[ $status -eq 0 && -z $output ]]
  in_results 1000 fine
  in_results 1100 broken
}

# exec_start UNIT - sets `words`: its command, as systemd would understand it.
exec_start() {
  mapfile -td '' words < <(python3 - "$root/examples/systemd/$1.service" <<'PYTHON'
import os, shlex, sys
line = next(line[10:] for line in open(sys.argv[1]) if line.startswith("ExecStart="))
for word in shlex.split(line):
    print(word.replace("${STATE_DIRECTORY}", os.environ["STATE_DIRECTORY"]).replace("$$", "$"), end="\0")
PYTHON
  )
  words[0]=$(basename "${words[0]}")
}

@test "the systemd recipe for alerts writes them to the journal" {
  stage
  exec_start taskresults-alerts
  run "${words[@]}"
  [[ $status -eq 1 && -z $output && $(<"$BATS_TEST_TMPDIR/logged") == 'broken: failed 1000 times in a row, '* ]]
  [[ -s $STATE_DIRECTORY/alerts ]]
  grep -qx SuccessExitStatus=1 "$root/examples/systemd/taskresults-alerts.service"
}

@test "the systemd recipe for pruning removes old records" {
  stage
  exec_start taskresults-prune
  run "${words[@]}"
  [[ $status -eq 0 && -z $output ]]
  in_results 1000 fine
  in_results 1100 broken
}

@test "systemd finds no fault with the units" {
  command -v systemd-analyze >/dev/null || skip 'no systemd here'
  cd "$BATS_TEST_TMPDIR"
  mkdir units
  for unit in "$root"/examples/systemd/taskresults-{alerts,prune}.*; do
    sed 's|/usr/local/bin/taskresults|/bin/true|; /^Documentation=/d' "$unit" >"units/$(basename "$unit")"
  done
  run systemd-analyze verify units/*
  [[ $status -eq 0 && -z $output ]] || { echo "$output"; return 1; }
}
