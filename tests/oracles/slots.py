#!/usr/bin/env python3
"""slots.py - what task_slots must say of a state directory, from the words of ext/TABLES.md, and random directories.

As a module: expected(state, now, since, until, grace, zone) -> rows. As a program (below tests/lib on PYTHONPATH, in an
empty directory): slots.py COUNT SEED makes COUNT directories, asks task_slots of each in several ways, and compares.
"""
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 10**6
DAY = 86400 * SECOND
NEVER = 2**63


def us_of(at):
    return (at - EPOCH) // MICROSECOND


def iso(us):
    return (EPOCH + us * MICROSECOND).isoformat().replace("+00:00", "Z")


def read_time(text):
    try:
        return us_of(datetime.fromisoformat(text.replace("Z", "+00:00")))
    except (AttributeError, TypeError, ValueError):
        return None


# --- schedules: a few whose meaning is obvious ----------------------------------------------------------------------------

FIXED = {
    "*/15 * * * *": lambda at: at.minute % 15 == 0,
    "0 * * * *": lambda at: at.minute == 0,
    "20,50 */2 * * *": lambda at: at.minute in (20, 50) and at.hour % 2 == 0,
    "30 9 * * 1-5": lambda at: (at.hour, at.minute) == (9, 30) and at.isoweekday() <= 5,
    "@daily": lambda at: (at.hour, at.minute) == (0, 0),
    "every day at 2:30 am": lambda at: (at.hour, at.minute) == (2, 30),
    "every day at 23": lambda at: (at.hour, at.minute) == (23, 0),
    "45 1,2 * * *": lambda at: at.minute == 45 and at.hour in (1, 2),
}
INTERVALS = {"every 20 minutes": 1200, "every hour": 3600, "every 6 hours": 21600, "in 3 hours": 10800, "every 90 min": 5400,
             "every 2 days": 172800, "every 5 seconds": 5}
NOT_UNDERSTOOD = ["every blue moon", "* * *", "", None, 5, "@reboot"]


def first_minute_at(zone, naive):
    at = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == naive:
        return at
    at -= timedelta(days=1)
    while at.astimezone(zone).replace(tzinfo=None) < naive:
        at += timedelta(minutes=1)
    return at


def fixed_times(is_due, zone, begin, end):
    """All due times from a day before `begin` up to the first after `end`."""
    at = (EPOCH + begin * MICROSECOND).astimezone(zone).replace(tzinfo=None, second=0, microsecond=0) - timedelta(days=2)
    found, last = set(), None
    while last is None or last <= end:
        if is_due(at):
            last = us_of(first_minute_at(zone, at))
            found.add(last)
        at += timedelta(minutes=1)
    return sorted(found)


# --- what a log tells -----------------------------------------------------------------------------------------------------

FINISHES = ("Execution succeeded", "Command executed successfully", "Execution failed", "Command failed", "Execution timed out",
            "Exception:")


def messages(path):
    """(time, words) of the messages that have a time, in the order of the file."""
    if not os.path.exists(path):
        return []
    found = []
    for line in open(path, encoding="utf-8", errors="replace").read().split("\n"):
        stamp = re.match(r"\[([^]]*)\] ?(.*)", line)
        if stamp and read_time(stamp[1]) is not None:
            found.append([read_time(stamp[1]), stamp[2]])
        elif found:
            found[-1][1] += "\n" + line
    return found


def log_runs(log):
    """(start, finish or None) of each run that the log tells of."""
    runs = []
    for at, words in log:
        if words.startswith("Starting execution"):
            runs.append([at, None])
        elif words.startswith("Executing ("):
            if not (runs and runs[-1][1] is None and runs[-1][0] is not None and previous.startswith("Starting execution")):
                runs.append([at, None])
        elif words.startswith(FINISHES) and runs and runs[-1][1] is None:
            runs[-1][1] = at
        previous = words
    return runs


# --- one job --------------------------------------------------------------------------------------------------------------

class Run:
    def __init__(self, start, finish, offset=None, ok=None, kind="record", in_log=False):
        self.start, self.finish, self.offset, self.ok, self.kind, self.in_log = start, finish, offset, ok, kind, in_log
        self.by_hand = False


