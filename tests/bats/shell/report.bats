#!/usr/bin/env bats
# taskresults report: what the page contains. For its behaviour in a browser, see report_browser.bats.

load ../../lib/helpers
load ../../lib/hostile
load ../../lib/shell

teardown() {
  [[ -z ${open_place-} ]] || rm -rf "$open_place"
}

report_setup() {
  page=$BATS_TEST_TMPDIR/status.html
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json # not there
}

# page_data EXPRESSION - a Python expression over the page's `data`.
page_data() {
  python3 "$root/tests/oracles/report.py" "$page" | python3 -c '
import json, sys
data = json.load(sys.stdin)
jobs = {job["id"]: job for job in data["jobs"]}
print(eval(sys.argv[1]))' "$1"
}

# with_time JOB AGO SUCCESS [TEXT] - appends a record of that time, in words for date(1).
with_time() {
  printf '{"timestamp": "%s", "job_name": "%s", "success": %s, "output": "%s", "error": "%s"}\n' \
    "$(date -u -d "$2" +%Y-%m-%dT%H:%M:%S.%6NZ)" "$1" "$3" "${4-text}" "${4-text}" >>"$results/$1.jsonl"
}

@test "report agrees with Python about days, windows, streaks, texts and runs" {
  report_setup
  python3 - "$results" <<'PYTHON'
import json, random, sys
from datetime import datetime, timedelta, timezone
random.seed(5)
now = datetime.now(timezone.utc)
for number in range(60):
    rate = random.choice((0, 0, .02, .3, 1))
    with open(f"{sys.argv[1]}/job-{number:02}.jsonl", "w") as file:
        # Records from long ago to a little later than now, some near the limits of the windows and of days.
        span = random.choice((2, 40, 95, 500, 1200))
        edges = [now - timedelta(days=d, seconds=s) for d in (1, 7, 30, 90) for s in (-20, 20)]
        edges += [now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=d, microseconds=m)
                  for d in (0, 1, 89, 90) for m in (-1, 0, 1)]
        times = [now - timedelta(days=random.random() * span) for _ in range(random.randint(1, 200))]
        times += random.sample(edges, random.randint(0, len(edges))) + [now + timedelta(days=random.random() * 9)]
        times = sorted(times)
        random.shuffle(times) if number % 7 == 0 else None
        for i, when in enumerate(times):
            failed = random.random() < rate
            stamp = when.isoformat().replace("+00:00", "Z") if random.random() < .97 else random.choice(("", "nonsense"))
            file.write(json.dumps({"timestamp": stamp, "success": not failed, "output": "" if failed else f"fine {i}",
                                   "error": f"bad {i}" if failed else ""}) + "\n")
PYTHON
  for days in 90 7 366; do
    taskresults report -o "$page" --days "$days"
    python3 "$root/tests/oracles/report.py" "$page" "$results"
  done
}

@test "report: the page is one file that loads nothing else, and whose policy has the hashes of its script and style" {
  report_setup
  with_time a now true
  taskresults report -o "$page"
  python3 - "$page" <<'PYTHON'
import base64, hashlib, re, sys
page = open(sys.argv[1], encoding="utf-8").read()
policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
assert policy.startswith("default-src 'none'; "), policy
assert "unsafe" not in policy and "http" not in policy
for source, block in (("script-src", r"<script>(.*?)</script>"), ("style-src", r"<style>(.*?)</style>")):
    (text,) = re.findall(block, page, re.S)
    assert text.strip()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert f"{source} 'sha256-{digest}'" in policy, (source, digest, policy)
markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)
assert not re.search(r"<[^>]*\s(on\w+|style)=", markup)
assert not re.search(r"(src|href)=\"(?!#|data:image/svg)", markup)
assert set(re.findall(r"https?://[^\s'\"]*", page)) == {"http://www.w3.org/2000/svg"}
assert "{{" not in markup
PYTHON
}

