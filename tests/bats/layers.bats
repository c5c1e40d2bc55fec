#!/usr/bin/env bats
# The checks of .ci: each folder below ext includes only lower ones (layers); names are unique (names); comments name only
# what exists (comments); everything is used (unused); functions and headers of C are short (shape), and functions of shell
# (functions).

load ../lib/helpers

setup() {
  tree=$BATS_TEST_TMPDIR/ext runner=$BATS_TEST_TMPDIR/runner
  cp -r "$root/ext" "$tree"
  cp -r "$root/shell/runner" "$runner"
}

# assert_found WORDS - .ci/layers fails, and its message has these words.
assert_found() {
  run "$root/.ci/layers" "$tree" "$runner"
  echo "$output"
  [[ $status -eq 1 && ${#lines[@]} -eq 1 && $output == *"$1"* ]]
}

@test "the sources as they are include downwards only" {
  run "$root/.ci/layers" "$tree" "$runner"
  [[ $status -eq 0 && -z $output ]]
}

@test "an include of a higher folder is found, in a source, in a header and in a *.inc file" {
  echo '#include "../scan/scan.h"' >>"$tree/read/lines.c"
  assert_found 'read/lines.c: includes "../scan/scan.h"'
  cp "$root/ext/read/lines.c" "$tree/read/lines.c"
  echo '#include "../prune/prune.h"' >>"$tree/write/write.h"
  assert_found 'write/write.h: includes "../prune/prune.h"'
  cp "$root/ext/write/write.h" "$tree/write/write.h"
  echo '#include "../tables/tables.h"' >>"$tree/read/fast_walk.inc"
  assert_found 'read/fast_walk.inc: includes "../tables/tables.h"'
}

@test "a second header in a folder is found, and a folder that is not in the order" {
  touch "$tree/base/clock.h"
  assert_found 'base/clock.h: a folder has one header, base.h'
  rm "$tree/base/clock.h"
  mkdir "$tree/misc"
  assert_found 'misc: not in FOLDERS of the Makefile'
}

@test "a call that only Linux has is found outside the files for it; comments and messages may name it" {
  echo '/* renameat2() and /proc are in platform_linux.c */' >>"$tree/prune/io.c"
  echo 'int tr_planted(int fd) { return fcntl(fd, F_SETLEASE, F_UNLCK); }' >>"$tree/prune/io.c"
  assert_found 'prune/io.c: F_SETLEASE belongs in base/platform_linux.c'
  cp "$root/ext/prune/io.c" "$tree/prune/io.c"
  echo 'static const char planted[] = "/proc/self/maps";' >>"$tree/scan/scan.h"
  assert_found 'scan/scan.h: /proc belongs in base/platform_linux.c'
  cp "$root/ext/scan/scan.h" "$tree/scan/scan.h"
  echo 'static const char planted[] = "prctl() is told about in a message";' >>"$runner/say.c"
  echo '#include <sys/signalfd.h>' >>"$runner/say.c"
  assert_found 'runner/say.c: <sys/signalfd.h> belongs in platform_linux.c'
  cp "$root/shell/runner/say.c" "$runner/say.c"
  local name
  for name in O_PATH memrchr fgetxattr pthread_condattr_setclock prctl SYS_getdents64 __linux__; do
    echo "int planted = $name;" >"$tree/read/planted.c"
    assert_found "read/planted.c: $name belongs in base/platform_linux.c"
  done
}

@test "a name that two files use for different things is found: functions, variables, types, macros" {
  run "$root/.ci/names" "$tree"
  [[ $status -eq 0 && -z $output ]]
  local planted file=$tree/base/planted.c
  for planted in 'static int planted(int a) { return a; }' 'static inline __attribute__((unused)) bool planted(void) {' \
    'static const char planted[] = "";' 'typedef struct planted { int a; } planted;' '#define planted 7'; do
    printf '%s\n' "$planted" >"$file"
    cp "$file" "$tree/scan/planted.c"
    run "$root/.ci/names" "$tree"
    echo "$planted: $output"
    [[ $status -eq 1 && ${#lines[@]} -eq 1 && $output == *'base/planted.c: '*' planted is also in '*'scan/planted.c' ]]
  done
  { cat "$file"; echo '#undef planted'; } >"$tree/scan/planted.c"
  run "$root/.ci/names" "$tree"
  [[ $status -eq 0 ]]
}

@test "all sources compile as one file; with a name that is defined twice, they do not" {
  local flags
  read -ra flags <<<"-std=c11 -fsyntax-only -Wall -Wextra -Werror -I$root/include $(pkg-config --cflags sqlite3 libcjson zlib libzstd)"
  "$root/.ci/amalgamate" "$tree" | gcc "${flags[@]}" -x c -
  echo 'enum { STATS_JOB_ID };' >>"$tree/read/lines.c" # an enumerator of tables/stats.c
  run gcc "${flags[@]}" -x c - < <("$root/.ci/amalgamate" "$tree")
  [[ $status -ne 0 && $output == *STATS_JOB_ID* ]]
}

@test "a comment that names something that does not exist is found: a file, a folder, a name, a call, a wrong title; and a long line" {
  run "$root/.ci/comments" "$tree"
  printf '%s\n' "$output"
  [[ $status -eq 0 && -z $output ]]
  local planted file=$tree/base/planted.c
  while IFS='|' read -r planted words; do
    printf '/* A first line. */\n%s\n' "$planted" >"$file"
    run "$root/.ci/comments" "$tree"
    echo "$planted: $output"
    [[ $status -eq 1 && ${#lines[@]} -eq 1 && $output == *"base/planted.c:2: $words" ]]
  done < <(
    printf '%s\n' '/* see gone.c */|there is no gone.c' '/* it is read/gone.c that reads */|there is no read/gone.c' \
      '/* what retain/ did */|there is no retain/' '/* tr_gone_now() does it */|there is no tr_gone_now' \
      '/* in a TrGone */|there is no TrGone' '/* gone_now() does it */|there is no gone_now()' \
      '/* names.c - the names */|the comment is about names.c'
    printf '/* %s */|longer than 120 columns\n' "$(printf 'x%.0s' {1..115})"
  )
  printf '/* planted.c - see lines.c, read/, build/a.h, tr_lines_next(), TR_OK and fsync(). */\nchar text[] = "gone.c";\n' >"$file"
  run "$root/.ci/comments" "$tree"
  [[ $status -eq 0 ]]
}

@test "what is defined and never used is found: a macro, a value, a type, a member, a function; use by tests counts" {
  run "$root/.ci/unused" "$tree" "$runner"
  [[ $status -eq 0 && -z $output ]]
  local planted file=$tree/base/planted.h
  while IFS='|' read -r planted words; do
    echo "$planted" >"$file"
    run "$root/.ci/unused" "$tree" "$runner"
    echo "$planted: $output"
    [[ $status -eq 1 && ${#lines[@]} -eq 1 && $output == *"base/planted.h: $words is not used" ]]
  done < <(
    printf '%s\n' '#define PLANTED 7|macro PLANTED' 'enum { PLANTED };|enumerator PLANTED' \
      'enum { TR_EQ, PLANTED_COUNT };|enumerator PLANTED_COUNT' 'typedef int Planted;|type Planted' \
      'struct { int planted; };|member planted' 'int tr_planted(int number);|function tr_planted'
  )
  echo 'int tr_planted(int number); /* tr_planted() */' >"$file"
  echo 'int tr_planted(int number) { return number ? tr_planted(0) : 0; }' >"$tree/base/planted.c"
  run "$root/.ci/unused" "$tree" "$runner"
  [[ $output == *'planted.h: function tr_planted is not used' ]]
  echo 'int second(void) { return tr_planted(1); }' >"$tree/read/planted.c"
  run "$root/.ci/unused" "$tree" "$runner"
  [[ $status -eq 0 ]]
}

@test "a long function, a long header, and a function whose result code may be ignored are found" {
  local unit=$BATS_TEST_TMPDIR/unit
  cp -R "$root/tests/unit" "$unit"
  run "$root/.ci/shape" "$tree" "$runner" "$unit"
  [[ $status -eq 0 && -z $output ]]
  { echo 'int planted(void) {' && printf '  ;\n%.0s' {1..38} && echo '}'; } >"$tree/read/planted.c"
  run "$root/.ci/shape" "$tree" "$runner" "$unit"
  [[ $status -eq 0 ]]
  { echo && sed '2i\ ;' "$tree/read/planted.c"; } >"$runner/planted.c"
  run "$root/.ci/shape" "$tree" "$runner" "$unit"
  [[ $status -eq 1 && $output == *'runner/planted.c:2: planted() has 41 lines, of at most 40' ]]
  mv "$runner/planted.c" "$unit/planted.c"
  run "$root/.ci/shape" "$tree" "$runner" "$unit"
  [[ $status -eq 1 && $output == *'unit/planted.c:2: planted() has 41 lines, of at most 40' ]]
  rm "$unit/planted.c"
  echo 'int tr_planted(int number);' >>"$tree/write/write.h"
  run "$root/.ci/shape" "$tree" "$runner" "$unit"
  [[ $status -eq 1 && $output == *': tr_planted() returns a code and is not TR_CHECKED' ]]
  printf '\n%.0s' {1..351} >"$tree/write/write.h"
  run "$root/.ci/shape" "$tree" "$runner" "$unit"
  [[ $status -eq 1 && $output == *'write.h:1: 351 lines, of at most 350' ]]
}

@test "ARCHITECTURE.md describes each source, and runner.h each source of the runner" {
  local file name
  for file in "$root"/ext/*/*.c; do
    name=${file#"$root/"}
    echo "$name"
    grep -qE "^\\| .*\`(${name%/*}/)?${name##*/}\`.* \\|$" "$root/ext/ARCHITECTURE.md"
  done
  for file in "$root"/shell/runner/*.c; do
    echo "$file"
    grep -qE "^\\*\\*   ${file##*/} " "$root/shell/runner/runner.h"
  done
}

@test "a long function of shell is found, with its line and its length, after a short one" {
  local planted=$BATS_TEST_TMPDIR/planted.bash
  { echo 'short() {'; printf '  :\n%.0s' {1..38}; echo '}'; } >"$planted"
  run "$root/.ci/functions" "$planted"
  [[ $status -eq 0 && -z $output ]]
  { echo; echo 'long_one() {'; printf '  :\n%.0s' {1..39}; echo '}'; } >>"$planted"
  run "$root/.ci/functions" "$planted"
  [[ $status -eq 1 && ${#lines[@]} -eq 1 && $output == "$planted:42: long_one() has 41 lines, more than 40" ]]
  { echo 'in_a_subshell() ('; printf '  :\n%.0s' {1..39}; echo ')'; } >"$planted"
  run "$root/.ci/functions" "$planted"
  [[ $status -eq 1 && $output == *'in_a_subshell() has 41 lines'* ]]
}
