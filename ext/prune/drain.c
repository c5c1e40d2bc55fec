/*
** drain.c - what writers appended to the old file meanwhile -> the live file; then the old file is removed.
**
** The steps: wait until nobody has the old file open for writing (we get a read lease on it); append what it holds
** beyond the kept lines, including an unterminated last line; release the live file to others; give the archived
** segment its name (archive_file.c), and append the receipt (receipt_file.c); check that nobody opened the old file
** meanwhile; remove it. In a prune, nobody can open the live file before the drain is done. In a recovery others have
** used the live file since the kill, so we take a write lease on it first, if there is anything to append.
**
** A kill must not leave half of our append: the next writer would glue its record to it. So we first reserve a region
** of the file, and then fill it:
**
**     journal: "region at A, L bytes, for old[D...]"        durable
**     one newline is written at A + L - 1                   one byte, so it is there or not; a hole before it
**     journal: "the region is reserved"                     durable, and so is the new size
**     old[D...] is copied into [A, A + L)                   again after a kill, if needed
**     journal: "drained up to D', no region"                durable, and so is the copy
**
** Wherever we are killed, others append after A + L (or at A, if there is no region yet), and a recovery fills in the
** same bytes again. Until then, readers see a line of NULs, which task_rejects shows. If the kill came between the
** first two journal entries, the byte at A tells whether the region exists: nothing is filled in yet, so our byte is a
** NUL, and no writer of JSON lines begins a line with a NUL.
**
** Two cases are not covered. A writer that looked up the name before the exchange, but has not yet opened the file
** after HOLD_MS and GRACE_MS (only a few instructions in the kernel lie between both), appends to a file that is then
** removed. And if we are stopped for longer than lease-break-time just between two of the steps above, others may have
** appended where our region was to be.
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

static int write_error(const TrPrune *prune, int reason, char **message) {
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "cannot take the records that %s still holds",
                        prune->new_name);
}

static int live_read_error(const TrPrune *prune, int reason, char **message) {
  return tr_prune_error(prune, SQLITE_IOERR_READ, message, reason, "cannot be read to finish an interrupted prune");
}

static int busy(const TrPrune *prune, const char *what, char **message) {
  return tr_prune_error(prune, SQLITE_BUSY, message, 0,
                        "is busy: %s; it was pruned, but records may still arrive in %s", what, prune->new_name);
}

/* --- the live file for ourselves --------------------------------------------------------------------------------- */

static void release_live(TrPrune *prune) {
  if (prune->exclusive_until_ms) tr_lease_drop(prune->live_fd);
  prune->exclusive_until_ms = 0;
}

/* Decided by the clock, because F_GETLEASE gives the same answer for a lease that others wait for and one that we
** lost. */
static int claim_live(TrPrune *prune, int64_t deadline_ms, char **message) {
  if (tr_clock_ms() < prune->exclusive_until_ms) return SQLITE_OK;
  release_live(prune);
  for (;;) {
    int reason = tr_lease_take(prune->live_fd, F_WRLCK);
    if (reason == 0) break;
    if (reason != EAGAIN) return tr_prune_error(prune, SQLITE_IOERR, message, reason, "cannot be leased");
    if (tr_clock_ms() >= deadline_ms) return busy(prune, "other programs have it open", message);
    tr_lease_pause();
  }
  prune->exclusive_until_ms = tr_clock_ms() + tr_lease_budget_ms();
  return SQLITE_OK;
}

/* --- the region -------------------------------------------------------------------------------------------------- */

static int64_t region_end(const TrJournalState *state) {
  return state->region_at + state->region_length;
}

static int sync_live(TrPrune *prune, char **message) {
  if (TEMP_FAILURE_RETRY(fdatasync(prune->live_fd)) == 0) return SQLITE_OK;
  return write_error(prune, errno, message);
}

static int forget_region(TrPrune *prune, char **message) {
  TrJournalState *state = &prune->journal.state;
  state->region_at = state->region_length = 0;
  state->region_adds_newline = state->region_reserved = 0;
  return tr_journal_save(prune, message);
}

