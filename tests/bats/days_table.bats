#!/usr/bin/env bats
# task_days: runs and failures of each day, wherever the records are by now. The oracle is tests/oracles/days.py.
#
# shellcheck disable=SC2154  # helpers.bash sets root, results and extension

load ../lib/helpers

# write_records JOB COUNT [HOURS [FIRST]] - appends COUNT records, one in so many hours, from 2026-02-01T00:30 on; of each
# thirteenth the time cannot be read. Also to $written, which the oracle reads.
write_records() {
  python3 - "$results/$1.jsonl" "$written" "$1" "$2" "${3-5}" "${4-0}" <<'PYTHON'
import datetime, json, sys
path, written, job, count, hours, first = sys.argv[1:]
for number in range(int(first), int(first) + int(count)):
    when = datetime.datetime(2026, 2, 1, 0, 30) + datetime.timedelta(hours=int(hours) * number)
    record = {"timestamp": "soon" if number % 13 == 12 else when.isoformat() + "Z", "job_id": job, "job_name": job,
              "success": [True, 0, "yes", False, 1][number % 5], "output": str(number), "error": ""}
    for name in path, written + "." + job:
        with open(name, "a") as file:
            file.write(json.dumps(record) + "\n")
PYTHON
}

# oracle JOB [ZONE] - the rows that task_days has to show.
oracle() {
  python3 - "$root/tests/oracles" "$written.$1" "$1" "${2-UTC}" <<'PYTHON'
import json, sys, zoneinfo
sys.path.insert(0, sys.argv[1])
import days
with open(sys.argv[2]) as file:
    print(*sorted(days.rows(sys.argv[3], [json.loads(line) for line in file], zoneinfo.ZoneInfo(sys.argv[4]))), sep="\n")
PYTHON
}

