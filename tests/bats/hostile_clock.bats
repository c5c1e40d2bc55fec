#!/usr/bin/env bats
# Wrong clocks: records whose times run backwards, records of the future, commands whose own clock is years off.

load ../lib/helpers
load ../lib/shell
load ../lib/sink

YEARS10=315360000

# at_offset SECONDS COMMAND... - runs it with a clock that is ahead by so many seconds (negative: behind).
at_offset() {
  CLOCK_OFFSET_S=$1 LD_PRELOAD=$root/build/shim/clock.so "${@:2}"
}

# record_ago JOB SECONDS true|false - seconds before now; negative: after it.
record_ago() {
  append_raw "$1" "{\"timestamp\": \"$(date -u -d "@$((EPOCHSECONDS - $2))" +%Y-%m-%dT%H:%M:%SZ)\", \"success\": $3, \"output\": \"\", \"error\": \"\"}\n"
}

@test "the shim sets the clock of every program that the tests use" {
  local now before=$EPOCHSECONDS
  # shellcheck disable=SC2016  # the other bash expands it
  for now in "$(at_offset $YEARS10 date +%s)" "$(at_offset $YEARS10 sqlite3 :memory: "SELECT strftime('%s', 'now')")" \
    "$(at_offset $YEARS10 bash -c 'echo $EPOCHSECONDS')"; do
    ((now >= before - 1 + YEARS10 && now <= EPOCHSECONDS + 1 + YEARS10)) # of clocks with a grain
  done
}

@test "times that run backwards: order, streak and prune go by the place in the file, and a range of times finds all its records" {
  append_raw a '{"timestamp": "2026-03-01T00:00:00Z", "success": true, "output": "1"}\n'
  append_raw a '{"timestamp": "2026-02-01T00:00:00Z", "success": false, "output": "2"}\n'
  append_raw a '{"timestamp": "2026-04-01T00:00:00Z", "success": true, "output": "3"}\n'
  append_raw a '{"timestamp": "1969-12-31T23:59:59Z", "success": false, "output": "4"}\n'
  assert_rows '4,3,2,1' "SELECT group_concat(output) FROM (SELECT output FROM task_results ORDER BY rowid DESC)"
  assert_rows '4,2,1,3' "SELECT group_concat(output) FROM (SELECT output FROM task_results ORDER BY time_us)"
  assert_rows '2,1' "SELECT group_concat(output) FROM (SELECT output FROM task_results
    WHERE timestamp BETWEEN '2026-01-01' AND '2026-03-02' ORDER BY time_us)"
  assert_rows '2026-03-01T00:00:00Z|1969-12-31T23:59:59Z|-1' 'SELECT first_run, last_run, streak FROM task_stats'
  assert_rows 1 "SELECT taskresults_prune('a', 'since', '2026-03-15T00:00Z', 'dry_run', 1)->>'kept'"
}

@test "with records of the future and a clock ten years off, every command answers, and none changes a record" {
  record_ago past 3600 true
  record_ago mixed -3600 false
  record_ago mixed 7200 true
  record_ago future -$YEARS10 false
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json
  echo '{"jobs": []}' >"$SCHEDULER_JOBS_FILE"
  cp -a "$results" "$BATS_TEST_TMPDIR/before"
  local offset command words
  for offset in 0 $YEARS10 -$YEARS10; do
    for command in 'list' 'list --jsonl' 'view --all' 'stats --by day' 'errors --since 7d' 'sla --window 7d' 'metrics' 'report' \
      "alerts --after 1 --silent-for 1d --overdue --state $BATS_TEST_TMPDIR/state.$offset" 'doctor'; do
      read -ra words <<<"$command"
      run at_offset "$offset" timeout 300 "$(tool taskresults)" "${words[@]}"
      [[ $status -eq 0 || $status -eq 1 && $command == alerts* ]] || { echo "$offset, $command: $status, $output"; return 1; }
    done
  done
  diff -r "$BATS_TEST_TMPDIR/before" "$results"
}

