# terminal.bash - output for people: is it a terminal, and how wide is it?

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
