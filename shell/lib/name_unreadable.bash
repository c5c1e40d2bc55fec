# name_unreadable.bash - names the jobs whose files cannot be read, with the fix.

# shellcheck shell=bash

# name_unreadable WORDS JOB... - names the jobs with the fix.
name_unreadable() {
  name_unreadable_files "$1" file "$results_dir" "$file_after" "${@:2}"
}

# name_unreadable_files WORDS WHAT DIRECTORY SUFFIX JOB... - the same for any directory with a file for each job.
name_unreadable_files() {
  local job words=$1 what=$2 dir=$3 suffix=$4 quoted path messages=()
  shift 4
  (($#)) || return 0
  load lib/say lib/characters
  for job; do
    set_quoted quoted "$job"
    path=$dir/$job$suffix
    [[ -z $hosts ]] || set_path_on_host path "$dir" "$job" "$suffix"
    set_quoted path "$path"
    messages+=("$words: job $quoted, whose $what cannot be read; as its owner: chmod a+r -- $path")
  done
  say_each "${messages[@]}"
}
