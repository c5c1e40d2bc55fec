#!/usr/bin/env bats
# No command shows 100 % for a job that has failed, or 0 % for one that has succeeded.

load ../../lib/helpers
load ../../lib/shell

# rates GOOD/BAD... - a job for each pair, with so many successes and failures, a second apart, an hour ago.
rates() {
  python3 - "$results" "$@" <<'PYTHON'
import sys, time
for pair in sys.argv[2:]:
    good, bad = map(int, pair.split("/"))
    with open("%s/%d-%d.jsonl" % (sys.argv[1], good, bad), "w") as file:
        for at in range(good + bad):
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600 + at // 100))
            file.write('{"timestamp": "%s", "success": %s}\n' % (when, "true" if at < good else "false"))
PYTHON
}

# assert_cut DIGITS - standard input has rows of job and percentage, which are Python's exact fractions, cut to so many
# digits.
assert_cut() {
  python3 - "$1" "$results" 3<&0 <<'PYTHON'
import os, sys
from fractions import Fraction
digits, jobs = int(sys.argv[1]), {name[:-6] for name in os.listdir(sys.argv[2])}
for row in os.fdopen(3):
    job, shown = row.split()
    jobs.remove(job)
    good, bad = map(int, job.split("-"))
    share = Fraction(100 * good, good + bad)
    cut = "%.*f" % (digits, int(share * 10**digits) / 10**digits)
    least = "%.*f" % (digits, 10**-digits)
    wanted = "<" + least if 0 < share < Fraction(least) else cut
    assert shown == wanted, (job, shown, wanted)
assert not jobs, jobs
PYTHON
}

some_rates=(10/0 0/10 2999/1 3999/1 999/1 1/999 1/2999 1/1000 1/2 2/1 7/93 29/71 57/43 9999/1 1/9999 99999/1 1/99999 1/100000 1/199999)

@test "list, stats, sla and the status page's plain table cut percentages instead of rounding them" {
  rates "${some_rates[@]}"
  taskresults list | awk 'NR > 1 {print $1, $3}' | assert_cut 1
  taskresults stats | awk 'NR > 1 {print $1, $5}' | assert_cut 1
  taskresults sla --window 3h 2>/dev/null | awk 'NR > 1 {print $1, $3}' | assert_cut 3
  taskresults report -o "$BATS_TEST_TMPDIR/page.html"
  sed -n 's/^<tr><th scope="row">\([0-9-]*\)<td>[a-z]*<td>\([^<]*\)<.*/\1 \2/p' "$BATS_TEST_TMPDIR/page.html" | sed 's/&lt;/</' |
    assert_cut 1
}

@test "in formats for programs, a rate is 100 only without a failure, and 0 only without a success" {
  rates "${some_rates[@]}"
  for command in list stats sla; do
    taskresults "$command" --jsonl 2>/dev/null | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert len(rows) == 19
for row in rows:
    percent, share = row.get("percent", row.get("success_percent")), 100 * row["successes"] / row["runs"]
    assert (percent == 100) == (row["failures"] == 0) and (percent == 0) == (row["successes"] == 0), row
    assert share - 0.1 < percent <= share + 1e-9, row'
  done
}

@test "list --sort rate sorts by the exact rates, not by the rates as shown" {
  rates 2999/1 9999/1 3999/1 1/9999 1/2999 5/0 0/5
  run taskresults list --sort rate --csv
  [[ $(cut -d, -f1 <<<"$output" | paste -sd ' ') == 'job_id 0-5 1-9999 1-2999 2999-1 3999-1 9999-1 5-0' ]]
}

@test "the status page's script cuts percentages, too" {
  command -v node >/dev/null || skip 'no node'
  rates "${some_rates[@]}"
  node - "$root/shell/report/words.js" "${some_rates[@]}" <<'JAVASCRIPT' | assert_cut 1
const [, , script, ...pairs] = process.argv;
const source = /const percent = [^]*?\n};/.exec(require("fs").readFileSync(script, "utf8"))[0];
const percent = new Function(`${source}\nreturn percent;`)();
for (const pair of pairs) {
  const [good, bad] = pair.split("/").map(Number);
  console.log(`${good}-${bad} ${percent(good + bad, bad).replace(" %", "").replace(/^100$/, "100.0")}`);
}
JAVASCRIPT
}
