# sqlite_version.bash - the version of the sqlite3 program, as one number: 3.40.1 is 3040001.

# shellcheck shell=bash

OLDEST_SQLITE=3038000

# sqlite_version - sets `version` to that of `sqlite3_program`.
sqlite_version() {
  local text
  text=$("$sqlite3_program" -init /dev/null -version 2>/dev/null) || return
  set_version "$text"
}

set_version() {
  [[ $1 =~ ^([0-9]+)\.([0-9]+)(\.([0-9]+))? ]] || return
  version=$((BASH_REMATCH[1] * 1000000 + BASH_REMATCH[2] * 1000 + ${BASH_REMATCH[4]:-0}))
}

no_sqlite() {
  die "$EXIT_IO" "no $sqlite3_program program; on Debian: apt-get install sqlite3"
}

too_old() {
  die "$EXIT_IO" "$sqlite3_program is older than 3.38"
}
