#!/usr/bin/env python3
"""schedules.py - when a schedule must be due, compared with what taskresults_slots() says (below tests/lib on PYTHONPATH).

    schedules.py cron COUNT SEED      COUNT random expressions, good and bad ones, against Debian's python3-croniter, in UTC
    schedules.py zones COUNT SEED     COUNT expressions around changes of clocks, against Python's zoneinfo: a time that the
                                      clocks pass over is due at the first minute after it, one that they show twice once
    schedules.py times COUNT SEED     days and times without a zone, in zones: taskresults_time(), against zoneinfo
    schedules.py words COUNT SEED     `every 5 minutes`, `every day at 9:30 pm` and the like, against the scheduler's own words
"""
import random
import re
import sqlite3
import sys
from datetime import datetime, timedelta, timezone

from host import connect

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()
FIELDS = [(0, 59, []), (0, 23, []), (1, 31, []), (1, 12, MONTHS), (0, 7, WEEKDAYS)]


def us_of(at):
    return (at - EPOCH) // MICROSECOND


# --- expressions --------------------------------------------------------------------------------------------------------

def value(r, low, high, names, bad):
    number = r.randint(low, high) if not bad or r.random() < 0.9 else r.choice([high + 1, 0, 99, 2**32, 10**25])
    index = number - low
    if names and r.random() < 0.4 and 0 <= index < len(names):
        name = names[index]
        return r.choice([name, name.upper(), name.title()])
    if low == 1 and high == 31 and r.random() < 0.06:
        return r.choice("lL")
    return r.choice([str(number)] * 9 + [f"0{number}"])


def item(r, low, high, names, bad):
    kind = r.random()
    step = str(r.choice([1, 2, 3, 5, 7, 10, 15, 30, r.randint(1, high + 2)] + ([0] if bad else [])))
    if kind < 0.25:
        return "*"
    if kind < 0.4:
        return f"*/{step}"
    if kind < 0.7:
        return value(r, low, high, names, bad)
    if kind < 0.8:
        return f"{value(r, low, high, names, bad)}/{step}"
    pair = [r.randint(low, high), r.randint(low, high)]
    pair = pair if bad and r.random() < 0.3 else sorted(pair)
    first, last = (names[n - low] if n - low < len(names) and r.random() < 0.4 else str(n) for n in pair)
    return f"{first}-{last}" + (f"/{step}" if r.random() < 0.3 else "")


def field(r, spec, bad):
    if r.random() < 0.35:
        return "*"
    return ",".join(item(r, *spec, bad) for _ in range(r.choice([1, 1, 1, 2, 3])))


def expression(r, bad):
    if r.random() < 0.02:
        return r.choice("@hourly @daily @midnight @weekly @monthly @yearly @annually @DAILY @Weekly @reboot @never".split())
    fields = [field(r, spec, bad) for spec in FIELDS]
    if bad and r.random() < 0.2:
        text = r.choice([" ", " ", "  ", "\t"]).join(fields)
        at = r.randrange(len(text) + 1)
        return text[:at] + r.choice(["", " ", "-", ",", "/", "*", "x", "9", "é", "?", "+", "."]) + text[at + r.randint(0, 1):]
    return r.choice([" ", " ", "  ", "\t"]).join(fields)


def is_another_dialect(text):
    """What croniter has beyond five fields of cron: hashes (h, r), the n-th weekday (#, l5), and seconds."""
    fields = text.lower().split()
    weekdays = fields[4].split(",") if len(fields) > 4 else []
    return (len(fields) == 6 or any(part[:1] in "hr" for part in fields) or "#" in text or
            any(part.startswith("l") for part in weekdays) or bool(re.search("[^ -~\t]", text)))


# --- asking -------------------------------------------------------------------------------------------------------------

