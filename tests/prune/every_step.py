#!/usr/bin/env python3
"""every_step.py MODE [STRIDE] - something happens at every system call of a prune, while a writer that takes no lock
appends a record between any two of them. Afterwards every record has to be there, once.

MODE kill     the prune is killed before each call, a writer goes on, and the next prune succeeds
     torn     it is killed after each call, and in the middle of each write
     recovery for each call at which it is killed, the prune that recovers is killed at each of its calls
     faults   each call fails with EIO, ENOSPC, EINTR, or does half of its work; once, or from then on for good
STRIDE       takes every STRIDE-th call only (default 1: all); for recovery, also every third of the first kills

Prints the number of prunes that were tried; exits 1 and says what is wrong at the first failure.
"""
import os
import shutil
import sys
import tempfile

import common

OPTIONS = "'since', '2026-03-01T00:00Z'"
CAN_BE_INTERRUPTED = ("openat", "flock", "pread", "pwrite", "fsync", "fdatasync", "fallocate", "renameat2", "unlinkat",
                      "nanosleep")
REJECT = b"not a record\n"


class Job:
    """A job's file with records to keep (2026-06) among records to drop (2026-01), in a directory of its own."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="taskresults-step-")
        self.path = os.path.join(self.directory, "j.jsonl")
        self.expected = set()
        self.next_number = 0
        self.append(12)
        with open(self.path, "ab") as file:
            file.write(REJECT)

    def append(self, count):
        """As the scheduler does, with something to drop before each record."""
        for _ in range(count):
            with open(self.path, "a") as file:
                file.write(common.record("old", when="2026-01-01T00:00:00Z"))
            with open(self.path, "a") as file:
                file.write(common.record(self.next_number))
            self.expected.add(str(self.next_number))
            self.next_number += 1

    def prune(self, **settings):
        self.next_number += 1000
        environment = {"LD_PRELOAD": common.SHIM, "PRUNE_APPEND": self.path, "PRUNE_NUMBER": str(self.next_number)}
        environment.update(settings)
        report, said = common.prune(self.directory, "j", OPTIONS, environment)
        self.next_number += 1000
        if os.path.exists(self.path + ".numbers"):
            with open(self.path + ".numbers") as file:
                self.expected.update(file.read().split())
        return report, said

    def check(self, what):
        names, rejects = common.names_in(self.path)
        names.pop("old", None)
        lost = self.expected - set(names)
        extra = [name for name, count in names.items() if count > 1 or name not in self.expected]
        left = common.leftovers(self.directory)
        if lost or extra or left or rejects != [REJECT]:
            sys.exit(f"{what}: lost {sorted(lost, key=int)}, repeated {extra}, rejects {rejects}, left {left}; "
                     f"see {self.directory}")

    def check_whole(self, what):
        """After an error: nothing is only half there."""
        if not common.leftovers(self.directory):
            self.check(what)

    def done(self):
        shutil.rmtree(self.directory)


def calls_of_a_prune(prepare=None):
    job = Job()
    log = os.path.join(job.directory, "calls")
    if prepare:
        prepare(job)
    job.prune(PRUNE_LOG=log)
    with open(log) as file:
        calls = file.read().splitlines()
    job.done()
    return calls


def finish(job, what):
    job.append(3)
    report, said = job.prune(PRUNE_APPEND="/dev/null")
    if report is None or report["result"] not in ("pruned", "unchanged"):
        sys.exit(f"{what}: the next prune said {report or said}; see {job.directory}")
    job.check(what)
    job.done()


def kills(fault, stride):
    tried = 0
    calls = calls_of_a_prune()
    for at in range(1, len(calls) + 1, stride):
        job = Job()
        job.prune(PRUNE_AT=str(at), PRUNE_FAULT=fault)
        finish(job, f"{fault} at call {at} ({calls[at - 1]})")
        tried += 1
    return tried


def recoveries(stride):
    """Before the exchange, what a kill leaves is much the same everywhere; behind it, every pair of calls counts."""
    tried = 0
    calls = calls_of_a_prune()
    exchange = calls.index("renameat2") + 1
    firsts = [(at, "kill") for at in range(1, exchange, 8)]
    firsts += [(at, fault) for at in range(exchange, len(calls) + 1) for fault in ("kill", "torn")]
    if stride > 1:
        firsts = firsts[stride % 3::3]
    for i, (first, fault) in enumerate(firsts):
        recovery = calls_of_a_prune(lambda job: (job.prune(PRUNE_AT=str(first), PRUNE_FAULT=fault), job.append(1)))
        recovery = recovery[:recovery.index("fstatvfs")]  # there begins a prune of its own
        seconds = [(at, again) for at in range(1, len(recovery) + 1) for again in ("kill", "torn")]
        for second, again in seconds[i % stride::stride]:
            job = Job()
            job.prune(PRUNE_AT=str(first), PRUNE_FAULT=fault)
            job.append(1)
            job.prune(PRUNE_AT=str(second), PRUNE_FAULT=again)
            finish(job, f"{fault} at call {first} ({calls[first - 1]}), its recovery: {again} at call {second} "
                        f"({recovery[second - 1]})")
            tried += 1
    return tried


def faults(stride):
    tried = 0
    calls = calls_of_a_prune()
    recovering = lambda job: (job.prune(PRUNE_AT=str(calls.index("renameat2") + 12), PRUNE_FAULT="torn"), job.append(1))
    for prepare in (None, recovering):
        calls_here = calls_of_a_prune(prepare)
        for at in range(1, len(calls_here) + 1, stride):
            for fault in ("errno 5", "errno 28", "errno 4", "short"):
                if fault == "errno 4" and calls_here[at - 1] not in CAN_BE_INTERRUPTED:
                    continue
                for sticky in "01" if fault != "errno 4" else "0":
                    job = Job()
                    if prepare:
                        prepare(job)
                    what = f"{fault} at call {at} ({calls_here[at - 1]}), sticky={sticky}, recovering={bool(prepare)}"
                    report, said = job.prune(PRUNE_AT=str(at), PRUNE_FAULT=fault, PRUNE_STICKY=sticky)
                    if fault in ("errno 4", "short") and report is None and "vanish" not in said:
                        sys.exit(f"{what}: this is no reason to fail, but: {said}; see {job.directory}")
                    job.check_whole(what)
                    finish(job, what)
                    tried += 1
    return tried


def main():
    stride = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    run = {"kill": lambda: kills("kill", stride), "torn": lambda: kills("torn", stride),
           "recovery": lambda: recoveries(stride), "faults": lambda: faults(stride)}
    print(run[sys.argv[1]](), "prunes tried")


if __name__ == "__main__":
    main()
