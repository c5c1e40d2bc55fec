# names.bash - suggests similar names for an unknown job or command. Sourced only when needed.

# shellcheck shell=bash

MOST_SUGGESTED=3

# near_names WANTED NAME... - sets `near_kind` to "same" (they differ in case, accents or how these are stored, or
# blanks at the ends), "near" (in a letter or two) or nothing, and `near` to those names.
near_names() {
  local kind name
  near_kind='' near=()
  [[ $1 != *$'\n'* ]] || return 0
  while read -r kind && IFS= read -r name; do
    near_kind=$kind near+=("$name")
  done < <(printf '%s\n' "$@" |
    awk -f "$shell_home/hints/fold.awk" -f "$shell_home/hints/near.awk" | sed 's/ /\n/')
}

# say_names WORDS NAME... - prints WORDS with the first few names in place of the %, quoted for the shell, which shows
# the difference of names that look alike.
say_names() {
  local words=$1 quoted list='' name
  shift
  for name in "${@:1:MOST_SUGGESTED}"; do
    printf -v quoted '%q' "$name"
    [[ $quoted != "$"* ]] || quoted="$name ($quoted)"
    list+=${list:+, }$quoted
  done
  (($# <= MOST_SUGGESTED)) || list+=", and $(($# - MOST_SUGGESTED)) more"
  say "${words%%\%*}$list${words#*%}"
}

# say_near_job JOB - on standard error, if a job with a file comes near the name, which no job has.
say_near_job() {
  local dir=$results_dir path name stripped=$1 names=() matching=() near near_kind
  stripped=${stripped%"${stripped##*[!/]}"}
  stripped=${stripped##*/} stripped=${stripped%"$file_after"}
  for path in "$dir"/"$file_before"*"$file_after" "$dir"/.*"$file_after"; do
    [[ -f $path ]] || continue
    name=${path##*/} name=${name%"$file_after"} name=${name#"$file_before"}
    if [[ $name == "$stripped" ]]; then
      say_names 'did you mean %? A job is named as its file, without the directory and without '"$file_after" "$name"
      return
    fi
    [[ $name == *$'\n'* ]] || names+=("$name")
    # shellcheck disable=SC2053  # a pattern
    [[ $1 != *[*?[]* || $name != $1 ]] || matching+=("$name")
  done
  if ((${#matching[@]})); then
    say_names 'a job is named in full; names like that are %' "${matching[@]}"
    return
  fi
  near_names "$stripped" "${names[@]}"
  case $near_kind in
    same)
      say_names 'did you mean %? That is another name: case, blanks, accents and how these are stored all count' \
        "${near[@]}"
      ;;
    near) say_names 'did you mean %?' "${near[@]}" ;;
  esac
}
