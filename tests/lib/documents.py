"""documents.py [--part] CHECKOUT PLACE [DOCUMENTS] - runs the blocks of code of every document, as a reader would.

DOCUMENTS is the directory whose *.md files are read (default: CHECKOUT). Every fenced block must say its language. It is
run as RUNNERS says, or stands in NOT_RUN with the reason. Each must succeed; one of shell or SQL must also print something,
or stand in QUIET. Prints what failed, with the document and line, and exits 1; at the end, how many blocks ran.
With --part, entries of the lists below that fit no block are not an error.

A block runs in a copy of PLACE, of its own. PLACE is a copy of the checkout with the example data in build/examples; it
is made if it is not there. README's block
that defines the function `sql` is typed first. The commands are in PATH, and so is a `mail` that sends nothing.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOOLS = "needs programs that are not installed: make tools unpacks them, and runs it"
SERVER = "needs a server: clickhouse_current.bats has one, and runs it"
# (document, how the block's first line begins): why it is not run.
NOT_RUN = {
    ("README.md", "make demo"): "demo.bats runs the demo, and `make test` is what runs this",
    ("examples/clickhouse/README.md", "cd examples/clickhouse"): SERVER,
    ("examples/clickhouse/README.md", "ask() {"): SERVER,
    ("examples/clickhouse/README.md", "curl -sS"): SERVER,
    ("examples/mcp/README.md", "cd examples/mcp"): "fetches the SDK from npm; mcp.bats does that, and asks the server",
    ("examples/tools/README.md", "mkdir -p build/lnav"): TOOLS,
    ("examples/tools/README.md", "taskresults export --format jsonl |"): TOOLS,
    ("examples/tools/README.md", "sqlite-utils query"): TOOLS,
    ("examples/tools/README.md", "datasette"): "not tried: it is neither in Debian nor in npm",
    (".packages/python/README.md", "import os, sqlite3, taskresults"): "needs the wheel; tests/packages/run runs it",
    (".packages/npm/README.md", "const { getLoadablePath }"): "needs better-sqlite3, which npm compiles",
    (".github/CONTRIBUTING.md", "make deps"): "installs packages and runs all tests; contributing.py looks for what it names",
}
# The same for blocks that rightly print nothing.
QUIET = {
    ("README.md", "examples/fresh.sh build/examples"): "sets up the shell for the blocks below it",
    ("ext/TABLES.md", "CREATE VIRTUAL TABLE temp.old USING"): "makes tables, which are there only for this connection",
    ("ext/TABLES.md", "CREATE VIRTUAL TABLE temp.fleet USING"): "makes tables, which are there only for this connection",
    ("ext/TABLES.md", "CREATE VIRTUAL TABLE temp.fleet_slots USING"): "makes a table, which is there only for this connection",
}
# Commands whose exit status is an answer: these may end with one of these, too.
ANSWERS = {
    ("shell/README.md", "taskresults alerts --after 3"): {1, 2},
}
# Not code: what a program prints, or a drawing.
TEXT = {"text", "mermaid"}


class Block:
    def __init__(self, document, line, language, code):
        self.document, self.line, self.language, self.code = document, line, language, code

    def fits(self, entries):
        first = next((line for line in self.code.splitlines() if line.strip()), "").strip()
        return {key for key in entries if key[0] == self.document and first.startswith(key[1])}


def documents_below(top):
    for directory, below, files in os.walk(top):
        below[:] = sorted(set(below) - {"build", ".git", "node_modules"})
        yield from (pathlib.Path(directory, name) for name in sorted(files) if name.endswith(".md"))


def blocks_of(path, name):
    """Its fenced blocks. A fence may be indented, in a list; it ends with as many of the same sign, or more."""
    fence = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        mark = re.match(r"( *)(`{3,}|~{3,})(.*)$", line)
        if fence is None:
            if mark:
                fence, start, code = mark, number, []
        elif mark and mark[2].startswith(fence[2]) and not mark[3].strip():
            info = fence[3].split()
            yield Block(name, start, info[0] if info else "", "\n".join(code) + "\n")
            fence = None
        else:
            code.append(line[len(fence[1]):] if line.startswith(fence[1]) else line.lstrip())
    if fence is not None:
        yield Block(name, start, "never ends", "")


def make_place(checkout, place):
    """A copy of the checkout, in which blocks may write, without what would run all tests, or install packages."""
    shutil.copytree(checkout, place, symlinks=True, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("build", ".git", "node_modules", "__pycache__"))
    for name in ("tests/run", ".ci/run"):
        (place / name).unlink()
    (place / "build").mkdir()
    subprocess.run([checkout / "examples/fresh.sh", place / "build/examples"], check=True)
    (place / "build/bin").mkdir()
    for name in ("taskresults", "view_results"):
        os.symlink(f"../../shell/{name}", place / "build/bin" / name)
    for name, script in {"mail": "cat >/dev/null", "make": "echo 'no block calls make: list it in NOT_RUN' >&2; exit 1"}.items():
        path = place / "build/bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)


OFTEN_WRITTEN = ("examples", "build")


def copy_place(template, place):
    """A copy for one block. Most files are links to the template's, which takes a tenth of the time."""
    subprocess.run(["cp", "-Rl", template, place], check=True)
    for name in OFTEN_WRITTEN:
        shutil.rmtree(place / name)
        subprocess.run(["cp", "-R", template / name, place], check=True)