def runs_of(records, log, running_since):
    told = log_runs(log)
    finished = [run for run in told if run[1] is not None]
    used, runs = set(), []
    for at, offset, ok in records:
        near = [(abs(at - run[1]), run[1] > at, -run[1] if run[1] <= at else run[1], i) for i, run in enumerate(finished)
                if abs(at - run[1]) <= 5 * SECOND]
        mine = min(near)[3] if near else None
        used.add(mine)
        runs.append(Run(finished[mine][0] if near else at, at, offset, ok, in_log=bool(near)))
    runs += [Run(*run, kind="log", in_log=True) for i, run in enumerate(finished) if i not in used]
    cut_until = NEVER
    if running_since is not None and all(run.finish < running_since for run in runs):
        runs.append(Run(running_since, None, kind="going on", in_log=True))
        cut_until = running_since - 60 * SECOND
    runs += [Run(run[0], None, kind="cut short", in_log=True) for run in told if run[1] is None and run[0] <= cut_until]
    runs.sort(key=lambda run: run.start)
    for at, words in log:
        if words.startswith("Manual run triggered"):
            for run in runs:
                if run.start >= at:
                    run.by_hand = True
                    break
    return runs


def names_in(words, *names):
    return words.startswith("Updated:") and any(f"'{name}'" in words for name in names)


