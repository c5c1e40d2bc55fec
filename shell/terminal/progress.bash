# progress.bash - a line on standard error, on a terminal, while an operation takes longer than a second.
#
# `query` has it by itself (lib/query): until the first row comes, if rows go to a terminal, too; else until the last. A
# function that takes longer than its query is run by with_progress as a whole.

# shellcheck shell=bash

# start_progress - sets `ticker`, `progress_began`, and `script_lives`, which is to be closed.
start_progress() {
  progress_began=${EPOCHREALTIME/[.,]/}
  # Its input ends when the script ends, in whatever way. kill(1) could not tell: it succeeds for a zombie, too.
  exec {script_lives}> >(
    trap - INT TERM
    exec >/dev/null # a reader of standard output must not wait for this process
    for ((seconds = 1; ; seconds++)); do
      read -rt 1
      (($? > 128)) || exit # what timed out
      printf '\r%s: reading, %ds\033[K' "${program_name:-taskresults}" "$seconds" >&2
    done
  )
  ticker=$!
}

# end_progress - may run in a subshell of the shell that started it.
end_progress() {
  kill "$ticker" 2>/dev/null
  ((${EPOCHREALTIME/[.,]/} - progress_began < 900000)) || printf '\r\033[K' >&2
}

# show_progress COMMAND... - runs it in a shell that it may exit: the line ends with the script. Its standard output
# must not be a terminal's (a file, or a variable).
show_progress() {
  local in_progress=1 status ticker progress_began script_lives
  start_progress
  "$@"
  status=$?
  end_progress
  exec {script_lives}>&-
  return "$status"
}

# until_output COMMAND... - runs it, with the line until its first byte comes.
until_output() {
  local in_progress=1 status ticker progress_began script_lives
  start_progress
  "$@" | {
    IFS= read -rn1 -d '' first
    ended=$?
    end_progress
    ((ended)) || { printf '%s' "$first" 2>/dev/null; exec cat; }
  }
  status=${PIPESTATUS[0]}
  exec {script_lives}>&-
  return "$status"
}
