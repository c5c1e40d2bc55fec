# doctor - finds problems of the installation and the results, and says how to fix them
#
# Usage: taskresults doctor [--map MAPPING] [--tz ZONE] [--ask-sink [--config FILE]]
#
# Checks the programs, the extension, the directories and their permissions, and whether a scheduler on this machine
# keeps its files elsewhere. Lists files of results that cannot be read, or are ignored because they were rotated or
# have another name; lines that are not valid records; records that do not say whether the run succeeded; files that an
# interrupted prune left behind; segments of the archive that are damaged or overlap, and what is in the way there; jobs
# that have been failing for long; jobs that died; a list of jobs or logs that cannot be read; an index that is
# outdated, or cannot be used; and sinks to which `ship` sent rows that were refused, or sends nothing any more. Nothing
# is changed.
#
# Each line begins with `ok`, `note` (worth a look) or `FAIL`. After a `FAIL`, a line `fix:` says what to do.
#
# Options:
#   --map MAPPING   files of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON;
#                   says which values it does not know, and how many lines it does not want. Without it, doctor names
#                   the mapping that would understand the files, if they are not our scheduler's
#   --tz ZONE       show times in a time zone: Europe/Berlin, or local for that of this machine; default UTC
#   --ask-sink      also ask each sink of `ship` whether another machine ships there under this host's name; this takes
#                   at most 15 seconds for each
#   --config FILE   --ask-sink: what curl reads, as for `ship`: a user who may read the sink's table files
#
# Exit status:
#   0 no FAIL; 1 at least one FAIL; 2 usage
#
# Examples:
#   taskresults doctor
#   taskresults doctor --ask-sink --config ~/.config/taskresults/reader.conf

# shellcheck shell=bash

parse_options 'map= tz= ask-sink config=' "$@"
load lib/{query,sqlite_version,runner,called} hints/schedulers doctor/{names,results,logs} terminal/show
load lib/option_values
map_option
at_most 0
[[ ! -v opt[config] || -v opt[ask-sink] ]] || usage_error '--config is for --ask-sink'
failures=0

# ok WORDS; note WORDS ADVICE; fail WORDS FIX
ok() { printf 'ok    %s\n' "$1"; }
note() { printf 'note  %s\n      %s\n' "$1" "$2"; }
fail() {
  printf '%sFAIL%s  %s\n      fix: %s\n' "$red" "$plain" "$1" "$2"
  failures=$((failures + 1))
}
red='' plain=''
if in_colour; then red=$'\xf9' plain=$'\xfc'; fi

check_programs() {
  local version extension runner
  if ((BASH_VERSINFO[0] >= 5)); then # EPOCHREALTIME
    ok "bash $BASH_VERSION"
  else
    fail "bash $BASH_VERSION is older than 5.0" 'install a newer bash'
  fi
  if ! sqlite_version; then
    fail "no $sqlite3_program program" 'apt-get install sqlite3'
    return 1
  fi
  if ((version < OLDEST_SQLITE)); then
    fail "$sqlite3_program is older than 3.38" 'install a newer sqlite3, or name one in TASKRESULTS_SQLITE3'
    return 1
  fi
  ok "$sqlite3_program $((version / 1000000)).$((version / 1000 % 1000)).$((version % 1000))"
  if ! find_extension 2>/dev/null; then
    fail 'the extension is not there' 'make && make install, or name it in TASKRESULTS_EXTENSION'
    return 1
  fi
  if ! version=$(query 'SELECT taskresults_version();' 2>&1); then
    fail "the extension $extension cannot be loaded: $version" 'build it on this machine: make clean all'
    return 1
  fi
  ok "extension $version: $extension"
  if find_runner; then
    ok "runner: $runner"
  else
    note "taskresults-run is not at $runner" 'only `taskresults run` needs it: make && make install'
  fi
}

