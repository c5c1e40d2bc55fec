#!/usr/bin/env python3
"""ship_faults.py SHELL EXTENSION DIRECTORY [STRIDE [WORDS]] - system calls of the programs that `taskresults ship` starts
fail in turn: once, or from then on, with each error that is plausible there. strace makes them fail.

A first ship, without faults, shows which programs it starts and which of their calls concern our files or a socket (how
a program loads its libraries is not ours, and a pipe takes what is written). A case is one of these calls and one error. Then
  - ship ends by itself, with an exit status that it documents;
  - if it is 0, all has arrived; if not, there is a message;
  - no mark is ahead of what has arrived or waits in the cursor database;
  - after one more ship, without faults, each line is there exactly once, in the order of the file.
All cases start with the same files: some lines are shipped already, some are new, and one file was pruned since.

STRIDE  takes every STRIDE-th case only (default 1: all)
WORDS   only cases whose name holds them, such as "sqlite3" or "ENOSPC"

Prints a line for each finding and a sum; exits 1 if there was a finding.
"""
import collections
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../oracles"))
import shipped  # noqa: E402

shell, extension, directory = sys.argv[1:4]
stride = int(sys.argv[4]) if len(sys.argv) > 4 else 1
words = sys.argv[5] if len(sys.argv) > 5 else ""
results, state, sink_dir, saved = (os.path.join(directory, name) for name in ("results", "state", "sink", "saved"))
marks_dir = os.path.join(results, ".taskresults/shipped")
PROGRAMS = ("sqlite3", "curl", "find", "sed", "tr", "taskresults-run")
SECONDS = 120
truth = {}  # job -> its finished lines, in order

PLAUSIBLE = {
    "openat": "EACCES EMFILE EIO", "open": "EACCES EMFILE EIO", "read": "EIO", "pread64": "EIO", "write": "ENOSPC EIO",
    "pwrite64": "ENOSPC EIO", "fsync": "EIO", "fdatasync": "EIO", "ftruncate": "EIO", "unlink": "EACCES", "unlinkat": "EACCES",
    "fcntl": "ENOLCK", "mmap": "ENOMEM", "getdents64": "EIO", "rename": "EIO", "renameat": "EIO", "renameat2": "EIO",
    "socket": "EMFILE", "connect": "ENETUNREACH", "sendto": "EPIPE", "recvfrom": "ECONNRESET", "newfstatat": "EIO EACCES",
    "fstat": "EIO", "lseek": "EIO", "fchmod": "EPERM", "fchown": "EPERM", "access": "EACCES",
}


# --- the files, and the sink ------------------------------------------------------------------------------------------------

def line_of(job, number):
    if number % 7 == 3:
        return b"{torn %d" % number
    minute = number // 3 if job == "b" else number  # b has identical lines
    return json.dumps({"timestamp": f"2026-01-01T00:{minute:02d}:00Z", "success": minute % 2 == 0, "output": f"{job} {minute}",
                       "error": "bad"}).encode()


def append(job, count):
    lines = truth.setdefault(job, [])
    with open(os.path.join(results, job + ".jsonl"), "ab") as file:
        for _ in range(count):
            lines.append(line_of(job, len(lines)))
            file.write(lines[-1] + b"\n")


def wrap_programs():
    """In front of each program: a script that numbers its calls, and lets one of them run under strace."""
    bin_dir = os.path.join(directory, "bin")
    os.makedirs(bin_dir)
    for name in PROGRAMS:
        real = os.path.join(os.path.dirname(extension), name) if name == "taskresults-run" else shutil.which(name)
        with open(os.path.join(bin_dir, name), "w", encoding="utf-8") as file:
            file.write(f"""#!/bin/bash
exec {{lock}}>>"{directory}/lock" && flock "$lock"
calls=$(<"{directory}/calls.{name}") && echo "$((calls + 1))" >"{directory}/calls.{name}" && exec {{lock}}>&-
read -r program at options <"{directory}/fault"
if [[ $program == all || $program/$at == "{name}/$calls" ]]; then
  exec strace -qqq -y -o "{directory}/trace.{name}.$calls" $options {real} "$@"
fi
exec {real} "$@"
""")
        os.chmod(os.path.join(bin_dir, name), 0o755)
    os.symlink(extension, os.path.join(directory, "bin/taskresults.so"))


