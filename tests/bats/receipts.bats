#!/usr/bin/env bats
# Receipts of prunes, and task_prunes. What they count is compared with Python in prune.bats ("random options ..."); that
# each finished prune leaves one, wherever it is killed, too ("killed before and after every system call ...").
#
# shellcheck disable=SC2154,SC2030,SC2031  # helpers.bash sets root, results and extension; tests are subshells
load ../lib/helpers
load ../lib/shell
load ../lib/host
load ../lib/pruning

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

folder() {
  echo "$results/.taskresults/prunes"
}

@test "a prune leaves a receipt, which task_prunes shows: when, which rule, how much, and the digest of what went" {
  make_job j 100 10
  head -n 93 "$results/j.jsonl" >"$BATS_TEST_TMPDIR/gone"
  prune j "'keep', 7"
  sum=$(sha256sum <"$BATS_TEST_TMPDIR/gone")
  assert_rows "j|keep 7|$EUID|93|93|9|$(wc -c <"$BATS_TEST_TMPDIR/gone")|2026-01-01T00:00:00Z|2026-01-01T01:32:00Z|${sum%% *}|NULL|0|0" \
    "SELECT job_id, rule, uid, lines, records, failures, bytes, first_run, last_run, sha256, archive, scattered, replaced FROM task_prunes"
  assert_rows 1 "SELECT pruned_us BETWEEN unixepoch() * 1000000 - 600000000 AND unixepoch() * 1000000 + 1000000 AND time_us = pruned_us
    FROM (SELECT pruned_us, taskresults_time(pruned_at) AS time_us FROM task_prunes)"
  prune j "'since', '2026-01-01T01:38:00Z', 'keep', 1, 'keep_failures', 0, 'drop_rejects', 1, 'unshipped', 1"
  assert_rows 'keep 1, since 2026-01-01T01:38:00Z, drop_rejects, unshipped' "SELECT rule FROM task_prunes('j') ORDER BY pruned_us DESC LIMIT 1"
  prune j "'max_bytes', 200"
  assert_rows 'max_bytes 200' "SELECT rule FROM task_prunes('j') ORDER BY pruned_us DESC LIMIT 1"
  [[ $(prune j "'keep', 10") == *unchanged* ]]
  assert_rows 3 "SELECT count(*) FROM task_prunes"
  [[ -z $(find "$results" -name '*.pending') ]]
}

@test "receipt, 0 leaves none, makes no folder, and reads only what stays; a dry run and a prune of nothing leave none either" {
  python3 "$root/tests/bench/generate.py" "$results/j.jsonl" 20000000
  prune j "'keep', 10, 'dry_run', 1"
  [[ $(prune j "'keep', 1000000000") == *unchanged* ]]
  with_faults FAULTS_LOG="$BATS_TEST_TMPDIR/log" -- sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT taskresults_prune('j', 'keep', 20, 'receipt', 0)"
  read -r _ bytes < <(grep bytes "$BATS_TEST_TMPDIR/log")
  ((bytes < 200000)) || { echo "read $bytes bytes"; return 1; }
  [[ ! -e $results/.taskresults ]]
  assert_rows 0 "SELECT count(*) FROM task_prunes"
}

@test "with a receipt, each line that goes is read once, whatever stays" {
  python3 "$root/tests/bench/generate.py" "$results/j.jsonl" 20000000
  size=$(stat -c %s "$results/j.jsonl")
  with_faults FAULTS_LOG="$BATS_TEST_TMPDIR/log" -- sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT taskresults_prune('j', 'keep', 10)"
  read -r _ bytes < <(grep bytes "$BATS_TEST_TMPDIR/log")
  ((bytes >= size - 200000 && bytes < size + 600000)) || { echo "read $bytes bytes of $size"; return 1; }
}

