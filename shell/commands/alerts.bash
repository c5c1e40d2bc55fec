# alerts [JOB...] - reports which jobs began to fail or stopped running since the last check; made for cron
#
# Usage: taskresults alerts [JOB...] [OPTION...]
#        taskresults alerts --nagios [JOB...] [OPTION...]
#        taskresults alerts mute JOB|GLOB... --for D
#        taskresults alerts mute --list
#        taskresults alerts unmute JOB|GLOB...
#
# Reads the end of each job's file, and the scheduler's list of jobs if there is one. Prints one line for each alert
# when it begins, and no more until it has ended and begins again. If nothing changed, it prints nothing. A state file
# remembers what was reported. Several `alerts` at the same time wait for each other.
#
# The alerts are:
#
#   failing        the last N runs failed (--after). It fires again only after a success
#   rate           at least P of the last K runs failed (--rate)
#   silent         no record for longer than D (--silent-for). Of the jobs in the scheduler's list, only enabled ones
#                  count; if one has never run, D counts from its creation. Without that list, all jobs with a file of
#                  results count
#   overdue        the next run of a job should have begun (--overdue). The job must be enabled and not running. If the
#                  list has no time for the next run, but the schedule is `every N minutes` (hours, days), the run is
#                  due that long after the last record. A time that cannot be read fires, too
#   missed         N runs that the schedule expected never began (--missed). It looks at the last 7 days, without the
#                  runs that were reported before, and fires again only after a run. It also notices that the scheduler
#                  was down, when `overdue` no longer does. Runs during a pause and runs that the scheduler skipped are
#                  not missed; taskresults-tables(7) says more under task_slots
#   burn           fewer than P percent of the runs expected in D succeeded: the others failed or were missed (--burn)
#   slow           the last run, or the run that the scheduler's list says is still going on, took more than F times as
#                  long as usual (--slow). Usual is the median of the job's last 30 successful runs before it. F is 3 by
#                  default
#   fast           the last run succeeded, but took less than 1/F of the usual time (--fast): it may have done nothing.
#                  F is 10 by default
#   suspicious     the last run succeeded, but its output or error contains PATTERN (--suspicious)
#   empty          the last run succeeded without output, but all earlier ones among the last 50 had output (--empty).
#                  There must be at least three earlier ones
#
# Without any of these options, --after 1 is the default.
#
# The jobs' logs say how long runs took; under a mapping, the records, if they have it. --slow and --fast need at least
# five successful runs with a known duration among the job's last 1000 runs. A difference of a second or less does not
# count, because logs have whole seconds.
#
# Options:
#   --hosts PATH      of several hosts: in a quoted path such as '/srv/runs/*/results', the * stands for the host; logs
#                     and the list of jobs are beside the results. Then a job is called HOST/JOB in messages, mutes and
#                     the state file; a JOB that you name without its host is that job of each host
#   --map MAPPING     of another program: openclaw, runs, gitlab, n8n, @FILE for a mapping of your own, or its JSON
#   --after N         N failures in a row
#   --rate P/K        P failures among the last K runs, such as 3/10
#   --silent-for D    no record for D, such as 90s, 30m, 12h, 7d or '3 months'; all forms: `taskresults help`
#   --overdue         the next run should have begun
#   --missed[=N]      N runs that were expected did not begin; default 1
#   --burn P/D        less than P percent of the runs expected in D succeeded, such as 99/30d
#   --grace D         how late a run may begin; default 5m, but for --missed and --burn at most a tenth of the time to
#                     the next run
#   --slow[=F]        a run took F times as long as usual, or has already; default 3, or a number such as 1.5
#   --fast[=F]        a successful run took less than 1/F of the usual time; default 10
#   --suspicious PAT  a text that a good run does not print, such as Traceback; * ? and [ ] as in GLOB
#   --empty           a job that always prints something printed nothing
#   --recovered       also a line for each alert that ended
#   --cooldown D      report an alert again each time it has lasted another D
#   --maintenance W   report nothing at these times: 'Sun 02:00-04:00', 'fri-mon 22:00-06:00; 12:00-12:30'. They are in
#                     the zone of --tz, or in one that you write behind them: 'Sun 02:00-04:00 Asia/Tokyo'
#   --tz ZONE         show times in messages in a time zone: Europe/Berlin, or local for that of this machine; and
#                     --maintenance means its clocks; default UTC. Only messages change: TASKRESULTS_SINCE and
#                     TASKRESULTS_LAST_RUN, and the same in the JSON of --digest, stay in UTC
#   --exec CMD        instead of printing, run CMD by sh for each line
#   --digest          run CMD only once, for all lines together
#   --exec-timeout D  stop CMD after D, and count it as failed; default 60s
#   --state FILE      the state file; default ${XDG_STATE_HOME:-~/.local/state}/taskresults/alerts
#   --for D           for mute: how long
#   --list            for mute: list the current mutes
#   --nagios          work as a check for Nagios: print one line, and exit with its status. There is no state file: each
#                     time, all current alerts count
#   --job JOB         the same as JOB: for a name that begins with -
#
# Job ids and errors can contain anything, even shell code. So CMD of --exec gets them in environment variables only.
# Quote these, as in --exec 'logger -t jobs -- "$TASKRESULTS_MESSAGE"'. In a crontab, write \% instead of %.
#
#   TASKRESULTS_EVENT      fired, repeated (--cooldown), recovered, or dropped (it ended because the job is gone or
#                          paused)
#   TASKRESULTS_ALERT      failing, rate, silent, overdue, missed, burn, slow, fast, suspicious or empty
#   TASKRESULTS_JOB        the job's id
#   TASKRESULTS_HOST       its host (--hosts)
#   TASKRESULTS_MESSAGE    the line that would be printed, with control characters replaced by visible signs
#   TASKRESULTS_STREAK     failures in a row, up to 1000
#   TASKRESULTS_FAILURES   how many of the last K runs failed (--rate)
#   TASKRESULTS_LAST_RUN   the timestamp of the last record
#   TASKRESULTS_SINCE      when it began. Depending on the alert: the first of the failures, the last record, when the
#                          run was due, or when the slow or fast run began
#   TASKRESULTS_ERROR      the error of the last failure, or what the suspicious run printed; up to 4000 characters
#
# Variables that do not apply are empty. A NUL character, which an environment variable cannot hold, is replaced by the
# sign for it (U+2400).
#
# With --digest, CMD gets all alerts on its standard input, as a JSON array. It has an object for each line, with the
# members event, alert, job, streak, failures, last_run, since, error and message; with --hosts also host. Members that
# do not apply are null. In the environment, TASKRESULTS_EVENT is digest, and TASKRESULTS_MESSAGE is a summary in one
# line. If CMD fails, all of them are reported again the next time.
#
# `mute` reports nothing about a job, or about all jobs that match GLOB, until D is over. `unmute` ends that; name the
# job or GLOB as you did for `mute`. Nothing is lost during a mute or a --maintenance window: an alert that still holds
# afterwards is reported then, and with --recovered also one that has ended meanwhile. A mute is kept in the state file,
# so it holds for every `alerts` that uses this file. If a job is called mute or unmute, use --job or --.
#
# The state file is updated only after a line was printed, or after CMD exited with 0. If CMD fails, it is run again
# the next time. So each alert is reported at least once; it may be reported again after a kill or a power cut. The
# state file is replaced as a whole. If it is damaged, or belongs to another results directory, that is an error, and
# it is not changed. Each results directory needs a state file of its own: name it with --state. What is new is
# decided by position in a job's file, not by time: the state file has the position and the hash of the last line that
# was reported. If a prune has moved that line, it is searched for; if it is gone, failures with a success before them
# are new. Each run of `alerts` changes only the alerts that its options ask for. So runs with different options can
# share the file, unless two of them ask for the same alert of the same job with different numbers.
#
# --overdue, --missed and --burn need the scheduler's list of jobs. --missed, --burn, --slow and --fast need the jobs'
# logs; under a mapping, --slow and --fast need logs or durations in the records. If these are missing or cannot be
# read, such alerts neither fire nor end. If there is a list, but it cannot be read, --slow reports only runs that have
# ended, and none of its alerts ends. The others are reported. Then a message says what was left out, and the exit
# status is 3.
#
# With --nagios, the exit status is 0 OK, 1 WARNING (rate, burn, slow, fast, suspicious, empty), 2 CRITICAL (failing,
# silent, overdue, missed) or 3 UNKNOWN (wrong usage, or something cannot be read). Mutes do not count, since Nagios has
# its own.
#
# Exit status:
#   0 nothing fired; 1 an alert fired or was repeated, or there is no such mute; 2 usage, or no such job; 3 input or
#   output failed, or CMD failed
#
# Examples:
#   taskresults alerts --after 3 --overdue --recovered
#   taskresults alerts --exec 'printenv TASKRESULTS_ERROR | mail -s "$TASKRESULTS_MESSAGE" me@example.org'
#   taskresults alerts --digest --exec 'jq -r ".[].message" | mail -s "$TASKRESULTS_MESSAGE" me@example.org'
#   taskresults alerts mute 'nightly-*' --for 2h
#   taskresults alerts --nagios --after 2 --silent-for 2d

