#!/usr/bin/env python3
"""histories.py - what `sla --count missed`, `stats`, `metrics` and `next` must say of histories whose truth is known,
since they are made up slot by slot: ran, late, missed, skipped, paused, by hand, cut short, or the record pruned. Written
from shell/README.md, ext/TABLES.md and --help.

    histories.py PROGRAM COUNT SEED     in an empty directory: COUNT times, a few jobs each
"""
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import time
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

S, MINUTE, HOUR, DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86400 * 10**6
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
HOURS = [60 * h for h in range(24)]
FIXED = {"0 * * * *": HOURS, "@hourly": HOURS, "*/15 * * * *": range(0, 1440, 15), "30 9 * * *": [570],
         "10,40 * * * *": sorted([h + 10 for h in HOURS] + [h + 40 for h in HOURS]), "0 */6 * * *": range(0, 1440, 360),
         "every day at 4:15 pm": [975], "5 1-3 * * *": [65, 125, 185]}
EVERY = {"every 20 minutes": 20 * MINUTE, "every hour": HOUR, "every 6 hours": 6 * HOUR, "every 2 days": 2 * DAY}
FATES = ["ran"] * 12 + ["late"] * 2 + ["missed"] * 3 + ["skipped", "cut", "pruned", "by hand", "ran, by hand"]


