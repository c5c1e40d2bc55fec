# own_folder.bash - folders of ours in the directory of results, .taskresults/NAME: as in ext/base/own_folder.c.

# shellcheck shell=bash

is_own_folder() {
  [[ -d $1 && ! -L $1 && -w $1 && -x $1 ]]
}

# make_own_folder DIR - who may enter the directory of results, `results_path`, may enter it, and its owner may write in
# it.
make_own_folder() {
  local mode
  [[ ! -e $1 && ! -L $1 ]] || return 0
  [[ -w ${1%/*} ]] && mkdir -m 0700 -- "$1" || return
  mode=$(stat -c %a -- "$results_path") || return
  chgrp --reference="$results_path" -- "$1" 2>/dev/null || mode=$(printf '%o' "$((8#$mode & 0707))")
  chmod "$(printf '%o' "$((8#$mode & 0755))")" -- "$1" && give_to_owner "$1"
}

# give_to_owner PATH - whoever owns the results has to be able to read what root wrote there.
give_to_owner() {
  ((EUID)) || [[ -O $results_path ]] || chown --no-dereference --reference="$results_path" -- "$1"
}
