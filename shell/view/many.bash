# many.bash - prints any number of records for `view`, as they come.

# shellcheck shell=bash

load lib/query terminal/colour

# print_many - for a file or a pipe, one more process is enough.
MOST_BYTES_AT_FIRST=65536
print_many() {
  local statuses
  query "$statement" | print_blocks
  statuses=("${PIPESTATUS[@]}")
  finish "${statuses[0]}"
  ((statuses[1] != NOTHING_CAME)) || return "$NOTHING_CAME"
  finish "${statuses[1]}"
}

print_blocks() {
  local first
  if IFS= read -rn "$MOST_BYTES_AT_FIRST" first; then
    ((${#first} == MOST_BYTES_AT_FIRST)) || first+=$'\n'
  elif [[ -z $first ]]; then
    return "$NOTHING_CAME"
  fi
  if ! on_terminal && ! in_colour; then
    [[ $first != *$'\xff'* ]] || load terminal/show
    { # tr will report the error
      if [[ $first == *$'\xff'* ]]; then printf '%s' "$first" | nul_bytes; else printf '%s' "$first"; fi
    } 2>/dev/null
    exec tr '\377' '\000'
  fi
  load view/show
  { printf '%s' "$first"; cat; } | cut_and_show
  finish "${PIPESTATUS[@]}"
}
