# version - the versions of the extension and of SQLite
#
# Usage: taskresults version
#
# Examples:
#   taskresults version

# shellcheck shell=bash

parse_options '' "$@"
at_most 0
query "SELECT 'taskresults ' || taskresults_version() || ' (SQLite ' || sqlite_version() || ')';"
finish "$?"
