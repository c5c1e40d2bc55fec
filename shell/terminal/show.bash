# show.bash - the last step of output for people: control characters made visible, colours.

# shellcheck shell=bash

load terminal/colour

# nul_bytes - turns FF, from sqlite3, back to NUL (lib/fields).
nul_bytes() {
  tr '\377' '\000'
}

colour_program() {
  printf 's/\\xf8/\\x1b[32m/g\ns/\\xf9/\\x1b[31m/g\ns/\\xfa/\\x1b[2m/g\ns/\\xfb/\\x1b[1m/g\ns/\\xfc/\\x1b[0m/g\n'
}

# show - the last step: to a terminal, control characters visible and colours; elsewhere, and with --raw, every byte.
# With colour elsewhere, a terminal is at the other end (`| less -R`), which must not get control characters of the
# texts.
show() {
  if on_terminal || { in_colour && [[ ! -v opt[raw] ]]; }; then
    load terminal/visible
    sed -u -e "$(visible_program)" -e "$(colour_program)"
  elif in_colour; then
    sed -u -e 's/\xff/\x00/g' -e "$(colour_program)"
  elif [[ ${command-} == follow ]]; then # line by line, which tr cannot
    sed -u 's/\xff/\x00/g'
  else
    nul_bytes
  fi
}
