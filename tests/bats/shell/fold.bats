#!/usr/bin/env bats
# Which names the hints treat as the same: shell/hints/fold.awk.

load ../../lib/helpers

@test "names that differ only in case and accents, by Unicode's rules, are the same: every letter of the table, and Hangul" {
  echo '{ print fold($0) }' >"$BATS_TEST_TMPDIR/print.awk"
  LC_ALL=C python3 -X utf8 - "$root/shell/hints/fold.awk" "$BATS_TEST_TMPDIR/print.awk" <<'PYTHON'
import subprocess, sys, unicodedata as u
def folded(names):
    program = ["awk", "-f", sys.argv[1], "-f", sys.argv[2]]
    run = subprocess.run(program, input="\n".join(names).encode() + b"\n", stdout=subprocess.PIPE, check=True)
    return run.stdout.decode().split("\n")[:-1]
# Hangul is composed by a rule: a sample with each first letter, vowel and last letter.
ranges = [range(0xC0, 0x700), range(0x1E00, 0x2000), range(0x3041, 0x3100), range(0xAC00, 0xD7A4, 13)]
letters = [chr(p) for some in ranges for p in some if u.category(chr(p))[0] == "L"]
def marks_only(text): return all(u.category(c) == "Mn" for c in text)
composed = [c for c in letters if u.normalize("NFD", c) != c]
# A letter is the same, composed or decomposed.
for form in ("NFC", "NFD"):
    other = folded(["x" + u.normalize(form, c) + "y" for c in composed])
    plain = folded(["x" + c + "y" for c in composed])
    wrong = [(c, a, b) for c, a, b in zip(composed, other, plain, strict=True) if a != b]
    assert not wrong, wrong[:5]
# Upper and lower case are the same, and an accented letter is its plain one.
pairs = [(c, d) for c in letters for d in (c.upper(), c.lower()) if len(d) == 1 and d in set(letters)]
pairs += [(c, u.normalize("NFD", c)[0]) for c in composed if marks_only(u.normalize("NFD", c)[1:])]
assert len(pairs) > 3000
wrong = [(p, a, b) for p, a, b in zip(pairs, folded([p[0] for p in pairs]), folded([p[1] for p in pairs]), strict=True) if a != b]
assert not wrong, wrong[:5]
# Letters with different base letters are never the same.
def base(c): return u.normalize("NFD", u.normalize("NFD", c)[0].casefold())[0] if not 0xAC00 <= ord(c) < 0xD7A4 else c
alike = {}
for c, f in zip(letters, folded(letters), strict=True): alike.setdefault(f, set()).add(base(c))
wrong = {f: bases for f, bases in alike.items() if len(bases) > 1}
assert not wrong, wrong
PYTHON
}
