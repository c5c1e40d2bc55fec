# options.bash - one parser for every command's options.

# shellcheck shell=bash

# The results: `opt` by the option's long name (a flag is 1), `args` the other arguments in order, and
# `args_before_dashes`: how many of `args` came before a --, or empty if there was none.
declare -gA opt=()
declare -ga args=()
declare -g args_before_dashes=

# What --tz sets, see zone_option.
zone='' zone_argument=''

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
      -h | --help | --color | --color=*) [[ -n ${command-} ]] && load lib/options_rare && common_option && continue ;;&
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
