# host.bash - tests that need a host which steps a cursor by itself: Python with loadable extensions.
# `load ../host` below `load ../helpers`.

# shellcheck shell=bash disable=SC2154  # bats and helpers.bash set them

# Some builds of Python leave load_extension out; Debian's own has it.
find_host() {
  local python
  for python in python3 /usr/bin/python3; do
    "$python" -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension' 2>/dev/null || continue
    printf '%s\n' "$python"
    return
  done
  return 1
}

# host ARGUMENT... - runs Python with tests/live on its path.
host() {
  local python
  python=$(find_host) || skip 'no python3 here has sqlite3.enable_load_extension'
  TASKRESULTS_ROOT=$root PYTHONPATH=$root/tests/live PYTHONDONTWRITEBYTECODE=1 "$python" "$@"
}

# run_in_host <<PYTHON - runs the program, in which `db` is a connection with the extension loaded.
run_in_host() {
  local program
  program=$(cat)
  run host -c "from host import connect
db = connect()
$program"
  [[ $status -eq 0 ]] || {
    printf '%s\n' "$output"
    return 1
  }
}
