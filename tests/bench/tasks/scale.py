"""scale.py - the same questions to files of more and more bytes, and to more and more files of the same bytes in all."""
import shutil
import sys

import data
from measure import Comparison, bar
from settings import BYTES, RUNS, SCALE_BYTES, SCALE_FILES, WORK
from tasks import jobs, one_file


def fits(size):
    """A file that leaves less than half of the free space would be no friend of the machine."""
    free = shutil.disk_usage(WORK).free
    if size > free // 2:
        print(f"scale: {size / 1e9:.1f} GB not measured, {free / 1e9:.1f} GB are free", file=sys.stderr)
    return size <= free // 2


def runs_for(size):
    return min(RUNS, 3 if size <= BYTES else 2)


def by_bytes():
    names = ("taskresults", "grep -c", "simdjson, whole file, 1 thread", "simdjson, blocks", "DuckDB, 2 threads")
    for size in filter(fits, SCALE_BYTES):
        directory = data.enlarged(size)
        contenders = [one for one in one_file.counters(directory) if one.name in names]
        yield Comparison("scale", "count the failures", contenders, size=one_file.size_of(directory), runs=runs_for(size),
                         bars=[bar("MiB", "taskresults", 16)])
        latest = one_file.latest_five("the latest five", directory)
        latest.task = "scale"
        yield latest


def by_files():
    names = ("task_stats", "taskresults list", "DuckDB, 2 threads", "simdjson, 2 threads", "simdjson, 1 thread")
    for count in SCALE_FILES:
        directory = data.jobs(count, BYTES // 4)
        contenders = [one for one in jobs.counters(directory) if one.name in names]
        yield Comparison("scale", "statistics of each job", contenders, size=jobs.size_of(directory), runs=min(RUNS, 3),
                         bars=[bar("MiB", "task_stats", 16)])
        one_job = jobs.one_job("failures of one job", directory, f"job-{count // 2:05d}")
        one_job.task = "scale"
        if count == 1:  # all is that job's
            one_job.bars = []
        yield one_job
