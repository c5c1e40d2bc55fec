# program.bash - one sqlite3 program that has the cursor database open as long as there is something to ship.
#
# It takes SQL from a pipe, and answers into another one. If ship is killed, its input ends, and a transaction that is
# open is rolled back.

# shellcheck shell=bash

program_pid=''

# program SQL - runs it, and sets `answer` to what it prints, and what the SQL of tell_program printed before. Each row
# is a line, and its cells are separated by \037. Ends the command if it fails.
program() {
  local line marker="whole $RANDOM$RANDOM$RANDOM"
  tell_program "$1"$'\n'"SELECT '$marker';"
  answer=''
  while IFS= read -r line <&"$from_program"; do
    if [[ $line == "$marker" ]]; then
      answer=${answer%$'\n'}
      return
    fi
    answer+=$line$'\n'
  done
  end_program
  die "$EXIT_IO" "the cursor $cursor: $sqlite3_program ended too early"
}

# tell_program SQL - lets it run, and does not wait. If the program has ended, the next call of `program` says why.
tell_program() {
  [[ -n $program_pid ]] || start_program
  trap '' PIPE
  { printf '%s\n' "$1" >&"$to_program"; } 2>/dev/null
  trap - PIPE
}

start_program() {
  local output input
  exec {program_errors}<> <(:)
  coproc PROGRAM {
    exec "$sqlite3_program" -init /dev/null -batch "${sqlite_plain[@]}" -cmd "$keep_in_memory" "${sqlite_start[@]}" \
      "$cursor" 2>&"$program_errors"
  }
  program_pid=$! output=${PROGRAM[0]} input=${PROGRAM[1]}
  exec {to_program}>&"$input" {from_program}<&"$output"
  exec {input}>&- {output}<&-
  tell_program "$CURSOR_SETUP"
}

# end_program - and ends the command if it has failed.
end_program() {
  local status complaint
  [[ -n $program_pid ]] || return 0
  exec {to_program}>&- {from_program}<&-
  wait "$program_pid"
  status=$?
  program_pid=''
  printf '\0' >&"$program_errors"
  IFS= read -rd '' complaint <&"$program_errors"
  exec {program_errors}<&-
  judge_program "$status" "${complaint%$'\n'}" || finish "$?"
}

# stop_program - without a word, as we end for another reason. It holds the lock, too; so the next ship could not start.
# Nobody reads its answers any more: if that pipe were open, it could wait for us while we wait for it.
stop_program() {
  [[ -z $program_pid ]] || { exec {to_program}>&- {from_program}<&- && wait "$program_pid"; }
}

# leave_program - for a process of ours that may live longer than we do: it must not keep the program's input open.
leave_program() {
  [[ -z $program_pid ]] || exec {to_program}>&- {from_program}<&- {program_errors}<&-
}
