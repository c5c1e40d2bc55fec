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
  ask current 'DROP DATABASE IF EXISTS fleet'
  make_fleet current
}

@test "the views are equal to the local tables, row by row, however rows arrive" {
  compare_views current
}

@test "the one-liners answer as SQLite does" {
  compare_one_liners current
}
