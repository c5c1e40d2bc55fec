#!/usr/bin/env bats
# What a command costs before it does anything: processes, and our files that bash has to read. They are counted, not timed.

load ../../lib/helpers
load ../../lib/shell

setup_start_up() {
  command -v strace >/dev/null || skip 'no strace here'
  make_job a 3
  make_job b 2 1
}

# processes WORDS... - sets `count`, how many processes ran, the first one included.
processes() {
  strace -f -qq -o "$BATS_TEST_TMPDIR/calls" -e trace=clone,clone3,fork,vfork,execve "$(tool taskresults)" "$@" \
    >"$BATS_TEST_TMPDIR/said" 2>"$BATS_TEST_TMPDIR/complained"
  count=$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/calls" | sort -u | wc -l)
}

@test "view --latest and list start four processes at most: bash, sqlite3, awk for the table, and one to spare" {
  setup_start_up
  local words
  for words in 'view a --latest' 'view b --limit 2' list 'list --failing'; do
    # shellcheck disable=SC2086  # words
    processes $words
    [[ -s $BATS_TEST_TMPDIR/said ]]
    ((count >= 2 && count <= 4)) || { echo "$words: $count"; cat "$BATS_TEST_TMPDIR/calls"; return 1; }
  done
}

# So that the program starts while bash reads the rest. Bash's own table of processes is half a megabyte, which takes as
# long to fill as a query.
@test "view JOB --latest starts sqlite3 before it reads what writes the statement, reads no options' file, and never fills bash's table of processes" {
  setup_start_up
  local calls=$BATS_TEST_TMPDIR/calls
  strace -f -qq -o "$calls" -e trace=clone,clone3,fork,vfork,openat,mmap "$(tool taskresults)" view a --latest
  run awk '/clone|fork/ { print "started" } /lib\/sql_text\.bash/ { print "statement" } /lib\/options\.bash/ { print "options" }
    /mmap\(NULL, 5[0-9][0-9][0-9][0-9][0-9],.*MAP_ANONYMOUS/' "$calls"
  [[ $output == $'started\nstatement' ]] || { echo "$output"; return 1; }
}

# Allowed are the files that every command reads, and two that only set variables.
CORE=' lib/start lib/environment lib/load lib/options lib/places lib/sqlite terminal/terminal '

@test "no command reads a file without calling one of its functions" {
  setup_start_up
  local words file path useless=() shell
  shell=$(dirname "$(readlink -f "$(tool taskresults)")")
  for words in 'view a --latest' 'view a' 'view a --json' 'view --all --limit 1' 'view a --since 2020-01-01' list \
    'list --csv' stats 'stats a --by day' 'stats --json' errors 'errors --jsonl' rejects 'export a' 'export --format json' \
    metrics 'report -o page' sla 'sla --csv' 'alerts --nagios' doctor version 'sql SELECT\ 1' 'help list' 'list --help' \
    'prune a --keep 2 --dry-run' next 'next a --within 1h' 'next --csv'; do
    eval "words=($words)"
    (cd "$BATS_TEST_TMPDIR" && BASH_XTRACEFD=9 strace -f -qq -e trace=openat -e signal=none -o opened \
      bash -p -x "$shell/taskresults" "${words[@]}" >/dev/null 2>&1 9>traced) || true
    while read -r path; do
      file=${path#"$shell/"} file=${file%.bash}
      [[ $CORE != *" $file "* && $file != commands/* ]] || continue
      grep -oE '^[a-z_]+\(\)' "$path" | tr -d '()' >"$BATS_TEST_TMPDIR/functions"
      [[ -s $BATS_TEST_TMPDIR/functions ]] || continue # it has texts alone
      sed 's/^+* *//; s/ .*//' "$BATS_TEST_TMPDIR/traced" | grep -qFxf "$BATS_TEST_TMPDIR/functions" ||
        useless+=("${words[*]}: $file")
    done < <(grep -v ENOENT "$BATS_TEST_TMPDIR/opened" | grep -oE "\"$shell/[a-z_/]+\.bash\"" | tr -d '"' | sort -u)
    unset -v words
    local words
  done
  ((${#useless[@]} == 0)) || { printf '%s\n' "${useless[@]}"; return 1; }
}
