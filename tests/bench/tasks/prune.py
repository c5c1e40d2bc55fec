"""prune.py - pruning a fresh copy of the large file each time, beside the recipe that loses records, `rm` (with which every
prune ends, and which costs what it costs on that file system) and a scan of the same file."""
import hashlib
import json
import os
import subprocess

import data
from measure import Comparison, bar, ours, rival
from settings import PRUNE_DIR, RUNS
from tasks.one_file import COUNT, size_of
from tools import program, shell, sqlite

RECIPE = 'tail -n 1000 "$1" >"$1.tmp" && sync "$1.tmp" && mv "$1.tmp" "$1"'


def time_near_the_end(path):
    with open(path, "rb") as file:
        file.seek(-100000, os.SEEK_END)
        return json.loads(file.read().splitlines()[1])["timestamp"]


def what_is_left(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def prune():
    original = data.big_path(data.large())
    path = data.big_path(PRUNE_DIR)
    os.makedirs(PRUNE_DIR, exist_ok=True)

    def fresh_copy(_):
        subprocess.run(["sh", "-c", 'cp "$1" "$2" && sync "$2"', "sh", original, path], check=True)

    def pruner(name, arguments, asks=False):
        statement = f"SELECT taskresults_prune('big', {arguments}) ->> '$.result'"
        return ours(name, sqlite(PRUNE_DIR, statement), asks=asks)

    yield Comparison("prune", "prune a large file", [
        pruner("to the last 1,000", "'keep', 1000", asks=True),
        pruner("to 1,000, counted", "'keep', 1000, 'count', 1"),
        pruner("by time", f"'since', '{time_near_the_end(original)}'"),
        rival("tail, sync, mv", shell(RECIPE, path)),
        rival("rm alone", program("rm", path), asks=False),
        rival("T1 scan", sqlite(PRUNE_DIR, COUNT), asks=False),
    ], size=size_of(data.large()), runs=min(RUNS, 3), before=fresh_copy, answer=lambda contender, output: what_is_left(path), bars=[
        bar("ratio", "to the last 1,000", 1.2, "tail, sync, mv"),
        bar("ratio", "to 1,000, counted", 1.5, "T1 scan"),
        bar("ratio", "by time", 1.5, "T1 scan"),
        bar("MiB", "by time", 16)])
    if os.path.exists(path):
        os.remove(path)
