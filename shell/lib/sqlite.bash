# sqlite.bash - how the sqlite3 program is started: no start-up file of the user's, the extension loaded.

# shellcheck shell=bash

# One that has the extension built in goes before the system's, which may be unable to load it: `make
# taskresults-sqlite3`.
sqlite3_program=${TASKRESULTS_SQLITE3:-sqlite3}
if [[ -z ${TASKRESULTS_SQLITE3-}${TASKRESULTS_EXTENSION-} ]]; then
  for sqlite3_candidate in "$shell_home"{,/..}/taskresults-sqlite3; do
    [[ ! -x $sqlite3_candidate ]] || { sqlite3_program=$sqlite3_candidate && break; }
  done
fi

# find_extension - sets `extension`, the path, and `extension_quoted`, for a dot command. `shell_home` is the directory
# of the running script, links resolved: in it lies a link when installed, above it the build when run from a checkout.
# TASKRESULTS_EXTENSION overrides both. Of a program that has the extension built in, `extension` is the program, and
# `extension_quoted` is empty.
find_extension() {
  if [[ ${sqlite3_program##*/} == taskresults-sqlite3 ]]; then
    extension=$sqlite3_program extension_quoted=
    return
  fi
  local path candidates=("$shell_home/taskresults.so" "$shell_home/../taskresults.so")
  [[ -z ${TASKRESULTS_EXTENSION-} ]] || candidates=("$(realpath -m -- "$TASKRESULTS_EXTENSION")")
  for path in "${candidates[@]}"; do
    if [[ -f $path || -f $path.so ]]; then
      extension=$path extension_quoted=$path
      [[ $path != *[!a-zA-Z0-9/._-]* ]] || { load lib/octal; set_octal extension_quoted "$path"; }
      return
    fi
  done
  say "the extension is not at $path: build it with make, or name it in TASKRESULTS_EXTENSION"
  return "$EXIT_IO"
}

# sqlite_setup - sets `load_extension` and `sqlite_start`, options of the sqlite3 program: it prints its version to
# standard error, so that no extra process has to ask for it; then it stops at the first error, and loads the extension.
# In this order: in 3.54, the first -cmd statement after `.bail on` is the last one that is run.
VERSION_MARK='taskresults: this is sqlite3 '
sqlite_setup() {
  [[ ! -v sqlite_start ]] || return 0
  local extension extension_quoted
  find_extension || exit
  load_extension=(${extension_quoted:+-cmd ".load \"$extension_quoted\""})
  sqlite_start=(-cmd '.output /dev/fd/2' -cmd "SELECT '$VERSION_MARK' || sqlite_version();" -cmd .output
    -cmd '.bail on' "${load_extension[@]}")
}

# Prints a plain text per row. From 3.50 on the program escapes control characters unless told not to; an older one does
# not know that option, but its error is ignored, as it comes before `sqlite_start`.
sqlite_plain=(-cmd '.mode list --escape off' -cmd '.separator "\037" "\n"')

# Sorting happens in memory, so that a query does not fail if there is no room for temporary files.
keep_in_memory='PRAGMA temp_store=memory;'

# What follows the statements of each query (see count_untimed).
query_end=
