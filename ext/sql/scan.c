/*
** scan.c - one pass over what a filter wants: directory, files, lines and records put together.
**
** First the queue: the entries to look at, as ordinals in ascending order (descending for newest first), so that rowids
** come out in order. A filter that names its jobs exactly needs no listing, and opens just their files. Then entry by
** entry, line by line, until there is one that the table wants to show.
**
** For a table with a row for each file (TR_WANT_FILES), the caller takes the two steps itself: to the next file, and to
** its next line, be it a record or a reject. Each file is then read whole and forwards, in whatever order files come.
*/
#include "../tr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the queue ---------------------------------------------------------------------------------------------------- */

static int enqueue(TrScan *scan, uint32_t ordinal) {
  if (scan->queue_count == scan->queue_room) {
    size_t room = scan->queue_room ? 2 * scan->queue_room : 16;
    uint32_t *queue = sqlite3_realloc64(scan->queue, room * sizeof *queue);
    if (queue == NULL) return SQLITE_NOMEM;
    scan->queue = queue;
    scan->queue_room = room;
  }
  scan->queue[scan->queue_count++] = ordinal;
  return SQLITE_OK;
}

static int intern_and_enqueue(TrScan *scan, const char *name) {
  uint32_t ordinal;
  int code = tr_names_intern(scan->connection->names, name, strlen(name), &ordinal);
  return code == SQLITE_OK ? enqueue(scan, ordinal) : code;
}

/* Is the entry anything for this scan? Leftovers are for task_rejects only, and bad names not for tables of records. */
static bool wants_entry(const TrScan *scan, const char *name) {
  size_t length = strlen(name);
  if (!tr_store_has_name(scan->store, name, length)) return scan->want == TR_WANT_REJECTS && tr_leftover_is_named(name);
  bool needs_job = scan->want == TR_WANT_RECORDS || scan->want == TR_WANT_FILES;
  if (needs_job && !tr_utf8_is_valid(name, length)) return false;
  return tr_filter_wants_job(&scan->filter, name, length - scan->store->suffix_length);
}

/* Names seen for the first time get their ordinals in alphabetical order, not in the directory's. */
typedef struct NewNames {
  TrScan *scan;
  char **name; /* owned */
  size_t count, room;
} NewNames;

