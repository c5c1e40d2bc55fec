/*
** lease.c - leases: knowing that nobody has a file open, and making those wait who want to.
**
** A read lease is granted only when nobody has the file open for writing, a write lease only when nobody but us has it
** open at all; and while we hold one, an open() that is against it waits in the kernel until we let go (or fails with
** EAGAIN, under O_NONBLOCK). That is the one thing on Linux that a writer which takes no lock cannot get around.
**
** A waiting open() makes the kernel signal us. The default, SIGIO, would kill the host process, so SIGURG, which is
** ignored by default, is chosen before every lease: dropping one resets the choice. We never act on the signal; we ask
** (F_GETLEASE). A lease that is not given up is taken away after /proc/sys/fs/lease-break-time, so nobody waits on us
** for ever, not even if we are stopped. A kill drops all leases at once.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define IDLE_PATIENCE_MS 2000
#define DEFAULT_BREAK_TIME_S 45

int64_t tr_clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Short, because a file that several writers use is idle for microseconds at a time. */
void tr_lease_pause(void) {
  struct timespec pause = {.tv_nsec = 100000};
  nanosleep(&pause, NULL);
}

int tr_lease_take(int fd, int type) {
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return errno;
  return fcntl(fd, F_SETLEASE, type) == 0 ? 0 : errno;
}

void tr_lease_drop(int fd) {
  fcntl(fd, F_SETLEASE, F_UNLCK);
}

bool tr_lease_is_unbroken(int fd, int type, int milliseconds) {
  struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = (milliseconds % 1000) * 1000000L};
  while (nanosleep(&pause, &pause) != 0 && errno == EINTR) continue;
  return fcntl(fd, F_GETLEASE) == type;
}

/* Half of the time after which the kernel takes a lease away. 0 there means that it never does. */
int tr_lease_budget_ms(void) {
  int seconds = 0;
  FILE *file = fopen("/proc/sys/fs/lease-break-time", "re");
  if (file == NULL || fscanf(file, "%d", &seconds) != 1 || seconds <= 0) seconds = DEFAULT_BREAK_TIME_S;
  if (file) fclose(file);
  return seconds > 3600 ? 1800 * 1000 : seconds * 500;
}

int tr_lease_wait_idle(TrPrune *prune, char **message) {
  int64_t deadline_ms = tr_clock_ms() + IDLE_PATIENCE_MS;
  for (;;) {
    int reason = tr_lease_take(prune->old_fd, F_RDLCK);
    tr_lease_drop(prune->old_fd);
    if (reason == 0) return SQLITE_OK;
    if (reason != EAGAIN) return tr_prune_error(prune, SQLITE_IOERR, message, reason, "cannot be leased");
    if (tr_clock_ms() >= deadline_ms) {
      return tr_prune_error(prune, SQLITE_BUSY, message, 0,
                            "is busy: a writer has had it open for %d s; prune again when it has closed it",
                            IDLE_PATIENCE_MS / 1000);
    }
    tr_lease_pause();
    int code = tr_poll(prune->poll);
    if (code != SQLITE_OK) return code;
  }
}
