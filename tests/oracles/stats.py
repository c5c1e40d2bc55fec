#!/usr/bin/env python3
"""stats.py generate DIR      writes histories of every odd kind into DIR, always the same ones
   stats.py check DIR...      holds task_stats against what Python makes of the same files

`check` works every figure out for itself, from the lines that json.loads() reads, for the whole of the files and for
windows of every kind: times of records, given as texts and as numbers, ends the wrong way round, and none. Each job is
asked for alone as well. Needs tests/lib on the path (see tests/lib/host.bash). Prints the first disagreements; exits 1 if
there were any.
"""
import json
import math
import os
import random
import re
import sys

from rows import LONE_SURROGATE, lines_of, sql_value, time_us, verdict

ABSENT = object()
COLUMNS = ("runs successes failures success_rate first_run last_run last_success last_failure last_error streak "
           "longest_failure_streak mtbf_s mttr_s rejects first_run_us last_run_us last_success_us last_failure_us").split()

# --- the expected figures ------------------------------------------------------------------------------------------------


def value_of(text, record, key):
    """A value as SQL shows it."""
    dumped = sql_value(text, record, key)
    if dumped == "N":
        return None
    if dumped[0] == "I":
        return int(dumped[1:])
    return record[key] if dumped[0] == "R" else bytes.fromhex(dumped[1:]).decode()


def history(path):
    """The records of a file as (time or None, timestamp, success, error), and how many lines are none."""
    records, rejects = [], 0
    for _, line in lines_of(path):
        judged = verdict(line)
        if judged is False:
            rejects += 1
        elif judged:
            text, record = judged
            time = time_us(record)
            records.append((None if time == "N" else int(time[1:]), value_of(text, record, "timestamp"),
                            bool(record.get("success")), value_of(text, record, "error")))
    return records, rejects


def mean(durations):
    return sum(durations) / 1e6 / len(durations) if durations else None


def figures(records, rejects, since, until):
    if since is not None or until is not None:
        records = [r for r in records if r[0] is not None and (since is None or r[0] >= since)
                   and (until is None or r[0] <= until)]
    verdicts = "".join("s" if r[2] else "f" for r in records)
    good = [r for r in records if r[2]]
    bad = [r for r in records if not r[2]]
    failing = [match.span() for match in re.finditer("f+", verdicts)]
    begun = [records[start][0] for start, _ in failing]
    ended = [records[end][0] for _, end in failing if end < len(records)]
    tail = re.search("(s*|f*)$", verdicts)[0] if verdicts else ""
    longest = lambda pairs: [max(0, b - a) for a, b in pairs if a is not None and b is not None]
    at = lambda some, which, field: some[which][field] if some else None
    return {
        "runs": len(records), "successes": len(good), "failures": len(bad),
        "success_rate": 100.0 * len(good) / len(records) if records else None,
        "first_run": at(records, 0, 1), "last_run": at(records, -1, 1),
        "last_success": at(good, -1, 1), "last_failure": at(bad, -1, 1), "last_error": at(bad, -1, 3),
        "streak": len(tail) * (-1 if tail.startswith("f") else 1),
        "longest_failure_streak": max((end - start for start, end in failing), default=0),
        "mtbf_s": mean(longest(zip(begun, begun[1:]))), "mttr_s": mean(longest(zip(begun, ended))), "rejects": rejects,
        "first_run_us": at(records, 0, 0), "last_run_us": at(records, -1, 0),
        "last_success_us": at(good, -1, 0), "last_failure_us": at(bad, -1, 0),
    }


# --- comparing them ------------------------------------------------------------------------------------------------------


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or math.isclose(a, b, rel_tol=1e-9)
    return type(a) is type(b) and a == b


def windows(histories, rng):
    """Pairs of arguments, and of the bounds that they mean."""
    times = [(time, text) for records, _ in histories.values() for time, text, *_ in records if time is not None]
    yield (None, None), (None, None)
    yield (0, None), (0, None)  # everything since 1970 that has a time
    for _ in range(60 if times else 0):
        (a, text_a), (b, text_b) = rng.choice(times), rng.choice(times)
        yield rng.choice([((a, None), (a, None)), ((None, b), (None, b)), ((a, b), (a, b)), ((text_a, text_b), (a, b)),
                          ((a, a), (a, a)), ((a + 1, b - 1), (a + 1, b - 1)), ((text_a, b + 0.5), (a, b)),
                          ((a - 0.5, None), (a, None)) if abs(a) < 2**51 else ((a, text_b), (a, b))])


