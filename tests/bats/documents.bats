#!/usr/bin/env bats
# The documents: their code runs, and their links lead somewhere.

load ../lib/helpers

# run_documents [--part] [DOCUMENTS]
run_documents() {
  local part=()
  [[ ${1-} != --part ]] || { part=(--part); shift; }
  env -u COLUMNS -u NO_COLOR PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/lib/documents.py" "${part[@]}" "$root" \
    "$BATS_FILE_TMPDIR/place" "$@"
}

check_links() {
  PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/lib/document_links.py" "$1"
}

@test "every block of code of every document runs, or is listed with the reason why not" {
  run run_documents
  echo "$output"
  [[ $status -eq 0 && ${lines[-1]} =~ ^([0-9]+)\ blocks,\ ([0-9]+)\ run,\ 0\ faults$ && ${BASH_REMATCH[2]} -ge 15 ]]
}

# plant LANGUAGE LINE... - a document with a block of that, in a directory of its own; `planted`: that directory.
plant() {
  planted=$BATS_TEST_TMPDIR/planted
  mkdir -p "$planted/new"
  { printf '# New\n\n   - in a list:\n\n      ```%s\n' "$1"; printf '      %s\n' "${@:2}"; printf '      ```\n'; } >"$planted/new/NEW.md"
}

# finds WORDS - the check names the planted document, and the fault with these words.
finds() {
  run run_documents --part "$planted"
  echo "$output"
  [[ $status -eq 1 && $output == *"new/NEW.md:5: "*"$1"*'1 blocks, '*' 1 faults' ]]
}

@test "a new document with a wrong block is found, whatever its language" {
  plant sh 'shell/taskresults list' 'shell/taskresults no-such-command' 'true'
  finds 'status 2: '
  plant sh 'false | true' 'echo behind'
  finds 'status 1: '
  plant sh 'true'
  finds 'printed nothing'
  plant 'sh run' "sql \"SELECT * FROM task_results('no-such-job')\"" 'echo behind'
  finds 'printed nothing: SELECT'
  plant sql 'SELECT 1;' 'SELECT no_such_column FROM task_results;' 'SELECT 2;'
  finds 'no such column: no_such_column'
  plant python 'import json' 'json.loads("{")'
  finds 'JSONDecodeError'
  plant c 'int main(void) { return no_such_thing; }'
  finds 'no_such_thing'
  plant crontab '0 3 * * *  taskresults prune --all --keep 10'
  finds "cron's PATH lacks /usr/local/bin"
  plant crontab '0 3 * *  /bin/true'
  finds 'no line of a crontab'
  plant crontab '0 3 * * *  date +%H'
  finds 'cron ends the command at %'
  plant json '{"a": }'
  finds 'Expecting value'
  plant cobol 'DISPLAY 1.'
  finds "not known how to run 'cobol'"
  plant '' 'true'
  finds "not known how to run ''"
  plant sh 'make test'
  finds 'no block calls make'
  plant sh 'tests/run'
  finds 'status 127: '
  plant sh 'echo fine'
  sed -i '$d' "$planted/new/NEW.md"
  finds 'the fence is never closed'
}

@test "correct blocks of a new document pass, and what they write stays in a directory of their own" {
  plant sql 'SELECT taskresults_writable(1);' "INSERT INTO task_results(job_id, success) VALUES ('new', 1);"
  run run_documents --part "$planted"
  [[ $status -eq 0 && $output == '1 blocks, 1 run, 0 faults' ]]
  plant sh 'pwd >examples/results/new.jsonl; pwd'
  run run_documents --part "$planted"
  [[ $status -eq 0 && ! -e $root/examples/results/new.jsonl && ! -e $root/build/examples/results/new.jsonl ]]
  plant sh 'echo more >>README.md; echo fine' # which would be there for the next block
  run run_documents --part "$planted"
  [[ $status -eq 1 && $output == *"README.md: a block has written into it"*', 1 faults' ]]
  plant sh 'for place in . ext ext/base shell shell/lib tests tests/bats .ci; do echo "$PWD" | tee "$place/NEW.md"; done'
  run run_documents --part "$planted"
  [[ $status -eq 0 && -z $(find "$root" -name NEW.md -not -path '*/build/*') ]]
}

# An entry that is no longer needed would exempt the next block that begins like it.
@test "an entry in the list of blocks that are not run is an error if no block begins like it" {
  plant sh 'echo fine'
  run run_documents "$planted"
  [[ $status -eq 1 && $output == *"('README.md', 'make demo'): listed, but there is no such block"* ]]
}

@test "every link of every document leads to a file of the project, and to a heading of it" {
  run check_links "$root"
  echo "$output"
  [[ $status -eq 0 && -z $output ]]
  mkdir "$BATS_TEST_TMPDIR/links"
  printf '# A *new* `heading`, here\n\n[1](B.md) [2](A.md#a-new-heading-here) [3](#a-new-heading) `[4](C.md)` [5](https://example.org/D.md)\n' \
    >"$BATS_TEST_TMPDIR/links/A.md"
  run check_links "$BATS_TEST_TMPDIR/links"
  [[ $status -eq 1 && $output == $'A.md:3: B.md: no such file\nA.md:3: #a-new-heading: no such heading' ]]
}

