# left_out.bash - entries of the directory of results that are not sent, because they cannot be read as a file.

# shellcheck shell=bash

# find_left_out - sets `left_out` to a message for each, in the words of task_rejects where it has some.
find_left_out() {
  local path job quoted file
  left_out=()
  for path in "$results_dir"/*.jsonl "$results_dir"/.*.jsonl; do
    [[ -e $path || -L $path ]] || continue
    job=${path##*/} job=${job%.jsonl}
    set_quoted quoted "$job"
    set_quoted file "$path"
    if ! is_utf8 "$job"; then
      left_out+=("left out: $file, whose name is not valid UTF-8; give it another")
    elif [[ -L $path || ! -f $path ]]; then
      left_out+=("left out: job $quoted, which is not a regular file; move it away: $file")
    elif [[ ! -r $path ]]; then
      left_out+=("left out: job $quoted, whose file cannot be read; as its owner: chmod a+r -- $file")
    fi
  done
}

# say_left_out - names those that were not named in the round before.
say_left_out() {
  local message before=$'\n'${named_left_out-}$'\n' news=()
  find_left_out
  for message in "${left_out[@]}"; do
    [[ $before == *$'\n'"$message"$'\n'* ]] || news+=("$message")
  done
  printf -v named_left_out '%s\n' "${left_out[@]}"
  ((${#news[@]} == 0)) || say_each "${news[@]}"
}
