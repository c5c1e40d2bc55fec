#!/usr/bin/env python3
"""indexed.py - asks the same questions with an index and without one, while the files change between them.

usage: indexed.py EXTENSION DIR [STEPS [SEED]]

At each step one file of DIR/results is changed: records are appended, whole and torn ones; it is truncated, rewritten with
the same size, replaced, renamed, removed, pruned. Then all questions are asked without an index, with the one that has grown
so far, with one of an earlier step, and with one that was just made from parts of the files. All answers are the same, and
so is the number of records that were left out because their time cannot be read. Prints each difference; exits 1 if there
is one.

One change is never made: an edit in the middle of a file that keeps its size and the pages at both ends. No index sees it.
"""
import json
import os
import random
import shutil
import subprocess
import sys

TIMES = ["2026-02-15T01:44:15Z", "2026-02-15T01:44:15.821425Z", "2026-02-14 23:00", "2026-02-15T02:44:15+01:00", "soon", "", None, 2026,
         "2026-02-30T00:00:00Z", "1969-12-31T23:59:59Z", "\u00dcber"]
SUCCESSES = [True, False, None, 1, 0, 2, -1, 0.0, 0.5, "0", "", "true", [], [1], {"a": 0}, {}]
LINES_THAT_ARE_NONE = [b"", b"  \t", b"{", b"null", b"[1]", b'{"a":1}x', b"\xff\xfe", b'{"timestamp":"2026-02-15T01:44:15Z","success":tru']
ERRORS = ["Connection refused: db-3", "Connection refused: db-4", "timeout after 30 s", "", None, 5, "disk full\nat /var"]
WINDOWS = ["NULL, NULL", "'2026-01-05T00:00:00Z', NULL", "NULL, '2026-01-09'", "'2026-01-03', '2026-01-04T12:00:00Z'", "'2027-01-01', NULL"]
FILTERS = ["1", "ok = 0", "ok = 1", "ok IS NULL", "NOT ok", "success = 0", "success = 1", "success IS NULL", "success IN (0, 'x', 1)", "success <> 1",
           "time_us >= 1767700000000000", "time_us BETWEEN 1767600000000000 AND 1767900000000000 AND ok = 0",
           "time_us < 1767600000000000 AND success = 1", "timestamp >= '2026-01-08'", "timestamp < '2026-01-05T06:00:00Z' AND ok = 0",
           "error LIKE '%refused%'", "error LIKE '%refused%' AND ok = 0", "job_id = 'b' AND ok = 0", "job_id IN ('a', 'c') AND time_us > 0",
           "ok = 0 AND offset > 500", "ok = 0 AND rowid % 3 = 0"]
THIN = ["count(*), count(success), sum(ok), min(time_us), max(time_us), sum(offset)", "job_id, offset, time_us, success, ok, typeof(success)"]
FULL = ["timestamp, job_id, job_name, success, output, error, time_us, offset, ok, record"]


def questions():
    for condition in FILTERS:
        for columns in THIN + FULL:
            yield f"SELECT {columns} FROM task_results WHERE {condition}"
        yield f"SELECT job_id, offset, ok, error FROM task_results WHERE {condition} ORDER BY job_id, rowid LIMIT 7 OFFSET 3"
    yield "SELECT rowid, ok FROM task_results ORDER BY rowid DESC LIMIT 9"
    yield "SELECT job_id, date(time_us / 1000000, 'unixepoch'), count(*), sum(ok = 0) FROM task_results GROUP BY 1, 2"
    yield "SELECT a.offset, b.offset FROM task_results('a') a JOIN task_results('b') b ON a.time_us = b.time_us WHERE a.ok = 0 AND b.ok = 0"
    yield "SELECT a.job_id, (SELECT count(*) FROM task_results b WHERE b.job_id = a.job_id AND NOT b.ok) FROM task_stats a"
    yield "SELECT job_id, offset, segment, success, ok FROM task_history WHERE ok = 0"
    yield "SELECT count(*), sum(ok), max(time_us) FROM task_history"
    yield "SELECT job_id, reason, offset, length, line FROM task_rejects"
    yield "SELECT job_id, count(*) FROM task_rejects WHERE job_id < 'c' GROUP BY 1"
    yield "SELECT count(*), sum(ok), sum(time_us) FROM task_runs WHERE ok = 0"
    yield "SELECT * FROM task_days"
    yield "SELECT *, age, pruned_failures, first_run_us FROM task_days WHERE zone = 'Europe/Berlin' AND as_of = '2026-01-09T12:00:00Z'"
    for window in WINDOWS:
        yield (f"SELECT *, first_run_us, last_run_us, last_success_us, last_failure_us, last_duration_s, unknowns, others FROM task_stats({window})")
        yield f"SELECT *, first_run_us, rowid FROM task_errors({window})"
    yield "SELECT job_id, streak, runs FROM task_stats WHERE job_id IN ('b', 'c')"


