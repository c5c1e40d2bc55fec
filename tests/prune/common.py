"""common.py - what the prune's harnesses share: running a prune in a sqlite3 process, and judging a job's file."""
import collections
import hashlib
import json
import os
import signal
import subprocess

ROOT = os.environ.get("TASKRESULTS_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHIM = os.path.join(ROOT, "build/shim/prune_faults.so")


def sqlite(sql, directory, environment=None):
    """Starts a sqlite3 process that runs `sql` with the extension loaded."""
    command = ["sqlite3", "-batch", "-bail", "-init", "/dev/null", "-cmd", ".load " + os.path.join(ROOT, "taskresults")]
    variables = dict(os.environ, SCHEDULER_RESULTS_DIR=directory, **(environment or {}))
    return subprocess.Popen([*command, ":memory:", sql], env=variables, text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def prune(directory, job, options, environment=None):
    """Runs one prune to its end. Returns its report, or None if it failed or was killed, and what it said."""
    process = sqlite(f"SELECT taskresults_prune('{job}', {options})", directory, environment)
    out, err = process.communicate()
    if process.returncode == 0:
        return json.loads(out), ""
    return None, f"signal {-process.returncode}" if process.returncode == -signal.SIGKILL else err


def record(number, when="2026-06-01T00:00:00Z", size=100):
    return json.dumps({"timestamp": when, "job_id": "j", "job_name": str(number), "success": True,
                       "output": "x" * size, "error": ""}) + "\n"


def names_in(path):
    """The job_name of every record in the file, and every line that is none. The file may lack its last newline."""
    names, rejects = collections.Counter(), []
    with open(path, "rb") as file:
        for line in file:
            try:
                value = json.loads(line)
                names[value["job_name"]] += 1
            except (ValueError, TypeError, KeyError):
                if line.strip():
                    rejects.append(line)
    return names, rejects


def names_in_text(text):
    """The job_name of every record in a text of whole records."""
    return collections.Counter(json.loads(line)["job_name"] for line in text.splitlines())


def leftovers(directory):
    return [name for name in os.listdir(directory) if name.endswith((".new", ".journal"))]


def receipts(directory, job="j"):
    """The receipts of the job, and what is wrong with them. A line may be cut short, if the next one has all of it."""
    path = os.path.join(directory, ".taskresults/prunes", job + ".jsonl")
    found, wrong, torn = [], [], None
    if os.path.exists(path):
        with open(path, "rb") as file:
            for line in file:
                if torn and not line.startswith(torn) and not torn.startswith(line.rstrip(b"\n")):
                    wrong.append(torn)
                try:
                    found.append(json.loads(line) if line.endswith(b"\n") else json.loads("torn"))
                    torn = None
                except ValueError:
                    torn = line.rstrip(b"\n")
    if torn:
        wrong.append(torn)
    if len({receipt["id"] for receipt in found}) < len(found):
        wrong.append("a receipt is there twice")
    return found, wrong


def judge_receipts(directory, line, removed, job="j", has_blanks=False):
    """What is wrong, if `removed` copies of that line, a successful record, are what the job's prunes have removed; beside
    blank lines, if it has_blanks."""
    found, wrong = receipts(directory, job)
    found = [receipt for receipt in found if not receipt["replaced"]]
    if has_blanks:
        counted = sum(receipt["records"] for receipt in found)
        return wrong + ([f"the receipts count {counted} records, but {removed} are gone"] if counted != removed else [])
    counted = sum(receipt["lines"] for receipt in found)
    if counted != removed:
        wrong.append(f"the receipts count {counted} lines, but {removed} are gone")
    when = json.loads(line)["timestamp"]
    for receipt in found:
        count = receipt["lines"]
        day = {"day": when[:10], "runs": count, "failures": 0, "first_run": when, "last_run": when}
        truth = {"records": count, "failures": 0, "bytes": len(line) * count, "first_run": when, "last_run": when,
                 "days": [day], "sha256": hashlib.sha256(line.encode() * count).hexdigest(), "archive": None}
        wrong += [f"{key} is {receipt[key]}, not {value}" for key, value in truth.items() if receipt[key] != value]
        if count == 0:
            wrong.append("a receipt of nothing")
    return wrong


def pending(directory):
    folder = os.path.join(directory, ".taskresults/prunes")
    return [name for name in os.listdir(folder) if name.endswith(".pending")] if os.path.isdir(folder) else []
