# shipping.bash - what `doctor` looks for in the marks of `taskresults ship`: a sink that nobody ships to any more, and
# rows that a sink refused.

# shellcheck shell=bash

# check_shipping - a prune keeps all that is behind the slowest mark, so an old one keeps a file growing. Whether
# another machine ships under the same name, only the sink knows; it is asked if the user wants it.
check_shipping() {
  local marks cursor refused status
  for marks in "$results_dir"/.taskresults/shipped/*.jsonl; do
    [[ -f $marks ]] || continue
    load ship/marks
    set_cursor_of_marks cursor "$marks"
    status=$?
    ((status != 2)) || continue
    if ((status)); then
      note "the marks of ship, $marks, cannot be read by $(id -un)" "prune needs them; run doctor as their owner"
      continue
    fi
    if [[ ! -e $cursor ]]; then
      note "$marks belongs to a cursor that is gone or out of sight: $cursor" \
        'prune keeps what was not shipped to it; if nothing ships there any more, delete that file'
      continue
    elif [[ -r $cursor ]] && refused=$(sqlite_database=$cursor query 'SELECT count(*) FROM dead;' 2>/dev/null) &&
      [[ $refused == [1-9]* ]]; then
      note "$refused of the rows that ship sent were refused; they are kept in $cursor, table dead, with the reason" \
        "$called ship --resend, with its other options, sends them once more"
    else
      ok "ships with the cursor $cursor"
    fi
    [[ ! -v opt[ask-sink] ]] || { load doctor/sinks; check_sink "$cursor"; }
  done
}
