# rows.bash - the rows of a query in a variable.

# shellcheck shell=bash

load lib/sqlite

# set_rows NAME SQL - sets NAME to the rows of a query that only reads, with the newline of each. Returns as `query`
# does; NAME then has the rows that came.
set_rows() {
  local text_ status_ sql_=$2
  set_rows_at_once "$1" && return
  load lib/query
  text_=$(with_progress query "$sql_"; status=$?; printf . && exit "$status") # the . keeps newlines at the end
  status_=$?
  printf -v "$1" '%s' "${text_%.}"
  return "$status_"
}

# set_rows_at_once NAME - the same of `sql_`, with a single process, if there is no error: messages of the program come
# mixed with the rows, and only the version, which comes first, can be separated. Otherwise it returns 1, and the query
# has to be run again.
END_OF_ROWS=$'\nSELECT \'.\';'
set_rows_at_once() {
  local rows_
  [[ ! -t 2 && -z $query_end ]] || return
  if [[ -v rows_begun ]] && ((${#sql_} < MOST_FOR_BEGUN)); then
    rows_of_begun || return
  else
    load lib/begin_rows lib/pipes
    sqlite_setup
    rows_=$(with_input "$sql_$END_OF_ROWS" run_for_rows) || return
  fi
  [[ $rows_ == *"$VERSION_MARK"*$'\n'* ]] || return
  rows_=${rows_#*"$VERSION_MARK"}
  rows_=${rows_#*$'\n'}
  [[ $rows_ == *. ]] && printf -v "$1" '%s' "${rows_%.}"
}

# rows_of_begun - for set_rows_at_once: sets `rows_` to what the program prints for `sql_`.
rows_of_begun() {
  local pid=${sqlite_PID-} to=${sqlite[1]-} from=$rows_begun
  unset -v rows_begun
  [[ -n $pid && -n $to ]] || { exec {from}<&-; return 1; } # it has ended without a statement
  trap : PIPE # the program may have failed to start
  { printf '%s%s\n' "$sql_" "$END_OF_ROWS" >&"$to"; } 2>/dev/null
  trap - PIPE
  exec {to}>&-
  rows_=$(</dev/fd/"$from")
  exec {from}<&-
  wait "$pid"
}
