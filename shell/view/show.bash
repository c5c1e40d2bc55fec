# show.bash - the records of `view`, for a terminal.

# shellcheck shell=bash

load terminal/show

# cut_and_show - the last step: lines cut to the width, control characters made visible, colours.
cut_and_show() {
  if [[ -v opt[full] ]] || ! on_terminal; then show; else load terminal/table; cut_lines | show; fi
  finish "${PIPESTATUS[@]}"
}
