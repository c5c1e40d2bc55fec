#!/usr/bin/env python3
"""fifteen_jobs.py DIRECTORY [PID] - writes results/, logs/ and jobs.json of fifteen jobs that ran for 90 days up to now.

One of each kind that the status page tells apart: the data of its pictures, and of the browser tests that look at them.
Ten days ago the scheduler was down for nine hours. PID is the process of the job that is running; this one by default,
which is gone when the page is made, so that the job died.
"""
import json
import os
import random
import sys
from datetime import datetime, timedelta, timezone

DAYS = 90
NOW = datetime.now(timezone.utc).replace(microsecond=0)
TODAY = NOW.replace(hour=0, minute=0, second=0)
DOWN = (NOW - timedelta(days=10, hours=9), NOW - timedelta(days=10))

#       job               cron              usual seconds, share that fails, what a failure says
JOBS = {
    "api-monitor": ("*/30 * * * *", 4, 0.004, "GET /health: status 503 after 2.1 s"),
    "cache-warmup": ("5 * * * *", 95, 0, ""),
    "certificates": ("0 7 * * *", 12, 0.02, "acme: rate limited, retry after 3600 s"),
    "database-vacuum": ("30 1 * * sun", 2400, 0, ""),
    "geo-update": ("0 4 1 * *", 300, 0, ""),
    "invoice-export": ("30 6 * * mon-fri", 48, 0.015, "HTTP 502 from billing: upstream timed out"),
    "legacy-import": (None, 30, 0.05, "unknown column 'fax_2'"),
    "mail-digest": ("0 7 * * *", 21, 0.01, "SMTP 421: try again later"),
    "nightly-backup": ("0 2 * * *", 1500, 0.03, "rsync: write failed: No space left on device (28)"),
    "price-watch": ("10 * * * *", 33, 0.16, "Connection timeout after 30 s: prices.example.net:443"),
    "quarter-close": ("0 5 1 1,4,7,10 *", 0, 0, ""),
    "search-index": ("0 */6 * * *", 610, 0.01, "shard 3 is red"),
    "thumbnails": ("*/20 * * * *", 40, 0.002, "convert: killed by SIGKILL"),
    "usage-report": ("0 8 * * mon", 75, 0, ""),
    "warehouse-sync": ("15 * * * *", 140, 0.025, "deadlock detected: process 4711 waits"),
}
NAMES = {"api-monitor": "API monitor"}


def numbers_of(field, low, high):
    names = {"sun": "0", "mon": "1", "fri": "5"}
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        first, last = names.get(first, first), names.get(last, last)
        begin, end = (low, high) if first == "*" else (int(first), int(last or first))
        yield from range(begin, end + 1, int(step or 1))


def due(cron, since):
    """The times since then at which these few kinds of schedules are due."""
    minute, hour, day, month, weekday = (set(numbers_of(field, low, high)) for field, (low, high) in zip(
        cron.split(), ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))))
    for i in range((TODAY - since).days + 400):
        date = since.replace(hour=0, minute=0) + timedelta(days=i)
        if date.day in day and date.month in month and date.isoweekday() % 7 in weekday:
            yield from (date + timedelta(hours=h, minutes=m) for h in sorted(hour) for m in sorted(minute))


def iso(when):
    return when.isoformat().replace("+00:00", "Z")


def runs_of(job, random):
    cron, usual, share, _ = JOBS[job]
    begin = TODAY - timedelta(days=DAYS)
    end = {"legacy-import": NOW - timedelta(days=48), "usage-report": NOW - timedelta(days=20),
           "certificates": NOW - timedelta(days=1, hours=4), "quarter-close": begin}.get(job, NOW)
    for slot in due(cron or "0 3 * * *", begin):
        if slot >= end - timedelta(seconds=min(3 * usual, 280)):
            return
        if DOWN[0] <= slot < DOWN[1] or (job == "mail-digest" and (NOW - slot).days == 3):
            continue
        age = (NOW - slot).days
        grown = 1 + (60 - age) / 90 if job == "nightly-backup" and age < 60 else 1
        wave = share * (3 if job == "price-watch" and age % 9 == 2 else 1)
        failed = age < 2 if job == "nightly-backup" and age < 20 else random.random() < wave
        if job == "price-watch" and NOW - slot < timedelta(hours=3):
            failed = False
        yield slot + timedelta(seconds=1), usual * grown * random.lognormvariate(0, 0.18) * (0.4 if failed else 1), failed


def write_job(directory, job, random):
    text, name = JOBS[job][3], NAMES.get(job, job.replace("-", " ").capitalize())
    with open(f"{directory}/results/{job}.jsonl", "w", encoding="utf-8") as results, \
            open(f"{directory}/logs/{job}.log", "w", encoding="utf-8") as log:
        for number, (start, seconds, failed) in enumerate(runs_of(job, random)):
            end = start + timedelta(seconds=round(seconds, 3))
            log.write(f"[{iso(start)}] Executing (command mode): working_dir=/srv, cmd={job}\n[{iso(end)}] " +
                      (f"Command failed: {text}\n" if failed else "Command executed successfully\n"))
            results.write(json.dumps({"timestamp": iso(end), "job_id": job, "job_name": name, "success": not failed,
                "output": "" if failed else f"{1000 + 7 * number} items in {seconds:.1f} s\nall is well",
                "error": text if failed else ""}) + "\n")
    return name


def main(directory, pid=os.getpid()):
    os.makedirs(f"{directory}/results")
    os.makedirs(f"{directory}/logs")
    jobs = []
    for job, (cron, _, _, _) in JOBS.items():
        name = write_job(directory, job, random.Random(job))
        if cron is None:
            continue
        last = NOW - timedelta(hours=28) if job == "certificates" else NOW
        jobs.append({"id": job, "name": name, "schedule": "cron", "cron": cron, "enabled": job != "usage-report",
                     "created_at": iso(TODAY - timedelta(days=DAYS)),
                     "next_run": iso(next(slot for slot in due(cron, TODAY - timedelta(days=2)) if slot > last))})
    with open(f"{directory}/jobs.json", "w", encoding="utf-8") as file:
        json.dump({"jobs": jobs}, file, indent=1)
    with open(f"{directory}/.checkpoint_thumbnails.json", "w", encoding="utf-8") as file:
        json.dump({"job_id": "thumbnails", "started_at": iso(NOW - timedelta(seconds=25)), "pid": int(pid)}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
