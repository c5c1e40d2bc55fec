# archive.bash - what `doctor` looks for in the archive: segments that are damaged, files that are none, what a prune
# has left, and segments whose times overlap. It says what it finds by `ok`, `note` and `fail`. It reads the whole
# archive.

# shellcheck shell=bash

load lib/query lib/fields

check_archive() {
  archive=$results_dir/.taskresults/archive archive_faults=0
  check_segment_names
  check_segments
  ((archive_faults)) || ok 'every segment of the archive can be read'
}

# Names, without a process for any of them. A segment is named {first time}-{number}.jsonl.zst.
check_segment_names() {
  local folder path name strange=() pending=() named
  for folder in "$archive"/*; do
    [[ -e $folder || -L $folder ]] || continue
    if [[ ! -d $folder || -L $folder || $folder != *.jsonl ]]; then
      strange+=("${folder##*/}")
      continue
    fi
    for path in "$folder"/*; do
      name=${folder##*/}/${path##*/}
      [[ -e $path || -L $path ]] || continue
      if [[ ! -f $path || -L $path || ! $name =~ -[0-9]+\.jsonl\.zst(\.pending-[0-9]+)?$ ]]; then
        strange+=("$name")
      elif [[ -n ${BASH_REMATCH[1]} ]]; then
        pending+=("$name")
      fi
    done
  done
  ((${#strange[@]} == 0)) || {
    archive_faults=1
    set_named named "${strange[@]}"
    note "files in $archive which are not read, since they are no segments: $named" \
      "move them elsewhere; if one is a segment that was renamed, give it back its name: TIME-NUMBER.jsonl.zst"
  }
  ((${#pending[@]} == 0)) || check_pending "${pending[@]}"
}

# check_pending NAME... - those whose source, the job's file before the prune, is not there any more. Else the next
# prune sees to them.
check_pending() {
  local inode name inodes=() left=() named advice
  while read -r inode name; do
    [[ ! $inode =~ ^[0-9]+$ ]] || inodes[inode]=1
  done < <(ls -ai "$results_dir")
  for name; do [[ -v inodes[${name##*-}] ]] || left+=("$name"); done
  ((${#left[@]} == 0)) || {
    archive_faults=1
    set_named named "${left[@]}"
    advice="Look with zstdcat whether its lines are elsewhere, in the job's file or in a rotated one: then remove it;"
    advice+=' if they are not, take .pending- and what follows off its name'
    note "left in $archive by an interrupted prune, whose source is gone: $named" \
      "it is not read. $advice"
  }
}

# Damage, as the tables see it; and times.
check_segments() {
  local rows what hex name reason job quoted
  rows=$(TASKRESULTS_SEGMENTS=all with_progress query "SELECT 'damaged', hex(job_id), '', $(cell reason)
    FROM task_rejects WHERE reason GLOB 'damaged: *'
  UNION ALL SELECT 'overlap', hex(job_id), $(cell before), $(cell segment) FROM
    (SELECT job_id, segment, first_us, lag(segment) OVER jobs AS before, lag(last_us) OVER jobs AS until
      FROM (SELECT job_id, segment, segment_no, min(time_us) AS first_us, max(time_us) AS last_us FROM task_history
        WHERE segment GLOB '*-*.jsonl.zst*' GROUP BY job_id, segment_no)
      WINDOW jobs AS (PARTITION BY job_id ORDER BY segment_no))
    WHERE first_us < until;") || {
    archive_faults=1
    fail 'the archive cannot be read' 'see the message above'
    return
  }
  while IFS=$'\x1f' read -r what hex name reason; do
    [[ -n $what ]] || continue
    archive_faults=1
    set_job "$hex"
    if [[ $what == damaged ]]; then
      fail "job $quoted: $reason" 'all the rest of it is read. Restore the segment from a backup, under the same name'
    else
      note "job $quoted: the archived segments $name and $reason overlap: the second begins before the first ends" \
        'if a clock was set back, that is all; if one is a copy of the other, its records count twice: move it away'
    fi
  done < <(printf '%s\n' "$rows")
}
