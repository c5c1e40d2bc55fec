# clickhouse.bash - shards of Debian's clickhouse-server for one suite, on loopback, in a directory of its own.
# `load ../lib/clickhouse` below `load ../lib/helpers`. In setup_file: `require_clickhouse`, `start_shards 2`; in
# teardown_file: `stop_shards`. Users: `default` without a password, and `shipper` with `secret`.

# shellcheck shell=bash disable=SC2154  # bats and helpers.bash set them

# require_clickhouse - skips the tests where there is no server (no Debian after 12 has it), or no curl to ask it.
require_clickhouse() {
  # shellcheck source=/dev/null
  [[ -x ${CLICKHOUSE_SERVER:-/usr/sbin/clickhouse-server} ]] || (. /etc/os-release && [[ $ID$VERSION_ID == debian12 ]]) ||
    skip 'no package clickhouse-server in this release'
  [[ -x ${CLICKHOUSE_SERVER:-/usr/sbin/clickhouse-server} ]] || missing_extra clickhouse-server
  command -v curl >/dev/null || missing_extra curl
}

shard_server() {
  PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/lib/clickhouse_server.py" "$@"
}

# start_shards COUNT - makes and starts them. Sets shards_place. Another program may take a port between its choice and
# its use: then all start again, on other ports.
start_shards() {
  export shards_place=${BATS_FILE_TMPDIR:-$BATS_TEST_TMPDIR}/shards shards_count=$1
  local shard attempts
  for ((attempts = 0; attempts < 5; attempts++)); do
    shard_server make "$shards_place" "$shards_count" || return
    for ((shard = 1; shard <= shards_count; shard++)); do start_shard "$shard"; done
    for ((shard = 1; shard <= shards_count; shard++)); do
      shard_server await "$shards_place" "$shard" && continue
      stop_shards
      continue 2
    done
    return
  done
  cat "$shards_place"/*/{output,errors} >&2
  return 1
}

# start_shard SHARD - starts it, and does not wait until it answers (await_shard does).
start_shard() {
  PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/lib/clickhouse_server.py" start "$shards_place" "$1" \
    >"$shards_place/$1/output" 2>&1 </dev/null 3>&- & # no function: the process must become the server
  echo $! >"$shards_place/$1/pid"
  disown
}

await_shard() {
  shard_server await "$shards_place" "$1"
}

# end_shard SHARD [SIGNAL] - ends it (KILL, unless told otherwise), and waits until it has ended.
end_shard() {
  local pid
  pid=$(<"$shards_place/$1/pid")
  kill "-${2:-KILL}" "$pid" 2>/dev/null || true
  await has_ended "$pid"
}

has_ended() {
  local stat
  read -r stat <"/proc/$1/stat" || return 0
  [[ ${stat##*) } == Z* ]]
}

stop_shards() {
  local place
  for place in "${shards_place:-/nowhere}"/*/pid; do
    [[ -e $place ]] || continue
    place=${place%/pid}
    end_shard "${place##*/}"
  done
}

# shard_url SHARD - its address.
shard_url() {
  echo "http://127.0.0.1:$(<"$shards_place/$1/port")/"
}

# ask SHARD STATEMENT [CURL-OPTION...] - what it answers; fails if it refuses, and then prints the error.
ask() {
  local answer status
  answer=$(curl -q -sS --noproxy '*' --data-binary "$2" -w '\n%{http_code}' "${@:3}" "$(shard_url "$1")") || return
  status=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  printf '%s\n' "${answer%$'\n'}"
  [[ $status == 200 ]]
}

# make_fleet - on all shards, the tables and views of examples/clickhouse: fleet_shard, its own, and fleet, all shards'.
make_fleet() {
  local shard examples=$root/examples/clickhouse
  for ((shard = 1; shard <= shards_count; shard++)); do
    "$examples/apply" --old "$(shard_url "$shard")" fleet_shard "$examples"/18.16/tables.sql "$examples/views.sql" || return
    "$examples/apply" "$(shard_url "$shard")" fleet "$examples/distributed.sql" || return
  done
}

# drop_fleet - takes them away again, with all rows.
drop_fleet() {
  local shard database
  for ((shard = 1; shard <= shards_count; shard++)); do
    for database in fleet fleet_shard; do ask "$shard" "DROP DATABASE IF EXISTS $database" || return; done
  done
}
