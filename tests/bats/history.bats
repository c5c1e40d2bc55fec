#!/usr/bin/env bats
# task_history: the records of all segments of a job - live, rotated and archived -, each once, in their order.

load ../lib/helpers
load ../lib/host

# segment FILE FROM TO [JOB] - a file of records, one a minute from 2026-01-01 on; every seventh run failed.
segment() {
  python3 - "$results/$1" "$2" "$3" "${4:-${1%%.jsonl*}}" <<'PYTHON'
import datetime, json, os, sys
path, begin, end, job = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(path, "w", encoding="utf-8") as out:
    for i in range(begin, end):
        when = datetime.datetime(2026, 1, 1) + datetime.timedelta(minutes=i)
        out.write(json.dumps({"timestamp": when.isoformat() + "Z", "job_id": job, "job_name": job, "success": i % 7 != 0,
                              "output": f"run {i}", "error": "" if i % 7 else "Connection timeout"}) + "\n")
PYTHON
}

# assert_as_oracle - task_history has what the oracle finds, in its own order and in the one that is asked for.
assert_as_oracle() {
  local order
  python3 "$root/tests/oracles/history.py" "$results" >"$BATS_TEST_TMPDIR/expected"
  for order in 'job_id, segment_no, offset' 'job_id, segment_no, +offset'; do
    sql "SELECT job_id, segment_no, segment, offset, output FROM task_history ORDER BY $order" >"$BATS_TEST_TMPDIR/actual"
    diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual" || return 1
  done
}

some_segments() {
  segment a.jsonl.10 0 5
  segment a.jsonl.2 5 17
  segment a.jsonl.1 17 30
  segment a.jsonl 30 34
  segment b.jsonl-20260102 0 40
  segment b.jsonl-20260103 40 50
  segment b.jsonl-2026010314 50 60
  segment b.jsonl 60 61
  segment gone.jsonl.1 3 9
  segment alone.jsonl 1 4
  segment a.jsonl.1.jsonl.1 7 8 a.jsonl.1
  segment '.jsonl.1' 1 3 ''
  segment '...jsonl' 1 3 ..
}

@test "history: each record of the rotated and live files once, in the order of their first times" {
  some_segments
  assert_as_oracle
  [[ $(wc -l <"$BATS_TEST_TMPDIR/expected") == 109 ]]
}

@test "history: task_results stays the live files, whatever the environment says" {
  some_segments
  local expected=$'..|2\na|4\nalone|3\nb|1'
  assert_rows "$expected" 'SELECT job_id, count(*) FROM task_results GROUP BY job_id'
  TASKRESULTS_SEGMENTS=all assert_rows "$expected" 'SELECT job_id, count(*) FROM task_results GROUP BY job_id'
  TASKRESULTS_SEGMENTS=live assert_rows 34 "SELECT count(*) FROM task_history('a')"
  assert_sql_error 'segments' "CREATE VIRTUAL TABLE temp.r USING task_results(segments=all)"
}

@test "history: the order of segments is that of their times, not of their names" {
  segment a.jsonl.1 0 3
  segment a.jsonl.2 10 13
  segment a.jsonl.3 20 23
  segment a.jsonl 5 8
  printf '{"output": "untimed"}\n' >"$results/a.jsonl-20260101"
  printf 'no record\n{"output": "odd"}\n{"timestamp": "2026-01-01T00:06:00Z", "output": "same time"}\n' >"$results/a.jsonl.7"
  : >"$results/a.jsonl.8"
  assert_as_oracle
  assert_rows $'a.jsonl-20260101\na.jsonl.1\na.jsonl\na.jsonl.7\na.jsonl.2\na.jsonl.3' \
    "SELECT segment FROM task_history('a') GROUP BY segment_no"
}

