# hosts.bash - --hosts 'DIR/*/results': the results of several hosts; what the star stands for is the host.

# shellcheck shell=bash

# hosts_option - if --hosts is given: sets `hosts`, and the tables read these directories.
hosts_option() {
  [[ ${opt[hosts]} == *'*'* && ${opt[hosts]} != *'*'*'*'* ]] ||
    usage_error "--hosts wants a quoted path with one * for the host, such as '/srv/runs/*/results'"
  hosts=1 results_dir=${opt[hosts]}
  export SCHEDULER_RESULTS_DIR=$results_dir
}

# some_host_has JOB - has any of them a file of the job?
some_host_has() {
  local path files
  path=${results_dir#*'*'}
  while [[ $path == */ ]]; do path=${path%/}; done
  files=("${results_dir%%'*'*}"*"$path/$1.jsonl")
  [[ -e ${files[0]} || -L ${files[0]} ]]
}
