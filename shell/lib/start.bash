# start.bash - what both scripts begin with: the environment, signals, then the library. The script has set
# `shell_home`.
#
# commands/ has a file for each command. Beside it:
#   lib/        what several commands need: options, messages, SQL
#   terminal/   output for people: width, colour, tables, progress
#   hints/      what may have been meant: names that come near, schedulers on this machine
#   alerts/     doctor/     report/     sla/     view/     what one command alone needs
#   runner/     the program behind `run`, and how it writes its record
#   completions/     man/     what is made for other programs

# shellcheck shell=bash

# POSIXLY_CORRECT=1 in the environment switches it on, and then some of what follows is another language.
set +o posix
set -uo pipefail

# A closed standard descriptor would become that of whatever is opened next, and `run` would read back what it shows.
# These stand in: what is written to a closed one has to fail (which sed takes for success if it is told EBADF).
if [[ -d /proc/self/fd ]]; then
  [[ -e /proc/self/fd/0 ]] || exec </dev/null
  [[ -e /proc/self/fd/1 ]] || exec 1>/dev/full
  [[ -e /proc/self/fd/2 ]] || exec 2</dev/null
fi

# shellcheck source=shell/lib/environment.bash
source "$shell_home/lib/environment.bash" || exit 3

# shellcheck source=shell/lib/load.bash
source "$shell_home/lib/load.bash" || exit 3

# bash keeps descriptors of its own from 10 on, and where it cannot it leaves without a word.
exec {spare}</dev/null || exit 3
exec {spare}<&-

# Processes cost most of the time of a short command, so what every command does is done without any: no $( ), no pipes.

# A parent that ignores SIGPIPE (Python, some service managers) would turn `| head` into write errors.
pipe_is_ignored() {
  local lines
  mapfile -t lines </proc/self/status
  [[ ${lines[*]} =~ SigIgn:[[:blank:]]*[0-9a-f]*([0-9a-f]{4}) ]] && ((16#${BASH_REMATCH[1]} & 0x1000))
}
if pipe_is_ignored 2>/dev/null; then
  load lib/as_user
  exec_as_user env --default-signal=PIPE -- "$0" "$@"
fi
trap 'exit 130' INT

load lib/options lib/places terminal/terminal