SHOWN='SELECT job_id, ifnull(day, '\'''\''), runs, failures, ifnull(first_run, '\'''\''), ifnull(last_run, '\'''\'') FROM task_days'

# assert_days JOB [ZONE] - the table says the same.
assert_days() {
  diff <(sql "$SHOWN WHERE job_id = '$1' AND zone = '${2-UTC}'" | LC_ALL=C sort) <(oracle "$@")
}

setup() {
  results=$BATS_TEST_TMPDIR/results written=$BATS_TEST_TMPDIR/written
  mkdir -p "$results"
  export SCHEDULER_RESULTS_DIR=$results
  extension=$root/taskresults
}

prune() {
  sql "SELECT taskresults_prune('$1', $2)" >/dev/null
}

@test "live, rotated, compressed, archived and pruned records are counted once, each on its day" {
  local archive=$results/.taskresults/archive/j.jsonl
  mkdir -p "$archive"
  write_records j 30
  zstd -q --rm "$results/j.jsonl" -o "$archive/20260201T003000Z-1.jsonl.zst"
  write_records j 30 5 30
  gzip -c "$results/j.jsonl" >"$results/j.jsonl.3.gz"
  rm "$results/j.jsonl"
  write_records j 30 5 60
  zstd -q --rm "$results/j.jsonl" -o "$results/j.jsonl.2.zst"
  write_records j 30 5 90
  mv "$results/j.jsonl" "$results/j.jsonl.1"
  write_records j 40 5 120
  assert_days j
  prune j "'keep', 25"
  prune j "'keep', 10, 'keep_failures', 2"
  assert_days j
  assert_rows '160|28' "SELECT sum(runs), sum(pruned_runs) FROM task_days"
  assert_rows "$(grep -c 'success": \(0\|false\)' "$written.j")" "SELECT sum(failures) FROM task_days('j')"
}

@test "a receipt does not count while the records are in the archive, be the segment finished or not; nor if nothing was removed" {
  local folder=$results/.taskresults/prunes archive=$results/.taskresults/archive/j.jsonl name=20260201T003000Z-1.jsonl.zst
  write_records j 20
  head -n 15 "$results/j.jsonl" >"$BATS_TEST_TMPDIR/gone"
  prune j "'keep', 5"
  mkdir -p "$archive"
  sed -i "s/\"archive\":null/\"archive\":\"$name\"/" "$folder/j.jsonl"
  assert_rows '20|15' "SELECT sum(runs), sum(pruned_runs) FROM task_days" # it is gone
  : >"$results/.taskresults-af63e74c8601ff3d.new" # stands for the old file, which has this name from the exchange on
  pending=$archive/$name.pending-$(stat -c %i "$results/.taskresults-af63e74c8601ff3d.new")
  zstd -q "$BATS_TEST_TMPDIR/gone" -o "$pending"
  assert_rows '20|0' "SELECT sum(runs), sum(pruned_runs) FROM task_days"
  mv "$pending" "$archive/$name"
  rm "$results/.taskresults-af63e74c8601ff3d.new"
  assert_rows '20|0' "SELECT sum(runs), sum(pruned_runs) FROM task_days"
  mv "$archive/$name" "$archive/another-2.jsonl.zst"
  assert_rows '35|15' "SELECT sum(runs), sum(pruned_runs) FROM task_days"
  rm -r "$archive"
  sed -i 's/"replaced":false/"replaced":true/' "$folder/j.jsonl"
  assert_rows '5|0' "SELECT sum(runs), sum(pruned_runs) FROM task_days"
}

@test "days of a time zone are those of its calendar, also where clocks change; of pruned runs, those whose day is known" {
  local zone
  for zone in Europe/Berlin America/New_York Asia/Kathmandu Australia/Lord_Howe; do
    rm -f "$results"/*.jsonl "$written".*
    write_records j 400 7
    assert_days j "$zone"
  done
  # One run a day at noon: no UTC day has runs of two days in Berlin.
  rm "$results/j.jsonl" "$written.j"
  python3 - "$results/j.jsonl" "$written.j" <<'PYTHON'
import json, sys
for path in sys.argv[1:]:
    with open(path, "w") as file:
        for day in range(1, 32):
            file.write(json.dumps({"timestamp": f"2026-03-{day:02}T12:00:00Z", "success": day % 3 > 0}) + "\n")
PYTHON
  prune j "'keep', 4"
  assert_days j Europe/Berlin
}

@test "as_of cuts days where 24 hours, counted back from it, end; runs that are pruned keep their number, and their place if they are regular" {
  write_records j 300 1 # each hour
  whole="SELECT day, age, runs, first_run, last_run FROM task_days WHERE as_of = '2026-02-11T15:00:00Z' AND day >= '2026-02-03'"
  rows="SELECT day, age, runs FROM (SELECT date(t, 'unixepoch') AS day, (1770822000 - min(t, 1770822000) + 86399) / 86400 AS age, count(*) AS runs
    FROM (SELECT time_us / 1000000 AS t FROM task_results) WHERE t IS NOT NULL GROUP BY 1, 2) WHERE day >= '2026-02-03' AND day <= '2026-02-11'"
  [[ $(sql "SELECT day, age, sum(runs) FROM ($whole) WHERE day <= '2026-02-10' GROUP BY 1, 2") == "$(sql "$rows AND day <= '2026-02-10' ORDER BY day, age")" ]]
  assert_rows 0 "SELECT count(*) FROM ($whole) WHERE age < 0"
  before=$(sql "SELECT day, sum(runs), sum(failures) FROM task_days WHERE as_of = '2026-02-11T15:00:00Z' GROUP BY 1")
  ages=$(sql "SELECT age, sum(runs) FROM task_days WHERE as_of = '2026-02-11T15:00:00Z' GROUP BY 1")
  prune j "'keep', 24"
  [[ $(sql "SELECT day, sum(runs), sum(failures) FROM task_days WHERE as_of = '2026-02-11T15:00:00Z' GROUP BY 1") == "$before" ]]
  python3 - "$ages" "$(sql "SELECT age, sum(runs) FROM task_days WHERE as_of = '2026-02-11T15:00:00Z' GROUP BY 1")" <<'PYTHON'
import sys
was, now = ({age: int(runs) for age, runs in (row.split("|") for row in text.splitlines())} for text in sys.argv[1:])
assert was.keys() == now.keys() and sum(was.values()) == sum(now.values()) == 300
# Each thirteenth run has no time, so the distances are not quite equal.
assert all(abs(was[age] - now[age]) <= 1 for age in was), (was, now)
PYTHON
  assert_rows 0 "SELECT count(*) FROM task_days WHERE as_of = 1770822000000000 AND (failures > runs OR pruned_failures > pruned_runs
    OR pruned_runs > runs OR first_run_us > last_run_us OR runs < 1)"
  assert_rows 1 "SELECT count(*) = count(DISTINCT rowid) FROM task_days WHERE as_of = 1770822000000000"
}

@test "beside prunes that are killed, run between two reads, or are followed by a rotation, each record is counted once" {
  TASKRESULTS_ROOT=$root python3 "$root/tests/live/days_pruned.py" "${DAYS_PRUNED_STRIDE-11}"
}

@test "a query for a job opens its files alone; jobs without any file have their receipts; hosts have their own" {
  write_records a 10
  write_records b 10
  prune a "'keep', 4"
  prune b "'keep', 4"
  assert_plan 'job_id =' "SELECT * FROM task_days('a')"
  require_strace
  strace -f -e trace=openat -o "$BATS_TEST_TMPDIR/calls" sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT sum(runs) FROM task_days('a')" >"$BATS_TEST_TMPDIR/out"
  [[ $(cat "$BATS_TEST_TMPDIR/out") == 10 ]]
  grep -q '"a.jsonl"' "$BATS_TEST_TMPDIR/calls"
  ! grep -q '"b.jsonl"' "$BATS_TEST_TMPDIR/calls" || false
  rm "$results/a.jsonl"
  assert_rows $'a|6\nb|10' "SELECT job_id, sum(runs) FROM task_days GROUP BY 1"
  assert_rows '6' "SELECT sum(pruned_runs) FROM task_days('a')"
  assert_rows NULL "SELECT sum(runs) FROM task_days('c')"
  mkdir -p "$BATS_TEST_TMPDIR/fleet/one" "$BATS_TEST_TMPDIR/fleet/two"
  cp -r "$results" "$BATS_TEST_TMPDIR/fleet/one/results"
  cp -r "$results" "$BATS_TEST_TMPDIR/fleet/two/results"
  export SCHEDULER_RESULTS_DIR="$BATS_TEST_TMPDIR/fleet/*/results"
  assert_rows $'one|a|6\none|b|10\ntwo|a|6\ntwo|b|10' "SELECT host, job_id, sum(runs) FROM task_days GROUP BY 1, 2"
  assert_rows '10' "SELECT sum(runs) FROM task_days WHERE host = 'two' AND job_id = 'b'"
  assert_rows 1 "SELECT count(*) = count(DISTINCT rowid) FROM task_days"
}

@test "a damaged receipt, an unreadable one and wrong arguments are errors; a cut one is not counted until it is whole" {
  write_records j 20
  prune j "'keep', 5"
  folder=$results/.taskresults/prunes
  line=$(cat "$folder/j.jsonl")
  printf '%s' "${line:0:100}" >"$folder/j.jsonl"
  assert_sql_error 'prunes/j.jsonl: the line at byte 0 cannot be understood: it was cut short' 'SELECT * FROM task_days'
  printf '%s\n%s\n' "${line:0:100}" "$line" >"$folder/j.jsonl"
  assert_rows 20 'SELECT sum(runs) FROM task_days'
  echo '{}' >>"$folder/j.jsonl"
  assert_sql_error 'prunes/j.jsonl: the line at byte' 'SELECT * FROM task_days'
  rm "$folder/j.jsonl"
  mkfifo "$folder/j.jsonl"
  assert_sql_error 'prunes/j.jsonl: it is a FIFO' 'SELECT * FROM task_days'
  rm "$folder/j.jsonl"
  assert_sql_error "task_days: as_of: 'then' is no time" "SELECT * FROM task_days WHERE as_of = 'then'"
  assert_sql_error "Nowhere/Town" "SELECT * FROM task_days WHERE zone = 'Nowhere/Town'"
  assert_sql_error 'only = can be used' "SELECT * FROM task_days WHERE zone > 'UTC'"
}

@test "an unfinished receipt that has gone is an error, never fewer rows" {
  write_records j 20
  run env LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT=renameat2 PRUNE_FAULT=torn sqlite3 -batch -bail -init /dev/null \
    -cmd ".load $extension" :memory: "SELECT taskresults_prune('j', 'keep', 5)"
  [[ -f $(echo "$results"/.taskresults/prunes/*.pending) ]]
  assert_days j
  rm "$results"/.taskresults/prunes/*.pending
  assert_sql_error 'again and again' 'SELECT * FROM task_days'
}
