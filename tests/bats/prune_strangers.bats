#!/usr/bin/env bats
# Pruning: what other programs may do to a job's file and to a prune's own files, while it runs and after it was killed.
# For writers, and for what is kept, see prune.bats.

# shellcheck disable=SC2154  # helpers.bash sets root, results and extension
load ../lib/helpers

# prune JOB OPTIONS - the report of one prune.
prune() {
  sql "SELECT taskresults_prune('$1', $2)"
}

# at_step CALL COMMAND JOB OPTIONS - the report of a prune that waits before that system call until COMMAND has run.
at_step() {
  "$root/tests/prune/at_step.py" "$@"
}

# faulty CALL FAULT JOB OPTIONS - the report of a prune in which the first system call of that name fails like that.
faulty() {
  env LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT="$1" PRUNE_FAULT="$2" \
    sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: "SELECT taskresults_prune('$3', $4)"
}

# killed_after_exchange - leaves job j with a journal, its new file and its old one.
killed_after_exchange() {
  run faulty renameat2 torn j "'keep', 4"
  [[ $status -eq 137 && -e $(echo "$results"/.taskresults-*.journal) ]]
}

assert_no_leftovers() {
  local found
  found=$(find "$results" -name '*.new' -o -name '*.journal')
  [[ -z $found ]] || { echo "left over: $found"; return 1; }
}

# hold_lease PATH READY - a process that holds a lease on the file until it is ended; its id is in $holder.
hold_lease() {
  python3 - "$1" "$2" 3>&- <<'PYTHON' &
import fcntl, os, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
open(sys.argv[2], "w").close()
time.sleep(60)
PYTHON
  holder=$!
  until [[ -e $2 ]]; do sleep 0.005; done
}

