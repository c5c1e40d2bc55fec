#!/usr/bin/env bats
# Through which folders of ext one line goes, from its file to SQL: the tables in ext/ARCHITECTURE.md are compared with a
# build in which every function records its folder (tests/live/walk.c).

load ../lib/helpers

setup() {
  results=$BATS_TEST_TMPDIR/results logs=$BATS_TEST_TMPDIR/logs
  mkdir -p "$results" "$logs"
  local day
  for day in 1 2 3; do
    printf '{"timestamp": "2026-01-0%dT00:00:00Z", "success": %s, "output": "a\\nb", "error": "\\u00e9 timeout"}\n' \
      "$day" '"a text is judged"' >>"$results/job.jsonl"
    printf '{"a broken line\n' >>"$results/rejects.jsonl"
    printf '[2026-01-0%dT00:00:00Z] Executing (command mode): x\n' "$day" >>"$logs/job.log"
  done
}

# The rows of the tables: `QUERY|A ROW|ITS COLUMN`.
walks() {
  sed -nE 's/^\| `(SELECT [^`]*)` \| ([a-z ]*) \| ([a-z ]*) \|$/\1|\2|\3/p' "$root/ext/ARCHITECTURE.md"
}

walk() {
  "$root/build/live/walk" "$results" "$logs" "$1" | sed 's/ $//'
}

@test "a line goes through the folders in the order that ARCHITECTURE.md gives" {
  local query row column found count=0
  while IFS='|' read -r query row column; do
    found=$(walk "$query")
    printf '%s\n%s\n' "$query" "$found"
    [[ ${found%%$'\n'*} == "$row" && ${found##*$'\n'} == "$column" ]]
    count=$((count + 1))
  done < <(walks)
  ((count >= 12))
}

# once_down_once_back FOLDER... - the folders go down once, in the order of FOLDERS in the Makefile, and back up once.
once_down_once_back() {
  local -a way=("$@") order
  local i at=99 place half=$((${#way[@]} / 2))
  read -ra order <<<"$(sed -n 's/^FOLDERS := //p' "$root/Makefile")"
  for ((i = 0; i <= half; i++)); do
    [[ ${way[i]} == "${way[${#way[@]} - 1 - i]}" ]] || return 1
    for ((place = 0; place < ${#order[@]}; place++)); do [[ ${order[place]} != "${way[i]}" ]] || break; done
    ((place < at)) || return 1
    at=$place
  done
}

@test "each folder is entered once on the way down and once on the way back, unless a condition or a log asks" {
  once_down_once_back tables scan read scan tables
  run once_down_once_back tables scan read scan read scan tables
  ((status == 1))
  run once_down_once_back scan tables scan
  ((status == 1))
  local query row found call
  while IFS='|' read -r query row _; do
    [[ $query != *WHERE* && $query != *task_logs* ]] || continue
    while IFS= read -r call; do
      echo "$query: $call"
      # shellcheck disable=SC2086  # words
      once_down_once_back $call
    done < <(walk "$query")
  done < <(walks)
}
