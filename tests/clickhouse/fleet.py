"""fleet.py - the rows that a fleet's tables get, and what its views must say: `from fleet import ...`.

Both are made from the local tables by SQL. The rows follow what `taskresults ship` is documented to send, and not its code.
"""
import json
import math
import os
import pathlib
import random
import shutil

from host import connect

# What is compared: (columns of the view, its order, the same columns of the local table if they have other words). Texts are
# compared as bytes. The views have numbers in columns of texts as text, and no `success` that is a text.
IN_VIEW = "hex(timestamp), hex(job_name), success, hex(output), hex(error), time_us, offset, ok, timestamp IS NULL, job_name IS NULL, output IS NULL, error IS NULL"
NUMBER = "CASE WHEN typeof(success) IN ('integer', 'real') THEN success + 0.0 END"
STATS = "runs, successes, failures, success_rate, {}, hex(last_error), last_error IS NULL, streak, longest_failure_streak, mtbf_s, mttr_s, rejects, " \
        "first_run_us, last_run_us, last_success_us, last_failure_us"
TIMES = ["first_run", "last_run", "last_success", "last_failure"]
VIEWS = {
    "task_results": (IN_VIEW, "rowid", IN_VIEW.replace("success", NUMBER)),
    "task_rejects": ("offset, length, reason, hex(line), line IS NULL", "rowid", None),
    "task_stats": (STATS.format(", ".join(TIMES)), "job_id", STATS.format(", ".join(f"CAST({time} AS TEXT)" for time in TIMES))),
    "task_errors": ("hex(signature), times, first_run, last_run, first_run_us, last_run_us", "hex(signature)", None),
}

RECORDS = f"""SELECT job_id, taskresults_hash(record), time_us, CAST(timestamp AS TEXT), CAST(job_name AS TEXT), {NUMBER}, ok,
    ifnull(CAST(output AS TEXT), ''), ifnull(CAST(error AS TEXT), ''), (output IS NULL) + 2 * (error IS NULL),
    CASE ok WHEN 0 THEN nullif(taskresults_signature(error), '') END, offset FROM task_results ORDER BY job_id, rowid"""
RECORD_COLUMNS = "job_id hash time_us timestamp job_name success ok output error missing signature offset".split()
REJECTS = """SELECT job_id, taskresults_hash(line), offset, length, reason, CASE typeof(line) WHEN 'blob' THEN hex(line) ELSE line END,
    typeof(line) = 'blob' FROM task_rejects WHERE offset IS NOT NULL ORDER BY job_id, rowid"""
REJECT_COLUMNS = "job_id hash offset length reason line hex".split()


class Host:
    """A directory of results, and the name of its host."""

    def __init__(self, name, results):
        os.environ["SCHEDULER_RESULTS_DIR"] = str(results)
        os.environ["SCHEDULER_LOGS_DIR"] = str(results) + "/no-logs"
        self.name, self.db = name, connect()
        self.first_seq = 1764000000000000 + random.Random(name).randrange(10**12)
        # Read while the environment names it.
        self.records, self.rejects = self.ask(RECORDS), self.ask(REJECTS)
        self.jobs = [job for (job,) in self.ask("SELECT job_id FROM task_stats ORDER BY job_id")]
        self.views = {view: self.ask(f"SELECT job_id, {local or columns} FROM {view} {'WHERE offset IS NOT NULL' * (view == 'task_rejects')} "
                                     f"ORDER BY job_id, {order}") for view, (columns, order, local) in VIEWS.items()}

    def ask(self, statement):
        return self.db.execute(statement).fetchall()

    def rows(self, first_seq=None):
        """What a shipper with a new cursor sends: {table: rows}."""
        seq = first_seq or self.first_seq
        records = list(self.numbered(self.records, RECORD_COLUMNS, seq))
        rejects = list(self.numbered(self.rejects, REJECT_COLUMNS, seq + len(records)))
        return {"records": records, "rejects": rejects,
                "files": [{"host": self.name, "job_id": job, "cursor": seq} for job in self.jobs]}

    def numbered(self, rows, columns, first_seq):
        """Each with its place in the order, and its number among identical lines of its job."""
        counts = {}
        for seq, values in enumerate(rows, first_seq):
            row = {"host": self.name, "seq": seq, **dict(zip(columns, values))}
            key = row["job_id"], row["hash"]
            row["n"] = counts[key] = counts.get(key, 0) + 1
            yield row


