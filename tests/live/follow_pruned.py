#!/usr/bin/env python3
"""follow_pruned.py TASKRESULTS EXTENSION RECORDS KEEP - a writer as the scheduler's appends RECORDS records at full speed
while taskresults_prune() runs in a loop in another process; `taskresults follow`, which looks on, has to show each once
and in order."""
import json
import os
import subprocess
import sys
import threading
import time

tool, extension, count, keep = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
path = os.path.join(os.environ["SCHEDULER_RESULTS_DIR"], "a.jsonl")


def append(number):
    # All have the same time, so that follow cannot tell them apart by it.
    record = {"timestamp": "2026-01-01T00:00:00Z", "job_id": "a", "job_name": "A", "success": True, "output": str(number), "error": ""}
    with open(path, "a") as file:
        file.write(json.dumps(record) + "\n")


def prune():
    """One process per prune; a busy one is no matter."""
    prunes = 0
    statement = f"SELECT taskresults_prune('a', 'keep', {keep}) ->> '$.result'"
    while not finished.is_set():
        done = subprocess.run(["sqlite3", "-batch", "-init", "/dev/null", "-cmd", f".load {extension}", ":memory:", statement],
                              stdout=subprocess.PIPE, text=True, check=True)
        prunes += done.stdout == "pruned\n"
    pruned.append(prunes)


append(0)
finished, pruned = threading.Event(), []
follower = subprocess.Popen([tool, "follow", "--interval", "0.02", "--limit", "1", "--jsonl", "a"], stdout=subprocess.PIPE, text=True)
shown = [int(json.loads(follower.stdout.readline())["output"])]
reader = threading.Thread(target=lambda: shown.extend(int(json.loads(line)["output"]) for line in follower.stdout), daemon=True)
pruner = threading.Thread(target=prune)
reader.start()
pruner.start()
try:
    for number in range(1, count + 1):
        # A record that is pruned before follow has read it cannot be shown. So more is kept than is written between two looks.
        while number - shown[-1] > keep // 2:
            time.sleep(0.001)
        append(number)
    finished.set()
    pruner.join()
    deadline = time.monotonic() + 600
    while len(shown) <= count and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # for what must not come
finally:
    finished.set()
    follower.terminate()
if shown != list(range(count + 1)):
    missing = sorted(set(range(count + 1)) - set(shown))
    sys.exit(f"{len(shown)} shown of {count + 1}; missing {missing[:10]}; around {[p for p in zip(shown, shown[1:]) if p[1] != p[0] + 1][:10]}")
if pruned[0] < 3:
    sys.exit(f"only {pruned[0]} prunes came about")
print(f"{count} records, {pruned[0]} prunes")
