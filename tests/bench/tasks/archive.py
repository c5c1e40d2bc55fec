"""archive.py - questions to an archived segment, which holds all records of a job."""
import os

import data
from measure import Comparison, bar, ours, rival
from tools import shell, sqlite

COUNT = "SELECT count(*) FROM task_history('big') WHERE success = 0"
LAST = "SELECT timestamp FROM task_history('big') ORDER BY segment_no DESC, offset DESC LIMIT 5"
ALL_BACKWARDS = f"SELECT sum(length(output)) FROM ({LAST.replace('timestamp', 'output').replace('LIMIT 5', 'LIMIT -1')})"
FAILED = '"success": false'


def questions():
    directory = data.archived()
    path = data.archived_path(directory)
    size = {"bytes": data.BYTES, "files": 1, "archived": os.path.getsize(path)}
    yield Comparison("archive", "count the failures in an archive", [
        ours("taskresults", sqlite(directory, COUNT)),
        ours("taskresults, 1 thread", sqlite(directory, COUNT, threads=1)),
        rival("zstdcat | grep -c", shell('zstdcat "$1" | grep -c "$2"', path, FAILED, needs=["zstd"])),
    ], size=size, bars=[bar("ratio", "taskresults", 0.6, "zstdcat | grep -c"), bar("MiB", "taskresults", 24)])
    yield Comparison("archive", "the latest five of an archive", [
        ours("taskresults", sqlite(directory, LAST)),
        rival("zstdcat | tail | tac | jq",
              shell('zstdcat "$1" | tail -n 5 | tac | jq -r .timestamp', path, needs=["zstd", "jq"])),
    ], size=size, bars=[bar("seconds", "taskresults", 0.020)])
    yield Comparison("archive", "all outputs of an archive, backwards", [ours("taskresults", sqlite(directory, ALL_BACKWARDS))],
                     size=size, runs=1, bars=[bar("MiB", "taskresults", 24)])
