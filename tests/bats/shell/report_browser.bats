#!/usr/bin/env bats
# The status page in a browser: tests/browser/report.mjs has the steps. For the page's content, and the installed command,
# see shell/report.bats.
#
# The packages that this needs (.ci/deps extras) are large. Without them, these tests are skipped. Screenshots are left in
# build/browser/shots.

load ../../lib/helpers
load ../../lib/shell

setup_file() {
  local root=${TASKRESULTS_ROOT:-$(cd "$BATS_TEST_DIRNAME/../../.." && pwd)}
  command -v npm >/dev/null || return 0
  mkdir -p "$root/build/browser/shots"
  cd "$root/build/browser" || return
  if ! cmp -s "$root/tests/browser/package-lock.json" node_modules/.from; then
    cp "$root"/tests/browser/package*.json .
    npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 || return 0
    cp package-lock.json node_modules/.from
  fi
  command -v node >/dev/null && command -v chromium >/dev/null || return 0
  node "$root/tests/browser/report.mjs" serve >"$BATS_FILE_TMPDIR/browser" 2>/dev/null 3>&- &
  export browser_pid=$!
  await has_begun
  REPORT_BROWSER=$(<"$BATS_FILE_TMPDIR/browser")
  export REPORT_BROWSER
}

# has_begun - the browser for all tests has said where it is, or has ended.
has_begun() {
  [[ -s $BATS_FILE_TMPDIR/browser ]] || ! kill -0 "$browser_pid"
}

teardown_file() {
  [[ -z ${browser_pid-} ]] || { kill "$browser_pid" && wait "$browser_pid"; } || true
}

# in_browser TEST OPTION... - makes a page of the results with these options, and runs the test of report.mjs on it. If
# `made_days_ago` is set, the page is made with a clock that is so many days behind.
in_browser() {
  local program
  for program in node npm chromium; do
    command -v "$program" >/dev/null || missing_extra "$program"
  done
  [[ -e $root/build/browser/node_modules/.from ]] || missing_extra "playwright-core ($(tail -n 1 "$root/build/browser/npm.log"))"
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs # there with fifteen_jobs
  LD_PRELOAD=$root/build/shim/clock.so CLOCK_OFFSET_S=$((-86400 * ${made_days_ago:-0})) \
    taskresults report -o "$BATS_TEST_TMPDIR/status.html" "${@:2}"
  node "$root/tests/browser/report.mjs" "$1" "$BATS_TEST_TMPDIR/status.html" "$root/build/browser/shots"
}

# five_jobs - one job of each kind, with runs up to now; only `stale` ran half a year ago, for half a day.
five_jobs() {
  python3 - "$results" <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
now = datetime.now(timezone.utc)
def job(name, hours, fails):
    with open(f"{sys.argv[1]}/{name}.jsonl", "w") as file:
        for i, hour in enumerate(hours):
            failed = fails(i)
            file.write(json.dumps({"timestamp": (now - timedelta(hours=hour)).isoformat().replace("+00:00", "Z"), "job_id": name,
                "job_name": name.title(), "success": not failed, "output": "" if failed else f"{i} files copied\nall is well",
                "error": f"exit status 7 after {i} s" if failed else ""}) + "\n")
job("steady", range(2100, -1, -6), lambda i: False)
job("flaky", range(1500, -1, -12), lambda i: i % 7 == 3)
job("stale", range(24 * 180 + 11, 24 * 180 - 1, -1), lambda i: False)
job("broken", (3, 2), lambda i: True)
job("idle", (), None)
PYTHON
}

@test "the page can be searched, filtered and sorted; a job can be unfolded; a day shows its details" {
  five_jobs
  in_browser use
}

# fifteen_jobs - the jobs of the pictures in the documents, with logs and a schedule.
fifteen_jobs() {
  rmdir "$results"
  python3 "$root/examples/pictures/fifteen_jobs.py" "$BATS_TEST_TMPDIR" "$$"
}

