#!/usr/bin/env python3
"""grep.py make RESULTS          records whose output and error hold texts of every odd kind
   grep.py NEEDLE RESULTS        the records that --grep NEEDLE must find, a line of JSON for each

The promise: a record is found if its output or its error holds the text, before the first NUL, if there is one. A to Z
are the same as a to z, and nothing else is the same as anything else.
"""
import json
import os
import random
import sys

PARTS = ["timeout", "TimeOut", "50%", "50 %", "a_b", "aXb", "a b", "\\", "\\n", "\n", "'", "\"", "it's \"so\"",
         "\u00e9", "\u00c9", "\u20ac\U0001f4a5", "%", "_", "[x]", "*", "-- ;", "\t", "\u0001", "nul\0l", "", " ", "K", "\u212a", "\ufffd"]


def make(directory):
    rng = random.Random(11)
    for job in ("a", "b"):
        with open(os.path.join(directory, job + ".jsonl"), "w", encoding="utf-8") as file:
            for number in range(250):
                text = lambda: "".join(rng.choice(PARTS) for _ in range(rng.randint(0, 4)))
                record = {"timestamp": "2026-01-01T00:%02d:%02dZ" % divmod(number, 60), "job_id": str(number),
                          "job_name": "timeout", "success": rng.random() < 0.5, "output": rng.choice([text(), None]), "error": text()}
                if rng.random() < 0.1:
                    del record[rng.choice(["output", "error"])]
                file.write(json.dumps(record, ensure_ascii=rng.random() < 0.5) + "\n")


def folded(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def main(needle, directory):
    if needle == "make":
        return make(directory)
    for job in ("a", "b"):
        with open(os.path.join(directory, job + ".jsonl"), encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                if any(folded(needle) in folded((record.get(key) or "").split("\0")[0]) for key in ("output", "error")):
                    print(json.dumps(record))


main(*sys.argv[1:])
