/*
** main.c - the steps of `taskresults run`, in their order; and the start of the two other programs in this binary
** (--write and --watch).
**
** Exit status: the command's own; 128 + signal; 124 timed out; 126, 127 it could not be started. 3 instead of 0 if the
** run could not be recorded, or its output not shown. If the command was not started: 75, if --lock skip found another
** run; 128 + signal, if one came first; 3, if the lock could not be taken.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

void run_fail(const char *what) {
  say("%s: %s", what, strerror(errno));
  exit(EXIT_IO);
}

/* The number of a signal that ended it, or 0. */
static int show_kept(Run *run, const Signals *signals) {
  int number = stream_show_kept(&run->out, signals);
  return number ? number : stream_show_kept(&run->err, signals);
}

/* --- before the command starts ------------------------------------------------------------------------------------ */

#define GO_ON (-1)

/* 0, or the exit status if we do not get the lock. */
static int take_lock(const Settings *settings, const Signals *signals, JobLog *log) {
  int fd = lock_open(settings->results, settings->job), number = 0; /* it is held until we end */
  int reason = fd < 0 ? errno : lock_try(fd);
  if (reason == EWOULDBLOCK && settings->lock == LOCK_SKIP) {
    log_skip(log, "another run of it goes on");
    if (!settings->is_quiet) say("skipped: another run of '%s' goes on", settings->job);
    return EXIT_BUSY;
  }
  if (reason == EWOULDBLOCK) number = lock_wait(fd, signals, &reason);
  if (number) return 128 + number;
  if (reason == 0) return GO_ON;
  say("cannot lock '%s' in %s/.taskresults/locks, so the command was not run: %s", settings->job, settings->results,
      strerror(reason));
  return EXIT_IO;
}

/* 0, or the exit status if the command is not started: then there is neither a record nor a ping. */
static int wait_for_start(const Settings *settings, const Signals *signals, JobLog *log) {
  int number = settings->jitter_ms ? delay(signals, settings->jitter_ms) : 0;
  if (number) return 128 + number;
  return settings->lock == LOCK_NONE ? GO_ON : take_lock(settings, signals, log);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static Ending ending_of(const Run *run, int status, const char *said_of_timeout) {
  return (Ending){.command = run->settings->command[0],
                  .out = &run->out.capture,
                  .err = &run->err.capture,
                  .is_success = status == 0,
                  .start_error = run->start_error,
                  .timed_out = run->timed_out,
                  .timeout_words = said_of_timeout,
                  .interrupted_by = run->interrupted_by,
                  .wait_status = run->wait_status};
}

/* The log's line comes first, as from the scheduler. False: there is no record. */
static bool tell_outcome(const Run *run, const Outcome *outcome, JobLog *log) {
  int64_t time_us = log_time_us();
  log_end(log, time_us, outcome);
  bool recorded = record(outcome, time_us, run->settings->recorder, run->signals);
  if (!recorded) say("THIS RUN WAS NOT RECORDED");
  return recorded;
}

/* For a failure without output, the ping's text is the error. */
static void tell_ping(const Run *run, const Outcome *outcome, Ping *ping, int status) {
  size_t length;
  const unsigned char *output = tail_text(&run->showing.tail, &length);
  if (length == 0) {
    output = (const unsigned char *)outcome->error;
    length = outcome->error_length;
  }
  ping_end(ping, status, output, length);
}

static int run_main(const Settings *settings) {
  static Run run;
  static Outcome outcome;
  Signals signals;
  Ping ping;
  JobLog log = {.job = settings->job,
                .directory = settings->logs ? settings->logs : settings->results,
                .is_beside = settings->logs == NULL,
                .is_quiet = settings->is_quiet};
  char said_of_timeout[TIMEOUT_WORDS_SIZE];
  timeout_words(settings->timeout_ms, said_of_timeout);
  if (!signals_begin(&signals)) run_fail("signals");
  int status = wait_for_start(settings, &signals, &log);
  if (status != GO_ON) return status;
  ping_begin(&ping, settings, &signals);
  log_begin(&log, settings->command, !settings->hides_command);
  supervise(&run, settings, &signals);
  status = run_exit_status(&run);
  Ending ending = ending_of(&run, status, said_of_timeout);
  outcome_judge(&ending, &outcome);
  bool recorded = tell_outcome(&run, &outcome, &log);
  int number = status || !recorded ? show_kept(&run, &signals) : 0;
  if (number) status = 128 + number;
  if (status == 0 && (!recorded || run.showing.lost)) status = EXIT_IO;
  tell_ping(&run, &outcome, &ping, status);
  return status;
}

int main(int argc, char **argv) {
  static Settings settings;
  if ((argc == 4 || argc == 5) && strcmp(argv[1], "--write") == 0) return write_main(argv[2], argv[3], argv[4]);
  if (argc == 4 && strcmp(argv[1], "--watch") == 0) return watch_main(argv[2], argv[3]);
  if (argc > 1 && settings_read(&settings, argv + 1)) return run_main(&settings);
  say("taskresults-run is not a command: use `taskresults run`, which starts it");
  return EXIT_USAGE;
}
