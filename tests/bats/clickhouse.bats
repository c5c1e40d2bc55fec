#!/usr/bin/env bats
# A fleet on ClickHouse: examples/clickhouse on two shards of Debian's clickhouse-server.

# shellcheck disable=SC2154  # helpers.bash and bats set them

load ../lib/helpers
load ../lib/host
load ../lib/clickhouse

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
}

@test "two shards answer, know each other, and one that was killed comes back" {
  [[ $(ask 1 'SELECT version()') == 18.* ]]
  [[ $(ask 2 "SELECT groupArray(shard_num) FROM system.clusters WHERE cluster = 'fleet'") == '[1,2]' ]]
  [[ $(ask 1 'SELECT 1' -u shipper:secret) == 1 ]]
  run ask 1 'SELECT 1' -u shipper:wrong
  [[ $status -eq 1 && $output == 'Code: 193,'* ]]
  run ask 1 'SELECT no_such_column'
  [[ $status -eq 1 && $output == 'Code: 47,'* ]]
  end_shard 2
  run ask 2 'SELECT 1'
  [[ $status -ne 0 ]]
  start_shard 2
  await_shard 2
  [[ $(ask 2 'SELECT 1') == 1 ]]
}

@test "the schema is made on both shards, and a row that is sent to one is seen by both, once" {
  make_fleet
  local row='{"host":"h","job_id":"j","seq":7,"hash":-5,"n":1,"time_us":null,"ok":0,"error":"e","missing":1}'
  for _ in 1 2; do ask 1 "INSERT INTO fleet.records FORMAT JSONEachRow $row" --url-query insert_distributed_sync=1; done
  [[ $(ask 1 'SELECT host, output, output_text, error, rowid FROM fleet.task_results') == $'h\t\\N\t\te\t7' ]]
  [[ $(ask 2 'SELECT job_id, runs, last_error FROM fleet.task_stats') == $'j\t1\te' ]]
  # As the document says of backups, and of years that are over.
  for shard in 1 2; do ask "$shard" 'ALTER TABLE fleet_shard.records FREEZE'; done
  find "$shards_place"/*/data/shadow -name primary.idx | grep -q .
  for shard in 1 2; do ask "$shard" 'ALTER TABLE fleet_shard.records DROP PARTITION 1970'; done
  [[ $(ask 1 'SELECT count() FROM fleet.task_results') == 0 ]]
  drop_fleet
}

@test "on two shards, the views are equal to the local tables, row by row, however rows arrive" {
  make_fleet
  compare_views 1 2
  drop_fleet
}

@test "on two shards, the one-liners answer as SQLite does" {
  make_fleet
  compare_one_liners 2
  drop_fleet
}

@test "shards and ship are killed while rows arrive: none is lost, none counts twice, the order is that of the files" {
  make_fleet
  in_fleet kills.py "$BATS_TEST_TMPDIR" 1 2
  [[ $status -eq 0 && ${lines[-1]} =~ ^${KILLS:-4}\ kills,\ [1-9][0-9]*\ while\ .*\ 0\ differences$ ]]
  drop_fleet
}

@test "systemd finds no fault with the unit, and ship knows its options" {
  command -v systemd-analyze >/dev/null || missing_extra systemd-analyze
  local unit=taskresults-ship.service word help
  sed "s|^ExecStart=/usr/local/bin/taskresults |ExecStart=$root/shell/taskresults |" "$root/examples/systemd/$unit" >"$BATS_TEST_TMPDIR/$unit"
  run systemd-analyze verify --man=no "$BATS_TEST_TMPDIR/$unit"
  [[ $status -eq 0 && -z $output ]] || { echo "$output"; return 1; }
  help=$("$root/shell/taskresults" ship --help)
  while read -r word; do
    [[ $help == *"  $word"* ]] || { echo "ship has no $word"; return 1; }
  done < <(grep '^ExecStart=' "$root/examples/systemd/$unit" | grep -oE '\-\-[a-z]+')
}
