#!/usr/bin/env python3
"""power.py [STRIDE] - the power fails at every (STRIDE-th) system call of a prune, and of a recovery. Afterwards every
record that was synced before the prune has to be there, once, and no other record twice. The receipts count exactly what
is gone.

Needs root: the job lives on an ext4 in a file of its own, which EXT4_IOC_SHUTDOWN stops without flushing anything; what
a remount then finds is what a power failure would have left. What writers had not synced can be a hole then, a line that
begins with NULs; that is theirs. Prints "skip" and exits 0 where that cannot be done.
"""
import fcntl
import os
import signal
import struct
import subprocess
import sys
import tempfile

import common
import every_step

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Disk:
    def __init__(self):
        self.place = tempfile.mkdtemp(prefix="taskresults-power-")
        self.image, self.root = os.path.join(self.place, "image"), os.path.join(self.place, "root")
        os.mkdir(self.root)
        with open(self.image, "w") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.root], check=True, stderr=subprocess.DEVNULL)

    def fail(self):
        fd = os.open(self.root, os.O_RDONLY)
        fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(fd)

    def unmount(self):
        subprocess.run(["umount", self.root], check=True)

    def remove(self):
        self.unmount()
        subprocess.run(["rm", "-r", self.place], check=True)


def fail_at(disk, job, at):
    """Runs a prune up to its at-th call, where the power fails. False: it came to its end before."""
    job.next_number += 100000
    process = common.sqlite(f"SELECT taskresults_prune('j', {every_step.OPTIONS})", job.directory,
                            {"LD_PRELOAD": common.SHIM, "PRUNE_APPEND": job.path, "PRUNE_AT": str(at),
                             "PRUNE_NUMBER": str(job.next_number), "PRUNE_FAULT": "stop"})
    stopped = os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    if stopped:
        disk.fail()
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    job.next_number += 100000
    disk.unmount()
    disk.mount()
    return stopped


def check(job, synced, what):
    job.append(2)  # a writer, after the restart
    after = {str(job.next_number - 1), str(job.next_number - 2)}
    report, said = common.prune(job.directory, "j", every_step.OPTIONS)
    names, rejects = common.names_in(job.path)
    glued = sum(line.startswith(b"\0") and line.endswith(every_step.OLD.encode()) for line in rejects)  # to a hole
    wrong = common.judge_receipts(job.directory, every_step.OLD, job.old_lines - glued - names.pop("old", 0),
                                  has_blanks=True)  # where lines were drained that had not been synced
    if wrong or common.pending(job.directory):
        sys.exit(f"{what}: {wrong}, pending {common.pending(job.directory)}")
    lost = (synced | after) - set(names)
    rejects = [line for line in rejects if not line.startswith(b"\0")]
    repeated = [name for name, count in names.items() if count > 1]
    if report is None or lost or repeated or common.leftovers(job.directory) or rejects != [every_step.REJECT]:
        sys.exit(f"{what}: {report or said}; lost {lost}, repeated {repeated}, rejects {rejects}, "
                 f"left {common.leftovers(job.directory)}")


def try_all(disk, stride):
    tempfile.tempdir = disk.root
    calls = every_step.calls_of_a_prune()
    tried = 0
    exchange = calls.index("renameat2")
    for kill in (None, exchange + 3, calls.index("fallocate", exchange) + 6):
        for at in range(1, len(calls) + 1, stride):
            job = every_step.Job()
            if kill:
                job.prune(PRUNE_AT=str(kill), PRUNE_FAULT="torn")
            os.sync()
            synced = set(job.expected)
            if not fail_at(disk, job, at):
                break
            check(job, synced, f"killed at {kill}, then the power failed at call {at}")
            job.done()
            tried += 1
    return tried


def main_of(stride):
    try:
        disk = Disk()
    except (OSError, subprocess.CalledProcessError):
        print("skip: needs root, mkfs.ext4 and a loop device")
        return
    try:
        print(try_all(disk, stride), "power failures")
    finally:
        disk.remove()


if __name__ == "__main__":
    main_of(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
