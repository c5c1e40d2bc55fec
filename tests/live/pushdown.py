#!/usr/bin/env python3
"""pushdown.py - queries whose answers must not depend on what is pushed down.

usage: pushdown.py data DIR [plain]          writes jobs with odd values into DIR; plain: only values of their columns' types
       pushdown.py sql [copy] [few|third]    prints SQL whose output is a row for each query, with its answer, and at last
                                             "N queries, M selective": M found some rows, and not all

The same SQL runs over the extension and over a build of it that pushes nothing down (every_line.c), and the outputs are
compared. With `copy`, the queries read a plain copy instead, WITH m AS MATERIALIZED: that is fair only for plain data,
since SQLite gives what it copies the column's affinity (a JSON number in `timestamp` becomes a text there).
The seed is fixed.
"""
import itertools
import json
import os
import random
import sys

ABSENT = object()

JOBS = ["a", "b", "A", "ab", "a-b", "backup", "Backup", "123", "0123", "123.0", "1e2", "100", "0x10", " 5", "5", "é", "😀",
        "o'brien", "NULL", "", "trail ", "[x]", "a*b", "\uff41", "a.b"]
TIMESTAMPS = [
    "2026-02-15T01:44:15Z", "2026-02-15T01:44:15.821425Z", "2026-02-15T01:44:15.5Z", "2026-02-15T01:44:16Z",
    "2026-02-14 23:00", "2026-02-15T02:44:15+01:00", "2026-02-15t01:44:15Z", "2026-02-30T00:00:00Z", "1969-12-31T23:59:59Z",
    "2026", "2026.0", "20260215", " 2026 ", "1e3", "", "soon", "Über", "z", "\ue000", "😀", "20é", None, ABSENT,
    2026, 2026.5, 0, True, False, [2026], {"a": 1}, 1771119855821425, "1771119855821425", "2026-02-15T01:44:15.8214259Z",
]
SUCCESSES = [True, False, None, ABSENT, 1, 0, 2, -1, 0.0, 1.0, 0.5, 1e300, "0", "1", "1.0", "true", "false", "", " 1", "x", [],
             [1], {"a": 0}, True, False, True, False]

OUTPUTS = ["x", "", "Connection refused: db-3", "connection REFUSED", "Connect\nion refused", "50% of a_b", "a\\b/c \"quoted\"",
           "\u212aelvin", "kelvin", "STRASSE stra\u00dfe", "caf\u00e9 refused", "\x1b[31mrefused\x1b[0m", "\x7frefused", "nul\x00refused",
           "refuse", "refusedrefused", "rerefused", 50, 1.5, None, ABSENT, True, ["refused"], {"refused": 1}, "a\tb", "~ ~~"]
LITERALS = [
    "NULL", "0", "1", "2", "-1", "0.0", "0.5", "1.0", "1e300", "-9e999", "9e999", "9223372036854775807", "2026", "2026.0",
    "123", "123.0", "100", "5", "1771119855000000", "1771119855821425", "1771119855821425.0", "1771119855821424.5",
    "'0'", "'1'", "' 1 '", "'1.0'", "'true'", "'x'", "''", "'a'", "'A'", "'a '", "'a*'", "'123'", "'0123'", "'1e2'", "'100'",
    "'5'", "'2026'", "'2026-02-15'", "'2026-02-15T01:44:15Z'", "'2026-02-15T01:44:15.5Z'", "'1771119855821425'", "'Über'",
    "'é'", "'😀'", "char(57344)", "'1e400'", "'z'", "'trail '", "'trail'", "'0x10'", "'Inf'", "'nan'",
    "x''", "x'31'", "x'61'", "x'313233'", "x'323032362d'", "'a'||char(0)", "char(0)",
    "CAST(1 AS TEXT)", "CAST('1' AS INTEGER)", "CAST('123' AS NUMERIC)", "CAST('a' AS BLOB)", "CAST(123 AS TEXT)",
    "CAST('1' AS REAL)", "CAST('1' AS BLOB)", "+'123'", "(SELECT '123')", "(SELECT 1)", "(SELECT 'a')", "(SELECT NULL)",
    "abs(-1)", "lower('A')", "'A' COLLATE NOCASE", "'a' COLLATE RTRIM", "'a  ' COLLATE RTRIM", "'BACKUP' COLLATE NOCASE",
    "'2026-02-15t01:44:15z' COLLATE NOCASE", "1 COLLATE NOCASE", "'1' COLLATE NOCASE", "true", "false",
]
COMPARISONS = ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"]
COLUMNS = ["job_id", "job", "success", "ok", "timestamp", "time_us"]
GLOBS = ["'*'", "'a*'", "'*b*'", "'[A-Za]*'", "'?'", "'??'", "'[[]x]'", "'a[*]b'", "''", "'123'", "123", "NULL", "'[^a]*'", "'*é'",
         "'😀'", "'?*'", "'20*'", "'2026-02-15T*'", "'[0-9]*'", "x'612a'", "1.5", "'a*' || char(0) || 'b'", "'1'", "1"]