teardown() {
  [[ -z ${holder-} ]] || kill "$holder" 2>/dev/null || true
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

# --- while it runs -------------------------------------------------------------------------------------------------

@test "access lists and user attributes are kept; system attributes are not touched" {
  make_job j 10
  ((EUID)) || chown 0:4321 "$results/j.jsonl" # another group only
  python3 - "$results/j.jsonl" <<'PYTHON' || skip "no access lists here"
import os, struct, sys
entries = [(1, 6, 0xFFFFFFFF), (2, 4, 1234), (4, 4, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
os.setxattr(sys.argv[1], "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries))
os.setxattr(sys.argv[1], "user.note", b"mine")
if os.geteuid() == 0:
    os.setxattr(sys.argv[1], "trusted.other", b"not ours to copy")
PYTHON
  attributes() {
    python3 -c 'import os, sys; print({n: os.getxattr(sys.argv[1], n) for n in sorted(os.listxattr(sys.argv[1])) if n[0] != "t"})' \
      "$results/j.jsonl"
    stat -c '%a %u %g' "$results/j.jsonl"
  }
  before=$(attributes)
  [[ $(prune j "'keep', 1") == *'"result":"pruned"'* ]]
  [[ $(attributes) == "$before" && $before == *posix_acl* ]] || { echo "$before"; attributes; return 1; }
}

@test "a file that is cut while it is read or copied is not pruned, wherever it is cut" {
  for step in pread fchmod; do
    make_job j 10
    run at_step "$step" "truncate -s 100 $results/j.jsonl" j "'keep', 4"
    [[ $status -ne 0 && $output == *"shrank while it was being"*"nothing was changed"* ]] || { echo "$step: $output"; return 1; }
    [[ $(stat -c %s "$results/j.jsonl") == 100 ]]
    assert_no_leftovers
    rm "$results/j.jsonl"
  done
  # after the kept lines: the copy is complete, but it is unknown what it is a copy of
  printf '%s\n' '{"timestamp": "2026-06-01T00:00:00Z"}' '{"timestamp": "2026-01-01T00:00:00Z"}' >"$results/j.jsonl"
  run at_step fchmod "truncate -s -5 $results/j.jsonl" j "'since', '2026-03-01T00:00Z'"
  [[ $status -ne 0 && $output == *"shrank while it was being copied"* && $(wc -c <"$results/j.jsonl") == 71 ]]
  assert_no_leftovers
}

@test "if the file gets a second name (a hard link) meanwhile, the prune stops" {
  make_job j 10
  run at_step fsync "ln $results/j.jsonl $results/other" j "'keep', 4"
  [[ $status -ne 0 && $output == *"was replaced, linked or truncated"* && $(wc -l <"$results/other") == 10 ]]
  assert_no_leftovers
}

@test "a job's file that is removed just before the exchange stays removed" {
  make_job j 10
  run at_step renameat2 "rm $results/j.jsonl" j "'keep', 4"
  [[ $status -ne 0 && $output == *"j.jsonl vanished"*"nothing was changed"* && ! -e $results/j.jsonl ]]
  assert_no_leftovers
}

@test "a link that takes the file's place just before the exchange is an error, and stays one until it is removed" {
  make_job j 10
  run at_step renameat2 "mv $results/j.jsonl $results/mine; ln -s mine $results/j.jsonl" j "'keep', 4"
  [[ $status -ne 0 && $output == *"was replaced; the replacement, now .taskresults-"*"cannot be read"* ]]
  [[ $(wc -l <"$results/j.jsonl") == 4 && $(wc -l <"$results/mine") == 10 ]]
  run prune j "'keep', 4"
  [[ $status -ne 0 && $output == *".taskresults-"*".new beside it is a symbolic link: find out who put it there"* ]]
  rm "$results"/.taskresults-*.new
  [[ $(prune j "'keep', 2") == *'"recovered":true'* && $(wc -l <"$results/j.jsonl") == 2 ]]
  assert_no_leftovers
}

@test "if another program has the temporary file open, the prune waits; if it stays open, the prune is busy and nothing changes" {
  make_job j 10
  look="python3 -c 'import glob, sys, time; f = open(glob.glob(sys.argv[1])[0]); open(sys.argv[2], \"w\"); time.sleep(float(sys.argv[3]))'"
  ready=$BATS_TEST_TMPDIR/ready
  await="until [[ -e $ready ]]; do sleep 0.005; done"
  run at_step fsync "$look '$results/.taskresults-*.new' $ready 1 3>&- >/dev/null 2>&1 & $await" j "'keep', 4"
  [[ $status -eq 0 && $output == *'"result":"busy"'*"cannot be leased: another program has it open"* ]]
  [[ $(wc -l <"$results/j.jsonl") == 10 ]]
  assert_no_leftovers
  rm "$ready"
  run at_step fsync "$look '$results/.taskresults-*.new' $ready 0.05 3>&- >/dev/null 2>&1 & $await" j "'keep', 4"
  [[ $status -eq 0 && $output == *'"result":"pruned"'* && $(wc -l <"$results/j.jsonl") == 4 ]]
}

@test "a file that somebody puts in the temporary file's place is not deleted" {
  make_job j 10
  run at_step fsync "new=\$(echo $results/.taskresults-*.new); mv \$new $results/away; echo theirs >\$new
    truncate -s 100 $results/j.jsonl" j "'keep', 4"
  [[ $status -ne 0 && $output == *"nothing was changed"* && $(cat "$results"/.taskresults-*.new) == theirs ]]
}

@test "with offline, the prune stops if a writer appears, or anything else changes the file" {
  make_job j 10
  run env PRUNE_APPEND="$results/j.jsonl" LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT="fcntl F_SETLEASE" \
    "PRUNE_FAULT=errno 22" sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT taskresults_prune('j', 'keep', 1, 'offline', 1)"
  [[ $status -ne 0 && $output == *"there is a writer: 'offline' is for when none is"* ]] || { echo "$output"; return 1; }
  (($(wc -l <"$results/j.jsonl") > 10))
  assert_no_leftovers
}

@test "an exchange that fails gives its cause, which is told apart from a file system without exchange" {
  for fault in "5 Input/output error" "13 Permission denied" "38 cannot exchange two files" "122 Disk quota"; do
    make_job j 10
    run faulty renameat2 "errno ${fault%% *}" j "'keep', 4"
    [[ $status -ne 0 && $output == *"${fault#* }"* && $(wc -l <"$results/j.jsonl") == 10 ]] || { echo "$fault: $output"; return 1; }
    assert_no_leftovers
    rm "$results/j.jsonl"
  done
}

@test "if the copy cannot be given the file's owner, that is an error, and nothing changes" {
  ((EUID == 0)) || skip "needs root"
  make_job j 10
  chown 1234 "$results/j.jsonl"
  run faulty fchown "errno 1" j "'keep', 4"
  [[ $status -ne 0 && $output == *"belongs to user 1234"*"its copy cannot"* && $(wc -l <"$results/j.jsonl") == 10 ]]
  assert_no_leftovers
}

@test "an attribute that cannot be copied is an error that names it; attributes of any size are copied" {
  make_job j 10
  python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"mine")' "$results/j.jsonl" || skip "no attributes here"
  for fault in "fsetxattr 28 No space left on device" "fgetxattr 5 Input/output error" "fsetxattr 1 Operation not permitted"; do
    read -r call number cause <<<"$fault"
    run faulty "$call" "errno $number" j "'keep', 4"
    [[ $status -ne 0 && $output == *"has an attribute user.note that its copy cannot be given"*"$cause (nothing was changed)"* ]] ||
      { echo "$fault: $output"; return 1; }
    [[ $output != *"belongs to user"* && $(wc -l <"$results/j.jsonl") == 10 ]]
    assert_no_leftovers
  done
  run faulty flistxattr "errno 5" j "'keep', 4"
  [[ $status -ne 0 && $output == *"its attributes cannot be listed: Input/output error (nothing was changed)"* ]]
  run faulty fchmod "errno 1" j "'keep', 4"
  [[ $status -ne 0 && $output == *"its copy cannot be given its mode, 0644: Operation not permitted (nothing was changed)"* ]]
  python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.big", b"b" * 6000)' "$results/j.jsonl" 2>/dev/null || return 0 # none so large
  prune j "'keep', 4"
  [[ $(python3 -c 'import os, sys; print(len(os.getxattr(sys.argv[1], "user.big")))' "$results/j.jsonl") == 6000 ]]
}

# --- who may -------------------------------------------------------------------------------------------------------

@test "a file or directory that may not be read or written is refused, with the cause" {
  mkdir "$results/d.jsonl"
  assert_sql_error "d.jsonl is a directory: only a regular file" "SELECT taskresults_prune('d', 'keep', 1)"
  load ../lib/shell
  ((EUID == 0)) && command -v setpriv >/dev/null || skip "needs root and setpriv"
  open_results
  make_job j 5
  chmod 777 "$results"
  as_nobody_prunes() {
    run "${as_nobody[@]}" sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: "SELECT taskresults_prune('j', $1)"
  }
  "${as_nobody[@]}" test -r "$extension.so" || { rm -r "$open_place"; skip "nobody cannot get there"; }
  chmod 644 "$results/j.jsonl"
  as_nobody_prunes "'keep', 1"
  [[ $status -ne 0 && $output == *"cannot be written: Permission denied"* ]] || { rm -r "$open_place"; echo "$output"; return 1; }
  chmod 600 "$results/j.jsonl"
  as_nobody_prunes "'keep', 1, 'dry_run', 1"
  rm -r "$open_place"
  [[ $status -ne 0 && $output == *"cannot be opened: Permission denied"* ]]
}

# prune_as_nobody OPTIONS - in a directory of open_results.
prune_as_nobody() {
  "${as_nobody[@]}" sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: \
    "SELECT taskresults_prune('j', $1)"
}

@test "root's file, which others may write, is refused without CAP_LEASE; what root's prune left, its owner finishes" {
  load ../lib/shell
  ((EUID == 0)) && command -v setpriv >/dev/null || skip "needs root and setpriv"
  open_results
  "${as_nobody[@]}" test -r "$extension.so" || skip "nobody cannot get there"
  make_job j 10
  chmod 777 "$results"
  chmod 666 "$results/j.jsonl"
  run prune_as_nobody "'keep', 4"
  [[ $status -ne 0 && $output == *"belongs to user 0"*"CAP_LEASE"* && $(wc -l <"$results/j.jsonl") == 10 ]]
  assert_no_leftovers
  chown 65534:65534 "$results" "$results/j.jsonl" "$results"/.taskresults-*.lock
  run faulty fsync torn j "'keep', 4" # a copy that is root's yet
  chown 0:0 "$results"/.taskresults-*.new
  [[ $(prune_as_nobody "'keep', 4") == *'"kept":4,'*'"recovered":true'* && $(wc -l <"$results/j.jsonl") == 4 ]]
  assert_no_leftovers
}

@test "a read error while the lines to remove are counted: for one job an error, for all jobs in the report, and nothing changes" {
  make_job a 3
  make_job b 3
  local before
  before=$(cat "$results"/*.jsonl)
  unreadable() { # AFTER STATEMENT
    run with_faults FAULTS_PREAD_AFTER="$1" -- sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: "$2"
    [[ $status -ne 0 && $(cat "$results"/*.jsonl) == "$before" ]]
  }
  unreadable 0 "SELECT taskresults_prune('a', 'keep', 0)"
  [[ $output == *"job 'a': $results/a.jsonl cannot be read: Input/output error (nothing was changed)"* ]]
  unreadable 0 "SELECT taskresults_prune_all('keep', 0)"
  [[ $output == *"nothing would go; not counting 2 jobs that cannot be read (Input/output error); nothing was changed"* ]]
  unreadable 1 "SELECT taskresults_prune_all('keep', 0)"
  [[ $output == *"3 records of 1 job would go, from "*"; not counting 1 job that cannot be read (Input/output error); nothing was changed"* ]]
}

# --- after a kill --------------------------------------------------------------------------------------------------

@test "files cut, replaced or torn between a kill and the recovery: nothing is lost, repeated or overwritten" {
  "$root/tests/prune/tampered.py"
}

@test "files that another user put under a prune's names give that user no rights of root: refused, and nothing changes" {
  run "$root/tests/prune/forged.py"
  [[ $output != skip* ]] || skip "$output"
  [[ $status == 0 ]] || { echo "$output"; return 1; }
}

@test "an entry that is not a file, in the place of the job's file or of the old one, stops the recovery until it is removed" {
  make_job j 10
  killed_after_exchange
  mv "$results/j.jsonl" "$results/away"
  mkfifo "$results/j.jsonl"
  run prune j "'keep', 4"
  [[ $status -ne 0 && $output == *"j.jsonl is a FIFO, and an interrupted prune cannot be finished"* ]]
  rm "$results/j.jsonl"
  mv "$results/away" "$results/j.jsonl"
  new=$(echo "$results"/.taskresults-*.new)
  mv "$new" "$results/old"
  mkfifo "$new"
  run prune j "'keep', 4"
  [[ $status -ne 0 && $output == *"cannot be pruned: ${new##*/} beside it is a FIFO: find out who put it there"* ]]
  rm "$new"
  mv "$results/old" "$new"
  [[ $(prune j "'keep', 3") == *'"recovered":true'* && $(wc -l <"$results/j.jsonl") == 3 ]]
  assert_no_leftovers
}

@test "a program that has leased the file makes the recovery busy" {
  make_job j 10
  killed_after_exchange
  hold_lease "$results/j.jsonl" "$BATS_TEST_TMPDIR/leased"
  run prune j "'keep', 4"
  [[ $status -eq 0 && $output == *'"result":"busy"'*"another program has leased it"* ]] || { echo "$output"; return 1; }
  run prune j "'keep', 4, 'force', 1" # the guard does not look, so it is the recovery that waits
  [[ $status -eq 0 && $output == *'"result":"busy"'*"another program has leased it"* ]] || { echo "$output"; return 1; }
  [[ -e $(echo "$results"/.taskresults-*.journal) ]]
  kill "$holder"
  [[ $(prune j "'keep', 4") == *'"recovered":true'* ]]
  assert_no_leftovers
}

@test "records that an interrupted prune left count for the guard: keep 0 is refused, and does not bring them back only to drop them" {
  make_job j 10
  killed_after_exchange
  rm "$results/j.jsonl"
  run prune j "'keep', 0"
  [[ $status -ne 0 && $output == *"no other rule does: nothing would go, and what an interrupted prune left; nothing was changed"* ]]
  [[ ! -e $results/j.jsonl && -e $(echo "$results"/.taskresults-*.new) && -e $(echo "$results"/.taskresults-*.journal) ]]
  [[ $(prune j "'keep', 0, 'force', 1") == *'"recovered":true'* ]]
  assert_no_leftovers
}

@test "a journal whose job is unknown belongs to no job, and so do files with names like a prune's" {
  make_job j 3
  head -c 512 /dev/zero >"$results/.taskresults-0123456789abcdef.journal"
  echo x >"$results/.taskresults-0123456789abcdef.new"
  echo x >"$results/.taskresult-00123456789abcdef.new"
  assert_rows '.taskresults-0123456789abcdef.journal
.taskresults-0123456789abcdef.new' "SELECT substr(reason, instr(reason, '.taskresult')) FROM task_rejects ORDER BY 1"
  assert_rows 'j|unchanged' "SELECT value->>'job_id', value->>'result' FROM json_each(taskresults_prune_all('keep', 3))"
  [[ -e $results/.taskresults-0123456789abcdef.new ]]
}

# --- rules and options ---------------------------------------------------------------------------------------------

@test "keep_failures: a failure is what Python calls false, as in the tables and in the scheduler's viewer" {
  python3 - "$results/j.jsonl" "$BATS_TEST_TMPDIR/failures" <<'PYTHON'
import json, sys
values = ["false", "true", "null", "0", "1", "10", "-0", "0.0", "-0.0", "0e5", "1e-400", "1e-300", "NaN", "Infinity", '""', '"0"',
          '"false"', '" "', "[]", "[ ]", "[0]", "{}", "{ }", '{"a": 0}', None]
lines = ['{"job_name": "%d"%s}\n' % (i, "" if value is None else ', "success": ' + value) for i, value in enumerate(values)]
open(sys.argv[1], "w").writelines(lines)
open(sys.argv[2], "w").writelines(line for line in lines if not json.loads(line).get("success"))
PYTHON
  failures=$(sql "SELECT sum(failures) FROM task_stats")
  [[ $failures == $(wc -l <"$BATS_TEST_TMPDIR/failures") && $(sql "SELECT count(*) FROM task_results WHERE NOT ok") == "$failures" ]]
  prune j "'keep', 0, 'keep_failures', 99"
  cmp "$results/j.jsonl" "$BATS_TEST_TMPDIR/failures"
}

@test "many long lines: the same lines are kept if the second thread runs out of room, and if max_line is small" {
  python3 - "$results/j.jsonl" <<'PYTHON'
import sys
with open(sys.argv[1], "w") as file:
    for i in range(20000):  # the older half has more ranges than the second thread can hold
        month = "06" if i % 2 else "01"
        file.write('{"timestamp": "2026-%s-01T00:00:00Z", "job_name": "%d", "output": "%s"}\n' % (month, i, "x" * (i % 3000 == 7) * 3000))
PYTHON
  cp "$results/j.jsonl" "$BATS_TEST_TMPDIR/all"
  for max_line in 1000 1048576; do
    cp "$BATS_TEST_TMPDIR/all" "$results/j.jsonl"
    TASKRESULTS_MAX_LINE=$max_line extension=$root/build/tiny/taskresults prune j "'since', '2026-03-01T00:00Z'" >/dev/null
    cmp "$results/j.jsonl" <(awk -v longest="$max_line" '/2026-06/ || length($0) > longest' "$BATS_TEST_TMPDIR/all")
  done
}

@test "options of every kind of value" {
  make_job j 3
  for value in 1 "''" "x'00'" "'/tmp' || char(0) || 'x'" NULL; do
    assert_sql_error "the value of 'dir' has to be the path of a directory" "SELECT taskresults_prune('j', 'keep', 1, 'dir', $value)"
  done
  assert_sql_error "unknown option 'NULL'" "SELECT taskresults_prune('j', NULL, 1)"
  assert_sql_error "the value of 'offline' has to be 0 or 1" "SELECT taskresults_prune('j', 'keep', 1, 'offline', 2)"
  assert_sql_error "the value of 'offline' has to be 0 or 1" "SELECT taskresults_prune('j', 'keep', 1, 'offline', 2, 'count', 1)"
  assert_rows unchanged "SELECT taskresults_prune('j', 'keep', 3, 'count', 0, 'dry_run', 0)->>'result'"
}

@test "prune_all reports many jobs, also with names that are not UTF-8 or contain a DEL, as JSON" {
  for ((i = 0; i < 130; i++)); do echo '{}' >"$results/job$i.jsonl"; done
  ln -s nowhere "$results/"$'del\x7f.jsonl'
  ln -s nowhere "$results/"$'latin\xe9.jsonl'
  assert_rows '132|130|1' "SELECT count(*), sum(value->>'result' = 'unchanged'), sum(value->>'job_id' = 'latin' || char(0xfffd))
    FROM json_each(taskresults_prune_all('keep', 1))"
  assert_rows 1 "SELECT count(*) FROM json_each(taskresults_prune_all('keep', 1)) WHERE value->>'job_id' = 'del' || char(127)"
}
