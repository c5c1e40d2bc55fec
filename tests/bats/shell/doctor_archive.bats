#!/usr/bin/env bats
# taskresults doctor on the archive: damaged and foreign files, what a prune has left, and segments that overlap.
#
# shellcheck disable=SC2154  # helpers.bash and bats set them

load ../../lib/helpers
load ../../lib/shell
load ../../lib/pruning

setup_archive() {
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
  local hour
  for hour in {10..23}; do
    append_raw j "{\"timestamp\": \"2026-02-01T$hour:00:00Z\", \"job_id\": \"j\", \"success\": true, \"output\": \"$hour\"}\n"
  done
  prune j "'keep', 4, 'archive', 1"
  archive=$results/.taskresults/archive
  segment=$(cd "$archive/j.jsonl" && echo *)
  [[ -f $archive/j.jsonl/$segment ]]
}

@test "an archive that is fine is said to be; names that are no segments, and pending ones without a source, are told" {
  setup_archive
  run taskresults doctor
  [[ $output == *'every segment of the archive can be read'* ]] || { echo "$output"; return 1; }
  cp "$archive/j.jsonl/$segment" "$archive/j.jsonl/notes.txt"
  ln -s / "$archive/k.jsonl"
  cp "$archive/j.jsonl/$segment" "$archive/j.jsonl/$segment.pending-$(stat -c %i "$results/j.jsonl")"
  run taskresults doctor
  [[ $output == *"which are not read, since they are no segments: "*j.jsonl/notes.txt*k.jsonl* && $output != *'is gone'* ]] ||
    { echo "$output"; return 1; }
  cp "$archive/j.jsonl/$segment" "$archive/j.jsonl/$segment.pending-1"
  run taskresults doctor
  [[ $output == *"whose source is gone: j.jsonl/$segment.pending-1"* && $output != *'can be read'* ]]
}

@test "a damaged segment is told with the job and the byte, and one that overlaps another with both names" {
  setup_archive
  cp "$archive/j.jsonl/$segment" "$archive/j.jsonl/${segment%-*}-7.jsonl.zst"
  run taskresults doctor
  [[ $output == *"job j: the archived segments"*"$segment and "*'-7.jsonl.zst overlap'* ]] || { echo "$output"; return 1; }
  rm "$archive/j.jsonl/${segment%-*}-7.jsonl.zst"
  printf 'XXXX' | dd of="$archive/j.jsonl/$segment" bs=1 seek=40 conv=notrunc status=none
  run taskresults doctor
  [[ $status -eq 1 && $output == *'job j: damaged: '*"$segment cannot be read from its byte "* ]] || { echo "$output"; return 1; }
}
