#!/usr/bin/env bats
# taskresults-sqlite3: a sqlite3 program that has the extension built in. Most tests take a stand-in for it, which is made
# at once; `make test-long` builds the program from SQLite's sources.

load ../lib/helpers

# A checkout of its own, with no extension, and a stand-in beside the commands: it cannot load extensions by itself.
lay_out() {
  tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree"
  cp -r "$root/shell" "$tree"
  cat >"$tree/taskresults-sqlite3" <<SH
#!/bin/bash
for word; do [[ \$word != *.load* ]] || { echo 'unknown command: load' >&2; exit 1; }; done
echo x >>"$BATS_TEST_TMPDIR/calls"
exec sqlite3 -cmd '.load $root/taskresults' "\$@"
SH
  chmod +x "$tree/taskresults-sqlite3"
}

calls() { wc -l <"$BATS_TEST_TMPDIR/calls"; }

@test "the commands use a taskresults-sqlite3 that lies in the checkout, and load nothing" {
  lay_out
  make_job alpha 20 4
  [[ $("$tree/shell/taskresults" stats --jsonl) == *'"runs":20'* && $(calls) -ge 1 ]]
  "$tree/shell/taskresults" view alpha --since 2026-01-01 --jsonl | grep -q '"job_id":"alpha"'
  "$tree/shell/taskresults" errors alpha | grep -q 'Connection timeout'
  [[ $("$tree/shell/taskresults" sql 'SELECT count(*) FROM task_results') == 20 ]]
  "$tree/shell/taskresults" prune alpha --keep 5
  [[ $(wc -l <"$results/alpha.jsonl") == 5 ]]
  run "$tree/shell/taskresults" doctor
  echo "$output"
  [[ $output == *"ok    extension "*"/taskresults-sqlite3"* ]]
}

@test "TASKRESULTS_SQLITE3 and TASKRESULTS_EXTENSION go before it" {
  lay_out
  make_job alpha 3
  [[ $(TASKRESULTS_EXTENSION=$root/taskresults.so "$tree/shell/taskresults" sql 'SELECT count(*) FROM task_results') == 3 ]]
  cp "$root/taskresults.so" "$tree"
  [[ $(TASKRESULTS_SQLITE3=sqlite3 "$tree/shell/taskresults" sql 'SELECT count(*) FROM task_results') == 3 ]]
  [[ ! -e $BATS_TEST_TMPDIR/calls ]]
  [[ $(TASKRESULTS_SQLITE3=$tree/taskresults-sqlite3 "$tree/shell/taskresults" sql 'SELECT 1') == 1 && $(calls) == 1 ]]
}

@test "without SQLite's sources, make says where they are" {
  run make -s -C "$root" taskresults-sqlite3
  [[ $status -ne 0 && $output == *'SQLITE_SRC=DIRECTORY'*'https://sqlite.org/download.html'* && ! -e $root/taskresults-sqlite3 ]]
}

@test "it is built from SQLite's sources, needs nothing beside it, and is installed and removed" {
  [[ ${TASKRESULTS_LONG-} ]] || skip "make test-long builds it, which takes a minute"
  local sources=$BATS_TEST_TMPDIR/sqlite copy=$BATS_TEST_TMPDIR/copy status=0
  cd "$root" || return
  tests/matrix/package sqlite3 6.0.1 "$sources" || status=$?
  ((status != 4)) || skip "npm does not have the sources"
  tar -xzf "$sources"/deps/sqlite-autoconf-*.tar.gz -C "$sources" --strip-components=1 --no-same-owner
  mkdir "$copy"
  cp -r Makefile .ci .packages ext include shell examples README.md CHANGELOG.md LICENSE tests "$copy"
  make -s -C "$copy" taskresults-sqlite3 all static SQLITE_SRC="$sources" CFLAGS=-O0
  make -s -C "$copy" install DESTDIR="$copy/stage" PREFIX=/usr
  rm "$copy"/stage/usr/lib/sqlite3/taskresults.so
  make_job alpha 20 4
  [[ $("$copy/stage/usr/bin/taskresults" stats --jsonl) == *'"runs":20'* ]]
  [[ $("$copy/stage/usr/bin/taskresults" sql 'SELECT sqlite_version()') == 3.52.0 ]]
  make -s -C "$copy" uninstall DESTDIR="$copy/stage" PREFIX=/usr
  [[ -z $(find "$copy/stage" -type f) ]]
}