@test "report: every text is escaped, whatever the jobs' names and outputs are" {
  report_setup
  make_hostile_jobs
  python3 - "$results" <<'PYTHON'
import json, sys
text = "</script><script>alert(1)</script><!--<script>]]>&amp;\u2028\0\x1b[31m{{rows}}\"'`"
for name in ("<script>alert(1)<", "a&lt;b", "{{data}}", "rows", "notes"):
    with open(f"{sys.argv[1]}/{name}.jsonl", "w") as file:
        for success in (False, True):
            file.write(json.dumps({"timestamp": "2026-01-01T00:00:00Z", "job_name": text, "success": success,
                                   "output": text, "error": text}) + "\n")
PYTHON
  taskresults report -o "$page" --title "<script>alert(2)</script> & {{rows}} \"x\""
  [[ $(grep -o '<script' "$page" | wc -l) == 2 && $(grep -o '</script' "$page" | wc -l) == 2 ]]
  [[ $(grep -c '<!--' "$page") == 0 ]]
  grep -qF '<p class="eyebrow">&lt;script&gt;alert(2)&lt;/script&gt; &amp; {{rows}} &quot;x&quot;</p>' "$page"
  grep -qF '<th scope="row">&lt;script&gt;alert(1)&lt;<td>' "$page"
  grep -qF '<th scope="row">a&amp;lt;b<td>' "$page"
  python3 - "$page" "$results" "$root/tests/oracles" <<'PYTHON'
import json, os, sys
sys.path.insert(0, sys.argv[3])
from report import data_of
data = data_of(sys.argv[1])
assert sorted(job["id"] for job in data["jobs"]) == sorted(name[:-6] for name in os.listdir(sys.argv[2]))
(job,) = [job for job in data["jobs"] if job["id"] == "<script>alert(1)<"]
text = "</script><script>alert(1)</script><!--<script>]]>&amp;\u2028\0\x1b[31m{{rows}}\"'`"
assert job["name"] == job["text"] == job["other"] == text and job["text_length"] == len(text), job
PYTHON
}

@test "report: the title sums up the state of all jobs" {
  report_setup
  head_of() {
    taskresults report -o "$page"
    sed -n 's/.*<h1>\(.*\)<\/h1>.*/\1/p; s/^ *<p class="sub">\(.*\)<\/p>$/\1/p; s/^<body data-health="\([a-z]*\)".*/\1/p' "$page" | head -3
  }
  [[ $(head_of) == $'empty\nNo jobs yet\n'* ]]
  : >"$results/idle.jsonl"
  [[ $(head_of) == $'new\nNo job has run\n1 without a run' ]]
  with_time a '2 hours ago' true
  [[ $(head_of) == $'ok\nAll jobs OK\n1 ok, 1 without a run' ]]
  with_time b '2 hours ago' true
  with_time b '1 hour ago' false
  [[ $(head_of) == $'failing\n1 of 3 jobs failing\n1 failing, 1 ok, 1 without a run' ]]
}

@test "report: jobs have the states that the scheduler's list of jobs gives" {
  report_setup
  for job in good bad bad-but-paused late gone; do
    with_time "$job" '3 days ago' "$( [[ $job == bad* ]] && echo false || echo true)"
  done
  job() {
    printf '{"id": "%s", "name": "The %s", "schedule": "every 5 minutes", "enabled": %s, "next_run": "%s"}' \
      "$1" "$1" "$2" "$(date -u -d "$3" +%Y-%m-%dT%H:%M:%SZ)"
  }
  printf '{"jobs": [%s, %s, %s, %s, %s]}' "$(job good true '+1 hour')" "$(job bad true '+1 hour')" \
    "$(job bad-but-paused false '+1 hour')" "$(job late true '-2 hours')" "$(job fresh true '+1 hour')" >"$SCHEDULER_JOBS_FILE"
  taskresults report -o "$page"
  [[ $(page_data '[(name, jobs[name]["state"]) for name in sorted(jobs)]') == \
    "[('bad', 'failing'), ('bad-but-paused', 'paused'), ('fresh', 'new'), ('gone', 'orphaned'), ('good', 'ok'), ('late', 'overdue')]" ]]
  [[ $(page_data 'jobs["fresh"]["name"], jobs["fresh"]["runs"], jobs["late"]["overdue"] // 60, jobs["good"]["schedule"]') == \
    "('The fresh', 0, 120, 'every 5 minutes')" ]]
  grep -q '<h1>2 of 6 jobs need attention</h1>' "$page"
  grep -q '<p class="sub">1 failing, 1 overdue, 1 ok, 1 without a run, 1 paused, 1 orphaned</p>' "$page"
}

