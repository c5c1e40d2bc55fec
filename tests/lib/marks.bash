# marks.bash - prunes beside the marks of `taskresults ship`, which the tests write themselves.
# `load ../lib/marks` below `load ../lib/helpers`.

# shellcheck shell=bash disable=SC2154  # helpers.bash sets results

# prune JOB OPTIONS - the report of one prune.
prune() {
  sql "SELECT taskresults_prune('$1', $2)"
}

# mark SINK JOB LINES - adds a mark to the sink's file: it has read so many lines of the job.
mark() {
  local marks=$results/.taskresults/shipped/$1.jsonl end
  [[ -e $results/.taskresults/shipped ]] || (umask 077 && mkdir -p "$results/.taskresults/shipped")
  [[ -e $marks ]] || echo '{"taskresults_marks":1,"cursor":"/var/lib/cursor.db"}' >"$marks"
  end=$(head -n "$3" "$results/$2.jsonl" | wc -c)
  stat -c '{"file":"'"$2"'.jsonl","dev":%d,"inode":%i,"end":'"$end}" "$results/$2.jsonl" >>"$marks"
}

# lines JOB - how many its file has.
lines() {
  wc -l <"$results/$1.jsonl"
}