LIKES = ["'%refused%'", "'%REFUSED%'", "'refused'", "'%refused'", "'connection%'", "'%c_nnect%'", "'%n refused: db-_'", "'%50\\%%'", "'%a\\_b%'",
         "'%\\b%'", "'%/c%'", "'%b/c%'", "'%\"quo%'", "'kelvin'", "'KELVIN'", "'%stra%e%'", "'%é refused'", "'%f\u00e9%'", "'%m%fused%'", "'%'", "'_'", "''", "'5%'", "50",
         "NULL", "x'25'", "'%' || char(10) || 'ion%'", "'%refused' || char(0) || 'x%'", "'nul' || char(0) || '%'", "'%[\"refused\"]%'",
         "'%\x7fref%'", "'%~~'", "'%rerefus%'", "'%' || hex(zeroblob(40)) || '%'", "'%a' || char(9) || 'b%'", "'x'"]
OFFSETS = ["NULL", "0", "-1", "1", "120", "'120'", "250.5", "' 300 '", "'3e2'", "x'31'", "'x'", "'0x10'", "400", "1e300", "'1e300'", "-9e999",
           "9223372036854775807", "+'120'", "(SELECT 77)", "(SELECT '77')", "200 COLLATE NOCASE", "true"]
# Without a subquery that ends in COLLATE: SQLite's answer to that depends on whether any index is used, its own included.
LISTS = [
    "()", "(NULL)", "('a')", "('a', 'b', 'a')", "('a', NULL)", "('A', 'backup', 'nobody')", "(123)", "('123', 100)", "(123.0, '5')",
    "(x'61')", "(x'61', 'b')", "(0)", "(1)", "(0, 1)", "('0')", "('1', 'x')", "(1.0, 2)", "(0.5, NULL)", "('true', 0)", "(x'31', 1)",
    "(2026, '2026-02-15T01:44:15Z')", "(1771119855821425, NULL, 'x')", "(SELECT 'a')", "(SELECT 123)", "(SELECT NULL)",
    "(SELECT 'a' WHERE 0)", "(SELECT i FROM v)", "(SELECT t FROM v)", "(SELECT n FROM v)", "(SELECT r FROM v)", "(SELECT b FROM v)",
    "(SELECT k FROM v)", "(SELECT x FROM v)", "(SELECT t FROM indexed)", "(SELECT i FROM indexed)", "(SELECT nc FROM indexed)",
    "(SELECT t || '' FROM v)", "(SELECT CAST(i AS TEXT) FROM v)",
    "(SELECT t FROM v UNION SELECT i FROM v)", "(VALUES ('a'), (123), (NULL))",
]
# A table with a column of each affinity, all with the same values, and one with indexes that IN may read directly.
VALUES = ["NULL", "0", "1", "0.5", "'1'", "'0'", "'true'", "'a'", "'A'", "'123'", "123", "'0123'", "100", "x'61'", "x'31'", "'x'",
          "'2026-02-15T01:44:15Z'", "2026", "'2026'", "1771119855821425", "'1771119855821425'", "'é'", "'backup '", "'BACKUP'", "'!'"]
TYPED = ["i", "t", "n", "r", "b", "k", "x"]

COPY = ("WITH m AS MATERIALIZED (SELECT rowid AS rid, timestamp, job_id, job_name, success, output, error, job, time_us, "
        "offset, record, ok FROM task_results) ")


