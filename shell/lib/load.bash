# load.bash - `load`, which sources parts of the library; and stand-ins for the options and the messages until one is
# needed.
#
# Reading a file takes bash longer than running most of it. So each command, and each part, loads other parts only where
# it needs them.

# shellcheck shell=bash

# 0 is fine. 1: the answer is no (no such record, a check that failed). 3: input, output, or a part that is missing. 75:
# try again (as sysexits.h has it).
EXIT_NO=1
EXIT_USAGE=2
EXIT_IO=3
EXIT_BUSY=75

# Only a command that reports the jobs it leaves out may leave out any.
unset TASKRESULTS_UNREADABLE

# load PART... - sources files of ours, such as lib/help, each once.
loaded=' '
load() {
  local part
  for part; do
    # shellcheck source=/dev/null
    [[ $loaded == *" $part "* ]] || { loaded+="$part " && source "$shell_home/$part.bash"; }
  done
}

# Most runs print no message. lib/say replaces these by the real functions.
say() { load lib/say; say "$@"; }
die() { load lib/say; die "$@"; }
usage_error() { load lib/say; usage_error "$@"; }

# Nearly every command begins with it; `view` first starts what takes as long as reading these.
parse_options() { load terminal/terminal lib/options; parse_options "$@"; }
