# atomic.bash - a file that is there whole or not at all.

# shellcheck shell=bash

# write_atomically FILE COMMAND... - the command's standard output becomes the file: written beside it, flushed to the
# disk, renamed. If anything fails or is interrupted, the file is what it was. A link is followed; what is no regular
# file (a FIFO, /dev/stdout) is written to as it is.
write_atomically() {
  local target status
  if [[ $1 == - ]]; then
    "${@:2}"
    return
  fi
  if [[ -e $1 && ! -f $1 && ! -d $1 ]]; then
    "${@:2}" >"$1"
    return
  fi
  target=$(readlink -f -- "$1") && [[ $1 != */ ]] || die "$EXIT_IO" "cannot write $1: no such directory"
  shift
  [[ ! -d $target ]] || die "$EXIT_IO" "cannot write $target: it is a directory"
  unfinished=$(mktemp -- "$(dirname -- "$target")/.taskresults.XXXXXX") || exit "$EXIT_IO"
  trap 'rm -f -- "$unfinished"' EXIT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  if [[ -e $target ]]; then
    chmod --reference="$target" -- "$unfinished"
  else
    chmod "$(printf '%o' "$((8#666 & ~8#$(umask)))")" -- "$unfinished"
  fi || exit "$EXIT_IO"
  ("$@") >"$unfinished"
  status=$?
  ((status == 0)) || exit "$status"
  sync -- "$unfinished" && mv -fT -- "$unfinished" "$target" && sync -- "$(dirname -- "$target")" || exit "$EXIT_IO"
}
