"""index_states.py LIBRARY RUNS STEPS [SEED] - each answer by the index is the answer without it.

It makes a results directory, and in each step changes something: appends records and other lines, leaves a line torn,
completes it, cuts a file, replaces it, changes its bytes, prunes it, sets its clock back, damages the index, or lets two
other processes ask at the same time. After each step it asks its questions with TASKRESULTS_INDEX=off, and twice with
an index: in a directory that lives as long as the run. All answers must be the same, row by row.

An edit in the middle of a file that keeps its length is not seen, as ext/INDEX.md says, so none is made: what is
changed in place is in the first or the last page.
"""
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

QUESTIONS = [
    "SELECT count(*) FROM task_results",
    "SELECT count(*) FROM task_results WHERE success = 0",
    "SELECT count(*), sum(ok), min(time_us), max(offset) FROM task_results WHERE ok = 0",
    "SELECT job_id, success, ok, time_us, rowid, offset FROM task_results",
    "SELECT rowid, * FROM task_results WHERE ok = 0",
    "SELECT rowid, * FROM task_results WHERE success = 1 AND time_us >= {middle}",
    "SELECT job_id, count(*) FROM task_results WHERE success IS NULL GROUP BY job_id",
    "SELECT count(*) FROM task_results WHERE success IS NOT 1",
    "SELECT rowid, timestamp FROM task_results WHERE timestamp >= '{text}' AND timestamp < '{later}'",
    "SELECT rowid, timestamp FROM task_results WHERE timestamp = '{text}'",
    "SELECT job_id, rowid FROM task_results WHERE time_us BETWEEN {middle} AND {middle} + 90000000",
    "SELECT job_id, date(time_us / 1000000, 'unixepoch') AS day, count(*), total(ok) FROM task_results"
    " GROUP BY job_id, day ORDER BY job_id, day",
    "SELECT rowid, output FROM task_results WHERE error LIKE '%quota%'",
    "SELECT rowid, error FROM task_results WHERE ok = 0 AND error LIKE '%time%' AND job_id = 'b'",
    "SELECT rowid, job_name FROM task_results ORDER BY rowid DESC LIMIT 5",
    "SELECT rowid, success FROM task_results WHERE ok = 0 ORDER BY rowid DESC",
    "SELECT rowid, success FROM task_results LIMIT 3",
    "SELECT rowid, success FROM task_results WHERE ok = 0 LIMIT 2 OFFSET 1",
    "SELECT count(*) FROM task_results WHERE job_id IN ('a', 'c') AND time_us IS NULL",
    "SELECT max(rowid), success FROM task_results WHERE job_id = 'a'",
    "SELECT a.rowid, count(b.rowid) FROM task_results AS a LEFT JOIN task_results AS b"
    " ON b.job_id = a.job_id AND b.time_us = a.time_us AND b.ok = 0"
    " WHERE a.rowid IN (SELECT rowid FROM task_results WHERE ok = 0 AND job_id = 'c' LIMIT 4) GROUP BY a.rowid",
    "SELECT count(*) FROM task_results WHERE ok = 0 OR time_us < {middle}",
    "SELECT {stats} FROM task_stats",
    "SELECT {stats} FROM task_stats('{text}', NULL)",
    "SELECT {stats} FROM task_stats(NULL, '{later}')",
    "SELECT {stats} FROM task_stats WHERE job_id = 'b'",
    "SELECT job_id, runs, failures FROM task_stats WHERE streak < 0",
    "SELECT * FROM task_days",
    "SELECT job_id, day, failures FROM task_days WHERE job_id = 'a'",
    "SELECT * FROM task_errors",
    "SELECT * FROM task_errors('{text}', '{later}')",
    "SELECT rowid, * FROM task_rejects",
    "SELECT count(*) FROM task_rejects WHERE job_id = 'c'",
    "SELECT * FROM task_history",
    "SELECT job_id, segment, offset, ok FROM task_history WHERE ok = 0 ORDER BY job_id, segment_no, offset",
    "SELECT count(*) FROM task_runs",
]
STATS = ("job_id, runs, successes, failures, success_rate, first_run, last_run, last_success, last_failure, last_error, "
         "streak, longest_failure_streak, mtbf_s, mttr_s, rejects, first_run_us, last_run_us, last_success_us, "
         "last_failure_us, unknowns, others")
START_US = 1_760_000_000_000_000


def stamp(time_us):
    return sqlite3.connect(":memory:").execute(
        "SELECT strftime('%Y-%m-%dT%H:%M:%S', ? / 1000000, 'unixepoch')", [time_us]).fetchone()[0]


