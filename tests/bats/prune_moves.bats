#!/usr/bin/env bats
# What a prune tells `taskresults ship` of its moves, and which marks and moves it believes, when others have written
# them, or are at it.

# shellcheck disable=SC2154,SC2030,SC2031  # helpers.bash sets root, results and extension; each test has a folder
load ../lib/helpers
load ../lib/shell
load ../lib/marks

# at_step CALL COMMAND JOB OPTIONS - the report of a prune that waits before that system call until COMMAND has run.
at_step() {
  "$root/tests/prune/at_step.py" "$@"
}

# begin - a job of ten lines that a sink has read, and `folder`, which has its marks.
begin() {
  folder=$results/.taskresults/shipped
  make_job j 10
  mark one j 10
}

# refused WORDS COMMAND... - the command, which is to print a prune's report, fails with these words, and nothing has
# changed.
refused() {
  local words=$1 before
  shift
  before=$(stat -c '%d:%i:%s' "$results/j.jsonl")
  run "$@"
  [[ $status -ne 0 && $output == *"$words"*'nothing was changed'* ]] || { echo "$output"; return 1; }
  [[ $(stat -c '%d:%i:%s' "$results/j.jsonl") == "$before" ]]
  [[ -z $(find "$results" -name '*.new' -o -name '*.journal') ]]
}

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

@test "a mark of another file system counts for nothing; of two marks for one file, the smaller counts" {
  begin
  sed -i -E 's/"dev":[0-9]+/"dev":1/' "$folder/one.jsonl"
  [[ $(prune j "'keep', 2") == *'"kept":10,'*'"unshipped":8,"sink":"one"'* ]]
  rm "$folder/one.jsonl"
  mark one j 9
  mark one j 6
  mark one j 10
  [[ $(prune j "'keep', 2") == *'"kept":4,'*'"unshipped":2,"sink":"one"'* && $(lines j) == 4 ]]
}

@test "a sink that does not name the file has not read it, whatever others have" {
  begin
  make_job k 1
  mark another k 1
  [[ $(prune j "'keep', 2") == *'"kept":10,'*'"unshipped":8,"sink":"another"'* ]]
  mark another j 10
  [[ $(prune j "'keep', 2") == *'"kept":2,'* ]]
}

@test "a line of the moves that is not understood is passed over; one of another file system is not followed" {
  begin
  rm "$folder/one.jsonl"
  mark one j 8
  prune j "'keep', 4"
  cp "$folder/moves" "$BATS_TEST_TMPDIR/good"
  {
    printf '{"file":"j.jsonl"}\n{"file":"j.jsonl","dev":1,"inode":1,"end":1}\n[]\nmoved\n\n'
    printf '{"file":"j.jsonl","dev":1,"inode":1,"end":1,"new_inode":-1,"new_end":1}\n'
    printf '{"file":"j.jsonl","dev":1,"inode":1,"end":1,"new_inode":1}\n'
    printf '{"file":"j.jsonl","dev":1,"inode":1,"end":1,"new_inode":1,"new_end":-1}\n'
    printf '{"file":"%0100000d"}\n' 0
    cat "$BATS_TEST_TMPDIR/good"
    printf '{"file":"j.json'
  } >"$folder/moves"
  [[ $(prune j "'keep', 1, 'dry_run', 1") == *'"kept":2,'*'"unshipped":1,'* ]]
  sed -E 's/"dev":[0-9]+/"dev":1/' "$BATS_TEST_TMPDIR/good" >"$folder/moves"
  [[ $(prune j "'keep', 1") == *'"kept":4,'*'"unshipped":3,'* && $(lines j) == 4 ]]
}

