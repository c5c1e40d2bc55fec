#!/usr/bin/env bats
# task_history over files that logrotate itself rotates, as Debian has it, in each of its ways.

load ../lib/helpers


# rotate DIRECTIVE... - runs logrotate once on the results, with these directives.
rotate() {
  [[ -x /usr/sbin/logrotate ]] || skip "no logrotate here"
  {
    printf '%s {\n  rotate 50\n  missingok\n' "$results/*.jsonl"
    printf '  %s\n' "$@"
    printf '}\n'
  } >"$BATS_TEST_TMPDIR/logrotate.conf"
  chmod 644 "$BATS_TEST_TMPDIR/logrotate.conf"
  /usr/sbin/logrotate --force --state "$BATS_TEST_TMPDIR/state" "$BATS_TEST_TMPDIR/logrotate.conf"
}

# write FROM TO - so many records, one a minute, through append, as the scheduler does it.
write() {
  local i when
  for ((i = $1; i < $2; i++)); do
    TZ=UTC0 printf -v when '%(%FT%T)T' $((1767225600 + 60 * i))
    printf '{"timestamp": "%sZ", "job_id": "a", "success": true, "output": "%d"}\n' "$when" "$i" >>"$results/a.jsonl"
  done
}

# assert_each_once COUNT - in the order in which they were written.
assert_each_once() {
  sql "SELECT output FROM task_history('a') ORDER BY segment_no, offset" >"$BATS_TEST_TMPDIR/actual"
  seq 0 "$(($1 - 1))" | diff - "$BATS_TEST_TMPDIR/actual"
  python3 "$root/tests/oracles/history.py" "$results" | cut -d'|' -f5 | diff - "$BATS_TEST_TMPDIR/actual"
}

# rotate_often DIRECTIVE... - writes, rotates and looks in turn.
rotate_often() {
  local i
  for i in 0 1 2 3 4; do
    write $((10 * i)) $((10 * i + 10))
    assert_each_once $((10 * i + 10)) || return 1
    rotate "$@" || return 1
    assert_each_once $((10 * i + 10)) || return 1
  done
  write 50 53
  assert_each_once 53
}

@test "logrotate: create" {
  rotate_often create
  [[ -e $results/a.jsonl.5 ]]
}

@test "logrotate: nocreate" {
  rotate_often nocreate
}

@test "logrotate: copytruncate, as long as nothing is written meanwhile" {
  rotate_often copytruncate
}

@test "logrotate: compress" {
  rotate_often create compress
  [[ -e $results/a.jsonl.1.gz && -e $results/a.jsonl.5.gz ]]
}

@test "logrotate: compress and delaycompress" {
  rotate_often create compress delaycompress
  [[ -e $results/a.jsonl.1 && -e $results/a.jsonl.2.gz ]]
}

@test "logrotate: zstd as the compressor" {
  rotate_often create compress 'compresscmd /usr/bin/zstd' 'compressoptions -q' 'compressext .zst'
  [[ -e $results/a.jsonl.3.zst ]]
}

@test "logrotate: dateext" {
  write 0 10
  rotate create dateext
  assert_each_once 10
  [[ -e $results/a.jsonl-$(date +%Y%m%d) ]]
  write 10 20
  assert_each_once 20
}

@test "logrotate: dateext with the hour, compressed" {
  write 0 10
  rotate create dateext hourly compress
  assert_each_once 10
  ls "$results"/a.jsonl-??????????.gz
}

@test "logrotate: a configuration that changes on the way" {
  write 0 10
  rotate create
  write 10 20
  rotate create
  write 20 30
  rotate create dateext compress
  write 30 40
  assert_each_once 40
}
