# grep.bash - --grep TEXT: a condition on what a run printed.

# shellcheck shell=bash

load lib/sql_text

LONGEST_GREP=1000 # bytes
# As a regular expression over bytes: a text in UTF-8.
IS_UTF8=$'^([\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf][\x80-\xbf]'
IS_UTF8+=$'|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf][\x80-\xbf]'
IS_UTF8+=$'|[\xf1-\xf3][\x80-\xbf][\x80-\xbf][\x80-\xbf]|\xf4[\x80-\x8f][\x80-\xbf][\x80-\xbf])*$'

# set_patterns - sets `pattern`, SQL: what output or error has to be LIKE; and `exact`, a pattern for ESCAPE, if that
# is more. SQLite passes LIKE on to the extension, but not LIKE with ESCAPE. So where the text has a wildcard,
# a weaker pattern passes over most records, in which any character may stand in its place.
set_patterns() {
  local text=${opt[grep]}
  [[ -n $text ]] || usage_error '--grep wants a text'
  ((${#text} <= LONGEST_GREP)) || usage_error "--grep wants a text of at most $LONGEST_GREP bytes"
  [[ $text =~ $IS_UTF8 ]] || usage_error '--grep wants a text in UTF-8'
  exact=
  set_sql_text pattern "%${text//[%_]/_}%"
  [[ $text == *[%_]* ]] || return 0
  text=${text//\\/\\\\} text=${text//%/\\%} text=${text//_/\\_}
  set_sql_text exact "%$text%"
}

# add_grep NAME - adds to the variable, SQL: output or error holds the text.
add_grep() {
  local pattern exact
  set_patterns
  if [[ -n $exact ]]; then
    printf -v "$1" '%s' "${!1} AND (output LIKE $exact ESCAPE '\\' OR error LIKE $exact ESCAPE '\\')"
  else
    printf -v "$1" '%s' "${!1} AND (output LIKE $pattern OR error LIKE $pattern)"
  fi
}

# set_grep_source NAME TABLE - sets NAME to what stands for the TABLE then: SQL, with the rows that add_grep wants, and
# a few more. An OR over two columns would not be passed on to the extension, but each of its halves is.
set_grep_source() {
  local pattern exact columns='rowid, timestamp, job_id, job_name, success, output, error, record, time_us, offset'
  columns+=', ok, host'
  set_patterns
  printf -v "$1" '%s' "(SELECT $columns FROM $2 WHERE output LIKE $pattern UNION ALL
    SELECT $columns FROM $2 WHERE error LIKE $pattern AND (output LIKE $pattern) IS NOT 1)"
}
