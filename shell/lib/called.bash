# called.bash - how to call us again: for messages with a command to paste.

# shellcheck shell=bash

# set_called [PROGRAM] - sets `called` to the program's name if the shell finds this very program under it, and to its
# path if not, relative if that is how we were called. PROGRAM may be another one that lies beside ours.
set_called() {
  local name=${1:-${program_name:-taskresults}} path=$0
  if hash -- "$name" 2>/dev/null && [[ ${BASH_CMDS[$name]-} -ef $shell_home/$name ]]; then
    called=$name
    return
  fi
  [[ $path == */* ]] || path=./$path
  path=${path%/*}/$name
  [[ $path -ef $shell_home/$name ]] || path=$shell_home/$name
  load lib/characters
  set_quoted called "$path"
}

# set_sql_called - sets `called` to the command to which SQL can be appended.
set_sql_called() {
  local path
  set_called
  called+=" sql$map_words"
  [[ -n $hosts ]] || return 0
  load lib/characters
  set_quoted path "$results_dir"
  called+=" --hosts $path"
}

# say_usage - the last line of a message about wrong usage: the command that shows the help.
say_usage() {
  local called
  set_called
  say "try: $called ${help_words:-help}"
}