@test "history: a segment without a time comes after the one that its name puts before it" {
  segment a.jsonl.2 0 3
  segment a.jsonl.1 10 13
  printf '{"success": false, "output": "untimed"}\n' >"$results/a.jsonl"
  printf '{"output": "untimed, too"}\n' >"$results/a.jsonl.3"
  assert_as_oracle
  assert_rows $'a.jsonl.3\na.jsonl.2\na.jsonl.1\na.jsonl' "SELECT segment FROM task_history('a') GROUP BY segment_no"
  TASKRESULTS_SEGMENTS=all assert_rows -1 "SELECT streak FROM task_stats WHERE job_id = 'a'"
}

@test "history: of segments that begin at the same time, the rotated one comes before the live one, an older before a newer" {
  segment a.jsonl.1 3 5
  segment a.jsonl.2 3 4
  segment a.jsonl-20260102 3 4
  segment a.jsonl 3 4
  assert_as_oracle
  assert_rows $'a.jsonl-20260102\na.jsonl.2\na.jsonl.1\na.jsonl' "SELECT segment FROM task_history('a') GROUP BY segment_no"
}

@test "history: the order job_id, segment_no, offset is consumed, and no other is that would be wrong" {
  some_segments
  local order
  for order in 'job_id, segment_no, offset' 'job_id, segment_no' job_id 'job_id DESC' 'job_id DESC, segment_no DESC' \
    'job_id DESC, segment_no DESC, offset DESC'; do
    assert_plan "ORDER BY" "SELECT * FROM task_history ORDER BY $order"
    [[ $(sql "EXPLAIN QUERY PLAN SELECT * FROM task_history ORDER BY $order") != *'TEMP B-TREE'* ]]
  done
  for order in rowid 'rowid DESC' 'job_id, offset' 'segment_no, offset' 'job_id DESC, segment_no' 'job_id, segment_no, offset DESC' \
    'job_id, rowid' 'job_id DESC, segment_no DESC, offset'; do
    assert_plan 'TEMP B-TREE' "SELECT * FROM task_history ORDER BY $order"
  done
  assert_plan 'job_id = ? ORDER BY job_id, segment_no, offset' "SELECT * FROM task_history('a') ORDER BY segment_no, offset"
  assert_rows $'run 33\nrun 32\nrun 31' "SELECT output FROM task_history('a') ORDER BY segment_no DESC, offset DESC LIMIT 3"
  assert_rows $'run 0\nrun 1' "SELECT output FROM task_history('a') ORDER BY segment_no, offset LIMIT 2"
}

@test "history: conditions, and threads, change nothing" {
  some_segments
  local condition of="count(*), group_concat(segment || offset || ifnull(output, '')) FROM task_history WHERE"
  for condition in "ok = 0" "job_id = 'a'" "job_id IN ('a', 'gone', 'none')" "job_id GLOB 'a*'" "success = 1 AND offset > 300" \
    "time_us >= taskresults_time('2026-01-01T00:20:00Z')" "error LIKE '%timeout%'" "offset = 0" "offset < 200" "segment = 'a.jsonl.2'" \
    "segment_no = 1 AND job_id = 'b'" "timestamp BETWEEN '2026-01-01T00:03' AND '2026-01-01T00:33'" "rowid IN (SELECT rowid FROM task_history)" \
    "rowid = (SELECT min(rowid) FROM task_history WHERE segment = 'a.jsonl')" "job_id = 'b' OR segment = 'a.jsonl'"; do
    extension=$root/taskresults sql "SELECT $of $condition" >"$BATS_TEST_TMPDIR/release"
    extension=$root/build/every_line/taskresults sql "SELECT $of $condition" >"$BATS_TEST_TMPDIR/every_line"
    extension=$root/build/tiny/taskresults sql "SELECT $of $condition" >"$BATS_TEST_TMPDIR/tiny"
    extension=$root/build/tiny/taskresults TASKRESULTS_THREADS=8 sql "SELECT $of $condition" >"$BATS_TEST_TMPDIR/eight"
    [[ $(<"$BATS_TEST_TMPDIR/release") != 0* ]] || { echo "none: $condition"; return 1; }
    diff "$BATS_TEST_TMPDIR/every_line" "$BATS_TEST_TMPDIR/release"
    diff "$BATS_TEST_TMPDIR/every_line" "$BATS_TEST_TMPDIR/tiny"
    diff "$BATS_TEST_TMPDIR/every_line" "$BATS_TEST_TMPDIR/eight"
  done
}

