#!/usr/bin/env bats
# Pruning together with `taskresults ship`: lines that it has not read stay, and a record says where lines moved.

# shellcheck disable=SC2154  # helpers.bash sets root, results and extension
load ../lib/helpers
load ../lib/marks

setup_file() {
  export PRUNE_STRIDE=${PRUNE_STRIDE:-29}
}

@test "what the slowest sink has not read stays, and the report names the sink; with unshipped it is dropped" {
  make_job j 10
  mark fast j 9
  mark slow j 6
  cp "$results/j.jsonl" "$BATS_TEST_TMPDIR/whole"
  [[ $(prune j "'keep', 2, 'dry_run', 1") == *'"kept":4,"dropped":6,'*'"unshipped":2,"sink":"slow"}' ]]
  [[ $(prune j "'keep', 2") == *'"result":"pruned","kept":4,'*'"unshipped":2,"sink":"slow"}' ]]
  cmp "$results/j.jsonl" <(tail -n 4 "$BATS_TEST_TMPDIR/whole")
  [[ $(prune j "'keep', 9") != *unshipped* ]]
  [[ $(prune j "'keep', 2, 'unshipped', 1") == *'"kept":2,'* && $(lines j) == 2 ]]
  [[ $(prune j "'keep', 1, 'unshipped', 1") != *sink* && $(lines j) == 1 ]]
}

@test "if no mark fits the file (another name, another inode, or shorter than the mark), nothing is dropped" {
  make_job j 10
  mark one other 0 2>/dev/null || true
  prune j "'keep', 2" | grep -q '"result":"unchanged","kept":10,.*"unshipped":8,"sink":"one"'
  mark one j 10
  cp "$results/j.jsonl" "$results/copy"
  mv "$results/copy" "$results/j.jsonl"
  [[ $(prune j "'keep', 2") == *'"unshipped":8,'* && $(lines j) == 10 ]]
  rm "$results/.taskresults/shipped/one.jsonl"
  mark one j 10
  truncate -s -1 "$results/j.jsonl"
  [[ $(prune j "'keep', 2") == *'"result":"unchanged",'* ]]
}

@test "a second prune follows the mark of the first file; a mark too old for the moves keeps everything" {
  make_job j 10
  mark one j 8
  prune j "'keep', 4"
  [[ $(lines j) == 4 ]]
  [[ $(prune j "'keep', 1") == *'"kept":2,'*'"unshipped":1,'* ]]
  rm "$results/.taskresults/shipped/moves"
  [[ $(prune j "'keep', 1") == *'"unshipped":1,'* && $(lines j) == 2 ]]
}

@test "without a folder of marks, or without a mark in it, nothing is kept for sinks, and no move is recorded" {
  make_job j 10
  mkdir -p "$results/.taskresults/shipped"
  [[ $(prune j "'keep', 2") == *'"kept":2,'* && ! -e $results/.taskresults/shipped/moves ]]
  rmdir "$results/.taskresults/shipped"
  [[ $(prune j "'keep', 1") == *'"kept":1,'* && ! -e $results/.taskresults/shipped ]]
  rm -r "$results/.taskresults"
  make_job k 10
  [[ $(prune k "'keep', 2") == *'"kept":2,'* && ! -e $results/.taskresults/shipped ]]
}