def stamps_of(template):
    """What changes when a block writes into a file that all share."""
    paths = (path for path in template.rglob("*") if path.relative_to(template).parts[0] not in OFTEN_WRITTEN)
    return {path: (state.st_size, state.st_mtime_ns) for path in paths for state in [path.lstat()] if not path.is_dir()}


def crontab_faults(code):
    """A crontab's lines: five fields, a command that sh understands, and a PATH in which cron finds it."""
    has_path = False
    for line in code.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if re.match(r"[A-Z_]+=", line):
            has_path |= line.startswith("PATH=") and "/usr/local/bin" in line
            continue
        fields = line.split(None, 5)
        if len(fields) < 6 or not all(re.fullmatch(r"[\d*,/A-Za-z-]+", field) for field in fields[:5]):
            yield f"no line of a crontab: {line}"
            continue
        command = fields[5]
        if re.search(r"(?<!\\)%", command):
            yield f"cron ends the command at %: {line}"
        if subprocess.run(["sh", "-nc", command], check=False).returncode:
            yield f"sh does not understand: {command}"
        if re.match(r"taskresults\b|view_results\b", command) and not has_path:
            yield f"cron's PATH lacks /usr/local/bin: {line}"


def json_faults(code):
    for text in [code] if code.lstrip()[:1] == "[" or "\n{" not in code.strip() else code.splitlines():
        try:
            json.loads(text)
        except ValueError as error:
            yield f"{error}: {text}"


# $3 are the statuses, between blanks, with which a command of the block may end. Each call of sql must print something.
SHELL = ["bash", "-Euo", "pipefail", "-c", r"""
trap 's=$?; [[ " $3 " == *" $s "* ]] || exit $s' ERR
source "$1"
eval "$(declare -f sql | sed '1s/^sql /sql_as_documented /')"
sql() {
  local printed
  printed=$(sql_as_documented "$@") || return
  [[ $printed ]] || { printf 'printed nothing: %s\n' "$1"; return 9; }
  printf '%s\n' "$printed"
}
source "$2"
""", "-"]
SQL = ["bash", "-euo", "pipefail", "-c",
       'source "$1"; sqlite3 -init /dev/null -batch -bail -cmd ".load ./taskresults" :memory: <"$2"', "-"]
RUNNERS = {
    "sh": SHELL,
    "bash": SHELL,
    "sql": SQL,
    "python": ["bash", "-euo", "pipefail", "-c", 'source "$1"; /usr/bin/env python3 "$2"', "-"],
    "c": ["bash", "-c", '${CC:-cc} -std=c11 -Wall -Wextra -Werror -fsyntax-only -Iinclude -x c "$2"', "-"],
    "crontab": crontab_faults,
    "json": json_faults,
}


def run(block, template, setup):
    """What is wrong with the block, or None."""
    runner = RUNNERS[block.language]
    if callable(runner):
        return "\n".join(runner(block.code)) or None
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory, "checkout")
        copy_place(template, place)
        (place / "build/setup").write_text(setup, encoding="utf-8")
        (place / "build/block").write_text(block.code, encoding="utf-8")
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("SCHEDULER_", "TASKRESULTS_", "XDG_"))}
        environment.update(HOME=str(place / "build"), PATH=f"{place}/build/bin:{os.environ['PATH']}")
        statuses = " ".join(str(status) for key in block.fits(ANSWERS) for status in ANSWERS[key])
        done = subprocess.run([*runner, "build/setup", "build/block", statuses], cwd=place, env=environment, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode(errors="replace")
    if done.returncode and str(done.returncode) not in statuses.split():
        return f"status {done.returncode}: {output}"
    if runner in (SHELL, SQL) and not output and not block.fits(QUIET):
        return "printed nothing"
    return None


def fault_of(block, template, setup):
    if block.language == "never ends":
        return "the fence is never closed"
    if block.fits(NOT_RUN) or block.language in TEXT:
        return None
    if block.language not in RUNNERS:
        return f"not known how to run '{block.language}': say sh, sql, … or text, or list it in NOT_RUN with the reason"
    return run(block, template, setup)


def main(arguments):
    part = "--part" in arguments
    checkout, template, *top = [pathlib.Path(word).resolve() for word in arguments if word != "--part"]
    top = top[0] if top else checkout
    blocks = [block for path in documents_below(top) for block in blocks_of(path, str(path.relative_to(top)))]
    setups = [block.code for block in blocks_of(checkout / "README.md", "README.md") if re.search(r"^sql\(\)", block.code, re.M)]
    assert len(setups) == 1, "README.md has one block that defines sql()"
    if not template.exists():
        make_place(checkout, template)
    stamps = stamps_of(template)
    faults = 0
    for block in blocks:
        fault = fault_of(block, template, setups[0])
        if fault:
            faults += 1
            print(f"{block.document}:{block.line}: {fault}\n{block.code}")
    for path, stamp in stamps_of(template).items():
        if stamps.get(path) != stamp:
            faults += 1
            print(f"{path}: a block has written into it, and all blocks share it: add its directory to OFTEN_WRITTEN")
    for entries in () if part else (NOT_RUN, QUIET, ANSWERS):
        for key in set(entries) - {key for block in blocks for key in block.fits(entries)}:
            faults += 1
            print(f"{key}: listed, but there is no such block")
    ran = [block for block in blocks if block.language in RUNNERS and not block.fits(NOT_RUN)]
    print(f"{len(blocks)} blocks, {len(ran)} run, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
