# run JOB -- COMMAND... - runs a command, and records how it ended, as the scheduler would
#
# Usage: taskresults run JOB [OPTION...] -- COMMAND [ARGUMENT...]
#
# For commands that the scheduler does not start: in cron, in a systemd timer, by hand. The command gets the same
# standard input and environment, and its output is shown at once. When it ends, one record is appended to the job's
# file, which is created if needed. If the command succeeded, its standard output is recorded, without white space at
# both ends. If it failed, its standard error is recorded, or its standard output if there is no standard error. At most
# 5000 characters are kept. Bytes that are not UTF-8 become U+FFFD, and CR LF becomes LF. If a command failed and
# printed nothing, the error is "exit status 42" or "killed by SIGKILL". After a timeout, the error is only "Execution
# timed out (90 seconds)", and the output is what was printed until then on standard output, or else on standard error.
#
# A command that cannot be started has failed, and so has one that is ended by a signal or by the timeout. If a
# background process keeps the command's output open, `run` waits for it. The signals TERM, INT, HUP and QUIT are passed
# on to the command; the run is then recorded as a failure, even if the command exits with 0. Processes that the command
# leaves behind when it ends, such as a daemon, go on running; but after the timeout or such a signal they are ended
# too, even if they have detached themselves.
#
# Only after the command has run is it known whether the record can be written. If it cannot, a message on standard
# error says so, and the output is shown even with --quiet. A job name that cannot be a file name is refused before
# anything runs.
#
# The job's log gets the lines that the scheduler would write, so that task_runs has durations: one before the command
# ("Executing (command mode): working_dir=..., cmd=...", with the first 200 characters of the command as typed in a
# shell), and one after it ("Command executed successfully", "Command failed: ..." or "Execution timed out (...)"). The
# log is the file JOB.log in SCHEDULER_LOGS_DIR; if that is not set, in the directory `logs` next to the results
# directory, if there is one. Control characters are escaped in it, so what a command prints cannot forge a line. If the
# log cannot be written, a message says so, unless --quiet is given; nothing else changes.
#
# If the command is never started, there is no record and no ping. That happens if another run holds the lock, or if a
# signal comes while `run` waits for the lock or for --jitter. --timeout counts from the start of the command.
#
# The lock is the file results/.taskresults/locks/JOB.lock, which is empty and is never removed. The system releases the
# lock when `run` ends, even if it is killed. Neither the command nor a daemon that it leaves behind holds it.
#
# --ping calls a monitoring service that alerts you when it is not called (a dead man's switch), such as
# healthchecks.io. It requests URL/start when the command starts, and URL/STATUS when it has ended, where STATUS is the
# exit status of `run`. The body of the second request has the last 10 KB of the command's output. Each request needs
# the curl program, and takes at most 10 seconds. The first is sent while the command runs, the second after the record
# was written. If a request fails, a message says so, unless --quiet is given; nothing else changes.
#
# Options:
#   --name N        the job's name in the record; the default is JOB
#   --timeout T     end the command after T, which is seconds or a length of time: 90, 1.5, 90s, 5m, '2 hours' and the
#                   like (all forms: `taskresults help`). It and all processes that it has started get TERM, and 5
#                   seconds later KILL
#   --merge         merge the command's standard error into its standard output, as 2>&1 does: everything is shown on
#                   standard output, in the order in which it was written. It is recorded as the output or, after a
#                   failure, as the error
#   --quiet         for cron: show the output only if the command fails, or if there is more output than can be kept
#   --lock WHAT     allow only one run of the job at a time. If another run has not ended: skip prints a message, logs
#                   "skipped" and exits with 75; wait waits until it has ended
#   --jitter D      wait for a random time of at most D before the start, so that many machines don't begin at once
#   --ping WHERE    call a dead man's switch. Its URL is a secret, so it is not given as an argument: with env it is
#                   read from TASKRESULTS_PING_URL, with @FILE from the first line of the file
#   --no-log-command
#                   do not write the command to the log: use it if the command contains a secret
#
# Exit status:
#   that of the command; 128 + the signal's number, if a signal ended it; 124 timed out; 127 no such command; 126 it
#   cannot be started; 2 usage; 3 the command succeeded, but its record could not be written or its output could not be
#   shown; or the lock could not be made, so the command was not run; 75 skipped by --lock skip
#
# Examples:
#   taskresults run my-job -- echo hello
#   taskresults run nightly-copy --name "Nightly copy" --timeout 2h --quiet -- cp /etc/hostname hostname.copy
#   taskresults run nightly-copy --lock skip --jitter 2s -- cp /etc/hostname hostname.copy

# shellcheck shell=bash

parse_options 'name= timeout= jitter= lock= ping= no-log-command quiet merge' "$@"
[[ -z ${TASKRESULTS_MAP-} || $TASKRESULTS_MAP == native ]] ||
  usage_error "run appends our scheduler's records, and TASKRESULTS_MAP names another program: unset it"
load lib/runner
((${#args[@]})) || usage_error 'which job? It goes before the --'
job=${args[0]} name=${opt[name]-${args[0]}}
words=("${args[@]:1}")
# The -- is required: without it, the command's options would be read as ours. A job may come after a -- of its own.
if [[ $args_before_dashes == 0 && ${words[0]-} == -- ]]; then
  words=("${words[@]:1}")
else
  [[ $args_before_dashes != 0 ]] || usage_error 'which job? It goes before the --'
  [[ $args_before_dashes == 1 ]] || usage_error 'the command goes after --'
fi
((${#words[@]})) || usage_error 'which command?'
[[ -n $job && $job != */* ]] ||
  usage_error "'$job' cannot be a job: its file has that name, which cannot be empty or have a / in it"
((${#job} <= 249)) || usage_error 'a job of more than 249 bytes cannot be a file'\''s name'

if [[ $job$name == *[!\ -~]* ]]; then
  printf '%s%s' "$job" "$name" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 ||
    usage_error 'the job and its name have to be UTF-8'
fi

find_runner || die "$EXIT_IO" "taskresults-run is not at $runner, so the command was not run: build it with make"
recorder=("$BASH" -p "$shell_home/runner/record_run.bash" "$job" "$name")
exec {environment}< <(((${#user_environment[@]} == 0)) || printf '%s\0' "${user_environment[@]}")
settings=("environment=$environment" "job=$job" "results=$results_dir")
[[ -z ${SCHEDULER_LOGS_DIR-} || -v logs_are_beside ]] || settings+=("logs=$SCHEDULER_LOGS_DIR")
for option in timeout jitter lock ping; do
  [[ -v opt[$option] ]] || continue
  if [[ ! -v called ]]; then load lib/called; set_called; settings+=("called=$called"); fi # its value may be refused
  settings+=("$option=${opt[$option]}")
done
for option in quiet merge no-log-command; do
  [[ ! -v opt[$option] ]] || settings+=("$option")
done
exec "$runner" "${settings[@]}" "${#recorder[@]}" "${recorder[@]}" "${words[@]}"
