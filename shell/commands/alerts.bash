# alerts [JOB...] - which jobs began to fail, or stopped running, since the last look; made for cron
#
# Usage: taskresults alerts [JOB...] [OPTION...]
#        taskresults alerts --nagios [JOB...] [OPTION...]
#        taskresults alerts mute JOB|GLOB... --for D
#        taskresults alerts mute --list
#        taskresults alerts unmute JOB|GLOB...
#
# Looks at the end of each job's file, and at the scheduler's list of jobs if it is there. Prints a line for each alert,
# once: not again until it has ended and begun anew. When nothing changed it prints nothing. What was told is remembered
# in a state file; several runs at once wait for each other.
#
# What an alert can be:
#
#   failing        the last N runs failed (--after). It fires again only after a success in between
#   rate           at least P of the last K runs failed (--rate)
#   silent         no record for longer than D (--silent-for). Of the jobs in the scheduler's list, only enabled ones
#                  are looked at; one that never ran counts from its creation. Without that list, all jobs that have a
#                  file of results are looked at
#   overdue        the next run of an enabled job, which is not running, ought to have begun (--overdue). If the list
#                  has no time for it, it is due N minutes (hours, days) after its last record, where its schedule is
#                  `every N minutes`. A time that cannot be read fires, too
#   missed         N of the runs that the schedules expect never began (--missed), of those of the last 7 days that were
#                  not told of. It fires again only after a run in between. It tells of a scheduler that was down, too,
#                  when `overdue` is over. What is a missed run, and what is none: taskresults-tables(7), task_slots
#   burn           of the runs expected in D, more failed or were missed than P percent allow (--burn)
#   slow           the last run, or the one that is going on by the scheduler's list, took more than F times as long as
#                  is usual (--slow): as the median of the job's last 30 successes before it. F is 3
#   fast           the last run is a success that took less than a part in F of the usual time (--fast): it may have
#                  done nothing. F is 10
#   suspicious     the last run is a success, but its output or error contains PATTERN (--suspicious)
#   empty          the last run is a success without output, and the three or more before it, of the last 50, all had
#                  some (--empty)
#
# Without any of these options, --after 1 is meant.
#
# How long runs took is known from the jobs' logs. Neither --slow nor --fast tells of a job before five of its last 1000
# runs are successes whose duration is known, nor of a run that differs by a second or less, as logs count seconds.
#
# Options:
#   --after N         N failures in a row
#   --rate P/K        P failures among the last K runs, such as 3/10
#   --silent-for D    no record for D: 90s, 30m, 12h, 7d, '3 months' and the like; all forms: `taskresults help`
#   --overdue         the next run ought to have begun
#   --missed[=N]      N runs that were expected did not begin: 1
#   --burn P/D        less than P percent of the runs expected in D succeeded, such as 99/30d
#   --grace D         how late a run may begin: 5m; for --missed and --burn a tenth of the time to the next run, if that
#                     is less
#   --slow[=F]        a run took F times as long as usual, or goes on for so long: 3, or a number such as 1.5
#   --fast[=F]        a success took a part in F of the usual time: 10
#   --suspicious PAT  a text that a good run does not print, such as Traceback; * ? and [ ] as in GLOB
#   --empty           nothing printed, by a job that always prints something
#   --recovered       also a line for each alert that ended
#   --cooldown D      tell of an alert again when it has lasted another D
#   --maintenance W   tell nothing in these windows of time: 'Sun 02:00-04:00', 'mon-fri 22:00-06:00; 12:00-12:30';
#                     of UTC, or of a zone behind the times: 'Sun 02:00-04:00 Europe/Berlin', or local
#   --exec CMD        run CMD, by sh, for each line, instead of printing it
#   --digest          run CMD once for all lines
#   --exec-timeout D  stop CMD after D, as failed; 60s
#   --state FILE      the state file; ${XDG_STATE_HOME:-~/.local/state}/taskresults/alerts
#   --for D           of mute: how long
#   --list            of mute: print the mutes that there are
#   --nagios          be a check for Nagios: one line, its exit status; no state, every alert each time
#   --job JOB         the same as JOB: for a name that begins with -
#
# For --exec, the facts are in the environment, and nowhere else, since job ids and errors can hold anything: quote
# them, as in --exec 'logger -t jobs -- "$TASKRESULTS_MESSAGE"'.
#
#   TASKRESULTS_EVENT      fired, repeated (--cooldown), recovered, or dropped: it ended since the job is gone or paused
#   TASKRESULTS_ALERT      failing, rate, silent, overdue, missed, burn, slow, fast, suspicious or empty
#   TASKRESULTS_JOB        the job's id
#   TASKRESULTS_MESSAGE    the line that would be printed; control characters made visible
#   TASKRESULTS_STREAK     failures in a row, up to 1000
#   TASKRESULTS_FAILURES   failures among the last runs that --rate looks at
#   TASKRESULTS_LAST_RUN   the timestamp of the last record
#   TASKRESULTS_SINCE      when it began: the first failure of these, the last record, when the run was due,
#                          or when the slow or fast one began
#   TASKRESULTS_ERROR      the error of the last failure, or what the success that is suspicious printed; up to 4000
#                          characters
#
# What does not apply is empty. NUL, which the environment cannot hold, is written as its picture.
#
# With --digest, CMD finds all facts on its standard input: a JSON array with an object for each line, whose members are
# event, alert, job, streak, failures, last_run, since, error and message. What does not apply is null. In the
# environment are TASKRESULTS_EVENT, which is digest, and a TASKRESULTS_MESSAGE of one line. If CMD fails, all is told
# again at the next run.
#
# `mute` keeps a job quiet, or all that a GLOB chooses, until D is over; `unmute` ends that, named as it was muted.
# While a mute or a window of --maintenance lasts, it is as if nobody had looked: what still holds afterwards is told
# then, and with --recovered so is what has ended. A mute is part of the state file, and holds for those who share it.
# Of a job that is called mute or unmute, --job tells.
#
# The state advances only behind a line that was printed, or a CMD that exited with 0; another is run again at the next
# run. So every alert is told at least once; one told just before a kill or a power cut may be told again. The state
# file is replaced whole. One that is not whole, or is of another directory of results, is an error and stays as it is.
# What is new is decided by place in the file, not by time: the state has the last line that was told, as its place and
# its hash. Where a prune moved it, it is searched for; if it is gone, failures with a success before them are new.
# A run leaves alone what it is not asked for. So runs with different options can share the file, as long as no two of
# them ask for the same alert of the same job with different numbers.
#
# Where the scheduler's list of jobs is there but cannot be read, alerts that need it neither fire nor end; the others
# do.
#
# With --nagios: 0 OK, 1 WARNING (rate, burn, slow, fast, suspicious, empty), 2 CRITICAL (failing, silent, overdue,
# missed), 3 UNKNOWN (wrong usage, something cannot be read).
#
# Mutes do not count then, since Nagios has its own.
#
# Exit status:
#   0 nothing fired; 1 an alert fired, or was repeated, or there is no such mute; 2 usage, no such job; 3 input or
#   output failed, or a CMD did
#
# Examples:
#   taskresults alerts --after 3 --overdue --recovered
#   taskresults alerts --exec 'printf "%s\n" "$TASKRESULTS_ERROR" | mail -s "$TASKRESULTS_MESSAGE" me@example.org'
#   taskresults alerts --digest --exec 'jq -r ".[].message" | mail -s "$TASKRESULTS_MESSAGE" me@example.org'
#   taskresults alerts mute 'backup-*' --for 2h
#   taskresults alerts --nagios --after 2 --silent-for 2d

