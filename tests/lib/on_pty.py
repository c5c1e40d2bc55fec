#!/usr/bin/env python3
"""on_pty.py COLUMNS COMMAND... - runs the command on a pseudo-terminal of its own; prints what that received.

Exits with the command's status. Standard error goes to the terminal as well.
"""
import fcntl
import os
import pty
import struct
import sys
import termios

columns, command = int(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    os.environ.setdefault("TERM", "xterm")
    os.execvp(command[0], command)
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:  # EIO: the last process has closed it
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
