# pruning.bash - one job is pruned, in the tests of what a prune leaves. `also` has options that each of them gets.

# shellcheck shell=bash disable=SC2154  # helpers.bash sets root, results and extension, bats status and output

also=''

# prune JOB OPTIONS - the report of one prune.
prune() {
  sql "SELECT taskresults_prune('$1', $2$also)"
}

# faulty CALL FAULT JOB OPTIONS - the report of a prune in which the first system call of that name fails like that.
faulty() {
  env LD_PRELOAD="$root/build/shim/prune_faults.so" PRUNE_AT="$1" PRUNE_FAULT="$2" \
    sqlite3 -batch -bail -init /dev/null -cmd ".load $extension" :memory: "SELECT taskresults_prune('$3', $4$also)"
}

# refused OPTIONS MESSAGE - the prune of j is refused with that message, and everything is as it was.
refused() {
  local before
  before=$(stat -c %i "$results/j.jsonl"; cat "$results/j.jsonl")
  run prune j "$1"
  [[ $status -ne 0 && $output == *"$2"* ]] || { echo "status $status: $output"; return 1; }
  [[ $before == "$(stat -c %i "$results/j.jsonl"; cat "$results/j.jsonl")" ]]
  [[ -z $(find "$results" -name '*.new' -o -name '*.journal' -o -name '*.old' -o -type f -name '*.pending*') ]]
}

# give_results_away - the directory of results is another user's, and we are root. Skips the test where that cannot be.
give_results_away() {
  ((EUID == 0)) && command -v setpriv >/dev/null || skip "needs root and setpriv"
  open_results
  "${as_nobody[@]}" test -r "$extension.so" || skip 'the checkout is closed to others'
  chown 65534:65534 "$results"
  chmod 755 "$results"
}
