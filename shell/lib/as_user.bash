# as_user.bash - runs the user's own commands in the environment that we were started with (environment.bash keeps it).

# shellcheck shell=bash

# add_for_user NAME=VALUE... - adds variables for exec_as_user.
add_for_user() {
  user_environment+=("$@")
}

# exec_as_user COMMAND... - replaces the shell by the command, in the original environment, as far as bash can export
# it. It uses no local variables, as they would hide the user's variables of the same name.
exec_as_user() {
  keep_exportable
  set -- "${#user_environment[@]}" "${user_environment[@]}" "$@"
  export_only "${@:2:$1}"
  shift "$(($1 + 1))"
  # exec decrements SHLVL, except in a subshell.
  ((BASH_SUBSHELL)) || [[ ! ${SHLVL-} =~ ^[1-9][0-9]{0,2}$ ]] || SHLVL=$((SHLVL + 1))
  exec "$@"
}

# keep_exportable - leaves in user_environment what bash can export.
keep_exportable() {
  local entry exportable=()
  for entry in "${user_environment[@]}"; do
    case ${entry%%=*} in
      '' | [0-9]* | *[!a-zA-Z0-9_]*) ;; # not a name
      BASHOPTS | SHELLOPTS | BASH_VERSINFO | UID | EUID | PPID | _) ;; # bash's own
      BASH_XTRACEFD | EXECIGNORE) ;; # which would hinder exec
      *) exportable+=("$entry") ;;
    esac
  done
  user_environment=("${exportable[@]}")
}

export_only() {
  unset -v user_environment LC_ALL "${@%%=*}"
  # shellcheck disable=SC2163  # names with their values
  (($# == 0)) || export -- "$@"
}

# pipe_signal_is_ignored - SIGPIPE is; it could also be blocked, which env(1) does not change.
pipe_signal_is_ignored() {
  local lines
  mapfile -t lines </proc/self/status
  [[ ${lines[*]} =~ SigIgn:[[:blank:]]*[0-9a-f]*([0-9a-f]{4}) ]] && ((16#${BASH_REMATCH[1]} & 0x1000))
} 2>/dev/null
