# environment.bash - what the user's environment may change: what help names, and nothing else. Comes first.
#
# A variable of a script must not begin with what the environment has under its name: all that have a small letter in
# their names are unset here, and so are the few that change what bash and other programs do. Whatever is the user's own
# (the command of `run`, of `alerts --exec`, the shell of `sql`) is started with the environment as it came.
#
# The -p in a script's first line keeps out BASH_ENV, SHELLOPTS, BASHOPTS, CDPATH, GLOBIGNORE and functions. What is
# written above the line that sources this must not use BASH_SOURCE, which may come from outside as well.

# shellcheck shell=bash

# user_environment has every word of it, as it came; exported_by_user those that bash can export again.
declare +x -a user_environment=() exported_by_user=()
if [[ -r /proc/self/environ ]]; then
  mapfile -td '' user_environment </proc/self/environ
else
  mapfile -td '' user_environment < <(env -0)
fi

for entry in "${user_environment[@]}"; do
  name=${entry%%=*}
  case $name in
    '' | [0-9]* | *[!a-zA-Z0-9_]*) continue ;; # not a name, though `unset` would evaluate a[$(...)]
    BASHOPTS | SHELLOPTS | BASH_VERSINFO | UID | EUID | PPID | _) continue ;; # bash's own
    BASH_XTRACEFD) continue ;; # whose descriptor `unset` would close
    EXECIGNORE) unset -v "$name"; continue ;; # under which exec would find nothing
  esac
  exported_by_user+=("$entry")
  case $name in
    user_environment | exported_by_user | shell_home) declare +x "$name" ;;
    *[a-z]*) unset -v "$name" ;;
    PIPESTATUS | FUNCNAME | FUNCNEST | BASH_REMATCH | BASH_SOURCE | BASH_LINENO | BASH_COMPAT | BASH_ENV | \
      ENV | GLOBIGNORE | CDPATH | REPLY | MAPFILE | TMOUT | PS4 | CHILD_MAX | GREP_* | AWK* | POSIX* | LC_* | LANG* | \
      LOCPATH | NLSPATH | _POSIX2_VERSION | TIME_STYLE | BLOCK_SIZE | BLOCKSIZE)
      unset -v "$name"
      ;;
  esac
done 2>/dev/null
unset -v entry name

# What we read and print is UTF-8, whatever the user's locale is, and a range such as [a-z] holds what it seems to hold
# (in Turkish it lacks the i). Where there is no such locale, it is C.
export LC_ALL=C.UTF-8 2>/dev/null

# exec_as_user COMMAND... - becomes the command, in the environment as it came. No local variables: they would hide the
# user's of the same name.
exec_as_user() {
  set -- "${#exported_by_user[@]}" "${exported_by_user[@]}" "$@"
  export_only "${@:2:$1}"
  shift "$(($1 + 1))"
  # exec counts it down, but for a subshell.
  ((BASH_SUBSHELL)) || [[ ! ${SHLVL-} =~ ^[1-9][0-9]{0,2}$ ]] || SHLVL=$((SHLVL + 1))
  exec "$@"
}

export_only() {
  unset -v exported_by_user user_environment LC_ALL "${@%%=*}"
  # shellcheck disable=SC2163  # names with their values
  (($# == 0)) || export -- "$@"
}
