# options.bash - one parser for every command's options.

# shellcheck shell=bash

# The results: `opt` by the option's long name (a flag is 1), `args` the other arguments in order, and
# `args_before_dashes`: how many of `args` came before a --, or empty if there was none.
declare -gA opt=()
declare -ga args=()
declare -g args_before_dashes=

# parse_options SPEC ARGUMENT... - SPEC is a list of words: `name` is a flag, `name=` takes a value, and `x:name` or
# `x:name=` adds a one-letter form. A value is the next argument or follows `=`; of `name=?` it may be left out, is
# empty then, and only follows `=`. `--` ends the options, so that a job whose name begins with `-` can be given; a lone
# `-` is an argument. --help prints the help and exits. Every command takes --color. Of a value that is given twice the
# last one counts, and `repeated` is its option.
parse_options() {
  local spec=" ${1//$'\n'/ } " word name value
  repeated=
  shift
  while (($#)); do
    word=$1
    shift
    case $word in
      --) args_before_dashes=${#args[@]}; args+=("$@"); return ;;
      -h | --help) [[ -n ${command-} ]] && load lib/help && show_help "$command" ;;&
      --color | --color=*) [[ -n ${command-} ]] && load lib/options_rare && color_option "$word" && continue ;;&
      --*=*) name=${word%%=*} name=${name#--} value=${word#*=} ;;
      --*) name=${word#--} value= ;;
      -?*) load lib/options_rare; short_option ;;
      *) args+=("$word"); continue ;;
    esac
    [[ -n $name && $name != *[=:\ ]* ]] || { load lib/options_rare; wrong_option; }
    case $spec in
      *[\ :]"$name "*)
        [[ $word != --*=* ]] || usage_error "--$name takes no value"
        value=1
        ;;
      *[\ :]"$name= "*)
        [[ ! -v opt[$name] ]] || repeated=$name
        [[ $word == --*=* || -n $value ]] || { (($#)) || usage_error "$word needs a value"; value=$1; shift; }
        ;;
      *[\ :]"$name=? "*) ;;
      *) load lib/options_rare; wrong_option ;;
    esac
    opt[$name]=$value
  done
}

# at_most N - that many arguments beside the options.
at_most() {
  ((${#args[@]} <= $1)) || usage_error "one argument too many: ${args[$1]} (a name that begins with - goes after --)"
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
  format=
  for name; do
    [[ ! -v opt[$name] ]] || { [[ -z $format ]] || exclusive "$@"; format=$name; }
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

# time_options NAME...; span_options NAME...; seconds_option NAME - see lib/time_options, which puts the real ones in
# place of these.
time_options() { convert_times time_options "$@"; }
span_options() { convert_times span_options "$@"; }
seconds_option() { convert_times seconds_option "$@"; }

convert_times() {
  local name
  for name in "${@:2}"; do
    [[ -v opt[$name] ]] || continue
    load lib/time_options
    "$@"
    return
  done
}

# zone_option - if --tz is given: sets `zone`, SQL, in which times are shown; it stays empty for the formats that
# programs read. And `zone_argument`, ", ZONE", what taskresults_time() is given. Comes behind format_option, and before
# time_options.
zone='' zone_argument=''
zone_option() {
  [[ -v opt[tz] ]] || return 0
  load lib/zone
  read_zone
}

# set_time_condition NAME - sets NAME to the SQL condition that --since and --until make; to be joined by AND.
set_time_condition() {
  printf -v "$1" '1%s%s' "${opt[since]+ AND time_us >= ${opt[since]}}" "${opt[until]+ AND time_us <= ${opt[until]}}"
}