def write_data(directory, plain):
    rng = random.Random(7)
    timestamps = [t for t in TIMESTAMPS if not plain or t is None or t is ABSENT or isinstance(t, str)]
    successes = [s for s in SUCCESSES if not plain or s is None or s is ABSENT or isinstance(s, int) or s == "x"]
    cases = list(itertools.product(timestamps, successes))
    rng.shuffle(cases)
    os.makedirs(directory, exist_ok=True)
    # Every value occurs in several jobs, but not every pair: the tests run thousands of scans over these rows.
    for at, job in enumerate(JOBS):
        with open(os.path.join(directory, job + ".jsonl"), "w") as file:
            for timestamp, success in cases[at * 9:at * 9 + 9]:
                outputs = [o for o in OUTPUTS if not plain or o is None or o is ABSENT or isinstance(o, str)]
                record = {"timestamp": timestamp, "success": success, "output": rng.choice(outputs), "error": rng.choice(outputs)}
                line = json.dumps({k: v for k, v in record.items() if v is not ABSENT}, ensure_ascii=rng.random() < 0.5)
                if rng.random() < 0.1:
                    line = line.replace('"2026', '"\\u0032026', 1)
                if rng.random() < 0.2:  # letters spelled as escapes, which JSON allows but never requires
                    line = line.replace("fus", "\\u0066u\\u0073").replace("k", "\\u006b").replace("Conn", "\\u0043onn").replace("/", "\\/")
                file.write(line + "\n")


def terms():
    """Every predicate of one comparison."""
    for column, op, value in itertools.product(COLUMNS, COMPARISONS, LITERALS):
        yield f"{column} {op} {value}"
    for column, op in itertools.product(COLUMNS, ("==", "!=")):  # other spellings of = and <>
        yield f"{column} {op} 1"
    for column, op, value in itertools.product(COLUMNS, ("=", "<", ">=", "IS", "<>", "IS NOT"), LITERALS[::4]):
        yield f"{value} {op} {column}"
    for column, negation, pattern in itertools.product(COLUMNS, ("", "NOT "), GLOBS):
        yield f"{column} {negation}GLOB {pattern}"
    for column, negation, pattern in itertools.product(("output", "error"), ("", "NOT "), LIKES):
        yield f"{column} {negation}LIKE {pattern}"
        yield f"{column} {negation}LIKE {pattern} AND success = 0"
    for column in ("output", "error"):
        yield from (f"{column} LIKE '%50^%%' ESCAPE '^'", f"{column} LIKE '%a%_b%' ESCAPE '%'", f"{column} GLOB '*refused*'",
                    f"'refused' LIKE {column}", f"{column} LIKE {column}", f"{column} LIKE '%ref%' AND {column} LIKE '%FUSED'",
                    f"{column} LIKE '%ref%' OR {column} LIKE 'kel%'", f"{column} LIKE lower('%REF%')", f"like('%ref%', {column})",
                    f"{column} COLLATE NOCASE LIKE '%REFUSED%'", f"{column} COLLATE BINARY LIKE '%REFUSED%'")
    for column, negation, values in itertools.product(COLUMNS, ("", "NOT "), LISTS):
        yield f"{column} {negation}IN {values}"
    for column in COLUMNS:
        yield from (f"{column} ISNULL", f"{column} NOTNULL", f"{column} IS NOT NULL", f"NOT {column}", f"{column}",
                    f"{column} IS TRUE", f"{column} IS NOT FALSE", f"{column} IS NOT DISTINCT FROM 1",
                    f"{column} = job_name", f"{column} < time_us", f"{column} = {column}", f"{column} LIKE 'A%'")
        for low, high in (("'2026'", "'2026-02-16'"), ("0", "1"), ("'0'", "'1'"), ("NULL", "1"), ("1", "0"), ("x''", "x'ff'"),
                          ("1771119855000000", "1771119855821425"), ("'a'", "'b'"), ("'1'", "2026"), ("-1.5", "0.5")):
            yield f"{column} BETWEEN {low} AND {high}"
            yield f"{column} NOT BETWEEN {low} AND {high}"
        for collation in ("NOCASE", "RTRIM", "BINARY"):
            for op, value in itertools.product(("=", "<", ">=", "IS", "<>"), ("'A'", "'a  '", "'BACKUP'", "1", "'1'", "'2026-02-15t'")):
                yield f"{column} COLLATE {collation} {op} {value}"
            yield f"{column} COLLATE {collation} IN ('A', 'backup', 1)"
    for op, value in itertools.product(COMPARISONS, OFFSETS):
        yield f"offset {op} {value}"
    for low, high in (("100", "300"), ("'100'", "300.5"), ("NULL", "100"), ("300", "100")):
        yield f"offset BETWEEN {low} AND {high} AND success = 0"
    for pair in ("('a', 1)", "('123', 0)", "(NULL, 1)", "(123, '1')", "('b', 'true')"):
        for op in ("=", "<", ">=", "IS", "<>"):
            yield f"(job_id, success) {op} {pair}"
        yield f"(job_id, success) IN (VALUES {pair}, ('A', 0))"
    yield "(timestamp, success) > ('2026-02-15T01:44:15Z', 0)"
    yield "(job_id, timestamp) IN (SELECT t, t FROM v)"


