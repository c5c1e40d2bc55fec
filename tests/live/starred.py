#!/usr/bin/env python3
"""starred.py EXTENSION DIRECTORY - writes the results and logs of several hosts into DIRECTORY, and asks each table of a
path with a star what it says; the answer must be that of UNION ALL over one table for each host, with its name.

Prints how many queries were asked, and how many of them found some rows but not all; exits 1 at the first difference.
Needs a Python with sqlite3.enable_load_extension."""
import json
import os
import random
import sqlite3
import sys

HOSTS = ["web1", "web2", "db", "01", "1", "o'brien", "é", "a b"]
JOBS = ["a", "b", "é", "1", "only-"]
TABLES = {
    "task_results": "timestamp, job_id, job_name, success, output, error, job, time_us, offset, record, ok",
    "task_rejects": "job_id, offset, length, reason, line, job",
    "task_lines": "job_id, offset, length, terminated, reason, line, job, time_us, ok, timestamp, dev, inode",
    "task_stats": "job_id, runs, successes, failures, streak, last_error, rejects, p50_s, max_s, last_duration_s",
    "task_errors": "job_id, signature, times, first_run, last_run",
    "task_runs": "job_id, started, finished, duration_s, success, ok, time_us",
    "task_logs": "time_us, job_id, event, message, job, offset",
    "task_jobs": "job_id, name, schedule, created_at, state, record, created_us, is_enabled",
    "task_slots": "job_id, slot, slot_us, offset, finished, late_s, state, reason, job, ok, started_us, finished_us",
}
# The jobs that a host's scheduler knows, as letters; o'brien has no list.
LISTED = {"web1": "ab", "web2": "abé", "db": "1z", "01": "a", "1": "aa", "é": "", "a b": "é"}
WINDOW = "('2026-02-01', '2026-02-05')"  # of slots
HOST_TERMS = ["1", "host = 'web1'", "host = 'nobody'", "host IN ('web1', 'db', 'x')", "host = 1", "host = '01'", "host IS NULL",
              "host IS NOT NULL", "host IS 'db'", "host = NULL", "host IN (NULL, 'db')", "host IN (1, '01')", "host LIKE 'WEB%'",
              "host GLOB 'web*'", "host <> 'db'", "host > 'd'", "host = 'WEB1'", "host = 'WEB1' COLLATE NOCASE", "host = x'6462'",
              "host IN (SELECT 'db')", "host = 'web1' AND host = 'web2'", "host = 'db' OR host = 'é'", "host = 'o''brien'",
              "host = 'db' AND host IN ('db') AND host = 'db' AND host = 'db'", "NOT host = 'db'"]
JOB_TERMS = ["1", "job_id = 'a'", "job_id IN ('a', 'é')", "job_id GLOB '*-*'", "job_id = 1", "job_id = 'x'"]


def write_list(root, host, rng):
    jobs = [{"id": job, "name": f"{job} of {host}", "enabled": rng.random() < 0.8, "created_at": "2026-01-01T00:00:00Z",
             "schedule": "daily", "cron": f"0 {i % 3} * * *"} for i, job in enumerate(LISTED[host])]
    with open(os.path.join(root, host, "jobs.json"), "w") as file:
        json.dump({"jobs": jobs}, file)


def write_host(root, host, rng):
    results, logs = os.path.join(root, host, "results"), os.path.join(root, host, "logs")
    os.makedirs(results)
    os.makedirs(logs)
    for job in JOBS:
        name = job + host if job == "only-" else job
        if job != "only-" and rng.random() < 0.2:
            continue
        with open(os.path.join(results, name + ".jsonl"), "w") as file, open(os.path.join(logs, name + ".log"), "w") as log:
            for i in range(rng.randint(0, 6)):
                second = rng.randint(10, 58)
                log.write(f"[2026-02-{i + 1:02}T00:00:{second - rng.randint(1, 9):02}Z] Starting job\n")
                if rng.random() < 0.2:
                    file.write("junk\n")
                file.write(json.dumps({"timestamp": f"2026-02-{i + 1:02}T00:00:{second:02}Z", "job_id": name, "job_name": host,
                                       "success": rng.random() < 0.6, "output": "", "error": f"lost {i}"}) + "\n")


def arguments(table, directory):
    if table in ("task_jobs", "task_slots"):
        logs = f", logs='{directory}/logs'" if table == "task_slots" else ""
        return f"file='{directory}/jobs.json', results='{directory}/results'{logs}".replace("o'brien", "o''brien")
    own = "logs" if table == "task_logs" else "results"
    logs = f", logs='{directory}/logs'" if table in ("task_runs", "task_stats") else ""
    return f"dir='{directory}/{own}'{logs}".replace("o'brien", "o''brien")


def named(table, name):
    return name + WINDOW if table == "task_slots" else name


