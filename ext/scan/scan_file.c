/*
** scan_file.c - the scan's current file: the next one of its list, opened; or why it cannot be read.
**
** An entry that cannot be read as a file is a row of task_rejects and of task_logs. A table of records skips it if it
** is not a regular file. If it is one that cannot be opened, that is an error; only for results that we have no
** permission to read can TASKRESULTS_UNREADABLE=skip turn it off.
*/
#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void tr_scan_file_close(TrScanFile *current) {
  tr_file_close(&current->file);
  tr_scan_file_forget(current);
}

void tr_scan_file_forget(TrScanFile *current) {
  sqlite3_free(current->reason);
  current->reason = NULL;
}

static TrBytes job_of_file(const TrScanFile *current) {
  TrSegmentName parsed;
  const TrStore *store = current->list->store;
  size_t length = strlen(current->name);
  size_t prefix = store->prefix_length;
  if (tr_store_has_name(store, current->name, length) && store->is_one_name) return (TrBytes){current->name, length};
  if (tr_store_has_name(store, current->name, length))
    return (TrBytes){current->name + prefix, length - prefix - store->suffix_length};
  bool is_segment = current->list->history && tr_segment_name_parse_in(store, current->path, &parsed);
  return is_segment ? parsed.job : (TrBytes){0};
}

void tr_scan_file_set(TrScanFile *current, uint32_t ordinal, const char *path) {
  current->ordinal = ordinal;
  current->path = path;
  current->name = tr_hosts_file_name(path);
  current->job = job_of_file(current);
}

TrBytes tr_scan_file_host(const TrScanFile *current) {
  TrBytes host;
  tr_hosts_own(&current->list->hosts, current->path, &host);
  return host;
}

static int file_error(const TrScanFile *current, int code, const char *what, int reason, char **message) {
  TrBytes job = current->job;
  return tr_error(message, code, "job '%.*s': %s/%s %s: %s", (int)job.length, job.text, current->list->dir_path,
                  current->path, what, strerror(reason));
}

int tr_scan_file_line_error(const TrScanFile *current, const TrLines *lines, int code, char **message) {
  char what[64];
  int reason = errno;
  if (code != SQLITE_IOERR_READ && code != SQLITE_IOERR_FSTAT) return code;
  sqlite3_snprintf(sizeof what, what, "cannot be read at byte %lld", (long long)tr_lines_position(lines));
  return file_error(current, code, what, reason, message);
}

/* SQLITE_ROW: the entry as a whole is a row. */
static int reject_entry(TrScanFile *current, const char *what, const char *detail) {
  current->reason = sqlite3_mprintf("%s%s", what, detail);
  return current->reason ? SQLITE_ROW : SQLITE_NOMEM;
}

static bool is_passed_over(const TrScanFile *current) {
  bool is_forbidden = current->file.error_number == EACCES || current->file.error_number == EPERM;
  return is_forbidden && current->skips_unreadable && current->list->purpose == TR_FOR_RECORDS;
}

static int classify_compressed(TrScanFile *current, char **message) {
  const char *cause = tr_codec_obstacle(current->file.codec);
  if (cause == NULL) return SQLITE_OK;
  tr_file_close(&current->file);
  if (current->list->purpose == TR_FOR_REJECTS) return reject_entry(current, "cannot be read: ", cause);
  return tr_error(message, SQLITE_CANTOPEN, "job '%.*s': %s/%s cannot be read: %s", (int)current->job.length,
                  current->job.text, current->list->dir_path, current->path, cause);
}

static int classify_entry(TrScanFile *current, TrEntry entry, char **message) {
  TrListPurpose purpose = current->list->purpose;
  if (entry == TR_ENTRY_READABLE && current->file.stat.st_size > TR_MAX_FILE_BYTES) {
    tr_file_close(&current->file);
    current->file.error_number = EFBIG;
    entry = TR_ENTRY_UNREADABLE;
  }
  if (entry == TR_ENTRY_READABLE && current->file.codec != TR_CODEC_PLAIN) return classify_compressed(current, message);
  switch (entry) {
  case TR_ENTRY_READABLE:
  case TR_ENTRY_VANISHED: return SQLITE_OK;
  case TR_ENTRY_IRREGULAR:
    if (purpose == TR_FOR_RECORDS) return SQLITE_OK;
    return reject_entry(current, "not a regular file, but ", tr_file_type(current->file.stat.st_mode));
  default:
    if (is_passed_over(current)) return SQLITE_OK;
    if (purpose == TR_FOR_REJECTS)
      return reject_entry(current, "cannot be opened: ", strerror(current->file.error_number));
    return file_error(current, SQLITE_CANTOPEN, "cannot be opened", current->file.error_number, message);
  }
}

/* An entry that is not named as a job's file. It may be gone by now: a prune finished it since it was listed, or the
** query asks for an old rowid. */
static int classify_leftover(TrScanFile *current) {
  const char *name = current->name;
  int dirfd = tr_file_list_open_dir_of(current->list, current->path);
  bool gone = fstatat(dirfd, name, &current->file.stat, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
  bool is_held = !gone && tr_leftover_is_held(dirfd, name);
  if (dirfd >= 0 && dirfd != current->list->dir.fd) close(dirfd);
  if (gone || is_held) return SQLITE_OK;
  return reject_entry(current, "left by an interrupted prune; the next prune of the job finishes it: ", name);
}

int tr_scan_file_open_next(TrScanFile *current, char **message) {
  TrFileList *list = current->list;
  TrEntry entry;
  uint32_t ordinal;
  const char *path;
  int code = tr_file_list_fill(list, message);
  if (code != SQLITE_OK) return code;
  if (!tr_file_list_next(list, &ordinal, &path)) return SQLITE_DONE;
  tr_scan_file_set(current, ordinal, path);
  bool is_leftover = current->job.text == NULL;
  bool is_named = is_leftover || tr_utf8_is_valid(current->job.text, current->job.length);
  if (!is_leftover && is_named) code = tr_file_list_open_file(list, &current->file, &entry, message);
  if (code != SQLITE_OK) return code;
  tr_file_list_advance(list);
  if (is_leftover) return classify_leftover(current);
  if (!is_named) return reject_entry(current, "file name is not valid UTF-8", "");
  return classify_entry(current, entry, message);
}

int tr_scan_file_seek(const TrScanFile *current, int64_t rowid, int64_t *from, int64_t *size, char **message) {
  *from = rowid & (TR_MAX_FILE_BYTES - 1);
  char before = '\n';
  ssize_t got = 1;
  if (*from > 0 && *from < *size) {
    do {
      got = pread(current->file.fd, &before, 1, *from - 1);
    } while (got < 0 && errno == EINTR);
  }
  if (got < 0) return file_error(current, SQLITE_IOERR_READ, "cannot be read", errno, message);
  if (before != '\n' || *from >= *size) *from = *size;
  return SQLITE_OK;
}
