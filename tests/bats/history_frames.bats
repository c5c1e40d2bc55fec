#!/usr/bin/env bats
# Archived segments, read by the tables at their ends: frame by frame, from either end and by time.

load ../lib/helpers
load ../lib/host

# archive NAME COUNT [FRAME_BYTES] - a segment of the archive of job a: records, one a minute from 2026-01-01 on, every
# seventh of which failed.
archive() {
  archived=$results/.taskresults/archive/a.jsonl/$1-1.jsonl.zst
  mkdir -p "${archived%/*}"
  python3 - "$2" <<'PYTHON' | python3 "$root/tests/oracles/archive_segment.py" write "$archived" "${3:-4096}"
import datetime, json, sys
for i in range(int(sys.argv[1])):
    when = datetime.datetime(2026, 1, 1) + datetime.timedelta(minutes=i)
    print(json.dumps({"timestamp": when.isoformat() + "Z", "job_id": "a", "job_name": "a", "success": i % 7 != 0,
                      "output": f"run {i}", "error": "" if i % 7 else f"Connection {i * i % 1009} timeout"}))
PYTHON
}

# bytes_read STATEMENT - how many bytes this process read for it.
bytes_read() {
  statement=$1 run_in_host <<'PYTHON'
import os
def read_so_far():
    with open("/proc/self/io", encoding="ascii") as file:
        return int(file.readline().split()[1])
list(db.execute("SELECT count(*) FROM task_history('none')"))  # what is read once
before = read_so_far()
rows = list(db.execute(os.environ["statement"]))
print(read_so_far() - before, len(rows), rows[0][0] if rows else "")
PYTHON
  read -r bytes rows first <<<"$output"
}

# all_bytes - how many bytes it would have to read for all rows of the segment.
all_bytes() { stat -c %s "$archived"; }

@test "frames: the same rows by each build, with one thread and with several, forwards and backwards, whatever is damaged" {
  TASKRESULTS_ROOT=$root python3 "$root/tests/differential/frames.py" "$BATS_TEST_TMPDIR/frames" 1 "${FRAMES_HISTORIES:-12}"
}

@test "frames: what the oracle writes, zstdcat reads" {
  archive none 500
  zstdcat "$archived" >"$BATS_TEST_TMPDIR/lines"
  python3 "$root/tests/oracles/archive_segment.py" text "$archived" | cmp - "$BATS_TEST_TMPDIR/lines"
  [[ $(grep -c 'timeout' "$BATS_TEST_TMPDIR/lines") == "$(sql "SELECT count(*) FROM task_history WHERE ok = 0")" ]]
}

@test "frames: the last five of an archive read the end of it, one frame or two, and the table" {
  archive none 4000 70000
  bytes_read "SELECT output FROM task_history('a') ORDER BY segment_no DESC, offset DESC LIMIT 5"
  [[ "$rows $first" == '5 run 3999' ]]
  table=$(python3 "$root/tests/oracles/archive_segment.py" frames "$archived" | awk '{ before = last; last = $2 } END { print NR * 32 + before + last + 500 }')
  echo "bytes $bytes of $(all_bytes), wanted $table"
  ((bytes <= table && table < $(all_bytes) / 4))
}

@test "frames: times that are asked for skip all other frames, from either end" {
  archive none 4000
  table=$(python3 "$root/tests/oracles/archive_segment.py" frames "$archived" | awk '{ if ($2 > most) most = $2 } END { print NR * 32 + 4 * most + 500 }')
  for order in 'segment_no, offset' 'segment_no DESC, offset DESC'; do
    bytes_read "SELECT output FROM task_history('a') WHERE time_us BETWEEN taskresults_time('2026-01-02T10:00:00Z') AND
      taskresults_time('2026-01-02T10:05:00Z') ORDER BY $order"
    echo "$order: bytes $bytes of $(all_bytes), wanted $table; $rows rows, $first"
    [[ $rows == 6 && $first == 'run 20'* ]]
    ((bytes <= table && table < $(all_bytes) / 3))
  done
}

