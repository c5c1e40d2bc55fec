# schedulers.bash - where a scheduler on this machine keeps its state: for hints, if it is not where we look. Nothing
# else uses the result. Sourced only when needed.
#
# The state is a directory with `results`, `logs` and `jobs.json`, and is called .task-scheduler: below /opt with older
# releases, in the scheduler's own repository with newer ones.

# shellcheck shell=bash

# Below it lie /opt, /proc and the units; tests have their own. No variable of the environment sets it.
system_root=

# find_schedulers - sets `schedulers`, the results directories that were found, each once, without the one in use.
# Looked at are /opt, the processes whose program or script is called task-scheduler..., and the systemd units of that
# name.
find_schedulers() {
  local state pid unit current
  current=$results_dir schedulers=()
  for state in "$system_root$DEFAULT_STATE" "$system_root"/opt/*/.task-scheduler; do consider_state "$state"; done
  for pid in "$system_root"/proc/[0-9]*; do look_at_process "$pid"; done
  for unit in "$system_root"/{etc,run,usr/local/lib,usr/lib,lib}/systemd/{system,user}/task-scheduler*.service \
    "${XDG_CONFIG_HOME:-${HOME-}/.config}"/systemd/user/task-scheduler*.service; do
    [[ ! -f $unit ]] || look_at_unit "$unit"
  done
}

# consider_state DIRECTORY; consider_results DIRECTORY
consider_state() {
  [[ ! -d $1/results ]] || consider_results "$1/results"
}
consider_results() {
  local known
  [[ $1 == /* && -d $1 && ! $1 -ef $current ]] || return 0
  for known in "${schedulers[@]}"; do [[ ! $1 -ef $known ]] || return 0; done
  schedulers+=("$1")
}

# consider_above PATH - the state in the directory, or in one of the four above it: a script is somewhere in its
# repository.
consider_above() {
  local dir=$1 i
  for ((i = 0; i < 5; i++)); do
    [[ $dir == /?* ]] || return 0
    consider_state "$dir/.task-scheduler"
    dir=${dir%/*}
  done
}

# look_at_process /proc/PID
look_at_process() {
  local words=() word cwd
  mapfile -d '' -n 6 words 2>/dev/null <"$1/cmdline" && ((${#words[@]})) || return 0
  is_scheduler "${words[@]}" || return 0
  while IFS= read -rd '' word; do
    [[ $word != SCHEDULER_RESULTS_DIR=* ]] || consider_results "${word#*=}"
  done 2>/dev/null <"$1/environ"
  if cwd=$(cd -P "$1/cwd" 2>/dev/null && pwd -P); then consider_above "$cwd"; fi
  for word in "${words[@]}"; do
    [[ $word != /*/* ]] || consider_above "${word%/*}"
  done
} 2>/dev/null

# is_scheduler WORD... - the program, or the script that an interpreter runs (perhaps behind options).
is_scheduler() {
  local word
  for word in "${@:1:4}"; do
    [[ ${word##*/} != task[-_]scheduler* ]] || return 0
  done
  return 1
}

# look_at_unit FILE - a service's own settings.
look_at_unit() {
  local line word words
  while IFS= read -r line; do
    case $line in
      WorkingDirectory=/*) consider_above "${line#*=}" ;;
      Environment=*SCHEDULER_RESULTS_DIR=*)
        word=${line#*SCHEDULER_RESULTS_DIR=}
        consider_results "${word%%[\"\' ]*}"
        ;;
      ExecStart=*)
        read -ra words < <(printf '%s\n' "${line#*=}")
        for word in "${words[@]}"; do
          [[ $word != /*/* ]] || consider_above "${word%/*}"
        done
        ;;
    esac
  done <"$1"
} 2>/dev/null

# print_exports RESULTS [INDENT] - the lines to paste.
print_exports() {
  local state=${1%/*} indent=${2-  }
  load lib/characters
  printf '%sexport SCHEDULER_RESULTS_DIR=%s\n' "$indent" "$(quoted "$1")"
  [[ ! -d $state/logs ]] || printf '%sexport SCHEDULER_LOGS_DIR=%s\n' "$indent" "$(quoted "$state/logs")"
  [[ ! -e $state/jobs.json ]] || printf '%sexport SCHEDULER_JOBS_FILE=%s\n' "$indent" "$(quoted "$state/jobs.json")"
}

# no_results_dir DIR - ends a command that looked for itself.
no_results_dir() {
  say "results directory $1: no such directory"
  say_schedulers
  exit "$EXIT_IO"
}

# say_schedulers - on standard error, for a command that found no results.
say_schedulers() {
  local schedulers results
  find_schedulers
  if ((${#schedulers[@]} == 0)); then
    if [[ -n ${SCHEDULER_RESULTS_DIR-} ]]; then
      say "SCHEDULER_RESULTS_DIR names $results_dir, which is no directory: correct it, or make the directory"
    else
      say 'no scheduler was found on this machine: set SCHEDULER_RESULTS_DIR to the directory of the results'
    fi
    return
  fi
  load terminal/visible
  for results in "${schedulers[@]}"; do
    say "a scheduler's results, which belong to $(stat -c %U -- "$results"), are in $results; to use them:"
    print_exports "$results" | sed "$(visible_message_program)" >&2
  done
}
