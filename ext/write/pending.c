/*
** pending.c - the rows of a transaction, held until it commits; savepoints can take rows back.
**
** A row becomes a line at once, so that an error is the error of its INSERT, and waits in the batch of its job. The
** order of all rows is kept as well, so that a savepoint can take back the last rows, whichever jobs they belong to.
**
** SQLite numbers the savepoints that are open, statements' own ones included, from 0. It calls xBegin when a statement
** first touches the table, and then xSavepoint for the innermost open savepoint only; all older ones were set before
** the first row. A rollback to -1 goes back to the beginning of a transaction that SAVEPOINT opened; SQLite never
** announces that savepoint.
*/
#include "write.h"

#include <string.h>

void tr_pending_begin(TrPending *pending) {
  pending->open = true;
}

/* Also frees the batches' memory, which may have grown large. */
static void drop_rows(TrPending *pending) {
  for (size_t i = 0; i < pending->batch_count; i++) sqlite3_free(pending->batch[i].bytes);
  sqlite3_free(pending->batch);
  sqlite3_free(pending->row);
  tr_names_free(pending->jobs);
  if (pending->path) tr_dir_close(&pending->dir);
  sqlite3_free(pending->path);
  pending->batch = NULL;
  pending->row = NULL;
  pending->jobs = NULL;
  pending->path = NULL;
  pending->batch_count = pending->batch_room = pending->row_count = pending->row_room = 0;
}

void tr_pending_end(TrPending *pending) {
  drop_rows(pending);
  sqlite3_free(pending->mark);
  *pending = (TrPending){0};
}

void tr_pending_written(TrPending *pending) {
  drop_rows(pending);
  for (int i = 0; i < pending->mark_count; i++) pending->mark[i] = 0;
}

int tr_pending_open_dir(TrPending *pending, const char *path, char **message) {
  if (pending->path) return SQLITE_OK;
  char *copy = sqlite3_mprintf("%s", path);
  TrNames *jobs = tr_names_new();
  int code = copy && jobs ? tr_dir_open(&pending->dir, &tr_results_store, copy, message) : SQLITE_NOMEM;
  if (code != SQLITE_OK) {
    sqlite3_free(copy);
    tr_names_free(jobs);
    return code;
  }
  pending->path = copy;
  pending->jobs = jobs;
  return SQLITE_OK;
}

/* The batch of a job. The first row of a job in a transaction checks that its file can be written. */
static int find_batch(TrPending *pending, const char *name, uint32_t *index, char **message) {
  size_t length = strlen(name);
  if (tr_names_find(pending->jobs, name, length, index)) return SQLITE_OK;
  int code = tr_append_check(&pending->dir, name, message);
  if (code != SQLITE_OK) return code;
  TrBatch *batches = tr_array_reserve(pending->batch, &pending->batch_room, pending->batch_count + 1, sizeof *batches);
  if (batches == NULL) return SQLITE_NOMEM;
  pending->batch = batches;
  code = tr_names_intern(pending->jobs, name, length, index);
  if (code == SQLITE_FULL) {
    return tr_error(message, SQLITE_TOOBIG, "rows for more than %lld jobs in one transaction; commit more often",
                    (long long)TR_MAX_ORDINAL + 1);
  }
  if (code == SQLITE_OK) pending->batch[pending->batch_count++] = (TrBatch){0};
  return code;
}

static int reserve(TrBatch *batch, size_t bytes, const TrRow *row, char **message) {
  size_t needed = batch->length + bytes;
  if (needed <= batch->room) return SQLITE_OK;
  if (needed > TR_MAX_BATCH_BYTES) {
    return tr_error(message, SQLITE_TOOBIG, "job '%.*s': more than %lld bytes in one transaction; commit more often",
                    (int)row->job_id.length, row->job_id.text, (long long)TR_MAX_BATCH_BYTES);
  }
  size_t room = needed > 2 * batch->room ? needed : 2 * batch->room;
  if (room > TR_MAX_BATCH_BYTES) room = TR_MAX_BATCH_BYTES;
  char *grown = sqlite3_realloc64(batch->bytes, room);
  if (grown == NULL) return SQLITE_NOMEM;
  batch->bytes = grown;
  batch->room = room;
  return SQLITE_OK;
}

static int too_long(const TrPending *pending, const TrRow *row, char **message) {
  return tr_error(message, SQLITE_TOOBIG,
                  "job '%.*s': the record would be longer than the longest line that is read, "
                  "%llu bytes (max_line=, TASKRESULTS_MAX_LINE)",
                  (int)row->job_id.length, row->job_id.text, (unsigned long long)pending->max_line);
}

int tr_pending_add(TrPending *pending, const char *name, const TrRow *row, char **message) {
  uint32_t index;
  if (tr_encode_least(row) > pending->max_line) return too_long(pending, row, message);
  int code = find_batch(pending, name, &index, message);
  if (code != SQLITE_OK) return code;
  TrBatch *batch = &pending->batch[index];
  code = reserve(batch, 1 + tr_encode_bound(row), row, message);
  if (code != SQLITE_OK) return code;
  struct TrPendingRow *rows = tr_array_reserve(pending->row, &pending->row_room, pending->row_count + 1, sizeof *rows);
  if (rows == NULL) return SQLITE_NOMEM;
  pending->row = rows;
  if (batch->length == 0) batch->bytes[batch->length++] = '\n';
  size_t length = tr_encode(row, batch->bytes + batch->length);
  if (length - 1 > pending->max_line) return too_long(pending, row, message);
  batch->length += length;
  batch->record_count++;
  pending->row[pending->row_count++] = (struct TrPendingRow){index, (uint32_t)length};
  return SQLITE_OK;
}

static void cut_back(TrPending *pending, size_t row_count) {
  while (pending->row_count > row_count) {
    struct TrPendingRow row = pending->row[--pending->row_count];
    pending->batch[row.batch].length -= row.length;
    pending->batch[row.batch].record_count--;
  }
}

int tr_pending_savepoint(TrPending *pending, int savepoint) {
  if (savepoint < 0) return SQLITE_OK;
  while (pending->mark_count <= savepoint) {
    size_t *marks =
        tr_array_reserve(pending->mark, &pending->mark_room, (size_t)pending->mark_count + 1, sizeof *marks);
    if (marks == NULL) return SQLITE_NOMEM;
    pending->mark = marks;
    /* Savepoints older than our xBegin had no rows yet; the last one is this savepoint, which is set below. */
    pending->mark[pending->mark_count] = pending->mark_count ? pending->mark[pending->mark_count - 1] : 0;
    pending->mark_count++;
  }
  pending->mark_count = savepoint + 1;
  pending->mark[savepoint] = pending->row_count;
  return SQLITE_OK;
}

void tr_pending_release(TrPending *pending, int savepoint) {
  if (savepoint >= 0 && savepoint < pending->mark_count) pending->mark_count = savepoint;
}

/* ROLLBACK TO does not close the savepoint. */
void tr_pending_rollback_to(TrPending *pending, int savepoint) {
  if (savepoint >= pending->mark_count) return;
  cut_back(pending, savepoint < 0 ? 0 : pending->mark[savepoint]);
  pending->mark_count = savepoint < 0 ? 0 : savepoint + 1;
}
