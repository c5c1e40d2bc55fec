# pipes.bash - the input of a command, and the exit status of a pipeline.

# shellcheck shell=bash

# So many characters, of at most four bytes each, fit into a pipe. Bash would put a longer here-string (before 5.1 any)
# into a temporary file, and without room for that file the command would get no input.
MOST_IN_PIPE=16000
((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) || MOST_IN_PIPE=0

# with_input TEXT COMMAND... - the command's input is the text and a newline. A short text needs no process.
with_input() {
  if ((${#1} < MOST_IN_PIPE)); then
    "${@:2}" <<<"$1"
  else
    "${@:2}" < <(printf '%s\n' "$1")
  fi
}

# finish STATUS... - ends a pipeline that begins with `query`. The first failure counts; a closed pipe is not an error;
# a filter that failed could not write.
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

# to_output COMMAND... - runs it, and exits if it fails. sqlite3 ignores errors of writing its output, so cat writes it.
to_output() {
  "$@" | cat
  finish "${PIPESTATUS[@]}"
}
