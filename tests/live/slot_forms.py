#!/usr/bin/env python3
"""slot_forms.py - every form in which SQL can give task_slots its arguments, and every condition on its rows, must give the
rows that tests/oracles/slots.py computes.

usage: slot_forms.py [args | conditions | orders | tables]      all of them, unless one is named

In an empty directory, with tests/lib, tests/live and tests/oracles on PYTHONPATH, the clock standing at slot_joins.NOW_S, and
the scheduler's directories in the environment being those of ./state. Prints how many queries agreed.
"""
import itertools
import random
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import joins
import slot_joins
import slots
from host import connect

STATE = "state"
NOW = slot_joins.NOW_S * slots.SECOND
HOUR = 3600 * slots.SECOND
LONG_AGO = NOW - 30 * slots.DAY  # before any job was made
COLUMNS = ["job_id", "slot", "slot_us", "offset", "late_s", "state", "ok"]
PICKED = ", ".join(f"s.{name}" for name in COLUMNS)
CALL = "task_slots(args.since, args.until, args.grace, args.zone, args.per_job)"
EQUAL = " AND ".join(f"s.{name} = args.{name}" for name in ("since", "until", "grace", "zone", "per_job"))

SINCES = [None, LONG_AGO, NOW - 5 * HOUR, "2026-02-15T10:00:00Z", "2026-02-15T12:00:00+01:00", "2026-02-15", "6h", "now"]
UNTILS = [None, NOW + 3 * HOUR, NOW - HOUR, "2026-02-15T13:30:00Z", "2026-02-15", "now", "2h"]
GRACES = [None, 0, "10m", 40 * slots.SECOND]
ZONES = [None, "UTC", "Europe/Berlin", "America/New_York"]
PER_JOBS = [None, 1, -1, 3, -2, 100]
SPANS = {"now": 0, "2h": 2 * HOUR, "6h": 6 * HOUR, "10m": 600 * slots.SECOND}

asked = 0


# --- what the manual says of the arguments --------------------------------------------------------------------------------


def time_of(value, zone, is_until, otherwise):
    if value is None:
        return otherwise
    if isinstance(value, int):
        return value
    if value in SPANS:
        return NOW - SPANS[value]
    if len(value) == 10:
        midnight = datetime.fromisoformat(value) + timedelta(days=is_until)
        return slots.us_of(midnight.replace(tzinfo=ZoneInfo(zone or "UTC"))) - is_until
    return slots.read_time(value)


def rows_of(since=None, until=None, grace=None, zone=None, per_job=None, known={}):
    key = (since, until, grace, zone, per_job)
    if key not in known:
        rows = slots.expected(STATE, NOW, max(LONG_AGO, time_of(since, zone, False, NOW - 7 * slots.DAY)),
                              time_of(until, zone, True, NOW), SPANS.get(grace, grace), ZoneInfo(zone or "UTC"))
        rows = rows if per_job is None else slots.some_of_each(rows, per_job)
        known[key] = [(row[0], row[1], row[2], row[3], row[5], row[6], row[7]) for row in rows]
    return known[key]


def agree(query, actual, wanted, ordered=False):
    global asked
    asked += 1
    by = lambda row: [(value is not None, str(type(value)), value) for value in row]
    actual, wanted = [tuple(row) for row in actual], [tuple(row) for row in wanted]
    if not ordered:
        actual, wanted = sorted(actual, key=by), sorted(wanted, key=by)
    if actual != wanted:
        first = next((pair for pair in itertools.zip_longest(actual, wanted) if pair[0] != pair[1]))
        sys.exit(f"{query}\n{len(actual)} rows, not {len(wanted)}; the first that differs:\n is {first[0]}\nnot {first[1]}")


# --- the arguments --------------------------------------------------------------------------------------------------------


def argument_sets():
    """Each value of each argument by itself, all pairs of two, and some of all five."""
    r, every = random.Random(4), [SINCES, UNTILS, GRACES, ZONES, PER_JOBS]
    sets = {(None,) * 5}
    for (i, values), (j, others) in itertools.combinations(enumerate(every), 2):
        for value, other in itertools.product(values, others):
            chosen = [None] * 5
            chosen[i], chosen[j] = value, other
            sets.add(tuple(chosen))
    sets |= {tuple(map(r.choice, every)) for _ in range(100)}
    return sorted(sets, key=str)


def fill_args(db, sets):
    db.execute("CREATE TEMP TABLE args(i INTEGER PRIMARY KEY, since, until, grace, zone, per_job)")
    db.executemany("INSERT INTO args VALUES (?, ?, ?, ?, ?, ?)", [(i, *chosen) for i, chosen in enumerate(sets)])
    db.execute("CREATE TEMP TABLE names(job_id TEXT)")
    db.execute("INSERT INTO names VALUES ('a'), ('1'), ('nobody'), (NULL), ('A')")


