"""ship.py - `taskresults ship`: its own work, with a sink that takes everything at once; and all of it, into a table of
Debian's clickhouse-server, beside an export that curl sends into the same table in one piece."""
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request

import data
from measure import Comparison, bar, ours, rival
from settings import BYTES, ROOT, RUNS, WORK
from tools import command, shell

SERVER = os.environ.get("CLICKHOUSE_SERVER", "/usr/sbin/clickhouse-server")
HELPER = os.path.join(ROOT, "tests", "lib", "clickhouse_server.py")
RECORDS_A_SECOND = 50_000
SHARE_OF_THE_EXPORT = 0.6
# What an export has of the table's columns; `success` is true or false there, which that old server takes for no number.
INSERT = ("query=INSERT%20INTO%20records%20(timestamp,job_id,job_name,output,error)%20FORMAT%20JSONEachRow"
          "&input_format_skip_unknown_fields=1&database=fleet")
EXPORT = '"$1" export --format jsonl | curl -q -sS -X POST -T - -H Expect: "$2" | { ! grep .; }'


def ships(name, directory, url, environment, **more):
    one = command(directory, "taskresults", "ship", "--to", url, "--host", "bench", "--state", state(), "--tries", "1")
    return ours(name, one._replace(environment=one.environment | environment), **more)


def state():
    return os.path.join(WORK, "ship-state")


def forget(directory):
    shutil.rmtree(state(), ignore_errors=True)
    shutil.rmtree(os.path.join(directory, ".taskresults"), ignore_errors=True)


def lines_in(directory):
    count = 0
    for name in os.listdir(directory):
        if name.endswith(".jsonl"):
            with open(os.path.join(directory, name), "rb") as file:
                count += sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    return count


def size_of(directory):
    files = [name for name in os.listdir(directory) if name.endswith(".jsonl")]
    return {"bytes": sum(os.path.getsize(os.path.join(directory, name)) for name in files), "files": len(files)}


def path_with_a_sink_for_curl():
    """PATH, in front of which a `curl` says at once that everything was taken."""
    place = os.path.join(WORK, "ship-bin")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "curl"), "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\necho '200 '\n")
    os.chmod(file.name, 0o755)
    return place + ":" + os.environ["PATH"]


def spooled(directory, records):
    """Ours alone, so that its answer is judged here."""
    def check(_contender, _output):
        with subprocess.Popen(["sqlite3", "-readonly", *[os.path.join(state(), name) for name in os.listdir(state())
                                                         if name.endswith(".db")],
                               "SELECT (SELECT sum(n) FROM counts), (SELECT count(*) FROM spool)"],
                              stdout=subprocess.PIPE, text=True) as child:
            found = child.stdout.read().strip()
        if found != f"{records}|0":
            raise SystemExit(f"bench: ship sent {found}, and there are {records} records")
        return found

    name = "taskresults ship, nobody to wait for"
    return Comparison("ship", f"from the files to the spool, {records:,} records", [
        ships(name, directory, "http://127.0.0.1:9/", {"PATH": path_with_a_sink_for_curl()})],
        size=size_of(directory), bars=[bar("seconds", name, records / RECORDS_A_SECOND)], runs=min(RUNS, 3),
        before=lambda contender: forget(directory), answer=check)


class Server:
    """One shard with the tables of examples/clickhouse."""
    def __init__(self):
        self.place = tempfile.mkdtemp(prefix="taskresults-bench-")
        subprocess.run([sys.executable, HELPER, "make", self.place, "1"], check=True)
        self.process = subprocess.Popen([sys.executable, HELPER, "start", self.place, "1"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(os.path.join(self.place, "1", "pid"), "w", encoding="utf-8") as file:
            file.write(str(self.process.pid))
        subprocess.run([sys.executable, HELPER, "await", self.place, "1"], check=True)
        with open(os.path.join(self.place, "1", "port"), encoding="utf-8") as file:
            self.url = f"http://127.0.0.1:{file.read().strip()}/"
        subprocess.run(["./apply", "--old", self.url, "fleet", "18.16/tables.sql"], check=True,
                       cwd=os.path.join(ROOT, "examples", "clickhouse"))

    def ask(self, question):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + "?database=fleet", data=question.encode()) as answer:
            return answer.read().decode().strip()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.place)


def arrived(directory, records, server):
    def before(_contender):
        forget(directory)
        for table in ("records", "rejects", "files"):
            server.ask(f"TRUNCATE TABLE {table}")

    def check(_contender, _output):
        found = server.ask("SELECT uniqExact(job_id, seq) FROM records")
        if found != str(records):
            raise SystemExit(f"bench: {found} records arrived, and there are {records}")
        return found

    name, other = "taskresults ship", "taskresults export --format jsonl | curl"
    script = shell(EXPORT, os.path.join(ROOT, "shell", "taskresults"), server.url + "?" + INSERT, needs=["curl"])
    script = script and script._replace(environment={"SCHEDULER_RESULTS_DIR": directory})
    return Comparison("ship", f"from the files into a table, {records:,} records", [
        ships(name, directory, server.url, {}), rival(other, script, asks=False)],
        size=size_of(directory), bars=[bar("ratio", name, round(1 / SHARE_OF_THE_EXPORT, 3), other)], runs=min(RUNS, 3),
        before=before, answer=check)


def to_the_sink():
    directory = data.jobs(100, BYTES // 10)
    records = lines_in(directory)
    yield spooled(directory, records)
    if not (os.path.exists(SERVER) and shutil.which("curl")):
        print("bench: ship into a table is not measured: clickhouse-server or curl is not here", file=sys.stderr)
        return
    server = Server()
    try:
        yield arrived(directory, records, server)
    finally:
        server.stop()
        forget(directory)
