#!/usr/bin/env python3
"""run_texts.py RUNNER DIRECTORY COUNT - COUNT random outputs of commands: what taskresults-run reports of each is what
Python's text mode, with undecodable bytes replaced, makes of the same bytes; and what help promises of silent failures and
of streams that are merged."""
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


def reported(script, how=()):
    report = os.path.join(directory, "report")
    subprocess.run([runner, *how, "4", "sh", "-c", 'cat >"$0"', report, "sh", "-c", script], cwd=directory,
                   check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(report) as file:
        success, out, error = file.read().split("\n")[:3]
    return success, bytes.fromhex(out).decode("utf-8"), bytes.fromhex(error).decode("utf-8")


def promised(ending, out, err):
    """What help says of a command that prints these and then ends in that way."""
    out, err = as_python(out), as_python(err)
    if ending == "exit 0":
        return "1", out.strip()[:5000], ""
    silent = "killed by SIGKILL" if "kill" in ending else "exit status " + ending.split()[1]
    return "0", "", ((err or out)[:5000] or silent)


for _ in range(count):
    out, err = (output() if rng.random() < 0.8 else b"" for _ in range(2))
    for name, data in (("out", out), ("err", err)):
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)
    ending = rng.choice(("exit 0", "exit 0", "exit 1", "exit 42", "kill -KILL $$"))
    if rng.random() < 0.3:  # half of each, in turns, in one stream
        written = out[:len(out) // 2] + err[:len(err) // 2] + out[len(out) // 2:] + err[len(err) // 2:]
        script = (f"head -c {len(out) // 2} out; head -c {len(err) // 2} err >&2; "
                  f"tail -c +{len(out) // 2 + 1} out; tail -c +{len(err) // 2 + 1} err >&2; {ending}")
        got, expected = reported(script, rng.choice((["merge"], ["quiet", "merge"]))), promised(ending, written, b"")
    else:
        got, expected = reported(f"cat out; cat err >&2; {ending}", rng.choice(([], ["quiet"]))), promised(ending, out, err)
    if got != expected:
        sys.exit(f"{ending}: out {out[:200]!r} err {err[:200]!r}\nexpected {expected!r:.400}\nreported {got!r:.400}")