def check_args(db):
    sets = argument_sets()
    fill_args(db, sets)
    per_set = [(i, rows_of(*chosen)) for i, chosen in enumerate(sets)]
    flat = [(i, *row) for i, rows in per_set for row in rows]
    kept = [(i, *(row if row else (None,) * 7)) for i, rows in per_set for row in rows or [None]]
    named = [row for row in flat if row[1] in ("a", "1", "A")]
    early = [row for row in flat if row[3] is not None and row[3] < NOW - 4 * HOUR]
    for query, wanted in {
        f"SELECT i, {PICKED} FROM args, {CALL} AS s": flat,
        f"SELECT i, {PICKED} FROM args CROSS JOIN {CALL} AS s": flat,
        f"SELECT i, {PICKED} FROM args INNER JOIN {CALL} AS s ON 1": flat,
        f"SELECT i, {PICKED} FROM args INNER JOIN task_slots AS s ON {EQUAL}": flat,
        f"SELECT i, {PICKED} FROM args, task_slots AS s WHERE {EQUAL}": flat,
        f"SELECT i, {PICKED} FROM task_slots AS s, args WHERE {EQUAL}": flat,
        f"SELECT i, {PICKED} FROM task_slots AS s JOIN args USING (since, until, grace, zone, per_job)": flat,
        f"SELECT i, {PICKED} FROM args LEFT JOIN {CALL} AS s": kept,
        f"SELECT i, {PICKED} FROM args LEFT JOIN task_slots AS s ON {EQUAL}": kept,
        f"SELECT i, {PICKED} FROM args LEFT JOIN {CALL} AS s ON 1 WHERE s.job_id = 'a'": [row for row in flat if row[1] == "a"],
        f"SELECT i, (SELECT count(*) FROM {CALL}), (SELECT max(slot_us) FROM {CALL} WHERE job_id = 'a') FROM args":
            [(i, len(rows), max((row[2] for row in rows if row[0] == "a"), default=None)) for i, rows in per_set],
        f"SELECT i FROM args WHERE EXISTS (SELECT 1 FROM {CALL} WHERE state = 'missed')":
            [(i,) for i, rows in per_set if any(row[5] == "missed" for row in rows)],
        f"SELECT i FROM args WHERE 'a' NOT IN (SELECT job_id FROM {CALL})":
            [(i,) for i, rows in per_set if all(row[0] != "a" for row in rows)],
        f"SELECT i, {PICKED} FROM args, {CALL} AS s WHERE s.job_id IN (SELECT job_id FROM names)": named,
        f"SELECT i, {PICKED} FROM args, names AS n, {CALL} AS s WHERE s.job_id = n.job_id": named,
        f"SELECT i, {PICKED} FROM names AS n CROSS JOIN args CROSS JOIN {CALL} AS s USING (job_id)": named,
        f"SELECT i, {PICKED} FROM args, {CALL} AS s WHERE s.slot_us < {NOW - 4 * HOUR}": early,
        f"WITH w AS MATERIALIZED (SELECT i, {PICKED} FROM args, {CALL} AS s) SELECT * FROM w WHERE slot_us < {NOW - 4 * HOUR}": early,
        "SELECT i, s.since, s.until, s.grace, s.zone, s.per_job, count(*) FROM args, " + CALL + " AS s GROUP BY i":
            [(i, *sets[i], len(rows)) for i, rows in per_set if rows],
    }.items():
        agree(query, db.execute(query), wanted)
    for i, chosen in enumerate(sets):
        width = max((n + 1 for n, value in enumerate(chosen) if value is not None), default=0)
        marks = ", ".join("?" * width)
        agree(f"{chosen} as parameters", db.execute(f"SELECT {PICKED} FROM task_slots({marks}) AS s", chosen[:width]), per_set[i][1], True)
    check_chained(db)


def check_chained(db):
    """The arguments of one task_slots are values of another."""
    first = rows_of(NOW - 6 * HOUR)
    query = (f"SELECT o.job_id, o.slot_us, s.job_id, s.slot_us, s.state FROM task_slots({NOW - 6 * HOUR}) AS o "
             f"JOIN task_slots(o.slot_us + 1, o.slot_us + {HOUR}) AS s ON s.job_id = o.job_id WHERE o.state = 'missed'")
    agree(query, db.execute(query), [
        (o[0], o[2], s[0], s[2], s[5]) for o in first if o[5] == "missed" for s in rows_of(o[2] + 1, o[2] + HOUR) if s[0] == o[0]])
    query = (f"SELECT x.job_id, x.slot_us, y.slot_us FROM task_slots({NOW - 6 * HOUR}) AS x, "
             f"task_slots('2026-02-15', 'now', NULL, NULL, -1) AS y WHERE x.job_id = y.job_id AND x.slot_us < y.slot_us")
    agree(query, db.execute(query), [
        (x[0], x[2], y[2]) for x in first for y in rows_of("2026-02-15", "now", None, None, -1)
        if x[0] == y[0] and x[2] is not None and y[2] is not None and x[2] < y[2]])


