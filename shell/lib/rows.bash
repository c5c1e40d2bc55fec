# rows.bash - the rows of a query in a variable.

# shellcheck shell=bash

load lib/sqlite lib/pipes

# set_rows NAME SQL - sets NAME to the rows of a query that only reads, with the newline of each. Returns as `query`
# does; NAME then has the rows that came.
set_rows() {
  local text_ status_
  set_rows_at_once text_ "$2" && { printf -v "$1" '%s' "$text_"; return; }
  load lib/query
  text_=$(with_progress query "$2"; status=$?; printf . && exit "$status") # the . keeps newlines at the end
  status_=$?
  printf -v "$1" '%s' "${text_%.}"
  return "$status_"
}

# set_rows_at_once NAME SQL - the same with a single process, if there is no error: messages of the program come mixed
# with the rows, and only the version, which comes first, can be separated. Otherwise it returns 1, and the query has to
# be run again.
set_rows_at_once() {
  local rows_ LC_ALL=C # a character is a byte then
  [[ ! -t 2 && -z $query_end ]] || return
  sqlite_setup
  rows_=$(with_input "$2"$'\n'"SELECT '.';" exec "$sqlite3_program" -init /dev/null -batch "${sqlite_plain[@]}" \
    -cmd "$keep_in_memory" "${sqlite_start[@]}" :memory: 2>&1) || return 1
  [[ $rows_ == *"$VERSION_MARK"*$'\n'* ]] || return
  rows_=${rows_#*"$VERSION_MARK"}
  rows_=${rows_#*$'\n'}
  [[ $rows_ == *. ]] && printf -v "$1" '%s' "${rows_%.}"
}