@test "alerts: with a clock that steps ahead and back, a failure is reported once, and a silence only while it lasts" {
  record_ago broken 60 false
  record_ago fine 60 true
  local state=$BATS_TEST_TMPDIR/state
  alerts_at() { at_offset "$1" "$(tool taskresults)" alerts --after 1 --silent-for 2d --state "$state"; }
  run alerts_at 0
  [[ $status -eq 1 && ${#lines[@]} -eq 1 && $output == *broken* ]]
  run alerts_at 864000
  [[ $status -eq 1 && $output == *fine*silent* && $output != *'failed'* ]]
  run alerts_at 0
  [[ $output != *failed* ]]
  run alerts_at -864000
  [[ $output != *failed* && $output != *silent* ]]
}

@test "sla: records later than now are not counted, and a window before the first record is empty" {
  record_ago a 3600 true
  record_ago a -3600 false
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR
  run taskresults sla --window 1d --csv
  [[ $status -eq 0 && ${lines[1]} == a,1,1,0,100* ]]
  run at_offset -$YEARS10 "$(tool taskresults)" sla --window 1d --csv
  [[ $status -eq 0 && ${lines[1]} == a,0,0,0,* ]]
}

@test "run: with a clock that is years off, the record has that clock's time, and duration and timeout are right" {
  run at_offset -$YEARS10 "$(tool taskresults)" run a --timeout 300 -- echo finished
  [[ $status -eq 0 && $output == finished ]]
  assert_rows '1|1' "SELECT count(*), time_us / 1000000 BETWEEN strftime('%s', 'now') - $YEARS10 - 100 AND strftime('%s', 'now') - $YEARS10 + 100
    FROM task_results('a')"
}

# slots_then OFFSET [STEP_AT STEP] - what `next` says with the clock standing at 2026-02-15 16:00, and OFFSET seconds: a line
# for each job with the next time and the last. With STEP_AT, from its so many-th reading on it is STEP seconds later.
slots_then() {
  CLOCK_STANDS_S=$((1771171200 + $1)) CLOCK_STEP_AT=${2-} CLOCK_STEP_S=${3-} LD_PRELOAD=$root/build/shim/clock.so \
    "$(tool taskresults)" next --csv | tr -d '\r' | awk -F, 'NR > 1 { print $1, $2, $3, $6 }' | sort
}

@test "next: a clock that steps while it runs, ahead or back: the times are those of before or of after, for all jobs" {
  local step at before after now seen=''
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json
  echo '{"jobs": [{"id": "a", "schedule": "30 * * * *", "created_at": "2026-02-01T00:00:00Z"},
    {"id": "b", "schedule": "15 3 * * *", "created_at": "2026-02-01T00:00:00Z"},
    {"id": "c", "schedule": "every 50 minutes", "created_at": "2026-02-01T00:00:00Z"}]}' >"$SCHEDULER_JOBS_FILE"
  before=$(slots_then 0)
  [[ $before == *'a due 2026-02-15T16:30:00Z 2026-02-15T15:30:00Z'* ]]
  for step in 86400 -90000; do
    after=$(slots_then $step)
    [[ $after != "$before" ]]
    for at in 1 2 3 4 5 6 8 12; do
      now=$(slots_then 0 $at $step)
      [[ $now == "$before" || $now == "$after" ]] || { echo "$step at $at: $now"; return 1; }
      [[ $now == "$before" ]] && seen+=b || seen+=a
    done
  done
  [[ $seen == *a*b*a*b* ]]
}

@test "alerts: a clock that steps while they run: what was missed is told once, also if the step was a day ahead, and back" {
  local at told="$BATS_TEST_TMPDIR/told"
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json
  append_raw a '{"timestamp": "2026-02-14T12:30:10Z", "success": true, "output": "", "error": ""}\n'
  echo '{"jobs": [{"id": "a", "schedule": "30 12 * * *", "created_at": "2026-02-14T00:00:00Z"}]}' >"$SCHEDULER_JOBS_FILE"
  printf '[2026-02-14T00:00:00Z] Scheduled: a\n' >"$BATS_TEST_TMPDIR/a.log"
  for at in 0 1 2 3 5 8 13; do
    rm -f "$BATS_TEST_TMPDIR/state" "$told"
    for step in $at 0 0; do
      CLOCK_STANDS_S=1771171200 CLOCK_STEP_AT=$step CLOCK_STEP_S=-86000 LD_PRELOAD=$root/build/shim/clock.so \
        "$(tool taskresults)" alerts --missed --state "$BATS_TEST_TMPDIR/state" >>"$told" || (($? == 1))
    done
    [[ $(grep -c 'missed' "$told") == 1 ]] || { echo "$at: $(<"$told")"; return 1; }
  done
}

# --- shipping -------------------------------------------------------------------------------------------------------------

# ships_in_order FIRST SECOND THIRD - a cursor is made by one clock, and goes on under two others. Lines are identical, or
# a prune takes them away meanwhile.
ships_in_order() {
  local offset
  start_sink
  for offset in "$@"; do
    for _ in 1 2 3; do append_raw a '{"timestamp": "2026-03-01T00:00:00Z", "output": "the same"}\n'; done
    append_raw a "{\"timestamp\": \"2026-03-01T00:00:00Z\", \"output\": \"by $offset\"}\n"
    # shellcheck disable=SC2154  # start_sink sets them
    at_offset "$offset" "$(tool taskresults)" ship --to "$url" --state "$state"
    sql "SELECT taskresults_prune_all('keep', 2)" >/dev/null
  done
  stop_sink
  python3 - "$sink/rows" "$@" <<'PYTHON'
import json, sys
rows = [json.loads(line.partition("\t")[2]) for line in open(sys.argv[1]) if line.startswith("records\t")]
assert [row["output"] for row in rows] == [text for offset in sys.argv[2:] for text in ["the same"] * 3 + ["by " + offset]]
assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows})
assert len({(row["host"], row["job_id"], row["time_us"], row["hash"], row["n"]) for row in rows}) == len(rows)
PYTHON
  rm -r "$sink" "$state" "$results"/.taskresults "$results"/*.jsonl
}

@test "ship: lines arrive once and in order, though the clock is years off when the cursor is made, or afterwards" {
  command -v curl >/dev/null || missing_extra curl
  ships_in_order 0 $((-3 * YEARS10)) $((7 * YEARS10))
  ships_in_order $((-3 * YEARS10)) $((7 * YEARS10)) 0
  ships_in_order $((7 * YEARS10)) 0 $((-3 * YEARS10))
}

@test "ship: heartbeats come again, though the last one was sent by a clock that was ahead" {
  command -v curl >/dev/null || missing_extra curl
  start_sink
  append_raw a '{"output": "1"}\n'
  at_offset $YEARS10 "$(tool taskresults)" ship --to "$url" --state "$state"
  "$(tool taskresults)" ship --to "$url" --state "$state"
  "$(tool taskresults)" ship --to "$url" --state "$state"
  stop_sink
  [[ $(stored files) == 2 ]]
}
