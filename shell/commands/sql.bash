# sql [STATEMENT...] - starts the sqlite3 shell with the extension loaded
#
# Usage: taskresults sql [OPTION...] [STATEMENT...]
#
# With statements, or if standard input is not a terminal, it runs the statements and stops at the first error.
# Otherwise it is an interactive shell, and only then ~/.sqliterc is read. The database is in memory, unless --db names
# a file.
#
# Options:
#   --mode MODE     how rows are printed: box (the default on a terminal), list (elsewhere), csv, json, line, column,
#                   markdown, table, quote, tabs, html, insert, ascii
#   --header        column names above the rows, in the modes that do not print them anyway
#   --hosts PATH    the tables are those of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands
#                   for the host, which is in the hidden column host; logs and the list of jobs are beside the results
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   --db FILE       open this database, to join its tables with those of taskresults
#
# Exit status:
#   0 fine; 2 usage; 3 a statement failed
#
# Examples:
#   taskresults sql "SELECT job_id, count(*) FROM task_results GROUP BY 1"
#   taskresults sql --mode csv --header "SELECT * FROM task_rejects"

# shellcheck shell=bash

parse_options 'hosts= map= mode= header db=' "$@"
load lib/option_values
map_option
hosts_option
load lib/query
if [[ -n $stdout_is_terminal ]]; then mode=box; else mode=list; fi
mode=${opt[mode]-$mode}
modes='box list csv json line column markdown table quote tabs html insert ascii'
[[ $mode =~ ^(${modes// /|})$ ]] || usage_error "--mode wants one of ${modes// /, }; not '$mode'"
database=${opt[db]-:memory:}
[[ $database != -* ]] || database=./$database

load lib/as_user
[[ ! -v logs_are_beside && -z $hosts ]] || add_for_user "SCHEDULER_LOGS_DIR=$logs_dir"
[[ -z $hosts ]] || add_for_user "SCHEDULER_RESULTS_DIR=$results_dir" "SCHEDULER_JOBS_FILE=$jobs_file"
sqlite_setup
settings=(-cmd ".mode $mode")
[[ ! -v opt[header] ]] || settings+=(-cmd '.headers on')

if ((${#args[@]} == 0)) && [[ -t 0 ]]; then
  # -init would replace ~/.sqliterc.
  exec_as_user "$sqlite3_program" -interactive "${settings[@]}" "${load_extension[@]}" "$database"
fi
sqlite_database=$database
run_as=(exec_as_user) # for .shell, and for local times
if ((${#args[@]})); then
  to_output run_sqlite "${settings[@]}" < <(printf '%s\n;\n' "${args[@]}")
else
  to_output run_sqlite "${settings[@]}"
fi