def ask(db, schedule, since, until, zone, limit):
    try:
        rows = db.execute("SELECT slot, slot_us FROM taskresults_slots(?, ?, ?, ?) LIMIT ?",
                          (schedule, us_of(since), until and us_of(until), zone, limit)).fetchall()
    except sqlite3.OperationalError as error:
        assert f"'{schedule[:100]}' is no schedule: " in str(error), (schedule, error)
        return None
    for slot, us in rows:
        assert datetime.fromisoformat(slot.replace("Z", "+00:00")) == EPOCH + us * MICROSECOND, (slot, us)
    return [us for _, us in rows]


def cron_of(text):
    from croniter import croniter
    try:
        cron = croniter(text.strip(), datetime(2000, 1, 1))
        cron.fields = text.split() if "@" not in text else [None, None, "*", None, "*"]  # none of these names both
        return cron
    except (ValueError, KeyError, TypeError, NameError):  # the last: a slip where it tells of a bad number
        return None


def jumps_over_days(cron):
    """A mistake of croniter 1.3.5: searching for a 31st in February, it gets to 3 March and skips a slot on the 1st."""
    return any(day in (29, 30, 31) for day in cron.expanded[2])


def is_any(cron, field, other):
    """Does the field restrict nothing? One that names all values without a bare * is a restriction, unless the other has a *."""
    return "*" in cron.fields[field].split(",") or names_all(cron, field) and "*" in cron.fields[other]


def names_all(cron, field):
    return cron.expanded[field] == ["*"] or len(set(cron.expanded[field]) - {"l"}) == {2: 31, 4: 7}[field]


def names_all_in_words(cron):
    """croniter 1.3.5 takes 1-31 and sun-sat for a *; later ones go by is_any()."""
    return any(names_all(cron, field) and "*" not in cron.fields[field].split(",") for field in (2, 4))


def next_by_days(cron, after, count):
    """The same from what croniter makes of the fields, day by day: a day needs one of its two fields, if both ask."""
    minutes, hours, days, months, weekdays = cron.expanded
    has = lambda values, n: values == ["*"] or "*" in values or n in values
    found, day = [], after.date()
    while len(found) < count and day.year < after.year + 50:
        is_last = (day + timedelta(days=1)).month != day.month and "l" in days
        by_day, by_weekday = has(days, day.day) or is_last, has(weekdays, day.isoweekday() % 7)
        either = not is_any(cron, 2, 4) and not is_any(cron, 4, 2)
        if has(months, day.month) and (by_day or by_weekday if either else by_day and by_weekday):
            found += [at for hour in range(24) for minute in range(60) if has(hours, hour) and has(minutes, minute)
                      for at in [datetime(day.year, day.month, day.day, hour, minute)] if at > after]
        day += timedelta(days=1)
    return found[:count]


def next_of(cron, after, count):
    """The next times behind `after`, naive; fewer if there are none within croniter's 50 years."""
    from croniter import CroniterBadDateError
    if jumps_over_days(cron) or names_all_in_words(cron):
        return next_by_days(cron, after, count)
    found = []
    cron.set_current(after.timestamp() if after.tzinfo else (after - datetime(1970, 1, 1)).total_seconds(), force=True)
    try:
        for _ in range(count):
            found.append(cron.get_next(datetime))
    except CroniterBadDateError:
        pass
    return found


def check_cron(db, r, count):
    good = bad = 0
    while good + bad < count:
        text = expression(r, r.random() < 0.25)
        if is_another_dialect(text):
            continue
        cron = cron_of(text)
        after = datetime(r.randint(1990, 2060), r.randint(1, 12), r.randint(1, 28), r.randint(0, 23), r.randint(0, 59),
                         r.choice([0, 0, r.randint(0, 59)]))
        wanted = 4
        actual = ask(db, text, after.replace(tzinfo=UTC) + MICROSECOND, None, None, wanted)
        if cron is None:
            assert actual is None, (text, actual)
            bad += 1
            continue
        if "l" in cron.expanded[2] and len(cron.expanded[2]) > 31:
            continue  # `1-31,L`: for croniter, that is not all days
        expected = [us_of(at.replace(tzinfo=UTC)) for at in next_of(cron, after, wanted)]
        assert actual == expected, (text, after, expected, actual)
        good += 1
    print(f"{good} expressions agree with croniter, and {bad} that are none")


