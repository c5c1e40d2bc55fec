# parts.bash - what tests/platforms/run does on one platform. It has set `platform`, `results`, and what settings_of
# sets.
# shellcheck shell=bash disable=SC2154

# settings_of PLATFORM - sets prefix (of the compiler's name), libraries (their folder's name) and qemu (the program; in
# some releases of Debian its name ends in -static); needed, programs, and the packages that have them.
settings_of() {
  case $1 in
    arm64) prefix=aarch64-linux-gnu libraries=aarch64-linux-gnu qemu=qemu-aarch64 ;;
    s390x) prefix=s390x-linux-gnu libraries=s390x-linux-gnu qemu=qemu-s390x ;;
    i386) prefix=i686-linux-gnu libraries=i386-linux-gnu qemu=qemu-i386 ;;
    musl | posix) prefix='' qemu='' ;;
    *)
      echo "tests/platforms/run: no platform '$1' (arm64, s390x, i386, musl, posix)" >&2
      return 2
      ;;
  esac
  [[ ! $qemu ]] || ! command -v "$qemu-static" >/dev/null || qemu=$qemu-static
  needed=("${prefix:+$prefix-}gcc")
  [[ ! $prefix ]] || needed+=("$qemu")
  packages="gcc-$prefix, qemu-user-static"
  # shellcheck disable=SC2034  # tests/platforms/run shows it
  [[ $1 != musl ]] || needed=(musl-gcc npm) packages="musl-tools, npm"
}

first_missing() {
  local program
  for program; do
    command -v "$program" >/dev/null || { echo "$program" && return; }
  done
}

# report STATUS WORDS - one TAP line.
report() {
  if (($1)); then echo "not ok $platform: $2"; else echo "ok $platform: $2"; fi
}

# unpack_corpora TARGET...
unpack_corpora() {
  local target
  for target in "$@"; do
    [[ ! -d $results/corpus/$target ]] || continue
    mkdir -p "$results/corpus/$target.new" &&
      tar -xzf "tests/fuzz/corpus/$target.tar.gz" -C "$results/corpus/$target.new" &&
      mv "$results/corpus/$target.new" "$results/corpus/$target"
  done
}

# --- the short form --------------------------------------------------------------------------------------------------

