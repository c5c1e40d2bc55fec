#!/usr/bin/env bats
# How the extension is loaded, and whether it reads the recorded state of a real scheduler.

load ../lib/helpers

@test "the extension loads under the names that users give it" {
  cp "$root/taskresults.so" "$BATS_TEST_TMPDIR/"
  cp "$root/taskresults.so" "$BATS_TEST_TMPDIR/libtaskresults.so"
  cp "$root/taskresults.so" "$BATS_TEST_TMPDIR/mod_taskresults.so"
  cd "$BATS_TEST_TMPDIR"
  for name in ./taskresults ./taskresults.so taskresults.so "$PWD/taskresults" ./libtaskresults ./mod_taskresults; do
    LD_LIBRARY_PATH=. sqlite3 -cmd ".load $name" :memory: 'SELECT taskresults_version()'
  done
}

@test "three entry points are exported, and nothing else" {
  local expected=$'sqlite3_modtaskresults_init\nsqlite3_taskresults_init\nsqlite3_taskresults_readonly_init'
  [[ $(nm -D --defined-only "$root/taskresults.so" | awk '{print $3}' | sort) == "$expected" ]]
  [[ $(nm -g --defined-only "$root/libtaskresults.a" | awk 'NF == 3 {print $3}' | sort) == "$expected" ]]
}

@test "taskresults_version() agrees with the header, in text and as a number" {
  assert_rows "$(version_built)" 'SELECT taskresults_version()'
  IFS=. read -r major minor patch < <(version_built)
  grep -qx "#define TASKRESULTS_VERSION_NUMBER $((major * 1000000 + minor * 1000 + patch)) .*" "$root/include/taskresults.h"
}

@test "the recorded state of the real scheduler reads as Python reads it" {
  export SCHEDULER_RESULTS_DIR=$root/tests/data/scheduler-state/results
  python3 - "$SCHEDULER_RESULTS_DIR" >"$BATS_TEST_TMPDIR/python" <<'PYTHON'
import json, os, sys
for name in sorted(os.listdir(sys.argv[1]), key=os.fsencode):
    for line in open(os.path.join(sys.argv[1], name), "rb"):
        record = json.loads(line)
        text = "\x1f".join([name[:-6], record["timestamp"], record["job_name"], str(int(record["success"])),
                            record["output"], record["error"]])
        print(text.encode("utf-8", "replace").hex())
PYTHON
  sql "SELECT lower(hex(concat)) FROM (SELECT job_id || x'1f' || timestamp || x'1f' || job_name || x'1f' || success
         || x'1f' || output || x'1f' || error AS concat FROM task_results ORDER BY rowid)" >"$BATS_TEST_TMPDIR/ours"
  [[ -s $BATS_TEST_TMPDIR/ours ]]
  cmp "$BATS_TEST_TMPDIR/python" "$BATS_TEST_TMPDIR/ours"
  assert_rows 0 'SELECT count(*) FROM task_rejects'
}
