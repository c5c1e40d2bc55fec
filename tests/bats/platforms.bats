#!/usr/bin/env bats
# Which fast lane a processor gets, and that the lanes of other processors agree with the slow one.
# `make test-platforms` tests more there.

load ../lib/helpers

# emulate MODEL - sets `emulator`, which runs an x86-64 program as on a processor of this model.
emulate() {
  [[ $(uname -m) == x86_64 ]] || skip "this is no x86-64"
  local program
  program=$(command -v qemu-x86_64-static qemu-x86_64 | head -n 1)
  [[ $program ]] || missing_extra "qemu-x86_64-static (Debian: qemu-user-static)"
  emulator=("$program" -cpu "$1")
}

# lane_names EMULATOR...
lane_names() {
  "$@" "$root/build/unit/lanes" --names 2>"$BATS_TEST_TMPDIR/complaints"
}

# has FLAG... - by the kernel's word.
has() {
  local flag
  for flag; do grep -qE "^flags.*\b$flag\b" /proc/cpuinfo || return; done
}

@test "the first lane is the best one whose instructions this processor has, and the portable one comes last" {
  local best=portable
  case $(uname -m) in
    x86_64)
      best=SSE2
      if has avx2 bmi1 bmi2 abm; then best=AVX2; fi
      if has avx2 bmi1 bmi2 abm avx512f avx512bw avx512vbmi; then best=AVX-512; fi
      ;;
    aarch64) best=NEON ;;
  esac
  [[ $(lane_names env | head -n 1) == "$best" ]]
  [[ $(lane_names env | tail -n 1) == portable ]]
}

@test "an x86-64 processor that lacks one thing that the AVX2 lane needs gets the SSE2 lane" {
  emulate max
  [[ $(lane_names "${emulator[@]}" | head -n 1) == AVX2 ]]
  for model in qemu64 Nehalem SandyBridge max,-avx2 max,-bmi1 max,-bmi2 max,-abm; do
    echo "$model"
    emulate "$model"
    [[ $(lane_names "${emulator[@]}") == $'SSE2\nportable' ]]
  done
}

# An instruction that such a processor lacks would end it.
@test "an x86-64 processor of 2008 reads with the lane that it gets" {
  emulate Nehalem
  cd "$root" || return
  "${emulator[@]}" build/unit/lanes tests/data/odd-lines tests/data/scheduler-state/results
}

# agrees_on PLATFORM
agrees_on() {
  cd "$root" || return
  run tests/platforms/run --short "$1"
  printf '%s\n' "$output"
  [[ $output != *"# skip no "* ]] || missing_extra "a cross compiler and qemu for $1"
  [[ $status -eq 0 && $output == *"# $1: 3 passed, 0 failed, 0 skipped" ]]
}

@test "on arm64 the lanes agree on tests/data and on what fuzzing found" {
  agrees_on arm64
}

@test "on s390x, which is big-endian, the lanes agree on tests/data and on what fuzzing found" {
  agrees_on s390x
}

@test "on i386, which has 32 bits, the lanes agree on tests/data and on what fuzzing found" {
  agrees_on i386
}
