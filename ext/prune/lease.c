/*
** lease.c - waiting on leases: until nobody has the file open for writing, and whether somebody has wanted it since.
** base/platform_linux.c explains leases.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#define IDLE_PATIENCE_MS 2000
#define OPEN_PATIENCE_MS 2000

/* Short, because a file with several writers is idle only for microseconds at a time. */
void tr_lease_pause(void) {
  struct timespec pause = {.tv_nsec = 100000};
  nanosleep(&pause, NULL);
}

bool tr_lease_is_unbroken(int fd, int type, int milliseconds) {
  struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = (milliseconds % 1000) * 1000000L};
  while (nanosleep(&pause, &pause) != 0 && errno == EINTR) continue;
  return tr_lease_is_held(fd, type);
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

int tr_lease_open(const TrPrune *prune, const char *name) {
  int64_t deadline_ms = tr_clock_ms() + OPEN_PATIENCE_MS;
  int fd;
  while ((fd = tr_prune_open(prune, name, O_RDWR, 0)) < 0 && errno == EAGAIN && tr_clock_ms() < deadline_ms) {
    tr_lease_pause();
  }
  return fd;
}

void tr_lease_release_live(TrPrune *prune) {
  if (prune->exclusive_until_ms) tr_lease_drop(prune->live_fd);
  prune->exclusive_until_ms = 0;
}

/* Decided by the clock, because F_GETLEASE gives the same answer for a lease that others wait for and one that we
** lost. */
int tr_lease_claim_live(TrPrune *prune, int64_t deadline_ms, char **message) {
  if (tr_clock_ms() < prune->exclusive_until_ms) return SQLITE_OK;
  tr_lease_release_live(prune);
  for (;;) {
    int reason = tr_lease_take(prune->live_fd, F_WRLCK);
    if (reason == 0) break;
    if (reason != EAGAIN) return tr_prune_error(prune, SQLITE_IOERR, message, reason, "cannot be leased");
    if (tr_clock_ms() >= deadline_ms) {
      return tr_prune_error(prune, SQLITE_BUSY, message, 0,
                            "is busy: other programs have it open; it was pruned, but records may still arrive in %s",
                            prune->new_name);
    }
    tr_lease_pause();
  }
  prune->exclusive_until_ms = tr_clock_ms() + tr_lease_budget_ms();
  return SQLITE_OK;
}
