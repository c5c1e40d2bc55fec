"""frames.py DIRECTORY FROM COUNT - random histories with archived segments, some of them damaged: each build of the
extension must give the same rows, with one thread and with several, forwards and backwards, as one without pushdown.
Without damage, also those of the oracle.

Frames have from 60 bytes on, so that lines cross them. Prints what differs, and exits with 1.
"""
import datetime
import gzip
import json
import os
import random
import shutil
import subprocess
import sys

ROOT = os.environ["TASKRESULTS_ROOT"]
sys.path.insert(0, os.path.join(ROOT, "tests/oracles"))
import archive_segment  # noqa: E402

MAX_LINE = 4000
START_US = 1767225600000000
COLUMNS = "job_id, segment, segment_no, offset, length(output), error, time_us"
BUILDS = [("taskresults", 1), ("build/tiny/taskresults", 1), ("build/tiny/taskresults", 2), ("build/tiny/taskresults", 8)]


def record(chance, when):
    time = {"timestamp": when.isoformat() + "Z"}
    kind = chance.random()
    if kind < 0.03:
        return b"odd"
    if kind < 0.05:
        return b""
    if kind < 0.08:
        return b'{"output": "untimed"}'
    if kind < 0.12:
        text = "y" * chance.choice([500, 2000, 9000])
        return json.dumps({**time, "success": False, "output": text, "error": "long"}).encode()
    error = "timeout" * chance.randrange(3)
    return json.dumps({**time, "success": chance.random() < 0.8, "output": "a run", "error": error}).encode()


def some_lines(chance, count):
    lines, when = [], datetime.datetime(2026, 1, 1) + datetime.timedelta(minutes=chance.randrange(1000))
    for _ in range(count):
        when += datetime.timedelta(seconds=chance.randrange(100))
        lines.append(record(chance, when))
    return b"\n".join(lines) + (b"\n" if chance.random() < 0.8 else b"")


def damage(chance, segment):
    """Flips a few bits in frames; the tables stay."""
    places, at = [], 0
    for compressed, *_ in archive_segment.read_tables(bytes(segment)):
        places.append((at, compressed))
        at += compressed
    for _ in range(chance.randrange(1, 4)):
        begin, length = chance.choice(places)
        segment[begin + chance.randrange(length)] ^= 1 << chance.randrange(8)


def make_history(chance, directory):
    """Returns True if all of it can be read."""
    archive = os.path.join(directory, ".taskresults/archive/a.jsonl")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(archive)
    is_damaged, is_whole = chance.random() < 0.5, True
    for number in range(chance.choice([1, 1, 2, 3])):
        lines = some_lines(chance, chance.randrange(1, 300))
        segment = bytearray(archive_segment.encode(lines, chance.choice([60, 200, 1000, 5000, 30000])))
        if is_damaged:
            damage(chance, segment)
        elif chance.random() < 0.2:
            del segment[-chance.randrange(1, 200):]  # then it is read from its start
            is_whole = False
        with open(f"{archive}/none-{number + 1}.jsonl.zst", "wb") as file:
            file.write(segment)
    for name in chance.sample(["a.jsonl.1", "a.jsonl.1.gz", "a.jsonl.2", "a.jsonl", "b.jsonl"], chance.randrange(4)):
        lines = some_lines(chance, chance.randrange(1, 50))
        with open(os.path.join(directory, name), "wb") as file:
            file.write(gzip.compress(lines) if name.endswith("gz") else lines)
    return is_whole and not is_damaged


def some_condition(chance):
    time_us = START_US + chance.randrange(60) * 17 * 60000000
    later_us = time_us + chance.randrange(4 * 3600) * 1000000
    return chance.choice(["1", "ok = 0", f"time_us > {time_us}", f"time_us BETWEEN {time_us} AND {later_us}",
                          f"time_us < {time_us}", f"time_us = {time_us}", "offset > 3000", "offset < 5000",
                          f"offset > 9000 AND time_us < {later_us}", "error LIKE '%timeout%'"])


def ask(directory, build, threads, statements):
    settings = {"SCHEDULER_RESULTS_DIR": directory, "TASKRESULTS_THREADS": str(threads), "TASKRESULTS_MAX_LINE": str(MAX_LINE)}
    rejects = "CREATE VIRTUAL TABLE temp.r USING task_rejects(segments=all)"
    command = ["sqlite3", "-batch", "-init", "/dev/null", "-cmd", ".load " + os.path.join(ROOT, build), ":memory:", rejects]
    return subprocess.run(command + statements, env={**os.environ, **settings}, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def fail(seed, *words):
    print("seed", seed, *words)
    sys.exit(1)


def check(seed, directory):
    chance = random.Random(seed)
    is_good = make_history(chance, directory)
    condition = some_condition(chance)
    statements = [f"SELECT {COLUMNS} FROM task_history WHERE {condition} ORDER BY job_id, segment_no, offset", "SELECT '--'",
                  f"SELECT {COLUMNS} FROM task_history WHERE {condition} ORDER BY job_id DESC, segment_no DESC, offset DESC",
                  "SELECT '--'", "SELECT * FROM r ORDER BY segment, offset"]
    wanted = ask(directory, "build/every_line/taskresults", 1, statements)
    for build, threads in BUILDS:
        got = ask(directory, build, threads, statements)
        if got != wanted:
            differing = [pair for pair in zip(wanted.splitlines(), got.splitlines()) if pair[0] != pair[1]]
            fail(seed, build, threads, condition, differing[:1] or (len(wanted), len(got)))
    forwards, backwards, _ = wanted.split(b"--\n")
    if forwards.splitlines() != backwards.splitlines()[::-1]:
        fail(seed, condition, "backwards is not the reverse of forwards")
    if is_good:
        check_oracle(seed, directory)


def check_oracle(seed, directory):
    """Longer lines than max_line, which the oracle does not know, are left out."""
    oracle = [sys.executable, os.path.join(ROOT, "tests/oracles/history.py"), directory]
    wanted = subprocess.run(oracle, stdout=subprocess.PIPE, check=True).stdout.splitlines()
    statement = "SELECT job_id, segment_no, segment, offset, output FROM task_history ORDER BY job_id, segment_no, offset"
    got = ask(directory, "taskresults", 1, [statement]).splitlines()
    if got != [line for line in wanted if len(line) < MAX_LINE]:
        fail(seed, "not as the oracle")


def main():
    directory, begin, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for seed in range(begin, begin + count):
        check(seed, directory)
    print(count, "histories")


main()
