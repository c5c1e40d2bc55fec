# say.bash - messages on standard error, and the exit codes that all commands share.
#   0 fine · 1 the answer is no (no such record, a check that failed) · 2 usage · 3 input, output or a missing part ·
#   75 busy, try again (as sysexits.h has it)

# shellcheck shell=bash

EXIT_NO=1
EXIT_USAGE=2
EXIT_IO=3
EXIT_BUSY=75

# say WORDS... - one message on standard error, behind the program's name. Control characters are shown, not obeyed:
# names are in it as they were given.
say() {
  say_each "$*"
}

# say_each TEXT... - many messages in one go.
say_each() {
  local text program=${program_name:-taskresults}
  printf -v text -- "${program//%/%%}: %s\n" "$@"
  text=${text%$'\n'}
  if is_plain "$text"; then
    printf '%s\n' "$text" >&2
  else
    printf '%s\n' "$text" | LC_ALL=C sed "$(visible_message_program)" >&2
  fi
}

# die CODE WORDS...
die() {
  local code=$1
  shift
  say "$@"
  exit "$code"
}

# usage_error WORDS... - what is wrong, and where the help is.
usage_error() {
  say "$@"
  say "try: ${help_hint:-taskresults help}"
  exit "$EXIT_USAGE"
}