class Directory:
    """The results, and all that can happen to them."""

    def __init__(self, dice, path):
        self.dice, self.path, self.clock = dice, path, START_US
        self.jobs = ["a", "b", "c"]
        os.mkdir(path)

    def file(self, job=None):
        return os.path.join(self.path, (job or self.dice.choice(self.jobs)) + ".jsonl")

    def time(self):
        dice = self.dice
        self.clock += dice.choice([0, 1, 61_000_000, 3_600_000_000, 86_400_000_000, -7_200_000_000])
        text = stamp(self.clock)
        return dice.choice([text + "Z"] * 8 + [text + ".%06dZ" % dice.randrange(10**6), text + "+01:00", text,
                                               "soon", "", None, 12, text[:10], "9999-12-31T23:59:60Z"])

    def record(self):
        dice = self.dice
        record = {"timestamp": self.time(), "job_id": dice.choice(self.jobs), "job_name": "J",
                  "success": dice.choice([True] * 9 + [False] * 3 + [None, 0, 1, "", "0", "no", [], [0], {}, 0.0, 1e3])}
        if record["success"] is not True:
            record["error"] = dice.choice(["quota exceeded", "timeout after %d s" % dice.randrange(99), "", None, "é\n"])
        record["output"] = "x" * dice.choice([0, 5, 80, 700, 3000])
        for key in [key for key in record if dice.random() < 0.02]:
            del record[key]
        return json.dumps(record, ensure_ascii=dice.random() < 0.5).encode()

    def line(self):
        if self.dice.random() < 0.93:
            return self.record()
        return self.dice.choice([b"", b"  ", b"{", b"[]", b"7", b"\xff\xfe", b"\0" * 9, self.record()[:-4],
                                 self.record() + self.record(), b"\xef\xbb\xbf" + self.record(), b'{"success": tru}',
                                 self.record() + b"\r"])

    def lines(self, count):
        return b"".join(self.line() + b"\n" for _ in range(count))

    def append(self):
        with open(self.file(), "ab") as out:
            out.write(self.lines(self.dice.choice([1, 3, 40, 400, 3000])))

    def append_torn(self):
        with open(self.file(), "ab") as out:
            out.write(self.lines(self.dice.choice([0, 50])) + self.record()[:self.dice.choice([1, 30, -1])])

    def append_rest(self):
        with open(self.file(), "ab") as out:
            out.write(self.dice.choice([b"\n", b"}\n", b' "x"}\n' + self.record()]))

    def cut(self):
        path = self.file()
        if os.path.exists(path):
            size = os.path.getsize(path)
            os.truncate(path, self.dice.choice([0, size // 2, max(0, size - 1), max(0, size - 5000),
                                                self.dice.randrange(size + 1)]))

    def rewrite(self):
        with open(self.file(), "wb") as out:
            out.write(self.lines(self.dice.choice([0, 5, 300, 1500])))

    def replace(self):
        path = self.file()
        with open(path + ".new", "wb") as out:
            out.write(self.lines(self.dice.choice([1, 300, 1500])))
        os.rename(path + ".new", path)

    def swap(self):
        one, other = self.file("a"), self.file("b")
        if os.path.exists(one) and os.path.exists(other):
            os.rename(one, one + ".x")
            os.rename(other, one)
            os.rename(one + ".x", other)

    def rotate(self):
        path = self.file()
        if os.path.exists(path):
            os.rename(path, path + ".1")

    def remove(self):
        path = self.file()
        if os.path.exists(path):
            os.unlink(path)

    def edit_end(self):
        """Turns a success in the last page into a failure of the same length."""
        path = self.file()
        if os.path.exists(path):
            with open(path, "r+b") as file:
                at = max(0, os.path.getsize(path) - 4000)
                file.seek(at)
                bytes_there = file.read()
                file.seek(at)
                file.write(bytes_there.replace(b'"success": true,', b'"success": null,').replace(b"quota", b"timed"))

    def edit_begin(self):
        path = self.file()
        if os.path.exists(path) and os.path.getsize(path) > 4096:
            with open(path, "r+b") as file:
                bytes_there = file.read(4000)
                file.seek(0)
                file.write(bytes_there.replace(b"true", b"null", 1))

    def set_back(self):
        path = self.file()
        if os.path.exists(path):
            os.utime(path, (1, 1))


class Asker:
    """Asks in this process, over one connection for each answer, so that nothing is remembered."""

    def __init__(self, library, results, index):
        self.library, self.results, self.index = library, results, index

    def connect(self, index):
        os.environ["TASKRESULTS_INDEX"] = index
        os.environ["SCHEDULER_RESULTS_DIR"] = self.results
        connection = sqlite3.connect(":memory:")
        connection.enable_load_extension(True)
        connection.load_extension(self.library)
        connection.text_factory = bytes
        return connection

    def answers(self, index, questions):
        connection = self.connect(index)
        found = []
        for question in questions:
            try:
                found.append(connection.execute(question).fetchall())
            except sqlite3.Error as error:
                found.append(str(error))
        connection.close()
        return found


