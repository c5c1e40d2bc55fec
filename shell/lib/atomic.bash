# atomic.bash - a file that is there whole or not at all.

# shellcheck shell=bash

# write_atomically FILE COMMAND... - the command's standard output becomes the file, through `taskresults-run --write`,
# which says how (shell/runner/write.c). If anything fails or is interrupted, the file is what it was.
write_atomically() {
  local file=$1 seal=$EPOCHREALTIME.$$.$RANDOM.$RANDOM.$RANDOM.$RANDOM runner status
  shift
  if [[ $file == - ]]; then
    "$@"
    return
  fi
  load lib/runner
  find_runner || die "$EXIT_IO" 'taskresults-run is not beside the extension: build it with make'
  exec {to_writer}> >(exec "$runner" --write "$file" "$seal")
  writer=$!
  trap drop_writer EXIT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  (stdout_is_terminal='' && "$@") >&"$to_writer" {to_writer}>&- # no terminal, though our output may be one
  status=$?
  # To a writer that is gone this fails, and need not end us: it has said why.
  ((status)) || (trap '' PIPE && printf %s "$seal" 2>/dev/null) >&"$to_writer"
  stop_writer || status=$EXIT_IO
  trap - EXIT TERM HUP
  ((status == 0)) || exit "$status"
}

# drop_writer - for an end before the end: it may be waiting for somebody who opens a FIFO, and bash has it ignore INT.
drop_writer() {
  kill -TERM "$writer" 2>/dev/null
  stop_writer
}

# Nothing of it is left when it has ended.
stop_writer() {
  exec {to_writer}>&-
  wait "$writer"
}
