#!/usr/bin/env python3
"""guards.py EXTENSION COUNT - COUNT generated directories are pruned by random rules, one job or all: what would be a slip
of the hand is refused with the counts and the range of what would go, and changes nothing; a dry run tells the same; with
'force', and in every other case, it is done. Exits 1 at the first that is not so.

What goes is asked of the model in choices.py. Needs a Python with sqlite3.enable_load_extension."""
import datetime
import json
import os
import random
import sqlite3
import sys
import tempfile

import choices

rng = random.Random(7)


class Lost:
    """What a prune of these files by the rules would drop, and whether any record would be left in them."""

    def __init__(self, files, options):
        self.jobs = self.records = self.others = self.untimed = 0
        self.times, self.is_left = [], False
        for lines in files:
            self.add(lines, choices.Model(options))

    def add(self, lines, model):
        before = self.records + self.others
        for line in reversed(lines):
            if model.keeps(line):
                continue
            record = choices.parse(line.strip())
            if not isinstance(record, dict):
                self.others += bool(line.strip())
                continue
            time = choices.time_us(record.get("timestamp"))
            self.records += 1
            self.untimed += time is None
            self.times += [] if time is None else [time]
        self.jobs += self.records + self.others > before
        self.is_left = self.is_left or model.kept > 0

    def words(self):
        if not self.records + self.others:
            return "nothing would go"
        plural = lambda count, word: f"{count} {word}{'' if count == 1 else 's'}"
        text = plural(self.records, "record")
        if self.others:
            text += " and " + plural(self.others, "other line")
        text += f" of {plural(self.jobs, 'job')} would go"
        if self.times:
            text += f", from {iso(min(self.times))} to {iso(max(self.times))}"
        return text + (f", {self.untimed} without a readable time" if self.untimed else "")


def iso(time_us):
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=time_us)).isoformat() + "Z"


def make_options():
    options = {"keep": rng.choice([None, 0, 0, 1, 3]), "keep_failures": rng.choice([None, None, 0, 1, 3]),
               "since": rng.choice([None, None, "2026-01-01T00:00Z", "2026-02-10T10:00Z", "2026-04-01T00:00Z", "2200-01-01T00:00Z"]),
               "drop_rejects": rng.choice([None, 1]), "max_bytes": rng.choice([None, None, None, 0, 1, 200, 10**6])}
    if options["keep"] is None and options["since"] is None:
        if options["max_bytes"] is None:
            options["keep"] = 0
        else:
            options["keep_failures"] = None
    return {name: value for name, value in options.items() if value is not None}


def expected_refusal(options, pruned, others):
    """None, or the words that the refusal has to contain."""
    lost = Lost(pruned, options)
    if options.get("max_bytes") == 0:
        return "max_bytes 0 keeps nothing: " + lost.words()
    if options.get("since") == "2200-01-01T00:00Z":
        return "since is later than now (2200-01-01T00:00:00Z): " + lost.words()
    if "since" not in options and options.get("keep") == 0 and not options.get("keep_failures"):
        return "keep 0 keeps nothing, and no other rule does: " + lost.words()
    if lost.records and not lost.is_left and not Lost(others, {"keep": 10**9}).is_left:
        return "no record would be left in any job of "
    return None


def call(db, directory, job, options):
    """The reports, or the error's text."""
    arguments = ([] if job is None else [job]) + ["dir", directory] + [part for option in options.items() for part in option]
    name = "taskresults_prune_all" if job is None else "taskresults_prune"
    try:
        answer = json.loads(db.execute(f"SELECT {name}({', '.join('?' * len(arguments))})", arguments).fetchone()[0])
    except sqlite3.OperationalError as error:
        return str(error)
    return answer if job is None else [answer]


def read_all(directory):
    contents = {}
    for name in os.listdir(directory):
        if name.endswith(".jsonl"):
            with open(os.path.join(directory, name), "rb") as file:
                contents[name] = file.read()
    return contents


def try_one(db, directory):
    files = {}
    for i in range(rng.choice([1, 1, 2, 4])):
        files[f"j{i}"] = [choices.make_line(k) for k in range(rng.choice([0, 0, 1, 5, 100]))]
        with open(os.path.join(directory, f"j{i}.jsonl"), "wb") as file:
            file.write(b"".join(files[f"j{i}"]))
    job, options, before = rng.choice([None, "j0"]), make_options(), read_all(directory)
    pruned = [lines for name, lines in files.items() if job in (None, name)]
    others = [lines for name, lines in files.items() if job not in (None, name)]
    expected = expected_refusal(options, pruned, others)
    words = Lost(pruned, options).words()
    dry, answer = call(db, directory, job, {**options, "dry_run": 1}), call(db, directory, job, options)
    forced = call(db, directory, job, {**options, "force": 1})
    told = {report.get("refused", "") for report in dry} if isinstance(dry, list) else {dry}
    if expected is None:
        right = isinstance(answer, list) and told == {""}
    else:
        right = isinstance(answer, str) and f"refused: {expected}" in answer and f"{words}; nothing was changed" in answer
        right = right and len(told) == 1 and expected in (text := told.pop()) and text.endswith(words)
    if not right or not isinstance(forced, list) or any(report["result"] not in ("pruned", "unchanged") for report in forced):
        sys.exit(f"{options} of {job or 'all'}: expected {expected}, {words}\nanswer {answer}\ndry {dry}\nforced {forced}\n{before}")
    for name in files:
        os.remove(os.path.join(directory, f"{name}.jsonl"))
    return expected


def main():
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        refusals = [try_one(db, directory) for _ in range(int(sys.argv[2]))]
    print(sum(map(bool, refusals)), "of", len(refusals), "refused")


main()
