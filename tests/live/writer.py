#!/usr/bin/env python3
"""writer.py FILE SECONDS ENOUGH - appends records as the scheduler does, at full speed: open(path, "a") for each, no lock,
one write for the line. Goes on for SECONDS, and until the file ENOUGH is there, which a reader makes when it has seen
enough. Each record says its number and carries a text of its own length, so that a reader can tell a whole one. Prints how
many it wrote."""
import json
import os
import sys
import time

path, seconds, enough = sys.argv[1], float(sys.argv[2]), sys.argv[3]
end = time.monotonic() + seconds
number = 0
while time.monotonic() < end or not os.path.exists(enough):
    number += 1
    record = {"timestamp": "2026-01-01T00:00:00Z", "job_id": "live", "job_name": "Live", "success": number % 3 != 0,
              "output": f"{number} " + "\u2705x" * (number * 7919 % 300), "error": ""}
    with open(path, "a") as file:
        file.write(json.dumps(record) + "\n")
print(number)
