#!/usr/bin/env python3
"""ship_killed.py SHELL EXTENSION DIRECTORY SEED KILLS - `taskresults ship` is killed again and again, at each of its commit
points and anywhere between, while files grow, are pruned, cut short, rotated and replaced, and the sink fails.

What was promised: whoever asks the sink sees each finished line of each file exactly once, in the order of the file. The sink
here keeps the first row of each key (host, job_id, time_us, hash, n) by seq, as its tables do. The oracle is the list of the
lines that were written; it computes hashes itself and knows nothing of cursors.

A line that was dropped before it could be shipped is no loss: so files are cut, rotated or replaced only after a ship that
ended well, and pruned only when ship has seen that. A prune may come at any time, since it keeps what the marks say was not shipped; the pruner here follows the same
contract as the real one (ext/PRUNING.md), which takes turns with it, but drops lines in between, and is killed. Nobody can tell a line
that repeats an older one from that older one if the cursor that counted them is deleted after the older one was dropped: so
these two are not tried together (SEED modulo 3 says what is tried)."""
import datetime
import json
import os
import random
import shutil
import signal
import subprocess
import sys

shell, extension, directory, seed, kills = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
rng = random.Random(seed)
PRUNES, CUTS, NEW_CURSORS = ((1, 0, 0), (1, 1, 0), (0, 1, 1))[seed % 3]
shim = os.path.join(os.path.dirname(extension), "build/shim/kill_at.so")
results, state, sink_dir = (os.path.join(directory, name) for name in ("results", "state", "sink"))
marks_dir = os.path.join(results, ".taskresults/shipped")
truth = {}  # job -> the finished lines that were ever written, in order
tail = {}  # job -> a line that is not finished, and how much of it is in the file
begins = {}  # job -> how many lines there were when its file was cut
statistics = {}


def count(what):
    statistics[what] = statistics.get(what, 0) + 1


def note(*words):
    """What happened, for whoever has to find out why the check failed."""
    with open(os.path.join(directory, "events"), "a", encoding="utf-8") as file:
        print(*words, file=file)