@test "first lines that are none, a mark without a device, and a line of more than 64 KiB are errors with their place" {
  begin
  while IFS='|' read -r content words; do
    printf '%b' "$content" >"$folder/one.jsonl"
    refused "$folder/one.jsonl, cannot be understood at byte $words" prune j "'keep', 4"
  done <<'MARKS'
{"marks":1}\n|0: it should begin with {"taskresults_marks":1
{"taskresults_marks":"1.0"}\n|0: it should begin with {"taskresults_marks":1
{"taskresults_marks":1}\n{"file":"j.jsonl","inode":1,"end":1}\n|24: not an object with the keys file, dev, inode and end
MARKS
  printf '{"taskresults_marks":1}\n{"file":"%0100000d"}\n' 0 >"$folder/one.jsonl"
  refused "$folder/one.jsonl, cannot be understood at byte 24: a line is too long" prune j "'keep', 4"
}

@test "a job whose name has quotes, backslashes and control characters: its moves are JSON, and are followed" {
  folder=$results/.taskresults/shipped
  mkdir -p "$folder"
  python3 - "$results" <<'PYTHON'
import json, os, sqlite3, subprocess, sys
results, job = sys.argv[1], 'a"b\\c\x01\x1fé'
path = f"{results}/{job}.jsonl"
with open(path, "w") as file:
    for i in range(10):
        file.write(json.dumps({"timestamp": "2026-01-01T00:00:00Z", "success": True, "output": str(i)}) + "\n")
found = os.stat(path)
with open(f"{results}/.taskresults/shipped/one.jsonl", "w") as file:
    file.write('{"taskresults_marks":1}\n')
    mark = {"file": f"{job}.jsonl", "dev": found.st_dev, "inode": found.st_ino, "end": found.st_size}
    file.write(json.dumps(mark) + "\n")
with open(f"{results}/job", "w") as file:
    file.write(job)
PYTHON
  [[ $(sql "SELECT taskresults_prune(CAST(readfile('$results/job') AS TEXT), 'keep', 5)->>'kept'") == 5 ]]
  [[ $(sql "SELECT taskresults_prune(CAST(readfile('$results/job') AS TEXT), 'keep', 3)->>'kept'") == 3 ]]
  python3 - "$folder/moves" "$results/job" <<'PYTHON'
import json, sys
job = open(sys.argv[2]).read()
moves = [json.loads(line) for line in open(sys.argv[1])]
assert [move["file"] for move in moves] == [job + ".jsonl"] * 2, moves
assert moves[0]["new_inode"] == moves[1]["inode"], moves
PYTHON
}

@test "a job whose name is not UTF-8 is not shipped: nothing of it goes, or with unshipped all, without a move" {
  begin
  cp "$results/j.jsonl" "$results/"$'bad\xff.jsonl' 2>/dev/null || skip 'no such name here'
  [[ $(sql "SELECT taskresults_prune(CAST(x'626164ff' AS TEXT), 'keep', 2)->>'kept'") == 10 ]]
  [[ $(sql "SELECT taskresults_prune(CAST(x'626164ff' AS TEXT), 'keep', 2, 'unshipped', 1)->>'kept'") == 2 ]]
  [[ ! -e $folder/moves ]]
}

@test "moves that became a link, a FIFO, a second name or another user's behind the marks: nothing changes; unshipped prunes" {
  begin
  local command words
  replaced() {
    echo '{"file":"x.jsonl","dev":1,"inode":1,"end":1,"new_inode":2,"new_end":0}' >"$folder/moves"
    touch -d '2026-01-01' "$folder" # an old change: the marks are not read once more, behind the lock
    refused "cannot be pruned: .taskresults/shipped/moves, which tells taskresults ship where its lines go, $words" \
      at_step 'openat moves' "$command" j "'keep', 4"
    rm -f "$folder/moves" "$folder/second"
  }
  command="rm $folder/moves; ln -s $results/j.jsonl $folder/moves" words='cannot be opened'
  replaced
  command="rm $folder/moves; mkfifo $folder/moves" words='is not a regular file'
  replaced
  command="ln $folder/moves $folder/second" words='has several names (hard links)'
  replaced
  touch -d '2026-01-01' "$folder"
  [[ $(at_step 'openat moves' "mkfifo $folder/moves" j "'keep', 4, 'unshipped', 1") == *'"kept":4,'* ]]
  [[ $(lines j) == 4 ]]
  ((EUID == 0)) || skip 'only root can give files to others'
  rm "$folder"/*
  make_job j 10
  mark one j 14
  command="chown 65534 $folder/moves" words='belongs to another user'
  replaced
}

@test "moves are renamed or removed while we wait for their lock: the line goes to the file of now" {
  local command
  for command in 'mv moves moves.1' 'rm moves'; do
    rm -rf "${results:?}"/* "$results/.taskresults"
    begin
    echo '{"file":"x.jsonl","dev":1,"inode":1,"end":1,"new_inode":2,"new_end":0}' >"$folder/moves"
    [[ $(at_step flock/2 "cd $folder; $command" j "'keep', 4") == *'"kept":4,'* ]]
    [[ $(wc -l <"$folder/moves") == 1 && $(<"$folder/moves") == '{"file":"j.jsonl",'* ]]
    [[ $(prune j "'keep', 2") == *'"kept":2,'* ]]
  done
}

@test "while somebody holds the lock of moves, a prune waits for two seconds, and is busy then; unshipped prunes" {
  begin
  exec 8>>"$folder/moves"
  flock 8
  local words='moves, which tells taskresults ship where its lines go, cannot be locked'
  [[ $(prune j "'keep', 4" 8>&-) == *'"result":"busy",'*"$words"* ]]
  [[ $(lines j) == 10 && -z $(find "$results" -name '*.new' -o -name '*.journal') ]]
  [[ $(prune j "'keep', 4, 'unshipped', 1" 8>&-) == *'"kept":4,'* ]]
  exec 8>&-
}

@test "a user who may not write beside the marks, or not read them, is told so, and nothing changes; unshipped prunes" {
  ((EUID == 0)) && command -v setpriv >/dev/null || skip 'needs root and setpriv'
  open_results
  "${as_nobody[@]}" test -r "$extension.so" || skip 'the checkout is closed to others'
  local moves='.taskresults/shipped/moves, which tells taskresults ship where its lines go,'
  of_nobody() {
    rm -rf "${results:?}"/* "$results/.taskresults"
    begin
    chown -R 65534:65534 "$results"
  }
  prune_as_nobody() {
    "${as_nobody[@]}" sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: \
      "SELECT taskresults_prune('j', $1)"
  }
  of_nobody
  chown 0 "$folder/one.jsonl"
  chmod 600 "$folder/one.jsonl"
  refused "the marks of taskresults ship, $folder/one.jsonl: Permission denied" prune_as_nobody "'keep', 4"
  of_nobody
  chmod 555 "$folder"
  refused "$moves cannot be opened: Permission denied" prune_as_nobody "'keep', 4"
  truncate -s 1048577 "$folder/moves"
  chown 65534 "$folder/moves"
  refused "$moves cannot be renamed to moves.1: Permission denied" prune_as_nobody "'keep', 4"
  of_nobody
  chown 0 "$folder"
  chmod 777 "$folder"
  refused "$moves cannot be given to the folder's owner: Operation not permitted" prune_as_nobody "'keep', 4"
  [[ $(prune_as_nobody "'keep', 4, 'unshipped', 1") == *'"kept":4,'* ]]
}

@test "a prune of all jobs goes by the marks of now at each job: new ones, those of another folder, or none" {
  local command
  for command in 'mv ../new.jsonl one.jsonl' \
    'cd ..; cp -rp shipped a; mv new.jsonl a/one.jsonl; touch -r shipped a; mv shipped b; mv a shipped' \
    'cd ..; rm -r shipped'; do
    rm -rf "${results:?}"/* "$results/.taskresults"
    begin
    make_job k 10
    mark one k 6
    head -n 2 "$folder/one.jsonl" >"$results/.taskresults/new.jsonl"
    stat -c '{"file":"k.jsonl","dev":%d,"inode":%i,"end":%s}' "$results/k.jsonl" >>"$results/.taskresults/new.jsonl"
    touch -d '2026-01-01' "$folder"
    [[ $(at_step renameat2 "cd $folder; $command" '*' "'keep', 2") == *'"job_id":"k","result":"pruned","kept":2,'* ]] ||
      { echo "$command"; return 1; }
    [[ $(lines j) == 2 && $(lines k) == 2 ]]
  done
}
