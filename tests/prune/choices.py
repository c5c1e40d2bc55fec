#!/usr/bin/env python3
"""choices.py EXTENSION COUNT - COUNT generated files are pruned with random options; what is kept, and what the report and
a dry run before it say, must be what a model of the rules in Python says, byte for byte; and the receipt, and its row of
task_prunes, what Python counts in the lines that are gone; and if they are archived, the archive has them at its end. Exits
1 at the first that is not.

Needs a Python with sqlite3.enable_load_extension."""
import collections
import datetime
import hashlib
import json
import os
import random
import re
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../oracles"))
import archive_segment  # noqa: E402 pylint: disable=wrong-import-position

TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?")
ODD_TIMES = ["soon", None, 5, "2026-02-30T00:00Z", "2026-02-10 10:00", "2026-02-10T10:00:00+05:30", "2026-02-10T10:00:00+0530",
             "2026-02-10t10:00:00,5z"]
ODD_LINES = ["[1]", "1", "{}", '{"timestamp": "2026-01-01T00:00Z", "timestamp": "2026-03-27T00:00Z"}', "{} x"]
ODD_SUCCESSES = [None, 0, 1, -1, 0.0, -0.0, 1e-300, float("nan"), float("inf"), "", "0", "false", " ", [], {}, [0], {"a": None}]
rng = random.Random(3)
archived = []  # all lines


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
               "receipt": rng.choice([None, None, None, 1, 0]),
               "count": rng.choice([None, 1]), "force": 1}  # guards.py tests what is refused without it
    if options["since"] == "2026-03-20":
        options["since"] += "T00:00Z"
    if options["keep"] is None and options["since"] is None:
        if options["max_bytes"] is None:
            options["keep"] = 2
        else:
            options["keep_failures"] = rng.choice([None, 0])
    if not options["keep_failures"] and not options["drop_rejects"] and options["receipt"] != 0:
        options["archive"] = rng.choice([None, 1])
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
        self.archives = "archive" in options
        self.keeps_last, self.has_kept = self.archives, False  # blank lines at the end of the file are not archived

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
            is_newest, self.has_kept = not self.has_kept and self.room > 0, True
            self.room -= len(line)  # negative: it does not fit, and nothing older stays
            self.keeps_last = self.room >= 0 or is_newest
        if self.archives and not self.keeps_last:
            self.room = -1  # nothing older stays
        self.kept += self.keeps_last and isinstance(record, dict)
        return self.keeps_last


def prune(db, directory, options):
    arguments = ["j", "dir", directory] + [part for option in options.items() for part in option]
    sql = "SELECT taskresults_prune(%s)" % ", ".join("?" * len(arguments))
    return json.loads(db.execute(sql, arguments).fetchone()[0])


EPOCH = datetime.datetime(1970, 1, 1)


def moment(us):
    return None if us is None else (EPOCH + datetime.timedelta(microseconds=us)).isoformat() + "Z"


def count(lines):
    """What a receipt of these lines says of them."""
    records = [record for record in map(parse, lines) if isinstance(record, dict)]
    days, untimed = collections.defaultdict(list), []
    for record in records:
        us = time_us(record.get("timestamp"))
        failed = not record.get("success")
        if us is None:
            untimed.append(failed)
        else:
            days[moment(us)[:10]].append((us, failed))
    times = [us for runs in days.values() for us, _ in runs]
    return {"lines": len(lines), "records": len(records), "failures": sum(not record.get("success") for record in records),
            "bytes": sum(map(len, lines)), "sha256": hashlib.sha256(b"".join(lines)).hexdigest(),
            "first_run": moment(min(times, default=None)), "last_run": moment(max(times, default=None)),
            "untimed": {"runs": len(untimed), "failures": sum(untimed)},
            "days": [{"day": day, "runs": len(runs), "failures": sum(failed for _, failed in runs),
                      "first_run": moment(min(runs)[0]), "last_run": moment(max(runs)[0])}
                     for day, runs in sorted(days.items())]}


def receipts(directory):
    path = os.path.join(directory, ".taskresults/prunes/j.jsonl")
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]


def ranges(lines, kept):
    """The bytes of the lines that stay, neighbours joined."""
    found, at = [], 0
    for line, stays in zip(lines, kept):
        if stays and found and found[-1][1] == at:
            found[-1][1] += len(line)
        elif stays:
            found.append([at, at + len(line)])
        at += len(line)
    return found


def text_of(segment):
    """Its frames, with the tables checked; the times in them are compared in archived.py, where lines are plain."""
    at, text = 0, b""
    for compressed, decompressed, *_ in archive_segment.read_tables(segment):
        text += archive_segment.decompress(segment[at:at + compressed], decompressed)
        at += compressed
    return text