/* The part of the old file that goes into the region. Its writer may have truncated it meanwhile, even below `drained`:
** then nothing goes there, and the region is filled with blanks. */
static TrRange undrained_range(const TrJournalState *state, int64_t old_size) {
  int64_t end = state->drained + state->region_length - (state->region_adds_newline ? 1 : 0);
  if (end > old_size) end = old_size;
  if (end < state->drained) end = state->drained;
  return (TrRange){state->drained, end};
}

/* Fills the rest of the region with white space, for which there is no data any more: a blank line is ignored. */
static int blank_region(TrPrune *prune, int64_t from, char **message) {
  char blanks[SEARCH_BYTES];
  assert(from >= prune->journal.state.region_at); /* before the region are other writers' records */
  memset(blanks, ' ', sizeof blanks);
  for (int64_t left = region_end(&prune->journal.state) - from; left > 0; left -= SEARCH_BYTES, from += SEARCH_BYTES) {
    int reason = tr_write_at(prune->live_fd, blanks, left < SEARCH_BYTES ? (size_t)left : SEARCH_BYTES, from);
    if (reason) return write_error(prune, reason, message);
  }
  return SQLITE_OK;
}

static int fill_region(TrPrune *prune, char **message) {
  TrJournalState *state = &prune->journal.state;
  struct stat old;
  if (fstat(prune->old_fd, &old) != 0) return drain_read_error(prune, errno, message);
  TrRange from = undrained_range(state, old.st_size);
  int64_t filled_to = state->region_at + from.to - from.from;
  assert(from.from <= from.to && filled_to <= region_end(state));
  int code = tr_copy_bytes(prune, from, state->region_at, NULL, message);
  if (code == SQLITE_OK) code = blank_region(prune, filled_to, message);
  if (code == SQLITE_OK) {
    int reason = tr_write_at(prune->live_fd, "\n", 1, region_end(state) - 1);
    code = reason ? write_error(prune, reason, message) : sync_live(prune, message);
  }
  if (code != SQLITE_OK) return code;
  state->drained = from.to;
  return forget_region(prune, message);
}

/* Allocates the space first, if the file system can: then a full file system is noticed before the region exists. */
static int allocate_region(TrPrune *prune) {
  const TrJournalState *state = &prune->journal.state;
  int reason = tr_reserve_space(prune->live_fd, state->region_at, state->region_length);
  return reason == ENOSPC || reason == EDQUOT || reason == EFBIG ? reason : 0; /* else writing will show it */
}

/* Done before the region is filled: afterwards the byte at its start no longer tells whether the region exists. */
static int mark_reserved(TrPrune *prune, char **message) {
  int code = sync_live(prune, message);
  if (code != SQLITE_OK) return code;
  prune->journal.state.region_reserved = 1;
  return tr_journal_save(prune, message);
}

static int reserve_region(TrPrune *prune, char **message) {
  TrJournalState *state = &prune->journal.state;
  int reason = allocate_region(prune);
  if (reason == 0 && tr_clock_ms() >= prune->exclusive_until_ms) reason = ETIMEDOUT; /* others may have opened it */
  if (reason == 0) reason = tr_write_at(prune->live_fd, "\n", 1, region_end(state) - 1);
  if (reason) { /* no region exists yet, so the journal must not name one */
    forget_region(prune, NULL);
    return write_error(prune, reason, message);
  }
  return mark_reserved(prune, message);
}

/* Finds where to append. If another writer left a torn line, it gets its newline first. */
static int find_live_end(TrPrune *prune, int64_t *end, char **message) {
  struct stat live;
  char last = '\n';
  bool whole;
  if (fstat(prune->live_fd, &live) != 0) return write_error(prune, errno, message);
  *end = live.st_size;
  int reason = *end > 0 ? tr_read_at(prune->live_fd, &last, 1, *end - 1, &whole) : 0;
  if (reason == 0 && last != '\n') reason = tr_write_at(prune->live_fd, "\n", 1, (*end)++);
  return reason ? write_error(prune, reason, message) : SQLITE_OK;
}

