# state.bash - what `alerts` reported before: the state file.
#
# Its first line has the number of alerts; then follows one line for each alert, all in JSON. It is replaced in one
# step, by one run at a time.

# shellcheck shell=bash

# lock_state - sets `state`, and takes its lock, which this run holds until it ends. Waits for another run.
lock_state() {
  load lib/atomic
  if [[ -v opt[state] ]]; then
    state=${opt[state]}
    [[ -n $state ]] || usage_error '--state wants a file'
  else
    load lib/home
    state=$(state_home 'a file') || exit "$EXIT_IO"
    state+=/alerts
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

# open_lock FILE - opens the lock file as `lock`, and makes it if necessary. It is made like the state: `>>` would
# follow a link that somebody else has put there, and create a file. If two runs made it at the same time, the second
# one's file would replace the first one's, which is locked already. So it is made while the directory is locked.
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

# bad_state FAULT - ends the command with the fault of the state file, which is not changed.
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

# save_state - writes `lines`, which has the line of each alert, or an empty text if it has ended.
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