def combinations(simple, count, rng):
    for _ in range(count):
        picked = rng.sample(simple, 3)
        shape = rng.choice(["{} AND {}", "{} OR {}", "NOT ({}) AND {}", "({} OR {}) AND {}", "{} AND {} AND {}",
                            "{} AND NOT ({} OR {})", "({} AND {}) OR {}", "NOT ({})", "({}) IS NOT ({})"])
        yield shape.format(*(f"({p})" if " OR " in p else p for p in picked))


def by_job(predicates, rng):
    """What has the rows in the order of their jobs, or one job behind the other; as queries() gives them."""
    for predicate in predicates:
        desc = rng.choice(("", " DESC"))
        limit = rng.choice(("", " LIMIT 3", " LIMIT 4 OFFSET 5"))
        some = f"FROM {{r}} WHERE {predicate}"
        yield f"SELECT {rng.choice(('job', 'job_id'))} AS id {some} ORDER BY {rng.choice(('job', 'job_id'))}{desc}{limit}", True
        yield f"SELECT {{rid}} AS id {some} ORDER BY job_id{desc}, {{rid}}{rng.choice(('', ' DESC'))}{limit}", True
        yield f"SELECT job_id || '/' || count(*) AS id {some} GROUP BY job_id", False
        yield f"SELECT job_id || '/' || count(*) AS id {some} GROUP BY job_id ORDER BY job_id{desc}{limit}", True
        yield f"SELECT job_id || '/' || sum(success) AS id {some} GROUP BY job ORDER BY count(*){desc}, job_id", True
        yield f"SELECT job_id || '/' || count(*) AS id {some} GROUP BY job_id, success ORDER BY job_id{desc}, success", True
        yield f"SELECT lower(job_id) || '/' || count(*) AS id {some} GROUP BY job_id COLLATE NOCASE", False
        yield f"SELECT DISTINCT job_id AS id {some}", False
        yield f"SELECT DISTINCT job_id AS id {some} ORDER BY job_id{desc}{limit}", True
        yield f"SELECT {rng.choice(('min', 'max'))}(job_id) AS id {some}", False
        yield (f"SELECT job_id || '/' || row_number() OVER (PARTITION BY job_id ORDER BY {{rid}}{desc}) || '/' || {{rid}} AS id "
               f"{some}"), False
        yield f"SELECT job_id AS id {some} UNION SELECT t FROM v ORDER BY 1{desc}", True
        yield f"SELECT job_id AS id {some} EXCEPT SELECT job_id FROM {{r}} WHERE success = 0 ORDER BY 1{desc}{limit}", True
        yield f"SELECT v.t || '/' || job_id AS id FROM {{r}} JOIN v ON job_id >= v.t AND {predicate} ORDER BY job_id{desc}, v.rowid", True
        yield (f"SELECT job_id || '/' || count(*) AS id FROM v LEFT JOIN {{r}} ON job_id = v.t AND {predicate} "
               f"GROUP BY job_id ORDER BY job_id{desc}"), True


