#!/usr/bin/env bats
# ext/SECURITY.md names a test for every promise. This fails if such a test was renamed or removed.

load ../lib/helpers

@test "every test that ext/SECURITY.md names exists, every promise names one, and the README leads there" {
  python3 - "$root" <<'PYTHON'
import re, sys
root = sys.argv[1]
text = open(f"{root}/ext/SECURITY.md").read()
promises = text.split("## Promises", 1)[1].strip().splitlines()[2:]
named = 0
for row in promises:
    cited = re.findall(r'`([\w/]+\.bats)`: "(.+?)"(?=; `| \|$)', row)
    assert cited, f"names no test: {row}"
    for file, name in cited:
        tests = re.findall(r'^@test ["\'](.*)["\'] \{$', open(f"{root}/tests/bats/{file}").read(), re.M)
        assert name in tests, (file, name)
        named += 1
assert named >= len(promises) > 25, (named, len(promises))
assert row.count("|") == 4
readme = open(f"{root}/README.md").read()
assert "](ext/SECURITY.md)" in readme and "](ext/ARCHITECTURE.md)" in readme
PYTHON
}
