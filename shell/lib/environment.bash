# environment.bash - keeps the user's environment from changing anything but what the help documents. It is sourced
# first.
#
# A variable of our scripts must not get its first value from the environment: all variables with a small letter in
# their names are unset here, and so are those that change how bash and other programs work. The user's own commands (of
# `run`, of `alerts --exec`, the shell of `sql`) get the original environment.
#
# The -p in a script's first line keeps out BASH_ENV, SHELLOPTS, BASHOPTS, CDPATH, GLOBIGNORE and functions. Code before
# the line that sources this must not use BASH_SOURCE, which may come from the environment, too.

# shellcheck shell=bash

# A character is a byte: bash then reads and matches several times as fast, and a range such as [a-z] means what it says
# (in Turkish it lacks the i). LC_ALL overrides LANG and the others. We read and print UTF-8 whatever the user's locale
# is. The few functions to which code points matter set LC_ALL=C.UTF-8 for themselves; without such a locale, C is used.
export LC_ALL=C

# user_environment: all of the original environment.
declare +x -a user_environment=()
if [[ -r /proc/self/environ ]]; then
  mapfile -td '' user_environment </proc/self/environ
else
  mapfile -td '' user_environment < <(env -0)
fi

declare +x names="${user_environment[*]%%=*}"
if [[ $names == *[a-z]* ]]; then
  for name in "${user_environment[@]%%=*}"; do
    case $name in
      *[!a-zA-Z0-9_]* | [0-9]*) ;; # not a name; `unset` would evaluate a[$(...)]
      user_environment | names | shell_home) declare +x "$name" ;;
      *[a-z]*) unset -v "$name" ;;
    esac
  done
fi
# Not BASH_XTRACEFD, whose descriptor would be closed.
unset -v name names PIPESTATUS FUNCNAME FUNCNEST BASH_REMATCH BASH_SOURCE BASH_LINENO BASH_COMPAT BASH_ENV ENV \
  EXECIGNORE GLOBIGNORE CDPATH REPLY MAPFILE TMOUT PS4 CHILD_MAX GREP_OPTIONS GREP_COLOR GREP_COLORS AWKPATH \
  AWKLIBPATH POSIXLY_CORRECT POSIX_PEDANTIC _POSIX2_VERSION TIME_STYLE BLOCK_SIZE BLOCKSIZE LOCPATH NLSPATH \
  LANGUAGE 2>/dev/null || : # some cannot be unset
