#!/usr/bin/env python3
"""reader.py PID ENOUGH - reads the results over and over while the process lives, and once more afterwards. Every pass must show
the records 1, 2, 3 ... of job `live` in order and each of them whole, no fewer than the pass before; and no reject but the
tail that is being written, which must be gone in the end. Makes the file ENOUGH after three passes that saw any. Prints how
many rows the last pass saw, and the passes that saw any."""
import sys

from host import connect
from process import alive

db = connect()


def one_pass(newest_first):
    order = "DESC" if newest_first else "ASC"
    numbers = []
    rows = db.execute("SELECT output, success, timestamp, job_name, error FROM task_results('live') ORDER BY rowid " + order)
    for output, success, timestamp, job_name, error in rows:
        number, text = output.split(" ", 1)
        number = int(number)
        assert text == "\u2705x" * (number * 7919 % 300), f"record {number} is not whole"
        assert (success, timestamp, job_name, error) == (number % 3 != 0, "2026-01-01T00:00:00Z", "Live", "")
        numbers.append(number)
    if newest_first:
        numbers.reverse()
    assert numbers == list(range(1, len(numbers) + 1)), "records are missing or repeated"
    return len(numbers)


def rejects():
    return db.execute("SELECT offset, reason FROM task_rejects").fetchall()


seen, passes, last = 0, 0, False
while not last:
    last = not alive(sys.argv[1])
    count = one_pass(newest_first=passes % 2)
    assert count >= seen, f"{count} rows after {seen}"
    counted = db.execute("SELECT count(*) FROM task_results").fetchone()[0]
    assert counted >= count
    seen, passes = counted, passes + (count > 0)
    if passes == 3:
        open(sys.argv[2], "w").close()
    for offset, reason in rejects():
        assert reason.startswith("no newline yet"), (offset, reason)
assert rejects() == []
print(seen, passes)
