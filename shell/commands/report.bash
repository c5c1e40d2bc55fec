# report - writes a status page: one HTML file with the state, history and last output of every job
#
# Usage: taskresults report [-o FILE] [OPTION...]
#
# The page needs no server and no network: open the file, mail it, or put it on a web server. It shows the state of each
# job, its last runs and how long they took, a bar for each day, the success rates over 24 hours, 7, 30 and 90 days,
# runs that were missed, the causes of failures, and the last output and error. It can be searched, filtered and sorted,
# and a link to it keeps that. Everybody who can open the page can read what your jobs print.
#
# A job is failing if its last run failed. It is flaky if its last run was a success, but of the runs that were expected
# in the last 30 days more than one in ten failed or was missed; otherwise it is ok. The states paused, overdue, running
# and died (a run whose process is gone), and what was missed, are known only if the scheduler's jobs.json can be read.
# A job that is paused, or no longer in that list, is never shown as failing or overdue. A job is unreadable if its file
# cannot be read; the other jobs are still shown. If jobs.json exists but cannot be read, the page says so, and shows
# what is known without it. Durations and missed runs need the jobs' logs, too.
#
# With many jobs, the page shows less of each; its last lines say what was left out.
#
# Options:
#   --hosts PATH    of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host; logs
#                   and the list of jobs are beside the results. On the page, a job is called HOST/JOB
#   --map MAPPING   of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   -o, --output F  write the file F, whole or not at all: an existing F is replaced only when everything has been
#                   written
#   --days N        how many days have a bar: 7 to 366; the default is 90
#   --title T       the title of the page; the default is "Scheduled jobs"
#   --wall          for a screen on a wall: large, without scrolling, and reloaded each minute (or as --refresh says).
#                   If not all jobs fit, the worst are shown, and the others counted
#   --refresh S     the browser reloads the page every S seconds (or 5m and the like). The page warns if it is older
#                   than three times that (without --refresh: older than a day)
#   --tz ZONE       show days and times in a zone (Europe/Berlin, or local: this machine's); the default is UTC
#
# Environment:
#   SCHEDULER_JOBS_FILE      the scheduler's list of jobs; default /opt/.task-scheduler/jobs.json
#   SCHEDULER_LOGS_DIR       the jobs' logs; default /opt/.task-scheduler/logs
#
# Exit status:
#   0 fine, even if jobs are failing; 2 usage; 3 input or output failed, or a job's file or the list of jobs cannot be
#   read. In that case F was still replaced; the page and a message say what is missing
#
# Examples:
#   taskresults report -o status.html
#   taskresults report -o wall.html --wall --tz local --title "Night shift"

# shellcheck shell=bash
parse_options 'hosts= map= o:output= days= title= refresh= wall tz=' "$@"
load lib/option_values lib/query report/{tables,rows} lib/unreadable lib/jobs_file
map_option
hosts_option
at_most 0
number_option days
seconds_option refresh
days=${opt[days]-90}
((days >= 7 && days <= 366)) || usage_error "--days wants 7 to 366, not '$days'"
[[ ! -v opt[refresh] ]] || opt[refresh]=$((opt[refresh] / 1000000))
[[ ! -v opt[refresh] ]] || ((opt[refresh] >= 5)) || usage_error '--refresh wants at least 5 seconds'
[[ ! -v opt[wall] || -v opt[refresh] ]] || opt[refresh]=60
[[ ! -v opt[output] || -n ${opt[output]} ]] || usage_error '--output wants a file'

# text_as_html TEXT - on one line.
text_as_html() {
  printf '%s' "$1" | tr '\n\r' '  ' | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

# set_files NAME FILE... - sets NAME to the texts of these files of ours, one behind the other.
set_files() {
  local name_=$1 text_ file_ all_=
  shift
  for file_; do
    IFS= read -r -d '' text_ <"$shell_home/report/$file_" || [[ -n $text_ ]] || exit "$EXIT_IO"
    all_+=$text_
  done
  printf -v "$name_" '%s' "$all_"
}

# policy_hash TEXT - what a Content-Security-Policy calls this text.
policy_hash() {
  local hex
  hex=$(printf '%s' "$1" | sha256sum) || return
  printf 'sha256-%s' "$(printf '%b' "$(printf %s "${hex%% *}" | sed 's/../\\x&/g')" | base64)"
}

# icon COLOUR PATH - an SVG as a data: URL.
icon() {
  printf 'data:image/svg+xml,'
  printf "%%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20'%%3E"
  printf "%%3Cpath fill='%%23%s' d='%s'/%%3E%%3C/svg%%3E" "$1" "$2"
}

page_zone=
[[ ${opt[tz]-UTC} == UTC ]] || { load report/zone; choose_zone; }
readable_jobs
look_at_jobs_file
find_logs

# What page.awk takes from the environment.
export page_style page_script page_title page_policy page_refresh page_fault page_kind=desk
export page_icon_{ok,flaky,failing,died,overdue,unreadable,new,empty}
set_files page_style {page,jobs,wall}.css
set_files page_script {words,marks,line,panel,find,wall,page}.js
page_title=$(text_as_html "${opt[title]-Scheduled jobs}")
page_policy="default-src 'none'; script-src '$(policy_hash "$page_script")'; "
page_policy+="style-src '$(policy_hash "$page_style")'"
page_policy+="; img-src data:; base-uri 'none'; form-action 'none'"
page_refresh=
[[ ! -v opt[refresh] ]] || page_refresh="<meta http-equiv=\"refresh\" content=\"${opt[refresh]}\">"
[[ ! -v opt[wall] ]] || page_kind=wall
page_fault=
[[ -z $jobs_fault ]] || page_fault="<p class=\"stale\" id=\"fault\" role=\"alert\">What is paused, overdue, running or \
missed is not known: the scheduler's list of jobs cannot be read. $(text_as_html "$jobs_fault")</p>"
page_icon_ok=$(icon 2a8f57 'M10 1a9 9 0 1 0 .1 0z')
page_icon_failing=$(icon d03b2f 'M10 0l10 10-10 10L0 10z')
page_icon_died=$page_icon_failing
page_icon_overdue=$(icon b97a0a 'M10 1l10 18H0z')
page_icon_unreadable=$page_icon_overdue page_icon_flaky=$page_icon_overdue
page_icon_empty=$(icon 8a919b 'M10 1a9 9 0 1 0 .1 0z')
page_icon_new=$page_icon_empty

page() {
  query "$(page_tables "$((EPOCHSECONDS * 1000000))" "$days")$(page_rows)" |
    awk -v skeleton="$shell_home/report/page.html" -f "$shell_home/report/page.awk"
  finish "${PIPESTATUS[@]}"
}

if [[ -v opt[output] && ${opt[output]} != - ]]; then
  load lib/atomic
  with_progress write_atomically "${opt[output]}" page || exit
else
  page
fi
say_unknown_jobs 'paused, overdue, running and missed jobs are not marked'
say_unreadable
[[ -z $jobs_fault ]] || exit "$EXIT_IO"
