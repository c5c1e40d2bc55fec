"""seals.py - what the seals of a job should say, from ext/SEALS.md alone.

    h = SHA-256("taskresults seal 1" newline job_id), and for each line h = SHA-256(h and the line), without its newline

A prune of a sealed file begins a new chain, with the SHA-256 of its receipt, up to and with "new_head":" - the lines that
stay and were sealed are added to it.
"""
import hashlib
import json
import os
import subprocess


def first_head(job):
    return hashlib.sha256(b"taskresults seal 1\n" + os.fsencode(job)).digest()


def lead(head, text):
    """The head behind all lines of the text, which ends with a newline or is empty."""
    for line in text.split(b"\n")[:-1]:
        head = hashlib.sha256(head + line).digest()
    return head


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        return [line[:-1] for line in file if line.endswith(b"\n")]


def seals_of(directory, job):
    """The seals alone: a signature is no seal."""
    found = [json.loads(line) for line in lines_of(os.path.join(directory, ".taskresults/seals", job + ".jsonl"))]
    return [seal for seal in found if "head" in seal]


def receipts_of(directory, job):
    """Each with its line; the beginning of one that a kill cut short is left out."""
    for line in lines_of(os.path.join(directory, ".taskresults/prunes", job + ".jsonl")):
        try:
            yield line, json.loads(line)
        except ValueError:
            pass


def start_of(line):
    mark = b'"new_head":"'
    return hashlib.sha256(line[:line.rindex(mark) + len(mark)]).digest()


def judge(directory, job):
    """(the first stretch that does not match, or None; what is wrong with the receipts; lines and bytes that are sealed
    and match; the head there)"""
    start, after, end, head = first_head(job), None, 0, None
    wrong, before, stretches = [], None, []
    seals = seals_of(directory, job)
    for line, receipt in receipts_of(directory, job):
        seal = receipt.get("seal")
        if seal and not receipt["replaced"]:
            known = ([start.hex()] if head is None else []) + [head] + [s["head"] for s in seals if s["after"] == after]
            if seal["old_head"] != [head_ for head_ in known if head_][-1]:
                wrong.append("old_head")
            if seal["job_id"] != job:
                wrong.append("job_id")
            if seal["previous"] != (before and hashlib.sha256(before).hexdigest()):
                wrong.append("previous")
            if not seal["new_lines"] <= seal["old_lines"]:
                wrong.append("new_lines")
            start, after, end, head = start_of(line), receipt["id"], seal["new_bytes"], seal["new_head"]
        elif head and not receipt["replaced"]:
            wrong.append("no seal")
        before = line
    stretches = [(end, head)] if head else []
    stretches += [(seal["bytes"], seal["head"]) for seal in seals if seal["after"] == after]
    with open(os.path.join(directory, job + ".jsonl"), "rb") as file:
        text = file.read()
    head, at = start, 0
    for to, wanted in stretches:
        part = text[at:to]
        led = lead(head, part)
        if len(text) < to or (part and not part.endswith(b"\n")) or led.hex() != wanted:
            return (at, to), wrong, text[:at].count(b"\n"), at, head.hex()
        head, at = led, to
    return None, wrong, text[:at].count(b"\n"), at, head.hex()


def archive_of(directory, job):
    """The lines of the archive, and the names of its segments, oldest first."""
    place = os.path.join(directory, ".taskresults/archive", job + ".jsonl")
    names = sorted(os.listdir(place), key=lambda name: int(name.rsplit("-", 1)[1].split(".")[0])) if os.path.isdir(place) else []
    return b"".join(subprocess.run(["zstdcat", os.path.join(place, name)], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
                    for name in names), names


def proven(directory, job):
    """For each prune that carried the seals on, whether what it removed is in the archive and leads to the heads of before.
    The archive and the file are one text; before the newest prune, the file began as many bytes earlier as that moved."""
    gone, names = archive_of(directory, job)
    with open(os.path.join(directory, job + ".jsonl"), "rb") as file:
        text, begin = gone + file.read(), len(gone)
    eras = [(first_head(job), None, None)]
    eras += [(start_of(line), receipt["id"], receipt) for line, receipt in receipts_of(directory, job)
             if "seal" in receipt and not receipt["replaced"]]
    answers, is_proven = [], True
    for (start, after, begun), (_, _, receipt) in reversed(list(zip(eras, eras[1:]))):
        is_proven = is_proven and receipt["archive"] in names
        begin -= receipt["bytes"]
        heads = [(begun["seal"]["new_bytes"], begun["seal"]["new_head"])] if begun else []
        heads += [(seal["bytes"], seal["head"]) for seal in seals_of(directory, job) if seal["after"] == after]
        answers.append(is_proven and all(lead(start, text[begin:begin + size]).hex() == head for size, head in heads))
    return answers[::-1]
