# start.bash - how both scripts (taskresults, view_results) begin: the environment, signals, then the library. The
# script has set `shell_home`.
#
# commands/ has a file for each command. Beside it:
#   lib/        what several commands need: options, messages, SQL
#   terminal/   output for people: width, colour, tables, progress
#   hints/      suggestions: similar names, schedulers on this machine
#   alerts/  doctor/  import/  report/  ship/  sla/  view/     parts of a single command
#   runner/     the program behind `run`, and how it writes its record
#   completions/     man/     files for the shell's completion and for man

# shellcheck shell=bash

# POSIXLY_CORRECT=1 in the environment turns on bash's posix mode, in which some of the following has another meaning.
set +o posix
set -uo pipefail

# The next file that we open would get the number of a closed standard descriptor, and `run` would read back its own
# output. So closed ones are replaced. Writes to such a one must fail, and not with EBADF, which sed takes for success.
if [[ -d /proc/self/fd ]]; then
  [[ -e /proc/self/fd/0 ]] || exec </dev/null
  [[ -e /proc/self/fd/1 ]] || exec 1>/dev/full
  [[ -e /proc/self/fd/2 ]] || exec 2</dev/null
fi

# shellcheck source=shell/lib/environment.bash
source "$shell_home/lib/environment.bash" || exit 3

# shellcheck source=shell/lib/load.bash
source "$shell_home/lib/load.bash" || exit 3

# bash keeps descriptors of its own from 10 on; if that fails, it exits without a message.
exec {spare}</dev/null || exit 3
exec {spare}<&-

# Starting processes takes most of a short command's time. So code that every command runs starts none: no $( ), no
# pipes.

# A parent that ignores SIGPIPE (Python, some service managers) would turn `| head` into write errors. Bash cannot trap
# a signal that was ignored from the start.
trap 'pipe_signal_comes=1' PIPE
kill -PIPE $$
trap - PIPE
if [[ ! -v pipe_signal_comes ]]; then
  load lib/as_user
  ! pipe_signal_is_ignored || exec_as_user env --default-signal=PIPE -- "$0" "$@"
fi
trap 'exit 130' INT

load lib/places