@test "a query for one job opens one file of receipts; the rows of several hosts have their host" {
  make_job a 5
  make_job b 5
  sql "SELECT taskresults_prune_all('keep', 2)" >/dev/null
  assert_plan "job_id =" "SELECT * FROM task_prunes WHERE job_id = 'a'"
  with_faults FAULTS_LOG="$BATS_TEST_TMPDIR/log" -- sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT count(*) FROM task_prunes('a') WHERE job_id = 'a'" >"$BATS_TEST_TMPDIR/out"
  [[ $(cat "$BATS_TEST_TMPDIR/out") == 1 ]]
  assert_rows $'a\nb' "SELECT job_id FROM task_prunes WHERE job_id = 'a' OR job_id = 'b' OR rowid = 0 ORDER BY 1"
  assert_rows $'1\n0\n0' "SELECT count(*) FROM task_prunes p WHERE rowid = (SELECT max(rowid) FROM task_prunes)" \
    "SELECT count(*) FROM task_prunes WHERE job_id = 'c/../a'" "SELECT count(*) FROM task_prunes WHERE job_id IS NULL"
  mkdir -p "$BATS_TEST_TMPDIR/fleet/one" "$BATS_TEST_TMPDIR/fleet/two" "$BATS_TEST_TMPDIR/fleet/three"
  cp -r "$results" "$BATS_TEST_TMPDIR/fleet/one/results"
  cp -r "$results" "$BATS_TEST_TMPDIR/fleet/two/results"
  mkdir "$BATS_TEST_TMPDIR/fleet/three/results"
  export SCHEDULER_RESULTS_DIR="$BATS_TEST_TMPDIR/fleet/*/results"
  assert_rows $'a|one\nb|one\na|two\nb|two' "SELECT job_id, host FROM task_prunes ORDER BY host, job_id"
  assert_rows $'a|two' "SELECT job_id, host FROM task_prunes('a') WHERE host = 'two'"
  assert_rows $'0\n4' "SELECT count(*) FROM task_prunes WHERE host = 'four'" "SELECT count(DISTINCT rowid) FROM task_prunes"
}

@test "names of jobs: .., quotes and the longest one have their own receipts" {
  long=$(printf 'x%.0s' {1..249})
  for job in .. "it's" '%s;' "$long"; do
    make_job a 3
    mv "$results/a.jsonl" "$results/$job.jsonl"
  done
  sql "SELECT taskresults_prune_all('keep', 1)" >/dev/null
  assert_rows 4 "SELECT count(*) FROM task_prunes WHERE lines = 2"
  assert_rows '2|2' "SELECT (SELECT lines FROM task_prunes('..')), (SELECT lines FROM task_prunes('$long'))"
}

# --- what cannot be is refused -------------------------------------------------------------------------------------

@test "planted links, folders, FIFOs and files with two names are refused with the option that does without; nothing changes" {
  make_job j 5
  other=$BATS_TEST_TMPDIR/other
  mkdir "$other"
  echo secret >"$other/secret"
  ln -s "$other" "$results/.taskresults"
  refused "'keep', 1" "/.taskresults: it is a symbolic link" # ship's marks are asked first
  refused "'keep', 1, 'unshipped', 1" "/.taskresults: it is a symbolic link"
  [[ $output == *"'receipt', 0, or --no-receipt"* ]]
  assert_sql_error "/.taskresults: it is a symbolic link" "SELECT * FROM task_prunes"
  rm "$results/.taskresults"
  mkdir "$results/.taskresults"
  ln -s "$other" "$(folder)"
  refused "'keep', 1" "/.taskresults/prunes: it is a symbolic link"
  rm "$(folder)"
  mkdir "$(folder)"
  pending=$(folder)/af63e74c8601ff3d.pending
  ln -s "$other/secret" "$(folder)/j.jsonl"
  refused "'keep', 1" ".taskresults/prunes/j.jsonl cannot be opened: Too many levels of symbolic links"
  assert_sql_error "prunes/j.jsonl: it is a symbolic link" "SELECT * FROM task_prunes"
  rm "$(folder)/j.jsonl"
  ln "$other/secret" "$(folder)/j.jsonl"
  refused "'keep', 1" "j.jsonl is a file with several names (hard links)"
  rm "$(folder)/j.jsonl"
  mkfifo "$(folder)/j.jsonl"
  refused "'keep', 1" "j.jsonl is a FIFO"
  rm "$(folder)/j.jsonl"
  mkdir "$(folder)/j.jsonl"
  refused "'keep', 1" "j.jsonl cannot be opened: Is a directory"
  rmdir "$(folder)/j.jsonl"
  for kind in "ln -s $other/secret" "ln $other/secret" mkfifo mkdir; do
    $kind "$pending"
    run prune j "'keep', 1"
    [[ $status -ne 0 && $output == *"af63e74c8601ff3d.pending is a"*"(nothing was changed)"* ]]
    rm -rf "$pending"
  done
  [[ $(ls "$other") == secret && $(cat "$other/secret") == secret ]]
  [[ $(prune j "'keep', 1") == *'"result":"pruned"'* ]]
}

