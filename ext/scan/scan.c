/*
** scan.c - one pass over what a filter wants: directory, files, lines and records put together.
**
** Entry by entry of the queue, line by line, until there is one that the table wants to show. When a few megabytes have
** gone by like that, more is likely to follow, and threads are put to work ahead (workers.c): the lines then come from
** blocks, the same ones in the same order. Whatever is not plain, be it an entry or a line, waits for its turn, and is read
** as if there were no blocks.
**
** For a table with a row for each file (TR_WANT_FILES), the caller takes the two steps itself: to the next file, and to
** its next line, be it a record or a reject. Each file is then read whole and forwards, in whatever order files come.
*/
#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- one entry ---------------------------------------------------------------------------------------------------- */

static int entry_error(TrScan *scan, int code, const char *what, int reason, char **message) {
  return tr_error(message, code, "job '%.*s': %s/%s %s: %s", (int)tr_scan_job_length(scan), scan->name, scan->dir_path,
                  scan->name, what, strerror(reason));
}

/* The entry as a whole is a row, of task_rejects or task_logs. */
static int reject_entry(TrScan *scan, const char *what, const char *detail) {
  scan->line = (TrLine){0};
  scan->entry_reason = sqlite3_mprintf("%s%s", what, detail);
  return scan->entry_reason ? SQLITE_ROW : SQLITE_NOMEM;
}

/* May it be passed over? A file that cannot be opened for another reason, or a log, has somebody's attention. */
static bool is_skipped(const TrScan *scan) {
  bool is_forbidden = scan->file.error_number == EACCES || scan->file.error_number == EPERM;
  return scan->skips_unreadable && is_forbidden && scan->want != TR_WANT_MESSAGES;
}

/* SQLITE_ROW: the entry is a reject. SQLITE_OK: scan->file is open, or there is nothing here to see. */
static int classify_entry(TrScan *scan, TrEntry entry, char **message) {
  if (entry == TR_ENTRY_READABLE && scan->file.stat.st_size > TR_MAX_FILE_BYTES) {
    tr_file_close(&scan->file);
    scan->file.error_number = EFBIG;
    entry = TR_ENTRY_UNREADABLE;
  }
  if (entry == TR_ENTRY_READABLE || entry == TR_ENTRY_VANISHED) return SQLITE_OK;
  if (entry == TR_ENTRY_IRREGULAR && (scan->want == TR_WANT_RECORDS || scan->want == TR_WANT_FILES)) return SQLITE_OK;
  if (entry == TR_ENTRY_UNREADABLE && scan->want != TR_WANT_REJECTS && is_skipped(scan)) return SQLITE_OK;
  if (entry == TR_ENTRY_UNREADABLE && scan->want != TR_WANT_REJECTS)
    return entry_error(scan, SQLITE_CANTOPEN, "cannot be opened", scan->file.error_number, message);
  if (entry == TR_ENTRY_IRREGULAR)
    return reject_entry(scan, "not a regular file, but ", tr_file_type(scan->file.stat.st_mode));
  return reject_entry(scan, "cannot be opened: ", strerror(scan->file.error_number));
}

/* A rowid is good only where a line begins. */
static int seek_line(TrScan *scan, int64_t *from, int64_t *size, char **message) {
  *from = scan->filter.rowid & (TR_MAX_FILE_BYTES - 1);
  char before = '\n';
  ssize_t got = 1;
  if (*from > 0 && *from < *size) {
    do {
      got = pread(scan->file.fd, &before, 1, *from - 1);
    } while (got < 0 && errno == EINTR);
  }
  if (got < 0) return entry_error(scan, SQLITE_IOERR_READ, "cannot be read", errno, message);
  if (before != '\n' || *from >= *size) *from = *size;
  return SQLITE_OK;
}

/* Does the filter name one line, and not a file? */
static bool is_one_line(const TrScan *scan) {
  return scan->filter.by_rowid && scan->want != TR_WANT_FILES;
}

static int begin_lines(TrScan *scan, char **message) {
  int64_t from = 0, size = scan->file.stat.st_size;
  bool one_line = is_one_line(scan);
  bool backwards = scan->filter.order == TR_ORDER_ROWID_DESC && !one_line && scan->want != TR_WANT_FILES;
  int code = one_line ? seek_line(scan, &from, &size, message) : SQLITE_OK;
  if (code != SQLITE_OK) return code;
  tr_messages_open(&scan->messages, &scan->lines);
  bool is_long = !one_line && !backwards && scan->want != TR_WANT_MESSAGES && scan->read_ahead.threads > 1;
  scan->read_ahead.begins_at = is_long ? TR_SHARE_BYTES - scan->read_ahead.passed : INT64_MAX;
  if (scan->read_ahead.passed < TR_SHARE_BYTES) scan->read_ahead.passed += size;
  return tr_lines_open(&scan->lines, scan->file.fd, from, size, scan->max_line, backwards, scan->poll);
}

