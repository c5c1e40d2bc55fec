# options.bash - one parser for every command's options.

# shellcheck shell=bash

# What was found: `opt` by the option's long name (a flag is 1), `args` the rest in order; and how many of `args` came
# before a --, or nothing if there was none.
declare -gA opt=()
declare -ga args=()
declare -g args_before_dashes=

# parse_options SPEC ARGUMENT... - SPEC is a list of words: `name` is a flag, `name=` takes a value, and `x:name` gives
# either a one-letter form. A value is the next argument or follows `=`; `--` ends the options, so that a job whose name
# begins with `-` can be given; a lone `-` is an argument. --help ends it all. Every command takes --color. Of a value
# that is given twice the last one counts, and `repeated` is its option.
parse_options() {
  local spec=$1 word name value
  repeated=
  local -A takes_value=() long_of=()
  shift
  for word in $spec; do
    name=${word#?:}
    [[ $word == ?:* ]] && long_of[${word%%:*}]=${name%=}
    takes_value[${name%=}]=${name##*[!=]}
  done
  while (($#)); do
    word=$1
    shift
    case $word in
      --) args_before_dashes=${#args[@]}; args+=("$@"); return ;;
      -h | --help) [[ -n ${command-} ]] && load lib/help && show_help "$command" ;;&
      --color | --color=*) [[ -n ${command-} ]] && color_option "$word" && continue ;;&
      --*=*) name=${word%%=*} name=${name#--} value=${word#*=} ;;
      --*) name=${word#--} value= ;;
      -?*)
        name=${long_of[${word:1:1}]-} value=${word:2}
        [[ -n $name ]] || unknown_option "$word" "${!takes_value[@]}"
        [[ -z $value || -n ${takes_value[$name]} ]] || unknown_option "$word" "${!takes_value[@]}"
        ;;
      *) args+=("$word"); continue ;;
    esac
    [[ -n $name && -n ${takes_value[$name]+known} ]] || unknown_option "$word" "${!takes_value[@]}"
    [[ -z ${takes_value[$name]} || ! -v opt[$name] ]] || repeated=$name
    if [[ -z ${takes_value[$name]} ]]; then
      [[ $word != --*=* ]] || usage_error "--$name takes no value"
      opt[$name]=1
    elif [[ $word == --*=* || -n $value ]]; then
      opt[$name]=$value
    else
      (($#)) || usage_error "$word needs a value"
      opt[$name]=$1
      shift
    fi
  done
}

# unknown_option WORD NAME... - of the options, one may have been meant.
unknown_option() {
  local word=$1 near=() near_kind
  # shellcheck source=shell/hints/names.bash
  source "$shell_home/hints/names.bash"
  say "unknown option: $word"
  word=${word%%=*}
  [[ $word != --?* ]] || near_names "${word#--}" "${@:2}"
  usage_error_near "${near[@]/#/--}"
}

# usage_error_near NAME... - the rest of a usage error, with what may have been meant.
usage_error_near() {
  (($# == 0)) || say_names 'did you mean %?' "$@"
  say "try: ${help_hint:-taskresults help}"
  exit "$EXIT_USAGE"
}

# color_option --color[=WHEN] - alone it means always, as for ls and grep.
color_option() {
  local when=${1#--color}
  opt[color]=${when:+${when#=}}
  [[ -n $when ]] || opt[color]=always
  [[ ${opt[color]} =~ ^(auto|always|never)$ ]] || usage_error "--color wants auto, always or never, not '${opt[color]}'"
}

# at_most N - that many arguments beside the options.
at_most() {
  ((${#args[@]} <= $1)) || usage_error "one argument too many: ${args[$1]} (a name that begins with - goes behind --)"
}

# number_option NAME - the option's value is a whole number; prints nothing, complains otherwise. Cuts leading zeros.
number_option() {
  [[ -v opt[$1] ]] || return 0
  [[ ${opt[$1]} =~ ^0*([0-9]{1,15})$ ]] || usage_error "--$1 wants a whole number, not '${opt[$1]}'"
  opt[$1]=${BASH_REMATCH[1]}
}

# format_option NAME... - sets `format` to the one of these options that was given, or to nothing.
format_option() {
  local name
  exclusive "$@"
  format=
  for name; do
    [[ ! -v opt[$name] ]] || format=$name
  done
  [[ -z $format ]] || load lib/formats
}

# exclusive NAME... - at most one of the options was given.
exclusive() {
  local name given=()
  for name; do
    [[ -v opt[$name] ]] && given+=("--$name")
  done
  ((${#given[@]} < 2)) || usage_error "${given[*]} cannot go together"
}
