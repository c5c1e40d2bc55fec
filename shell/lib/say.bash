# say.bash - messages on standard error.

# shellcheck shell=bash

# say WORDS... - one message on standard error, behind the program's name. Control characters are made visible, as
# messages contain names as they were given.
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
    load terminal/visible
    printf '%s\n' "$text" | sed "$(visible_message_program)" >&2
  fi
}

# die CODE WORDS...
die() {
  local code=$1
  shift
  say "$@"
  exit "$code"
}

# usage_error WORDS... - prints what is wrong, and where the help is; exits with 2.
usage_error() {
  say "$@"
  load lib/called
  say_usage
  exit "$EXIT_USAGE"
}

# is_plain TEXT - is it only printable ASCII, tabs and newlines?
is_plain() {
  [[ $1 != *[!$'\t\n'\ -~]* ]]
}
