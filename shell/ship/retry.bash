# retry.bash - sends the requests of the spool until each is acknowledged, or tries run out.

# shellcheck shell=bash

MOST_REFUSALS=1000 # in a row, of one batch: then it is not the rows
TURN_REFUSALS=100  # in a row: then the smallest requests come first, and after as many the largest again

# drain - sends what is in the spool; `request_id` is the first, if there is any. The outcome of a request and the
# choice of the next one are one transaction.
drain() {
  local refusals=0
  while [[ -n $request_id ]] || ((left)); do
    if [[ -z $request_id ]]; then
      end_refused
      step
      continue
    fi
    send_patiently
    case $verdict in
      taken)
        acknowledge
        refusals=0
        ;;
      *)
        ((++refusals <= MOST_REFUSALS)) || stop_shipping "$words"
        if ((request_rows > 1)); then halve; else set_aside "$words"; fi
        ;;
    esac
    [[ $verdict == taken && $left == 0 ]] || step
    [[ $verdict != taken || $left != 0 ]] || request_id=''
  done
}

# send_patiently - sends the request again until it is taken or refused. Ends the command with 3 if the sink will never
# take this request, or with 75 if tries run out; the spool keeps it for the next run.
send_patiently() {
  local tries=0
  begin_next
  while true; do
    send
    [[ $verdict == @(taken|changed) ]] || drop_next
    case $verdict in
      taken | refused) [[ $tries == 0 ]] || say "$sink_words: it answers again"; return ;;
      stop) stop_shipping "$words" ;;
      changed) continue ;;
    esac
    ((++tries))
    ((most_tries == 0 || tries < most_tries)) || { say_waiting "$words"; exit "$EXIT_BUSY"; }
    ((tries > 1)) || say "$sink_words: $words; trying again"
    wait_for_next "$tries"
  done
}

say_waiting() {
  say "$sink_words: $1; nothing is lost, and the next run goes on from there"
}

# stop_shipping WORDS - ends the command: the sink's answer will be the same next time.
stop_shipping() {
  say_waiting "$1"
  exit "$EXIT_IO"
}

# wait_for_next TRIES - 0.2 s, then twice as long each time, up to a minute. Half of it is random, so that a thousand
# hosts do not come back at the same moment.
wait_for_next() {
  local wait_ms=60000
  (($1 > 9)) || wait_ms=$((100 << $1))
  ((wait_ms <= 60000)) || wait_ms=60000
  pause "$((wait_ms / 2 + RANDOM * (wait_ms / 2) / 32767))"
}

# pause MS - without a process.
pause() {
  local seconds
  printf -v seconds '%d.%03d' "$(($1 / 1000))" "$(($1 % 1000))"
  read -rt "$seconds" -u "$silence"
}
