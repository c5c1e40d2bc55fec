# option_values.bash - what the values of options have to be.

# shellcheck shell=bash

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
zone_option() {
  [[ -v opt[tz] ]] || return 0
  load lib/zone
  read_zone
}

# map_option - if --map is given, or TASKRESULTS_MAP is set: the files are those of another program. Comes before
# hosts_option.
map_option() {
  [[ -v opt[map] || -n ${TASKRESULTS_MAP-} ]] || return 0
  load lib/mapping
  read_mapping
}

# hosts_option - if --hosts is given, or SCHEDULER_RESULTS_DIR has a star: sets `hosts`, and where their files are.
hosts_option() {
  [[ -v opt[hosts] || $results_dir == *'*'* ]] || return 0
  load lib/hosts
  read_hosts
}

# set_time_condition NAME - sets NAME to the SQL condition that --since and --until make; to be joined by AND.
set_time_condition() {
  printf -v "$1" '1%s%s' "${opt[since]+ AND time_us >= ${opt[since]}}" "${opt[until]+ AND time_us <= ${opt[until]}}"
}

# history_option - if --history is given: the tables read rotated and archived files, too, and `records` is the one of
# all records, `place` what sorts those of one job.
history_option() {
  [[ -v opt[history] ]] || return 0
  [[ -n $has_segments ]] || refuse_segments --history
  export TASKRESULTS_SEGMENTS=all
  records=task_history place='(segment_no << 40 | offset)' # no file has 2^40 bytes
}
