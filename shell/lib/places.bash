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

# With --map, lib/mapping sets these: what the names of files have before and behind the job's; and whether jobs share
# files, so that no name tells which jobs there are.
# And whether a job's rotated files can be told by their names.
file_before='' file_after=.jsonl shared_files='' has_segments=1
# The same as a pattern for `find -name`. And what a command that we print needs to read the same files.
file_pattern='*.jsonl' map_words=''
# And in SQL: which jobs have a name; and of which runs it is known whether they succeeded. And: is there a mapping
# other than native? Then records may have durations.
known_jobs=1 known_runs=1 is_mapped='' has_durations=''

# has_file JOB - true, too, if the directory cannot be read.
has_file() {
  local dir=$results_dir path=$results_dir/$file_before$1$file_after
  [[ -z $shared_files ]] || { has_shared_job "$1"; return; }
  [[ -z $hosts ]] || { some_host_has "$1"; return; }
  [[ -e $path || -L $path || ! -r $dir || ! -x $dir ]]
}

# The table of records, and in SQL, what sorts those of one job. With --history, these are others.
records=task_results place=rowid
