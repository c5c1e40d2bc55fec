#!/usr/bin/env python3
"""days_pruned.py [STRIDE] - task_days beside prunes: whatever has happened to a job's file, its rows are those of all records
that were ever written, as Python counts them.

  killed    a prune is killed before each of its system calls; before the next one finishes it, and after that
  offline   the same where nothing can be leased
  between   before each call that task_days makes into libc, a whole prune runs, or two of them
  rotated   the same, with a rotation behind the prune
STRIDE      takes every STRIDE-th case only (default 1: all)

Prints how many cases were tried; exits 1 and says what is wrong at the first failure. Needs TASKRESULTS_ROOT.
"""
import concurrent.futures
import datetime
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ["TASKRESULTS_ROOT"]
sys.path[:0] = [os.path.join(ROOT, "tests/prune"), os.path.join(ROOT, "tests/oracles")]
import common  # noqa: E402
import days  # noqa: E402

EACH_CALL = os.path.join(ROOT, "build/shim/each_call.so")
QUERY = "SELECT job_id, day, runs, failures, first_run, last_run FROM task_days"
RECORDS = 60


def records():
    for number in range(RECORDS):
        when = datetime.datetime(2026, 2, 1, 1, 30) + datetime.timedelta(hours=5 * number)
        stamp = "broken" if number % 13 == 12 else when.isoformat() + "Z"
        yield {"timestamp": stamp, "job_id": "j", "job_name": str(number), "success": number % 4 > 0, "output": "x", "error": ""}


class Place:
    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="taskresults-days-")
        self.results = os.path.join(self.path, "results")
        os.mkdir(self.results)
        self.written = list(records())
        self.append("j.jsonl", self.written)
        with open(self.path + "/count", "wb") as file:
            file.write(bytes(8))

    def append(self, name, some):
        with open(os.path.join(self.results, name), "a") as file:
            file.writelines(json.dumps(record) + "\n" for record in some)

    def query(self, **settings):
        process = common.sqlite(QUERY, self.results, {"TASKRESULTS_THREADS": "1", **settings})
        out, err = process.communicate()
        if process.returncode:
            sys.exit(f"task_days: status {process.returncode}: {err}; see {self.path}")
        return sorted(out.splitlines())

    def check(self, what, rows):
        expected = sorted(days.rows("j", self.written))
        if rows != expected:
            wrong = "\n    ".join(sorted(set(rows) ^ set(expected)))
            sys.exit(f"{what}: the rows that differ are\n    {wrong}\nsee {self.path}")

    def done(self):
        shutil.rmtree(self.path)


def killed_at(at, options, settings):
    place = Place()
    common.prune(place.results, "j", options, {"LD_PRELOAD": common.SHIM, "PRUNE_AT": str(at), "PRUNE_FAULT": "kill", **settings})
    place.check(f"killed at call {at}, {options}", place.query())
    more = dict(place.written[-1], timestamp="2026-03-01T00:00:00Z")
    place.append("j.jsonl", [more])
    place.written.append(more)
    common.prune(place.results, "j", "'keep', 10" + options.partition("keep', 20")[2])
    place.check(f"killed at call {at}, {options}, and then finished", place.query())
    place.done()


def killed(options, **settings):
    place = Place()
    common.prune(place.results, "j", options, {"LD_PRELOAD": common.SHIM, "PRUNE_LOG": place.path + "/calls", **settings})
    with open(place.path + "/calls") as file:
        calls = len(file.readlines())
    place.check("a prune", place.query())
    place.done()
    return [(killed_at, at, options, settings) for at in range(1, calls + 1)]


def run_between(at, command):
    place = Place()
    script = command.replace("RESULTS", place.results)
    rows = place.query(LD_PRELOAD=EACH_CALL, EACH_CALL_STATE=place.path + "/count", EACH_CALL_NAME="any", EACH_CALL_AT=str(at),
                       EACH_CALL_RUN=script)
    place.check(f"{command} before call {at}", rows)
    place.check(f"{command} after all", place.query())
    place.done()


def prune_command(keep):
    load = os.path.join(ROOT, "taskresults")
    return (f"env -u LD_PRELOAD SCHEDULER_RESULTS_DIR=RESULTS sqlite3 -batch -bail -init /dev/null -cmd '.load {load}' :memory: "
            f"\"SELECT taskresults_prune('j', 'keep', {keep})\" >/dev/null")


def between(command):
    place = Place()
    place.query(LD_PRELOAD=EACH_CALL, EACH_CALL_STATE=place.path + "/count", EACH_CALL_LOG=place.path + "/calls")
    with open(place.path + "/calls") as file:
        calls = len([line for line in file if not line.startswith("leak")])
    place.done()
    return [(run_between, at, command) for at in range(1, calls + 1)]


def main():
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    two = prune_command(30) + " && " + prune_command(7)
    cases = list(itertools.chain(
        killed("'keep', 20"), killed("'keep', 20, 'keep_failures', 3"), killed("'keep', 20, 'offline', 1", PRUNE_NO_LEASES="1"),
        between(prune_command(20)), between(two), between(prune_command(9) + " && mv RESULTS/j.jsonl RESULTS/j.jsonl.1")))
    chosen = cases[::stride]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for future in [pool.submit(case[0], *case[1:]) for case in chosen]:
            future.result()
    print(len(chosen), "of", len(cases), "cases tried")


if __name__ == "__main__":
    main()
