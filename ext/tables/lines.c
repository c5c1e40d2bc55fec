/*
** lines.c - task_lines: one row per line of the files, records or not, in the order of each file.
**
**   SELECT offset, terminated, reason, line FROM task_lines('my-job') WHERE offset >= 123456;
**
** For programs that follow the files: one pass gives the rows of task_results and task_rejects together, and tells
** whether a line is finished. The last line of a file may be unfinished, if its writer is still writing it: then its
** text and its reason are not final. Blank lines are left out. `dev` and `inode` are those of the file that was opened:
** so whoever follows it knows whether it is still the one that was read before.
*/
#include "tables.h"

enum {
  LINES_JOB_ID,
  LINES_OFFSET,
  LINES_LENGTH,
  LINES_TERMINATED,
  LINES_REASON,
  LINES_LINE,
  LINES_JOB,
  LINES_TIME_US,
  LINES_OK,
  LINES_TIMESTAMP,
  LINES_JOB_NAME,
  LINES_SUCCESS,
  LINES_OUTPUT,
  LINES_ERROR,
  LINES_DEV,
  LINES_INODE,
  LINES_HOST,
  LINES_HASH,
  LINES_ROW
};

static const char lines_schema[] =
    "CREATE TABLE task_lines("
    "job_id TEXT, offset INTEGER, length INTEGER, terminated INTEGER, reason TEXT, line TEXT, "
    "job TEXT HIDDEN, time_us INTEGER HIDDEN, ok INTEGER HIDDEN, timestamp TEXT HIDDEN, job_name TEXT HIDDEN, "
    "success INTEGER HIDDEN, output TEXT HIDDEN, error TEXT HIDDEN, dev INTEGER HIDDEN, inode INTEGER HIDDEN, "
    "host TEXT HIDDEN, hash INTEGER HIDDEN, \"row\" TEXT HIDDEN)";

/* A scan skips only records. For a reject these columns are NULL, and SQLite decides. */
static TrColumn lines_column_of(int column) {
  switch (column) {
  case LINES_JOB_ID:
  case LINES_JOB: return TR_COLUMN_JOB_ID;
  case LINES_HOST: return TR_COLUMN_HOST;
  case LINES_OFFSET: return TR_COLUMN_OFFSET;
  case LINES_TIME_US: return TR_COLUMN_TIME_US;
  case LINES_OK: return TR_COLUMN_OK;
  case LINES_TIMESTAMP: return TR_COLUMN_TIMESTAMP;
  case LINES_SUCCESS: return TR_COLUMN_SUCCESS;
  case LINES_OUTPUT: return TR_COLUMN_OUTPUT;
  case LINES_ERROR: return TR_COLUMN_ERROR;
  default: return TR_COLUMN_OTHER;
  }
}

static int lines_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                         char **message) {
  return tr_table_connect(db, connection, &tr_results_store, false, lines_schema, argc, argv, vtab, message);
}

static int lines_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  return tr_table_choose(vtab, info, lines_column_of, true, TR_INDEX_UNUSED);
}

static int lines_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor) {
  return tr_table_open(vtab, TR_WANT_LINES, cursor);
}

static void result_of_record(sqlite3_context *context, TrScanCursor *cursor, int column) {
  static const TrField field_of[] = {[LINES_TIMESTAMP] = TR_TIMESTAMP,
                                     [LINES_JOB_NAME] = TR_JOB_NAME,
                                     [LINES_SUCCESS] = TR_SUCCESS,
                                     [LINES_OUTPUT] = TR_OUTPUT,
                                     [LINES_ERROR] = TR_ERROR};
  const TrLine *line = tr_scan_line(&cursor->scan);
  const TrRecord *record = tr_scan_record(&cursor->scan);
  if (tr_scan_reason(&cursor->scan) != TR_OK) return;
  switch (column) {
  case LINES_TIME_US: tr_result_time_us(context, line, &record->field[TR_TIMESTAMP]); break;
  case LINES_OK: tr_result_ok(context, &cursor->scan); break;
  default: tr_result_field(context, cursor, field_of[column]); break;
  }
}

static int lines_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  TrScanCursor *cursor = (TrScanCursor *)base;
  const TrLine *line = tr_scan_line(&cursor->scan);
  TrReason reason = tr_scan_reason(&cursor->scan);
  switch (column) {
  case LINES_JOB_ID:
  case LINES_JOB: tr_result_job(context, cursor); break;
  case LINES_OFFSET: sqlite3_result_int64(context, line->offset); break;
  case LINES_LENGTH: sqlite3_result_int64(context, (sqlite3_int64)line->length); break;
  case LINES_TERMINATED: sqlite3_result_int(context, line->terminated); break;
  case LINES_REASON:
    if (reason != TR_OK) sqlite3_result_text(context, tr_reason_text(reason), -1, SQLITE_TRANSIENT);
    break;
  case LINES_LINE:
    if (line->text) tr_result_bytes(context, line->text, (size_t)line->length);
    break;
  case LINES_HOST: tr_result_host(context, tr_scan_host(&cursor->scan)); break;
  case LINES_DEV: sqlite3_result_int64(context, (sqlite3_int64)tr_scan_stat(&cursor->scan)->st_dev); break;
  case LINES_INODE: sqlite3_result_int64(context, (sqlite3_int64)tr_scan_stat(&cursor->scan)->st_ino); break;
  case LINES_HASH: tr_lines_result_hash(context, line); break;
  case LINES_ROW: return tr_lines_result_row(context, cursor);
  default: result_of_record(context, cursor, column); break;
  }
  return SQLITE_OK;
}

int tr_lines_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = lines_connect,
      .xConnect = lines_connect,
      .xBestIndex = lines_best_index,
      .xDisconnect = tr_table_disconnect,
      .xDestroy = tr_table_disconnect,
      .xOpen = lines_open,
      .xClose = tr_table_close,
      .xFilter = tr_table_filter,
      .xNext = tr_table_next,
      .xEof = tr_table_eof,
      .xColumn = lines_column,
      .xRowid = tr_table_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_lines", &module, connection, tr_connection_unref);
}
