#!/usr/bin/env python3
"""ok.py generate DIR             writes jobs with every kind of value of `success` into DIR, a job for each value and some more
   ok.py check DIR...            holds the tables' verdicts on every record against Python's
   ok.py commands TASKRESULTS DIR...   does the same with what the commands count

A record is a success if Python's `bool(record.get("success"))` says so: the question that the scheduler's own viewer asks.
`check` needs tests/lib on the path (see tests/lib/host.bash). Prints the first disagreements; exits 1 if there were any.
"""
import json
import os
import subprocess
import sys
from decimal import Decimal, getcontext

from rows import lines_of, time_us, verdict

# --- values --------------------------------------------------------------------------------------------------------------

ABSENT = None
WORDS = ["true", "false", "null", ABSENT, "NaN", "Infinity", "-Infinity"]
NUMBERS = ["0", "-0", "1", "-1", "2", "10", "1" + "0" * 4000, "-" + "9" * 4300, "9223372036854775808", "100000000000000000000",
           "0.0", "-0.0", "0.00e7", "0E400", "0e-0", "-0.0E+1", "0." + "0" * 3000, "0e99999999999999999999", "0e-99999999999999999999",
           "0.5", "1.0", "-1e-3", "0.0001", "1e300", "1e400", "1E99999999999999999999", "1e-99999999999999999999", "1e-4294967296",
           "1e-18446744073709551616", "1e-18446744073709551617", "1e-323", "4.9e-324", "2.4e-324", "2.5e-324", "1e-324", "9e-325",
           "1e-400", "-1e-400", "1e-1000000", "0." + "0" * 322 + "1", "0." + "0" * 323 + "1", "0." + "0" * 323 + "3",
           "0." + "0" * 4000 + "1e4000", "0." + "0" * 4000 + "1e3600", "1" + "0" * 4000 + "e-4000", "1" + "0" * 4000 + "e-4400"]
TEXTS = ['""', '"0"', '"1"', '"[]"', '"{}"', '" "', '"\\t"', '"\\u0000"', '"\\u0030"', '"\\u005b]"', '"0.0"', '"-0"', '"false"',
         '"null"', '"\\""', '"\\\\"', '"\\ud800"', '"\\ud83d\\ude00"', '"é"', '"%s"' % ("\\u0030" * 600), '"%s"' % (" " * 600)]
NESTED = ["[]", "{}", "[ ]", "{ }", "[\t \r ]", "{ \t\r}", "[0]", "[null]", "[[]]", "[ [] ]", "[{}]", '{"":0}', '{ "a" : null }',
          '[""]', "[ false ]", '{"success": false}', "[" * 800 + "]" * 800, "[%s]" % (" " * 600), "[%s1]" % (" " * 600)]


def around_half_the_least_double():
    """2**-1075 itself, which Python rounds to 0.0, and what is a little less and a little more, spelled in several ways."""
    getcontext().prec = 1200
    getcontext().Emin, getcontext().Emax = -5000, 5000
    half = Decimal(2) ** -1075
    digits = "".join(map(str, half.as_tuple().digits))
    exponent = half.as_tuple().exponent
    for spelled in (digits, digits + "0" * 200, digits + "0" * 200 + "1", digits[:-1] + "4", digits[:-1] + "6", digits[:-1] + "5",
                    digits[:-1] + "4" + "9" * 300, digits[:17], digits[:16] + str(int(digits[16]) + 1)):
        at = exponent + len(digits)  # of the point, before the first digit
        yield "%se%d" % (spelled, at - len(spelled))
        yield "-%s.%se%d" % (spelled[0], spelled[1:], at - 1)
        yield "0." + "0" * -at + spelled


MEMBERS = ['"success": true, "success": 0', '"success": false, "success": "0"', '"success": [], "success": [0]',
           '"success": 1, "success": null', '"succ\\u0065ss": true', '"success": true, "succ\\u0065ss": ""',
           '"\\u0073uccess": {}, "success": "x"', '"Success": true', '"success ": true', '"x": {"success": true}',
           '"success" :\t[ \t] ', '"success":true', '"success":""']


