# state.bash - what `alerts` told before: the state file.
#
# The file has a line that counts, and then an alert a line, all JSON. It is replaced whole, by one run at a time.

# shellcheck shell=bash

# lock_state - sets `state`; waits for another run, and keeps others out until this one ends.
lock_state() {
  local home=${XDG_STATE_HOME-}
  load lib/atomic
  if [[ -v opt[state] ]]; then
    state=${opt[state]}
    [[ -n $state ]] || usage_error '--state wants a file'
  else
    if [[ $home != /* ]]; then
      home=$(home_directory)
      [[ -n $home ]] || die "$EXIT_IO" 'no home directory to keep the state in: name a file, with --state, or set HOME'
      home+=/.local/state
    fi
    state=$home/taskresults/alerts
    (umask 077 && mkdir -p -- "${state%/*}") || exit "$EXIT_IO"
  fi
  [[ $state == /* ]] || state=./$state
  open_lock "$state.lock"
  while
    wait_for_lock "$lock"
    [[ ! $state.lock -ef /dev/fd/$lock ]]
  do
    exec {lock}<&-
    open_lock "$state.lock"
  done
  if [[ -e $state || -L $state ]]; then
    [[ -f $state ]] || die "$EXIT_IO" "the state file $state is not a regular file"
    [[ -r $state ]] || die "$EXIT_IO" "the state file $state is not readable for $(id -un)"
  fi
  clear_temporary "$state"
}

# clear_temporary FILE - sets `temporary`, under which FILE is written, and removes what a run that was killed has left
# there. The name is this file's only, and we have its lock. But a file with two links to it has two locks.
clear_temporary() {
  local left
  temporary=''
  [[ ! -L $1 ]] || return 0
  temporary=.taskresults.${1##*/}.new
  left=${1%/*}/$temporary
  [[ ! -f $left || -L $left || ! -O $left ]] || rm -f -- "$left"
}

wait_for_lock() {
  flock -w 10 "$1" || die "$EXIT_IO" "another run is still going on, with the state file $state"
}

# open_lock FILE - sets `lock`. It is made as the state is, and not by `>>`, which would make a file wherever a link
# leads that somebody else has put there. Of two runs that make one the second would take the name from the first, which
# has locked its own: so one makes it while it has locked the directory.
open_lock() {
  local making='' temporary=''
  if [[ ! -e $1 ]]; then
    ! { exec {making}<"${1%/*}/."; } 2>/dev/null || wait_for_lock "$making"
    [[ -e $1 || -z $making ]] || clear_temporary "$1"
    [[ -e $1 ]] || write_atomically "$1" true
    [[ -z $making ]] || exec {making}<&-
  fi
  { exec {lock}<"$1"; } 2>/dev/null || die "$EXIT_IO" "cannot open $1, the lock of the state file"
}

# home_directory - prints $HOME; or, as services have none, the user's home by the system (bash's ~). Nothing if that
# does not exist, or is / (which bash uses for users it cannot find).
home_directory() {
  local home=${HOME-}
  if [[ -z $home ]]; then
    home=$(unset HOME; printf '%s' ~)
    [[ -d $home && ! $home -ef / ]] || home=
  fi
  printf '%s' "$home"
}

# bad_state FAULT - ends with what is wrong with the state file, which stays unchanged.
bad_state() {
  local hex other='' line
  if [[ $1 == "$OTHER_RESULTS" ]]; then
    IFS= read -r line <"$state"
    [[ ! $line =~ \"results\":\"(([0-9a-f][0-9a-f])+)\" ]] || hex=${BASH_REMATCH[1]}
    while [[ -n ${hex-} ]]; do other+=\\x${hex:0:2} hex=${hex:2}; done
    printf -v other '%b' "$other"
    die "$EXIT_IO" "the state file $state $1, ${other:-unknown}; name one for this directory, as with --state FILE"
  fi
  die "$EXIT_IO" "the state file $state is not whole or not ours ($1); move it away, and every alert is told anew"
}

# save_state - `lines` has the line of each alert, or nothing.
save_state() {
  saved_at=$SECONDS unsaved=
  write_atomically "$state" print_state
}

print_state() {
  local line told=()
  for line in "${lines[@]}"; do
    [[ -z $line ]] || told+=("$line")
  done
  printf '{"taskresults_alerts":1,"alerts":%d,"results":"%s"}\n' "${#told[@]}" "$results_id"
  ((${#told[@]} == 0)) || printf '%s\n' "${told[@]}"
}
