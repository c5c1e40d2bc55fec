# rejects [JOB] - lists every line that is not a valid record, and why
#
# Usage: taskresults rejects [JOB] [OPTION...]
#
# It also lists directory entries that cannot be read as a job's file, and files that an interrupted prune left behind.
# These have no offset. ext/TABLES.md explains the reasons.
#
# Options:
#   --count         instead of the lines, print how many there are for each job and reason
#   --hosts PATH    of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   --history       also lines in rotated and archived files; otherwise only those in the live ones. The column segment
#                   says in which file a line is, and OFFSET counts in that file
#   --raw           print control characters unchanged (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#   --csv           CSV (RFC 4180) with a header
#
# The machine formats have job_id, offset, length, reason and line; a line that is not UTF-8 is written in hexadecimal,
# as line_hex. With --count: job_id, reason, lines and first_offset. With --hosts, host comes first.
#
# Exit status:
#   0 fine, even if there are none; 1 no such job; 2 usage; 3 input or output failed
#
# Examples:
#   taskresults rejects
#   taskresults rejects my-job --jsonl

# shellcheck shell=bash

parse_options 'count hosts= map= history raw json jsonl csv' "$@"
load lib/{option_values,jobs,fields}
map_option
hosts_option
history_option
job_argument
format_option json jsonl csv

# JSON cannot hold a name that is not UTF-8, and a terminal might obey its bytes: so it is printed as SQL writes a BLOB,
# and the reason says so.
name="CASE typeof(job_id) WHEN 'blob' THEN 'x''' || hex(job_id) || '''' ELSE job_id END"
file='' segment_header='' segment_cell='' # with --history, an offset counts in a segment
if [[ -v opt[history] ]]; then
  file='segment, ' segment_header="'SEGMENT', " segment_cell="$(cell "coalesce(segment, '')"), "
fi
if [[ -v opt[count] ]]; then
  columns=(job_id ${file:+segment} reason lines first_offset)
  select="SELECT host, job_id, ${file}reason, count(*) AS lines, min(offset) AS first_offset FROM task_rejects
    WHERE $job_condition GROUP BY host, job_id, ${file}reason ORDER BY host, job_id, ${file}reason"
  header="'JOB', ${segment_header}'REASON', 'LINES', 'FIRST OFFSET'" align=llrr shrink='1 2:16' drop=4
  [[ -z $file ]] || align=lllrr shrink='1 2 3:16' drop=5
  cells="$(cell "$name"), $segment_cell$(cell reason), lines, coalesce(first_offset, '')"
else
  columns=(job_id ${file:+segment} offset length reason line line_hex)
  select="SELECT host, job_id, ${file}offset, length, reason, CASE typeof(line) WHEN 'text' THEN line END AS line,
    CASE typeof(line) WHEN 'blob' THEN hex(line) END AS line_hex FROM task_rejects WHERE $job_condition"
  header="'JOB', ${segment_header}'OFFSET', 'LENGTH', 'REASON', 'LINE'" align=lrrll shrink='5 1 4:16' drop='3 5 2'
  [[ -z $file ]] || align=llrrll shrink='6 1 2 5:16' drop='4 6 3'
  cells="$(cell "$name"), ${segment_cell}coalesce(offset, ''), coalesce(length, ''), $(cell reason),
    $(cell "coalesce(substr(line, 1, 200), 'x''' || substr(line_hex, 1, 200) || '''', '')")"
fi

if [[ -n $format ]]; then
  select="SELECT host, $name AS job_id, $(IFS=,; echo "${columns[*]:1}") FROM ($select)"
  rows_as "$format" "$select" ${hosts:+host} "${columns[@]}"
  no_such_job
  exit 0
fi

load lib/rows
set_rows rows "SELECT $host_header$header; SELECT $host_cell$cells FROM ($select);" || exit
no_such_job
if [[ $rows != *$'\n'*$'\n'* ]]; then
  say 'no rejects: every line is a record'
  exit 0
fi
load terminal/table
show_table "$rows" "$align" "$shrink" "$drop"
