#!/usr/bin/env bats
# Building, installing and the packages that are needed.

load ../helpers

@test "make install puts the extension where it loads from, and uninstall takes it away" {
  make -s -C "$root" install DESTDIR="$BATS_TEST_TMPDIR/stage" PREFIX=/usr
  [[ -f $BATS_TEST_TMPDIR/stage/usr/include/taskresults.h ]]
  # shellcheck disable=SC2034  # read by sql() in tests/helpers.bash
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

@test "make help lists every target that the README names" {
  run make -s -C "$root" help
  for target in all static demo test deps asan coverage lint format bench man install uninstall clean help; do
    [[ $output == *"make $target "* ]]
  done
}
