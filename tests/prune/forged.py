#!/usr/bin/env python3
"""forged.py - root prunes in a directory of another user, MALLORY, who has put there, under the names that a prune uses,
what would lend her root's rights: to read VICTIM's file, or to write into it. Each such prune is refused, names what is
wrong, changes nothing in the directory nor outside of it, and task_rejects tells of the leftovers as before. What a prune
really left is finished, whoever of root and the job's owner it was.

Needs root. Prints the number of attacks; exits 1 at the first that succeeds, and prints "skip" where it cannot be tried.
"""
import os
import shutil
import stat
import sys
import tempfile

import common
from tampered import Journal, leftover, read_journal, write_journal

MALLORY, VICTIM, ROOT = 1001, 1002, 0
HASH = "af63e74c8601ff3d"  # of the job id j
MAGIC = b"taskresults-j1\n\0"


class Place:
    """MALLORY's directory with her job j, and beside it a directory of VICTIM with a file that only he may read."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="taskresults-forged-")
        os.chmod(self.root, 0o755)
        self.directory, self.other = os.path.join(self.root, "results"), os.path.join(self.root, "other")
        for path, user in ((self.directory, MALLORY), (self.other, VICTIM)):
            os.mkdir(path)
            os.chown(path, user, user)
        self.path = self.write(os.path.join(self.directory, "j.jsonl"), "mine", MALLORY, 0o644)
        self.secret = self.write(os.path.join(self.other, "secret.jsonl"), "secret", VICTIM, 0o600)
        self.new, self.journal, self.lock = (self.name(suffix) for suffix in (".new", ".journal", ".lock"))

    def name(self, suffix):
        return os.path.join(self.directory, ".taskresults-" + HASH + suffix)

    def write(self, path, what, user, mode):
        with open(path, "w") as file:
            file.write("".join(common.record(f"{what} {i}") for i in range(5)))
        os.chmod(path, mode)
        os.chown(path, user, user)
        return path

    def forge(self, user, **fields):
        """A journal by which all of the temporary's file is to be appended to the job's."""
        new, live = os.stat(self.new, follow_symlinks=False), os.stat(self.path)
        state = Journal(MAGIC, 4, new.st_dev, new.st_ino, live.st_dev, live.st_ino, 0, 0, 0, 0, 0, 1, b"j", 0, 0)
        with open(self.journal, "w"):
            pass
        write_journal(self, state._replace(**fields))
        os.chown(self.journal, user, user)

    def everything(self):
        found = {}
        for directory, names, files in os.walk(self.root):
            for path in (os.path.join(directory, name) for name in names + files):
                entry = os.lstat(path)
                content = None
                if stat.S_ISREG(entry.st_mode):
                    with open(path, "rb") as file:
                        content = file.read()
                if path != self.lock or entry.st_nlink > 1 or not stat.S_ISREG(entry.st_mode):  # it leaves a lock
                    found[path] = (entry.st_mode, entry.st_ino, entry.st_uid, entry.st_nlink, content)
        return found


def link_as_old(place):
    os.link(place.secret, place.new)
    place.forge(MALLORY)


def moved_as_old(place):
    os.rename(place.secret, place.new)
    place.forge(MALLORY)


def moved_as_old_with_a_journal_of_root(place):
    os.rename(place.secret, place.new)
    place.forge(ROOT)


def link_as_live(place):
    os.rename(place.path, place.new)
    os.link(place.secret, place.path)
    place.forge(MALLORY)


def moved_as_live(place):
    os.rename(place.path, place.new)
    os.rename(place.secret, place.path)
    place.forge(MALLORY)


def closed_old_beside_an_open_live(place):
    """Both are VICTIM's, and the journal a real one of root's; but MALLORY may read only the job's file."""
    os.rename(place.secret, place.new)
    os.chown(place.path, VICTIM, VICTIM)
    place.forge(ROOT)


