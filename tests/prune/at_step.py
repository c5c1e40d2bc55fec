#!/usr/bin/env python3
"""at_step.py CALL COMMAND JOB OPTIONS - prunes JOB in $SCHEDULER_RESULTS_DIR, or all jobs if it is *, stops the prune
before a system call (CALL is what PRUNE_AT may be in tests/shim/prune_faults.c), runs the shell COMMAND, lets the prune
go on, and prints its report. The command may leave processes behind; they are not waited for. Exits as the prune
does."""
import os
import signal
import subprocess
import sys

import common


def main():
    call, command, job, options = sys.argv[1:]
    call_of_prune = "prune_all(" if job == "*" else f"prune('{job}', "
    process = common.sqlite(f"SELECT taskresults_{call_of_prune}{options})", os.environ["SCHEDULER_RESULTS_DIR"],
                            {"LD_PRELOAD": common.SHIM, "PRUNE_AT": call, "PRUNE_FAULT": "stop"})
    if not os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1]):
        sys.exit(f"at_step.py: the prune never came to {call}")
    try:
        subprocess.run(["bash", "-c", command], check=True, stdin=subprocess.DEVNULL)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate()
    sys.stdout.write(out)
    sys.stderr.write(err)
    sys.exit(process.returncode != 0)


if __name__ == "__main__":
    main()
