#!/usr/bin/env bats
# The library as macOS and the BSDs get it (PLATFORM=posix), tried on Linux: it reads and appends as the usual one does,
# and prunes nothing. `make test-platforms` runs whole suites of it.

load ../lib/helpers

posix=$root/build/posix/taskresults
usual=$root/taskresults

# with LIBRARY STATEMENT...
with() {
  local library=$1
  shift
  sqlite3 -batch -bail -init /dev/null -nullvalue NULL -cmd ".load $library" :memory: "$@"
}

# libc_calls LIBRARY - the functions of glibc that it needs.
libc_calls() {
  nm -D --undefined-only "$1.so" | sed -nE 's/^ *U ([A-Za-z_0-9]+)@GLIBC.*/\1/p' | sort -u
}

# not_shared LIBRARY - those that other systems may not have. A compiler's fortified __memcpy_chk is memcpy.
not_shared() {
  libc_calls "$1" | sed -E 's/^__(isoc[0-9]+_)?([a-z]+)_chk$/\2/; s/^__isoc[0-9]+_//' | sort -u |
    comm -23 - <(grep -v '^#' "$root/tests/posix/symbols" | sort -u)
}

@test "it calls nothing of libc that macOS and the BSDs may lack; the usual library does" {
  [[ -z $(libc_calls "$posix") ]] && skip "this libc is not glibc"
  run not_shared "$posix"
  echo "$output"
  [[ $status -eq 0 && -z $output ]]
  [[ $(not_shared "$usual") == *getrandom*memrchr*qsort_r*renameat2* ]]
}

