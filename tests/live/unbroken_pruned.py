#!/usr/bin/env python3
"""unbroken_pruned.py [STRIDE] - task_stats beside prunes that remove runs from the middle of a job's file: its row is that of the
file before the prune, or that of the file after it, and never counts runs as neighbours between which some are missing.

  killed    a prune is killed before each of its system calls; before the next one finishes it, and after that
  between   before each call that task_stats makes into libc, a whole prune runs, or two of them
STRIDE      takes every STRIDE-th case only (default 1: all)

Prints how many cases were tried; exits 1 and says what is wrong at the first failure. Needs TASKRESULTS_ROOT.
"""
import concurrent.futures
import json
import os
import shutil
import sys
import tempfile

import days_pruned
from days_pruned import common

QUERY = "SELECT runs, streak, longest_failure_streak, mtbf_s, mttr_s FROM task_stats"
# s: a success, f: a failure. After the first prune, ffff fff f f sf stay, and only the last two count.
RUNS = "sffffs" + "s" * 9 + "fff" + "s" * 5 + "fsfsss" + "sf"
FIRST = "'keep', 2, 'keep_failures', 9"
SECOND = "'keep', 1, 'keep_failures', 4"
# Counted by hand: all; what the first prune leaves; what the second leaves of that.
ALL = f"{len(RUNS)}|-1|4|"
AFTER_FIRST, AFTER_SECOND = "11|-1|1||", "5|-1|1||"


class Place:
    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="taskresults-unbroken-")
        self.results = os.path.join(self.path, "results")
        os.mkdir(self.results)
        with open(os.path.join(self.results, "j.jsonl"), "w") as file:
            for number, run in enumerate(RUNS):
                stamp = "2026-02-01T%02d:%02d:00Z" % divmod(number, 60)
                file.write(json.dumps({"timestamp": stamp, "success": run == "s", "output": "", "error": "e"}) + "\n")
        with open(self.path + "/count", "wb") as file:
            file.write(bytes(8))

    def query(self, **settings):
        process = common.sqlite(QUERY, self.results, {"TASKRESULTS_THREADS": "1", **settings})
        out, err = process.communicate()
        if process.returncode:
            sys.exit(f"task_stats: status {process.returncode}: {err}; see {self.path}")
        return out.strip()

    def check(self, what, *allowed):
        row = self.query()
        self.compare(what, row, *allowed)

    def compare(self, what, row, *allowed):
        if not any(row == one or one == ALL and row.startswith(one) for one in allowed):
            sys.exit(f"{what}: {row}, and not one of {allowed}; see {self.path}")

    def done(self):
        shutil.rmtree(self.path)


def killed_at(at, options):
    place = Place()
    common.prune(place.results, "j", options, {"LD_PRELOAD": common.SHIM, "PRUNE_AT": str(at), "PRUNE_FAULT": "kill"})
    place.check(f"killed at call {at}", ALL, AFTER_FIRST)
    common.prune(place.results, "j", FIRST)
    place.check(f"killed at call {at}, and then finished", AFTER_FIRST)
    common.prune(place.results, "j", SECOND)
    place.check(f"killed at call {at}, and pruned once more", AFTER_SECOND)
    place.done()


def run_between(at, command, allowed):
    place = Place()
    row = place.query(LD_PRELOAD=days_pruned.EACH_CALL, EACH_CALL_STATE=place.path + "/count", EACH_CALL_NAME="any",
                      EACH_CALL_AT=str(at), EACH_CALL_RUN=command.replace("RESULTS", place.results))
    place.compare(f"{command} before call {at}", row, ALL, *allowed)
    place.check(f"{command} after all", allowed[-1])
    place.done()


def calls_of(run):
    place = Place()
    run(place, place.path + "/calls")
    with open(place.path + "/calls") as file:
        calls = len([line for line in file if not line.startswith("leak")])
    place.done()
    return range(1, calls + 1)


def prune_command(options):
    return days_pruned.prune_command(1).replace("'keep', 1", options)


def main():
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    steps = calls_of(lambda place, log: common.prune(place.results, "j", FIRST, {"LD_PRELOAD": common.SHIM, "PRUNE_LOG": log}))
    reads = calls_of(lambda place, log: place.query(LD_PRELOAD=days_pruned.EACH_CALL, EACH_CALL_LOG=log,
                                                    EACH_CALL_STATE=place.path + "/count"))
    one, two = prune_command(FIRST), prune_command(FIRST) + " && " + prune_command(SECOND)
    cases = [(killed_at, at, FIRST) for at in steps] + [(run_between, at, one, [AFTER_FIRST]) for at in reads]
    cases += [(run_between, at, two, [AFTER_FIRST, AFTER_SECOND]) for at in reads]
    chosen = cases[::stride]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for future in [pool.submit(case[0], *case[1:]) for case in chosen]:
            future.result()
    print(len(chosen), "of", len(cases), "cases tried")


main()
