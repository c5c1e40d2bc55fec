#!/usr/bin/env bats
# What sla --count missed, stats, metrics and next say of histories that are made up run by run, so that the truth is
# known.

load ../../lib/helpers
load ../../lib/shell

@test "sla --count missed, stats, metrics and next tell what was done to the jobs, over 40 random histories" {
  python3 -c 'import zoneinfo; zoneinfo.ZoneInfo("Europe/Berlin")' 2>/dev/null || skip 'this python3 has no zoneinfo'
  cd "$BATS_TEST_TMPDIR"
  run python3 "$root/tests/oracles/histories.py" "$(tool taskresults)" 40 1
  [[ $status -eq 0 ]] || { echo "$output"; return 1; }
}
