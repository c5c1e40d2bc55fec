# query.bash - running SQL safely: no start-up file of the user's, stop at the first error, statements on standard
# input.

# shellcheck shell=bash

OLDEST_SQLITE=3038000

# What sorting needs is kept in memory: where there is no room for temporary files, an answer is not to be missing.
keep_in_memory=$'PRAGMA temp_store=memory;\n'

# sorts_all_runs - ahead of a query that sorts every run, and might take much memory: temporary files, if where SQLite
# makes them there is plenty of room.
PLENTY_BYTES=$((1 << 30))
sorts_all_runs() {
  local dir blocks size
  for dir in "${SQLITE_TMPDIR-}" "${TMPDIR-}" /var/tmp /usr/tmp /tmp .; do
    [[ -n $dir && -d $dir && -w $dir && -x $dir ]] || continue
    read -r blocks size < <(stat -f -c '%a %S' -- "$dir") && ((blocks >= PLENTY_BYTES / size)) && keep_in_memory=''
    return
  done
}

# sqlite_setup - sets `prelude`, the lines to send ahead of any statement: load the extension, print one plain text a
# row. The path is spelled in octal, where no quote or backslash can end it.
sqlite_setup() {
  [[ -z ${prelude-} ]] || return 0
  local extension version=$known_version octal escape=''
  [[ -n $version ]] || sqlite_version || no_sqlite
  ((version >= OLDEST_SQLITE)) || too_old
  find_extension || exit
  octal_of "$extension"
  # From 3.50 on the program rewrites control characters unless told not to.
  ((version < 3050000)) || escape=' --escape off'
  prelude=".load \"$octal\""$'\n'".mode list$escape"$'\n.separator "\\037" "\\n"\n'$keep_in_memory
}

no_sqlite() {
  die "$EXIT_IO" "no $sqlite3_program program; on Debian: apt-get install sqlite3"
}

too_old() {
  die "$EXIT_IO" "$sqlite3_program is older than 3.38"
}

# evaluate EXPRESSION... - sets `values` to their values: all, or those before the first that SQLite calls an error,
# which is `value_error` then. The version is asked for in the same process, so that sqlite_setup needs none of its own.
known_version=
evaluate() {
  local extension version octal answer line loaded='' expression statements
  values=() value_error=
  find_extension || exit
  octal_of "$extension"
  statements=('.mode list' "SELECT '=' || sqlite_version();" ".load \"$octal\"" "SELECT '=';")
  for expression; do
    # What has no room among a program's arguments is no time.
    ((${#expression} <= 10000)) || expression="taskresults_time('of thousands of characters')"
    statements+=("SELECT '=' || ($expression);")
  done
  answer=$("$sqlite3_program" -init /dev/null -batch :memory: "${statements[@]}" 2>&1)
  answer+=$'\n'
  while [[ -n $answer ]]; do
    line=${answer%%$'\n'*} answer=${answer#*$'\n'}
    if [[ $line != =* ]]; then
      value_error+=${value_error:+ }$line
    elif [[ -z $known_version ]]; then
      set_version "${line#=}" && known_version=$version
    elif [[ -z $loaded ]]; then
      loaded=1
    else
      values+=("${line#=}")
    fi
  done
  [[ -n $known_version ]] || no_sqlite
  ((known_version >= OLDEST_SQLITE)) || too_old
  [[ -n $loaded ]] || die_of_sqlite "$value_error"
}

octal_of() {
  local LC_ALL=C i code # a character is a byte then
  octal=
  for ((i = 0; i < ${#1}; i++)); do
    printf -v code '%d' "'${1:i:1}"
    printf -v code '\\%03o' "$((code & 255))"
    octal+=$code
  done
}

# query SQL - prints the rows. On an error says what SQLite said, and returns 3; 141 when the reader went away.
query() {
  sqlite_setup
  if [[ -v in_progress || ! -t 2 ]]; then
    send_query "$1"
  elif [[ -n $stdout_is_terminal ]]; then
    until_output send_query "$1"
  else
    with_progress send_query "$1"
  fi
}

send_query() {
  run_sqlite < <(printf '%s%s\n%s' "$prelude" "$1" "$query_end")
}

# count_untimed - from now on, queries end with a word on the records that their range of time has passed over, since
# their time cannot be read. They are counted on the way; it comes in where complaints do.
query_end=
count_untimed() {
  query_end=$'.output /dev/fd/2\nSELECT \'untimed \' || taskresults_untimed();\n'
}

say_untimed() {
  [[ $1 =~ (^|$'\n')untimed\ ([1-9][0-9]*) ]] || return 0
  say "passed over ${BASH_REMATCH[2]} record$( ((BASH_REMATCH[2] == 1)) || echo s) without a readable time, which no" \
    "range of time holds; to see them:" \
    "taskresults sql 'SELECT job_id, timestamp FROM task_results WHERE time_us IS NULL'"
}

# Words to stand before the sqlite3 program; `sql`, which is the user's own, has exec_as_user.
run_as=()

# run_sqlite [OPTION...] - the program itself, on what comes in: the prelude, then statements. Rows go out as soon as
# their statement has ended.
run_sqlite() {
  local status complaint
  {
    complaint=$("${run_as[@]}" "$sqlite3_program" -init /dev/null -batch -bail "$@" \
      "${sqlite_database:-:memory:}" 2>&1 >&3 3>&-)
    status=$?
  } 3>&1
  case $status in
    0) say_untimed "$complaint" ;;
    130 | 141) return "$status" ;;
    *)
      say_sqlite_error "$complaint"
      [[ ${command-} != prune || $complaint != *[,:]' refused: '* ]] || return "$EXIT_NO"
      return "$EXIT_IO"
      ;;
  esac
}

die_of_sqlite() {
  say_sqlite_error "$1"
  exit "$EXIT_IO"
}

# The program's own "Runtime error near line 3: " tells a user nothing, and who gave no SQL is not helped by any.
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
    SCHEDULER_RESULTS_DIR) [[ -d $results_dir ]] || suggest_schedulers ;;
    *) say "$variable says where it is" ;;
  esac
}

# finish STATUS... - what a pipeline that begins with `query` ends with. The first failure counts; a reader that went
# away is none, and a filter that failed could not write.
finish() {
  local status
  for status; do
    case $status in
      0 | 141) ;;
      130) exit "$status" ;;
      *) exit "$EXIT_IO" ;;
    esac
  done
}

# to_output COMMAND... - runs it, and ends with its failure. sqlite3 does not look at what becomes of its output, so
# somebody who does stands behind it.
to_output() {
  "$@" | cat
  finish "${PIPESTATUS[@]}"
}
