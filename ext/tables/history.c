/*
** history.c - task_history: one row per record of all segments of a job: its live file, the rotated ones beside it, and
** those in the archive.
**
**   SELECT * FROM task_history('my-job') ORDER BY job_id, segment_no, offset;
**   SELECT segment, count(*) FROM task_history('my-job') GROUP BY segment_no;
**
** The columns of task_results, and two more, both hidden: `segment` is the file's name, `segment_no` its place among
** the segments of its job, from 1 on. A rotation changes both, so a rowid, too, means a line only within one query.
*/
#include "tables.h"

#include <string.h>

static const char history_schema[] =
    "CREATE TABLE task_history(" TR_RESULTS_COLUMNS ", segment TEXT HIDDEN, segment_no INTEGER HIDDEN)";

static TrColumn history_column_of(int column) {
  return column == TR_RESULTS_SEGMENT_NO ? TR_COLUMN_SEGMENT_NO : tr_results_column_of(column);
}

static int history_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                           char **message) {
  int code = tr_table_connect(db, connection, &tr_results_store, false, history_schema, argc, argv, vtab, message);
  if (code == SQLITE_OK) ((TrTable *)*vtab)->settings.segments = TR_SEGMENTS_ALL;
  return code;
}

static int history_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  return tr_table_choose(vtab, info, history_column_of, true, TR_INDEX_COVERS);
}

static int history_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor) {
  return tr_table_open(vtab, TR_WANT_RECORDS, cursor);
}

static int history_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  const TrScanFile *current = &((TrScanCursor *)base)->scan.current;
  switch (column) {
  case TR_RESULTS_SEGMENT: tr_result_bytes(context, current->name, strlen(current->name)); break;
  case TR_RESULTS_SEGMENT_NO: sqlite3_result_int64(context, current->file.segment); break;
  default: return tr_results_column(base, context, column);
  }
  return SQLITE_OK;
}

int tr_history_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = history_connect,
      .xConnect = history_connect,
      .xBestIndex = history_best_index,
      .xDisconnect = tr_table_disconnect,
      .xDestroy = tr_table_disconnect,
      .xOpen = history_open,
      .xClose = tr_table_close,
      .xFilter = tr_table_filter,
      .xNext = tr_table_next,
      .xEof = tr_table_eof,
      .xColumn = history_column,
      .xRowid = tr_table_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_history", &module, connection, tr_connection_unref);
}