def judge_archive(directory, name):
    """The segments, one after the other, hold all lines that were archived; and this is the name of the last one."""
    folder = os.path.join(directory, ".taskresults/archive/j.jsonl")
    names = sorted(os.listdir(folder), key=lambda name: int(re.search(r"-(\d+)\.jsonl\.zst$", name)[1]))
    text = b""
    for segment in names:
        with open(os.path.join(folder, segment), "rb") as file:
            part = text_of(file.read())
        times = [us for record in map(parse, part.splitlines()) if isinstance(record, dict)
                 if (us := time_us(record.get("timestamp"))) is not None]
        stamp = re.sub("[-:]|[.].*", "", moment(times[0])[:-1]) + "Z" if times else "none"
        if segment.rsplit("-", 1)[0] not in (stamp, "none"):
            sys.exit(f"{segment} begins at {stamp}")
        text += part
    if text != b"".join(archived) or name != names[-1]:
        sys.exit(f"{name} of {names} is not what was archived")


def judge_receipt(db, directory, lines, kept, before, archive):
    """What is wrong with the receipt of this prune."""
    now = receipts(directory)
    gone = [line for line, stays in zip(lines, kept) if not stays]
    stayed = ranges(lines, kept)
    is_scattered = stayed not in ([], [[sum(map(len, gone)), sum(map(len, lines))]])
    expected = {**count(gone), "kept": stayed if len(stayed) <= 256 else None, "kept_ranges": len(stayed), "archive": archive,
                "scattered": is_scattered, "replaced": False, "uid": os.geteuid(), "max_line": 1024 * 1024}
    if len(now) != len(before) + 1:
        return f"{len(now)} receipts after {len(before)}"
    wrong = {key: (now[-1].get(key), value) for key, value in expected.items() if now[-1].get(key) != value}
    columns = ["lines", "records", "failures", "bytes", "first_run", "last_run", "sha256", "archive", "scattered", "replaced",
               "uid", "pruned_at", "rule", "receipt"]
    row = db.execute(f"SELECT {', '.join(columns)} FROM temp.p ORDER BY rowid DESC LIMIT 1").fetchone()
    shown = dict(zip(columns, row))
    if json.loads(shown.pop("receipt")) != now[-1]:
        wrong["receipt"] = row
    wrong.update({key: (value, now[-1][key]) for key, value in shown.items() if value != now[-1][key]})
    return wrong


def try_one(db, directory):
    path = os.path.join(directory, "j.jsonl")
    lines = [make_line(i) for i in range(rng.choice([0, 1, 5, 30, 80]))]
    tail = rng.choice([b"", b"", b'{"torn', b'{"timestamp": "2026-01-01T00:00Z"}'])
    before = b"".join(lines) + tail
    with open(path, "wb") as file:
        file.write(before)
    options = make_options()
    model = Model(options)
    stays = [model.keeps(line) for line in reversed(lines)][::-1]
    kept = [line for line, keep in zip(lines, stays) if keep]
    dropped, freed = len(lines) - len(kept), len(before) - len(tail) - sum(map(len, kept))
    expected = b"".join(kept) + (tail + b"\n" if tail and dropped else tail)
    dry = prune(db, directory, {**options, "dry_run": 1})
    with open(path, "rb") as file:
        unchanged = file.read() == before
    before_receipts = receipts(directory)
    report = prune(db, directory, options)
    with open(path, "rb") as file:
        after = file.read()
    has_receipt = options.get("receipt", 1) == 1
    counted = dropped if "count" in options or not dropped or has_receipt else None
    if dropped and has_receipt:
        if "archive" in options:
            archived.extend(line for line, keep in zip(lines, stays) if not keep)
            judge_archive(directory, report["archive"])
        wrong = judge_receipt(db, directory, lines, stays, before_receipts, report.get("archive"))
    else:
        wrong = "there is one" if receipts(directory) != before_receipts else None
    if wrong:
        sys.exit(f"{options}\nreceipt {wrong}\nbefore {before}")
    if (not unchanged or after != expected or [dry["kept"], dry["dropped"], dry["bytes_freed"]] != [model.kept, dropped, freed]
            or [report["kept"], report["dropped"], report["bytes_freed"]] != [model.kept, counted, freed]):
        sys.exit(f"{options}\nreport {report}\ndry {dry}\nmodel {model.kept}, {dropped}, {freed}\nbefore {before}\n"
                 f"after {after}\nexpected {expected}")


def main():
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        db.execute(f"CREATE VIRTUAL TABLE temp.p USING task_prunes(dir='{directory}')")
        for _ in range(int(sys.argv[2])):
            try_one(db, directory)


if __name__ == "__main__":
    main()
