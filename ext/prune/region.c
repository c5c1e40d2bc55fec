/*
** region.c - the region of the live file that receives what the old one holds beyond what was drained.
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
** A rotation may come between the kill and the recovery. Then the region is in another file of the job (rotated.c).
**
** One case is not covered: if we are stopped for longer than lease-break-time just between two of the steps above,
** others may have appended where our region was to be.
*/
#include "prune.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define COMPARE_BYTES 4096

static int old_read_error(const TrPrune *prune, int reason, char **message) {
  return tr_prune_error(prune, SQLITE_IOERR_READ, message, reason, "cannot be drained from %s", prune->new_name);
}

static int region_write_error(const TrPrune *prune, int reason, char **message) {
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "cannot take the records that %s still holds",
                        prune->new_name);
}

static int live_read_error(const TrPrune *prune, int reason, char **message) {
  return tr_prune_error(prune, SQLITE_IOERR_READ, message, reason, "cannot be read to finish an interrupted prune");
}

static int64_t region_end(const TrJournalState *state) {
  return state->region_at + state->region_length;
}

static int sync_live(TrPrune *prune, char **message) {
  if (TEMP_FAILURE_RETRY(fdatasync(prune->live_fd)) == 0) return SQLITE_OK;
  return region_write_error(prune, errno, message);
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
  char blanks[COMPARE_BYTES];
  assert(from >= prune->journal.state.region_at); /* before the region are other writers' records */
  memset(blanks, ' ', sizeof blanks);
  for (int64_t left = region_end(&prune->journal.state) - from; left > 0;
       left -= COMPARE_BYTES, from += COMPARE_BYTES) {
    int reason = tr_write_at(prune->live_fd, blanks, left < COMPARE_BYTES ? (size_t)left : COMPARE_BYTES, from);
    if (reason) return region_write_error(prune, reason, message);
  }
  return SQLITE_OK;
}

static int fill_region(TrPrune *prune, char **message) {
  TrJournalState *state = &prune->journal.state;
  struct stat old;
  if (fstat(prune->old_fd, &old) != 0) return old_read_error(prune, errno, message);
  TrRange from = undrained_range(state, old.st_size);
  int64_t filled_to = state->region_at + from.to - from.from;
  assert(from.from <= from.to && filled_to <= region_end(state));
  int code = tr_copy_bytes(prune, from, state->region_at, NULL, message);
  if (code == SQLITE_OK) code = blank_region(prune, filled_to, message);
  if (code == SQLITE_OK) {
    int reason = tr_write_at(prune->live_fd, "\n", 1, region_end(state) - 1);
    code = reason ? region_write_error(prune, reason, message) : sync_live(prune, message);
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
    return region_write_error(prune, reason, message);
  }
  return mark_reserved(prune, message);
}

/* Finds where to append. If another writer left a torn line, it gets its newline first. */
static int find_live_end(TrPrune *prune, int64_t *end, char **message) {
  struct stat live;
  char last = '\n';
  bool whole;
  if (fstat(prune->live_fd, &live) != 0) return region_write_error(prune, errno, message);
  *end = live.st_size;
  int reason = *end > 0 ? tr_read_at(prune->live_fd, &last, 1, *end - 1, &whole) : 0;
  if (reason == 0 && last != '\n') reason = tr_write_at(prune->live_fd, "\n", 1, (*end)++);
  return reason ? region_write_error(prune, reason, message) : SQLITE_OK;
}

/* Appends old[drained, end), and a newline if `add_newline`. Nobody else has the live file open. */
int tr_region_append(TrPrune *prune, int64_t end, bool add_newline, char **message) {
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
  for (int64_t done = 0; *same && done < state->region_length - 1; done += COMPARE_BYTES) {
    int64_t left = state->region_length - 1 - done;
    size_t count = left < COMPARE_BYTES ? (size_t)left : COMPARE_BYTES;
    char live[COMPARE_BYTES], old[COMPARE_BYTES] = {0};
    bool unused;
    int reason = tr_read_at(prune->live_fd, live, count, state->region_at + done, same);
    if (reason) return live_read_error(prune, reason, message);
    reason = tr_read_at(prune->old_fd, old, count, state->drained + done, &unused);
    if (reason) return old_read_error(prune, reason, message);
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
** wrote new lines: these are not overwritten. */
static int find_region(const TrPrune *prune, bool *found, char **message) {
  const TrJournalState *state = &prune->journal.state;
  int code = find_live_byte(prune, region_end(state) - 1, '\n', found, message);
  if (code != SQLITE_OK || !*found) return code;
  if (state->region_reserved) return compare_region(prune, found, message);
  return find_live_byte(prune, state->region_at, '\0', found, message); /* see the header */
}

int tr_region_lose(TrPrune *prune, char **message) {
  TrRange range;
  struct stat old;
  int64_t copied = 0;
  if (fstat(prune->old_fd, &old) != 0) return old_read_error(prune, errno, message);
  range = undrained_range(&prune->journal.state, old.st_size);
  int code = tr_rotated_count_copied(prune, range, &copied, message);
  if (code != SQLITE_OK) return code;
  prune->journal.state.drained = range.from + copied;
  return forget_region(prune, message);
}

/* Needs no lease of the live file: others only append, so nobody else writes to the region. */
int tr_region_settle(TrPrune *prune, char **message) {
  bool found;
  if (prune->journal.state.region_length == 0) return SQLITE_OK;
  int code = find_region(prune, &found, message);
  if (code == SQLITE_OK && !found) return tr_region_lose(prune, message);
  if (code == SQLITE_OK && !prune->journal.state.region_reserved) code = mark_reserved(prune, message);
  return code == SQLITE_OK ? fill_region(prune, message) : code;
}
