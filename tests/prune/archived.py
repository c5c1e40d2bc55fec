#!/usr/bin/env python3
"""archived.py MODE [STRIDE] - as every_step.py, of a prune that archives: something happens at every system call, while a
writer that takes no lock appends a record between any two of them. Afterwards every record is in the archive or in the
job's file, once, and so it is for task_history at the moment of each kill. The receipts count what each prune has
archived, in its order, with its digest, and name a segment that is there. No pending segment is left.

MODE kill      killed before each call, and after it and in the middle of each write; readers look at what is there; the
               next prune finishes or discards it
     recovery  the prune that recovers is killed as well
     faults    each call fails, once or for good, and what the error says of what was changed is true
     offline   kills and faults where nothing can be leased, and no writer is running
     power     the power fails at each call (needs root)
STRIDE         takes every STRIDE-th call only (default 1: all)

Half of the jobs have a segment already, which the prune takes into its own. Prints the number of prunes that were tried;
exits 1 and says what is wrong at the first failure.
"""
import collections
import hashlib
import json
import os
import sys

import common
import every_step
import power

sys.path.insert(0, os.path.join(common.ROOT, "tests/oracles"))
import archive_segment  # noqa: E402 pylint: disable=wrong-import-position

OPTIONS = every_step.OPTIONS + ", 'archive', 1"


def archive_of(directory, job="j"):
    """The names of the segments, and of what is pending; and the lines of all segments, in their order."""
    folder = os.path.join(directory, ".taskresults/archive", job + ".jsonl")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    segments = sorted((name for name in names if name.endswith(".zst")),
                      key=lambda name: int(name.rsplit("-", 1)[1].split(".")[0]))
    lines = []
    for name in segments:
        with open(os.path.join(folder, name), "rb") as file:
            lines += archive_segment.decode(file.read()).splitlines(keepends=True)
    return segments, sorted(set(names) - set(segments)), lines


def judge_digests(directory, segments, lines):
    """Each receipt is of the next lines of the archive."""
    receipts, wrong = common.receipts(directory)
    at = 0
    for receipt in receipts:
        if receipt["replaced"]:
            continue
        part = lines[at:at + receipt["lines"]]
        at += receipt["lines"]
        if receipt["sha256"] != hashlib.sha256(b"".join(part)).hexdigest() or receipt["scattered"]:
            wrong.append(f"the receipt {receipt['id']} is not that of what was archived")
        if receipt["archive"] not in segments:
            wrong.append(f"a receipt names {receipt['archive']}, and there are {segments}")
    if at != len(lines):
        wrong.append(f"the receipts count {at} lines, and {len(lines)} are archived")
    return wrong


class ArchivedJob(every_step.Job):
    has_segment = True  # from an earlier prune

    def __init__(self):
        super().__init__()
        self.archive_before = archive_of(self.directory)
        if self.has_segment:
            report, said = common.prune(self.directory, "j", OPTIONS)
            if report is None:
                sys.exit(said)
            self.append(3)

    def prune(self, options=OPTIONS, **settings):
        return super().prune(options, **settings)

    def lines(self):
        segments, pending, lines = archive_of(self.directory)
        with open(self.path, "rb") as file:
            return segments, pending, lines, file.read().splitlines(keepends=True)

    def check(self, what):
        segments, pending, archived, live = self.lines()
        names, rejects = collections.Counter(), []
        for line in archived + live:
            if line == every_step.REJECT:
                rejects.append(line)
            elif line.strip():
                names[json.loads(line)["job_name"]] += 1
        wrong = judge_digests(self.directory, segments, archived)
        if names.pop("old", 0) != self.old_lines:
            wrong.append("old lines are missing, or there twice")
        lost = self.expected - set(names)
        extra = [name for name, count in names.items() if count > 1 or name not in self.expected]
        left = common.leftovers(self.directory) + pending + [x for x in os.listdir(self.directory) if x.endswith(".old")]
        if wrong or lost or extra or left or rejects != [every_step.REJECT]:
            sys.exit(f"{what}: {wrong}; lost {sorted(lost, key=int)}, more than once {extra}, rejects {rejects}, left {left}; "
                     f"see {self.directory}")
        self.ask(what, archived + live)

    def ask(self, what, lines):
        """task_history has these records."""
        truth = sorted(json.loads(line)["job_name"] for line in lines if line.startswith(b"{"))
        if self.history() != truth:
            sys.exit(f"{what}: task_history has other records; see {self.directory}")

    def history(self):
        process = common.sqlite("SELECT job_name FROM task_history('j')", self.directory)
        out, err = process.communicate()
        if process.returncode:
            sys.exit(f"task_history: {err}; see {self.directory}")
        return sorted(out.split())

    def look_from_outside(self, before, what):
        """In the middle of a prune: what was there before it is there once, and nothing is there twice. What writers
        appended meanwhile may still be in what is left over."""
        seen = collections.Counter(self.history())
        olds = seen.pop("old", 0)
        lost = before - set(seen)
        extra = [name for name, count in seen.items() if count > 1]
        if lost or extra or olds != self.old_lines:
            sys.exit(f"{what}: task_history lacks {sorted(lost, key=int)}, has {extra} more than once, and {olds} of "
                     f"{self.old_lines} old ones; see {self.directory}")

    def look(self):
        self.archive_before = archive_of(self.directory)
        return super().look()

    def check_claim(self, what, before, said):
        super().check_claim(what, before, said)
        now = archive_of(self.directory)
        has_copy = "a copy left beside it goes with the next prune" in said or common.leftovers(self.directory)
        if "(nothing was changed)" in said and (now[0] != self.archive_before[0] or now[2] != self.archive_before[2] or
                                                (now[1] and not has_copy)):
            sys.exit(f"{what}: the archive was changed: {said}; see {self.directory}")


