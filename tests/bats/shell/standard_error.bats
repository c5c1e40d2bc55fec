#!/usr/bin/env bats
# Names in messages cannot change the reader's terminal. Every command gets hostile names in every place that takes one, and
# each byte of its standard error is checked.

load ../../lib/helpers
load ../../lib/shell

# One name with many UTF-8 characters; names of just a bidirectional override or an escape; and a name that is not UTF-8.
hostile_names=($'c1\u009b31mx csi\xc2\x9b osc\xc2\x9d0;title isolate\u2066x\u2069 bell\a del\x7f back\b\b\bspace return\rx'
  $'bidi\u202eevil' $'esc\e[31mred' $'raw\x9b31m' $'overlong\xe0\x82\x9b')

# heard COMMAND... - runs it, and keeps its standard error. judge_all checks all of them in one process.
heard() {
  local said=$BATS_TEST_TMPDIR/said
  mkdir -p "$said"
  heard_number=$((${heard_number-0} + 1))
  printf '%q ' "${@: -4}" >"$said/$heard_number.command"
  "$@" </dev/null >/dev/null 2>"$said/$heard_number.err" || true
  [[ -z ${must_complain-} || -s $said/$heard_number.err ]] || { printf 'not a word: %q\n' "$@"; return 1; }
}

# judge_all LEAST - checks the standard error of the commands, which must be LEAST or more. Python decodes UTF-8 like a
# terminal.
judge_all() {
  ((heard_number >= $1))
  python3 - "$BATS_TEST_TMPDIR/said" "$heard_number" <<'PYTHON'
import sys, unicodedata
place, count = sys.argv[1], int(sys.argv[2])
bad = 0
for number in range(1, count + 1):
    said = open(f"{place}/{number}.err", "rb").read()
    try:
        text = said.decode("utf-8")  # what is no UTF-8 is an error
        for character in text:
            kind = unicodedata.category(character)
            assert character in "\n\t" or kind not in ("Cc", "Cs"), repr(character)
            assert unicodedata.bidirectional(character) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"), repr(character)
    except (UnicodeDecodeError, AssertionError) as error:
        bad += 1
        print(open(f"{place}/{number}.command").read(), said, error)
sys.exit(bad > 0)
PYTHON
}

every_command=(list stats errors rejects export metrics 'report -o -' sla doctor 'prune --all --keep 1 --dry-run' 'alerts --state STATE'
  'alerts --nagios' 'view --all')

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

