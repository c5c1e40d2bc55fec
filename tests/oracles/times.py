#!/usr/bin/env python3
"""times.py - what taskresults_time() and taskresults_span() must answer, from the words of ext/TABLES.md (Times and spans).

As a module: meaning(text, now) and length(text, decimals). As a program (below tests/lib on PYTHONPATH): asks the extension
for COUNT texts, good and bad ones, and compares.
"""
import random
import re
import sys
import time
from datetime import date, datetime, timedelta, timezone

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
UNITS = {
    timedelta(seconds=1): "s sec secs second seconds",
    timedelta(minutes=1): "m min mins minute minutes",
    timedelta(hours=1): "h hr hrs hour hours",
    timedelta(days=1): "d day days",
    timedelta(weeks=1): "w week weeks",
    timedelta(days=30): "mo month months",
    timedelta(days=365): "y yr yrs year years",
}
UNIT = {name: size // MICROSECOND for size, names in UNITS.items() for name in names.split()}
BLANK = " \t\n\v\f\r"


def length(text, decimals=False):
    """Microseconds, or None. Python's integers are unlimited, so the limit is checked at the end."""
    if re.search("(?<![A-Za-z])M(?![A-Za-z])", text):  # minutes or months?
        return None
    text = text.strip(BLANK).lower()
    if decimals and re.fullmatch(r"[0-9]+(\.[0-9]+)?|\.[0-9]+", text):
        text += "s"
    number = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+" if decimals else "[0-9]+"
    part = rf"({number})[{BLANK}]*([a-z]+)[{BLANK}]*"
    if not re.fullmatch(f"(?:{part})+", text):
        return None
    total = 0
    for count, name in re.findall(part, text):
        if name not in UNIT:
            return None
        whole, _, digits = count.partition(".")
        total += int(whole or 0) * UNIT[name] + int((digits + "000000")[:6]) * UNIT[name] // 1000000
    return total if total < 2**63 else None


def whole_day(day):
    start = (datetime(day.year, day.month, day.day, tzinfo=timezone.utc) - EPOCH) // MICROSECOND
    return start, start + 86400 * 10**6 - 1


def instant(text):
    """ISO, as Python reads it; the forms that only timestamps have are timestamp's own tests."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?", text, re.ASCII):
        return None
    try:
        read = datetime.fromisoformat(text)
        read = read if read.tzinfo else read.replace(tzinfo=timezone.utc)
        read.astimezone(timezone.utc)  # OverflowError outside of the years 1 to 9999
        return (read - EPOCH) // MICROSECOND
    except (ValueError, OverflowError):
        return None


def meaning(text, now):
    """(first, last) microsecond, or None."""
    text = text.strip(BLANK)
    today = EPOCH.date() + timedelta(days=now // (86400 * 10**6))
    if text.lower() == "now":
        return now, now
    if text.lower() in ("today", "yesterday"):
        return whole_day(today - timedelta(days=text.lower() == "yesterday"))
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        try:
            return whole_day(date.fromisoformat(text))
        except ValueError:
            return None
    at = instant(text)
    if at is None:
        ago = re.fullmatch(rf"(.*)[{BLANK}]ago", text, re.IGNORECASE | re.DOTALL)
        us = length(ago[1] if ago else text)
        at = now - us if us is not None and now - us >= (datetime.min.replace(tzinfo=timezone.utc) - EPOCH) // MICROSECOND else None
    return at if at is None else (at, at)


# --- texts ------------------------------------------------------------------------------------------------------------

def blanks(r):
    return r.choice(["", "", " ", "  ", "\t", " \n"])


def span_text(r):
    def one():
        size = r.choice([0, 1, 7, 90, r.randrange(1000), r.randrange(10**6), r.randrange(10**13), r.randrange(10**20)])
        name = r.choice(list(UNIT))
        count = r.choice([str(size)] * 4 + [f"00{size}", f"{size}.{r.randrange(10**r.randint(1, 8))}", f".{r.randrange(99)}"])
        return count + blanks(r) + "".join(r.choice([c, c, c.upper()]) for c in name)
    return blanks(r) + r.choice(["", " "]).join(one() for _ in range(r.choice([1, 1, 1, 2, 3]))) + blanks(r)


def time_text(r):
    day = f"{r.choice([0, 1, 1969, 1970, 2026, 9999, r.randrange(10000)]):04}-{r.randint(0, 13):02}-{r.randint(0, 32):02}"
    clock = f"{r.randint(0, 24):02}:{r.randint(0, 60):02}" + r.choice(["", f":{r.randint(0, 59):02}", f":{r.randint(0, 59):02}.{r.randrange(10**6)}"])
    zone = r.choice(["", "Z", f"{r.choice('+-')}{r.randint(0, 23):02}:{r.randint(0, 59):02}"])
    word = r.choice(["now", "today", "yesterday", "NOW", "Today", "tomorrow", "ago", "last monday"])
    return r.choice([day, day, f"{day}T{clock}{zone}", f"{day} {clock}{zone}", word, span_text(r), f"{span_text(r)} ago"])


def damaged(r, text):
    at = r.randrange(len(text) + 1)
    return text[:at] + r.choice(["", " ", "-", "+", "0", "9", "x", "s", "m", ".", "ago", "é"]) + text[at + r.randint(0, 1):]


def texts(r, make, count):
    for number in range(count):
        text = make(r)
        yield damaged(r, text) if number % 3 == 0 else text


# --- the comparison -----------------------------------------------------------------------------------------------------

def ask(db, sql, text):
    """The integer, or None for an error that says what is understood."""
    import sqlite3
    try:
        return db.execute(sql, (text,)).fetchone()[0]
    except sqlite3.OperationalError as error:
        assert "90 days" in str(error), (text, error)
        return None


def main(count, seed):
    from host import connect
    db, r, good = connect(), random.Random(seed), 0
    for text in texts(r, span_text, count):
        for decimals, sql in ((False, "SELECT taskresults_span(?)"), (True, "SELECT taskresults_span(?, 'seconds')")):
            expected, actual = length(text, decimals), ask(db, sql, text)
            assert actual == expected, (sql, text, expected, actual)
            good += expected is not None
    for text in texts(r, time_text, count):
        before = time.time_ns() // 1000
        answers = [ask(db, "SELECT taskresults_time(?)", text), ask(db, "SELECT taskresults_time(?, 'until')", text)]
        after = time.time_ns() // 1000
        for at, answer in enumerate(answers):
            low, high = meaning(text, before), meaning(text, after)
            fits = answer is None if low is None else answer is not None and low[at] <= answer <= high[at]
            assert fits, (text, at, low, high, answer)
        good += answers[0] is not None
    assert count < good < 3 * count, good  # neither kind is missing
    print(good)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
