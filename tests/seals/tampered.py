#!/usr/bin/env python3
"""tampered.py SEED CASES - jobs with random lines are sealed at random places, and then tampered with in each way. What
taskresults_verify() says is compared with an oracle (tests/oracles/seals.py): that it is noticed, and in which stretch.

Prints the number of cases; exits 1 and says what is wrong at the first one.
"""
import json
import os
import random
import shutil
import subprocess
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
    if answer["result"] == "fine" and [removal["proven"] for removal in answer["removals"]] != seals.proven(directory, job):
        fail(f"{what}: {answer}, but {seals.proven(directory, job)}", directory)
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
    if answer["result"] != "tampered":
        fail(f"{what}: a renamed job is not noticed: {answer}", directory)
    os.unlink(new)
    answers = ask(directory, "taskresults_verify_all()")[0]
    gone = [answer for answer in answers if answer["job_id"] == "new"]
    if not gone or gone[0]["result"] != "tampered" or "gone" not in gone[0]["reasons"][-1]:
        fail(f"{what}: a file that is gone is not named: {answers}", directory)


def rewrite_receipts(choose, directory, what):
    """Each way to forge receipts that does not compute all heads anew: changed, removed, inserted, in another order, added."""
    path = os.path.join(directory, ".taskresults/prunes/j.jsonl")
    before = read(path)
    lines = before.split(b"\n")[:-1]
    at = choose.randrange(len(lines))
    ours = next(i for i in range(len(lines)) if b'"seal"' in lines[i])

    def changed(key, value):
        receipt = json.loads(lines[at])
        receipt[key] = value
        return lines[:at] + [json.dumps(receipt, separators=(",", ":")).encode()] + lines[at + 1:]

    added = dict(json.loads(lines[at]), id="0" * 32)
    unsealed = {key: value for key, value in added.items() if key != "seal"}
    forged = {"rule": changed("rule", "keep 7"), "when": changed("pruned_at", "2020-01-01T00:00:00Z"),
              "bytes": changed("bytes", json.loads(lines[at])["bytes"] + 1), "removed": lines[:at] + lines[at + 1:],
              "added": lines + [json.dumps(added, separators=(",", ":")).encode()],
              "added without seal": lines + [json.dumps(unsealed, separators=(",", ":")).encode()],
              "inserted": lines[:ours] + [json.dumps(unsealed, separators=(",", ":")).encode()] + lines[ours:]}
    if len(lines) > 1:
        forged["reversed"] = lines[::-1]
    for way, changed_lines in forged.items():
        write(path, b"".join(line + b"\n" for line in changed_lines))
        [answer] = ask(directory, "taskresults_verify('j')")
        if answer["result"] != "tampered":
            fail(f"{what}, receipts {way}: not noticed: {answer}", directory)
        [report] = ask(directory, "taskresults_seal('j')")
        if report["result"] != "tampered" and way not in ("bytes", "rule", "when"):  # these need the file to be read
            fail(f"{what}, receipts {way}: sealed all the same: {report}", directory)
    write(path, before)


def refuse_to_prune(choose, directory, what):
    """A prune of a file that does not match changes nothing."""
    path = os.path.join(directory, "j.jsonl")
    before = read(path)
    lines, rest = sealed_lines(directory, "j")
    if not any(lines):
        return
    change(choose, lines)
    write(path, b"".join(line + b"\n" for line in lines) + rest)
    for options in ("'keep', 1", "'keep', 1, 'archive', 1", "'keep', 1, 'receipt', 0"):
        found = {name: read(name) for name in files_below(directory)}
        report, said = common.prune(directory, "j", options)
        if report or "(nothing was changed)" not in said or "sealed" not in said:
            fail(f"{what}: pruned, though it does not match: {report} {said}", directory)
        if found != {name: read(name) for name in files_below(directory)}:
            fail(f"{what}: a prune that was refused has changed something", directory)
    write(path, before)


def files_below(directory):
    return sorted(os.path.join(place, name) for place, _, names in os.walk(directory) for name in names)


def text_of_archive(directory):
    try:
        return seals.archive_of(directory, "j")[0]
    except subprocess.CalledProcessError:
        return None


