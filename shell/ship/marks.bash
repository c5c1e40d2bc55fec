# marks.bash - tells the pruner how far each file was shipped.
#
# RESULTS/.taskresults/shipped/NAME.jsonl is replaced as a whole, after the transaction that moved the cursors. So a
# mark is never ahead of its cursor, and the pruner, which drops no line behind the slowest mark, keeps what was not
# shipped yet.

# shellcheck shell=bash

load lib/own_folder

# open_marks - sets `marks` to the file, or to nothing if we may not write in the directory of results: then nothing is
# told, and a prune may drop what was not read.
open_marks() {
  local own=$results_path/.taskresults dir=$results_path/.taskresults/shipped
  marks=$dir/$sink_name.jsonl
  check_other_cursor
  [[ -e $dir || -L $dir ]] || ! make_own_folder "$own" || make_own_folder "$dir"
  if ! is_own_folder "$own" || ! is_own_folder "$dir"; then
    say "no permission to write in $dir, or above it: a prune does not learn what was read, and may drop lines before" \
      'they are sent'
    marks=
  fi
}

# check_other_cursor - ends the command if the marks are those of another cursor, unless it is known to be gone.
check_other_cursor() {
  local other status
  [[ -f $marks ]] || return 0
  set_cursor_of_marks other "$marks"
  status=$?
  ((status != 1)) || die "$EXIT_IO" "another user ships this directory to this sink: the marks $marks cannot be read;" \
    'ship as that user, or delete that file'
  ((status == 0)) && [[ $other != "$cursor" && ! $other -ef $cursor ]] && ! is_gone "$other" || return 0
  die "$EXIT_IO" "this directory is shipped to this sink with another cursor, $other; use its --state directory, or" \
    "delete that cursor, or delete $marks"
}

# is_gone PATH - status 0 if it does not exist, and not only if it is out of sight.
is_gone() {
  local path=$1
  while [[ ! -e $path && ! -L $path && $path == */* ]]; do
    path=${path%/*}
    [[ -n $path ]] || path=/
  done
  [[ $path != "$1" && -d $path && -x $path ]]
}

# set_cursor_of_marks NAME FILE - sets NAME to the cursor to which a file of marks belongs. The status is 1 if the file
# cannot be read, and 2 if ship did not write its first line.
set_cursor_of_marks() {
  local line_
  { IFS= read -r line_ <"$2"; } 2>/dev/null || return 1
  [[ $line_ =~ ^\{\"taskresults_marks\":1,\"cursor\":\"([^\"\\]*)\"\}$ ]] || return 2
  printf -v "$1" '%s' "${BASH_REMATCH[1]}"
}

# save_marks - writes the marks, from the cursors as they are now.
save_marks() {
  local path
  [[ -n $marks ]] || return 0
  set_sql_text path "$cursor"
  cursor_query "SELECT json_object('taskresults_marks', 1, 'cursor', $path);
    SELECT json_object('file', job || '.jsonl', 'dev', dev, 'inode', inode, 'end', place) FROM files
      WHERE listed AND inode IS NOT NULL ORDER BY job;"
  write_atomically "$marks" printf '%s\n' "$answer"
  trap_signals # which that has changed
  give_to_owner "$marks"
}
