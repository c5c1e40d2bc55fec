#!/usr/bin/env python3
"""shared_rotated.py [STRIDE [EXTENSION]] - n8n rotates its log while a statement reads it: before each call that our code makes into libc
(tests/shim/each_call.c), each file gets the name of the next older one, and a new one is begun.

A statement must have each record once that was there before it, in the order in which they were written, and at most the one
that came with the rotation; or fail, and say that files were renamed or replaced.

STRIDE     takes every STRIDE-th call only (default 1: all)
EXTENSION  the one to test (default: that of TASKRESULTS_ROOT)

Prints a sum; exits 1 if there was a finding. Needs TASKRESULTS_ROOT.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ["TASKRESULTS_ROOT"]
EXTENSION = (sys.argv[2:] or [ROOT + "/taskresults"])[0]
STATEMENTS = ["SELECT job_name FROM task_results", "SELECT job_name FROM task_results WHERE job_id = 'a'",
              "SELECT runs FROM task_stats WHERE job_id = 'a'"]
ROTATE = """cd {0} && mv n8nEventLog-2.log n8nEventLog-3.log && mv n8nEventLog-1.log n8nEventLog-2.log &&
  mv n8nEventLog.log n8nEventLog-1.log && mv ../new n8nEventLog.log"""


def line(number):
    return json.dumps({"ts": f"2026-01-01T00:00:{number:02}Z", "eventName": "n8n.workflow.success",
                       "payload": {"workflowId": "a", "workflowName": str(number)}}) + "\n"


class Place:
    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="taskresults-rotated-")
        os.mkdir(self.path + "/log")
        for at, name in enumerate(("log/n8nEventLog-2.log", "log/n8nEventLog-1.log", "log/n8nEventLog.log", "new")):
            with open(f"{self.path}/{name}", "w") as file:
                file.write("".join(line(number) for number in range(2 * at, 2 * at + 2 - (name == "new"))))
        with open(self.path + "/count", "wb") as file:
            file.write(bytes(8))

    def run(self, statement, **settings):
        variables = dict(os.environ, LD_PRELOAD=ROOT + "/build/shim/each_call.so", EACH_CALL_STATE=self.path + "/count",
                         SCHEDULER_RESULTS_DIR=self.path + "/log", TASKRESULTS_MAP="n8n", TASKRESULTS_THREADS="1", **settings)
        done = subprocess.run(["sqlite3", "-batch", "-bail", "-init", "/dev/null", "-cmd", ".load " + EXTENSION,
                               ":memory:", statement], env=variables, capture_output=True, timeout=300)
        return done.returncode, done.stdout.decode().split(), done.stderr.decode()


def main():
    stride, cases, findings, new, told = int((sys.argv[1:] or ["1"])[0]), 0, 0, 0, 0
    for statement in STATEMENTS:
        good = [["6"], ["7"]] if "runs" in statement else [[str(n) for n in range(count)] for count in (6, 7)]
        number = done = 0
        while not done:  # until there is no such call any more
            number += stride
            place = Place()
            status, rows, error = place.run(statement, EACH_CALL_NAME="any", EACH_CALL_AT=str(number),
                                            EACH_CALL_RUN=ROTATE.format(place.path + "/log"))
            done = os.path.exists(place.path + "/new")
            shutil.rmtree(place.path)
            cases += not done
            new += rows == good[1]
            is_told = status != 0 and ("renamed" in error or "replaced" in error)
            told += is_told
            if not is_told and (status != 0 or rows not in good):
                findings += 1
                print(f"{statement}: call {number}: {status}, {rows}, {error}")
    print(f"{cases} calls: {new} times with the new record, {told} times told, {findings} findings")
    return 1 if findings or new == 0 or cases < 90 // stride else 0


if __name__ == "__main__":
    sys.exit(main())