/* Appends old[drained, end), and a newline if `add_newline`. Nobody else has the live file open. */
static int append_region(TrPrune *prune, int64_t end, bool add_newline, char **message) {
  TrJournalState *state = &prune->journal.state;
  int64_t live_end = 0;
  int code = find_live_end(prune, &live_end, message);
  if (code != SQLITE_OK) return code;
  state->region_at = live_end;
  state->region_length = end - state->drained + (add_newline ? 1 : 0);
  state->region_adds_newline = add_newline;
  state->region_reserved = 0;
  code = tr_journal_save(prune, message);
  if (code == SQLITE_OK) code = reserve_region(prune, message);
  if (code == SQLITE_OK) code = fill_region(prune, message);
  return code;
}

/* *same: the region, as far as it is filled in, equals the old file; where the old file was truncated, it is NULs. */
static int compare_region(const TrPrune *prune, bool *same, char **message) {
  const TrJournalState *state = &prune->journal.state;
  *same = true;
  for (int64_t done = 0; *same && done < state->region_length - 1; done += SEARCH_BYTES) {
    int64_t left = state->region_length - 1 - done;
    size_t count = left < SEARCH_BYTES ? (size_t)left : SEARCH_BYTES;
    char live[SEARCH_BYTES], old[SEARCH_BYTES] = {0};
    bool unused;
    int reason = tr_read_at(prune->live_fd, live, count, state->region_at + done, same);
    if (reason) return live_read_error(prune, reason, message);
    reason = tr_read_at(prune->old_fd, old, count, state->drained + done, &unused);
    if (reason) return drain_read_error(prune, reason, message);
    for (size_t i = 0; i < count && *same; i++) *same = live[i] == '\0' || live[i] == old[i];
  }
  return SQLITE_OK;
}

static int find_live_byte(const TrPrune *prune, int64_t at, char wanted, bool *found, char **message) {
  char byte = 0;
  int reason = tr_read_at(prune->live_fd, &byte, 1, at, found);
  *found = *found && byte == wanted;
  return reason ? live_read_error(prune, reason, message) : SQLITE_OK;
}

/* *found: the region that a killed prune left still exists. It does not if somebody truncated the live file since and
** wrote new lines: these are not overwritten, and everything is drained again. */
static int find_region(const TrPrune *prune, bool *found, char **message) {
  const TrJournalState *state = &prune->journal.state;
  int code = find_live_byte(prune, region_end(state) - 1, '\n', found, message);
  if (code != SQLITE_OK || !*found) return code;
  if (state->region_reserved) return compare_region(prune, found, message);
  return find_live_byte(prune, state->region_at, '\0', found, message); /* see the header */
}

/* Needs no lease: others only append, so nobody else writes to the region. */
static int settle_region(TrPrune *prune, char **message) {
  bool found;
  if (prune->journal.state.region_length == 0) return SQLITE_OK;
  int code = find_region(prune, &found, message);
  if (code == SQLITE_OK && !found) return forget_region(prune, message);
  if (code == SQLITE_OK && !prune->journal.state.region_reserved) code = mark_reserved(prune, message);
  return code == SQLITE_OK ? fill_region(prune, message) : code;
}

/* --- the old file ------------------------------------------------------------------------------------------------ */

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
  code = claim_live(prune, deadline_ms, message);
  return code == SQLITE_OK ? append_region(prune, end, add_newline, message) : code;
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
  release_live(prune);
  return tr_lease_is_unbroken(prune->old_fd, F_RDLCK, GRACE_MS);
}

static int drain_until_idle(TrPrune *prune, char **message) {
  int64_t deadline_ms = tr_clock_ms() + DRAIN_PATIENCE_MS;
  int code = settle_region(prune, message);
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
    release_live(prune);
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