@test "history: a link, a directory and a FIFO that are named as segments are no segments" {
  segment a.jsonl 5 8
  ln -s /etc/passwd "$results/a.jsonl.1"
  mkdir "$results/a.jsonl.2"
  mkfifo "$results/a.jsonl.3"
  segment a.jsonl.4 2 4
  assert_rows $'a.jsonl.4|2\na.jsonl|3' "SELECT segment, count(*) FROM task_history GROUP BY segment"' ORDER BY segment_no'
}

@test "history: names that are nearly those of segments are not read" {
  local name
  segment a.jsonl 5 8
  for name in a.jsonl.01 a.jsonl. a.jsonl-2026010 a.jsonl-202601011 a.jsonl-2026-01-01 a.jsonl.1.bak a.jsonl1 a.jsonl.x a.jsonl.-1 \
    a.json.1 .1 a.jsonl-20260101-1; do
    segment "$name" 1 3 a
  done
  assert_rows 'a.jsonl|3' "SELECT segment, count(*) FROM task_history GROUP BY segment"
}

@test "history: a job of more segments than are kept open" {
  local i
  for ((i = 1; i <= 150; i++)); do
    printf '{"timestamp": "2026-02-01T00:00:00Z", "output": "%s"}\n' "$i" >"$results/a.jsonl.$i"
  done
  segment a.jsonl 5 8
  assert_as_oracle
  [[ $(wc -l <"$BATS_TEST_TMPDIR/expected") == 153 ]]
}

@test "history: the tables of results read all segments if they are told to" {
  some_segments
  local table
  assert_rows '34|5|2026-01-01T00:00:00Z|2026-01-01T00:33:00Z' "CREATE VIRTUAL TABLE temp.s USING task_stats(segments=all)" \
    "SELECT runs, failures, first_run, last_run FROM s WHERE job_id = 'a'"
  for table in task_stats task_errors; do
    sql "CREATE VIRTUAL TABLE temp.t USING $table(segments=all)" "SELECT * FROM t ORDER BY job_id" >"$BATS_TEST_TMPDIR/argument"
    TASKRESULTS_SEGMENTS=all sql "SELECT * FROM $table ORDER BY job_id" >"$BATS_TEST_TMPDIR/environment"
    [[ -s $BATS_TEST_TMPDIR/argument ]]
    diff "$BATS_TEST_TMPDIR/argument" "$BATS_TEST_TMPDIR/environment"
    TASKRESULTS_SEGMENTS=all assert_rows "$(sql "SELECT * FROM $table ORDER BY job_id")" \
      "CREATE VIRTUAL TABLE temp.t USING $table(segments=live)" "SELECT * FROM t ORDER BY job_id"
  done
  assert_rows 109 "CREATE VIRTUAL TABLE temp.r USING task_runs(segments=all)" "SELECT count(*) FROM r"
  printf 'odd\n' >>"$results/a.jsonl.2"
  assert_rows 'a|a.jsonl.2|malformed' "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)" "SELECT job_id, segment, substr(reason, 1, 9) FROM r"
  TASKRESULTS_SEGMENTS=some assert_sql_error "TASKRESULTS_SEGMENTS: 'some' is neither live nor all" "SELECT * FROM task_stats"
  assert_sql_error "segments: 'no' is neither live nor all" "CREATE VIRTUAL TABLE temp.t USING task_stats(segments=no)"
}

