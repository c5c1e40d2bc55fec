#!/usr/bin/env python3
"""dialects.py generate DIALECT DIR [COUNT]     writes files of that program into DIR: every state, odd times, torn lines, nesting
   dialects.py check DIALECT EXTENSION DIR      holds every table against what Python makes of the files
   dialects.py commands DIALECT TASKRESULTS DIR does the same with what the commands count

What a line means is written here a second time, in Python, from the description of each program in ext/DIALECTS.md: which key
is what, and which values of the status are a success, a failure, or neither. Prints the first disagreements; exits 1 if there
were any.
"""
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from decimal import Decimal

import report
import rows

OTHER = object()
YEAR_0, YEAR_10000 = -62167219200 * 10**6, 253402300800 * 10**6


# --- what a line means -----------------------------------------------------------------------------------------------------

def first(record, *keys):
    return next((record[key] for key in keys if record.get(key) is not None), None)


def by_status(status, good, bad):
    return True if status in good else False if status in bad else None


def openclaw(record):
    """Also letta's: a run that is only queued is none yet; events between are no runs."""
    action, status = record.get("action"), record.get("status")
    if action in ("completed", "failed", "enqueue_failed", "pump_failed", "cancelled", "dropped"):
        ok = {"completed": True, "cancelled": None, "dropped": None}.get(action, False)
    elif action == "finished":
        ok = by_status(status, ["ok"], ["error"])
    else:
        return OTHER
    if record.get("outcome") == "queued":
        ok = None
    return dict(time=record.get("ts"), started=record.get("runAtMs"), ok=ok, output=record.get("summary"),
                error=first(record, "error", "errorMessage"), ms=record.get("durationMs"))


def runs(record):
    ms = first(record, "durationMs", "duration_ms")
    if ms is None and record.get("duration_seconds") is not None:
        ms = record["duration_seconds"] * 1000
    return dict(time=first(record, "finishedAt", "finished_at", "finishedAtMs", "completed_at", "doneAt", "ts"),
                started=first(record, "startedAt", "started_at", "startedAtMs"),
                ok=by_status(record.get("status"), ["ok", "success", "succeeded", "done", "completed"], ["error", "failed", "timeout"]),
                name=first(record, "jobName", "job_name", "name"), status=record.get("status"),
                output=first(record, "summary", "output_summary", "outputTail", "output"),
                error=first(record, "error", "errorMessage", "error_message", "errors"), ms=ms)


def gitlab(record):
    if record.get("job_status") not in ("done", "fail"):
        return OTHER
    seconds = record.get("duration_s")
    return dict(time=record.get("time"), job=record.get("class"), ok=record["job_status"] == "done",
                error=first(record, "error_message", "error_class"), ms=None if seconds is None else seconds * 1000)


def n8n(record):
    """`payload.success` of the event is not to be trusted."""
    if record.get("eventName") not in ("n8n.workflow.success", "n8n.workflow.failed"):
        return OTHER
    payload = record.get("payload") if isinstance(record.get("payload"), dict) else {}
    return dict(time=record.get("ts"), job=payload.get("workflowId"), name=payload.get("workflowName"),
                ok=record["eventName"].endswith("success"), error=payload.get("errorMessage"))


# name: (reads a record, the names of files in the order of time, have jobs their own files)
DIALECTS = {
    "openclaw": (openclaw, lambda names: sorted(name for name in names if name.endswith(".jsonl")), True),
    "runs": (runs, lambda names: sorted(name for name in names if name.endswith(".jsonl")), True),
    "gitlab": (gitlab, lambda names: [name for name in names if name == "current"], False),
    "n8n": (n8n, lambda names: sorted((name for name in names if re.fullmatch(r"n8nEventLog.*\.log", name)),
                                      key=lambda name: -int((re.search(r"(\d+)\.log$", name) or [0, 0])[1])), False),
}


def epoch_us(text):
    """Microseconds of a number, as a text; its size tells its unit."""
    if not re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
        return None
    number = Decimal(text)
    size = abs(int(number))
    us = int(number * (10**6 if size < 10**11 else 1000 if size < 10**14 else 1))
    return us if YEAR_0 <= us < YEAR_10000 else None


