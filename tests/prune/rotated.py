#!/usr/bin/env python3
"""rotated.py MODE [STRIDE] - a rotation of the job's file beside a prune that is killed, at every system call from the
exchange on, while a writer that takes no lock appends a record between any two of them. Then the next prune finishes it.
Afterwards every record is in one of the job's files, once: the archive, what was rotated, plain or compressed, and the
live file; and task_history has the same. The receipts count exactly what is gone, or archived. Each with and without an
archive.

MODE between   the file is rotated between the kill and the next prune: renamed, with or without a new file in its place,
               renamed and compressed, copied and cut, and both
     instant   it is renamed in the last instant before the exchange; and, every other time, once more before the next prune
     recovery  as both, and the next prune is killed at each of its calls, too
     faults    as both, and each call of the next prune fails, once or for good; what its error says of what it changed is true
     busy      a program has the rotated file open, so that the next prune is busy: it changes nothing
STRIDE         takes every STRIDE-th call only (default 1: all)

Prints the number of prunes that were tried; exits 1 and says what is wrong at the first failure.
"""
import collections
import gzip
import json
import os
import shutil
import sys

import archived
import common
import every_step


KEEP_ALL = "'keep', 100000"  # it recovers, and prunes nothing itself


class RotatedJob(archived.ArchivedJob):
    """A job that may have rotated files."""
    archives = True
    has_segment = False

    def prune(self, options=None, **settings):
        return super().prune(options or (archived.OPTIONS if self.archives else every_step.OPTIONS), **settings)

    def rotated(self):
        """The lines of all rotated files. What was half a line when it was compressed is a line with NULs, and counts for
        nothing."""
        lines = []
        for name in os.listdir(self.directory):
            if name.startswith("j.jsonl.") and not name.endswith(".numbers"):
                with (gzip.open if name.endswith(".gz") else open)(os.path.join(self.directory, name), "rb") as file:
                    lines += [line for line in file.read().splitlines(keepends=True) if b"\0" not in line]
        return lines

    def check(self, what):
        segments, pending, archive, live = self.lines()
        lines = archive + self.rotated() + live
        names = collections.Counter(json.loads(line)["job_name"] for line in lines if line.startswith(b"{"))
        olds = names.pop("old", 0)
        if self.archives:
            wrong = archived.judge_digests(self.directory, segments, archive)
            wrong += [] if olds == self.old_lines else [f"{olds} of {self.old_lines} old lines"]
        else:
            wrong = common.judge_receipts(self.directory, every_step.OLD, self.old_lines - olds)
        wrong += [f"{name} is lost" for name in sorted(self.expected - set(names), key=int)]
        wrong += [f"{name} is there {count} times" for name, count in names.items()
                  if count > 1 or name not in self.expected]
        left = common.leftovers(self.directory) + pending
        rejects = [line for line in lines if not line.startswith(b"{") and line.strip()]
        if wrong or left or rejects != [every_step.REJECT]:
            sys.exit(f"{what}: {wrong}; rejects {rejects}, left {left}; see {self.directory}")
        self.ask(what, lines)

    def nothing_is_double(self, what):
        """After a kill, for task_history."""
        extra = [name for name, count in collections.Counter(self.history()).items() if count > 1 and name != "old"]
        if extra:
            sys.exit(f"{what}: task_history has {extra} more than once; see {self.directory}")


def number_up(path):
    """.1 becomes .2, as logrotate does it."""
    for number in (2, 1):
        for end in ("", ".gz"):
            if os.path.exists(f"{path}.{number}{end}"):
                os.rename(f"{path}.{number}{end}", f"{path}.{number + 1}{end}")


def renamed(job):
    number_up(job.path)
    os.rename(job.path, job.path + ".1")
    job.append(1)


def renamed_alone(job):
    number_up(job.path)
    os.rename(job.path, job.path + ".1")


