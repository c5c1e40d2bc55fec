# sink.bash - a sink for `taskresults ship` (tests/lib/sink.py), started and stopped by each test.
# `load ../lib/sink` below helpers and shell.

# shellcheck shell=bash disable=SC2154,SC2034  # bats and helpers.bash set some, tests use others

# start_sink - sets `sink`, its directory; `url`; and `state`, a directory for the cursor.
start_sink() {
  local port
  sink=$BATS_TEST_TMPDIR/sink state=$BATS_TEST_TMPDIR/state
  mkdir "$sink"
  mkfifo "$sink/input"
  PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/lib/sink.py" "$sink" \
    <"$sink/input" >"$sink/port" 2>"$sink/errors" 3>&- &
  exec {sink_input}>"$sink/input"
  await test -s "$sink/port"
  url=http://127.0.0.1:$(<"$sink/port")/
}

stop_sink() {
  [[ -z ${sink_input-} ]] || exec {sink_input}>&-
}

# ship OPTION... - ships to the sink.
ship() {
  taskresults ship --to "$url" --state "$state" "$@"
}

# stored TABLE - how many rows of it the sink has stored.
stored() {
  [[ -e $sink/rows ]] || { echo 0; return; }
  grep -c "^$1"$'\t' "$sink/rows" || true
}

stored_are() {
  [[ $(stored "$1") == "$2" ]]
}

# jq_rows TABLE COLUMN - the column of the stored rows, a line each, as JSON.
jq_rows() {
  python3 -c '
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    table, _, row = line.partition("\t")
    if table == sys.argv[2]:
        print(json.dumps(json.loads(row)[sys.argv[3]]))' "$sink/rows" "$1" "$2"
}
