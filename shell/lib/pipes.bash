# pipes.bash - what goes into a command, and how a pipeline has ended.

# shellcheck shell=bash

# Up to so many characters, of at most four bytes each, fit into a pipe as it comes. Bash puts more, and before 5.1 any
# here-string, into a temporary file: where there is no room for one, the command would get nothing.
MOST_IN_PIPE=16000
((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) || MOST_IN_PIPE=0

# with_input TEXT COMMAND... - the text comes with a newline behind it. A short one needs no process.
with_input() {
  if ((${#1} < MOST_IN_PIPE)); then
    "${@:2}" <<<"$1"
  else
    "${@:2}" < <(printf '%s\n' "$1")
  fi
}

# finish STATUS... - what a pipeline that begins with `query` ends with. The first failure counts; a reader that went
# away is none, and a filter that failed could not write.
finish() {
  local status
  for status; do
    case $status in
      0 | 141) ;;
      130) exit "$status" ;;
      *) exit "$EXIT_IO" ;;
    esac
  done
}

# to_output COMMAND... - runs it, and ends with its failure. sqlite3 does not look at what becomes of its output, so
# somebody who does stands behind it.
to_output() {
  "$@" | cat
  finish "${PIPESTATUS[@]}"
}
