"""tools.py - how ours and each rival are called. What is not installed gives None, and is then not measured."""
import os
import shutil
from typing import NamedTuple

from settings import HERE, PRUNE_DIR, ROOT, WORK

PYTHON = "/usr/bin/python3"  # Debian's, whose sqlite3 loads extensions


class Command(NamedTuple):
    words: list
    environment: dict = {}
    fine: tuple = (0,)  # the exit statuses of success

    def text(self):
        """For people and for the figures: without the place of this checkout."""
        assignments = [f"{name}={value}" for name, value in self.environment.items()]
        text = " ".join(quoted(word) for word in assignments + list(self.words)).replace(ROOT, ".")
        return text.replace(PRUNE_DIR, "$BENCH_PRUNE_DIR")


def quoted(word):
    plain = word and all(letter.isalnum() or letter in "_@%+=:,./-*" for letter in word)
    return word if plain else "'" + word.replace("'", "'\\''") + "'"


def ours(words, directory, threads):
    environment = {"SCHEDULER_RESULTS_DIR": directory, "SCHEDULER_LOGS_DIR": os.path.join(WORK, "no-logs")}
    if threads:
        environment["TASKRESULTS_THREADS"] = str(threads)
    return Command(words, environment)


def sqlite(directory, statement, threads=None):
    """One statement in the sqlite3 program, with the extension."""
    return ours(["sqlite3", "-init", "/dev/null", "-batch", "-cmd", f".load {ROOT}/taskresults", ":memory:", statement],
                directory, threads)


def command(directory, *words, threads=None):
    """One of ours, as users call it: `taskresults list`, `view_results JOB`."""
    return ours([os.path.join(ROOT, "shell", words[0]), *words[1:]], directory, threads)


def program(*words):
    """grep and ripgrep exit with 1 where nothing matches."""
    fine = (0, 1) if words[0] in ("grep", "rg") else (0,)
    return Command(list(words), fine=fine) if shutil.which(words[0]) else None


def shell(script, *arguments, needs=()):
    return Command(["sh", "-c", script, "sh", *arguments]) if all(map(shutil.which, needs)) else None


def python(script, *arguments):
    return Command([PYTHON, "-c", script, *arguments]) if os.path.exists(PYTHON) else None


def simdjson(threads, *words):
    binary = os.path.join(WORK, f"simdjson_{threads}")
    return Command([binary, *words]) if os.path.exists(binary) else None


COLUMNS = {name: "VARCHAR" for name in ("timestamp", "job_id", "job_name", "output", "error")} | {"success": "BOOLEAN"}


def duckdb(statement, files, *columns, options=""):
    """DuckDB, told which columns the files have; READ in the statement is its table."""
    if not os.path.isdir(os.path.join(WORK, "node_modules", "@duckdb", "node-api")):
        return None
    types = ", ".join(f"{name}: '{COLUMNS[name]}'" for name in columns)
    table = f"read_ndjson('{files}', columns={{{types}}}{options})"
    return Command(["node", os.path.join(HERE, "duckdb.js"), WORK, statement.replace("READ", table)])
