# hosts.bash - --hosts 'DIR/*/results': the results of several hosts; what the star stands for is the host.
#
# The same name on two hosts is two jobs. Where one text has to name a job, as for files that cannot be read, it is
# HOST/JOB, since no name of a host or a job has a slash.

# shellcheck shell=bash

load lib/fields

# read_hosts - sets what lib/places has empty, and the paths, which the tables then read, too. Logs and the list of jobs
# are beside the results, as for one host, unless their variables have paths with a star.
read_hosts() {
  local path=${opt[hosts]-$results_dir}
  [[ $path == *'*'* && $path != *'*'*'*'* ]] ||
    usage_error "--hosts wants a quoted path with one * for the host, such as '/srv/runs/*/results'"
  hosts=1 results_dir=$path
  job_pair='(host, job_id)' job_key="host || '/' || job_id" own_job="substr(job_id, instr(job_id, '/') + 1)"
  host_column='host, ' host_header="'HOST', "
  set_cell host_cell host
  host_cell+=', '
  without_slashes path
  [[ ${path##*/} == *'*'* || $path != */* ]] || path=${path%/*}
  logs_dir=$path/logs jobs_file=$path/jobs.json
  [[ ${SCHEDULER_LOGS_DIR-} != *'*'* ]] || logs_dir=$SCHEDULER_LOGS_DIR
  [[ ${SCHEDULER_JOBS_FILE-} != *'*'* ]] || jobs_file=$SCHEDULER_JOBS_FILE
  export SCHEDULER_RESULTS_DIR=$results_dir SCHEDULER_LOGS_DIR=$logs_dir SCHEDULER_JOBS_FILE=$jobs_file
}

# without_slashes NAME - cuts those at the end.
without_slashes() {
  while [[ ${!1} == */ ]]; do printf -v "$1" '%s' "${!1%/}"; done
}

# some_host_has JOB - has any of them a file of the job?
some_host_has() {
  local path=$results_dir
  without_slashes path
  is_on_some_host "$path/$file_before$1$file_after"
}

# is_on_some_host PATH - does anything match? What follows the star is taken literally.
is_on_some_host() {
  local files=("${1%%'*'*}"*"${1#*'*'}")
  [[ -e ${files[0]} || -L ${files[0]} ]]
}

# add_hosts_with NAME JOB - sets NAME to the end of an SQL query for hosts: those that have a file of the job, whatever
# its first line is.
add_hosts_with() {
  local path host_ text_ values_='' dir_=$results_dir
  without_slashes dir_
  [[ -z $shared_files ]] || { printf -v "$1" '%s' ''; return; }
  for path in "${dir_%%'*'*}"*"${dir_#*'*'}/$file_before$2$file_after"; do
    [[ -e $path || -L $path ]] || continue
    host_=${path#"${dir_%%'*'*}"} host_=${host_%"${dir_#*'*'}/$file_before$2$file_after"}
    set_sql_text text_ "$host_"
    values_+=${values_:+, }"($text_)"
  done
  printf -v "$1" '%s' "${values_:+ UNION VALUES $values_}"
}

# find_unreadable_of_hosts DIRECTORY SUFFIX - as find_unreadable.
find_unreadable_of_hosts() {
  local path name host after dir=$1
  without_slashes dir
  after=${dir#*'*'}
  for path in "${dir%%'*'*}"*"$after"/*"$2" "${dir%%'*'*}"*"$after"/.*"$2"; do
    [[ -f $path && ! -L $path ]] || continue
    name=${path##*/} host=${path:${#dir}-1-${#after}} host=${host%%/*} host=${host%"${after%%/*}"}
    name=$host/${name%"$2"}
    if [[ -r $path ]]; then readable+=("$name"); else unreadable+=("$name"); fi
  done
}

# set_path_on_host NAME DIRECTORY JOB SUFFIX - sets NAME to the path of that file of HOST/JOB.
set_path_on_host() {
  local dir_=$2
  without_slashes dir_
  printf -v "$1" '%s' "${dir_%%'*'*}${3%%/*}${dir_#*'*'}/${3#*/}$4"
}
