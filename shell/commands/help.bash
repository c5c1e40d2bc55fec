# help [COMMAND] - lists the commands, or explains one of them
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
  local file header summary line
  set_header header "$shell_home/taskresults"
  header+=$'\nCommands:\n'
  for file in "$shell_home"/commands/*.bash; do
    set_summary summary "$file"
    printf -v line '  %-20s %s\n' "${summary%% - *}" "${summary#* - }"
    header+=$line
  done
  print_help "$header"
}

parse_options '' "$@"
at_most 1
if [[ -v args[0] ]]; then
  [[ ${args[0]} =~ ^[a-z]+$ && -f $shell_home/commands/${args[0]}.bash ]] || no_command "${args[0]}"
  show_help "${args[0]}"
fi
list_commands