def tamper_with_archive(choose, directory, what):
    """Bits, a whole segment that is another one, and a segment that is gone."""
    if not any(seals.proven(directory, "j")):
        return
    _, names = seals.archive_of(directory, "j")
    path = os.path.join(directory, ".taskresults/archive/j.jsonl", names[-1])
    before, text = read(path), text_of_archive(directory)
    proven = seals.proven(directory, "j")
    place = choose.randrange(len(before))
    write(path, before[:place] + bytes([before[place] ^ 1 << choose.randrange(8)]) + before[place + 1:])
    # Not every bit changes the lines: some are not used, and the table of times is not sealed.
    if ask(directory, "taskresults_verify('j')")[0]["result"] != "tampered" and text_of_archive(directory) != text:
        fail(f"{what}: a bit of the archive is changed, and that is not noticed", directory)
    write(path, before)
    # The same prune of other lines.
    other = tempfile.mkdtemp(prefix="taskresults-seals-")
    gone = seals.archive_of(directory, "j")[0].split(b"\n")[:-1]
    if any(gone):
        change(choose, gone)
        write(os.path.join(other, "j.jsonl"), b"".join(line + b"\n" for line in gone) + common.record(1).encode())
        common.prune(other, "j", "'keep', 1, 'archive', 1")
        [name] = os.listdir(os.path.join(other, ".taskresults/archive/j.jsonl"))
        write(path, read(os.path.join(other, ".taskresults/archive/j.jsonl", name)))
        [answer] = ask(directory, "taskresults_verify('j')")
        if len(names) == 1 and all(proven) and answer["result"] != "tampered":
            fail(f"{what}: another segment is not noticed: {answer}", directory)
    shutil.rmtree(other)
    os.unlink(path)
    compare(directory, "j", f"{what}, without {names[-1]}")
    write(path, before)


def prune_some(choose, directory, what):
    """True: something went."""
    rule = choose.choice((f"'keep', {choose.randrange(1, 30)}", "'since', '2026-03-01T00:00Z'",
                          "'keep', 3, 'archive', 1", f"'keep', {choose.randrange(1, 20)}, 'archive', 1",
                          f"'max_bytes', {choose.randrange(1, 20000)}", "'keep', 3, 'keep_failures', 2, 'drop_rejects', 1"))
    report, said = common.prune(directory, "j", rule)
    if report is None:
        fail(f"{what}: {said}", directory)
    if compare(directory, "j", f"{what}, after {rule}")["result"] != "fine":
        fail(f"{what}: not fine after {rule}", directory)
    return report["result"] == "pruned"


def one_case(seed):
    choose = random.Random(seed)
    directory = tempfile.mkdtemp(prefix="taskresults-seals-")
    what = f"seed {seed}"
    path = os.path.join(directory, "j.jsonl")
    grow(choose, os.path.join(directory, "other.jsonl"), 5)
    ask(directory, "taskresults_seal('other')")
    is_pruned = False
    if choose.randrange(3) == 0:  # before it was ever sealed
        grow(choose, path, 10)
        common.prune(directory, "j", "'keep', 3")
    for _ in range(choose.randrange(1, 5)):
        grow(choose, path, choose.randrange(2, 40))
        [report] = ask(directory, "taskresults_seal('j')")
        if report["result"] != "sealed" or report["head"] != seals.judge(directory, "j")[4]:
            fail(f"{what}: {report}, but the oracle says {seals.judge(directory, 'j')}", directory)
        if choose.randrange(2):
            grow(choose, path, choose.randrange(3))
            refuse_to_prune(choose, directory, what)
            is_pruned |= prune_some(choose, directory, what)
    if choose.randrange(2):
        grow(choose, path, 3)
    if choose.randrange(3) == 0:
        with open(path, "ab") as file:
            file.write(b"unfinished")
    if compare(directory, "j", what)["result"] != "fine":
        fail(f"{what}: not fine", directory)
    tamper_with_archive(choose, directory, what)
    if is_pruned:
        rewrite_receipts(choose, directory, what)
    for way in WAYS if sum(map(bool, sealed_lines(directory, "j")[0])) > 1 else ():
        tamper(choose, directory, way, what)
    swap_and_rename(directory, what)
    shutil.rmtree(directory)


def main():
    seed, cases = int(sys.argv[1]), int(sys.argv[2])
    for case in range(cases):
        one_case(seed + case)
    print(cases, "cases")


main()
