"""host.py - a SQLite host in Python with the extension loaded: `from host import connect`."""
import os
import sqlite3


def connect(database=":memory:"):
    db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    db.enable_load_extension(True)
    db.load_extension(os.path.join(os.environ["TASKRESULTS_ROOT"], "taskresults"))
    return db
