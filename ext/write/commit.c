/*
** commit.c - the batches of a transaction -> their files, job by job.
**
** Called when SQLite prepares to commit (xSync), which is the last moment at which a failure can be reported. A batch
** is as atomic as write(2) is, but a transaction over several jobs is not. So what is known to fail was refused when
** the rows came (tr_append_check), and an error here names what is in the files already. Afterwards the rows are
** dropped in any case, so that another COMMIT cannot write them twice.
**
** An interrupt stops the commit only before the first write.
*/
#include "write.h"

#include <string.h>

#define NAMES_IN_MESSAGE 8

/* ": 'a' (2 records), 'b' (1 record), and 3 more jobs" for the batches in [from, to). */
static void list_batches(sqlite3_str *text, const TrPending *pending, size_t from, size_t to) {
  size_t listed = 0, more = 0;
  for (size_t i = from; i < to; i++) {
    unsigned count = pending->batch[i].record_count;
    if (count == 0) continue;
    if (listed == NAMES_IN_MESSAGE) {
      more++;
      continue;
    }
    const char *name = tr_names_get(pending->jobs, (uint32_t)i);
    sqlite3_str_appendf(text, "%s'%.*s' (%u record%s)", listed++ ? ", " : ": ", (int)strlen(name) - TR_SUFFIX_LEN, name,
                        count, count == 1 ? "" : "s");
  }
  if (more) sqlite3_str_appendf(text, ", and %llu more job%s", (unsigned long long)more, more == 1 ? "" : "s");
  if (listed == 0) sqlite3_str_appendall(text, ": none");
}

/* Adds to the cause in *message what was written before batch `failed`, how much of that batch, and what was not
** written. */
static void describe(const TrPending *pending, size_t failed, const TrAppend *done, uint64_t elsewhere,
                     char **message) {
  const TrBatch *batch = &pending->batch[failed];
  sqlite3_str *text = sqlite3_str_new(NULL);
  sqlite3_str_appendf(text, "%s. ", *message ? *message : "out of memory");
  if (done->records_written) {
    sqlite3_str_appendf(text, "%u of its %u records %s in the file, and must not be inserted again. ",
                        done->records_written, batch->record_count, done->records_written == 1 ? "is" : "are");
  }
  if (done->torn) sqlite3_str_appendall(text, "A part of one record was left there; task_rejects shows it. ");
  sqlite3_str_appendall(text, "Jobs written before that");
  list_batches(text, pending, 0, failed);
  sqlite3_str_appendall(text, "; jobs not written");
  list_batches(text, pending, failed + (done->records_written == batch->record_count), pending->batch_count);
  if (elsewhere) {
    sqlite3_str_appendf(text, "; through other tables of this transaction, %llu records were written",
                        (unsigned long long)elsewhere);
  }
  char *described = sqlite3_str_finish(text);
  if (described == NULL) return;
  sqlite3_free(*message);
  *message = described;
}

int tr_commit(TrPending *pending, TrPoll *poll, uint64_t *elsewhere, char **message) {
  uint64_t before = *elsewhere;
  int code = SQLITE_OK;
  for (size_t i = 0; i < pending->batch_count && code == SQLITE_OK; i++) {
    const TrBatch *batch = &pending->batch[i];
    if (batch->record_count == 0) continue; /* a savepoint took them back */
    TrAppend done;
    bool untouched = *elsewhere == 0;
    code = tr_append(&pending->dir, tr_names_get(pending->jobs, (uint32_t)i), batch, pending->sync,
                     untouched ? poll : NULL, &done, message);
    *elsewhere += done.records_written;
    if (code != SQLITE_OK && code != SQLITE_INTERRUPT) describe(pending, i, &done, before, message);
  }
  tr_pending_written(pending);
  return code;
}