# shellcheck shell=bash

load lib/option_values alerts/judge

# read_options ARGUMENT... - checks all that was given.
read_options() {
  local name given=0
  parse_options 'hosts= map= after= rate= silent-for= overdue grace= missed=? burn= slow=? fast=? suspicious= empty
    recovered cooldown= maintenance= tz= exec= digest exec-timeout= state= nagios job=' "$@"
  [[ ! -v opt[job] ]] || args+=("${opt[job]}")
  map_option
  hosts_option
  for name in recovered cooldown maintenance exec state; do exclusive nagios "$name"; done
  for name in after rate silent-for overdue missed burn slow fast suspicious empty; do
    [[ ! -v opt[$name] ]] || given=1
  done
  ((given)) || opt[after]=1
  zone_option
  number_option after
  ((${opt[after]-1} >= 1 && ${opt[after]-1} <= LONGEST_STREAK)) || usage_error "--after wants 1 to $LONGEST_STREAK"
  if [[ -v opt[rate] ]]; then
    [[ ${opt[rate]} =~ ^0*([1-9][0-9]{0,3})/0*([1-9][0-9]{0,3})$ ]] && ((BASH_REMATCH[1] <= BASH_REMATCH[2])) ||
      usage_error "--rate wants P/K: P failures among the last K runs, such as 3/10, not '${opt[rate]}'"
    rate_failures=${BASH_REMATCH[1]} rate_runs=${BASH_REMATCH[2]}
  fi
  factor_option slow "$SLOW_FACTOR"
  factor_option fast "$FAST_FACTOR"
  slot_options
  span_options burn silent-for grace cooldown exec-timeout
  ((${opt[exec-timeout]-1} > 0)) || usage_error '--exec-timeout wants some time'
  [[ ! -v opt[suspicious] || -n ${opt[suspicious]} ]] || usage_error '--suspicious wants a text'
  [[ ! -v opt[exec] || -n ${opt[exec]} ]] || usage_error '--exec wants a command'
  [[ ! -v opt[digest] || -v opt[exec] ]] || usage_error '--digest wants --exec, which it runs once for all'
}

