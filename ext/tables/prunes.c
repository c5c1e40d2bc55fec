/*
** prunes.c - task_prunes: one row per receipt of a prune. It tells what was removed, when, why and by whom.
**
**   SELECT job_id, pruned_at, rule, records FROM task_prunes WHERE failures > 0 ORDER BY pruned_at;
**
** The receipts of a job are in .taskresults/prunes of the results directory, in a file that is named as the job's is;
** so a query for one job opens one file. `receipt` is the line as it is stored. If another file had taken the place of
** the one that was being pruned (`replaced` is 1), nothing was removed by the prune, and its numbers are 0. A receipt
** that cannot be understood is an error: otherwise the sums would be wrong without anybody noticing.
*/
#include "tables.h"

#include <fcntl.h>
#include <string.h>

enum {
  PRUNES_JOB_ID,
  PRUNES_PRUNED_AT,
  PRUNES_RULE,
  PRUNES_UID,
  PRUNES_LINES,
  PRUNES_RECORDS,
  PRUNES_FAILURES,
  PRUNES_BYTES,
  PRUNES_FIRST_RUN,
  PRUNES_LAST_RUN,
  PRUNES_SHA256,
  PRUNES_ARCHIVE,
  PRUNES_JOB,
  PRUNES_PRUNED_US,
  PRUNES_SCATTERED,
  PRUNES_REPLACED,
  PRUNES_RECEIPT,
  PRUNES_HOST
};

static const char prunes_schema[] =
    "CREATE TABLE task_prunes("
    "job_id TEXT, pruned_at TEXT, rule TEXT, uid INTEGER, lines INTEGER, records INTEGER, failures INTEGER, "
    "bytes INTEGER, first_run TEXT, last_run TEXT, sha256 TEXT, archive TEXT, job TEXT HIDDEN, "
    "pruned_us INTEGER HIDDEN, scattered INTEGER HIDDEN, replaced INTEGER HIDDEN, receipt TEXT HIDDEN, "
    "host TEXT HIDDEN)";

typedef struct PrunesCursor {
  TrCursor cursor; /* first */
  TrFilter filter; /* owned */
  TrReceiptFiles files;
} PrunesCursor;

static TrColumn prunes_column_of(int column) {
  switch (column) {
  case PRUNES_JOB_ID:
  case PRUNES_JOB: return TR_COLUMN_JOB_ID;
  case PRUNES_HOST: return TR_COLUMN_HOST;
  default: return TR_COLUMN_OTHER;
  }
}

static int prunes_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                          char **message) {
  return tr_table_connect(db, connection, &tr_results_store, false, prunes_schema, argc, argv, vtab, message);
}

/* The rows come by host and job; SQLite sorts them if a query wants any order. */
static int prunes_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int code = tr_table_choose(vtab, info, prunes_column_of, false, TR_INDEX_UNUSED);
  info->orderByConsumed = 0;
  return code;
}

static int prunes_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  TrTable *table = (TrTable *)vtab;
  PrunesCursor *cursor = sqlite3_malloc64(sizeof *cursor);
  if (cursor == NULL) return SQLITE_NOMEM;
  *cursor = (PrunesCursor){.cursor.at_end = true};
  tr_receipt_files_init(&cursor->files, table->connection->names, &table->poll);
  *out = &cursor->cursor.base;
  return SQLITE_OK;
}

static int prunes_close(sqlite3_vtab_cursor *base) {
  PrunesCursor *cursor = (PrunesCursor *)base;
  tr_receipt_files_end(&cursor->files);
  tr_filter_free(&cursor->filter);
  sqlite3_free(cursor);
  return SQLITE_OK;
}

