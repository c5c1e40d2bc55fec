#!/usr/bin/env python3
"""vandal.py DIRECTORY SECONDS ENOUGH - truncates, replaces, removes and rewrites job files at full speed, so that every
record in them is `{"output": "<letter>*n", "job_name": "<letter>", "n": n}`: a reader can tell one made of pieces. Goes on
for SECONDS and a hundred times, and until the file ENOUGH is there, which a reader makes when it has seen enough."""
import os
import random
import sys
import time

directory, seconds, enough = sys.argv[1], float(sys.argv[2]), sys.argv[3]
rng = random.Random(3)
end = time.monotonic() + seconds


def lines(letter, count):
    for _ in range(count):
        n = rng.randint(0, 9000)
        yield f'{{"output": "{letter * n}", "job_name": "{letter}", "n": {n}}}\n'


def truncate(path, size):
    os.truncate(path, size)
    cut.add(path)


def replace(path, letter):
    with open(path + ".tmp", "w") as file:
        file.writelines(lines(letter, 200))
    os.rename(path + ".tmp", path)
    cut.discard(path)


# A file that was cut does not grow again: once it had its old size, no reader could notice what happened.
cut = set()
actions = 0
while time.monotonic() < end or actions <= 100 or not os.path.exists(enough):
    path = os.path.join(directory, rng.choice("abcd") + ".jsonl")
    letter = rng.choice("pqrstuvw")
    action = rng.randrange(6)
    try:
        if action == 0:
            truncate(path, rng.randint(0, os.path.getsize(path)))
        elif action == 1:
            truncate(path, 0)
        elif action == 2:
            os.remove(path)
            cut.discard(path)
        elif action == 3 or path in cut:
            replace(path, letter)
        else:
            with open(path, "a") as file:
                file.writelines(lines(letter, 100))
    except FileNotFoundError:
        pass
    actions += 1
print(actions)
