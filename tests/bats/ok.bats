#!/usr/bin/env bats
# Success is what Python's bool() says of the value of the key, in every table and every command.

load ../lib/helpers
load ../lib/host
load ../lib/shell

setup_file() {
  export every_kind=$BATS_FILE_TMPDIR/every_kind PYTHONDONTWRITEBYTECODE=1
  python3 "${TASKRESULTS_ROOT:-$BATS_TEST_DIRNAME/../..}/tests/oracles/ok.py" generate "$every_kind"
}

# assert_agrees COUNT - the last `run` of ok.py made at least so many comparisons, and found no difference.
assert_agrees() {
  printf '%s\n' "$output"
  [[ $status -eq 0 && $output =~ ([0-9]+)\ compared,\ 0\ disagreements$ ]] && ((BASH_REMATCH[1] >= $1))
}

@test "ok of every record, its pushdown, task_stats and task_errors are what Python says, over every kind of value" {
  require_host
  run host -c "import sys; sys.path.append('$root/tests/oracles'); import ok; sys.exit(ok.main())" check \
    "$every_kind" "$root/tests/data/odd-lines" "$root/tests/data/scheduler-state/results"
  assert_agrees 1000
}

@test "list, stats, errors, sla, view and export count the successes that Python counts" {
  run python3 "$root/tests/oracles/ok.py" commands "$(tool taskresults)" "$every_kind" "$root/tests/data/odd-lines"
  assert_agrees 20
}

@test "in a locale with a decimal comma, numbers count as successes and failures as before" {
  printf '{"success": 0.5}\n{"success": 0.0}\n{"success": 2.5e-324}\n{"success": 2.4e-324}\n' >"$results/a.jsonl"
  run_in_host <<'PYTHON'
import locale, subprocess
commas = [name for name in subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split() if "de_DE" in name]
if commas:
    locale.setlocale(locale.LC_ALL, commas[0])
assert db.execute("SELECT group_concat(ok) FROM task_results").fetchone() == ("1,0,1,0",)
PYTHON
}
