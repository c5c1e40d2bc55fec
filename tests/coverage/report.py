#!/usr/bin/env python3
"""report.py EXPORT EXPLAINED LAST - turns what `llvm-cov export` wrote into tests/coverage/REPORT.md, on standard output.

The figures are llvm-cov's. A branch is one outcome, true or false, of one condition in the source; it is listed here if
no build of it ever took it. EXPLAINED says why the ones that are left are left (its own header tells how); a branch that
it does not name is listed first, as unexplained. LAST is an earlier report (or empty), whose figures stand beside.

Exits 1 if a branch is unexplained, if EXPLAINED names one that is not in the source, or if a judged directory has fewer
lines or branches covered than it should.
"""
import collections
import json
import os
import re
import sys


def judged_directories():
    """All folders of ext, but export, whose failures most of all need the right call to fail at the right moment."""
    with open("Makefile", encoding="utf-8") as makefile:
        folders = re.search(r"^FOLDERS := (.+)$", makefile.read(), re.M).group(1).split()
    return [f"ext/{folder}" for folder in folders if folder != "export"]


JUDGED = judged_directories()
LEAST = {"lines": 95.0, "branches": 90.0}
Branch = collections.namedtuple("Branch", "file line column function side condition")


def read_sources(files):
    sources = {}
    for file in files:
        with open(file, encoding="utf-8") as source:
            sources[file] = source.read().split("\n")
    return sources


def condition_text(lines, place):
    line, column, last_line, last_column = place
    if line == last_line:
        text = lines[line - 1][column - 1:last_column - 1]
    else:
        text = " ".join([lines[line - 1][column - 1:], *lines[line:last_line - 1], lines[last_line - 1][:last_column - 1]])
    return re.sub(r"\s+", " ", text).strip()


def taken_branches(functions):
    """{(file, place): [name of the function, times true, times false]}, over all copies of a function."""
    taken = {}
    for function in functions:
        for *place, true, false, file_id, _, _ in function["branches"]:
            key = (function["filenames"][file_id], tuple(place))
            name = function["name"].split(":")[-1]
            found = taken.setdefault(key, [name, 0, 0])
            found[1] += true
            found[2] += false
    return taken


def find_branches(functions, root):
    """[(Branch, how often it was taken)]"""
    taken = taken_branches(functions)
    sources = read_sources({file for file, _ in taken})
    branches = []
    for (file, place), (name, true, false) in sorted(taken.items()):
        text = condition_text(sources[file], place)
        for side, count in (("true", true), ("false", false)):
            branches.append((Branch(os.path.relpath(file, root), place[0], place[1], name, side, text), count))
    return branches


def as_explained(branch):
    return branch.file, branch.function, branch.side, branch.condition


def read_explained(path):
    """[(why, {(file, function, side, condition)})]"""
    classes = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            named = re.match(r"(\S+) (\S+) never (true|false): (.*)\n", line)
            if line.startswith("#") or line == "\n":
                continue
            if line.startswith("= "):
                classes.append((line[2:].strip(), set()))
            elif named:
                classes[-1][1].add(named.groups())
            else:
                sys.exit(f"{path}: not understood: {line}")
    return classes


def sum_up(summaries):
    total = {kind: [0, 0] for kind in LEAST}
    for summary in summaries:
        for kind in LEAST:
            total[kind][0] += summary[kind]["covered"]
            total[kind][1] += summary[kind]["count"]
    return total


def percent(covered, count):
    return 100.0 * covered / count if count else 100.0


def read_last(path):
    """{name of a directory or file: (its lines, its branches), as they are told there}"""
    last = {}
    with open(path, encoding="utf-8") as report:
        for line in report:
            cells = [cell.strip(" *") for cell in line.split("|")]
            if len(cells) > 4 and "%" in cells[2]:
                last[cells[1]] = tuple(cells[2:4])
    return last


def row(name, total, last):
    cells = [f"{percent(*total[kind]):.1f} % ({total[kind][0]} of {total[kind][1]})" for kind in LEAST]
    cells += last.get(name.strip("*"), ("", ""))
    print(f"| {name} | {' | '.join(cells)} |")


def print_head(what):
    print(f"| {what} | lines | branches | lines last time | branches last time |\n|---|---|---|---|---|")


def print_tables(summaries, last):
    """Returns what falls short."""
    directories = collections.defaultdict(dict)
    for file, summary in summaries.items():
        directories[os.path.dirname(file)][file] = summary
    short = []
    print_head("directory")
    for directory in sorted(directories, key=lambda name: (name not in JUDGED, name)):
        total = sum_up(directories[directory].values())
        row(f"**{directory}**" if directory in JUDGED else directory, total, last)
        if directory in JUDGED:
            short += [f"{directory}: {kind}" for kind in LEAST if percent(*total[kind]) < LEAST[kind]]
    judged = [summary for directory in JUDGED for summary in directories[directory].values()]
    row("**all of these**", sum_up(judged), last)
    print()
    print_head("file")
    for directory in sorted(directories, key=lambda name: (name not in JUDGED, name)):
        for file in sorted(directories[directory]):
            row(file, sum_up([directories[directory][file]]), last)
    return short


def print_branches(branches):
    grouped = collections.defaultdict(list)
    for branch in branches:
        grouped[branch.file, branch.line, branch.function].append(branch)
    for (file, line, function), group in sorted(grouped.items()):
        words = ", ".join(f"`{branch.condition}` never {branch.side}" for branch in group)
        print(f"- {file}:{line} `{function}`: {words}")


def main(export, explained, last):
    with open(export, encoding="utf-8") as file:
        data = json.load(file)["data"][0]
    root = os.getcwd()
    summaries = {os.path.relpath(file["filename"], root): file["summary"] for file in data["files"]}
    short = print_tables(summaries, read_last(last))
    branches = [found for found in find_branches(data["functions"], root) if found[0].file.startswith(("ext/", "shell/"))]
    left = [branch for branch, count in branches if count == 0]
    there = {as_explained(branch) for branch, _ in branches}
    print("\n## Branches that no test takes")
    sections, gone = [], []
    for why, names in read_explained(explained):
        found = [branch for branch in left if as_explained(branch) in names]
        left = [branch for branch in left if branch not in found]
        gone += sorted(names - there)
        if found:
            sections.append((why, found))
    if left:
        sections.insert(0, ("**Unexplained**", left))
    for why, found in sections:
        print(f"\n{why}\n")
        print_branches(found)
    for what in short:
        print(f"tests/coverage: {what} below {LEAST[what.split()[-1]]} %", file=sys.stderr)
    for name in gone:
        print("tests/coverage/explained: not in the source: {} {} never {}: {}".format(*name), file=sys.stderr)
    if left:
        print(f"tests/coverage: {len(left)} branches are neither taken nor explained", file=sys.stderr)
    return 1 if short or gone or left else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
