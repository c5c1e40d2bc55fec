#!/usr/bin/env bats
# prune --archive: what goes is in the archive, whole and once, at every moment. Random options are in prune.bats ("random
# options ..."), where Python reads the archive, too; the segments themselves in tests/unit/archive_writer.c and segments.c.
#
# shellcheck disable=SC2154,SC2030,SC2031  # helpers.bash sets root, results and extension; tests are subshells
load ../lib/helpers
load ../lib/shell
load ../lib/host
load ../lib/pruning

# shellcheck disable=SC2034  # prune and faulty read it
also=", 'archive', 1"

setup_file() {
  export PRUNE_KILLS=${PRUNE_KILLS:-3} PRUNE_STRIDE=${PRUNE_STRIDE:-61}
}

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

archive() {
  echo "$results/.taskresults/archive/${1:-j}.jsonl"
}

# whole JOB - the lines of its segments, by the program zstd, and then of its file.
whole() {
  local segment
  for segment in $(cd "$(archive "$1")" && printf '%s\n' *.zst | sort -t- -k2n); do zstd -dqc "$(archive "$1")/$segment"; done
  cat "$results/$1.jsonl"
}

@test "the block in PRUNING.md has the segments in the order of their numbers, dated and not, below ten and above" {
  local number block
  mkdir -p "$(archive price-watch)"
  for number in 1 2 3 10 11 20; do
    echo "$number" | zstd -qc >"$(archive price-watch)/2026${number}01T000000Z-$number.jsonl.zst"
  done
  echo 4 | zstd -qc >"$(archive price-watch)/none-4.jsonl.zst"
  block=$(grep -B1 -A2 'printf.*\*\.zst' "$root/ext/PRUNING.md" | sed -n '/^(cd/,/wc -l/p' | sed 's/ | wc -l//')
  [[ $block == *zstdcat* ]]
  [[ $(SCHEDULER_RESULTS_DIR=$results bash -c "$block" | paste -sd ' ') == '1 2 3 4 10 11 20' ]]
}