@test "with receipt, 0 nothing of the receipts matters; as another user, the folder of a stranger is refused" {
  make_job j 9
  echo junk >"$results/.taskresults"
  refused "'keep', 5, 'unshipped', 1" "/.taskresults: it is "
  [[ $(prune j "'keep', 5, 'unshipped', 1, 'receipt', 0") == *'"result":"pruned"'* ]]
  rm "$results/.taskresults"
  ((EUID == 0)) || skip "needs root"
  mkdir -p "$(folder)"
  chown 1001 "$results/.taskresults"
  refused "'keep', 1, 'unshipped', 1" "/.taskresults: it belongs to user 1001"
  chown 0 "$results/.taskresults"
  touch "$(folder)/j.jsonl"
  chown 1001 "$(folder)/j.jsonl"
  refused "'keep', 1" "j.jsonl belongs to user 1001, and should to user 0"
  rm "$(folder)/j.jsonl"
  touch "$(folder)/af63e74c8601ff3d.pending"
  chown 1001 "$(folder)/af63e74c8601ff3d.pending"
  run prune j "'keep', 1"
  [[ $status -ne 0 && $output == *".pending belongs to user 1001"* && -e $(folder)/af63e74c8601ff3d.pending ]] || { echo "$output"; return 1; }
}

@test "without room for the receipt the prune is refused, with the bytes that it needs, and nothing changes" {
  make_job j 50
  for call in fallocate mkdirat; do
    before=$(cat "$results/j.jsonl")
    run faulty "$call" 'errno 28' j "'keep', 4"
    [[ $status -ne 0 && $output == *'No space left'*'(nothing was changed)'* && $output == *"'receipt', 0"* ]]
    [[ $call != fallocate || $output =~ needs\ [0-9]+\ bytes ]]
    [[ $(cat "$results/j.jsonl") == "$before" ]]
    rm -rf "$results/.taskresults"
  done
  assert_rows 0 "SELECT count(*) FROM task_prunes"
}

@test "more days than a receipt can hold are refused, and not left out" {
  python3 - "$results/j.jsonl" <<'PYTHON'
import datetime, json, sys
with open(sys.argv[1], "w") as file:
    for i in range(103):
        day = datetime.date(2026, 1, 1) + datetime.timedelta(days=i)
        file.write(json.dumps({"timestamp": f"{day}T00:00:00Z", "job_name": str(i)}) + "\n")
PYTHON
  extension=$root/build/tiny/taskresults # up to 100 days
  refused "'keep', 2" "are of more than 100 days"
  [[ $(prune j "'keep', 3") == *'"dropped":100,'* ]]
}

# --- who may read them ---------------------------------------------------------------------------------------------

