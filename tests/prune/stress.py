#!/usr/bin/env python3
"""stress.py - a job's file is pruned over and over while writers that take no lock append numbered records to it at
full speed; every record has to be seen, whole and once, in some check of the file between two prunes.

A writer is the scheduler's: open(path, "a"), one write, close, for each record. It waits only so that it is never more
records ahead of the last check than the prune keeps: otherwise one dropped in good order could not be told from a lost
one.

options (all of the form name=value):
  dir=PATH       where (default: a temporary directory)        records=N    in all, shared by the writers (20000)
  writers=N      processes (1)                                 sizes=A-B    bytes of a record, evenly on a log scale
  keep=N         records kept by a prune (2000)                             (300-300)
  kills=N        SIGKILL the pruner (and, as it comes, the recovery) at random instants until it has died N times;
                 then records= is ignored
  hold_ms=N      the writer (one: two would glue their halves themselves) holds the file open for N ms between the two
                 halves of each record
  readers=N      processes that scan task_results meanwhile (0)
  archive=1      the prune archives. Then all records have to be in the archive and the file in the end, each once, in
                 order; and the readers look at task_history, too, which has each at every moment
  recipe=NAME    ours, tail (`tail -n KEEP f > tmp && mv tmp f`) or copytruncate (logrotate's: copy, then cut)
  rate=N         records a second and writer, instead of full speed
  seed=N

Prints one line of figures as JSON; exits 1 if `ours` lost, repeated or damaged a record.
"""
import itertools
import json
import math
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

import common

JOB = "stress"


class Shared:
    """Counters that the processes share: eight bytes each."""

    def __init__(self, count):
        self.map = mmap.mmap(-1, count * 8)

    def __getitem__(self, i):
        return struct.unpack_from("q", self.map, i * 8)[0]

    def __setitem__(self, i, value):
        struct.pack_into("q", self.map, i * 8, value)


class Options:
    def __init__(self, arguments):
        given = dict(argument.split("=", 1) for argument in arguments)
        self.dir = given.pop("dir", None) or tempfile.gettempdir()
        self.records = int(given.pop("records", 20000))
        self.writers = int(given.pop("writers", 1))
        self.sizes = [int(size) for size in given.pop("sizes", "300-300").split("-")]
        self.keep = int(given.pop("keep", 2000))
        self.kills = int(given.pop("kills", 0))
        self.hold_ms = int(given.pop("hold_ms", 0))
        self.readers = int(given.pop("readers", 0))
        self.archive = given.pop("archive", "0") == "1"
        self.recipe = given.pop("recipe", "ours")
        self.rate = float(given.pop("rate", 0))
        self.seed = int(given.pop("seed", 1))
        if given:
            sys.exit(f"stress.py: unknown option {', '.join(given)}")