def live_readable_by_another_group(place):
    place.write(place.new, "old", MALLORY, 0o640)
    os.chmod(place.path, 0o640)
    os.chown(place.path, MALLORY, VICTIM)
    place.forge(ROOT)


def live_with_two_names(place):
    place.write(place.new, "old", MALLORY, 0o644)
    os.link(place.path, place.path + ".2")
    place.forge(ROOT)


def moved_as_old_of_a_job_without_a_file(place):
    os.rename(place.secret, place.new)
    place.forge(ROOT)
    os.remove(place.path)


def old_of_root_of_a_job_without_a_file(place):
    place.write(place.new, "secret", ROOT, 0o600)
    place.forge(MALLORY)
    os.remove(place.path)


def journal_of_a_third(place):
    place.write(place.new, "old", MALLORY, 0o644)
    place.forge(VICTIM)


def journal_with_two_names(place):
    place.write(place.new, "old", MALLORY, 0o644)
    place.forge(MALLORY)
    os.link(place.journal, place.journal + "2")


def journal_as_a_link(place):
    place.write(place.new, "old", MALLORY, 0o644)
    place.forge(MALLORY)
    os.rename(place.journal, place.journal + "2")
    os.symlink(place.journal + "2", place.journal)


def journal_as_a_fifo(place):
    os.mkfifo(place.journal)


def journal_of_another_job(place):
    place.write(place.new, "old", MALLORY, 0o644)
    place.forge(MALLORY, job_id=b"k")


def temporary_as_a_link(place):
    os.symlink(place.secret, place.new)


def temporary_as_a_directory(place):
    os.mkdir(place.new)


def temporary_of_a_third(place):
    place.write(place.new, "old", VICTIM, 0o644)


def lock_as_a_link(place):
    os.symlink(place.secret, place.lock)


def lock_as_a_link_to_nothing(place):
    os.symlink(os.path.join(place.other, "made"), place.lock)


def lock_as_a_fifo(place):
    os.mkfifo(place.lock)


def lock_as_a_directory(place):
    os.mkdir(place.lock)


def lock_with_two_names(place):
    os.link(place.secret, place.lock)


ATTACKS = (link_as_old, moved_as_old, moved_as_old_with_a_journal_of_root, link_as_live, moved_as_live,
           closed_old_beside_an_open_live, live_readable_by_another_group, live_with_two_names,
           moved_as_old_of_a_job_without_a_file, old_of_root_of_a_job_without_a_file, journal_of_a_third,
           journal_with_two_names, journal_as_a_link, journal_as_a_fifo, journal_of_another_job, temporary_as_a_link,
           temporary_as_a_directory, temporary_of_a_third, lock_as_a_link, lock_as_a_link_to_nothing, lock_as_a_fifo,
           lock_as_a_directory, lock_with_two_names)


def leftovers_told(place):
    process = common.sqlite("SELECT count(*) FROM task_rejects WHERE reason LIKE 'left by%'", place.directory)
    return int(process.communicate()[0])


def refused():
    for attack in ATTACKS:
        place = Place()
        attack(place)
        before, told = place.everything(), leftovers_told(place)
        report, said = common.prune(place.directory, "j", "'keep', 3")
        if report or "(nothing was changed)" not in said or ".jsonl" not in said or place.everything() != before:
            sys.exit(f"{attack.__name__}: {report or said}; see {place.root}")
        names = len([name for name in os.listdir(place.directory) if name.endswith((".new", ".journal"))])
        if leftovers_told(place) != told or told != names:
            sys.exit(f"{attack.__name__}: task_rejects told {told} of {names} leftovers; see {place.root}")
        shutil.rmtree(place.root)
        yield attack.__name__


