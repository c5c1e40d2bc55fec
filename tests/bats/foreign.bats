#!/usr/bin/env bats
# taskresults_epoch() and taskresults_text(): times and texts of other programs, as a record can have them.

load ../lib/helpers
load ../lib/host

@test "taskresults_epoch: the size of a number tells its unit; a text is a timestamp or a number; all else is NULL" {
  assert_rows '1770000000000000|1770000000123000|1770000000123456|1770000000250000|1770000000500000' \
    "SELECT taskresults_epoch(1770000000), taskresults_epoch(1770000000123), taskresults_epoch(1770000000123456),
      taskresults_epoch(1770000000.25), taskresults_epoch('1770000000500')"
  assert_rows '1770710404500000|1770714004000000|-1000000|0|99999999999000000|100000000000000' \
    "SELECT taskresults_epoch('2026-02-10T09:00:04.5+01:00'), taskresults_epoch('2026-02-10T09:00:04'), taskresults_epoch(-1),
      taskresults_epoch(0), taskresults_epoch(99999999999), taskresults_epoch(100000000000)"
  assert_rows '1770000000123500|1770000000123456|NULL' \
    "SELECT taskresults_epoch(1770000000123.5), taskresults_epoch('1770000000123456.25'), taskresults_epoch(-99999999999)"
  assert_rows 'NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL' \
    "SELECT taskresults_epoch(NULL), taskresults_epoch(''), taskresults_epoch('soon'), taskresults_epoch('5m'), taskresults_epoch(x'31'),
      taskresults_epoch(9e18), taskresults_epoch(-9223372036854775808), taskresults_epoch('1 2'), taskresults_epoch(9e999)"
}

@test "taskresults_text: valid UTF-8 for any bytes, cut to a number of code points, as a decoder in Python says" {
  run_in_host <<'PYTHON'
import random
def decoded(data):
    text, at = "", 0
    while at < len(data):
        for length in (1, 2, 3, 4):
            try:
                text += data[at:at + length].decode()
                at += length
                break
            except UnicodeDecodeError:
                pass
        else:
            text += "\ufffd"
            at += 1
    return text
rng = random.Random(1)
parts = [b"a", b"\0", b"\xc3\xa9", b"\xe2\x82\xac", b"\xf0\x9f\x98\x80", b"\xf0\x9f", b"\xff", b"\x80", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"]
for _ in range(3000):
    data = b"".join(rng.choice(parts) for _ in range(rng.randrange(12)))
    most = rng.choice((-1, 0, 1, 2, 5, 100, 2**40))
    whole, cut = db.execute("SELECT CAST(taskresults_text(?1) AS BLOB), CAST(taskresults_text(?1, ?2) AS BLOB)", (data, most)).fetchone()
    assert whole == decoded(data).encode(), data
    assert cut == decoded(data)[:max(most, 0)].encode(), (data, most)
assert db.execute("SELECT taskresults_text(NULL), taskresults_text(12.5), taskresults_text('é' || char(0) || 'x', 2)").fetchone() == (None, "12.5", "é\0")
PYTHON
}