@test "control characters in the names of unreadable files are made visible in messages" {
  ((EUID == 0)) || skip 'only root can take the place of somebody else'
  open_results
  local name words program command
  make_job good 2
  for name in "${hostile_names[@]}"; do
    printf 'torn {\n' >"$results/$name.jsonl"
    mkdir "$results/folder$name.jsonl"
  done
  chmod 000 "$results"/*[!d].jsonl
  chmod 644 "$results/good.jsonl"
  program=$(tool taskresults)
  for locale in C C.UTF-8; do
    for command in "${every_command[@]}"; do
      read -ra words <<<"${command//STATE//dev/null}"
      heard env LC_ALL=$locale "${as_nobody[@]}" "$program" "${words[@]}"
    done
    heard env LC_ALL=$locale "${as_nobody[@]}" "$(tool view_results)"
    for name in "${hostile_names[@]}"; do
      for command in view stats errors rejects export sla 'prune --keep 1'; do
        read -ra words <<<"$command"
        heard env LC_ALL=$locale "${as_nobody[@]}" "$program" "${words[@]}" -- "$name"
      done
      heard env LC_ALL=$locale "${as_nobody[@]}" timeout 300 "$program" run "$name" -- true
    done
  done
  judge_all 100
}

@test "control characters in names given to a command are made visible in messages, wherever they are given" {
  make_job a 1
  local name program command words must_complain=1
  program=$(tool taskresults)
  for name in "${hostile_names[@]}"; do
    for command in view stats errors sla 'prune --keep 1' export; do
      read -ra words <<<"$command"
      heard "$program" "${words[@]}" -- "$name"
    done
    heard "$program" "$name"
    heard "$program" help "$name"
    heard "$program" list "--$name"
    heard "$program" list "$name"
    heard "$program" list --sort "$name"
    heard "$program" errors --since "$name"
    heard "$program" view a --limit "$name"
    heard "$program" export --columns "$name"
    heard "$program" export --format "$name"
    heard "$program" export -o "$name/x"
    heard "$program" metrics -o "no/$name"
    heard "$program" report --days "$name"
    heard "$program" alerts --state "no/$name"
    heard "$program" alerts --job "$name"
    heard "$program" alerts --silent "$name=1h"
    heard "$program" prune a --keep "$name"
    heard "$program" run a --timeout "$name" -- true
    heard "$program" run a -- "./$name"
    heard "$program" run "a/$name" -- true
    heard "$program" sql "SELECT '$name"
    heard "$program" sql "SELECT $name"
    heard "$program" sla --target "$name"
    heard env SCHEDULER_RESULTS_DIR="$BATS_TEST_TMPDIR/$name" "$program" list
    heard env SCHEDULER_RESULTS_DIR="$BATS_TEST_TMPDIR/$name" "$program" run a -- true
    heard env TASKRESULTS_EXTENSION="$BATS_TEST_TMPDIR/$name" "$program" list
    heard env TASKRESULTS_SQLITE3="./$name" "$program" list
    heard env TASKRESULTS_MAX_LINE="$name" "$program" list
    heard "$(tool view_results)" "$name" "$name" "$name"
  done
  judge_all 150
}

@test "control characters in jobs.json are made visible in messages" {
  make_job a 1
  local name=$'csi\u009b31m\u202e' program must_complain=
  program=$(tool taskresults)
  printf '{"jobs": [{"id": "%s", "next_run": "%s"}, {"id": 7%s' "$name" "$name" "$name" >"$BATS_TEST_TMPDIR/jobs.json"
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json
  for command in doctor 'report -o -' 'alerts --overdue --state /dev/null'; do
    read -ra words <<<"$command"
    heard "$program" "${words[@]}"
  done
  judge_all 3
}

@test "JSON on a terminal has control characters as escapes, and is the same for a parser" {
  local name
  for name in $'c1\u009b31m\u0080\u009f' $'bidi\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069' $'del\x7f'; do
    printf '{"timestamp":"2026-01-01T00:00:00Z","success":false,"output":"","error":"%s é 日本 ⁠"}\n' "$name" >"$results/$name.jsonl"
  done
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR
  local command words
  for command in 'list --json' 'stats --json' 'errors --json' 'view --all --json' 'export --format json' 'rejects --json' 'sla --json'; do
    read -ra words <<<"$command"
    on_pty 200 "$(tool taskresults)" "${words[@]}" >"$BATS_TEST_TMPDIR/shown"
    taskresults "${words[@]}" >"$BATS_TEST_TMPDIR/piped"
    python3 - "$BATS_TEST_TMPDIR/shown" "$BATS_TEST_TMPDIR/piped" <<'PYTHON' || { echo "$command"; return 1; }
import json, sys, unicodedata
shown, piped = (open(name, encoding="utf-8", newline="").read().replace("\r\n", "\n") for name in sys.argv[1:])
for character in shown:
    assert character == "\n" or unicodedata.category(character) != "Cc", shown
    assert unicodedata.bidirectional(character) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"), shown
assert json.loads(shown) == json.loads(piped)
PYTHON
  done
  on_pty 200 "$(tool taskresults)" metrics >"$BATS_TEST_TMPDIR/shown" # no JSON, but for a terminal only if it is one
  [[ -s $BATS_TEST_TMPDIR/shown && $(LC_ALL=C grep -c -P '\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\x7f' "$BATS_TEST_TMPDIR/shown") == 0 ]]
  on_pty 200 "$(tool taskresults)" export --format json -o "$BATS_TEST_TMPDIR/file"
  cmp "$BATS_TEST_TMPDIR/file" <(taskresults export --format json)
}
