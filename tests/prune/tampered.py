#!/usr/bin/env python3
"""tampered.py - a prune is killed in its drain, and somebody works on its files before the next one recovers it.

Whatever was done: what the old file still holds beyond what was drained is in the job's file afterwards, once, and what
others wrote there is not overwritten. Prints the number of recoveries; exits 1 at the first one that goes wrong.
"""
import collections
import functools
import glob
import json
import os
import signal
import struct
import sys

import common
import every_step

STATE = struct.Struct("<16s5Q3q3I256sIQ33sB6s")  # TrJournalState in ext/prune/prune.h
SUMMED, REST = 352, 360  # bytes before the checksum; where what follows it begins
RECEIPT_MAGIC = b"taskresults-j2\n\0"
Journal = collections.namedtuple("Journal", "magic sequence old_dev old_ino live_dev live_ino drained region_at region_length "
                                            "adds_newline reserved job_length job_id zero checksum receipt_id is_replaced "
                                            "rest", defaults=(b"", 0, b""))


def leftover(job, suffix):
    return glob.glob(f"{job.directory}/.taskresults-*{suffix}")[0]


def read_journal(job):
    with open(leftover(job, ".journal"), "rb") as file:
        slots = file.read()
    states = [Journal(*STATE.unpack_from(slots, at)) for at in range(0, len(slots), 512)]
    return max(states, key=lambda state: state.sequence)


def fnv(data):
    total = 14695981039346656037
    for byte in data:
        total = (total ^ byte) * 1099511628211 % 2**64
    return total


def write_journal(job, state):
    """In both slots, with the right sum. With a receipt, they begin behind one that is empty."""
    packed = STATE.pack(*state)
    has_receipt = state.magic == RECEIPT_MAGIC
    total = fnv(packed[:SUMMED]) ^ (fnv(packed[REST:]) if has_receipt else 0)
    slot = (packed[:SUMMED] + struct.pack("<Q", total) + packed[REST:]).ljust(512, b"\0")
    with open(leftover(job, ".journal"), "wb") as file:
        file.write((b"\0" * 512 if has_receipt else b"") + slot * 2)


KILLS = {"made": (2, "kill"), "reserved": (5, "kill"), "half filled": (7, "torn")}


@functools.cache
def allocation():
    """Of the drain: the first one is for the receipt."""
    calls = every_step.calls_of_a_prune()
    return calls.index("fallocate", calls.index("renameat2")) + 1


def killed(job, phase):
    """Kills a prune in its drain. Returns the journal, and the old file's lines that are not drained."""
    calls_later, fault = KILLS[phase]
    job.prune(PRUNE_AT=str(allocation() + calls_later), PRUNE_FAULT=fault)
    state = read_journal(job)
    if not state.region_length or state.reserved != (phase != "made"):
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


def records_in(data):
    """How often each job_name stands in bytes: on lines of its own, the last one perhaps without its newline."""
    names = collections.Counter()
    for line in data.split(b"\n"):
        try:
            names[json.loads(line)["job_name"]] += 1
        except (ValueError, TypeError, KeyError):
            pass
    del names["old"]
    return names


