"""machine.py - what the figures were measured on and with: the machine, the versions of the tools. No names or paths."""
import json
import os
import platform
import re
import subprocess

from settings import PRUNE_DIR, ROOT, WORK
from tools import PYTHON


def first_match(path, pattern):
    with open(path) as file:
        found = re.search(pattern, file.read(), re.M)
    return found.group(1) if found else "?"


def file_system(directory):
    return printed(["stat", "-f", "-c", "%T", directory])


def facts():
    return {
        "processor": first_match("/proc/cpuinfo", r"^model name\s*: (.*)"),
        "processors": os.cpu_count(),
        "memory_gib": round(int(first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)")) / 2**20, 1),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": file_system(WORK),
        "file_system_of_prune": file_system(PRUNE_DIR if os.path.isdir(PRUNE_DIR) else WORK),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def printed(words, pattern="(.*)"):
    """The part of the program's first line that matches, or '' if there is no such program."""
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        return ""
    found = re.search(pattern, done.stdout.decode(errors="replace").partition("\n")[0])
    return found.group(1).strip() if found else ""


def duckdb_version():
    try:
        with open(os.path.join(WORK, "node_modules", "@duckdb", "node-api", "package.json")) as file:
            return json.load(file)["version"]
    except FileNotFoundError:
        return ""


def versions():
    found = {
        "taskresults": printed(["git", "-C", ROOT, "describe", "--always", "--dirty"]),
        "SQLite": printed(["sqlite3", "--version"], r"^(\S+)"),
        "compiler": printed(["cc", "--version"]),
        "grep": printed(["grep", "--version"], r"([\d.]+)$"),
        "ripgrep": printed(["rg", "--version"], r"ripgrep ([\d.]+)"),
        "jq": printed(["jq", "--version"], r"([\d.]+)"),
        "Python": printed([PYTHON, "--version"], r"([\d.]+)"),
        "DuckDB": duckdb_version(),
        "simdjson": printed([os.path.join(WORK, "simdjson_1"), "version"]),
    }
    return {name: version or "not measured" for name, version in found.items()}
