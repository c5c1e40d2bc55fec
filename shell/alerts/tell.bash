# tell.bash - reports what is new. The state file is saved afterwards, so it never has more than was reported.

# shellcheck shell=bash

# tell_all - reports the notices; sets `fired` and `failed`. The state is saved every second and at the end, so that
# after a kill, few are reported twice. What could not be reported is tried again at the next run.
tell_all() {
  local at lines=("${lines_before[@]}") unsaved='' saved_at=$SECONDS digest_failed=''
  fired=0 failed=0
  [[ ! -v opt[digest] ]] || tell_digest || digest_failed=1
  for ((at = 0; at < ${#events[@]}; at++)); do
    [[ ${events[at]} != kept || ${lines_after[at]} != "${lines[at]}" ]] || continue
    if is_news "$at"; then
      if [[ -n $digest_failed ]] || { [[ ! -v opt[digest] ]] && ! tell "$at"; }; then
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

# is_news AT - is that notice to be reported?
is_news() {
  [[ ${events[$1]} != forgotten && ${events[$1]} != kept ]]
}

# tell AT - prints that notice, or runs the command; succeeds if that worked. The command is the user's text, and the
# facts come from others: so they are passed in the environment, and never become part of the command.
tell() {
  if [[ ! -v opt[exec] ]]; then
    printf '%s\n' "${messages[$1]}"
    return
  fi
  local host='' job=${jobs_of[$1]}
  [[ -z $hosts ]] || host=${job%%/*} job=${job#*/}
  run_command "${messages[$1]}" "TASKRESULTS_EVENT=${events[$1]}" "TASKRESULTS_ALERT=${alerts_of[$1]}" \
    "TASKRESULTS_HOST=$host" "TASKRESULTS_JOB=$job" "TASKRESULTS_MESSAGE=${messages[$1]}" \
    "TASKRESULTS_STREAK=${streaks[$1]}" "TASKRESULTS_FAILURES=${failures_of[$1]}" \
    "TASKRESULTS_LAST_RUN=${last_runs[$1]}" "TASKRESULTS_SINCE=${sinces[$1]}" "TASKRESULTS_ERROR=${errors_of[$1]}" \
    </dev/null
}

# run_command MESSAGE NAME=VALUE... - runs the command of --exec with these variables and our standard input.
run_command() {
  local status
  (
    load lib/as_user
    add_for_user "${@:2}"
    exec_as_user timeout -k 5 "$((${opt[exec-timeout]-60000000} / 1000000))" sh -c "${opt[exec]}"
  ) {lock}>&-
  status=$?
  ((status == 0)) || say "--exec failed with status $status; it is tried again at the next run: $1"
  return "$status"
}

SHOWN_IN_DIGEST=5

# tell_digest - runs the command once for all notices to be reported, if there are any.
tell_digest() {
  local at news=() text='' beginning none=()
  for ((at = 0; at < ${#events[@]}; at++)); do
    ! is_news "$at" || news+=("$at")
  done
  ((${#news[@]})) || return 0
  load lib/characters
  for at in "${news[@]:0:SHOWN_IN_DIGEST}"; do
    set_beginning beginning 200 "${messages[at]}"
    text+=${text:+; }$beginning
  done
  ((${#news[@]} == 1)) || text="${#news[@]} alerts: $text"
  ((${#news[@]} <= SHOWN_IN_DIGEST)) || text+="; and $((${#news[@]} - SHOWN_IN_DIGEST)) more"
  for at in ALERT HOST JOB STREAK FAILURES LAST_RUN SINCE ERROR; do none+=("TASKRESULTS_$at="); done
  run_command "$text" TASKRESULTS_EVENT=digest "TASKRESULTS_MESSAGE=$text" "${none[@]}" < <(print_facts "${news[@]}")
}

# print_facts AT... - prints the facts of these notices as a JSON array, a line for each. In a message, only tabs need
# an escape: other control characters were made visible.
print_facts() {
  local at message end=$'[\n'
  exec {lock}>&-
  for at; do
    message=${messages[at]//\\/\\\\}
    message=${message//$'\t'/\\t}
    printf '%s%s,"message":"%s"}' "$end" "${json_of[at]}" "${message//\"/\\\"}"
    end=$',\n'
  done
  printf '\n]\n'
}