@test "root and the scheduler's user prune in turn, and recover each other: nobody can read more than before" {
  give_results_away
  for mode in 600 644 640; do
    rm -rf "$results/.taskresults" "$results"/*.jsonl
    make_job j 200
    chown 65534:65534 "$results/j.jsonl"
    chmod "$mode" "$results/j.jsonl"
    keep=100
    for who in root user root user; do
      for call in '' renameat2 fdatasync; do # whole, and killed behind the exchange, to be finished by the other
        command=(env ${call:+LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT="$call" PRUNE_FAULT=torn}
          sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT taskresults_prune('j', 'keep', $((keep -= 3)))")
        [[ $who == root ]] || command=("${as_nobody[@]}" "${command[@]}")
        run "${command[@]}"
        [[ $call || $output == *'"result":"pruned"'* ]] || { echo "$who, $mode: $output"; return 1; }
        for file in "$(folder)"/*; do
          seen=$(stat -c '%u:%g %a' "$file")
          [[ $seen == "65534:65534 $mode" || $seen == '65534:'*' 600' ]] || { echo "$who, $mode: $file is $seen"; return 1; }
        done
      done
    done
    prune j "'keep', 1"
    assert_rows 199 "SELECT sum(lines) FROM task_prunes"
    [[ $(stat -c '%u %a' "$(folder)" "$results/.taskresults" | sort -u) == '65534 755' ]]
  done
  chmod 600 "$results/j.jsonl"
  chmod 644 "$(folder)/j.jsonl"
  make_job j 3
  prune j "'keep', 1"
  [[ $(stat -c %a "$(folder)/j.jsonl") == 600 ]]
}

# --- unfinished ones -----------------------------------------------------------------------------------------------

@test "if another file is in the place at the exchange, the receipt is replaced, and counts for nothing" {
  make_job j 10
  echo '{"job_name": "replacement"}' >"$results/other"
  [[ $("$root/tests/prune/at_step.py" renameat2 "mv $results/other $results/j.jsonl" j "'keep', 4") == *'"result":"pruned"'* ]]
  assert_rows '1|0|0|NULL|NULL|1' "SELECT replaced, lines, bytes, first_run, sha256, receipt->>'lines' = 6 FROM task_prunes"
}

@test "a line of receipts that is damaged is an error with file and byte; one that a kill has cut short is not counted" {
  make_job j 20
  prune j "'keep', 15"
  size=$(stat -c %s "$(folder)/j.jsonl")
  # Killed when it was appended, of which the system has written only a part; and so its recovery.
  for part in 200 330; do
    run faulty unlinkat kill j "'keep', 10"
    [[ $status -eq 137 && $(stat -c %s "$(folder)/j.jsonl") -gt $((size + part)) ]]
    truncate -s $((size + part)) "$(folder)/j.jsonl"
    assert_rows 1 "SELECT count(*) FROM task_prunes"
  done
  [[ $(prune j "'keep', 10") == *'"recovered":true'* ]]
  [[ $(wc -l <"$(folder)/j.jsonl") == 4 ]]
  assert_rows '2|10' "SELECT count(*), sum(lines) FROM task_prunes"
  for damage in 's/"records":5,/"records":4,/' 's/"id":"[0-9a-f]*/"id":"x/' 's/}$//' 's/.*/[]/'; do
    cp "$(folder)/j.jsonl" "$BATS_TEST_TMPDIR/whole"
    sed -i "1$damage" "$(folder)/j.jsonl"
    [[ $(cat "$(folder)/j.jsonl") != "$(cat "$BATS_TEST_TMPDIR/whole")" ]]
    assert_sql_error "prunes/j.jsonl: the line at byte 0 cannot be understood" "SELECT count(*) FROM task_prunes"
    cp "$BATS_TEST_TMPDIR/whole" "$(folder)/j.jsonl"
  done
  printf '{"id":"12' >>"$(folder)/j.jsonl"
  assert_sql_error "cannot be understood: it was cut short" "SELECT count(*) FROM task_prunes"
}

