# export [JOB...] - writes records as CSV, TSV or JSON, to standard output or a file
#
# Usage: taskresults export [JOB...] [OPTION...]
#
# Exports all jobs, or those that are named, each job's records oldest first. Texts are whole unless --max-chars cuts
# them. CSV follows RFC 4180: lines end in CR LF, and cells are quoted only where they must be. A missing value is an
# empty cell, and an empty text is "". TSV is the same with a tab between the cells. It also quotes cells, and does not
# write \t or \n for a tab or a line break; spreadsheets, pandas and the csv modules of most languages read it like
# that. In JSON, success is true or false, and a missing value is null. If the file of one job cannot be read, an export
# of all jobs writes nothing.
#
# Options:
#   --format F      csv (the default), tsv, json (an array) or jsonl (one object a line)
#   --delimiter C   CSV with another character between the cells: ';' (for Excel in a language with a decimal comma),
#                   '|', tab, or another ASCII character; but not " ' + - . or a letter or digit
#   --bom           CSV, TSV: begin with a byte order mark, which Excel needs to recognize UTF-8
#   --hosts PATH    of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host, and the
#                   column host comes first
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   --history       also records in rotated and archived files; otherwise only those in the live ones
#   --columns LIST  which columns, separated by commas: timestamp, job_id, job_name, success, output, error (the default
#                   is these six), time_us (microseconds since 1970), offset (of the line in its file), record (the
#                   line itself); with --hosts, host; and with --history, segment (the name of the file)
#   --job JOB       the same as JOB: for a name that begins with -
#   --success       only successful runs
#   --errors        only failed runs
#   --grep TEXT     only runs whose output or error holds TEXT, wildcards taken literally; A to Z are the same as a to z
#   --since T       only runs at T or later: 7d, '90 days', 2026-02-14, 2026-02-14T09:30:00Z, yesterday and the like, in
#                   UTC; all forms: `taskresults help`
#   --until T       only runs at T or earlier; a bare day is included
#   --tz ZONE       --since and --until mean the days of a time zone: Europe/Berlin, or local for that of this machine;
#                   default UTC
#   --max-chars N   cut output and error to N characters
#   --guard         CSV, TSV: put ' before each text that a spreadsheet would take for a formula: one that begins with a
#                   = + - or @, even after blanks, quotes or invisible characters, or with a tab or a line break.
#                   Numbers stay numbers. This changes data, so it is not the default. It protects only in programs that
#                   split the cells at the delimiter of the file
#   -o, --output F  write the file F, whole or not at all: an existing F is replaced only when everything has been
#                   written
#
# Exit status:
#   0 fine, even if there are no records; 1 no such job, and nothing was written; 2 usage; 3 input or output failed
#
# Examples:
#   taskresults export -o results.csv
#   taskresults export my-job --since 7d --max-chars 50 --columns timestamp,success,output,error
#   taskresults export --errors --format jsonl
#   taskresults export --bom --guard --delimiter ';' -o for-excel.csv

# shellcheck shell=bash

parse_options 'format= delimiter= bom hosts= map= history columns= job= grep= success errors since= until= tz=
  max-chars= guard o:output=' "$@"
load lib/{option_values,query,formats}
map_option
hosts_option
history_option
exclusive success errors
number_option max-chars
zone_option
time_options since until
format=${opt[format]-csv}
[[ $format =~ ^(csv|tsv|json|jsonl)$ ]] || usage_error "--format wants csv, tsv, json or jsonl, not '$format'"
delimiter=${opt[delimiter]-,}
case $format in
  tsv)
    [[ ! -v opt[delimiter] ]] || usage_error '--delimiter is for CSV: TSV has tabs'
    delimiter=$'\t' format=csv
    ;;
  json*)
    [[ ! -v opt[delimiter] ]] || usage_error '--delimiter is for CSV'
    for name in guard bom; do [[ ! -v opt[$name] ]] || usage_error "--$name is for CSV and TSV"; done
    ;;
esac
[[ $delimiter != tab && $delimiter != '\t' ]] || delimiter=$'\t'
# shellcheck disable=SC1003  # the \ is itself
[[ ${#delimiter} -eq 1 && $'\t!#$%&()*,/:;<=>?@[\\]^_`{|}~' == *"$delimiter"* ]] ||
  usage_error "--delimiter wants ';', '|', tab or another sign of ASCII, but no letter, digit or blank" \
    "and none of \" ' + - . (it is '$delimiter')"
[[ ! -v opt[output] || -n ${opt[output]} ]] || usage_error '--output wants a file'
mapfile -td, columns < <(printf %s "${opt[columns]-${hosts:+host,}timestamp,job_id,job_name,success,output,error}")
((${#columns[@]})) || usage_error '--columns wants at least one'

csv_options=(guard "${opt[guard]-0}" bom "${opt[bom]-0}" delimiter "$delimiter")
# column NAME - sets `column` to the SQL that gives it. CSV is cut and guarded where it is written, and a bare column is
# read fastest.
column() {
  column=$1
  [[ $1 != host || -z $hosts ]] || return 0
  [[ $1 != segment || ! -v opt[history] ]] || return 0
  [[ $1 =~ ^(timestamp|job_id|job_name|success|output|error|time_us|offset|record)$ ]] ||
    usage_error "no column '$1':" \
      'there are timestamp, job_id, job_name, success, output, error, time_us, offset, record, with --hosts host, and' \
      'with --history segment'
  [[ $1 =~ ^(output|error)$ && -v opt[max-chars] ]] || return 0
  if [[ $format == csv ]]; then
    [[ " ${csv_options[*]} " == *" cut $1 "* ]] || csv_options+=(max_chars "${opt[max-chars]}" cut "$1")
  else
    load lib/fields
    column="substr($(whole_text "$1"), 1, ${opt[max-chars]}) AS $1"
  fi
}

list=
for name in "${columns[@]}"; do
  column "$name"
  list+=${list:+, }$column
done
set_time_condition condition
[[ ! -v opt[success] ]] || condition+=' AND ok = 1'
[[ ! -v opt[errors] ]] || condition+=' AND ok = 0'
[[ ! -v opt[grep] ]] || { load lib/grep; add_grep condition; }
[[ ! -v opt[job] ]] || args+=("${opt[job]}")
if ((${#args[@]})); then
  load lib/jobs
  require_jobs "${args[@]}"
  named_jobs "${args[@]}"
  condition+=" AND $job_condition"
else
  load lib/unreadable
  readable_jobs
  if ((${#unreadable[@]})); then
    load lib/name_unreadable lib/called
    set_called
    name_unreadable 'not exported' "${unreadable[@]}"
    die "$EXIT_IO" 'nothing was exported, because an export must not leave out a job;' \
      "to have the others, name them: $called export$map_words JOB..."
  fi
fi

# order_found - what --grep finds comes from two queries, and is put into the order of the files.
order_found() {
  load lib/sorts
  sorts_all_runs
  set_grep_source table "$records"
  [[ ! -v opt[history] ]] || { condition+=" ORDER BY ${host_column}job_id, $place"; return; }
  condition+=' ORDER BY rowid'
}

table=$records
[[ ! -v opt[grep] ]] || order_found
select="SELECT $list FROM $table WHERE $condition"
export_rows() {
  if [[ $format == csv ]]; then
    csv_rows "$select" "${csv_options[@]}"
    finish "$?"
  else
    rows_as "$format" "$select" "${columns[@]}"
  fi
}

if [[ -v opt[output] && ${opt[output]} != - ]]; then
  load lib/atomic
  with_progress write_atomically "${opt[output]}" export_rows
else
  export_rows
fi
