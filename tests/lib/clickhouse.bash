# clickhouse.bash - shards of Debian's clickhouse-server for one suite, on loopback, in a directory of its own.
# `load ../lib/clickhouse` below `load ../lib/helpers`. In setup_file: `require_shards 2`; in setup: `skip_if_not_here`,
# since older versions of bats cannot skip in setup_file; in teardown_file: `stop_shards`. Users: `default` without a
# password, and `shipper` with `secret`.

# shellcheck shell=bash disable=SC2154  # bats and helpers.bash set them

NO_PACKAGE='no package clickhouse-server in this release' # no Debian after 12 has it

# require_shards COUNT - starts them, or sets `not_here` to what is missing for that.
require_shards() {
  export not_here=
  if [[ ! -x ${CLICKHOUSE_SERVER:-/usr/sbin/clickhouse-server} ]]; then
    not_here=clickhouse-server
    # shellcheck source=/dev/null
    (. /etc/os-release && [[ $ID$VERSION_ID == debian12 ]]) || not_here=$NO_PACKAGE
  elif ! command -v curl >/dev/null; then
    not_here=curl
  fi
  [[ -n $not_here ]] || start_shards "$1"
}

skip_if_not_here() {
  [[ ${not_here-} != "$NO_PACKAGE" ]] || skip "$not_here"
  [[ -z ${not_here-} ]] || missing_extra "$not_here"
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

# shard_url SHARD - prints the shard's address.
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

# start_current - today's engine, from npm's package chdb, as if it were a server: shard_url current, ask current. Sets
# `not_here` where there is none. npm keeps what it has fetched; build/chdb has it unpacked.
start_current() {
  local program pid
  export not_here=
  for program in node npm curl; do command -v "$program" >/dev/null || not_here=$program; done
  [[ -n $not_here ]] || unpack_chdb || not_here="chdb ($(tail -n 1 "$root/build/chdb/npm.log"))"
  [[ -z $not_here ]] || return 0
  export shards_place=${BATS_FILE_TMPDIR:-$BATS_TEST_TMPDIR}/shards
  mkdir -p "$shards_place/current"
  node "$root/tests/clickhouse/chdb_server.mjs" "$root/build/chdb" "$shards_place/current" \
    >"$shards_place/current/output" 2>&1 </dev/null 3>&- &
  pid=$!
  disown
  echo "$pid" >"$shards_place/current/pid"
  until [[ -e $shards_place/current/port ]]; do
    ! has_ended "$pid" || { cat "$shards_place/current/output"; return 1; }
    sleep 0.05
  done
}

# The version is pinned, without a lock file: that would name packages for systems that the registry need not have.
unpack_chdb() (
  version=3.4.0
  mkdir -p "$root/build/chdb"
  cd "$root/build/chdb" || exit
  exec 9>lock && flock 9 # two suites need it
  [[ $(cat node_modules/.from 2>/dev/null) == "$version" ]] && exit
  npm install --ignore-scripts --no-audit --no-fund --no-save --prefix . "chdb@$version" >npm.log 2>&1 &&
    echo "$version" >node_modules/.from
)

# make_fleet [current] - the tables and views of examples/clickhouse: on all shards, fleet_shard has their own, and
# fleet those of all; or in today's engine, in fleet.
make_fleet() {
  local shard url
  if [[ ${1-} == current ]]; then
    (cd "$root/examples/clickhouse" && ./apply "$(shard_url current)" fleet tables.sql views.sql)
    return
  fi
  for ((shard = 1; shard <= shards_count; shard++)); do
    url=$(shard_url "$shard")
    (
      cd "$root/examples/clickhouse" && ./apply --old "$url" fleet_shard 18.16/tables.sql views.sql &&
        ./apply "$url" fleet distributed.sql
    ) || return
  done
}

# drop_fleet - drops these tables and views, with all rows.
drop_fleet() {
  local shard database
  for ((shard = 1; shard <= shards_count; shard++)); do
    for database in fleet fleet_shard; do ask "$shard" "DROP DATABASE IF EXISTS $database" || return; done
  done
}

# compare_views SHARD... - sends them rows of recorded, odd and generated records, out of order and many twice. The
# views must be equal to the local tables, row by row. After `load ../lib/host`.
compare_views() {
  in_fleet compare.py "$BATS_TEST_TMPDIR" "$@"
  [[ $status -eq 0 && ${lines[-1]} =~ task_results\ [0-9]{5,6},.*\;\ 0\ differences$ ]]
}

# in_fleet PROGRAM DIRECTORY SHARD... - runs one of tests/clickhouse, with the ports of these shards.
in_fleet() {
  local shard ports=()
  for shard in "${@:3}"; do ports+=("$(<"$shards_place/$shard/port")"); done
  require_host
  run env PYTHONPATH="$root/tests/lib:$root/tests/clickhouse" PYTHONDONTWRITEBYTECODE=1 TASKRESULTS_ROOT="$root" \
    "$host_python" "$root/tests/clickhouse/$1" "$2" "${ports[@]}"
  echo "$output"
}

# compare_one_liners SHARD - with the example data, and a line that is none.
compare_one_liners() {
  "$root/examples/fresh.sh" "$BATS_TEST_TMPDIR/examples"
  echo '{"timestamp": "2026-' >>"$BATS_TEST_TMPDIR/examples/results/price-watch.jsonl"
  in_fleet one_liners.py "$BATS_TEST_TMPDIR/examples/results" "$1"
  [[ $status -eq 0 && ${lines[-1]} == '9 one-liners, 0 without rows, 0 differences' ]]
}
