#!/usr/bin/env python3
"""shipped.py RESULTS_DIR ROWS HOST - compares what tests/lib/sink.py was sent, in one go from a new cursor, with the files.

The lines are read by Python (rows.py), and the rest is what shell/SHIPPING.md promises: which columns a row has, the hash
of the line, how many were the same, and the order. Prints the first disagreements, and exits 1 if there were any.
"""
import collections
import json
import math
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import rows  # noqa: E402


def fnv(data):
    value = 14695981039346656037
    for byte in data:
        value = ((value ^ byte) * 1099511628211) % 2**64
    return value - 2**64 if value >= 2**63 else value


def sql_number(value):
    """What rows.py says of a number, as a number; None for all else."""
    if value[:1] == "I":
        return int(value[1:])
    return rows.struct.unpack(">d", bytes.fromhex(value[1:]))[0] if value[:1] == "R" else None


def sql_text(value):
    """The same of a text; a number becomes what SQLite makes of it, which is compared as a number."""
    return bytes.fromhex(value[1:]).decode("utf-8") if value[:1] == "T" else sql_number(value)


def same(sent, wanted):
    if isinstance(wanted, (int, float)) and isinstance(sent, str):
        sent = {"Inf": math.inf, "-Inf": -math.inf}.get(sent) or float(sent)
        return sent == wanted or math.isclose(sent, wanted, rel_tol=1e-14)
    return sent == wanted and type(sent) is not bool


def expected(directory, host):
    """(table, row, what is checked apart) of each finished line."""
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".jsonl") or any("\udc80" <= character <= "\udcff" for character in name):
            continue
        job, seen = name[: -len(".jsonl")], collections.Counter()
        with open(os.path.join(directory, name), "rb") as file:
            finished = file.read().count(b"\n")
        for number, (offset, line) in enumerate(rows.lines_of(os.path.join(directory, name))):
            judged = rows.verdict(line)
            if number >= finished or judged is None:
                continue
            hashed = line if len(line) <= rows.MAX_LINE else b"of %d bytes" % len(line)
            seen[hashed] += 1
            row = {"host": host, "job_id": job, "hash": fnv(hashed), "n": seen[hashed], "offset": offset}
            if judged is False:
                text = sql_text(rows.rejected_line(line)) if rows.rejected_line(line)[0] == "T" else rows.rejected_line(line)
                is_hex = text[0] == "B" and rows.rejected_line(line)[0] == "B"
                row |= {"length": len(line), "hex": int(is_hex), "line": text[1:] if is_hex else None if text == "N" else text}
                yield "rejects", row
                continue
            values = {key: rows.sql_value(*judged, key) for key in rows.FIELDS}
            row |= {"time_us": sql_number(rows.time_us(judged[1])), "ok": int(bool(judged[1].get("success"))),
                    "success": sql_number(values["success"]), "missing": (values["output"] == "N") + 2 * (values["error"] == "N")}
            row |= {key: sql_text(values[key]) for key in ("timestamp", "job_name")}
            row |= {key: "" if values[key] == "N" else sql_text(values[key]) for key in ("output", "error")}
            yield "records", row


def main():
    directory, path, host = sys.argv[1:]
    wanted = {(table, row["job_id"], row["offset"]): row for table, row in expected(directory, host)}
    disagreements, last_seq, got = 0, {}, {}
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n").partition("\t") for line in file if not line.startswith("files\t")]
    sent = sorted(((table, json.loads(text)) for table, _, text in lines), key=lambda pair: pair[1]["seq"])
    for table, row in sent:
        key = table, row["job_id"], row["offset"]
        problem = []
        if key in got or key not in wanted:
            problem.append("twice" if key in got else "unknown")
        got[key] = row
        if last_seq.get(row["job_id"], (0, -1)) >= (row["seq"], row["offset"]) or last_seq.get(row["job_id"], (0, -1))[1] >= row["offset"]:
            problem.append("order")
        last_seq[row["job_id"]] = row["seq"], row["offset"]
        fail = table == "records" and not row["ok"]
        extra = set(row) - set(wanted.get(key, row)) - {"seq"} - ({"signature"} if table == "records" else {"reason"})
        problem += [f"extra {name}" for name in extra]
        if table == "records" and row["signature"] is not None and not fail:
            problem.append("signature of a success")
        problem += [f"{name}: {row.get(name)!r}, not {value!r}"[:300] for name, value in wanted.get(key, {}).items() if not same(row.get(name), value)]
        if problem:
            disagreements += 1
            print(key, problem) if disagreements <= 10 else None
    for key in wanted.keys() - got.keys():
        disagreements += 1
        print(key, "not sent") if disagreements <= 10 else None
    print(f"{len(got)} rows, {disagreements} disagreements")
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