class Stress:
    def __init__(self, options):
        self.options = options
        self.directory = tempfile.mkdtemp(prefix="taskresults-stress-", dir=options.dir)
        self.path = os.path.join(self.directory, JOB + ".jsonl")
        self.archive = os.path.join(self.directory, ".taskresults/archive", JOB + ".jsonl")
        self.written = Shared(options.writers)
        self.checked = Shared(options.writers)
        self.stop = Shared(1)
        self.scans = Shared(max(options.readers, 1))
        self.window = max(options.keep // (2 * options.writers), 1)
        self.seen = [set() for _ in range(options.writers)]
        self.figures = {"prunes": 0, "busy": 0, "kills": 0, "repeated": 0, "damaged": 0}
        self.random = random.Random(options.seed)
        open(self.path, "w").close()

    # --- the other processes

    def fork(self, function, *arguments):
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            function(*arguments)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)

    def line(self, writer, i, rng):
        low, high = self.options.sizes
        size = int(math.exp(rng.uniform(math.log(low), math.log(high))))
        text = {"timestamp": "2026-06-01T00:00:00Z", "job_id": JOB, "job_name": f"{writer}-{i}", "success": True,
                "output": "", "error": ""}
        text["output"] = "x" * max(size - len(json.dumps(text)) - 1, 0)
        return json.dumps(text) + "\n"

    def write(self, writer):
        rng = random.Random(self.options.seed * 100 + writer)
        count = self.options.records // self.options.writers if not self.options.kills else sys.maxsize
        started = time.monotonic()
        for i in range(count):
            line = self.line(writer, i, rng)
            while i - self.checked[writer] >= self.window and not self.stop[0]:
                time.sleep(0.0002)
            if self.stop[0]:
                return
            if self.options.rate:
                time.sleep(max(0, started + i / self.options.rate - time.monotonic()))
            with open(self.path, "a") as file:
                if self.options.hold_ms:
                    file.write(line[:len(line) // 2])
                    file.flush()
                    time.sleep(self.options.hold_ms / 1000)
                    line = line[len(line) // 2:]
                file.write(line)
            self.written[writer] = i + 1

    def read(self, reader):
        """Scans the table; what a writer had written before the scan, and is kept, is in it once, without gaps. The
        history has everything from the first one on; of what was written since a prune was killed, some may be missing."""
        for scan in itertools.count():
            if self.stop[0]:
                return
            has_all = self.options.archive and scan % 2
            before = [self.written[w] for w in range(self.options.writers)]
            checked = [self.checked[w] for w in range(self.options.writers)]
            process = common.sqlite(f"SELECT job_name FROM {'task_history' if has_all else 'task_results'}('{JOB}')",
                                    self.directory)
            out, err = process.communicate()
            if process.returncode:
                sys.exit(f"reader: {err}")
            numbers = [[] for _ in before]
            for name in out.split():
                writer, number = name.split("-")
                numbers[int(writer)].append(int(number))
            for writer, found in enumerate(numbers):
                if len(set(found)) < len(found):
                    sys.exit(f"reader: a scan saw a record of writer {writer} twice")
                if has_all and not set(range(checked[writer])) <= set(found):
                    sys.exit(f"reader: the history lacks records of writer {writer}")
                if self.options.kills or not found:
                    continue
                if has_all and found[0] != 0:
                    sys.exit(f"reader: the history lacks the first records of writer {writer}")
                if found != list(range(found[0], found[-1] + 1)) or found[-1] < before[writer] - 1:
                    sys.exit(f"reader: a scan missed records of writer {writer}")
            self.scans[reader] += 1

    # --- prunes and checks

    def run_recipe(self):
        script = {"tail": 'tail -n "$1" "$2" >"$2.tmp" && mv "$2.tmp" "$2"',
                  "copytruncate": 'cp "$2" "$2.1" && truncate -s 0 "$2"'}[self.options.recipe]
        subprocess.run(["sh", "-c", script, "sh", str(self.options.keep), self.path], check=True)
        return True

    def run_ours(self, may_kill):
        """True if the prune came to its end."""
        options = f"'keep', {self.options.keep}" + (", 'archive', 1" if self.options.archive else "")
        process = common.sqlite(f"SELECT taskresults_prune('{JOB}', {options})", self.directory)
        if may_kill:
            try:
                process.wait(self.random.uniform(0.002, 0.040))
            except subprocess.TimeoutExpired:
                process.kill()
        out, err = process.communicate()
        if process.returncode == -signal.SIGKILL:
            self.figures["kills"] += 1
            return False
        if process.returncode:
            sys.exit(f"prune: {err}")
        result = json.loads(out)["result"]
        self.figures["busy"] += result == "busy"
        return result != "busy"

    def see(self, path):
        here = set()
        with open(path, "rb") as file:
            data = file.read()
        for line in data[:data.rfind(b"\n") + 1].splitlines():
            try:
                name = json.loads(line)["job_name"]
            except (ValueError, TypeError, KeyError):
                self.figures["damaged"] += 1
                continue
            self.figures["repeated"] += name in here
            here.add(name)
        for name in here:
            writer, number = name.split("-")
            self.seen[int(writer)].add(int(number))

    def check(self):
        ahead = [self.written[w] for w in range(self.options.writers)]
        # A copy is looked at before the file it was made of: what was written in between is in either.
        if self.options.recipe == "copytruncate" and os.path.exists(self.path + ".1"):
            self.see(self.path + ".1")
        self.see(self.path)
        for writer, seen in enumerate(self.seen):
            # A record that a prune recipe lost is never seen: its writers must not wait for it.
            self.checked[writer] = max(seen, default=-1) + 1 if self.options.recipe == "ours" else ahead[writer]

    def is_over(self, running):
        if self.options.kills:
            has_archived = not self.options.archive or os.path.isdir(self.archive)
            return self.figures["kills"] >= self.options.kills and has_archived
        return not running

    def run(self):
        writers = [self.fork(self.write, w) for w in range(self.options.writers)]
        readers = [self.fork(self.read, r) for r in range(self.options.readers)]
        running, started = set(writers), time.monotonic()
        while not self.is_over(running):
            may_kill = self.options.kills and self.random.random() < 0.8
            done = self.run_ours(may_kill) if self.options.recipe == "ours" else self.run_recipe()
            self.figures["prunes"] += 1
            if done:
                self.check()
            running -= {pid for pid in running if os.waitpid(pid, os.WNOHANG)[0]}
        self.stop[0] = 1
        for pid in running:
            os.waitpid(pid, 0)
        bad_readers = sum(os.waitpid(pid, 0)[1] != 0 for pid in readers)
        while self.options.recipe == "ours" and not self.run_ours(False):
            pass
        self.check()
        return self.judge(bad_readers, time.monotonic() - started)

    def judge_archive(self):
        """What zstd finds in the segments, and then the file, is what was written, in the order of each writer."""
        names = sorted(os.listdir(self.archive), key=lambda name: int(name.split("-")[1].split(".")[0]))
        text = b""
        for name in names:
            text += subprocess.run(["zstd", "-dqc", os.path.join(self.archive, name)], stdout=subprocess.PIPE, check=True).stdout
        with open(self.path, "rb") as file:
            text += file.read()
        found = [[] for _ in range(self.options.writers)]
        for line in text.splitlines():
            if line.strip():
                writer, number = json.loads(line)["job_name"].split("-")
                found[int(writer)].append(int(number))
        self.figures["segments"] = len(names)
        if self.options.kills:  # what a recovery appends is behind what was written meanwhile
            found = [sorted(numbers) for numbers in found]
        wrong = [f"a pending segment is left: {name}" for name in names if not name.endswith(".zst")]
        wrong += [f"writer {w}: the archive and the file have other records than were written"
                  for w in range(self.options.writers) if found[w] != list(range(self.written[w]))]
        return wrong

    def judge(self, bad_readers, seconds):
        written = sum(self.written[w] for w in range(self.options.writers))
        lost = sum(len(set(range(self.written[w])) - seen) for w, seen in enumerate(self.seen))
        left = common.leftovers(self.directory)
        counted, wrong = common.receipts(self.directory, JOB)
        with open(self.path, "rb") as file:
            there = sum(1 for _ in file)
        if self.options.archive:
            wrong += self.judge_archive()
        uncounted = written - there - sum(receipt["records"] for receipt in counted)
        if self.options.recipe == "ours" and (wrong or uncounted):
            print(f"stress.py: {uncounted} records are neither in the file nor in a receipt; {wrong}", file=sys.stderr)
            return 1
        self.figures.update(records=written, lost=lost, seconds=round(seconds, 1), bad_readers=bad_readers,
                            scans=sum(self.scans[r] for r in range(self.options.readers)), leftovers=len(left))
        print(json.dumps({"recipe": self.options.recipe, **self.figures}))
        bad = lost or self.figures["repeated"] or self.figures["damaged"] or bad_readers or left or not written
        if self.options.recipe == "ours" and bad:
            print(f"stress.py: see {self.directory}", file=sys.stderr)
            return 1
        shutil.rmtree(self.directory)
        return 0


if __name__ == "__main__":
    sys.exit(Stress(Options(sys.argv[1:])).run())
