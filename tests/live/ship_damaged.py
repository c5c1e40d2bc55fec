#!/usr/bin/env python3
"""ship_damaged.py SHELL EXTENSION DIRECTORY SEED CASES - `taskresults ship` with a cursor database that is damaged: pages
of zeros or of noise, a file cut short, and values in its tables that ship never writes.

What must hold: ship ends with a status that it documents, and with a message unless that is 0. If it is 0, every line of
the files has arrived. And when the damaged cursor was moved away, as the message asks or a person would, the next ship
brings everything, each line once. (What a line says is not protected: SQLite has no checksums.)

Prints a line for each finding and a sum; exits 1 if there was a finding."""
import collections
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../oracles"))
import shipped  # noqa: E402

shell, extension, directory, seed, cases = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
rng = random.Random(seed)
results, state, sink_dir, saved = (os.path.join(directory, name) for name in ("results", "state", "sink", "saved"))
HOSTILE = ("NULL", "-1", "0", "1", "4611686018427387904", "9223372036854775807", "1e300", "x'00ff'", "''", "'; DROP TABLE files; --'",
           "'\"'", "printf('%.*c', 5000, 'x')")
COLUMNS = {"meta": "value", "files": "job listed seen seen_dev seen_inode seen_bytes hint pending lost dev inode last_offset last_hash "
           "place searched run told_s", "moves": "file dev inode a new_inode b", "spool": "stream bytes refused body"}


def append(job, first, count):
    with open(os.path.join(results, job + ".jsonl"), "a", encoding="utf-8") as file:
        for i in range(first, first + count):
            minute = i // 2 if job == "b" else i
            file.write(json.dumps({"timestamp": f"2026-01-01T{minute // 60:02d}:{minute % 60:02d}:00Z", "output": f"{job} {minute}"}) + "\n")


def ship():
    environment = dict(os.environ, SCHEDULER_RESULTS_DIR=results, TASKRESULTS_EXTENSION=extension, LC_ALL="C.UTF-8")
    process = subprocess.Popen([os.path.join(shell, "taskresults"), "ship", "--to", f"http://127.0.0.1:{port}/", "--host", "h", "--state",
                                state, "--tries", "2"], env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        messages = process.communicate(timeout=120)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None, process.communicate()[1]
    return process.returncode, messages


def restore():
    for name, path in (("state", state), ("own", os.path.join(results, ".taskresults"))):
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(os.path.join(saved, name), path)
    shutil.copy(os.path.join(saved, "rows"), os.path.join(sink_dir, "rows"))


def missing():
    """Lines that the sink does not show as often as the files have them."""
    keys = set()
    with open(os.path.join(sink_dir, "rows"), encoding="utf-8") as file:
        for line in file:
            stream, _, text = line.partition("\t")
            if stream == "records":
                try:
                    row = json.loads(text)
                    keys.add((row["job_id"], row["time_us"], row["hash"], row["n"]))
                except (ValueError, KeyError, TypeError):
                    pass  # of a damaged spool: a real sink refuses it
    shown = collections.Counter((key[0], key[2]) for key in keys)
    wanted = collections.Counter()
    for name in os.listdir(results):
        if name.endswith(".jsonl"):
            with open(os.path.join(results, name), "rb") as file:
                wanted.update((name[:-6], shipped.fnv(line)) for line in file.read().split(b"\n")[:-1])
    return sum((wanted - shown).values())


def damage_file(path):
    size = os.path.getsize(path)
    how = rng.choice(("zeros", "noise", "cut", "bytes"))
    with open(path, "r+b") as file:
        if how == "cut":
            at = rng.randrange(size)
            file.truncate(at)
        else:
            file.seek(16)
            page_bytes = int.from_bytes(file.read(2), "big")
            at = rng.randrange(size // page_bytes) * page_bytes + (rng.randrange(100) if how == "bytes" else 0)
            file.seek(at)
            file.write({"zeros": bytes(page_bytes), "noise": rng.randbytes(page_bytes),
                        "bytes": rng.randbytes(rng.randrange(1, 9))}[how])
    return f"{how} at byte {at} of {os.path.basename(path)}"


def damage_values(path):
    table = rng.choice(list(COLUMNS))
    column, value = rng.choice(COLUMNS[table].split()), rng.choice(HOSTILE)
    with sqlite3.connect(path) as db:
        row = f" WHERE rowid = (SELECT rowid FROM {table} ORDER BY random() LIMIT 1)"
        if table == "meta":
            row = " WHERE key = (SELECT key FROM meta ORDER BY random() LIMIT 1)"
        try:
            db.execute(f"UPDATE {table} SET {column} = {value}" + rng.choice((row, "")))
        except sqlite3.IntegrityError:
            pass
    db.close()
    return f"{table}.{column} = {value}"


def try_case():
    restore()
    path = next(os.path.join(state, name) for name in os.listdir(state) if name.endswith(".db"))
    what = rng.choice((damage_file, damage_values))(path)
    status, messages = ship()
    if status not in (0, 1, 3, 75):
        return what, status, f"exit status {status}: {messages.strip()[-300:]}"
    if status and not messages.strip():
        return what, status, f"exit status {status}, and no message"
    if status == 0 and missing() and not what.startswith("spool"):
        return what, status, f"exit status 0, but {missing()} lines have not arrived"
    shutil.rmtree(state)
    shutil.copytree(os.path.join(saved, "empty"), state)
    for name in os.listdir(os.path.join(results, ".taskresults/shipped")):
        os.unlink(os.path.join(results, ".taskresults/shipped", name))
    again, messages = ship()
    if again != 0 or missing():
        return what, status, f"and with a new cursor: exit status {again}, {missing()} lines missing: {messages.strip()[-300:]}"
    return what, status, None


def main():
    outcomes = collections.Counter()
    for _ in range(cases):
        what, status, finding = try_case()
        outcomes["findings" if finding else f"status {status}"] += 1
        if finding:
            print(f"{what}: {finding}", flush=True)
    print(f"{cases} cases: " + ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    return outcomes["findings"] > 0


for place in (results, sink_dir, saved, os.path.join(saved, "empty")):
    os.makedirs(place)
os.chmod(os.path.join(saved, "empty"), 0o700)
sink = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib/sink.py"), sink_dir],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
port = int(sink.stdout.readline())
try:
    for job in ("a", "b", "c"):
        append(job, 0, 40)
    assert ship() == (0, ""), "the first ship failed"
    append("a", 40, 6)
    with open(os.path.join(sink_dir, "always"), "w", encoding="utf-8") as file:
        file.write("503 away")
    assert ship()[0] == 75, "the spool should hold a request"
    os.unlink(os.path.join(sink_dir, "always"))
    append("b", 40, 6)
    append("d", 0, 3)
    shutil.copytree(state, os.path.join(saved, "state"))
    shutil.copytree(os.path.join(results, ".taskresults"), os.path.join(saved, "own"))
    shutil.copy(os.path.join(sink_dir, "rows"), os.path.join(saved, "rows"))
    failed = main()
finally:
    sink.stdin.close()
    sink.wait()
sys.exit(failed)
