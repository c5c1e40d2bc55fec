# atomic.bash - writes a file that appears complete or not at all.

# shellcheck shell=bash

# write_atomically FILE COMMAND... - the command's standard output becomes the file, through `taskresults-run --write`,
# which says how (shell/runner/write.c). If anything fails or is interrupted, the file stays unchanged. `temporary` is
# the name that it has until it is complete, if the caller has set one.
write_atomically() {
  local file=$1 seal=$EPOCHREALTIME.$$.$RANDOM.$RANDOM.$RANDOM.$RANDOM runner status
  shift
  if [[ $file == - ]]; then
    "$@"
    return
  fi
  load lib/runner
  find_runner || die "$EXIT_IO" 'taskresults-run is not beside the extension: build it with make'
  exec {to_writer}> >(exec "$runner" --write "$file" "$seal" ${temporary:+"$temporary"})
  writer=$!
  trap drop_writer EXIT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  (stdout_is_terminal='' && "$@") >&"$to_writer" {to_writer}>&- # no terminal, though our output may be one
  status=$?
  # This fails if the writer has ended; that need not end us, as the writer has printed the reason.
  ((status)) || (trap '' PIPE && printf %s "$seal" 2>/dev/null) >&"$to_writer"
  stop_writer || status=$EXIT_IO
  trap - EXIT TERM HUP
  ((status == 0)) || exit "$status"
}

# drop_writer - ends the writer early: it may be waiting for a reader to open a FIFO, and bash makes it ignore INT.
drop_writer() {
  kill -TERM "$writer" 2>/dev/null
  stop_writer
}

# Ends the writer, and waits until it has ended.
stop_writer() {
  exec {to_writer}>&-
  wait "$writer"
}
