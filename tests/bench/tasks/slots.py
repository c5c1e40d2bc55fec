"""slots.py - did 2,000 hourly jobs run when they should, over 30 days? From schedules, results and logs."""
import os

import data
from measure import Comparison, bar, ours, rival
from settings import ROOT
from tasks import jobs
from tools import Command, python

MISSED = "SELECT count(*) FROM task_slots('30d') WHERE state = 'missed'"
# What else would read those files: the records and the starts, without asking when they were due.
IN_PYTHON = """
import glob, json, sys
runs = sum(json.loads(line)["success"] for path in glob.glob(sys.argv[1] + "/results/*.jsonl") for line in open(path))
print(runs, sum("] Executing (" in line for path in glob.glob(sys.argv[1] + "/logs/*.log") for line in open(path)))"""


def scheduler_of(directory, *words):
    return Command(list(words), {"SCHEDULER_RESULTS_DIR": os.path.join(directory, "results"),
                                 "SCHEDULER_LOGS_DIR": os.path.join(directory, "logs"),
                                 "SCHEDULER_JOBS_FILE": os.path.join(directory, "jobs.json")})


def of_many_jobs():
    directory = data.scheduled()
    sqlite = ["sqlite3", "-init", "/dev/null", "-batch", "-cmd", f".load {ROOT}/taskresults", ":memory:"]
    yield Comparison("slots", "what 2,000 hourly jobs missed in 30 days", [
        ours("task_slots", scheduler_of(directory, *sqlite, MISSED), asks=False),
        ours("taskresults next", scheduler_of(directory, os.path.join(ROOT, "shell", "taskresults"), "next"), asks=False),
        rival("python3 json.loads, counting only", python(IN_PYTHON, directory), asks=False),
    ], size=jobs.size_of(os.path.join(directory, "results")), bars=[bar("seconds", "task_slots", 1.0)])