def iso(us):
    return (EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def us_of(at):
    return (at - EPOCH) // timedelta(microseconds=1)


class Slot:
    def __init__(self, at, grace, state, ok=None, late=None):
        self.at, self.grace, self.state, self.ok, self.late = at, grace, state, ok, late

    def state_at(self, now):
        return "pending" if self.state == "missed" and now <= self.at + self.grace else self.state


class Job:
    """From `begin` to `stop` things happen to it; then nothing does."""

    def __init__(self, r, name, begin, stop):
        self.r, self.name, self.stop = r, name, stop
        self.created = begin - begin % MINUTE + 7 * S
        self.slots, self.lines, self.records, self.pauses = [], [], [], []
        self.changed = None
        self.schedule = r.choice(list(FIXED) + list(EVERY))
        self.is_once = r.random() < .07
        self.say(self.created, f"Scheduled: {name} (next run: soon, recurring: {not self.is_once}, mode: command)")
        self.paused_at = None
        if self.schedule in FIXED:
            self.live_fixed()
        else:
            self.live_every(EVERY[self.schedule])

    def say(self, at, words):
        self.lines.append((at, words))

    def fixed_times(self):
        day = self.created - self.created % DAY
        while True:
            for minute in FIXED[self.schedule]:
                if day + minute * MINUTE > self.created:
                    yield day + minute * MINUTE
            day += DAY

    def live_fixed(self):
        times = self.fixed_times()
        at, last = next(times), self.created
        while True:
            following = next(times)
            gap = following - at
            if at > self.stop:
                break
            if self.r.random() < .01 and self.paused_at is None and self.changed is None and not self.is_once:
                self.changed = at - (at - last) * 7 // 100
                self.say(self.changed, "Updated: ['schedule']")
            self.take(at, at - last, gap, self.r.choice([0, 0, S * 3 // 10, S]))
            if self.is_once:
                return
            at, last = following, at
        self.rest = lambda until: self.fixed_rest(at, until)

    def fixed_rest(self, at, until):
        times, found = self.fixed_times(), []
        last = next(t for t in times if t >= at)
        while last <= until:
            following = next(times)
            found.append((last, following - last))
            last = following
        return found, last

    def live_every(self, interval):
        base, at = self.created, self.created + interval
        while at <= self.stop:
            counts_from = self.take(at, interval, interval, 0)
            if self.is_once:
                return
            at = (counts_from or at) + interval
        self.rest = lambda until: self.every_rest(at, interval, until)

    @staticmethod
    def every_rest(at, interval, until):
        found = []
        while at <= until:
            found.append((at, interval))
            at += interval
        return found, at

    def take(self, at, before, gap, behind):
        """What becomes of the slot; `before` and `gap` are how long it is since the last one, and to the next. Returns the
        time from which `every N` counts on, if that is not the slot's own."""
        grace, counts_from = 5 * MINUTE if self.is_once else min(5 * MINUTE, gap // 10), None
        if self.paused_at is None and self.r.random() < .03:
            self.paused_at = at - before // 10
            self.say(self.paused_at, "Job paused")
        elif self.paused_at is not None and self.r.random() < .3:
            resumed = at - before // 20
            self.say(resumed, "Job resumed")
            self.pauses.append((self.paused_at, resumed))
            self.paused_at = None
            if self.schedule in EVERY:
                return resumed  # due anew
        if self.paused_at is not None:
            self.slots.append(Slot(at, grace, "paused"))
            return None
        fate = self.r.choice(FATES)
        slot = Slot(at, grace, "missed")
        if fate in ("ran", "ran, by hand", "late", "pruned", "cut"):
            start = at + (self.r.randrange(grace // S + 1, gap // 2 // S) if fate == "late" else
                          self.r.randrange(0, grace // S)) * S
            end = start + self.r.randrange(1, gap * 3 // 10 // S) * S
            counts_from = self.run(start, end, behind, fate, slot)
        if fate == "skipped":
            counts_from = at + 5 * S
            slot.state = "skipped"
            self.say(counts_from, "Skipped — gate 'disk' blocked: no room")
        if "by hand" in fate:
            start = at + gap * 85 // 100 // S * S
            self.say(start, "Manual run triggered via API (run-now)")
            self.run(start, start + self.r.randrange(1, max(2, gap * 3 // 100 // S)) * S, behind, fate, None)
            counts_from = start
        self.slots.append(slot)
        return counts_from

    def run(self, start, end, behind, fate, slot):
        self.say(start, "Executing (command mode): working_dir=/opt, cmd=true")
        if fate == "cut":
            return None
        ok = self.r.random() < .75
        self.say(end, "Command executed successfully" if ok else "Command failed: no")
        if slot:
            slot.late, slot.state = (start - slot.at) / S, "late" if start > slot.at + slot.grace else "ran"
        if fate != "pruned":
            self.records.append((end + behind, ok, end + behind - start))
            if slot:
                slot.ok = ok
            if self.r.random() < .02:
                self.records.append((None, self.r.random() < .5, None))
        return end

    def all_slots(self, now):
        """Up to now, and the one to come."""
        if not hasattr(self, "rest"):
            return self.slots, None
        found, coming = self.rest(now)
        state = "missed" if self.paused_at is None else "paused"
        later = [Slot(at, min(5 * MINUTE, gap // 10), state) for at, gap in found]
        slots = self.slots + later
        if self.changed is not None:
            slots = [Slot(s.at, s.grace, "unknown", s.ok, s.late) if s.at < self.changed else s for s in slots]
        return slots, coming

    def listed(self):
        job = {"id": self.name, "name": self.name, "created_at": iso(self.created), "recurring": not self.is_once,
               "enabled": self.paused_at is None, "schedule": self.schedule}
        if self.schedule in FIXED and self.r.random() < .5 and "every" not in self.schedule:
            job.update(schedule="cron", cron=self.schedule)
        return job


def write_state(r, jobs, orphans):
    shutil.rmtree("state", ignore_errors=True)
    os.makedirs("state/results")
    os.makedirs("state/logs")
    for job in jobs:
        if job.records:
            with open(f"state/results/{job.name}.jsonl", "w") as file:
                for at, ok, _ in job.records:
                    value = r.choice([True, 1, "0"]) if ok else r.choice([False, None, 0])
                    stamp = "soon" if at is None else iso(at)
                    file.write(json.dumps({"timestamp": stamp, "job_id": job.name, "success": value}) + "\n")
        with open(f"state/logs/{job.name}.log", "w") as file:
            for at, words in sorted(job.lines, key=lambda line: line[0]):
                file.write(f"[{iso(at)}] {words}\n")
    listed = [job.listed() for job in jobs if job not in orphans]
    r.shuffle(listed)
    json.dump({"jobs": listed}, open("state/jobs.json", "w"))


# --- service levels ---------------------------------------------------------------------------------------------------


def counted(pauses, begin, end):
    """How much of [begin, end) is not paused."""
    return end - begin - sum(max(0, min(q, end) - max(p, begin)) for p, q in pauses)


def service(job, is_listed, begin, end, longest, now):
    events = [(at, 0, ok and (longest is None or took <= longest), 0) for at, ok, took in job.records if at is not None]
    slots = job.all_slots(now)[0] if is_listed else []
    events += [(s.at, 1, False, 1) for s in slots if s.state_at(now) == "missed" and begin - 31 * DAY <= s.at < end]
    events.sort(key=lambda event: event[:2])
    inside = [event for event in events if begin <= event[0] < end]
    pauses = job.pauses + ([(job.paused_at, 2**63)] if job.paused_at is not None else [])
    row = {"job_id": job.name, "runs": len(inside), "successes": sum(event[2] for event in inside),
           "failures": sum(not event[2] for event in inside),
           "slow_runs": sum(ok and took > longest for at, ok, took in job.records
                         if at is not None and begin <= at < end)
           if longest is not None else None,
           "missed_slots": sum(event[3] for event in inside) if is_listed else None,
           "unknown_slots": sum(s.state == "unknown" and begin <= s.at < end for s in slots) if is_listed else None}
    spells = []  # [is up, from, to], as long as it stays so
    for at, _, ok, _ in events:
        if at >= end:
            break
        if spells and spells[-1][0] == ok:
            continue
        if spells:
            spells[-1][2] = at
        spells.append([ok, at, None])
    up = down = 0
    outages, repaired, begun = 0, [], []
    for ok, since, until in spells:
        if until is not None and until <= begin:
            continue
        length = counted(pauses, max(since, begin), min(until or end, end))
        if ok:
            up += length
            continue
        down += length
        outages += 1
        if until is not None:
            repaired.append(length)
        if since >= begin:
            begun.append(since)
    is_known = up + down > 0 and (inside or down > 0)
    apart = [counted(pauses, a, b) for a, b in zip(begun, begun[1:])]
    row.update(up_seconds=up / S if is_known else None, down_seconds=down / S if is_known else None, outages=outages,
               uptime_percent=100 * up / (up + down) if is_known else None,
               mttr_seconds=sum(repaired) / len(repaired) / S if repaired else None,
               mtbf_seconds=sum(apart) / len(apart) / S if apart else None)
    return row


# --- asking -----------------------------------------------------------------------------------------------------------


def ask(program, *arguments, statuses=(0,)):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode in statuses, (arguments, done)
    return done.stdout


def same(a, b):
    if isinstance(a, float) or isinstance(b, float):
        return a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-5)
    return a == b


def check_rows(what, wanted, actual):
    assert [row["job_id"] for row in wanted] == [row["job_id"] for row in actual], (what, wanted, actual)
    for want, got in zip(wanted, actual):
        wrong = {key: (value, got[key]) for key, value in want.items() if not same(value, got[key])}
        assert not wrong, (what, want["job_id"], "wanted, got:", wrong)


def check_sla(program, r, jobs, orphans, begin, end, now):
    """Between two times, or some whole days of a zone."""
    words = []
    if r.random() < .5:
        zone = r.choice(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
        first = (EPOCH + timedelta(microseconds=r.randrange(begin, end))).date()
        last = min(first + timedelta(days=r.randrange(0, 4)), (EPOCH + timedelta(microseconds=end)).date())
        since, until = (us_of(datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)).astimezone(timezone.utc))
                        for d in (first, last + timedelta(days=1)))
        words += ["--window", f"{first}..{last}", "--tz", zone]
    else:
        since, until = sorted((r.randrange(begin, end), r.randrange(begin, end)))
        until = max(until, since + HOUR)
        words += ["--window", f"{iso(since)}..{iso(until)}"]
    if until > now:
        return 0
    longest = r.choice([None, 10 * MINUTE, HOUR])
    if longest is not None:
        words += ["--max-duration", f"{longest // S}s"]
    wanted = [service(job, job not in orphans, since, until, longest, now) for job in jobs
              if job.records or job not in orphans and has_event(job, since, until, now)]
    wanted.sort(key=lambda row: row["job_id"])
    check_rows(words, wanted, json.loads(ask(program, "sla", "--count", "missed", "--json", *words)))
    return len(wanted)


def has_event(job, since, until, now):
    return any(s.state_at(now) == "missed" and since - 31 * DAY <= s.at < until for s in job.all_slots(now)[0])


def quantile(values, percent):
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def check_stats(program, r, jobs, begin, end):
    zone = ZoneInfo(r.choice(["Europe/Berlin", "America/St_Johns", "UTC"]))
    since, until = sorted((r.randrange(begin, end), r.randrange(begin, end)))
    by_day = r.random() < .5
    wanted = {}
    for job in jobs:
        for at, ok, took in job.records:
            if at is not None and since <= at <= until:
                day = str((EPOCH + timedelta(microseconds=at)).date()) if by_day else None
                wanted.setdefault((job.name, day), []).append((ok, took))
    rows = [{"job_id": name, "period": day, "runs": len(runs), "failures": sum(not ok for ok, _ in runs),
             "p50_seconds": quantile([t for _, t in runs], 50) / S, "p95_seconds": quantile([t for _, t in runs], 95) / S,
             "max_seconds": max(t for _, t in runs) / S} for (name, day), runs in sorted(wanted.items())]
    words = ["--since", iso(since), "--until", iso(until), "--tz", str(zone)] + (["--by", "day"] if by_day else [])
    check_rows(words, rows, json.loads(ask(program, "stats", "--json", *words) or "[]"))
    return len(rows)


def metrics_of(jobs, orphans, now):
    wanted = {}
    for job in jobs:
        one = wanted.setdefault(job.name, {})
        if job not in orphans:
            recent = [s for s in job.all_slots(now)[0] if s.at >= now - 7 * DAY]
            one["missed_slots"] = sum(s.state_at(now) == "missed" for s in recent)
            one["unknown_slots"] = sum(s.state == "unknown" for s in recent)
        if job.records:
            streak = 0
            for _, ok, _ in job.records:
                streak = 0 if ok else streak + 1
            at, ok, took = job.records[-1]
            one.update(consecutive_failures=streak, last_run_success=int(ok),
                       last_run_duration_seconds=took and took / S, last_run_timestamp_seconds=at and at / S)
    return wanted


def next_of(jobs, orphans, now):
    rows = []
    for job in jobs:
        if job in orphans:
            continue
        slots, coming = job.all_slots(now)
        last = slots[-1] if slots else None
        state = "paused" if job.paused_at is not None else "due" if coming is not None else "never"
        rows.append({"job_id": job.name, "state": state, "next": iso(coming) if state == "due" else None,
                     "last": iso(last.at) if last else None, "last_state": last.state_at(now) if last else None,
                     "late_s": last.late if last and last.state in ("ran", "late") else None,
                     "last_success": last.ok if last and last.state in ("ran", "late") else None})
    rows.sort(key=lambda row: (["due", "running", "unknown", "paused", "never"].index(row["state"]), row["next"] or "",
                               row["job_id"]))
    return rows


def check_now(program, jobs, orphans):
    """Twice, since `now` goes on: what is the same before and after must be the answer."""
    clock = lambda: time.time_ns() // 1000
    before = metrics_of(jobs, orphans, clock()), next_of(jobs, orphans, clock())
    text = ask(program, "metrics")
    rows = json.loads(ask(program, "next", "--json"))
    if before != (metrics_of(jobs, orphans, clock()), next_of(jobs, orphans, clock())):
        return 0
    told = {}
    for name, job, value in re.findall(r'^taskresults_job_(\w+)\{job_id="([^"]+)"\} (\S+)$', text, re.M):
        told.setdefault(job, {})[name] = float(value)
    for name, figures in before[0].items():
        for key, value in figures.items():
            assert same(value and float(value), told[name].get(key)), ("metrics", name, key, value, told[name])
        assert ("missed_slots" in told[name]) == ("missed_slots" in figures), ("metrics", name, told[name])
    check_rows("next", before[1], rows)
    return len(rows) + len(told)


def check(program, r, count):
    compared = 0
    for number in range(count):
        now = time.time_ns() // 1000
        is_recent = r.random() < .5
        stop = now - r.choice([10 * MINUTE, 2 * HOUR, DAY]) if is_recent else us_of(
            datetime.combine(r.choice([date(2026, 3, 31), date(2026, 10, 27)]), datetime.min.time(), timezone.utc))
        begin = stop - r.choice([3, 5, 9]) * DAY
        jobs = [Job(r, f"job{n}", begin + r.randrange(0, DAY), stop) for n in range(r.randrange(2, 6))]
        orphans = [job for job in jobs if r.random() < .1 and job.records]
        write_state(r, jobs, orphans)
        os.environ.update(SCHEDULER_RESULTS_DIR=os.path.abspath("state/results"),
                          SCHEDULER_LOGS_DIR=os.path.abspath("state/logs"),
                          SCHEDULER_JOBS_FILE=os.path.abspath("state/jobs.json"))
        try:
            compared += check_sla(program, r, jobs, orphans, begin, stop, now)
            compared += check_stats(program, r, jobs, begin, stop)
            if is_recent:
                compared += check_now(program, jobs, orphans)
        except AssertionError:
            print(f"history {number}")
            raise
    print(f"{compared} rows of {count} histories agree")
    assert compared > 5 * count


if __name__ == "__main__":
    check(sys.argv[1], random.Random(int(sys.argv[3])), int(sys.argv[2]))
