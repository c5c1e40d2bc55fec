# options_rare.bash - options: what few calls need. One of a letter, one that nothing has, --color and --help.

# shellcheck shell=bash

# unknown_option WORD NAME... - of the options, one may have been meant.
unknown_option() {
  local word=$1 near=() near_kind
  load hints/names
  say "unknown option: $word"
  word=${word%%=*}
  [[ $word != --?* ]] || near_names "${word#--}" "${@:2}"
  usage_error_near "${near[@]/#/--}"
}

# usage_error_near NAME... - the end of a usage error: the names that may have been meant.
usage_error_near() {
  load hints/names lib/called
  (($# == 0)) || say_names 'did you mean %?' "$@"
  say_usage
  exit "$EXIT_USAGE"
}

# common_option - for parse_options: `word` is what every command takes.
common_option() {
  case $word in
    --color*) color_option "$word" ;;
    *) load lib/help; show_help "$command" ;;
  esac
}

# color_option --color[=WHEN] - alone it means always, as for ls and grep.
color_option() {
  local when=${1#--color}
  opt[color]=${when:+${when#=}}
  [[ -n $when ]] || opt[color]=always
  [[ ${opt[color]} =~ ^(auto|always|never)$ ]] || usage_error "--color wants auto, always or never, not '${opt[color]}'"
}

# short_option - for parse_options: sets `name` and `value` from `word`, a letter and perhaps a value after it.
short_option() {
  name=${spec#*" ${word:1:1}:"} value=${word:2}
  [[ $name != "$spec" ]] || wrong_option
  name=${name%%[= ]*}
  [[ -z $value || $spec == *":$name= "* ]] || wrong_option
}

# wrong_option - for parse_options: `word` is not an option.
wrong_option() {
  [[ ${name-} != hosts || -z ${command-} ]] || usage_error "--hosts is not for $command, which is about one host"
  spec=${spec//[![:space:]]:/}
  # shellcheck disable=SC2086  # words
  unknown_option "$word" ${spec//[=?]/}
}
