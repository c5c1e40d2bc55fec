"""example_dates.py ORIGINAL COPY NOW - is COPY the example data as examples/fresh.sh promises it for NOW (ISO, UTC)?

Each job's times are moved by one multiple of its interval. Its last run is the latest that its interval allows before NOW.
The next run of every enabled job is in the future, at its time of the day; that of cert-check is one to two days late.
Nothing else differs.
"""
import datetime
import json
import pathlib
import re
import sys

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
HOURS = {"nightly-backup": 24, "daily-digest": 24, "price-watch": 1, "api-monitor": 6, "disk-report": 168,
         "yearly-cleanup": 24, "cert-check": 24}


def parsed(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def moves(name, old, new):
    """The set of distances by which the times of a text were moved; all else must be the same."""
    assert TIME.sub("T", old) == TIME.sub("T", new), f"{name}: more than times differs"
    pairs = list(zip(TIME.findall(old), TIME.findall(new), strict=True))
    return {parsed(b) - parsed(a) for a, b in pairs if not a.startswith("2999")}


def check(original, copy, now):
    files = sorted(path.relative_to(original) for path in original.glob("*/*") if path.parent.name in ("results", "logs"))
    assert len(files) == 7
    assert files == sorted(path.relative_to(copy) for path in copy.glob("*/*"))
    by = {}
    for file in files:
        text = (copy / file).read_text(encoding="utf-8")
        by.setdefault(file.stem, set()).update(moves(file, (original / file).read_text(encoding="utf-8"), text))
        if file.suffix == ".jsonl":
            age = now - parsed(TIME.findall(text)[-1])
            assert datetime.timedelta(0) <= age + datetime.timedelta(seconds=1), f"{file}: ends after now"
            assert age < datetime.timedelta(hours=HOURS[file.stem]), f"{file}: ends {age} ago"
    old_jobs = json.loads((original / "jobs.json").read_text(encoding="utf-8"))["jobs"]
    new_jobs = json.loads((copy / "jobs.json").read_text(encoding="utf-8"))["jobs"]
    assert [job["id"] for job in old_jobs] == [job["id"] for job in new_jobs]
    for old, new in zip(old_jobs, new_jobs):
        by.setdefault(new["id"], set()).update(moves(new["id"], *(json.dumps({**job, "next_run": None}) for job in (old, new))))
        late = now - parsed(new["next_run"])
        if new["id"] == "cert-check":
            assert datetime.timedelta(days=1) <= late < datetime.timedelta(days=2), f"cert-check: late by {late}"
            continue
        interval = datetime.timedelta(hours=HOURS[new["id"]])
        if not old["next_run"].startswith("2999"):
            assert not (parsed(new["next_run"]) - parsed(old["next_run"])) % interval, f"{new['id']}: next run at another time"
            assert not new["enabled"] or -interval <= late < datetime.timedelta(0), f"{new['id']}: its next run is {late} late"
    for job, distances in by.items():
        assert len(distances) == 1, f"{job}: moved by {distances}"
        assert not distances.pop() % datetime.timedelta(hours=HOURS[job]), job


check(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), parsed(sys.argv[3]))
