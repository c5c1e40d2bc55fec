/*
** receipts.c - the receipts of a job: the lines of .taskresults/prunes/JOB.jsonl.
**
** A prune appends its receipt with one write. If it is killed meanwhile, the file ends with the beginning of a receipt.
** The prune that recovers closes that with a newline, and appends the whole receipt again. So of two lines, the first
** may be the beginning of the second: then it says nothing.
**
** The last line may be such a beginning, too, while a prune is writing it, or until the next prune recovers. As long as
** that is so, the receipt is also in the folder as a pending one. If it is not, somebody was quicker than we: then the
** end is read again. A line that is still no receipt is an error: its numbers would be missing.
*/
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int tr_receipts_enter(TrOwnFolder *folder, int dir_fd, const char *dir_path, bool makes, char **message) {
  return tr_own_folder_open(folder, dir_fd, dir_path, TR_RECEIPTS_FOLDER, makes, TR_RECEIPTS_WHAT, message);
}

char *tr_receipts_path(const char *dir_path) {
  return sqlite3_mprintf("%s/" TR_OWN_FOLDER "/" TR_RECEIPTS_FOLDER, dir_path);
}

void tr_receipts_pending_name(const char *job_id, size_t length, char out[TR_PENDING_NAME_SIZE]) {
  sqlite3_snprintf(TR_PENDING_NAME_SIZE, out, "%016llx.pending", (unsigned long long)tr_hash_bytes(job_id, length));
}

/* --- errors ------------------------------------------------------------------------------------------------------- */

static int receipts_error(const TrReceipts *receipts, int code, const char *cause, char **message) {
  return tr_error(message, code, TR_RECEIPTS_WHAT ", %s/%s: %s", receipts->folder->path, receipts->name, cause);
}

