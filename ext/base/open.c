/*
** open.c - opening a file that another process may have leased.
**
** A prune takes a lease on the file that it prunes. With O_NONBLOCK, an open that conflicts with the lease fails with
** EAGAIN instead of waiting in the kernel, where it could not be interrupted. So we retry here.
*/
#include "base.h"

#include <errno.h>
#include <fcntl.h>

int tr_open_leased(int dir_fd, const char *name, int flags, TrPoll *poll, int *fd, int *reason) {
  int code = SQLITE_OK;
  for (int waited_ms = 0; code == SQLITE_OK;) {
    *fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0644);
    *reason = *fd < 0 ? errno : 0;
    if (*fd >= 0 || (*reason != EINTR && (*reason != EAGAIN || waited_ms >= TR_LEASE_PATIENCE_MS))) break;
    if (*reason == EAGAIN) {
      code = tr_poll_sleep(poll, TR_LEASE_RETRY_MS);
      waited_ms += TR_LEASE_RETRY_MS;
    } else {
      code = tr_poll(poll);
    }
  }
  return code;
}
