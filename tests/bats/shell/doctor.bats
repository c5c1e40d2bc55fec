#!/usr/bin/env bats
# taskresults doctor: what it finds in the results. (For missing programs and unreadable files, see shell/export.bats; for
# other schedulers' state, shell/hints.bats.)

load ../../lib/helpers
load ../../lib/shell

# note_about WORDS... - one of the notes has all of these words, in that order; sets `advice` to its second line.
note_about() {
  local note rest word
  advice=
  while IFS= read -r note; do
    rest=$note
    for word; do if [[ $rest == *"$word"* ]]; then rest=${rest#*"$word"}; else continue 2; fi; done
    [[ $note != note* ]] || IFS= read -r advice
  done <<<"$output"
  [[ -n $advice ]] || { printf 'no note with: %s\n%s\n' "$*" "$output"; return 1; }
}

# no_note_about WORDS
no_note_about() {
  ! grep '^note' <<<"$output" | grep -F -- "$1"
}

@test "doctor: the note differs for a file in which no record has success and one in which only some lack it" {
  make_job fine 3 2
  append_raw "o'ther" '{"ts": 1, "event": "start"}\n{"ts": 2, "event": "success"}\n'
  append_raw nulls '{"success": null}\n'
  append_raw mixed '{"success": true}\n{"succ\\u0065ss": false}\n{"Success": true}\n'
  append_raw empty ''
  append_raw rejects '[]\n'
  run taskresults doctor
  [[ $status -eq 0 ]]
  note_about "job o\\'ther: none of its 2 records has a value for success"
  [[ $advice == *'if another program writes the file, move it elsewhere; '* ]]
  note_about 'job nulls: its only record has no value for success'
  note_about 'job mixed: records without a value for success' '1 of 3'
  for job in fine empty rejects; do no_note_about "job $job: none"; no_note_about "job $job: its only"; no_note_about "job $job: records"; done
}

@test "doctor: it names jobs that have failed many times in a row, or for days, and no others" {
  now=$(python3 -c 'import time; print(time.time_ns() // 1000)')
  python3 - "$results" "$now" <<'PYTHON'
import datetime, json, sys
directory, now = sys.argv[1], int(sys.argv[2])
def job(name, *runs):  # (days ago, success)
    with open(f"{directory}/{name}.jsonl", "w") as file:
        for days, success in runs:
            time = datetime.datetime.fromtimestamp(now / 1e6 - days * 86400, datetime.timezone.utc)
            file.write(json.dumps({"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "success": success}) + "\n")
often = [(1 - i / 100, False) for i in range(20)]
job("often", (2, True), *often)
job("nearly", (2, True), *often[1:])
job("ever", *often)
job("long", (30, True), (20, False), (1, False))
job("once", (30, True), (1, False))
job("healed", *often, (0, True))
job("shortly", (6, True), (5, False), (1, False))
job("thing", *[(1, None)] * 30)
PYTHON
  run taskresults doctor
  [[ $status -eq 0 ]]
  note_about 'job often: its last 20 runs failed; its last success was on 20' '(2d ago)'
  [[ $advice == *'taskresults view --errors --latest -- often' ]]
  note_about 'job ever: all of its 20 runs failed, the first on ' 'ago)'
  note_about 'job long: its last 2 runs failed' '(30d ago)'
  for job in nearly once healed shortly; do no_note_about "job $job:"; done
  [[ $(grep -c 'job thing:' <<<"$output") -eq 1 ]]
}

@test "doctor: it names rotated files, files with other endings, and folders, which are not read" {
  make_job a 2
  for name in a.jsonl.1 a.jsonl.2.gz a.jsonl-20260101 a.jsonl-20260102.zst a.jsonl~ a.jsonl.migrated b.JSONL c.ndjson d.json; do
    cp "$results/a.jsonl" "$results/$name"
  done
  cp "$results/a.jsonl" "$results/a-20260103.jsonl"
  cp "$results/a.jsonl" "$results/a.3.jsonl"
  cp "$results/a.jsonl" "$results/backup-1.jsonl"
  mkdir "$results/host [1]" "$results/nothing" "$results/old.jsonl.d"
  cp "$results/a.jsonl" "$results/host [1]/"
  touch "$results/.taskresults-61.lock" "$results/README"
  mkdir "$BATS_TEST_TMPDIR/logs"
  touch "$BATS_TEST_TMPDIR/logs/"{a.log,a.log.1,b.log-20260101.gz,other.txt}
  SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs run taskresults doctor
  [[ $status -eq 0 ]]
  note_about 'rotated files in ' 'which are not read: ' 'a.jsonl-20260101, ' 'a.jsonl.1, ' 'and 1 more'
  [[ $output == *' list --history '* ]]
  note_about 'files that look rotated, but are read as jobs of their own: ' 'a-20260103.jsonl, a.3.jsonl'
  note_about 'since their names do not end in .jsonl: b.JSONL, c.ndjson, d.json'
  note_about 'folders in ' 'files of results, which are not read: host\ \[1\]'
  note_about 'rotated logs in ' 'a.log.1, b.log-20260101.gz'
  for name in README lock nothing backup-1 other.txt old.jsonl.d; do no_note_about "$name"; done
}

@test "doctor: with notes on thousands of jobs, it starts as many processes as with few" {
  require_strace
  processes() { # of doctor, with so many jobs of each kind
    rm -f "$results"/*
    for ((i = 0; i < $1; i++)); do
      printf '{"ts":1}\n[]\n' >"$results/other-$i.jsonl"
      printf '{"success":false,"timestamp":"2026-01-01T00:00:00Z"}\n%.0s' 1 2 >"$results/fails-$i.jsonl"
      touch "$results/fails-$i.jsonl.1"
    done
    strace -f -qq -o "$BATS_TEST_TMPDIR/calls" -e trace=clone,clone3,fork,vfork "$(tool taskresults)" doctor >"$BATS_TEST_TMPDIR/said"
    grep -cE '(clone|fork|vfork|clone3)\(.*= [0-9]+$' "$BATS_TEST_TMPDIR/calls"
  }
  few=$(processes 3)
  many=$(processes 300)
  [[ $(grep -c '^note' "$BATS_TEST_TMPDIR/said") -gt 600 ]]
  ((many <= few + 5)) || { echo "$few, then $many"; return 1; }
}

@test "doctor: an unreadable list of jobs has no ok line; a directory without results has a note" {
  make_job a 1
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json
  echo '{"jobs": [{"id": "a", ' >"$SCHEDULER_JOBS_FILE"
  run taskresults doctor
  [[ $status -eq 1 && $output == *'FAIL  jobs file '*'fix: mend the file'* && $output != *'ok    jobs'* ]]
  echo '{"jobs": [{"id": "a", "enabled": false}]}' >"$SCHEDULER_JOBS_FILE"
  mkdir "$BATS_TEST_TMPDIR/nothing"
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/nothing run taskresults doctor
  [[ $status -eq 0 && $output == *"ok    jobs $SCHEDULER_JOBS_FILE"* ]]
  note_about 'no file of results in '
  [[ $advice == *SCHEDULER_RESULTS_DIR* ]]
}

@test "doctor: it names the jobs with unreadable timestamps, and those with timestamps in the future" {
  make_job fine 3
  append_raw odd '{"timestamp": "soon", "success": true}\n{"timestamp": "2026-01-01T00:00:00Z", "success": true}\n'
  append_raw ahead '{"timestamp": "2999-01-01T00:00:00Z", "success": true}\n{"timestamp": "2026-01-01T00:00:00Z", "success": true}\n'
  append_raw both '{"timestamp": null}\n{"timestamp": "2999-01-01T00:00:00Z", "success": true}\n'
  run taskresults doctor
  [[ $output == *'note  job ahead: records that are dated later than now: 1 of 2'* ]]
  [[ $output == *'note  job odd: records whose timestamp cannot be read as a time: 1 of 2'* ]]
  [[ $output == *'note  job both: records whose timestamp cannot be read as a time: 1 of 2'* ]]
  [[ $output == *'note  job both: records that are dated later than now: 1 of 2'* ]]
  [[ $output == *'note  job both: records without a value for success'* && $output != *'job fine: '* ]]
}

@test "doctor goes on where nothing can be counted, and each question that failed is a FAIL" {
  make_job a 1
  TASKRESULTS_MAX_LINE=x run taskresults doctor
  [[ $status -eq 1 && $output == *'FAIL  the records cannot be read'*'FAIL  the results cannot be counted'* && $output != *unbound* ]]
}