# shellcheck shell=bash

load alerts/judge

# read_options ARGUMENT... - checks all that was given.
read_options() {
  local name given=0
  parse_options 'after= rate= silent-for= overdue grace= missed=? burn= slow=? fast=? suspicious= empty recovered
    cooldown= maintenance= exec= digest exec-timeout= state= nagios job=' "$@"
  [[ ! -v opt[job] ]] || args+=("${opt[job]}")
  for name in recovered cooldown maintenance exec state; do exclusive nagios "$name"; done
  for name in after rate silent-for overdue missed burn slow fast suspicious empty; do
    [[ ! -v opt[$name] ]] || given=1
  done
  ((given)) || opt[after]=1
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
      say "the number of --$name stands behind =: --$name=$missing_job"
  done
  load lib/jobs
  no_job "$1" "$missing_job"
}

# A check for Nagios. Its last line is the answer, if it ends with the status that the line says.
NAGIOS_WORDS=(OK WARNING CRITICAL)
nagios() {
  read_options "$@"
  find_jobs
  find_logs
  ((${#unread_logs[@]} == 0)) || die "$EXIT_IO" "${#unread_logs[@]} jobs whose logs are not readable for $(id -un)"
  ((${#unreadable[@]} == 0)) || die "$EXIT_IO" "${#unreadable[@]} jobs whose files are not readable for $(id -un)"
  judge
  [[ -z $missing_job || -n $jobs_fault ]] || no_named_job "$EXIT_IO"
  local at text='' perfdata shown=0 worst=0 kind alerts=0
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
    if ((shown < 5)); then text+="${text:+; }${messages[at]:0:200}"; fi
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
    line=${line//[[:cntrl:]]/ } line="TASKRESULTS UNKNOWN - ${line//|/!}" status=3
  fi
  printf '%s\n' "$line" || status=3
  exit "$status"
}

case ${1-} in
  mute | unmute)
    load alerts/state
    change_mutes "$@"
    exit
    ;;
esac

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
find_logs
judge
[[ -z $state_fault ]] || bad_state "$state_fault"
[[ -z $missing_job || -n $jobs_fault ]] || no_named_job "$EXIT_USAGE"
tell_all
say_unjudged
if ((fired == 0 && failed == 0)) && on_terminal; then
  ((mute_count)) && mute_count="; mutes: $mute_count" || mute_count=''
  say "nothing new; alerts going on: $firing_count$mute_count"
fi
((failed + ${#unreadable[@]} + ${#unread_logs[@]} + ${#unjudged[@]} == 0)) || exit "$EXIT_IO"
((fired == 0)) || exit "$EXIT_NO"
