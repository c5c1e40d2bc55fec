# help.bash - the header comment of a command's file is its help, its man page's source and its completions' too.

# shellcheck shell=bash

# header_of FILE - its first comment, without the #.
header_of() {
  awk '/^#!/ { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$1"
}

# summary_of FILE - "NAME ARGUMENTS - summary", the header's first line.
summary_of() {
  awk '/^#!/ { next } { sub(/^# ?/, ""); print; exit }' "$1"
}

# show_help COMMAND - prints it, and ends the script.
show_help() {
  to_output command_help "$1"
  exit
}

command_help() {
  printf 'taskresults '
  header_of "$shell_home/commands/$1.bash"
}
