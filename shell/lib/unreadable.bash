# unreadable.bash - jobs whose files cannot be read: a query over all jobs leaves them out, and the command reports
# them.

# shellcheck shell=bash

# readable_jobs - for a query over all jobs, which would fail because of one unreadable file: sets `unreadable`, the
# jobs whose files cannot be read, and makes later queries skip them. say_unreadable reports them at the end.
readable_jobs() {
  local readable
  find_unreadable "$results_dir" "$file_after"
  ((${#unreadable[@]} == 0)) || export TASKRESULTS_UNREADABLE=skip
}

# find_unreadable DIRECTORY SUFFIX - for a directory with a file for each job: sets `unreadable` and `readable` to names
# of jobs. Where a mapping has other names, none: then the query says which file cannot be read.
find_unreadable() {
  local path job dir=$1 suffix=$2
  unreadable=() readable=()
  [[ -z $shared_files$file_before || $suffix != "$file_after" ]] || return 0
  [[ -z $hosts ]] || { find_unreadable_of_hosts "$@"; return; }
  [[ -r $dir && -x $dir ]] || return 0 # the query will say it
  for path in "$dir"/*"$suffix" "$dir"/.*"$suffix"; do
    [[ -f $path && ! -L $path ]] || continue
    job=${path:${#dir}+1:-${#suffix}}
    if [[ -r $path ]]; then readable+=("$job"); else unreadable+=("$job"); fi
  done
}

# say_unreadable - names those that were left out, and exits with 3, if there are any.
say_unreadable() {
  ((${#unreadable[@]})) || return 0
  load lib/name_unreadable
  name_unreadable 'left out' "${unreadable[@]}"
  exit "$EXIT_IO"
}
