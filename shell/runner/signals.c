/*
** signals.c - the signals for a run: blocked from the start and read from a descriptor, so that they never interrupt a
** step.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP};

/* A signal that was ignored at our start (nohup, a shell's background job) stays ignored, here and in the command. */
bool signals_begin(Signals *signals) {
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, SIGCHLD);
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) {
    struct sigaction before;
    sigaction(passed_on[i], NULL, &before);
    if (before.sa_handler != SIG_IGN) sigaddset(&ours, passed_on[i]);
  }
  signals->fd = signals_open(&ours);
  if (signals->fd < 0) return false;
  sigaddset(&ours, SIGTTOU); /* so that we can take the terminal back */
  sigprocmask(SIG_BLOCK, &ours, &signals->outer_mask);
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  signals->outer_limit = signal(SIGXFSZ, SIG_IGN); /* a file at its size limit is an error like others */
  return true;
}

void signals_give_back(const Signals *signals) {
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, signals->outer_limit);
  sigprocmask(SIG_SETMASK, &signals->outer_mask, NULL);
}

void signals_ignore(void) {
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) signal(passed_on[i], SIG_IGN);
}

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int milliseconds_until(int64_t then_ms) {
  if (then_ms < 0) return -1;
  int64_t left = then_ms - now_ms();
  return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* On a terminal, Ctrl-Z stops us, too. */
int signals_wait(const Signals *signals, int64_t until_ms) {
  for (;;) {
    struct pollfd ready = {.fd = signals->fd, .events = POLLIN};
    int left = milliseconds_until(until_ms);
    if (left == 0) return 0;
    if (poll(&ready, 1, left) <= 0) continue;
    int number = signals_take(signals->fd);
    if (number == SIGTSTP) raise(SIGSTOP);
    if (number != 0 && number != SIGTSTP) return number;
  }
}
