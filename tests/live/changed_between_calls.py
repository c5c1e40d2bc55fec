#!/usr/bin/env python3
"""changed_between_calls.py [STRIDE [WORDS]] - somebody changes a scheduler's files while a statement reads them: before
each call that our code makes into libc, one file is replaced, cut short, emptied, removed, made unreadable, or becomes a
folder or a FIFO. tests/shim/each_call.c counts the calls, and runs the change.

What comes out must be one of these; anything else is a finding:
  old    the rows of each job are what they are without the change, or, for some jobs, ...
  new    ... what they are when the change was made before the statement
  told   the statement fails, and says which file, and why
Nobody writes results anew or cuts them, in place. If it happens, a run that is there must be one that was, or is; and a run
of task_runs may have no start if its log is cut.

STRIDE  takes every STRIDE-th case only (default 1: all)
WORDS   only statements whose name holds them

Prints a line for each statement and a sum; exits 1 if there was a finding. Needs TASKRESULTS_ROOT.
"""
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ["TASKRESULTS_ROOT"]
SHIM = os.path.join(ROOT, "build/shim/each_call.so") + " " + os.path.join(ROOT, "build/shim/clock.so")
SECONDS = 300
NOW_S = "1771171200"  # 2026-02-15T16:00:00Z
DAY = "2026-02-15T"


def jobs(**schedules):
    return json.dumps({"jobs": [{"id": name, "schedule": schedule, "created_at": DAY + "08:30:00Z", "enabled": True}
                                for name, schedule in schedules.items()]})


def log(*messages):
    return "".join(f"[{DAY}{time}Z] {words}\n" for time, words in (message.split(" ", 1) for message in messages))


def results(*times):
    return "".join(json.dumps({"timestamp": f"{DAY}{time}Z", "success": True, "output": time * 9}) + "\n" for time in times)


def zone(rule):
    return "".join(["TZif2", "\0" * 31, "\0\0\0\1" * 2, "\0" * 7] * 2) + "\n" + rule + "\n"


FILES = {
    "jobs.json": jobs(a="0 * * * *", b="30 * * * *", gone="15 */2 * * *"),
    "results/a.jsonl": results("09:00:40", "11:00:30", "13:10:00"), "results/b.jsonl": results("08:30:00", "09:30:05", "12:31:00"),
    "logs/a.log": log("09:00:10 Starting execution", "09:00:40 Execution succeeded", "11:50:00 Job paused", "12:30:00 Job resumed",
                      "13:09:00 Starting execution", "13:10:00 Execution succeeded"),
    "logs/b.log": log("10:30:01 Starting execution", "10:30:30 Execution succeeded", "11:30:01 Skipped - busy"),
    "logs/gone.log": log("08:30:00 Scheduled: gone"),
    "zones/Town": zone("CET-1"),
}
# What the files become, beside nothing, half of what they are, a folder and a FIFO.
REPLACED = {
    "jobs.json": jobs(a="20 * * * *", b="30 * * * *", fresh="@hourly"),
    "results/a.jsonl": results("10:00:05"), "results/b.jsonl": results("08:30:00", "09:30:05", "12:31:00", "13:30:09"),
    "logs/a.log": log("10:00:01 Starting execution", "10:00:05 Execution succeeded"),
    "logs/b.log": log("09:00:00 Job paused"), "logs/gone.log": log("08:30:00 Scheduled: gone", "10:15:01 Skipped - late"),
    "zones/Town": zone("EST5"),
}
ARGUMENTS = "'2026-02-15', '2026-02-15T15:00:00Z'"
STATEMENTS = {
    "task_slots": f"SELECT *, ok, started_us, finished_us FROM task_slots({ARGUMENTS})",
    "task_slots, the last of each": f"SELECT * FROM task_slots({ARGUMENTS}, NULL, NULL, -2)",
    "task_slots, in a zone": f"SELECT * FROM task_slots({ARGUMENTS}, '1m', 'Town')",
    "task_runs": "SELECT * FROM task_runs",
    "a zone": "SELECT job_id, taskresults_local(time_us, 'Town') FROM task_results UNION ALL SELECT '', group_concat(slot) FROM "
              "taskresults_slots('0 9 * * *', '2026-02-15', '2026-02-16', 'Town')",
}
CHANGES = ["replaced", "written again", "cut", "emptied", "removed", "folder", "fifo", "unreadable"]
IN_PLACE = ("written again", "cut", "emptied")


