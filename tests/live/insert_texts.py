#!/usr/bin/env python3
"""insert_texts.py SQL EXPECTED COUNT [ENCODING] - thousands of rows, as INSERTs and as Python's own lines.

Writes to SQL one transaction of INSERTs, the texts as hex literals (in the database's ENCODING), and to EXPECTED/JOB.jsonl what the scheduler would
write: json.dumps(record) + "\\n" with texts cut to 5000 characters. The seed is fixed.
"""
import json
import os
import random
import sys

SPECIAL = ['"', "\\", "/", "\b", "\f", "\n", "\r", "\t", "\0", "\x01", "\x1f", "\x7f", "\x80", "\x85", "\xa0", "é", "ß",
           "\u0800", "\u2028", "\u2029", "\ud7ff", "\ue000", "\ufeff", "\ufffd", "\uffff", "\U00010000", "😀",
           "\U0010ffff", "\\u0041", "\\n", '"}', "e\u0301", "'", "%", ";", "]]>"]


def character(rng):
    kind = rng.randrange(10)
    if kind < 4:
        return chr(rng.randrange(32, 127))
    if kind < 7:
        return rng.choice(SPECIAL)
    while True:
        code = rng.randrange([0x80, 0x800, 0x10000, 0x110000][kind - 7 + rng.randrange(2)])
        if not 0xD800 <= code < 0xE000:
            return chr(code)


def text(rng, longest):
    if rng.random() < 0.2:
        return ""
    if rng.random() < 0.01:  # about the cut
        return character(rng) * 4000 + "".join(character(rng) for _ in range(rng.randrange(990, 1010)))
    return "".join(character(rng) for _ in range(rng.randrange(longest)))


def literal(value, encoding):
    return "CAST(x'%s' AS TEXT)" % value.encode(encoding).hex()


def main(sql_path, expected, count, encoding="utf-8"):
    rng = random.Random(20260215)
    os.makedirs(expected)
    jobs = ["plain", "o'brien's-\"job\"", "ünï-😀", "-rf", "..", "a%b;c", ".hidden", "x" * 249, "new\nline"]
    files = {job: open(os.path.join(expected, job + ".jsonl"), "w") for job in jobs}
    with open(sql_path, "w") as sql:
        sql.write("SELECT taskresults_writable(1);\nBEGIN;\n")
        for i in range(count):
            record = {
                "timestamp": "2026-01-%02dT%02d:%02d:%02d.%06dZ" % (1 + i % 28, i % 24, i % 60, i % 60, i),
                "job_id": rng.choice(jobs),
                "job_name": text(rng, 30),
                "success": rng.random() < 0.5,
                "output": text(rng, 200),
                "error": text(rng, 60),
            }
            values = [literal(v, encoding) if isinstance(v, str) else str(int(v)) for v in record.values()]
            sql.write("INSERT INTO task_results(timestamp, job_id, job_name, success, output, error) VALUES (%s);\n"
                      % ", ".join(values))
            record["output"], record["error"] = record["output"][:5000], record["error"][:5000]
            files[record["job_id"]].write(json.dumps(record) + "\n")
        sql.write("COMMIT;\n")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
