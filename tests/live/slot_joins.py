#!/usr/bin/env python3
"""slot_joins.py - joins of every kind with task_slots, whose rows must be those of a table that Python filled.

usage: slot_joins.py data DIR             writes a scheduler's state into DIR
       slot_joins.py sql DIR COUNT [copy] [old] [bare]
                                          prints SQL whose output is a row for each of COUNT queries with its answer, and at
                                          last "N queries, M selective": M found some rows

With `copy`, task_slots is a plain table with the rows that tests/oracles/slots.py computes for DIR, and the other tables are
copied. `old`: without RIGHT and FULL JOIN, which came with 3.39. `bare`: without arguments where there is one of these; SQLite
3.40 finds no partners for a table with arguments then, not even for json_each(). The clock is to stand at NOW_S
(tests/shim/clock.c). Needs tests/oracles on PYTHONPATH. The seed is fixed.
"""
import json
import os
import random
import sys

import joins
import slots

NOW_S = 1771171200  # 2026-02-15T16:00:00Z
DAY = "2026-02-15T"
SINCE, UNTIL = "2026-02-08T16:00:00Z", "2026-02-15T16:00:00Z"  # as without arguments
WINDOW = f"'{SINCE}', '{UNTIL}'"
SLOTS = "job_id TEXT, slot TEXT, slot_us INTEGER, offset INTEGER, late_s REAL, state TEXT, ok INTEGER"
JOBS = {"a": "0 * * * *", "b": "every 90 min", "A": "every blue moon", "1": "20,50 */2 * * *", "01": "every hour", "new": "@daily"}

joins.TABLES = {
    "w": (f"task_slots({WINDOW})", SLOTS),
    "r": ("task_results", "job_id TEXT, success INTEGER, timestamp TEXT, time_us INTEGER, offset INTEGER, ok INTEGER"),
    "u": ("task_runs", "job_id TEXT, success INTEGER, time_us INTEGER, duration_s REAL"),
    "s": ("task_stats", "job_id TEXT, runs INTEGER, failures INTEGER, streak INTEGER"),
    "q": ("task_jobs", "job_id TEXT, schedule TEXT, enabled INTEGER, state TEXT"),
    "n": (None, "job_id TEXT, text TEXT"),
    "v": (None, "x, y"),
}
joins.ROWS = {
    "n": [("'a'", "'missed'"), ("'b'", "'ran'"), ("'01'", "'2026-02-15T10:00:00Z'"), ("'nobody'", "NULL"), ("NULL", "'missed'")],
    "v": [("'a'", "1"), ("1", "0"), ("'1'", "NULL"), ("NULL", "'a'"), ("1771149600000000", "'01'"), ("'%iss%'", "1771149600000000"),
          ("1771149600000000.0", "'1771149600000000'")],
}
TIMES = ["1771149600000000", "1771149600000000.5", "'1771149600000000'", "NULL", "9e99", "-1", "x'61'", "'a'", "9223372036854775807"]
joins.VALUES.update({
    "slot_us": TIMES, "time_us": TIMES, "slot": ["'2026-02-15T10:00:00Z'", "'2026-02-15'", "NULL"], "offset": ["0", "71", "NULL", "'0'"],
    "late_s": ["0", "0.0", "30", "'30'"], "state": ["'missed'", "'ran'", "'late'", "'due'"], "ok": ["0", "1", "NULL", "'1'"],
    "schedule": ["'0 * * * *'", "NULL"], "enabled": ["1", "0"], "duration_s": ["5", "NULL", "'5'"], "x": ["'a'", "1", "1771149600000000"], "y": ["1", "'a'"],
})


class Maker(joins.Maker):
    letters = "wwwwwwrrsqnnv"


