#!/usr/bin/env bats
# taskresults ship into two shards of Debian's clickhouse-server, with the tables of examples/clickhouse.

# shellcheck disable=SC2154  # helpers.bash and bats set them

load ../lib/helpers
load ../lib/clickhouse
load ../lib/shell

setup_file() {
  export BATS_TEST_TIMEOUT=300
  require_shards 2
}

teardown_file() {
  stop_shards
}

eval "helpers_$(declare -f setup)"
setup() {
  helpers_setup
  skip_if_not_here
  drop_fleet
  make_fleet
  state=$BATS_TEST_TMPDIR/state
  (umask 077 && mkdir "$state" && printf 'user = "shipper:secret"\n' >"$state/curl.conf")
}

# shellcheck disable=SC2120  # the options come by way of `run`
ship() {
  taskresults ship --to "$(shard_url 1)" --state "$state" "$@"
}

@test "odd lines and the recorded state arrive whole: the views have the local tables' rows" {
  cp "$root"/tests/data/odd-lines/*.jsonl "$root"/tests/data/scheduler-state/results/*.jsonl "$results"
  run ship --host h
  assert_output ''
  local columns="hex(job_id), hex(ifnull(output, '')), output IS NULL, hex(ifnull(error, '')), error IS NULL, ok, time_us, offset"
  columns+=", hex(ifnull(timestamp, '')), hex(ifnull(job_name, ''))"
  ask 2 "SELECT $columns FROM fleet.task_results ORDER BY job_id, rowid" >"$BATS_TEST_TMPDIR/there"
  sqlite3 -batch -bail -init /dev/null -nullvalue '\N' -separator $'\t' -cmd ".load $extension" :memory: \
    "SELECT $columns FROM task_lines WHERE reason IS NULL AND terminated ORDER BY job_id, rowid" >"$BATS_TEST_TMPDIR/here"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/here") -gt 30 ]]
  diff "$BATS_TEST_TMPDIR/here" "$BATS_TEST_TMPDIR/there"
  [[ $(ask 1 'SELECT count(), countIf(line IS NULL) FROM fleet.task_rejects') == \
    "$(sqlite3 -batch -init /dev/null -separator $'\t' -cmd ".load $extension" :memory: "SELECT count(*), sum(line IS NULL) FROM task_lines WHERE reason IS NOT NULL AND terminated")" ]]
  [[ $(ask 2 'SELECT uniqExact(job_id) FROM fleet.files') == $(find "$results" -maxdepth 1 -name '*.jsonl' -type f | wc -l) ]]
}

@test "a wrong password, database or table: status 3 with the server's words" {
  make_job a 3
  (umask 077 && printf 'user = "shipper:wrong"\n' >"$BATS_TEST_TMPDIR/conf")
  run ship --config "$BATS_TEST_TMPDIR/conf"
  [[ $status == 3 && $output == *'Code: 193'* ]] || { echo "$output"; return 1; }
  run taskresults ship --to "$(shard_url 1)?database=nowhere" --state "$state"
  [[ $status == 3 && $output == *'Code: 81'* ]] || { echo "$output"; return 1; }
  ask 1 'DROP TABLE fleet.records'
  run ship
  [[ $status == 3 && $output == *'Code: 60'* ]] || { echo "$output"; return 1; }
}

@test "doctor --ask-sink tells two shippers with one name, and not a cursor that was made anew" {
  make_job a 3
  ship --host h
  run taskresults doctor --ask-sink
  [[ $output == *"ok    no other cursor ships"* ]] || { echo "$output"; return 1; }
  mkdir "$BATS_TEST_TMPDIR/other"
  cp "$results"/a.jsonl "$BATS_TEST_TMPDIR/other"
  (umask 077 && mkdir "$BATS_TEST_TMPDIR/other-state" && cp "$state/curl.conf" "$BATS_TEST_TMPDIR/other-state")
  local made_us
  made_us=$(sqlite3 "$state"/*.db "SELECT value FROM meta WHERE key = 'base'")
  a_second_has_begun() { ((EPOCHSECONDS > made_us / 1000000)); } # the times of heartbeats are whole seconds
  await a_second_has_begun
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/other taskresults ship --to "$(shard_url 1)" --state "$BATS_TEST_TMPDIR/other-state" --host h
  run taskresults doctor --ask-sink
  [[ $status == 1 && $output == *"FAIL  another cursor sent to the sink of $state/"* ]] || { echo "$output"; return 1; }
  rm "$state"/*.db* "$results"/.taskresults/shipped/*.jsonl
  ship --host h
  run taskresults doctor --ask-sink
  [[ $output == *"ok    no other cursor ships"* ]] || { echo "$output"; return 1; }
}

@test "a shard that is killed and comes back: nothing acknowledged is missing, and nothing counts twice" {
  local i
  for i in {1..8}; do make_job "job-$i" 100; done
  ship
  end_shard 2
  for i in {1..8}; do make_job "job-$i" 100; done
  run ship --tries 2
  [[ $status == 75 ]] || { echo "$status: $output"; return 1; }
  start_shard 2
  await_shard 2
  run ship
  assert_output ''
  [[ $(ask 1 'SELECT count(), uniqExact(job_id, offset), uniqExact(rowid) FROM fleet.task_results') == $'1600\t1600\t1600' ]]
}
