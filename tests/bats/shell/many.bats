#!/usr/bin/env bats
# Thousands of jobs: the work of a command grows with what it shows, and an unreadable file costs next to nothing. The tests
# count bytes of SQL, processes and commands of bash, not seconds.

load ../../lib/helpers
load ../../lib/shell

JOBS=1500

# make_many - makes the jobs, and stand-ins for programs that count what a command does.
make_many() {
  ((EUID == 0)) || skip 'only root can become somebody else'
  open_results
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  python3 - "$results" "$JOBS" <<'PYTHON'
import sys
for job in range(int(sys.argv[2])):
    with open(f"{sys.argv[1]}/{job}.jsonl", "w") as file:  # names that read as numbers, some as the same one
        file.write('{"timestamp":"2026-01-01T00:00:00Z","success":false,"error":"e"}\n')
PYTHON
  cp "$results/7.jsonl" "$results/007.jsonl"
  counted=$open_place/counted
  mkdir -m 777 "$counted"
  export counted
  # A stand-in for sqlite3 that keeps its input, and one for tr, which filters messages, that records each call.
  mkdir "$open_place/bin"
  printf '#!/bin/bash\n[[ $* == *-version* ]] && exec sqlite3 "$@"\ntee -a "$counted/sql" | sqlite3 "$@"\n' >"$open_place/bin/program"
  printf '#!/bin/bash\necho >>"$counted/tr"\nexec %s "$@"\n' "$(command -v tr)" >"$open_place/bin/tr"
  chmod 755 "$open_place"/bin "$open_place"/bin/*
}

teardown() {
  [[ ! -v open_place ]] || rm -rf "$open_place"
}

# counts_of COMMAND... - runs it as another user; sets `sql_bytes` and `messages_runs`, how often messages were filtered.
counts_of() {
  rm -f "$counted"/*
  run env PATH="$open_place/bin:$PATH" TASKRESULTS_SQLITE3="$open_place/bin/program" HOME="$open_place" \
    "${as_nobody[@]}" "$(tool taskresults)" "${@:2}"
  [[ $status -eq $1 ]] || { echo "${*:2}: status $status: ${output:0:300}"; return 1; }
  sql_bytes=$(stat -c %s "$counted/sql" 2>/dev/null || echo 0)
  messages_runs=$(wc -l 2>/dev/null <"$counted/tr" || echo 0)
}

@test "one unreadable file among thousands adds no SQL for the others, and only that job is left out" {
  local command before
  make_many
  for command in list 'list --json' 'stats --by day' errors metrics 'view --all --limit 3'; do
    chmod 644 "$results/7.jsonl"
    # shellcheck disable=SC2086  # words
    counts_of 0 $command
    before=$sql_bytes
    chmod 000 "$results/7.jsonl"
    # shellcheck disable=SC2086
    counts_of 3 $command
    ((sql_bytes <= 2 * before)) || { echo "$command: $before bytes of SQL, then $sql_bytes"; return 1; }
    [[ $output == *'left out: job 7, whose file cannot be read'* ]]
  done
  run "${as_nobody[@]}" "$(tool taskresults)" list --json
  [[ $output == *'"job_id":"007"'* && $output != *'"job_id":"7"'* ]]
  [[ $(grep -o '"job_id":' <<<"$output" | wc -l) -eq $JOBS ]]
}

@test "hundreds of unreadable files are named without a process for each" {
  local command named
  make_many
  chmod 000 "$results"/1*.jsonl
  mkdir -m 777 "$open_place/state"
  for command in list errors metrics "alerts --state $open_place/state/told"; do
    # shellcheck disable=SC2086  # words
    counts_of 3 $command
    named=$(grep -cE 'left out: job|is not readable for' <<<"$output") || true
    ((named >= 600)) || { echo "$command: $named"; tail -n 3 <<<"$output"; return 1; }
    ((messages_runs <= 10)) || { echo "$command: $messages_runs processes for messages"; return 1; }
  done
}

@test "a text becomes SQL with the same number of bash commands, however long it is" {
  source "$root/shell/lib/sql_text.bash"
  source "$root/shell/lib/sql_texts.bash"
  local text short long commands
  commands_for() {
    commands=0
    printf -v text '%*s' "$1" ''
    set -T
    trap '((++commands))' DEBUG
    set_sql_text sql "${text// /é}"
    trap - DEBUG
    set +T
    [[ $sql == "CAST(x'$(printf '%s' "${text// /é}" | od -An -v -tx1 | tr -d ' \n')' AS TEXT)" ]]
  }
  LC_ALL=C.UTF-8 commands_for 3
  LC_ALL=C.UTF-8 commands_for 400
  commands_for 2000
  short=$commands
  commands_for 20000
  long=$commands
  ((short > 0 && long <= short + 10)) || { echo "$short commands, then $long"; return 1; }
  [[ $(printf '%s\0' "a'b" '' é | sql_texts 'f(' ');') == "f(CAST(x'612762' AS TEXT));
f(CAST(x'' AS TEXT));
f(CAST(x'c3a9' AS TEXT));" ]]
}

@test "TASKRESULTS_UNREADABLE=skip skips files that may not be read, and no others" {
  make_many
  local count='SELECT count(*), (SELECT count(*) FROM task_stats), (SELECT count(*) FROM task_runs) FROM task_results'
  chmod 000 "$results/7.jsonl"
  ask() { env "$1" "${as_nobody[@]}" sqlite3 -init /dev/null -cmd ".load $extension" :memory: "$2" 2>&1; }
  run ask TASKRESULTS_UNREADABLE=fail "$count"
  [[ $output == *"job '7'"*'cannot be opened: Permission denied'* ]]
  [[ $(ask TASKRESULTS_UNREADABLE=skip "$count") == "$JOBS|$JOBS|$JOBS" ]]
  [[ $(ask TASKRESULTS_UNREADABLE=skip "SELECT job_id, reason FROM task_rejects") == '7|cannot be opened: Permission denied' ]]
  run ask TASKRESULTS_UNREADABLE=maybe "$count"
  [[ $output == *"TASKRESULTS_UNREADABLE: 'maybe' is neither fail nor skip"* ]]
  run with_faults FAULTS_OPEN_ERRNO=24 -- env TASKRESULTS_UNREADABLE=skip sqlite3 -init /dev/null -cmd ".load $extension" :memory: "$count"
  [[ $output == *'cannot be opened: Too many open files'* ]]
  # The commands set the variable themselves, since they name the jobs that they leave out.
  run env TASKRESULTS_UNREADABLE=skip "${as_nobody[@]}" "$(tool taskresults)" view 7
  [[ $status -eq 3 && $output == *'cannot be opened'* ]]
}
