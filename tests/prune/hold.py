#!/usr/bin/env python3
"""hold.py FILE READY TEXT - a writer that opens FILE for appending, creates READY.open, waits until READY.go exists,
appends TEXT and a newline, and closes. READY.done tells that it has. It gives up when READY's directory is gone: its test
has failed, and nobody will create READY.go."""
import os
import sys
import time

path, ready, text = sys.argv[1:]
with open(path, "a") as file:
    open(ready + ".open", "w").close()
    while not os.path.exists(ready + ".go"):
        if not os.path.isdir(os.path.dirname(ready)):
            sys.exit("the test is over")
        time.sleep(0.005)
    file.write(text + "\n")
open(ready + ".done", "w").close()
