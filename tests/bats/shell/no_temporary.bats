#!/usr/bin/env bats
# If nothing can be written, as TMPDIR, /tmp, /var/tmp and the working directory are full, every command gives its normal
# answer: none needs a temporary file.

load ../../lib/helpers
load ../../lib/shell

# nowhere_to_write COMMAND... - runs it in such a place. The files that it reads are unchanged.
nowhere_to_write() {
  # shellcheck disable=SC2016  # for the shell inside
  unshare -m bash -c '
    mount --make-rprivate / && mount -t tmpfs -o size=4k none /mnt || exit 99
    for path in "$1" "$2"; do
      [[ $path != /tmp/* ]] || { mkdir -p "/mnt/${path#/tmp/}" && mount --bind "$path" "/mnt/${path#/tmp/}" || exit 99; }
    done
    head -c 4096 /dev/zero >/mnt/full
    mount --rbind /mnt /tmp && mount --rbind /mnt /var/tmp && cd /tmp || exit 99
    ! (echo x >/tmp/file) 2>/dev/null || exit 99
    export TMPDIR=/tmp
    exec "${@:3}"' _ "$root" "$BATS_TEST_TMPDIR" "$@"
}

# Removes what differs between two runs a second apart.
without_now() {
  sed -E 's/^(taskresults_metrics_timestamp_seconds) .*/\1/; s/"generated":[0-9]+/"generated"/; s/\b202[6-9]-[0-9-]+T[0-9:]+Z/NOW/g
    s/[0-9]+ (second|minute|hour|day)s?( ago)?/SPAN/g; s/"(last|next|at)":[0-9]+/"\1"/g; s/-?[0-9]{7,}/N/g'
}

setup_many() {
  nowhere_to_write true || skip 'no mount namespace can be had here'
  python3 - "$results" "$BATS_TEST_TMPDIR" <<'PYTHON'
import json, os, sys
results, place = sys.argv[1:]
words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho".split()
for job in range(1600):
    with open(f"{results}/a-job-with-a-name-of-some-length-{job:04}.jsonl", "w") as file:
        kind = " ".join(words[job >> shift & 15] for shift in (0, 4, 8))
        for good in (True, False):
            file.write(json.dumps({"timestamp": f"2026-01-01T00:{job % 60:02}:0{good:d}Z", "job_id": "x", "success": good,
                                   "output": "o" * 60, "error": "" if good else f"broken {kind}"}) + "\n")
        file.write("torn {\n")
os.makedirs(f"{place}/logs")
with open(f"{place}/jobs.json", "w") as file:
    json.dump({"jobs": [{"id": f"a-job-with-a-name-of-some-length-{job:04}", "name": "n", "enabled": True,
                         "next_run": "not a time"} for job in range(1600)]}, file)
PYTHON
  export SCHEDULER_JOBS_FILE=$BATS_TEST_TMPDIR/jobs.json SCHEDULER_LOGS_DIR=$BATS_TEST_TMPDIR/logs
}

# same_answer WORDS - the command's output, standard error and status are the same in both places.
same_answer() {
  local words program
  read -ra words <<<"$1"
  program=$(tool "${words[0]}")
  "$program" "${words[@]:1}" 2>&1 >"$BATS_TEST_TMPDIR/here" | without_now >"$BATS_TEST_TMPDIR/here.err"
  echo "${PIPESTATUS[0]}" >>"$BATS_TEST_TMPDIR/here.err"
  nowhere_to_write "$program" "${words[@]:1}" 2>&1 >"$BATS_TEST_TMPDIR/there" | without_now >"$BATS_TEST_TMPDIR/there.err"
  echo "${PIPESTATUS[0]}" >>"$BATS_TEST_TMPDIR/there.err"
  cmp "$BATS_TEST_TMPDIR/here.err" "$BATS_TEST_TMPDIR/there.err" || { head -3 "$BATS_TEST_TMPDIR/there.err"; return 1; }
  cmp <(without_now <"$BATS_TEST_TMPDIR/here") <(without_now <"$BATS_TEST_TMPDIR/there")
}

@test "every command gives its normal answer where no temporary file can be made, also one larger than a pipe's buffer" {
  setup_many
  local job=a-job-with-a-name-of-some-length-0007 words large=0
  for words in list 'list --json' stats 'stats --by day' "stats $job" errors "errors $job" rejects "rejects $job" "view $job" \
    'view --all --limit 900' 'view --all' export 'export --format json' "export $job" metrics 'report -o -' sla "sla $job" doctor \
    'alerts --nagios' 'alerts --nagios --after 1' 'prune --all --keep 1 --dry-run' version help 'help view' 'sql .help' \
    "view_results $job" view_results 'view no-such-job' 'list --oops' bogus; do
    [[ $words == view_results* ]] || words="taskresults $words"
    same_answer "$words" || { echo "$words"; return 1; }
    ((large += $(stat -c %s "$BATS_TEST_TMPDIR/here") > 65536))
  done
  ((large >= 12))
}
