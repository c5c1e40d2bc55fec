# names.bash - how `doctor` prints names of jobs and files.

# shellcheck shell=bash

# How many names a note lists.
MOST_NAMED=5

# A pattern: what a rotated file's name has after the original name.
ROTATED='[.~_-]*'

# set_bytes NAME HEX - sets NAME to the text with these bytes.
set_bytes() {
  local i_ escaped_=
  for ((i_ = 0; i_ < ${#2}; i_ += 2)); do escaped_+=\\x${2:i_:2}; done
  printf -v "$1" '%b' "$escaped_"
}

# set_job HEX - sets `job`, and `quoted` as a shell reads it back.
set_job() {
  load lib/characters
  set_bytes job "$1"
  set_quoted quoted "$job"
}

# set_named NAME FILE... - sets NAME to the first few, quoted, and says how many more there are.
set_named() {
  local name_=$1 text_ list_='' i_
  load lib/characters
  shift
  for ((i_ = 1; i_ <= $# && i_ <= MOST_NAMED; i_++)); do
    set_quoted text_ "${!i_}"
    list_+=${list_:+, }$text_
  done
  (($# <= MOST_NAMED)) || list_+=", and $(($# - MOST_NAMED)) more"
  printf -v "$name_" '%s' "$list_"
}