@test "if the pending receipt of an interrupted prune is gone, the next one says so, and finishes with receipt, 0" {
  make_job j 10
  run faulty renameat2 torn j "'keep', 4"
  rm "$(folder)"/*.pending
  assert_sql_error ".pending is missing, the receipt of an interrupted prune" "SELECT taskresults_prune('j', 'keep', 4)"
  assert_rows 2 "SELECT count(*) FROM task_rejects WHERE reason LIKE 'left by%'"
  [[ $(prune j "'keep', 4, 'receipt', 0") == *'"recovered":true'* ]]
  assert_rows '0|4' "SELECT (SELECT count(*) FROM task_prunes), count(*) FROM task_results"
}

# short_of_room BYTES JOB OPTIONS - the report of a prune in which no file may grow beyond so many bytes.
short_of_room() {
  python3 -c 'import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execvp(sys.argv[2], sys.argv[2:])' \
    "$1" sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: "SELECT taskresults_prune('$2', $3)"
}

@test "a receipt that cannot be appended leaves no part of it; the next prune appends it, or goes on without it with receipt, 0" {
  for mode in "renameat2|'keep', 10" "renameat|'keep', 10, 'offline', 1"; do
    [[ $mode == renameat2* ]] || export PRUNE_NO_LEASES=1
    for then in "'keep', 10, 'receipt', 0|1|5" "'keep', 10|2|10"; do
      rm -rf "$(folder)" "$results/j.jsonl"
      make_job j 20
      prune j "'keep', 15"
      run faulty "${mode%%|*}" torn j "${mode#*|}"
      [[ $status -eq 137 && -f $(echo "$(folder)"/*.pending) && $(wc -l <"$results/j.jsonl") == 10 ]] ||
        { echo "$mode: $output"; return 1; }
      size=$(stat -c %s "$(folder)/j.jsonl")
      run short_of_room $((size + 100)) j "'keep', 10"
      [[ $status -ne 0 && $output == *"cannot be given its receipt"*"or --no-receipt"*"goes on from here"* ]] || { echo "$mode: $output"; return 1; }
      [[ $(stat -c %s "$(folder)/j.jsonl") == "$size" ]]
      assert_rows '1|5' "SELECT count(*), sum(lines) FROM task_prunes"
      IFS='|' read -r options receipts lines <<<"$then"
      room=$((receipts == 1 ? size + 100 : 10000000))
      [[ $(short_of_room "$room" j "$options") == *'"recovered":true'* ]]
      [[ -z $(find "$results" -name '*.new' -o -name '*.journal' -o -name '*.pending') ]]
      assert_rows "$receipts|$lines" "SELECT count(*), sum(lines) FROM task_prunes"
      prune j "'keep', 3"
      assert_rows "$((receipts + 1))|$((lines + 7))" "SELECT count(*), sum(lines) FROM task_prunes"
    done
  done
}

@test "a recovery that goes on without the receipt, removes what kills have left of it; other receipts stay" {
  for parts in "12" "200" "200 330"; do
    rm -rf "$(folder)" "$results/j.jsonl"
    make_job j 20
    prune j "'keep', 15"
    size=$(stat -c %s "$(folder)/j.jsonl")
    for part in $parts; do
      run faulty unlinkat kill j "'keep', 10"
      [[ $status -eq 137 && $(stat -c %s "$(folder)/j.jsonl") -gt $((size + part)) ]]
      truncate -s $((size + part)) "$(folder)/j.jsonl"
    done
    rm "$(folder)"/*.pending
    [[ $(prune j "'keep', 10, 'receipt', 0") == *'"recovered":true'* ]]
    assert_rows '1|5' "SELECT count(*), sum(lines) FROM task_prunes"
    prune j "'keep', 3"
    assert_rows '2|12' "SELECT count(*), sum(lines) FROM task_prunes"
  done
}

@test "an older version refuses the journal of a prune with a receipt; what an older version left is finished" {
  "$root/tests/prune/older_version.py" "${PRUNE_STRIDE:-9}"
}

# --- libcrypto -----------------------------------------------------------------------------------------------------

@test "libcrypto is loaded by a prune that leaves a receipt, and by nothing else; its configuration is not read" {
  make_job j 5
  mkfifo "$BATS_TEST_TMPDIR/conf" # whoever read it would wait for ever
  export OPENSSL_CONF=$BATS_TEST_TMPDIR/conf LD_DEBUG=files LD_DEBUG_OUTPUT=$BATS_TEST_TMPDIR/loaded
  timeout 20 sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT * FROM task_results, task_prunes" \
    "SELECT taskresults_prune('j', 'keep', 4, 'receipt', 0)"
  [[ $(cat "$BATS_TEST_TMPDIR"/loaded.*) != *libcrypto* ]]
  timeout 20 sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: "SELECT taskresults_prune('j', 'keep', 3)"
  grep -q libcrypto "$BATS_TEST_TMPDIR"/loaded.*
}

@test "a build without libcrypto leaves receipts without a digest" {
  make_job j 5
  extension=$root/build/no_digest/taskresults
  prune j "'keep', 3"
  assert_rows '2|NULL' "SELECT lines, sha256 FROM task_prunes"
  LD_DEBUG=files LD_DEBUG_OUTPUT=$BATS_TEST_TMPDIR/loaded prune j "'keep', 2"
  [[ $(cat "$BATS_TEST_TMPDIR"/loaded.*) != *libcrypto* ]]
}
