# report - a status page: one HTML file with every job's state, history and last output
#
# Usage: taskresults report [-o FILE] [OPTION...]
#
# The page needs no server and no network: it may be opened from a file, mailed, or put where a web server finds it. It
# has the jobs' states, their success rates over 24 hours, 7, 30 and 90 days, a bar for each day, the last runs, the
# causes of failures and the last texts; it can be searched, filtered, sorted, and linked to as it is shown. All that it
# shows is in it, so it may tell its readers what your jobs print.
#
# A job is failing if its last run failed. Paused, overdue, running and died (a run whose process is gone) are known if
# the scheduler's jobs.json can be read; a paused job, and one that is no longer there, counts as neither failing nor
# overdue. A job whose file cannot be read is unreadable: the page says so, and shows the others. If jobs.json is there
# but cannot be read, the page says so, and shows what is known without it.
#
# Days are those of UTC. With many jobs, less of each is shown; the page's last lines say what was cut.
#
# Options:
#   -o, --output F  write the file F, whole or not at all: until all is written, F is what it was
#   --days N        how many days have a bar, 7 to 366; 90
#   --title T       what the page is called; Scheduled jobs
#   --refresh S     the browser reads the page anew every S seconds (or 5m and the like), as for a screen on a wall; and
#                   the page says so if it was not made anew for three times as long (without --refresh: for a day)
#
# Environment:
#   SCHEDULER_JOBS_FILE      the scheduler's list of jobs; /opt/.task-scheduler/jobs.json
#
# Exit status:
#   0 fine, whatever the jobs' state; 2 usage; 3 input or output failed, or a job's file or the list of jobs cannot be
#   read: the page is there, F was replaced, and both say what is missing
#
# Examples:
#   taskresults report -o status.html
#   taskresults report -o wall.html --refresh 300 --title "Night shift"

# shellcheck shell=bash
parse_options 'o:output= days= title= refresh=' "$@"
load lib/query report/{tables,rows} lib/unreadable lib/jobs_file
at_most 0
number_option days
seconds_option refresh
days=${opt[days]-90}
((days >= 7 && days <= 366)) || usage_error "--days wants 7 to 366, not '$days'"
[[ ! -v opt[refresh] ]] || opt[refresh]=$((opt[refresh] / 1000000))
[[ ! -v opt[refresh] ]] || ((opt[refresh] >= 5)) || usage_error '--refresh wants at least 5 seconds'
[[ ! -v opt[output] || -n ${opt[output]} ]] || usage_error '--output wants a file'

# text_as_html TEXT - on one line.
text_as_html() {
  printf '%s' "$1" | tr '\n\r' '  ' | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

# policy_hash FILE - what a Content-Security-Policy calls this text.
policy_hash() {
  local hex
  hex=$(sha256sum <"$1") || return
  printf 'sha256-%s' "$(printf '%b' "$(printf %s "${hex%% *}" | sed 's/../\\x&/g')" | base64)"
}

# icon COLOUR PATH - an SVG as a data: URL.
icon() {
  printf 'data:image/svg+xml,'
  printf "%%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20'%%3E"
  printf "%%3Cpath fill='%%23%s' d='%s'/%%3E%%3C/svg%%3E" "$1" "$2"
}

readable_jobs
look_at_jobs_file

# What page.awk takes from the environment.
export page_style page_script page_title page_policy page_refresh page_fault
export page_icon_healthy page_icon_failing page_icon_died page_icon_overdue page_icon_unreadable page_icon_empty
page_style=$shell_home/report/page.css
page_script=$shell_home/report/page.js
page_title=$(text_as_html "${opt[title]-Scheduled jobs}")
page_policy="default-src 'none'; script-src '$(policy_hash "$page_script")'; style-src '$(policy_hash "$page_style")'"
page_policy+="; img-src data:; base-uri 'none'; form-action 'none'"
page_refresh=
[[ ! -v opt[refresh] ]] || page_refresh="<meta http-equiv=\"refresh\" content=\"${opt[refresh]}\">"
page_fault=
[[ -z $jobs_fault ]] || page_fault="<p class=\"stale\" id=\"fault\" role=\"alert\">What is paused, overdue or running \
is not known: the scheduler's list of jobs cannot be read. $(text_as_html "$jobs_fault")</p>"
page_icon_healthy=$(icon 2a8f57 'M10 1a9 9 0 1 0 .1 0z')
page_icon_failing=$(icon d03b2f 'M10 0l10 10-10 10L0 10z')
page_icon_died=$page_icon_failing
page_icon_overdue=$(icon b97a0a 'M10 1l10 18H0z')
page_icon_unreadable=$page_icon_overdue
page_icon_empty=$(icon 8a919b 'M10 1a9 9 0 1 0 .1 0z')

page() {
  query "$(page_tables "$((EPOCHSECONDS * 1000000))" "$days")$(page_rows)" |
    LC_ALL=C awk -v skeleton="$shell_home/report/page.html" -f "$shell_home/report/page.awk"
  finish "${PIPESTATUS[@]}"
}

if [[ -v opt[output] && ${opt[output]} != - ]]; then
  load lib/atomic
  with_progress write_atomically "${opt[output]}" page || exit
else
  page
fi
say_unknown_jobs 'paused, overdue and running jobs are not marked'
say_unreadable
[[ -z $jobs_fault ]] || exit "$EXIT_IO"
