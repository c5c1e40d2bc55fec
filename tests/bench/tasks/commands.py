"""commands.py - what people type and what cron runs, as whole processes."""
import os

import data
from measure import Comparison, bar, ours, rival
from settings import RUNS, WORK
from tasks import jobs, one_file
from tools import command, program, python, shell, sqlite

# What `view --latest` prints, by a statement that somebody may have at hand: what bash adds is the difference.
LATEST = """SELECT timestamp || ' | ' || job_name || ' | ' || CASE WHEN ok THEN '✅ SUCCESS' ELSE '❌ FAILED' END || CASE
  WHEN ok AND output <> '' THEN char(10) || '  Output: ' || substr(output, 1, 200) || iif(length(output) > 200, '...', '')
  WHEN error <> '' THEN char(10) || '  Error: ' || substr(error, 1, 200) || iif(length(error) > 200, '...', '') ELSE '' END
  FROM task_results('big') ORDER BY rowid DESC LIMIT 1"""


def on_one_file():
    directory = data.large()
    path = data.big_path(directory)
    size = one_file.size_of(directory)
    yield Comparison("commands", "taskresults errors", [
        ours("taskresults errors", command(directory, "taskresults", "errors")),
        rival("grep | grep", shell('grep "$2" "$1" | grep -c "$3"', path, one_file.FAILED, one_file.PHRASE), asks=False),
    ], size=size, bars=[bar("ratio", "taskresults errors", 1.0, "grep | grep"), bar("MiB", "taskresults errors", 16)])
    yield Comparison("commands", "view_results", [
        ours("view_results", command(directory, "view_results", "big", "--limit", "5")),
        rival("grep -c", program("grep", "-c", one_file.FAILED, path), asks=False),
    ], size=size, bars=[bar("ratio", "view_results", 1.2, "grep -c"), bar("MiB", "view_results", 16)])
    yield Comparison("commands", "taskresults view --latest", [
        ours("taskresults view", command(directory, "taskresults", "view", "big", "--latest")),
        rival("sqlite3", sqlite(directory, LATEST)),
        rival("tail | jq", shell('tail -n 1 "$1" | jq -r .timestamp', path, needs=["jq"]), asks=False),
    ], size=size, bars=[bar("seconds", "taskresults view", 0.050), bar("ratio", "taskresults view", 2.5, "sqlite3")])


def on_many_jobs():
    """What watches 2,000 jobs, beside counting their records with Python."""
    directory = data.recent()
    page = os.path.join(WORK, "status.html")
    yield Comparison("monitoring", "what watches the jobs", [
        ours(f"taskresults {words[0]}", command(directory, "taskresults", *words), asks=False)
        for words in (("report", "-o", page), ("sla", "--window", "30d"), ("alerts", "--nagios", "--after", "100"),
                      ("metrics",))
    ] + [rival("python3 json.loads, counting only", python(jobs.STATS_IN_PYTHON, directory), asks=False)],
        size=jobs.size_of(directory), runs=min(RUNS, 3), bars=[bar("seconds", "taskresults report", 5.0)])
