# results.bash - what `doctor` looks for in the results themselves: in files that are not read, in lines, in records, in
# runs. It says what it finds by `ok`, `note` and `fail`; `called` is how to call us again. However many jobs there are,
# no process is started for one.

# shellcheck shell=bash

load lib/query lib/unreadable lib/fields lib/times

# A note is made of so many failures in a row, or so long a time without a success.
LONG_STREAK=20
LONG_FAILURE_DAYS=7
MOST_FAILING=20

# Rotated files, under a mapping, too, unless its jobs share files.
check_rotated() {
  local dir path named rotated=() instead='. taskresults prune keeps the files short without rotating them'
  [[ -n $has_segments ]] || return 0
  [[ -z $is_mapped ]] || instead=''
  dir=$results_dir
  [[ $dir == /* ]] || dir=./$dir
  for path in "$dir"/"$file_before"*"$file_after"$ROTATED; do [[ ! -f $path ]] || rotated+=("${path##*/}"); done
  ((${#rotated[@]} == 0)) || {
    set_named named "${rotated[@]}"
    note "rotated files in $dir, which are not read: $named" \
      "to read those with a number or a date, too: $called list$map_words --history (errors, stats, sla, view, export
      and rejects have it as well); in SQL, task_history$instead"
  }
}

# Files among the results that are not read, or are read as a job although they are none: they may explain missing runs.
check_other_files() {
  local dir path inner name named misnamed=() as_jobs=() folders=()
  dir=$results_dir
  [[ $dir == /* ]] || dir=./$dir
  for path in "$dir"/*; do
    name=${path##*/}
    case $name in
      *.jsonl)
        [[ ! ${name%.jsonl} =~ ^(.+)(\.[0-9]{1,3}|[.-][0-9]{8}|[.-][0-9]{4}-[0-9]{2}-[0-9]{2})$ ||
          ! -f $dir/${BASH_REMATCH[1]}.jsonl ]] || as_jobs+=("$name")
        ;;
      *.jsonl$ROTATED) ;; # check_rotated names them
      *.[jJ][sS][oO][nN][lL] | *.ndjson | *.json | *.jsonlines) [[ ! -f $path ]] || misnamed+=("$name") ;;
      *) for inner in "$path"/*.jsonl; do [[ ! -f $inner ]] || { folders+=("$name"); break; }; done ;;
    esac
  done
  ((${#as_jobs[@]} == 0)) || {
    set_named named "${as_jobs[@]}"
    note "files that look rotated, but are read as jobs of their own: $named" \
      "if they are old runs of other jobs, move them out of $dir"
  }
  ((${#misnamed[@]} == 0)) || {
    set_named named "${misnamed[@]}"
    note "files in $dir which are not read, since their names do not end in .jsonl: $named" \
      'if they are results, rename them'
  }
  ((${#folders[@]} == 0)) || {
    set_named named "${folders[@]}"
    note "folders in $dir with files of results, which are not read: $named" \
      'to read those of one, name it in SCHEDULER_RESULTS_DIR'
  }
}

# One row for each job and reason: lines are counted, entries are named.
check_lines() {
  local rows kind hex job quoted file reason count dir found=0
  dir=$results_dir
  rows=$(with_progress query "SELECT offset IS NULL, hex(job_id), $(cell reason), count(*) FROM task_rejects
    GROUP BY 1, 2, 3 ORDER BY 1 DESC, job_id, 3;") || {
    fail 'the results cannot be read' 'see the message above'
    return
  }
  while IFS=$'\x1f' read -r kind hex reason count; do
    [[ -n $kind ]] || continue
    found=1
    set_job "$hex"
    if [[ -n $shared_files && -z $hex ]]; then
      note "lines of files that jobs share: $count: $reason" "to see them: $called rejects$map_words"
    elif ((!kind)); then
      ((count == 1)) && count+=' line' || count+=' lines'
      note "job $quoted: $count: $reason" "to see them: $called rejects$map_words -- $quoted"
    elif [[ $reason == *'interrupted prune'* ]]; then
      fail "job $quoted: $reason" \
        "prune the job again, which brings the records back: $called prune -- $quoted --keep N
        (if it says that what was archived is gone, it changes nothing, and names the file to save)"
    elif [[ $reason == *'Permission denied'* ]]; then
      set_quoted file "$dir/$file_before$job$file_after"
      fail "job $quoted: $reason" "as its owner: chmod a+r -- $file"
    else
      fail "job $quoted: $reason" "move it out of $dir, or rename it so that it does not end in ${file_after:-that}"
    fi
  done < <(printf '%s\n' "$rows")
  ((found)) || ok 'every line is a record'
}

# Clocks of two machines may differ by so much.
FUTURE_S=60

# check_record_times - of `check_records`: records that no range of time holds, and those that are dated ahead.
check_record_times() {
  local kept=', and prune --since keeps them'
  [[ -z $is_mapped ]] || kept=''
  ((timeless == 0)) ||
    note "job $quoted: records whose timestamp cannot be read as a time: $timeless of $runs" \
      "they are in no range of time$kept; to see them: $called view$map_words -- $quoted"
  ((future == 0)) ||
    note "job $quoted: records that are dated later than now: $future of $runs" \
      'a clock was ahead, or the times are local ones without a zone: without one, a time is in UTC'
}

# Records without `success` count as failures; where no record has it, another program may have written the file. Sets
# `strange` to those jobs.
check_records() {
  local rows hex job quoted runs known timeless future words
  local said='sum(success IS NOT NULL OR ok)' # of how many runs it is known whether they succeeded
  [[ -z $is_mapped ]] || said='count(*)' # check_mapping tells of the others
  rows=$(with_progress query "SELECT hex(job_id), count(*), $said AS known,
      sum(time_us IS NULL) AS timeless,
      coalesce(sum(time_us > (strftime('%s', 'now') + $FUTURE_S) * 1000000), 0) AS future FROM task_results
    WHERE $known_jobs GROUP BY job_id HAVING known < count(*) OR timeless OR future ORDER BY job_id;") || {
    fail 'the records cannot be read' 'see the message above'
    return
  }
  while IFS=$'\x1f' read -r hex runs known timeless future; do
    [[ -n $runs ]] || continue
    set_job "$hex"
    check_record_times
    if ((known == runs)); then
      continue
    elif ((known)); then
      note "job $quoted: records without a value for success, which count as failures: $((runs - known)) of $runs" \
        "to see them: $called export$map_words --errors -- $quoted"
    else
      strange[$hex]=1
      words="none of its $runs records has a value for success, so that all count as failures"
      ((runs > 1)) || words='its only record has no value for success, so that it counts as a failure'
      note "job $quoted: $words" \
        'if another program writes the file, move it elsewhere; if the scheduler should read it, each line needs
      "success": true or false'
    fi
  done < <(printf '%s\n' "$rows")
}

# Jobs that have failed so often, or for so long, that somebody should look.
check_failing() {
  local rows hex job quoted failed all since words count=0
  rows=$(with_progress query "SELECT hex(job_id), -streak, runs = -streak, $(clock since_us) || coalesce(' (' ||
      nullif($(relative_time since_us), '') || ')', '')
    FROM (SELECT *, coalesce(last_success_us, first_run_us) AS since_us FROM task_stats WHERE $known_jobs)
    WHERE streak <= -$LONG_STREAK OR
      (streak <= -2 AND since_us < (strftime('%s', 'now') - $LONG_FAILURE_DAYS * 86400) * 1000000)
    ORDER BY streak, job_id;") || {
    fail 'the results cannot be counted' 'see the message above'
    return
  }
  while IFS=$'\x1f' read -r hex failed all since; do
    [[ -n $failed && ! -v strange[$hex] ]] || continue
    ((++count <= MOST_FAILING)) || continue
    set_job "$hex"
    words="its last $failed runs failed"
    ((all)) && words="all of its $failed runs failed"
    [[ -z $since ]] || { ((all)) && words+=", the first on $since" || words+="; its last success was on $since"; }
    note "job $quoted: $words" "to see why: $called view$map_words --errors --latest -- $quoted"
  done < <(printf '%s\n' "$rows")
  ((count <= MOST_FAILING)) ||
    note "$((count - MOST_FAILING)) more jobs have failed for long" "to see them: $called list$map_words --failing"
}

examine_results() {
  local -A strange=()
  local unreadable
  readable_jobs
  load doctor/dialects
  if [[ -n $is_mapped ]]; then
    check_mapping
  else
    ! recognise_dialect || return 0 # the other checks would be about other lines than these
    check_other_files
  fi
  check_rotated
  check_lines
  check_records
  check_failing
}
