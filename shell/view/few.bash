# few.bash - prints a few records for `view`, from a variable.

# shellcheck shell=bash

load lib/rows

# print_few - and exits.
print_few() {
  local text status
  set_rows text "$statement"
  status=$?
  if [[ -n $text ]]; then print_text; fi
  ((status == 0)) || { load lib/pipes; finish "$status"; }
  [[ -n $text ]] || no_record
  end_with_hints
  exit # before the next command of the script, bash would fill a table of all processes that it may ever start
}

print_text() {
  if [[ $text == *$'\xff'* || -n $stdout_is_terminal || -v opt[color] ]]; then
    load view/show lib/pipes
    printf '%s' "$text" | cut_and_show
    finish "${PIPESTATUS[@]}"
  else
    trap reader_left=1 PIPE
    printf '%s' "$text" 2>/dev/null || [[ -v reader_left ]] || die "$EXIT_IO" 'the output cannot be written'
    trap - PIPE
  fi
}
