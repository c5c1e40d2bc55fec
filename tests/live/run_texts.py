#!/usr/bin/env python3
"""run_texts.py RUNNER DIRECTORY COUNT - COUNT random outputs of commands: what taskresults-run reports of each is what
Python's text mode, with undecodable bytes replaced, makes of the same bytes."""
import os
import random
import subprocess
import sys

runner, directory, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
rng = random.Random(4)
PIECES = [b" ", b"\n", b"\r", b"\r\n", b"\t", b"x", b"\0", b"\x1c", b"\x85", b"\xc2\x85", b"\xe9", b"\xc3\xa9", b"\xe2\x82",
          b"\xe2\x80\xa8", b"\xe3\x80\x80", b"\xf0\x9f\x98\x80", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xf4\x90", b"\xff", b"'\"\\"]


def output():
    if rng.random() < 0.2:
        return rng.randbytes(rng.randint(0, 40))
    pieces = [rng.choice(PIECES) for _ in range(rng.choice((0, 1, 3, 20)))]
    if rng.random() < 0.3:
        pieces.insert(rng.randint(0, len(pieces)), rng.choice(PIECES) * rng.choice((4997, 4999, 5000, 5001, 20000)))
    return b"".join(pieces)


def as_python(data):
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def reported(script):
    report = os.path.join(directory, "report")
    subprocess.run([runner, "-", "show", "-", "4", "sh", "-c", 'cat >"$0"', report, "sh", "-c", script], cwd=directory,
                   check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(report) as file:
        how, _, text = file.read().rstrip("\n").partition(" ")
    return how, bytes.fromhex(text).decode("utf-8")


for _ in range(count):
    out, err = output(), output()
    for name, data in (("out", out), ("err", err)):
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)
    if rng.random() < 0.5:
        got, expected = reported("cat out; cat err >&2"), ("success", as_python(out).strip()[:5000])
    else:
        expected = ("failure", (as_python(err) or as_python(out))[:5000])
        got = reported("cat out; cat err >&2; exit 1")
    if got != expected:
        sys.exit(f"out {out[:200]!r} err {err[:200]!r}\nexpected {expected!r:.400}\nreported {got!r:.400}")
