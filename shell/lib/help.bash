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

# no_command NAME - says so, with the command that may have been meant, and where the list is.
no_command() {
  local file commands=() near near_kind
  # shellcheck source=shell/hints/names.bash
  source "$shell_home/hints/names.bash"
  for file in "$shell_home"/commands/*.bash; do
    file=${file##*/}
    commands+=("${file%.bash}")
  done
  near_names "${1##*-}" "${commands[@]}"
  if [[ $1 == -* ]]; then
    say "no command '$1': the command comes first, then its options"
  else
    say "no command '$1'"
  fi
  help_hint='taskresults help'
  usage_error_near "${near[@]}"
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
