/*
** results.c - task_results: one row per record.
**
**   SELECT * FROM task_results('my-job') ORDER BY rowid DESC LIMIT 5;
**   SELECT job_id, count(*), avg(success) FROM task_results GROUP BY job_id;
**   CREATE VIRTUAL TABLE temp.old USING task_results(dir='/backup/results');
**
** The file is the job: job_id is the file's name, whatever the lines say. Columns are decoded when they are asked for.
*/
#include "../tr.h"

#include <string.h>

enum {
  COLUMN_TIMESTAMP,
  COLUMN_JOB_ID,
  COLUMN_JOB_NAME,
  COLUMN_SUCCESS,
  COLUMN_OUTPUT,
  COLUMN_ERROR,
  COLUMN_JOB, /* the first hidden column is the argument of task_results('my-job') */
  COLUMN_TIME_US,
  COLUMN_OFFSET,
  COLUMN_RECORD,
};

static const char schema[] = "CREATE TABLE task_results("
                             "timestamp TEXT, job_id TEXT, job_name TEXT, success INTEGER, output TEXT, error TEXT, "
                             "job TEXT HIDDEN, time_us INTEGER HIDDEN, offset INTEGER HIDDEN, record TEXT HIDDEN)";

static TrColumn column_of(int column) {
  switch (column) {
  case COLUMN_JOB_ID:
  case COLUMN_JOB: return TR_COLUMN_JOB_ID;
  case COLUMN_SUCCESS: return TR_COLUMN_SUCCESS;
  case COLUMN_TIMESTAMP: return TR_COLUMN_TIMESTAMP;
  case COLUMN_TIME_US: return TR_COLUMN_TIME_US;
  default: return TR_COLUMN_OTHER;
  }
}

static int results_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                           char **message) {
  return tr_table_connect(db, connection, schema, argc, argv, vtab, message);
}

static int results_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  (void)vtab;
  return tr_plan_choose(info, column_of);
}

static int results_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor) {
  return tr_table_open(vtab, TR_WANT_RECORDS, cursor);
}

static int results_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  static const TrField field_of[] = {[COLUMN_TIMESTAMP] = TR_TIMESTAMP,
                                     [COLUMN_JOB_NAME] = TR_JOB_NAME,
                                     [COLUMN_SUCCESS] = TR_SUCCESS,
                                     [COLUMN_OUTPUT] = TR_OUTPUT,
                                     [COLUMN_ERROR] = TR_ERROR};
  const TrScan *scan = &((TrCursor *)base)->scan;
  int64_t time_us;
  switch (column) {
  case COLUMN_JOB_ID:
  case COLUMN_JOB:
    sqlite3_result_text(context, scan->name, (int)strlen(scan->name) - TR_SUFFIX_LEN, SQLITE_TRANSIENT);
    break;
  case COLUMN_TIME_US:
    if (tr_span_time_us(&scan->line, &scan->record.field[TR_TIMESTAMP], &time_us))
      sqlite3_result_int64(context, time_us);
    break;
  case COLUMN_OFFSET: sqlite3_result_int64(context, scan->line.offset); break;
  case COLUMN_RECORD:
    sqlite3_result_text64(context, (const char *)scan->line.text, scan->line.length, SQLITE_TRANSIENT, SQLITE_UTF8);
    break;
  default:
    tr_result_span(context, &scan->line, &scan->record.field[field_of[column]], scan->connection->c_locale);
    break;
  }
  return SQLITE_OK;
}

int tr_results_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = results_connect, /* the same as xConnect: the table is eponymous */
      .xConnect = results_connect,
      .xBestIndex = results_best_index,
      .xDisconnect = tr_table_disconnect,
      .xDestroy = tr_table_disconnect,
      .xOpen = results_open,
      .xClose = tr_table_close,
      .xFilter = tr_table_filter,
      .xNext = tr_table_next,
      .xEof = tr_table_eof,
      .xColumn = results_column,
      .xRowid = tr_table_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_results", &module, connection, tr_connection_unref);
}
