#!/usr/bin/env python3
"""report.py PAGE RESULTS - reads a status page as the page's script does, counts the results independently, and
compares.

Fails at the first difference. With PAGE alone, prints the page's data as JSON, a job's columns by their names.
"""
import json
import os
import re
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo


def data_of(page):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    data["jobs"] = [dict(zip(data["columns"], job, strict=True)) for job in data["jobs"]]
    for thing in [data["all"], *data["jobs"]]:
        thing["days"] = list(days_of(thing["days"] or "", data["days"]))
    return data


def days_of(text, count):
    made, same = 0, None
    for token in text.split(" ") if text else []:
        if token.startswith("~"):
            for _ in range(int(token[1:])):
                made += 1
                yield (0, 0, 0)
            continue
        if token:
            same = tuple(map(int, (token.split("-") + ["0", "0"])[:3]))
        made += 1
        yield same
    assert made <= count, text
    for _ in range(count - made):
        yield (0, 0, 0)


def time_of(record):
    try:
        return datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00")).astimezone(timezone.utc)
    except (ValueError, KeyError, AttributeError):
        return None


def check(data, job, records):
    now = datetime.fromtimestamp(data["generated"], timezone.utc)
    zone = ZoneInfo(data["zone"])
    today = now.astimezone(zone).date()
    assert date(1970, 1, 1) + timedelta(days=data["first_day"] + data["days"] - 1) == today
    days = [[0, 0, 0] for _ in range(data["days"])]
    windows = [0] * 8
    for record in records:
        when, failed = time_of(record), not record["success"]
        if when is None:
            continue
        index = len(days) - 1 - (today - min(when.astimezone(zone).date(), today)).days
        if index >= 0:
            days[index][0] += 1
            days[index][1] += failed
        for i, length in enumerate((1, 7, 30, 90)):
            if when >= now - timedelta(days=length):
                windows[2 * i] += 1
                windows[2 * i + 1] += failed
    streak = 0
    for record in reversed(records):
        sign = 1 if record["success"] else -1
        if streak and (streak > 0) != (sign > 0):
            break
        streak += sign
    last = records[-1]
    others = [record for record in records if bool(record["success"]) != bool(last["success"])]
    state = "failing" if streak < 0 else "flaky" if windows[5] * 10 > windows[4] else "ok"
    expected = {
        "runs": len(records),
        "failures": sum(not record["success"] for record in records),
        "streak": streak,
        "state": state,
        "days": [tuple(day) for day in days],
        "text": last["output"] if last["success"] else last["error"],
        "other": None if not others else others[-1]["output"] if others[-1]["success"] else others[-1]["error"],
    }
    for name, value in expected.items():
        assert job[name] == value, (job["id"], name, job[name], value)
    assert (job["windows"] or [0] * 8) == windows, (job["id"], job["windows"], windows)
    recent = [(token.rstrip("!"), token.endswith("!")) for token in job["recent"].split(" ")]
    for (ago, failed), record in zip(recent, reversed(records)):
        when = time_of(record)
        assert failed == (not record["success"]), job["recent"]
        assert ago == "?" if when is None else data["generated"] - int(ago) == int(when.timestamp()), (ago, when)


def main(page, results=None):
    data = data_of(page)
    if results is None:
        print(json.dumps(data))
        return
    jobs = {job["id"]: job for job in data["jobs"]}
    names = [name.removesuffix(".jsonl") for name in os.listdir(results)]
    assert sorted(jobs) == sorted(names), (sorted(jobs), sorted(names))
    for name in names:
        with open(f"{results}/{name}.jsonl", encoding="utf-8") as file:
            check(data, jobs[name], [json.loads(line) for line in file])
    totals = [tuple(map(sum, zip(*(job["days"][i] for job in data["jobs"])))) for i in range(data["days"])]
    assert data["all"]["days"] == totals
    assert data["all"]["windows"] == [sum((job["windows"] or [0] * 8)[i] for job in data["jobs"]) for i in range(8)]


if __name__ == "__main__":
    main(*sys.argv[1:])