@test "frames: a damaged frame is one reject that names segment and bytes, and all others are read" {
  archive none 2000
  read -r at length < <(python3 "$root/tests/oracles/archive_segment.py" frames "$archived" | awk 'NR == 5 { print $1, $2 }')
  fifth=$(python3 "$root/tests/oracles/archive_segment.py" frames "$archived" | awk 'NR == 5 { print $NF }')
  printf 'XX' | dd of="$archived" bs=1 seek=$((at + length / 2)) conv=notrunc status=none
  local build
  for build in "$extension" "$root/build/tiny/taskresults"; do
    for TASKRESULTS_THREADS in 1 8; do
      export TASKRESULTS_THREADS
      extension=$build assert_rows "$((2000 - fifth))" "SELECT count(*) FROM task_history"
      extension=$build assert_rows 'a|NULL|none-1.jsonl.zst|1' \
        "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)" \
        "SELECT job_id, length, segment, reason LIKE 'damaged: none-1.jsonl.zst cannot be read from its byte $at up to its byte $((at + length)): %' FROM r"
    done
  done
}

@test "frames: a segment whose tables do not add up is read from its start" {
  archive none 1000
  local whole
  whole=$(<"$archived" sha256sum)
  for change in 'truncate -s -1' 'truncate -s +1'; do
    archive none 1000
    $change "$archived"
    assert_rows 1000 'SELECT count(*) FROM task_history'
    [[ $(<"$archived" sha256sum) != "$whole" ]]
  done
  assert_rows 'none-1.jsonl.zst' "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)" "SELECT segment FROM r WHERE reason LIKE 'damaged: % on: %'"
}

@test "frames: descending order is consumed but for compressed files without tables; there, SQLite sorts" {
  archive none 300
  local query="SELECT output FROM task_history('a') ORDER BY segment_no DESC, offset DESC LIMIT 2"
  assert_plan 'ORDER BY job_id DESC, segment_no DESC, offset DESC' "$query"
  assert_rows $'run 299\nrun 298' "$query"
  printf '{"output": "other"}\n' | gzip >"$results/b.jsonl.1.gz"
  assert_plan 'ORDER BY job_id DESC, segment_no DESC, offset DESC' "$query"
  assert_plan 'TEMP B-TREE' "SELECT output FROM task_history ORDER BY job_id DESC, segment_no DESC, offset DESC"
  printf '{"timestamp": "2027-01-01T00:00:00Z", "output": "newer"}\n' | gzip >"$results/a.jsonl.1.gz"
  assert_plan 'TEMP B-TREE' "$query"
  assert_rows $'newer\nrun 299' "$query"
}

@test "frames: a file that is compressed after the query was planned still has its rows in descending order" {
  archive none 300
  run_in_host <<'PYTHON'
import gzip, json, os
results = os.environ["SCHEDULER_RESULTS_DIR"]
query = "SELECT output FROM task_history(:job) ORDER BY segment_no DESC, offset DESC"
assert len(list(db.execute(query, {"job": "a"}))) == 300
wanted = [f"new {i}" for i in reversed(range(200000))] + [f"run {i}" for i in reversed(range(300))]
for name, opened, cut in ("a.jsonl.1.gz", gzip.open, 0), ("a.jsonl.1.gz", gzip.open, 100):
    with opened(os.path.join(results, name), "wt", compresslevel=1) as out:
        for i in range(200000):
            out.write(json.dumps({"timestamp": "2027-01-01T00:00:00Z", "output": f"new {i}"}) + "\n")
    if cut:
        os.truncate(os.path.join(results, name), os.path.getsize(os.path.join(results, name)) - cut)
    got = [output for output, in db.execute(query, {"job": "a"})]  # prepared above: Python keeps statements
    assert got == (wanted if not cut else wanted[200000 - (len(got) - 300):]), (cut, len(got), got[:3])
    assert not cut or 190000 < len(got) < 200300, len(got)
PYTHON
}