# Headers of libraries are the same for every processor, and nothing that runs here calls into the libraries.
compile_reader() {
  local here=$PWD headers=$results/headers flags
  mkdir -p "$headers" "$place/objects" && ln -sf "$(pkg-config --variable=includedir sqlite3)/sqlite3.h" \
    "$(pkg-config --variable=includedir libcjson)/cjson/cJSON.h" "$headers" || return
  flags=(-std=c11 -O1 -DSQLITE_CORE -D_FILE_OFFSET_BITS=64 -ffunction-sections
    "-I$here/include" "-I$here/ext" "-I$headers")
  (cd "$place/objects" && "$prefix-gcc" "${flags[@]}" -c "$here"/ext/{base,mapping,read}/*.c) || return
  flags+=(-static "-Wl,--gc-sections" "-Wl,--unresolved-symbols=ignore-all")
  "$prefix-gcc" "${flags[@]}" -o "$place/unit" tests/unit/lanes.c "$place"/objects/*.o -lm -pthread &&
    "$prefix-gcc" "${flags[@]}" -o "$place/fuzz" tests/fuzz/{lanes,replay}.c "$place"/objects/*.o -lm -pthread
}

test_short() {
  local place=$results/$platform/short 
  { compile_reader && unpack_corpora lanes; } >"$place.log" 2>&1
  report $? "what reads lines compiles"
  "$qemu" "$place/unit" tests/data/{odd-lines,scheduler-state/results} >"$place.log" 2>&1
  report $? "the lanes agree on the lines of tests/data"
  "$qemu" "$place/fuzz" "$results/corpus/lanes" tests/data/odd-lines >"$place.log" 2>&1
  report $? "the lanes agree on the inputs that fuzzing found"
}

# --- the full form ---------------------------------------------------------------------------------------------------

# A copy of the checkout; what was built in it stays, and what has not changed is not built again.
lay_out() {
  mkdir -p "$tree"
  (cd "$tree" && rm -rf .ci .packages ext include shell tests examples) &&
    cp -a .ci .packages Makefile README.md CHANGELOG.md LICENSE ext include shell tests examples "$tree"
}

make_there() (
  cd "$tree" || exit
  export PKG_CONFIG_LIBDIR=$root/usr/lib/$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
  exec make -s -j "$(nproc)" CC="$prefix-gcc --sysroot=$root" AR="$prefix-ar" OBJCOPY="$prefix-objcopy" CFLAGS=-O1 "$@"
)

# wrap PROGRAM AT - AT becomes a program of this processor that runs the foreign one.
wrap() {
  local loader
  loader=$(compgen -G "$root/lib/ld*.so.[0-9]" || compgen -G "$root/usr/lib/ld*.so.[0-9]") || return
  cc -std=c11 -static -DQEMU="\"$qemu\"" -DLOADER="\"$loader\"" -DPROGRAM="\"$1\"" \
    -DLIBRARIES="\"$root/lib/$libraries:$root/usr/lib/$libraries\"" -o "$2" tests/platforms/foreign.c
}

# machine_of FILE - the processor that an ELF file is for, as it says so.
machine_of() {
  od -An -j 18 -N 2 -t x1 "$1"
}

# wrap_built DIRECTORY - a foreign program in it becomes NAME.foreign, beside one of this processor of its name.
wrap_built() {
  local program
  for program in "$1"/*; do
    [[ $program != *.* && $(machine_of "$program") == $(machine_of "$root/usr/bin/sqlite3") ]] || continue
    mv "$program" "$program.foreign" && wrap "$program.foreign" "$program" || return
  done
}

# prepare_PLATFORM, or prepare_foreign - the tree, with all that the suites use; and $results/$platform/bin.
prepare_posix() {
  lay_out && (cd "$tree" && exec make -s -j "$(nproc)" CFLAGS=-O1 PLATFORM=posix all taskresults-run \
    test-libraries build/unit/lanes)
}

make_with_musl() (
  cd "$tree" || exit
  export PKG_CONFIG_LIBDIR=$root/lib/pkgconfig
  exec make -s -j "$(nproc)" CC=musl-gcc CFLAGS=-O1 WITH_SEAL=0 WITH_INDEX=0 "$@"
)

# Without libcrypto and xxhash, which would have to be built, too. Python has the glibc, so it cannot load what is built here. Some
# libraries of tests/shim stand in for what glibc declares in another way: they do not compile.
prepare_musl() {
  tests/platforms/musl_root "$root" && lay_out && mkdir -p "$results/musl/bin" &&
    ln -sf "$root/bin/sqlite3" "$results/musl/bin/sqlite3" && make_with_musl all static "${units[@]/#/build/unit/}" &&
    { make_with_musl -k test-libraries || :; }
}

prepare_foreign() {
  tests/platforms/sysroot "$platform" "$root" && lay_out && unpack_corpora "${targets[@]}" &&
    mkdir -p "$results/$platform/bin" &&
    wrap "$root/usr/bin/sqlite3" "$results/$platform/bin/sqlite3" &&
    make_there all static build/tiny/taskresults.so build/shim/faults.so "${units[@]/#/build/unit/}" \
      "${targets[@]/#/build/replay/}" &&
    wrap_built "$tree/build/unit" && wrap_built "$tree/build/replay"
}

# suites_of KIND - those of the platform that tests/platforms/suites names, and PLATFORM_TESTS wants.
suites_of() {
  local kind platforms suites suite pattern
  while read -r kind platforms suites; do
    [[ $kind == "$1" && " ${platforms//,/ } " == *" $platform "* ]] || continue
    for suite in $suites; do
      for pattern in ${PLATFORM_TESTS:-/}; do
        if [[ tests/$kind/$suite == *"$pattern"* ]]; then echo "$suite" && break; fi
      done
    done
  done <tests/platforms/suites
}

# judge SUITE - passes on its TAP lines; a test that cannot run here, and fails, is skipped with the reason.
judge() {
  awk -v platform="$platform" -v suite="$1" -f tests/platforms/judge.awk tests/platforms/skipped -
}

test_full() {
  local root=$results/$platform/root tree=$results/$platform/tree suite targets units prepare=foreign
  [[ $prefix ]] || prepare=$platform
  mapfile -t targets < <(suites_of fuzz)
  mapfile -t units < <(suites_of unit)
  if ! "prepare_$prepare" >"$results/$platform.build.log" 2>&1; then
    tail -n 20 "$results/$platform.build.log"
    report 1 "it is built"
    return
  fi
  export PATH=$results/$platform/bin:$PATH TASKRESULTS_ROOT=$tree
  for suite in "${units[@]}"; do
    (cd "$tree" && "build/unit/$suite" 2>&1) | judge "unit/$suite"
  done
  for suite in "${targets[@]}"; do
    (cd "$tree" && "build/replay/$suite" "$results/corpus/$suite" tests/data/odd-lines) \
      >"$results/$platform.replay.log" 2>&1
    report $? "fuzz/$suite: over the inputs that fuzzing found"
  done
  for suite in $(suites_of bats); do
    (cd "$tree" && bats --tap "tests/bats/$suite.bats" 2>&1) | judge "bats/$suite"
  done
}
