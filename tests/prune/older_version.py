#!/usr/bin/env python3
"""older_version.py [STRIDE] - a prune that leaves a receipt is killed at every (STRIDE-th) system call, and an older
version finds what is left. That knows nothing of receipts: it reads slots of 512 bytes at 0 and 512 of the journal, with
its own magic; without a whole slot, it takes a journal of at most 512 bytes for one that was cut short, and deletes it and
the temporary; it refuses a longer one. It must refuse, or delete only what was made before the exchange.

A prune that archives is met by that version, and by one that knows receipts but no archive. That has a second magic, for
slots at 512 and 1024; without a whole slot, it deletes a journal of at most 1024 bytes that begins with 512 zeros, too.

Then, the other way round: what a prune without a receipt leaves, as older versions do, is finished, and no receipt of it
appears. Prints how many kills were tried; exits 1 at the first that goes wrong.
"""
import os
import struct
import sys

import archived
import common
import every_step
from tampered import RECEIPT_MAGIC, REST, STATE, SUMMED, fnv, leftover

OLD_MAGIC = b"taskresults-j1\n\0"


def older_verdict(path):
    with open(path, "rb") as file:
        content = file.read()
    for at in (0, 512):
        slot = content[at:at + 512]
        if slot[:16] == OLD_MAGIC and fnv(slot[:SUMMED]) == struct.unpack("<Q", slot[SUMMED:REST])[0]:
            return "recover"
    return "delete" if len(content) <= 512 else "refuse"


def verdict_before_archives(path):
    with open(path, "rb") as file:
        content = file.read()
    for at in (512, 1024):
        slot = content[at:at + 512]
        if slot[:16] == RECEIPT_MAGIC and \
                fnv(slot[:SUMMED]) ^ fnv(slot[REST:REST + 40]) == struct.unpack("<Q", slot[SUMMED:REST])[0]:
            return "recover"
    was_cut = len(content) <= 512 or (len(content) <= 1024 and content[:512] == b"\0" * 512)
    verdict = "delete" if was_cut else "refuse"
    return older_verdict(path) if older_verdict(path) == "recover" else verdict


def archive_journals(stride):
    """What a prune leaves that archives, from its journal on; and, to see that this version is told right, what one leaves
    that does not."""
    found = {}
    for job_type in (archived.ArchivedJob, every_step.Job):
        every_step.Job, before = job_type, every_step.Job
        calls = every_step.calls_of_a_prune()
        exchange = calls.index("renameat2") + 1
        for fault in ("kill", "torn"):
            for at in range(exchange - 8, len(calls) + 1, stride) if job_type is archived.ArchivedJob else (exchange + 1,):
                job = every_step.Job()
                inode = os.stat(job.path).st_ino
                job.prune(PRUNE_AT=str(at), PRUNE_FAULT=fault)
                if [name for name in common.leftovers(job.directory) if name.endswith(".journal")]:
                    path = leftover(job, ".journal")
                    verdict = verdict_before_archives(path)
                    is_exchanged = os.stat(job.path).st_ino != inode
                    found.setdefault((job_type, verdict), 0)
                    found[job_type, verdict] += 1
                    is_wrong = is_exchanged and "delete" in (verdict, older_verdict(path))
                    if is_wrong or (job_type is archived.ArchivedJob and "recover" in (verdict, older_verdict(path))):
                        sys.exit(f"{fault} at call {at} ({calls[at - 1]}): an older version would {verdict}; see {job.directory}")
                every_step.finish(job, f"{fault} at call {at} ({calls[at - 1]})")
        every_step.Job = before
    if (archived.ArchivedJob, "refuse") not in found or (every_step.Job, "recover") not in found:
        sys.exit(f"this does not try what it should: {found}")
    return sum(found.values())


def new_journals(stride):
    calls = every_step.calls_of_a_prune()
    refused = 0
    for fault in ("kill", "torn"):
        for at in range(1, len(calls) + 1, stride):
            job = every_step.Job()
            inode = os.stat(job.path).st_ino
            job.prune(PRUNE_AT=str(at), PRUNE_FAULT=fault)
            if [name for name in common.leftovers(job.directory) if name.endswith(".journal")]:
                verdict = older_verdict(leftover(job, ".journal"))
                is_exchanged = os.stat(job.path).st_ino != inode
                if verdict == "recover" or (verdict == "delete" and is_exchanged):
                    sys.exit(f"{fault} at call {at} ({calls[at - 1]}): an older version would {verdict}; see {job.directory}")
                refused += verdict == "refuse"
            every_step.finish(job, f"{fault} at call {at} ({calls[at - 1]})")
    if not refused:
        sys.exit("no kill left a journal")
    return 2 * len(range(1, len(calls) + 1, stride))


def old_journals(stride):
    without = every_step.OPTIONS + ", 'receipt', 0"
    job = every_step.Job()
    log = os.path.join(job.directory, "calls")
    job.prune(without, PRUNE_LOG=log)
    with open(log) as file:
        calls = file.read().splitlines()
    if os.path.exists(os.path.join(job.directory, ".taskresults")):
        sys.exit("'receipt', 0 made a folder")
    job.done()
    for at in range(calls.index("renameat2") + 2, len(calls) + 1, stride):
        job = every_step.Job()
        job.prune(without, PRUNE_AT=str(at), PRUNE_FAULT="kill")
        names, _ = common.names_in(job.path)
        if [name for name in common.leftovers(job.directory) if name.endswith(".journal")]:
            if older_verdict(leftover(job, ".journal")) != "recover":
                sys.exit(f"killed at call {at}: this is no journal of an older version; see {job.directory}")
        job.old_lines = names["old"]  # those that are gone have no receipt
        every_step.finish(job, f"without a receipt, killed at call {at} ({calls[at - 1]})")
    return len(range(calls.index("renameat2") + 2, len(calls) + 1, stride))


def main():
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    if STATE.size != REST + 40:
        sys.exit("the layout of the journal is another one")
    print(new_journals(stride) + archive_journals(stride) + old_journals(stride), "kills")


if __name__ == "__main__":
    main()