def queries(rng):
    """(query over {r}, with {rid} its rowid; is the order of the rows part of the answer?)"""
    simple = list(terms())
    for predicate in simple + list(combinations(simple, 1200, rng)):
        yield f"SELECT {{rid}} AS id FROM {{r}} WHERE {predicate}", False
    for predicate in rng.sample(simple, 150):
        order = rng.choice(["{rid}", "{rid} DESC", "{rid} + 0 DESC", "time_us, {rid}", "job_id, {rid} DESC"])
        limit = rng.choice(["", " LIMIT 3", " LIMIT 3 OFFSET 4", " LIMIT -1 OFFSET 2", " LIMIT 0"])
        yield f"SELECT {{rid}} AS id FROM {{r}} WHERE {predicate} ORDER BY {order}{limit}", True
    for value, desc, limit in itertools.product(OFFSETS, ("", " DESC"), ("", " LIMIT 3")):
        yield f"SELECT {{rid}} AS id FROM {{r}} WHERE offset >= {value} ORDER BY {{rid}}{desc}{limit}", True
    yield from by_job(["success = 0 OR job_id = 'a'", "1"] + rng.sample(simple, 22), rng)
    # A right-hand side from another table, with each affinity, outside and inside of the join.
    for column, typed, op in itertools.product(COLUMNS, TYPED, ("=", "<", ">=", "IS", "IS NOT", "<>", "GLOB")):
        yield f"SELECT {{qrid}} * 100 + v.rowid AS id FROM v CROSS JOIN {{r}} ON {column} {op} v.{typed}", False
    for typed, op in itertools.product(TYPED, ("=", ">", ">=", "IS")):
        yield f"SELECT {{qrid}} * 100 + v.rowid AS id FROM v CROSS JOIN {{r}} ON offset {op} v.{typed}", False
        yield f"SELECT coalesce({{qrid}}, -1) * 100 + v.rowid AS id FROM v LEFT JOIN {{r}} ON offset {op} v.{typed}", False
    for column, typed in itertools.product(COLUMNS, TYPED):
        left = f"SELECT coalesce({{qrid}}, -1) * 100 + v.rowid AS id FROM v LEFT JOIN {{r}} ON {column} = v.{typed}"
        yield left, False
        yield left + " WHERE success IS NULL", False
        yield left + " WHERE success IS NOT 1", False
        yield left + " AND success IS NULL", False
        yield f"SELECT {{qrid}} * 100 + v.rowid AS id FROM v JOIN {{r}} ON {column} = +v.{typed}", False
        yield f"SELECT {{qrid}} * 100 + v.rowid AS id FROM {{r}} CROSS JOIN v ON {column} = v.{typed}", False
        yield f"SELECT (SELECT count(*) FROM {{r}} WHERE {column} = v.{typed}) * 100 + v.rowid AS id FROM v", False
        yield f"SELECT v.rowid AS id FROM v WHERE EXISTS (SELECT 1 FROM {{r}} WHERE {column} IS v.{typed} AND success = 0)", False
        yield f"SELECT v.rowid AS id FROM v WHERE v.{typed} IN (SELECT {column} FROM {{r}})", False
        yield f"SELECT v.rowid AS id FROM v WHERE v.{typed} NOT IN (SELECT {column} FROM {{r}} WHERE success = 1)", False
    # More terms than a plan holds.
    ranges = " AND ".join(f"timestamp > '{i:02}'" for i in range(40))
    globs = " AND ".join(f"job_id GLOB '*{'*' * i}'" for i in range(20))
    for predicate in (ranges, globs + " AND success = 1", " AND ".join(["success <> 7"] * 17) + " AND job_id = 'a'"):
        yield f"SELECT {{rid}} AS id FROM {{r}} WHERE {predicate}", False
    # Several at once: themselves, unions, windows, groups.
    # Only here, a column of numeric affinity has a text that looks like a number.
    for column, other, op in itertools.product(("job_id", "success", "ok", "timestamp", "time_us"), ("success", "timestamp"),
                                               ("=", "<", ">=", "IS", "IS NOT")):
        yield (f"SELECT x.{{rid}} * 7 + y.{{rid}} AS id FROM {{r}} y CROSS JOIN {{r}} x ON x.{column} {op} y.{other} "
               "WHERE y.job_id IN ('a', '123')"), False
    yield ("SELECT x.{rid} * 7 + y.{rid} AS id FROM {r} x JOIN {r} y ON x.job_id = y.job_id AND y.success = x.success "
           "WHERE x.timestamp = y.timestamp AND x.success < 2"), False
    yield ("SELECT x.{rid} AS id FROM {r} x WHERE NOT EXISTS (SELECT 1 FROM {r} y WHERE y.job_id = x.job_id AND y.success = 1 "
           "AND y.{rid} < x.{rid})"), False
    yield ("SELECT (SELECT y.{rid} FROM {r} y WHERE y.job_id = x.job_id AND y.{rid} > x.{rid} ORDER BY y.{rid} LIMIT 1) AS id "
           "FROM {r} x"), False
    for predicate, other in zip(rng.sample(simple, 40), rng.sample(simple, 40)):
        yield f"SELECT {{rid}} AS id FROM {{r}} WHERE {predicate} UNION ALL SELECT {{rid}} FROM {{r}} WHERE {other}", False
        yield f"SELECT {{rid}} AS id FROM {{r}} WHERE {predicate} EXCEPT SELECT {{rid}} FROM {{r}} WHERE {other}", False
        yield f"SELECT sum(success) OVER (PARTITION BY job_id ORDER BY {{rid}}) + {{rid}} AS id FROM {{r}} WHERE {predicate}", False
        yield f"SELECT count(*) * 1000 + sum(success) AS id FROM {{r}} WHERE {predicate} GROUP BY job_id", False
        yield f"SELECT max({{rid}}) - min({{rid}}) AS id FROM {{r}} WHERE {predicate}", False
        yield f"SELECT count(*) AS id FROM (SELECT DISTINCT success FROM {{r}} WHERE {predicate})", False
        yield (f"WITH w AS (SELECT {{rid}} AS id, timestamp, job_id, job_name, success, output, error, job, time_us, offset, ok FROM {{r}}) "
               f"SELECT id FROM w WHERE {predicate}"), False
    # Lookups by rowid: every row, what is no row, and what is no integer.
    for value in ("5", "5.0", "'5'", "x'35'", "NULL", "-1", "9223372036854775807", "0", "(SELECT min({rid}) FROM {r})",
                  "(SELECT max({rid}) FROM {r}) + 0.0", "(SELECT max({rid}) || '' FROM {r})"):
        for op in ("=", "IS", ">", "<=", "<>"):
            yield f"SELECT {{rid}} AS id FROM {{r}} WHERE {{rid}} {op} {value}", False
    yield "SELECT x.{rid} AS id FROM {r} y CROSS JOIN {r} x ON x.{rid} = y.{rid}", False
    yield "SELECT {rid} AS id FROM {r} WHERE {rid} IN (SELECT {rid} + success FROM {r}) ORDER BY {rid} DESC", True
    yield "SELECT {rid} AS id FROM {r} WHERE {rid} = (SELECT max({rid}) FROM {r}) AND success IN (0, 1)", False
    yield "SELECT {rid} AS id FROM {r} WHERE success = 0 OR job_id = 'a' OR {rid} = 0", False


