#!/usr/bin/env python3
"""next.py - what `taskresults next` must say of a state directory, from the words of its help, and random directories.

next.py PROGRAM COUNT SEED, in an empty directory: makes COUNT directories as slots.py does, asks PROGRAM, and compares.
"""
import json
import os
import random
import subprocess
import sys
import time

from slots import DAY, SECOND, expected, make_state, read_time

ORDER = ["due", "running", "unknown", "paused", "never"]


def truth(value):
    return value not in (False, None, 0, "", [], {})


def rows_of(state, now, begin):
    """(job_id, state, next, last, last_state, late_s, last_success) in the order in which they are to come."""
    listed = [job for job in json.load(open(f"{state}/jobs.json"))["jobs"] if isinstance(job, dict) and isinstance(job.get("id"), str)]
    slots, rows = expected(state, now, begin, now + 6 * DAY), []
    for job in listed:
        mine = [row for row in slots if row[0] == job["id"]]
        unknown = any(row[1] is None for row in mine)
        coming = [row for row in mine if row[1] is not None and row[2] >= now]
        past = [row for row in mine if row[1] is not None and row[2] <= now]
        checkpoint = f"{state}/.checkpoint_{job['id']}.json"
        running = os.path.exists(checkpoint) and json.load(open(checkpoint))["pid"] == os.getpid()
        if unknown:
            what = "unknown"
        elif "enabled" in job and not truth(job["enabled"]):
            what = "paused"
        elif coming:
            what = "due"
        else:
            what = "running" if running else "never"
        last = past[-1] if past else (None,) * 10
        ok = None if last[7] is None else bool(last[7])
        rows.append((job["id"], what, coming[0][1] if what == "due" else None, last[1], "unknown" if unknown else last[6],
                     last[5], ok))
    rows.sort(key=lambda row: (ORDER.index(row[1]), read_time(row[2]) or 0, row[0].encode()))
    return rows


def ask(program, *arguments):
    done = subprocess.run([program, "next", "--json", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def plain(row):
    return tuple(row[key] for key in ("job_id", "state", "next", "last", "last_state", "late_s", "last_success"))


def compare(program, begin, arguments, wanted):
    """Computed twice, since `now` moves on: if both are the same, the answer must be that."""
    before = wanted(time.time_ns() // 1000)
    actual = ask(program, *arguments)
    now = time.time_ns() // 1000
    if before != wanted(now):
        return 0
    assert [plain(row) for row in actual] == before, f"{arguments}\n{[plain(row) for row in actual]}\nnot\n{before}"
    for row in actual:
        assert (row["next"] is None) == (row["in_s"] is None)
        assert row["next"] is None or abs((read_time(row["next"]) - now) / SECOND - row["in_s"]) < 60
        assert row["reason"] or row["state"] not in ("paused", "unknown"), row
    return len(before)


def check(program, r, count):
    rows = 0
    for number in range(count):
        now = time.time_ns() // 1000
        state, begin = os.path.abspath(f"state{number % 2}"), now - r.choice([3, 6]) * DAY
        ids = make_state(r, state, begin, now - r.choice([0, DAY // 2]))
        os.environ.update(SCHEDULER_RESULTS_DIR=f"{state}/results", SCHEDULER_LOGS_DIR=f"{state}/logs",
                          SCHEDULER_JOBS_FILE=f"{state}/jobs.json")
        every = lambda at: rows_of(state, at, begin - DAY)
        rows += compare(program, begin, [], every)
        one = r.choice(ids)
        rows += compare(program, begin, [one], lambda at: [row for row in every(at) if row[0] == one])
        hours = r.choice([1, 3, 30])
        rows += compare(program, begin, ["--within", f"{hours}h", "--limit", "2"],
                        lambda at: [row for row in every(at) if row[1] in ("running", "unknown") or
                                    row[1] == "due" and read_time(row[2]) <= at + hours * 3600 * SECOND][:2])
    print(f"{rows} rows of {count} directories agree")
    assert rows > count


if __name__ == "__main__":
    check(sys.argv[1], random.Random(int(sys.argv[3])), int(sys.argv[2]))
