#!/usr/bin/env python3
"""import_killed.py SHELL EXTENSION DIRECTORY STRIDE [PHASE] - `taskresults import` is killed at each of its steps.

What was promised: each row of the source is in the files exactly once, whatever kill came before, and whatever happened to
the files since: other writers appended, the pruner removed older records, logrotate renamed the file. The oracle is the list
of the rows that were put into the source; it computes the records itself.

A step is a system call by which one of the sqlite3 programs changes a file or secures it. Each STRIDE-th of them is tried,
from PHASE on; with 1, every one. strace kills the program instead of the call, so that what was done before it is all that
is there."""
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

shell, extension, directory, stride = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
phase = int(sys.argv[5]) if len(sys.argv) > 5 else 0
rng = random.Random(stride)
results, database, wrapper = (os.path.join(directory, name) for name in ("results", "source.db", "sqlite3"))
CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat"
SQL = "SELECT job AS job_id, NULL AS job_name, ok AS success, text AS output, NULL AS error, ms AS finished, id AS key FROM runs"
JOBS = ("daily", "q'\"\n\u20ac", "x")
os.makedirs(results)
with open(wrapper, "w", encoding="utf-8") as file:
    # Counts the runs of the program; the one that is named is killed at its step, or only watched.
    file.write(f"""#!/bin/bash
real={shutil.which('sqlite3')}
[[ " $* " == *" file:"* ]] || exec "$real" "$@"
runs=$(<"{directory}/runs") runs=$((runs + 1))
echo "$runs" >"{directory}/runs"
read -r run call step <"{directory}/kill"
[[ $runs == "$run" || $run == all ]] || exec "$real" "$@"
[[ $run != all ]] || exec strace -qq -e trace={CALLS} -o "{directory}/trace.$runs" "$real" "$@"
exec strace -qq -e trace={CALLS} -e inject="$call":signal=KILL:when="$step" -o /dev/null "$real" "$@"
""")
os.chmod(wrapper, 0o755)

clock_ms = 1_770_000_000_000
truth = {job: [] for job in JOBS}  # what has to be in the files of a job, in any order
foreign = {job: 0 for job in JOBS}
source = sqlite3.connect(database)
source.execute("PRAGMA journal_mode=WAL")
source.execute("CREATE TABLE runs(id INTEGER PRIMARY KEY, job TEXT, ok INTEGER, text, ms INTEGER)")


# Parts of a few rows, so that an import has several.
home = os.path.join(directory, "shell")
shutil.copytree(os.path.dirname(os.path.realpath(os.path.join(shell, "taskresults"))), home, symlinks=True)
with open(os.path.join(home, "import/rounds.bash"), "r+", encoding="utf-8") as file:
    rounds = file.read()
    assert "PART_ROWS=2000" in rounds
    file.seek(0)
    file.write(rounds.replace("PART_ROWS=2000", "PART_ROWS=3   "))


def put(name, text):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def path_of(job):
    return os.path.join(results, job + ".jsonl")


def record(job, ms, ok, text, us=0):
    moment = f"{subprocess_free_time(ms)}{us:03d}Z"
    return {"timestamp": moment, "job_id": job, "job_name": job, "success": bool(ok), "output": text or "", "error": ""}


def subprocess_free_time(ms):
    import datetime
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}"


def add_rows():
    """Also some that are the same but for their key, and some that finished before others which were imported."""
    global clock_ms
    for _ in range(rng.randrange(3, 9)):
        clock_ms += rng.choice((0, 1, 60_000))
        ms = clock_ms - rng.choice((0, 0, 0, 5_000))
        job, ok, text = rng.choice(JOBS), rng.random() < 0.7, rng.choice(("", "done", "x\0y", "\u20ac" * 40, None))
        for _ in range(rng.choice((1, 1, 2))):
            source.execute("INSERT INTO runs(job, ok, text, ms) VALUES (?, ?, ?, ?)", (job, ok, text, ms))
            truth[job].append(record(job, ms, ok, text))
    source.commit()


