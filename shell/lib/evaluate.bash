# evaluate.bash - values of SQL expressions, for the shell.

# shellcheck shell=bash

load lib/sqlite lib/sqlite_version

# evaluate EXPRESSION... - sets `values` to their values; at an error, only to the values before it, and `value_error`
# to SQLite's message.
evaluate() {
  local extension extension_quoted version='' answer line loaded='' expression statements
  values=() value_error=
  find_extension || exit
  statements=('.mode list' "SELECT '=' || sqlite_version();" ${extension_quoted:+".load \"$extension_quoted\""}
    "SELECT '=';")
  for expression; do
    # A text that is too long for a program's arguments cannot be a time.
    ((${#expression} <= 10000)) || expression="taskresults_time('of thousands of characters')"
    statements+=("SELECT '=' || ($expression);")
  done
  answer=$("$sqlite3_program" -init /dev/null -batch :memory: "${statements[@]}" 2>&1)
  answer+=$'\n'
  while [[ -n $answer ]]; do
    line=${answer%%$'\n'*} answer=${answer#*$'\n'}
    if [[ $line != =* ]]; then
      value_error+=${value_error:+ }$line
    elif [[ -z $version ]]; then
      set_version "${line#=}"
    elif [[ -z $loaded ]]; then
      loaded=1
    else
      values+=("${line#=}")
    fi
  done
  [[ -n $version ]] || no_sqlite
  ((version >= OLDEST_SQLITE)) || too_old
  [[ -n $loaded ]] || { load lib/sqlite_errors; die_of_sqlite "$value_error"; }
}

# cut_error_number NAME - cuts off the message in NAME what SQLite adds to it: the number of the error, as " (1)".
cut_error_number() {
  [[ ! ${!1} =~ ^(.*)' ('[0-9]+')'$ ]] || printf -v "$1" '%s' "${BASH_REMATCH[1]}"
}
