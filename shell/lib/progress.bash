# progress.bash - a line on standard error, on a terminal, while an operation takes longer than a second.

# shellcheck shell=bash

# with_progress COMMAND... - runs it, in a shell that it may leave: the line ends with the script. Its standard output must not be a terminal's (a file, or a variable).
with_progress() {
  local ticker status
  if [[ ! -t 2 ]]; then
    "$@"
    return
  fi
  (
    seconds=1
    trap '((seconds == 1)) || printf "\r\033[K" >&2; exit' TERM
    trap '' INT
    # Not sleep: the trap would wait for it.
    exec {never}<> <(:)
    until read -rt 1 -u "$never" || ! kill -0 "$$" 2>/dev/null; do
      printf '\r%s: reading, %ds\033[K' "${program_name:-taskresults}" "$seconds" >&2
      seconds=$((seconds + 1))
    done
  ) >/dev/null &
  ticker=$!
  "$@"
  status=$?
  kill "$ticker" 2>/dev/null
  wait "$ticker" 2>/dev/null
  return "$status"
}
