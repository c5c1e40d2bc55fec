#!/usr/bin/env bats
# Building, installing and the packages that are needed.

load ../lib/helpers

@test "make install puts the extension where it loads from, and uninstall takes it away" {
  make -s -C "$root" install DESTDIR="$BATS_TEST_TMPDIR/stage" PREFIX=/usr
  [[ -f $BATS_TEST_TMPDIR/stage/usr/include/taskresults.h ]]
  # shellcheck disable=SC2034  # read by sql() in tests/lib/helpers.bash
  extension=$BATS_TEST_TMPDIR/stage/usr/lib/sqlite3/taskresults
  make_job a 3
  assert_rows 3 'SELECT count(*) FROM task_results'
  make -s -C "$root" uninstall DESTDIR="$BATS_TEST_TMPDIR/stage" PREFIX=/usr
  [[ -z $(find "$BATS_TEST_TMPDIR/stage" ! -type d) ]]
}

@test "libdir moves the extension" {
  make -s -C "$root" install DESTDIR="$BATS_TEST_TMPDIR/stage" libdir=/usr/lib/there
  [[ -f $BATS_TEST_TMPDIR/stage/usr/lib/there/sqlite3/taskresults.so ]]
  [[ $("$BATS_TEST_TMPDIR/stage/usr/local/bin/taskresults" version) == 'taskresults '* ]]
}

@test "deps does nothing when everything is there" {
  run "$root/.ci/deps" build test
  [[ $status -eq 0 && -z $output ]]
}

@test "deps prints the exact command when it may not install" {
  dpkg-query() { return 1; } # nothing is installed
  export -f dpkg-query
  as_nobody=()
  ((EUID)) || as_nobody=(setpriv --reuid=65534 --clear-groups)
  run "${as_nobody[@]}" bash -s build <"$root/.ci/deps"
  [[ $status -eq 3 ]]
  [[ $output == *'apt-get install -y --no-install-recommends gcc libc6-dev pkg-config libsqlite3-dev libcjson-dev sqlite3'* ]]
}

# fake_packages - a machine on which Debian's tools know no package until apt-get has run, which only leaves a mark.
fake_packages() {
  fakes=$BATS_TEST_TMPDIR/fakes installed=$BATS_TEST_TMPDIR/installed
  mkdir "$fakes"
  printf '#!/bin/sh\n[ -e "%s" ] && printf installed\n' "$installed" >"$fakes/dpkg-query"
  printf '#!/bin/sh\necho "$*" >>"%s"\n' "$installed" >"$fakes/apt-get"
  chmod +x "$fakes"/*
}

@test "no target but deps, demo and test installs packages: what is missing is named with the command" {
  fake_packages
  local target targets
  targets=$(make -s -C "$root" help | awk '$2 !~ /^(deps|demo|test|man|uninstall|clean|help|widths)$/ {print $2}')
  [[ $targets == *all*install* ]]
  for target in taskresults.so $targets; do
    PATH=$fakes:$PATH run make -s -C "$root" "$target" DESTDIR="$BATS_TEST_TMPDIR/stage"
    echo "$target: $output"
    [[ $status -ne 0 && $output == *'apt-get install -y --no-install-recommends '*' Error 3'* && ! -e $installed ]]
  done
  [[ ! -e $BATS_TEST_TMPDIR/stage ]]
}

@test "deps, demo and test install what is missing, and go on" {
  ((EUID == 0)) || skip 'only root installs packages'
  fake_packages
  PATH=$fakes:$PATH run make -s -C "$root" demo
  echo "$output"
  [[ $status -eq 0 && $output == 'Installing: gcc '* && $(wc -l <"$installed") -eq 2 ]] # update, install
  [[ $(wc -l <<<"$output") -le 40 && $output == *'$ shell/taskresults list'*'$ shell/taskresults errors'*'build/status.html'* ]]
  rm "$installed"
  mkdir "$BATS_TEST_TMPDIR/tree" "$BATS_TEST_TMPDIR/tree/tests"
  cp -r "$root/Makefile" "$root/.ci" "$BATS_TEST_TMPDIR/tree"
  printf '#!/bin/sh\necho the tests ran\n' >"$BATS_TEST_TMPDIR/tree/tests/run"
  chmod +x "$BATS_TEST_TMPDIR/tree/tests/run"
  PATH=$fakes:$PATH run make -s -C "$BATS_TEST_TMPDIR/tree" test
  [[ $status -eq 0 && $output == 'Installing: gcc '*'bats'*'the tests ran' && $(wc -l <"$installed") -eq 2 ]]
  rm "$installed"
  PATH=$fakes:$PATH run make -s -C "$BATS_TEST_TMPDIR/tree" deps DEPS=lint
  [[ $status -eq 0 && $(grep -c '^install .*shellcheck' "$installed") -eq 1 ]]
}

@test "make help lists the targets" {
  run make -s -C "$root" help
  for target in all static demo test deps asan coverage lint format bench man install uninstall clean help; do
    [[ $output == *"make $target "* ]]
  done
}
