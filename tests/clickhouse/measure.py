"""measure.py DIRECTORY PID PORT - what a million records cost: the inputs of examples/clickhouse/estimate.

Sends the records of the files in DIRECTORY (tests/bench/generate.py makes some) to the engine with this process id and port, in
batches of 10,000, and prints bytes in the files, bytes as sent, bytes stored after the engine has merged them, and its CPU time,
each for one record.
"""
import json
import os
import pathlib
import sys

import compare
import fleet


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    directory, pid, port = sys.argv[1:]
    host = fleet.Host("host-1", directory)
    rows = host.rows()["records"]
    engine = compare.Shards([port])
    texts = ["\n".join(map(json.dumps, rows[start:start + 10000])) + "\n" for start in range(0, len(rows), 10000)]
    before = cpu_s(pid)
    for text in texts:
        engine.insert("records", text)
    inserted = cpu_s(pid) - before
    engine.send("OPTIMIZE TABLE records FINAL", "")
    merged = cpu_s(pid) - before - inserted
    stored = int(engine.send("SELECT sum(bytes_on_disk) FROM system.parts WHERE table = 'records' AND active", ""))
    file_bytes = sum(file.stat().st_size for file in pathlib.Path(directory).glob("*.jsonl"))
    print(f"{len(rows)} records, bytes each: {file_bytes / len(rows):.0f} in files, {sum(map(len, texts)) / len(rows):.0f} as sent, "
          f"{stored / len(rows):.1f} stored; CPU for a million: {1e6 * inserted / len(rows):.1f} s to insert, "
          f"{1e6 * merged / len(rows):.1f} s to merge once")


if __name__ == "__main__":
    main()
