# version - the versions of the extension and of SQLite
#
# Usage: taskresults version
#
# Examples:
#   taskresults version

# shellcheck shell=bash

parse_options '' "$@"
load lib/query
at_most 0
to_output query "SELECT 'taskresults ' || taskresults_version() || ' (SQLite ' || sqlite_version() || ')';"
