"""seals.py - what the seals of a job should say, from ext/SEALS.md alone.

    h = SHA-256("taskresults seal 1" newline job_id), and for each line h = SHA-256(h and the line), without its newline

A prune of a sealed file begins a new chain, with the SHA-256 of its receipt, up to and with "new_head":" - the lines that
stay and were sealed are added to it.
"""
import hashlib
import json
import os


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
            if seal["previous"] != (before and hashlib.sha256(before).hexdigest()):
                wrong.append("previous")
            start, after, end, head = start_of(line), receipt["id"], seal["new_bytes"], seal["new_head"]
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
