#!/usr/bin/env python3
"""joins.py - joins of every kind over the tables, whose answers must not depend on what is pushed down.

usage: joins.py data DIR              writes some jobs into DIR, and their logs into DIR/logs
       joins.py sql COUNT [copy] [old]  prints SQL whose output is a row for each of COUNT queries with its answer, and at last
                                        "N queries, M selective": M found some rows

With `copy`, the same queries read plain tables with the same rows. `old`: without RIGHT and FULL JOIN, which came with 3.39.
The seed is fixed.
"""
import json
import os
import random
import sys

# What a query reads: {name: (table, its copy's columns)}.
TABLES = {
    "r": ("task_results", "job_id TEXT, success INTEGER, timestamp TEXT, time_us INTEGER, output TEXT, error TEXT"),
    "u": ("task_runs", "job_id TEXT, success INTEGER, finished TEXT, time_us INTEGER, output TEXT, error TEXT"),
    "s": ("task_stats", "job_id TEXT, runs INTEGER, failures INTEGER, streak INTEGER, last_error TEXT, p95_s REAL"),
    "k": ("task_errors", "job_id TEXT, signature TEXT, times INTEGER"),
    "j": ("task_rejects", "job_id TEXT, reason TEXT, length INTEGER"),
    "n": (None, "job_id TEXT, text TEXT"),
    "v": (None, "x, y"),
}
ROWS = {
    "n": [("'a'", "'timeout'"), ("'b'", "'disk'"), ("'01'", "'x'"), ("'nobody'", "NULL"), ("NULL", "'timeout'")],
    "v": [("'a'", "1"), ("1", "0"), ("'1'", "NULL"), ("NULL", "'a'"), ("0", "'01'"), ("'%time%'", "x'61'")],
}
VALUES = {
    "job_id": ["'a'", "'b'", "'1'", "1", "'01'", "NULL", "'none'"], "success": ["0", "1", "'1'", "NULL", "2"],
    "timestamp": ["'2026-01-01T00:00:02Z'", "'2026'", "NULL"], "finished": ["'2026-01-01T00:00:02Z'", "'2027'"],
    "time_us": ["1767225602000000", "0", "'1767225602000000'", "9e99"], "output": ["'out'", "''"], "error": ["'timeout'", "'disk full'"],
    "runs": ["4", "0"], "failures": ["2"], "streak": ["-1", "1"], "last_error": ["'timeout'"], "signature": ["'timeout'"], "times": ["1"],
    "reason": ["'blank'"], "length": ["0", "5"], "text": ["'disk'", "'x'"], "p95_s": ["1", "2.0", "'1'", "NULL"], "x": ["'a'", "1"], "y": ["1", "'a'"],
}
PATTERNS = {"LIKE": ["'%time%'", "'%DISK%'", "'a%'", "'%'", "NULL"], "GLOB": ["'a*'", "'[ab]'", "'*'", "'?'", "'0*'"]}
COMPARISONS = ["=", "=", "<>", "<>", "IS", "IS NOT", "IS NOT", "<", "<=", ">", ">="]


def columns(table):
    return [column.split()[0] for column in TABLES[table][1].split(", ")]


def write_data(directory):
    rng = random.Random(3)
    os.makedirs(os.path.join(directory, "logs"), exist_ok=True)
    for job, seconds in (("a", 1), ("b", 2), ("01", 1)):
        with open(os.path.join(directory, "logs", job + ".log"), "w") as log:
            log.write(f"[2026-01-01T00:00:00Z] Starting execution\n[2026-01-01T00:00:0{seconds}Z] Execution succeeded\n")
    for job in ("a", "b", "A", "1", "01"):
        with open(os.path.join(directory, job + ".jsonl"), "w") as file:
            for second in range(rng.randint(3, 5)):
                record = {"timestamp": f"2026-01-01T00:00:0{second}Z", "success": rng.choice([True, False, None]),
                          "output": rng.choice(["out", "", None]), "error": rng.choice(["timeout", "disk full", "", None])}
                file.write(json.dumps(record) + "\n")
                if rng.random() < 0.2:
                    file.write(rng.choice(["\n", "torn {\n"]))