# no_named_job CODE - says what may have been meant.
no_named_job() {
  local name
  for name in slow fast missed; do
    [[ ! $missing_job =~ ^[0-9.]+$ || ! -v opt[$name] ]] ||
      say "the number of --$name goes after =: --$name=$missing_job"
  done
  load lib/jobs
  no_job "$1" "$missing_job"
}

# A check for Nagios. Its last line is the answer, if it ends with the status that the line says.
NAGIOS_WORDS=(OK WARNING CRITICAL)
nagios() {
  read_options "$@"
  find_jobs
  look_at_logs
  ((${#unreadable_logs[@]} == 0)) ||
    die "$EXIT_IO" "${#unreadable_logs[@]} jobs whose logs are not readable for $(id -un)"
  ((${#unreadable[@]} == 0)) || die "$EXIT_IO" "${#unreadable[@]} jobs whose files are not readable for $(id -un)"
  judge
  [[ -z $missing_job || -n $jobs_fault ]] || no_named_job "$EXIT_IO"
  local at text='' beginning perfdata shown=0 worst=0 kind alerts=0
  local -A count=()
  for kind in "${kinds[@]}"; do count[$kind]=0; done
  for ((at = 0; at < ${#events[@]}; at++)); do
    kind=${alerts_of[at]}
    count[$kind]=$((${count[$kind]} + 1))
    alerts=$((alerts + 1))
    case $kind in
      failing | silent | overdue | missed) worst=2 ;;
      *) ((worst > 0)) || worst=1 ;;
    esac
    if ((shown < 5)); then
      load lib/characters
      set_beginning beginning 200 "${messages[at]}"
      text+=${text:+; }$beginning
    fi
    shown=$((shown + 1))
  done
  if ((shown > 5)); then text+="; and $((shown - 5)) more"; fi
  ((worst > 0 || ${#unjudged[@]} == 0)) || die "$EXIT_IO" "${unjudged[0]}"
  perfdata="jobs=$job_count;;;0 alerts=$alerts;;;0"
  for kind in "${kinds[@]}"; do perfdata+=" $kind=${count[$kind]};;;0"; done
  # What follows a | is performance data.
  text="${text:+$alerts: }${text:-no alerts}"
  printf 'TASKRESULTS %s - %s | %s\n' "${NAGIOS_WORDS[worst]}" "${text//|/!}" "$perfdata"
  exit "$worst"
}

# check ARGUMENT... - prints one line, whatever fails, and exits with what it says.
check() {
  local answer line status
  EXIT_USAGE=3
  answer=$(nagios "$@" 2>&1)
  status=$? line=${answer##*$'\n'}
  if ((status > 2)) || [[ $line != "TASKRESULTS ${NAGIOS_WORDS[status]} - "* ]]; then
    line=${answer%%$'\n'*} line=${line#taskresults: }
    [[ -n $line ]] || line="ended with status $status, without a word"
    load lib/characters
    set_without_controls line "$line"
    line="TASKRESULTS UNKNOWN - ${line//|/!}" status=3
  fi
  printf '%s\n' "$line" || status=3
  exit "$status"
}

# find_subcommand ARGUMENT... - sets `subcommand` to mute or unmute, if that comes first, or behind options of its own.
find_subcommand() {
  local argument is_value=''
  subcommand=''
  for argument; do
    [[ -z $is_value ]] || { is_value=''; continue; }
    case $argument in
      mute | unmute) subcommand=$argument; return ;;
      --for | --tz | --state | --job | --hosts) is_value=1 ;;
      --for=* | --tz=* | --state=* | --job=* | --hosts=* | --list | --color | --color=*) ;;
      *) return ;;
    esac
  done
}

find_subcommand "$@"
if [[ -n $subcommand ]]; then
  load alerts/state
  change_mutes "$@"
  exit
fi

asks_nagios=
for argument; do
  case $argument in
    --) break ;;
    --nagios) asks_nagios=1 ;;
    -h | --help) asks_nagios= && break ;;
  esac
done
[[ -z $asks_nagios ]] || check "$@"

load alerts/{state,tell}
read_options "$@"
if [[ -v opt[maintenance] ]] && load alerts/maintenance && is_maintenance; then
  ! on_terminal || say 'nothing is told now: --maintenance'
  exit 0
fi
lock_state
find_jobs
look_at_logs
judge
[[ -z $state_fault ]] || bad_state "$state_fault"
[[ -z $missing_job || -n $jobs_fault ]] || no_named_job "$EXIT_USAGE"
tell_all
say_unjudged
if ((fired == 0 && failed == 0)) && on_terminal; then
  ((mute_count)) && mute_count="; mutes: $mute_count" || mute_count=''
  say "nothing new; alerts going on: $firing_count$mute_count"
fi
((failed + ${#unreadable[@]} + ${#unreadable_logs[@]} + ${#unjudged[@]} == 0)) || exit "$EXIT_IO"
((fired == 0)) || exit "$EXIT_NO"
