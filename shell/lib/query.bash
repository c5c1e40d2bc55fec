# query.bash - running SQL safely: it stops at the first error, and statements come on standard input.

# shellcheck shell=bash

load lib/sqlite lib/pipes

# query SQL - prints the rows. On an error prints SQLite's message, and returns 3; 141 when the reader closed the pipe.
query() {
  sqlite_setup
  if [[ -v in_progress || ! -t 2 ]]; then
    send_query "$1"
  elif [[ -n $stdout_is_terminal ]]; then
    load terminal/progress
    until_output send_query "$1"
  else
    with_progress send_query "$1"
  fi
}

send_query() {
  with_input "$1"$'\n'"$query_end" run_plain
}

# run_plain - prints a plain text per row.
run_plain() {
  run_sqlite "${sqlite_plain[@]}" -cmd "$keep_in_memory"
}

# with_progress COMMAND... - runs it, on a terminal with a line that says how long it has taken.
with_progress() {
  if [[ -t 2 ]]; then
    load terminal/progress
    show_progress "$@"
  else
    "$@"
  fi
}

# count_untimed - from now on, queries end with a message about records that a range of time skipped because their time
# cannot be read. The count arrives on standard error, like error messages.
count_untimed() {
  query_end=$'.output /dev/fd/2\nSELECT \'untimed \' || taskresults_untimed();\n'
}

# How run_sqlite starts the program: exec; for `sql`, exec_as_user, which restores the user's environment.
run_as=(exec)

# run_sqlite [OPTION...] - runs the program on the statements from standard input.
run_sqlite() {
  local status complaint
  {
    complaint=$("${run_as[@]}" "$sqlite3_program" -init /dev/null -batch "$@" "${sqlite_start[@]}" \
      "${sqlite_database:-:memory:}" 2>&1 >&3 3>&-)
    status=$?
  } 3>&1
  judge_program "$status" "$complaint"
}

# judge_program STATUS COMPLAINT - if there was no error, the version is all that it printed.
judge_program() {
  (($1 != 130 && $1 != 141)) || return "$1"
  [[ $1 == 0 && $2 == *"$VERSION_MARK"+([0-9.]) ]] || judge_end "$1" "$2"
}

# judge_end STATUS COMPLAINT - handles messages of the program, and its exit status.
judge_end() {
  load lib/sqlite_errors
  judge_sqlite "$@"
}