def interval_slots(interval, created, once, runs, log, begin, end):
    """(slot, the time from which the next one is counted), up to the first after `end`."""
    turns = [(created, 0, created)]
    for at, words in log:
        if words.startswith(("Manual run triggered", "Job resumed", "Skipped")) or names_in(words, "schedule", "cron"):
            turns.append((at, 1, at))
    for run in runs:
        if not run.by_hand and run.kind != "cut short":
            turns.append((run.start, 2, run.finish if run.kind != "going on" else NEVER))
    turns = [turn for turn in sorted(turns, key=lambda turn: turn[:2]) if turn[0] >= created]
    if once:
        changes = [at for at, words in log if names_in(words, "schedule", "cron") and at >= created]
        first = max([created] + changes) + interval
        return [(first, NEVER)]
    found = []
    for n, (_, _, anchor) in enumerate(turns):
        following = turns[n + 1] if n + 1 < len(turns) else (NEVER, 0, 0)
        if anchor == NEVER:
            continue
        # Only the slots near the window matter; the others are not listed.
        k = max(1, (begin - anchor) // interval - 1)
        while (at := anchor + k * interval) <= min(following[0], end + interval):
            found.append((at, min(at + interval, following[0] + 1)))
            k += 1
    return found


class Enabled:
    """Whether the job was enabled at a time: True, False, or why that is not known."""

    def __init__(self, log, runs, now_enabled):
        signs = []
        for at, words in log:
            if words.startswith(("Job paused", "One-time job completed, disabling", "Could not calculate next run, disabling")):
                signs.append((at, 0, False))
            elif words.startswith(("Job resumed", "Scheduled:", "Scheduled task:")):
                signs.append((at, 0, True))
            elif names_in(words, "enabled"):
                signs.append((at, 0, None))
        signs += [(run.start, 1, True) for run in runs if run.in_log and not run.by_hand]
        self.signs, self.now_enabled = sorted(signs, key=lambda sign: sign[:2]), now_enabled

    def at(self, us):
        before = [sign for sign in self.signs if sign[0] <= us]
        value = before[-1][2] if before else True
        is_last = len(before) == len(self.signs)
        if value is None:
            return self.now_enabled if is_last else "enabled was changed"
        if is_last and value != self.now_enabled:
            return "the log does not tell since when"
        return value


def rows_of_job(job, records, log, running_since, now, since, until, grace, zone):
    name = job["id"]
    schedule = None
    for key in ("cron", "schedule"):
        if schedule is None and isinstance(job.get(key), str) and (job[key].strip().lower() in {**FIXED, **INTERVALS}):
            schedule = job[key].strip().lower()
    nothing = (name, None, None, None, None, None, "unknown", None, None, None)
    created = read_time(job.get("created_at"))
    if schedule is None or created is None:
        return [nothing]
    now_enabled = bool(job.get("enabled", True))
    once = not job.get("recurring", True)
    runs = runs_of(records, log, running_since)  # there, the order of the lines counts
    log = sorted(log, key=lambda message: message[0])
    changed = max((at for at, words in log if names_in(words, "schedule", "cron")), default=-NEVER)
    if schedule in FIXED:
        times = [at for at in fixed_times(FIXED[schedule], zone, max(created, min(since, created + 3 * DAY) if once else since), max(until, created + 4 * DAY if once else until))
                 if at > created]
        slots = [(at, times[i + 1] if i + 1 < len(times) else NEVER) for i, at in enumerate(times)]
        if once:
            slots = [(slots[0][0], NEVER)] if slots and slots[0][0] - created <= 4 * DAY else slots[:1]
        tenth = [(following - at) // 10 if following != NEVER else NEVER for at, following in slots]
    else:
        slots = interval_slots(INTERVALS[schedule] * SECOND, created, once, runs, log, since, until)
        tenth = [NEVER if once else INTERVALS[schedule] * SECOND // 10] * len(slots)
    enabled = Enabled(log, runs, now_enabled)
    reach = min([run.start for run in runs] + [at for at, _, _ in records], default=None)
    rows = []
    for (at, following), tenth_us in zip(slots, tenth):
        if not since <= at <= until:
            continue
        wait = grace if grace is not None else min(300 * SECOND, tenth_us)
        mine = [run for run in runs if at <= run.start < following and not run.by_hand]
        done = [run for run in mine if run.kind in ("record", "log")]
        skip = [words for when, words in log if words.startswith("Skipped") and at <= when < following]
        state, run, reason = None, None, None
        if at < changed:
            state = "unknown"
        elif done:
            run = done[0]
            state = "ran" if run.start - at <= wait else "late"
        elif any(run.kind == "going on" for run in mine):
            run = next(run for run in mine if run.kind == "going on")
            state = "pending"
        elif skip:
            state, reason = "skipped", skip[0]
        else:
            was = enabled.at(at)
            log_reaches = log and min(when for when, _ in log) <= at
            if was is False:
                state = "paused"
            elif was is not True:
                state = "unknown"
            elif reach is not None and at < reach and not log_reaches:
                state = "unknown"
            elif now <= at + wait:
                state = "pending"
            else:
                state = "missed"
        rows.append((name, iso(at), at, run and run.offset, iso(run.finish) if run and run.finish is not None else None,
                     (run.start - at) / SECOND if run else None, state, run and run.ok, run and run.start,
                     run and run.finish))
    return rows


def expected(state, now, since, until, grace=None, zone=UTC):
    jobs = json.load(open(f"{state}/jobs.json"))["jobs"]
    rows = []
    for job in sorted((job for job in jobs if isinstance(job, dict) and isinstance(job.get("id"), str)), key=lambda job: job["id"].encode()):
        path, records = f"{state}/results/{job['id']}.jsonl", []
        if os.path.exists(path):
            offset = 0
            for line in open(path, "rb"):
                record = json.loads(line)
                if read_time(record.get("timestamp")) is not None:
                    records.append((read_time(record["timestamp"]), offset, int(bool(record.get("success")))))
                offset += len(line)
        running = f"{state}/.checkpoint_{job['id']}.json"
        checkpoint = json.load(open(running)) if os.path.exists(running) else {"pid": 0}
        running_since = read_time(checkpoint["started_at"]) if checkpoint["pid"] else None
        log = messages(f"{state}/logs/{job['id']}.log")
        rows += rows_of_job(job, records, log, running_since, now, since, until, grace, zone)
    return rows


# --- random directories ---------------------------------------------------------------------------------------------------

class Job:
    """Imitates a scheduler: its files have the right form, but need not make sense."""

    def __init__(self, r, name, begin, now):
        self.r, self.name, self.log, self.records, self.now = r, name, [], [], now
        self.job = {"id": name, "name": name.title(), "enabled": True}
        self.job["schedule"] = r.choice(list(FIXED) + list(INTERVALS) * 2 + (NOT_UNDERSTOOD if r.random() < 0.1 else []))
        if self.job["schedule"] == "every 5 seconds" and r.random() < 0.98:
            self.job["schedule"] = "every hour"
        if r.random() < 0.2:
            self.job["cron"] = r.choice(list(FIXED)[:4] + ["", None, "not cron"])
        if r.random() < 0.15:
            self.job["recurring"] = False
        at = begin + r.randrange(4 * DAY)
        self.job["created_at"] = iso(at) if r.random() < 0.97 else r.choice([None, "yesterday-ish", 7])
        logs_all = r.random() < 0.8
        if r.random() < 0.9:
            self.say(at + r.randrange(1000), f"Scheduled: {name} (next run: never, recurring: True, mode: ai)")
        step = r.choice([900, 1200, 3600, 3600, 21600, 86400]) * SECOND
        while at < now:
            at += step + (r.randrange(step) if r.random() < 0.1 else r.randrange(2 * SECOND))
            if r.random() < 0.1:
                at += r.randrange(DAY // 2)
            if at < now:
                at = self.happen(at, logs_all)
        if r.random() < 0.15:
            self.records = self.records[r.randrange(len(self.records) + 1):]
        if r.random() < 0.1:
            self.log = self.log[r.randrange(len(self.log) + 1):]
        if r.random() < 0.15:
            self.job["enabled"] = r.choice([False, None, 0, 1, "yes"])

    def say(self, at, words):
        self.log.append((at, words))

    def happen(self, at, logs_all):
        r, kind = self.r, self.r.random()
        if kind < 0.03:
            self.say(at, "Job paused")
            self.job["enabled"] = False
            at += r.randrange(DAY)
            if at < self.now and r.random() < 0.8:
                self.say(at, "Job resumed")
                self.job["enabled"] = True
            return at
        if kind < 0.05:
            self.say(at, f"Updated: {r.choice([['schedule'], ['name'], ['enabled'], ['enabled', 'cron'], ['notify', 'enabled']])}")
        elif kind < 0.09:
            self.say(at, f"Skipped — gate '{r.choice('XYZ')}' blocked: {r.choice(['busy', 'too late'])}")
        elif kind < 0.12:
            self.say(at, "Next run recalculated: 2026-01-01T00:00:00Z")
            self.say(at + 5, "Manual run triggered via API (run-now)")
            return self.run(at + r.randrange(3 * SECOND), logs_all)
        elif kind < 0.13:
            self.say(at, "Starting execution via agent_manager.py")  # and killed
        else:
            return self.run(at, logs_all)
        return at + SECOND

    def run(self, at, logs_all):
        r = self.r
        finish = at + r.choice([0, SECOND, 20 * SECOND, 400 * SECOND, r.randrange(3 * 3600 * SECOND)])
        if finish >= self.now:
            return finish
        ok = r.random() < 0.8
        if logs_all and r.random() < 0.97:
            self.say(at, r.choice(["Starting execution via agent_manager.py", "Executing (command mode): working_dir=/, cmd=x"]))
            if r.random() < 0.05:
                self.say(at + 10, "Executing (AI mode): agent=a")
            self.say(finish + r.randrange(5), "Execution succeeded" if ok else "Execution failed: no\n  traceback")
        if r.random() < 0.97:
            self.records.append((finish + 7, ok))
        return finish

    def write(self, state):
        r = self.r
        with open(f"{state}/logs/{self.name}.log", "w") as log:
            for at, words in self.log:
                log.write(f"[{iso(at)}] {words}\n")
        if not self.log and r.random() < 0.5:
            os.unlink(f"{state}/logs/{self.name}.log")
        if self.records or r.random() < 0.5:
            with open(f"{state}/results/{self.name}.jsonl", "w") as results:
                for at, ok in self.records:
                    results.write(json.dumps({"timestamp": iso(at), "job_id": self.name, "success": ok, "output": "", "error": ""}) + "\n")
        if r.random() < 0.1:
            self.write_checkpoint(state)

    def write_checkpoint(self, state):
        """This very process is the one that runs; a process that began after the job does not count."""
        at = time.time_ns() // 1000 - self.r.randrange(1, 20 * SECOND)
        if self.r.random() < 0.5:
            with open(f"{state}/logs/{self.name}.log", "a") as log:
                log.write(f"[{iso(at - 5)}] Starting execution via agent_manager.py\n")
        json.dump({"job_id": self.name, "started_at": iso(at), "pid": self.r.choice([os.getpid(), os.getpid(), 0])},
                  open(f"{state}/.checkpoint_{self.name}.json", "w"))


COLUMNS = "job_id, slot, slot_us, offset, finished, late_s, state, ok, started_us, finished_us"


def make_state(r, state, begin, now):
    shutil.rmtree(state, ignore_errors=True)
    os.makedirs(f"{state}/results")
    os.makedirs(f"{state}/logs")
    jobs = []
    for name in r.sample(["a", "b", "job-3", "ünï", "Z", "..", "o'brien"], r.randint(1, 4)):
        job = Job(r, name, begin, now)
        job.write(state)
        jobs.append(job.job)
    jobs += r.choice([[], [], [{"name": "no id"}], [7, {"id": 5}]])
    r.shuffle(jobs)
    json.dump({"jobs": jobs}, open(f"{state}/jobs.json", "w"))
    return [job["id"] for job in jobs if isinstance(job, dict) and isinstance(job.get("id"), str)]


def is_told(row, reason, states):
    """Some states have a reason, others have none."""
    state = row[6]
    if state in ("paused", "unknown", "skipped", "pending"):
        return bool(reason)
    return state == "missed" or (state in ("ran", "late") and (reason is None) == (row[3] is not None))


def compare(db, state, ask, parameters, expect):
    """Computed twice, since `now` moves on: if both are the same, the answer must be that."""
    before = expect()
    actual = db.execute(ask, parameters).fetchall()
    if before != expect():
        return 0
    plain = [row[:10] for row in actual]
    if plain != before:
        for there, wanted in zip(plain + [None] * 9, before + [None] * 9):
            if there != wanted:
                raise AssertionError(f"{ask} {parameters}\nin {state}\n is {there}\n   (of {len(plain)})\nnot {wanted}\n   (of {len(before)})")
    for row in actual:
        if len(row) > 10:
            assert is_told(row, row[10], state), row
    return len(plain)


def check(db, r, count):
    rows, states = 0, set()
    for number in range(count):
        now = time.time_ns() // 1000
        state = os.path.abspath(f"state{number % 2}")
        begin = now - r.choice([6, 12, 20]) * DAY
        ids = make_state(r, state, begin, now - r.choice([0, 0, DAY // 2]))
        db.execute("DROP TABLE IF EXISTS temp.s")
        db.execute(f"CREATE VIRTUAL TABLE temp.s USING task_slots(file='{state}/jobs.json', results='{state}/results', logs='{state}/logs')")
        window = lambda: (begin + r.randrange(-DAY, now - begin), now + r.choice([0, -DAY, DAY, -3 * DAY]))
        clock = lambda: time.time_ns() // 1000
        since, until = window()
        name = r.choice([None, None, "Europe/Berlin", "America/New_York", "UTC"])
        zone = ZoneInfo(name) if name else UTC
        grace = r.choice([None, None, 0, SECOND, 3600 * SECOND])
        every = f"SELECT {COLUMNS}, reason FROM temp.s(?, ?, ?, ?)"
        rows += compare(db, state, every, (since, until, grace, name), lambda: expected(state, clock(), since, until, grace, zone))
        states |= {row[0] for row in db.execute("SELECT DISTINCT state FROM temp.s(?, ?, ?, ?)", (since, until, grace, name))}
        # Pushed down: one job, and a part of the time.
        one, (low, high) = r.choice(ids or ["none"]), window()
        rows += compare(db, state, f"{every} WHERE job_id = ? AND slot_us BETWEEN ? AND ?", (since, until, grace, name, one, low, high),
                        lambda: [row for row in expected(state, clock(), since, until, grace, zone)
                                 if row[0] == one and row[2] is not None and low <= row[2] <= high])
        # The first ones of each job, and the last ones.
        per_job = r.choice([1, 2, 30, -1, -1, -2, -3, -40])
        for start in (since, -10**17):
            rows += compare(db, state, "SELECT * FROM (" + every.replace("?)", "?, ?)") + ") WHERE slot_us IS NULL OR slot_us < ?",
                            (start, until, grace, name, per_job, high),
                            lambda: [row for row in some_of_each(expected(state, clock(), max(start, begin - 30 * DAY), until, grace, zone), per_job)
                                     if row[2] is None or row[2] < high])
        rows += compare(db, state, f"SELECT {COLUMNS} FROM temp.s ORDER BY job_id, slot_us",
                        (), lambda: seven_days(db))
    print(f"{rows} rows of {count} directories agree; states: {' '.join(sorted(states))}")
    assert count < 100 or len(states) == 7, states


def some_of_each(rows, count):
    chosen = []
    for job in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == job]
        chosen += mine[:count] if count > 0 else mine[count:]
    return chosen


def seven_days(db):
    """The default, asked for with its two ends."""
    since, until = db.execute("SELECT taskresults_time('7d'), taskresults_time('now')").fetchone()
    return db.execute(f"SELECT {COLUMNS} FROM temp.s(?, ?)", (since, until)).fetchall()


if __name__ == "__main__":
    from host import connect
    check(connect(), random.Random(int(sys.argv[2])), int(sys.argv[1]))
