# find.bash - where the parts are: the extension, the results, the sqlite3 program.

# shellcheck shell=bash

# find_extension - sets `extension`, the path. `shell_home` is the directory of the running script, links resolved:
# in it lies a link when installed, above it the build when run from a checkout. TASKRESULTS_EXTENSION overrides both.
find_extension() {
  local path candidates=("$shell_home/taskresults.so" "$shell_home/../taskresults.so")
  [[ -z ${TASKRESULTS_EXTENSION-} ]] || candidates=("$(realpath -m -- "$TASKRESULTS_EXTENSION")")
  for path in "${candidates[@]}"; do
    if [[ -f $path || -f $path.so ]]; then
      extension=$path
      return
    fi
  done
  say "the extension is not at $path: build it with make, or name it in TASKRESULTS_EXTENSION"
  return "$EXIT_IO"
}

# find_runner - sets `runner`, the program behind `taskresults run`, which lies beside the extension.
find_runner() {
  runner=$shell_home/taskresults-run
  [[ -x $runner ]] || runner=$shell_home/../taskresults-run
  [[ -x $runner ]]
}

# The scheduler's state, and where its parts are: the same rule as the extension's own (ext/TABLES.md: Which
# directory). The completions, which stand alone, repeat it.
DEFAULT_STATE=/opt/.task-scheduler
results_dir=${SCHEDULER_RESULTS_DIR:-$DEFAULT_STATE/results}
logs_dir=${SCHEDULER_LOGS_DIR:-$DEFAULT_STATE/logs}
jobs_file=${SCHEDULER_JOBS_FILE:-$DEFAULT_STATE/jobs.json}

# has_file JOB - or the directory cannot be looked into.
has_file() {
  local dir=$results_dir
  [[ -e $dir/$1.jsonl || -L $dir/$1.jsonl || ! -r $dir || ! -x $dir ]]
}

# suggest_schedulers - says where else on this machine a scheduler keeps results, when there is no results directory.
suggest_schedulers() {
  # shellcheck source=shell/hints/schedulers.bash
  source "$shell_home/hints/schedulers.bash"
  say_schedulers
}

# no_results_dir DIR - ends a command that looked for itself.
no_results_dir() {
  say "results directory $1: no such directory"
  suggest_schedulers
  exit "$EXIT_IO"
}

# sqlite_version - sets `version`, that of the sqlite3 program as one number: 3.40.1 is 3040001. `sqlite3_program` is
# its name.
sqlite3_program=${TASKRESULTS_SQLITE3:-sqlite3}
sqlite_version() {
  local text
  text=$("$sqlite3_program" -init /dev/null -version 2>/dev/null) || return
  set_version "$text"
}

set_version() {
  [[ $1 =~ ^([0-9]+)\.([0-9]+)(\.([0-9]+))? ]] || return
  version=$((BASH_REMATCH[1] * 1000000 + BASH_REMATCH[2] * 1000 + ${BASH_REMATCH[4]:-0}))
}