@test "each mark that cannot be read is an error with its place and the cause, and nothing changes; unshipped ignores it" {
  make_job j 10
  mark one j 10
  cp -r "$results/.taskresults/shipped" "$BATS_TEST_TMPDIR/good"
  local before content words first='{"taskresults_marks":1}'
  while IFS='|' read -r content words; do
    # shellcheck disable=SC2059  # the table has its escapes
    printf "$content" >"$results/.taskresults/shipped/one.jsonl"
    before=$(stat -c '%d:%i:%s' "$results/j.jsonl")
    run prune j "'keep', 4"
    [[ $status -ne 0 && $output == *"cannot prune: the marks of taskresults ship, $results/.taskresults/shipped/one.jsonl"*"$words"*"nothing was changed"*"'unshipped', 1"* ]] ||
      { echo "$content: $output"; return 1; }
    [[ $(stat -c '%d:%i:%s' "$results/j.jsonl") == "$before" ]]
  done <<MARKS
|it is empty
\n|cannot be understood at byte 0: byte 0
{"taskresults_marks":2}\n|at byte 0: it should begin with
[1]\n|at byte 0: byte 3: JSON, but not an object
$first|at byte 0: its last line has no end
$first\nx\n|at byte 24: byte 0: malformed JSON
$first\n{"file":"j.jsonl","dev":1,"inode":1}\n|at byte 24: not an object with the keys file, dev, inode and end
$first\n{"file":"j.jsonl","dev":1,"inode":1,"end":-1}\n|at byte 24: not an object
$first\n{"file":"j.jsonl","dev":1,"inode":1.5,"end":1}\n|at byte 24: not an object
$first\n{"file":"j.jsonl","dev":1,"inode":9007199254740993,"end":1}\n|at byte 24: not an object
$first\n{"file":"j.jsonl","dev":1,"inode":"18446744073709551616","end":1}\n|at byte 24: not an object
$first\n{"file":"j.jsonl","dev":1,"inode":"","end":1}\n|at byte 24: not an object
$first\n{"file":"j.jsonl","dev":1,"inode":1,"end":1099511627777}\n|at byte 24: not an object
$first\n{"file":7,"dev":1,"inode":1,"end":1}\n|at byte 24: not an object
$first\n{"file":"j.jsonl","dev":1,"inode":1,"end":1}|at byte 24: its last line has no end
MARKS
  run prune j "'keep', 4, 'unshipped', 1"
  [[ $status -eq 0 && $output == *'"kept":4,'* && $(lines j) == 4 ]]
  rm -r "$results/.taskresults/shipped"
  cp -r "$BATS_TEST_TMPDIR/good" "$results/.taskresults/shipped"
  run sql "SELECT taskresults_prune_all('keep', 3)"
  [[ $status -eq 0 && $output == *'"unshipped":1,'* ]]
}

@test "numbers above 2^53 are exact as texts of digits" {
  make_job j 10
  mark one j 10
  sed -i -E 's/"inode":([0-9]+)/"inode":"\1"/' "$results/.taskresults/shipped/one.jsonl"
  [[ $(prune j "'keep', 4") == *'"kept":4,'* && $(lines j) == 4 ]]
}

@test "a folder or a file of the marks that is a link, a FIFO, a directory, or another user's is refused" {
  make_job j 10
  mark one j 10
  local own=$results/.taskresults folder=$results/.taskresults/shipped before
  cp -r "$own" "$BATS_TEST_TMPDIR/good"
  before=$(stat -c '%d:%i:%s' "$results/j.jsonl")
  refused() {
    run prune j "'keep', 4"
    [[ $status -ne 0 && $output == *"cannot prune: the marks of taskresults ship, $1"*"$2"*'nothing was changed'* ]] || { echo "$output"; return 1; }
    run prune j "'keep', 4, 'dry_run', 1"
    [[ $status -ne 0 && $(stat -c '%d:%i:%s' "$results/j.jsonl") == "$before" ]]
    rm -rf "$own"
    cp -r "$BATS_TEST_TMPDIR/good" "$own"
  }
  for place in "$own" "$folder"; do
    rm -r "$place" && ln -s "$BATS_TEST_TMPDIR/good${place#"$own"}" "$place"
    refused "$place" 'it is a symbolic link'
    rm -r "$place" && mkfifo "$place"
    refused "$place" 'it is a FIFO'
    rm -r "$place" && touch "$place"
    refused "$place" 'it is a file'
  done
  rm "$folder/one.jsonl" && ln -s "$BATS_TEST_TMPDIR/good/shipped/one.jsonl" "$folder/one.jsonl"
  refused "$folder/one.jsonl" 'it is a symbolic link'
  rm "$folder/one.jsonl" && mkfifo "$folder/one.jsonl"
  refused "$folder/one.jsonl" 'it is a FIFO'
  mkdir "$folder/two.jsonl"
  refused "$folder/two.jsonl" 'it is a directory'
  ln "$folder/one.jsonl" "$folder/two"
  refused "$folder/one.jsonl" 'several names'
  mkfifo "$folder/moves"
  refused "$folder/moves" 'it is a FIFO'
  ((EUID == 0)) || skip 'only root can give files to others'
  chown 65534 "$own"
  refused "$own" 'it belongs to user 65534'
  chown 65534 "$folder"
  refused "$folder" 'it belongs to user 65534'
  chown 65534 "$folder/one.jsonl"
  refused "$folder/one.jsonl" 'it belongs to user 65534'
  prune j "'keep', 4"
  [[ $(lines j) == 4 ]]
}

