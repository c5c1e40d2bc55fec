# host.bash - tests that need a host which steps a cursor by itself: Python with loadable extensions.
# `load ../lib/host` below `load ../lib/helpers`.

# shellcheck shell=bash disable=SC2154  # bats and helpers.bash set them

# require_host - finds such a Python, or skips the test. Some builds leave load_extension out; Debian's own has it.
require_host() {
  for host_python in python3 /usr/bin/python3; do
    "$host_python" -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension' 2>/dev/null && return
  done
  skip 'no python3 here has sqlite3.enable_load_extension'
}

# host ARGUMENT... - runs it with tests/lib on its path, for HOST_SECONDS at the most. After require_host.
host() {
  TASKRESULTS_ROOT=$root PYTHONPATH=$root/tests/lib PYTHONDONTWRITEBYTECODE=1 \
    timeout "${HOST_SECONDS:-600}" "$host_python" "$@"
}

# run_in_host <<PYTHON - runs the program, in which `db` is a connection with the extension loaded.
run_in_host() {
  local program
  program=$(cat)
  require_host
  run host -c "from host import connect
db = connect()
$program"
  [[ $status -eq 0 ]] || {
    printf '%s\n' "$output"
    return 1
  }
}
