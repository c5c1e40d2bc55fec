# colour.bash - are colours wanted, and how texts get them.
#
# Inside SQL, colours are marked by bytes that never occur in UTF-8 (F8 to FC, see set_painted); the last step of a
# pipeline, `show` (terminal/show), first makes the text's own control characters visible, and then turns the marks into
# escape sequences.

# shellcheck shell=bash

# in_colour - as --color says, or else on a terminal, unless NO_COLOR is set.
in_colour() {
  case ${opt[color]-auto} in
    always) return 0 ;;
    never) return 1 ;;
    *) [[ -n $stdout_is_terminal && -z ${NO_COLOR-} && ${TERM-dumb} != dumb ]] ;;
  esac
}

# set_painted NAME green|red|dim|bold EXPRESSION - sets NAME to SQL: the text in that colour, if there is colour at all.
set_painted() {
  if in_colour; then
    local -A code_=([green]=f8 [red]=f9 [dim]=fa [bold]=fb)
    printf -v "$1" "CAST(x'%s' AS TEXT) || (%s) || CAST(x'fc' AS TEXT)" "${code_[$2]}" "$3"
  else
    printf -v "$1" '(%s)' "$3"
  fi
}

paint() {
  local text
  set_painted text "$@"
  printf '%s' "$text"
}