# --- zones --------------------------------------------------------------------------------------------------------------

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "Europe/Dublin",
         "America/St_Johns", "Pacific/Apia", "Asia/Tehran", "America/Sao_Paulo", "Pacific/Chatham", "Africa/Cairo",
         "America/Santiago", "Antarctica/Troll", "Asia/Gaza", "Etc/GMT-14", "UTC", "America/Nuuk"]


def shown(zone, at):
    return at.astimezone(zone).replace(tzinfo=None)


def instant(zone, naive):
    """When the zone's clocks first show this time; if they never do, the first minute after it."""
    at = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if shown(zone, at) == naive:
        return at
    at = at.replace(second=0, microsecond=0) - timedelta(days=1)
    while shown(zone, at) < naive:
        at += MINUTE
    return at


def changes(zone, year):
    """The days around which the clocks change."""
    at = datetime(year, 1, 1, tzinfo=UTC)
    while at.year == year:
        later = at + timedelta(days=1)
        if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            yield at
        at = later


def check_zones(db, r, count):
    from zoneinfo import ZoneInfo
    checked = around_changes = 0
    while checked < count:
        name = r.choice(ZONES)
        zone = ZoneInfo(name)
        days = list(changes(zone, r.choice([2011, 2022, 2026, 2027, 2045, 2090])))
        around_changes += bool(days)
        since = (r.choice(days) if days else datetime(2026, 5, 5, tzinfo=UTC)) + timedelta(minutes=r.randint(-2000, 1500))
        until = since + timedelta(minutes=r.randint(1, 3000))
        text = expression(r, False) if r.random() < 0.3 else f"{field(r, FIELDS[0], False)} {r.choice(['*', '1-3', '2', '0,2', '*/2'])} * * *"
        cron = None if is_another_dialect(text) else cron_of(text)
        if cron is None:
            continue
        due, naive = set(), (since - timedelta(days=3)).replace(tzinfo=None)
        while naive < until.replace(tzinfo=None) + timedelta(days=3):
            following = next_of(cron, naive, 1)
            if not following:
                break
            naive = following[0]
            at = instant(zone, naive)
            if since <= at <= until:
                due.add(us_of(at))
        actual = ask(db, text, since, until, name, -1)
        assert actual == sorted(due), (name, text, since, until, sorted(due), actual)
        checked += 1
    print(f"{checked} expressions agree with zoneinfo, {around_changes} of them around a change of clocks")


def instants(zone, naive):
    """The first and the last time at which clocks show it; if they skip it, twice the moment of the change."""
    first, last = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if shown(zone, first) == naive:
        return us_of(first), us_of(last)
    whole = instant(zone, naive.replace(second=0, microsecond=0))
    return us_of(whole), us_of(whole)


def check_times(db, r, count):
    from zoneinfo import ZoneInfo
    twice = passed_over = 0
    for _ in range(count):
        name = r.choice(ZONES)
        zone = ZoneInfo(name)
        days = list(changes(zone, r.choice([2011, 2022, 2026, 2027, 2045, 2090]))) or [datetime(2026, 5, 5, tzinfo=UTC)]
        naive = (r.choice(days) + timedelta(minutes=r.randint(-900, 2000), microseconds=r.choice([0, r.randrange(10**8)]))).replace(tzinfo=None)
        if r.random() < 0.3:
            text = naive.date().isoformat()
            midnight = datetime.combine(naive.date(), datetime.min.time())
            expected = instants(zone, midnight)[0], instants(zone, midnight + timedelta(days=1))[0] - 1
        elif r.random() < 0.1:
            text = naive.isoformat() + "+02:00"
            expected = (us_of(naive.replace(tzinfo=UTC)) - 7200 * 10**6,) * 2
        else:
            text = naive.isoformat(r.choice("T "))
            expected = instants(zone, naive)
            twice += expected[0] != expected[1]
            passed_over += shown(zone, EPOCH + expected[0] * MICROSECOND) != naive
        actual = db.execute("SELECT taskresults_time(?1, ?2), taskresults_time(?1, 'until', ?2), taskresults_time(?1, 'since', ?2)",
                            (text, name)).fetchone()
        assert actual == (*expected, expected[0]), (text, name, expected, actual)
    assert twice and passed_over
    print(f"{count} times agree with zoneinfo; {twice} came twice, {passed_over} were passed over")


