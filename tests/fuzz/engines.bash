# tests/fuzz/engines.bash - for tests/fuzz/run and coverage: a target built for libFuzzer or for AFL++, and run for so much
# CPU time.
#
# The caller has set: out, totals, bytes; and target, found and kept, its corpora.
#
# Wall time means nothing beside others, so a fuzzer is ended when it and its children have used their seconds. For the
# same reason what took too long is run once more by itself, by CPU time, before it is believed.
# shellcheck shell=bash disable=SC2154

SLOW_CPU_SECONDS=20  # for one input
PATIENCE_SECONDS=300 # of wall time, until a fuzzer gives up on an input

# --- building --------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2054  # the commas are clang's
sanitizers=(-fsanitize=address,undefined -fno-sanitize-recover=all)
read -ra libraries < <(pkg-config --libs sqlite3 libcjson zlib libzstd)
read -ra includes < <(pkg-config --cflags sqlite3 libcjson zlib libzstd)
read -ra limits < <(make -s print-fuzz-limits)
flags=(-std=c11 -O1 -g -fno-omit-frame-pointer -Wno-unknown-attributes -DSQLITE_CORE "${limits[@]}" -Iinclude -Iext
       "${includes[@]}")

# compile_core DIRECTORY COMPILER FLAG... - the project's sources, two at a time, if any of them has changed.
compile_core() {
  local directory=$1
  [[ ! -e $directory/done || $(find ext include tests/fuzz/engines.bash -newer "$directory/done" -print -quit) ]] ||
    return 0
  mkdir -p "$directory"
  # shellcheck disable=SC2016  # the shell that xargs starts expands it
  make -s print-sources | tr ' ' '\n' | directory=$directory xargs -P 2 -I{} bash -c \
    '"$@" -c {} -o "$directory/$(tr / . <<<{}).o"' compile "${@:2}" && touch "$directory/done"
}

# build_with ENGINE - the target, as $out/TARGET or $out/TARGET.afl
build_with() {
  if [[ $1 == libfuzzer ]]; then
    local compiler=(clang "${flags[@]}" "${sanitizers[@]}") core=$out/core binary=$out/$target
    compile_core "$core" "${compiler[@]}" -fsanitize=fuzzer-no-link
  else
    local compiler=(afl-clang-fast "${flags[@]}" "${sanitizers[@]}") core=$out/core.afl binary=$out/$target.afl
    export AFL_QUIET=1
    compile_core "$core" "${compiler[@]}"
  fi || return
  "${compiler[@]}" -fsanitize=fuzzer "tests/fuzz/$target.c" "$core"/*.o -o "$binary" "${libraries[@]}" -lm -pthread
}

# --- CPU time --------------------------------------------------------------------------------------------------------

# cpu_ticks PID - the CPU time of a process, of its children, and of theirs.
cpu_ticks() {
  local line field child children total
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return
  read -ra field <<<"${line##*) }"
  total=$((field[11] + field[12] + field[13] + field[14]))
  { read -ra children <"/proc/$1/task/$1/children"; } 2>/dev/null
  for child in "${children[@]}"; do total=$((total + $(cpu_ticks "$child") + 0)); done
  echo "$total"
}

# run_for SECONDS SIGNAL COMMAND... - sends the signal when the command has used its CPU time. Sets cpu_seconds.
run_for() {
  local pid ticks=0 now per_second
  per_second=$(getconf CLK_TCK)
  "${@:3}" &
  pid=$!
  while now=$(cpu_ticks "$pid") && [[ $now ]]; do
    ((now <= ticks)) || ticks=$now
    ((ticks < $1 * per_second)) || kill "-$2" "$pid" 2>/dev/null
    sleep 0.5
  done
  cpu_seconds=$(awk -v ticks="$ticks" -v per_second="$per_second" 'BEGIN { printf "%.1f", ticks / per_second }')
  wait "$pid"
}

# For libFuzzer, always: sets options. With two threads, how often something runs tells nothing.
set_options() {
  options=(-max_len="$bytes" -timeout="$PATIENCE_SECONDS" -artifact_prefix="$out/$target-")
  [[ $target != select && $target != query ]] || options+=(-use_counters=0)
}

# --- the corpus ------------------------------------------------------------------------------------------------------

# What else a target starts from: sets seeds.
set_seeds() {
  seeds=(tests/data/odd-lines)
  case $target in
    messages) seeds=(tests/data/scheduler-state/logs) ;;
    query) seeds+=(tests/data/scheduler-state/results) ;;
    jobs | mapping | marks | policy) seeds=() ;;
  esac
  [[ ! -d tests/fuzz/findings/$target ]] || seeds+=("tests/fuzz/findings/$target")
}

unpack_corpus() {
  mkdir -p "$found"
  [[ ! -e $kept ]] || tar -xzf "$kept" -C "$found"
}

# Leaves of the corpus the smallest set that covers as much: reading thousands of inputs is time not spent on new ones.
# False if one of them fails, which libFuzzer would pass over.
squeeze_corpus() {
  rm -rf "$out/small" && mkdir "$out/small" &&
    "$out/$target" -merge=1 "${options[@]}" "$out/small" "$found" >"$out/$target.log" 2>&1 &&
    ! grep -q '^SUMMARY' "$out/$target.log" && rm -rf "$found" && mv "$out/small" "$found"
}

pack_corpus() {
  mkdir -p tests/fuzz/corpus &&
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$found" -c . | gzip -9n >"$kept"
}

# --- the figures -----------------------------------------------------------------------------------------------------

# Rows of totals.tsv (target, fuzzer, CPU seconds, executions, edges, features, inputs), those of one target and fuzzer behind
# each other -> one of each, with the edges, features and inputs of the last.
add_up() {
  awk -F '\t' -v OFS='\t' '
    function put() { if (key) print key, sprintf("%.1f", cpu), sprintf("%.0f", executions), last }
    $1 FS $2 != key { put(); key = $1 FS $2; cpu = executions = 0 }
    { cpu += $3; executions += $4; last = $5 FS $6 FS $7 }
    END { put() }'
}

# --- fuzzing ---------------------------------------------------------------------------------------------------------

# fuzz_with libfuzzer|afl SECONDS - false if an input failed.
fuzz_with() {
  local cpu_seconds executions=0 edges=- features=- failed=0
  build_with "$1" || exit 3
  echo "== $target, $1, $2 CPU s"
  "run_$1" "$2" || failed=1
  believe_slow || failed=1
  printf '%s\t' "$target" "$1" "$cpu_seconds" "$executions" "$edges" "$features" | tee -a "$out/this_run.tsv" >>"$totals"
  find "$found" -type f | wc -l | tee -a "$out/this_run.tsv" >>"$totals"
  return "$failed"
}

run_libfuzzer() {
  local log=$out/$target.log seeds dictionary=() result
  set_seeds
  [[ ! -e tests/fuzz/$target.dict ]] || dictionary=(-dict="tests/fuzz/$target.dict")
  run_for "$1" USR1 "$out/$target" "${options[@]}" -print_final_stats=1 "${dictionary[@]}" "$found" "${seeds[@]}" \
    >"$log" 2>&1
  result=$?
  grep -E '^SUMMARY|does not hold' "$log"
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  read -r edges features < <(sed -nE 's/.*cov: ([0-9]+) ft: ([0-9]+) .*/\1 \2/p' "$log" | tail -n 1)
  [[ $result == 0 || $(tail -n 40 "$log") == *"libFuzzer: timeout"* ]] # which is judged later
}

