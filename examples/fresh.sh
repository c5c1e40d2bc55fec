#!/bin/sh
# fresh.sh DIRECTORY [NOW] - writes the example data to DIRECTORY, dated as if the jobs had run up to now: results/,
# logs/ and jobs.json. NOW is a time as `date` reads it, for tests: with '2026-02-14 23:30 UTC' the files are those
# beside this script.
#
# The times of each job are moved by a multiple of its own interval, so that a job of 02:00 still runs at 02:00. The
# next run of each job is in the future. The exception is cert-check: it is shown as overdue, by one to two days.
set -eu
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo 'usage: fresh.sh DIRECTORY [NOW]' >&2
  exit 2
fi
from=$(dirname "$0") to=$1
now=$(date -u -d "${2-now}" +%s)
moved=$(mktemp -d)
trap 'rm -rf "$moved"' EXIT

# move ANCHOR INTERVAL [NEXT] - copies its input, and moves all times in it by the same multiple of INTERVAL seconds, so
# that ANCHOR, the last run of a job, is less than one INTERVAL ago. A time of the year 2999 becomes one of next year.
# With NEXT, a next_run that would not be in the future is moved by one more INTERVAL: its run has not ended yet.
move() {
  LC_ALL=C awk -v now="$now" -v anchor="$(date -u -d "$1" +%s)" -v interval="$2" -v next_is_ahead="${3-}" '
    # Days since 1970-01-01, and back: in the calendar of March to February, where a leap day is the last.
    function days_of(year, month, day,    era, in_era) {
      if (month <= 2) year--
      era = int(year / 400)
      in_era = year - era * 400
      return era * 146097 + in_era * 365 + int(in_era / 4) - int(in_era / 100) \
        + int((153 * ((month + 9) % 12) + 2) / 5) + day - 1 - 719468
    }
    function date_of(days,    era, in_era, year, in_year, month, day) {
      days += 719468
      era = int(days / 146097)
      days -= era * 146097
      in_era = int((days - int(days / 1460) + int(days / 36524) - int(days / 146096)) / 365)
      in_year = days - (365 * in_era + int(in_era / 4) - int(in_era / 100))
      month = int((5 * in_year + 2) / 153)
      day = in_year - int((153 * month + 2) / 5) + 1
      month = month < 10 ? month + 3 : month - 9
      return sprintf("%04d-%02d-%02d", in_era + era * 400 + (month <= 2), month, day)
    }
    function floor_of(quotient) { return quotient < int(quotient) ? int(quotient) - 1 : int(quotient) }
    function moved(time,    seconds) {
      if (time ~ /^2999/) return substr(date_of(floor_of(now / 86400)), 1, 4) + 1 substr(time, 5)
      seconds = days_of(substr(time, 1, 4) + 0, substr(time, 6, 2) + 0, substr(time, 9, 2) + 0) * 86400
      seconds += substr(time, 12, 2) * 3600 + substr(time, 15, 2) * 60 + substr(time, 18, 2) + by
      if (next_is_ahead && line ~ /"next_run"/ && seconds <= now) seconds += interval
      return sprintf("%sT%02d:%02d:%02d", date_of(int(seconds / 86400)), int(seconds % 86400 / 3600), \
        int(seconds % 3600 / 60), seconds % 60)
    }
    BEGIN { by = floor_of((now - anchor) / interval) * interval }
    {
      line = $0; out = ""
      while (match(line, /[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]/)) {
        out = out substr(line, 1, RSTART - 1) moved(substr(line, RSTART, RLENGTH))
        line = substr(line, RSTART + RLENGTH)
      }
      print out line
    }'
}

hour=3600 day=86400
mkdir -p "$to/results" "$to/logs"
# job JOB LAST_RUN INTERVAL [NEXT]
job() {
  for file in "results/$1.jsonl" "logs/$1.log"; do
    [ ! -e "$from/$file" ] || move "$2" "$3" <"$from/$file" >"$to/$file"
  done
  # The member of jobs.json: from the line of its id to the next one's.
  sed -n "/\"id\": \"$1\"/,/^    }/p" "$from/jobs.json" | move "$2" "$3" "${4-}" >"$moved/$1"
}
job nightly-backup 2026-02-14T02:09:08Z $day next
job daily-digest 2026-02-14T09:00:20Z $day next
job price-watch 2026-02-14T23:00:39Z $hour next
job api-monitor 2026-02-14T18:01:23Z $((6 * hour))
job cert-check 2026-02-14T07:00:00Z $day
job disk-report 2026-02-14T08:00:00Z $((7 * day))
job yearly-cleanup 2026-02-14T00:00:00Z $day
{
  printf '{\n  "jobs": [\n'
  for name in nightly-backup daily-digest price-watch cert-check disk-report yearly-cleanup; do
    printf '    {\n'
    cat "$moved/$name"
  done
  printf '  ]\n}\n'
} >"$to/jobs.json"
