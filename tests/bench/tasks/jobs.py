"""jobs.py - T2 and T6: questions to a directory of many jobs."""
import os

import cold
import data
from measure import Comparison, bar, ours, rival
from settings import BYTES, RUNS
from tools import command, duckdb, program, python, shell, simdjson, sqlite

# Runs and successes of every job, as job|runs|successes in order of the jobs.
STATS = "SELECT job_id, runs, successes FROM task_stats ORDER BY job_id"
GROUP_BY = "SELECT job_id, count(*), sum(success) FROM task_results GROUP BY job_id ORDER BY job_id"
GROUP_IN_DUCKDB = "SELECT job_id, count(*), sum(success::INT) FROM READ GROUP BY job_id ORDER BY job_id"
STATS_IN_RIPGREP = r"""{ rg -c '' "$1"; rg -c --include-zero '"success": true' "$1"; } |
  awk -F: '{ sub(".*/", ""); sub("\\.jsonl:", ":"); if ($1 in runs) print $1 "|" runs[$1] "|" $2; else runs[$1] = $2 }' | sort"""
STATS_IN_JQ = """cat "$1"/*.jsonl | jq -n -r 'reduce inputs as $r ({};
  .[$r.job_id] |= [.[0] + 1, .[1] + if $r.success then 1 else 0 end]) | to_entries[] | "\\(.key)|\\(.value[0])|\\(.value[1])"'"""
STATS_IN_PYTHON = """
import glob, json, os, sys
for path in sorted(glob.glob(sys.argv[1] + "/*.jsonl")):
    runs = [json.loads(line)["success"] for line in open(path)]
    print(os.path.basename(path)[:-6], len(runs), sum(runs), sep="|")"""


def size_of(directory):
    names = [name for name in os.listdir(directory) if name.endswith(".jsonl")]
    return {"bytes": sum(os.path.getsize(os.path.join(directory, name)) for name in names), "files": len(names)}


def counters(directory):
    everything = os.path.join(directory, "*.jsonl")
    return [
        ours("task_stats", sqlite(directory, STATS)),
        ours("task_stats, all columns", sqlite(directory, "SELECT * FROM task_stats"), asks=False),
        ours("taskresults list", command(directory, "taskresults", "list"), asks=False),
        ours("GROUP BY over task_results", sqlite(directory, GROUP_BY)),
        rival("DuckDB, 2 threads", duckdb(GROUP_IN_DUCKDB, everything, "job_id", "success")),
        rival("simdjson, 1 thread", simdjson(1, "stats", directory, "1")),
        rival("simdjson, 2 threads", simdjson(2, "stats", directory, "2")),
        rival("ripgrep, twice", shell(STATS_IN_RIPGREP, directory, needs=["rg"])),
    ]


def statistics():
    directory = data.many()
    yield Comparison("T2", "statistics of each job", counters(directory), size=size_of(directory), bars=[
        bar("ratio", "task_stats", 0.8, "DuckDB, 2 threads"),
        bar("ratio", "task_stats", 1.0, "simdjson, 1 thread"),
        bar("ratio", "task_stats", 1.0, "simdjson, 2 threads"),
        bar("ratio", "task_stats, all columns", 0.8, "DuckDB, 2 threads"),
        bar("ratio", "taskresults list", 0.8, "DuckDB, 2 threads"),
        bar("MiB", "task_stats, all columns", 16)])


def statistics_in_one_thread():
    directory = data.many()
    yield Comparison("T2", "statistics of each job, one thread", [
        ours("task_stats, 1 thread", sqlite(directory, STATS, threads=1)),
        rival("simdjson, 1 thread", simdjson(1, "stats", directory, "1")),
    ], size=size_of(directory))


def statistics_slowly():
    directory = data.jobs(200, BYTES // 20)
    yield Comparison("T2", "statistics of each job, slow rivals", [
        ours("task_stats", sqlite(directory, STATS)),
        rival("python3 json.loads", python(STATS_IN_PYTHON, directory)),
        rival("jq", shell(STATS_IN_JQ, directory, needs=["jq"])),
    ], size=size_of(directory), runs=min(RUNS, 3))


def statistics_cold():
    names = ("task_stats", "DuckDB, 2 threads", "simdjson, 1 thread", "simdjson, 2 threads", "ripgrep, twice")
    yield from cold.comparison("T2", "statistics of each job", counters, data.many(), data.jobs(2, 10000), names,
                               size=size_of(data.many()))


def one_job(title, directory, job):
    statement = f"SELECT count(*) FROM task_results WHERE job_id = '{job}' AND success = 0"
    return Comparison("T6", title, [
        ours("taskresults", sqlite(directory, statement)),
        rival("grep -c on its file", program("grep", "-c", '"success": false', os.path.join(directory, job + ".jsonl"))),
    ], size=size_of(directory), bars=[bar("seconds", "taskresults", 0.020)])


def one_of_many():
    directory = data.many()
    comparison = one_job("failures of one job of many", directory, "job-01234")
    statement = "SELECT count(*) FROM READ WHERE job_id = 'job-01234' AND NOT success"
    comparison.contenders.append(rival("DuckDB, 2 threads, all files", duckdb(
        statement, os.path.join(directory, "*.jsonl"), "job_id", "success")))
    yield comparison
