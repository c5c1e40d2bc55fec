#!/usr/bin/env python3
"""make_job.py FILE JOB COUNT FAIL_EVERY - appends COUNT records, as the scheduler would write them."""
import json
import sys
from datetime import datetime, timedelta

path, job, count, fail_every = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
start = datetime(2026, 1, 1)
with open(path, "a") as file:
    for i in range(count):
        failed = fail_every > 0 and (i + 1) % fail_every == 0
        record = {
            "timestamp": (start + timedelta(minutes=i)).isoformat() + "Z",
            "job_id": job,
            "job_name": job.title(),
            "success": not failed,
            "output": "" if failed else f"run {i}\nall good",
            "error": f"run {i} failed: Connection timeout" if failed else "",
        }
        file.write(json.dumps(record) + "\n")
