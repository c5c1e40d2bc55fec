/*
** logs.c - task_logs: one row per message of the jobs' logs.
**
**   SELECT timestamp, event, message FROM task_logs('my-job') ORDER BY rowid DESC LIMIT 5;
**   SELECT job_id, timestamp, event FROM task_logs WHERE event IN ('paused', 'resumed', 'deleted') ORDER BY time_us;
**   CREATE VIRTUAL TABLE temp.old_logs USING task_logs(dir='/backup/logs');
**
** There is no table of rejects beside this one, so everything is a row here: lines before the first timestamp, and an
** entry ending in .log that is not a file (offset NULL; the message says what it is), have the event 'other' and no
** time. Bytes that are not UTF-8 become U+FFFD; if max_line cut a message, its end tells how many bytes are missing.
*/
#include "tables.h"

#include <string.h>

enum { LOGS_TIME_US, LOGS_TIMESTAMP, LOGS_JOB_ID, LOGS_EVENT, LOGS_MESSAGE, LOGS_JOB, LOGS_OFFSET, LOGS_HOST };

static const char logs_schema[] = "CREATE TABLE task_logs("
                                  "time_us INTEGER, timestamp TEXT, job_id TEXT, event TEXT, message TEXT, "
                                  "job TEXT HIDDEN, offset INTEGER HIDDEN, host TEXT HIDDEN)";

static TrColumn logs_column_of(int column) {
  switch (column) {
  case LOGS_JOB_ID:
  case LOGS_JOB: return TR_COLUMN_JOB_ID;
  case LOGS_HOST: return TR_COLUMN_HOST;
  case LOGS_TIMESTAMP: return TR_COLUMN_TIMESTAMP;
  case LOGS_TIME_US: return TR_COLUMN_TIME_US;
  default: return TR_COLUMN_OTHER;
  }
}

static int logs_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                        char **message) {
  return tr_table_connect(db, connection, &tr_logs_store, false, logs_schema, argc, argv, vtab, message);
}

static int logs_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  return tr_table_choose(vtab, info, logs_column_of, false, TR_INDEX_UNUSED);
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

typedef struct LogsCursor {
  TrCursor cursor; /* first */
  TrLogScan scan;
} LogsCursor;

static int logs_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  TrTable *table = (TrTable *)vtab;
  LogsCursor *logs = sqlite3_malloc64(sizeof *logs);
  if (logs == NULL) return SQLITE_NOMEM;
  logs->cursor = (TrCursor){.at_end = true};
  tr_log_scan_init(&logs->scan, table->connection, &table->poll);
  *out = &logs->cursor.base;
  return SQLITE_OK;
}

static int logs_close(sqlite3_vtab_cursor *base) {
  LogsCursor *logs = (LogsCursor *)base;
  tr_log_scan_end(&logs->scan);
  tr_scratch_free(&logs->cursor.scratch);
  sqlite3_free(logs);
  return SQLITE_OK;
}

static int logs_next(sqlite3_vtab_cursor *base) {
  LogsCursor *logs = (LogsCursor *)base;
  int code = tr_log_scan_next(&logs->scan, &base->pVtab->zErrMsg);
  logs->cursor.at_end = code != SQLITE_ROW;
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int logs_filter(sqlite3_vtab_cursor *base, int unused, const char *plan_text, int argc, sqlite3_value **argv) {
  (void)unused;
  LogsCursor *logs = (LogsCursor *)base;
  TrTable *table = (TrTable *)base->pVtab;
  TrPlan plan;
  TrFilter filter;
  logs->cursor.at_end = true;
  int code = tr_table_bind(&logs->cursor, plan_text, argc, argv, &plan, &filter);
  if (code == SQLITE_OK) code = tr_log_scan_begin(&logs->scan, &table->settings, &filter, &table->base.zErrMsg);
  return code == SQLITE_OK ? logs_next(base) : code;
}

static int logs_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  *rowid = tr_log_scan_rowid(&((LogsCursor *)base)->scan);
  return SQLITE_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static void result_message(sqlite3_context *context, const TrMessage *message) {
  TrBytes words = message->words;
  uint64_t cut = message->cut;
  char note[64] = "";
  if (cut == 0 && tr_utf8_is_valid(words.text, words.length)) {
    sqlite3_result_text64(context, words.text, words.length, SQLITE_TRANSIENT, SQLITE_UTF8);
    return;
  }
  unsigned char *text = sqlite3_malloc64(3 * (sqlite3_uint64)words.length + sizeof note);
  if (text == NULL) {
    sqlite3_result_error_nomem(context);
    return;
  }
  size_t length = tr_utf8_repair((const unsigned char *)words.text, words.length, text);
  if (cut) sqlite3_snprintf(sizeof note, note, "… [%llu more bytes; see max_line]", (unsigned long long)cut);
  memcpy(text + length, note, strlen(note));
  sqlite3_result_text64(context, (char *)text, length + strlen(note), sqlite3_free, SQLITE_UTF8);
}

/* The columns of an entry that cannot be read as a log. */
static void entry_column(sqlite3_context *context, const char *reason, int column) {
  if (column == LOGS_EVENT) sqlite3_result_text(context, tr_event_name(TR_EVENT_OTHER), -1, SQLITE_STATIC);
  if (column == LOGS_MESSAGE) sqlite3_result_text(context, reason, -1, SQLITE_TRANSIENT);
}

static void message_column(sqlite3_context *context, LogsCursor *logs, int column) {
  const TrMessage *message = tr_log_scan_message(&logs->scan);
  const TrLine *line = &message->line;
  const TrSpan *stamp = &message->timestamp;
  switch (column) {
  case LOGS_TIME_US: tr_result_time_us(context, line, stamp); break;
  case LOGS_TIMESTAMP:
    tr_result_span(context, line, stamp, tr_table_connection(&logs->cursor)->c_locale, &logs->cursor.scratch);
    break;
  case LOGS_EVENT: {
    bool timed = stamp->kind == TR_STRING;
    TrEvent event = timed ? tr_event_of(message->words.text, message->words.length) : TR_EVENT_OTHER;
    sqlite3_result_text(context, tr_event_name(event), -1, SQLITE_STATIC);
    break;
  }
  case LOGS_MESSAGE: result_message(context, message); break;
  case LOGS_OFFSET: sqlite3_result_int64(context, line->offset); break;
  }
}

static int logs_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  LogsCursor *logs = (LogsCursor *)base;
  const char *reason = tr_log_scan_entry_reason(&logs->scan);
  if (column == LOGS_HOST) {
    tr_result_host(context, tr_scan_file_host(&logs->scan.current));
  } else if (column == LOGS_JOB_ID || column == LOGS_JOB) {
    TrBytes job = tr_log_scan_job_id(&logs->scan);
    tr_result_bytes(context, job.text, job.length);
  } else if (reason) {
    entry_column(context, reason, column);
  } else {
    message_column(context, logs, column);
  }
  return SQLITE_OK;
}

int tr_logs_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = logs_connect, /* the same as xConnect: the table is eponymous */
      .xConnect = logs_connect,
      .xBestIndex = logs_best_index,
      .xDisconnect = tr_table_disconnect,
      .xDestroy = tr_table_disconnect,
      .xOpen = logs_open,
      .xClose = logs_close,
      .xFilter = logs_filter,
      .xNext = logs_next,
      .xEof = tr_table_eof,
      .xColumn = logs_column,
      .xRowid = logs_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_logs", &module, connection, tr_connection_unref);
}