class Maker:
    letters = "rrrrruusskjnnv"

    def __init__(self, rng, old):
        self.rng, self.old, self.number = rng, old, 0

    def one_of(self, *choices):
        return self.rng.choice(choices)

    def alias(self):
        self.number += 1
        return f"t{self.number}"

    def source(self, depth):
        """(SQL of something to read, its alias, its columns)"""
        table, alias = self.one_of(*self.letters), self.alias()
        names = columns(table)
        shape = self.rng.random()
        if depth and shape < 0.12:
            term = self.term([("x", names)])
            return f"(SELECT {', '.join('x.' + name for name in names)} FROM {{{table}}} x WHERE {term}) {alias}", alias, names
        if depth and shape < 0.18:
            return f"(SELECT * FROM v_{table}) {alias}", alias, names
        if shape < 0.30:
            return f"v_{table} {alias}", alias, names
        return f"{{{table}}} {alias}", alias, names

    def term(self, scope):
        alias, names = self.rng.choice(scope)
        column = self.rng.choice(names)
        left, shape = f"{alias}.{column}", self.rng.random()
        if shape < 0.22:
            op = self.one_of("LIKE", "LIKE", "GLOB")
            pattern = self.rng.choice(PATTERNS[op])
            chosen = [name for name in names if name in ("job_id", "error", "output", "text", "reason")] or [column]
            return f"{alias}.{self.rng.choice(chosen)} {self.one_of('', '', 'NOT ')}{op} {pattern}"
        if shape < 0.30:
            return f"{left} {self.one_of('', 'NOT ')}IN ({', '.join(self.rng.sample(VALUES[column] + ['7'], 2))})"
        if shape < 0.36:
            return f"{left} {self.one_of('ISNULL', 'NOTNULL', 'IS NOT NULL', 'BETWEEN 0 AND 5')}"
        if shape < 0.42:
            return f"{left} {self.one_of('', 'NOT ')}IN (SELECT job_id FROM {self.one_of('{n}', '{s}', '{r} WHERE success = 0')})"
        if shape < 0.48:
            inner = self.alias()
            return (f"{self.one_of('', 'NOT ')}EXISTS (SELECT 1 FROM {{{self.one_of('r', 'n', 'u')}}} {inner} "
                    f"WHERE {inner}.job_id {self.one_of('=', '<>', 'IS NOT')} {left})")
        if shape < 0.55 and "success" in names:
            return f"({alias}.job_id, {alias}.success) {self.one_of('=', '<>', '<', '>=')} ('a', {self.one_of('0', '1')})"
        if shape < 0.62:
            return f"({self.term(scope)} OR {self.term(scope)})"
        value = self.rng.choice(VALUES[column])
        if len(scope) > 1 and self.rng.random() < 0.3:
            other, other_names = self.rng.choice(scope)
            value = f"{other}.{self.rng.choice(other_names)}"
        if self.rng.random() < 0.15:
            left, value = value, left
        return f"{left} {self.rng.choice(COMPARISONS)} {value}"

    def joined(self):
        """(the text after FROM, the tables in scope)"""
        text, alias, names = self.source(1)
        scope = [(alias, names)]
        for _ in range(self.one_of(1, 1, 1, 2, 2)):
            word = self.one_of("LEFT JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "JOIN", "CROSS JOIN", ",",
                               *(() if self.old else ("RIGHT JOIN", "FULL JOIN", "FULL OUTER JOIN")))
            more, alias, names = self.source(1)
            scope.append((alias, names))
            text += f" {word} {more}"
            if word in ("CROSS JOIN", ","):
                continue
            equal = [name for name in ("job_id",) if name in names]
            others = [a for a, n in scope[:-1] if "job_id" in n]
            on = [f"{self.rng.choice(others)}.job_id = {alias}.job_id"] if equal and others and self.rng.random() < 0.8 else []
            on += [self.term(scope) for _ in range(self.one_of(0, 1, 1, 2) or not on)]
            text += f" ON {' AND '.join(on)}"
        return text, scope

    def simple(self, width):
        text, scope = self.joined()
        if self.rng.random() < 0.5:
            text += f" WHERE {' AND '.join(self.term(scope) for _ in range(self.one_of(1, 1, 2)))}"
        every = [f"{alias}.{name}" for alias, names in scope for name in names]
        return ", ".join(f"{name} AS c{i}" for i, name in enumerate(self.rng.choices(every, k=width))), text

    def query(self):
        width = self.one_of(2, 3)
        names = ", ".join(f"c{i}" for i in range(width))
        picked, text = self.simple(width)
        shape = self.rng.random()
        if shape < 0.1:
            more, other = self.simple(width)
            return f"SELECT {picked} FROM {text} {self.one_of('UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT')} SELECT {more} FROM {other}", width
        if shape < 0.2:
            how = self.one_of("", "MATERIALIZED ", "NOT MATERIALIZED ")
            return (f"WITH c AS {how}(SELECT {picked} FROM {text}) SELECT {', '.join('x.c%d' % i for i in range(width))} "
                    f"FROM c x {self.one_of('JOIN', 'LEFT JOIN')} c y ON x.c0 IS y.c1"), width
        if shape < 0.3:
            return f"SELECT c0, count(*), max(c1) FROM (SELECT {picked} FROM {text}) GROUP BY c0", 3
        if shape < 0.36:
            return f"SELECT {names}, count(*) OVER (PARTITION BY c0) FROM (SELECT {picked} FROM {text})", width + 1
        if shape < 0.45:
            order = ", ".join(f"{i + 1}{self.one_of('', ' DESC')}" for i in range(width))
            return f"SELECT {picked} FROM {text} ORDER BY {order} LIMIT {self.one_of(1, 5, 20)}", width
        if shape < 0.5:
            return f"SELECT x.job_id, (SELECT count(*) FROM {text}) FROM {{n}} x", 2
        return f"SELECT {picked} FROM {text}", width