def damage(dice, index):
    """Something happens to a file of the index."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(index) for name in names]
    paths = [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
    if not paths:
        return
    path = dice.choice(paths)
    what = dice.randrange(7)
    size = os.path.getsize(path)
    if what == 0:
        os.truncate(path, dice.randrange(size + 1))
    elif what == 1 and size:
        with open(path, "r+b") as file:
            file.seek(dice.randrange(size))
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 1 << dice.randrange(8)]))
    elif what == 2:
        with open(path, "ab") as file:
            file.write(dice.randbytes(dice.choice([1, 40, 5000])))
    elif what == 3:
        other = dice.choice(paths)
        if other != path:
            shutil.copyfile(other, path)
    elif what == 4:
        os.unlink(path)
        dice.choice([lambda: os.mkfifo(path), lambda: os.symlink("/etc/passwd", path), lambda: os.mkdir(path)])()
    elif what == 5:
        os.chmod(path, 0o666)
    else:
        shutil.rmtree(index)
        os.mkdir(index, 0o700)


def ask_at_once(library, results, index, jobs):
    """Two processes build the index while records are appended."""
    program = (
        "import sqlite3, sys\nconnection = sqlite3.connect(':memory:')\nconnection.enable_load_extension(True)\n"
        "connection.load_extension(sys.argv[1])\n"
        "for _ in range(6):\n"
        "    connection.execute('SELECT count(*) FROM task_results WHERE ok = 0').fetchall()\n"
        "    connection.execute('SELECT * FROM task_stats').fetchall()\n")
    environment = dict(os.environ, TASKRESULTS_INDEX=index, SCHEDULER_RESULTS_DIR=results)
    askers = [subprocess.Popen([sys.executable, "-c", program, library], env=environment) for _ in range(2)]
    line = b'{"timestamp": "2026-01-01T00:00:00Z", "job_id": "a", "job_name": "J", "success": false, "error": "x"}\n'
    for _ in range(100):
        if all(asker.poll() is not None for asker in askers):
            break
        for job in jobs:
            with open(os.path.join(results, job + ".jsonl"), "ab") as out:
                out.write(line * 20)
    return all(asker.wait() == 0 for asker in askers)


def shown(rows):
    return rows if isinstance(rows, str) else f"{len(rows)} rows"


def differ(question, without, by_index):
    print(f"DIFFERENT: {question}\n  without: {shown(without)}\n  by the index: {shown(by_index)}")
    if isinstance(without, list) and isinstance(by_index, list):
        for one, other in zip(without, by_index):
            if one != other:
                print(f"  first difference:\n    {str(one)[:300]}\n    {str(other)[:300]}")
                break


def run(library, seed, steps):
    """The number of differences."""
    dice = random.Random(seed)
    place = tempfile.mkdtemp(prefix="index.")
    results, index = os.path.join(place, "results"), os.path.join(place, "index")
    os.mkdir(index, 0o700)
    directory = Directory(dice, results)
    asker = Asker(library, results, index)
    changes = [directory.append] * 8 + [
        directory.append_torn, directory.append_rest, directory.cut, directory.rewrite, directory.replace,
        directory.swap, directory.rotate, directory.remove, directory.edit_end, directory.edit_begin, directory.set_back]
    others = ["damage", "prune", "archive", "at once", "longest line", "threads", "mapping", "environment again"]
    differences = 0
    for step in range(steps):
        change = dice.choice(changes) if dice.random() < 0.75 else dice.choice(others)
        if change == "damage":
            damage(dice, index)
        elif change in ("prune", "archive"):
            connection = asker.connect("off")
            try:
                connection.execute("SELECT taskresults_prune(?, 'keep', ?, 'archive', ?)",
                                   [dice.choice(directory.jobs), dice.choice([20, 500]), change == "archive"]).fetchall()
            except sqlite3.Error:
                pass
            connection.close()
        elif change == "at once":
            if not ask_at_once(library, results, index, directory.jobs):
                print("a process that asked has failed")
                differences += 1
        elif change == "longest line":
            os.environ["TASKRESULTS_MAX_LINE"] = dice.choice(["1000", "100000"])
        elif change == "threads":
            os.environ["TASKRESULTS_THREADS"] = dice.choice(["1", "2", "8"])
        elif change == "mapping":
            os.environ["TASKRESULTS_MAP"] = "runs"
        elif change == "environment again":
            os.environ.pop("TASKRESULTS_MAP", None)
            os.environ.pop("TASKRESULTS_MAX_LINE", None)
            os.environ.pop("TASKRESULTS_THREADS", None)
        else:
            change()
        middle = directory.clock - dice.choice([0, 10**9, 10**10, 10**12])
        facts = {"middle": middle, "text": stamp(middle), "later": stamp(middle + 10**10) + "Z", "stats": STATS}
        questions = [question.format(**facts) for question in dice.sample(QUESTIONS, 9)]
        without = asker.answers("off", questions)
        for which in ("first", "second"):
            for question, expected, found in zip(questions, without, asker.answers(index, questions)):
                if expected != found:
                    name = change if isinstance(change, str) else change.__name__
                    print(f"seed {seed}, step {step} ({name}), {which} time:")
                    differ(question, expected, found)
                    differences += 1
        if differences > 5:
            break
    saved = sum(len(names) for _, _, names in os.walk(index))
    if differences:
        print(f"kept: {place}")
    else:
        shutil.rmtree(place)
    return differences, saved


def main():
    library, runs, steps = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    differences = saved = 0
    for seed in range(first, first + runs):
        found, files = run(library, seed, steps)
        differences += found
        saved += files
    print(f"{runs * steps} steps, {differences} differences, {saved} files of the index in the end")
    sys.exit(1 if differences or not saved else 0)


if __name__ == "__main__":
    main()