class Difference(Exception):
    pass


class Fleet:
    def __init__(self, extension, root):
        self.db = sqlite3.connect(":memory:")
        self.db.enable_load_extension(True)
        self.db.load_extension(extension)
        self.asked = self.selective = 0
        for table, columns in TABLES.items():
            self.db.execute(f"CREATE VIRTUAL TABLE temp.all_{table} USING {table}({arguments(table, root + '/*')})")
            parts = []
            hosts = LISTED if table in ("task_jobs", "task_slots") else HOSTS
            for i, host in enumerate(hosts):
                self.db.execute(f"CREATE VIRTUAL TABLE temp.{table}_{i} USING {table}({arguments(table, f'{root}/{host}')})")
                name = host.replace("'", "''")
                parts.append(f"SELECT CAST('{name}' AS TEXT) AS host, {columns} FROM {named(table, f'{table}_{i}')}")
            self.db.execute(f"CREATE TEMP TABLE one_{table}(host TEXT, {columns.replace('job_id', 'job_id TEXT')})")
            self.db.execute(f"INSERT INTO one_{table} " + " UNION ALL ".join(parts))

    def rows(self, sql):
        return sorted(self.db.execute(sql).fetchall(), key=repr)

    def compare(self, sql, table):
        found, expected = self.rows(sql.replace("TABLE", self.all)), self.rows(sql.replace("TABLE", f"one_{table}"))
        if found != expected:
            raise Difference(f"{sql} of {table}: {len(found)} rows, not {len(expected)}")
        self.asked += 1
        self.selective += 0 < len(found) < self.total

    def ask(self, table, columns):
        self.total, self.all = len(self.rows(f"SELECT 1 FROM one_{table}")), named(table, f"all_{table}")
        if self.total < 5:
            raise Difference(f"{table} has too little to compare")
        for host in HOST_TERMS:
            for job in JOB_TERMS:
                self.compare(f"SELECT host, {columns} FROM TABLE WHERE ({host}) AND ({job})", table)
        self.compare("SELECT a.host, a.job_id, b.host FROM TABLE a JOIN TABLE b ON a.host = b.host AND a.job_id = b.job_id", table)
        self.compare("WITH h(sought) AS (VALUES ('db'), ('é'), ('none'), (1)) "
                     "SELECT sought, host, job_id FROM h LEFT JOIN TABLE t ON t.host = h.sought", table)
        self.compare("WITH h(sought) AS (VALUES ('db'), (1)) SELECT sought, host, job_id FROM h JOIN TABLE t ON t.host = +h.sought", table)
        self.compare("SELECT host, count(*) FROM TABLE GROUP BY host", table)
        self.compare("SELECT host, job_id, count(*) FROM TABLE GROUP BY 1, 2", table)
        for order in ("", " DESC"):
            jobs = [job for (job,) in self.db.execute(f"SELECT job_id FROM {self.all} ORDER BY job_id{order}")]
            if jobs != sorted(jobs, key=str.encode, reverse=bool(order)):
                raise Difference(f"{table}: ORDER BY job_id{order} is not in order")
            rows = self.db.execute(f"SELECT rowid FROM {self.all} ORDER BY rowid{order}").fetchall()
            if len(set(rows)) != self.total or rows != sorted(rows, reverse=bool(order)):
                raise Difference(f"{table}: rowids repeat, or are not in order")
            if table in ("task_jobs", "task_slots"):
                continue  # SQLite sorts
            both = self.db.execute(f"SELECT job_id, rowid FROM {self.all} ORDER BY job_id{order}, rowid").fetchall()
            wanted = sorted(both, key=lambda row: row[1])
            wanted.sort(key=lambda row: row[0].encode(), reverse=bool(order))
            if both != wanted:
                raise Difference(f"{table}: ORDER BY job_id{order}, rowid is not in order")
        for rowid, host, job in self.db.execute(f"SELECT rowid, host, job_id FROM {self.all}").fetchall():
            found = self.db.execute(f"SELECT host, job_id FROM {self.all} WHERE rowid = ?", (rowid,)).fetchall()
            if found != [(host, job)]:
                raise Difference(f"{table}: rowid {rowid} is {found}, not {(host, job)}")


def main():
    extension, root = sys.argv[1:]
    rng = random.Random(5)
    for host in HOSTS:
        write_host(root, host, rng)
    for host in LISTED:
        os.makedirs(os.path.join(root, host), exist_ok=True)
        write_list(root, host, rng)
    fleet = Fleet(extension, root)
    for table, columns in TABLES.items():
        fleet.ask(table, columns)
    print(f"{fleet.asked} queries, {fleet.selective} selective")


if __name__ == "__main__":
    try:
        main()
    except Difference as difference:
        sys.exit(f"not the same: {difference}")