def check(db, directory):
    os.environ["SCHEDULER_RESULTS_DIR"] = directory
    rng = random.Random(5)
    histories = {name[:-len(".jsonl")]: history(os.path.join(directory, name)) for name in sorted(os.listdir(directory))}
    select = "SELECT job_id, %s, since, until, rowid FROM task_stats" % ", ".join(COLUMNS)
    compared = wrong = 0

    def compare(what, row, arguments, wanted):
        nonlocal compared, wrong
        compared += 1
        got = dict(zip(COLUMNS, row[1:]))
        bad = [column for column in COLUMNS if not same(got[column], wanted[column])]
        if bad or row[-3:-1] != arguments:
            wrong += 1
            for column in bad[:3]:
                print("# %s of %r, %s%r: sql %.200r, python %.200r"
                      % (column, row[0], what, arguments, got[column], wanted[column]))

    for arguments, bounds in windows(histories, rng):
        rows = db.execute(select + "(?, ?)", arguments).fetchall()
        if sorted(row[0] for row in rows) != sorted(histories):
            print("# other jobs:", {row[0] for row in rows} ^ set(histories))
            wrong += 1
        for row in rows:
            compare("", row, arguments, figures(*histories[row[0]], *bounds))
        for row in rng.sample(rows, min(3, len(rows))):
            for condition, value in (("job_id = ?", row[0]), ("job IN (?, 'no such job')", row[0]), ("rowid = ?", row[-1]),
                                     ("job_id GLOB ?", re.sub(r"([*?[])", r"[\1]", row[0]))):
                alone = db.execute(select + "(?, ?) WHERE " + condition, (*arguments, value)).fetchall()
                if alone != [row]:
                    wrong += 1
                    print("# %s %r: %.300r instead of %.300r" % (condition, value, alone, row))
    rejects = dict(db.execute("SELECT job_id, count(*) FROM task_rejects WHERE offset IS NOT NULL GROUP BY 1"))
    wrong += sum(rejects.get(job, 0) != count for job, (_, count) in histories.items())
    return compared, wrong


# --- histories -----------------------------------------------------------------------------------------------------------

SUCCESSES = [True, False, True, False, True, False, None, ABSENT, 0, 1, 2, -1, 0.0, 0.5, -0.0, 1e-320, 10**30, float("nan"),
             float("inf"), "", "true", "false", "0", "1", " 0 ", "0.0", "-0", "0e5", "1e-400", ".0", "+0", "0x0", "00", "\t0",
             "a\0", "0\0", "[]", "{}", "[ ]", [], {}, [0], {"a": None}, [[]]]
TIMESTAMPS = [None, ABSENT, "", "soon", 5, 1.5, True, [1, {"b": 2}], "2026-02-30T00:00:00Z", "x" * 31, "x" * 32, "x" * 33,
              "2026-01-01T00:00:00." + "1" * 80 + "Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
ERRORS = ["", None, ABSENT, "Connection timeout", "a\nb\tc \"quoted\" \\", "\U0001f4a5 \u00fc", "nul\0 inside", "\ud800", 7, 2.5,
          {"code": [1, " x "]}, ["\\", "\""], False, "e" * 70000, "\u00e9" * 3000]
NOISE = ["\n", "   \r\n", "[1]\n", "{\"success\": tru\n", "{\"timestamp\": \"2026\n", "\xff\n", "{} {}\n", "null\n"]


def stamp(rng, us):
    from datetime import datetime, timedelta
    text = (datetime(1970, 1, 1) + timedelta(microseconds=us)).isoformat(rng.choice("TTT "))
    return text + rng.choice(["Z", "Z", "Z", "", "+02:00", "-05:30"])


def line(rng, us, oddity, failing):
    odd = lambda: rng.random() < oddity
    record = {
        "timestamp": rng.choice(TIMESTAMPS) if odd() else stamp(rng, us),
        "job_id": "j",
        "success": rng.choice(SUCCESSES) if odd() else rng.random() >= failing,
        "output": "x" * rng.randint(0, 200),
        "error": rng.choice(ERRORS) if odd() else rng.choice(["", "it broke at %d" % us]),
    }
    if odd():
        record["extra"] = rng.choice([1, [2], {"a": [3]}])
    items = [(key, value) for key, value in record.items() if value is not ABSENT]
    if odd():
        rng.shuffle(items)
    text = json.dumps(dict(items), ensure_ascii=rng.random() < 0.7, separators=(",", ":") if odd() else None)
    return LONE_SURROGATE.sub("\\\\ud800", text) + "\n"


def generate(directory):
    os.makedirs(directory, exist_ok=True)
    for number in range(120):
        rng = random.Random(number)
        oddity, failing, backwards = rng.choice([0, 0.02, 0.3]), rng.choice([0, 0.1, 0.5, 0.9, 1]), rng.choice([0, 0.1, 0.5])
        us = 1_770_000_000_000_000 + rng.randint(0, 10**12)
        with open(os.path.join(directory, "job %d.jsonl" % number), "w", encoding="utf-8") as file:
            text = ""
            for _ in range(rng.choice([0, 1, 2, 3, 10, 40, 200])):
                us += rng.choice([0, 1, 10**6, rng.randint(0, 10**10)]) * (-1 if rng.random() < backwards else 1)
                text += line(rng, us, oddity, failing)
                if rng.random() < oddity:
                    text += rng.choice(NOISE)
                    failing = rng.choice([0, 0.1, 0.5, 0.9, 1])
            file.write(text[:-rng.randint(0, 60)] if rng.random() < 0.3 and len(text) > 100 else text)


def main():
    if sys.argv[1] == "generate":
        generate(sys.argv[2])
        return 0
    from host import connect
    compared = wrong = 0
    for directory in sys.argv[2:]:
        counts = check(connect(), directory)
        compared, wrong = compared + counts[0], wrong + counts[1]
    print("%d rows compared, %d disagreements" % (compared, wrong))
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