class Place:
    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="taskresults-changed-")
        for name in ("results", "logs", "zones"):
            os.mkdir(f"{self.path}/{name}")
        for name, text in FILES.items():
            with open(f"{self.path}/{name}", "w") as file:
                file.write(text)
        with open(f"{self.path}/count", "wb") as file:
            file.write(bytes(8))

    def run(self, statement, **settings):
        """Its status, standard output and standard error."""
        variables = dict(os.environ, LD_PRELOAD=SHIM, LC_ALL="C.UTF-8", EACH_CALL_STATE=self.path + "/count", CLOCK_STANDS_S=NOW_S,
                         SCHEDULER_RESULTS_DIR=self.path + "/results", SCHEDULER_LOGS_DIR=self.path + "/logs",
                         SCHEDULER_JOBS_FILE=self.path + "/jobs.json", TZDIR=self.path + "/zones", TASKRESULTS_THREADS="1", **settings)
        done = subprocess.run(["sqlite3", "-batch", "-bail", "-init", "/dev/null", "-cmd", ".load " + ROOT + "/taskresults",
                               ":memory:", statement], env=variables, capture_output=True, timeout=SECONDS)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def calls(self, statement):
        done = self.run(statement, EACH_CALL_LOG=self.path + "/log")
        with open(self.path + "/log") as file:
            return done, len([line for line in file if not line.startswith("leak")])

    def change(self, name, how):
        """The shell's words for it."""
        path, new = f"{self.path}/{name}", f"{self.path}/new"
        with open(new, "w") as file:
            file.write(REPLACED[name] if how in ("replaced", "written again") else FILES[name][:len(FILES[name]) // 2])
        return {"replaced": f"mv {new} {path}", "written again": f"cat {new} >{path}", "cut": f"cat {new} >{path}",
                "emptied": f": >{path}", "removed": f"rm {path}", "folder": f"rm {path}; mkdir {path}",
                "fifo": f"rm {path}; mkfifo {path}", "unreadable": f"chmod 0 {path}"}[how]

    def remove(self):
        shutil.rmtree(self.path)


def by_job(text):
    rows = collections.defaultdict(list)
    for line in text.splitlines():
        rows[line.split("|")[0]].append(line)
    return rows


def is_told(status, name, err):
    """Where, and why."""
    return status < 128 and name in err and re.search(r"byte \d+: |cannot be (opened|read)|No such file|not a (regular )?file|is damaged|changed while"
                                     r"|is a directory|Permission denied", err, re.IGNORECASE)


def runs_in(text):
    """Rows of task_slots without the record, which may be behind the end of the file while the log tells of the run."""
    for row in text.splitlines():
        state = re.search(r"\|(ran|late|missed|paused|skipped|pending|unknown)\|", row)
        if state is None:
            yield row
        elif state[1] in ("ran", "late"):
            yield row.split("|")[:3] + [state[1]]


def without_starts(text):
    return [[*row.split("|")[:1], *row.split("|")[2:3], *row.split("|")[4:]] for row in text.splitlines()]


def changed_before(statement, name, how):
    """What comes out if the change was made before the statement."""
    place = Place()
    subprocess.run(["sh", "-c", place.change(name, how)], check=True)
    done = place.run(statement)
    place.remove()
    return done


def verdict_of(statement, name, how, number, old, new):
    place = Place()
    status, out, err = place.run(statement, EACH_CALL_NAME="any", EACH_CALL_AT=str(number), EACH_CALL_RUN=place.change(name, how))
    place.remove()
    if status != 0:
        return ("told", "") if is_told(status, name, err) else (f"status {status}, and not what was changed", err)
    now, were, become = by_job(out), by_job(old), by_job(new[1])
    if name.startswith("results/") and how in IN_PLACE:
        odd = [row for row in runs_in(out) if row not in [*runs_in(old), *runs_in(new[1])]]
        return ("runs that never were", odd) if odd else ("old" if now == were else "new", "")
    if name.startswith("logs/") and how in IN_PLACE and "task_runs" in statement and without_starts(out) == without_starts(old):
        odd = [row for row in out.splitlines() if row.split("|")[1] and row not in old.splitlines() + new[1].splitlines()]
        return ("starts that never were", odd) if odd else ("old" if now == were else "new", "")
    for job in set(now) | set(were) | set(become):
        if now[job] != were[job] and (new[0] != 0 or now[job] != become[job]):
            return f"rows of job '{job}' that never were", f"{now[job]}\n    old {were[job]}\n    new {become[job] if new[0] == 0 else new[2]}"
    return ("old" if now == were else "new"), ""


def run_statement(title, statement, stride, pool):
    place = Place()
    (status, old, err), calls = place.calls(statement)
    place.remove()
    if status != 0 or calls == 0:
        sys.exit(f"{title}: without a change: status {status}, {calls} calls: {err}")
    hows = [how for how in CHANGES if how != "unreadable" or os.geteuid() != 0]
    cases = [(name, how, number) for name in FILES for how in hows for number in range(1, calls + 1)]
    chosen, verdicts = cases[len(title) % stride::stride], collections.Counter()
    new = {change: changed_before(statement, *change) for change in {case[:2] for case in chosen}}
    found = pool.map(lambda case: verdict_of(statement, *case, old, new[case[:2]]), chosen)
    for (name, how, number), (verdict, why) in zip(chosen, found):
        verdicts[verdict if verdict in ("old", "new", "told") else "findings"] += 1
        if verdict not in ("old", "new", "told"):
            print(f"  {title}: {name} {how} before call {number}: {verdict}\n    {why}")
    print(f"# {title}: {calls} calls, {len(chosen)} of {len(cases)} cases: {dict(verdicts)}", flush=True)
    return verdicts


def main():
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    words = sys.argv[2] if len(sys.argv) > 2 else ""
    sums = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for title, statement in STATEMENTS.items():
            if words in title:
                sums.update(run_statement(title, statement, stride, pool))
    print(f"{sum(sums.values())} cases: " + ", ".join(f"{number} {verdict}" for verdict, number in sorted(sums.items())))
    return sums["findings"] > 0 or not all(sums[verdict] for verdict in ("old", "new", "told"))


if __name__ == "__main__":
    sys.exit(main())
