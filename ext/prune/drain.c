/*
** drain.c - what writers appended to the old file meanwhile -> the live file; then the old file is removed.
**
** The steps: wait until nobody has the old file open for writing (we get a read lease on it); append what it holds
** beyond the kept lines, including an unterminated last line (region.c); release the live file to others; give the
** archived segment its name (archive_file.c), and append the receipt (receipt_file.c); check that nobody opened the old
** file meanwhile; remove it. In a prune, nobody can open the live file before the drain is done. In a recovery others
** have used the live file since the kill, so we take a write lease on it first, if there is anything to append.
**
** One case is not covered. A writer that looked up the name before the exchange, but has not yet opened the file after
** HOLD_MS and GRACE_MS (only a few instructions in the kernel lie between both), appends to a file that is then
** removed.
*/
#include "prune.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_PATIENCE_MS 2000
#define HOLD_MS 1   /* while everybody waits */
#define GRACE_MS 10 /* while nobody does */
#define SEARCH_BYTES 4096

static int drain_read_error(const TrPrune *prune, int reason, char **message) {
  return tr_prune_error(prune, SQLITE_IOERR_READ, message, reason, "cannot be drained from %s", prune->new_name);
}

static int busy(const TrPrune *prune, const char *what, char **message) {
  return tr_prune_error(prune, SQLITE_BUSY, message, 0,
                        "is busy: %s; it was pruned, but records may still arrive in %s", what, prune->new_name);
}

/* The offset after the last newline in old[from, to); `from` if there is none. */
static int find_last_line_end(TrPrune *prune, int64_t from, int64_t to, int64_t *end, char **message) {
  char block[SEARCH_BYTES];
  *end = from;
  while (to > from) {
    size_t count = to - from < SEARCH_BYTES ? (size_t)(to - from) : SEARCH_BYTES;
    bool whole;
    to -= (int64_t)count;
    int reason = tr_read_at(prune->old_fd, block, count, to, &whole);
    if (reason) return drain_read_error(prune, reason, message);
    const char *newline = whole ? tr_last_byte(block, '\n', count) : NULL;
    if (newline) {
      *end = to + (newline - block) + 1;
      break;
    }
  }
  return SQLITE_OK;
}

/* Appends what the old file holds beyond `drained`: complete lines, and also an incomplete last one if nobody can be
** writing it any more (`is_idle`). */
static int drain_once(TrPrune *prune, bool is_idle, int64_t deadline_ms, char **message) {
  TrJournalState *state = &prune->journal.state;
  struct stat old;
  int64_t end;
  if (fstat(prune->old_fd, &old) != 0) return drain_read_error(prune, errno, message);
  /* Truncated by its writer: all that follows is new. */
  if (old.st_size < state->drained) state->drained = old.st_size;
  int code = find_last_line_end(prune, state->drained, old.st_size, &end, message);
  bool add_newline = is_idle && end < old.st_size;
  if (add_newline) end = old.st_size;
  assert(code != SQLITE_OK || (state->drained <= end && end <= old.st_size));
  if (code != SQLITE_OK || end == state->drained) return code;
  code = tr_lease_claim_live(prune, deadline_ms, message);
  return code == SQLITE_OK ? tr_region_append(prune, end, add_newline, message) : code;
}

/* A read lease on the old file: nobody has it open for writing, and we notice if anybody opens it. */
static int lease_old(TrPrune *prune, int64_t deadline_ms, char **message) {
  for (;;) {
    int reason = tr_lease_take(prune->old_fd, F_RDLCK);
    if (reason == 0) return SQLITE_OK;
    if (reason != EAGAIN) return tr_prune_error(prune, SQLITE_IOERR, message, reason, "cannot be leased");
    if (tr_clock_ms() >= deadline_ms) return busy(prune, "a writer still has the old file open", message);
    tr_lease_pause();
  }
}

/* True if nobody opened the old file while others had to wait for the live file (HOLD_MS), and for GRACE_MS
** afterwards. */
static bool stays_idle(TrPrune *prune) {
  if (!tr_lease_is_unbroken(prune->old_fd, F_RDLCK, HOLD_MS)) return false;
  tr_lease_release_live(prune);
  return tr_lease_is_unbroken(prune->old_fd, F_RDLCK, GRACE_MS);
}

static int drain_until_idle(TrPrune *prune, char **message) {
  int64_t deadline_ms = tr_clock_ms() + DRAIN_PATIENCE_MS;
  int code = tr_region_settle(prune, message);
  while (code == SQLITE_OK) {
    code = lease_old(prune, deadline_ms, message);
    if (code != SQLITE_OK) break;
    code = drain_once(prune, true, deadline_ms, message);
    if (code != SQLITE_OK || stays_idle(prune)) break;
    tr_lease_drop(prune->old_fd); /* let the late writer open it */
    if (tr_clock_ms() >= deadline_ms) code = busy(prune, "a writer has just opened the old file", message);
  }
  if (code == SQLITE_BUSY) { /* drain what is there now */
    int drained = drain_once(prune, false, deadline_ms, message);
    if (drained != SQLITE_OK) code = drained;
  }
  return code;
}

/* The receipt is appended when writers go on, and while we would still notice if anybody opened the old file: so nobody
** waits for it. If anybody did, there may be more to drain. */
int tr_drain(TrPrune *prune, char **message) {
  int code;
  bool is_idle = false;
  do {
    code = drain_until_idle(prune, message);
    tr_lease_release_live(prune);
    if (code != SQLITE_OK && code != SQLITE_BUSY) break;
    bool was_appended = prune->receipt.line == NULL;
    int appended = tr_archive_settle(prune, message);
    if (appended == SQLITE_OK) appended = tr_receipt_append(prune, message);
    if (appended != SQLITE_OK) code = appended;
    is_idle = was_appended || tr_lease_is_held(prune->old_fd, F_RDLCK);
    if (!is_idle) tr_lease_drop(prune->old_fd);
  } while (code == SQLITE_OK && !is_idle);
  if (code == SQLITE_OK) code = tr_copy_discard(prune, message); /* still under the read lease */
  tr_lease_drop(prune->old_fd);
  if (code == SQLITE_OK) tr_receipt_discard(prune);
  return code;
}
