#!/bin/bash
# tests/prune/compare.sh [RECORDS] - records lost per 100,000 by three ways to prune a results file while writers that
# take no lock append to it: `tail -n N f >tmp && mv tmp f`, logrotate's copytruncate, and taskresults_prune().
# RECORDS are written for each figure (default 20000; 5000 at 1,000 a second). Prints a Markdown table; raw figures go
# to build/compare.jsonl.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
records=${1:-20000}
mkdir -p "$root/build"
: >"$root/build/compare.jsonl"

# lost RECIPE OPTIONS... - runs one comparison and prints "lost per 100,000 (lost per prune)".
lost() {
  local recipe=$1 figures
  shift
  figures=$("$root/tests/prune/stress.py" recipe="$recipe" "$@")
  echo "{\"options\": \"$*\", \"figures\": $figures}" >>"$root/build/compare.jsonl"
  python3 -c 'import json, sys
f = json.loads(sys.argv[1])
print("%d (%.1f)" % (round(f["lost"] * 100000 / f["records"]), f["lost"] / f["prunes"]))' "$figures"
}

echo "| file system | writers, lost per 100,000 (per prune) | \`tail \\| mv\` | copytruncate | taskresults_prune() |"
echo "|---|---|---|---|---|"
for dir in "${TMPDIR:-/var/tmp}" /dev/shm; do
  type=$(df --output=fstype "$dir" | tail -n 1)
  while IFS='|' read -r load options; do
    # shellcheck disable=SC2086  # options are words
    printf '| %s | %s | %s | %s | %s |\n' "$type" "$load" "$(lost tail dir="$dir" $options)" \
      "$(lost copytruncate dir="$dir" $options)" "$(lost ours dir="$dir" $options)"
  done <<LOADS
1, at 1,000 records/s|records=$((records / 4)) rate=1000
1, full speed, 300 B|records=$records
4, full speed, 300 B to 60 KB|records=$records writers=4 sizes=300-60000 keep=1000
LOADS
done
