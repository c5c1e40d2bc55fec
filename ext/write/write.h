/*
** write.h - a row -> one line -> the end of the job's file.
*/
#ifndef TR_WRITE_H
#define TR_WRITE_H

#include "../base/base.h"
#include "../read/read.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** write/encode.c - row -> line
*/
#define TR_MAX_TEXT 5000 /* output and error are cut to so many code points, as the scheduler does it */

typedef struct TrRow {
  TrBytes timestamp, job_id, job_name, output, error;
  bool success;
} TrRow;

TrBytes tr_cut_text(TrBytes text);        /* its first TR_MAX_TEXT code points */
size_t tr_encode_least(const TrRow *row); /* lower bound of the line's length */
size_t tr_encode_bound(const TrRow *row); /* upper bound */
/* Writes the row as one line, its newline included, and returns its length. `out` has room for tr_encode_bound(). */
size_t tr_encode(const TrRow *row, char *out);

/* ------------------------------------------------------------------------------------------------------------------
** write/pending.c - the rows of a transaction, held until it commits; savepoints can take rows back
*/
#ifndef TR_MAX_BATCH_BYTES
#define TR_MAX_BATCH_BYTES (INT64_C(1) << 30) /* of one job in one transaction, as they are written by one write(2) */
#endif

typedef enum TrSync {
  TR_SYNC_UNSET, /* not given: the environment's setting, or the default */
  TR_SYNC_OFF,   /* no sync: the system writes to the disk when it likes */
  TR_SYNC_DATA,  /* fdatasync() before a COMMIT returns */
} TrSync;

typedef struct TrBatch {
  char *bytes;           /* owned: a newline, then the lines; so a newline comes before every line */
  size_t length, room;   /* of bytes; length 0 or 1: no lines */
  unsigned record_count; /* lines */
} TrBatch;

typedef struct TrPending {
  bool open;  /* between xBegin and xCommit or xRollback */
  char *path; /* owned: the directory, as named when the first row came. NULL: no row yet */
  size_t max_line;
  TrSync sync;   /* OFF or DATA */
  TrDir dir;     /* open while there are rows */
  TrNames *jobs; /* owned: file name -> index into batch[], in the order of their first rows */
  TrBatch *batch;
  size_t batch_count, batch_room;
  struct TrPendingRow {
    uint32_t batch;  /* which */
    uint32_t length; /* bytes of its line */
  } * row;           /* in the order of their INSERTs */
  size_t row_count, row_room;
  size_t *mark; /* mark[n]: row_count when savepoint n was set */
  size_t mark_room;
  int mark_count;
} TrPending;

/* A zeroed TrPending is a valid one without a transaction. */
void tr_pending_begin(TrPending *pending);
void tr_pending_end(TrPending *pending); /* drops all rows: after the commit, or on ROLLBACK */
TR_CHECKED int tr_pending_open_dir(TrPending *pending, const char *path, char **message); /* before the first row */
TR_CHECKED int tr_pending_add(TrPending *pending, const char *name, const TrRow *row,
                              char **message); /* name: of the file */
void tr_pending_written(TrPending *pending); /* the rows are in their files; savepoints can no longer take them back */
TR_CHECKED int tr_pending_savepoint(TrPending *pending, int savepoint);
void tr_pending_release(TrPending *pending, int savepoint);
void tr_pending_rollback_to(TrPending *pending, int savepoint); /* -1: to the beginning of the transaction */

/* ------------------------------------------------------------------------------------------------------------------
** write/append.c - lines -> the end of one job's file, beside writers that take no lock
*/
typedef struct TrAppend {
  unsigned records_written; /* complete, each on a line of its own */
  bool torn;                /* a part of a record was left in the file; task_rejects shows it */
} TrAppend;

/* Checks beforehand whether an append to this file would fail. SQLITE_OK: no reason is known. */
TR_CHECKED int tr_append_check(const TrDir *dir, const char *name, char **message);

/* Appends a batch with one write(2), if the system takes all of it at once. `poll` may be NULL: then nothing interrupts
** the wait for a pruner's lease. On failure, *done tells what was written before it. Never returns SQLITE_BUSY. */
TR_CHECKED int tr_append(const TrDir *dir, const char *name, const TrBatch *batch, TrSync sync, TrPoll *poll,
                         TrAppend *done, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** write/commit.c - the batches of a transaction -> their files, job by job
*/

/* Writes every batch, then marks all as written; after a failure the rest is dropped, and the message names what was
** written and what was not. `elsewhere`: the number of records that this COMMIT wrote through other tables; tr_commit()
** adds its own. */
TR_CHECKED int tr_commit(TrPending *pending, TrPoll *poll, uint64_t *elsewhere, char **message);

#pragma GCC visibility pop
#endif /* TR_WRITE_H */