def write_data(directory):
    rng = random.Random(5)
    for name in ("results", "logs"):
        os.makedirs(os.path.join(directory, name))
    listed = [{"id": name, "name": name, "schedule": schedule, "enabled": name != "01", "created_at": DAY + "08:30:00Z"}
              for name, schedule in JOBS.items()]
    with open(os.path.join(directory, "jobs.json"), "w") as file:
        json.dump({"jobs": listed}, file)
    for name in JOBS:
        with open(os.path.join(directory, "results", name + ".jsonl"), "w") as file, \
                open(os.path.join(directory, "logs", name + ".log"), "w") as log:
            log.write(f"[{DAY}08:30:00Z] Scheduled: {name}\n")
            for hour in range(9, 16):
                second = rng.choice([0, 1, 31, 59])
                minute = rng.choice([0, 0, 20, 50])
                if name == "1" and hour == 11:
                    log.write(f"[{DAY}10:20:10Z] Skipped - busy\n[{DAY}10:45:00Z] Job paused\n[{DAY}11:05:00Z] Job resumed\n")
                if rng.random() < 0.5:
                    continue
                if rng.random() < 0.5:
                    log.write(f"[{DAY}{hour:02}:{minute:02}:{second:02}Z] Starting execution\n")
                    second, minute = 5, minute + 1
                    log.write(f"[{DAY}{hour:02}:{minute:02}:{second:02}Z] Execution succeeded\n")
                file.write(json.dumps({"timestamp": f"{DAY}{hour:02}:{minute:02}:{second:02}Z", "success": rng.choice([True, False])}) + "\n")


def slot_rows(directory):
    for row in slots.expected(directory, NOW_S * slots.SECOND, slots.read_time(SINCE), slots.read_time(UNTIL)):
        name, slot, slot_us, offset, _, late_s, state, ok, _, _ = row
        yield name, slot, slot_us, offset, late_s, state, ok


def literal(value):
    return "NULL" if value is None else str(value) if isinstance(value, (int, float)) else "'" + value.replace("'", "''") + "'"


def with_table(query, number, words, bare):
    """Its task_slots as one of three: a function call, a table of its own, or compared with its hidden columns."""
    names = ", ".join(joins.columns("w"))
    forms = [f"task_slots({WINDOW})", "temp.listed",
             f"(SELECT {names} FROM task_slots WHERE until = '{UNTIL}' AND since = '{SINCE}')"]
    return query.format(**words, w=forms[1 if bare and ("RIGHT" in query or "FULL" in query) else number % 3])


def print_sql(directory, count, copy, old, bare):
    print("SELECT count(*) FROM task_results;\nPRAGMA automatic_index = OFF;")
    print("CREATE VIRTUAL TABLE temp.listed USING task_slots();")
    print(f"CREATE TEMP TABLE c_w({SLOTS});")
    for row in slot_rows(directory):
        print(f"INSERT INTO c_w VALUES ({', '.join(map(literal, row))});")
    for table, (own, definition) in joins.TABLES.items():
        if table == "w":
            continue
        print(f"CREATE TEMP TABLE c_{table}({definition});")
        if own:
            print(f"INSERT INTO c_{table} SELECT {', '.join(joins.columns(table))} FROM {own};")
        for row in joins.ROWS.get(table, ()):
            print(f"INSERT INTO c_{table} VALUES ({', '.join(row)});")
    words = {table: f"c_{table}" if copy or own is None else own for table, (own, _) in joins.TABLES.items() if table != "w"}
    for table in joins.TABLES:
        form = "c_w" if copy else "temp.listed" if bare else f"task_slots({WINDOW})"
        print(f"CREATE TEMP VIEW v_{table} AS SELECT {', '.join(joins.columns(table))} FROM {words.get(table, form)};")

    def sql_of(query, number):
        return query.format(**words, w="c_w") if copy else with_table(query, number, words, bare)

    joins.print_queries(Maker(random.Random(21), old), count, sql_of)


if __name__ == "__main__":
    if sys.argv[1] == "data":
        write_data(sys.argv[2])
    else:
        print_sql(sys.argv[2], int(sys.argv[3]), "copy" in sys.argv, "old" in sys.argv, "bare" in sys.argv)
