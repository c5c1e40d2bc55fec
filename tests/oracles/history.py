"""history.py DIRECTORY - what task_history must show of a directory, from the promise: for each job, the records of its
archived, rotated and live files, in the order of the first readable time in each. Prints a line for each record:

  job_id|segment_no|segment|offset|output

Compressed files are read by Python's gzip and by the program zstd; what they cannot read in full is not shown from there on.
"""
import gzip
import json
import os
import re
import subprocess
import sys
import zlib

NAMES = re.compile(rb"(?P<job>.*)\.jsonl(?:(?:\.(?P<number>0|[1-9][0-9]*)|-(?P<date>[0-9]{8}(?:[0-9]{2})?))(?P<codec>\.gz|\.zst)?)?", re.S)
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")
CODECS = [b"", b".gz", b".zst"]


def contents(path):
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(b".zst"):
        return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    return unpack(data) if path.endswith(b".gz") else data


def unpack(data):
    """The members of a gzip file, up to the first byte that is wrong."""
    text = b""
    while data[:2] == b"\x1f\x8b":
        member = zlib.decompressobj(wbits=31)
        try:
            text += member.decompress(data)
        except zlib.error:
            return unpack_cut(data, text)
        if not member.eof:
            return text
        data = member.unused_data
    return text


def unpack_cut(data, text):
    member = zlib.decompressobj(wbits=31)
    for byte in data:
        try:
            text += member.decompress(bytes([byte]))
        except zlib.error:
            break
    return text


def records(data):
    """(offset, record) of each line that is a record."""
    at = 0
    for line in data.splitlines(keepends=True) if b"\r" not in data else re.findall(rb"[^\n]*\n|[^\n]+", data):
        try:
            value = json.loads(line.decode("utf-8"))
            if isinstance(value, dict):
                yield at, value
        except ValueError:
            pass
        at += len(line)


def first_time(found):
    for _, record in found:
        stamp = record.get("timestamp")
        if isinstance(stamp, str) and TIME.fullmatch(stamp):
            return stamp
    return ""


def segments(directory):
    """job -> (kind, by name, path)"""
    jobs = {}
    for name in os.listdir(directory):
        match = NAMES.fullmatch(name)
        path = os.path.join(directory, name)
        if not match or os.path.islink(path) or not os.path.isfile(path):
            continue
        rotated = match["number"] or match["date"]
        by_name = (1, -int(match["number"])) if match["number"] else (0, int((match["date"] or b"0").ljust(10, b"0")))
        codec = match["codec"] or b""
        better = [c for c in CODECS[: CODECS.index(codec)] if os.path.isfile(path.removesuffix(codec) + c)]
        if not better:
            jobs.setdefault(match["job"], []).append((1 if rotated else 2, by_name, path))
    archive = os.path.join(directory, b".taskresults/archive")
    for job_file in os.listdir(archive) if os.path.isdir(archive) else []:
        for name in os.listdir(os.path.join(archive, job_file)):
            number = re.fullmatch(rb".+-([0-9]+)\.jsonl\.zst", name)
            if number:
                found = (0, (0, int(number[1])), os.path.join(archive, job_file, name))
                jobs.setdefault(job_file.removesuffix(b".jsonl"), []).append(found)
    return jobs


def main():
    out = sys.stdout.buffer
    directory = os.fsencode(sys.argv[1])
    for job, parts in sorted(segments(directory).items()):
        read = [(kind, by_name, path, list(records(contents(path)))) for kind, by_name, path in parts]
        read.sort(key=lambda part: part[:2])
        times = [first_time(found) for _, _, _, found in read]
        for i in range(1, len(times)):
            times[i] = times[i] or times[i - 1]  # without a time it stays behind the one that its name puts before it
        order = sorted(range(len(read)), key=lambda i: times[i])
        for number, (_, _, path, found) in enumerate((read[i] for i in order), 1):
            for offset, record in found:
                row = [job, number, os.path.basename(path), offset, record.get("output")]
                out.write(b"|".join(x if isinstance(x, bytes) else str(x).encode() for x in row) + b"\n")


main()