def sizes_around(state, size):
    """Below, at and above every number of the journal, and of the file itself; none longer than the file is."""
    region_end = state.region_at + state.region_length
    numbers = {0, state.drained, state.drained + state.region_length, state.region_at, region_end, state.region_length, size,
               size // 2}
    return sorted({number + by for number in numbers for by in (-400, -1, 0, 1, 400) if 0 <= number + by <= size})


def cut(phase, suffix, to):
    """Cuts the job's file, or the old one, to a size between the kill and the recovery: every record that the two still
    hold is there afterwards. Of the old file, what was drained before the kill counts as held by the other. One that
    was filled in, and then cut off behind, may be there twice: nobody knows any more that it was."""
    job = every_step.Job()
    state, old = killed(job, phase)
    path = leftover(job, ".new") if suffix == ".new" else job.path
    os.truncate(path, to)
    with open(job.path, "rb") as live, open(leftover(job, ".new"), "rb") as file:
        kept, undrained = records_in(live.read()), records_in(file.read()[state.drained:])
    what = f"region {phase}, {'old' if suffix == '.new' else 'live'} file cut to {to}, {state.drained} drained, region at " \
           f"{state.region_at} of {state.region_length}"
    report, said = job.prune(PRUNE_APPEND="/dev/null")
    names, rejects = common.names_in(job.path)
    names.pop("old", None)
    rejects = [line for line in rejects if line != every_step.REJECT and line.strip(b"\0 \n")]
    repeated = [name for name, count in names.items() if count > 1 and not (undrained[name] and kept[name])]
    # The cut may leave a piece of one line in each of the two, and the half filled region another.
    if not report or not report.get("recovered") or (kept | undrained) - names or repeated or len(rejects) > 2:
        sys.exit(f"{what}: {report or said}, lost {(kept | undrained) - names}, repeated {repeated}, "
                 f"rejects {[line[:80] for line in rejects]}; see {job.directory}")
    every_step.shutil.rmtree(job.directory)
    return what


def cuts():
    for phase in KILLS:
        for suffix in (".new", ".jsonl"):
            job = every_step.Job()
            state, _ = killed(job, phase)
            size = os.path.getsize(leftover(job, ".new") if suffix == ".new" else job.path)
            job.done()
            yield from (cut(phase, suffix, to) for to in sizes_around(state, size))


def cut_between_two_looks():
    """No kill: the writer that holds the old file open cuts it when its lines have been counted, but not yet copied."""
    job = every_step.Job()
    job.prune(PRUNE_AT="renameat2", PRUNE_FAULT="torn", PRUNE_APPEND="/dev/null")
    drained = read_journal(job).drained
    with open(leftover(job, ".new"), "ab") as writer:
        writer.write(b"".join(common.record(90000000 + i).encode() for i in range(3)))
        writer.flush()
        process = common.sqlite(f"SELECT taskresults_prune('j', {every_step.OPTIONS})", job.directory,
                                {"LD_PRELOAD": common.SHIM, "PRUNE_AT": "fallocate", "PRUNE_FAULT": "stop"})
        os.waitpid(process.pid, os.WUNTRACED)
        writer.truncate(drained - 400)
        os.kill(process.pid, signal.SIGCONT)
        process.communicate()
    job.has_odd_lines = True  # the prune drops a blank line, too
    every_step.finish(job, "the old file cut below what was drained, between two looks")
    yield "two looks"


def stump():
    """A writer is killed in a write after the prune was killed: its torn line must not damage the drained record."""
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
    """The journal's checksum is right, but no prune writes such values: it is refused, and nothing is deleted."""
    job = every_step.Job()
    state, _ = killed(job, "reserved")
    for lie in ({"job_length": 100000}, {"drained": -1}, {"region_at": -1}, {"region_length": -1}, {"adds_newline": 2},
                {"reserved": 2}, {"region_at": 2**63 - 1}, {"drained": 2**63 - 1}, {"region_length": 0, "adds_newline": 1},
                {"receipt_id": b"x" * 33}, {"receipt_id": b"short"}, {"magic": b"taskresults-j3\n\0"}):
        write_journal(job, state._replace(**lie))
        report, said = job.prune(PRUNE_APPEND="/dev/null")
        shown = common.sqlite("SELECT count(*) FROM task_rejects WHERE reason LIKE 'left by%'", job.directory)
        if report or "cannot be read" not in said or shown.communicate()[0].strip() != "2" or len(common.leftovers(job.directory)) != 2:
            sys.exit(f"a hostile journal, {lie}: {report or said}; see {job.directory}")
    write_journal(job, state)
    every_step.finish(job, "after a hostile journal")
    yield "hostile journal"


def another_in_place_of_the_old():
    """A file with the temporary's name that is not the copied one had replaced the job's: all its lines count."""
    job = every_step.Job()
    job.prune(PRUNE_AT="renameat2", PRUNE_FAULT="torn", PRUNE_APPEND="/dev/null")
    new = leftover(job, ".new")
    with open(job.directory + "/other", "w") as file:
        file.write(common.record(97777777))
    os.rename(job.directory + "/other", new)
    job.expected.add("97777777")
    job.has_odd_lines = True
    report, said = job.prune(PRUNE_APPEND="/dev/null")
    found, wrong = common.receipts(job.directory)
    if not report or wrong or [receipt["replaced"] for receipt in found] != [True]:
        sys.exit(f"another file in place of the old one: {report or said}, {found}, {wrong}; see {job.directory}")
    every_step.finish(job, "another file in place of the old one")
    yield "another"


def device_with_another_number():
    """The power fails, and after the restart the file system's device has another number."""
    for options in (every_step.OPTIONS, every_step.OPTIONS + ", 'receipt', 0"):
        for fault in ("kill", "torn", None):  # before the exchange, behind it, and in the drain
            job = every_step.Job()
            if fault:
                job.prune(options, PRUNE_AT="renameat2", PRUNE_FAULT=fault)
            else:
                killed(job, "reserved")
            state = read_journal(job)
            write_journal(job, state._replace(old_dev=state.old_dev + 7, live_dev=state.live_dev + 7))
            job.has_odd_lines = "receipt" in options  # what the first one removed has no receipt
            every_step.finish(job, f"another device, {fault}, {options}")
            yield "device"


def main():
    print(sum(1 for tamper in (regions, cuts, cut_between_two_looks, stump, hostile_journal, another_in_place_of_the_old,
                                  device_with_another_number) for _ in tamper()), "recoveries")


if __name__ == "__main__":
    main()
