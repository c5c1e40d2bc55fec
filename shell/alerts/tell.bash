# tell.bash - tells what is new, so that the state file never says more than was told.

# shellcheck shell=bash

# tell_all - tells the notices; sets `fired` and `failed`. What was told is saved at the end, and every second
# meanwhile, so that a kill makes little be told twice. What could not be told stays as it was.
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
    load lib/as_user
    add_for_user "TASKRESULTS_EVENT=${events[$1]}" "TASKRESULTS_ALERT=${alerts_of[$1]}" \
      "TASKRESULTS_JOB=${jobs_of[$1]}" "TASKRESULTS_MESSAGE=${messages[$1]}" "TASKRESULTS_STREAK=${streaks[$1]}" \
      "TASKRESULTS_FAILURES=${failures_of[$1]}" "TASKRESULTS_LAST_RUN=${last_runs[$1]}" \
      "TASKRESULTS_SINCE=${sinces[$1]}" "TASKRESULTS_ERROR=${errors_of[$1]}"
    exec_as_user timeout -k 5 "$((${opt[exec-timeout]-60000000} / 1000000))" sh -c "${opt[exec]}"
  ) </dev/null {lock}>&-
  status=$?
  ((status == 0)) || say "--exec failed with status $status; it is tried again at the next run: ${messages[$1]}"
  return "$status"
}
