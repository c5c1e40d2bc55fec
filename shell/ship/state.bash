# state.bash - the directory that keeps the cursor; the lock; and the file with the credentials.

# shellcheck shell=bash

# open_state - sets `state`, `cursor` and the other paths in it, and locks them, so that only one ship uses them.
open_state() {
  state=${opt[state]-}
  [[ ! -v opt[state] || -n $state ]] || usage_error '--state wants a directory'
  if [[ -z $state ]]; then
    load lib/home
    state=$(state_home 'a directory') || exit "$EXIT_IO"
    state+=/ship
  fi
  [[ $state == /* ]] || state=$PWD/$state
  [[ $state != *[\"\\[:cntrl:]]* ]] ||
    usage_error "--state wants a path without quotation marks, backslashes and control characters, not '$state'"
  umask 077
  mkdir -p -- "$state" || exit "$EXIT_IO"
  cursor=$state/$sink_name.db answer_file=$state/$sink_name.answer
  body_file=$state/$sink_name.body next_body_file=$state/$sink_name.next
  report_file=$state/$sink_name.curl
  { exec {lock}>>"$state/$sink_name.lock"; } 2>/dev/null || die "$EXIT_IO" "cannot write in the directory $state"
  flock -n "$lock" || die "$EXIT_BUSY" "another ship is running with the cursor $cursor"
}

# check_config - sets `curl_config` to the options that make curl read the file with credentials, or to nothing. A file
# that others can read is refused: they could write to the sink.
check_config() {
  local config=${opt[config]-} mode owner
  curl_config=()
  [[ ! -v opt[config] || -n $config ]] || usage_error '--config wants a file'
  if [[ -z $config ]]; then
    config=$state/curl.conf
    [[ -e $config || -L $config ]] || return 0
  fi
  [[ -f $config && -r $config ]] || die "$EXIT_IO" "the curl configuration $config cannot be read"
  read -r mode owner < <(stat -L -c '%a %u' -- "$config")
  (((8#$mode & 8#077) == 0)) ||
    die "$EXIT_IO" "others can read the curl configuration $config, which may hold a password: chmod 600" \
      "$(quoted "$config")"
  [[ $owner == "$EUID" || $owner == 0 ]] || die "$EXIT_IO" "the curl configuration $config belongs to another user"
  curl_config=(--config "$config")
}