@test "history: figures and groups of errors over several segments are those of one file with the same lines" {
  segment a.jsonl.2 0 15
  segment a.jsonl.1 15 30
  segment a.jsonl 30 41
  mkdir "$BATS_TEST_TMPDIR/one"
  cat "$results/a.jsonl.2" "$results/a.jsonl.1" "$results/a.jsonl" >"$BATS_TEST_TMPDIR/one/a.jsonl"
  local query
  for query in 'SELECT * FROM task_stats' 'SELECT * FROM task_errors' 'SELECT rowid >= 0, times, first_run FROM task_errors ORDER BY times, signature' \
    "SELECT * FROM task_stats('2026-01-01T00:10:00Z', '2026-01-01T00:35:00Z')"; do
    SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/one sql "$query" >"$BATS_TEST_TMPDIR/expected"
    TASKRESULTS_SEGMENTS=all sql "$query" >"$BATS_TEST_TMPDIR/actual"
    diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
    extension=$root/build/tiny/taskresults TASKRESULTS_SEGMENTS=all sql "$query" >"$BATS_TEST_TMPDIR/actual"
    diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/actual"
  done
}

@test "history: of several hosts" {
  segment one/results/a.jsonl.1 0 3 a
  segment one/results/a.jsonl 3 5 a
  segment two/results/a.jsonl.1 1 2 a
  segment two/results/b.jsonl 1 2 b
  sql "CREATE VIRTUAL TABLE temp.h USING task_history(dir='$results/*/results')" \
    "SELECT host, job_id, segment, segment_no, count(*) FROM h GROUP BY host, job_id, segment_no" >"$BATS_TEST_TMPDIR/actual"
  diff - "$BATS_TEST_TMPDIR/actual" <<'ROWS'
one|a|a.jsonl.1|1|3
one|a|a.jsonl|2|2
two|a|a.jsonl.1|1|1
two|b|b.jsonl|1|1
ROWS
}

@test "history: while files are rotated, each query finds each record once" {
  require_host
  host "$root/tests/live/history_rotated.py" "$results" 100
}

# --- compressed segments ---------------------------------------------------------------------------------------------

# archive JOB NUMBER FROM TO - a segment of the archive, as `prune --archive` writes it: frames that end at a line's end, and
# skippable frames.
archive() {
  local directory=$results/.taskresults/archive/$1.jsonl
  segment plain "$3" "$4" "$1"
  mkdir -p "$directory"
  python3 - "$results/plain" "$directory/none-$2.jsonl.zst" <<'PYTHON'
import struct, subprocess, sys
lines = open(sys.argv[1], "rb").readlines()
with open(sys.argv[2], "wb") as out:
    for at in range(0, len(lines), 5):
        out.write(subprocess.run(["zstd", "-cq"], input=b"".join(lines[at:at + 5]), stdout=subprocess.PIPE, check=True).stdout)
    out.write(struct.pack("<II", 0x184D2A50, 16) + b"times of frames.")
PYTHON
  rm "$results/plain"
}

@test "history: gzip, zstd and the archive, beside plain files" {
  some_segments
  archive a 1 100 117
  archive a 2 80 90
  archive only 7 1 13
  gzip "$results/a.jsonl.2" "$results/b.jsonl-20260102"
  zstd -q --rm "$results/a.jsonl.10" "$results/gone.jsonl.1"
  segment a.jsonl.11 200 220
  gzip -c "$results/a.jsonl.11" >"$results/a.jsonl.11.gz"
  assert_as_oracle
  [[ $(wc -l <"$BATS_TEST_TMPDIR/expected") == 168 ]]
  extension=$root/build/tiny/taskresults TASKRESULTS_THREADS=8 assert_as_oracle
}

@test "history: a file of several members or frames is read to its end" {
  segment a.jsonl.2 0 5
  segment more 5 12 a
  gzip "$results/a.jsonl.2"
  gzip -c "$results/more" >>"$results/a.jsonl.2.gz"
  head -c 5000 /dev/zero >>"$results/a.jsonl.2.gz"
  segment a.jsonl.1 12 14
  zstd -q --rm "$results/a.jsonl.1"
  segment more 14 16 a
  zstd -qc "$results/more" >>"$results/a.jsonl.1.zst"
  assert_as_oracle
  [[ $(wc -l <"$BATS_TEST_TMPDIR/expected") == 16 ]]
  assert_rows 0 "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)" 'SELECT count(*) FROM r'
}

