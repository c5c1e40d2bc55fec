#!/usr/bin/env bats
# Seals: taskresults_seal() and taskresults_verify(), and the commands. What they should say is in ext/SEALS.md, and in
# Python in tests/oracles/seals.py.
#
# shellcheck disable=SC2154,SC2030,SC2031  # helpers.bash sets root, results and extension; tests are subshells
load ../lib/helpers
load ../lib/shell
load ../lib/host
load ../lib/pruning

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# The head that hashlib computes, of a job as it is now.
python_head() {
  python3 - "$1" "$results/$1.jsonl" "$root/tests/oracles" <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[3])
import seals
with open(sys.argv[2], "rb") as file:
    print(seals.lead(seals.first_head(sys.argv[1]), file.read()).hex())
PYTHON
}

@test "every kind of tampering is named with its stretch, as an independent oracle in Python says" {
  "$root/tests/seals/tampered.py" 1 "$(some_or_all 6 100)"
}

@test "seals: killed before and after each system call, and if a call fails: verify says fine, and the next seal goes on" {
  local stride
  stride=$(some_or_all 9 1)
  "$root/tests/seals/every_step.py" seal kill "$stride"
  "$root/tests/seals/every_step.py" seal torn "$stride"
  "$root/tests/seals/every_step.py" seal faults "$(some_or_all 23 1)"
}

@test "prunes of a sealed file: killed before and after system calls, and if one fails: verify says fine at once, and after the next seal" {
  local way
  for way in prune archive; do
    "$root/tests/seals/every_step.py" "$way" kill "$(some_or_all 17 1)"
    "$root/tests/seals/every_step.py" "$way" torn "$(some_or_all 23 1)"
    "$root/tests/seals/every_step.py" "$way" faults "$(some_or_all 61 1)"
  done
}

@test "removals that only a receipt explains are named; what is archived proves its own" {
  make_job a 20
  taskresults seal a >/dev/null
  prune a "'keep', 15"
  run taskresults verify
  [[ $status -eq 0 && $output == *'a    fine       15         0  '*'  5 lines went that only a receipt explains' ]]
  make_job a 3
  taskresults seal a --heads >"$BATS_TEST_TMPDIR/heads"
  prune a "'keep', 10, 'archive', 1"
  prune a "'keep', 7, 'archive', 1"
  run taskresults verify --jsonl --heads "$BATS_TEST_TMPDIR/heads"
  [[ $status -eq 0 && $output =~ '"lines":5,'[^}]*'"proven":false}'.*'"lines":8,'[^}]*'"proven":true}'.*'"lines":3,'[^}]*'"proven":true}' ]]
  rm -r "$results/.taskresults/archive"
  run taskresults verify
  [[ $status -eq 0 && $output == *'  16 lines went that only 3 receipts explain' ]]
}

@test "a sealed file that does not match is not pruned, nor any without a receipt; the other jobs are" {
  make_job a 20
  make_job b 20
  taskresults seal a >/dev/null
  sed -i '3s/Z/z/' "$results/a.jsonl"
  cp -r "$results" "$BATS_TEST_TMPDIR/before"
  run taskresults prune --all --keep 5 --dry-run
  [[ $status -eq 3 && ${lines[1]} == 'a    refused '*'does not match'* && ${lines[2]} == 'b    would be pruned '* ]]
  [[ ${lines[1]} == *'move .taskresults/seals/a.jsonl and .taskresults/prunes/a.jsonl away'* ]]
  run taskresults prune --all --keep 5 --jsonl
  [[ $status -eq 3 && ${lines[0]} == *'"a","result":"failed"'*'because it is sealed, and the sealed stretch [0, '*'does not match'* && ${lines[1]} == *'"b","result":"pruned"'* ]]
  cmp "$results/a.jsonl" "$BATS_TEST_TMPDIR/before/a.jsonl"
  [[ ! -e $results/.taskresults/prunes/a.jsonl ]]
  taskresults seal b >/dev/null
  refused_b() {
    run prune b "$1"
    [[ $status -ne 0 && $output == *'cannot be pruned without a receipt, because it is sealed'*'(nothing was changed)'* ]]
  }
  refused_b "'keep', 1, 'receipt', 0"
  run prune b "'keep', 1, 'receipt', 0, 'dry_run', 1"
  [[ $status -eq 0 && $output == *'"result":"refused"'*'"refused":"'*'cannot be pruned without a receipt'* ]]
  run prune b "'keep', 1, 'dry_run', 1"
  [[ $status -eq 0 && $output == *'"result":"dry_run"'* && $output != *refused* ]]
  without_seals() {
    run sqlite3 -batch -init /dev/null -cmd ".load $root/build/no_digest/taskresults" :memory: "SELECT taskresults_prune('b', $1)"
    [[ $output == *'this build is without it (make WITH_SEAL=0)'* ]]
  }
  without_seals "'keep', 1"
  [[ $status -ne 0 ]]
  without_seals "'keep', 1, 'dry_run', 1"
  [[ $status -eq 0 && $output == *'"result":"refused"'* ]]
  [[ $(wc -l <"$results/b.jsonl") -eq 5 ]]
}

