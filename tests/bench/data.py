"""data.py - the results files that are measured, made by generate.py when a task first asks for them, and kept below
build/bench/data. Each function returns a results directory; the one large file in it is the job `big`."""
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone

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


def archived_path(directory):
    return os.path.join(directory, ".taskresults/archive/big.jsonl/none-1.jsonl.zst")


def archived():
    """The records of the large file, in the archive alone."""
    def archive(directory):
        os.makedirs(os.path.dirname(archived_path(directory)))
        writer = os.path.join(HERE, "../oracles/archive_segment.py")
        with open(big_path(large()), "rb") as file:
            subprocess.run([sys.executable, writer, "write", archived_path(directory)], stdin=file, check=True)

    return made(f"archived-{BYTES}", archive)


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


def scheduled(count=2000, days=30):
    """What a scheduler keeps of hourly jobs, a run for each hour but every 40th: results, logs and jobs.json."""
    end = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    times = [end - timedelta(hours=hour) for hour in range(days * 24, 0, -1) if hour % 40]
    stamp = lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ")

    def make(directory):
        for folder in ("results", "logs"):
            os.mkdir(os.path.join(directory, folder))
        begun = [stamp(time + timedelta(seconds=1)) for time in times]
        ended = [stamp(time + timedelta(seconds=31)) for time in times]
        log = "".join(f"[{a}] Executing (command mode): working_dir=/opt, cmd=backup\n[{b}] Command executed successfully\n"
                      for a, b in zip(begun, ended))
        names = [f"job-{number:04}" for number in range(count)]
        for name in names:
            with open(os.path.join(directory, "logs", name + ".log"), "w") as file:
                file.write(log)
            with open(os.path.join(directory, "results", name + ".jsonl"), "w") as file:
                file.writelines(f'{{"timestamp": "{at}", "job_id": "{name}", "job_name": "{name}", "success": true, '
                                '"output": "done", "error": ""}\n' for at in ended)
        created = stamp(end - timedelta(days=days))
        with open(os.path.join(directory, "jobs.json"), "w") as file:
            json.dump({"jobs": [{"id": name, "name": name, "schedule": "cron", "cron": "0 * * * *", "enabled": True,
                                 "recurring": True, "created_at": created} for name in names]}, file)

    return made(f"scheduled-{count}-{days}-{end:%Y%m%d}", make)