def kills(fault, stride, **settings):
    tried = 0
    calls = every_step.calls_of_a_prune(**settings)
    for at in range(1, len(calls) + 1, stride):
        job = every_step.Job()
        before = set(job.expected)
        job.prune(PRUNE_AT=str(at), PRUNE_FAULT=fault, **settings)
        what = f"{fault} at call {at} ({calls[at - 1]}) {settings}"
        job.look_from_outside(before, what)
        finish(job, what)
        tried += 1
    return tried


def check_power(job, synced, what):
    """Instead of power.check: what was synced is in the archive or in the file, once."""
    job.append(2)  # a writer, after the restart
    after = {str(job.next_number - 1), str(job.next_number - 2)}
    report, said = common.prune(job.directory, "j", OPTIONS)
    if report is None:
        sys.exit(f"{what}: {said}; see {job.directory}")
    segments, pending, archived, live = job.lines()
    lines = [line for line in archived + live if line.strip() and not line.startswith(b"\0")]
    names = collections.Counter(json.loads(line)["job_name"] for line in lines if line != every_step.REJECT)
    glued = sum(line.startswith(b"\0") and line.endswith(every_step.OLD.encode()) for line in archived + live)  # to a hole
    wrong = judge_digests(job.directory, segments, archived)
    if names.pop("old", 0) != job.old_lines - glued or lines.count(every_step.REJECT) != 1:
        wrong.append("old lines, or the reject, are missing, or there twice")
    wrong += [f"{name} is lost" for name in (synced | after) - set(names)]
    wrong += [f"{name} is there more than once" for name, count in names.items() if count > 1]
    if wrong or pending or common.leftovers(job.directory) or common.pending(job.directory):
        sys.exit(f"{what}: {wrong}; pending {pending}; left {common.leftovers(job.directory)}")
    job.ask(what, lines)


def power_failures(stride):
    """power.py, with the jobs, the options and the verdict of this one."""
    every_step.OPTIONS, power.check = OPTIONS, check_power
    power.main_of(stride)


def lies():
    """A rename that was done is said to have failed."""
    for call in ("renameat/1", "renameat/2", "linkat"):
        job = every_step.Job()
        before = set(job.expected)
        job.prune(PRUNE_AT=call, PRUNE_FAULT="lie 5", **OFFLINE)
        job.look_from_outside(before, f"{call} offline, done but reported as failed")
        finish(job, f"{call} offline, done but reported as failed")
    return 3


def finish(job, what):
    """Every third time, the next prune archives nothing: it finishes the other one all the same."""
    finish.count += 1
    if finish.count % 3 == 0:
        report, said = job.prune("'keep', 100000", PRUNE_APPEND="/dev/null")
        if report is None or common.leftovers(job.directory):
            sys.exit(f"{what}: the next prune said {report or said}; see {job.directory}")
        job.check(what + ", finished by another prune")
    every_step.finish(job, what)


finish.count = 0
OFFLINE = {"options": OPTIONS + ", 'offline', 1", "PRUNE_NO_LEASES": "1", "PRUNE_APPEND": "/dev/null"}


def run(mode, stride):
    tried = 0
    for ArchivedJob.has_segment in (True, False) if mode in ("kill", "offline") else (True,):
        if mode == "kill":
            tried += kills("kill", stride) + kills("torn", stride)
        elif mode == "recovery":
            tried += every_step.recoveries(stride)
        elif mode == "faults":
            tried += every_step.faults(stride)
        elif mode == "offline":
            tried += kills("kill", stride, **OFFLINE) + kills("torn", stride, **OFFLINE)
            tried += every_step.fail_everywhere(4 * stride, **OFFLINE) + lies()
    return tried


def main():
    mode, stride = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    every_step.Job = ArchivedJob
    if mode == "power":
        power_failures(stride)
        return
    print(run(mode, stride), "prunes tried")


if __name__ == "__main__":
    main()
