"""one_liners.py RESULTS PORT - do examples/clickhouse/one-liners.sql answer as their SQLite statements do? For a host `web-1` with RESULTS."""
import json
import os
import pathlib
import re
import sys

import compare
import fleet

TEXT = (pathlib.Path(os.environ["TASKRESULTS_ROOT"]) / "examples/clickhouse/one-liners.sql").read_text(encoding="utf-8")


def main():
    host = fleet.Host("web-1", sys.argv[1])
    engine = compare.Shards(sys.argv[2:])
    for table, rows in host.rows().items():
        if rows:
            engine.insert(table, "\n".join(map(json.dumps, rows)))
    count = faults = empty = 0
    for local, remote in re.findall(r"^-- SQLite: (.*)\n(SELECT [^;]*);$", TEXT, re.M):
        wanted = [list(row) for row in host.ask(local)]
        (found,) = engine.select([remote])
        count += 1
        empty += not wanted
        if len(wanted) != len(found) or not all(len(a) == len(b) and all(map(fleet.is_same, a, b)) for a, b in zip(wanted, found)):
            faults += 1
            print(f"{remote}\n  SQLite {wanted}\n  ClickHouse {found}")
    print(f"{count} one-liners, {empty} without rows, {faults} differences")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
