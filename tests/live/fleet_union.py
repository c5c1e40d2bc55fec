#!/usr/bin/env python3
"""fleet_union.py TASKRESULTS DIRECTORY [COMMAND...] - commands with --hosts say what the same commands say of each host.

Writes the results, logs and jobs.json of several hosts below DIRECTORY. Jobs of the same names are on all of them, with
other records. The rows of each command over all hosts must be those over each host alone, with the name of that host.
Prints how many commands were compared; exits 1 at the first difference."""
import collections
import datetime
import json
import os
import random
import re
import subprocess
import sys
import tempfile

HOSTS = ["web1", "web2", "db", "o'b", "é x", '<b>"\\@$(x)`\n%s']
JOBS = ["backup", "é", "a b", "mail-1", "1"]
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
WINDOW = f"{NOW - datetime.timedelta(days=6):%Y-%m-%d}..{NOW - datetime.timedelta(days=1):%Y-%m-%d}"
DUE_HOUR = (NOW.hour + 12) % 24  # far from now, so that no slot comes to an end while we compare


def stamp(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def write_job(root, job, host, rng):
    records, log = [], []
    for day in range(9, 0, -1):
        due = (NOW - datetime.timedelta(days=day)).replace(hour=DUE_HOUR, minute=0, second=0)
        if rng.random() < 0.25:
            continue
        for run in range(rng.randint(1, 3)):
            start = due + datetime.timedelta(seconds=3 + 3600 * run)
            end = start + datetime.timedelta(seconds=rng.randint(1, 400))
            good = rng.random() < 0.6
            records.append(json.dumps({"timestamp": stamp(end), "job_id": job, "job_name": f"{job} of {host}", "success": good,
                                       "output": "done" if good else "", "error": None if good else f"lost {run} of {job}"}))
            log += [f"[{stamp(start)}] Executing (command mode): cmd=x", f"[{stamp(end)}] Command {'executed successfully' if good else 'failed: x'}"]
        if rng.random() < 0.3:
            log += [f"[{stamp(due + datetime.timedelta(hours=hour))}] Job {event}" for hour, event in ((5, "paused"), (8, "resumed"))]
        if rng.random() < 0.15:
            records.append("junk")
    with open(f"{root}/results/{job}.jsonl", "w") as file:
        file.write("".join(line + "\n" for line in records))
    if rng.random() < 0.8:
        with open(f"{root}/logs/{job}.log", "w") as file:
            file.write("".join(line + "\n" for line in log))


def write_host(root, host, rng):
    os.makedirs(f"{root}/results")
    os.makedirs(f"{root}/logs")
    jobs = [job for job in JOBS if rng.random() < 0.85]
    for job in jobs:
        write_job(root, job, host, rng)
    listed = [job for job in JOBS if rng.random() < 0.8]
    with open(f"{root}/jobs.json", "w") as file:
        json.dump({"jobs": [{"id": job, "name": job, "enabled": rng.random() < 0.9, "recurring": True, "schedule": "daily",
                             "cron": f"0 {DUE_HOUR} * * *", "created_at": stamp(NOW - datetime.timedelta(days=30)),
                             "next_run": stamp(NOW + datetime.timedelta(hours=rng.choice([-30, 12])))} for job in listed]}, file)


class Difference(Exception):
    pass


def ask(tool, words, environment, hosts=None):
    words = [tool, *words] + (["--hosts", hosts] if hosts else [])
    if "STATE" in words:  # a new file each time
        words[words.index("STATE")] = f"{tempfile.mkdtemp(dir=os.environ['TMPDIR'])}/alerts"
    done = subprocess.run(words, env=dict(os.environ, **environment), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) and "no such job" not in done.stderr:
        raise Difference(f"{words}: status {done.returncode}: {done.stderr}")
    return done


def rows_of_jsonl(text):
    return [json.loads(line) for line in text.splitlines()]


def rows_of_metrics(text):
    rows = []
    for line in text.splitlines():
        found = re.fullmatch(r'(\w+)\{(?:host="((?:[^"\\]|\\.)*)",)?(job_id=.*)\} (\S+)', line)
        if found:
            host = found[2] and found[2].replace("\\\\", "\0").replace('\\"', '"').replace("\\n", "\n").replace("\0", "\\")
            rows.append({"host": host, "name": found[1], "labels": found[3], "value": found[4]})
    return rows


def counted(rows, host=None):
    return collections.Counter(json.dumps({**row, **({"host": host} if host is not None else {})}, sort_keys=True) for row in rows)


def paths(root, host):
    return {"SCHEDULER_RESULTS_DIR": f"{root}/{host}/results", "SCHEDULER_LOGS_DIR": f"{root}/{host}/logs",
            "SCHEDULER_JOBS_FILE": f"{root}/{host}/jobs.json"}


def compare(tool, root, words, read=rows_of_jsonl):
    union = collections.Counter()
    for host in HOSTS:
        union += counted(read(ask(tool, words, paths(root, host)).stdout), host)
    nowhere = {name: "/nowhere/x" for name in ("SCHEDULER_RESULTS_DIR", "SCHEDULER_LOGS_DIR", "SCHEDULER_JOBS_FILE")}
    found = counted(read(ask(tool, words, nowhere, f"{root}/*/results").stdout))
    if found != union:
        raise Difference(f"{words}: too much: {sorted((found - union))[:5]}; missing: {sorted((union - found))[:5]}")
    if not union:
        raise Difference(f"{words}: nothing to compare")


COMMANDS = {
    "export": [["export", "--format", "jsonl"]],
    "rejects": [["rejects", "--jsonl", "--count"]],
    "list": [["list", "--jsonl"], ["list", "--failing", "--jsonl"]],
    "errors": [["errors", "--jsonl"], ["errors", "backup", "--jsonl"], ["errors", "--grep", "lost 1", "--jsonl"],
               ["errors", "--since", "3d", "--min", "2", "--jsonl"]],
    "stats": [["stats", "--jsonl"], ["stats", "--by", "day", "--jsonl"], ["stats", "--total", "--jsonl"],
              ["stats", "--total", "--by", "weekday", "--since", "5d", "--jsonl"], ["stats", "backup", "--jsonl"]],
    "view": [["view", "backup", "--jsonl"], ["view", "backup", "--latest", "--jsonl"], ["view", "é", "--limit", "3", "--errors", "--jsonl"],
             ["view", "backup", "--grep", "lost", "--limit", "2", "--jsonl"], ["view", "--all", "--jsonl"], ["view", "--all", "--errors", "--jsonl"]],
    "sla": [["sla", "--window", WINDOW, "--jsonl"], ["sla", "backup", "--window", WINDOW, "--target", "90", "--jsonl"],
            ["sla", "--window", WINDOW, "--target", "60", "--of", "success", "--count", "missed", "--max-duration", "5m", "--jsonl"]],
    "metrics": [["metrics"]],
    "alerts": [["alerts", *options, "--digest", "--exec", "cat", "--state", "STATE"] for options in (
        ["--after", "1"], ["--after", "1", "backup"], ["--rate", "2/5", "--silent-for", "20h", "--overdue"],
        ["--missed", "--burn", "95/6d", "--slow=1.5", "--fast=1.5", "--suspicious", "done"])],
    "report": [["report"], ["report", "--days", "7", "--tz", "Europe/Berlin"]],
    "next": [["next", "--jsonl"], ["next", "backup", "--jsonl"], ["next", "--within", "13h", "--jsonl"]],
}


def rows_of_next(text):
    return [{key: value for key, value in row.items() if key != "in_s"} for row in rows_of_jsonl(text)]


def rows_of_alerts(text):
    rows = json.loads(text or "[]")
    for row in rows:
        if "host" in row:
            row["message"] = row["message"].removeprefix(row["host"].replace("\n", "␤") + "/")
        row["message"] = re.sub("for [0-9]+[smhd]", "for D", row["message"])
    return rows


def rows_of_page(text):
    """The jobs of a status page, with times instead of ages, and texts instead of their numbers."""
    data = json.loads(text[text.index('{"generated"'):].split("</script>")[0])
    rows = []
    for values in data["jobs"]:
        row = dict(zip(data["columns"], values))
        host, _, job = row["id"].partition("/")
        if job:
            row.update(host=host, id=job, name=row["name"] and row["name"].removeprefix(host + "/"))
        for name in ("last", "last_success", "next", "begun", "other_at"):
            row[name] = row[name] is not None and data["generated"] - row[name]
        for name in ("recent", "gaps"):
            row[name] = [re.sub("^-?[0-9]+", lambda age: str(data["generated"] - int(age[0])), part) for part in (row[name] or "").split()]
        row["causes"] = [[data["signatures"][number - 1], times] for number, times in row["causes"]]
        row["overdue"] = row["overdue"] is not None
        rows.append(row)
    return rows


READERS = {"report": rows_of_page, "metrics": rows_of_metrics, "next": rows_of_next, "alerts": rows_of_alerts}


def main():
    tool, root, *wanted = sys.argv[1:]
    os.environ["TMPDIR"] = root + ".tmp"
    os.makedirs(root + ".tmp")
    rng = random.Random(11)
    for host in HOSTS:
        write_host(f"{root}/{host}", host, rng)
    count = 0
    for name in wanted or COMMANDS:
        for words in COMMANDS[name]:
            compare(tool, root, [word for word in words], READERS.get(name, rows_of_jsonl))
            count += 1
    print(f"{count} commands are the same")


if __name__ == "__main__":
    try:
        main()
    except Difference as difference:
        sys.exit(f"not the same: {difference}")
