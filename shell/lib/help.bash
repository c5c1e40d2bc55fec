# help.bash - the header comment of a command's file is its help, its man page's source and its completions' too.

# shellcheck shell=bash

# set_header HEADER FILE - sets HEADER to the file's first comment, without the #.
set_header() {
  local line_ lines_ text_=''
  mapfile -n 200 lines_ <"$2"
  [[ ${lines_[0]} != '#!'* ]] || lines_=("${lines_[@]:1}")
  for line_ in "${lines_[@]}"; do
    case $line_ in
      '# '*) text_+=${line_:2} ;;
      '#'*) text_+=${line_:1} ;;
      *) break ;;
    esac
  done
  printf -v "$1" '%s' "$text_"
}

header_of() {
  local header
  set_header header "$1"
  printf '%s' "$header"
}

# set_summary SUMMARY FILE - sets SUMMARY to "NAME ARGUMENTS - summary", the header's first line.
set_summary() {
  local line_
  while IFS= read -r line_ && [[ $line_ == '#!'* ]]; do :; done <"$2"
  line_=${line_#'#'}
  printf -v "$1" '%s' "${line_# }"
}

# no_command NAME - reports an unknown command, with the one that may have been meant, and where the list is.
no_command() {
  local file commands=() near near_kind
  load hints/names lib/options_rare
  for file in "$shell_home"/commands/*.bash; do
    file=${file##*/}
    commands+=("${file%.bash}")
  done
  near_names "${1##*-}" "${commands[@]}"
  if [[ $1 == -* ]]; then
    say "no command '$1': the command comes first, then its options"
  else
    say "no command '$1'"
  fi
  help_words=help
  usage_error_near "${near[@]}"
}

# show_help COMMAND - prints it, and ends the script.
show_help() {
  local header
  set_header header "$shell_home/commands/$1.bash"
  print_help "taskresults $header"
}

# print_help TEXT - prints it at once, without starting a process, and ends the script. A closed pipe is not an error.
print_help() {
  trap 'exit 0' PIPE
  printf '%s' "$1" 2>/dev/null || die "$EXIT_IO" 'the help cannot be written: standard output is full, or closed'
  exit 0
}
