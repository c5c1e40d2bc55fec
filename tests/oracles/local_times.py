#!/usr/bin/env python3
"""local_times.py - what clocks of a zone show, by Python's zoneinfo, compared with what we show.

    local_times.py function COUNT SEED      taskresults_local(), at random times, most of them around changes of the clocks
                                            (below tests/lib on PYTHONPATH)
    local_times.py write FILE ZONE DAY...   a record every 20 minutes of those local days, every third one a failure
    local_times.py days FILE ZONE           `DAY RUNS FAILURES FIRST LAST`, for each local day of the file's records
    local_times.py hours FILE ZONE          `HOUR RUNS`, for each local hour, in the order of time
"""
import json
import random
import sys
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ZONES = ("Europe/Berlin America/New_York America/St_Johns Asia/Kolkata Asia/Kathmandu Australia/Lord_Howe Pacific/Apia "
         "Africa/Monrovia America/Sao_Paulo UTC").split()


def shown(at, zone):
    """Cut to the second: 59.9 s are shown as 59."""
    return at.astimezone(zone).replace(microsecond=0).isoformat()


def check_function(count, seed):
    from host import connect
    db, r = connect(), random.Random(seed)
    for _ in range(count):
        name = r.choice(ZONES)
        day = datetime(r.randint(1900, 2099), r.choice([3, 10, r.randint(1, 12)]), r.randint(1, 28), tzinfo=UTC)
        at = day + timedelta(seconds=r.randint(-4 * 86400, 4 * 86400), microseconds=r.choice([0, 1, 500000, 999999]))
        told, = db.execute("SELECT taskresults_local(?, ?)", ((at - EPOCH) // MICROSECOND, name)).fetchone()
        wanted = shown(at, ZoneInfo(name))
        if name == "UTC":
            wanted = wanted.replace("+00:00", "Z")
        assert told == wanted, (at.isoformat(), name, told, wanted)
    print(f"{count} times agree with zoneinfo")


def write(path, zone, days):
    with open(path, "w") as file:
        for day in map(date.fromisoformat, days):
            # Local midnights, as times of UTC: what lies between them is 23, 24 or 25 hours.
            midnights = [datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(UTC) for d in (day, day + timedelta(1))]
            at, n = midnights[0], 0
            while at < midnights[1]:
                file.write(json.dumps({"timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "success": n % 3 != 2,
                                       "output": "", "error": "no"}) + "\n")
                at, n = at + timedelta(minutes=20), n + 1


def records(path, zone):
    with open(path) as file:
        for record in map(json.loads, file):
            at = datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00"))
            yield at.astimezone(zone), record["success"]


def days(path, zone):
    found = {}
    for at, success in records(path, zone):
        found.setdefault(at.date(), []).append((at, success))
    for day, runs in found.items():
        times = [at.isoformat(sep="_") for at, _ in runs]
        print(day, len(runs), sum(not success for _, success in runs), times[0], times[-1])


def hours(path, zone):
    for hour, runs in Counter(at.strftime("%Y-%m-%d_%H:00") + at.isoformat()[19:] for at, _ in records(path, zone)).items():
        print(hour, runs)


if __name__ == "__main__":
    if sys.argv[1] == "function":
        check_function(int(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "write":
        write(sys.argv[2], ZoneInfo(sys.argv[3]), sys.argv[4:])
    else:
        {"days": days, "hours": hours}[sys.argv[1]](sys.argv[2], ZoneInfo(sys.argv[3]))
