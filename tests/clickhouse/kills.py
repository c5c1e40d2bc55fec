"""kills.py PLACE PORT... - `taskresults ship` into shards that are killed while they take rows.

In each round, files grow and a ship begins. When a shard (the one shipped to, or the other one) is at an INSERT, it is killed, and
started again; in every third round ship is killed as well, and begins again. At the end the views must be equal to the local tables:
no line is lost, none counts twice, and their order is that of the files. The environment names the directory of the shards, shards_place, and may have KILLS (4), COUNT of records (5,000)
and SEED (5).
"""
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import clickhouse_server
import compare
import fleet

ROOT = pathlib.Path(os.environ["TASKRESULTS_ROOT"])
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Shard:
    def __init__(self, place, port):
        self.place, self.port = place, port

    def ask(self, statement):
        with OPENER.open(f"http://127.0.0.1:{self.port}/", data=statement.encode(), timeout=60) as answer:
            return answer.read().decode().strip()

    def inserts(self):
        try:
            return int(self.ask("SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO%'"))
        except (OSError, urllib.error.URLError):
            return 0

    def kill(self):
        pid = int((self.place / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        while not clickhouse_server.has_ended(pid):
            time.sleep(0.005)

    def start(self):
        with open(self.place / "output", "ab") as output:
            server = subprocess.Popen([sys.executable, ROOT / "tests/lib/clickhouse_server.py", "start", self.place.parent, self.place.name],
                                      stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        (self.place / "pid").write_text(f"{server.pid}\n")
        clickhouse_server.wait(self.place)


def grow(source, results, part, parts):
    """Each file gets the next part of its lines."""
    for file in source.glob("*.jsonl"):
        lines = file.read_bytes().splitlines(keepends=True)
        with open(results / file.name, "ab") as out:
            out.write(b"".join(lines[len(lines) * part // parts:len(lines) * (part + 1) // parts]))


def start_ship(place, port):
    return subprocess.Popen([os.environ.get("TASKRESULTS", ROOT / "shell/taskresults"), "ship", "--to", f"http://127.0.0.1:{port}/", "--host", "h",
                             "--state", place / "state", "--tries", "0"],
                            env={**os.environ, "SCHEDULER_RESULTS_DIR": str(place / "results")}, stdin=subprocess.DEVNULL,
                            stdout=open(place / "said", "ab"), stderr=subprocess.STDOUT)


def main():
    place, shards_place = pathlib.Path(sys.argv[1]), pathlib.Path(os.environ["shards_place"])
    rounds, lines, seed = (int(os.environ.get(name, default)) for name, default in (("KILLS", 4), ("COUNT", 5000), ("SEED", 5)))
    shards = [Shard(shards_place / str(number), port) for number, port in enumerate(sys.argv[2:], 1)]
    choice = random.Random(seed)
    fleet.generate(place / "source", lines, seed)
    (place / "results").mkdir(exist_ok=True)
    killed = in_insert = 0
    for number in range(rounds):
        grow(place / "source", place / "results", number, rounds)
        ship = start_ship(place, shards[0].port)
        victim = choice.choice(shards)
        while ship.poll() is None and not victim.inserts():
            pass
        in_insert += ship.poll() is None
        time.sleep(choice.random() * 0.03)  # somewhere in the INSERT: where does not matter
        victim.kill()
        killed += 1
        if number % 3 == 2:
            ship.kill()
            ship.wait()
        victim.start()
        if number % 3 == 2:
            ship = start_ship(place, shards[0].port)
        if ship.wait() not in (0, 1):
            sys.exit(f"ship ended with {ship.returncode}: {(place / 'said').read_text()[-2000:]}")
    host = fleet.Host("h", place / "results")
    engine = compare.Shards([shard.port for shard in shards])
    faults = []
    for (view, _), rows in zip(fleet.statements(), engine.select([statement for _, statement in fleet.statements()])):
        faults += fleet.differences(view, [host], rows)
    print(*faults[:20], sep="\n")
    stored = sum(int(shard.ask("SELECT count() FROM fleet_shard.records")) for shard in shards)
    print(f"{killed} kills, {in_insert} while rows were taken; {len(host.records)} records, {stored - len(host.records)} of them stored "
          f"once more for now; {len(faults)} differences")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
