# of_job.bash - SQL: one text that names a job, compared with the columns of a table. With --hosts it is HOST/JOB.

# shellcheck shell=bash

# of_job COLUMN JOB - SQL: a condition for the rows of this JOB; COLUMN holds the job's own name, and may begin with the
# table's name. It is written so that only that job's file is opened.
of_job() {
  local table=${1%job_id}
  if [[ -z $hosts ]]; then
    printf '%s = %s' "$1" "$2"
  else
    [[ $1 == *job_id ]] || table=
    printf '%s' "${table}host = $(host_in "$2") AND ${table}job_id = $(job_in "$2")"
  fi
}

# host_in JOB; job_in JOB - SQL: the two parts of HOST/JOB.
host_in() { printf '%s' "substr($1, 1, instr($1, '/') - 1)"; }
job_in() { printf '%s' "substr($1, instr($1, '/') + 1)"; }

# pair_in JOB - SQL: what `job_pair` is compared with.
pair_in() {
  if [[ -z $hosts ]]; then printf '%s' "$1"; else printf '%s' "$(host_in "$1"), $(job_in "$1")"; fi
}