@test "seal and verify, as commands: heads, statuses, what is unsealed, gone, and changed" {
  make_job a 20
  make_job b 5
  run taskresults seal a --heads
  [[ $status -eq 0 && $output == "a=$(python_head a)" ]]
  run taskresults seal --all --jsonl
  [[ $status -eq 0 && ${lines[0]} == *'"job_id":"a","result":"unchanged","lines":20'* && ${lines[1]} == *'"b","result":"sealed"'*'"new_lines":5'* ]]
  make_job a 2
  run taskresults verify
  [[ $status -eq 0 && ${lines[1]} == 'a    fine       20         2  '* && ${lines[2]} == 'b    fine        5         0  '* ]]
  make_job c 1
  run taskresults verify --jsonl
  [[ $status -eq 0 && ${lines[2]} == *'"job_id":"c","result":"unsealed"'*'"unsealed_lines":1'* ]]
  run taskresults verify c
  [[ $status -eq 1 && $output == *'1 of the named jobs not sealed'* ]]
  run taskresults verify nobody
  [[ $status -eq 1 && $output == *'there is no such job'* ]]
  run taskresults seal nobody
  [[ $status -eq 1 && $output == *'there is no such job'* ]]
  rm "$results/b.jsonl"
  run taskresults verify --quiet
  [[ $status -eq 1 && $output == *'b '*'tampered'*'the file is gone, and it was sealed'*'1 job tampered with'* && $output != *fine* ]]
  run taskresults seal
  [[ $status -eq 2 ]]
  run taskresults verify --head a
  [[ $status -eq 2 ]]
  echo >"$BATS_TEST_TMPDIR/heads"
  run taskresults verify --heads "$BATS_TEST_TMPDIR/heads"
  [[ $status -eq 2 && $output == *'there is no head in it'* ]]
  mkdir "$results/.taskresults/seals/c.jsonl"
  taskresults seal --all --heads >"$BATS_TEST_TMPDIR/heads" 2>"$BATS_TEST_TMPDIR/reasons" && return 1
  [[ $(cat "$BATS_TEST_TMPDIR/heads") == "a=$(python_head a)" && $(grep -c '^taskresults: c: the file of the seals is a directory$' "$BATS_TEST_TMPDIR/reasons") -eq 1 ]]
}

@test "a file that is shorter than it was sealed, or whose last sealed lines moved, is not sealed again: status 1, and it is named" {
  make_job a 20
  make_job b 20
  taskresults seal --all >/dev/null
  cp "$results/.taskresults/seals/a.jsonl" "$BATS_TEST_TMPDIR/seals"
  cp "$results/a.jsonl" "$BATS_TEST_TMPDIR/whole"
  truncate -s -10 "$results/a.jsonl"
  run taskresults seal --all
  [[ $status -eq 1 && ${lines[1]} == a*tampered*'bytes, and the first '*' are sealed'* && ${lines[2]} == b*unchanged* ]]
  # A line in the beginning is shorter, and there are more at the end.
  sed '2s/minute\|timestamp/x/' "$BATS_TEST_TMPDIR/whole" >"$results/a.jsonl"
  make_job a 5
  run taskresults seal a
  [[ $status -eq 1 && $output == *'are not those that were sealed'* ]]
  cmp "$BATS_TEST_TMPDIR/seals" "$results/.taskresults/seals/a.jsonl"
}

