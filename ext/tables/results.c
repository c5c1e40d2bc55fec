/*
** results.c - task_results: one row per record.
**
**   SELECT * FROM task_results('my-job') ORDER BY rowid DESC LIMIT 5;
**   SELECT job_id, count(*), avg(ok) FROM task_results GROUP BY job_id;
**   CREATE VIRTUAL TABLE temp.old USING task_results(dir='/backup/results');
**   INSERT INTO old(job_id, success, output) VALUES ('my-job', 1, 'done');
**
** job_id comes from the file's name, whatever the lines say. A column is decoded only if the query reads it.
*/
#include "tables.h"

static const char results_schema[] = "CREATE TABLE task_results(" TR_RESULTS_COLUMNS ")";

TrColumn tr_results_column_of(int column) {
  switch (column) {
  case TR_RESULTS_JOB_ID:
  case TR_RESULTS_JOB: return TR_COLUMN_JOB_ID;
  case TR_RESULTS_HOST: return TR_COLUMN_HOST;
  case TR_RESULTS_SUCCESS: return TR_COLUMN_SUCCESS;
  case TR_RESULTS_OK: return TR_COLUMN_OK;
  case TR_RESULTS_TIMESTAMP: return TR_COLUMN_TIMESTAMP;
  case TR_RESULTS_TIME_US: return TR_COLUMN_TIME_US;
  case TR_RESULTS_OFFSET: return TR_COLUMN_OFFSET;
  case TR_RESULTS_OUTPUT: return TR_COLUMN_OUTPUT;
  case TR_RESULTS_ERROR: return TR_COLUMN_ERROR;
  default: return TR_COLUMN_OTHER;
  }
}

static int results_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                           char **message) {
  return tr_table_connect(db, connection, &tr_results_store, false, results_schema, argc, argv, vtab, message);
}

static int results_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  return tr_table_choose(vtab, info, tr_results_column_of, true, TR_INDEX_COVERS);
}

static int results_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor) {
  return tr_table_open(vtab, TR_WANT_RECORDS, cursor);
}

int tr_results_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  static const TrField field_of[] = {[TR_RESULTS_TIMESTAMP] = TR_TIMESTAMP,
                                     [TR_RESULTS_JOB_NAME] = TR_JOB_NAME,
                                     [TR_RESULTS_SUCCESS] = TR_SUCCESS,
                                     [TR_RESULTS_OUTPUT] = TR_OUTPUT,
                                     [TR_RESULTS_ERROR] = TR_ERROR};
  TrScanCursor *cursor = (TrScanCursor *)base;
  const TrLine *line = tr_scan_line(&cursor->scan);
  const TrRecord *record = tr_scan_record(&cursor->scan);
  switch (column) {
  case TR_RESULTS_JOB_ID:
  case TR_RESULTS_JOB: tr_result_job(context, cursor); break;
  case TR_RESULTS_TIME_US: tr_result_time_us(context, line, &record->field[TR_TIMESTAMP]); break;
  case TR_RESULTS_OFFSET: sqlite3_result_int64(context, line->offset); break;
  case TR_RESULTS_RECORD:
    if (tr_record_is_unread(record)) return SQLITE_INTERNAL; /* the plan does not name this column */
    sqlite3_result_text64(context, (const char *)line->text, line->length, SQLITE_TRANSIENT, SQLITE_UTF8);
    break;
  case TR_RESULTS_OK: tr_result_ok(context, &cursor->scan); break;
  case TR_RESULTS_HOST: tr_result_host(context, tr_scan_host(&cursor->scan)); break;
  case TR_RESULTS_UNBROKEN: return tr_result_unbroken(context, cursor);
  default: tr_result_field(context, cursor, field_of[column]); break;
  }
  return SQLITE_OK;
}

/* DROP TABLE would lose the rows that wait for the commit. */
static int results_destroy(sqlite3_vtab *vtab) {
  return ((TrTable *)vtab)->pending.row_count ? SQLITE_LOCKED : tr_table_disconnect(vtab);
}

/* The methods for reading. xCreate is xConnect: the table is eponymous. */
#define READING                                                                                                        \
  .iVersion = 2, .xCreate = results_connect, .xConnect = results_connect, .xBestIndex = results_best_index,            \
  .xDisconnect = tr_table_disconnect, .xDestroy = results_destroy, .xOpen = results_open, .xClose = tr_table_close,    \
  .xFilter = tr_table_filter, .xNext = tr_table_next, .xEof = tr_table_eof, .xColumn = tr_results_column,              \
  .xRowid = tr_table_rowid

int tr_results_register(TrConnection *connection) {
  static const sqlite3_module reading = {READING};
  static const sqlite3_module module = {
      READING,
      .xUpdate = tr_insert_update,
      .xBegin = tr_transaction_begin,
      .xSync = tr_transaction_sync,
      .xCommit = tr_transaction_commit,
      .xRollback = tr_transaction_rollback,
      .xSavepoint = tr_transaction_savepoint,
      .xRelease = tr_transaction_release,
      .xRollbackTo = tr_transaction_rollback_to,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_results", connection->read_only ? &reading : &module,
                                  connection, tr_connection_unref);
}
