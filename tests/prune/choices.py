#!/usr/bin/env python3
"""choices.py EXTENSION COUNT - COUNT generated files are pruned with random options; what is kept, and what the report and
a dry run before it say, must be what a model of the rules in Python says, byte for byte. Exits 1 at the first that is not.

Needs a Python with sqlite3.enable_load_extension."""
import datetime
import json
import os
import random
import re
import sqlite3
import sys
import tempfile

TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?")
ODD_TIMES = ["soon", None, 5, "2026-02-30T00:00Z", "2026-02-10 10:00", "2026-02-10T10:00:00+05:30", "2026-02-10T10:00:00+0530",
             "2026-02-10t10:00:00,5z"]
ODD_LINES = ["[1]", "1", "{}", '{"timestamp": "2026-01-01T00:00Z", "timestamp": "2026-03-27T00:00Z"}', "{} x"]
ODD_SUCCESSES = [None, 0, 1, -1, 0.0, -0.0, 1e-300, float("nan"), float("inf"), "", "0", "false", " ", [], {}, [0], {"a": None}]
rng = random.Random(3)


def time_us(text):
    found = TIME.fullmatch(text) if isinstance(text, str) else None
    try:
        time = datetime.datetime(*[int(part or 0) for part in found.groups()[:6]]) if found else None
    except ValueError:
        time = None
    if time is None:
        return None
    seconds = (time - datetime.datetime(1970, 1, 1)).total_seconds()
    if found[8]:
        seconds -= (int(found[9]) * 60 + int(found[10] or 0)) * 60 * (1 if found[8] == "+" else -1)
    return int(seconds) * 10**6 + int((found[7] or "0")[:6].ljust(6, "0"))


def make_line(i):
    time = "2026-%02d-%02dT%02d:00:%02d%sZ" % (rng.randint(1, 3), rng.randint(1, 28), rng.randint(0, 23),
                                               rng.randint(0, 59), rng.choice(["", ".5", ".123456"]))
    record = {"timestamp": time if rng.random() > 0.1 else rng.choice(ODD_TIMES), "job_name": str(i),
              "success": rng.choice([True, True, False, *ODD_SUCCESSES]), "output": "\u00e9\n" * rng.randint(0, 5)}
    if rng.random() > 0.9:
        del record["success"]
    line, odd = json.dumps(record), rng.random()
    line = line.replace("1e-300", rng.choice(["1e-300", "1e-400", "0e999", "0E-0", "-0", "0.000"]))
    line = line.replace('"success": []', '"success": [ \t]').replace('"success": {}', '"success": { }')
    if odd > 0.95:
        line = line[:rng.randint(1, len(line) - 1)]
    elif odd > 0.9:
        line = rng.choice(["", "  ", *ODD_LINES])
    return (line + "\n").encode()


def make_options():
    options = {"keep": rng.choice([None, 0, 1, 3, 10, 1000]), "since": rng.choice([None, "2026-02-10T10:00Z", "2026-03-20"]),
               "keep_failures": rng.choice([None, 0, 1, 3]), "drop_rejects": rng.choice([None, 1]),
               "max_bytes": rng.choice([None, None, 0, 1, 100, 700, 3000, 10**6]),
               "count": rng.choice([None, 1]), "force": 1}  # guards.py tests what is refused without it
    if options["since"] == "2026-03-20":
        options["since"] += "T00:00Z"
    if options["keep"] is None and options["since"] is None:
        if options["max_bytes"] is None:
            options["keep"] = 2
        else:
            options["keep_failures"] = rng.choice([None, 0])
    return {name: value for name, value in options.items() if value is not None}


def parse(line):
    try:
        return json.loads(line)
    except ValueError:
        return None


class Model:
    def __init__(self, options):
        by_size_alone = "keep" not in options and "since" not in options
        self.keep, self.since = float("inf") if by_size_alone else options.get("keep", 0), time_us(options.get("since"))
        self.room = options.get("max_bytes", float("inf"))
        self.failures, self.drops_rejects = options.get("keep_failures", 0), "drop_rejects" in options
        self.records = self.kept = 0
        self.keeps_last = False

    def keeps_record(self, record):
        time, is_recent = time_us(record.get("timestamp")), self.records < self.keep
        self.records += 1
        if is_recent or (self.since is not None and (time is None or time >= self.since)):
            return True
        is_failure = not record.get("success")  # as the scheduler's own viewer asks
        self.failures -= is_failure
        return is_failure and self.failures >= 0

    def keeps(self, line):
        """To be called for the lines from the last to the first."""
        text, goes_on = line.strip(), self.since is not None or self.records < self.keep or self.failures > 0
        record = parse(text)
        if self.room < 0:
            return False
        if not text:
            self.keeps_last = self.keeps_last and goes_on
        elif isinstance(record, dict):
            self.keeps_last = self.keeps_record(record)
        else:
            self.keeps_last = not self.drops_rejects and (self.since is not None or self.records < self.keep)
        if self.keeps_last:
            self.room -= len(line)  # negative: it does not fit, and nothing older stays
            self.keeps_last = self.room >= 0
        self.kept += self.keeps_last and isinstance(record, dict)
        return self.keeps_last


def prune(db, directory, options):
    arguments = ["j", "dir", directory] + [part for option in options.items() for part in option]
    sql = "SELECT taskresults_prune(%s)" % ", ".join("?" * len(arguments))
    return json.loads(db.execute(sql, arguments).fetchone()[0])


def try_one(db, directory):
    path = os.path.join(directory, "j.jsonl")
    lines = [make_line(i) for i in range(rng.choice([0, 1, 5, 30, 80]))]
    tail = rng.choice([b"", b"", b'{"torn', b'{"timestamp": "2026-01-01T00:00Z"}'])
    before = b"".join(lines) + tail
    with open(path, "wb") as file:
        file.write(before)
    options = make_options()
    model = Model(options)
    kept = [line for line in reversed(lines) if model.keeps(line)][::-1]
    dropped, freed = len(lines) - len(kept), len(before) - len(tail) - sum(map(len, kept))
    expected = b"".join(kept) + (tail + b"\n" if tail and dropped else tail)
    dry = prune(db, directory, {**options, "dry_run": 1})
    with open(path, "rb") as file:
        unchanged = file.read() == before
    report = prune(db, directory, options)
    with open(path, "rb") as file:
        after = file.read()
    counted = dropped if "count" in options or not dropped else None
    if (not unchanged or after != expected or [dry["kept"], dry["dropped"], dry["bytes_freed"]] != [model.kept, dropped, freed]
            or [report["kept"], report["dropped"], report["bytes_freed"]] != [model.kept, counted, freed]):
        sys.exit(f"{options}\nreport {report}\ndry {dry}\nmodel {model.kept}, {dropped}, {freed}\nbefore {before}\n"
                 f"after {after}\nexpected {expected}")


def main():
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(int(sys.argv[2])):
            try_one(db, directory)


if __name__ == "__main__":
    main()
