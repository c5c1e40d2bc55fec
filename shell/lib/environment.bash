# environment.bash - what the user's environment may change: what help names, and nothing else. Comes first.
#
# A variable of a script must not begin with what the environment has under its name: all that have a small letter in
# their names are unset here, and so are the few that change what bash and other programs do. Whatever is the user's own
# (the command of `run`, of `alerts --exec`, the shell of `sql`) is started with the environment as it came.
#
# The -p in a script's first line keeps out BASH_ENV, SHELLOPTS, BASHOPTS, CDPATH, GLOBIGNORE and functions. What is
# written above the line that sources this must not use BASH_SOURCE, which may come from outside as well.

# shellcheck shell=bash

LC_ALL=C # bytes are matched several times as fast

# user_environment has every word of it, as it came.
declare +x -a user_environment=()
if [[ -r /proc/self/environ ]]; then
  mapfile -td '' user_environment </proc/self/environ
else
  mapfile -td '' user_environment < <(env -0)
fi

for name in "${user_environment[@]%%=*}"; do
  case $name in
    *[!a-zA-Z0-9_]* | [0-9]*) ;; # no name, though `unset` would evaluate a[$(...)]
    user_environment | shell_home) declare +x "$name" ;;
    *[a-z]*) unset -v "$name" ;;
  esac
done
# Not BASH_XTRACEFD, whose descriptor would be closed.
unset -v name PIPESTATUS FUNCNAME FUNCNEST BASH_REMATCH BASH_SOURCE BASH_LINENO BASH_COMPAT BASH_ENV ENV EXECIGNORE \
  GLOBIGNORE CDPATH REPLY MAPFILE TMOUT PS4 CHILD_MAX GREP_OPTIONS GREP_COLOR GREP_COLORS AWKPATH AWKLIBPATH \
  POSIXLY_CORRECT POSIX_PEDANTIC _POSIX2_VERSION TIME_STYLE BLOCK_SIZE BLOCKSIZE LOCPATH NLSPATH LANG LANGUAGE \
  LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME 2>/dev/null

# What we read and print is UTF-8, whatever the user's locale is, and a range such as [a-z] holds what it seems to hold
# (in Turkish it lacks the i). Where there is no such locale, it is C.
export LC_ALL=C.UTF-8 2>/dev/null

# add_for_user NAME=VALUE... - for exec_as_user, beside what came.
add_for_user() {
  user_environment+=("$@")
}

# exec_as_user COMMAND... - becomes the command, in the environment as it came, as far as bash can export it again. No
# local variables: they would hide the user's of the same name.
exec_as_user() {
  keep_exportable
  set -- "${#user_environment[@]}" "${user_environment[@]}" "$@"
  export_only "${@:2:$1}"
  shift "$(($1 + 1))"
  # exec counts it down, but for a subshell.
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
