#!/usr/bin/env bats
# Each folder below ext includes only what is lower: .ci/layers.

load ../helpers

setup() {
  tree=$BATS_TEST_TMPDIR/ext
  cp -r "$root/ext" "$tree"
}

# assert_found WORDS - .ci/layers finds one fault in the tree, and says so.
assert_found() {
  run "$root/.ci/layers" "$tree"
  echo "$output"
  [[ $status -eq 1 && ${#lines[@]} -eq 1 && $output == *"$1"* ]]
}

@test "the sources as they are include downwards only" {
  run "$root/.ci/layers" "$tree"
  [[ $status -eq 0 && -z $output ]]
}

@test "an include that points up is found, in a source, in a header and in what is included as text" {
  echo '#include "../scan/scan.h"' >>"$tree/read/lines.c"
  assert_found 'read/lines.c: includes "../scan/scan.h"'
  cp "$root/ext/read/lines.c" "$tree/read/lines.c"
  echo '#include "../prune/prune.h"' >>"$tree/write/write.h"
  assert_found 'write/write.h: includes "../prune/prune.h"'
  cp "$root/ext/write/write.h" "$tree/write/write.h"
  echo '#include "../tables/tables.h"' >>"$tree/read/fast_walk.inc"
  assert_found 'read/fast_walk.inc: includes "../tables/tables.h"'
}

@test "a second header of a folder is found, and a folder without a place in the order" {
  touch "$tree/base/clock.h"
  assert_found 'base/clock.h: a folder has one header, base.h'
  rm "$tree/base/clock.h"
  mkdir "$tree/misc"
  assert_found 'misc: not in FOLDERS of the Makefile'
}

@test "what Linux alone has is found outside its file, and comments may name it" {
  echo '/* renameat2() and /proc are in platform_linux.c */' >>"$tree/prune/io.c"
  echo 'int tr_planted(int fd) { return fcntl(fd, F_SETLEASE, F_UNLCK); }' >>"$tree/prune/io.c"
  assert_found 'prune/io.c: F_SETLEASE belongs in base/platform_linux.c'
  cp "$root/ext/prune/io.c" "$tree/prune/io.c"
  echo 'static const char planted[] = "/proc/self/maps";' >>"$tree/scan/scan.h"
  assert_found 'scan/scan.h: /proc belongs in base/platform_linux.c'
}
