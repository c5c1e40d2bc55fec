"""SQL over the results of a task scheduler: an extension of SQLite, and where it is.

    import sqlite3, taskresults
    db = sqlite3.connect(":memory:")
    taskresults.load(db)
    db.execute("SELECT job_id, runs, failures FROM task_stats").fetchall()
"""
import os

__all__ = ["loadable_path", "load", "__version__"]
__version__ = "@VERSION@"

_CANNOT = """\
the module sqlite3 of this Python was built without loadable extensions. These can load them: Debian's and Ubuntu's
/usr/bin/python3, Pythons of Homebrew and conda, those built with --enable-loadable-sqlite-extensions (pyenv:
PYTHON_CONFIGURE_OPTS), and the packages apsw and pysqlite3-binary in any Python: pass a connection of theirs."""


def loadable_path():
    """The extension's path (str), for sqlite3_load_extension() of any host."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "taskresults.so")


def load(connection, read_only=False):
    """Loads the extension into a connection of sqlite3, pysqlite3 or apsw.

    read_only: only what reads: no INSERT, no function that writes or removes, no table that is given a path. The first
    load of a connection decides. Loading extensions is forbidden again afterwards.
    Raises RuntimeError if this Python cannot load extensions, and the module's own error if SQLite refuses.
    """
    enable = getattr(connection, "enable_load_extension", None) or getattr(connection, "enableloadextension", None)
    if enable is None:
        raise RuntimeError("taskresults: " + _CANNOT)
    entry_point = "sqlite3_taskresults_readonly_init" if read_only else "sqlite3_taskresults_init"
    enable(True)
    try:
        connection.execute("SELECT load_extension(?, ?)", (loadable_path(), entry_point)).fetchall()
    finally:
        enable(False)