# The directory, each above it, and what they let us do.
check_results_dir() {
  local dir count
  dir=$results_dir
  [[ $dir == /* ]] || dir=./$dir
  if [[ ! -d $dir ]]; then
    fail "no results directory $dir" 'set SCHEDULER_RESULTS_DIR to where the scheduler writes its results'
    name_other_schedulers
    return 1
  fi
  if [[ ! -r $dir || ! -x $dir ]]; then
    load lib/characters
    fail "the results directory $dir is not readable for $(id -un)" \
      "as its owner: setfacl -m u:$(id -un):rx, or chmod a+rx -- $(quoted "$dir")"
    return 1
  fi
  count=$(find "$dir/" -maxdepth 1 -name "$file_pattern" -printf x | wc -c)
  if ((count)); then
    ok "results $dir: $count file$( ((count == 1)) || echo s)"
  else
    note "no file of results in $dir" \
      'if there ought to be some, SCHEDULER_RESULTS_DIR names another directory than the scheduler'
  fi
  name_other_schedulers
}

# Newer releases of the scheduler keep their state elsewhere, and a machine may have several.
name_other_schedulers() {
  local schedulers results
  load lib/characters
  find_schedulers
  for results in "${schedulers[@]}"; do
    note "a scheduler on this machine has its results in $(quoted "$results"), which are not those above" \
      'to use them:'
    print_exports "$results" '        '
  done
}

# beside_results NAME VARIABLE - where it usually lies, if it does.
beside_results() {
  local path
  load lib/characters
  path=$results_dir/../$1
  [[ ! -r $path ]] || printf ': export %s=%s' "$2" "$(quoted "$(realpath -- "$path")")"
}

check_state() {
  [[ -r $jobs_file ]] || # check_jobs looks at its content
    note "the scheduler's list of jobs, $jobs_file, is missing or not readable" \
      "task_jobs needs it; SCHEDULER_JOBS_FILE says where it is$(beside_results jobs.json SCHEDULER_JOBS_FILE)"
  if [[ -r $logs_dir && -x $logs_dir ]]; then
    ok "logs $logs_dir"
  else
    note "the directory of job logs, $logs_dir, is missing or not readable" \
      "task_logs and task_runs need it; SCHEDULER_LOGS_DIR says where it is$(beside_results logs SCHEDULER_LOGS_DIR)"
  fi
}

# The list of jobs, and jobs with a checkpoint left behind by a run.
check_jobs() {
  local rows kind hex job quoted count
  [[ -r $jobs_file ]] || return 0
  rows=$(query "SELECT state, hex(job_id), count(*) FROM task_jobs WHERE state IN ('died', 'unknown') GROUP BY 1, 2
    UNION ALL SELECT 'no id', '', count(*) FROM task_jobs WHERE job_id IS NULL GROUP BY NULL
    UNION ALL SELECT 'twice', hex(job_id), count(*) FROM task_jobs
      WHERE job_id IS NOT NULL GROUP BY 2 HAVING count(*) > 1;" 2>&1) || {
    fail "${rows#taskresults: }" 'mend the file, or take it from a backup; the scheduler needs it too'
    return
  }
  ok "jobs $jobs_file"
  while IFS=$'\x1f' read -r kind hex count; do
    [[ -n $kind ]] || continue
    set_job "$hex"
    case $kind in
      died)
        note "job $quoted: its checkpoint names no process that lives" \
          'the run died; the scheduler may have to be told'
        ;;
      unknown)
        note "job $quoted: its next_run cannot be read as a time" \
          'so nothing can tell when it is overdue; mend it in jobs.json'
        ;;
      twice)
        note "job $quoted is $count times in $jobs_file" \
          'nobody knows which of them a run belongs to, so none is said to be missed; give each an id of its own'
        ;;
      *)
        note "$count of the jobs in $jobs_file have no id" \
          "to see them: $called sql 'SELECT record FROM task_jobs WHERE job_id IS NULL'"
        ;;
    esac
  done < <(printf '%s\n' "$rows")
}

# Any question would fail, and say the same.
check_index_setting() {
  case $index in
    off | auto | /*) return ;;
  esac
  load lib/characters
  fail "TASKRESULTS_INDEX is $(quoted "$index"), which is neither off, nor auto, nor an absolute path" \
    'unset it, or name a folder of yours by its whole path'
  export TASKRESULTS_INDEX=off
  index=off
}

examine() {
  local called mapped=${opt[map]-${TASKRESULTS_MAP-}} index=${TASKRESULTS_INDEX:-auto}
  local index_wanted=${TASKRESULTS_INDEX-}
  [[ ! -e ${XDG_CACHE_HOME:-${HOME-}/.cache}/taskresults ]] || index_wanted=1
  check_index_setting
  set_called
  check_state
  check_programs && check_results_dir && {
    # Before our own questions make it anew.
    [[ -n $mapped || $index == off || -z $index_wanted ]] || { load doctor/index; check_index; }
    examine_results
    check_jobs
    check_logs
    [[ ! -d $results_dir/.taskresults/shipped ]] || { load doctor/shipping; check_shipping; }
    [[ ! -d $results_dir/.taskresults/archive ]] || { load doctor/archive; check_archive; }
  }
  ((failures == 0)) || return "$EXIT_NO"
}

# Where a program or the extension is missing, the zone cannot be read. Then that is what is to be told.
if [[ -v opt[tz] ]] && (check_programs) >/dev/null 2>&1; then zone_option; fi
examine | show
statuses=("${PIPESTATUS[@]}")
finish "${statuses[1]}"
exit "${statuses[0]}"
