# follow [JOB...] - prints new records as they are written, each exactly once
#
# Usage: taskresults follow [JOB...] [OPTION...]
#
# Follows the jobs that are named, or all jobs, including those that appear later. Runs until it is interrupted, or
# until the program that reads its output ends. It notices if a file is pruned, replaced or cut short meanwhile: it
# looks for the last record that it printed, by its bytes or else by its time, and prints only what comes after that.
# Without names, a job whose file cannot be read is named on standard error, and followed as soon as it can be read. The
# same is true if the results directory disappears. If a named job has no file yet, a message says so, and follow waits
# for it.
#
# Options:
#   --limit N       begin with the last N records of each job (of those that the other options select); 0 is the default
#   --success       only successful runs
#   --errors        only failed runs
#   --grep TEXT     only runs whose output or error holds TEXT, wildcards taken literally; A to Z are the same as a to z
#   --interval S    check every S seconds, or at another interval such as 5m; 1 is the default
#   --tz ZONE       show times in a time zone: Europe/Berlin, or local for that of this machine. Without it, and in
#                   --jsonl, they are as in the records
#   --full          print whole texts, instead of their first 200 characters
#   --raw           on a terminal, too: print every byte unchanged
#   --jsonl         JSON, one object a line
#   --map MAPPING   of another program: openclaw, runs, @FILE for a mapping of your own, or its JSON. Not where jobs
#                   share files
#
# Exit status:
#   0 the program that read its output has ended; 2 usage; 3 input or output failed; 128 + the signal's number, such as
#   130, after a signal
#
# Examples:
#   taskresults follow my-job --limit 5
#   taskresults follow --errors --jsonl

# shellcheck shell=bash
parse_options 'map= limit= grep= success errors interval= tz= full raw jsonl' "$@"
load lib/{option_values,query,sql_text,jobs,runner}
map_option
[[ -z $shared_files ]] || usage_error 'follow reads files of one job each, and under this mapping jobs share them'
exclusive success errors
number_option limit
limit=${opt[limit]-0}
seconds_option interval
zone_option
interval=${opt[interval]-1000000}
((interval > 0 && interval < 10 ** 12)) || usage_error '--interval has to be longer than 0 and shorter than 12 days'
printf -v interval '%d.%06d' "$((interval / 1000000))" "$((interval % 1000000))"

condition=1
[[ ! -v opt[success] ]] || condition='ok = 1'
[[ ! -v opt[errors] ]] || condition='ok = 0'
[[ ! -v opt[grep] ]] || { load lib/grep; add_grep condition; }
cut=200
[[ ! -v opt[full] ]] || cut=0
columns='timestamp, job_id, job_name, success, output, error, record, time_us, offset, ok'
if [[ -v opt[jsonl] ]]; then
  load lib/formats
  printed=$(json_row timestamp timestamp job_id job_id job_name job_name success success output output error error)
