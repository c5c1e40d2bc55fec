"""seal.py - sealing a large file anew, and verifying it, beside sha256sum of the same file."""
import os
import shutil

import data
from measure import Comparison, bar, ours, rival
from settings import RUNS, WORK
from tasks.one_file import size_of
from tools import program, sqlite


PLACE = os.path.join(WORK, "seal")


def seal():
    original = data.big_path(data.large())
    path = data.big_path(PLACE)
    folder = os.path.join(PLACE, ".taskresults")
    os.makedirs(PLACE, exist_ok=True)
    if os.path.exists(path):
        os.remove(path)
    os.link(original, path)

    def without_seals(contender):
        if contender.name == "seal anew":
            shutil.rmtree(folder, ignore_errors=True)

    yield Comparison("seal", "seal a large file", [
        ours("seal anew", sqlite(PLACE, "SELECT taskresults_seal('big') ->> '$.result'"), asks=False),
        ours("verify", sqlite(PLACE, "SELECT taskresults_verify('big') ->> '$.result'"), asks=False),
        rival("sha256sum", program("sha256sum", path), asks=False),
    ], size=size_of(data.large()), runs=min(RUNS, 3), before=without_seals, bars=[
        bar("ratio", "seal anew", 1.5, "sha256sum")])
    os.remove(path)
    shutil.rmtree(folder, ignore_errors=True)
