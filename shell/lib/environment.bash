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

declare +x -a names=()
names=("${user_environment[@]%%=*}")
if [[ ${names[*]} == *[a-z]* ]]; then
  for name in "${names[@]}"; do
    case $name in
      *[!a-zA-Z0-9_]* | [0-9]*) ;; # no name, though `unset` would evaluate a[$(...)]
      user_environment | names | shell_home) declare +x "$name" ;;
      *[a-z]*) unset -v "$name" ;;
    esac
  done
fi
# Not BASH_XTRACEFD, whose descriptor would be closed.
unset -v name names PIPESTATUS FUNCNAME FUNCNEST BASH_REMATCH BASH_SOURCE BASH_LINENO BASH_COMPAT BASH_ENV ENV \
  EXECIGNORE GLOBIGNORE CDPATH REPLY MAPFILE TMOUT PS4 CHILD_MAX GREP_OPTIONS GREP_COLOR GREP_COLORS AWKPATH \
  AWKLIBPATH POSIXLY_CORRECT POSIX_PEDANTIC _POSIX2_VERSION TIME_STYLE BLOCK_SIZE BLOCKSIZE LOCPATH NLSPATH \
  LANGUAGE 2>/dev/null

# What we read and print is UTF-8, whatever the user's locale is, and a range such as [a-z] holds what it seems to hold
# (in Turkish it lacks the i). LC_ALL goes before LANG and the others. Where there is no such locale, it is C.
export LC_ALL=C.UTF-8 2>/dev/null
