#!/usr/bin/env python3
"""errors.py OUT_DIR - writes histories of failures for tests/bats/errors_table.bats: few texts many times and many texts once,
spelled in different ways, of every type that JSON has, with NUL, non-ASCII, tracebacks, and around the lengths that matter.
The same files in every run."""
import json
import os
import random
import sys

TRACEBACK = "Traceback (most recent call last):\n  File \"/opt/é.py\", line %d, in <module>\n    main(%s)\n%s: no. %d\n"
TEXTS = ["", " ", "\n\n", "timeout after 30s", "timeout after 31.5s", "connect to 10.0.0.1:443 failed", "\0", "a\0b 1", "a\0b 2",
         "a\0c", "\0 7f3a9b2c", "é 1\0", "😀 at 2026-02-14T09:00:00Z", "😀 at 2026-02-14 09:01", "id 7f3a9b2c", "id 0x1",
         "ünï-cödé \"quoted\" C:\\path\t1", "Traceback (most recent call last)", "x" * 299, "x" * 300, "x" * 301, "é" * 150 + "1",
         "x" + "é" * 150, " 1" * 200, "1" * 5000, "y" * 8191, "y" * 8192, "y" * 8193, "long\n" + "é" * 5000, "\U0010ffff\ufffd"]
RAW = ['null', 'true', 'false', '0', '-0', '17', '9223372036854775807', '9223372036854775808', '-1e400', '1e400', 'NaN', '1.5',
       '1E+30', '0.1', '-Infinity', '[]', '{}', '{"code": [1, "a \\" b"],  "x": null}', '["\\\\"]', '"\\ud83d"', '"\\u0041 \\/ 1"',
       '"A / 2"', '"\\u00e9 1"', '"é 22"', '"\\u0000"']


def text(rng):
    kind = rng.randrange(10)
    if kind < 5:
        return rng.choice(TEXTS)
    if kind < 7:
        return TRACEBACK % (rng.randrange(5), "x" * rng.randrange(300), rng.choice(["KeyError", "ValueError"]), rng.randrange(9))
    if kind < 9:  # as many kinds as failures
        return "job %s failed: %d" % ("".join(rng.choice("ghijklmnopé") for _ in range(6)), rng.randrange(99))
    return "".join(rng.choice("a1f \n\0é0-:.TZ<>x") for _ in range(rng.randrange(40)))


def error(rng):
    if rng.randrange(8) == 0:
        return rng.choice(RAW)
    return json.dumps(text(rng), ensure_ascii=rng.random() < 0.7)


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    rng = random.Random(20260214)
    for job, count in enumerate([0, 1, 1, 20, 20, 700, 700, 700, 700]):
        with open(os.path.join(out, "job %d.jsonl" % job), "w", encoding="utf-8") as file:
            for _ in range(count):
                time = "2026-02-%02dT%02d:00:00%sZ" % (rng.randrange(1, 29), rng.randrange(24), rng.choice(["", ".5"]))
                success = rng.choice(["false"] * 6 + ["true", "null", "0", "1", '""', '"no"'])
                members = ['"timestamp": "%s"' % rng.choice([time] * 9 + ["soon"]), '"success": ' + success]
                if rng.randrange(20):
                    members.append('"error": ' + error(rng))
                file.write("{" + ", ".join(members) + "}\n")
                if rng.randrange(50) == 0:
                    file.write("torn {\n\n")


if __name__ == "__main__":
    main()
