"""append.py - 10,000 records appended by INSERT, from C and from Python, beside the scheduler's own way to append them.
Each program times itself, without its start, when it does so for the second time; the files must be the same to the byte."""
import hashlib
import os
import sys

from append import COUNT, TEXT
from measure import Comparison, bar, ours, rival
from settings import HERE, ROOT, WORK
from tools import PYTHON, Command

DIRECTORY = os.path.join(WORK, "append")
PATH = os.path.join(DIRECTORY, "nightly-backup.jsonl")


def in_python(mode):
    return Command([PYTHON, os.path.join(HERE, "append.py"), mode, DIRECTORY])


def in_c(mode):
    return Command([os.path.join(WORK, "append_host"), os.path.join(ROOT, "taskresults"), DIRECTORY, TEXT, str(COUNT), mode])


def remove(_=None):
    if os.path.exists(PATH):
        os.remove(PATH)


def what_was_written(contender, output):
    with open(PATH, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def append():
    os.makedirs(DIRECTORY, exist_ok=True)
    if not os.path.exists(PYTHON):
        print(f"append: not measured, there is no {PYTHON}", file=sys.stderr)
        return
    yield Comparison("append", "append 10,000 records", [
        ours("INSERT in C, autocommit", in_c("autocommit")),
        ours("INSERT in C, one transaction", in_c("transaction")),
        ours("INSERT in Python, autocommit", in_python("autocommit")),
        ours("INSERT in Python, one transaction", in_python("transaction")),
        ours("INSERT ... SELECT", in_python("select")),
        rival("python3 open, dumps, write, close", in_python("python")),
    ], size={"records": COUNT}, before=remove, answer=what_was_written, times_itself=True, bars=[
        bar("ratio", "INSERT in C, autocommit", 1.5, "python3 open, dumps, write, close"),
        bar("ratio", "INSERT in C, one transaction", 0.1, "python3 open, dumps, write, close")])
    remove()
