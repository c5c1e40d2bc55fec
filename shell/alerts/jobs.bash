# jobs.bash - which jobs alerts are about, and which of their files cannot be read.

# shellcheck shell=bash

load lib/{sql_texts,of_job}

# With --hosts a job is HOST/JOB everywhere: in the tables, the state file, mutes and messages.

# find_results - sets `dir`, and `results_id`, by which the state file identifies the directory.
find_results() {
  dir=$results_dir
  [[ $dir == /* ]] || dir=./$dir
  [[ -z $hosts ]] || { find_results_of_hosts; return; }
  [[ -d $dir ]] || { load hints/schedulers; no_results_dir "$dir"; }
  [[ -r $dir && -x $dir ]] || die "$EXIT_IO" "results directory $dir is not readable for $(id -un); no alerts at all"
  results_id=$(printf '%s' "$(realpath -- "$dir")" | od -An -v -tx1 | tr -d ' \n')
}

# find_results_of_hosts - the same for --hosts. Whether each can be read is found out by the query.
find_results_of_hosts() {
  local base=${dir%%'*'*}
  base=${base%/*}
  results_id=$(printf '%s' "$(realpath -m -- "$base/")${dir:${#base}}" | od -An -v -tx1 | tr -d ' \n')
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
  [[ -z $shared_files ]] || { find_shared_jobs; return; }
  [[ -z $hosts ]] || { find_jobs_of_hosts; return; }
  while IFS= read -rd '' job; do
    kind=${job:0:1} job=${job:1}
    job=${job%"$file_after"} job=${job#"$file_before"}
    ((${#args[@]} == 0)) || [[ -v wanted["=$job"] ]] || continue
    if [[ $kind == r ]]; then jobs+=("$job"); else unreadable+=("$job"); fi
  done < <(find "$dir/" -maxdepth 1 -type f -name "$file_pattern" \
    \( -readable -printf 'r%f\0' -o -printf 'u%f\0' \) 2>/dev/null)
  ((${#unreadable[@]} == 0)) || say_unreadable_files
}

# find_shared_jobs - for find_jobs, with its variables, where jobs share files.
find_shared_jobs() {
  set_shared_jobs jobs
  ((${#args[@]} == 0)) || keep_wanted jobs
}

# find_jobs_of_hosts - for find_jobs, with its variables. A JOB without a host is that job of each.
find_jobs_of_hosts() {
  local readable
  load lib/unreadable
  find_unreadable "$dir" "$file_after"
  ((${#args[@]} == 0)) || {
    keep_wanted readable
    keep_wanted unreadable
  }
  jobs=("${readable[@]}")
  ((${#unreadable[@]} == 0)) || say_unreadable_files
}

# keep_wanted NAME - of the jobs in the array.
keep_wanted() {
  local -n jobs_=$1
  local job_ kept_=()
  for job_ in "${jobs_[@]}"; do
    [[ ! -v wanted["=$job_"] && ! -v wanted["=${job_#*/}"] ]] || kept_+=("$job_")
  done
  jobs_=("${kept_[@]}")
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
