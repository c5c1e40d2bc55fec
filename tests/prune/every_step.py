#!/usr/bin/env python3
"""every_step.py MODE [STRIDE] - something happens at every system call of a prune, while a writer that takes no lock
appends a record between any two of them. Afterwards every record has to be there, once; and the receipts count exactly
what is gone: one for each prune that came to its end, and none for another.

MODE kill     the prune is killed before each call, a writer goes on, and the next prune succeeds
     torn     it is killed after each call, and in the middle of each write
     recovery for each call at which it is killed, the prune that recovers is killed at each of its calls
     faults   each call fails with EIO, ENOSPC, EINTR, or does half of its work; once, or from then on for good; and what
              the error says of what was changed is true
     offline  the same where nothing can be leased, and no writer is running
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
OLD = common.record("old", when="2026-01-01T00:00:00Z")


class Job:
    """A job's file with records to keep (2026-06) among records to drop (2026-01), in a directory of its own."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="taskresults-step-")
        self.path = os.path.join(self.directory, "j.jsonl")
        self.expected = set()
        self.next_number = self.old_lines = 0
        self.has_odd_lines = False  # of those that go: then the receipts are not looked at
        self.append(12)
        with open(self.path, "ab") as file:
            file.write(REJECT)
        try:
            os.setxattr(self.path, "user.note", b"mine")
        except OSError:
            pass  # the file system has no attributes

    def append(self, count):
        """As the scheduler does, with something to drop before each record."""
        for _ in range(count):
            with open(self.path, "a") as file:
                file.write(OLD)
            self.old_lines += 1
            with open(self.path, "a") as file:
                file.write(common.record(self.next_number))
            self.expected.add(str(self.next_number))
            self.next_number += 1

    def prune(self, options=OPTIONS, **settings):
        self.next_number += 100000
        environment = {"LD_PRELOAD": common.SHIM, "PRUNE_APPEND": self.path, "PRUNE_NUMBER": str(self.next_number)}
        environment.update(settings)
        report, said = common.prune(self.directory, "j", options, environment)
        self.next_number += 100000
        if os.path.exists(self.path + ".numbers"):
            with open(self.path + ".numbers") as file:
                self.expected.update(file.read().split())
        return report, said

    def check(self, what):
        names, rejects = common.names_in(self.path)
        wrong = common.judge_receipts(self.directory, OLD, self.old_lines - names.pop("old", 0))
        if wrong and not self.has_odd_lines:
            sys.exit(f"{what}: {wrong}; see {self.directory}")
        lost = self.expected - set(names)
        extra = [name for name, count in names.items() if count > 1 or name not in self.expected]
        left = common.leftovers(self.directory)
        if lost or extra or left or rejects != [REJECT]:
            sys.exit(f"{what}: lost {sorted(lost, key=int)}, repeated {extra}, rejects {rejects}, left {left}; "
                     f"see {self.directory}")

    def check_whole(self, what):
        """After an error: no file is incomplete."""
        if not common.leftovers(self.directory):
            self.check(what)

    def look(self):
        """The job's file, what it holds, and what is left over beside it."""
        with open(self.path, "rb") as file:
            return os.fstat(file.fileno()).st_ino, file.read(), common.leftovers(self.directory)

    def check_claim(self, what, before, said):
        """The error says exactly one thing about what it changed, and that is true."""
        inode, content, left = before
        now_inode, now_content, now_left = self.look()
        has_copy = "a copy left beside it goes with the next prune" in said
        same = now_inode == inode and now_content.startswith(content)
        truth = {"(nothing was changed)": same and (now_left == left or has_copy),
                 "(an interrupted prune was finished; nothing else was changed)": left and (not now_left or has_copy),
                 "(the next prune of the job goes on from here)": now_left,
                 "(it was pruned, which a power failure could undo": now_inode != inode and not now_left}
        claims = [claim for claim in truth if claim in said]
        if len(claims) != 1 or not truth[claims[0]]:
            sys.exit(f"{what}: not true, or not said what was changed: {said}; before {left}, now {now_left}; "
                     f"see {self.directory}")

    def done(self):
        shutil.rmtree(self.directory)


def calls_of_a_prune(prepare=None, **settings):
    job = Job()
    log = os.path.join(job.directory, "calls")
    if prepare:
        prepare(job)
    job.prune(PRUNE_LOG=log, **settings)
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
    # One that was appended or is not needed goes with the next prune that drops something.
    if report["result"] == "pruned" and common.pending(job.directory):
        sys.exit(f"{what}: a pending receipt is left; see {job.directory}")
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


def fail(job, what, settings):
    """One prune in which a call fails, and the one after it."""
    before = job.look()
    report, said = job.prune(**settings)
    if settings["PRUNE_FAULT"] in ("errno 4", "short") and report is None and "vanish" not in said:
        sys.exit(f"{what}: this is no reason to fail, but: {said}; see {job.directory}")
    if report is None or report["result"] == "busy":
        job.check_claim(what, before, said or report["reason"])
    job.check_whole(what)
    finish(job, what)


def fail_everywhere(stride, prepare=None, **settings):
    tried = 0
    calls = calls_of_a_prune(prepare, **settings)
    for at in range(1, len(calls) + 1, stride):
        for fault in ("errno 5", "errno 28", "errno 4", "short"):
            if fault == "errno 4" and calls[at - 1] not in CAN_BE_INTERRUPTED:
                continue
            for sticky in "01" if fault != "errno 4" else "0":
                job = Job()
                if prepare:
                    prepare(job)
                what = f"{fault} at call {at} ({calls[at - 1]}), sticky={sticky}, recovering={bool(prepare)}, {settings}"
                fail(job, what, {**settings, "PRUNE_AT": str(at), "PRUNE_FAULT": fault, "PRUNE_STICKY": sticky})
                tried += 1
    return tried


def faults(stride):
    calls = calls_of_a_prune()
    exchange = calls.index("renameat2")
    recovering = lambda job: (job.prune(PRUNE_AT=str(exchange + 12), PRUNE_FAULT="torn"), job.append(1))
    discarding = lambda job: job.prune(PRUNE_AT=str(exchange), PRUNE_FAULT="torn")
    return sum(fail_everywhere(stride, prepare) for prepare in (None, recovering, discarding))


def offline(stride):
    return fail_everywhere(stride, options=OPTIONS + ", 'offline', 1", PRUNE_NO_LEASES="1", PRUNE_APPEND="/dev/null")


def main():
    stride = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    run = {"kill": lambda: kills("kill", stride), "torn": lambda: kills("torn", stride),
           "recovery": lambda: recoveries(stride), "faults": lambda: faults(stride), "offline": lambda: offline(stride)}
    print(run[sys.argv[1]](), "prunes tried")


if __name__ == "__main__":
    main()