else
  load lib/records terminal/show
  ((${#args[@]} == 1)) || with_job_id=1
  set_record_block printed "$cut"
fi

dir=$results_dir
[[ $dir == /* ]] || dir=./$dir
[[ -d $dir ]] || { load hints/schedulers; no_results_dir "$dir"; }
can_look() { [[ -r $dir && -x $dir ]]; }
can_look || die "$EXIT_IO" "results directory $dir: Permission denied"

# All records of such a job are new, even those written before the first look.
declare -A awaited=()
for job in "${args[@]}"; do
  has_file "$job" && continue
  awaited["=$job"]=1
  load lib/characters
  say "job $(quoted "$job") has no file yet; waiting for one"
  suggest_job "$job"
done

# What is known of each file: job -> inode, size and time of change, as last seen by `changed_jobs`.
declare -A state=()

# must_wait JOB - when following all jobs: a job whose file cannot be read is reported once, and does not stop the
# others. job -> "new" or "known" (something of it was seen before); empty: does not wait.
declare -A waiting=()
must_wait() {
  ((${#args[@]} == 0)) && [[ -f $dir/$file_before$1$file_after && ! -r $dir/$file_before$1$file_after ]] || return
  [[ -z ${waiting["=$1"]-} ]] || return 0
  load lib/name_unreadable
  name_unreadable 'not followed yet' "$1"
  waiting["=$1"]=new
  [[ -z ${state["=$1"]-} ]] || waiting["=$1"]=known
}

# changed_jobs - sets `changed` to the jobs whose files are not as they were at the last call. A directory that is gone
# may come back, for instance mounted again; until then nothing is shown, which is reported.
is_gone=
changed_jobs() {
  local job now
  local -A wanted=()
  changed=()
  if ! can_look; then
    [[ $is_gone ]] || say "results directory $dir: cannot be read any more; waiting until it can"
    is_gone=1
    return
  fi
  is_gone=
  for job in "${args[@]}"; do wanted["=$job"]=1; done
  while read -r now && IFS= read -rd '' job; do
    job=${job%"$file_after"} job=${job#"$file_before"}
    ((${#args[@]} == 0)) || [[ -v wanted["=$job"] ]] || continue
    [[ ${state["=$job"]-} != "$now" ]] || continue
    ! must_wait "$job" || continue
    state["=$job"]=$now
    changed+=("$job")
  done < <(find "$dir/" -maxdepth 1 -type f -name "$file_pattern" -printf '%i %s %T@\n%f\0' 2>/dev/null)
}

# `seen` has, for each job, the last record that was shown. `batch` has the records to show now.
tables="
CREATE TEMP TABLE seen(job PRIMARY KEY, offset, record, time_us);
CREATE TEMP TABLE top(offset);
CREATE TEMP TABLE anchor(offset, record, place);
CREATE TEMP TABLE batch AS SELECT $columns FROM task_results('') WHERE 0;"

# show_batch JOB - SQL: prints the batch, and remembers its last record.
show_batch() {
  printf '%s' "SELECT $printed FROM batch WHERE $condition ORDER BY offset;
    INSERT OR REPLACE INTO seen SELECT $1, offset, record,
      coalesce(time_us, (SELECT time_us FROM seen WHERE job = $1)) FROM batch ORDER BY offset DESC LIMIT 1;"
}

# begin_with JOB - SQL: what is there at the start counts as seen; the last few are printed.
begin_with() {
  printf '%s' "INSERT INTO seen SELECT $1, offset, record, time_us FROM task_results($1) ORDER BY rowid DESC LIMIT 1;"
  ((limit == 0)) || printf '%s' "SELECT $printed FROM (SELECT rowid AS place, $columns FROM task_results($1)
    WHERE $condition AND offset <= (SELECT offset FROM seen WHERE job = $1) ORDER BY rowid DESC LIMIT $limit)
    ORDER BY place;"
}

# catch_up JOB - SQL: what came after the record that was shown last, the anchor. Usually it lies where it lay. After a
# prune it lies elsewhere, but is the same line; or it is gone, and the newest record that is not newer stands in.
# Everything is looked for from the end, up to the record that was the last when the search began. The batch is read in
# one scan, of one file: if the anchor is not in it, the file was exchanged in between, and the next look will do.
catch_up() {
  local from_end="(SELECT offset, record, time_us, row_number() OVER (ORDER BY rowid DESC) AS place
    FROM task_results($1)
    WHERE offset <= (SELECT offset FROM top))"
  local seen="FROM seen WHERE job = $1"
  printf '%s' "DELETE FROM top; DELETE FROM anchor; DELETE FROM batch;
    INSERT INTO top SELECT offset FROM task_results($1) ORDER BY rowid DESC LIMIT 1;
    INSERT INTO anchor SELECT offset, record, place FROM (SELECT * FROM $from_end
      WHERE offset <= (SELECT offset $seen) LIMIT 1)
      WHERE offset = (SELECT offset $seen) AND record = (SELECT record $seen);
    INSERT INTO anchor SELECT offset, record, place FROM $from_end
      WHERE NOT EXISTS (SELECT 1 FROM anchor) AND record = (SELECT record $seen) LIMIT 1;
    INSERT INTO anchor SELECT offset, record, place FROM $from_end
      WHERE NOT EXISTS (SELECT 1 FROM anchor) AND time_us <= (SELECT time_us $seen) LIMIT 1;
    INSERT INTO batch SELECT $columns FROM task_results($1)
      WHERE offset BETWEEN (SELECT offset FROM anchor) AND (SELECT offset FROM top)
      ORDER BY rowid DESC LIMIT (SELECT coalesce(max(place), 0) FROM anchor);
    INSERT INTO batch SELECT $columns FROM task_results($1)
      WHERE NOT EXISTS (SELECT 1 FROM anchor) AND offset <= (SELECT offset FROM top);
    DELETE FROM batch WHERE EXISTS (SELECT 1 FROM anchor)
      AND NOT EXISTS (SELECT 1 FROM anchor JOIN batch USING (offset, record));
    DELETE FROM batch WHERE offset = (SELECT offset FROM anchor);"
  show_batch "$1"
}

# Through this pipe, the process that shows the records reports its end, and --watch reports that nobody reads or that
# the script has ended. sqlite3 would notice that only at the next record.
exec {ended}<> <(:)

# goes_on - waits until the next look. False: nothing more can be shown, or the script itself has ended.
goes_on() {
  read -rt "$interval" -u "$ended"
  (($? > 128)) && kill -0 "$$" 2>/dev/null # read's status at its timeout
}

# feed - the statements, for as long as it goes on.
feed() {
  local job
  printf '%s\n' "$tables"
  changed_jobs
  for job in "${changed[@]}"; do
    if [[ -v awaited["=$job"] ]]; then
      catch_up "$(sql_text "$job")"
    else
      begin_with "$(sql_text "$job")"
    fi
    echo
  done
  while goes_on; do
    changed_jobs
    for job in "${changed[@]}"; do
      if [[ ${waiting["=$job"]-} == new ]]; then
        begin_with "$(sql_text "$job")"
      else
        catch_up "$(sql_text "$job")"
      fi
      waiting["=$job"]=
      echo
    done
    echo
  done
}

# One by one, as they come.
as_it_comes() {
  local status
  if [[ -v opt[jsonl] ]]; then sed -u "$(json_program)"; else show; fi
  status=$?
  echo >&"$ended"
  return "$status"
}

# end_by SIGNAL - ends all processes started here, and then the script as the signal would have. The process that shows
# the records may be blocked by a reader that does not read, so it is killed; the others get the signal.
end_by() {
  local showing=${!-} children=
  trap '' INT TERM HUP QUIT PIPE
  echo >&"$ended"
  {
    read -r children <"/proc/$showing/task/$showing/children"
    # shellcheck disable=SC2086  # numbers
    kill "$showing" $children
  } 2>/dev/null
  trap - "$1"
  [[ $1 == INT ]] || kill -s "$1" "$$"
  exit "$((128 + $(kill -l "$1")))" # also for QUIT, which bash ignores
}
for signal in INT TERM HUP QUIT PIPE; do
  # shellcheck disable=SC2064  # now
  trap "end_by $signal" "$signal"
done

sqlite_setup
if find_runner; then
  "$runner" --watch "$ended" "$$" &
fi
# In the background, so that the script handles a signal at once. Its status is that of the last process that failed.
feed | run_plain | as_it_comes &
wait "$!"
finish "$?"
