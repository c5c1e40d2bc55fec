# help [COMMAND] - what there is, or how one command is used
#
# Usage: taskresults help [COMMAND]
#        taskresults COMMAND --help
#
# Examples:
#   taskresults help
#   taskresults help view

# shellcheck shell=bash

load lib/help

list_commands() {
  local file summary
  header_of "$shell_home/taskresults"
  printf '\nCommands:\n'
  for file in "$shell_home"/commands/*.bash; do
    summary=$(summary_of "$file")
    printf '  %-20s %s\n' "${summary%% - *}" "${summary#* - }"
  done
}

parse_options '' "$@"
at_most 1
if [[ -v args[0] ]]; then
  [[ ${args[0]} =~ ^[a-z]+$ && -f $shell_home/commands/${args[0]}.bash ]] || no_command "${args[0]}"
  show_help "${args[0]}"
fi
to_output list_commands