def path_as_a_job():
    """What a journal calls a job is no path: prune_all stays in its directory."""
    for job_id in (b"../other/secret", b"x" * 255, b"x\0y"):
        place = Place()
        place.write(place.new, "old", MALLORY, 0o644)
        place.forge(MALLORY, job_id=job_id, job_length=len(job_id))
        before = place.everything()
        process = common.sqlite("SELECT value FROM json_each(taskresults_prune_all('keep', 5))", place.directory)
        out, err = process.communicate()
        if process.returncode or len(out.splitlines()) != 1 or '"job_id":"j","result":"failed"' not in out or \
                place.everything() != before:
            sys.exit(f"a job called {job_id}: {out}{err}; see {place.root}")
        shutil.rmtree(place.root)
        yield "a path"


def last_instant():
    """The job's file is exchanged for VICTIM's between the prune's last look and the exchange."""
    for command in ("mv {path} {path}.away; ln {secret} {path}", "mv {path} {path}.away; mv {secret} {path}"):
        place = Place()
        os.environ["SCHEDULER_RESULTS_DIR"] = place.directory
        at_step = os.path.join(os.path.dirname(os.path.abspath(__file__)), "at_step.py")
        status = os.spawnl(os.P_WAIT, at_step, at_step, "renameat2", command.format(path=place.path, secret=place.secret),
                           "j", "'keep', 3")
        with open(place.path) as file:
            if status == 0 or "secret" in file.read():
                sys.exit(f"a file put there in the last instant was read; see {place.root}")
        report, said = common.prune(place.directory, "j", "'keep', 3")
        if report or "(nothing was changed)" not in said:
            sys.exit(f"the prune after it: {report or said}; see {place.root}")
        shutil.rmtree(place.root)
        yield "last instant"


def finished():
    """What root or the job's owner really left, before and after the exchange."""
    for user in (ROOT, MALLORY):
        for step in ("fsync", "renameat2"):
            place = Place()
            common.prune(place.directory, "j", "'keep', 3", {"LD_PRELOAD": common.SHIM, "PRUNE_AT": step, "PRUNE_FAULT": "torn"})
            if step == "renameat2":
                os.chown(place.journal, user, user)
                if read_journal(place).drained == 0:
                    sys.exit("the kill left another journal than was wanted")
            else:
                os.chown(leftover(place, ".new"), user, user)
            report, said = common.prune(place.directory, "j", "'keep', 2")
            if not report or not report.get("recovered") or report["kept"] != 2 or common.leftovers(place.directory):
                sys.exit(f"left by user {user} at {step}: {report or said}; see {place.root}")
            shutil.rmtree(place.root)
            yield "finished"


def finished_for_its_readers():
    """After the exchange, too, if the owner changed who may read, or removed the job's file: what is appended can be read
    by those who could read it before, and by nobody else."""
    for mode, group, is_gone, kept in ((0o644, VICTIM, False, 2), (0o600, VICTIM, False, 2), (0o640, MALLORY, True, 0)):
        place = Place()
        common.prune(place.directory, "j", "'keep', 3", {"LD_PRELOAD": common.SHIM, "PRUNE_AT": "renameat2", "PRUNE_FAULT": "torn"})
        os.chmod(place.path, mode)
        os.chmod(leftover(place, ".new"), mode)
        os.chown(place.path, MALLORY, group)
        if is_gone:
            os.remove(place.path)
        report, said = common.prune(place.directory, "j", "'keep', 2")
        if not report or not report.get("recovered") or report["kept"] != kept or common.leftovers(place.directory):
            sys.exit(f"mode {mode:o}, group {group}, gone {is_gone}: {report or said}; see {place.root}")
        found = os.stat(place.path)
        if (found.st_uid, found.st_gid, found.st_mode & 0o777) != (MALLORY, group, mode):
            sys.exit(f"mode {mode:o}, group {group}, gone {is_gone}: {found}; see {place.root}")
        shutil.rmtree(place.root)
        yield "finished"


def main():
    if os.geteuid() != 0:
        print("skip: needs root")
        return
    os.umask(0o022)
    print(sum(1 for attack in (refused, path_as_a_job, last_instant, finished, finished_for_its_readers) for _ in attack()), "attacks")


if __name__ == "__main__":
    main()