CHUNK = 100  # answers that come out together: who compares them can stop at the first difference


def is_left_out(at, query, share):
    if share == "few":
        return at % (7 if " v " in query else 1 if "{r} y " in query else 9)
    return share == "third" and at % 3


def print_sql(copy, share):
    rng = random.Random(11)
    print("SELECT count(*) FROM task_results;")  # names every file, so that rowids agree between two connections
    print("PRAGMA automatic_index = OFF;")  # an index on the copy would compare without the column's affinity
    print("CREATE TEMP TABLE v(i INTEGER, t TEXT, n NUMERIC, r REAL, b BLOB, k TEXT COLLATE NOCASE, x);")
    for value in VALUES:
        print(f"INSERT INTO v VALUES ({', '.join([value] * len(TYPED))});")
    print("CREATE TEMP TABLE indexed(i INTEGER, t TEXT, nc TEXT COLLATE NOCASE);")
    print("INSERT INTO indexed SELECT i, t, k FROM v;")
    for column in ("i", "t", "nc"):
        print(f"CREATE INDEX temp.indexed_{column} ON indexed({column});")
    print("CREATE TEMP TABLE answers(query TEXT, answer TEXT);")
    print("BEGIN;")
    words = dict(r="m", rid="rid", qrid="rid") if copy else dict(r="task_results", rid="rowid", qrid="task_results.rowid")
    with_copy = COPY if copy else ""
    asked = 0
    asking = [asked for at, asked in enumerate(queries(rng)) if not is_left_out(at, asked[0], share)]
    if share == "few":  # every kind of query comes early: who compares stops at the first difference
        asking = [asked for first in range(13) for asked in asking[first::13]]
    for query, ordered in asking:
        text = query.replace("'", "''")
        sort = "" if ordered else " ORDER BY +id"
        print(f"INSERT INTO answers {with_copy}SELECT '{text}', count(*) || ':' || coalesce(group_concat(quote(id)), '') "
              f"FROM (SELECT id FROM ({query.format(**words)}){sort});")
        asked += 1
        if asked % CHUNK == 0:
            print(f"SELECT query, answer FROM answers WHERE rowid > {asked - CHUNK};")
    print("COMMIT;")
    print(f"SELECT query, answer FROM answers WHERE rowid > {asked - asked % CHUNK};")
    print("SELECT count(*) || ' queries, ' || sum(CAST(answer AS INTEGER) NOT IN (0, (SELECT count(*) FROM task_results))) "
          "|| ' selective' FROM answers;")


if __name__ == "__main__":
    if sys.argv[1] == "data":
        write_data(sys.argv[2], "plain" in sys.argv)
    else:
        print_sql("copy" in sys.argv, next((word for word in sys.argv if word in ("few", "third")), "all"))