/* --- the next entry ----------------------------------------------------------------------------------------------- */

/* Turns to the next entry of the queue. SQLITE_ROW: it is a reject as a whole. SQLITE_OK: look at its lines. */
static int next_entry(TrScan *scan, char **message) {
  int code = tr_read_ahead_next_file(scan);
  if (code != SQLITE_OK || scan->read_ahead.block) return code;
  if (scan->queue_at == scan->queue_count) return SQLITE_DONE;
  scan->ordinal = scan->queue[scan->queue_at++];
  scan->name = tr_names_get(scan->connection->names, scan->ordinal);
  if (!tr_store_has_name(scan->store, scan->name, strlen(scan->name))) {
    /* It may be gone by now: finished since it was listed, or asked for by the rowid it once had. */
    bool gone = fstatat(scan->dir.fd, scan->name, &scan->file.stat, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
    if (gone || tr_leftover_is_held(scan->dir.fd, scan->name)) return SQLITE_OK;
    return reject_entry(scan, "left by an interrupted prune; the next prune of the job finishes it: ", scan->name);
  }
  if (!tr_utf8_is_valid(scan->name, strlen(scan->name))) return reject_entry(scan, "file name is not valid UTF-8", "");
  TrEntry entry;
  code = tr_dir_open_file(&scan->dir, scan->name, scan->poll, &scan->file, &entry);
  if (code == SQLITE_OK) code = classify_entry(scan, entry, message);
  if (code == SQLITE_OK && scan->file.fd >= 0) code = begin_lines(scan, message);
  return code;
}

/* --- one line ----------------------------------------------------------------------------------------------------- */

static bool wants_line(TrScan *scan) {
  return tr_wants_line(scan->want, &scan->filter, &scan->line, &scan->record, scan->reason, &scan->connection->untimed);
}

/* Reads the next line and parses it: scan->reason, and scan->record where that is TR_OK. */
static int read_line(TrScan *scan) {
  if (scan->want != TR_WANT_MESSAGES)
    return tr_parse_next(&scan->parser, &scan->lines, &scan->line, &scan->record, &scan->reason);
  int code = tr_messages_next(&scan->messages, &scan->line);
  if (code == SQLITE_ROW) scan->reason = tr_message_parse(&scan->line, &scan->record) ? TR_OK : TR_BLANK;
  return code;
}

static int line_error(TrScan *scan, int code, int reason, char **message) {
  if (code != SQLITE_IOERR_READ && code != SQLITE_IOERR_FSTAT) return code;
  return tr_error(message, code, "job '%.*s': %s/%s cannot be read at byte %lld: %s", (int)tr_scan_job_length(scan),
                  scan->name, scan->dir_path, scan->name, (long long)tr_lines_position(&scan->lines), strerror(reason));
}

/* Line by line. SQLITE_OK: far enough for blocks. */
static int next_line(TrScan *scan, char **message) {
  bool one_line = is_one_line(scan);
  while (tr_lines_following(&scan->lines) < scan->read_ahead.begins_at) {
    int code = read_line(scan);
    if (code == SQLITE_DONE) return code;
    if (code != SQLITE_ROW) return line_error(scan, code, errno, message);
    bool wanted = wants_line(scan);
    if (one_line) tr_file_close(&scan->file); /* one line is all; it stays in the buffer */
    if (wanted) return SQLITE_ROW;
    if (one_line) return SQLITE_DONE;
  }
  return SQLITE_OK;
}

/* Turns to the first line that the current block has left. If the block was not read, that is the one behind the line
** that holds the byte before it. */
static int open_lines_left(TrScan *scan) {
  const TrBlock *block = scan->read_ahead.block;
  bool skips = block->unread && block->from > 0;
  int code = tr_lines_open(&scan->lines, scan->file.fd, block->stopped_at - skips, scan->file.stat.st_size,
                           scan->max_line, false, scan->poll);
  if (code == SQLITE_OK && skips) code = tr_lines_next(&scan->lines, &scan->line);
  return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* What the current block has left to the caller. SQLITE_DONE: that was all of it. */
static int next_line_left(TrScan *scan, char **message) {
  TrBlock *block = scan->read_ahead.block;
  int code = SQLITE_OK;
  if (!scan->read_ahead.by_line) {
    code = open_lines_left(scan);
    scan->read_ahead.by_line = code == SQLITE_OK;
  }
  while (code == SQLITE_OK && tr_lines_following(&scan->lines) < block->to) {
    code = read_line(scan);
    if (code == SQLITE_ROW && !wants_line(scan)) code = SQLITE_OK;
  }
  if (code == SQLITE_ROW) return code;
  if (code != SQLITE_OK && code != SQLITE_DONE) return line_error(scan, code, errno, message);
  block->shrunk = code == SQLITE_DONE; /* or there would be a line */
  block->stopped_at = block->to;
  return SQLITE_DONE;
}

/* The same, from blocks. */
static int next_from_blocks(TrScan *scan, char **message) {
  for (;;) {
    TrBlock *block = scan->read_ahead.block;
    if (scan->read_ahead.given < block->count) {
      const TrParsed *parsed = &block->parsed[scan->read_ahead.given++];
      scan->line = parsed->line;
      scan->record = parsed->record;
      scan->reason = parsed->reason;
      return SQLITE_ROW;
    }
    if (block->stopped_at < block->to && !block->shrunk) {
      int code = next_line_left(scan, message);
      if (code != SQLITE_DONE) return code;
    }
    if (block->shrunk || block->to == scan->file.stat.st_size) return SQLITE_DONE;
    int code = tr_read_ahead_next_block(scan);
    if (code != SQLITE_OK) return code;
  }
}

/* SQLITE_ROW, SQLITE_DONE at the end of the entry, or an error. */
int tr_scan_next_line(TrScan *scan, char **message) {
  while (scan->read_ahead.block == NULL) {
    int code = next_line(scan, message);
    if (code != SQLITE_OK) return code;
    code = tr_read_ahead_begin(scan);
    if (code != SQLITE_OK) return code;
  }
  return next_from_blocks(scan, message);
}

/* --- the scan ----------------------------------------------------------------------------------------------------- */

int tr_scan_next(TrScan *scan, char **message) {
  for (;;) {
    sqlite3_free(scan->entry_reason);
    scan->entry_reason = NULL;
    if (scan->file.fd >= 0) {
      int code = tr_scan_next_line(scan, message);
      if (code == SQLITE_DONE) code = tr_read_ahead_leave_file(scan);
      if (code != SQLITE_OK) return code;
    }
    int code = next_entry(scan, message);
    if (code != SQLITE_OK) return code;
  }
}

/* An entry that vanished, or is no file, is passed over. */
int tr_scan_next_file(TrScan *scan, char **message) {
  int code = tr_read_ahead_leave_file(scan);
  if (code == SQLITE_OK) {
    do {
      code = next_entry(scan, message);
    } while (code == SQLITE_OK && scan->file.fd < 0);
  }
  return code == SQLITE_OK ? SQLITE_ROW : code;
}

/* Gives up everything but the buffers, which the next pass can use again. */
static void release(TrScan *scan) {
  tr_workers_stop(scan->read_ahead.blocks);
  memset(&scan->read_ahead, 0, sizeof scan->read_ahead);
  tr_filter_free(&scan->filter);
  tr_file_close(&scan->file);
  tr_dir_close(&scan->dir);
  sqlite3_free(scan->dir_path);
  sqlite3_free(scan->queue);
  sqlite3_free(scan->entry_reason);
  scan->dir_path = scan->entry_reason = NULL;
  scan->queue = NULL;
  scan->queue_count = scan->queue_room = scan->queue_at = 0;
}

int tr_scan_begin(TrScan *scan, const TrSettings *settings, TrFilter *filter, char **message) {
  release(scan);
  scan->store = settings->store;
  scan->filter = *filter;
  *filter = (TrFilter){0};
  tr_parser_init(&scan->parser);
  int code = tr_settings_max_line(settings, &scan->max_line, message);
  if (code == SQLITE_OK) code = tr_settings_threads(&scan->read_ahead.threads, message);
  if (code == SQLITE_OK) code = tr_settings_skips_unreadable(&scan->skips_unreadable, message);
  if (code != SQLITE_OK) return code;
  scan->dir_path = sqlite3_mprintf("%s", tr_settings_dir(settings));
  if (scan->dir_path == NULL) return SQLITE_NOMEM;
  code = tr_dir_open(&scan->dir, scan->store, scan->dir_path, message);
  if (code == SQLITE_OK) code = tr_queue_fill(scan, message);
  return code;
}

void tr_scan_init(TrScan *scan, TrConnection *connection, TrPoll *poll, TrWant want) {
  *scan = (TrScan){.connection = connection, .poll = poll, .want = want, .dir.fd = -1, .file.fd = -1};
}

void tr_scan_end(TrScan *scan) {
  release(scan);
  tr_messages_close(&scan->messages);
  tr_lines_close(&scan->lines);
}

TrBytes tr_scan_words(const TrScan *scan) {
  size_t start = tr_message_start(&scan->record);
  return (TrBytes){(const char *)scan->line.text + start, scan->messages.held - start};
}

size_t tr_scan_job_length(const TrScan *scan) {
  return strlen(scan->name) - scan->store->suffix_length;
}

int64_t tr_scan_rowid(const TrScan *scan) {
  return (int64_t)scan->ordinal << TR_OFFSET_BITS | scan->line.offset;
}
