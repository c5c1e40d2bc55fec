/*
** logs.c - task_logs: one row per message of the jobs' logs.
**
**   SELECT timestamp, event, message FROM task_logs('my-job') ORDER BY rowid DESC LIMIT 5;
**   SELECT job_id, timestamp, event FROM task_logs WHERE event IN ('paused', 'resumed', 'deleted') ORDER BY time_us;
**   CREATE VIRTUAL TABLE temp.old_logs USING task_logs(dir='/backup/logs');
**
** There is no table of rejects beside this one, so everything is a row here: lines before the first timestamp, and an
** entry ending in .log that is no file (offset NULL; the message says what it is) are of event 'other', without a time.
** Bytes that are not UTF-8 read as U+FFFD; what max_line cut off a message is told at its end.
*/
#include "tables.h"

#include <string.h>

enum { COLUMN_TIME_US, COLUMN_TIMESTAMP, COLUMN_JOB_ID, COLUMN_EVENT, COLUMN_MESSAGE, COLUMN_JOB, COLUMN_OFFSET };

static const char schema[] = "CREATE TABLE task_logs("
                             "time_us INTEGER, timestamp TEXT, job_id TEXT, event TEXT, message TEXT, "
                             "job TEXT HIDDEN, offset INTEGER HIDDEN)";

static TrColumn column_of(int column) {
  switch (column) {
  case COLUMN_JOB_ID:
  case COLUMN_JOB: return TR_COLUMN_JOB_ID;
  case COLUMN_TIMESTAMP: return TR_COLUMN_TIMESTAMP;
  case COLUMN_TIME_US: return TR_COLUMN_TIME_US;
  default: return TR_COLUMN_OTHER;
  }
}

static int logs_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                        char **message) {
  return tr_table_connect(db, connection, &tr_logs_store, schema, argc, argv, vtab, message);
}

static int logs_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  return tr_plan_choose(info, column_of, ((TrTable *)vtab)->connection, false);
}

static int logs_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor) {
  return tr_table_open(vtab, TR_WANT_MESSAGES, cursor);
}

static void result_message(sqlite3_context *context, const TrScan *scan) {
  TrBytes words = tr_scan_words(scan);
  char note[64] = "";
  if (!scan->line.too_long && tr_utf8_is_valid(words.text, words.length)) {
    sqlite3_result_text64(context, words.text, words.length, SQLITE_TRANSIENT, SQLITE_UTF8);
    return;
  }
  unsigned char *text = sqlite3_malloc64(3 * (sqlite3_uint64)words.length + sizeof note);
  if (text == NULL) {
    sqlite3_result_error_nomem(context);
    return;
  }
  size_t length = tr_utf8_repair((const unsigned char *)words.text, words.length, text);
  if (scan->line.too_long) {
    unsigned long long cut = scan->line.length - scan->messages.held;
    sqlite3_snprintf(sizeof note, note, "… [%llu more bytes; see max_line]", cut);
  }
  memcpy(text + length, note, strlen(note));
  sqlite3_result_text64(context, (char *)text, length + strlen(note), sqlite3_free, SQLITE_UTF8);
}

/* An entry that is not a log. */
static void entry_column(sqlite3_context *context, const TrScan *scan, int column) {
  if (column == COLUMN_EVENT) sqlite3_result_text(context, tr_event_name(TR_EVENT_OTHER), -1, SQLITE_STATIC);
  if (column == COLUMN_MESSAGE) sqlite3_result_text(context, scan->entry_reason, -1, SQLITE_TRANSIENT);
}

static void message_column(sqlite3_context *context, const TrScan *scan, TrScratch *scratch, int column) {
  const TrSpan *stamp = &scan->record.field[TR_TIMESTAMP];
  int64_t time_us;
  TrBytes words = tr_scan_words(scan);
  switch (column) {
  case COLUMN_TIME_US:
    if (tr_span_time_us(&scan->line, stamp, &time_us)) sqlite3_result_int64(context, time_us);
    break;
  case COLUMN_TIMESTAMP: tr_result_span(context, &scan->line, stamp, scan->connection->c_locale, scratch); break;
  case COLUMN_EVENT: {
    bool timed = stamp->kind == TR_STRING;
    TrEvent event = timed ? tr_event_of(words.text, words.length) : TR_EVENT_OTHER;
    sqlite3_result_text(context, tr_event_name(event), -1, SQLITE_STATIC);
    break;
  }
  case COLUMN_MESSAGE: result_message(context, scan); break;
  case COLUMN_OFFSET: sqlite3_result_int64(context, scan->line.offset); break;
  }
}

static int logs_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  TrCursor *cursor = (TrCursor *)base;
  const TrScan *scan = &cursor->scan;
  if (column == COLUMN_JOB_ID || column == COLUMN_JOB) {
    tr_result_bytes(context, scan->name, tr_scan_job_length(scan));
  } else if (scan->entry_reason) {
    entry_column(context, scan, column);
  } else {
    message_column(context, scan, &cursor->scratch, column);
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
      .xClose = tr_table_close,
      .xFilter = tr_table_filter,
      .xNext = tr_table_next,
      .xEof = tr_table_eof,
      .xColumn = logs_column,
      .xRowid = tr_table_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_logs", &module, connection, tr_connection_unref);
}
