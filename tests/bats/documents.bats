#!/usr/bin/env bats
# The documents: their blocks of shell run.

load ../lib/helpers

# documents - sets `documents`: the paths of all of them, from the top of the checkout.
documents() {
  cd "$root" || return
  mapfile -t documents < <(find . -path ./build -prune -o -path ./.git -prune -o -name '*.md' -print | sed 's|^\./||' | sort)
  ((${#documents[@]} >= 10))
}

# The blocks marked ```sh run, each in a shell of its own, from the top of the checkout. README's first block says what is
# to be typed before them: where the example data is, and the function sql.
@test "every block of shell of every document that is marked to be run runs, and prints something" {
  documents
  sed -n '/^export SCHEDULER_/p; /^sql() {/p' README.md >"$BATS_TEST_TMPDIR/setup"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/setup") -eq 3 ]]
  local document block count=0
  for document in "${documents[@]}"; do
    rm -f "$BATS_TEST_TMPDIR"/block-*
    awk '/^```sh run/ {on = 1; n++; next} /^```/ {on = 0} on {print > sprintf("%s/block-%02d", out, n)}' \
      out="$BATS_TEST_TMPDIR" "$document"
    for block in "$BATS_TEST_TMPDIR"/block-*; do
      [[ -e $block ]] || continue
      run bash -euo pipefail -c 'source "$1"; source "$2"' - "$BATS_TEST_TMPDIR/setup" "$block"
      [[ $status -eq 0 && -n $output ]] || { echo "$document:"; cat "$block"; echo "$output"; return 1; }
      count=$((count + 1))
    done
  done
  ((count >= 20))
}
