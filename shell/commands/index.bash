# index - shows, checks, makes anew or removes the index, which makes a question that is asked again cheap
#
# Usage: taskresults index [--verify|--rebuild|--drop] [OPTION...]
#
# An index of each job's file, outside of the directory of results. The other commands, and the tables of SQL, use and
# make it only with TASKRESULTS_INDEX=auto in the environment (then it is in ~/.cache/taskresults), or with an absolute
# path of a folder there. Every answer is the same without it; with it, only what is new is read. If the variable is not
# set, this command alone takes auto. It shows for the directory of results where its indexes are, and for each job how
# much of its file its index knows. ext/INDEX.md, which is taskresults-index(7), says when an index is believed.
#
# STATE is believed; missing or outdated (with TASKRESULTS_INDEX, the next question makes it anew); needless (the file
# is small); or unusable: what has the name of the index belongs to somebody else, or is no regular file. Remove it, or
# use --drop.
#
# Options:
#   --verify        read all that the indexes know, and name each range of bytes that was changed under one. A question
#                   notices most changes by itself, but not an edit in the middle of a file that keeps its length
#   --rebuild       make the indexes of all jobs anew
#   --drop          remove all indexes of this directory, also those of other versions of taskresults
#   --raw           print control characters unchanged (line breaks stay visible)
#   --json          a JSON array of objects
#   --jsonl         JSON, one object a line
#
# The machine formats have job_id, state, bytes (of the job's file), known (how many of them the index knows),
# index_bytes, records, known_us (when they became known) and, with --verify, changed: an array of objects with from and
# to.
#
# Exit status:
#   0 fine; 1 with --verify, something was changed; 2 usage; 3 a directory cannot be read, an index not be removed,
#   or with --rebuild, none be made
#
# Examples:
#   taskresults index
#   taskresults index --verify

# shellcheck shell=bash

# Whoever asks for the index means one, also where questions use none.
export TASKRESULTS_INDEX=${TASKRESULTS_INDEX:-auto}

parse_options 'verify rebuild drop raw json jsonl' "$@"
load lib/option_values lib/query lib/fields
at_most 0
format_option json jsonl
action=
for name in verify rebuild drop; do
  [[ -v opt[$name] ]] || continue
  [[ -z $action ]] || usage_error "--$action or --$name, not both"
  action=$name
done

if [[ -n $format ]]; then
  row='SELECT value FROM job ORDER BY key'
else
  load terminal/colour
  row="SELECT 'JOB', 'STATE', 'FILE', 'KNOWN', 'INDEX', 'READ', 'NOTE';
    SELECT $(cell "value->>'\$.job_id'"), CASE value->>'\$.state' WHEN 'believed' THEN $(paint green "'believed'")
        WHEN 'unusable' THEN $(paint red "'unusable'") ELSE value->>'\$.state' END,
      coalesce(value->>'\$.bytes', ''), coalesce(value->>'\$.known', ''), coalesce(value->>'\$.index_bytes', ''),
      coalesce(strftime('%Y-%m-%d %H:%M:%S', nullif(value->>'\$.known_us', 0) / 1000000, 'unixepoch'), ''),
      coalesce((SELECT 'changed: bytes ' ||
          group_concat((range.value->>'\$.from') || ' to ' || (range.value->>'\$.to'), ', ')
        FROM json_each(job.value, '\$.changed') AS range), '') FROM job ORDER BY key"
fi
statements="CREATE TEMP TABLE said AS SELECT taskresults_index('${action:-status}') AS said;
  CREATE TEMP TABLE job AS SELECT key, value FROM said, json_each(said, '\$.jobs');
  $row;
  SELECT (SELECT count(*) FROM job WHERE json_array_length(value, '\$.changed') > 0), said->>'\$.left',
    said->>'\$.files', said->>'\$.bytes', said->>'\$.other_files', said->>'\$.other_bytes',
    coalesce($(cell "said->>'\$.path'"), ''), coalesce($(cell "said->>'\$.why'"), ''),
    (SELECT count(*) FROM job), (SELECT count(*) FROM job WHERE value->>'\$.state' = 'believed'),
    (SELECT count(*) FROM job WHERE value->>'\$.state' IN ('missing', 'outdated', 'unusable')) FROM said;"

rows=$(with_progress query "$statements") || exit "$EXIT_IO"
counts=${rows##*$'\n'}
rows=${rows%"$counts"}
IFS=$'\x1f' read -r changed left files bytes other_files other_bytes path why jobs made unmade < <(
  printf '%s\n' "$counts"
)
if [[ -n $format ]]; then
  printf '%s' "$rows" | json_lines "$format"
  finish "${PIPESTATUS[@]}"
elif [[ $action == drop ]]; then
  printf '%s\n' "removed: $((files + other_files - left)) files, $((bytes + other_bytes)) bytes"
else
  if ((jobs)); then
    load terminal/table
    show_table "$rows" llrrrll '7:12 1:8' '6 3'
  fi
  if [[ $path ]]; then
    printf '%s\n' "$path: $files files, $bytes bytes"
  else
    printf '%s\n' "no index is used${why:+: $why}"
  fi
  ((other_files == 0)) ||
    printf '%s\n' "of other versions, limits or mappings: $other_files files, $other_bytes bytes (--drop removes them)"
fi
((left == 0)) || { say "$left files of the index cannot be removed"; exit "$EXIT_IO"; }
if [[ $action == rebuild ]] && ((unmade > 0 && made == 0)); then
  say "no index could be made: ${why:-TASKRESULTS_INDEX is off, or what is there is not ours}"
  exit "$EXIT_IO"
fi
((changed == 0)) || {
  say "$changed job$( ((changed == 1)) || echo s) changed where an index knows the file;" \
    "\`taskresults index --rebuild\` makes it anew"
  exit "$EXIT_NO"
}