def time_of(value):
    """(microseconds or None, how it is shown)"""
    number = None if isinstance(value, bool) else str(value) if isinstance(value, (int, Decimal)) else value
    us = epoch_us(number) if isinstance(number, str) else None
    if us is not None:
        return us, shown_time(us)
    known = rows.time_us({"timestamp": value})
    return (None if known == "N" else int(known[1:])), value


def shown_time(us):
    seconds, fraction = divmod(us, 10**6)
    days, second = divmod(seconds, 86400)
    year, month, day = civil(days)
    text = f"{year:04}-{month:02}-{day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return text + (f".{fraction:06}Z" if fraction else "Z")


def civil(days):
    """The calendar repeats every 146097 days, which are 400 years; so Python's, which begins with the year 1, will do."""
    from datetime import date, timedelta
    cycle, rest = divmod(days + 719528, 146097)  # days since the year 0
    found = date(2000, 1, 1) + timedelta(days=rest)
    return found.year - 2000 + 400 * cycle, found.month, found.day


def shown(value):
    """As SQL has it."""
    if value != value:
        return None
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal) or (isinstance(value, int) and not -(2**63) <= value < 2**63):
        return float(value)
    return json.dumps(plain(value), separators=(",", ":")) if isinstance(value, (list, dict)) else value


def plain(value):
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else value


def job_text(value):
    return None if value is None else value if isinstance(value, str) else json.dumps(plain(value))


class Read:
    """What a directory has."""

    def __init__(self, dialect, directory):
        meaning, names, own_files = DIALECTS[dialect]
        self.dialect = dialect
        self.results, self.rejects, self.others = [], [], Counter()
        for name in names(os.listdir(directory)):
            job = name[:-len(".jsonl")] if own_files else None
            for offset, line in rows.lines_of(os.path.join(directory, name)):
                judged = rows.verdict(line)
                if judged is None:
                    continue
                found = judged is not False and meaning(json.loads(judged[0], parse_float=Decimal))
                if judged is False:
                    self.rejects.append([job, offset, len(line)])
                elif found is OTHER:
                    self.others[job] += 1
                else:
                    self.results.append(self.result(found, job, own_files, offset))

    @staticmethod
    def result(found, job, own_files, offset):
        us, text = time_of(found.get("time"))
        start_us, took_us, ms = time_of(found.get("started"))[0], None, found.get("ms")
        if isinstance(ms, (int, Decimal)) and not isinstance(ms, bool) and ms >= 0:
            took_us = int(ms * 1000 + Decimal("0.5"))
        elif start_us is not None and us is not None and start_us <= us:
            took_us = us - start_us
        if start_us is None and took_us is not None and us is not None:
            start_us = us - took_us
        return dict(job=job if own_files else job_text(found.get("job")), name=shown(found.get("name")), timestamp=shown(text),
                    time_us=us, ok=found["ok"], output=shown(found.get("output")), error=shown(found.get("error")), offset=offset,
                    started_us=start_us, took_us=took_us, status=found.get("status", "?"))

    def jobs(self):
        """{job: its records}; those without one belong to None."""
        jobs = {}
        for result in self.results:
            jobs.setdefault(result["job"], []).append(result)
        for job in [reject[0] for reject in self.rejects] + list(self.others):
            jobs.setdefault(job, [])
        return jobs

    def figures(self):
        return sorted((self.figures_of(job, results) for job, results in self.jobs().items()), key=repr)

    def figures_of(self, job, results):
        good = [result for result in results if result["ok"]]
        bad = [result for result in results if result["ok"] is False]
        streak = worst = 0
        for result in results:
            if result["ok"] is not None:
                streak = max(streak, 0) + 1 if result["ok"] else min(streak, 0) - 1
                worst = max(worst, -streak)
        times = lambda some: some[-1]["timestamp"] if some else None
        took = sorted(result["took_us"] for result in results if result["took_us"] is not None)
        quantile = lambda percent: took[max(0, math.ceil(len(took) * percent / 100) - 1)] if took else None
        return [job, len(results), len(good), len(bad), round(100 * len(good) / (len(good) + len(bad)), 9) if good or bad else None,
                results[0]["timestamp"] if results else None, times(results), times(good), times(bad),
                bad[-1]["error"] if bad else None, streak, worst, sum(reject[0] == job for reject in self.rejects),
                len(results) - len(good) - len(bad), self.others[job], quantile(50), quantile(95), quantile(100)]


