# run JOB -- COMMAND... - runs a command, and records how it ended, as the scheduler would
#
# Usage: taskresults run JOB [OPTION...] -- COMMAND [ARGUMENT...]
#
# For what runs elsewhere: in cron, in a systemd timer, by hand. The command gets standard input and the environment as
# they are, and its output is shown as it comes. When it ends, one record is appended to the job's file, which is made
# if need be. Of a success its standard output is kept, without the white space around it; of a failure its standard
# error, or standard output if that is empty; 5000 characters of either. Bytes that are not UTF-8 become U+FFFD, and
# CR LF becomes LF. A failure that printed nothing has "exit status 42" or "killed by SIGKILL" for its error. Of a
# timeout, the error is its words alone ("Execution timed out (90 seconds)"), and what was printed on standard output
# until then, or else on standard error, is the output.
#
# A command that cannot be started, and one that is ended by a signal or by the timeout, has failed. A background
# process that keeps the command's output open is waited for. TERM, INT, HUP and QUIT are passed on to the command, and
# the run is recorded as a failure then, whatever the command makes of it. What the command leaves behind when it ends,
# such as a daemon, lives on; but after the timeout or such a signal it is ended too, wherever it has gone.
#
# Whether the record can be written is known only when the command has run. If it cannot, that is said on standard
# error, and the output is shown even with --quiet. A job that cannot be a file's name is refused before anything runs.
#
# The job's log gets the lines that the scheduler would write, so that task_runs has durations: one before the command
# ("Executing (command mode): working_dir=..., cmd=...", the command as a shell would want it, 200 characters of it),
# and one behind it ("Command executed successfully", "Command failed: ..." or "Execution timed out (...)"). That is
# the file JOB.log in SCHEDULER_LOGS_DIR; or, if that is not set, in the directory `logs` beside the results
# directory, if there is one. Control characters are escaped there: what a command prints cannot forge a line. A log
# that cannot be written is said, unless --quiet, and changes nothing else.
#
# A run that never starts, since another one holds the lock, or a signal comes during the wait for it or for --jitter,
# leaves no record, and sends no ping. --timeout counts from the command's start.
#
# The lock is the file results/.taskresults/locks/JOB.lock, which stays there, empty. The system takes it back when
# `run` ends, however that is; neither the command nor a daemon that it leaves holds it.
#
# A dead man's switch, such as healthchecks.io, is asked for URL/start when the command starts, and for URL/STATUS,
# with run's exit status, when it has ended; with the last 10 KB of what it printed in the body of that request. This
# takes the curl program, and at most 10 seconds each. The first one goes out beside the command, the last one behind
# the record. One that fails is said, unless --quiet, and changes nothing else.
#
# Options:
#   --name N        the job's name in the record; without it, JOB
#   --timeout T     end it after T, which is seconds or a length of time: 90, 1.5, 90s, 5m, '2 hours' and the like (all
#                   forms: `taskresults help`); first by TERM, 5 seconds later by KILL, with all that it has started
#   --merge         the command's standard error goes where its standard output goes, as with 2>&1: all is shown on
#                   standard output, in the order in which it was written; it is recorded as the output or, of a
#                   failure, as the error
#   --quiet         show its output only if it fails, as cron wants it; or if there is more than can be kept
#   --lock WHAT     one run of the job at a time: skip says so, logs it as skipped and ends with 75, if another one goes
#                   on; wait waits until it has ended
#   --jitter D      wait for a random time of at most D before the start, so that many machines don't begin at once
#   --ping WHERE    tell a dead man's switch. Its URL is a secret, so it is no argument: with env it is in
#                   TASKRESULTS_PING_URL, with @FILE it is the first line of the file
#   --no-log-command
#                   keep the command out of the log, if it has a secret in it
#
# Exit status:
#   the command's own; 128 and the signal's number, if one ended it; 124 timed out; 127 no such command; 126 it cannot
#   be started; 2 usage; 3 the command was fine, but the record could not be written or its output not be shown, or
#   there was no lock to be had, so it was not run; 75 skipped by --lock skip
#
# Examples:
#   taskresults run my-job -- echo hello
#   taskresults run nightly-copy --name "Nightly copy" --timeout 2h --quiet -- cp /etc/hostname hostname.copy
#   taskresults run nightly-copy --lock skip --jitter 2s -- cp /etc/hostname hostname.copy

# shellcheck shell=bash

parse_options 'name= timeout= jitter= lock= ping= no-log-command quiet merge' "$@"
load lib/runner
((${#args[@]})) || usage_error 'which job? It goes before the --'
job=${args[0]} name=${opt[name]-${args[0]}}
words=("${args[@]:1}")
# The -- is wanted: without it, the command's own options would be taken for ours. A job may be behind a -- of its own.
if [[ $args_before_dashes == 0 && ${words[0]-} == -- ]]; then
  words=("${words[@]:1}")
else
  [[ $args_before_dashes != 0 ]] || usage_error 'which job? It goes before the --'
  [[ $args_before_dashes == 1 ]] || usage_error 'the command goes behind --'
fi
((${#words[@]})) || usage_error 'which command?'
[[ -n $job && $job != */* ]] ||
  usage_error "'$job' cannot be a job: its file has that name, which cannot be empty or have a / in it"
(($(LC_ALL=C; echo "${#job}") <= 249)) || usage_error 'a job of more than 249 bytes cannot be a file'\''s name'

if [[ $job$name == *[!\ -~]* ]]; then
  printf '%s%s' "$job" "$name" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 ||
    usage_error 'the job and its name have to be UTF-8'
fi

find_runner || die "$EXIT_IO" "taskresults-run is not at $runner, so the command was not run: build it with make"
recorder=("$BASH" -p "$shell_home/runner/record_run.bash" "$job" "$name")
exec {environment}< <(((${#user_environment[@]} == 0)) || printf '%s\0' "${user_environment[@]}")
settings=("environment=$environment" "job=$job" "results=$results_dir")
[[ -z ${SCHEDULER_LOGS_DIR-} ]] || settings+=("logs=$SCHEDULER_LOGS_DIR")
for option in timeout jitter lock ping; do
  [[ ! -v opt[$option] ]] || settings+=("$option=${opt[$option]}")
done
for option in quiet merge no-log-command; do
  [[ ! -v opt[$option] ]] || settings+=("$option")
done
exec "$runner" "${settings[@]}" "${#recorder[@]}" "${recorder[@]}" "${words[@]}"