@test "report: the page says how many lines are rejects, how many times cannot be read, and what was cut" {
  report_setup
  with_time a now true
  append_raw a '[1]\n{"x": "\n'
  append_raw a '{"timestamp": "no time", "success": true, "output": "x"}\n'
  mkdir "$results/folder.jsonl"
  taskresults report -o "$page"
  grep -q '^<li>Lines that are no records, and so in no count: 2 ' "$page"
  grep -q "^<li>Entries of the directory that cannot be read as a job's file: 1 " "$page"
  grep -q '^<li>Runs without a time that can be read, .*: 1\.$' "$page"
  grep -q "^<li>The scheduler's list of jobs was not there" "$page"
  grep -q '^<li>Of each job: the last 60 runs, texts up to 2000 characters' "$page"
  [[ $(page_data 'jobs["a"]["rejects"]') == "[['JSON, but not an object', 1], ['cut short: a write was interrupted', 1]]" ]]
  [[ $(page_data 'jobs["a"]["last"], jobs["a"]["runs"]') == '(None, 2)' ]]
}

@test "report: similar errors are counted together" {
  report_setup
  for n in 1 2 3; do with_time a "$n hours ago" false "timeout after $n s"; done
  with_time a now false 'exit 1'
  with_time b now false 'timeout after 9 s'
  taskresults report -o "$page"
  [[ $(page_data '[[data["signatures"][n - 1], times] for n, times in jobs["a"]["causes"]]') == \
    "[['timeout after <n> s', 3], ['exit <n>', 1]]" ]]
  [[ $(page_data '[[data["signatures"][c[0] - 1]] + c[1:3] for c in data["common"]]') == \
    "[['timeout after <n> s', 4, 2], ['exit <n>', 1, 1]]" ]]
}

@test "report: a page of many jobs stays within its budget, and says what was cut" {
  report_setup
  python3 - "$results" <<'PYTHON'
import json, sys
now = __import__("datetime").datetime.utcnow().isoformat() + "Z"
for number in range(500):
    with open(f"{sys.argv[1]}/job-{number}.jsonl", "w") as file:
        for success in (False, True):
            text = ("😀<\x1b" if number % 2 else "abc") * 1600
            file.write(json.dumps({"timestamp": now, "success": success, "output": text, "error": text}) + "\n")
PYTHON
  taskresults report -o "$page"
  (($(stat -c %s "$page") < 2000000))
  grep -q '^<li>Of each job: the last 60 runs, texts up to 900 characters' "$page"
  [[ $(page_data '[len(jobs["job-0"]["text"]), len(jobs["job-1"]["text"]), jobs["job-1"]["text_length"]]') == '[900, 300, 4800]' ]]
}

@test "report: without JavaScript, the page is a table" {
  report_setup
  with_time a '2 days ago' true
  with_time a '1 day ago 1 minute ago' false
  with_time a '1 hour ago' true
  taskresults report -o "$page"
  grep -q '^<tr><th scope="row">a<td>flaky<td>100.0<td>66.6<td>66.6<td>66.6<td>20..-..-.. ..:..:..$' "$page"
}

@test "report: -o writes the complete page or nothing; standard output gets the same page" {
  report_setup
  with_time a now true
  taskresults report >"$page"
  [[ $(tail -n 1 "$page") == '</html>' ]]
  cd "$BATS_TEST_TMPDIR"
  cp "$page" before
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults report -o "$page"
  [[ $status -eq 3 && $output == 'taskresults: results directory '* ]]
  cmp "$page" before
  [[ -z $(find . -name '.taskresults.*') ]]
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nowhere run taskresults report
  [[ $status -eq 3 && $output != *'<'* ]]
}

