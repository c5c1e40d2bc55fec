#!/usr/bin/env bats
# For each line of many (make test-long: 160,000), SQL and Python's json.loads() agree on whether it is a record, and on its values; and both
# lanes and all buffer sizes agree. tests/differential makes the lines (the same ones in every run) and compares.

load ../lib/helpers

setup_file() {
  export all_lines=$BATS_FILE_TMPDIR/all_lines short_lines=$BATS_FILE_TMPDIR/short_lines
  local differential=${TASKRESULTS_ROOT:-$BATS_TEST_DIRNAME/../..}/tests/differential
  export PYTHONDONTWRITEBYTECODE=1
  python3 "$differential/generate.py" "$all_lines" "$differential/../data" --lines "$(some_or_all 25000 100000)"
  python3 "$differential/generate.py" "$short_lines" "$differential/../data" --lines 9000 --longest 3000 --seed 7
}

# dump FILE - writes what the statements of tests/differential/FILE print into a file of that name.
dump() {
  sql <"$root/tests/differential/$1.sql" >"$BATS_TEST_TMPDIR/$1"
}

# assert_as_python_reads DIRECTORY - leaves the oracle's words in $output.
assert_as_python_reads() {
  export SCHEDULER_RESULTS_DIR=$1
  dump rows
  dump rejects
  run python3 "$root/tests/oracles/rows.py" "$1" "$BATS_TEST_TMPDIR/rows" "$BATS_TEST_TMPDIR/rejects"
  printf '%s\n' "$output"
  [[ $status -eq 0 && $output == *' 0 disagreements' ]]
}

@test "over 25,000 generated lines (make test-long and .ci/asan: 100,000) SQL and Python agree on every verdict and every value" {
  assert_as_python_reads "$all_lines"
  [[ $output =~ ^([0-9]+)\ lines:\ ([0-9]+)\ records,\ ([0-9]+)\ rejects,\ ([0-9]+)\ blank ]]
  local lines
  lines=$(some_or_all 25000 100000)
  ((BASH_REMATCH[1] >= lines && BASH_REMATCH[2] >= lines / 3 && BASH_REMATCH[3] >= lines / 3 && BASH_REMATCH[4] >= lines / 250))
}

@test "over the recorded and the odd lines SQL and Python agree" {
  assert_as_python_reads "$root/tests/data/scheduler-state/results"
  assert_as_python_reads "$root/tests/data/odd-lines"
}

@test "both lanes agree on the generated lines" {
  run "$root/build/unit/lanes" "$all_lines"
  printf '%s\n' "$output"
  [[ $status -eq 0 && $output == *'ok both_lanes_agree_on_the_lines_of_the_given_directories'* ]]
}

# every_row EXTENSION - all rows and columns of both tables, oldest and newest first, with a small and a large max_line.
every_row() {
  local -x extension=$1
  local max_line order
  for max_line in 200 1048576; do
    for order in 'ORDER BY rowid' 'ORDER BY rowid DESC'; do
      sql "CREATE VIRTUAL TABLE temp.r USING task_results(dir='$SCHEDULER_RESULTS_DIR', max_line=$max_line)" \
        "CREATE VIRTUAL TABLE temp.x USING task_rejects(dir='$SCHEDULER_RESULTS_DIR', max_line=$max_line)" \
        "SELECT rowid, offset, quote(timestamp), quote(job_id), quote(job_name), quote(success), hex(output), hex(error), time_us,
           hex(record) FROM r $order" \
        "SELECT rowid, quote(job_id), offset, length, reason, quote(line) FROM x $order" || return 1
    done
  done
}

assert_same_rows_through_a_tiny_buffer() {
  export SCHEDULER_RESULTS_DIR=$1
  every_row "$root/taskresults" >"$BATS_TEST_TMPDIR/usual"
  every_row "$root/build/tiny/taskresults" >"$BATS_TEST_TMPDIR/tiny"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/usual") -ge $2 ]]
  cmp "$BATS_TEST_TMPDIR/usual" "$BATS_TEST_TMPDIR/tiny"
}

@test "reading 7 bytes at a time gives the same rows and rejects of recorded and odd lines, in both directions" {
  assert_same_rows_through_a_tiny_buffer "$root/tests/data/scheduler-state/results" 100
  assert_same_rows_through_a_tiny_buffer "$root/tests/data/odd-lines" 100
}

@test "reading 7 bytes at a time gives the same rows and rejects of generated lines, in both directions" {
  assert_same_rows_through_a_tiny_buffer "$short_lines" 30000
}

@test "newest first gives the rows of oldest first in reverse, whatever the size of the buffer" {
  export SCHEDULER_RESULTS_DIR=$short_lines
  local of='SELECT rowid, hex(success), time_us, length(CAST(record AS BLOB)) FROM task_results ORDER BY rowid'
  for build in "$root" "$root/build/tiny"; do
    export extension=$build/taskresults
    sql "$of" >"$BATS_TEST_TMPDIR/oldest"
    sql "$of DESC" | tac >"$BATS_TEST_TMPDIR/newest"
    [[ $(wc -l <"$BATS_TEST_TMPDIR/oldest") -ge 4000 ]]
    cmp "$BATS_TEST_TMPDIR/oldest" "$BATS_TEST_TMPDIR/newest"
  done
}
