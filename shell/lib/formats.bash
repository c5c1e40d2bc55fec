# formats.bash - rows for machines: CSV and JSON.

# shellcheck shell=bash disable=SC2016  # the $ in '$' is JSON's

load lib/query

# csv_statement SELECT [OPTION VALUE]... - SQL that prints its rows as CSV, with the columns' names above; the options
# are those of taskresults_export_csv(), which writes directly to standard output, not through the sqlite3 program: many
# times as fast, and it keeps NULs.
csv_statement() {
  local select=$1 arguments=''
  load lib/sql_text
  shift
  while (($#)); do
    arguments+=", $(sql_text "$1"), $(sql_text "$2")"
    shift 2
  done
  # The condition is there so that the number of rows is not printed.
  printf '%s' "SELECT 1 WHERE taskresults_export_csv('/dev/stdout', $(sql_text "$select")$arguments) < 0;"
}

csv_rows() {
  query "$(csv_statement "$@")"
}

# json_row NAME EXPRESSION ... - an object. `success` becomes true or false; an infinite number, which JSON cannot
# represent, becomes null. `last_success` is true or false already, but as a text: some versions of SQLite (3.54.1) lose
# its JSON subtype in a subquery.
json_row() {
  local row='' finite
  while (($#)); do
    finite="CASE WHEN typeof($2) <> 'real' OR abs($2) <= 1.7976931348623157e308 THEN $2 END"
    case $1 in
      success)
        row+="${row:+, }'success', CASE WHEN $2 IS 1 THEN json('true') WHEN $2 IS 0 THEN json('false') ELSE $finite END"
        ;;
      last_success) row+="${row:+, }'last_success', json($2)" ;;
      *) row+="${row:+, }'$1', $finite" ;;
    esac
    shift 2
  done
  printf 'json_object(%s)' "$row"
}

# rows_as FORMAT SELECT NAME... - prints the rows of a SELECT with these columns as csv, json or jsonl. ORDER BY and
# LIMIT must be in the SELECT.
rows_as() {
  local format=$1 select=$2 name text parts=()
  shift 2
  case $format in
    csv)
      csv_rows "SELECT $(IFS=,; echo "$*") FROM ($select)"
      ;;
    *)
      for name; do parts+=("$name" "$name"); done
      query "SELECT $(json_row "${parts[@]}") FROM ($select);" | json_lines "$format"
      ;;
  esac
  finish "${PIPESTATUS[@]}"
}

# json_program - the last step for JSON, as a program for sed(1): restores NUL, and on a terminal escapes control
# characters that JSON allows. A parser reads the same texts.
json_program() {
  local i
  printf '%s\n' 's/\xff/\\u0000/g'
  on_terminal || return 0
  printf '%s\n' 's/\x7f/\\u007f/g'
  for ((i = 0x80; i < 0xa0; i++)); do printf 's/\\xc2\\x%02x/\\\\u00%02x/g\n' "$i" "$i"; done
  for ((i = 0xaa; i < 0xaf; i++)); do printf 's/\\xe2\\x80\\x%02x/\\\\u20%02x/g\n' "$i" "$((i - 0x80))"; done
  for ((i = 0xa6; i < 0xaa; i++)); do printf 's/\\xe2\\x81\\x%02x/\\\\u20%02x/g\n' "$i" "$((i - 0x40))"; done
}

# json_lines json|jsonl - one object a line comes in; an array or the lines come out.
json_lines() {
  sed "$(json_program)" |
    if [[ $1 == jsonl ]]; then
      cat
    else
      awk '{ printf "%s%s", NR == 1 ? "[\n" : ",\n", $0 } END { print NR ? "\n]" : "[]" }'
    fi
}
