#!/usr/bin/python3
"""append.py MODE DIRECTORY - appends 10,000 records of job nightly-backup from Python, and prints the seconds that took.
Does so twice, to a file that is not there, and times the second: who appends results is a process that runs on.

MODE: python        the scheduler's own way: open(path, "a"), json.dumps, write, close, for each record
      autocommit    an INSERT for each, by itself
      transaction   an INSERT for each, all in one transaction
      select        one INSERT ... SELECT from an ordinary table

Needs a Python with sqlite3.enable_load_extension, such as Debian's.
"""
import json
import os
import sqlite3
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
COUNT = 10000
TEXT = ("total        used        free      shared  buff/cache   available\n"
        "Mem:           24105        3531       16007        2891        7773       20573\n"
        "\U0001f4cb Backup finished: 1482 files, 3.2 GB copied, 0 errors \u2014 \"all good\".\n") * 2
INSERT = "INSERT INTO r(timestamp, job_id, job_name, success, output, error) VALUES (?, ?, ?, ?, ?, ?)"


def records():
    return [("2026-01-01T00:%02d:%02d.%06dZ" % (i // 60 % 60, i % 60, i), "nightly-backup", "Nightly Backup", True,
             TEXT + str(i), "") for i in range(COUNT)]


def as_the_scheduler(path, rows):
    for timestamp, job_id, job_name, success, output, error in rows:
        record = {"timestamp": timestamp, "job_id": job_id, "job_name": job_name, "success": success, "output": output,
                  "error": error}
        with open(path, "a") as file:
            file.write(json.dumps(record) + "\n")


def connect(directory, rows):
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(os.path.join(ROOT, "taskresults"))
    db.execute("CREATE VIRTUAL TABLE temp.r USING task_results(dir='%s')" % directory.replace("'", "''"))
    db.execute("CREATE TABLE plain(timestamp, job_id, job_name, success, output, error)")
    db.executemany("INSERT INTO plain VALUES (?, ?, ?, ?, ?, ?)", rows)
    return db


def insert(db, mode, rows):
    if mode == "select":
        db.execute("INSERT INTO r SELECT * FROM plain")
        return
    if mode == "transaction":
        db.execute("BEGIN")
    db.executemany(INSERT, rows)
    if mode == "transaction":
        db.execute("COMMIT")


def seconds_of(append):
    start = time.perf_counter()
    append()
    return time.perf_counter() - start


def main(mode, directory):
    rows = records()
    path = os.path.join(directory, "nightly-backup.jsonl")
    if mode == "python":
        append = lambda: as_the_scheduler(path, rows)
    else:
        db = connect(directory, rows)
        append = lambda: insert(db, mode, rows)
    append()
    os.remove(path)
    print(f"{seconds_of(append):.6f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
