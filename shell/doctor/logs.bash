# logs.bash - what `doctor` looks for among the jobs' logs.

# shellcheck shell=bash

# Entries that task_logs could not read as a log.
check_logs() {
  local logs=$logs_dir entry quoted rotated=() named
  [[ -r $logs && -x $logs ]] || return 0
  [[ $logs == /* ]] || logs=./$logs
  while IFS= read -rd '' entry; do
    load lib/characters
    set_quoted quoted "$entry"
    if [[ -f $entry && ! -L $entry ]]; then
      fail "the log $quoted is not readable" "as its owner: chmod a+r -- $quoted"
    else
      note "$quoted is no regular file, so it is no log" 'move it away, or rename it so that it does not end in .log'
    fi
  done < <(find "$logs/" -maxdepth 1 -name '*.log' \( ! -type f -o ! -readable \) -print0)
  for entry in "$logs"/*.log$ROTATED; do [[ ! -f $entry ]] || rotated+=("${entry##*/}"); done
  ((${#rotated[@]} == 0)) || {
    set_named named "${rotated[@]}"
    note "rotated logs in $logs, which are not read: $named" 'task_logs and task_runs know only what JOB.log has'
  }
}
