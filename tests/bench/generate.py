#!/usr/bin/env python3
"""Writes results files as the scheduler does: json.dumps(record) + "\\n", with a fixed seed.

usage: generate.py FILE BYTES [STYLE]          one job of at least BYTES bytes
       generate.py --jobs N DIR BYTES [DAYS]   N jobs that share BYTES bytes; over the DAYS up to now

STYLE: scheduler (default), compact (separators without spaces), reordered (other key order), extra (one more scalar
key), nulls (null instead of empty text) or short (a line or two of output: 185 bytes a record). About 10 % of the records
fail; texts are of the kinds that real jobs print.
"""
import json
import os
import random
import sys
from datetime import datetime, timedelta

OUTPUTS = [
    "total        used        free      shared  buff/cache   available\n"
    "Mem:           24105        3531       16007        2891        7773       20573\n"
    "Swap:              0           0           0\n/dev/vda        252G   24G   72G  26% /\n",
    "\U0001f4cb Daily digest\n\u2705 3 ok \u2014 \u274c 1 failed\n\tquoted \"text\" and C:\\path\n",
    "Backup finished: 1482 files, 3.2 GB copied, 0 errors.\nNext run in one hour.\n",
    "Checked 42 hosts. All of them answered within 200 ms; the slowest was db-3 with 187 ms. Nothing to report today.",
]
SHORT_OUTPUTS = [
    "Checked 42 hosts, all of them up; the slowest, db-3, took 187 ms.",
    "Backup finished: 1482 files, 3.2 GB copied, 0 errors.",
    "Price of \"widget, large\": 12.50\nunchanged since yesterday",
    "\u2705 3 ok \u2014 \u274c 1 failed: disk",
]
ERRORS = [
    "Connection timeout to backup server",
    "Traceback (most recent call last):\n  File \"/opt/jobs/sync.py\", line 88, in <module>\n    main()\n"
    "  File \"/opt/jobs/sync.py\", line 41, in main\n    raise RuntimeError('no such bucket')\nRuntimeError: no such bucket",
    "Process exited with code 1",
]


def record(rng, job, when, style):
    failed = rng.random() < 0.1
    if style == "short":
        text = rng.choice(ERRORS[::2] if failed else SHORT_OUTPUTS)
    else:
        text = rng.choice(ERRORS) if failed else "".join(rng.choice(OUTPUTS) for _ in range(rng.randint(1, 6)))
    empty = None if style == "nulls" else ""
    value = {
        "timestamp": when.isoformat() + "Z",
        "job_id": job,
        "job_name": job.replace("-", " ").title(),
        "success": not failed,
        "output": empty if failed else text,
        "error": text if failed else empty,
    }
    if style == "extra":
        value["duration_seconds"] = round(rng.random() * 60, 2)
    if style == "reordered":
        value = dict(sorted(value.items()))
    return json.dumps(value, separators=(",", ":") if style == "compact" else None) + "\n"


def write(path, size, style="scheduler", seed=1, days=None):
    rng = random.Random(seed)
    job = os.path.basename(path).removesuffix(".jsonl")
    when = datetime(2026, 1, 1)
    with open(path, "w", buffering=1 << 20) as file:
        block, made, written = [], 0, 0
        while len(block) < 4000 and made < size:  # made once and repeated with new times: a gigabyte in seconds
            line = record(rng, job, when, style)
            block.append(line.split(when.isoformat()))
            made += len(line)
        longest_us = 90_000_000
        if days:
            when = datetime.utcnow() - timedelta(days=days)
            longest_us = int(2 * days * 86_400_000_000 * made / len(block) / size)
        while written < size:
            for before, after in block:
                when += timedelta(microseconds=rng.randint(1, longest_us))
                line = before + when.isoformat() + after
                file.write(line)
                written += len(line)
                if written >= size:
                    break


def main(arguments):
    if arguments[0] == "--jobs":
        count, directory, size = int(arguments[1]), arguments[2], int(arguments[3])
        days = int(arguments[4]) if len(arguments) > 4 else None
        os.makedirs(directory, exist_ok=True)
        for i in range(count):
            write(os.path.join(directory, f"job-{i:05d}.jsonl"), size // count, seed=i, days=days)
    else:
        write(arguments[0], int(arguments[1]), *arguments[2:3])


if __name__ == "__main__":
    main(sys.argv[1:])
