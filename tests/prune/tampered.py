#!/usr/bin/env python3
"""tampered.py - a prune is killed in its drain, and somebody works on its files before the next one recovers it.

Whatever was done: what the old file still holds beyond what was drained is in the job's file afterwards, once, and what
others wrote there is not overwritten. Prints the number of recoveries; exits 1 at the first one that goes wrong.
"""
import collections
import glob
import os
import struct
import sys

import common
import every_step

STATE = struct.Struct("<16s5Q3q3I256sIQ")  # TrJournalState in ext/tr.h
Journal = collections.namedtuple("Journal", "magic sequence old_dev old_ino live_dev live_ino drained region_at region_length "
                                            "adds_newline reserved job_length job_id zero checksum")


def leftover(job, suffix):
    return glob.glob(f"{job.directory}/.taskresults-*{suffix}")[0]


def read_journal(job):
    with open(leftover(job, ".journal"), "rb") as file:
        slots = file.read()
    states = [Journal(*STATE.unpack_from(slots, at)) for at in range(0, len(slots), 512)]
    return max(states, key=lambda state: state.sequence)


def write_journal(job, state):
    """In both slots, with the right sum."""
    packed = STATE.pack(*state)
    total = 14695981039346656037
    for byte in packed[:-8]:
        total = (total ^ byte) * 1099511628211 % 2**64
    with open(leftover(job, ".journal"), "wb") as file:
        file.write((packed[:-8] + struct.pack("<Q", total)).ljust(512, b"\0") * 2)


def killed(job, phase):
    """Kills a prune in its drain. Returns the journal, and the old file's lines that are not drained."""
    calls = every_step.calls_of_a_prune()
    allocate = calls.index("fallocate") + 1
    job.prune(PRUNE_AT=str(allocate + {"made": 2, "reserved": 5}[phase]), PRUNE_FAULT="kill")
    state = read_journal(job)
    if not state.region_length or state.reserved != (phase == "reserved"):
        sys.exit(f"the kill left no region that is {phase}: {state}")
    with open(leftover(job, ".new"), "rb") as file:
        file.seek(state.drained)
        return state, file.read()


def padded(number, length):
    line = common.record(number, size=0)
    return common.record(number, size=length - len(line))


def written_anew(job, state, old):
    """Longer than it was, and no line ends where the region did."""
    end = state.region_at + state.region_length
    return padded("mine", end + 10) + common.record("mine too"), old, 0


def written_anew_to_the_byte(job, state, old):
    """A line ends just where the region did."""
    end = state.region_at + state.region_length
    return padded("mine", end) + common.record("mine too"), old, 0


def written_anew_and_short(job, state, old):
    return common.record("mine"), old, 0


def old_cut_in_a_line(job, state, old):
    with open(leftover(job, ".new"), "r+b") as file:
        file.truncate(state.drained + 50)
    return None, b"", 1


def old_cut_to_what_was_drained(job, state, old):
    with open(leftover(job, ".new"), "r+b") as file:
        file.truncate(state.drained)
    return None, b"", 0


def check(what, job, mine, old, torn):
    path = os.path.join(job.directory, "old")
    with open(path, "wb") as file:
        file.write(old)
    undrained, _ = common.names_in(path)
    undrained.pop("old", None)  # records of January: drained like all others, and dropped by the prune that follows
    names, rejects = common.names_in(job.path)
    names.pop("old", None)
    if mine:
        expected = undrained + common.names_in_text(mine)
    else:
        expected = names | undrained
    # A region that nothing is left to fill in is a line of NULs or of blanks: a reject, or none, but nobody's record.
    rejects = [line[:80] for line in rejects if line != every_step.REJECT and line.strip(b"\0 \n")]
    if names != expected or len(rejects) != torn or common.leftovers(job.directory):
        sys.exit(f"{what}: {names} where {expected} was wanted, rejects {rejects}; see {job.directory}")
    if mine:
        with open(job.path) as file:
            if not file.read().startswith(mine):
                sys.exit(f"{what}: what others wrote was overwritten; see {job.directory}")


def regions():
    tampers = (written_anew, written_anew_to_the_byte, written_anew_and_short, old_cut_in_a_line, old_cut_to_what_was_drained)
    for phase in ("made", "reserved"):
        for tamper in tampers:
            job = every_step.Job()
            state, old = killed(job, phase)
            before, _ = common.names_in(job.path)
            mine, old, torn = tamper(job, state, old)
            if mine:
                with open(job.path, "w") as file:
                    file.write(mine)
            what = f"region {phase}, {tamper.__name__}"
            report, said = job.prune(PRUNE_APPEND="/dev/null")
            if report is None or not report.get("recovered"):
                sys.exit(f"{what}: the next prune said {report or said}; see {job.directory}")
            check(what, job, mine, old, torn)
            if not mine and set(before) - {"old"} - set(common.names_in(job.path)[0]):
                sys.exit(f"{what}: what was kept is gone; see {job.directory}")
            job.done()
            yield what


def stump():
    """Somebody is killed in a write after the prune was: the drained record does not pay for it."""
    job = every_step.Job()
    job.prune(PRUNE_AT="renameat2", PRUNE_FAULT="torn")
    with open(job.path, "a") as file:
        file.write('{"timestamp": "20')
    report, said = job.prune(PRUNE_APPEND="/dev/null")
    names, rejects = common.names_in(job.path)
    if report is None or job.expected - set(names) or sorted(rejects) != sorted([every_step.REJECT, b'{"timestamp": "20\n']):
        sys.exit(f"a stump: {said}, {rejects}, lost {job.expected - set(names)}; see {job.directory}")
    job.done()
    yield "stump"


def hostile_journal():
    """Its sum is right, but the job's name longer than any: it is not believed, and nothing is deleted."""
    job = every_step.Job()
    state, _ = killed(job, "reserved")
    write_journal(job, state._replace(job_length=100000))
    report, said = job.prune(PRUNE_APPEND="/dev/null")
    shown = common.sqlite("SELECT count(*) FROM task_rejects WHERE reason LIKE 'left by%'", job.directory)
    if report or "cannot be read" not in said or shown.communicate()[0].strip() != "2" or len(common.leftovers(job.directory)) != 2:
        sys.exit(f"a hostile journal: {report or said}; see {job.directory}")
    write_journal(job, state)
    every_step.finish(job, "after a hostile journal")
    yield "hostile journal"


def another_in_place_of_the_old():
    """What stands under the temporary's name, and is not the file that was copied, had replaced it: all of it counts."""
    job = every_step.Job()
    job.prune(PRUNE_AT="renameat2", PRUNE_FAULT="torn", PRUNE_APPEND="/dev/null")
    new = leftover(job, ".new")
    with open(job.directory + "/other", "w") as file:
        file.write(common.record(777777))
    os.rename(job.directory + "/other", new)
    job.expected.add("777777")
    every_step.finish(job, "another file in place of the old one")
    yield "another"


def main():
    print(sum(1 for tamper in (regions, stump, hostile_journal, another_in_place_of_the_old) for _ in tamper()), "recoveries")


if __name__ == "__main__":
    main()
