# alert_state.bash - what `alerts` told before: the state file; and telling what is new, so that the file never says more
# than was told.
#
# The file has a line that counts, and then an alert a line, all JSON. It is replaced whole, by one run at a time.

# shellcheck shell=bash disable=SC2154  # alert_facts.bash sets what is to be told

# lock_state - sets `state`; waits for another run, and keeps others out until this one ends.
lock_state() {
  local home=${XDG_STATE_HOME-}
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
    flock -w 10 "$lock" || die "$EXIT_IO" "another run is still going on, with the state file $state"
    [[ ! $state.lock -ef /dev/fd/$lock ]]
  do
    exec {lock}<&-
    open_lock "$state.lock"
  done
  if [[ -e $state || -L $state ]]; then
    [[ -f $state ]] || die "$EXIT_IO" "the state file $state is not a regular file"
    [[ -r $state ]] || die "$EXIT_IO" "the state file $state is not readable for $(id -un)"
  fi
}

# open_lock FILE - sets `lock`. It is made as the state is, and not by `>>`, which would make a file wherever a link leads
# that somebody else has put there. Of two runs that make one the second would take the name from the first, which has locked
# its own: so one makes it while it has locked the directory.
open_lock() {
  local making
  if [[ ! -e $1 ]]; then
    { exec {making}<"${1%/*}/."; } 2>/dev/null && flock -w 10 "$making"
    [[ -e $1 ]] || write_atomically "$1" true
    [[ -z $making ]] || exec {making}<&-
  fi
  { exec {lock}<"$1"; } 2>/dev/null || die "$EXIT_IO" "cannot open $1, the lock of the state file"
}

# home_directory - prints $HOME; or, as services have none, what the system knows of the user, which is bash's ~ then. Nothing
# if that is not there, or is the root directory that bash takes for users it does not find.
home_directory() {
  local home=${HOME-}
  if [[ -z $home ]]; then
    home=$(unset HOME; printf '%s' ~)
    [[ -d $home && ! $home -ef / ]] || home=
  fi
  printf '%s' "$home"
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

# tell_all - tells the notices; sets `fired` and `failed`. What was told is saved at the end, and every second meanwhile, so
# that a kill makes little be told twice. What could not be told stays as it was.
tell_all() {
  local at lines=("${lines_before[@]}") unsaved='' saved_at=$SECONDS
  fired=0 failed=0
  for ((at = 0; at < ${#events[@]}; at++)); do
    [[ ${events[at]} != kept || ${lines_after[at]} != "${lines[at]}" ]] || continue
    if [[ ${events[at]} != forgotten && ${events[at]} != kept ]]; then
      if ! tell "$at"; then
        failed=$((failed + 1))
        continue
      fi
      [[ ${events[at]} != fired && ${events[at]} != repeated ]] || fired=$((fired + 1))
    fi
    lines[at]=${lines_after[at]}
    unsaved=1
    ((SECONDS == saved_at)) || save_state
  done
  [[ -z $unsaved ]] || save_state
}

# tell AT - prints that notice, or runs the command; 0 if that is done. Facts are in the command's environment only: it
# is a text of the user's, they are not.
tell() {
  local status
  if [[ ! -v opt[exec] ]]; then
    printf '%s\n' "${messages[$1]}"
    return
  fi
  (
    add_for_user "TASKRESULTS_EVENT=${events[$1]}" "TASKRESULTS_ALERT=${alerts_of[$1]}" "TASKRESULTS_JOB=${jobs_of[$1]}" \
      "TASKRESULTS_MESSAGE=${messages[$1]}" "TASKRESULTS_STREAK=${streaks[$1]}" "TASKRESULTS_FAILURES=${failures_of[$1]}" \
      "TASKRESULTS_LAST_RUN=${last_runs[$1]}" "TASKRESULTS_SINCE=${sinces[$1]}" "TASKRESULTS_ERROR=${errors_of[$1]}"
    exec_as_user timeout -k 5 "$((${opt[exec-timeout]-60000000} / 1000000))" sh -c "${opt[exec]}"
  ) </dev/null {lock}>&-
  status=$?
  ((status == 0)) || say "--exec failed with status $status; it is tried again at the next run: ${messages[$1]}"
  return "$status"
}
