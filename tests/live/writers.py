#!/usr/bin/env python3
"""writers.py COUNT - four processes append COUNT records of 20 KB each to one job, as fast as they can: the sqlite3 shell
row by row, the sqlite3 shell ten rows to a transaction, and two Pythons as the scheduler does it.

   writers.py COUNT torn - two shells, beside a process that does nothing but tear lines.

Asserts that every record is there once, whole, and behind its writer's ones before it; beside the tearing process, that
every one is there once (one that was glued to a torn line was written again, behind its batch). Prints what it counted. SCHEDULER_RESULTS_DIR is the directory.
"""
import collections
import json
import os
import subprocess
import sys

ROOT = os.environ["TASKRESULTS_ROOT"]
PATH = os.path.join(os.environ["SCHEDULER_RESULTS_DIR"], "shared.jsonl")
PYTHON_WRITER = """
import json, sys
print("ready", flush=True)
sys.stdin.readline()
for i in range(int(sys.argv[3])):
    record = {"timestamp": "2026-01-01T00:00:00Z", "job_id": "shared", "job_name": "Shared", "success": True,
              "output": "%s %d " % (sys.argv[1], i) + "\\u00e9" * 3300, "error": ""}
    with open(sys.argv[2], "a") as file:
        file.write(json.dumps(record) + "\\n")
"""
TEARER = """
import os, select, sys
print("ready", flush=True)
sys.stdin.readline()
fd = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
print("torn", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    os.write(fd, b'{"timestamp": "torn')
"""


def python(program, name, count):
    return subprocess.Popen([sys.executable, "-c", program, name, PATH, str(count)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)


def shell():
    process = subprocess.Popen(["sqlite3", "-batch", "-bail", "-init", "/dev/null", "-cmd",
                                ".load %s/taskresults" % ROOT, ":memory:"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    process.stdin.write("SELECT taskresults_writable(1); SELECT 'ready';\n")
    process.stdin.flush()
    process.stdout.readline()
    return process


def feed(process, name, count, rows):
    """A child of ours writes the SQL, so that both shells are fed at the same time."""
    pid = os.fork()
    if pid:
        process.stdin.close()
        return pid
    for i in range(count):
        begin, end = ("BEGIN;", "COMMIT;") if rows > 1 else ("", "")
        process.stdin.write("%sINSERT INTO task_results(job_id, success, output) VALUES ('shared', 1, '%s %d ' || "
                            "replace(hex(zeroblob(1650)), '0', 'é'));%s\n"
                            % (begin if i % rows == 0 else "", name, i, end if (i + 1) % rows == 0 else ""))
    process.stdin.close()
    os._exit(0)


def check(names, count, others_allowed):
    seen, rejects, blanks = collections.defaultdict(list), 0, 0
    with open(PATH, "rb") as file:
        for line in file:
            try:
                name, number = json.loads(line)["output"].split(" ")[:2]
                seen[name].append(int(number))
                assert len(line) > 19800
            except ValueError:
                blanks += not line.strip()
                rejects += bool(line.strip())
    for name in names:
        order = sorted(seen[name]) if others_allowed else seen[name]
        assert order == list(range(count)), "%s: %d records, or out of order" % (name, len(order))
    assert set(seen) == set(names), set(seen)
    assert others_allowed or rejects == 0, "%d rejects" % rejects
    print("%d records, %d torn lines, %d blank lines" % (sum(map(len, seen.values())), rejects, blanks))


def main(count, torn):
    rows = shell()
    batches = shell()
    others = [python(TEARER, "tearer", count)] if torn else [python(PYTHON_WRITER, n, count) for n in ("py-1", "py-2")]
    for process in [rows, batches] + others:
        assert process.stdout.readline() == "ready\n"
    for process in others:
        process.stdin.write("go\n")
        process.stdin.flush()
    if torn:
        assert others[0].stdout.readline() == "torn\n"
    feeders = [feed(rows, "rows", count, 1), feed(batches, "batches", count, 10)]
    for pid in feeders:
        assert os.waitpid(pid, 0)[1] == 0
    assert rows.wait() == 0 and batches.wait() == 0
    for process in others:
        process.stdin.close()
        assert process.wait() == 0
    names = ["rows", "batches"] + ([] if torn else ["py-1", "py-2"])
    check(names, count, torn)


main(int(sys.argv[1]), sys.argv[2:] == ["torn"])
