# progress.bash - a line on standard error, on a terminal, while an operation takes longer than a second.
#
# `query` has it by itself: until the first row comes, if rows go to a terminal too; else until the last. What takes longer
# than its query is wrapped in with_progress as a whole.

# shellcheck shell=bash

# start_progress - sets `ticker` and `progress_began`.
start_progress() {
  progress_began=${EPOCHREALTIME/[.,]/}
  (
    trap - INT TERM
    seconds=1
    # Not sleep, which would be a process more to end.
    exec {never}<> <(:)
    until read -rt 1 -u "$never" || ! kill -0 "$$" 2>/dev/null; do
      printf '\r%s: reading, %ds\033[K' "${program_name:-taskresults}" "$seconds" >&2
      seconds=$((seconds + 1))
    done
  ) >/dev/null &
  ticker=$!
  disown "$ticker" # or bash tells of its end
}

# end_progress - may run in a subshell of the one that began.
end_progress() {
  kill "$ticker" 2>/dev/null
  ((${EPOCHREALTIME/[.,]/} - progress_began < 900000)) || printf '\r\033[K' >&2
}

# with_progress COMMAND... - runs it in a shell that it may leave: the line ends with the script. Its standard output must
# not be a terminal's (a file, or a variable).
with_progress() {
  local in_progress=1 status ticker progress_began
  if [[ ! -t 2 ]]; then
    "$@"
    return
  fi
  start_progress
  "$@"
  status=$?
  end_progress
  return "$status"
}

# until_output COMMAND... - runs it, with the line until its first byte comes.
until_output() {
  local in_progress=1 ticker progress_began
  start_progress
  "$@" | {
    LC_ALL=C IFS= read -rn1 -d '' first
    ended=$?
    end_progress
    ((ended)) || { printf '%s' "$first" 2>/dev/null; exec cat; }
  }
  return "${PIPESTATUS[0]}"
}
