/*
** watch.c - waits until nobody reads our standard output any more, or until the script that started us has ended, and
** then reports it: `follow` needs that while it has nothing to write, because then no write can fail.
**
**   taskresults-run --watch FD PARENT
**
** The report is a line to the descriptor FD. PARENT is the script's process number. If standard output is a file, only
** the script's end matters.
*/
#include "runner.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void wake(int signal) {
  (void)signal;
}

int watch_main(const char *fd, const char *parent) {
  sigset_t blocked, outer;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &outer);
  sigdelset(&outer, SIGTERM);
  sigaction(SIGTERM, &(struct sigaction){.sa_handler = wake}, NULL);
  end_with_parent();
  if (getppid() == (pid_t)atol(parent)) ppoll(&(struct pollfd){.fd = STDOUT_FILENO}, 1, NULL, &outer);
  return write(atoi(fd), "\n", 1) == 1 ? 0 : 1;
}
