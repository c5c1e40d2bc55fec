# terminal.bash - output for people: width, colour, control characters made visible, tables.
#
# Colour is asked for inside SQL by bytes that no UTF-8 text holds (F8 to FC, see paint); the last step of a pipeline,
# `show`, turns them into escape sequences after it has made the text's own control characters visible.

# shellcheck shell=bash

# Asked once, here: within a pipeline or a substitution, standard output is another one.
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

# on_terminal - people are reading, and did not say --raw.
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
  local -A code_=([green]=f8 [red]=f9 [dim]=fa [bold]=fb)
  if in_colour; then
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

colour_program() {
  printf 's/\\xf8/\\x1b[32m/g\ns/\\xf9/\\x1b[31m/g\ns/\\xfa/\\x1b[2m/g\ns/\\xfb/\\x1b[1m/g\ns/\\xfc/\\x1b[0m/g\n'
}

# show - the last step: to a terminal, control characters visible and colours; elsewhere, and with --raw, every byte.
# Who asks for colour elsewhere has a terminal at the other end (`| less -R`), which must not get the texts' own
# controls.
show() {
  if on_terminal || { in_colour && [[ ! -v opt[raw] ]]; }; then
    LC_ALL=C sed -u -e "$(visible_program)" -e "$(colour_program)"
  elif in_colour; then
    LC_ALL=C sed -u -e 's/\xff/\x00/g' -e "$(colour_program)"
  elif [[ ${command-} == follow ]]; then # line by line, which tr cannot
    LC_ALL=C sed -u 's/\xff/\x00/g'
  else
    nul_bytes
  fi
}

# by_width NAME [OPTION...] - runs our awk program of that name, which knows how wide a text is.
by_width() {
  local room=$shell_home/terminal name=$1
  shift
  LC_ALL=C awk -f "$room/width_data.awk" -f "$room/width.awk" -f "$room/$name.awk" "$@"
}

# show_table ALIGN SHRINK [DROP] - rows from `query`, the first a header, as an aligned table. ALIGN has one letter, l
# or r, for each column. When the terminal is too narrow: DROP lists the columns that may be left out, first the one to
# leave out first, and SHRINK those that may be cut, as COLUMN or COLUMN:PLACES, to no less than that.
# Cells are made visible wherever the table goes, since one line is one row; --raw leaves all but line breaks.
show_table() {
  by_width table -v align="$1" -v shrink="$2" -v drop="${3-}" -v width="$terminal_columns" \
    -v bold="$(in_colour && echo 1)" |
    if [[ -v opt[raw] ]]; then
      show
    else
      LC_ALL=C sed -e "$(visible_program)" -e "$(colour_program)"
    fi
  finish "${PIPESTATUS[@]}"
}

# cut_lines - to the terminal's width, if there is one.
cut_lines() {
  if ((terminal_columns == 0)); then cat; return; fi
  by_width cut -v width="$terminal_columns"
}
