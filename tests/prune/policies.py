#!/usr/bin/env python3
"""policies.py EXTENSION COUNT - COUNT generated directories are pruned by random policies: each job keeps what its first
rule says, byte for byte, and a job without a rule, or with one that keeps everything, is not touched. The reports say
which rule each job had. Exits 1 at the first that is not so.

What a rule keeps is asked of the model in choices.py. Needs a Python with sqlite3.enable_load_extension."""
import json
import os
import random
import re
import sqlite3
import sys
import tempfile

import choices

rng = random.Random(11)
NAMES = ["a", "ab", "abc", "b", "b-1", "b-2", "Ab", "ä", "x*y", "[c]"]
PATTERNS = ["*", "a", "a*", "?", "??", "b-[12]", "b-[^1]", "[a-b]", "*c", "x[*]y", "[[]c]", "none", "ä", "*-*", "[]]", "[^]]"]


def expression(pattern):
    """The pattern as Python's regular expression, from SQLite's description of GLOB."""
    out, at = "", 0
    while at < len(pattern):
        if pattern[at] == "[":
            end = pattern.index("]", at + 2 + (pattern[at + 1] == "^"))
            words = pattern[at + 1:end]
            out += "[" + ("^" if words[0] == "^" else "") + re.escape(words.lstrip("^")).replace(r"\-", "-") + "]"
            at = end
        else:
            out += {"*": ".*", "?": "."}.get(pattern[at], re.escape(pattern[at]))
        at += 1
    return re.compile(out, re.S)


def make_rule():
    jobs = rng.choices(PATTERNS, k=rng.choice([1, 1, 2, 3]))
    rule = {"jobs": jobs[0] if len(jobs) == 1 and rng.random() < 0.7 else jobs}
    for key, values in (("keep", [0, 1, 5, 1000]), ("since", ["2026-02-10T10:00Z", "2026-03-20T00:00Z"]), ("max_bytes", [100, 3000]),
                        ("target", [99, 99.9])):
        if rng.random() < 0.4:
            rule[key] = rng.choice(values)
    if ("keep" in rule or "since" in rule) and rng.random() < 0.4:
        rule["keep_failures"] = rng.choice([0, 1, 3])
    items = list(rule.items())
    rng.shuffle(items)
    return dict(items)


def find_rule(rules, name):
    for number, rule in enumerate(rules, 1):
        jobs = rule["jobs"] if isinstance(rule["jobs"], list) else [rule["jobs"]]
        if any(expression(pattern).fullmatch(name) for pattern in jobs):
            return number, rule
    return None, {}


def after_prune(lines, rule):
    if not {"keep", "since", "max_bytes"} & set(rule):
        return b"".join(lines)
    model = choices.Model(rule)
    return b"".join([line for line in reversed(lines) if model.keeps(line)][::-1])


def read(directory, name):
    with open(os.path.join(directory, name + ".jsonl"), "rb") as file:
        return file.read()


def try_one(db, directory, policy):
    files = {name: [choices.make_line(i) for i in range(rng.choice([0, 1, 5, 30]))] for name in rng.sample(NAMES, 5)}
    for name, lines in files.items():
        with open(os.path.join(directory, name + ".jsonl"), "wb") as file:
            file.write(b"".join(lines))
    rules = [make_rule() for _ in range(rng.choice([0, 1, 3, 8]))]
    with open(policy, "w", encoding="utf-8") as file:
        json.dump({"rules": rules}, file, indent=rng.choice([None, 2]), ensure_ascii=rng.random() < 0.5)
    sql = "SELECT taskresults_prune_all('policy', ?, 'dir', ?, 'force', 1)"
    reports = {report["job_id"]: report for report in json.loads(db.execute(sql, [policy, directory]).fetchone()[0])}
    told = dict(db.execute("SELECT value, taskresults_policy(?, value) FROM json_each(?)", [policy, json.dumps(NAMES)]))
    for name in NAMES:
        number, rule = find_rule(rules, name)
        if (json.loads(told[name]) if told[name] else None) != ({"number": number, "rule": rule} if number else None):
            sys.exit(f"{rules}\nthe rule of {name}: {told[name]}, expected {number}: {rule}")
        if name in files and (read(directory, name) != after_prune(files[name], rule) or reports[name]["rule"] != number):
            sys.exit(f"{rules}\n{name}: {reports[name]}, expected rule {number}\nbefore {files[name]}\nafter {read(directory, name)}")
    for name in files:
        os.remove(os.path.join(directory, name + ".jsonl"))


def main():
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as elsewhere:
        for _ in range(int(sys.argv[2])):
            try_one(db, directory, os.path.join(elsewhere, "policy.json"))


main()
