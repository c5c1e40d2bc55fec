# query.bash - running SQL safely: it stops at the first error, and statements come on standard input.

# shellcheck shell=bash

load lib/sqlite lib/pipes

# query SQL - prints the rows. On an error says what SQLite said, and returns 3; 141 when the reader went away.
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

# run_plain - prints one plain text a row.
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

# count_untimed - from now on, queries end with a word on the records that their range of time has passed over, since
# their time cannot be read. They are counted on the way; it comes in where complaints do.
count_untimed() {
  query_end=$'.output /dev/fd/2\nSELECT \'untimed \' || taskresults_untimed();\n'
}

# What the shell of the substitution below becomes the sqlite3 program by; for `sql`, the user's own, exec_as_user.
run_as=(exec)

# run_sqlite [OPTION...] - the program itself, on the statements that come in. Rows go out as soon as their statement
# has ended.
run_sqlite() {
  local status complaint
  {
    complaint=$("${run_as[@]}" "$sqlite3_program" -init /dev/null -batch "$@" "${sqlite_start[@]}" \
      "${sqlite_database:-:memory:}" 2>&1 >&3 3>&-)
    status=$?
  } 3>&1
  ((status != 130 && status != 141)) || return "$status"
  # If all is well, the version is the last word.
  [[ $status == 0 && $complaint == *"$VERSION_MARK"+([0-9.]) ]] || judge_end "$status" "$complaint"
}

# judge_end STATUS COMPLAINT - what came of it, if that is more than rows.
judge_end() {
  load lib/sqlite_errors
  judge_sqlite "$@"
}