# --- conditions on the rows -----------------------------------------------------------------------------------------------

LISTS = ["(1771149600000000, 'a')", "(NULL)", "('a', '1', 1)", "(SELECT job_id FROM names)", "(SELECT max(slot_us) FROM c)", "()"]


def conditions():
    for column, op, value in itertools.product(COLUMNS, ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"], slot_joins.TIMES + [
            "'a'", "'A'", "1", "'missed'", "0.0", "(SELECT min(slot_us) FROM c)", "abs(-1771149600000000)"]):
        yield f"{column} {op} {value}"
        yield f"{value} {op} {column}"
    for column, negation, values in itertools.product(COLUMNS, ["", "NOT "], LISTS):
        yield f"{column} {negation}IN {values}"
    for column, pattern in itertools.product(COLUMNS, ["'a*'", "'*'", "'[A1]'", "NULL", "'%a%'"]):
        yield from (f"{column} GLOB {pattern}", f"{column} NOT GLOB {pattern}", f"{column} LIKE {pattern}")
    for low, high in itertools.product(slot_joins.TIMES, ["1771156800000000", "'a'", "NULL", "0"]):
        yield from (f"slot_us BETWEEN {low} AND {high}", f"slot_us NOT BETWEEN {low} AND {high}", f"job_id = 'a' AND slot_us > {low}",
                    f"job_id = 'a' OR slot_us > {low}", f"NOT (job_id = '1' AND slot_us <= {low})", f"slot_us > {low} AND slot_us > {high}")
    for collation in ("NOCASE", "RTRIM", "BINARY"):
        yield from (f"job_id = 'a' COLLATE {collation}", f"job_id COLLATE {collation} IN ('a', 'b ')", f"job_id COLLATE {collation} < 'a'")
    yield from ("(job_id, slot_us) > ('a', 1771149600000000)", "(job_id, slot_us) = ('a', 1771149600000000)", "slot_us ISNULL",
                "slot_us NOTNULL", "slot_us + 0 > 1771149600000000", "+job_id = 'a'", "job_id = state", "slot_us = offset", "job_id IS NULL")


def check_conditions(db):
    db.execute("CREATE TEMP TABLE names(job_id TEXT)")
    db.execute("INSERT INTO names VALUES ('a'), ('1'), ('nobody'), (NULL), ('A')")
    db.execute(f"CREATE TEMP TABLE c({slot_joins.SLOTS})")
    picked = ", ".join(COLUMNS)
    for arguments in ((LONG_AGO, NOW + 2 * HOUR), (LONG_AGO, NOW, None, None, -2), ("2026-02-15", None, "10m", "Europe/Berlin", 3)):
        call = f"task_slots({', '.join(map(slot_joins.literal, arguments))})"
        db.execute("DELETE FROM c")
        db.executemany("INSERT INTO c VALUES (?, ?, ?, ?, ?, ?, ?)", rows_of(*arguments))
        for condition in conditions():
            query = f"SELECT {picked} FROM {call} WHERE {condition}"
            agree(query, db.execute(query), db.execute(f"SELECT {picked} FROM c WHERE {condition}"))


# --- orders ---------------------------------------------------------------------------------------------------------------


def sorts(db, query):
    return any("B-TREE" in row[3] for row in db.execute("EXPLAIN QUERY PLAN " + query))