# assert_damage NAME BYTE WORDS [RECORDS] - the segment has a reject that names it and the byte, and so many records before.
assert_damage() {
  local rows="SELECT count(*) FROM task_history WHERE segment = '$1'"
  assert_rows "damaged: $1 cannot be read from its byte $2 on: $3|NULL|NULL
${4:-0}" \
    "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)" \
    "SELECT reason, length, line FROM r WHERE segment = '$1'" "$rows"
}

@test "history: damaged files have their records up to the damage, and a reject that names the file and the byte" {
  local size file
  segment plain 0 400 a
  segment a.jsonl 500 501
  gzip -c "$results/plain" >"$results/good.gz"
  zstd -qc "$results/plain" >"$results/good.zst"

  for file in gz zst; do
    size=$(stat -c %s "$results/good.$file")
    cp "$results/good.$file" "$results/a.jsonl.1.$file"
    truncate -s "$((size / 2))" "$results/a.jsonl.1.$file"
    assert_damage "a.jsonl.1.$file" "$((size / 2))" 'it ends in the middle' \
      "$(python3 "$root/tests/oracles/history.py" "$results" | grep -c "a.jsonl.1.$file")"
    : >"$results/a.jsonl.1.$file"
    assert_damage "a.jsonl.1.$file" 0 'it is empty'
    rm "$results/a.jsonl.1.$file"
  done

  size=$(stat -c %s "$results/good.gz")
  { cat "$results/good.gz" && echo garbage; } >"$results/a.jsonl.2.gz"
  assert_damage a.jsonl.2.gz "$size" 'what follows is not of gzip' 400
  size=$(stat -c %s "$results/good.zst")
  { cat "$results/good.zst" && echo garbage; } >"$results/a.jsonl.3.zst"
  assert_damage a.jsonl.3.zst "$size" 'Unknown frame descriptor' 400

  echo 'no archive' >"$results/a.jsonl.4.gz"
  assert_damage a.jsonl.4.gz 0 'it is not of gzip'
  python3 - "$results" <<'PYTHON'
import sys
for name, source in (("a.jsonl.5.gz", "good.gz"), ("a.jsonl.6.zst", "good.zst")):
    data = bytearray(open(f"{sys.argv[1]}/{source}", "rb").read())
    data[len(data) * 2 // 3] ^= 0x55
    open(f"{sys.argv[1]}/{name}", "wb").write(data)
PYTHON
  assert_rows $'a.jsonl.5.gz|1\na.jsonl.6.zst|1' "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)" \
    "SELECT segment, count(*) FROM r WHERE segment GLOB '*[56].*' AND reason LIKE 'damaged: %' GROUP BY 1 ORDER BY 1"
  assert_rows 1 "CREATE VIRTUAL TABLE temp.s USING task_stats(segments=all)" "SELECT rejects >= 6 FROM s WHERE job_id = 'a'"
}

@test "history: a flipped bit anywhere is never unnoticed" {
  require_host
  segment a.jsonl.1 0 60
  host "$root/tests/live/history_flipped.py" "$results" 300
}

@test "history: a segment compressed in another way is an error that names it, and a reject" {
  segment a.jsonl 5 8
  segment a.jsonl.1.xz 1 3
  assert_sql_error 'a.jsonl.1.xz cannot be read: it is compressed in another way' 'SELECT count(*) FROM task_history'
  assert_rows $'a|a.jsonl.1.xz' "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)" 'SELECT job_id, segment FROM r'
}

@test "history: a bomb and large windows stay in bounded memory" {
  segment a.jsonl 5 8
  head -c 100000000 /dev/zero | gzip -9 >"$results/a.jsonl.1.gz"
  yes '' | head -c 3000000 | zstd -q -3 >"$results/a.jsonl.2.zst"
  (ulimit -v 150000 && assert_rows '3' 'SELECT count(*) FROM task_history')
  assert_rows 'a.jsonl.1.gz|longer than max_line|100000000' "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)" \
    'SELECT segment, reason, length FROM r'
  rm "$results/a.jsonl.1.gz" "$results/a.jsonl.2.zst"
  # A frame of three bytes that asks for a window of 256 MiB, and one that asks for 128 MiB.
  printf '\x28\xb5\x2f\xfd\x00\x90\x19\x00\x00{}\n' >"$results/a.jsonl.3.zst"
  printf '\x28\xb5\x2f\xfd\x00\x88\x19\x00\x00{}\n' >"$results/a.jsonl.4.zst"
  assert_rows 'a.jsonl.3.zst|Frame requires too much memory for decoding' \
    "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)" "SELECT segment, substr(reason, instr(reason, ' on: ') + 5) FROM r"
  assert_rows $'a.jsonl|3\na.jsonl.4.zst|1' 'SELECT segment, count(*) FROM task_history GROUP BY segment'
}

@test "history: a segment replaced while it is read is read as it was" {
  segment a.jsonl.2 0 3000
  segment a.jsonl.1 3000 3100
  gzip "$results/a.jsonl.2"
  run_in_host <<'PYTHON'
import os
results = os.environ["SCHEDULER_RESULTS_DIR"]
rows = db.execute("SELECT output FROM task_history('a') ORDER BY segment_no, offset")
seen = [next(rows)[0] for _ in range(10)]
for name in "a.jsonl.2.gz", "a.jsonl.1":
    os.rename(os.path.join(results, "a.jsonl.1"), os.path.join(results, "new")) if name == "a.jsonl.1" else None
    with open(os.path.join(results, "other"), "w") as out:
        out.write('{"output": "another file"}\n' * 50)
    os.rename(os.path.join(results, "other"), os.path.join(results, name))
seen += [output for output, in rows]
assert seen == [f"run {i}" for i in range(3100)], (len(seen), seen[-3:])
PYTHON
}

@test "history: without the libraries, a compressed segment is an error that says so" {
  segment a.jsonl 5 8
  segment a.jsonl.1 0 5
  extension=$root/build/plain/taskresults assert_rows 8 'SELECT count(*) FROM task_history'
  gzip "$results/a.jsonl.1"
  extension=$root/build/plain/taskresults assert_sql_error 'this build (WITH_ARCHIVE=0) reads only plain files' 'SELECT count(*) FROM task_history'
  run ldd "$root/build/plain/taskresults.so"
  [[ $output != *libz* ]]
}

@test "rowids of task_errors differ, also if groups begin at the same byte of different segments" {
  printf '%s\n' '{"timestamp": "2026-01-01T00:00:00Z", "success": false, "error": "alpha"}' >"$results/j.jsonl.1"
  printf '%s\n' '{"timestamp": "2026-01-02T00:00:00Z", "success": false, "error": "bravo"}' >"$results/j.jsonl"
  export TASKRESULTS_SEGMENTS=all
  assert_rows '2|2' "SELECT count(*), count(DISTINCT rowid) FROM task_errors"
  assert_rows $'alpha\nbravo' "SELECT signature FROM task_errors WHERE job_id = 'j' OR (job_id GLOB 'j*' AND times > 1) ORDER BY 1"
  assert_rows $'alpha\nbravo' "SELECT signature FROM task_errors AS e JOIN task_history AS h USING (job_id) WHERE h.rowid = e.rowid ORDER BY 1"
}

@test "an archive that is another user's is an error that names it, also if a second thread would read on there" {
  ((EUID == 0)) || skip 'needs root, to give a folder away'
  make_job a 200
  make_job b 3
  mkdir -p "$results/.taskresults/archive/b.jsonl"
  chown 12345 "$results/.taskresults/archive/b.jsonl"
  for build in "$extension" "$root/build/tiny/taskresults"; do
    run env TASKRESULTS_THREADS=8 sqlite3 -batch -init /dev/null -cmd ".load $build" :memory: "SELECT count(*) FROM task_history"
    [[ $status -ne 0 && $status -lt 128 && $output == *"archive's directory b.jsonl does not belong to the owner"* ]] || { echo "$build: $status $output"; return 1; }
  done
}
