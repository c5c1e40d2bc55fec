"""days.py - what task_days has to show of these records of a job, wherever they are by now: written from ext/TABLES.md."""
import collections
import datetime


def time_of(stamp):
    """Or None. Only the forms that the tests use."""
    try:
        when = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    except (ValueError, AttributeError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)


def text_of(when):
    return when.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def by_day(records, zone=datetime.timezone.utc):
    """The records of each day; those without a readable time are under None."""
    found = collections.defaultdict(list)
    for record in records:
        when = time_of(record.get("timestamp"))
        found[when and when.astimezone(zone).date().isoformat()].append((when, bool(record.get("success"))))
    return found


def rows(job, records, zone=datetime.timezone.utc):
    """The rows: job_id, day, runs, failures, first_run, last_run, as the sqlite3 shell prints them."""
    for day, runs in by_day(records, zone).items():
        times = [when for when, _ in runs if when]
        ends = [text_of(min(times)), text_of(max(times))] if times else ["", ""]
        yield "|".join([job, day or "", str(len(runs)), str(sum(not good for _, good in runs)), *ends])
