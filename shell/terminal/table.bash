# table.bash - output for people in columns: tables, and lines cut to the width.

# shellcheck shell=bash

load lib/pipes terminal/colour

# by_width NAME [OPTION...] - runs our awk program of that name together with width.awk.
by_width() {
  local room=$shell_home/terminal name=$1
  shift
  awk -f "$room/width_data.awk" -f "$room/width.awk" -f "$room/$name.awk" "$@"
}

# show_table ROWS ALIGN SHRINK [DROP] - rows from `query`, the first a header, as an aligned table. ALIGN has one
# letter, l or r, for each column. When the terminal is too narrow: DROP lists the columns that may be left out, first
# the one to leave out first, and SHRINK those that may be cut, as COLUMN or COLUMN:PLACES, to no less than that.
# With --hosts the first column is the host; then these letters and numbers are those of the columns behind it.
# Cells are made visible wherever the table goes, since one line is one row; --raw leaves all but line breaks.
show_table() {
  local rows=${1%$'\n'} bold='' settings align=$2 shrink=$3 drop=${4-}
  ! in_colour || bold=1
  [[ -z $hosts ]] || { align=l$align; shift_columns shrink; shift_columns drop; }
  settings=(-v align="$align" -v shrink="$shrink" -v drop="$drop" -v width="$terminal_columns" -v bold="$bold")
  if [[ -z $bold ]] && is_visible "$rows"; then
    with_input "$rows" by_width table "${settings[@]}"
    finish "$?"
    return
  fi
  load terminal/show terminal/visible
  with_input "$rows" by_width table "${settings[@]}" |
    if [[ -v opt[raw] ]]; then
      show
    else
      sed -e "$(visible_program)" -e "$(colour_program)"
    fi
  finish "${PIPESTATUS[@]}"
}

# shift_columns NAME - adds 1 to each number of a column.
shift_columns() {
  local word shifted=
  for word in ${!1}; do
    shifted+=" $((${word%%:*} + 1))"
    [[ $word != *:* ]] || shifted+=:${word#*:}
  done
  printf -v "$1" '%s' "${shifted# }"
}

# is_visible ROWS - true if visible_program (terminal/visible) and colour_program would change nothing.
is_visible() {
  local controls=$'*[\x01-\x08\x0b-\x1e\x7f\xf8-\xff]*' c1=$'*\xc2[\x80-\x9f]*'
  local order=$'*\xe2\x80[\xaa-\xae]*' isolates=$'*\xe2\x81[\xa6-\xa9]*'
  # shellcheck disable=SC2053  # patterns
  [[ $1 != $controls && $1 != $c1 && $1 != $order && $1 != $isolates ]]
}

# cut_lines - to the terminal's width, if there is one.
cut_lines() {
  if ((terminal_columns == 0)); then cat; return; fi
  by_width cut -v width="$terminal_columns"
}
