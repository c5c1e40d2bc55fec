#!/usr/bin/env python3
"""every_step.py WHAT MODE [STRIDE] - something happens at every system call of a seal, or of a prune of a sealed file, while
a writer appends a record between any two of them. At once afterwards, and after the next seal, a verification must say that
all is fine, and so must the oracle (tests/oracles/seals.py).

WHAT seal, prune, archive (a prune that archives)
MODE kill     it is killed before each call
     torn     it is killed after each call, and in the middle of each write
     faults   each call fails with EIO, ENOSPC, EINTR, or does half of its work
STRIDE        takes every STRIDE-th call only (default 1: all)

Prints the number of calls that were tried; exits 1 and says what is wrong at the first failure.
"""
import json
import os
import shutil
import sys
import tempfile

ROOT = os.environ.get("TASKRESULTS_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/oracles"), os.path.join(ROOT, "tests/prune")]
import common  # noqa: E402
import seals  # noqa: E402

SEAL = "taskresults_seal('j')"
PRUNE = "taskresults_prune('j', 'since', '2026-03-01T00:00Z')"
ARCHIVE = "taskresults_prune('j', 'keep', 4, 'archive', 1)"
CAN_BE_INTERRUPTED = ("fallocate", "renameat2", "unlinkat", "nanosleep", "openat", "flock", "pread", "pwrite", "fsync", "fdatasync", "ftruncate")


class Job:
    """A job's file with sealed lines, and others behind them."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="taskresults-step-")
        self.path = os.path.join(self.directory, "j.jsonl")
        self.number = 0
        self.append(6)

    def append(self, count):
        with open(self.path, "a") as file:
            for _ in range(count):
                file.write(common.record("old", when="2026-01-01T00:00:00Z") + common.record(self.number))
                self.number += 1

    def ask(self, statement, **settings):
        """The answer, or None and what was said."""
        self.number += 1000
        environment = {"LD_PRELOAD": common.SHIM, "PRUNE_APPEND": self.path, "PRUNE_NUMBER": str(self.number)}
        process = common.sqlite(f"SELECT {statement}", self.directory, {**environment, **settings} if settings else None)
        out, err = process.communicate()
        return (json.loads(out), "") if process.returncode == 0 else (None, err)

    def check(self, what):
        answer, said = self.ask("taskresults_verify('j')")
        if answer is None or answer["result"] not in ("fine", "unsealed"):
            sys.exit(f"{what}: {answer or said}; see {self.directory}")
        # The oracle knows nothing of prunes that have not ended.
        if answer["result"] == "fine" and not common.leftovers(self.directory):
            stretch, wrong, lines, size, head = seals.judge(self.directory, "j")
            if stretch or wrong or (answer["lines"], answer["bytes"], answer["head"]) != (lines, size, head):
                sys.exit(f"{what}: {answer}, but {stretch} {wrong} {lines} {size} {head}; see {self.directory}")

    def finish(self, what):
        self.check(what)
        self.append(2)
        answer, said = self.ask(SEAL)
        if answer and answer["result"] == "busy":  # a writer is in the way of the prune that is finished first
            answer, said = self.ask(SEAL)
        if answer is None or answer["result"] != "sealed":
            sys.exit(f"{what}: the next seal said {answer or said}; see {self.directory}")
        self.check(what + ", and after the next seal")
        with open(self.path, "rb") as file:
            if seals.judge(self.directory, "j")[2] != file.read().count(b"\n"):
                sys.exit(f"{what}: not all is sealed; see {self.directory}")
        shutil.rmtree(self.directory)


def begin(sealed):
    job = Job()
    if sealed:
        job.ask(SEAL)
        job.append(3)
    return job


def calls_of(sealed, statement):
    job = begin(sealed)
    log = os.path.join(job.directory, "calls")
    job.ask(statement, PRUNE_LOG=log)
    with open(log) as file:
        calls = file.read().splitlines()
    shutil.rmtree(job.directory)
    return calls


def everywhere(statement, faults, stride):
    tried = 0
    for sealed in (False, True) if statement == SEAL else (True,):
        calls = calls_of(sealed, statement)
        for at in range(1 + (stride > 1 and sealed), len(calls) + 1, stride):
            for fault in faults:
                if fault == "errno 4" and calls[at - 1] not in CAN_BE_INTERRUPTED:
                    continue
                job = begin(sealed)
                what = f"{statement}: {fault} at call {at} ({calls[at - 1]}), sealed={sealed}"
                answer, said = job.ask(statement, PRUNE_AT=str(at), PRUNE_FAULT=fault)
                if fault in ("errno 4", "short") and answer is None:
                    sys.exit(f"{what}: this is no reason to fail, but: {said}; see {job.directory}")
                job.finish(what)
                tried += 1
    return tried


def main():
    statement = {"seal": SEAL, "prune": PRUNE, "archive": ARCHIVE}[sys.argv[1]]
    faults = {"kill": ("kill",), "torn": ("torn",), "faults": ("errno 5", "errno 28", "errno 4", "short")}[sys.argv[2]]
    print(everywhere(statement, faults, int(sys.argv[3]) if len(sys.argv) > 3 else 1), "calls tried")


if __name__ == "__main__":
    main()