@test "report: --refresh and --title work; wrong options are status 2" {
  report_setup
  with_time a now true
  taskresults report -o "$page" --refresh 60 --title 'Night shift'
  grep -q '^<meta http-equiv="refresh" content="60">$' "$page"
  grep -q '^<title>Night shift: All jobs OK</title>$' "$page"
  for arguments in '--days 6' '--days 367' '--days x' '--refresh 1' 'a' '--oops'; do
    # shellcheck disable=SC2086  # words
    run taskresults report $arguments
    [[ $status -eq 2 && $output == *'try: taskresults help report' ]]
  done
  run taskresults report --output=
  [[ $status -eq 2 ]]
}

@test "report: a job whose file cannot be read is on the page as unreadable, beside the others; FILE is replaced; status 3" {
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  open_results
  export SCHEDULER_JOBS_FILE=$open_place/jobs.json
  printf '{"jobs": [{"id": "shut"}, {"id": "good"}, {"id": "shut, paused", "enabled": false}]}' >"$SCHEDULER_JOBS_FILE"
  local job
  for job in good shut 'shut, paused' "orphan's"; do make_job "$job" 5; done
  chmod 644 "$results"/* "$SCHEDULER_JOBS_FILE"
  chmod 600 "$results"/shut* "$results/orphan's.jsonl"
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  mkdir -m 777 "$open_place/out"
  page=$open_place/out/page.html
  echo old >"$page" && chmod 666 "$page"
  run "${as_nobody[@]}" "$(tool taskresults)" report -o "$page"
  [[ $status -eq 3 && ${#lines[@]} -eq 3 ]]
  [[ $output == *"left out: job shut, whose file cannot be read; as its owner: chmod a+r -- $results/shut.jsonl"* ]]
  [[ $(page_data '[(job["id"], job["state"], job["runs"]) for job in data["jobs"]]') == \
    "[(\"orphan's\", 'unreadable', 0), ('shut', 'unreadable', 0), ('shut, paused', 'unreadable', 0), ('good', 'ok', 5)]" ]]
  grep -q '<h1>3 of 4 jobs cannot be read</h1>' "$page"
  grep -q '<p class="sub">3 unreadable, 1 ok</p>' "$page"
  grep -q '^<li>Jobs whose file cannot be read, and so in no count: 3 ' "$page"
  [[ $(grep -c '^<li>Entries of the directory' "$page") -eq 0 ]]
  grep -q '<tr><th scope="row">shut<td>unreadable<td><td><td><td><td>$' "$page"
  grep -q '<symbol id="i-unreadable"' "$page"
}

@test "report: an id that is twice in the scheduler's list is one job, with the data of the last entry" {
  report_setup
  with_time twice now true
  printf '{"jobs": [{"id": "twice", "name": "old"}, {"id": "twice", "name": "new"}, {"name": "no id"}, {"id": null}]}' >"$SCHEDULER_JOBS_FILE"
  taskresults report -o "$page"
  [[ $(page_data '[(job["id"], job["name"]) for job in data["jobs"] if job["id"]]') == "[('twice', 'new')]" ]]
}

@test "report: with a broken list of jobs, the page is made without it, and says so at its top; status 3" {
  report_setup
  with_time good now true
  with_time bad now false
  taskresults report -o "$page" # without a list: nothing to say
  [[ $(grep -c 'id="fault"' "$page") -eq 0 ]]
  echo before >"$page"
  for broken in '{"jobs": [{"id": "good"' '[]' '{"jobs": [1, <b>]}' ''; do
    printf '%s' "$broken" >"$SCHEDULER_JOBS_FILE"
    run taskresults report -o "$page"
    [[ $status -eq 3 && $output == *"paused, overdue, running and missed jobs are not marked, since the scheduler's list cannot be read: jobs file $SCHEDULER_JOBS_FILE: "* ]]
    [[ ${#lines[@]} -eq 1 ]]
    [[ $(page_data 'sorted((job["id"], job["state"]) for job in data["jobs"])') == "[('bad', 'failing'), ('good', 'ok')]" ]]
    grep -q "^  <p class=\"stale\" id=\"fault\" role=\"alert\">What is paused, overdue, running or missed is not known: the scheduler's list of jobs cannot be read. jobs file .*</p>$" "$page"
    [[ $(sed -n '/id="fault"/=' "$page") -lt $(sed -n '/<main/=' "$page") && $(grep -c '<b>' "$page") -eq 0 ]]
    grep -q '^<li>.*list of jobs could not be read: what is paused' "$page"
    cmp <(taskresults report 2>/dev/null | grep -c 'id="fault"') <(echo 1)
  done
  printf '{"jobs": [{"id": "good", "enabled": false}]}' >"$SCHEDULER_JOBS_FILE"
  run taskresults report -o "$page"
  [[ $status -eq 0 && -z $output && $(grep -c 'id="fault"' "$page") -eq 0 ]]
}

@test "report --tz agrees with Python's zoneinfo about days, also those on which clocks change" {
  report_setup
  python3 - "$results" <<'PYTHON'
import json, random, sys
from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo
random.seed(6)
now = datetime.now(timezone.utc)
times = [now - timedelta(days=random.random() * 400) for _ in range(2000)]
for zone in map(ZoneInfo, ("Europe/Berlin", "America/Santiago", "Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Apia")):
    today = now.astimezone(zone).date()
    for back in range(-1, 368):
        midnight = datetime.combine(today - timedelta(days=back), time(), zone).astimezone(timezone.utc)
        times += [midnight + timedelta(seconds=s) for s in (-1, 1)] if back < 8 or random.random() < 0.2 else []
        for hour in range(24):  # around each change, every hour
            when = midnight + timedelta(hours=hour)
            if when.astimezone(zone).utcoffset() != (when + timedelta(hours=24)).astimezone(zone).utcoffset():
                times.append(when)
with open(f"{sys.argv[1]}/a.jsonl", "w") as file:
    for when in sorted(times):
        failed = random.random() < 0.1
        file.write(json.dumps({"timestamp": when.isoformat().replace("+00:00", "Z"), "success": not failed,
                               "output": "", "error": "bad" if failed else ""}) + "\n")
PYTHON
  local zone
  for zone in Europe/Berlin America/Santiago Africa/Casablanca Australia/Lord_Howe Pacific/Apia Asia/Kathmandu; do
    taskresults report -o "$page" --days 366 --tz "$zone"
    grep -q "\"zone\":\"$zone\"" "$page"
    [[ $(grep -c "Times are those of $zone\.</p>" "$page") -eq 2 ]]
    python3 "$root/tests/oracles/report.py" "$page" "$results"
  done
  TZ=:Asia/Kathmandu taskresults report -o "$page" --tz local
  [[ $(page_data 'data["zone"]') == Asia/Kathmandu ]]
  TZ=Europe/Berlin taskresults report -o "$page"
  [[ $(page_data 'data["zone"]') == UTC ]]
  [[ $(grep -c 'Times are UTC\.</p>' "$page") -eq 2 ]]
  for zone in Nowhere/Nothing ../../etc/passwd '<b>' "'"; do
    run taskresults report --tz "$zone"
    [[ $status -eq 2 && $output == "taskresults: --tz: zone '$zone': "*'try: taskresults help report' ]]
  done
}

# watched_jobs - jobs with logs and schedules. truth.json has how long each run took, and which runs were missed, in seconds
# before now. All are due at full hours, and ran then or not at all.
watched_jobs() {
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
  mkdir -p "$SCHEDULER_LOGS_DIR"
  python3 - "$BATS_TEST_TMPDIR" <<'PYTHON'
import json, random, sys
from datetime import datetime, timedelta, timezone
random.seed(7)
now = datetime.now(timezone.utc)
hour = now.replace(minute=0, second=0, microsecond=0)
iso = lambda when: when.isoformat().replace("+00:00", "Z")
jobs, truth = [], {}
for name, ago, lost in (("all", 40, 0), ("some", 900, .05), ("many", 300, .3), ("none", 30, 1), ("o'clock", 2000, .01)):
    took, missed = [], []
    with open(f"{sys.argv[1]}/results/{name}.jsonl", "w") as results, open(f"{sys.argv[1]}/logs/{name}.log", "w") as log:
        log.write(f"[{iso(hour - timedelta(hours=ago, minutes=30))}] Scheduled: {name} (next run: soon)\n")
        for back in range(ago, 0, -1):
            slot = hour - timedelta(hours=back)
            if random.random() < lost:
                missed.append(slot.timestamp())
                continue
            seconds = random.choice((0, .04, 1.5, 12.34, 99.6, 250, 700.4))
            end = slot + timedelta(seconds=2 + seconds)
            log.write(f"[{iso(slot + timedelta(seconds=2))}] Executing (command mode): working_dir=/, cmd=x\n"
                      f"[{iso(end)}] Command executed successfully\n")
            results.write(json.dumps({"timestamp": iso(end), "success": True, "output": "", "error": ""}) + "\n")
            took.append(seconds)
    truth[name] = {"took": took[::-1], "missed": missed[::-1]}
    jobs.append({"id": name, "schedule": "cron", "cron": "0 * * * *", "enabled": True,
                 "created_at": iso(hour - timedelta(hours=ago, minutes=30)), "next_run": iso(hour + timedelta(hours=1))})
json.dump({"jobs": jobs}, open(f"{sys.argv[1]}/jobs.json", "w"))
json.dump(truth, open(f"{sys.argv[1]}/truth.json", "w"))
PYTHON
}

@test "report: durations and missed runs are those of the logs and the schedules" {
  report_setup
  watched_jobs
  taskresults report -o "$page"
  python3 - "$page" "$BATS_TEST_TMPDIR/truth.json" "$root/tests/oracles" <<'PYTHON'
import json, math, sys
sys.path.insert(0, sys.argv[3])
from report import data_of
data, truth = data_of(sys.argv[1]), json.load(open(sys.argv[2]))
now = data["generated"]
for job in data["jobs"]:
    true = truth[job["id"]]
    # The last hour is left out: whether its run is missed depends on the minute.
    missed = [at for at in true["missed"] if now - at < 90 * 86400]
    first = now - now % 86400 - 89 * 86400
    late = [at for at in (int(now - now % 3600),) if now - at > 300]
    missed = late + missed
    assert (job["missed"] or [0] * 4) == [sum(now - at <= days * 86400 for at in missed) for days in (1, 7, 30, 90)], job["id"]
    by_day = [0] * 90
    for at in missed:
        if at >= first:
            by_day[int(at - first) // 86400] += 1
    assert [day[2] for day in job["days"]] == by_day, job["id"]
    gaps = [now - int(ago) for ago in (job["gaps"] or "").split()]
    assert gaps == missed[:len(gaps)] and len(gaps) == min(30, len(missed)), (job["id"], gaps)
    tokens = (job["recent"] or "").split()
    assert len(tokens) == min(60, len(true["took"]))
    for token, seconds in zip(tokens, true["took"]):
        shown = float(token.partition("/")[2])
        assert math.isclose(shown, seconds, abs_tol=.005 if seconds < 1 else .05 if seconds < 100 else .5), (token, seconds)
    expected = job["windows"] or [0] * 8
    bad, all_of_them = expected[5] + sum(now - at <= 30 * 86400 for at in missed), expected[4]
    all_of_them += sum(now - at <= 30 * 86400 for at in missed)
    wanted = "new" if not job["runs"] else "flaky" if 10 * bad > all_of_them else "ok"
    assert job["state"] == wanted, (job["id"], job["state"], wanted)
assert data["all"]["missed"] == [sum((job["missed"] or [0] * 4)[i] for job in data["jobs"]) for i in range(4)]
PYTHON
}

@test "report: a job is flaky if its last run succeeded, but more than one in ten runs of 30 days failed or was missed" {
  report_setup
  local n
  for n in {10..2}; do with_time even "$n hours ago" "$( ((n == 9)) && echo false || echo true)"; done
  with_time even '1 hour ago' true # 1 of 10
  with_time more '11 hours ago' false
  for n in {9..1}; do with_time more "$n hours ago" "$( ((n == 9)) && echo false || echo true)"; done # 2 of 10
  for n in {5..1}; do with_time past "$((30 + n)) days ago" false; done
  with_time past now true
  taskresults report -o "$page"
  [[ $(page_data '[(name, jobs[name]["state"]) for name in sorted(jobs)]') == "[('even', 'ok'), ('more', 'flaky'), ('past', 'ok')]" ]]
  [[ $(sed -n 's/.*<h1>\(.*\)<\/h1>.*/\1/p' "$page") == '1 of 3 jobs flaky' ]]
  grep -q '<p class="sub">1 flaky, 2 ok</p>' "$page"
}

