# ship - sends new records to ClickHouse, where queries see each record exactly once
#
# Usage: taskresults ship --to URL [OPTION...]
#
# Sends every finished line of every job's file to ClickHouse, including lines that are not records, and remembers how
# far it got. examples/clickhouse creates the tables. Without --follow it ends when
# everything that was there at the start has arrived; run it from cron, or as a service with --follow. shell/SHIPPING.md
# says how it works.
#
# If it is killed, or the sink is away, nothing is lost: what was not acknowledged is sent again, and the tables count
# a line once. While lines wait, a prune keeps them. If a file is pruned, replaced or cut short, it finds its place
# again, or ships the file anew. Rows that the sink refuses are kept in the cursor database, table `dead`.
#
# Passwords and certificates belong in a curl configuration file that only its owner can read, not into the URL.
#
# Options:
#   --to URL        the sink, such as http://clickhouse:8123/ or https://ch.example.com/?database=fleet; the database is
#                   fleet if the URL names none
#   --host NAME     the name of this host in the rows; default is what `uname -n` says
#   --state DIR     the directory with the cursor and the requests on their way; default
#                   ~/.local/state/taskresults/ship
#   --config FILE   what curl reads: user = "name:password", cacert = "..."; the default is curl.conf in the --state
#                   directory, if it exists
#   --follow        keep running, and look for new lines every --interval
#   --once          end when everything that was there at the start has arrived (the default)
#   --interval S    --follow: look every S seconds, or at another interval such as 5m; 60 is the default
#   --tries N       give up a request after N tries, and exit with 75; 0 never. The default is 10, with --follow 0
#   --resend        send the rows in `dead` once more
#
# Exit status:
#   0 all has arrived; 1 all has, but rows were refused and are kept; 2 usage; 3 input or output failed, or the sink
#   says that it will never take it; 75 the sink is away, or another ship runs with this cursor; 128 + the signal's
#   number, such as 143, after a signal
#
# Examples:
#   taskresults ship --to http://clickhouse:8123/
#   taskresults ship --to https://ch.example.com/ --host web-1 --config /etc/taskresults/curl.conf --follow

# shellcheck shell=bash
parse_options 'to= host= state= config= follow once interval= tries= resend' "$@"
[[ -z ${TASKRESULTS_MAP-} || $TASKRESULTS_MAP == native ]] ||
  usage_error 'ship sends what our scheduler writes, and TASKRESULTS_MAP names another program: unset it'
load lib/{option_values,query,sql_text,atomic,characters}
load ship/{sink,state,cursor,program,listing,reading,place,spool,sending,retry,marks}
at_most 0
exclusive follow once
[[ -n ${opt[to]-} ]] || usage_error 'ship wants a sink: --to URL'
number_option tries
seconds_option interval
[[ ! -v opt[interval] || -v opt[follow] ]] || usage_error '--interval is for --follow'
interval_ms=$((${opt[interval]-60000000} / 1000))
((interval_ms > 0 && interval_ms < 10 ** 9)) ||
  usage_error '--interval has to be longer than 0 and shorter than 12 days'
most_tries=${opt[tries]-10}
[[ ! -v opt[follow] || -v opt[tries] ]] || most_tries=0
read_sink "${opt[to]}"
host_name=${opt[host]-$(uname -n)} # HOSTNAME may be another one in cron
if [[ -z $host_name || $host_name == *[[:cntrl:]]* ]] || ! is_utf8 "$host_name"; then
  usage_error '--host wants a name, in one line and in UTF-8'
fi

[[ -d $results_dir ]] || { load hints/schedulers; no_results_dir "$results_dir"; }
[[ -r $results_dir && -x $results_dir ]] || die "$EXIT_IO" "results directory $results_dir: Permission denied"
results_path=$(cd -- "$results_dir" && pwd -P) || exit "$EXIT_IO"
for program in curl flock; do
  command -v "$program" >/dev/null || die "$EXIT_IO" "ship needs the program $program, which is not installed"
done

# end_by SIGNAL - ship may end at any moment, as if it was killed; only curl must not go on alone.
curl_pid=
end_by() {
  trap '' INT TERM HUP
  [[ -z $curl_pid ]] || kill "$curl_pid" 2>/dev/null
  trap - "$1"
  kill -s "$1" "$BASHPID"
}
trap_signals() {
  local signal
  for signal in INT TERM HUP; do
    # shellcheck disable=SC2064  # now
    trap "end_by $signal" "$signal"
  done
  trap stop_program EXIT
}
trap_signals

# round - ships what is there now. A file that is replaced again and again meanwhile waits for the next round.
round() {
  local listing batch searches=0 file
  has_unreadable=''
  set_listing listing
  while true; do
    lost=()
    if [[ -n $is_begun ]]; then
      end_next
    else
      more=''
      set_batch batch
      step "$listing" "$batch"
      listing=''
    fi
    drain
    for file in "${lost[@]}"; do find_again "$file"; done
    ((searches += ${#lost[@]}, searches < 10000)) || break
    [[ -n $more || ${#lost[@]} -gt 0 ]] || break
  done
  [[ -z $outcome ]] || step
  end_program
  save_marks
}

# report - says what was left out or refused, if that was not said before.
report() {
  left_out=()
  if [[ -n $has_unreadable ]]; then
    load lib/say ship/left_out
    say_left_out
  else
    named_left_out=''
  fi
  [[ -n $has_unsaid_dead ]] || return 0
  cursor_query 'SELECT count(*) FROM dead;'
  [[ $answer == 0 ]] || say_dead "$answer"
  dead=$answer has_unsaid_dead=''
}

sqlite_setup
exec {silence}<> <(:)
open_state
check_config
outcome='' has_unreadable='' more='' lost=() has_unsaid_dead=1 is_begun='' batches=0
open_cursor
open_marks
[[ -n $marks && -e $marks ]] || save_marks
[[ ! -v opt[resend] ]] ||
  outcome='INSERT INTO spool(stream, bytes, body) SELECT stream, 1, body FROM dead ORDER BY id; DELETE FROM dead;'
outcome+='UPDATE spool SET refused = NULL WHERE refused IS NOT NULL;'
step
drain
round
report
while [[ -v opt[follow] ]]; do
  pause "$interval_ms"
  round
  report
done
rm -f -- "$body_file" "$next_body_file" "$answer_file" "$report_file"
((${#left_out[@]} == 0)) || exit "$EXIT_IO"
((dead == 0)) || exit "$EXIT_NO"