# --- the comparison --------------------------------------------------------------------------------------------------------

class Verdict:
    def __init__(self):
        self.compared = self.different = 0

    def compare(self, what, ours, python):
        self.compared += max(len(ours), len(python))
        differences = [(a, b) for a, b in zip(ours, python) if a != b]
        if len(ours) != len(python):
            print(f"{what}: {len(ours)} rows, and Python has {len(python)}")
        for a, b in differences[:3]:
            print(f"{what}:\n  ours   {a}\n  python {b}")
        self.different += len(differences) + abs(len(ours) - len(python))

    def end(self):
        print(f"{self.compared} compared, {self.different} disagreements")
        return 1 if self.different or not self.compared else 0


def query(extension, dialect, directory, sql):
    """The rows of a SELECT json_array(...)."""
    done = subprocess.run(["sqlite3", "-batch", "-bail", "-init", "/dev/null", "-cmd", f".load {extension}", ":memory:", sql],
                          env=surroundings(dialect, directory), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.decode("utf-8", "replace").splitlines()]


def surroundings(dialect, directory):
    return {"PATH": os.environ["PATH"], "SCHEDULER_RESULTS_DIR": directory, "TASKRESULTS_MAP": dialect, "HOME": "/nowhere",
            "LANG": "C.UTF-8", "TASKRESULTS_THREADS": os.environ.get("TASKRESULTS_THREADS", "2")}


def bit(ok):
    return None if ok is None else int(ok)


def check(dialect, extension, directory):
    verdict, read = Verdict(), Read(dialect, directory)
    ask = lambda sql: query(extension, dialect, directory, sql)
    of = lambda *keys: [[bit(result[key]) if key == "ok" else result[key] for key in keys] for result in read.results]
    verdict.compare("task_results", ask("SELECT json_array(job_id, job_name, timestamp, time_us, success, ok, output, error, offset)"
                                        " FROM task_results ORDER BY rowid"),
                    of("job", "name", "timestamp", "time_us", "ok", "ok", "output", "error", "offset"))
    verdict.compare("task_runs", ask("SELECT json_array(job_id, started_us, CAST(round(duration_s * 1e6) AS INTEGER), ok, offset)"
                                     " FROM task_runs ORDER BY rowid"),
                    [[r["job"], r["started_us"], r["took_us"], bit(r["ok"]), r["offset"]] for r in read.results])
    verdict.compare("task_rejects", ask("SELECT json_array(job_id, offset, length) FROM task_rejects ORDER BY rowid"), read.rejects)
    stats = ask("""SELECT json_array(job_id, runs, successes, failures, round(success_rate, 9), first_run, last_run, last_success,
        last_failure, last_error, streak, longest_failure_streak, rejects, unknowns, others, CAST(round(p50_s * 1e6) AS INTEGER),
        CAST(round(p95_s * 1e6) AS INTEGER), CAST(round(max_s * 1e6) AS INTEGER)) FROM task_stats""")
    verdict.compare("task_stats", sorted(stats, key=repr), read.figures())
    errors = Counter(result["job"] for result in read.results if result["ok"] is False)
    verdict.compare("task_errors", sorted(ask("SELECT json_array(job_id, sum(times)) FROM task_errors GROUP BY job_id"), key=repr),
                    sorted(([job, count] for job, count in errors.items()), key=repr))
    pushed_down(verdict, read, ask)
    return verdict.end()