@test "README has at most 250 lines" {
  [[ $(wc -l <"$root/README.md") -le 250 ]]
}

@test "the newest version in CHANGELOG is the version that is built; later changes are under Unreleased" {
  local version headings
  version=$(version_built)
  headings=$(grep -oE '^## .*' "$root/CHANGELOG.md")
  [[ $(grep -oE '[0-9]+\.[0-9]+\.[0-9]+' <<<"$headings" | head -n 1) == "$version" ]]
  [[ $(grep -vE '^## [0-9]+\.[0-9]+\.[0-9]+( \(|$)' <<<"$headings") =~ ^(## Unreleased)?$ ]]
}

# documented WORD DOCUMENT - the document has the word as code, alone or with arguments.
documented() {
  grep -qE "\`(taskresults )?$1[\` (=]" "$root/$2" || { echo "$2 has no $1"; return 1; }
}

@test "every command, table, function and variable is described in the document for its kind" {
  local name names
  names=$(cd "$root/shell/commands" && printf '%s\n' *.bash | sed 's/\.bash$//' | grep -vxE 'help|version')
  for name in $names view_results; do
    documented "$name" README.md
    documented "$name" shell/README.md
  done
  names=$(sql "SELECT name FROM pragma_module_list WHERE name LIKE 'task%'
    UNION SELECT name FROM pragma_function_list WHERE name LIKE 'taskresults%'")
  [[ $names == *task_results*taskresults_version* ]]
  for name in $names; do documented "$name" ext/TABLES.md; done
  names=$("$root/shell/taskresults" help | grep -oE '(TASKRESULTS|SCHEDULER)_[A-Z0-9_]+' | sort -u)
  [[ $names == *SCHEDULER_JOBS_FILE*TASKRESULTS_MAX_LINE* ]]
  for name in $names; do documented "$name" ext/TABLES.md || documented "$name" shell/README.md; done
}

@test "every picture is shown by a document, and is small" {
  cd "$root"
  local picture shown pictures ours=(. \( -name build -o -name .git -o -name node_modules \) -prune -o)
  shown=$(find "${ours[@]}" -name '*.md' -exec grep -oE '\]\([^)]+\)' {} +)
  mapfile -t pictures < <(find "${ours[@]}" \( -name '*.png' -o -name '*.svg' \) -print)
  ((${#pictures[@]} >= 3))
  for picture in "${pictures[@]}"; do
    echo "$picture"
    [[ $shown == *"${picture##*/})"* && $(wc -c <"$picture") -le 150000 ]]
  done
}

@test "the pictures can be made again" {
  command -v chromium >/dev/null || skip 'no chromium here'
  run "$root/examples/pictures/make" "$BATS_TEST_TMPDIR/pictures"
  echo "$output"
  [[ $status -eq 0 ]]
  cd "$BATS_TEST_TMPDIR/pictures"
  local picture
  for picture in status{,-dark,-phone,-wall}.png; do
    [[ $(head -c 4 "$picture" | od -An -tx1) == ' 89 50 4e 47' && $(wc -c <"$picture") -gt 20000 ]]
  done
  [[ $(<list.svg) == '<svg '*'>$ taskresults list</text>'*'>price-watch</text>'*'>failed</text>'*'</svg>' ]]
}

@test "the files and targets that CONTRIBUTING names exist, and the CI workflow calls .ci/run" {
  cd "$root"
  run python3 tests/lib/contributing.py . .github/CONTRIBUTING.md
  echo "$output"
  [[ $status -eq 0 && ${output%% *} -ge 60 ]]
  # And the check fails for one that does not exist.
  cat >"$BATS_TEST_TMPDIR/WRONG.md" <<'MARKDOWN'
`ext/tables/no_such.c`, `tests/no_such/NAME.py`, `make no-such-target`, `no_such_function()`, `tr_NAME_no_such()`, `NO_SUCH_WORD`
MARKDOWN
  run python3 tests/lib/contributing.py . "$BATS_TEST_TMPDIR/WRONG.md"
  [[ $status -eq 1 && ${lines[-1]} == '6 names' && ${#lines[@]} -eq 7 ]]
  [[ -x .ci/run ]]
  grep -qx '        run: .ci/run' .github/workflows/ci.yml
  # On the versions of Debian that README says are tested.
  grep -q 'Debian 12 and 13' README.md
  grep -qx '        debian: \[bookworm, trixie\]' .github/workflows/ci.yml
}

@test "the estimate of a fleet is what its program prints" {
  cd "$root"
  local printed
  printed=$(examples/clickhouse/estimate)
  [[ $printed == *'2 shards x 2 replicas'* && $(<examples/clickhouse/README.md) == *$'```text\n'"$printed"$'\n```'* ]]
  [[ $(examples/clickhouse/estimate 10 1000 | head -n 2) == $'10 hosts x 1,000 records a day\n'*' 0' ]]
}
