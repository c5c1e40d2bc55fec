# load.bash - how the parts are found: `load`, and what messages need until there is one.
#
# Reading a file takes bash longer than what most of it does. So each command loads what it needs, and each part what it
# needs in turn, where that is needed.

# shellcheck shell=bash

# 0 is fine. 1: the answer is no (no such record, a check that failed). 3: input, output, or a part that is missing. 75:
# try again (as sysexits.h has it).
EXIT_NO=1
EXIT_USAGE=2
EXIT_IO=3
EXIT_BUSY=75

# Only a command that tells which jobs it has left out may leave out any.
unset TASKRESULTS_UNREADABLE

# load PART... - sources files of ours, such as lib/help, each once.
loaded=' '
load() {
  local part LC_ALL=C # where a character is a byte, bash parses faster
  for part; do
    [[ $loaded != *" $part "* ]] || continue
    loaded+="$part "
    # shellcheck source=/dev/null
    source "$shell_home/$part.bash"
  done
}

# Most runs have nothing to say. lib/say puts the real ones in place of these.
say() { load lib/say; say "$@"; }
die() { load lib/say; die "$@"; }
usage_error() { load lib/say; usage_error "$@"; }
