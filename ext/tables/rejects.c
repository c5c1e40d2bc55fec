/*
** rejects.c - task_rejects: what task_results does not show, and why. Nothing is dropped silently.
**
**   SELECT job_id, reason, count(*) FROM task_rejects GROUP BY 1, 2;
**
** A row is a line that is not a record; or (offset NULL) an entry ending in .jsonl that cannot be read as a job's file;
** or what an interrupted prune left behind. `line` is a BLOB when it is not UTF-8, and NULL when it is too long
** to hold.
*/
#include "tables.h"

#include <string.h>

enum {
  REJECTS_JOB_ID,
  REJECTS_OFFSET,
  REJECTS_LENGTH,
  REJECTS_REASON,
  REJECTS_LINE,
  REJECTS_JOB,
  REJECTS_HOST,
  REJECTS_SEGMENT
};

static const char rejects_schema[] =
    "CREATE TABLE task_rejects("
    "job_id TEXT, offset INTEGER, length INTEGER, reason TEXT, line TEXT, job TEXT HIDDEN, host TEXT HIDDEN, "
    "segment TEXT HIDDEN)";

static TrColumn rejects_column_of(int column) {
  switch (column) {
  case REJECTS_JOB_ID:
  case REJECTS_JOB: return TR_COLUMN_JOB_ID;
  case REJECTS_HOST: return TR_COLUMN_HOST;
  case REJECTS_OFFSET: return TR_COLUMN_OFFSET;
  default: return TR_COLUMN_OTHER;
  }
}

static int rejects_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                           char **message) {
  return tr_table_connect(db, connection, &tr_results_store, true, rejects_schema, argc, argv, vtab, message);
}

static int rejects_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  return tr_table_choose(vtab, info, rejects_column_of, false, TR_INDEX_FINDS);
}

static int rejects_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor) {
  return tr_table_open(vtab, TR_WANT_REJECTS, cursor);
}

static void result_job(sqlite3_context *context, const TrScan *scan) {
  char job_id[TR_NAME_SIZE];
  size_t length;
  if (tr_scan_job_of_entry(scan, job_id, &length)) tr_result_bytes(context, job_id, length);
}

/* Only if all segments of the jobs are read. */
static void result_segment(sqlite3_context *context, const TrScan *scan) {
  const char *name = scan->current.name;
  if (scan->filter.all_segments) tr_result_bytes(context, name, strlen(name));
}

static void result_reason(sqlite3_context *context, const TrScan *scan) {
  const TrHistory *history = scan->files.history;
  const char *reason = tr_scan_entry_reason(scan);
  char text[TR_NAME_SIZE + 200];
  bool is_damaged = reason == NULL && tr_scan_reason(scan) == TR_DAMAGED;
  const TrFrameReader *reader = &scan->reader;
  if (is_damaged && scan->current.file.frames) {
    const TrFramePlace *place = &scan->current.file.frames->place[reader->reported - 1];
    sqlite3_snprintf(sizeof text, text, "%s: %s cannot be read from its byte %lld up to its byte %lld: %s",
                     tr_reason_text(TR_DAMAGED), scan->current.name, (long long)place->at, (long long)place[1].at,
                     reader->reported_why);
    reason = text;
  } else if (is_damaged && history) {
    sqlite3_snprintf(sizeof text, text, "%s: %s cannot be read from its byte %lld on: %s", tr_reason_text(TR_DAMAGED),
                     scan->current.name, (long long)tr_decompressor_position(&history->decompressor),
                     history->decompressor.why);
    reason = text;
  }
  sqlite3_result_text(context, reason ? reason : tr_reason_text(tr_scan_reason(scan)), -1, SQLITE_TRANSIENT);
}

static int rejects_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  const TrScan *scan = &((TrScanCursor *)base)->scan;
  const TrLine *line = tr_scan_line(scan);
  const char *entry_reason = tr_scan_entry_reason(scan);
  bool has_line = entry_reason == NULL;
  switch (column) {
  case REJECTS_JOB_ID:
  case REJECTS_JOB: result_job(context, scan); break;
  case REJECTS_OFFSET:
    if (has_line) sqlite3_result_int64(context, line->offset);
    break;
  case REJECTS_SEGMENT: result_segment(context, scan); break;
  case REJECTS_HOST: tr_result_host(context, tr_scan_host(scan)); break;
  case REJECTS_LENGTH:
    if (has_line && tr_scan_reason(scan) != TR_DAMAGED) sqlite3_result_int64(context, (sqlite3_int64)line->length);
    break;
  case REJECTS_REASON: result_reason(context, scan); break;
  default:
    if (line->text) tr_result_bytes(context, line->text, (size_t)line->length);
    break;
  }
  return SQLITE_OK;
}

int tr_rejects_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = rejects_connect,
      .xConnect = rejects_connect,
      .xBestIndex = rejects_best_index,
      .xDisconnect = tr_table_disconnect,
      .xDestroy = tr_table_disconnect,
      .xOpen = rejects_open,
      .xClose = tr_table_close,
      .xFilter = tr_table_filter,
      .xNext = tr_table_next,
      .xEof = tr_table_eof,
      .xColumn = rejects_column,
      .xRowid = tr_table_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_rejects", &module, connection, tr_connection_unref);
}
