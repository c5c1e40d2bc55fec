# characters.bash - the functions in which a character is a code point and not a byte (see lib/environment).

# shellcheck shell=bash

# set_beginning NAME COUNT TEXT - up to so many characters of the text.
set_beginning() {
  local LC_ALL=C.UTF-8 2>/dev/null
  printf -v "$1" '%s' "${3:0:$2}"
}

# set_without_controls NAME TEXT - with blanks in place of control characters.
set_without_controls() {
  local LC_ALL=C.UTF-8 2>/dev/null
  printf -v "$1" '%s' "${2//[[:cntrl:]]/ }"
}

# set_quoted NAME TEXT - as the shell reads it back, é as it is.
set_quoted() {
  local LC_ALL=C.UTF-8 2>/dev/null
  printf -v "$1" '%q' "$2"
}

quoted() {
  local text
  set_quoted text "$1"
  printf '%s' "$text"
}

# is_utf8 TEXT - in a UTF-8 locale, the dot does not match other bytes.
is_utf8() {
  local LC_ALL=C.UTF-8 2>/dev/null
  [[ $1 =~ ^.*$ ]]
}