static int prunes_next(sqlite3_vtab_cursor *base) {
  PrunesCursor *cursor = (PrunesCursor *)base;
  int code = SQLITE_OK;
  bool is_wanted = false;
  while (code == SQLITE_OK && !is_wanted) {
    code = tr_receipt_files_next(&cursor->files, &base->pVtab->zErrMsg);
    if (code == SQLITE_DONE) break;
    if (code == SQLITE_ROW) code = SQLITE_OK;
    is_wanted = !cursor->filter.by_rowid || tr_receipt_files_rowid(&cursor->files) == cursor->filter.rowid;
  }
  cursor->cursor.at_end = code != SQLITE_OK;
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int prunes_filter(sqlite3_vtab_cursor *base, int unused, const char *plan_text, int argc, sqlite3_value **argv) {
  (void)unused;
  PrunesCursor *cursor = (PrunesCursor *)base;
  TrTable *table = (TrTable *)base->pVtab;
  TrPlan plan;
  cursor->cursor.at_end = true;
  tr_filter_free(&cursor->filter);
  int code = tr_table_bind(&cursor->cursor, plan_text, argc, argv, &plan, &cursor->filter);
  if (code == SQLITE_OK && cursor->filter.nothing) return SQLITE_OK;
  if (code == SQLITE_OK) {
    code = tr_receipt_files_find(&cursor->files, &table->settings, &cursor->filter, &table->base.zErrMsg);
  }
  return code == SQLITE_OK ? prunes_next(base) : code;
}

static int prunes_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  *rowid = tr_receipt_files_rowid(&((PrunesCursor *)base)->files);
  return SQLITE_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

/* What went; nothing, if another file was in the place. */
static void result_of_receipt(sqlite3_context *context, const TrReceipt *receipt, int column) {
  const TrReceipt none = {0};
  const TrReceipt *counted = receipt->is_replaced ? &none : receipt;
  switch (column) {
  case PRUNES_LINES: sqlite3_result_int64(context, counted->lines); break;
  case PRUNES_RECORDS: sqlite3_result_int64(context, counted->records); break;
  case PRUNES_FAILURES: sqlite3_result_int64(context, counted->failures); break;
  case PRUNES_BYTES: sqlite3_result_int64(context, counted->bytes); break;
  case PRUNES_FIRST_RUN:
    if (counted->days) tr_result_timestamp(context, counted->day[0].first_us);
    break;
  case PRUNES_LAST_RUN:
    if (counted->days) tr_result_timestamp(context, counted->day[counted->days - 1].last_us);
    break;
  default:
    if (counted->sha256[0]) sqlite3_result_text(context, counted->sha256, -1, SQLITE_TRANSIENT);
    break;
  }
}

static int prunes_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  const TrReceiptFiles *files = &((PrunesCursor *)base)->files;
  const TrReceipt *receipt = &files->receipts.receipt;
  const TrLine *line = &files->receipts.line;
  switch (column) {
  case PRUNES_JOB_ID:
  case PRUNES_JOB: tr_result_job_id(context, tr_receipt_files_job(files)); break;
  case PRUNES_PRUNED_AT: tr_result_timestamp(context, receipt->pruned_us); break;
  case PRUNES_RULE: sqlite3_result_text(context, receipt->rule, -1, SQLITE_TRANSIENT); break;
  case PRUNES_UID: sqlite3_result_int64(context, receipt->uid); break;
  case PRUNES_ARCHIVE: sqlite3_result_text(context, receipt->archive, -1, SQLITE_TRANSIENT); break;
  case PRUNES_PRUNED_US: sqlite3_result_int64(context, receipt->pruned_us); break;
  case PRUNES_SCATTERED: sqlite3_result_int(context, receipt->is_scattered); break;
  case PRUNES_REPLACED: sqlite3_result_int(context, receipt->is_replaced); break;
  case PRUNES_RECEIPT: tr_result_bytes(context, line->text, (size_t)line->length); break;
  case PRUNES_HOST: tr_result_host(context, tr_receipt_files_host(files)); break;
  default: result_of_receipt(context, receipt, column); break;
  }
  return SQLITE_OK;
}

int tr_prunes_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = prunes_connect,
      .xConnect = prunes_connect,
      .xBestIndex = prunes_best_index,
      .xDisconnect = tr_table_disconnect,
      .xDestroy = tr_table_disconnect,
      .xOpen = prunes_open,
      .xClose = prunes_close,
      .xFilter = prunes_filter,
      .xNext = prunes_next,
      .xEof = tr_table_eof,
      .xColumn = prunes_column,
      .xRowid = prunes_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_prunes", &module, connection, tr_connection_unref);
}
