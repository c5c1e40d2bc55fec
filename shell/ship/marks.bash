# marks.bash - tells the pruner how far each file was shipped.
#
# RESULTS/.taskresults/shipped/NAME.jsonl is replaced as a whole, after the transaction that moved the cursors. So a
# mark is never ahead of its cursor, and the pruner, which drops no line behind the slowest mark, keeps what was not
# shipped yet.

# shellcheck shell=bash

# open_marks - sets `marks` to the file, or to nothing if we may not write in the directory of results: then nothing is
# told, and a prune may drop what was not shipped.
open_marks() {
  local own=$results_path/.taskresults dir=$results_path/.taskresults/shipped other
  marks=
  if [[ ! -e $dir ]]; then
    make_own_folder "$own" && make_own_folder "$dir" || return 0
  fi
  is_own_folder "$own" && is_own_folder "$dir" || return 0
  marks=$dir/$sink_name.jsonl
  [[ -f $marks ]] && set_cursor_of_marks other "$marks" || return 0
  [[ ! -e $other || $other -ef $cursor ]] ||
    die "$EXIT_IO" "this directory is shipped to this sink with another cursor, $other; use its --state directory, or" \
      'delete that cursor'
}

is_own_folder() {
  [[ -d $1 && ! -L $1 && -w $1 && -x $1 ]]
}

# make_own_folder DIR - who may enter the directory of results may enter it, and its owner may write in it; as in
# ext/base/own_folder.c.
make_own_folder() {
  local mode
  [[ ! -e $1 && ! -L $1 ]] || return 0
  [[ -w ${1%/*} ]] && mkdir -m 0700 -- "$1" || return
  mode=$(stat -c %a -- "$results_path") || return
  chgrp --reference="$results_path" -- "$1" 2>/dev/null || mode=$(printf '%o' "$((8#$mode & 0707))")
  chmod "$(printf '%o' "$((8#$mode & 0755))")" -- "$1" && give_to_owner "$1"
}

# set_cursor_of_marks NAME FILE - sets NAME to the cursor to which a file of marks belongs. The status is 1 if the file
# cannot be read, and 2 if ship did not write its first line.
set_cursor_of_marks() {
  local line_
  { IFS= read -r line_ <"$2"; } 2>/dev/null || return 1
  [[ $line_ =~ ^\{\"taskresults_marks\":1,\"cursor\":\"([^\"\\]*)\"\}$ ]] || return 2
  printf -v "$1" '%s' "${BASH_REMATCH[1]}"
}

# give_to_owner PATH - whoever owns the results prunes them, and has to read the marks that root wrote.
give_to_owner() {
  ((EUID)) || [[ -O $results_path ]] || chown --no-dereference --reference="$results_path" -- "$1"
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
