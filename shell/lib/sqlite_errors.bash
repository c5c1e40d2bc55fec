# sqlite_errors.bash - messages of the sqlite3 program, and what we print of them.

# shellcheck shell=bash

load lib/sqlite_version

# judge_sqlite STATUS COMPLAINT - returns a query's exit status, and prints the reason. A program that is not sqlite3
# prints no version.
judge_sqlite() {
  local status=$1 complaint=$2 version
  if [[ $complaint == *"$VERSION_MARK"* ]]; then
    set_version "${complaint##*"$VERSION_MARK"}"
    complaint=${complaint##*"$VERSION_MARK"} complaint=${complaint#"${complaint%%$'\n'*}"} complaint=${complaint#$'\n'}
    ((version >= OLDEST_SQLITE)) || too_old
  elif [[ $status == 0 || $status == 12[67] || -z $complaint ]]; then
    no_sqlite
  fi
  if ((status == 0)); then
    say_untimed "$complaint"
    return
  fi
  say_sqlite_error "$complaint"
  # What --force would not allow either is no refusal, but a failure.
  [[ ${command-} != prune || $complaint != *[,:]' refused: '* || $complaint == *' refused: this system cannot '* ]] ||
    return "$EXIT_NO"
  return "$EXIT_IO"
}

say_untimed() {
  local called
  [[ $1 =~ (^|$'\n')untimed\ ([1-9][0-9]*) ]] || return 0
  load lib/called
  set_sql_called
  say "passed over ${BASH_REMATCH[2]} record$( ((BASH_REMATCH[2] == 1)) || echo s) without a readable time, which no" \
    "range of time holds; to see them:" \
    "$called 'SELECT ${host_column}job_id, timestamp FROM task_results WHERE time_us IS NULL'"
}

die_of_sqlite() {
  say_sqlite_error "$1"
  exit "$EXIT_IO"
}

# Without the program's "Runtime error near line 3: ", and without SQL, which do not help a user who wrote no SQL.
say_sqlite_error() {
  local line variable=
  line=$(printf '%s\n' "$1" |
    sed -E 's/^(Error|Parse error|Runtime error)( near line [0-9]+)?: //; s/^stepping, //; s/ \([0-9]+\)$//')
  if [[ $line =~ ^(.*)' (set '(SCHEDULER_[A-Z_]+)', or name one: CREATE VIRTUAL TABLE '[^$'\n']*$ ]]; then
    variable=${BASH_REMATCH[2]}
    [[ ${command-} == sql ]] || line=${BASH_REMATCH[1]}
  fi
  say "${line:-sqlite3 failed}"
  case $variable in
    '') ;;
    SCHEDULER_RESULTS_DIR) [[ -d $results_dir ]] || { load hints/schedulers; say_schedulers; } ;;
    *) say "$variable says where it is" ;;
  esac
}
