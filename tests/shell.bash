# shell.bash - running the commands under test: those of the checkout, or those in TASKRESULTS_BIN.
# `load ../shell` below `load ../helpers`.

# shellcheck shell=bash disable=SC2154  # bats and helpers.bash set them

unset COLUMNS NO_COLOR TASKRESULTS_EXTENSION TASKRESULTS_SQLITE3

tool() {
  printf '%s\n' "${TASKRESULTS_BIN:-$root/shell}/$1"
}

taskresults() {
  "$(tool taskresults)" "$@"
}

view_results() {
  "$(tool view_results)" "$@"
}

# on_pty COLUMNS COMMAND... - runs it on a terminal of that width, and prints what the terminal got.
on_pty() {
  python3 "$root/tests/on_pty.py" "$@"
}

# assert_output EXPECTED - of the last `run`, with status 0.
assert_output() {
  [[ $status -eq 0 && $output == "$1" ]] || {
    printf 'status %s\nexpected:\n%s\nactual:\n%s\n' "$status" "$1" "$output"
    return 1
  }
}
