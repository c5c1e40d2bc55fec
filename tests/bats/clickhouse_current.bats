#!/usr/bin/env bats
# examples/clickhouse on today's engine, which npm has as chdb.

# shellcheck disable=SC2154  # helpers.bash and bats set them

load ../lib/helpers
load ../lib/host
load ../lib/clickhouse

setup_file() {
  export BATS_TEST_TIMEOUT=600
  start_current
}

teardown_file() {
  stop_shards
}

eval "helpers_$(declare -f setup)"
setup() {
  helpers_setup
  skip_if_not_here
  ask current 'DROP DATABASE IF EXISTS fleet'
  make_fleet current
}

@test "the views are equal to the local tables, row by row, however rows arrive" {
  compare_views current
}

@test "the one-liners answer as SQLite does" {
  compare_one_liners current
}

@test "every block of the document that needs a server runs, and answers" {
  compare_one_liners current # so that there is something to answer from
  ask current 'DROP DATABASE IF EXISTS kept'
  ask current 'RENAME DATABASE fleet TO kept'
  local block blocks=$BATS_TEST_TMPDIR/blocks url table
  mkdir "$blocks"
  cd "$root"
  PYTHONPATH=$root/tests/lib PYTHONDONTWRITEBYTECODE=1 python3 tests/clickhouse/blocks.py examples/clickhouse/README.md "$blocks"
  url=$(shard_url current)
  [[ $(find "$blocks" -type f | wc -l) -ge 5 ]]
  for ((block = 1; $(find "$blocks" -name "$block" | wc -l); block++)); do
    run bash -euo pipefail <(sed "s|http://localhost:8123/|$url|" "$blocks/$block")
    echo "block $block: $output"
    [[ $status -eq 0 && $output != *Code:* ]]
    ((block == 1)) || [[ $output ]] || [[ $block == 2 ]]
    ((block > 1)) || for table in records rejects files; do
      ask current "INSERT INTO fleet.$table SELECT * FROM kept.$table"
    done
  done
  # The last one but one asked task_days, the last one set the TTL.
  [[ $(ask current "SHOW CREATE TABLE fleet.records") == *'toIntervalDay(90)'* ]]
}

@test "the indexes of words are used by error_text, and not by error; 18.16 has the same columns" {
  ask current "INSERT INTO fleet.records (host, job_id, hash, error) VALUES ('h', 'j', 1, 'disk full')"
  [[ $(ask current "EXPLAIN indexes = 1 SELECT count() FROM fleet.task_results WHERE error_text LIKE '%disk full%'") == *error_parts* ]]
  [[ $(ask current "EXPLAIN indexes = 1 SELECT count() FROM fleet.task_results WHERE error LIKE '%disk full%'") != *error_parts* ]]
  local names="SELECT groupArray((table, name)) FROM (SELECT * FROM system.columns WHERE database = 'D' ORDER BY table, name)"
  local current old
  current=$(ask current "${names/D/fleet}")
  ask current 'DROP DATABASE IF EXISTS old'
  "$root/examples/clickhouse/apply" --old "$(shard_url current)" old "$root/examples/clickhouse/18.16/tables.sql" \
    "$root/examples/clickhouse/views.sql"
  old=$(ask current "${names/D/old}")
  [[ $current == "$old" && $current == *signature* ]]
}

@test "task_days counts each record once, when it was sent again and when more came for a day" {
  "$root/examples/clickhouse/apply" "$(shard_url current)" fleet "$root/examples/clickhouse/task_days.sql"
  local row=$'{"host":"h","job_id":"j","hash":H,"n":1,"seq":S,"time_us":1764288000000000,"ok":O}'
  refreshed() {
    ask current 'SYSTEM REFRESH VIEW fleet.days_refresh'
    ask current 'SYSTEM WAIT VIEW fleet.days_refresh'
    ask current 'SELECT day, runs, failures FROM fleet.task_days'
  }
  send() {
    local text=${row/H/$1}
    text=${text/S/$2}
    ask current "INSERT INTO fleet.records FORMAT JSONEachRow ${text/O/$3}"
  }
  send 1 10 1
  send 2 11 0
  [[ $(refreshed | grep .) == $'2025-11-28\t2\t1' ]]
  send 1 20 1
  send 3 21 0
  send 3 31 0
  [[ $(refreshed | grep .) == $'2025-11-28\t3\t2' ]]
}

@test "what the estimate takes for the size of a row is what rows of the bench take" {
  require_host
  python3 "$root/tests/bench/generate.py" --jobs 20 "$BATS_TEST_TMPDIR/made" 20000000 30
  run env PYTHONPATH="$root/tests/lib:$root/tests/clickhouse" PYTHONDONTWRITEBYTECODE=1 TASKRESULTS_ROOT="$root" "$host_python" \
    "$root/tests/clickhouse/measure.py" "$BATS_TEST_TMPDIR/made" "$(<"$shards_place/current/pid")" "$(<"$shards_place/current/port")"
  echo "$output"
  [[ $status -eq 0 && $output =~ \ ([0-9]+)\ in\ files,\ ([0-9]+)\ as\ sent,\ ([0-9]+) ]]
  local found=("${BASH_REMATCH[@]:1}") name i=0 said
  for name in FILE SENT STORED; do
    said=$(sed -nE "s/^${name}_BYTES = ([0-9]+) .*/\1/p" "$root/examples/clickhouse/estimate")
    echo "$name: said $said, found ${found[i]}"
    ((found[i] * 4 >= said * 3 && found[i] * 3 <= said * 4))
    i=$((i + 1))
  done
}

@test "ship fills today's tables, and what it sends again after its cursor was lost counts once" {
  cp "$root"/tests/data/odd-lines/*.jsonl "$results"
  local places here
  for _ in 1 2; do
    run "$root/shell/taskresults" ship --to "$(shard_url current)" --host h --state "$BATS_TEST_TMPDIR/state"
    [[ $status -eq 0 && -z $output ]] || { echo "$status: $output"; return 1; }
    rm -r "$BATS_TEST_TMPDIR/state" "$results/.taskresults/shipped"
  done
  places='SELECT job_id, offset FROM task_results'
  here=$(sql "$places WHERE rowid IN (SELECT rowid FROM task_lines WHERE terminated) ORDER BY job_id, rowid")
  [[ $(ask current "${places/FROM /FROM fleet.} ORDER BY job_id, rowid" | grep . | tr '\t' '|') == "$here" && $here == *$'\n'* ]]
  here=$(sql "SELECT count(*) FROM task_rejects WHERE rowid IN (SELECT rowid FROM task_lines WHERE terminated)")
  [[ $(ask current 'SELECT count() FROM fleet.task_rejects' | grep .) == "$here" && $here -gt 5 ]]
}
