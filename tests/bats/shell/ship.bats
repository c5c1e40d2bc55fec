#!/usr/bin/env bats
# taskresults ship: what it sends, to whom, and what it makes of every answer.

# shellcheck disable=SC2154  # helpers.bash and bats set them

load ../../lib/helpers
load ../../lib/shell
load ../../lib/sink

eval "helpers_$(declare -f setup)"
setup() {
  command -v curl >/dev/null || missing_extra curl
  helpers_setup
  start_sink
}

teardown() {
  stop_sink
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# --- what is sent ---------------------------------------------------------------------------------------------------------

@test "every finished line arrives once, records and others, with their values as task_lines has them" {
  cp "$root"/tests/data/odd-lines/*.jsonl "$results"
  run ship
  assert_output ''
  python3 "$root/tests/oracles/shipped.py" "$results" "$sink/rows" "$(hostname)"
  [[ $(stored records) -gt 10 && $(stored rejects) -gt 5 ]]
  run ship
  assert_output ''
  [[ $(stored records) == $(sql 'SELECT count(*) FROM task_lines WHERE terminated AND reason IS NULL') ]]
}

@test "an unfinished line waits for its line feed; an empty file is known by its row in files" {
  printf '{"success": true}\n{"output"' >"$results/a.jsonl"
  : >"$results/empty.jsonl"
  ship
  [[ $(stored records) == 1 && $(stored rejects) == 0 ]]
  [[ $(jq_rows files job_id) == $'"a"\n"empty"' ]]
  printf ': "x"}' >>"$results/a.jsonl"
  ship
  [[ $(stored records) == 1 ]]
  printf '\n' >>"$results/a.jsonl"
  ship
  [[ $(jq_rows records output) == $'""\n"x"' ]]
}

@test "whatever a job is called, its lines arrive under its name; a name that is not UTF-8 is left out, and named" {
  local name
  for name in $'new\nline' "q'\"" 'a|b' -x 12 $'tab\t' ' ' .jsonl '$(x)' 'é' $'\xff' $'a\xe9b'; do echo '{"success": true}' >"$results/$name.jsonl"; done
  run ship
  [[ $status == 3 && ${#lines[@]} == 2 && $output == *"left out: $'"*"a\\351b.jsonl', whose name is not valid UTF-8"* ]] ||
    { echo "$status: $output"; return 1; }
  rm "$results"/$'\xff.jsonl' "$results"/$'a\xe9b.jsonl'
  python3 "$root/tests/oracles/shipped.py" "$results" "$sink/rows" "$(hostname)"
  [[ $(stored records) == 10 && $(stored files) == 10 ]]
}

@test "identical lines are counted, also over a prune and in separate batches, and seq is their order" {
  printf '{"x": 1}\n%.0s' 1 2 3 >"$results/a.jsonl"
  ship
  taskresults prune a --keep 1
  [[ $(wc -l <"$results/a.jsonl") == 1 ]]
  printf '{"x": 1}\n{"y": 1}\n{"x": 1}\n' >>"$results/a.jsonl"
  ship
  [[ $(jq_rows records n) == $'1\n2\n3\n4\n1\n5' ]]
  jq_rows records seq >"$BATS_TEST_TMPDIR/seq"
  sort -nuC "$BATS_TEST_TMPDIR/seq"
}

@test "a request has the settings that make its acknowledgement mean something, and never a password" {
  make_job a 1
  ship --to "${url}?database=other&x=1"
  python3 - "$sink/requests" <<'PYTHON'
import json, sys
for line in open(sys.argv[1]):
    query = json.loads(line)["query"]
    assert query["database"] == "other" and query["x"] == "1" and query["insert_distributed_sync"] == "1", query
    assert query["wait_for_async_insert"] == "1" and query["max_partitions_per_insert_block"] == "0", query
    assert query["insert_deduplication_token"], query
PYTHON
}

@test "batches hold at most 10,000 rows and about 4 MB, and take many files together" {
  local i
  make_job a 25000
  for i in {1..30}; do make_job "b$i" 2; done
  ship
  [[ $(stored records) == 25060 ]]
  python3 - "$sink/requests" <<'PYTHON'
import json, sys
sizes = [(r["rows"], r["bytes"]) for r in map(json.loads, open(sys.argv[1])) if r["table"] == "records"]
assert [rows for rows, _ in sizes][:1] == [10000] and len(sizes) == 3 and max(b for _, b in sizes) < 6_000_000, sizes
PYTHON
  head -c 9000000 /dev/zero | tr '\0' x | fold -w 900000 | sed 's/.*/{"success": true, "output": "&"}/' >"$results/big.jsonl"
  : >"$sink/requests"
  ship
  python3 - "$sink/requests" <<'PYTHON'
import json, sys
sizes = [(r["rows"], r["bytes"]) for r in map(json.loads, open(sys.argv[1])) if r["table"] == "records"]
assert sum(rows for rows, _ in sizes) == 9 and len(sizes) > 1 and max(size for _, size in sizes) < 5_000_000, sizes
PYTHON
}

@test "with nothing new no file is opened; a file that was only touched is read from its last line on, at most 8 KiB" {
  require_strace
  local i traced=$BATS_TEST_TMPDIR/traced
  for i in {1..5}; do make_job "a$i" 200; done
  ship
  traced_ship
  [[ $(grep -cE '/a[1-5]\.jsonl' "$traced") == 0 ]]
  touch "$results"/*.jsonl
  traced_ship
  [[ $(grep -cE 'openat\(.*"a[1-5]\.jsonl"' "$traced") == 5 ]]
  python3 - "$traced" <<'PYTHON'
import collections, re, sys
read = collections.Counter()
for line in open(sys.argv[1]):
    match = re.search(r"pread64\(\d+<[^>]*/(a\d)\.jsonl>.*= (\d+)$", line)
    if match:
        read[match[1]] += int(match[2])
assert len(read) == 5 and all(0 < bytes <= 8192 for bytes in read.values()), read
PYTHON
}

traced_ship() {
  strace -f -y -o "$traced" -e trace=openat,pread64,read "$(tool taskresults)" ship --to "$url" --state "$state"
}

@test "memory stays below 64 MiB with the worst lines: as long as they may be, and twice as long in the request" {
  python3 - "$results/a.jsonl" <<'PYTHON'
import sys
with open(sys.argv[1], "wb") as file:
    for _ in range(9):
        file.write(b"\xff" * 1_000_000 + b"\n")
    for _ in range(9):
        file.write(b'{"output":"' + b"\\u0001" * 170_000 + b'"}\n')
PYTHON
  local memory
  memory=$(python3 "$root/tests/live/ship_memory.py" "$(tool taskresults)" "$url" "$state")
  echo "$memory MiB"
  [[ $memory -gt 0 && $memory -lt 64 && $(stored records) == 9 && $(stored rejects) == 9 ]]
}

# --- what becomes of an answer --------------------------------------------------------------------------------------------

@test "after an error that may pass, ship tries again, and the rows arrive once: curl's errors, 408, 425, 429, 5xx, a text, half an answer" {
  local answer
  make_job a 3
  for answer in reset stored-reset half stored-half 408 425 429 '503 busy' '500 ' 'text <html>Welcome</html>' stored-500 \
    '500 Code: 210. DB::NetException: Connection refused' '500 Code: 252. DB::Exception: Too many parts (300)'; do
    rm -f "$sink"/{rows,requests}
    echo "$answer" >"$sink/plan"
    rm -rf "$state"
    run ship
    [[ $status == 0 && $output == *'trying again'*'answers again'* ]] || { echo "$answer: $status $output"; return 1; }
    [[ $(jq_rows records seq | sort -u | wc -l) == 3 ]] || { echo "$answer"; return 1; }
    [[ $(stored records) -eq $((3 + 3 * $([[ $answer != stored-* ]]; echo $?))) ]] || { echo "$answer"; return 1; }
  done
}

@test "the same bytes are sent again" {
  make_job a 3
  printf '%s\n' stored-500 stored-reset >"$sink/plan"
  ship
  [[ $(stored records) == 9 && $(grep ^records "$sink/rows" | sort -u | wc -l) == 3 ]]
}

@test "when tries run out the exit status is 75, nothing is lost, and the spool holds one batch, whatever comes meanwhile" {
  make_job a 25000
  echo '503 away' >"$sink/always"
  run ship --tries 2
  [[ $status == 75 && $output == *'503: away'*'nothing is lost'* ]]
  local size
  size=$(stat -c %s "$state"/*.db)
  make_job a 25000
  run ship --tries 1
  [[ $status == 75 && $(stat -c %s "$state"/*.db) == "$size" ]]
  rm "$sink/always"
  run ship
  assert_output ''
  [[ $(stored records) == 50000 && $(jq_rows records seq | sort -nu | wc -l) == 50000 ]]
}

@test "while a request is on its way the next batch is read, but counts only when this one has arrived" {
  make_job a 25000
  printf '%s\n' ok hold >"$sink/plan" # a row for the file, and then the records
  taskresults ship --to "$url" --state "$state" 3>&- &
  local pid=$! database
  await next_is_written
  database=$(echo "$state"/*.db)
  [[ $(sqlite3 -batch -init /dev/null "$database" "SELECT count(*), (SELECT value FROM meta WHERE key = 'sent') FROM spool") == '1|10000' ]]
  touch "$sink/release"
  wait "$pid"
  [[ $(stored records) == 25000 && $(jq_rows records seq | sort -nu | wc -l) == 25000 ]]
}

next_is_written() {
  local next
  next=$(echo "$state"/*.next)
  [[ $(tail -n 1 "$next") == '{'*'"offset":'*'}' ]]
}

@test "a cursor database of the first version of ship goes on: what waits is sent, what was sent is known" {
  make_job a 3
  mkdir -m 700 "$state"
  local name=${url#http://}
  name=${name//[:\/]/_} name=${name%_}
  sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" "$state/$name.db" <<SQL
PRAGMA journal_mode=WAL;
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE files(id INTEGER PRIMARY KEY, job TEXT UNIQUE, listed INTEGER, seen TEXT, seen_dev INTEGER,
  seen_inode INTEGER, seen_bytes INTEGER, hint TEXT, pending INTEGER, lost INTEGER NOT NULL DEFAULT 0,
  dev INTEGER, inode INTEGER, last_offset INTEGER, last_hash INTEGER, place INTEGER NOT NULL DEFAULT 0,
  searched INTEGER NOT NULL DEFAULT 0, run TEXT NOT NULL DEFAULT '', told_s INTEGER);
CREATE TABLE counts(file INTEGER, time_us INTEGER, hash INTEGER, n INTEGER, PRIMARY KEY(file, time_us, hash))
  WITHOUT ROWID;
CREATE TABLE spool(id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT, bytes INTEGER, refused TEXT, body TEXT);
CREATE TABLE dead(id INTEGER PRIMARY KEY, stream TEXT, at_s INTEGER, reason TEXT, body TEXT);
CREATE TABLE moves(id INTEGER PRIMARY KEY, file INTEGER, dev INTEGER, inode INTEGER, a INTEGER, new_inode INTEGER,
  b INTEGER);
CREATE INDEX moves_of_file ON moves(file, inode);
INSERT INTO meta VALUES ('format', 1), ('url', '$url'), ('host', '$(uname -n)'), ('results', '$(realpath "$results")'),
  ('base', 1000000), ('sent', 1), ('moves_at', 0), ('moves_hash', taskresults_hash(''));
INSERT INTO files(job, listed, pending, dev, inode, last_offset, last_hash, place, searched, run, told_s)
  SELECT job_id, 1, 1, dev, inode, offset, hash, length + 1, length + 1, printf('%016x', hash), unixepoch()
  FROM task_lines WHERE offset = 0;
INSERT INTO counts SELECT 1, time_us, hash, 1 FROM task_lines WHERE offset = 0;
INSERT INTO spool(stream, body) VALUES ('records', '{"seq":1000001,"offset":0,"waits":1}');
SQL
  run ship
  assert_output ''
  [[ $(jq_rows records seq) == $'1000001\n1000003\n1000004' && $(stored records) == 3 ]] || { cat "$sink/rows"; return 1; }
  head -n 1 "$sink/rows" | grep -qF '"waits":1'
  [[ $(jq_rows records offset | sort -nu | wc -l) == 3 ]]
}

@test "what will be the same next time ends it with the sink's words: 401, 403, 404, a redirect, and the codes of old servers' 500" {
  local answer
  make_job a 3
  for answer in '401 who are you' '403 no' '404 nothing here' '500 Code: 60, e.displayText() = DB::Exception: no table' \
    '500 Code: 81, no database' '401 Code: 516. wrong' '500 Code: 192, no user' '400 Code: 16, No such column x' \
    '200 Code: 193, wrong password' '400 what is this' '405 no'; do
    echo "$answer" >"$sink/plan"
    run ship
    [[ $status == 3 && $output == *"${answer#* }"*'nothing is lost'* ]] || { echo "$answer: $status $output"; return 1; }
    [[ $(wc -l <"$sink/requests") == 1 ]] || { echo "$answer"; return 1; }
    rm "$sink/requests"
  done
  echo "redirect ${url}elsewhere" >"$sink/plan"
  run ship
  [[ $status == 3 && $output == *"302"*"${url}elsewhere"* && $(wc -l <"$sink/requests") == 1 ]]
  run ship
  assert_output ''
  [[ $(stored records) == 3 ]]
}

@test "a body that curl cannot read, or only half of it, is not taken for a shorter request" {
  local harm
  make_job a 10
  make_job b 10
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '%s\n' '#!/bin/bash' 'eval "$HARM"' "exec $(command -v curl) \"\$@\"" >"$BATS_TEST_TMPDIR/bin/curl"
  chmod +x "$BATS_TEST_TMPDIR/bin/curl"
  (umask 077 && mkdir "$state" && echo 'max-time = 1' >"$state/curl.conf") # for the server, the rest may still come
  for harm in "rm $state/*.body" "sed -i 5q $state/*.body"; do
    HARM=$harm PATH=$BATS_TEST_TMPDIR/bin:$PATH run ship --tries 1
    [[ $status == 75 || $status == 3 ]] || { echo "$harm: $status $output"; return 1; }
    [[ $(stored records) == 0 ]]
  done
  run ship
  assert_output ''
  [[ $(stored records) == 20 && $(stored files) == 2 ]]
}

@test "a sink that nobody listens at: 75" {
  make_job a 1
  run ship --to http://127.0.0.1:1/ --tries 2
  [[ $status == 75 && $output == *'http://127.0.0.1:1/: '*'nothing is lost'* ]]
}

@test "a setting that the sink does not know is left out; the one for clusters has two names, and without either nothing is sent" {
  make_job a 3
  echo 'unknown insert_deduplication_token wait_for_async_insert max_partitions_per_insert_block' >"$sink/always"
  run ship
  assert_output ''
  [[ $(stored records) == 3 && $(wc -l <"$sink/requests") == 5 ]]
  make_job a 3
  echo 'unknown insert_distributed_sync' >"$sink/always"
  run ship
  assert_output ''
  tail -n 1 "$sink/requests" | grep -qF '"distributed_foreground_insert": "1"'
  make_job a 3
  echo 'unknown insert_distributed_sync distributed_foreground_insert' >"$sink/always"
  run ship
  [[ $status == 3 && $output == *'Unknown setting distributed_foreground_insert'* && $(stored records) == 6 ]]
}

@test "a row that is refused among 10,000 is kept with the reason, and the others arrive; --resend sends it once more" {
  make_job a 4999
  echo '{"output": "poison"}' >>"$results/a.jsonl"
  make_job a 5000
  echo 'refuse poison' >"$sink/always"
  run ship
  [[ $status == 1 && $output == *'1 of the rows that were sent to '*' were refused'*'table dead'* ]]
  [[ $(stored records) == 9999 && $(wc -l <"$sink/requests") -lt 40 ]]
  [[ $(sqlite3 "$state"/*.db 'SELECT count(*), max(reason), max(body) FROM dead') == '1|Code: 27.'*'"poison"'* ]]
  run ship
  [[ $status == 1 && $(stored records) == 9999 ]]
  cp -r "$state" "$state.given-up"
  sqlite3 "$state.given-up"/*.db 'DELETE FROM dead'
  (
    rm -r "$results/.taskresults"
    state+=.given-up
    run ship
    assert_output ''
    [[ $status == 0 ]]
    rm -r "$results/.taskresults"
  )
  rm "$sink/always"
  run ship --resend
  assert_output ''
  [[ $(stored records) == 10000 && $(jq_rows records seq | sort -nu | wc -l) == 10000 ]]
}

# The limit of refusals in a row is lowered, so that few rows are enough.
@test "many bad rows between good ones: while the sink takes rows, ship goes on until each bad one stands alone" {
  local i tree=$BATS_TEST_TMPDIR/tree
  mkdir "$tree"
  cp -r "$root"/{shell,taskresults.so,taskresults-run} "$tree"
  sed -i 's/^MOST_REFUSALS=1000 /MOST_REFUSALS=20 /; s/^TURN_REFUSALS=100 /TURN_REFUSALS=5 /' "$tree/shell/ship/retry.bash"
  [[ $(grep -cE '^(MOST_REFUSALS=20|TURN_REFUSALS=5) ' "$tree/shell/ship/retry.bash") == 2 ]]
  for i in {1..64}; do
    if ((i % 4 == 3)); then echo '{"output": "poison"}'; else echo '{"output": "health"}'; fi
  done >"$results/a.jsonl"
  echo 'refuse poison' >"$sink/always"
  run "$tree/shell/taskresults" ship --to "$url" --state "$state"
  [[ $status == 1 && $(stored records) == 48 ]] || { echo "$status: $output"; return 1; }
  [[ $(sqlite3 "$state"/*.db 'SELECT count(*) FROM dead') == 16 ]]
  [[ $(grep -c '"stored": false' "$sink/requests") -gt 20 ]]
}

@test "a table of another shape refuses every row: nothing is buried, and all arrives when it is right" {
  make_job a 40
  echo 'refuse-all' >"$sink/always"
  run ship
  [[ $status == 3 && $output == *'every row'*'Code: 27'* ]]
  [[ $(sqlite3 "$state"/*.db 'SELECT count(*) FROM dead') == 0 ]]
  rm "$sink/always"
  run ship
  assert_output ''
  [[ $(stored records) == 40 ]]
}

# --- credentials ----------------------------------------------------------------------------------------------------------

@test "a URL with a user or a password is refused, and its password not repeated" {
  local bad
  for bad in http://u:secret@127.0.0.1/ 'http://h/?user=u&password=secret' http://h/?password=secret ftp://h/ h:8123 'http://u:secret@h/ x' http://; do
    run ship --to "$bad"
    [[ $status == 2 && $output != *secret* ]] || { echo "$bad: $status $output"; return 1; }
  done
}

@test "a password comes from a curl configuration that only its owner can read, and is in no argument" {
  make_job a 1
  local config=$BATS_TEST_TMPDIR/curl.conf
  printf 'user = "shipper:secret"\n' >"$config"
  chmod 644 "$config"
  run ship --config "$config"
  [[ $status == 3 && $output == *"others can read"*"chmod 600 $config"* && ! -e $sink/requests ]]
  chmod 600 "$config"
  run ship --config "$config"
  assert_output ''
  grep -qF "\"authorization\": \"Basic $(printf shipper:secret | base64)\"" "$sink/requests"
  [[ $(grep -cF secret "$sink/requests") == 0 ]]
  require_strace
  make_job a 1
  strace -f -s 100000 -o "$BATS_TEST_TMPDIR/traced" -e trace=execve "$(tool taskresults)" ship --to "$url" --state "$state" --config "$config"
  grep -q 'execve.*curl' "$BATS_TEST_TMPDIR/traced"
  [[ $(grep -cF secret "$BATS_TEST_TMPDIR/traced") == 0 ]]
}

@test "a configuration that follows redirects or names a URL of its own loses nothing" {
  make_job a 2
  local config=$BATS_TEST_TMPDIR/curl.conf
  (umask 077 && printf '%s\n' location 'request = GET' fail include >"$config")
  echo "redirect ${url}elsewhere" >"$sink/plan"
  run ship --config "$config"
  [[ $status == 3 && $output == *302* ]]
  printf 'url = "%s"\n' "$url" >"$config"
  run ship --config "$config"
  [[ $status == 3 && $output == *'does its configuration name a URL'* ]]
  : >"$config"
  run ship --config "$config"
  assert_output ''
  [[ $(jq_rows records seq | sort -u | wc -l) == 2 ]]
}

# --- the cursor -----------------------------------------------------------------------------------------------------------

@test "cursor, lock and marks are only ours to read; who may enter the results may enter the folder of the marks" {
  make_job a 1
  (umask 022 && ship)
  [[ $(stat -c %a "$state" "$state"/*.db "$state"/*.lock "$results"/.taskresults/shipped/*.jsonl | sort -u) == $'600\n700' ]]
  local mode
  for mode in 755 750 777 700; do
    rm -r "$results/.taskresults"
    chmod "$mode" "$results"
    ship
    [[ $(stat -c %a "$results/.taskresults" "$results/.taskresults/shipped" | sort -u) == "${mode/777/755}" ]]
  done
}

has_body() {
  compgen -G "$state/*.body" >/dev/null
}

@test "two with one state: the second says so and exits with 75" {
  make_job a 1
  echo hold >"$sink/plan"
  "$(tool taskresults)" ship --to "$url" --state "$state" 3>&- &
  local first=$!
  await has_body
  run ship
  [[ $status == 75 && $output == *'another ship is running'* ]]
  touch "$sink/release"
  wait "$first"
  [[ $(stored records) == 1 ]]
}

@test "a cursor is for one host, one directory and one sink; a directory is shipped with one cursor" {
  make_job a 1
  ship
  run ship --host other
  [[ $status == 3 && $output == *"for the host '$(hostname)', and not for 'other'"* ]]
  mkdir "$BATS_TEST_TMPDIR/more"
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/more run ship
  [[ $status == 3 && $output == *"for the directory of results"* ]]
  state=$BATS_TEST_TMPDIR/second run ship
  [[ $status == 3 && $output == *'with another cursor'* ]]
  rm -r "$state"
  state=$BATS_TEST_TMPDIR/second run ship
  assert_output ''
}

@test "marks of a cursor that is out of sight are not taken over; those of one that was deleted are" {
  [[ $EUID == 0 ]] || skip 'only root can take another user'
  open_results
  make_job a 1
  chown -R 65534:65534 "$results"
  mkdir -m 755 "$open_place/other"
  state=$open_place/other/state ship
  local marks=("$results"/.taskresults/shipped/*.jsonl) before
  before=$(stat -c %i "${marks[0]}")
  mkdir -m 777 "$open_place/own"
  state=$open_place/own/state
  local command=("${as_nobody[@]}" "$(tool taskresults)" ship --to "$url" --state "$state")
  run "${command[@]}"
  [[ $status == 3 && $output == *"with another cursor, $open_place/other/state/"*"or delete ${marks[0]}" ]] || { echo "$output"; return 1; }
  chown root "${marks[0]}"
  run "${command[@]}"
  [[ $status == 3 && $output == *"another user ships this directory"*"${marks[0]} cannot be read"* ]] || { echo "$output"; return 1; }
  [[ $(stat -c %i "${marks[0]}") == "$before" ]]
  chown 65534 "${marks[0]}"
  rm -r "$open_place/other"
  run "${command[@]}"
  assert_output ''
  grep -qF "$state" "${marks[0]}"
}

@test "a state directory that the marks cannot name is refused" {
  local name
  for name in 'a"b' 'a\b' $'a\nb'; do
    state=$BATS_TEST_TMPDIR/$name run ship
    [[ $status == 2 && $output == *'--state wants a path without quotation marks'* && ! -e $BATS_TEST_TMPDIR/$name ]] ||
      { echo "$status: $output"; return 1; }
  done
}

@test "without permission to write the marks, ship says what that means, once, and sends" {
  [[ $EUID == 0 ]] || skip 'only root can take another user'
  open_results
  make_job a 1
  mkdir -m 777 "$open_place/state"
  run "${as_nobody[@]}" "$(tool taskresults)" ship --to "$url" --state "$open_place/state"
  [[ $status == 0 && ${#lines[@]} == 1 && $output == *'no permission to write in '*'a prune '*'may drop lines'* ]] ||
    { echo "$status: $output"; return 1; }
  [[ $(stored records) == 1 ]]
}

@test "the host is the system's name for itself, whatever the variable HOSTNAME says; a name that is not UTF-8 is refused" {
  make_job a 1
  HOSTNAME=wrong ship
  [[ $(jq_rows records host) == "\"$(uname -n)\"" ]]
  run ship --host $'a\xff'
  [[ $status == 2 && $output == *'in UTF-8'* ]]
}

@test "two sinks have two cursors" {
  make_job a 2
  ship
  ship --to "${url}?database=other"
  [[ $(stored records) == 4 && $(ls "$state"/*.db | wc -l) == 2 && $(ls "$results"/.taskresults/shipped/*.jsonl | wc -l) == 2 ]]
}

@test "the marks say what is behind the cursor, in the words of the contract with the pruner" {
  make_job a 2
  printf '{"x"' >>"$results/a.jsonl"
  make_job b 1
  ship
  local mark=("$results"/.taskresults/shipped/*.jsonl)
  python3 - "${mark[0]}" "$state"/*.db "$results" <<'PYTHON'
import json, os, sys
first, *lines = map(json.loads, open(sys.argv[1]))
assert first == {"taskresults_marks": 1, "cursor": sys.argv[2]}, first
ends = {}
for line in lines:
    stat = os.stat(os.path.join(sys.argv[3], line["file"]))
    assert (line["dev"], line["inode"]) == (stat.st_dev, stat.st_ino), line
    ends[line["file"]] = line["end"], stat.st_size
assert ends["a.jsonl"] == (ends["a.jsonl"][1] - 4,) * 1 + (ends["a.jsonl"][1],) and ends["b.jsonl"][0] == ends["b.jsonl"][1], ends
PYTHON
}

@test "doctor says with which cursor a directory is shipped, that rows were refused, that nobody ships any more, and that a cursor is gone" {
  make_job a 1
  ship
  run taskresults doctor
  [[ $output == *"ok    ships with the cursor $state/"* ]]
  printf '%s\n' '{"output": "poison"}' '{"output": "good"}' >>"$results/a.jsonl"
  echo 'refuse poison' >"$sink/always"
  run ship
  run taskresults doctor
  [[ $output == *'note  1 of the rows that ship sent were refused'* ]]
  touch -d '25 hours ago' "$results"/.taskresults/shipped/*.jsonl
  run taskresults doctor
  [[ $output == *"note  nothing was shipped with the cursor $state/"*'for more than a day'*"delete $results/.taskresults/shipped/"*'were refused'* ]]
  run ship # nothing is new, but it looked
  run taskresults doctor
  [[ $output != *'for more than a day'* ]]
  rm -r "$state"
  run taskresults doctor
  [[ $output == *'belongs to a cursor that is gone or out of sight: '"$state"/* ]]
}

@test "doctor --ask-sink goes on behind marks and a cursor that it cannot read, and asks no sink twice" {
  [[ $EUID == 0 ]] || skip 'only root can take another user'
  open_results
  make_job a 1
  chown 65534:65534 "$open_place" "$results"
  state=$open_place/state
  local command=("${as_nobody[@]}" "$(tool taskresults)")
  "${command[@]}" ship --to "$url" --state "$state"
  local marks=("$results"/.taskresults/shipped/*.jsonl)
  (umask 077 && : >"${marks[0]%/*}/0.jsonl" && : >"${marks[0]%/*}/zzz.jsonl")
  printf 'text 0\t0\n' >"$sink/always"
  run "${command[@]}" doctor --ask-sink
  [[ $output == *"${marks[0]%/*}/0.jsonl, cannot be read by "*'ok    no other cursor'*'zzz.jsonl, cannot be read by '* ]] ||
    { echo "$output"; return 1; }
  [[ $(grep -c 'no other cursor' <<<"$output") == 1 ]]
  chown root "$state"/*.db
  run "${command[@]}" doctor --ask-sink
  [[ $output == *"its sink is not asked: the cursor $state/"*'.db cannot be read by '* ]] || { echo "$output"; return 1; }
}

@test "doctor --ask-sink says whether another cursor ships under this host's name, and what keeps the sink from saying it" {
  local name=$'web "1\'s" \\ BASE HOST & x'
  make_job a 1
  ship --host "$name"
  run taskresults doctor
  [[ $output != *"under this host's name"* && $(wc -l <"$sink/requests") == 2 ]]
  printf 'text 0\t0\n' >"$sink/always"
  run taskresults doctor --ask-sink
  [[ $output == *"ok    no other cursor ships to the sink of $state/"*" under this host's name"* ]]
  python3 - "$sink/requests" "$(sqlite3 "$state"/*.db "SELECT value FROM meta WHERE key = 'base'")" "$name" <<'PYTHON'
import json, sys
asked = [json.loads(line) for line in open(sys.argv[1])][-1]
assert asked["query"] == {"database": "fleet"} and asked["method"] == "POST", asked
body = asked["body"]
literal = "'" + sys.argv[3].replace("\\", "\\\\").replace("'", "\\'") + "'"
assert body.startswith("SELECT ") and ("host = " + literal + " AND cursor <> " + sys.argv[2] + "\n") in body, body
PYTHON
  printf 'text 2\t1700000000000000\n' >"$sink/always"
  run taskresults doctor --ask-sink
  [[ $status == 1 && $output == *"FAIL  2 other cursors sent to the sink of $state/"*"the newest made at 2023-11-14T22:13:20Z"*'fix: find the other machine'* ]]
  local answer words
  while IFS='|' read -r answer words; do
    echo "$answer" >"$sink/always"
    run taskresults doctor --ask-sink
    [[ $status == 0 && $output == *"does not say whether another machine ships under this host's name: $words"*'--ask-sink --config FILE'* ]] ||
      { echo "$answer: $status $output"; return 1; }
  done <<'ANSWERS'
403 Code: 497. DB::Exception: shipper: Not enough privileges|it answered 403: Code: 497. DB::Exception: shipper: Not enough privileges
text welcome|it answered 200: welcome
redirect http://127.0.0.1:1/|it answered 302
half|(18)
reset|(52)
ANSWERS
  umask 077
  echo 'user = "reader:secret"' >"$BATS_TEST_TMPDIR/reader"
  printf 'text 0\t0\n' >"$sink/always"
  run taskresults doctor --ask-sink --config "$BATS_TEST_TMPDIR/reader"
  [[ $output == *'ok    no other cursor'* && $(tail -n 1 "$sink/requests") == *'"authorization": "Basic cmVhZGVyOnNlY3JldA=="'* ]]
  chmod 644 "$BATS_TEST_TMPDIR/reader"
  run taskresults doctor --ask-sink --config "$BATS_TEST_TMPDIR/reader"
  [[ $output == *'does not say'*'others can read the curl configuration'* ]]
  if ((EUID == 0)); then
    chown 65534 "$state"
    run taskresults doctor --ask-sink --config "$BATS_TEST_TMPDIR/reader"
    [[ $output == *'its sink is not asked: '*'belongs to another user'* ]]
    chown 0 "$state"
  fi
  chmod 600 "$BATS_TEST_TMPDIR/reader"
  stop_sink
  sink_is_away() { run taskresults doctor --ask-sink && [[ $output != *'no other cursor'* ]]; }
  await sink_is_away
  run taskresults doctor --ask-sink
  [[ $output == *'does not say'*'(7)'* ]]
  run taskresults doctor --config x
  [[ $status == 2 && $output == *'--config is for --ask-sink'* ]]
}

# A sink that takes the connection and never answers must not keep doctor. The time limit is curl's own.
@test "doctor gives curl a limit of time that a configuration cannot lift" {
  make_job a 1
  ship
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\nprintf "%%s\\n" "$@" >"%s"\nprintf "0\\t0\\n\\n200"\n' "$BATS_TEST_TMPDIR/words" >"$BATS_TEST_TMPDIR/bin/curl"
  chmod +x "$BATS_TEST_TMPDIR/bin/curl"
  (umask 077 && printf 'max-time = 9999\n' >"$state/curl.conf")
  PATH=$BATS_TEST_TMPDIR/bin:$PATH run taskresults doctor --ask-sink
  [[ $output == *'ok    no other cursor'* ]]
  [[ $(grep -nx -e --config -e --max-time "$BATS_TEST_TMPDIR/words" | cut -d: -f2 | paste -sd ' ') == '--config --max-time' ]]
  [[ $(grep -A1 -x -e --max-time "$BATS_TEST_TMPDIR/words" | tail -n 1) -le 15 ]]
}

@test "a file that is another one than before is shipped from its beginning, and that is said" {
  make_job jöb 100
  ship
  sed 's/run /other /' "$results/jöb.jsonl" >"$results/new" && mv "$results/new" "$results/jöb.jsonl"
  run ship
  [[ $status == 0 && $output == "taskresults: job jöb: its file is not the one that was read before; it is shipped from its beginning" ]]
  [[ $(stored records) == 200 ]]
}

@test "a file that was copied, restored or lost its first lines goes on where it was" {
  make_job a 300
  ship
  cp "$results/a.jsonl" "$results/new" && mv "$results/new" "$results/a.jsonl"
  make_job a 1
  ship
  [[ $(stored records) == 301 ]]
  tail -n 70 "$results/a.jsonl" >"$results/new" && mv "$results/new" "$results/a.jsonl"
  echo '{"x": 1}' >>"$results/a.jsonl"
  ship
  [[ $(stored records) == 302 ]]
  tail -n 10 "$results/a.jsonl" >"$results/new" && mv "$results/new" "$results/a.jsonl"
  echo '{"x": 2}' >>"$results/a.jsonl"
  run ship
  assert_output ''
  [[ $(stored records) == 303 ]]
}

@test "a file that cannot be read is named, the others arrive, and the exit status is 3" {
  [[ $EUID == 0 ]] || skip 'only root can take another user'
  open_results
  make_job a 1
  make_job b 1
  chmod 600 "$results/b.jsonl"
  mkdir -m 777 "$open_place/state"
  run "${as_nobody[@]}" "$(tool taskresults)" ship --to "$url" --state "$open_place/state"
  [[ $status == 3 && $output == *'left out: job b'* && $(stored records) == 1 ]] || { echo "$output"; return 1; }
}

@test "an entry that is no regular file is named, the others arrive, and the exit status is 3; refused rows are told, too" {
  make_job a 1
  ln -s a.jsonl "$results/link.jsonl"
  ln -s nowhere "$results/.broken.jsonl"
  mkfifo "$results/fifo.jsonl"
  mkdir "$results/folder.jsonl" "$results/.jsonl"
  run ship
  [[ $status == 3 && ${#lines[@]} == 4 && $(stored records) == 1 ]] || { echo "$status: $output"; return 1; }
  local name
  for name in link .broken fifo folder; do
    [[ $output == *"left out: job $name, which is not a regular file; move it away: $results/$name.jsonl"* ]]
  done
  echo '{"output": "poison"}' >>"$results/a.jsonl"
  echo 'refuse poison' >"$sink/always"
  run ship
  [[ $status == 3 && $output == *'left out: job link'*'table dead'* ]] || { echo "$status: $output"; return 1; }
  rm -r "$results"/{link,.broken,fifo,folder}.jsonl
  run ship
  [[ $status == 1 && ${#lines[@]} == 1 ]]
}

@test "no room: wherever it ends, status 3, nothing is lost, and the next run goes on" {
  local room failed=0
  make_job a 2000
  for room in 8 60 150 300 400 500; do # KiB that a file may have; it is a full disk to who writes it
    # shellcheck disable=SC2016  # the inner shell expands it
    run bash -c 'trap "" XFSZ; ulimit -f "$1"; exec "${@:2}"' - "$room" "$(tool taskresults)" ship --to "$url" --state "$state" --tries 1
    ((status == 0 || status == 3)) || { echo "$room: $status $output"; return 1; }
    ((status == 0)) || { failed=$((failed + 1)) && [[ $output == taskresults:* ]]; }
  done
  ((failed >= 2))
  run ship
  assert_output ''
  [[ $(jq_rows records offset | sort -nu | wc -l) == 2000 && $(jq_rows records seq | sort -nu | wc -l) == 2000 ]]
}

@test "system calls of the programs that ship starts fail in turn: nothing lost, nothing twice, and the error is told (make faults: all)" {
  require_strace
  PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/live/ship_faults.py" "$root/shell" "$root/taskresults.so" "$BATS_TEST_TMPDIR/faults" 150
}

@test "a full disk below the state directory: status 3 and a message, nothing is lost, and the next run goes on" {
  local size words=()
  make_job a 2000
  for size in 60k 160k 320k 480k 640k 900k 1400k; do
    # shellcheck disable=SC2016  # the inner shell expands it
    run unshare -m bash -c 'mkdir -p "$1" && mount -t tmpfs -o size="$2",mode=700 none "$1" || exit 99
      "${@:3}"
      first=$?
      mount -o remount,size=64m "$1" && "${@:3}" || exit 98
      exit $first' - "$state" "$size" "$(tool taskresults)" ship --to "$url" --state "$state" --tries 1
    ((status != 99 && status != 1)) || skip 'no mounting here'
    ((status == 0 || status == 3)) || { echo "$size: $status $output"; return 1; }
    ((status == 0)) || words+=("$output")
    [[ $(jq_rows records offset | sort -nu | wc -l) == 2000 ]]
    python3 - "$sink/rows" <<'PYTHON'
import json, sys
keys = {}
for line in open(sys.argv[1]):
    if line.startswith("records"):
        row = json.loads(line.split("\t")[1])
        keys.setdefault((row["time_us"], row["hash"], row["n"]), []).append((row["seq"], row["offset"]))
assert len(keys) == 2000 and all(len(set(places)) == 1 for places in keys.values())
assert [offset for _, offset in sorted(min(places) for places in keys.values())] == sorted(places[0][1] for places in keys.values())
PYTHON
    rm -r "$sink/rows" "$results/.taskresults"
  done
  ((${#words[@]} >= 3)) && [[ ${words[*]} == *full* ]]
}

@test "a damaged cursor database: an error or all that was promised, and with a new cursor all arrives (make faults: 300 of them)" {
  PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/live/ship_damaged.py" "$root/shell" "$root/taskresults.so" "$BATS_TEST_TMPDIR/damaged" \
    "${TASKRESULTS_TEST_SEED:-3}" 8
}

@test "--once ends beside a writer that does not" {
  make_job a 5
  (while [[ ! -e $BATS_TEST_TMPDIR/stop ]]; do echo '{"success": true}' >>"$results/a.jsonl"; done) 3>&- &
  local writer=$!
  await test -e "$results/a.jsonl"
  run ship --once
  touch "$BATS_TEST_TMPDIR/stop"
  wait "$writer"
  [[ $status == 0 ]]
}

@test "--follow sends what comes, and ends by a signal at once, also while it waits for an answer" {
  make_job a 1
  "$(tool taskresults)" ship --to "$url" --state "$state" --follow --interval 0.1 3>&- &
  local ship=$!
  await stored_are records 1
  make_job a 2
  make_job b 1
  await stored_are records 4
  kill -TERM "$ship"
  status=0
  wait "$ship" || status=$?
  [[ $status == 143 ]] || { echo "status $status"; return 1; }
  echo hold >"$sink/plan"
  make_job a 1
  "$(tool taskresults)" ship --to "$url" --state "$state" --follow --interval 0.1 3>&- &
  ship=$!
  await test ! -s "$sink/plan"
  kill -TERM "$ship"
  status=0
  wait "$ship" || status=$?
  [[ $status == 143 ]] || { echo "status $status"; return 1; }
  touch "$sink/release"
  ship
  [[ $(jq_rows records seq | sort -nu | wc -l) == 5 ]]
}

@test "--follow says once what was left out or refused, in the round in which it changes" {
  make_job a 1
  mkdir "$results/first.jsonl"
  local said=$BATS_TEST_TMPDIR/said
  echo 'refuse poison' >"$sink/always"
  "$(tool taskresults)" ship --to "$url" --state "$state" --follow --interval 0.05 2>"$said" 3>&- &
  local ship=$!
  await grep -q 'job first' "$said"
  mkdir "$results/second.jsonl"
  await grep -q 'job second' "$said"
  echo '{"output": "poison"}' >>"$results/a.jsonl"
  await grep -q 'table dead' "$said"
  rmdir "$results/first.jsonl"
  make_job a 1
  await stored_are records 2
  make_job a 1
  await stored_are records 3 # the round before has told what it left out
  mkdir "$results/first.jsonl"
  named_again() { [[ $(grep -c 'job first' "$said") == 2 ]]; }
  await named_again
  kill -TERM "$ship"
  wait "$ship" || true
  [[ $(grep -c 'job second' "$said") == 1 && $(grep -c 'table dead' "$said") == 1 ]] || { cat "$said"; return 1; }
}

@test "a ship that ends in the middle of its program's answer does not wait for one who waits for it" {
  printf '#!/bin/sh\nexec yes\n' >"$BATS_TEST_TMPDIR/talkative"
  chmod +x "$BATS_TEST_TMPDIR/talkative"
  # shellcheck disable=SC2016  # for the other shell
  run timeout 20 bash -c 'source "$1/shell/ship/program.bash"
    sqlite3_program=$2 cursor=c keep_in_memory="" CURSOR_SETUP=SELECT sqlite_plain=() sqlite_start=()
    tell_program "SELECT 1;"
    read -r answer <&"$from_program"
    stop_program
    echo "ended after $answer"' _ "$root" "$BATS_TEST_TMPDIR/talkative" 3>&-
  assert_output 'ended after y'
}

@test "no signal leaves curl behind, in the first round or in a later one" {
  local signal round curl ship before
  for signal in TERM HUP; do
    for round in first later; do
      make_job a 1
      echo hold >"$sink/always"
      [[ $round == first ]] || rm "$sink/always"
      before=$(stored records)
      "$(tool taskresults)" ship --to "$url" --state "$state" --follow --interval 0.1 3>&- &
      ship=$!
      if [[ $round == later ]]; then
        await stored_are records "$((before + 1))"
        echo hold >"$sink/always"
        make_job a 1
      fi
      curl=
      has_curl() { curl=$(pgrep -x -P "$ship" curl); }
      await has_curl
      kill "-$signal" "$ship"
      wait "$ship" || true
      has_ended() { [[ ! -e /proc/$curl/stat || $(<"/proc/$curl/stat") == *') Z '* ]]; }
      await has_ended
      rm "$sink/always"
      touch "$sink/release"
      ship
      rm "$sink/release"
    done
  done
}

@test "examples/clickhouse/apply sends a last statement without a line feed, and fails if one does not end with a semicolon" {
  local file=$BATS_TEST_TMPDIR/tables.sql
  printf 'SELECT 1;\nSELECT\n  2; -- the last' >"$file"
  "$root/examples/clickhouse/apply" "$url" fleet "$file"
  [[ $(grep -c '"body": "SELECT' "$sink/requests") == 2 ]]
  printf 'SELECT 3;\n-- a comment\n\n' >"$file"
  "$root/examples/clickhouse/apply" "$url" fleet "$file"
  printf 'SELECT 4;\nSELECT 5\n' >"$file"
  run "$root/examples/clickhouse/apply" "$url" fleet "$file"
  [[ $status == 1 && $output == *"$file: the last statement does not end with a ;"*'SELECT 5'* ]]
}

@test "usage: no sink, a strange one, --interval without --follow, --once with --follow, a job" {
  local words
  for words in '' '--to x' "--to $url --interval 5" "--to $url --once --follow" "--to $url job" "--to $url --tries x" "--to $url --host=" "--to $url --host=a"$'\001'; do
    # shellcheck disable=SC2086  # words
    run taskresults ship $words
    [[ $status == 2 ]] || { echo "$words: $status $output"; return 1; }
  done
}

@test "killed again and again, at commit points and between: nothing lost, nothing twice, in order (make ship-killed: 100 kills and more)" {
  python3 "$root/tests/live/ship_killed.py" "$root/shell" "$root/taskresults.so" "$BATS_TEST_TMPDIR/killed" "${TASKRESULTS_TEST_SEED:-4}" \
    "${TASKRESULTS_TEST_KILLS:-8}"
}
