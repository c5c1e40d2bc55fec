# jobs.bash - which jobs alerts are about, and which of their files cannot be read.

# shellcheck shell=bash

load lib/sql_texts

# find_results - sets `dir`, and `results_id`, by which the state file identifies the directory.
find_results() {
  dir=$results_dir
  [[ $dir == /* ]] || dir=./$dir
  [[ -d $dir ]] || { load hints/schedulers; no_results_dir "$dir"; }
  [[ -r $dir && -x $dir ]] || die "$EXIT_IO" "results directory $dir is not readable for $(id -un); no alerts at all"
  results_id=$(printf '%s' "$(realpath -- "$dir")" | od -An -v -tx1 | tr -d ' \n')
}

# Messages about jobs and alerts that were left out. They are printed after the alerts.
unjudged=()

# find_jobs - sets `jobs`, those with a file (or those of them that were named), and `unreadable`, which it names in a
# message.
find_jobs() {
  local dir kind job
  local -A wanted=()
  find_results
  jobs=() unreadable=()
  for job in "${args[@]}"; do wanted["=$job"]=1; done
  while IFS= read -rd '' job; do
    kind=${job:0:1} job=${job:1}
    job=${job%.jsonl}
    ((${#args[@]} == 0)) || [[ -v wanted["=$job"] ]] || continue
    if [[ $kind == r ]]; then jobs+=("$job"); else unreadable+=("$job"); fi
  done < <(find "$dir/" -maxdepth 1 -type f -name '*.jsonl' \
    \( -readable -printf 'r%f\0' -o -printf 'u%f\0' \) 2>/dev/null)
  ((${#unreadable[@]} == 0)) || say_unreadable_files
}

say_unreadable_files() {
  local job user messages=()
  user=$(id -un)
  for job in "${unreadable[@]}"; do messages+=("job $job: its file is not readable for $user; no alerts for it"); done
  load lib/say
  say_each "${messages[@]}"
}

# say_unjudged - prints the messages about what was left out.
say_unjudged() {
  ((${#unjudged[@]})) || return 0
  load lib/say
  say_each "${unjudged[@]}"
}

# each_text TABLE TEXT... - SQL that inserts the texts into the table.
each_text() {
  (($# == 1)) || printf '%s\0' "${@:2}" | sql_texts "INSERT OR IGNORE INTO $1 VALUES(" ');'
}
