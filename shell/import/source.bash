# source.bash - the database that is read, and the rows of it that are records: a preset's, or those of a query.

# shellcheck shell=bash

# open_source - sets `source_path`, as it was given, and `sqlite_database`, which is read-only in any case.
open_source() {
  source_path=${opt[from]}
  [[ -e $source_path ]] || die "$EXIT_IO" "the database $source_path does not exist"
  [[ -f $source_path && -r $source_path ]] || die "$EXIT_IO" "the database $source_path cannot be read"
  set_uri sqlite_database "$(realpath -- "$source_path")"
}

# set_uri NAME PATH - sets NAME to SQLite's URI of an absolute path.
set_uri() {
  local path_=$2 i_ code_ uri_=
  for ((i_ = 0; i_ < ${#path_}; i_++)); do
    code_=${path_:i_:1}
    [[ $code_ == [a-zA-Z0-9/._-] ]] || { printf -v code_ '%02x' "'$code_"; code_=%${code_: -2}; }
    uri_+=$code_
  done
  printf -v "$1" 'file:%s?mode=ro' "$uri_"
}

# preset_folder - sets `presets` to where the presets are: beside the commands, or in the checkout.
preset_folder() {
  presets=$shell_home/presets
  [[ -d $presets ]] || presets=$shell_home/../examples/import
}

# read_rows - sets `rows` to the SELECT of --preset or --query, and `default_name` to what the cursor is called.
read_rows() {
  local file preset=${opt[preset]-} known
  rows=${opt[query]-} default_name=$(realpath -- "$source_path")
  if [[ -v opt[preset] ]]; then
    preset_folder
    file=$presets/$preset.sql
    if [[ -z $preset || $preset == */* || ! -f $file ]]; then
      known=("$presets"/*.sql)
      known=("${known[@]##*/}")
      usage_error "--preset wants one of ${known[*]%.sql}, not '$preset'"
    fi
    rows=$(<"$file") default_name=$preset
  fi
  while [[ $rows == *[[:space:]\;] ]]; do rows=${rows%?}; done
  [[ -n $rows ]] || usage_error '--query wants a SELECT'
}

# needs_of FILE - sets `needs` to the SQL values (table, column) of what a preset reads, from its line "-- needs".
needs_of() {
  local line table column
  needs=
  while IFS= read -r line; do
    [[ $line =~ ^'-- needs '([a-z_]+)'('([a-z_, ]+)')'$ ]] || continue
    table=${BASH_REMATCH[1]}
    for column in ${BASH_REMATCH[2]//,/ }; do needs+="${needs:+, }('$table', '$column')"; done
  done <"$1"
}

# say_drift COMPLAINT - SQLite has no such table or column: says which, and which preset the tables would fit.
say_drift() {
  local missing='' file name
  if [[ ! -v opt[preset] ]]; then
    [[ ! $1 =~ no\ such\ (table|column):\ ([^$'\n']*) ]] || missing=${BASH_REMATCH[2]}
    say "$source_path: no such ${BASH_REMATCH[1]}: ${missing#r.}; the query has to have the columns job_id, job_name," \
      'success, output, error, finished and key'
    return
  fi
  missing=$(missing_of "$presets/${opt[preset]}.sql")
  [[ -n $missing ]] || { say_sqlite_error "$1"; return; }
  say "$source_path: the preset ${opt[preset]} reads $missing; was that program updated?"
  for file in "$presets"/*.sql; do
    name=${file##*/} name=${name%.sql}
    [[ -n $(missing_of "$file") ]] || say "the database fits --preset $name"
  done
}

# missing_of FILE - prints what of the preset's tables and columns is not there, in words.
missing_of() {
  local needs
  needs_of "$1"
  "$sqlite3_program" -init /dev/null -batch "$sqlite_database" "WITH need(tbl, col) AS (VALUES $needs), gap AS (
      SELECT tbl, col, EXISTS (SELECT 1 FROM pragma_table_xinfo(tbl)) AS is_there FROM need
        WHERE NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(tbl) AS c WHERE c.name = col))
    SELECT group_concat(words, ', ') FROM (
      SELECT 'the table ' || tbl || ', which is not there' AS words FROM gap WHERE NOT is_there GROUP BY tbl
      UNION ALL SELECT 'the column ' || col || ' of ' || tbl || ', which is not there' FROM gap WHERE is_there);"
}
