/*
** platform_linux.c - everything in `taskresults run` that needs Linux; the rest is in ext/base/platform_linux.c. No
** other file here uses signalfd, a signal at the parent's end, the subreaper, or /proc.
*/
#include "runner.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define MOST_PIDS 4194304 /* the kernel gives no number above it */

/* --- signals ------------------------------------------------------------------------------------------------------ */

int signals_open(const sigset_t *signals) {
  return signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

int signals_take(int fd) {
  struct signalfd_siginfo info;
  return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

const char *signal_name(int number) {
  static const struct {
    int number;
    const char *name;
  } names[] = {{SIGHUP, "HUP"},       {SIGINT, "INT"},   {SIGQUIT, "QUIT"},     {SIGILL, "ILL"},   {SIGTRAP, "TRAP"},
               {SIGABRT, "ABRT"},     {SIGBUS, "BUS"},   {SIGFPE, "FPE"},       {SIGKILL, "KILL"}, {SIGUSR1, "USR1"},
               {SIGSEGV, "SEGV"},     {SIGUSR2, "USR2"}, {SIGPIPE, "PIPE"},     {SIGALRM, "ALRM"}, {SIGTERM, "TERM"},
               {SIGXCPU, "XCPU"},     {SIGXFSZ, "XFSZ"}, {SIGVTALRM, "VTALRM"}, {SIGPROF, "PROF"}, {SIGIO, "IO"},
               {SIGSTKFLT, "STKFLT"}, {SIGPWR, "PWR"},   {SIGSYS, "SYS"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (names[i].number == number) return names[i].name;
  }
  return NULL;
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

void end_with_parent(void) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
}

void adopt_orphans(void) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool children_listed(Pids *children) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  for (long pid; fscanf(file, "%ld", &pid) == 1;) pids_add(children, (pid_t)pid);
  fclose(file);
  return true;
}

pid_t highest_pid(void) {
  long most = MOST_PIDS;
  FILE *file = fopen("/proc/sys/kernel/pid_max", "re");
  if (file && fscanf(file, "%ld", &most) != 1) most = MOST_PIDS;
  if (file) fclose(file);
  return (pid_t)most;
}
