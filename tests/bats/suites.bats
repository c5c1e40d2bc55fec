#!/usr/bin/env bats
# tests/run prints the count as its last line, whatever happens to it, and `make test` a line with the count.

load ../lib/helpers

# A copy of the project whose suites the test writes itself. A unit is a shell script here.
setup_file() {
  export tree=$BATS_FILE_TMPDIR/tree
  mkdir -p "$tree/tests/unit" "$tree/tests/bats/shell"
  cp "${TASKRESULTS_ROOT:-$BATS_TEST_DIRNAME/../..}/tests/run" "$tree/tests/run"
  cat >"$tree/Makefile" <<'MAKEFILE'
all test-libraries: ; @test ! -e broken
test-units: $(patsubst tests/unit/%.c,build/unit/%,$(wildcard tests/unit/*.c))
build/unit/%: tests/unit/%.c ; @mkdir -p build/unit && sh -n $< && cp $< $@ && chmod +x $@
install: ; @true
MAKEFILE
}

setup() {
  rm -f "$tree"/tests/unit/* "$tree"/tests/bats/*.bats "$tree"/tests/bats/shell/* "$tree/broken"
  # shellcheck disable=SC2016  # the test's own
  printf '@test "fine" {\n  [[ $LANG == C.UTF-8 && -z ${LC_ALL-} && ! -t 0 ]]\n}\n' >"$tree/tests/bats/fine.bats"
  printf '#!/bin/sh\necho "ok 1 a unit"\n' >"$tree/tests/unit/good.c"
  printf '@test "here too # skip" { skip "not today"; }\n' >"$tree/tests/bats/shell/skipped.bats"
}

# run_suites - runs them with an odd locale, and as a background process of a script.
run_suites() {
  run env --ignore-signal=INT,QUIT,PIPE LC_ALL=tr_TR.UTF-8 "$tree/tests/run"
  counted=${lines[-1]}
}

@test "all pass: the last line counts them, and the status is 0" {
  run_suites
  [[ $status -eq 0 && $counted == '2 passed, 0 failed, 1 skipped' ]]
}

@test "a failed test, a unit that is killed, and one that does not compile: each is named, and counted in the last line" {
  printf '@test "wrong" {\n  false\n}\n' >"$tree/tests/bats/shell/wrong.bats"
  printf 'kill -9 $$\n' >"$tree/tests/unit/dies.c"
  printf 'if\n' >"$tree/tests/unit/torn.c"
  run_suites
  [[ $status -eq 1 && $counted == '2 passed, 3 failed, 1 skipped' ]]
  [[ $output == *'not ok 1 wrong'* && $output == *'not ok tests/unit/dies.c exited with status 137'* ]]
  [[ $output == *'not ok tests/unit/torn.c does not compile'* ]]
}

@test "with a broken bats file, a failing build, or no suite at all, the last line is the count" {
  echo '@test "torn" {' >"$tree/tests/bats/torn.bats"
  run_suites
  [[ $status -eq 1 && $counted == '2 passed, 1 failed, 1 skipped' ]]
  touch "$tree/broken"
  run_suites
  [[ $status -eq 1 && $output == *'not ok the build'* && $counted == '0 passed, 1 failed' ]]
  rm "$tree/broken"
  run "$tree/tests/run" no-such-suite
  [[ $status -eq 1 && ${lines[-1]} == '0 passed, 0 failed' ]]
}

@test "a signal ends the running suites, and the last line is the count" {
  # shellcheck disable=SC2016  # the test's own
  printf '@test "waits" {\n  echo $BASHPID >%s && mv %s %s\n  exec sleep 1000\n}\n' "$BATS_TEST_TMPDIR"/{new,new,begun} \
    >"$tree/tests/bats/slow.bats"
  local signal pid status
  for signal in INT TERM HUP; do
    rm -f "$BATS_TEST_TMPDIR/begun"
    env --default-signal TEST_JOBS=1 "$tree/tests/run" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    pid=$! status=0
    until [[ -e $BATS_TEST_TMPDIR/begun ]]; do kill -0 "$pid" || return; sleep 0.02; done
    kill "-$signal" "$pid"
    wait "$pid" || status=$?
    cat "$BATS_TEST_TMPDIR/out"
    ((status == 128 + $(kill -l "$signal")))
    [[ $(tail -n 1 "$BATS_TEST_TMPDIR/out") =~ ^[0-9]\ passed,\ 1\ failed ]]
    grep -qx 'not ok tests/bats/slow.bats was ended' "$BATS_TEST_TMPDIR/out"
    while grep '^State:.[^Z]' "/proc/$(<"$BATS_TEST_TMPDIR/begun")/status"; do sleep 0.02; done
  done
}

@test "make test ends with the count, whether it passes or fails" {
  cp -r "$root/Makefile" "$root/.ci" "$root/include" "$BATS_TEST_TMPDIR"
  mkdir "$BATS_TEST_TMPDIR/tests"
  # shellcheck disable=SC2016  # the script's own
  printf '#!/bin/sh\nrm -f "$TEST_FAILED_FILE"\n[ -e fine ] || echo "3 passed, 1 failed" | tee "$TEST_FAILED_FILE"\n' \
    >"$BATS_TEST_TMPDIR/tests/run"
  printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/.ci/deps"
  chmod +x "$BATS_TEST_TMPDIR/tests/run"
  mkdir "$BATS_TEST_TMPDIR/build"
  run make -s -C "$BATS_TEST_TMPDIR" test
  [[ $status -ne 0 && ${lines[-1]} == *'3 passed, 1 failed'* ]]
  touch "$BATS_TEST_TMPDIR/fine"
  run make -s -C "$BATS_TEST_TMPDIR" test
  [[ $status -eq 0 && -z $output ]]
}
