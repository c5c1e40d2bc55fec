"""cold.py - runs from a cold page cache, which takes root: all caches of the system are dropped before each run, and the
program is then run once on a few bytes, so that only the data is cold and not the program (DuckDB's is 100 MB)."""
import os
import sys

from measure import Comparison, run_once
from settings import RUNS

DROP = "/proc/sys/vm/drop_caches"


def may_drop():
    return os.access(DROP, os.W_OK)


def before(contender):
    os.sync()
    with open(DROP, "w") as file:
        file.write("3")
    run_once(contender.twin)


def comparison(task, title, contenders, directory, tiny, names, **more):
    """Those of contenders(directory) that are named, cold; contenders(tiny) are the same on a few bytes."""
    if not may_drop():
        print(f"{task} cold: not measured, caches can only be dropped by root", file=sys.stderr)
        return
    pairs = [(one, twin) for one, twin in zip(contenders(directory), contenders(tiny)) if one.name in names]
    for one, twin in pairs:
        one.twin = twin.command
    yield Comparison(task, f"{title}, cold cache", [one for one, _ in pairs], runs=min(RUNS, 3), before=before, **more)