static int visit_entry(void *context, const char *name) {
  NewNames *fresh = context;
  TrScan *scan = fresh->scan;
  uint32_t ordinal;
  if (!wants_entry(scan, name)) return SQLITE_OK;
  if (tr_names_find(scan->connection->names, name, strlen(name), &ordinal)) return enqueue(scan, ordinal);
  if (fresh->count == fresh->room) {
    size_t room = fresh->room ? 2 * fresh->room : 16;
    char **grown = sqlite3_realloc64(fresh->name, room * sizeof *grown);
    if (grown == NULL) return SQLITE_NOMEM;
    fresh->name = grown;
    fresh->room = room;
  }
  fresh->name[fresh->count] = sqlite3_mprintf("%s", name);
  return fresh->name[fresh->count] ? (fresh->count++, SQLITE_OK) : SQLITE_NOMEM;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int enqueue_listing(TrScan *scan, char **message) {
  NewNames fresh = {.scan = scan};
  int code = tr_dir_list(&scan->dir, scan->poll, visit_entry, &fresh, message);
  if (fresh.count > 1) qsort(fresh.name, fresh.count, sizeof *fresh.name, compare_names);
  for (size_t i = 0; i < fresh.count; i++) {
    if (code == SQLITE_OK) code = intern_and_enqueue(scan, fresh.name[i]);
    sqlite3_free(fresh.name[i]);
  }
  sqlite3_free(fresh.name);
  return code;
}

/* Only names that exist are interned, or a join on many unknown jobs would fill the map. */
static int enqueue_job(TrScan *scan, const TrText *job) {
  char name[TR_NAME_SIZE];
  struct stat unused;
  if (!tr_store_has_job(scan->store, job->text, job->length)) return SQLITE_OK;
  if (!tr_filter_wants_job(&scan->filter, job->text, job->length)) return SQLITE_OK;
  memcpy(name, job->text, job->length);
  memcpy(name + job->length, scan->store->suffix, scan->store->suffix_length + 1);
  if (!wants_entry(scan, name)) return SQLITE_OK;
  if (fstatat(scan->dir.fd, name, &unused, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) return SQLITE_OK;
  return intern_and_enqueue(scan, name);
}

static int enqueue_rowid(TrScan *scan) {
  int64_t ordinal = scan->filter.rowid >> TR_OFFSET_BITS;
  if (ordinal < 0 || ordinal > TR_MAX_ORDINAL) return SQLITE_OK;
  const char *name = tr_names_get(scan->connection->names, (uint32_t)ordinal);
  return name && wants_entry(scan, name) ? enqueue(scan, (uint32_t)ordinal) : SQLITE_OK;
}

/* A list of exact names is enough; but a leftover in task_rejects may belong to one of them all the same. */
static int fill_queue(TrScan *scan, char **message) {
  if (scan->filter.nothing) return SQLITE_OK;
  if (scan->filter.by_rowid) return enqueue_rowid(scan);
  const TrJobTerm *exact = scan->want != TR_WANT_REJECTS ? tr_filter_exact_jobs(&scan->filter) : NULL;
  if (exact == NULL) return enqueue_listing(scan, message);
  int code = SQLITE_OK;
  for (int i = 0; i < exact->count && code == SQLITE_OK; i++) code = enqueue_job(scan, &exact->choice[i]);
  return code;
}

static int compare_ordinals(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void order_queue(TrScan *scan) {
  if (scan->queue_count < 2) return;
  uint32_t *queue = scan->queue;
  qsort(queue, scan->queue_count, sizeof *queue, compare_ordinals);
  size_t kept = 1; /* IN ('a', 'a') in another collation, or a file renamed while it was listed */
  for (size_t i = 1; i < scan->queue_count; i++) {
    if (queue[i] != queue[kept - 1]) queue[kept++] = queue[i];
  }
  scan->queue_count = kept;
  for (size_t i = 0; scan->filter.newest_first && i < kept / 2; i++) {
    uint32_t swapped = queue[i];
    queue[i] = queue[kept - 1 - i];
    queue[kept - 1 - i] = swapped;
  }
}

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

/* SQLITE_ROW: the entry is a reject. SQLITE_OK: scan->file is open, or there is nothing here to see. */
static int judge_entry(TrScan *scan, TrEntry entry, char **message) {
  if (entry == TR_ENTRY_READABLE && scan->file.stat.st_size > TR_MAX_FILE_BYTES) {
    tr_file_close(&scan->file);
    scan->file.error_number = EFBIG;
    entry = TR_ENTRY_UNREADABLE;
  }
  if (entry == TR_ENTRY_READABLE || entry == TR_ENTRY_VANISHED) return SQLITE_OK;
  if (entry == TR_ENTRY_IRREGULAR && (scan->want == TR_WANT_RECORDS || scan->want == TR_WANT_FILES)) return SQLITE_OK;
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
  bool backwards = scan->filter.newest_first && !one_line && scan->want != TR_WANT_FILES;
  int code = one_line ? seek_line(scan, &from, &size, message) : SQLITE_OK;
  if (code != SQLITE_OK) return code;
  tr_messages_open(&scan->messages, &scan->lines);
  return tr_lines_open(&scan->lines, scan->file.fd, from, size, scan->max_line, backwards, scan->poll);
}

/* Turns to the next entry of the queue. SQLITE_ROW: it is a reject as a whole. SQLITE_OK: look at its lines. */
static int next_entry(TrScan *scan, char **message) {
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
  int code = tr_dir_open_file(&scan->dir, scan->name, scan->poll, &scan->file, &entry);
  if (code == SQLITE_OK) code = judge_entry(scan, entry, message);
  if (code == SQLITE_OK && scan->file.fd >= 0) code = begin_lines(scan, message);
  return code;
}

/* --- one line ----------------------------------------------------------------------------------------------------- */

/* Is the current line wanted? */
static bool wants_line(const TrScan *scan) {
  if (scan->reason == TR_BLANK) return false;
  if (scan->reason != TR_OK) return scan->want == TR_WANT_REJECTS || scan->want == TR_WANT_FILES;
  return scan->want != TR_WANT_REJECTS && !tr_filter_skips(&scan->filter, &scan->line, &scan->record);
}

/* Reads the next line and judges it: scan->reason, and scan->record where that is TR_OK. */
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

/* SQLITE_ROW, SQLITE_DONE at the end of the entry, or an error. */
int tr_scan_next_line(TrScan *scan, char **message) {
  bool one_line = is_one_line(scan);
  int code;
  while ((code = read_line(scan)) == SQLITE_ROW) {
    bool wanted = wants_line(scan);
    if (one_line) tr_file_close(&scan->file); /* one line is all; it stays in the buffer */
    if (wanted) return SQLITE_ROW;
    if (one_line) return SQLITE_DONE;
  }
  return code == SQLITE_DONE ? code : line_error(scan, code, errno, message);
}

/* --- the scan ----------------------------------------------------------------------------------------------------- */

int tr_scan_next(TrScan *scan, char **message) {
  for (;;) {
    sqlite3_free(scan->entry_reason);
    scan->entry_reason = NULL;
    if (scan->file.fd >= 0) {
      int code = tr_scan_next_line(scan, message);
      if (code != SQLITE_DONE) return code;
      tr_file_close(&scan->file);
    }
    int code = next_entry(scan, message);
    if (code != SQLITE_OK) return code;
  }
}

/* An entry that vanished, or is no file, is passed over. */
int tr_scan_next_file(TrScan *scan, char **message) {
  int code;
  tr_file_close(&scan->file);
  do {
    code = next_entry(scan, message);
  } while (code == SQLITE_OK && scan->file.fd < 0);
  return code == SQLITE_OK ? SQLITE_ROW : code;
}

/* Gives up everything but the buffers, which the next pass can use again. */
static void release(TrScan *scan) {
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

int tr_scan_begin(TrScan *scan, const TrSource *source, TrFilter *filter, char **message) {
  release(scan);
  scan->store = source->store;
  scan->filter = *filter;
  *filter = (TrFilter){0};
  tr_parser_init(&scan->parser);
  int code = tr_source_max_line(source, &scan->max_line, message);
  if (code != SQLITE_OK) return code;
  scan->dir_path = sqlite3_mprintf("%s", tr_source_dir(source));
  if (scan->dir_path == NULL) return SQLITE_NOMEM;
  code = tr_dir_open(&scan->dir, scan->store, scan->dir_path, message);
  if (code == SQLITE_OK) code = fill_queue(scan, message);
  order_queue(scan);
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
