# import - appends new rows of another scheduler's database to the results, each row once
#
# Usage: taskresults import --from DB --preset NAME [OPTION...]
#        taskresults import --from DB --query SQL [OPTION...]
#
# For schedulers that keep their runs in a SQLite database, and only the newest of them. Run it from cron, more often
# than they forget. The database is only read, also while its program writes to it.
#
# Each row is appended once, even if an import is killed, or the disk is full for a while. For that, the cursor, a small
# database, remembers the finish time and the key of each row. A row whose finish time changes is another run. Rows with
# the same finish time and key are one; the keys 1 and 1.0 are the same, and '1' is another.
#
# Texts are cut to 5000 characters, as in all records, and bytes that are not UTF-8 become U+FFFD. A row that cannot be
# a record is left out, and named once: a finish time that is no time, a job that cannot name a file (with '/', empty,
# over 249 bytes), a success that is neither 0 nor 1, or no key.
#
# Rows of a job whose file cannot be appended to wait in the cursor, and the others are imported.
#
# Options:
#   --from DB       the database
#   --preset NAME   what to read from it: hermes, openclaw or openclaw-2026.6 (openclaw 2026.6 and 2026.7). Each is a
#                   file with a SELECT, in examples/import
#   --query SQL     or a SELECT of your own, with the columns job_id, job_name, success, output, error, finished and
#                   key, in any order. finished is a time: text, or seconds, milliseconds or microseconds since 1970 (a
#                   number from 1e11 on is milliseconds, from 1e14 on microseconds); a row without it has not finished,
#                   and is not read. key tells rows of the same finish time apart, and never changes: a primary key.
#                   job_name, output and error may be NULL. All of its rows are read each time, so let a large table
#                   have a condition, such as a finish time in the last 30 days
#   --name NAME     what the cursor is called; default is the preset, or the path of the database. With another name,
#                   all rows are new. Another --query of the same database needs a name
#   --state DIR     the directory with the cursor; default .taskresults/imported in the directory of results, which has
#                   to be yours then
#   --quiet         do not print how many rows were imported, for cron
#
# Exit status:
#   0 fine, even if there was nothing new; 1 rows were left out, and named; 2 usage; 3 input or output failed; 75 the
#   database is locked, or another import runs with this cursor: try again later
#
# Examples:
#   taskresults import --from ~/.hermes/cron/executions.db --preset hermes
#   taskresults import --from runs.db --query 'SELECT job AS job_id, NULL AS job_name, ok AS success, log AS output,
#     NULL AS error, ended AS finished, id AS key FROM runs'

# shellcheck shell=bash

parse_options 'from= preset= query= name= state= quiet' "$@"
[[ -z ${TASKRESULTS_MAP-} || $TASKRESULTS_MAP == native ]] ||
  usage_error "import appends our scheduler's records, and TASKRESULTS_MAP names another program: unset it"
unset TASKRESULTS_MAX_LINE # our records are short, and a batch is only found again if all of them can be read
load lib/option_values lib/query lib/sql_text import/source import/cursor import/rounds
at_most 0
[[ -n ${opt[from]-} ]] || usage_error 'import wants a database: --from DB'
exclusive preset query
[[ -v opt[preset] || -v opt[query] ]] || usage_error 'import wants to know what to read: --preset NAME, or --query SQL'
[[ -d $results_dir ]] || { load hints/schedulers; no_results_dir "$results_dir"; }
[[ -r $results_dir && -x $results_dir ]] || die "$EXIT_IO" "results directory $results_dir: Permission denied"
results_path=$(cd -- "$results_dir" && pwd -P) || exit "$EXIT_IO"
export SCHEDULER_RESULTS_DIR=$results_path
command -v flock >/dev/null || die "$EXIT_IO" 'import needs the program flock, which is not installed'

sqlite_setup
open_source
read_rows
open_cursor
set_row_sql
imported=0 has_refused='' jobs=() waiting=()
set_next_part
set_taking taking
set_refusals refusals
set_check check
run_round "$check
$SETTLE_SQL $refusals $taking"
read_answer
while ((${#jobs[@]})); do
  if set_targets; then
    set_append append
    run_round "$append"
  else
    set_next_part
    set_taking taking
    run_round "$next_jobs"
  fi
  read_answer
  ((${#jobs[@]} == 0)) || continue
  run_round "$taking" # what came meanwhile
  read_answer
done
[[ -v opt[quiet] ]] || printf '%s\n' "$imported row$( ((imported == 1)) || echo s) imported"
((${#waiting[@]} == 0)) || exit "$EXIT_IO"
[[ -z $has_refused ]] || exit "$EXIT_NO"
