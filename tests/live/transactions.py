#!/usr/bin/env python3
"""transactions.py COUNT - SQL for the sqlite3 shell: COUNT random transactions, each on task_results and on an ordinary
table alike. The ordinary table is the oracle: after each transaction the shell prints "same", or both contents.

Statements that fail are part of it (success 7 breaks a CHECK there, and is refused here), in multi-row INSERTs at their
last row, so that a statement half done has to be taken back. The shell must run without -bail. The seed is fixed. Each
hundred transactions have jobs of their own, and are compared with each other's alone; at the end everything is.
"""
import random
import sys

JOBS = 3


def insert(rng, table, rows):
    values = ", ".join("('%s', %d, 'row-%d')" % row for row in rows)
    return "INSERT INTO %s(job_id, success, output) VALUES %s;" % (table, values)


def jobs_of(number):
    return ["job-%d-%d" % (number // 100, i) for i in range(JOBS)]


def statements(rng, jobs, number):
    rows = [(rng.choice(jobs), 1, number + i) for i in range(rng.choice([1, 1, 2, 3]))]
    if rng.random() < 0.2:
        rows[-1] = (rows[-1][0], 7, rows[-1][2])
    if rng.random() < 0.2:  # one row a statement, through a SELECT
        rows = rows[:1]
        yield from ("INSERT INTO %s(job_id, success, output) SELECT '%s', %d, 'row-%d';" % ((t,) + rows[0])
                    for t in ("task_results", "oracle"))
    else:
        yield from (insert(rng, table, rows) for table in ("task_results", "oracle"))


def transaction(rng, number):
    depth, jobs = 0, jobs_of(number)
    outermost = rng.choice(["BEGIN", "SAVEPOINT outermost", None])
    if outermost:
        yield outermost + ";"
    for step in range(rng.randrange(1, 14)):
        kind = rng.randrange(8)
        if kind < 4 or not outermost:
            yield from statements(rng, jobs, 1000 * number + 10 * step)
        elif kind == 4:
            yield "SAVEPOINT s%d;" % depth
            depth += 1
        elif kind == 5 and outermost.startswith("SAVEPOINT") and rng.random() < 0.3:
            yield "ROLLBACK TO outermost;"
            depth = 0
        elif depth:
            target = rng.randrange(depth)
            yield "%s s%d;" % ("ROLLBACK TO" if kind < 7 else "RELEASE", target)
            depth = target + (kind < 7)
    if outermost == "BEGIN":
        yield rng.choice(["COMMIT;", "COMMIT;", "ROLLBACK;"])
    elif outermost:
        yield rng.choice(["RELEASE outermost;", "COMMIT;", "ROLLBACK;"])


def contents(table, order, jobs):
    wanted = "WHERE job_id IN (%s) " % ", ".join("'%s'" % job for job in jobs) if jobs else ""
    return "(SELECT group_concat(job_id || ':' || output, ' ') FROM (SELECT * FROM %s %sORDER BY job_id, %s))" % (
        table, wanted, order)


def compare(name, jobs=None):
    ours, oracle = contents("task_results", "offset", jobs), contents("oracle", "rowid", jobs)
    print("SELECT CASE WHEN %s IS %s THEN 'same' ELSE '%s: ours ' || ifnull(%s, '-') || ' oracle ' || ifnull(%s, '-') END;"
          % (ours, oracle, name, ours, oracle))


def main(count):
    rng = random.Random(3)
    print("SELECT taskresults_writable(1);")
    print("CREATE TABLE oracle(job_id TEXT, success INTEGER CHECK (success IN (0, 1)), output TEXT);")
    for i in range(count):
        for statement in transaction(rng, i):
            print(statement)
        compare("transaction %d" % i, jobs_of(i))
    compare("everything")
    print("SELECT count(*) || ' rows' FROM oracle;")


main(int(sys.argv[1]))
