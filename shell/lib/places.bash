# places.bash - where the scheduler's state is: results, logs, and the list of jobs.

# shellcheck shell=bash

# The scheduler's state, and where its parts are: the same rule as the extension's own (ext/TABLES.md: Which
# directory). The completions, which cannot load this file, repeat the rule.
DEFAULT_STATE=/opt/.task-scheduler
results_dir=${SCHEDULER_RESULTS_DIR:-$DEFAULT_STATE/results}
logs_dir=${SCHEDULER_LOGS_DIR:-$DEFAULT_STATE/logs}

# Logs that lie beside results of one's own are those of the same jobs, for `run`, which writes them, and for all that
# read them. As `run` does, no link is followed.
if [[ -z ${SCHEDULER_LOGS_DIR-} && -n ${SCHEDULER_RESULTS_DIR-} && -d $results_dir/../logs &&
  ! -L $results_dir/../logs ]]; then
  logs_dir=$results_dir/../logs logs_are_beside=1
  export SCHEDULER_LOGS_DIR=$logs_dir
fi
jobs_file=${SCHEDULER_JOBS_FILE:-$DEFAULT_STATE/jobs.json}

# With --hosts, lib/hosts sets these. In SQL: what tells one job from the others, as columns and as one text; the job's
# own name in that text; and the column host for a SELECT, a GROUP BY or a table, with a comma behind it.
hosts='' job_pair=job_id job_key=job_id own_job=job_id host_column='' host_cell='' host_header=''

# has_file JOB - true, too, if the directory cannot be read.
has_file() {
  local dir=$results_dir
  [[ -z $hosts ]] || { some_host_has "$1"; return; }
  [[ -e $dir/$1.jsonl || -L $dir/$1.jsonl || ! -r $dir || ! -x $dir ]]
}
