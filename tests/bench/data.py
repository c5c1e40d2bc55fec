"""data.py - the results files that are measured, made by generate.py when a task first asks for them, and kept below
build/bench/data. Each function returns a results directory; the one large file in it is the job `big`."""
import os
import shutil
import subprocess
import sys

from settings import BYTES, HERE, WORK


def made(name, make):
    """The directory of that name; made beside it and renamed, so that half of one is never taken for a whole."""
    directory = os.path.join(WORK, "data", name)
    if not os.path.isdir(directory):
        shutil.rmtree(directory + ".part", ignore_errors=True)
        os.makedirs(directory + ".part")
        make(directory + ".part")
        os.rename(directory + ".part", directory)
    return directory


def generate(*arguments):
    subprocess.run([sys.executable, os.path.join(HERE, "generate.py"), *map(str, arguments)], check=True)


def big_path(directory):
    return os.path.join(directory, "big.jsonl")


def one_file(size, style="scheduler"):
    return made(f"{style}-{size}", lambda directory: generate(big_path(directory), size, style))


def large(style="scheduler"):
    """The scheduler's own layout in full; of the other layouts a quarter."""
    return one_file(BYTES if style == "scheduler" else BYTES // 4, style)


def enlarged(size):
    """One file of that size: larger ones than the large one are made of copies of it."""
    times = size // BYTES
    if times < 2:
        return one_file(size)

    def repeat(directory):
        with open(big_path(directory), "wb") as copy:
            for _ in range(times):
                with open(big_path(large()), "rb") as file:
                    shutil.copyfileobj(file, copy, 1 << 20)

    return made(f"scheduler-{size}", repeat)


def slow():
    """For rivals that take seconds: a tenth."""
    return one_file(BYTES // 10)


def tiny():
    return one_file(100000)


def short_records(share=1):
    return one_file(BYTES // 2 // share, "short")


def jobs(count, size):
    return made(f"jobs-{count}-{size}", lambda directory: generate("--jobs", count, directory, size))


def many():
    return jobs(2000, BYTES // 2)


def recent():
    """2,000 jobs that ran in the last 90 days."""
    return made(f"recent-{BYTES // 2}", lambda directory: generate("--jobs", 2000, directory, BYTES // 2, 90))