@test "what a head that was kept elsewhere shows: lines that were changed and sealed anew, lines cut with their seals, seals removed" {
  make_job a 20
  taskresults seal a --heads >"$BATS_TEST_TMPDIR/heads"
  make_job a 5
  taskresults seal a --heads >>"$BATS_TEST_TMPDIR/heads"
  cp -r "$results" "$BATS_TEST_TMPDIR/before"
  run taskresults verify --heads "$BATS_TEST_TMPDIR/heads"
  [[ $status -eq 0 ]]
  run taskresults verify --head "$(tail -n 1 "$BATS_TEST_TMPDIR/heads")"
  [[ $status -eq 0 ]]
  # Changed, and sealed anew.
  sed -i '3s/true/null/' "$results/a.jsonl"
  rm -r "$results/.taskresults/seals"
  taskresults seal a >/dev/null
  run taskresults verify
  [[ $status -eq 0 ]] # nothing else could show it
  run taskresults verify --heads "$BATS_TEST_TMPDIR/heads"
  [[ $status -eq 1 && $output == *'no seal has the head that was kept elsewhere'* ]]
  # The newest lines went, with their seal.
  rm -r "$results"
  cp -r "$BATS_TEST_TMPDIR/before" "$results"
  sed -i '$d' "$results/.taskresults/seals/a.jsonl"
  head -n 20 "$BATS_TEST_TMPDIR/before/a.jsonl" >"$results/a.jsonl"
  run taskresults verify --head "$(head -n 1 "$BATS_TEST_TMPDIR/heads")"
  [[ $status -eq 0 ]] # that head is of the lines that are left
  run taskresults verify --heads "$BATS_TEST_TMPDIR/heads"
  [[ $status -eq 1 ]]
  # All seals went; and then the job.
  rm -r "$results/.taskresults"
  run taskresults verify --heads "$BATS_TEST_TMPDIR/heads" a
  [[ $status -eq 1 && $output == *tampered* ]]
  rm "$results/a.jsonl"
  run taskresults verify --heads "$BATS_TEST_TMPDIR/heads"
  [[ $status -eq 1 && $output == *a*tampered* ]]
}

@test "seals that are damaged or contradict each other are named; the beginning of one that a kill has left counts for nothing" {
  make_job a 20
  taskresults seal a >/dev/null
  make_job a 5
  taskresults seal a >/dev/null
  local file="$results/.taskresults/seals/a.jsonl"
  cp "$file" "$BATS_TEST_TMPDIR/seals"
  damaged() {
    run taskresults verify a
    [[ $status -eq 1 && $output == *"$1"* ]] || { echo "$1: $output"; return 1; }
    run taskresults seal a
    [[ $status -eq 1 && $output == *tampered* ]]
    cp "$BATS_TEST_TMPDIR/seals" "$file"
  }
  sed -i '2d' "$file" && echo '{}' >>"$file"
  damaged 'of the seals is no seal'
  tac "$BATS_TEST_TMPDIR/seals" >"$file"
  damaged 'is of less than the one before it'
  sed -i 's/"after":null/"after":"0123456789abcdef0123456789abcdef"/' "$file"
  damaged 'belongs behind the receipt'
  sed -i '2s/"tail":"[0-9a-f]*"/"tail":"'"$(printf '0%.0s' {1..64})"'"/' "$file"
  damaged 'is damaged: its tail is not that of the lines before it'
  head -c 100 "$BATS_TEST_TMPDIR/seals" >>"$file"
  run taskresults verify a
  [[ $status -eq 0 && $output == *fine*25* ]]
  make_job a 1
  taskresults seal a >/dev/null
  [[ $(wc -l <"$file") -eq 3 ]]
  python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' <"$file"
}