def write_foreign(job):
    """A record of another writer, older than all others, so that a prune drops these first."""
    foreign[job] += 1
    line = json.dumps(record(job, 1_000_000_000_000 + foreign[job], True, "foreign")) + "\n"
    with open(path_of(job), "a", encoding="utf-8") as file:
        file.write(line)


def run_import(kill="never none 0"):
    put("kill", kill)
    put("runs", "0")
    environment = dict(os.environ, SCHEDULER_RESULTS_DIR=results, TASKRESULTS_EXTENSION=extension, TASKRESULTS_SQLITE3=wrapper)
    done = subprocess.run([os.path.join(home, "taskresults"), "import", "--from", database, "--query", SQL, "--name", "n", "--quiet"],
                          env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def records_of(job):
    found = []
    for name in sorted(os.listdir(results)):
        if name.startswith(job + ".jsonl"):
            with open(os.path.join(results, name), "rb") as file:
                data = file.read()
            assert data == b"" or data.endswith(b"\n"), name
            found += [json.loads(line) for line in data.splitlines() if line.strip()]
    return [row for row in found if row["output"] != "foreign"]


def check(after):
    for job in JOBS:
        wanted = sorted(json.dumps(row, sort_keys=True) for row in truth[job])
        got = sorted(json.dumps(row, sort_keys=True) for row in records_of(job))
        assert wanted == got, f"after {after}: {job!r} has {len(got)} records, and should have {len(wanted)}"


def disturb(rotations):
    """What may happen to a file between a kill and the next import."""
    job = rng.choice(JOBS)
    if not os.path.exists(path_of(job)):
        return "nothing"
    what = rng.choice(("append", "prune", "rotate", "nothing"))
    if what == "append":
        write_foreign(job)
    elif what == "prune":
        with open(path_of(job), "rb") as file:
            lines = file.read().splitlines()
        gone = next((at for at, line in enumerate(lines) if b'"foreign"' not in line), len(lines))
        if 0 < gone < len(lines):  # those at the beginning
            keep = f"SELECT taskresults_prune(CAST(x'{job.encode().hex()}' AS TEXT), 'keep', {len(lines) - gone})"
            subprocess.run(["sqlite3", "-batch", "-init", "/dev/null", "-cmd", f".load {extension}", ":memory:", keep],
                           env=dict(os.environ, SCHEDULER_RESULTS_DIR=results), stdout=subprocess.DEVNULL, check=True)
    elif what == "rotate":
        for number in range(rotations[0], 0, -1):
            if os.path.exists(f"{path_of(job)}.{number}"):
                os.replace(f"{path_of(job)}.{number}", f"{path_of(job)}.{number + 1}")
        os.replace(path_of(job), path_of(job) + ".1")
        rotations[0] += 1
    return what


def main():
    for job in JOBS:
        write_foreign(job)
    add_rows()
    status, messages = run_import("all none 0")
    assert status == 0, messages
    check("the first import")
    steps = []  # (run, call, which of these calls) of an import that has new rows
    for run in (1, 2, 3):
        with open(os.path.join(directory, f"trace.{run}"), encoding="utf-8") as file:
            calls = [line.partition("(")[0] for line in file if "(" in line]
        steps += [(run, call, calls[:at + 1].count(call)) for at, call in enumerate(calls)]
    rotations, killed, statistics = [0], 0, {}
    for step in steps[phase::stride]:
        if rng.random() < 0.3:  # the first import
            shutil.rmtree(results)
            os.makedirs(results)
            statistics["anew"] = statistics.get("anew", 0) + 1
        for job in JOBS:
            write_foreign(job)
        add_rows()
        status, messages = run_import(" ".join(map(str, step)))
        killed += status != 0
        what = disturb(rotations)
        statistics[what] = statistics.get(what, 0) + 1
        if rng.random() < 0.5:
            add_rows()
        status, messages = run_import()
        assert status == 0, messages
        check(f"a kill at {step}, and then {what}")
        status, messages = run_import()
        assert status == 0, messages
        check(f"a kill at {step}, and an import too many")
    print(f"{len(steps)} steps, {killed} kills, {sum(map(len, truth.values()))} rows; {dict(sorted(statistics.items()))}")


main()