def compressed(job):
    with open(job.path + ".1", "rb") as plain, gzip.open(job.path + ".1.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    os.remove(job.path + ".1")


def renamed_and_compressed(job):
    renamed(job)
    compressed(job)


def copied(job):
    number_up(job.path)
    shutil.copy2(job.path, job.path + ".1")
    os.truncate(job.path, 0)
    job.append(1)


def copied_and_compressed(job):
    copied(job)
    compressed(job)


ROTATIONS = (renamed, renamed_alone, renamed_and_compressed, copied, copied_and_compressed)


def finish(job, what):
    report, said = job.prune(PRUNE_APPEND="/dev/null")
    if report is None and not os.path.exists(job.path) and not common.leftovers(job.directory):
        job.append(1)  # there was nothing to bring back, and so no file to prune
        report, said = job.prune(PRUNE_APPEND="/dev/null")
    if report is None or report["result"] not in ("pruned", "unchanged"):
        sys.exit(f"{what}: the next prune said {report or said}; see {job.directory}")
    job.check(what)
    job.append(2)
    every_step.finish(job, what)


def calls_from_exchange(prepare=None, **settings):
    calls = every_step.calls_of_a_prune(prepare, **settings)
    return calls, calls.index("renameat2") + 1


def rotate_at_exchange(job, **settings):
    """The prune that meets it says so; or it was killed."""
    if not os.path.exists(job.path + ".1"):
        settings["PRUNE_ROTATE"] = job.path
    return job.prune(**settings)


def kills_between(stride):
    calls, exchange = calls_from_exchange()
    cases = [(at, fault, rotation) for at in range(exchange, len(calls) + 1) for fault in ("kill", "torn")
             for rotation in ROTATIONS]
    for at, fault, rotation in cases[::stride]:
        job = every_step.Job()
        job.prune(PRUNE_AT=str(at), PRUNE_FAULT=fault)
        rotation(job)
        what = f"{fault} at call {at} ({calls[at - 1]}), then {rotation.__name__}, archives={job.archives}"
        job.nothing_is_double(what)
        finish(job, what)
    return len(cases[::stride])


def calls_of_the_instant():
    job = every_step.Job()
    log = os.path.join(job.directory, "calls")
    report, said = rotate_at_exchange(job, PRUNE_LOG=log)
    if report is not None or "was replaced while it was being pruned" not in said or "(nothing was changed)" not in said:
        sys.exit(f"rotated in the last instant: {report or said}; see {job.directory}")
    job.check("rotated in the last instant")
    with open(log) as file:
        calls = file.read().splitlines()
    finish(job, "rotated in the last instant")
    return calls, calls.index("renameat2") + 1


def kills_in_the_instant(stride):
    calls, exchange = calls_of_the_instant()
    cases = [(at, fault, again) for at in range(exchange, len(calls) + 1) for fault in ("kill", "torn")
             for again in (None, renamed, renamed_alone)]
    for at, fault, again in cases[::stride]:
        job = every_step.Job()
        rotate_at_exchange(job, PRUNE_AT=str(at), PRUNE_FAULT=fault)
        if again:
            again(job)
        finish(job, f"rotated in the last instant, {fault} at call {at} ({calls[at - 1]}), again {again}, "
                    f"archives={job.archives}")
    return len(cases[::stride])


def recoveries(stride):
    """Kill, rotation, the next prune killed, and perhaps rotated again."""
    _, exchange = calls_from_exchange()
    calls, instant = calls_of_the_instant()
    region = every_step.calls_of_a_prune().index("fallocate", exchange) + 1
    firsts = [(every_step.Job.prune, region + by, rotation) for by in (1, 3, 5, 7) for rotation in ROTATIONS]
    firsts += [(rotate_at_exchange, at, renamed) for at in range(instant, len(calls) + 1, 5)]
    cases = []
    for first in firsts:
        def begin(job, first=first):
            prune, at, rotation = first
            prune(job, PRUNE_AT=str(at), PRUNE_FAULT="torn")
            rotation(job)
        recovery = every_step.calls_of_a_prune(begin, options=KEEP_ALL)
        cases += [(begin, first, at, fault, recovery[at - 1], again) for at in range(1, len(recovery) + 1)
                  for fault, again in (("kill", None), ("torn", renamed))]
    for begin, first, at, fault, call, again in cases[::stride]:
        job = every_step.Job()
        begin(job)
        job.append(1)
        job.prune(KEEP_ALL, PRUNE_AT=str(at), PRUNE_FAULT=fault)
        if again and os.path.exists(job.path):
            again(job)
        finish(job, f"killed and rotated ({first[0].__name__}, {first[1]}, {first[2].__name__}), its recovery: {fault} at "
                    f"call {at} ({call}), again {again}, archives={job.archives}")
    return len(cases[::stride])


def faults(stride):
    _, exchange = calls_from_exchange()
    _, instant = calls_of_the_instant()
    region = every_step.calls_of_a_prune().index("fallocate", exchange) + 1
    prepared = [lambda job, rotation=rotation: (job.prune(PRUNE_AT=str(region + 5), PRUNE_FAULT="torn"), rotation(job))
                for rotation in (renamed, renamed_and_compressed, copied)]
    prepared.append(lambda job: rotate_at_exchange(job, PRUNE_AT=str(instant), PRUNE_FAULT="torn"))
    return sum(every_step.fail_everywhere(stride, prepare, options=KEEP_ALL) for prepare in prepared)


def busy(_):
    job = every_step.Job()
    _, exchange = calls_from_exchange()
    region = every_step.calls_of_a_prune().index("fallocate", exchange) + 1
    job.prune(PRUNE_AT=str(region + 5), PRUNE_FAULT="kill")
    renamed(job)
    with open(job.path + ".1", "rb"):
        report, said = job.prune(PRUNE_APPEND="/dev/null")
        if report is None or report["result"] != "busy" or len(common.leftovers(job.directory)) != 2:
            sys.exit(f"the rotated file is open: {report or said}; see {job.directory}")
    finish(job, "the rotated file was open")
    return 1


def main():
    mode, stride = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    every_step.Job = RotatedJob
    tried = 0
    for RotatedJob.archives in (True, False):
        tried += {"between": kills_between, "instant": kills_in_the_instant, "recovery": recoveries, "faults": faults,
                  "busy": busy}[mode](stride)
    print(tried, "prunes tried")


if __name__ == "__main__":
    main()