@test "a seal reads what is new, and 4 KB before it" {
  require_strace
  python3 "$root/tests/bench/generate.py" "$results/j.jsonl" 5000000
  taskresults seal j >/dev/null
  local before bytes
  before=$(stat -c %s "$results/j.jsonl")
  make_job j 300
  strace -f -y -e trace=read,pread64,readv,preadv,mmap -o "$BATS_TEST_TMPDIR/calls" sqlite3 -batch -init /dev/null \
    -cmd ".load $extension" :memory: "SELECT taskresults_seal('j')"
  [[ -s $BATS_TEST_TMPDIR/calls ]]
  bytes=$(grep "results/j.jsonl" "$BATS_TEST_TMPDIR/calls" | awk '{ sum += $NF } END { print sum + 0 }')
  ((bytes > 0 && bytes <= $(stat -c %s "$results/j.jsonl") - before + 3 * 4096)) || { echo "$bytes bytes"; return 1; }
  [[ $(grep -c 'mmap.*results/j.jsonl' "$BATS_TEST_TMPDIR/calls") -eq 0 ]]
}

@test "planted links, folders, FIFOs and files with two names in place of the seals are refused, and nothing changes" {
  make_job a 3
  mkdir -p "$results/.taskresults/seals" "$BATS_TEST_TMPDIR/elsewhere"
  local file="$results/.taskresults/seals/a.jsonl" way
  for way in "ln -s $BATS_TEST_TMPDIR/elsewhere/f $file" "mkdir $file" "mkfifo $file" \
    "eval : >$BATS_TEST_TMPDIR/two && ln $BATS_TEST_TMPDIR/two $file" \
    "eval rmdir $results/.taskresults/seals && ln -s $BATS_TEST_TMPDIR/elsewhere $results/.taskresults/seals"; do
    $way
    run taskresults seal a
    [[ $status -eq 1 || $status -eq 3 ]] || { echo "$way: $status $output"; return 1; }
    [[ -z $(ls -A "$BATS_TEST_TMPDIR/elsewhere") ]]
    [[ ! -d $results/.taskresults/seals || -L $results/.taskresults/seals ]] || rm -rf "$file"
  done
}

@test "seals belong to the owner of the job's file, with its mode; another user who may read verifies them" {
  give_results_away
  make_job a 3
  chown 65534:65534 "$results/a.jsonl"
  chmod 640 "$results/a.jsonl"
  taskresults seal a >/dev/null
  [[ $(stat -c %u:%g:%a "$results/.taskresults/seals/a.jsonl") == 65534:65534:640 ]]
  run "${as_nobody[@]}" env SCHEDULER_RESULTS_DIR="$results" "$(tool taskresults)" verify
  [[ $status -eq 0 && $output == *fine* ]]
  # Another user, in the group: he reads, and cannot seal.
  run setpriv --reuid=65533 --regid=65534 --clear-groups env SCHEDULER_RESULTS_DIR="$results" "$(tool taskresults)" verify a
  [[ $status -eq 0 && $output == *fine* ]]
  make_job a 1
  run setpriv --reuid=65533 --regid=65534 --clear-groups env SCHEDULER_RESULTS_DIR="$results" "$(tool taskresults)" seal a
  [[ $status -eq 3 ]]
  # The job's file was closed to its group since: the next seal closes the seals, too.
  chmod 600 "$results/a.jsonl"
  make_job a 1
  taskresults seal a >/dev/null
  [[ $(stat -c %a "$results/.taskresults/seals/a.jsonl") == 600 ]]
}

@test "a build without libcrypto refuses to seal, and to verify" {
  make_job a 3
  run sqlite3 -batch -init /dev/null -cmd ".load $root/build/no_digest/taskresults" :memory: "SELECT taskresults_seal('a')"
  [[ $status -ne 0 && $output == *'this build is without it (make WITH_SEAL=0)'* && ! -e $results/.taskresults ]]
  run sqlite3 -batch -init /dev/null -cmd ".load $root/build/no_digest/taskresults" :memory: "SELECT taskresults_verify('a')"
  [[ $status -ne 0 && $output == *'this build is without it'* ]]
}

