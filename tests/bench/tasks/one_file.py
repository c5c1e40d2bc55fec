"""one_file.py - T1, T3 and T5: questions to the one large file of a job."""
import os

import cold
import data
from measure import Comparison, bar, ours, rival
from settings import RUNS
from tools import duckdb, program, python, shell, simdjson, sqlite

COUNT = "SELECT count(*) FROM task_results WHERE job_id = 'big' AND success = 0"
COUNT_IN_DUCKDB = "SELECT count(*) FROM READ WHERE NOT success"
COUNT_IN_JQ = 'jq -n "[inputs | select(.success == false)] | length" "$1"'
COUNT_IN_PYTHON = """
import json, sys
print(sum(json.loads(line)["success"] is False for line in open(sys.argv[1])))"""
LAST_IN_PYTHON = """
import json, sys
from collections import deque
for line in reversed(deque(open(sys.argv[1]), 5)): print(json.loads(line)["timestamp"])"""
FAILED = '"success": false'
PHRASE = "Connection timeout"


def size_of(directory):
    return {"bytes": os.path.getsize(data.big_path(directory)), "files": 1}


def counters(directory):
    """Who counts failures, and about as fast as the file can be read."""
    path = data.big_path(directory)
    return [
        ours("taskresults", sqlite(directory, COUNT)),
        rival("grep -c", program("grep", "-c", FAILED, path)),
        rival("ripgrep -c", program("rg", "-c", FAILED, path)),
        rival("simdjson, whole file, 1 thread", simdjson(1, "count", path)),
        rival("simdjson, whole file, 2 threads", simdjson(2, "count", path)),
        rival("simdjson, blocks", simdjson(1, "count-blocks", path)),
        rival("simdjson, line by line", simdjson(1, "count-lines", path)),
        rival("DuckDB, 2 threads", duckdb(COUNT_IN_DUCKDB, path, "success")),
        rival("DuckDB, SELECT 1", duckdb("SELECT 1", path), asks=False),
        rival("wc -l", program("wc", "-l", path), asks=False),
    ]


def count_failures():
    directory = data.large()
    yield Comparison("T1", "count the failures", counters(directory), size=size_of(directory), bars=[
        bar("ratio", "taskresults", 1.0, "grep -c"),
        bar("ratio", "taskresults", 1.0, "simdjson, whole file, 1 thread"),
        bar("ratio", "taskresults", 1.0, "simdjson, whole file, 2 threads"),
        bar("ratio", "taskresults", 1.0, "simdjson, blocks"),
        bar("MiB", "taskresults", 16)])


def other_layouts():
    for style in ("compact", "reordered", "extra", "nulls"):
        directory = data.large(style)
        path = data.big_path(directory)
        phrase = FAILED.replace(" ", "") if style == "compact" else FAILED
        yield Comparison("T1", f"count the failures, layout: {style}", [
            ours("taskresults", sqlite(directory, COUNT)),
            rival("grep -c", program("grep", "-c", phrase, path)),
            rival("simdjson, blocks", simdjson(1, "count-blocks", path)),
        ], size=size_of(directory), bars=[bar("ratio", "taskresults", 1.5, "grep -c"), bar("MiB", "taskresults", 16)])


def count_in_one_thread():
    directory = data.large()
    path = data.big_path(directory)
    yield Comparison("T1", "count the failures, one thread", [
        ours("taskresults, 1 thread", sqlite(directory, COUNT, threads=1)),
        rival("grep -c", program("grep", "-c", FAILED, path)),
        rival("simdjson, whole file, 1 thread", simdjson(1, "count", path)),
        rival("simdjson, blocks", simdjson(1, "count-blocks", path)),
    ], size=size_of(directory))


def count_slowly():
    directory = data.slow()
    path = data.big_path(directory)
    yield Comparison("T1", "count the failures, slow rivals", [
        ours("taskresults", sqlite(directory, COUNT)),
        rival("python3 json.loads", python(COUNT_IN_PYTHON, path)),
        rival("jq", shell(COUNT_IN_JQ, path, needs=["jq"])),
    ], size=size_of(directory), runs=min(RUNS, 3))


def count_cold():
    names = ("taskresults", "grep -c", "ripgrep -c", "simdjson, blocks", "DuckDB, 2 threads", "wc -l")
    yield from cold.comparison("T1", "count the failures", counters, data.large(), data.tiny(), names,
                               size=size_of(data.large()))


def latest_five(title, directory, *more):
    return Comparison("T3", title, [
        ours("taskresults", sqlite(directory, "SELECT timestamp FROM task_results('big') ORDER BY rowid DESC LIMIT 5")),
        rival("tail | tac | jq", shell('tail -n 5 "$1" | tac | jq -r .timestamp', data.big_path(directory), needs=["jq"])),
        *more,
    ], size=size_of(directory), bars=[bar("seconds", "taskresults", 0.020)])


def latest():
    path = data.big_path(data.large())
    select = "SELECT timestamp FROM (SELECT timestamp, row_number() OVER () AS n FROM READ) ORDER BY n DESC LIMIT 5"
    yield latest_five("the latest five", data.large())
    slow = latest_five("the latest five, slow rivals", data.large(),
                       rival("python3, whole file", python(LAST_IN_PYTHON, path)),
                       rival("DuckDB, 2 threads", duckdb(select, path, "timestamp")))
    slow.runs, slow.bars = min(RUNS, 3), []
    yield slow
    yield latest_five("the latest five, small file", data.one_file(10_000_000))


def phrase():
    directory = data.large()
    path = data.big_path(directory)
    like = f"SELECT count(*) FROM task_results WHERE success = 0 AND error LIKE '%{PHRASE}%'"
    yield Comparison("T5", "failures with a phrase in the error", [
        ours("taskresults", sqlite(directory, like)),
        rival("grep | grep", shell('grep "$2" "$1" | grep -c "$3"', path, FAILED, PHRASE)),
        rival("ripgrep | ripgrep", shell('rg "$2" "$1" | rg -c "$3"', path, FAILED, PHRASE, needs=["rg"])),
        rival("simdjson, blocks", simdjson(1, "phrase", path, PHRASE)),
        rival("DuckDB, 2 threads", duckdb(f"SELECT count(*) FROM READ WHERE NOT success AND error LIKE '%{PHRASE}%'", path,
                                          "success", "error")),
    ], size=size_of(directory), bars=[bar("ratio", "taskresults", 1.0, "grep | grep"), bar("MiB", "taskresults", 16)])


def memory():
    directory = data.large()
    backwards = "SELECT sum(length(output)) FROM (SELECT output FROM task_results ORDER BY rowid DESC)"
    for title, statement in (("every reject", "SELECT count(*) FROM task_rejects"), ("all outputs, backwards", backwards)):
        yield Comparison("memory", title, [ours("taskresults", sqlite(directory, statement))], size=size_of(directory),
                         runs=1, bars=[bar("MiB", "taskresults", 16)])
