"""measure.py - runs the contenders of a comparison in turn, checks their answers, and keeps every sample.

A round runs each contender once, as a whole process; the next round begins with the next of them. The first round warms
the caches and is not counted. The raw figures of a comparison:

  {"task", "title", "size": {...}, "bars": [{"what", "ours", "at_most", "rival"}], "contenders": [
     {"name", "ours", "command", "failed": "" or why, "answer": "right", "WRONG", "not compared" or "the measure",
      "wall_s": [...], "cpu_s": [...], "peak_mib": [...]}]}
"""
import os
import subprocess
from dataclasses import dataclass, field
from typing import Any, Callable

from settings import RUNS, WORK
from tools import Command

REPORT = os.path.join(WORK, "one_run.report")
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith(("SCHEDULER_", "TASKRESULTS_", "BENCH_"))} | {"LC_ALL": "C"}


@dataclass
class Contender:
    """A program that is measured. `asks` is False if it answers another question than the first of ours."""
    name: str
    command: Command
    ours: bool = False
    asks: bool = True
    twin: Command = None  # the same on a few bytes, which loads the program before a cold run


@dataclass
class Comparison:
    """`before(contender)` is called ahead of each run, and not timed. `answer(contender, output)` is what is compared by
    `same`. With `times_itself`, a program's first line of output is the seconds to count."""
    task: str
    title: str
    contenders: list
    bars: list = field(default_factory=list)
    size: dict = field(default_factory=dict)
    runs: int = RUNS
    before: Callable = lambda contender: None
    answer: Callable = lambda contender, output: output.strip()
    same: Callable = lambda a, b: a == b
    times_itself: bool = False


def ours(name, command, **more):
    return Contender(name, command, ours=True, **more)


def rival(name, command, **more):
    return Contender(name, command, **more)


def bar(what, name, at_most, rival_name=None):
    """what: ratio (to the rival's wall time), seconds, or MiB."""
    return {"what": what, "ours": name, "at_most": at_most, "rival": rival_name}


class Failed(Exception):
    pass


def run_once(command):
    """One whole process: ({wall_s, cpu_s, peak_mib}, what it printed)."""
    done = subprocess.run([os.path.join(WORK, "one_run"), REPORT, *command.words], env=ENVIRONMENT | command.environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode not in command.fine:
        words = done.stderr.decode(errors="replace").strip().splitlines() or [""]
        raise Failed(f"exit status {done.returncode}: {words[-1][:200]}")
    with open(REPORT) as file:
        wall_s, cpu_s, peak_kib = map(float, file.read().split())
    return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_mib": peak_kib / 1024}, done.stdout.decode()


def take(comparison, contender, raw, counted):
    """One run of one contender, into its raw figures; returns its answer."""
    comparison.before(contender)
    try:
        sample, output = run_once(contender.command)
    except Failed as failure:
        if contender.ours:
            raise SystemExit(f"bench: {comparison.title}: {contender.command.text()}: {failure}") from failure
        raw["failed"] = str(failure)
        return None
    if comparison.times_itself:
        seconds, _, output = output.partition("\n")
        sample["wall_s"] = float(seconds)
    if counted:
        for what, value in sample.items():
            raw[what].append(round(value, 6))
    return comparison.answer(contender, output) if contender.asks else None


def judge(comparison, contenders, raws, answers):
    """Compares each answer with that of the first of ours."""
    first = next(i for i, contender in enumerate(contenders) if contender.ours)
    for i, (contender, raw) in enumerate(zip(contenders, raws)):
        if i == first:
            raw["answer"] = "the measure" if sum(one.asks for one in contenders) > 1 else "not compared"
        elif contender.asks and not raw["failed"]:
            raw["answer"] = "right" if comparison.same(answers[first], answers[i]) else "WRONG"


def measure(comparison) -> dict[str, Any]:
    contenders = [contender for contender in comparison.contenders if contender.command]
    raws = [{"name": contender.name, "ours": contender.ours, "command": contender.command.text(), "failed": "",
             "answer": "not compared", "wall_s": [], "cpu_s": [], "peak_mib": []} for contender in contenders]
    answers = [None] * len(contenders)
    for turn in range(comparison.runs + 1):
        for k in range(len(contenders)):
            i = (k + turn) % len(contenders)
            if not raws[i]["failed"]:
                answers[i] = take(comparison, contenders[i], raws[i], counted=turn > 0)
    judge(comparison, contenders, raws, answers)
    return {"task": comparison.task, "title": comparison.title, "size": comparison.size, "bars": comparison.bars,
            "contenders": raws}