# --- words --------------------------------------------------------------------------------------------------------------

def interval(text):
    """(microseconds, is it once) of `every N unit` and `in N unit`, or None: from the table of what the scheduler takes."""
    words = re.fullmatch(r"(in|every) (?:(\d+) )?([a-z]+)", text)
    if not words or (words[2] is None and words[1] == "in"):
        return None
    units = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "day": 86400}
    if words[1] == "every":
        units["week"] = 7 * 86400
    seconds = int(words[2] or 1) * units.get(words[3].rstrip("s"), 0)
    return (seconds * 10**6, words[1] == "in") if 0 < seconds <= 9999 * 366 * 86400 else None


def daily(text):
    """Minutes after midnight, or None."""
    words = re.fullmatch(r"every day at (\d{1,2})(?::(\d{2}))? ?(am|pm)?", text)
    if not words:
        return None
    hour, minute = int(words[1]), int(words[2] or 0)
    if words[3]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (words[3] == "pm")
    return hour * 60 + minute if hour < 24 and minute < 60 else None


def words_text(r):
    unit = r.choice("second seconds sec secs minute minutes min mins hour hours hr hrs day days week weeks month s m".split())
    amount = r.choice(["0", "1", "5", "07", str(r.randrange(1000)), str(r.randrange(10**7)), str(10**20)])
    hour, minute = r.choice(["0", "9", "09", "12", "13", "23", "24", "009"]), r.choice(["", ":00", ":30", ":59", ":60", ":5", ":"])
    text = r.choice([f"every {amount} {unit}", f"every {amount}{unit}", f"every {unit}", f"in {amount} {unit}", f"in {unit}",
                     f"every day at {hour}{minute}{r.choice(['', ' am', 'am', ' pm', 'PM', ' noon'])}", "every day at", "cron", ""])
    text = "".join(r.choice([c, c, c, c.upper()]) for c in text)
    return r.choice(["", " ", "\t"]) + text.replace(" ", r.choice([" ", " ", "  ", "\t "])) + r.choice(["", " "])


def check_words(db, r, count):
    good = 0
    for _ in range(count):
        text = words_text(r)
        plain = re.sub(r"\s+", " ", text.lower().strip())
        since = datetime(2026, r.randint(1, 12), r.randint(1, 28), r.randint(0, 23), r.randint(0, 59), r.randint(0, 59), r.randrange(10**6), tzinfo=UTC)
        every, at = interval(plain), daily(plain)
        if every:
            expected = [us_of(since) + every[0] * n for n in range(1, 2 if every[1] else 4)]
            expected = [us for us in expected if us <= 253402300799999999]
        elif at is not None:
            first = since.replace(hour=0, minute=0, second=0, microsecond=0) + at * MINUTE
            expected = [us_of(first + timedelta(days=n + (first < since))) for n in range(3)]
        else:
            expected = None
        actual = ask(db, text, since, None, None, 3)
        assert actual == expected, (text, since, expected, actual)
        good += expected is not None
    assert good > count / 8, good
    print(f"{good} schedules in words agree, and {count - good} that are none")


if __name__ == "__main__":
    {"cron": check_cron, "zones": check_zones, "words": check_words, "times": check_times}[sys.argv[1]](
        connect(), random.Random(int(sys.argv[3])), int(sys.argv[2]))
