#!/usr/bin/env python3
"""tampered.py SEED CASES - jobs with random lines are sealed at random places, and then tampered with in each way. What
taskresults_verify() says is compared with an oracle (tests/oracles/seals.py): that it is noticed, and in which stretch.

Prints the number of cases; exits 1 and says what is wrong at the first one.
"""
import json
import os
import random
import shutil
import sys
import tempfile

ROOT = os.environ.get("TASKRESULTS_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/oracles"), os.path.join(ROOT, "tests/prune")]
import common  # noqa: E402
import seals  # noqa: E402

OLD, NEW = "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"


def fail(what, directory):
    sys.exit(f"{what}; see {directory}")


def ask(directory, *statements):
    """Each statement's answer, as JSON."""
    process = common.sqlite(";".join(f"SELECT {statement}" for statement in statements), directory)
    out, err = process.communicate()
    if process.returncode:
        fail(err, directory)
    return [json.loads(line) for line in out.splitlines()]


def some_line(choose, number):
    kind = choose.randrange(12)
    if kind == 0:
        return b"\n"
    if kind == 1:
        return bytes(choose.randrange(256) for _ in range(choose.randrange(40))).replace(b"\n", b"\r") + b"\n"
    if kind == 2:
        return common.record(number, size=choose.choice((4000, 70000))).encode()
    return common.record(number, when=choose.choice((OLD, NEW)), size=choose.randrange(300)).encode()


def grow(choose, path, count):
    with open(path, "ab") as file:
        file.writelines(some_line(choose, choose.randrange(10**6)) for _ in range(count))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, text):
    with open(path, "wb") as file:
        file.write(text)


def sealed_lines(directory, job):
    """The lines of the sealed part, and the bytes behind it."""
    text, end = read(os.path.join(directory, job + ".jsonl")), seals.judge(directory, job)[3]
    return text[:end].split(b"\n")[:-1], text[end:]


def change(choose, lines):
    at = choose.choice([i for i, line in enumerate(lines) if line])
    place = choose.randrange(len(lines[at]))
    other = (lines[at][place] + choose.randrange(1, 255)) % 256
    lines[at] = lines[at][:place] + bytes([other if other != 10 else 11]) + lines[at][place + 1:]


def remove(choose, lines):
    del lines[choose.randrange(len(lines))]


def insert(choose, lines):
    lines.insert(choose.randrange(len(lines)), b"inserted")


def reorder(choose, lines):
    one, other = choose.sample([i for i, line in enumerate(lines) if line], 2)
    if lines[one] == lines[other]:
        lines[other] += b" "
    lines[one], lines[other] = lines[other], lines[one]


def truncate(choose, lines):
    del lines[choose.randrange(len(lines)):]


def shorten(choose, lines):
    at = choose.choice([i for i, line in enumerate(lines) if line])
    lines[at] = lines[at][:choose.randrange(len(lines[at]))]


WAYS = (change, remove, insert, reorder, truncate, shorten)


def compare(directory, job, what):
    """Does the answer agree with the oracle?"""
    stretch, wrong, lines, size, head = seals.judge(directory, job)
    [answer] = ask(directory, f"taskresults_verify('{job}')")
    named = (answer["from"], answer["to"])
    if named != (stretch or (None, None)) or (answer["result"] == "tampered") != bool(stretch or wrong):
        fail(f"{what}: {answer}, but {stretch} {wrong}", directory)
    if (answer["lines"], answer["bytes"], answer["head"]) != (lines, size, head):
        fail(f"{what}: {answer}, but {lines} lines, {size} bytes and {head} match", directory)
    return answer


def tamper(choose, directory, way, what):
    path = os.path.join(directory, "j.jsonl")
    before = read(path)
    lines, rest = sealed_lines(directory, "j")
    way(choose, lines)
    write(path, b"".join(line + b"\n" for line in lines) + rest)
    if read(path) != before:
        answer = compare(directory, "j", f"{what}, {way.__name__}")
        if answer["result"] != "tampered":
            fail(f"{what}, {way.__name__}: not noticed: {answer}", directory)
    write(path, before)


def swap_and_rename(directory, what):
    one, other = (os.path.join(directory, name) for name in ("j.jsonl", "other.jsonl"))
    os.rename(one, other + "x"), os.rename(other, one), os.rename(other + "x", other)
    answers = ask(directory, "taskresults_verify('j')", "taskresults_verify('other')")
    if any(answer["result"] != "tampered" or answer["from"] != 0 for answer in answers):
        fail(f"{what}: swapped files are not noticed: {answers}", directory)
    os.rename(one, other + "x"), os.rename(other, one), os.rename(other + "x", other)
    # A job of another name, with the seals of the first.
    new = os.path.join(directory, "new.jsonl")
    for folder in ("", ".taskresults/seals", ".taskresults/prunes"):
        if os.path.exists(os.path.join(directory, folder, "j.jsonl")):
            os.rename(os.path.join(directory, folder, "j.jsonl"), os.path.join(directory, folder, "new.jsonl"))
    [answer] = ask(directory, "taskresults_verify('new')")
    # Once it was pruned, its lines hang on a receipt, which does not name the job.
    if answer["result"] != "tampered":
        fail(f"{what}: a renamed job is not noticed: {answer}", directory)
    os.unlink(new)
    answers = ask(directory, "taskresults_verify_all()")[0]
    gone = [answer for answer in answers if answer["job_id"] == "new"]
    if not gone or gone[0]["result"] != "tampered" or "gone" not in gone[0]["reasons"][0]:
        fail(f"{what}: a file that is gone is not named: {answers}", directory)


def one_case(seed):
    choose = random.Random(seed)
    directory = tempfile.mkdtemp(prefix="taskresults-seals-")
    what = f"seed {seed}"
    path = os.path.join(directory, "j.jsonl")
    grow(choose, os.path.join(directory, "other.jsonl"), 5)
    ask(directory, "taskresults_seal('other')")
    for _ in range(choose.randrange(1, 5)):
        grow(choose, path, choose.randrange(2, 40))
        [report] = ask(directory, "taskresults_seal('j')")
        if report["result"] != "sealed" or report["head"] != seals.judge(directory, "j")[4]:
            fail(f"{what}: {report}, but the oracle says {seals.judge(directory, 'j')}", directory)
    if choose.randrange(2):
        grow(choose, path, 3)
    if choose.randrange(3) == 0:
        with open(path, "ab") as file:
            file.write(b"unfinished")
    if compare(directory, "j", what)["result"] != "fine":
        fail(f"{what}: not fine", directory)
    for way in WAYS:
        tamper(choose, directory, way, what)
    swap_and_rename(directory, what)
    shutil.rmtree(directory)


def main():
    seed, cases = int(sys.argv[1]), int(sys.argv[2])
    for case in range(cases):
        one_case(seed + case)
    print(cases, "cases")


main()
