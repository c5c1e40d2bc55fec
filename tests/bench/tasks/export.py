"""export.py - T4: all of a job as a CSV file. None of them waits for the disk; the cells of all files must be the same."""
import csv
import filecmp
import itertools
import os

import data
from measure import Comparison, bar, ours, rival
from settings import RUNS, WORK
from tasks.one_file import size_of
from tools import Command, command, duckdb, python, shell, simdjson, sqlite

COLUMNS = ("timestamp", "job_id", "job_name", "success", "output", "error")
COPY = "COPY (SELECT timestamp, job_id, job_name, success::TINYINT AS success, output, error FROM READ) TO '{}' (HEADER)"
CSV_IN_JQ = """{ echo 'timestamp,job_id,job_name,success,output,error'
  jq -r '[.timestamp, .job_id, .job_name, (if .success then 1 else 0 end), .output, .error] | @csv' "$1"; } >"$2" """
CSV_IN_PYTHON = """
import csv, json, sys
with open(sys.argv[1]) as file, open(sys.argv[2], "w", newline="") as out:
    names = ["timestamp", "job_id", "job_name", "success", "output", "error"]
    writer = csv.writer(out)
    writer.writerow(names)
    for line in file:
        record = json.loads(line)
        writer.writerow([int(record[name]) if name == "success" else record[name] for name in names])"""


def out(name):
    return os.path.join(WORK, f"{name}.csv")


def same_cells(ours_path, rival_path):
    """By a reader that had no part in either; which is only asked where the bytes differ."""
    if filecmp.cmp(ours_path, rival_path, shallow=False):
        return True
    csv.field_size_limit(1 << 30)
    with open(ours_path, newline="") as a, open(rival_path, newline="") as b:
        return all(x == y for x, y in itertools.zip_longest(csv.reader(a, strict=True), csv.reader(b, strict=True)))


def exporters(directory):
    select = "SELECT {} FROM task_results".format(", ".join(COLUMNS))
    function = f"SELECT taskresults_export_csv('{out('function')}', '{select}', 'sync', 0)"
    in_command = command(directory, "taskresults", "export")
    redirected = Command(["sh", "-c", '"$@" >"$0"', out("command"), *in_command.words], in_command.environment)
    return {"function": ours("taskresults_export_csv()", sqlite(directory, function)),
            "command": ours("taskresults export", redirected)}


def compared(title, directory, contenders, **more):
    """`contenders`: by the name of the file they write, which is a new one in each run; and nobody waits for the disk on
    account of what another has written."""
    paths = {contender.name: out(name) for name, contender in contenders.items()}

    def remove(path):
        if os.path.exists(path):
            os.remove(path)

    def clear(contender):
        remove(paths[contender.name])
        os.sync()

    yield Comparison("T4", title, list(contenders.values()), size=size_of(directory), same=same_cells, before=clear,
                     answer=lambda contender, output: paths[contender.name], **more)
    for path in paths.values():
        remove(path)


def csv_file():
    directory = data.short_records()
    path = data.big_path(directory)
    yield from compared("CSV of all records", directory, exporters(directory) | {
        "duckdb": rival("DuckDB COPY, 2 threads", duckdb(COPY.format(out("duckdb")), path, *COLUMNS)),
        "simdjson": rival("simdjson, blocks", simdjson(1, "csv", path, out("simdjson"))),
    }, bars=[
        bar("ratio", "taskresults_export_csv()", 0.8, "DuckDB COPY, 2 threads"),
        bar("ratio", "taskresults export", 1.0, "DuckDB COPY, 2 threads"),
        bar("MiB", "taskresults_export_csv()", 16)])


def csv_slowly():
    directory = data.short_records(20)
    path = data.big_path(directory)
    yield from compared("CSV of all records, slow rivals", directory, {
        "function": exporters(directory)["function"],
        "jq": rival("jq @csv", shell(CSV_IN_JQ, path, out("jq"), needs=["jq"])),
        "python": rival("python3 csv, json.loads", python(CSV_IN_PYTHON, path, out("python"))),
    }, runs=min(RUNS, 3))
