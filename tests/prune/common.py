"""common.py - what the prune's harnesses share: running a prune in a sqlite3 process, and judging a job's file."""
import collections
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
