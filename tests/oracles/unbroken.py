#!/usr/bin/env python3
"""unbroken.py SEEDS DIR - after prunes that remove runs from the middle of a job's file, the figures of runs in a row start
behind the last place where some are missing; all others are those of all records that are there.

Each record bears the number of its run. So those that are there tell where runs are missing: where two numbers do not follow
each other, and at the end, if the last run of the file is not there. For each seed, a job's file is written, pruned by
rules of every kind, rotated, truncated, and copied, in any order; after each step task_stats has to show what Python counts,
and task_results and task_runs have to say which records have all later ones behind them.

Prints how many steps were compared, and in how many runs were missing; exits 1 at the first disagreement. Needs tests/lib
on the path.
"""
import json
import os
import random
import shutil
import sys

import stats
from host import connect

IN_A_ROW = "streak longest_failure_streak mtbf_s mttr_s".split()
OTHERS = [column for column in stats.COLUMNS if column not in IN_A_ROW]


class Job:
    def __init__(self, directory, seed):
        self.rng = random.Random(seed)
        self.directory = directory
        self.path = os.path.join(directory, "j.jsonl")
        self.runs = 0  # written to this file
        self.number = 0  # written at all
        self.db = connect()

    def write(self):
        fails, lines = self.rng.random(), []
        for _ in range(self.rng.randrange(1, 24)):
            if self.rng.random() < 0.15:
                lines.append(self.rng.choice(["garbage", "", '{"torn": ']))
                continue
            self.number += 1
            self.runs += 1
            stamp = "2026-02-%02dT%02d:%02d:00Z" % (1 + self.number // 1440 % 28, self.number // 60 % 24, self.number % 60)
            lines.append(json.dumps({
                "timestamp": "soon" if self.rng.random() < 0.1 else stamp, "success": self.rng.random() > fails,
                "job_name": str(self.number), "output": "x" * self.rng.randrange(40), "error": "e%d" % self.number}))
        with open(self.path, "a") as file:
            file.write("".join(line + "\n" for line in lines))

    def prune(self):
        rules = self.rng.choice([
            ["keep", self.rng.randrange(8)], ["keep", self.rng.randrange(30)], ["since", "2026-02-01T%02d:%02d:00Z" % divmod(self.number * 2 // 3, 60)],
            ["max_bytes", self.rng.randrange(200, 2000)]])
        if rules[0] != "max_bytes" and self.rng.random() < 0.8:
            rules += ["keep_failures", self.rng.randrange(1, 9)]
        elif self.rng.random() < 0.3:
            rules += ["archive", 1]
        if "archive" not in rules and self.rng.random() < 0.3:
            rules += ["drop_rejects", 1]
        marks = ", ".join("?" * (len(rules) + 3))
        self.db.execute("SELECT taskresults_prune(%s)" % marks, ["j", *rules, "force", 1]).fetchall()

    def rotate(self):  # as logrotate's create does
        os.rename(self.path, self.path + ".1")
        open(self.path, "w").close()
        self.runs = 0

    def truncate(self):  # as its copytruncate does
        os.truncate(self.path, 0)
        self.runs = 0

    def copy(self):  # a backup, put back
        shutil.copyfile(self.path, self.path + ".new")
        os.rename(self.path + ".new", self.path)

    def step(self):
        self.rng.choice([self.write] * 8 + [self.prune] * 6 + [self.rotate, self.truncate, self.copy])()

    def unbroken(self, records):
        """Those that have all later ones behind them."""
        with open(self.path) as file:
            numbers = [int(text[1].split('"')[0]) for text in (line.split('"job_name": "') for line in file) if text[1:]]
        assert len(numbers) == len(records)
        next_number, count = self.number + 1, 0
        if self.runs:
            for number in reversed(numbers):
                if number != next_number - 1:
                    break
                next_number, count = number, count + 1
        return records[len(records) - count:], numbers[len(records) - count:]

    def check(self):
        records, rejects = stats.history(self.path)
        unbroken, numbers = self.unbroken(records)
        wanted, in_a_row = stats.figures(records, rejects, None, None), stats.figures(unbroken, 0, None, None)
        wanted.update((column, in_a_row[column]) for column in IN_A_ROW)
        for condition in "", " WHERE job_id = 'j'":
            row = self.db.execute("SELECT %s FROM task_stats%s" % (", ".join(stats.COLUMNS), condition)).fetchone()
            for column, got in zip(stats.COLUMNS, row):
                assert stats.same(got, wanted[column]), (column, got, wanted[column])
        for table, number in ("task_results", "job_name"), ("task_runs", "substr(error, 2)"):
            query = "SELECT CAST(%s AS INTEGER) FROM %s WHERE unbroken ORDER BY rowid DESC" % (number, table)
            got = [row[0] for row in self.db.execute(query)]
            assert got == numbers[::-1], (table, got, numbers)
        return len(unbroken) < len(records)


def main(seeds, directory):
    compared = broken = 0
    for seed in range(int(seeds)):
        os.mkdir(os.path.join(directory, str(seed)))
        os.environ["SCHEDULER_RESULTS_DIR"] = os.path.join(directory, str(seed))
        job = Job(os.environ["SCHEDULER_RESULTS_DIR"], seed)
        job.write()
        for number in range(25):
            job.step()
            try:
                broken += job.check()
            except AssertionError as error:
                sys.exit("seed %d, step %d: %s" % (seed, number, error))
            compared += 1
    print(compared, broken)


main(*sys.argv[1:])
