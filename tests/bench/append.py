#!/usr/bin/env python3
"""append.py - what an INSERT costs, against the scheduler's own way of appending a record in Python.

  one at a time      INSERT in autocommit inside one connection, against open(path, "a"), json.dumps, write, close
  10,000 at once     10,000 INSERTs in one transaction, against that loop; once with a statement for each row, once with
                     one INSERT ... SELECT from an ordinary table
  in a C host        both with a prepared statement in append_host.c (`make bench` builds it), to see them without what
                     Python takes to call SQLite

Every figure is the best of five rounds over the same records, in the directory given (default: a temporary one). Prints
seconds, microseconds per record, and the ratios; bars: one at a time <= 1.5, 10,000 at once <= 0.1, in the C host. Needs a Python with
sqlite3.enable_load_extension, such as Debian's /usr/bin/python3. Usage: append.py [DIRECTORY]
"""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
COUNT = 10000
ROUNDS = 5
TEXT = ("total        used        free      shared  buff/cache   available\n"
        "Mem:           24105        3531       16007        2891        7773       20573\n"
        "\U0001f4cb Backup finished: 1482 files, 3.2 GB copied, 0 errors \u2014 \"all good\".\n") * 2


def records():
    return [("2026-01-01T00:%02d:%02d.%06dZ" % (i // 60 % 60, i % 60, i), "nightly-backup", "Nightly Backup", True,
             TEXT + str(i), "") for i in range(COUNT)]


def python_loop(path, rows):
    for timestamp, job_id, job_name, success, output, error in rows:
        record = {"timestamp": timestamp, "job_id": job_id, "job_name": job_name, "success": success, "output": output,
                  "error": error}
        with open(path, "a") as file:
            file.write(json.dumps(record) + "\n")


def best(work, path):
    seconds = []
    for _ in range(ROUNDS):
        if os.path.exists(path):
            os.remove(path)
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    with open(path, "rb") as file:
        return min(seconds), file.read()


def in_c(directory, mode):
    command = [os.path.join(ROOT, "build", "bench", "append_host"), os.path.join(ROOT, "taskresults"), directory, TEXT,
               str(COUNT), mode]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def report(name, seconds, python, written, expected):
    if written != expected:
        sys.exit(name + ": the file is not Python's")
    print("%-31s  %.4f s  %6.2f us a record  %.3f of Python (1 / %.1f)"
          % (name, seconds, seconds / COUNT * 1e6, seconds / python, python / seconds))


def main(directory):
    path = os.path.join(directory, "nightly-backup.jsonl")
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(os.path.join(ROOT, "taskresults"))
    db.execute("CREATE VIRTUAL TABLE temp.r USING task_results(dir='%s')" % directory.replace("'", "''"))
    rows = records()
    db.execute("CREATE TABLE plain(timestamp, job_id, job_name, success, output, error)")
    db.executemany("INSERT INTO plain VALUES (?, ?, ?, ?, ?, ?)", rows)
    insert = "INSERT INTO r(timestamp, job_id, job_name, success, output, error) VALUES (?, ?, ?, ?, ?, ?)"

    def one_at_a_time():
        for row in rows:
            db.execute(insert, row)

    def in_one_transaction():
        db.execute("BEGIN")
        db.executemany(insert, rows)
        db.execute("COMMIT")

    def select():
        db.execute("INSERT INTO r SELECT * FROM plain")

    python, expected = best(lambda: python_loop(path, rows), path)
    print("python open/dumps/write/close    %.4f s  %6.2f us a record" % (python, python / COUNT * 1e6))
    for name, work in (("INSERT, autocommit", one_at_a_time), ("INSERT, one transaction", in_one_transaction),
                       ("INSERT ... SELECT", select)):
        seconds, written = best(work, path)
        report(name, seconds, python, written, expected)
    for mode in ("autocommit", "transaction"):
        seconds = in_c(directory, mode)
        with open(path, "rb") as file:
            report("INSERT in a C host, " + mode, seconds, python, file.read(), expected)


if len(sys.argv) > 1:
    main(sys.argv[1])
else:
    with tempfile.TemporaryDirectory() as temporary:
        main(temporary)