@test "moves: a torn last line gets its newline, a large file is renamed to moves.1, and root gives it to the folder's owner" {
  make_job j 10
  mark one j 10
  ((EUID != 0)) || chown 65534 "$results" "$results/.taskresults/shipped" "$results/.taskresults/shipped/one.jsonl"
  printf '{"file":' >"$results/.taskresults/shipped/moves"
  prune j "'keep', 9"
  [[ $(wc -l <"$results/.taskresults/shipped/moves") == 2 && $(tail -n 1 "$results/.taskresults/shipped/moves") == '{"file":"j.jsonl",'*'"new_end":0}' ]]
  head -c 1048577 /dev/zero | tr '\0' '\n' >>"$results/.taskresults/shipped/moves"
  prune j "'keep', 8"
  [[ $(wc -l <"$results/.taskresults/shipped/moves") == 1 && $(stat -c %s "$results/.taskresults/shipped/moves.1") -gt 1048576 ]]
  [[ $(prune j "'keep', 7") == *'"kept":7'* && $(wc -l <"$results/.taskresults/shipped/moves") == 2 ]]
  [[ $(stat -c %a "$results/.taskresults/shipped/moves") == 600 ]]
  [[ $(stat -c %u "$results/.taskresults/shipped/moves") == $(stat -c %u "$results/.taskresults/shipped") ]]
}

@test "prunes of many jobs at once: each records its move on a line of its own" {
  local i pids=()
  for ((i = 0; i < 12; i++)); do
    make_job "j$i" 10
    mark one "j$i" 10
  done
  for ((i = 0; i < 12; i++)); do
    prune "j$i" "'keep', 3" >/dev/null 3>&- &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i"; done
  [[ $(cut -d, -f1 "$results/.taskresults/shipped/moves" | sort -u | wc -l) == 12 && $(wc -l <"$results/.taskresults/shipped/moves") == 12 ]]
}

@test "lines kept for a sink do not count when a prune is refused as a likely mistake" {
  make_job j 10
  mark one j 8
  run prune j "'since', '2200-01-01'"
  [[ $status -ne 0 && $output == *'since is later than now'*': 8 records of 1 job would go'* ]]
  [[ $(prune j "'since', '2026-06-01'") == *'"kept":2,'* && $(lines j) == 2 ]]
}

@test "random files, sinks, kills and prunes: nothing is dropped that a sink has not read, and each cursor leads to its line" {
  "$root/tests/prune/shipped.py" random "$((PRUNE_STRIDE > 1 ? 40 : 1000))"
}

@test "killed or failing at every system call, with marks: nothing unshipped is dropped, and its new place is recorded" {
  "$root/tests/prune/shipped.py" kill "$((PRUNE_STRIDE > 1 ? 4 : 1))"
  "$root/tests/prune/shipped.py" faults "$((PRUNE_STRIDE > 1 ? 13 : 1))"
}
