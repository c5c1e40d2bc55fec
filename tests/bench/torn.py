"""torn.py - what each tool answers about files in which one line is not a record: how many runs failed?

Right is what Python's json.loads makes of the lines, one by one. The raw figures:

  {"cases": {case: the right answer}, "tools": {tool: {case: {"answer", "status", "said"}}}}

`said` is what the tool had to say about the line: on standard error, and for ours in task_rejects.
"""
import json
import os
import subprocess

from measure import ENVIRONMENT
from settings import WORK
from tasks.one_file import COUNT, COUNT_IN_DUCKDB, COUNT_IN_JQ, COUNT_IN_PYTHON, FAILED
from tools import duckdb, program, python, shell, simdjson, sqlite

TOLERANT_JQ = 'jq -n -R "[inputs | fromjson? | select(.success == false)] | length" "$1"'
REJECTS = "SELECT reason FROM task_rejects"


def record(number, success):
    return json.dumps({"timestamp": f"2026-01-01T00:00:{number:02d}Z", "job_id": "big", "job_name": "Big",
                       "success": success, "output": "done" if success else "",
                       "error": "" if success else "Connection timeout"})


def cases():
    """What is in the file of each case: five records of which two failed, and the line that is none, of a failure too."""
    lines = [record(number, number not in (1, 4)) + "\n" for number in range(5)]
    failure = record(30, False)
    torn = failure[:-8]
    before, after = "".join(lines[:3]), "".join(lines[3:])
    return {
        "torn in the middle": before + torn + "\n" + after,
        "glued to the next": before + torn + failure + "\n" + after,
        "torn at the end": before + after + torn,
        "a bad escape": before + failure.replace("Connection", r"C:\path") + "\n" + after,
    }


def right_answer(text):
    failures = 0
    for line in text.splitlines():
        try:
            failures += json.loads(line)["success"] is False
        except ValueError:
            pass
    return failures


def tools(directory):
    path = os.path.join(directory, "big.jsonl")
    return {
        "taskresults": sqlite(directory, COUNT),
        "grep -c": program("grep", "-c", FAILED, path),
        "grep -c, without the space": program("grep", "-c", FAILED.replace(" ", ""), path),
        "ripgrep -c": program("rg", "-c", FAILED, path),
        "jq": shell(COUNT_IN_JQ, path, needs=["jq"]),
        "jq -R fromjson?": shell(TOLERANT_JQ, path, needs=["jq"]),
        "python3 json.loads": python(COUNT_IN_PYTHON, path),
        "DuckDB": duckdb(COUNT_IN_DUCKDB, path, "success"),
        "DuckDB, ignore_errors": duckdb(COUNT_IN_DUCKDB, path, "success", options=", ignore_errors=true"),
        "simdjson, whole file": simdjson(1, "count", path),
        "simdjson, blocks": simdjson(1, "count-blocks", path),
        "simdjson, line by line": simdjson(1, "count-lines", path),
    }


def ask(command):
    done = subprocess.run(command.words, env=ENVIRONMENT | command.environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    said = done.stderr.decode(errors="replace").replace(WORK, "").strip().splitlines()
    return {"answer": done.stdout.decode().strip(), "status": done.returncode, "said": said[-1][:200] if said else ""}


def measure():
    right, answers = {}, {}
    for number, (case, text) in enumerate(cases().items()):
        directory = os.path.join(WORK, "torn", str(number))
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "big.jsonl"), "w") as file:
            file.write(text)
        right[case] = right_answer(text)
        for tool, command in tools(directory).items():
            if command:
                answers.setdefault(tool, {})[case] = ask(command)
        answers["taskresults"][case]["said"] = ask(sqlite(directory, REJECTS))["answer"]
    return {"cases": right, "tools": answers}