static int receipts_line_error(const TrReceipts *receipts, int64_t offset, const char *cause, char **message) {
  return tr_error(message, SQLITE_CORRUPT,
                  TR_RECEIPTS_WHAT ", %s/%s: the line at byte %lld cannot be understood: %s (repair it, or remove it)",
                  receipts->folder->path, receipts->name, (long long)offset, cause);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static int read_from(TrReceipts *receipts, int64_t from) {
  return tr_lines_open(&receipts->lines, receipts->file.fd, from, receipts->file.stat.st_size, TR_RECEIPT_MAX_BYTES,
                       false, receipts->poll);
}

int tr_receipts_open_file(TrDir *folder, const char *name, TrPoll *poll, TrFile *file, char **message) {
  TrEntry entry;
  int code = tr_dir_open_file(folder, name, poll, file, &entry);
  if (code != SQLITE_OK || entry == TR_ENTRY_READABLE || entry == TR_ENTRY_VANISHED) return code;
  bool is_file = entry == TR_ENTRY_UNREADABLE;
  return tr_error(message, is_file ? SQLITE_CANTOPEN : SQLITE_ERROR, TR_RECEIPTS_WHAT ", %s/%s: %s%s", folder->path,
                  name, is_file ? "" : "it is ",
                  is_file ? strerror(file->error_number) : tr_file_type(file->stat.st_mode));
}

int tr_receipts_open(TrReceipts *receipts, TrDir *folder, const char *name, TrPoll *poll, char **message) {
  tr_receipts_close(receipts);
  receipts->folder = folder;
  receipts->poll = poll;
  sqlite3_snprintf(sizeof receipts->name, receipts->name, "%s", name);
  int code = tr_receipts_open_file(folder, name, poll, &receipts->file, message);
  return code == SQLITE_OK && receipts->file.fd >= 0 ? read_from(receipts, 0) : code;
}

static void forget_torn(TrReceipts *receipts) {
  sqlite3_free(receipts->torn);
  receipts->torn = NULL;
}

void tr_receipts_close(TrReceipts *receipts) {
  if (receipts->folder) tr_file_close(&receipts->file);
  if (receipts->lines.buffer) tr_lines_close(&receipts->lines);
  tr_receipt_free(&receipts->receipt);
  forget_torn(receipts);
  *receipts = (TrReceipts){.file.fd = -1};
}

/* --- lines that were cut short ------------------------------------------------------------------------------------ */

/* Is one of the two texts the beginning of the other? */
static bool begins_alike(const void *one, size_t one_length, const void *other, size_t other_length) {
  return memcmp(one, other, one_length < other_length ? one_length : other_length) == 0;
}

static bool begins_like_receipt(const void *text, size_t length) {
  static const char start[] = "{\"id\":\"";
  return begins_alike(text, length, start, sizeof start - 1);
}

/* Keeps the line, until the next one shows whether it is the beginning of that. */
static int keep_torn(TrReceipts *receipts) {
  const TrLine *line = &receipts->line;
  forget_torn(receipts);
  receipts->torn = sqlite3_malloc64(line->length + 1);
  if (receipts->torn == NULL) return SQLITE_NOMEM;
  memcpy(receipts->torn, line->text, (size_t)line->length);
  receipts->torn_length = (size_t)line->length;
  receipts->torn_at = line->offset;
  return SQLITE_OK;
}

/* Is the current line what the torn one was to be? It must be longer, unless it is cut short itself. */
static bool completes_torn(const TrReceipts *receipts) {
  const TrLine *line = &receipts->line;
  return begins_alike(receipts->torn, receipts->torn_length, line->text, (size_t)line->length);
}

static int torn_error(const TrReceipts *receipts, char **message) {
  return receipts_line_error(receipts, receipts->torn_at, "it was cut short, and the next one is of another prune",
                             message);
}

/* The file ends with a torn line. Is its prune unfinished? */
static int judge_end(TrReceipts *receipts, char **message) {
  char pending[TR_PENDING_NAME_SIZE];
  struct stat unused;
  if (receipts->torn == NULL) return SQLITE_DONE;
  tr_receipts_pending_name(receipts->name, strlen(receipts->name) - TR_SUFFIX_LEN, pending);
  if (fstatat(receipts->folder->fd, pending, &unused, AT_SYMLINK_NOFOLLOW) == 0) return SQLITE_DONE;
  if (receipts->looks_again) {
    return receipts_line_error(receipts, receipts->torn_at, "it was cut short", message);
  }
  if (fstat(receipts->file.fd, &receipts->file.stat) != 0) {
    return receipts_error(receipts, SQLITE_IOERR_FSTAT, strerror(errno), message);
  }
  receipts->looks_again = true;
  int code = read_from(receipts, receipts->torn_at);
  forget_torn(receipts);
  return code;
}

/* SQLITE_OK: the line says nothing, and the next one follows. */
static int take_line_of_receipts(TrReceipts *receipts, char **message) {
  const TrLine *line = &receipts->line;
  char *cause = NULL;
  if (line->too_long) return receipts_line_error(receipts, line->offset, "it is too long", message);
  if (receipts->torn && !completes_torn(receipts)) return torn_error(receipts, message);
  tr_receipt_free(&receipts->receipt);
  int code = line->terminated
                 ? tr_receipt_parse((const char *)line->text, (size_t)line->length, &receipts->receipt, &cause)
                 : SQLITE_CORRUPT;
  if (code == SQLITE_OK) {
    forget_torn(receipts);
    return SQLITE_ROW;
  }
  if (code == SQLITE_CORRUPT && begins_like_receipt(line->text, (size_t)line->length)) {
    code = keep_torn(receipts);
  } else if (code == SQLITE_CORRUPT) {
    receipts_line_error(receipts, line->offset, cause ? cause : "it was cut short", message);
  }
  sqlite3_free(cause);
  return code;
}

int tr_receipts_next(TrReceipts *receipts, char **message) {
  int code = SQLITE_OK;
  while (code == SQLITE_OK && receipts->file.fd >= 0) {
    code = tr_lines_next(&receipts->lines, &receipts->line);
    if (code == SQLITE_ROW)
      code = take_line_of_receipts(receipts, message);
    else if (code == SQLITE_DONE)
      code = judge_end(receipts, message);
    else if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_FSTAT)
      receipts_error(receipts, code, strerror(errno), message);
  }
  return code == SQLITE_OK ? SQLITE_DONE : code;
}