@test "what goes is in the archive: zstd reads all that was written, in its order; small segments become one" {
  python3 "$root/tests/bench/generate.py" "$results/j.jsonl" 2000000
  cp "$results/j.jsonl" "$BATS_TEST_TMPDIR/written"
  name=$(head -c 34 "$results/j.jsonl" | tail -c 19 | tr -d :-)Z-1.jsonl.zst
  for keep in 2000 1000 999 0; do
    before=$(sql "SELECT count(*) FROM task_results('j')")
    [[ $(prune j "'keep', $keep, 'force', 1") == *"\"dropped\":$((before - keep)),"*"\"archive\":\"$name\"}" ]]
    whole j | cmp - "$BATS_TEST_TMPDIR/written"
    assert_rows "$(wc -l <"$BATS_TEST_TMPDIR/written")" "SELECT count(DISTINCT output || timestamp) FROM task_history('j')"
    assert_rows 0 "SELECT count(*) FROM task_prunes WHERE archive IS NOT '$name'"
  done
  assert_rows "4|$(wc -l <"$BATS_TEST_TMPDIR/written")" "SELECT count(*), sum(lines) FROM task_prunes"
  python3 "$root/tests/oracles/archive_segment.py" text "$(archive)"/*.zst | cmp - "$BATS_TEST_TMPDIR/written"
  (($(stat -c %s "$(archive)"/*.zst) * 100 <= 15 * $(stat -c %s "$BATS_TEST_TMPDIR/written")))
}

@test "the name of a segment that was removed is not used again, and none that readers would not know" {
  for _ in 1 2 3 4 5 6; do echo '{"timestamp": "2026-01-01T00:00:00Z", "success": true, "output": "x"}'; done >"$results/j.jsonl"
  prune j "'keep', 3"
  rm -r "$(archive)"
  assert_rows 6 "SELECT sum(runs) FROM task_days('j')"
  prune j "'keep', 1"
  [[ $(ls "$(archive)") == *-2.jsonl.zst ]]
  assert_rows '6|3' "SELECT sum(runs), sum(pruned_runs) FROM task_days('j')"
  mv "$(archive)"/*-2.jsonl.zst "$BATS_TEST_TMPDIR/segment.zst"
  ln -s "$BATS_TEST_TMPDIR/segment.zst" "$(archive)/20260101T000000Z-2.jsonl.zst"
  assert_rows '6|5' "SELECT sum(runs), sum(pruned_runs) FROM task_days('j')" # a link has no records
  rm -r "$(archive)"
  mkdir -p "$(archive)"
  : >"$(archive)/none-999999999999999999.jsonl.zst"
  chmod 0 "$(archive)/none-999999999999999999.jsonl.zst" # so that it is not taken into the next one
  echo '{"timestamp": "2026-01-01T00:00:00Z", "success": true, "output": "x"}' >>"$results/j.jsonl"
  refused "'keep', 1" 'too many digits'
}

@test "a segment that is large enough stays as it is; one with another mode, too" {
  extension=$root/build/tiny/taskresults # from 3,000 bytes on
  for _ in {1..60}; do printf '{"output": "%s"}\n' "$(head -c 300 /dev/urandom | base64 -w0)" >>"$results/j.jsonl"; done
  cp "$results/j.jsonl" "$BATS_TEST_TMPDIR/written"
  for keep in 50 40 30 29; do prune j "'keep', $keep"; done
  chmod 600 "$results/j.jsonl"
  prune j "'keep', 28"
  [[ $(cd "$(archive)" && echo *) == 'none-1.jsonl.zst none-2.jsonl.zst none-3.jsonl.zst none-4.jsonl.zst none-5.jsonl.zst' ]]
  [[ $(cd "$(archive)" && stat -c %a -- * | tr '\n' ' ') == '644 644 644 644 600 ' ]]
  whole j | cmp - "$BATS_TEST_TMPDIR/written"
}

@test "what cannot go together is refused: keep_failures, drop_rejects, receipt 0, no rule; a build without zstd says so" {
  make_job j 9
  refused "'keep', 1, 'keep_failures', 1" "of which 'keep_failures' cannot keep anything"
  refused "'keep', 1, 'drop_rejects', 1" "cannot be given with 'drop_rejects'"
  refused "'keep', 1, 'receipt', 0" "'archive' needs a receipt"
  refused "'force', 1" "say what to keep"
  refused "'policy', 'x'" "'policy' or the rules themselves"
  assert_sql_error "the value of 'archive' has to be 0 or 1" "SELECT taskresults_prune('j', 'keep', 1, 'archive', 2)"
  extension=$root/build/plain/taskresults
  refused "'keep', 1" "this build (WITH_ARCHIVE=0) has none"
  [[ ! -e $results/.taskresults ]]
}

@test "the command: its usage, its policy, and what it says" {
  make_job j 9
  make_job k 9
  run taskresults prune j --keep 1 --archive --keep-failures 1
  [[ $status == 2 && $output == *'--archive or --keep-failures, not both'* ]]
  for option in --drop-rejects --no-receipt '--policy x'; do
    # shellcheck disable=SC2086  # the option and its value
    run taskresults prune j ${option/#--[dn]/--keep 1 &} --archive
    [[ $status == 2 && $output == *'not both'* ]] || { echo "$option: $output"; return 1; }
  done
  echo '{"rules": [{"jobs": "j", "keep": 4, "archive": true}, {"jobs": "*", "keep": 4, "archive": false}]}' >"$BATS_TEST_TMPDIR/policy"
  run taskresults prune --policy "$BATS_TEST_TMPDIR/policy"
  [[ $status == 0 && $output == *'rule 1: keep 4, archive; archived in 20260101T000000Z-1.jsonl.zst'*'rule 2: keep 4'* ]]
  [[ -d $(archive) && ! -e $(archive k) ]]
  [[ $(taskresults prune j --keep 3 --archive --jsonl) == *'"archive":"20260101T000000Z-1.jsonl.zst","rule":null}' ]]
  for wrong in '"archive": 1, "keep": 1' '"archive": true' '"archive": true, "keep": 1, "keep_failures": 1'; do
    echo "{\"rules\": [{\"jobs\": \"j\", $wrong}]}" >"$BATS_TEST_TMPDIR/policy"
    run taskresults prune --policy "$BATS_TEST_TMPDIR/policy"
    [[ $status == 3 && $output == *"rule 1: 'archive' "* ]] || { echo "$wrong: $status, $output"; return 1; }
  done
}

@test "planted links, folders and files are refused with the option that does without, and nothing changes" {
  make_job j 9
  other=$BATS_TEST_TMPDIR/other
  mkdir -p "$other" "$results/.taskresults"
  ln -s "$other" "$results/.taskresults/archive"
  refused "'keep', 1" "/.taskresults/archive: it is a symbolic link"
  [[ $output == *"without 'archive', 1, or --archive"* ]]
  rm "$results/.taskresults/archive"
  mkdir "$results/.taskresults/archive"
  ln -s "$other" "$(archive)"
  refused "'keep', 1" "/.taskresults/archive/j.jsonl: it is a symbolic link"
  rm "$(archive)"
  mkdir "$(archive)"
  # What has the name of a segment is not taken, nor replaced, nor followed: ours gets the next number.
  pending=$(archive)/20260101T000000Z-1.jsonl.zst.pending-$(stat -c %i "$results/j.jsonl")
  echo secret >"$other/secret"
  ln -s "$other/secret" "$pending"
  [[ $(prune j "'keep', 8") == *'"archive":"20260101T000000Z-2.jsonl.zst"'* ]]
  mkfifo "$(archive)/none-3.jsonl.zst"
  [[ $(prune j "'keep', 7") == *'"archive":"20260101T000100Z-4.jsonl.zst"'* ]]
  ln -s "$other/secret" "$(archive)/none-5.jsonl.zst"
  [[ $(prune j "'keep', 6") == *'"archive":"20260101T000200Z-6.jsonl.zst"'* ]]
  ln "$(archive)/20260101T000200Z-6.jsonl.zst" "$other/linked" # has two names: neither changes
  [[ $(prune j "'keep', 5") == *'"archive":"20260101T000300Z-7.jsonl.zst"'* ]]
  [[ -L $pending && -L $(archive)/none-5.jsonl.zst && -p $(archive)/none-3.jsonl.zst && $(cat "$other/secret") == secret ]]
  assert_rows 9 "SELECT count(*) FROM task_history('j')"
  ((EUID == 0)) || return 0
  chown 1001 "$(archive)"
  refused "'keep', 1" "/.taskresults/archive/j.jsonl: it belongs to user 1001"
}

@test "without room the prune is refused, with about the bytes that it needs, and nothing changes" {
  make_job j 200
  run faulty 'mkdirat/2' 'errno 28' j "'keep', 4"
  [[ $status -ne 0 && $output == *'.taskresults/archive: it cannot be made: No space left'*'(nothing was changed)'* ]]
  run faulty 'pwrite/2' 'errno 28' j "'keep', 4"
  [[ $status -ne 0 && $output =~ needs\ about\ [0-9]+\ bytes,\ and\ the\ file\ system\ has\ [0-9]+\ left ]] || { echo "$output"; return 1; }
  [[ $output == *"without 'archive', 1"*'(nothing was changed)'* && -z $(ls "$(archive)") && $(wc -l <"$results/j.jsonl") == 200 ]]
}

@test "root and the scheduler's user prune in turn, and recover each other: nobody can read more than before" {
  give_results_away
  make_job j 100
  chown 65534:65534 "$results/j.jsonl"
  cp "$results/j.jsonl" "$BATS_TEST_TMPDIR/written"
  keep=100
  for mode in 600 644 640; do
    chmod "$mode" "$results/j.jsonl"
    for who in root user root user; do
      for call in '' 'renameat/1'; do # whole, and killed behind the exchange, to be finished by the other
        command=(env ${call:+LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT="$call" PRUNE_FAULT=kill}
          sqlite3 -batch -init /dev/null -cmd ".load $extension" :memory:
          "SELECT taskresults_prune('j', 'keep', $((keep -= 3)), 'archive', 1)")
        [[ $who == root ]] || command=("${as_nobody[@]}" "${command[@]}")
        run "${command[@]}"
        [[ $call || $output == *'"result":"pruned"'* ]] || { echo "$who, $mode: $output"; return 1; }
      done
    done
    prune j "'keep', $keep"
  done
  [[ $(cd "$(archive)" && stat -c '%u:%g %a' -- *-1.* *-2.* *-3.*) == $'65534:65534 600\n65534:65534 644\n65534:65534 640' ]]
  [[ $(stat -c '%u %a' "$(archive)" "$results/.taskresults/archive" | sort -u) == '65534 755' ]]
  whole j | cmp - "$BATS_TEST_TMPDIR/written"
}

@test "if another file is in the place at the exchange, nothing is archived: it is where that program has put it" {
  make_job j 10
  echo '{"job_name": "replacement"}' >"$results/other"
  [[ $("$root/tests/prune/at_step.py" renameat2 "mv $results/other $results/j.jsonl" j "'keep', 4, 'archive', 1") == *'"result":"pruned"'* ]]
  [[ -z $(ls "$(archive)") ]]
  assert_rows '1|0|1' "SELECT replaced, lines, receipt->>'archive' IS NOT NULL FROM task_prunes"
  assert_rows 5 "SELECT count(*) FROM task_history('j')"
}

@test "if the file is rotated in the last instant before the exchange, that is undone: each record is there once" {
  for options in "'keep', 4, 'archive', 1" "'keep', 4" "'keep', 4, 'receipt', 0"; do
    rm -rf "${results:?}"/* "$results/.taskresults"
    make_job j 10
    cp "$results/j.jsonl" "$BATS_TEST_TMPDIR/written"
    run "$root/tests/prune/at_step.py" renameat2 "mv $results/j.jsonl $results/j.jsonl.1; echo '{\"job_name\": \"new\"}' >$results/j.jsonl" j "$options"
    [[ $status -ne 0 && $output == *"was replaced while it was being pruned"*"(nothing was changed)"* ]] || { echo "$output"; return 1; }
    cmp "$results/j.jsonl.1" "$BATS_TEST_TMPDIR/written"
    [[ $(cat "$results/j.jsonl") == '{"job_name": "new"}' && -z $(find "$results" -name '.taskresults-*' ! -name '*.lock') ]]
    [[ ! -d $(archive) || -z $(ls "$(archive)") ]]
    assert_rows 0 "SELECT count(*) FROM task_prunes WHERE NOT replaced"
  done
}

@test "killed before the exchange and rotated: each record is there once, and what was pending goes with the next prune" {
  make_job j 10
  run faulty renameat2 kill j "'keep', 4"
  [[ $(ls "$(archive)") == *.pending-* ]]
  mv "$results/j.jsonl" "$results/j.jsonl.1"
  assert_rows 10 "SELECT count(*) FROM task_history('j')"
  echo '{"job_name": "new"}' >"$results/j.jsonl"
  assert_rows '11|11' "SELECT count(*), count(DISTINCT timestamp || output || segment) + 1 FROM task_history('j')"
  prune j "'keep', 4"
  [[ -z $(ls "$(archive)") ]]
  assert_rows 11 "SELECT count(*) FROM task_history('j')"
}

@test "if what an interrupted prune has archived is gone, the next one says so, and keeps the old file" {
  make_job j 10
  run faulty renameat/1 kill j "'keep', 4"
  rm "$(archive)"/*
  run prune j "'keep', 4"
  [[ $status -ne 0 && $output == *"is gone. .taskresults-"*".new beside it still has these lines: save them"* ]]
  [[ $(wc -l <"$(echo "$results"/.taskresults-*.new)") == 10 ]]
  run taskresults doctor
  [[ $output == *"interrupted prune"*"if it says that what was archived is gone"* ]]
}

# --- at every step -------------------------------------------------------------------------------------------------

@test "archive: killed before and after every system call, each record is in one place for every reader" {
  "$root/tests/prune/archived.py" kill "$((PRUNE_STRIDE > 1 ? 41 : 1))"
}

@test "archive: the recovery killed at every system call, and every system call failing" {
  "$root/tests/prune/archived.py" recovery "$((PRUNE_STRIDE > 1 ? 211 : 1))"
  "$root/tests/prune/archived.py" faults "$((PRUNE_STRIDE > 1 ? 97 : 1))"
}

# Both also for prunes that archive nothing.
@test "rotated between a kill at any system call and the next prune: every record is there once, plain or compressed" {
  "$root/tests/prune/rotated.py" between "$((PRUNE_STRIDE > 1 ? 29 : 1))"
  "$root/tests/prune/rotated.py" busy
}

@test "rotated in the last instant before the exchange, killed at any system call, and its recovery, too: every record is there once" {
  "$root/tests/prune/rotated.py" instant "$((PRUNE_STRIDE > 1 ? 29 : 1))"
  "$root/tests/prune/rotated.py" recovery "$((PRUNE_STRIDE > 1 ? 499 : 5))"
}

@test "rotated beside a killed prune, and every system call of the next one failing: the error tells what it changed" {
  "$root/tests/prune/rotated.py" faults "$((PRUNE_STRIDE > 1 ? 397 : 5))"
}

@test "archive: offline, killed at every system call, and every system call failing" {
  "$root/tests/prune/archived.py" offline "$PRUNE_STRIDE"
}

@test "archive: if the power fails at any system call, every synced record is there, once" {
  local alone=(unshare -m) # otherwise copies of the mount in other namespaces would keep the failed disk mounted
  unshare -m true 2>/dev/null || alone=()
  run "${alone[@]}" "$root/tests/prune/archived.py" power "$PRUNE_STRIDE"
  [[ $output != skip* ]] || skip "$output"
  [[ $status == 0 ]] || { echo "$output"; return 1; }
}

@test "archive: killed at random moments beside four writers and readers of the file and of the history" {
  "$root/tests/prune/stress.py" archive=1 kills="$PRUNE_KILLS" writers=4 readers=2 keep=60
}
