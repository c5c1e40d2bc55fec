#!/usr/bin/env python3
"""shipped.py MODE [COUNT] - prunes beside the marks of `taskresults ship`. The oracle knows each line by its number, and
has a shipper of its own, which follows the record of moves as ext/prune/moves.c promises.

MODE random   COUNT files are written, shipped by several sinks, pruned, and pruned again while marks are old, with kills in
              between: whatever a sink has not marked is still there, all that the rules do not keep is gone, and each
              cursor leads to the line that it stood before
     kill     a prune is killed before and after every COUNT-th system call, and its recovery finishes
     faults   every COUNT-th system call fails

Prints how many prunes were tried; exits 1 and says what is wrong at the first failure.
"""
import json
import os
import random
import shutil
import sys
import tempfile

import common
import every_step

OLD, NEW, CUT = "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "'since', '2026-03-01T00:00Z'"


def write_marks(directory, sink, marks):
    """marks: {file: (dev, inode, end)}"""
    folder = os.path.join(directory, ".taskresults/shipped")
    os.makedirs(folder, 0o700, exist_ok=True)
    with open(os.path.join(folder, "new"), "w") as file:
        file.write('{"taskresults_marks":1,"cursor":"/var/lib/x.db"}\n')
        for name, (dev, inode, end) in marks.items():
            file.write(json.dumps({"file": name, "dev": dev, "inode": inode, "end": end}) + "\n")
    os.rename(os.path.join(folder, "new"), os.path.join(folder, sink + ".jsonl"))