def generate(directory):
    os.makedirs(directory, exist_ok=True)
    values = WORDS + NUMBERS + TEXTS + NESTED + list(around_half_the_least_double())
    members = ['"success": ' + value if value is not ABSENT else '"x": 1' for value in values] + MEMBERS
    lines = ['{"timestamp": "2026-02-15T01:%02d:%02d.%06dZ", %s, "error": "no. %d"}\n' % (at // 60, at % 60, at, member, at)
             for at, member in enumerate(members)]
    jobs = {"value %d" % at: [line] for at, line in enumerate(lines)}
    jobs["all"] = lines
    jobs["all, failures between"] = [text for line in lines for text in (line, '{"success": false}\n')]
    jobs["all, none of them records"] = [line[:-2] + "\n" for line in lines]
    jobs["none"] = []
    for job, text in jobs.items():
        with open(os.path.join(directory, job + ".jsonl"), "w", encoding="utf-8") as file:
            file.writelines(text)


# --- the expected answers ------------------------------------------------------------------------------------------------

def judged(directory):
    """job -> [(offset, is it a success?, has it a time?)]"""
    histories = {}
    for name in os.listdir(directory):
        records = histories[name[:-len(".jsonl")]] = []
        for offset, line in lines_of(os.path.join(directory, name)):
            read = verdict(line)
            if read:
                records.append((offset, bool(read[1].get("success")), time_us(read[1]) != "N"))
    return histories


class Comparison:
    def __init__(self):
        self.count = self.wrong = 0

    def __call__(self, what, ours, python):
        self.count += 1
        if ours != python:
            self.wrong += 1
            if self.wrong <= 10:
                print("# %s: ours %.300r, python %.300r" % (what, ours, python))

    def end(self):
        print("%d compared, %d disagreements" % (self.count, self.wrong))
        return 1 if self.wrong or not self.count else 0


CONDITIONS = [("ok", 1), ("ok = 1", 1), ("ok IS 1", 1), ("ok IN (1, 5)", 1), ("ok <> 0", 1), ("ok IS NOT 0", 1), ("ok > 0.5", 1),
              ("ok = '1'", 1), ("ok IS TRUE", 1), ("ok BETWEEN 1 AND 1", 1), ("NOT ok", 0), ("ok = 0", 0), ("ok IS 0", 0),
              ("ok IN (0)", 0), ("ok <> 1", 0), ("ok < 1", 0), ("ok <= 0", 0), ("ok IS NOT TRUE", 0), ("ok = 0.0", 0), ("0 = ok", 0)]
EVERY = ["ok IN (0, 1)", "ok IS NOT NULL", "ok >= 0", "ok <> 7", "ok IS NOT 'x'", "ok IS NOT NULL AND success IS success"]
NONE = ["ok IS NULL", "ok = NULL", "ok = 0.5", "ok = 2", "ok IN ()", "ok IN (NULL)", "ok = 1 AND ok = 0", "ok < 0", "ok > 1"]


def check(directory, same):
    from host import connect
    os.environ["SCHEDULER_RESULTS_DIR"] = directory
    db = connect()
    histories = judged(directory)
    everything = sorted((job, offset, ok) for job, records in histories.items() for offset, ok, _ in records)
    for table in ("task_results", "task_runs"):
        rows = db.execute("SELECT job_id, offset, ok, typeof(ok) FROM " + table).fetchall()
        for (job, offset, ok, kind), wanted in zip(sorted(rows), everything):
            same("%s of %s" % (table, wanted), (job, offset, ok, kind), (*wanted[:2], int(wanted[2]), "integer"))
        same("records in " + table, len(rows), len(everything))
        for condition, ok in CONDITIONS + [(c, None) for c in EVERY] + [(c, 2) for c in NONE]:
            got = db.execute("SELECT job_id, offset FROM %s WHERE %s" % (table, condition)).fetchall()
            same("%s WHERE %s" % (table, condition), sorted(got), [r[:2] for r in everything if ok is None or r[2] == ok])
    good = {job: sum(ok for _, ok, _ in records) for job, records in histories.items()}
    bad = {job: len(records) - good[job] for job, records in histories.items()}
    for job, successes, failures in db.execute("SELECT job_id, successes, failures FROM task_stats"):
        same("task_stats of " + job, (successes, failures), (good[job], bad[job]))
    times = dict(db.execute("SELECT job_id, sum(times) FROM task_errors GROUP BY 1"))
    same("task_errors", times, {job: count for job, count in bad.items() if count})


def commands(taskresults, directory, same):
    def rows(*words):
        done = subprocess.run([taskresults, *words, "--jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env={**os.environ, "SCHEDULER_RESULTS_DIR": directory})
        if done.returncode not in (0, 1):
            sys.exit(done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    histories = {job: records for job, records in judged(directory).items() if records}
    wanted = {job: (sum(ok for _, ok, _ in records), len(records)) for job, records in histories.items()}
    timed = {job: (sum(ok for _, ok, is_timed in records if is_timed), sum(is_timed for *_, is_timed in records))
             for job, records in histories.items()}
    got = {row["job_id"]: row for row in rows("list") if row["runs"]}
    same("list", {job: (row["successes"], row["runs"]) for job, row in got.items()}, wanted)
    same("list, last", {job: row["last_success"] for job, row in got.items()},
         {job: records[-1][1] for job, records in histories.items()})
    same("stats", {row["job_id"]: (row["successes"], row["runs"]) for row in rows("stats")}, wanted)
    same("stats --by", {row["job_id"]: (row["successes"], row["runs"]) for row in rows("stats", "--by", "month")},
         {job: pair for job, pair in timed.items() if pair[1]})
    same("sla", {row["job_id"]: (row["successes"], row["runs"]) for row in rows("sla", "--window", "2026-02-01..2026-02-28")
                 if row["runs"]}, {job: pair for job, pair in timed.items() if pair[1]})
    same("errors", sum(row["times"] for row in rows("errors")), sum(runs - good for good, runs in wanted.values()))
    for word, ok in (("--success", True), ("--errors", False)):
        same("export " + word, sum(1 for _ in exported(taskresults, directory, word)),
             sum(o == ok for records in histories.values() for _, o, _ in records))
        same("view " + word, len(rows("view", "--all", word)), sum(o == ok for records in histories.values() for _, o, _ in records))


def exported(taskresults, directory, word):
    done = subprocess.run([taskresults, "export", "--format", "jsonl", word], stdout=subprocess.PIPE, check=True,
                          env={**os.environ, "SCHEDULER_RESULTS_DIR": directory})
    return done.stdout.splitlines()


def main():
    same = Comparison()
    if sys.argv[1] == "generate":
        generate(sys.argv[2])
        return 0
    if sys.argv[1] == "check":
        for directory in sys.argv[2:]:
            check(directory, same)
    else:
        for directory in sys.argv[3:]:
            commands(sys.argv[2], directory, same)
    return same.end()


if __name__ == "__main__":
    sys.exit(main())