@test "report: without logs, or with an unreadable log, the page says what is not known" {
  report_setup
  watched_jobs
  mv "$SCHEDULER_LOGS_DIR" "$BATS_TEST_TMPDIR/elsewhere"
  taskresults report -o "$page"
  grep -q "^<li>The directory of the jobs' logs is not there, or cannot be read: how long runs took, and which runs were missed, is not known\.$" "$page"
  [[ $(page_data '[job["id"] for job in data["jobs"] if job["missed"] or "/" in (job["recent"] or "")]') == '[]' ]]
  mv "$BATS_TEST_TMPDIR/elsewhere" "$SCHEDULER_LOGS_DIR"
  ((EUID == 0)) || skip 'needs root, to become somebody else'
  local opened=$BATS_TEST_TMPDIR/logs
  open_results
  cp "$BATS_TEST_TMPDIR"/results/* "$results"
  cp -r "$opened" "$BATS_TEST_TMPDIR/jobs.json" "$open_place"
  export SCHEDULER_JOBS_FILE=$open_place/jobs.json SCHEDULER_LOGS_DIR=$open_place/logs
  chmod -R a+rX "$open_place"
  chmod 600 "$SCHEDULER_LOGS_DIR/many.log"
  "${as_nobody[@]}" test -r "$root/taskresults.so" || skip 'the checkout is closed to others'
  "${as_nobody[@]}" "$(tool taskresults)" report >"$page"
  grep -q '^<li>Jobs whose log cannot be read, so that it is not known how long their runs took, nor which were missed: 1\.$' "$page"
  [[ $(page_data '[bool(jobs[name]["missed"] or "/" in jobs[name]["recent"]) for name in ("many", "some")]') == '[False, True]' ]]
}

@test "report: after a long time without a scheduler, missed runs of fewer days are counted, and the page says so" {
  report_setup
  export SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
  mkdir "$SCHEDULER_LOGS_DIR"
  python3 - "$BATS_TEST_TMPDIR" <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
created = (datetime.now(timezone.utc) - timedelta(days=100)).isoformat().replace("+00:00", "Z")
jobs = [{"id": f"job-{n}", "schedule": "cron", "cron": "* * * * *", "enabled": True, "created_at": created} for n in range(6)]
json.dump({"jobs": jobs}, open(f"{sys.argv[1]}/jobs.json", "w"))
for job in jobs:
    with open(f"{sys.argv[1]}/logs/{job['id']}.log", "w") as log:
        log.write(f"[{created}] Scheduled: x (next run: soon)\n")
PYTHON
  taskresults report -o "$page" # 90 days of these would be 777,600
  grep -q '^<li>Runs that were missed: those of the last 7 days\.$' "$page"
  [[ $(page_data 'set((tuple(job["missed"]), job["state"]) for job in data["jobs"])') =~ ^'{((14'(39|40)', 100'(79|80)', 100'(79|80)', 100'(79|80)"), 'new')}"$ ]]
}

@test "report --wall: the page is laid out for a screen, and reloads itself" {
  report_setup
  with_time a now true
  taskresults report -o "$page" --wall
  grep -q '^<meta http-equiv="refresh" content="60">$' "$page"
  grep -q '^<body data-health="ok" data-kind="wall">$' "$page"
  taskresults report -o "$page" --wall --refresh 5m
  grep -q '^<meta http-equiv="refresh" content="300">$' "$page"
}

# regular_jobs DIRECTORY - an hourly job, a fifth of whose runs fail, and a daily one.
regular_jobs() {
  python3 - "$1" <<'PYTHON'
import json, sys
from datetime import datetime, timedelta, timezone
now = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
for job, hours, count in ("hourly", 1, 95 * 24), ("daily", 24, 300):
    with open(f"{sys.argv[1]}/{job}.jsonl", "w") as file:
        for number in range(count):
            when = now - timedelta(hours=hours * (count - 1 - number))
            file.write(json.dumps({"timestamp": when.isoformat().replace("+00:00", "Z"), "success": number % 5 > 0}) + "\n")
PYTHON
}

# same_days_after PRUNE... - a page shows the same days and windows before and after it, and says how many runs are gone. Of
# each window, the oldest day is known by its number of failures alone.
same_days_after() {
  taskresults report -o "$page.before" "${report_options[@]}"
  "$@" >"$BATS_TEST_TMPDIR/out"
  taskresults report -o "$page" "${report_options[@]}"
  python3 - "$root/tests/oracles" "$page.before" "$page" <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
import report
was, now = map(report.data_of, sys.argv[2:])
assert was["first_day"] == now["first_day"] and was["generated"] // 3600 == now["generated"] // 3600, "midnight: try again"
assert [job["id"] for job in was["jobs"]] == [job["id"] for job in now["jobs"]]
for old, new in zip([was["all"], *was["jobs"]], [now["all"], *now["jobs"]]):
    assert old["days"] == new["days"], (old, new)
    assert old["windows"][::2] == new["windows"][::2]
    assert all(abs(a - b) <= len(was["jobs"]) for a, b in zip(old["windows"], new["windows"]))
assert sum(day[0] for day in now["all"]["days"]) > 90 * 20
assert any(job["runs"] < 200 for job in now["jobs"])
PYTHON
  grep -q '<li>Runs that a prune has removed, in the days and rates, but not in the totals: ' "$page"
  ! grep -q 'Runs that a prune has removed' "$page.before" || false
}

@test "report shows the same 90 days after a prune as before, by an option, by a policy, and on several hosts" {
  report_setup
  report_options=()
  echo '{"rules": [{"jobs": "hour*", "keep": 100}, {"jobs": "*", "keep": 3}]}' >"$BATS_TEST_TMPDIR/policy.json"
  regular_jobs "$results"
  same_days_after taskresults prune --all --keep 100
  cp "$page" "$page.old"
  taskresults prune hourly --keep 30 --keep-failures 7 >"$BATS_TEST_TMPDIR/out"
  taskresults report -o "$page"
  [[ $(page_data 'data["all"]["days"]') == "$(page="$page.old" page_data 'data["all"]["days"]')" ]]
  rm -r "$results/.taskresults" "$results"/*.jsonl
  regular_jobs "$results"
  same_days_after taskresults prune --policy "$BATS_TEST_TMPDIR/policy.json"
  mkdir -p "$BATS_TEST_TMPDIR/srv/one/results" "$BATS_TEST_TMPDIR/srv/two/results"
  regular_jobs "$BATS_TEST_TMPDIR/srv/one/results"
  regular_jobs "$BATS_TEST_TMPDIR/srv/two/results"
  report_options=(--hosts "$BATS_TEST_TMPDIR/srv/*/results")
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/srv/two/results same_days_after taskresults prune --all --keep 100
}
