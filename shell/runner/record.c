/*
** record.c - has a run recorded by another program, which gets on its standard input how the command ended (the lines
** of outcome.c), and when. So the log's last line and the record have the same time, however long the recorder takes,
** and durations are exact. If the recorder fails, the run was not recorded.
*/
#include "base/base.h"
#include "read/read.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NO_RECORDER = 127 };

/* The recorder ignores signals: what is known by now must be recorded. */
_Noreturn static void become_recorder(const Signals *signals, char **argv, int in) {
  signals_ignore();
  signals_give_back(signals);
  dup2(in, STDIN_FILENO);
  execvp(argv[0], argv);
  say("%s: %s", argv[0], strerror(errno));
  _exit(EXIT_NO_RECORDER);
}

bool record(const Outcome *outcome, int64_t time_us, char **recorder, const Signals *signals) {
  char stamp[TR_TIMESTAMP_SIZE];
  int in[2], result = -1;
  if (pipe2(in, O_CLOEXEC)) {
    say("pipe: %s", strerror(errno));
    return false;
  }
  pid_t pid = fork();
  if (pid == 0) become_recorder(signals, recorder, in[0]);
  if (pid < 0) say("fork: %s", strerror(errno));
  close(in[0]);
  FILE *report = pid < 0 ? NULL : fdopen(in[1], "w");
  if (pid > 0 && report == NULL) say("%s: %s", recorder[0], strerror(errno));
  if (report == NULL) return false;
  report_write(outcome, report);
  tr_timestamp_format(time_us, stamp);
  fprintf(report, "%s\n", stamp);
  bool sent = fclose(report) == 0;
  if (!sent && errno != EPIPE) say("%s: %s", recorder[0], strerror(errno)); /* or it has ended, and said why */
  (void)TEMP_FAILURE_RETRY(waitpid(pid, &result, 0));
  return sent && WIFEXITED(result) && WEXITSTATUS(result) == 0;
}