@test "it reads what the usual library reads: each row of each table, in each order" {
  local from
  make_job many 300 7
  for i in {1..120}; do printf -v from '{"timestamp": "2026-01-01T00:%02d:00Z", "success": true}' $((i % 60)) &&
    echo "$from" >"$results/job-$((i * 7919 % 1000)).jsonl"; done
  cp "$root"/tests/data/odd-lines/* "$results"
  export SCHEDULER_JOBS_FILE=$root/tests/data/scheduler-state/jobs.json
  export SCHEDULER_LOGS_DIR=$root/tests/data/scheduler-state/logs
  local queries=('SELECT rowid, * FROM task_results' 'SELECT * FROM task_results ORDER BY rowid DESC'
    'SELECT * FROM task_results ORDER BY job_id DESC, offset' 'SELECT * FROM task_history' 'SELECT * FROM task_rejects'
    'SELECT * FROM task_stats' 'SELECT * FROM task_errors' 'SELECT * FROM task_days' 'SELECT * FROM task_logs'
    'SELECT job_id, schedule FROM task_jobs' 'SELECT * FROM task_runs ORDER BY job_id')
  with "$posix" "${queries[@]}" >"$BATS_TEST_TMPDIR/posix"
  with "$usual" "${queries[@]}" >"$BATS_TEST_TMPDIR/usual"
  (($(wc -l <"$BATS_TEST_TMPDIR/usual") > 1000))
  cmp "$BATS_TEST_TMPDIR/posix" "$BATS_TEST_TMPDIR/usual"
}

@test "it appends the bytes that the usual library appends, after a torn line, too; flushed, and undone by a ROLLBACK" {
  local library insert="INSERT INTO task_results(job_id, success, timestamp, output) VALUES"
  for library in "$posix" "$usual"; do
    export SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/${library//\//_}
    mkdir "$SCHEDULER_RESULTS_DIR"
    printf '{"torn": ' >"$SCHEDULER_RESULTS_DIR/torn.jsonl"
    with "$library" 'SELECT taskresults_writable(1)' BEGIN "$insert ('new', 1, '2026-01-01T00:00:00Z', 'héllo')" \
      "$insert ('torn', 0, '2026-01-01T00:00:01Z', 'x')" COMMIT BEGIN "$insert ('new', 1, '2026-01-01T00:00:02Z', 'gone')" \
      ROLLBACK "SELECT taskresults_export_csv('$SCHEDULER_RESULTS_DIR/out.csv', 'SELECT * FROM task_results')"
  done
  [[ $(wc -l <"$SCHEDULER_RESULTS_DIR/new.jsonl") == 1 && $(wc -l <"$SCHEDULER_RESULTS_DIR/out.csv") == 3 ]]
  diff -r "$BATS_TEST_TMPDIR/${posix//\//_}" "$BATS_TEST_TMPDIR/${usual//\//_}"
}

# refuses STATEMENT - it is an error that says why, and nothing in the directory changes.
refuses() {
  local before
  before=$(cd "$results" && find . -type f -exec sha256sum {} + | sort && find . | sort)
  run with "$posix" "$1"
  echo "$1: $output"
  [[ $status -ne 0 && $output == *'refused: this system cannot prune'*'nothing was changed'* ]]
  [[ $(cd "$results" && find . -type f -exec sha256sum {} + | sort && find . | sort) == "$before" ]]
}

@test "it refuses to prune and to archive, with the reason, and changes nothing" {
  make_job alpha 20
  make_job beta 20
  echo '{"rules": [{"jobs": "*", "keep": 5}]}' >"$BATS_TEST_TMPDIR/policy"
  refuses "SELECT taskresults_prune('alpha', 'keep', 5)"
  refuses "SELECT taskresults_prune('alpha', 'keep', 5, 'archive', 1)"
  refuses "SELECT taskresults_prune('alpha', 'keep', 5, 'offline', 1)"
  refuses "SELECT taskresults_prune_all('keep', 5)"
  refuses "SELECT taskresults_prune_all('keep', 5, 'dry_run', 1)"
  TASKRESULTS_EXTENSION=$posix.so run "$root/shell/taskresults" prune alpha --keep 5 --force
  [[ $status -eq 3 && $output == *'this system cannot prune'* ]] # 1 would mean that --force can do it
  with "$usual" "SELECT taskresults_prune_all('keep', 5)" | grep -q '"dropped":15'
}

@test "outputs go through links and to descriptors as on Linux" {
  make_job alpha 3
  cd "$BATS_TEST_TMPDIR"
  mkdir -p real/deep other
  ln -s ../real/deep other/folder
  ln -s folder/out.csv other/link
  echo old >real/deep/out.csv
  with "$posix" "SELECT taskresults_export_csv('other/link', 'SELECT 1 AS one')"
  [[ $(tr -d '\r' <real/deep/out.csv) == $'one\n1' && -L other/link ]]
  [[ $(with "$posix" "SELECT taskresults_export_csv('/dev/fd/1', 'SELECT 1 AS one')" | tr -d '\r') == $'one\n1\n1' ]]
  run with "$posix" "SELECT taskresults_export_csv('real/deep/out.csv/', 'SELECT 1 AS one')"
  [[ $status -ne 0 && $output == *'Not a directory'* ]]
  ln -s loop real/loop
  run with "$posix" "SELECT taskresults_export_csv('real/loop/x', 'SELECT 1 AS one')"
  [[ $status -ne 0 && $output == *'symbolic links'* ]]
  run "$root/build/posix/target"
  [[ $status -eq 0 && $output != *'not ok'* ]]
}

# --- all of it compiles elsewhere, too: for 32 bits, and with musl ------------------------------------------------------

# compiles_with COMPILER... - all sources as one file, with the libraries' headers from this system.
compiles_with() {
  local headers=$BATS_TEST_TMPDIR/headers name
  mkdir -p "$headers"
  ln -sf /usr/include/linux "$headers/linux" # the kernel's, which musl leaves to the system
  for name in sqlite3 sqlite3ext zlib zconf zstd zstd_errors; do
    ln -sf "$(find /usr/include -name "$name.h" -not -path '*/linux/*' | head -n 1)" "$headers"
  done
  ln -sf "$(find /usr/include -path '*cjson/cJSON.h' | head -n 1)" "$headers"
  cd "$root" || return
  .ci/amalgamate | "$@" -std=c11 -Wall -Wextra -Werror -Wshadow -fsyntax-only -D_FILE_OFFSET_BITS=64 -DTR_WITHOUT_DIGEST -DTR_WITHOUT_INDEX \
    -Iinclude -I"$headers" -x c -
}

@test "all of the library compiles for 32 bits" {
  command -v i686-linux-gnu-gcc >/dev/null || missing_extra "i686-linux-gnu-gcc (Debian: gcc-i686-linux-gnu)"
  run compiles_with i686-linux-gnu-gcc
  echo "$output"
  [[ $status -eq 0 && -z $output ]]
}

@test "all of the library compiles with musl" {
  command -v musl-gcc >/dev/null || missing_extra "musl-gcc (Debian: musl-tools)"
  run compiles_with musl-gcc
  echo "$output"
  [[ $status -eq 0 && -z $output ]]
}
