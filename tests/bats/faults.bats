#!/usr/bin/env bats
# What fails below us is told: every call into libc, by tests/live/each_call.py, and an output that takes nothing.

# shellcheck disable=SC2154  # helpers.bash and bats set them

load ../helpers
load ../shell
load ../state

@test "whichever call fails, the answer is right or the failure is told (every 15th case; make faults has all)" {
  run env TASKRESULTS_ROOT="$root" PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/live/each_call.py" 15
  [[ $status -eq 0 ]] || {
    echo "$output"
    return 1
  }
}

@test "no command says that all is well when its output cannot be written" {
  [[ -c /dev/full ]] || skip 'no /dev/full'
  use_recorded
  local words failed=0
  for words in 'view my-backup' 'view --all' list 'list --json' 'list --csv' stats 'stats --jsonl' errors export \
    'export --format json' 'export --format jsonl' 'sla --window 365d' 'alerts --state /dev/null' \
    metrics report 'report -o /dev/full' 'metrics -o /dev/full' 'export -o /dev/full' doctor version help 'help view' \
    'sql SELECT(1)' 'prune my-backup --keep 1 --dry-run'; do
    # shellcheck disable=SC2086  # words
    run timeout 20 bash -c '"$@" >/dev/full' - "$(tool taskresults)" $words
    ((status != 0 && status != 124)) || { echo "taskresults $words: status $status: $output"; failed=1; }
  done
  ((failed == 0))
}