def fnv(data):
    value = 14695981039346656037
    for byte in data:
        value = ((value ^ byte) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value


# --- the shell under test, with batches that a test can fill ---------------------------------------------------------------

def prepare():
    for path in (results, state, sink_dir, os.path.join(directory, "bin")):
        os.makedirs(path)
    shutil.copytree(shell, os.path.join(directory, "shell"), symlinks=True)
    os.symlink(os.path.join(os.path.dirname(extension), "taskresults-run"), os.path.join(directory, "taskresults-run"))
    reading = os.path.join(directory, "shell/ship/reading.bash")
    with open(reading, encoding="utf-8") as file:
        text = file.read()
    for name, old, new in (("BATCH_ROWS", "10000", 13), ("BATCH_BYTES", "4000000", 1500), ("RUN_LINES", "64", 8)):
        assert f"{name}={old}" in text
        text = text.replace(f"{name}={old}", f"{name}={new}")
    with open(reading, "w", encoding="utf-8") as file:
        file.write(text)
    for program in ("sqlite3", "curl"):
        path = os.path.join(directory, "bin", program)
        with open(path, "w", encoding="utf-8") as file:
            # Counts the calls; at the one that is named it kills all of ship, before or after the real program ran. Or
            # the shim does, at a call that writes the database: a commit consists of several.
            file.write(f"""#!/bin/bash
calls=$(<"{directory}/calls") calls=$((calls + 1))
echo "$calls" >"{directory}/calls"
read -r when at <"{directory}/kill"
[[ $when != before || $at != "$calls" ]] || kill -KILL 0
if [[ $when == after && $at == "$calls" ]]; then
  "{shutil.which(program)}" "$@"
  kill -KILL 0
fi
[[ {program} == curl ]] || export LD_PRELOAD="{shim}" KILL_COUNT="{directory}/writes"
[[ $when != write ]] || export KILL_AT="$at"
exec "{shutil.which(program)}" "$@"
""")
        os.chmod(path, 0o755)


def ship(kill="never 0", timeout=None, options=()):
    """Its exit status, how often it started a program, and how often these wrote the database; -9 if it was killed."""
    for name, text in (("calls", "0\n"), ("kill", kill + "\n"), ("writes", "")):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)
    environment = dict(os.environ, SCHEDULER_RESULTS_DIR=results, TASKRESULTS_EXTENSION=extension,
                       PATH=os.path.join(directory, "bin") + ":" + os.environ["PATH"])
    process = subprocess.Popen([os.path.join(directory, "shell/taskresults"), "ship", "--to", f"http://127.0.0.1:{port}/", "--host", "h",
                                "--state", state, "--tries", "3", *options], env=environment, start_new_session=True,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        messages = process.communicate(timeout=timeout)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        messages = process.communicate()[1]
    if process.returncode not in (0, 75, -9):
        sys.stderr.write(messages.decode())
    note("ship", kill, timeout, process.returncode, messages.decode())
    with open(os.path.join(directory, "calls"), encoding="utf-8") as file:
        return process.returncode, int(file.read() or 0), os.path.getsize(os.path.join(directory, "writes"))


def ship_well():
    for _ in range(20):
        status, *counts = ship()
        if status == 0:
            return counts
        assert status == 75, f"ship: exit status {status}"
    raise AssertionError("ship never ended well")


# --- what happens to the files ---------------------------------------------------------------------------------------------

clock_us = 1_700_000_000_000_000


def new_line(job):
    global clock_us
    # Behind a cut, the first lines have to tell that the file is a new one, and not an old one that came back.
    begin = begins.get(job, 0)
    before = truth[job][begin:] if NEW_CURSORS or len(truth[job]) - begin < 8 else truth[job]
    if before and rng.random() < 0.25:
        count("identical")
        return rng.choice(before[-6:])
    clock_us += rng.choice((0, 1, 1_000_000, 3_600_000_000, -86_400_000_000, 40 * 365 * 86_400_000_000))
    clock_us = min(clock_us, 4_000_000_000_000_000)
    kind = rng.random()
    if kind < 0.1:
        return b"{torn %d" % rng.randrange(10 ** 9)
    if kind < 0.13:
        return b"\xff\xfe %d" % rng.randrange(10 ** 9)
    seconds, us = divmod(clock_us, 1_000_000)
    stamp = text_of(seconds) + f".{us:06d}Z"
    return json.dumps({"timestamp": stamp if kind < 0.9 else "soon", "job_id": job, "success": rng.random() < 0.7,
                       "output": "x" * rng.choice((0, 3, 200)), "error": "e\u20ac" + str(rng.randrange(10 ** 9))}).encode()


def text_of(seconds):
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)).isoformat()


def path_of(job):
    return os.path.join(results, job + ".jsonl")


def append(job):
    truth.setdefault(job, [])
    with open(path_of(job), "ab") as file:
        for _ in range(rng.choice((1, 1, 2, 5, 30))):
            line, done = tail.pop(job, None) or (new_line(job), 0)
            if rng.random() < 0.1:
                to = rng.randrange(done, len(line) + 1)
                file.write(line[done:to])
                tail[job] = line, to
                return
            file.write(line[done:] + b"\n")
            note("append", job, len(truth[job]), fnv(line), file.tell())
            truth[job].append(line)