@test "the drawing is right: each part of a bar is its share of the day, rare failures have a mark, and runs do not overlap" {
  five_jobs
  python3 - "$results" <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
noon = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=5)
for name, runs, failures in (("tenth", 10, 1), ("rare", 1000, 1), ("all", 3, 3)):
    with open(f"{sys.argv[1]}/{name}.jsonl", "w") as file:
        for i in range(runs):
            file.write(json.dumps({"timestamp": (noon + timedelta(seconds=i)).isoformat().replace("+00:00", "Z"),
                                   "success": i >= failures, "output": "", "error": ""}) + "\n")
PYTHON
  in_browser true
}

@test "with --wall, fifteen jobs fit completely on 1920 x 1080, further ones are counted, and nothing needs scrolling" {
  fifteen_jobs
  in_browser wall --wall --tz Europe/Berlin
}

@test "at every width nothing is cut off, marks are visible in both themes and explained, and on a phone the page is short" {
  fifteen_jobs
  in_browser widths
}

@test "the page can be used with the keyboard alone" {
  five_jobs
  in_browser keyboard
}

@test "the page is light or dark, like the system, or as the reader chooses" {
  five_jobs
  in_browser themes
}

@test "the page fits a phone" {
  five_jobs
  append_raw "$(printf 'x%.0s' {1..200})" '{"timestamp": "2026-01-01T00:00:00Z", "success": true, "output": "'"$(printf 'y%.0s' {1..400})"'"}\n'
  in_browser phone
}

@test "axe finds no accessibility error on the page, light, dark and narrow" {
  five_jobs
  in_browser accessible
}

@test "the page shows hostile names and outputs as text" {
  python3 - "$results" <<'PYTHON'
import json, sys
text = "</script><script>alert(2)</script><img src=x onerror=alert(3)>\u2028\u202e\0"
for name in ("<script>alert(1)<", "'\"><svg onload=alert(5)>", "\U0001f600" * 60):
    with open(f"{sys.argv[1]}/{name}.jsonl", "w") as file:
        for success in (False, True):
            file.write(json.dumps({"timestamp": "2026-01-01T00:00:00Z", "job_name": name, "success": success,
                                   "output": text, "error": text}) + "\n")
PYTHON
  in_browser hostile --title '</title><script>alert(4)</script>'
}

@test "a page of 2,000 jobs, with durations and many missed runs, opens, searches and sorts quickly" {
  mkdir "$BATS_TEST_TMPDIR/logs"
  python3 - "$results" "$BATS_TEST_TMPDIR" <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
now = datetime.now(timezone.utc)
iso = lambda when: when.isoformat().replace("+00:00", "Z")
jobs = [{"id": f"job-{number}", "schedule": "cron", "cron": f"{number % 60} */6 * * *", "enabled": True,
         "created_at": iso(now - timedelta(days=50)), "next_run": iso(now + timedelta(hours=6))} for number in range(2000)]
json.dump({"jobs": jobs}, open(f"{sys.argv[2]}/jobs.json", "w"))
for number in range(2000):
    with open(f"{sys.argv[1]}/job-{number}.jsonl", "w") as file, open(f"{sys.argv[2]}/logs/job-{number}.log", "w") as log:
        log.write(f"[{iso(now - timedelta(days=50))}] Scheduled: x (next run: soon)\n")
        for hour in range(1200, -1, -40):
            failed = (hour + number) % 70 == 0
            log.write(f"[{iso(now - timedelta(hours=hour, seconds=number / 7))}] Executing (command mode): working_dir=/, cmd=x\n"
                      f"[{iso(now - timedelta(hours=hour))}] Command {'failed: no' if failed else 'executed successfully'}\n")
            file.write(json.dumps({"timestamp": (now - timedelta(hours=hour)).isoformat().replace("+00:00", "Z"),
                "job_name": f"Job {number}", "success": not failed, "output": "x" * 400, "error": f"no {number}"}) + "\n")
PYTHON
  in_browser large
  (($(stat -c %s "$BATS_TEST_TMPDIR/status.html") < 2000000))
  grep -q '"job-7","Job 7","flaky","idle","7 \*/6 \* \* \*"' "$BATS_TEST_TMPDIR/status.html"
}

@test "without JavaScript, the page is a table in the browser, too" {
  five_jobs
  in_browser plain
}

@test "a page without jobs says so" {
  in_browser empty
}

@test "an old page says how old it is" {
  five_jobs
  made_days_ago=3 in_browser stale
}
