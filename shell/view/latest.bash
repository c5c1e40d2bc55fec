# latest.bash - `view JOB --latest`, without what other options need: reading that takes bash longer than the query.

# shellcheck shell=bash

load lib/begin_rows
begin_rows
load lib/sql_text lib/records lib/rows

# print_latest JOB - and exits. Returns if there is no such record, or anything is unusual: then the rest of `view`
# looks again, and finds the words for it.
print_latest() {
  local -A opt=()
  local zone='' stdout_is_terminal='' job block text sql_
  set_sql_text job "$1"
  set_record_block block 200
  sql_="SELECT $block FROM task_results($job) ORDER BY rowid DESC LIMIT 1;"
  set_rows_at_once text && [[ -n $text && $text != *$'\xff'* ]] || return
  trap reader_left=1 PIPE
  printf '%s' "$text" 2>/dev/null || [[ -v reader_left ]] || die "$EXIT_IO" 'the output cannot be written'
  exit # before the next command of the script, bash would fill a table of all processes that it may ever start
}