def pushed_down(verdict, read, ask):
    """What the scan skips is only what a condition is false for."""
    literal = lambda text: "'" + text.replace("'", "''") + "'"
    results = read.results
    times = sorted(result["time_us"] for result in results if result["time_us"] is not None)
    jobs = sorted({result["job"] for result in results if result["job"] is not None and "\0" not in result["job"]})
    middle, some = times[len(times) // 2], jobs[:: max(1, len(jobs) // 6)]
    conditions = {f"time_us >= {middle}": lambda r: r["time_us"] is not None and r["time_us"] >= middle,
                  "ok = 1": lambda r: r["ok"] is True, "ok = 0": lambda r: r["ok"] is False, "ok IS NULL": lambda r: r["ok"] is None,
                  "ok IS NOT 0": lambda r: r["ok"] is not False, "success = 0": lambda r: r["ok"] is False,
                  "job_id IS NULL": lambda r: r["job"] is None,
                  "job_id IN (%s)" % ", ".join(map(literal, some[:3])): lambda r: r["job"] in some[:3],
                  "(job_id = %s OR job_id = %s)" % (literal(some[0]), literal(some[-1])): lambda r: r["job"] in (some[0], some[-1])}
    for condition, holds in conditions.items():
        verdict.compare(condition, ask(f"SELECT json_array(job_id, offset) FROM task_results WHERE {condition} ORDER BY rowid"),
                        [[r["job"], r["offset"]] for r in results if holds(r)])
    for job in some:
        both = f"job_id = {literal(job)} OR job_id = {literal(some[0])}"
        verdict.compare(f"task_stats of {job}", ask(f"SELECT json_array(job_id, runs) FROM task_stats WHERE {both} ORDER BY job_id"),
                        [[one, sum(r["job"] == one for r in results)] for one in sorted({job, some[0]})])
    ordered = ask("SELECT json_array(job_id, offset) FROM task_results WHERE job_id IS NOT NULL ORDER BY job_id, rowid")
    verdict.compare("ORDER BY job_id", ordered, [[r["job"], r["offset"]] for r in sorted(
        (r for r in results if r["job"] is not None), key=lambda r: r["job"].encode("utf-8", "surrogatepass"))])


def commands(dialect, taskresults, directory):
    verdict, read = Verdict(), Read(dialect, directory)

    def run(*words, status=0):
        done = subprocess.run([taskresults, *words], env=surroundings(dialect, directory), stdout=subprocess.PIPE)
        assert status is None or done.returncode == status, (words, done)
        return done.stdout.decode()

    def lines(*words):
        return [json.loads(line) for line in run(*words).splitlines()]
    jobs = {job: read.figures_of(job, results) for job, results in read.jobs().items() if job is not None and results}
    told = sorted(([job, f[1], f[2], f[3], f[10]] for job, f in jobs.items()), key=lambda row: row[0].encode())
    listed = [[o["job_id"], o["runs"], o["successes"], o["failures"], o["streak"] * (1 if o["last_success"] else -1)]
              for o in lines("list", "--jsonl")]
    verdict.compare("list", listed, told)
    counted = [[o["job_id"], o["runs"], o["successes"], o["failures"]] for o in lines("stats", "--jsonl")]
    verdict.compare("stats", counted, [row[:4] for row in told])
    verdict.compare("view", [[o["job_id"], o["timestamp"]] for o in lines("view", "--all", "--limit", "0", "--errors", "--jsonl")],
                    [[r["job"], r["timestamp"]] for r in by_time(read.results) if r["ok"] is False])
    verdict.compare("errors", [sum(o["times"] for o in lines("errors", "--jsonl"))], [sum(r["ok"] is False for r in read.results)])
    verdict.compare("export", [len(lines("export", "--format", "jsonl"))], [len(read.results)])
    since = 16 * 10**14  # no record lies between this and the beginning of the window
    sla = [[o["job_id"], o["runs"], o["successes"]] for o in lines("sla", "--window", "3000d", "--jsonl") if o["job_id"] in jobs]
    verdict.compare("sla", sla, [[row[0], *(sum(r["ok"] in some and (r["time_us"] or 0) > since for r in read.jobs()[row[0]])
                                              for some in ((True, False), (True,)))] for row in told])
    rejected = [[o["job_id"], o["offset"]] for o in lines("rejects", "--jsonl")]
    verdict.compare("rejects", sorted(rejected, key=repr), sorted(([job, offset] for job, offset, _ in read.rejects), key=repr))
    doctor(verdict, read, run("doctor", status=None))
    monitoring(verdict, read, jobs, run)
    if DIALECTS[dialect][2]:
        of_single_files(verdict, read, told, run, lines)
        follow(verdict, read, [taskresults, "follow", "--jsonl", "--limit", "3"], surroundings(dialect, directory))
    return verdict.end()


def monitoring(verdict, read, jobs, run):
    """alerts, metrics and the status page: which jobs fail by now, and how often each ran."""
    with tempfile.TemporaryDirectory() as place:
        alerts = run("alerts", "--after", "1", "--state", place + "/state", status=1)
        run("report", "-o", place + "/page.html")
        page = report.data_of(place + "/page.html")["jobs"]
    failing = sorted(job for job, f in jobs.items() if f[10] < 0 and job)
    verdict.compare("alerts", sorted(line.split(": failed")[0] for line in alerts.splitlines()), failing)
    metrics = {}
    for job, result, number in re.findall(r'^taskresults_job_runs\{job_id="(.*)",result="(.*)"\} (\d+)$', run("metrics"), re.M):
        metrics.setdefault(job, {})[result] = int(number)
    verdict.compare("metrics", sorted([job, m["success"], m["failure"]] for job, m in metrics.items()),
                    sorted([job, f[2], f[3]] for job, f in jobs.items()))
    verdict.compare("report", sorted([job["id"], job["failures"], job["streak"]] for job in page if job["runs"]),
                    sorted([job, f[3], f[10]] for job, f in jobs.items()))


def of_single_files(verdict, read, told, run, lines):
    """Without rotated files, the history is what the live files have."""
    listed = [[o["job_id"], o["runs"], o["successes"], o["failures"]] for o in lines("list", "--history", "--jsonl")]
    verdict.compare("list --history", listed, [row[:4] for row in told])
    exported = [[o["job_id"], o["timestamp"]] for o in lines("export", "--history", "--format", "jsonl")]
    verdict.compare("export --history", sorted(exported, key=repr), sorted(([r["job"], r["timestamp"]] for r in read.results), key=repr))


def follow(verdict, read, command, environment):
    """The last three records of each job, which are in its file when it starts."""
    last = {job: results[-3:] for job, results in read.jobs().items() if results}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as child:
        found = [json.loads(child.stdout.readline()) for _ in range(sum(map(len, last.values())))]
        child.terminate()
    for job, results in last.items():
        verdict.compare("follow", [o["timestamp"] for o in found if o["job_id"] == job], [r["timestamp"] for r in results])


KNOWN = ("ok", "success", "succeeded", "done", "completed", "error", "failed", "timeout", "skipped", "partial", "cancelled", "interrupted")


def doctor(verdict, read, told):
    """What it counts: runs, lines that are none, records without a job; and of `runs` (whose status is one key) each value."""
    numbers = lambda pattern: [int(n) for n in re.findall(pattern, told, re.M)]
    verdict.compare("doctor", [numbers(r"^ok    mapping .*: (\d+) runs of (?:\d+) jobs"), numbers(r"(\d+) other lines"),
                               numbers("^note  records without a job: (\d+)")],
                    [[len(read.results)], [sum(read.others.values())], list(filter(None, [sum(r["job"] is None for r in read.results)]))])
    if read.dialect == "runs":
        strange = Counter(json.dumps(r["status"]) for r in read.results if r["status"] not in KNOWN)
        verdict.compare("doctor: no status", numbers("^note  runs without a status: (\d+)"), list(filter(None, [strange.pop("null", 0)])))
        verdict.compare("doctor: values", [list(found) for found in re.findall(r"no list of the mapping has: status (.*) \((\d+) times\)", told)],
                        [[value, str(times)] for value, times in sorted(strange.items(), key=lambda one: (-one[1], one[0]))])


def by_time(results):
    """The newest first; those without a time last; of the same time, the later ones first."""
    return [r for _, r in sorted(enumerate(results), key=lambda p: (p[1]["time_us"] is not None, p[1]["time_us"] or 0, p[0]), reverse=True)]


# --- data ------------------------------------------------------------------------------------------------------------------

class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ms = 1770000000000

    def text(self):
        words = ["done", "ok", "naïve", "日本", "😀", 'say "x"', "a\\b", "line\nbreak", "tab\t", "\x07", "", "x" * 300, "timeout after 30s"]
        return " ".join(self.random.choice(words) for _ in range(self.random.randrange(1, 6)))

    def one(self, *values):
        return self.random.choice(values)

    def tick(self):
        self.ms += self.random.randrange(1, 600000)
        return self.ms

    def iso(self, ms, form):
        us = shown_time(ms * 1000)
        return {"Z": us, "+01:00": us[:-1] + "+01:00", "+0100": us[:-1] + "+0100", "none": us[:-1], "blank": us.replace("T", " ")}[form]

    def odd_time(self, ms):
        return self.one(ms, ms / 1000, ms // 1000, ms * 1000, str(ms), str(ms // 1000) + ".5", -ms, "yesterday", None, True, 10**25, [ms],
                        {"at": ms}, "", self.iso(ms, "+0100"), "1e12", 1.5e12, 0, -1.25, "0099")

    def time(self, ms):
        return self.odd_time(ms) if self.random.random() < 0.1 else ms

    def usage(self):
        return {"input_tokens": self.random.randrange(9999), "output_tokens": 3, "cache": {"read": [1, 2, {"ts": 5}], "none": {}, "status": "ok"}}

    def openclaw(self):
        ms, action = self.tick(), self.one(*["finished"] * 8, "enqueued", "fire_started", "completed", "failed", "cancelled", "dropped",
                                           "blocked", "enqueue_failed", "pump_failed", "turn_started", None, 5, "Finished")
        record = {"ts": self.time(ms), "jobId": "x", "action": action}
        if self.random.random() < 0.95:
            record["status"] = self.one("ok", "ok", "ok", "error", "skipped", "OK", "", None, True, 0, ["ok"], "okay")
        if record.get("status") == "error" or action in ("failed", "enqueue_failed"):
            record[self.one("error", "errorMessage")] = self.one(self.text(), None, {"code": 5, "why": [1.5, None]})
        else:
            record["summary"] = self.text()
        took = self.random.randrange(100000)
        record.update(runAtMs=self.time(ms - took), durationMs=self.one(took, took, took, None, -5, str(took), took + 0.25), nextRunAtMs=ms + 5)
        record.update(self.one({}, {"usage": self.usage()}, {"usage": self.usage(), "model": "m", "provider": "p", "sessionId": "s%d" % ms},
                               {"outcome": "queued"}, {"outcome": "done"}, {"delivered": True, "tags": [[], {}, [1, "ts"]]}))
        return record

    def runs(self):
        ms, took = self.tick(), self.random.randrange(100000)
        record = {self.one("finishedAt", "finished_at", "completed_at"): self.iso(ms, self.one("Z", "+01:00", "+0100", "none", "blank"))} \
            if self.random.random() < 0.6 else {self.one("finishedAtMs", "doneAt", "ts", "finishedAt"): self.time(ms)}
        record.update(self.one({}, {"startedAt": self.iso(ms - took, "+0100")}, {"startedAtMs": ms - took}, {"started_at": None}))
        record.update(self.one({}, {"durationMs": took}, {"duration_ms": took}, {"duration_seconds": took / 1000}, {"durationMs": None, "duration_ms": 7}))
        record["status"] = self.one("ok", "success", "succeeded", "done", "completed", "error", "failed", "timeout", "skipped", "partial", "cancelled",
                                    "interrupted", "running", None, 1, True)
        record.update(self.one({"summary": self.text()}, {"output_summary": self.text()}, {"outputTail": self.text()}, {"output": None}, {}))
        record.update(self.one({}, {"error": None}, {"errorMessage": self.text()}, {"errors": ["first", {"n": 1}]}, {"error": "", "errorMessage": "x"}))
        record.update(self.one({}, {"name": "N"}, {"jobName": self.text()}, {"exitCode": 3, "inputTokens": 7}))
        return record

    def gitlab(self):
        ms = self.tick()
        record = {"severity": "INFO", "time": self.iso(ms, "Z"), "class": self.one("A::Worker", "B/Worker", "C w", "日本", "", None, 7, 1.5, True, "007"),
                  "job_status": self.one("start", "done", "done", "fail", "x", None), "queue_namespace": self.one("cronjob", None, "x"), "args": [1, {"class": "no"}]}
        record.update(self.one({}, {"duration_s": self.random.randrange(9000) / 1000}, {"duration_s": 3}))
        if record["job_status"] == "fail":
            record.update(self.one({"error_message": self.text()}, {"error_class": "E"}, {"error_message": None, "error_class": "F"}))
        if self.random.random() < 0.1:
            del record["class"]
        return record

    def n8n(self):
        ms = self.tick()
        event = self.one("n8n.workflow.success", "n8n.workflow.success", "n8n.workflow.failed", "n8n.node.started", "n8n.audit.x", None)
        payload = {"workflowId": self.one("w1", "w/2", "9", 9, None, "é", "w" * 300), "workflowName": self.text(), "success": self.one(True, False), "deep": self.usage()}
        if event and event.endswith("failed"):
            payload["errorMessage"] = self.text()
        if self.random.random() < 0.1:
            payload = self.one(None, "text", [payload], {}, 5)
        return {"__type": "$$EventMessage", "ts": self.iso(ms, self.one("Z", "+01:00")), "eventName": event, "payload": payload, "id": "%x" % ms}

    def line(self, dialect):
        record = getattr(self, dialect)()
        if self.random.random() < 0.05:  # another order
            record = dict(self.random.sample(list(record.items()), len(record)))
        compact, ascii_only = self.random.random() < 0.7, self.random.random() < 0.8
        text = json.dumps(record, separators=(",", ":") if compact else None, ensure_ascii=ascii_only)
        chance = self.random.random()
        if chance < 0.02:
            text = text[:self.random.randrange(len(text))]
        elif chance < 0.03:
            text = self.one("plain text between", "", "[1]", "null", '{"ts": NaN}', "{}", "{} ", '{"status":"ok","status":"error"}', text + text)
        elif chance < 0.04:  # keys twice, and keys with escapes
            text = text[:-1] + self.one(',"status":"ok"}', ',"payload":{"workflowId":"again"}}', ',"\\u0073tatus":"error"}', ',"payload":1}', ',"ts":1770000000}')
        return text


def generate(dialect, directory, count="2000"):
    maker = Maker(dialect)
    names = {"openclaw": ["a", "b-2", "ü"], "runs": ["x", "y.z"], "gitlab": ["current", "current.1", "other.jsonl"],
             "n8n": ["n8nEventLog-10.log", "n8nEventLog-2.log", "n8nEventLog-1.log", "n8nEventLog.log", "n8n.txt"]}[dialect]
    os.makedirs(directory, exist_ok=True)
    for name in names:
        path = os.path.join(directory, name if "." in name and dialect != "runs" or dialect == "gitlab" else name + ".jsonl")
        with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
            for _ in range(int(count) // len(names)):
                file.write(maker.line(dialect) + "\n")
            if name == names[0]:
                file.write(maker.line(dialect)[:20])  # being written
    with open(os.path.join(directory, "README.txt"), "w") as file:
        file.write("not a log\n")


def main():
    tasks = {"generate": generate, "check": check, "commands": commands}
    return tasks[sys.argv[1]](*sys.argv[2:]) or 0


if __name__ == "__main__":
    sys.exit(main())
