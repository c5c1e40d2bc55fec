/*
** watch.c - waits until nobody reads our standard output any more, or until the script that started us has ended, and
** says so: what `follow` goes by when there is nothing to be written, and so no write that could fail.
**
**   taskresults-run --watch FD PARENT
**
** A line is written to the descriptor FD then. PARENT is the script's process number. On a file there is nothing to
** wait for but the script's end.
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
