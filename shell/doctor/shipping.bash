# shipping.bash - what `doctor` looks for in the marks of `taskresults ship`: a sink that nobody ships to any more, and
# rows that a sink refused.

# shellcheck shell=bash

# check_shipping - a prune keeps all that is behind the slowest mark, so an old one keeps a file growing.
check_shipping() {
  local marks
  for marks in "$results_dir"/.taskresults/shipped/*.jsonl; do
    [[ ! -f $marks ]] || check_marks "$marks"
  done
}

# check_marks MARKS - ship writes them at the end of each round. Whether another machine ships under the same name, only
# the sink knows; it is asked if the user wants it.
check_marks() {
  local cursor refused status written_s good=1
  load ship/marks
  set_cursor_of_marks cursor "$1"
  status=$?
  ((status != 2)) || return 0
  if ((status)); then
    note "the marks of ship, $1, cannot be read by $(id -un)" "prune needs them; run doctor as their owner"
    return
  fi
  if [[ ! -e $cursor ]]; then
    note "$1 belongs to a cursor that is gone or out of sight: $cursor" \
      'prune keeps what was not read for it; if nothing ships there any more, delete that file'
    return
  fi
  if written_s=$(stat -c %Y -- "$1" 2>/dev/null) && ((written_s < EPOCHSECONDS - 86400)); then
    good=''
    note "nothing was shipped with the cursor $cursor for more than a day" \
      "start ship again, as prune keeps what it has not read; if nothing ships there any more, delete $1"
  fi
  if [[ -r $cursor ]] && refused=$(sqlite_database=$cursor query 'SELECT count(*) FROM dead;' 2>/dev/null) &&
    [[ $refused == [1-9]* ]]; then
    good=''
    note "$refused of the rows that ship sent were refused; they are kept in $cursor, table dead, with the reason" \
      "$called ship --resend, with its other options, sends them once more"
  fi
  [[ -z $good ]] || ok "ships with the cursor $cursor"
  [[ ! -v opt[ask-sink] ]] || { load doctor/sinks; check_sink "$cursor"; }
}
