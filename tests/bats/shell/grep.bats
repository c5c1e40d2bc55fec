#!/usr/bin/env bats
# --grep TEXT of view, follow, export and errors.

load ../../lib/helpers
load ../../lib/shell

teardown() {
  [[ -z ${follower-} ]] || kill "$follower" 2>/dev/null || true
}

needles=(timeout TIMEOUT 50% 50_ a_b A_B % _ %% '\' '\n' '\%' "'" '"' "it's \"so\"" é É '€💥' $'\n' $'\t' $'\x01' '[x]' '*' '-- ;'
  "'); SELECT 1; --" $'a\nb' K '0%' 'b%5')

# found NEEDLE - writes the records that the oracle finds to `expected`.
found() {
  python3 "$root/tests/oracles/grep.py" "$1" "$results" >expected
}

# same_texts FILE - it has the records of `expected`, in the same order, with the same time, output and error.
same_texts() {
  python3 - expected "$1" <<'PYTHON'
import json, sys
texts = lambda path: [[json.loads(line).get(key) or "" for key in ("timestamp", "output", "error")] for line in open(path)]
want, have = (texts(path) for path in sys.argv[1:])
assert want == have, (len(want), len(have), [pair for pair in zip(want, have) if pair[0] != pair[1]][:1])
PYTHON
}

@test "--grep: view and export find what Python finds, whatever the text: quotes, wildcards, backslashes, line breaks" {
  cd "$BATS_TEST_TMPDIR"
  python3 "$root/tests/oracles/grep.py" make "$results"
  local needle all=0
  for needle in "${needles[@]}"; do
    found "$needle"
    all=$((all + $(wc -l <expected)))
    taskresults export --format jsonl --grep "$needle" >actual
    same_texts actual || { printf 'export --grep %q\n' "$needle"; return 1; }
  done
  echo "$all found"
  ((all > 1000))
  for needle in timeout a_b '\' é; do
    found "$needle"
    { taskresults view a --jsonl --grep "$needle"; taskresults view b --jsonl --grep="$needle"; } >actual
    same_texts actual
    [[ $(taskresults view --all --jsonl --grep "$needle" | wc -l) == "$(wc -l <expected)" ]]
    [[ $(taskresults export --grep "$needle" --success --columns success |
      tail -n +2 | sort | uniq -c | tr -d ' \r') == "$(grep -c '"success": true' expected)1" ]]
  done
  found timeout
  taskresults view a --latest --grep timeout --jsonl >actual
  head -n "$(taskresults view a --grep timeout --jsonl | wc -l)" expected | tail -n 1 >last && mv last expected
  same_texts actual
}

@test "--grep: errors counts the failures that Python finds, by signature, only those of the window" {
  cd "$BATS_TEST_TMPDIR"
  python3 "$root/tests/oracles/grep.py" make "$results"
  local needle
  for needle in timeout 50% '\'; do
    found "$needle"
    [[ $(taskresults errors --grep "$needle" --jsonl | python3 -c 'import json, sys; print(sum(json.loads(x)["times"] for x in sys.stdin))') == \
      "$(grep -c '"success": false' expected)" ]]
  done
  append_raw c '{"timestamp": "2026-02-01T00:00:00Z", "success": false, "error": "disk 7 full"}\n'
  append_raw c '{"timestamp": "2026-02-02T00:00:00Z", "success": false, "error": "disk 8 full", "output": "50%"}\n'
  run taskresults errors c --grep DISK --csv
  [[ ${lines[1]} == '2,1,c,2026-02-01T00:00:00Z,2026-02-02T00:00:00Z,disk <n> full'$'\r' ]]
  [[ $(taskresults errors c --csv) == "$output" ]]
  run taskresults errors c --grep disk --since 2026-02-02 --csv
  [[ ${lines[1]} == '1,1,c,2026-02-02T00:00:00Z,2026-02-02T00:00:00Z,disk <n> full'$'\r' ]]
  run taskresults errors c --grep nothing
  [[ $status -eq 0 && $output == 'taskresults: no failures' ]]
}

@test "--grep: an empty text, one that is not UTF-8, and one that is too long are wrong usage in every command" {
  make_job a 1
  local command bad
  for command in 'view a' 'view --all' export errors 'follow a'; do
    for bad in '' $'\xff' $'a\xc3' $'\xed\xa0\x80' "$(printf 'x%.0s' {1..1001})"; do
      # shellcheck disable=SC2086  # words
      run taskresults $command --grep "$bad"
      [[ $status -eq 2 && $output == 'taskresults: --grep wants a text'* ]] || { echo "$command: $output"; return 1; }
    done
  done
  run taskresults view a --grep "$(printf 'x%.0s' {1..1000})"
  [[ $status -eq 1 && $output == 'taskresults: no such record of job: a' ]]
}

# source_of TEXT TABLE - the expression that the commands use in place of the table.
source_of() {
  # shellcheck disable=SC2016  # for the other bash
  bash -c 'declare -A opt=([grep]=$2)
    load() { local part; for part; do source "$0/shell/$part.bash"; done; }
    load lib/grep; set_grep_source made "$1"; printf %s "$made"' "$root" "$2" "$1"
}

@test "--grep is pushed down: as LIKE on both columns, together with the range of times, and newest first for --latest" {
  make_job a 5 2
  local from
  for text in timeout 50%; do
    from=$(source_of "$text" "task_results('a')")
    assert_plan 'time_us > ? AND job_id = ? AND output LIKE ? ORDER BY rowid DESC' \
      "SELECT rowid AS place, output FROM $from WHERE time_us > 5 ORDER BY rowid DESC LIMIT 3"
    assert_plan 'time_us > ? AND job_id = ? AND error LIKE ? ORDER BY rowid DESC' \
      "SELECT rowid AS place, output FROM $from WHERE time_us > 5 ORDER BY rowid DESC LIMIT 3"
  done
}

@test "follow --grep prints each record that matches once, and none that does not" {
  make_job a 4 2
  local out=$BATS_TEST_TMPDIR/out
  setsid env --default-signal "$(tool taskresults)" follow --interval 0.05 --jsonl --limit 1 --grep TIMEOUT a >"$out" 3>&- &
  follower=$!
  lines_are() { [[ $(wc -l <"$out") == "$1" ]]; }
  await lines_are 1
  append_raw a '{"success": true, "output": "fine"}\n{"success": false, "error": "timeout 1"}\n{"success": true, "output": "fine"}\n'
  await lines_are 2
  append_raw a '{"success": true, "output": "no time_out"}\n'
  append_raw a '{"success": true, "output": "timeout 2"}\n'
  await lines_are 3
  [[ $(grep -c 'timeout 1' "$out") == 1 && $(grep -c 'timeout 2' "$out") == 1 && $(grep -c fine "$out") == 0 ]]
}
