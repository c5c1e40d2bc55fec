# help [COMMAND] - what there is, or how one command is used
#
# Usage: taskresults help [COMMAND]
#        taskresults COMMAND --help
#
# Examples:
#   taskresults help
#   taskresults help view

# shellcheck shell=bash

parse_options '' "$@"
at_most 1
if [[ -v args[0] ]]; then
  file=$shell_home/commands/${args[0]}.bash
  [[ ${args[0]} =~ ^[a-z]+$ && -f $file ]] || usage_error "no command '${args[0]}'"
  printf 'taskresults '
  header_of "$file"
  exit 0
fi
header_of "$shell_home/taskresults"
printf '\nCommands:\n'
for file in "$shell_home"/commands/*.bash; do
  summary=$(summary_of "$file")
  printf '  %-20s %s\n' "${summary%% - *}" "${summary#* - }"
done