@test "hostile job ids are sealed and verified under their own names" {
  local id
  # shellcheck disable=SC2016  # a job may have such a name
  for id in "a'b" '-x' 'a=b' '..' '$(id)' 'ü'; do
    make_job "$id" 2
    run taskresults seal --heads -- "$id"
    [[ $status -eq 0 && $output == "$id=$(python_head "$id")" ]]
    run taskresults verify --head "$output" -- "$id"
    [[ $status -eq 0 ]]
  done
  taskresults seal --all --heads >"$BATS_TEST_TMPDIR/heads"
  run taskresults verify --heads "$BATS_TEST_TMPDIR/heads"
  [[ $status -eq 0 ]]
  [[ -f $results/.taskresults/seals/...jsonl ]]
}

@test "signed heads: only a key of the allowed signers can seal what was changed; a signature is of one job and one head" {
  command -v ssh-keygen >/dev/null || skip 'needs ssh-keygen'
  local place=$BATS_TEST_TMPDIR key
  for key in key other; do ssh-keygen -q -t ed25519 -N '' -f "$place/$key"; done
  printf 'audit@example.org %s\n' "$(cat "$place/key.pub")" >"$place/allowed"
  make_job a 20
  make_job 'b c' 5
  run taskresults verify --allowed-signers "$place/allowed"
  [[ $status -eq 0 ]] # nothing is sealed yet
  taskresults seal a >/dev/null
  run taskresults verify --allowed-signers "$place/allowed"
  [[ $status -eq 1 && $output == *'unsigned '*'not signed by an allowed signer: no head is signed'*'1 job not signed by an allowed signer' ]]
  [[ $output != *tampered* ]]
  run taskresults seal --all --sign "$place/key" --jsonl
  [[ $status -eq 0 && ${lines[0]} == *'"a","result":"unchanged"'*'"signed":true'* && ${lines[1]} == *'"b c","result":"sealed"'*'"signed":true'* ]]
  taskresults seal --all --sign "$place/key" >/dev/null # signs nothing twice
  [[ $(cat "$results"/.taskresults/seals/*.jsonl | grep -c signature) -eq 2 ]]
  run taskresults verify --allowed-signers "$place/allowed" --jsonl
  [[ $status -eq 0 && ${lines[0]} == *'"signed_lines":20'*'"signer":"audit@example.org"'* ]]
  # ssh-keygen alone, with the text of the document.
  sed -n 's/.*"signature":"\(.*\)"}/\1/p' "$results/.taskresults/seals/a.jsonl" | sed 's/\\n/\n/g; s/\\u000a/\n/g' >"$place/signature"
  printf 'a=%s\n' "$(python_head a)" | ssh-keygen -Y verify -f "$place/allowed" -I audit@example.org -n taskresults -s "$place/signature"
  # More lines: what was signed still is. A prune that only a receipt explains: it proves nothing more.
  make_job a 2
  taskresults seal a >/dev/null
  run taskresults verify --allowed-signers "$place/allowed" a --jsonl
  [[ $status -eq 0 && $output == *'"lines":22'*'"signed_lines":20'* ]]
  run taskresults verify a
  [[ $status -eq 0 && $output == *'  20 of 22 lines are signed' ]]
  prune a "'keep', 10"
  run taskresults verify --allowed-signers "$place/allowed" a --jsonl
  [[ $status -eq 1 && $output == *'"lines":10'*'is from before the prune of '*'which only a receipt explains'* && $output == *'"signed_lines":0'* ]]
  taskresults seal a --sign "$place/key" >/dev/null
  run taskresults verify --allowed-signers "$place/allowed" a --jsonl
  [[ $status -eq 0 && $output == *'"signed_lines":10'* ]]
  # Another key, and the signature of another job.
  make_job a 1
  taskresults seal a --sign "$place/other" >/dev/null
  run taskresults verify --allowed-signers "$place/allowed" a
  [[ $status -eq 1 && $output == *'is not valid, or of nobody in'* ]]
  grep signature "$results/.taskresults/seals/b c.jsonl" >>"$results/.taskresults/seals/a.jsonl"
  run taskresults verify a
  [[ $status -eq 1 && $output == *'the newest signature is of a head that no seal has'* ]]
  # Changed, sealed anew, and the old signature put there again.
  cp "$results/.taskresults/seals/b c.jsonl" "$place/seals"
  sed -i '2s/true/null/' "$results/b c.jsonl"
  rm "$results/.taskresults/seals/b c.jsonl"
  taskresults seal 'b c' >/dev/null
  run taskresults verify --allowed-signers "$place/allowed" 'b c'
  [[ $status -eq 1 && $output == *'no head is signed'* ]]
  grep signature "$place/seals" >>"$results/.taskresults/seals/b c.jsonl"
  run taskresults verify --allowed-signers "$place/allowed" 'b c'
  [[ $status -eq 1 && $output == *'of a head that no seal has'* ]]
  # What cannot be signed or read is said.
  make_job d 1
  run taskresults seal d --sign "$place/none"
  [[ $status -eq 3 && $output == *"sealed, but not signed: ssh-keygen could not sign with $place/none"* ]]
  run taskresults seal --all --sign "$place/none" --jsonl # what was sealed is told all the same
  [[ $status -eq 3 && $output == *'"d","result":"unchanged"'*'"signed":false'* ]]
  run taskresults seal d --sign "$place/none" --heads
  [[ $status -eq 3 && $output == *"d=$(python_head d)"* ]]
  run taskresults verify --allowed-signers "$place/none"
  [[ $status -eq 3 ]]
  assert_rows 0 "SELECT taskresults_seal_sign('b c', '$(printf '0%.0s' {1..64})', 'x')"
}

@test "nothing is signed that was changed and sealed anew, and nothing of it is sealed; the other jobs are" {
  command -v ssh-keygen >/dev/null || skip 'needs ssh-keygen'
  local place=$BATS_TEST_TMPDIR
  ssh-keygen -q -t ed25519 -N '' -f "$place/key"
  printf 'audit@example.org %s\n' "$(cat "$place/key.pub")" >"$place/allowed"
  make_job a 20
  make_job b 5
  taskresults seal --all --sign "$place/key" >/dev/null
  # A line changes, the seals are computed anew, and the signatures stay.
  sed -i '1s/true/null/' "$results/a.jsonl"
  grep signature "$results/.taskresults/seals/a.jsonl" >"$place/signature"
  rm "$results/.taskresults/seals/a.jsonl"
  taskresults seal a >/dev/null
  cat "$place/signature" >>"$results/.taskresults/seals/a.jsonl"
  make_job a 1
  make_job b 1
  cp "$results/.taskresults/seals/a.jsonl" "$place/seals"
  run taskresults seal --all --sign "$place/key" --jsonl
  [[ $status -eq 1 && ${lines[0]} == *'"a","result":"tampered"'*'"signed":false'*'of a head that no seal has'* ]]
  [[ ${lines[1]} == *'"b","result":"sealed"'*'"signed":true'* && $output == *'1 job not sealed'* ]]
  cmp "$place/seals" "$results/.taskresults/seals/a.jsonl"
  run taskresults verify --allowed-signers "$place/allowed"
  [[ $status -eq 1 && $output == *a*tampered*b*fine* ]]
  # A change far above the last 4 KB, which leaves the seals as they were.
  make_job c 100
  taskresults seal c --sign "$place/key" >/dev/null
  sed -i '1s/true/null/' "$results/c.jsonl"
  make_job c 1
  run taskresults seal c --sign "$place/key"
  [[ $status -eq 1 && $output == *'the sealed stretch [0, '*'does not match'* ]]
  [[ $(wc -l <"$results/.taskresults/seals/c.jsonl") -eq 2 ]]
}

@test "a head of before a prune that only a receipt explains proves nothing: a receipt that was forged with all heads is noticed" {
  local place=$BATS_TEST_TMPDIR
  make_job a 20
  taskresults seal a --heads >"$place/heads"
  prune a "'keep', 15"
  forge() {
    python3 - "$results" "$root/tests/oracles" <<'PYTHON'
import hashlib, re, sys
sys.path.insert(0, sys.argv[2])
import seals
path, receipts = sys.argv[1] + "/a.jsonl", sys.argv[1] + "/.taskresults/prunes/a.jsonl"
text = open(path, "rb").read().replace(b"true", b"null")
line = open(receipts, "rb").read()[:-1]
head = seals.lead(seals.start_of(line), text).hex().encode()
line = re.sub(rb'"new_head":"[0-9a-f]*"', b'"new_head":"' + head + b'"', line)
tail = hashlib.sha256(text[-4096:]).hexdigest().encode()
line = re.sub(rb'"new_tail":"[0-9a-f]*"', b'"new_tail":"' + tail + b'"', line)
open(path, "wb").write(text)
open(receipts, "wb").write(line + b"\n")
PYTHON
  }
  run taskresults verify --heads "$place/heads"
  [[ $status -eq 1 && $output == *'is from before the prune of '*', which only a receipt explains: it proves nothing of the lines there now; keep a newer one'* ]]
  # A newer one, behind it: fine, until the receipt and the lines are forged.
  taskresults seal a --heads >>"$place/heads"
  run taskresults verify --heads "$place/heads"
  [[ $status -eq 0 ]]
  forge
  run taskresults verify a
  [[ $status -eq 0 && $output == *'5 lines went that only a receipt explains'* ]] # nothing else could show it
  run taskresults verify --heads "$place/heads"
  [[ $status -eq 1 && $output == *'no seal has the head that was kept elsewhere'* ]]
  run taskresults verify --head "$(head -n 1 "$place/heads")"
  [[ $status -eq 1 && $output == *'which only a receipt explains'* ]]
}

@test "a head of before prunes that archive proves what is there, until the archive does not match: its segment is named, and proves nothing" {
  make_job a 20
  sed 's/true/null/' "$results/a.jsonl" >"$results/z.jsonl"
  local head name job
  head=$(taskresults seal a --heads)
  for job in a z; do
    prune "$job" "'keep', 15, 'archive', 1"
    prune "$job" "'keep', 10, 'archive', 1"
  done
  run taskresults verify --head "$head"
  [[ $status -eq 0 ]]
  name=$(ls "$results/.taskresults/archive/a.jsonl")
  cp "$results/.taskresults/archive/z.jsonl/$name" "$results/.taskresults/archive/a.jsonl/$name"
  run taskresults verify a --jsonl --head "$head"
  [[ $status -eq 1 && $output == *"the archive does not match: with the segment $name, "* && $output != *'"proven":true'* ]]
}

@test "of a long file of heads in any order, each job is judged by its own, and each is named once" {
  python3 - "$BATS_TEST_TMPDIR" <<'PYTHON'
import sys
with open(f"{sys.argv[1]}/heads.2000", "w") as file:
    for i in range(2000):
        file.write(f"job-{i * 7919 % 2000}={i:064x}\n")
PYTHON
  make_job job-7 3
  taskresults seal --all >/dev/null
  run taskresults verify --heads "$BATS_TEST_TMPDIR/heads.2000" --jsonl
  [[ $status -eq 1 && ${#lines[@]} -eq 2001 ]]
  [[ $output == *'"job-7","result":"tampered"'*'"no seal has the head that was kept elsewhere, '* ]]
  [[ $(grep -o 'no seal has the head' <<<"$output" | wc -l) -eq 2000 ]]
}

@test "a job whose name has a line break is left out of a file of heads, and named, with status 3" {
  make_job b 2
  make_job $'a\nb=0' 2
  run taskresults seal --all --heads
  [[ $status -eq 3 && $output == *'left out, '*'"a\nb=0"'* ]]
  taskresults seal --all --heads >"$BATS_TEST_TMPDIR/heads" 2>/dev/null || true
  [[ $(<"$BATS_TEST_TMPDIR/heads") == "b=$(python_head b)" ]]
  run taskresults verify --heads "$BATS_TEST_TMPDIR/heads" b
  [[ $status -eq 0 ]]
  run taskresults seal --all
  [[ $status -eq 0 ]]
}

@test "a receipt that is damaged is named with the file in which it is" {
  make_job a 5
  taskresults seal a >/dev/null
  prune a "'keep', 3"
  echo '{}' >>"$results/.taskresults/prunes/a.jsonl"
  run taskresults verify a
  [[ $status -eq 1 && $output == *"$results/.taskresults/prunes/a.jsonl: the line at byte "* ]]
}