def ask(extension, results, index, asked):
    sql = "".join(f"SELECT '== {i}';\n{text};\nSELECT 'untimed', taskresults_untimed();\n" for i, text in enumerate(asked))
    environment = {**os.environ, "SCHEDULER_RESULTS_DIR": results, "TASKRESULTS_INDEX": index or "off"}
    done = subprocess.run(["sqlite3", "-batch", "-init", "/dev/null", "-nullvalue", "NULL", "-cmd", f".load {extension}", ":memory:"],
                          input=sql.encode(), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.split(b"== ")[1:] if done.returncode == 0 else [done.stdout]


class Files:
    def __init__(self, directory, extension, rng):
        self.directory, self.extension, self.rng, self.now = directory, extension, rng, 1767571200
        os.makedirs(directory)

    def path(self, job):
        return os.path.join(self.directory, f"{job}.jsonl")

    def a_job(self):
        return self.rng.choice("abcd")

    def a_line(self):
        rng = self.rng
        if rng.random() < 0.06:
            return rng.choice(LINES_THAT_ARE_NONE)
        self.now += rng.choice([1, 60, 3600, -1800])
        record = {"timestamp": f"2026-01-{1 + self.now // 86400 % 28:02d}T{self.now // 3600 % 24:02d}:{self.now // 60 % 60:02d}:{self.now % 60:02d}Z",
                  "job_name": "A job", "success": rng.random() < 0.7, "output": "x" * rng.choice([0, 5, 40, 300])}
        if not record["success"]:
            record["error"] = rng.choice(ERRORS)
        if rng.random() < 0.1:
            record["timestamp"] = rng.choice(TIMES)
        if rng.random() < 0.15:
            record["success"] = rng.choice(SUCCESSES)
        if rng.random() < 0.04:
            del record["success"]
        return json.dumps(record).encode()

    def append(self, job=None, least=0):
        job = job or self.a_job()
        lines = [self.a_line() for _ in range(max(least, self.rng.choice([1, 3, 20, 60])))]
        end = b"\n" if self.rng.random() < 0.6 else b""
        with open(self.path(job), "ab") as file:
            file.write(b"\n".join(lines) + end)
        return f"append {len(lines)} to {job}{'' if end else ', torn'}"

    def end_line(self):
        job = self.a_job()
        with open(self.path(job), "ab") as file:
            file.write(b"\n")
        return f"newline to {job}"

    def truncate(self):
        job = self.a_job()
        if not os.path.exists(self.path(job)):
            return "nothing"
        size = self.rng.randrange(os.path.getsize(self.path(job)) + 1)
        os.truncate(self.path(job), size)
        return f"truncate {job} to {size}"

    def rewrite(self):
        job = self.a_job()
        if not os.path.exists(self.path(job)):
            return "nothing"
        with open(self.path(job), "r+b") as file:
            text = file.read().replace(b"2026-", b"2024-").replace(b"refused", b"ignored")
            file.seek(0)
            file.write(text)
        return f"rewrite {job} with the same size"

    def replace(self):
        job = self.a_job()
        with open(self.path(job) + "_", "wb") as file:
            file.write(b"".join(self.a_line() + b"\n" for _ in range(self.rng.choice([0, 1, 30]))))
        os.rename(self.path(job) + "_", self.path(job))
        return f"replace {job}"

    def rename(self):
        job, other = self.a_job(), self.a_job()
        if os.path.exists(self.path(job)):
            os.rename(self.path(job), self.path(other))
        return f"rename {job} to {other}"

    def remove(self):
        job = self.a_job()
        if os.path.exists(self.path(job)):
            os.remove(self.path(job))
        return f"remove {job}"

    def prune(self):
        job = self.a_job()
        option = self.rng.choice(["'keep', 20", "'keep', 5, 'keep_failures', 3", "'since', '2026-01-07'"])
        subprocess.run(["sqlite3", "-batch", "-init", "/dev/null", "-cmd", f".load {self.extension}", ":memory:",
                        f"SELECT taskresults_prune('{job}', {option})"], env={**os.environ, "SCHEDULER_RESULTS_DIR": self.directory},
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return f"prune {job}: {option}"

    def touch(self):
        job = self.a_job()
        if os.path.exists(self.path(job)):
            os.utime(self.path(job))
        return f"touch {job}"

    def change(self):
        steps = [self.append] * 8 + [self.end_line, self.truncate, self.rewrite, self.replace, self.rename, self.remove, self.prune, self.prune, self.touch]
        return self.rng.choice(steps)()


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def main():
    extension, place = sys.argv[1:3]
    steps, seed = int(sys.argv[3]) if len(sys.argv) > 3 else 20, int(sys.argv[4]) if len(sys.argv) > 4 else 1
    rng = random.Random(seed)
    grown, earlier, half = (os.path.join(place, name) for name in ("grown", "earlier", "half"))
    os.makedirs(place, exist_ok=True)
    for name in (grown, earlier):
        os.mkdir(name, 0o700)
    files, asked, differences, said = Files(os.path.join(place, "results"), extension, rng), list(questions()), 0, []
    for job in "abcd":
        files.append(job, 60)
    for step in range(steps):
        said.append(files.change())
        shutil.rmtree(half, ignore_errors=True)
        os.mkdir(half, 0o700)
        ask(extension, files.directory, half, ["SELECT count(*) FROM task_results WHERE job_id IN ('a', 'b')"])
        said.append(files.append())
        expected = ask(extension, files.directory, None, asked)
        assert len(expected) == len(asked), expected
        for name in (grown, earlier, half):
            answers = ask(extension, files.directory, name, asked)
            for i, text in enumerate(asked):
                if len(answers) == len(asked) and answers[i] == expected[i]:
                    continue
                differences += 1
                print(f"step {step} ({'; '.join(said[-6:])}), index {os.path.basename(name)}: {text}")
                print(f"  expected {expected[i][:300]!r}\n  but      {(answers[i] if i < len(answers) else answers[-1])[:300]!r}")
                if differences > 5:
                    sys.exit(1)
        if rng.random() < 0.3:
            copy(grown, earlier)
    print(f"{steps} steps, {len(asked)} questions each: {differences} differences")
    sys.exit(differences > 0)


main()
