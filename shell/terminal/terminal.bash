# terminal.bash - output for people: is it a terminal, how wide is it, and are colours wanted?
#
# Inside SQL, colours are marked by bytes that never occur in UTF-8 (F8 to FC, see set_painted); the last step of a
# pipeline, `show` (terminal/show), first makes the text's own control characters visible, and then turns the marks into
# escape sequences.

# shellcheck shell=bash

# Checked once, here: within a pipeline or a substitution, standard output is something else.
stdout_is_terminal='' terminal_columns=0
if [[ -t 1 ]]; then
  stdout_is_terminal=1
  exec {terminal_fd}>&1
  terminal_columns=${COLUMNS-}
  [[ $terminal_columns =~ ^[1-9][0-9]{0,4}$ ]] || terminal_columns=$(stty size <&"$terminal_fd" 2>/dev/null)
  terminal_columns=${terminal_columns##* }
  [[ $terminal_columns =~ ^[1-9][0-9]{0,4}$ ]] || terminal_columns=80
  exec {terminal_fd}>&-
fi

# on_terminal - output goes to a terminal, without --raw.
on_terminal() {
  [[ -n $stdout_is_terminal && ! -v opt[raw] ]]
}

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
