/*
** log_scan.c - one pass over the messages of logs that a filter wants: files, lines and messages together.
**
** There are no blocks and no threads here, unlike in scan.c: logs are small beside results, and a message ends only
** where the next one begins.
*/
#include "scan.h"

static int begin_messages(TrLogScan *scan, char **message) {
  const TrFile *file = &scan->current.file;
  int64_t from = 0, size = file->stat.st_size;
  bool one_message = scan->filter.by_rowid;
  bool backwards = scan->filter.order == TR_ORDER_ROWID_DESC && !one_message;
  int code = SQLITE_OK;
  if (one_message) code = tr_scan_file_seek(&scan->current, scan->filter.rowid, &from, &size, message);
  if (code != SQLITE_OK) return code;
  tr_messages_open(&scan->messages, &scan->lines);
  return tr_lines_open(&scan->lines, file->fd, from, size, scan->max_line, backwards, scan->poll);
}

/* Moves to the next entry of the list. SQLITE_ROW: the entry as a whole is a row. SQLITE_OK: read its messages. */
static int next_log(TrLogScan *scan, char **message) {
  int code = tr_scan_file_open_next(&scan->current, message);
  if (code == SQLITE_ROW) scan->message = (TrMessage){0};
  if (code == SQLITE_OK && scan->current.file.fd >= 0) code = begin_messages(scan, message);
  return code;
}

static bool wants_message(TrLogScan *scan) {
  const TrMessage *message = &scan->message;
  if (message->timestamp.kind == TR_ABSENT && message->line.offset > 0) return false;
  TrRecord record = {.field[TR_TIMESTAMP] = message->timestamp};
  return !tr_filter_skips(&scan->filter, &message->line, &record, scan->untimed);
}

/* SQLITE_DONE: no more wanted messages in this log. */
static int next_message(TrLogScan *scan, char **message) {
  for (;;) {
    int code = tr_messages_next(&scan->messages, &scan->message);
    if (code == SQLITE_DONE) return code;
    if (code != SQLITE_ROW) return tr_scan_file_line_error(&scan->current, &scan->lines, code, message);
    bool wanted = wants_message(scan), one_message = scan->filter.by_rowid;
    if (one_message) tr_file_close(&scan->current.file); /* only one is wanted; it stays in the buffer */
    if (wanted || one_message) return wanted ? SQLITE_ROW : SQLITE_DONE;
  }
}

int tr_log_scan_next(TrLogScan *scan, char **message) {
  for (;;) {
    tr_scan_file_forget(&scan->current);
    if (scan->current.file.fd >= 0) {
      int code = next_message(scan, message);
      if (code != SQLITE_DONE) return code;
      tr_file_close(&scan->current.file);
    }
    int code = next_log(scan, message);
    if (code != SQLITE_OK) return code;
  }
}

/* Frees everything but the buffers, which the next pass uses again. */
static void release_logs(TrLogScan *scan) {
  tr_filter_free(&scan->filter);
  tr_scan_file_close(&scan->current);
  tr_file_list_close(&scan->logs);
}

int tr_log_scan_begin(TrLogScan *scan, const TrSettings *settings, TrFilter *filter, char **message) {
  TrScanSettings read;
  release_logs(scan);
  scan->lines.has_shrunk = false; /* there may be no log */
  scan->filter = *filter;
  *filter = (TrFilter){0};
  int code = tr_settings_read(settings, &read, message);
  if (code != SQLITE_OK) return code;
  scan->max_line = read.max_line;
  return tr_file_list_open(&scan->logs, settings, &scan->filter, message);
}

void tr_log_scan_init(TrLogScan *scan, TrConnection *connection, TrPoll *poll) {
  *scan = (TrLogScan){.poll = poll, .untimed = &connection->untimed};
  tr_file_list_init(&scan->logs, connection->names, poll, TR_FOR_MESSAGES);
  scan->current = (TrScanFile){.list = &scan->logs, .file.fd = -1};
}

void tr_log_scan_end(TrLogScan *scan) {
  release_logs(scan);
  tr_messages_close(&scan->messages);
  tr_lines_close(&scan->lines);
}

/* --- for the tables ----------------------------------------------------------------------------------------------- */

int64_t tr_log_scan_rowid(const TrLogScan *scan) {
  return (int64_t)scan->current.ordinal << TR_OFFSET_BITS | scan->message.line.offset;
}
