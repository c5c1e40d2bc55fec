/*
** main.c - the steps of `taskresults run`, in their order; and the two other programs that are in this one.
**
** Exit status: the command's own; 128 + signal; 124 timed out; 126, 127 it could not be started. If that would be 0,
** but the run could not be recorded, or its output not be shown: 3.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void run_fail(const char *what) {
  say("%s: %s", what, strerror(errno));
  exit(EXIT_IO);
}

static void show_kept(Run *run, const Signals *signals) {
  int number = stream_show_kept(&run->out, signals);
  if (number == 0) number = stream_show_kept(&run->err, signals);
  if (number) exit(128 + number);
}

static int run_main(const Settings *settings) {
  static Run run;
  Signals signals;
  char said_of_timeout[TIMEOUT_WORDS_SIZE];
  timeout_words(settings->timeout_ms, said_of_timeout);
  if (!signals_begin(&signals)) run_fail("signals");
  supervise(&run, settings, &signals);
  int status = run_exit_status(&run);
  Ending ending = {.command = settings->command[0],
                   .out = &run.out.capture,
                   .err = &run.err.capture,
                   .is_success = status == 0,
                   .start_error = run.start_error,
                   .timed_out = run.timed_out,
                   .timeout_words = said_of_timeout,
                   .interrupted_by = run.interrupted_by,
                   .wait_status = run.wait_status};
  bool recorded = record(&ending, settings->recorder, &signals);
  if (!recorded) say("THIS RUN WAS NOT RECORDED");
  if (status || !recorded) show_kept(&run, &signals);
  return status == 0 && (!recorded || run.showing.lost) ? EXIT_IO : status;
}

int main(int argc, char **argv) {
  static Settings settings;
  if (argc == 4 && strcmp(argv[1], "--write") == 0) return write_main(argv[2], argv[3]);
  if (argc == 4 && strcmp(argv[1], "--watch") == 0) return watch_main(argv[2], argv[3]);
  if (argc > 1 && settings_read(&settings, argv + 1)) return run_main(&settings);
  say("taskresults-run is a part of `taskresults run`, which starts it");
  return EXIT_USAGE;
}
