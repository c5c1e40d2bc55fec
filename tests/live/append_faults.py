#!/usr/bin/env python3
"""append_faults.py - every system call of an append fails, in every way, with every kind of other writer; what is left
in the files?

One transaction writes three records of job a, then two of job b, under tests/shim/write_faults.c. Whatever happens:
  - what the files held before is still there, byte for byte, at their beginning;
  - each line behind it is blank, somebody else's, a whole record of ours, or a reject;
  - no record of ours occurs twice, and those of a job are in order (but for one that was glued);
  - if COMMIT succeeded, all are there; if it failed, those are there that its message says are there.
Prints "N cases" and exits 0, or the first case that breaks this, and exits 1. Needs TASKRESULTS_ROOT.
"""
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ["TASKRESULTS_ROOT"]
BEFORE = {  # what job a's file holds before
    "new": None,
    "empty": b"",
    "whole": b'{"output": "old"}\n',
    "torn": b'{"output": "old"}\n{"output": "to',
}
OURS = {"a": ["a1", "a2", "a3"], "b": ["b1", "b2"]}
ERRNO = {"EIO": 5, "ENOSPC": 28, "EDQUOT": 122, "EACCES": 13, "EROFS": 30}


def run(directory, settings, sync):
    for_shell = ["sqlite3", "-batch", "-bail", "-init", "/dev/null", "-cmd", ".load %s/taskresults" % ROOT, ":memory:",
                 "CREATE VIRTUAL TABLE temp.t USING task_results(dir='%s', sync=%s)" % (directory, sync), "BEGIN"]
    for job, output in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3"), ("b", "b2")]:
        for_shell.append("INSERT INTO t(job_id, success, output) VALUES ('%s', 1, '%s')" % (job, output))
    environment = dict(os.environ, LD_PRELOAD=ROOT + "/build/shim/write_faults.so", **settings)
    done = subprocess.run(for_shell + ["COMMIT"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def record(line):
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value.get("output", line) if isinstance(value, dict) else None


def told(message, job):
    """How many records of the job the error message says are written."""
    match = re.search(r"Jobs written before that:(.*?); jobs not written", message)
    if match is None:
        return 0
    listed = re.search(r"'%s' \((\d+) record" % job, match[1])
    if listed:
        return int(listed[1])
    part = re.search(r"job '%s': .*?(\d+) of its \d+ records (?:is|are) in the file" % job, message)
    return int(part[1]) if part else 0


def check(directory, before, code, message, strict_order):
    for job, ours in OURS.items():
        content = read("%s/%s.jsonl" % (directory, job))
        old = (before or b"") if job == "a" else b""
        assert content.startswith(old), "what was there before is gone"
        lines = content[len(old):].split(b"\n") if not old or old.endswith(b"\n") else content.split(b"\n")[2:]
        assert not any(isinstance(record(l), bytes) for l in lines), "a record nobody wrote"
        found = [r for r in map(record, lines) if r in ours]
        assert len(found) == len(set(found)), "a record twice"
        if strict_order:
            assert found == ours[:len(found)], "out of order: %s" % found
        expected = len(ours) if code == 0 else told(message, job)
        assert len(found) == expected, "%d records of job %s, where %d are told of" % (len(found), job, expected)
        if code == 0:
            assert content.endswith(b"\n"), "the file does not end in a newline"


def cases():
    calls = ["open", "fstat", "pread", "write", "fdatasync", "fsync"]
    for before, call, at in itertools.product(BEFORE, calls, range(1, 7)):
        sync = "data" if call.startswith("f") and call != "fstat" else "off"
        for errno in ("EIO", "ENOSPC") if call != "open" else ERRNO:
            yield before, sync, {"WRITE_FAULTS_CALL": call, "WRITE_FAULTS_AT": str(at),
                                 "WRITE_FAULTS_ERRNO": str(ERRNO[errno]), "WRITE_FAULTS_TIMES": "0"}, True
    short = [1, 50, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 170, 230, 300]
    for before, bytes_taken in itertools.product(BEFORE, short):
        yield before, "off", {"WRITE_FAULTS_SHORT": str(bytes_taken)}, True
        for at in (1, 2):
            one = {"WRITE_FAULTS_SHORT": str(bytes_taken), "WRITE_FAULTS_SHORT_AT": str(at)}
            yield before, "off", one, True
            yield before, "off", dict(one, WRITE_FAULTS_COME=str(at)), True
            yield before, "off", dict(one, WRITE_FAULTS_TEAR=str(at)), False
            yield before, "off", dict(one, WRITE_FAULTS_TEAR="0", WRITE_FAULTS_COME="0"), False
            yield before, "off", dict(one, WRITE_FAULTS_CALL="write", WRITE_FAULTS_AT=str(at + 1), WRITE_FAULTS_TIMES="0",
                                      WRITE_FAULTS_ERRNO="28"), True
    for before, at in itertools.product(BEFORE, range(0, 5)):
        yield before, "off", {"WRITE_FAULTS_TEAR": str(at)}, False
        yield before, "off", {"WRITE_FAULTS_COME": str(at)}, True
    for before, at in itertools.product(BEFORE, range(1, 5)):  # what was glued cannot be written again
        yield before, "off", {"WRITE_FAULTS_TEAR": str(at), "WRITE_FAULTS_CALL": "write", "WRITE_FAULTS_AT": str(at + 1),
                              "WRITE_FAULTS_TIMES": "0", "WRITE_FAULTS_ERRNO": "28"}, False
    for before in BEFORE:
        yield before, "off", {"WRITE_FAULTS_SHORT": "150"}, "must succeed"
    # EINTR and EAGAIN are no errors.
    for before, call, errno in itertools.product(BEFORE, ["open", "pread", "write", "fdatasync", "fsync"], (4, 11)):
        if errno == 11 and call not in ("open", "write"):
            continue
        for at in range(1, 4):
            yield before, "data", {"WRITE_FAULTS_CALL": call, "WRITE_FAULTS_AT": str(at), "WRITE_FAULTS_TIMES": "3",
                                   "WRITE_FAULTS_ERRNO": str(errno)}, "must succeed"


def main():
    count = failed = 0
    base = tempfile.mkdtemp()
    for before, sync, settings, rule in cases():
        directory = os.path.join(base, "results")
        os.mkdir(directory)
        if BEFORE[before] is not None:
            with open(directory + "/a.jsonl", "wb") as file:
                file.write(BEFORE[before])
        code, message = run(directory, settings, sync)
        try:
            assert rule != "must succeed" or code == 0, "it failed"
            check(directory, BEFORE[before], code, message, bool(rule))
        except AssertionError as problem:
            print("%s: before=%s sync=%s %s\n%s%s\n%s" % (problem, before, sync, settings, message,
                                                        read(directory + "/a.jsonl"), read(directory + "/b.jsonl")))
            return 1
        failed += code != 0
        count += 1
        shutil.rmtree(directory)
    os.rmdir(base)
    print("%d cases, %d of them failed COMMITs" % (count, failed))
    return 0


sys.exit(main())