def print_sql(count, copy, old):
    print("SELECT count(*) FROM task_results;\nPRAGMA automatic_index = OFF;")
    for table, (own, definition) in TABLES.items():
        print(f"CREATE TEMP TABLE c_{table}({definition});")
        if own:
            print(f"INSERT INTO c_{table} SELECT {', '.join(columns(table))} FROM {own};")
        for row in ROWS.get(table, ()):
            print(f"INSERT INTO c_{table} VALUES ({', '.join(row)});")
    words = {table: f"c_{table}" if copy or own is None else own for table, (own, _) in TABLES.items()}
    for table in TABLES:
        print(f"CREATE TEMP VIEW v_{table} AS SELECT {', '.join(columns(table))} FROM {words[table]};")
    print_queries(Maker(random.Random(12), old), count, lambda query, _: query.format(**words))


def print_queries(maker, count, sql_of):
    """Each query's answer, its rows in order. sql_of(query, number) is the SQL of a query of the maker."""
    print("CREATE TEMP TABLE answers(query TEXT, answer TEXT);\nBEGIN;")
    for number in range(count):
        query, width = maker.query()
        text, names = query.replace("'", "''"), [f"a{i}" for i in range(width)]
        joined = " || ',' || ".join(f"quote({name})" for name in names)
        print(f"INSERT INTO answers WITH answer({', '.join(names)}) AS ({sql_of(query, number)}) "
              f"SELECT '{text}', count(*) || ':' || coalesce(group_concat(line, ' '), '') FROM (SELECT line FROM "
              f"(SELECT {joined} AS line FROM answer) ORDER BY line);")
    print("COMMIT;\nSELECT query, answer FROM answers;")
    print("SELECT count(*) || ' queries, ' || sum(CAST(answer AS INTEGER) > 0) || ' selective' FROM answers;")


if __name__ == "__main__":
    if sys.argv[1] == "data":
        write_data(sys.argv[2])
    else:
        print_sql(int(sys.argv[2]), "copy" in sys.argv, "old" in sys.argv)
