# sorts.bash - where a query may put what it sorts.

# shellcheck shell=bash

load lib/sqlite

PLENTY_BYTES=$((1 << 30))

# sorts_all_runs - for a query that sorts every run, and may need much memory: lets SQLite use temporary files, if there
# is plenty of room for them.
sorts_all_runs() {
  local dir blocks size
  for dir in "${SQLITE_TMPDIR-}" "${TMPDIR-}" /var/tmp /usr/tmp /tmp .; do
    [[ -n $dir && -d $dir && -w $dir && -x $dir ]] || continue
    read -r blocks size < <(stat -f -c '%a %S' -- "$dir") && ((blocks >= PLENTY_BYTES / size)) && keep_in_memory=';'
    return
  done
}
