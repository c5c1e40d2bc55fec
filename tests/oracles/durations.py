#!/usr/bin/env python3
"""durations.py generate DIR   writes results and logs of every odd kind into DIR/results and DIR/logs, always the same
   durations.py check DIR...   holds the durations of task_stats against those of task_runs, figure by figure

What a run took is task_runs's to say (tests/bats/runs_table.bats); what its figures are is said here, from the words
of the manual: of the runs that count and whose duration is known, pNN_s is the shortest duration that at least NN
percent of them do not exceed, max_s the longest, last_duration_s that of the last record in the file. All are NULL
where nothing is known. Needs tests/lib on the path (see tests/lib/host.bash). Prints the first disagreements; exits 1 if there were any.
"""
import os
import random
import sys
from datetime import datetime, timedelta

SELECT = "SELECT job_id, p50_s, p95_s, max_s, last_duration_s FROM task_stats"


def stamp(us):
    return (datetime(1970, 1, 1) + timedelta(microseconds=us)).isoformat() + "Z"


def history(rng):
    """The lines of a file of results, and those of its log."""
    at, results, log = 1_770_000_000_000_000 + rng.randint(0, 10**12), [], []
    told, oddity = rng.choice([1, 1, 0.5]), rng.choice([0, 0.1, 0.4])
    for _ in range(rng.choice([0, 1, 2, 3, 4, 19, 20, 21, 99, 100, 101, 150])):
        at += rng.randint(1, 10**10) * (-1 if rng.random() < oddity / 4 else 1)
        took = rng.choice([0, 1, 10**6, rng.randint(0, 10**9)]) * (-1 if rng.random() < oddity / 4 else 1)
        log.append((at, "Executing (command mode): working_dir=/, cmd=x"))
        if rng.random() < oddity / 2:
            continue  # cut short
        at += took
        if rng.random() < told:
            log.append((at, rng.choice(["Command executed successfully", "Command failed: no", "Execution timed out (1)"])))
        when = '"%s"' % stamp(at + rng.randint(0, 2000)) if rng.random() >= oddity / 3 else '"soon"'
        results.append('{"timestamp": %s, "success": %s}' % (when, rng.choice(["true", "false"])))
        if rng.random() < oddity / 3:
            results.append(rng.choice(["torn", "", '{"timestamp": "%s", "success": true}' % stamp(at + 10**8)]))
    return results, ["[%s] %s" % (stamp(time), words) for time, words in log]


def generate(directory):
    for name in ("results", "logs"):
        os.makedirs(os.path.join(directory, name), exist_ok=True)
    for number in range(90):
        rng = random.Random(number)
        results, log = history(rng)
        for folder, suffix, lines in (("results", "jsonl", results), ("logs", "log", log)):
            if folder == "logs" and number % 9 == 4:
                continue
            with open(os.path.join(directory, folder, "job-%d.%s" % (number, suffix)), "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in lines)


def least_not_exceeded_by(percent, durations):
    return next((one for one in sorted(durations)
                 if 100 * sum(other <= one for other in durations) >= percent * len(durations)), None)


def figures(runs):
    known = [took for _, took in runs if took is not None]
    return tuple(None if us is None else us / 1e6 for us in (
        least_not_exceeded_by(50, known), least_not_exceeded_by(95, known), max(known, default=None),
        runs[-1][1] if runs else None))


def runs_by_job(db):
    """Of each job, its records in the order of the file: (time or None, microseconds that it took or None)."""
    jobs = {job: [] for (job,) in db.execute("SELECT job_id FROM task_stats")}
    for job, time, start in db.execute("SELECT job_id, time_us, started_us FROM task_runs ORDER BY rowid").fetchall():
        jobs[job].append((time, time - start if start is not None and start <= time else None))
    return jobs


def check(db, rng):
    jobs = runs_by_job(db)
    times = [time for runs in jobs.values() for time, _ in runs if time is not None]
    wrong = compared = 0
    for number in range(40):
        since, until = (None, None) if number == 0 else (rng.choice(times + [None]), rng.choice(times + [None]))
        whole = since is None and until is None
        for job, *got in db.execute(SELECT + "(?, ?)", (since, until)).fetchall():
            runs = [run for run in jobs[job] if whole or (run[0] is not None and (since is None or run[0] >= since)
                                                         and (until is None or run[0] <= until))]
            compared += 1
            if tuple(got) != figures(runs):
                wrong += 1
                print("# %s, %r to %r: sql %r, python %r" % (job, since, until, got, figures(runs)))
            alone = db.execute(SELECT + "(?, ?, ?)", (since, until, job)).fetchall()
            wrong += alone != [(job, *got)]
    return compared, wrong


def main():
    if sys.argv[1] == "generate":
        generate(sys.argv[2])
        return 0
    from host import connect
    compared = wrong = 0
    for directory in sys.argv[2:]:
        os.environ.update(SCHEDULER_RESULTS_DIR=directory + "/results", SCHEDULER_LOGS_DIR=directory + "/logs")
        counts = check(connect(), random.Random(7))
        compared, wrong = compared + counts[0], wrong + counts[1]
    print("%d rows compared, %d disagreements" % (compared, wrong))
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
