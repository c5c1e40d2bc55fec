#!/usr/bin/env bats
# How many columns of a terminal a text takes, for tables.

load ../../lib/helpers
load ../../lib/shell

# width_program PROGRAM - runs the awk program behind width.awk.
width_program() {
  printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/program.awk"
  LC_ALL=C "${AWK:-awk}" -f "$root/shell/terminal/width_data.awk" -f "$root/shell/terminal/width.awk" \
    -f "$BATS_TEST_TMPDIR/program.awk"
}

@test "every code point has the width that follows from Python's Unicode tables" {
  python3 "$root/tests/width/compare.py" "$root/shell/terminal"
}

@test "characters of several code points have the right width: emoji, flags, families, skin tones, keycaps, marks" {
  while read -r expected text; do
    got=$(width_program '{ print width_of($0) }' <<<"$text")
    [[ $got == "$expected" ]] || { echo "$text: $got, not $expected"; return 1; }
  done <<'END'
4 ⏰-a
4 ✨-b
5 हिन्दी
2 👨‍👩‍👧‍👦
4 👨‍👩‍👧‍👦👨‍👩‍👧‍👦
1 ❤
2 ❤️
2 ❤️‍🔥
2 👍🏽
2 🇩🇪
2 1️⃣
4 𛀁か
4 한국
2 한
1 é
3 a︎b­
2 क्‍ष
2 ａ
END
}

@test "a table of such names is aligned, and a cut text is never wider than its column" {
  for job in plain ⏰-a ✨-b हिन्दी 👨‍👩‍👧‍👦 ❤️x; do make_job "$job" 1; done
  taskresults list >"$BATS_TEST_TMPDIR/list"
  width_program '{ match($0, / (RUNS|   1)  /); print width_of(substr($0, 1, RSTART + 4)) }' \
    <"$BATS_TEST_TMPDIR/list" >"$BATS_TEST_TMPDIR/columns"
  [[ $(sort -u "$BATS_TEST_TMPDIR/columns" | wc -l) -eq 1 && $(wc -l <"$BATS_TEST_TMPDIR/columns") -eq 7 ]]
  for text in '❤️❤️❤️❤️❤️' '👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦' 'हिन्दी हिन्दी' 'aé̄か🇩🇪b'; do
    for room in 1 2 3 4 5 6; do
      cut=$(width_program "{ print cut_to(\$0, $room) }" <<<"$text")
      (($(width_program '{ print width_of($0) }' <<<"$cut") <= room))
      iconv -f UTF-8 -t UTF-8 <<<"$cut" >/dev/null
    done
  done
}