def read_moves(directory, name):
    moves = []
    for part in ("moves.1", "moves"):
        try:
            with open(os.path.join(directory, ".taskresults/shipped", part), "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            continue
        for line in lines:
            try:
                move = json.loads(line)
            except ValueError:
                continue  # torn by a kill, or blank
            if move["file"] == name:
                moves.append(move)
    return moves


def find_cursor(directory, name, mark):
    """Where a cursor is now that was set at the mark; None: it has no place, and the file is to be shipped anew."""
    dev, inode, end = mark
    now = os.stat(os.path.join(directory, name))
    moves, chain, at = read_moves(directory, name), [], now.st_ino
    while at != inode:
        while moves and (moves[-1]["new_inode"] != at or moves[-1]["dev"] != now.st_dev):
            moves.pop()
        if not moves:
            return None
        chain.append(moves.pop())
        at = chain[-1]["inode"]
    for move in reversed(chain):
        if end < move["end"]:
            return None
        end += move["new_end"] - move["end"]
    return end if dev == now.st_dev and end <= now.st_size else None


# --- random ---------------------------------------------------------------------------------------------------------

class File:
    def __init__(self, rng):
        self.rng = rng
        self.directory = tempfile.mkdtemp(prefix="taskresults-shipped-")
        self.name = "j.jsonl"
        self.path = os.path.join(self.directory, self.name)
        self.count = 0
        self.marks = {}  # sink -> (its mark, how many lines it has)
        self.append(rng.randint(1, 20))

    def append(self, count):
        with open(self.path, "a") as file:
            for _ in range(count):
                when = self.rng.choice([OLD, NEW])
                file.write(common.record(self.count, when, self.rng.randint(0, 50)))
                self.count += 1

    def lines(self):
        with open(self.path, "rb") as file:
            return [(int(json.loads(line)["job_name"]), json.loads(line)["timestamp"], line) for line in file]

    def ship(self, sink):
        """The sink reads further lines, up to a random one."""
        known = self.lines()
        stop = self.rng.randint(0, len(known))
        already = self.marks[sink][1] if sink in self.marks else 0
        number = max(known[stop][0] if stop < len(known) else self.count, already)
        end = sum(len(line) for n, _, line in known if n < number)
        found = os.stat(self.path)
        self.marks[sink] = ((found.st_dev, found.st_ino, end), number)
        write_marks(self.directory, sink, {"other.jsonl": (1, 2, 3), self.name: self.marks[sink][0]})

    def check(self, before, options, what):
        """What is in the file, by the promise; and where the cursors lead."""
        shipped = min((number for _, number in self.marks.values()), default=sys.maxsize)
        keep = options.get("keep", 0)
        last = {number for number, _, _ in before[-keep:]} if keep else set()
        expected = [line for line in before
                    if line[0] in last or ("since" in options and line[1] == NEW) or line[0] >= shipped]
        now = self.lines()
        if now != expected:
            sys.exit(f"{what}: {[n for n, _, _ in now]} are left, not {[n for n, _, _ in expected]}; see {self.directory}")
        for sink, (mark, number) in self.marks.items():
            place = sum(len(line) for n, _, line in now if n < number)
            cursor = find_cursor(self.directory, self.name, mark)
            if cursor != place:
                sys.exit(f"{what}: the cursor of {sink} is at {cursor}, and should be at {place}; see {self.directory}")
        return now


def rules(options):
    text = []
    if "keep" in options:
        text.append(f"'keep', {options['keep']}")
    if "since" in options:
        text.append(CUT)
    return ", ".join(text)


def run_one(rng, number):
    file, tried = File(rng), 0
    for step in range(rng.randint(2, 8)):
        for sink in ("one", "two")[:rng.randint(0, 2)]:
            file.ship(sink)
        if rng.random() < 0.3:
            file.append(rng.randint(1, 5))
        options = rng.choice([{"keep": rng.randint(0, 5)}, {"since": True}, {"since": True, "keep": 2}])
        if rng.random() < 0.4:
            at = str(rng.choice(["renameat2", "fdatasync", rng.randint(1, 90)]))
            common.prune(file.directory, "j", rules(options) + ", 'force', 1",
                         {"LD_PRELOAD": common.SHIM, "PRUNE_AT": at, "PRUNE_FAULT": "kill"})
        before = file.lines()
        report, said = common.prune(file.directory, "j", rules(options) + ", 'force', 1")
        what = f"file {number}, step {step}, {options}"
        if report is None or report["result"] not in ("pruned", "unchanged"):
            sys.exit(f"{what}: {report or said}; see {file.directory}")
        now = file.check(before, options, what)
        if report["kept"] != len(now):
            sys.exit(f"{what}: kept {report['kept']}, not {len(now)}; see {file.directory}")
        tried += 1
    shutil.rmtree(file.directory)
    return tried


# --- at every call --------------------------------------------------------------------------------------------------

class ShippedJob(every_step.Job):
    """Half of what is there at first is shipped; the rest must stay, and be found."""

    def __init__(self):
        super().__init__()
        with open(self.path, "rb") as file:
            lines = file.readlines()
        end = sum(map(len, lines[:len(lines) // 2 - 1]))
        self.unshipped = b"".join(lines[len(lines) // 2 - 1:])
        found = os.stat(self.path)
        self.mark = (found.st_dev, found.st_ino, end)
        write_marks(self.directory, "one", {"j.jsonl": self.mark})

    def check_cursor(self, what):
        cursor = find_cursor(self.directory, "j.jsonl", self.mark)
        with open(self.path, "rb") as file:
            content = file.read()
        if cursor is None or not content[cursor:].startswith(self.unshipped):
            sys.exit(f"{what}: the cursor {cursor} does not lead to what is not shipped; see {self.directory}")
        return content[:cursor]

    def check(self, what):
        super().check(what)
        if b'"old"' in self.check_cursor(what):
            sys.exit(f"{what}: what is shipped and old has stayed; see {self.directory}")

    def check_whole(self, what):
        """After an error, the file may still be the old one."""
        self.check_cursor(what)
        if not common.leftovers(self.directory):
            super().check(what)


def main():
    mode, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    if mode == "random":
        rng = random.Random(11)
        print(sum(run_one(rng, number) for number in range(count)), "prunes tried")
        return
    every_step.Job = ShippedJob
    run = {"kill": lambda: every_step.kills("kill", count) + every_step.kills("torn", count),
           "faults": lambda: every_step.fail_everywhere(count)}
    print(run[mode](), "prunes tried")


if __name__ == "__main__":
    main()
