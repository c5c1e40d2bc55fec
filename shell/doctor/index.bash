# index.bash - what `doctor` looks for in the index: why it cannot be used, and what of it is outdated or foreign.

# shellcheck shell=bash

load lib/query lib/fields

check_index() {
  local rows path why files bytes percent outdated other_files other_bytes hex job quoted
  # What is about the index as a whole, and then the jobs whose index is unusable.
  rows=$(TASKRESULTS_INDEX=$index query "CREATE TEMP TABLE said AS SELECT taskresults_index('status') AS said;
    CREATE TEMP TABLE job AS SELECT value->>'\$.job_id' AS job_id, value->>'\$.state' AS state,
      value->>'\$.bytes' AS bytes, value->>'\$.known' AS known FROM said, json_each(said, '\$.jobs');
    SELECT coalesce($(cell "said->>'\$.path'"), ''), coalesce($(cell "said->>'\$.why'"), ''), said->>'\$.files',
      said->>'\$.bytes', (SELECT coalesce(sum(known) * 100 / sum(bytes), 0) FROM job),
      (SELECT count(*) FROM job WHERE state = 'outdated'), said->>'\$.other_files', said->>'\$.other_bytes' FROM said;
    SELECT hex(job_id) FROM job WHERE state = 'unusable' ORDER BY job_id" 2>&1) || {
    if [[ $rows == *'TASKRESULTS_INDEX: '* ]]; then
      fail "${rows#taskresults: }" 'unset it; or build with the header of libxxhash'
      export TASKRESULTS_INDEX=off # other questions would only say the same
      return
    fi
    note "the index cannot be looked at: ${rows#taskresults: }" 'TASKRESULTS_INDEX is off, auto, or an absolute path'
    return
  }
  IFS=$'\x1f' read -r path why files bytes percent outdated other_files other_bytes < <(printf '%s\n' "${rows%%$'\n'*}")
  if [[ $why == 'this build is without it'* ]]; then
    note "no index is used, so each question reads all lines: $why" \
      'build it with the header of libxxhash; or set TASKRESULTS_INDEX to off'
  elif [[ -n $why ]]; then
    note "no index is used, so each question reads all lines: $why" \
      'mend that, or name another folder of yours in TASKRESULTS_INDEX; or set it to off'
  elif [[ -n $path ]] && ((files)); then
    ok "index $path: $files file$( ((files == 1)) || echo s), $bytes bytes; it knows $percent % of the results"
  fi
  ((outdated == 0)) ||
    note "$outdated index$( ((outdated == 1)) || echo es) of files that were replaced or changed since" \
      "with TASKRESULTS_INDEX=auto in the environment, the next question makes them anew; or: $called index --rebuild"
  ((other_files == 0)) || note "indexes of other versions, limits or mappings: $other_files files, $other_bytes bytes" \
    "if nobody uses them: $called index --drop"
  while IFS= read -r hex; do
    [[ -n $hex ]] || continue
    set_job "$hex"
    note "job $quoted: what has the name of its index is no regular file of yours with a single name" \
      "see what is in $path, and remove it"
  done < <(printf '%s\n' "$rows" | sed 1d)
}
