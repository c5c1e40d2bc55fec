# grep.bash - --grep TEXT: a condition on what a run printed.

# shellcheck shell=bash

load lib/sql_text

LONGEST_GREP=1000 # bytes
# A regular expression over bytes that matches valid UTF-8.
IS_UTF8=$'^([\x01-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf][\x80-\xbf]'
IS_UTF8+=$'|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf][\x80-\xbf]'
IS_UTF8+=$'|[\xf1-\xf3][\x80-\xbf][\x80-\xbf][\x80-\xbf]|\xf4[\x80-\x8f][\x80-\xbf][\x80-\xbf])*$'

# set_patterns - sets `pattern`, SQL: the LIKE pattern for output and error; and, if the text has a wildcard (% or _),
# `exact`, the pattern for LIKE … ESCAPE. SQLite passes LIKE on to the extension, but not LIKE with ESCAPE. So
# `pattern`, which allows any character in place of a wildcard, skips most records, and `exact` decides about the
# others.
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

# add_grep NAME - adds a condition to the variable, SQL: output or error contains the text.
add_grep() {
  local pattern exact
  set_patterns
  if [[ -n $exact ]]; then
    printf -v "$1" '%s' "${!1} AND (output LIKE $exact ESCAPE '\\' OR error LIKE $exact ESCAPE '\\')"
  else
    printf -v "$1" '%s' "${!1} AND (output LIKE $pattern OR error LIKE $pattern)"
  fi
}

# set_grep_source NAME TABLE - sets NAME to SQL that takes the place of the TABLE: it has all rows that meet add_grep's
# condition, and a few more. SQLite does not pass an OR over two columns on to the extension, but it passes on each
# half.
set_grep_source() {
  local pattern exact columns='rowid, timestamp, job_id, job_name, success, output, error, record, time_us, offset'
  columns+=', ok, host'
  [[ ! -v opt[history] ]] || columns+=', segment, segment_no'
  set_patterns
  printf -v "$1" '%s' "(SELECT $columns FROM $2 WHERE output LIKE $pattern UNION ALL
    SELECT $columns FROM $2 WHERE error LIKE $pattern AND (output LIKE $pattern) IS NOT 1)"
}
