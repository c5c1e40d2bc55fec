"""compare.py PLACE PORT... - are the views of a cluster equal to the local tables, row by row?

Three hosts: the recorded state of the scheduler, the odd lines, and generated records (COUNT in the environment, or 100,000). Their
rows are sent to the shards by turns, as shippers would after crashes. Prints what is different, and at the end a line of counts;
exits 1 if anything is.
"""
import itertools
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

import fleet

ROOT = pathlib.Path(os.environ["TASKRESULTS_ROOT"])


class Shards:
    def __init__(self, ports):
        self.urls = itertools.cycle([f"http://127.0.0.1:{port}/" for port in ports])
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(self, text, settings):
        try:
            with self.opener.open(next(self.urls) + "?database=fleet&" + settings, data=text.encode(), timeout=300) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            sys.exit(f"{error.read().decode()}\nwas the answer to: {text[:300]}")

    def insert(self, table, rows):
        self.send(f"INSERT INTO {table} ({', '.join(json.loads(rows.partition(chr(10))[0]))}) FORMAT JSONEachRow\n{rows}", "insert_distributed_sync=1")

    def select(self, statements):
        for statement in statements:
            answer = self.send(statement + " FORMAT JSONCompact", "output_format_json_quote_64bit_integers=0")
            yield json.loads(answer)["data"]


def hosts_in(place, count):
    fleet.complete(ROOT / "tests/data/scheduler-state/results", place / "recorded")
    fleet.complete(ROOT / "tests/data/odd-lines", place / "odd")
    fleet.generate(place / "generated", count, 7)
    return [fleet.Host(name, place / name) for name in ("recorded", "odd", "generated")]


def main():
    place, hosts = pathlib.Path(sys.argv[1]), None
    hosts = hosts_in(place, int(os.environ.get("COUNT", 100000)))
    engine = Shards(sys.argv[2:])
    sent = 0
    for table, rows in fleet.shuffled_batches(hosts):
        engine.insert(table, rows)
        sent += rows.count("\n") + 1
    faults, compared = [], {}
    for (view, _), rows in zip(fleet.statements(), engine.select([statement for _, statement in fleet.statements()])):
        faults += fleet.differences(view, hosts, rows)
        compared[view] = len(rows)
    print(*faults[:20], sep="\n")
    print(f"{sent} rows sent; " + ", ".join(f"{view} {count}" for view, count in compared.items()) + f"; {len(faults)} differences")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