def check_orders(db):
    """By (NULLs first, as SQLite has them). Which of them need no sorting?"""
    rows = rows_of(LONG_AGO, NOW + 2 * HOUR)
    call = f"FROM task_slots({LONG_AGO}, {NOW + 2 * HOUR})"
    key = lambda *names: lambda row: [(value is not None, value.encode() if isinstance(value, str) else value) for value in
                                      (row[COLUMNS.index(name)] for name in names)]
    for names, consumed in ((("job_id",), True), (("job_id", "slot_us"), True), (("slot_us", "job_id"), False), (("slot", "job_id"), False),
                            (("state", "job_id", "slot_us"), False), (("late_s", "job_id", "slot_us"), False)):
        for desc, limit, offset in itertools.product((False, True), (-1, 0, 1, 4, 100), (0, 3)):
            order = ", ".join(name + (" DESC" if desc else "") for name in names)
            query = f"SELECT {', '.join(COLUMNS)} {call} ORDER BY {order} LIMIT {limit} OFFSET {offset}"
            assert sorts(db, query) == (desc or not consumed), query
            wanted = sorted(rows, key=key(*names), reverse=desc)
            wanted = wanted[offset:][:None if limit < 0 else limit]
            actual = db.execute(query).fetchall()
            if names == ("job_id",):  # SQLite may take a job's rows in any order
                actual, wanted = [row[:1] for row in actual], [row[:1] for row in wanted]
            agree(query, actual, wanted, True)
    counts = {name: sum(row[0] == name for row in rows) for name in dict.fromkeys(row[0] for row in rows)}
    for query, wanted, is_sorted in (
            (f"SELECT job_id, count(*) {call} GROUP BY job_id", list(counts.items()), False),
            (f"SELECT DISTINCT job_id {call} ORDER BY job_id", [(name,) for name in counts], False),
            (f"SELECT job_id, row_number() OVER (PARTITION BY job_id ORDER BY slot_us) {call}",
             [(name, i + 1) for name, count in counts.items() for i in range(count)], False),
            (f"SELECT job_id, count(*) {call} GROUP BY job_id ORDER BY job_id DESC", list(reversed(counts.items())), True)):
        assert sorts(db, query) == is_sorted or "DESC" in query, query
        agree(query, db.execute(query), wanted, True)
    ids = db.execute(f"SELECT rowid, {', '.join(COLUMNS)} {call}").fetchall()
    assert len({row[0] for row in ids}) == len(rows)
    for row in ids:
        agree("by rowid", db.execute(f"SELECT {', '.join(COLUMNS)} {call} WHERE rowid = ?", row[:1]), [row[1:]])


# --- with the other tables ------------------------------------------------------------------------------------------------


def check_tables(db):
    """What ties a slot to the rows of the other tables."""
    rows = rows_of(LONG_AGO)
    call = f"task_slots({LONG_AGO})"
    query = (f"SELECT s.job_id, s.slot_us, s.ok, r.ok, s.finished_us, r.time_us, u.started_us, s.started_us FROM {call} AS s LEFT JOIN "
             "task_results AS r ON r.job_id = s.job_id AND r.offset = s.offset LEFT JOIN task_runs AS u ON u.job_id = s.job_id AND "
             "u.offset = s.offset WHERE s.offset IS NOT NULL")
    found = db.execute(query).fetchall()
    agree("slots with runs", [row[:2] for row in found], [(row[0], row[2]) for row in rows if row[3] is not None])
    for row in found:
        assert row[2] == row[3] and row[4] == row[5] and row[6] in (None, row[7]), row
    listed = {name for name, in db.execute("SELECT job_id FROM task_jobs")}
    for query, wanted in (
            (f"SELECT s.job_id, slot_us FROM {call} AS s JOIN task_jobs USING (job_id)", [(row[0], row[2]) for row in rows if row[0] in listed]),
            (f"SELECT s.job_id, slot_us FROM task_jobs AS j LEFT JOIN {call} AS s ON s.job_id = j.job_id AND s.state = 'late'",
             [(row[0], row[2]) for row in rows if row[5] == "late"]
             + [(None, None) for name in listed if not any(row[0] == name and row[5] == "late" for row in rows)]),
            (f"SELECT t.job_id, t.runs, count(s.slot) FROM task_stats AS t LEFT JOIN {call} AS s USING (job_id) GROUP BY t.job_id",
             [(name, runs, sum(row[0] == name and row[1] is not None for row in rows))
              for name, runs in db.execute("SELECT job_id, runs FROM task_stats")]),
            (f"SELECT count(*) FROM {call} WHERE (job_id, offset) IN (SELECT job_id, offset FROM task_results)",
             [(sum(row[3] is not None for row in rows),)]),
            (f"SELECT job_id, count(*) FROM {call} GROUP BY 1 UNION ALL SELECT job_id, 0 FROM {call} WHERE state = 'paused'",
             [(name, sum(row[0] == name for row in rows)) for name in {row[0] for row in rows}]
             + [(row[0], 0) for row in rows if row[5] == "paused"]),
            (f"SELECT job_id, slot_us FROM {call} EXCEPT SELECT job_id, slot_us FROM {call} WHERE state <> 'missed'",
             {(row[0], row[2]) for row in rows if row[5] == "missed"})):
        agree(query, db.execute(query), list(wanted))


if __name__ == "__main__":
    slot_joins.write_data(STATE)
    CHECKS = {"args": check_args, "conditions": check_conditions, "orders": check_orders, "tables": check_tables}
    for name in sys.argv[1:] or CHECKS:
        CHECKS[name](connect())
    print(f"{asked} queries agree")
