#!/usr/bin/env python3
"""rows.py RESULTS_DIR ROWS REJECTS - compares what SQL says of a results directory with what Python says.

ROWS and REJECTS are dumps made with rows.sql and rejects.sql. The expected rows are computed here from the files with
json.loads(), which the scheduler itself uses, and the rules of ext/TABLES.md for the rest: how a value becomes a SQL
value, and what is too long or too deep. Nothing here shares code or method with the extension. Prints the first
disagreements, and how many lines of each kind there were; exits 1 if any disagreed.
"""
import json
import os
import re
import struct
import sys
from datetime import date

MAX_LINE = 1024 * 1024
MAX_NESTING = 900
FIELDS = ["timestamp", "job_name", "success", "output", "error"]
TOKEN_OR_SPACE = re.compile(r'"(?:[^"\\]|\\.)*"|[ \t\r\n]+')
STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
SPACE = re.compile(r"[ \t\r\n]*")
TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?", re.ASCII
)

if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(4300)  # the default, whatever the environment says


def nesting(line):
    """How deep the brackets outside of strings are nested. If the line is not JSON, this is a guess."""
    if line.count(b"[") + line.count(b"{") <= MAX_NESTING:
        return 0  # not deep
    depth = deepest = 0
    for token in STRING_OR_BRACKET.findall(line):
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest


def verdict(line):
    """None for a blank line, False for a reject, or (text, record)."""
    if not line.strip(b" \t\r"):
        return None if len(line) <= MAX_LINE else False
    if len(line) > MAX_LINE or nesting(line) > MAX_NESTING:  # Python's own limit on nesting depends on its version
        return False
    try:
        text = line.decode("utf-8", "strict")
        record = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return (text, record) if isinstance(record, dict) else False


def source_text(text, wanted):
    """Where json.loads() found the value of the last member named `wanted`."""
    decoder = json.JSONDecoder()
    skip = lambda at: SPACE.match(text, at).end()
    at = skip(skip(0) + 1)
    found = None
    while text[at] == '"':
        key, at = json.decoder.scanstring(text, at + 1)
        start = skip(skip(at) + 1)
        _, end = decoder.raw_decode(text, start)
        if key == wanted:
            found = text[start:end]
        at = skip(skip(end) + 1)
        if at >= len(text):
            break
    return found


def minified(text):
    return TOKEN_OR_SPACE.sub(lambda match: match[0] if match[0][0] == '"' else "", text)


def as_text(text):
    return "T" + text.encode("utf-8").hex().upper()


def as_real(number):
    return "R" + struct.pack(">d", number).hex().upper()


def as_float(integer):
    try:
        return float(integer)
    except OverflowError:
        return float("inf") if integer > 0 else float("-inf")


def sql_value(text, record, key):
    """How rows.sql prints the column."""
    value = record.get(key)
    if value is None or value != value:
        return "N"
    if isinstance(value, bool):
        return "I1" if value else "I0"
    if isinstance(value, int):
        return "I%d" % value if -(2**63) <= value < 2**63 else as_real(as_float(value))
    if isinstance(value, float):
        return as_real(value)
    if isinstance(value, str):
        return as_text(LONE_SURROGATE.sub("\ufffd", value))
    return as_text(minified(source_text(text, key)))


def time_us(record):
    match = TIME.fullmatch(record.get("timestamp")) if isinstance(record.get("timestamp"), str) else None
    if not match:
        return "N"
    year, month, day, hour, minute, second = (int(group or 0) for group in match.groups()[:6])
    zone_hour, zone_minute = int(match[9] or 0), int(match[10] or 0)
    if hour > 23 or minute > 59 or second > 60 or zone_hour > 23 or zone_minute > 59:
        return "N"
    try:  # Python has no year 0; the calendar repeats every 400 years, which are 146097 days
        days = date(year % 400 + 2000, month, day).toordinal() + (year // 400 - 5) * 146097 - date(1970, 1, 1).toordinal()
    except ValueError:
        return "N"
    zone = (zone_hour * 3600 + zone_minute * 60) * (-1 if match[8] == "-" else 1)
    fraction = int(((match[7] or "") + "000000")[:6])
    return "I%d" % ((days * 86400 + hour * 3600 + minute * 60 + second - zone) * 1000000 + fraction)


def lines_of(path):
    """(offset, line) for each line; text after the last newline is a line, too."""
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    offset = 0
    for line in lines:
        yield offset, line
        offset += len(line) + 1


def expected(directory):
    """What rows.sql and rejects.sql should print, and how many lines are blank."""
    rows, rejects, blank = [], [], 0
    for name in sorted(os.listdir(directory), key=os.fsencode):
        job = as_text(name[: -len(".jsonl")])
        for offset, line in lines_of(os.path.join(directory, name)):
            judged = verdict(line)
            if judged is None:
                blank += 1
            elif judged is False:
                rejects.append("|".join([job, "I%d" % offset, "I%d" % len(line), rejected_line(line)]))
            else:
                values = [sql_value(*judged, key) for key in FIELDS] + [time_us(judged[1]), "I%d" % bool(judged[1].get("success"))]
                rows.append("|".join([job, "I%d" % offset] + values + ["T" + line.hex().upper()]))
    return rows, rejects, blank


def rejected_line(line):
    if len(line) > MAX_LINE:
        return "N"
    try:
        return as_text(line.decode("utf-8", "strict"))
    except ValueError:
        return "B" + line.hex().upper()


def readable(row):
    """A dumped row, for people."""
    cells = [bytes.fromhex(cell[1:]) if cell[:1] in ("T", "B") else cell for cell in row.split("|")]
    return [cell if len(cell) < 400 else cell[:400] for cell in cells]


def compare(what, ours, python):
    """Rows come in order of job and offset, so what only one side has is easy to tell."""
    key = lambda row: tuple(row.split("|", 2)[:2])
    ours_by_key, python_by_key = {key(row): row for row in ours}, {key(row): row for row in python}
    differing = [k for k in {**python_by_key, **ours_by_key} if ours_by_key.get(k) != python_by_key.get(k)]
    for k in differing[:10]:
        print("# %s differ at %s:" % (what, readable("|".join(k))))
        print("#   sql:    %s" % (readable(ours_by_key[k]) if k in ours_by_key else "none"))
        print("#   python: %s" % (readable(python_by_key[k]) if k in python_by_key else "none"))
    if not differing and ours != python:
        print("# %s come in another order, or more than once" % what)
    return len(differing) or int(ours != python)


def main():
    directory, rows_path, rejects_path = sys.argv[1:]
    rows, rejects, blank = expected(directory)
    with open(rows_path) as file:
        differing = compare("rows", file.read().splitlines(), rows)
    with open(rejects_path) as file:
        differing += compare("rejects", file.read().splitlines(), rejects)
    print("%d lines: %d records, %d rejects, %d blank; %d disagreements"
          % (len(rows) + len(rejects) + blank, len(rows), len(rejects), blank, differing))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
