"""history_rotated.py RESULTS ROTATIONS - task_history beside a writer whose files are rotated as logrotate does it:
each higher number is renamed first, then the live file, and a new one is created. A query must find each record once: all
that were written before it began, none twice, and of the others only the next ones.
"""
import os
import subprocess
import sys

from host import connect

WRITER = r"""
import os, sys
results, rotations = sys.argv[1], int(sys.argv[2])
live = os.path.join(results, "a.jsonl")
written = 0
def write():
    global written
    with open(live, "a") as out:
        out.write('{"timestamp": "2026-01-01T%02d:%02d:%02dZ", "output": "%d"}\n'
                  % (written // 3600, written // 60 % 60, written % 60, written))
    written += 1
    os.write(1, b".")  # so many are there
for rotation in range(1, rotations + 1):
    write()
    write()
    for number in range(rotation - 1, 0, -1):
        os.rename(f"{live}.{number}", f"{live}.{number + 1}")
    os.rename(live, f"{live}.1")
    open(live, "a").close()
"""


def main():
    results, rotations = sys.argv[1], int(sys.argv[2])
    db = connect()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, results, str(rotations)], stdout=subprocess.PIPE)
    os.set_blocking(writer.stdout.fileno(), False)
    written = queries = different = last = 0
    while written < 2 * rotations:
        written += len(writer.stdout.read() or b"")
        found = [int(output) for output, in db.execute(
            "SELECT output FROM task_history('a') ORDER BY segment_no, offset")]
        if found != list(range(len(found))) or len(found) < written:
            sys.exit(f"of {written} records or more, in query {queries}: {found}")
        queries += 1
        different += len(found) != last
        last = len(found)
    if writer.wait() != 0 or queries < 3:
        sys.exit(f"the writer ended with {writer.returncode}, after {queries} queries")
    print(f"{queries} queries, {different} of them with new records")


main()