def shuffled_batches(hosts, seed=1, size=10000):
    """What arrives: batches of all tables, out of order, a part of them twice, and a third of the lines once more by cursors that began
    later. Yields (table, JSON lines)."""
    choice = random.Random(seed)
    batches = []
    for host in hosts:
        rows = host.rows()
        for table, again in host.rows(host.first_seq + 10**13).items():
            rows[table] = rows[table] + [row for row in again if choice.random() < 0.33]
        for table, found in rows.items():
            batches += [(table, found[start:start + size]) for start in range(0, len(found), size)]
    batches += choice.sample(batches, len(batches) // 3)
    choice.shuffle(batches)
    for table, rows in batches:
        yield table, "\n".join(json.dumps(row) for row in rows)


def statements():
    """One SELECT for each view: (view, statement)."""
    for view, (columns, order, _) in VIEWS.items():
        yield view, f"SELECT host, job_id, {columns} FROM {view} ORDER BY host, job_id, {order}"


def is_same(wanted, found):
    if wanted == "" and found is None:  # SQLite's hex(NULL); whether it is NULL is a column of its own
        return True
    if isinstance(wanted, float) or isinstance(found, float):
        return wanted is not None and found is not None and math.isclose(wanted, found, rel_tol=1e-12)
    return wanted == found


def differences(view, hosts, found):
    """What is wrong with the rows of a view."""
    wanted = [(host.name, *row) for host in sorted(hosts, key=lambda host: host.name.encode()) for row in host.views[view]]
    if len(wanted) != len(found):
        yield f"{view}: {len(found)} rows instead of {len(wanted)}"
    for number, (one, other) in enumerate(zip(wanted, found)):
        if not all(map(is_same, one, other)):
            yield f"{view}, row {number}:\n  local {list(one)}\n  fleet {other}"


def complete(source, target):
    """A copy in which each file's last line is terminated: lines that are not, are not shipped yet."""
    shutil.copytree(source, target)
    for file in pathlib.Path(target).glob("*.jsonl"):
        text = file.read_bytes()
        if text and not text.endswith(b"\n"):
            file.write_bytes(text + b"\n")


def generate(target, count, seed):
    """Files of some 40 jobs with `count` lines: ends and times of all kinds, identical and broken lines, odd types, and no lines."""
    choice = random.Random(seed)
    os.makedirs(target)
    jobs = [f"job {number}" if number % 3 else f"jöb-{number}" for number in range(40)]
    files = {job: open(f"{target}/{job}.jsonl", "wb") for job in jobs}
    times = {job: 1.6e9 + choice.random() * 1e8 for job in jobs}
    bad = {job: False for job in jobs}
    last = {job: None for job in jobs}
    for _ in range(count):
        job = choice.choice(jobs[1:])
        if choice.random() < 0.05:
            bad[job] = not bad[job]
        times[job] += choice.choice((60, 60, 60, 3600, 0, -5)) if choice.random() < 0.99 else 86400 * 10
        line = last[job] if last[job] and choice.random() < 0.08 else line_of(choice, job, times[job], bad[job])
        last[job] = line
        files[job].write(line + b"\n")
    for file in files.values():
        file.close()


def line_of(choice, job, time, is_bad):
    lot = choice.random()
    if lot < 0.004:
        return choice.choice((b"[1]", b"null", b'{"a":', b"\xff\xfe", b'{"timestamp": "2026-01-01T00:00:00Z"}x', b"3"))
    whole, us = int(time), choice.choice((0, choice.randrange(10**6)))
    import datetime
    text = (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=whole, microseconds=us)).isoformat() + choice.choice(("Z", "Z", "+02:00"))
    record = {
        "timestamp": choice.choice(("never", None, 5, "0001-01-02T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59.5Z"))
        if lot < 0.02 else text,
        "job_id": job, "job_name": choice.choice((job, None, 7)) if lot > 0.98 else job.upper(),
        "success": choice.choice(("true", "", [], {}, 0, 1, 0.0, 2.5, -1, None, "0")) if lot > 0.96 else not is_bad,
        "output": choice.choice(("", "all good\nñ €\t\"quoted\" \\ \x00 \u2028", None, "x" * 200, 12, [1, {"a": None}])),
        "error": choice.choice((f"run {choice.randrange(9)} failed: no space left on device", "Connection refused", "", None, "ключ\n  at line 7"))
        if is_bad else choice.choice(("", "", None)),
    }
    for key in list(record):
        if choice.random() < 0.01:
            del record[key]
    return json.dumps(record, ensure_ascii=choice.random() < 0.5).encode()
