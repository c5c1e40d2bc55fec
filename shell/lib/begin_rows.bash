# begin_rows.bash - starts the program whose rows lib/rows reads, before there is a statement for it.

# shellcheck shell=bash

load lib/sqlite

MOST_FOR_BEGUN=50000 # bytes, which a pipe holds: bash must not wait for the program while the program waits for bash

# begin_rows - for the next set_rows. The program takes about as long to start as bash takes to write a statement, so a
# command that begins with it ends earlier.
begin_rows() {
  [[ ! -t 2 && -z $query_end ]] || return 0
  sqlite_setup
  coproc sqlite { run_for_rows; }
  # Bash forgets the descriptors of a program that has ended.
  { exec {rows_begun}<&"${sqlite[0]-}"; } 2>/dev/null || unset -v rows_begun
}

run_for_rows() {
  exec "$sqlite3_program" -init /dev/null -batch "${sqlite_plain[@]}" -cmd "$keep_in_memory" "${sqlite_start[@]}" \
    :memory: 2>&1
}