def marked(job):
    """(inode, end) of the slowest mark, or None if nothing may be dropped."""
    slowest = None
    for name in os.listdir(marks_dir) if os.path.isdir(marks_dir) else ():
        if not name.endswith(".jsonl"):
            continue
        with open(os.path.join(marks_dir, name), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        mine = [line for line in lines[1:] if line["file"] == job + ".jsonl"]
        if not mine:
            return None
        if slowest is None or mine[0]["end"] < slowest[1]:
            slowest = mine[0]["inode"], mine[0]["end"]
    return slowest


def moves():
    lines = []
    for name in ("moves.1", "moves"):
        try:
            with open(os.path.join(marks_dir, name), encoding="utf-8") as file:
                lines += [json.loads(line) for line in file]
        except FileNotFoundError:
            pass
    return lines


def follow_moves(job, inode, end):
    """The mark in the file as it is now; (None, 0) if it cannot be told."""
    now = os.stat(path_of(job)).st_ino
    places = {(inode, end)}
    for move in moves():
        if move["file"] == job + ".jsonl":
            places |= {(move["new_inode"], move["new_end"] + place - move["end"])
                       for inode, place in places if inode == move["inode"] and place >= move["end"]}
    fitting = [place for inode, place in places if inode == now]
    return min(fitting) if fitting else 0


def real_prune(job):
    """taskresults_prune: keeps the newest records that it may, and all that was not shipped."""
    rule = f"SELECT taskresults_prune(CAST(x'{job.encode().hex()}' AS TEXT), 'keep', {rng.randrange(1, 5)}) ->> '$.result'"
    done = subprocess.run(["sqlite3", "-batch", "-init", "/dev/null", "-cmd", f".load {extension}", ":memory:", rule],
                          env=dict(os.environ, SCHEDULER_RESULTS_DIR=results), stdout=subprocess.PIPE, text=True, check=True)
    note("real prune", job, done.stdout)
    with open(path_of(job), "rb") as file:
        is_finished = file.read().endswith(b"\n")
    if job in tail and tail[job][1] and is_finished:  # it ends an unfinished line, so that what is written next is one of its own
        line, at = tail.pop(job)
        truth[job].append(line[:at])
        tail[job] = line[at:], 0
    count("real prunes" if done.stdout == "pruned\n" else "real prunes that had nothing to do")


def prune(job):
    """Drops some of the lines that end before the slowest mark; a kill may leave the record without the exchange."""
    if not os.path.exists(path_of(job)):
        return
    if rng.random() < 0.5:
        real_prune(job)
        return
    mark = marked(job)
    end = follow_moves(job, *mark) if mark else 0
    with open(path_of(job), "rb") as file:
        data = file.read()
    before, kept = data[:end], []
    if before and not before.endswith(b"\n"):
        return  # a mark is at a line's end; a foreign replacement since: nothing may be dropped
    old = before.split(b"\n")[:-1]
    gone = rng.choice((len(old), rng.randrange(len(old) + 1), rng.randrange(len(old) + 1)))
    for at, line in enumerate(old):
        if at >= gone or rng.random() < 0.2:
            kept.append(line + b"\n")
    if len(kept) == len(old):
        return
    with open(path_of(job) + ".new", "wb") as file:
        file.write(b"".join(kept) + data[end:])
    stat, new = os.stat(path_of(job)), os.stat(path_of(job) + ".new")
    with open(os.path.join(marks_dir, "moves"), "a", encoding="utf-8") as file:
        file.write(json.dumps({"file": job + ".jsonl", "dev": stat.st_dev, "inode": stat.st_ino, "end": end, "new_inode": new.st_ino,
                               "new_end": sum(map(len, kept))}) + "\n")
    if rng.random() < 0.15:
        os.unlink(path_of(job) + ".new")  # killed before the exchange
        note("no exchange", job, end, len(old), len(kept), stat.st_ino, new.st_ino)
        count("moves without an exchange")
        return
    os.replace(path_of(job) + ".new", path_of(job))
    note("prune", job, end, len(old), len(kept), stat.st_ino, new.st_ino, "kept", [fnv(line[:-1]) for line in kept])
    count("prunes")


def rename_moves():
    if os.path.exists(os.path.join(marks_dir, "moves")):
        os.replace(os.path.join(marks_dir, "moves"), os.path.join(marks_dir, "moves.1"))


def finish_line(job):
    if job in tail:
        line, done = tail.pop(job)
        with open(path_of(job), "ab") as file:
            file.write(line[done:] + b"\n")
        truth[job].append(line)


def replace_foreign(job):
    """After all was shipped: cut to nothing, rotated away, copied, or only its last lines kept."""
    if not os.path.exists(path_of(job)):
        return
    finish_line(job)
    ship_well()
    with open(path_of(job), "rb") as file:
        lines = file.read().split(b"\n")[:-1]
    how = rng.choice(("cut", "rotate", "copy", "copy" if NEW_CURSORS else "last"))
    count(how)
    note(how, job)
    if how == "cut":
        os.truncate(path_of(job), 0)
    elif how == "rotate":
        os.unlink(path_of(job))
    if how in ("cut", "rotate"):
        begins[job] = len(truth[job])
    else:
        # What is kept is one run that the shipper knows, or it could not tell old from new.
        kept = lines if how == "copy" else lines[-rng.randrange(1, 9):]
        with open(path_of(job) + ".new", "wb") as file:
            file.write(b"".join(line + b"\n" for line in kept))
        os.replace(path_of(job) + ".new", path_of(job))


# --- the sink --------------------------------------------------------------------------------------------------------------

FAILURES = ("500 Code: 210. DB::NetException: Connection refused", "503 busy", "reset", "half", "stored-half", "stored-reset", "stored-500",
            "text <html>Welcome to the WiFi</html>", "429 slowly", "408", "500 Code: 252. DB::Exception: Too many parts (300)",
            "unknown insert_deduplication_token", "refuse-all")


def plan_failures():
    with open(os.path.join(sink_dir, "plan"), "w", encoding="utf-8") as file:
        for _ in range(rng.randrange(4)):
            failure = rng.choice(FAILURES[:-1])
            count("failures")
            file.write(failure + "\n")


def table():
    """The rows as whoever asks sees them: the first of each key."""
    rows = {}
    try:
        with open(os.path.join(sink_dir, "rows"), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        stream, _, text = line.partition("\t")
        if stream == "files":
            continue
        row = json.loads(text)
        key = stream, row["host"], row["job_id"], row.get("time_us") or 0, row["hash"], row["n"]
        if key not in rows or row["seq"] < rows[key]["seq"]:
            rows[key] = row
    return rows, len(lines)


def check():
    rows, sent = table()
    for job, lines in truth.items():
        wanted = [fnv(line) for line in lines if line.strip(b" \t\r")]
        got = [row["hash"] for row in sorted((row for row in rows.values() if row["job_id"] == job), key=lambda row: row["seq"])]
        if wanted != got:
            at = next((i for i, pair in enumerate(zip(wanted, got)) if pair[0] != pair[1]), min(len(wanted), len(got)))
            lost = len(wanted) - len(got)
            raise AssertionError(f"{job}: {len(wanted)} lines, {len(got)} rows ({lost} lost); they differ from {at} on: "
                                 f"{lines[at:at + 2]}, {sorted(wanted) == sorted(got) and 'order only'}")
    return len(rows), sent


prepare()
sink = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "../lib/sink.py"), sink_dir], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, text=True)
port = int(sink.stdout.readline())
jobs = ["a", "b", "c d'\"", "e"]
killed, calls, writes = 0, 12, 60
try:
    for job in jobs[:3]:
        append(job)
    ship_well()
    while killed < kills:
        for _ in range(rng.randrange(1, 4)):
            append(rng.choice(jobs))
        if PRUNES and rng.random() < 0.7:
            prune(rng.choice(list(truth)))
        plan_failures()
        how = rng.random()
        if how < 0.3:
            status, *_ = ship(kill=f"{rng.choice(('before', 'after'))} {rng.randrange(1, calls + 2)}")
        elif how < 0.7:
            status, *_ = ship(kill=f"write {rng.randrange(1, writes + 2)}")
        else:
            status, *_ = ship(timeout=rng.random() * 1.2)
        killed += status == -9
        assert status in (-9, 0, 75), f"ship: exit status {status}"
        if PRUNES and rng.random() < 0.5:
            prune(rng.choice(list(truth)))
        if CUTS and rng.random() < 0.15:
            open(os.path.join(sink_dir, "plan"), "w").close()
            job = rng.choice(list(truth))
            replace_foreign(job)
            for _ in range(rng.randrange(3)):
                append(job)
            ship_well()
        if NEW_CURSORS and rng.random() < 0.05:
            open(os.path.join(sink_dir, "plan"), "w").close()
            ship_well()
            shutil.rmtree(state)
            count("cursors deleted")
        if rng.random() < 0.2:
            open(os.path.join(sink_dir, "plan"), "w").close()
            calls, writes = ship_well()
            check()
            if rng.random() < 0.3:
                rename_moves()
    for job in list(truth):
        finish_line(job)
    ship_well()
    shown, sent = check()
    with open(os.path.join(sink_dir, "requests"), encoding="utf-8") as file:
        requests = [json.loads(line) for line in file]
    assert max(request["rows"] for request in requests) <= 13
finally:
    sink.stdin.close()
    sink.wait()
print(f"{killed} kills, {sum(map(len, truth.values()))} lines, {sent} rows sent, {shown} shown; {dict(sorted(statistics.items()))}")