# Each run begins anew, from all that either fuzzer has found so far.
run_afl() {
  local log=$out/$target.afl.log work=$out/afl/$target dictionary=() seeds input
  set_seeds
  rm -rf "$work" && mkdir -p "$work/in"
  [[ ! -e tests/fuzz/$target.dict ]] || dictionary=(-x "tests/fuzz/$target.dict")
  find "$found" "${seeds[@]}" -type f -size "-$((bytes / 1024 + 1))k" -exec cp -t "$work/in" {} +
  run_for "$1" TERM env AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 \
    AFL_FAST_CAL=1 AFL_FORKSRV_INIT_TMOUT=60000 \
    afl-fuzz -G "$bytes" -t 20000 "${dictionary[@]}" -i "$work/in" -o "$work/out" -- "$out/$target.afl" >"$log" 2>&1
  local stats=$work/out/default/fuzzer_stats
  [[ -e $stats ]] || { tail -n 20 "$log" && exit 3; }
  executions=$(sed -nE 's/^execs_done +: //p' "$stats")
  edges=$(sed -nE 's/^edges_found +: //p' "$stats") features=-
  collect "$work/out/default/queue" "$found/"
  collect "$work/out/default/hangs" "$out/$target-timeout-"
  collect "$work/out/default/crashes" "$out/$target-crash-"
  [[ ! $(find "$work/out/default/crashes" -name 'id:*' -print -quit) ]]
}

# collect DIRECTORY PREFIX - AFL++'s files, by the names that libFuzzer would give them: one for each content.
collect() {
  local file sum
  while IFS= read -r file; do
    read -r sum _ < <(sha1sum <"$file")
    [[ -e $2$sum ]] || cp "$file" "$2$sum"
  done < <(find "$1" -maxdepth 1 -name 'id:*')
}

# An input that took too long by the clock fails if it does so by CPU time too.
believe_slow() {
  local input failed=0
  for input in "$out/$target"-timeout-*; do
    [[ -e $input ]] || continue
    if (ulimit -t "$SLOW_CPU_SECONDS" && exec "${out}/$target" "$input") >/dev/null 2>&1; then
      rm "$input"
    else
      echo "takes more than $SLOW_CPU_SECONDS s: $input"
      failed=1
    fi
  done
  return "$failed"
}
