# keygen.bash - what is signed, and by which program.

# shellcheck shell=bash

SIGNING_NAMESPACE=taskresults

need_keygen() {
  command -v ssh-keygen >/dev/null && return
  say 'ssh-keygen is missing, which signs and checks signatures'
  exit "$EXIT_IO"
}

# signed_text HEX HEAD - prints what is signed: JOB=HEAD and a newline, as `taskresults seal --heads` does. HEX is the
# job.
signed_text() {
  bytes_of "$1"
  printf '=%s\n' "$2"
}

# bytes_of HEX - prints the bytes that the digits stand for.
bytes_of() {
  # shellcheck disable=SC2059  # only \xHH
  printf "$(printf '%s' "$1" | sed 's/../\\x&/g')"
}