def ship(fault="none 0"):
    """Its exit status (None: it hung) and messages."""
    for name in PROGRAMS:
        with open(os.path.join(directory, "calls." + name), "w", encoding="utf-8") as file:
            file.write("0\n")
    with open(os.path.join(directory, "fault"), "w", encoding="utf-8") as file:
        file.write(fault + "\n")
    environment = dict(os.environ, SCHEDULER_RESULTS_DIR=results, TASKRESULTS_EXTENSION=os.path.join(directory, "bin/taskresults.so"),
                       PATH=os.path.join(directory, "bin") + ":" + os.environ["PATH"], LC_ALL="C.UTF-8")
    process = subprocess.Popen([os.path.join(shell, "taskresults"), "ship", "--to", f"http://127.0.0.1:{port}/", "--host", "h", "--state",
                                state, "--tries", "2"], env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        messages = process.communicate(timeout=SECONDS)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None, process.communicate()[1]
    return process.returncode, messages


def save():
    shutil.copytree(state, os.path.join(saved, "state"))
    shutil.copytree(marks_dir, os.path.join(saved, "marks"))
    shutil.copy(os.path.join(sink_dir, "rows"), os.path.join(saved, "rows"))


def restore():
    shutil.rmtree(state)
    shutil.rmtree(marks_dir)
    shutil.copytree(os.path.join(saved, "state"), state)
    shutil.copytree(os.path.join(saved, "marks"), marks_dir)
    shutil.copy(os.path.join(saved, "rows"), os.path.join(sink_dir, "rows"))
    for name in os.listdir(directory):
        if name.startswith("trace."):
            os.unlink(os.path.join(directory, name))


# --- what must hold ---------------------------------------------------------------------------------------------------------

def rows_of(text):
    for line in text.splitlines():
        stream, _, row = line.partition("\t")
        if stream != "files":
            yield stream, json.loads(row)


def arrived():
    """The rows as whoever asks sees them: of each key, the first."""
    shown = {}
    with open(os.path.join(sink_dir, "rows"), encoding="utf-8") as file:
        for stream, row in rows_of(file.read()):
            key = stream, row["host"], row["job_id"], row.get("time_us") or 0, row["hash"], row["n"]
            if key not in shown or row["seq"] < shown[key]["seq"]:
                shown[key] = row
    return shown


def difference():
    """What is not as promised when all should be there; None if nothing is."""
    shown = arrived()
    for job, lines in truth.items():
        got = [row["hash"] for row in sorted((row for row in shown.values() if row["job_id"] == job), key=lambda row: row["seq"])]
        if got != [shipped.fnv(line) for line in lines]:
            return f"{job}: {len(lines)} lines, {len(got)} rows"
    return None


def waiting():
    """(job, hash) of the rows that the cursor database still has."""
    found = set()
    for path in os.listdir(state):
        if path.endswith(".db"):
            with sqlite3.connect(os.path.join(state, path)) as db:
                bodies = db.execute("SELECT body FROM spool WHERE stream <> 'files' UNION ALL SELECT body FROM dead").fetchall()
            found |= {(row["job_id"], row["hash"]) for body, in bodies for row in map(json.loads, body.split("\n"))}
    return found


def mark_that_is_ahead():
    known = {(row["job_id"], row["hash"]) for row in arrived().values()} | waiting()
    for name in os.listdir(marks_dir):
        if not name.endswith(".jsonl"):
            continue
        with open(os.path.join(marks_dir, name), encoding="utf-8") as file:
            marks = [json.loads(line) for line in file][1:]
        for mark in marks:
            path = os.path.join(results, mark["file"])
            if os.stat(path).st_ino != mark["inode"]:
                continue  # of before the prune
            with open(path, "rb") as file:
                lines = file.read()[:mark["end"]].split(b"\n")[:-1]
            missing = [line for line in lines if (mark["file"][:-6], shipped.fnv(line)) not in known]
            if missing:
                return f"the mark of {mark['file']} is ahead of {missing[:2]}"
    return None


def judge(status, messages):
    if status is None:
        return "hung"
    if status not in (0, 1, 3, 75):
        return f"exit status {status}"
    if status and not messages.strip():
        return f"exit status {status}, and no message"
    if status == 0 and difference():
        return f"exit status 0, but {difference()}"
    if mark_that_is_ahead():
        return mark_that_is_ahead()
    again, later = ship()
    if again != 0:
        return f"and then without faults: exit status {again}: {later.strip()[-200:]}"
    return difference() and f"and then: {difference()}"


# --- the cases --------------------------------------------------------------------------------------------------------------

def cases():
    """(program, which of its processes, call, its number among those of that name, error, from then on)"""
    restore()
    status, messages = ship("all 0 -e signal=none")
    assert status == 0 and not difference(), (status, messages, difference())
    traces = sorted(name for name in os.listdir(directory) if name.startswith("trace."))
    for trace in traces:
        program, at = trace[len("trace."):].rsplit(".", 1)
        with open(os.path.join(directory, trace), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        times = collections.Counter()
        for line in lines:
            match = re.match(r"(\w+)\(", line)
            if not match or match[1] not in PLAUSIBLE:
                continue
            times[match[1]] += 1
            if directory in line or "socket:" in line or match[1] == "socket" or re.match(r"read\(0<|write\([12]<(?!pipe:)", line):
                # From then on, sqlite3 could not write to its pipe either, and that pipe takes what is written.
                also_pipes = program == "sqlite3" and match[1] == "write"
                for error in PLAUSIBLE[match[1]].split():
                    for on in ("",) if also_pipes else ("", "+"):
                        yield program, at, match[1], times[match[1]], error, on


def try_case(program, at, call, number, error, on):
    restore()
    status, messages = ship(f"{program} {at} -e inject={call}:error={error}:when={number}{on}")
    with open(os.path.join(directory, f"trace.{program}.{at}"), encoding="utf-8", errors="replace") as file:
        met = "(INJECTED)" in file.read()
    finding = judge(status, messages)
    if finding:
        return "findings", f"{finding}\n    {messages.strip()[-400:]}"
    return ("unmet" if not met else "right" if status == 0 else "told"), ""


def main():
    outcomes = collections.Counter()
    chosen = sorted(cases())
    chosen = [case for case in chosen if words in " ".join(map(str, case))][stride // 2::stride]
    for case in chosen:
        outcome, what = try_case(*case)
        outcomes[outcome] += 1
        if what:
            print("%s %s: %s %d, %s%s: " % case + what, flush=True)
    print(f"{len(chosen)} cases: " + ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    return outcomes["findings"] > 0 or not outcomes["told"]


for path in (results, state, sink_dir, saved):
    os.makedirs(path)
os.chmod(state, 0o700)
with open(os.path.join(state, "curl.conf"), "w", encoding="utf-8") as file:
    file.write("max-time = 10\n")  # if it announced more than it can read, it waits for an answer
os.chmod(file.name, 0o600)
wrap_programs()
sink = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib/sink.py"), sink_dir],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
port = int(sink.stdout.readline())
try:
    for name in ("a", "b", "c"):
        append(name, 12)
    assert ship() == (0, ""), "the first ship failed"
    for name in ("a", "b", "d"):
        append(name, 9)
    subprocess.run(["sqlite3", "-batch", "-init", "/dev/null", "-cmd", f".load {extension}", ":memory:",
                    "SELECT taskresults_prune('b', 'keep', 1)"], env=dict(os.environ, SCHEDULER_RESULTS_DIR=results), check=True,
                   stdout=subprocess.DEVNULL)
    save()
    failed = main()
finally:
    sink.stdin.close()
    sink.wait()
sys.exit(failed)
