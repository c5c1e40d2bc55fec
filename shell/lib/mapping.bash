# mapping.bash - --map MAPPING: the files of another program than our scheduler. See ext/DIALECTS.md.

# shellcheck shell=bash

# read_mapping - sets what lib/places has for our scheduler's files. Of the mappings that are built in it is known; only
# one of the user's own has to be asked.
read_mapping() {
  [[ ! -v opt[map] ]] || export TASKRESULTS_MAP=${opt[map]}
  case $TASKRESULTS_MAP in
    native) ;;
    openclaw | runs) has_durations=1 ;;
    gitlab) has_durations=1 file_before=current file_after='' file_pattern=current shared_files=1 ;;
    n8n) file_before=n8nEventLog file_after=.log file_pattern='n8nEventLog*.log' shared_files=1 ;;
    @?* | *'{'*) ask_mapping ;;
    *) usage_error "--map wants native, openclaw, runs, gitlab, n8n, @FILE or JSON, not '$TASKRESULTS_MAP'" ;;
  esac
  [[ -z $shared_files && -n $file_after ]] || has_segments=''
  if [[ -v opt[map] || $TASKRESULTS_MAP != native ]]; then
    load lib/characters
    set_quoted map_words "$TASKRESULTS_MAP"
    map_words=" --map $map_words"
  fi
  [[ $TASKRESULTS_MAP != native ]] || return 0
  known_runs='ok IS NOT NULL' is_mapped=1
  [[ -z $shared_files ]] || known_jobs='job_id IS NOT NULL' known_runs+=' AND job_id IS NOT NULL'
}

ask_mapping() {
  local answer after
  load lib/query
  answer=$(query "SELECT (coalesce(map ->> '\$.job', 'file') = 'file') ||
      (coalesce(map ->> '\$.duration', map ->> '\$.started') IS NOT NULL) || coalesce(map ->> '\$.files', '*.jsonl')
    FROM (SELECT taskresults_mapping() AS map);") || exit
  [[ $answer == 1* ]] || shared_files=1
  [[ $answer != ?1* ]] || has_durations=1
  answer=${answer:2}
  file_before=${answer%%'*'*} file_after=''
  escape_pattern file_pattern "$file_before"
  [[ $answer == *'*'* ]] || return 0
  file_after=${answer#*'*'}
  escape_pattern after "$file_after"
  file_pattern+="*$after"
}

# escape_pattern NAME TEXT - sets NAME to the pattern that only the text itself matches.
escape_pattern() {
  local i_ pattern_=''
  for ((i_ = 0; i_ < ${#2}; i_++)); do
    case ${2:i_:1} in
      [][\\?*]) pattern_+=\\${2:i_:1} ;;
      *) pattern_+=${2:i_:1} ;;
    esac
  done
  printf -v "$1" '%s' "$pattern_"
}

# refuse_segments OPTION - for what needs rotated files, where they cannot be told from others.
refuse_segments() {
  usage_error "$1 needs each job's rotated files: its mapping has to have \"job\" \"file\", and \"files\" such as *.log"
}

# has_shared_job JOB - has any record of the files that jobs share this one?
has_shared_job() {
  local found
  load lib/query lib/sql_text
  found=$(query "SELECT EXISTS (SELECT 1 FROM task_results($(sql_text "$1")));") || exit
  ((found))
}

# set_shared_jobs NAME - sets the array to the jobs in files that jobs share. One whose name has a line break is left
# out.
set_shared_jobs() {
  local text_
  load lib/query
  text_=$(query "SELECT job_id FROM task_stats WHERE job_id <> '' AND instr(job_id, char(10)) = 0;") || exit
  mapfile -t "$1" < <(printf '%s' "${text_:+$text_$'\n'}")
}
