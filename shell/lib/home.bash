# home.bash - where a command keeps what it must remember.

# shellcheck shell=bash

# state_home WHAT - prints the directory for it, $XDG_STATE_HOME/taskresults or ~/.local/state/taskresults. Ends the
# shell if there is no home directory; WHAT is what the user can name instead.
state_home() {
  local home=${XDG_STATE_HOME-}
  if [[ $home != /* ]]; then
    home=$(home_directory)
    [[ -n $home ]] || die "$EXIT_IO" "no home directory to keep the state in: name $1, with --state, or set HOME"
    home+=/.local/state
  fi
  printf '%s' "$home/taskresults"
}

# home_directory - prints $HOME, or, as services have none, the user's home directory from the system (bash's ~). Prints
# nothing if that does not exist, or is /, which bash gives for users that it cannot find.
home_directory() {
  local home=${HOME-}
  if [[ -z $home ]]; then
    home=$(unset HOME; printf '%s' ~)
    [[ -d $home && ! $home -ef / ]] || home=
  fi
  printf '%s' "$home"
}
