/*
** archive_segment.c - the lines that a prune archives -> a new segment, which is pending.
**
** It is {first time}-{number}.jsonl.zst. The number is above all that the archive has, and all that the receipts name:
** a new segment with the name of one that somebody has removed would switch off the receipt of that. While the newest
** segment is small, the new one begins with what is in it, and takes its name.
**
** When a pending segment counts, and what becomes of it, is in archive_file.c.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SEGMENT_OPEN_FLAGS (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
#ifndef TR_ARCHIVE_TAKE_BYTES
#define TR_ARCHIVE_TAKE_BYTES (16 * 1024 * 1024) /* a smaller segment is taken into the next one */
#endif

static int64_t highest_number(const TrPrune *prune) {
  int64_t highest = 0;
  TrSegmentName name;
  for (size_t i = 0; i < prune->archive.names.count; i++) {
    bool is_higher = tr_archive_parse_name(prune, prune->archive.names.name[i], &name) && name.number > highest;
    if (is_higher) highest = name.number;
  }
  return highest;
}

/* The receipts keep the names of segments that somebody has removed. A new segment with such a name would switch off
** the receipt of the old one. What cannot be opened here is refused with the receipt of this prune. */
static int read_receipts(TrPrune *prune, TrDir *dir, int64_t *highest, char **what) {
  TrReceipts receipts = {.file.fd = -1};
  TrSegmentName name;
  int code = tr_receipts_open(&receipts, dir, prune->file_name, prune->poll, NULL);
  bool is_open = code == SQLITE_OK && receipts.file.fd >= 0;
  while (is_open && code == SQLITE_OK && (code = tr_receipts_next(&receipts, what)) == SQLITE_ROW) {
    const char *archive = receipts.receipt.archive;
    bool is_higher = archive && tr_archive_parse_name(prune, archive, &name) && name.number > *highest;
    if (is_higher) *highest = name.number;
    code = SQLITE_OK;
  }
  tr_receipts_close(&receipts);
  bool matters = is_open || code == SQLITE_NOMEM || code == SQLITE_INTERRUPT;
  return code == SQLITE_DONE || !matters ? SQLITE_OK : code;
}

static int raise_to_receipts(TrPrune *prune, int64_t *highest, char **message) {
  TrOwnFolder folder = {.fd = -1};
  TrDir dir = *prune->dir;
  char *what = NULL;
  int code = tr_receipts_enter(&folder, prune->dir->fd, prune->dir->path, false, NULL);
  if (code != SQLITE_OK || folder.fd < 0) return code == SQLITE_NOMEM ? code : SQLITE_OK;
  char *path = tr_receipts_path(prune->dir->path);
  dir.fd = folder.fd;
  dir.path = path;
  code = path ? read_receipts(prune, &dir, highest, &what) : SQLITE_NOMEM;
  if (what) tr_prune_error(prune, code, message, 0, "cannot be archived (" TR_ARCHIVE_REMEDY "): %s", what);
  sqlite3_free(what);
  sqlite3_free(path);
  tr_own_folder_close(&folder);
  return code;
}

/* The name of the one segment with this number; NULL if there are several, it is pending, or the name is not ours. */
static const char *find_segment(const TrPrune *prune, int64_t number) {
  const char *only = NULL;
  TrSegmentName name;
  for (size_t i = 0; i < prune->archive.names.count; i++) {
    const char *text = prune->archive.names.name[i];
    if (!tr_archive_parse_name(prune, text, &name) || name.number != number) continue;
    bool is_ours = strspn(text, "0123456789TZ-none") == (size_t)(strstr(text, TR_SUFFIX ".zst") - text);
    if (only || name.is_pending || !is_ours || strlen(text) >= sizeof prune->archive.name) return NULL;
    only = text;
  }
  return only;
}

/* -1: it should not be taken into the next one. */
static int open_newest(const TrPrune *prune, const char *name, int64_t *size) {
  struct stat found;
  const struct stat *job = &prune->old_stat;
  int fd = (int)TEMP_FAILURE_RETRY(openat(prune->archive.folder.fd, name, O_RDONLY | SEGMENT_OPEN_FLAGS));
  if (fd < 0) return -1;
  bool is_alike = fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && found.st_nlink == 1 &&
                  found.st_uid == job->st_uid && found.st_gid == job->st_gid &&
                  (found.st_mode & 07777) == (job->st_mode & 07777);
  if (is_alike && found.st_size < TR_ARCHIVE_TAKE_BYTES && tr_access_lists_are_same(fd, prune->old_fd)) {
    *size = found.st_size;
    return fd;
  }
  close(fd);
  return -1;
}

static int find_first_run(TrPrune *prune, bool *is_timed, int64_t *time_us) {
  TrLines lines = {.fd = -1};
  int64_t end = prune->selection.end - prune->selection.kept_bytes;
  int code = tr_lines_open(&lines, prune->old_fd, 0, end, prune->max_line, false, prune->poll);
  if (code == SQLITE_OK) code = tr_history_first_time(&lines, NULL, time_us);
  *is_timed = code == SQLITE_ROW;
  tr_lines_close(&lines);
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* "20260131T235900Z-7.jsonl.zst" */
static int name_segment(TrPrune *prune, int64_t number, char **message) {
  char first[TR_TIMESTAMP_SIZE] = "none", *to = first;
  int64_t time_us, day;
  bool is_timed;
  int code = find_first_run(prune, &is_timed, &time_us);
  if (code != SQLITE_OK && code != SQLITE_NOMEM && code != SQLITE_INTERRUPT) {
    return tr_prune_error(prune, code, message, errno, "cannot be read");
  }
  if (is_timed && tr_day_of_time(time_us, &day)) {
    tr_timestamp_format(time_us, first);
    for (const char *from = first; *from && *from != '.' && *from != 'Z'; from++) {
      if (*from != '-' && *from != ':') *to++ = *from;
    }
    memcpy(to, "Z", 2);
  }
  snprintf(prune->archive.name, sizeof prune->archive.name, "%s-%lld" TR_SUFFIX ".zst", first, (long long)number);
  return code;
}

/* A name that readers do not know would hide the lines. */
static int check_name(const TrPrune *prune, int64_t number, char **message) {
  TrSegmentName name;
  if (tr_archive_parse_name(prune, prune->archive.name, &name) && name.number == number) return SQLITE_OK;
  return tr_archive_error(prune, 0, prune->archive.name,
                          "would have a number with too many digits: give the segment with the highest number, and "
                          "the receipts that name it, a lower one",
                          message);
}

static int make_pending(TrPrune *prune, char **message) {
  TrPruneArchive *archive = &prune->archive;
  struct stat made;
  tr_archive_name_pending(archive, prune->old_stat.st_ino);
  int fd = (int)TEMP_FAILURE_RETRY(
      openat(archive->folder.fd, archive->pending_name, O_RDWR | O_CREAT | O_EXCL | SEGMENT_OPEN_FLAGS, 0600));
  if (fd < 0) return tr_archive_error(prune, errno, archive->pending_name, "cannot be made", message);
  archive->is_made = true;
  archive->writer.fd = fd;
  if (fstat(fd, &made) != 0) {
    return tr_archive_error(prune, errno, archive->pending_name, "cannot be examined", message);
  }
  archive->inode = made.st_ino;
  int code = tr_copy_owner(prune, fd, "archive", message);
  if (code == SQLITE_OK) code = tr_archive_writer_open(&archive->writer, fd);
  return code == SQLITE_ERROR ? tr_archive_error(prune, 0, archive->pending_name, "cannot be compressed", message)
                              : code;
}

/* How many bytes there would have to be, by what has been compressed so far. */
static int64_t estimate_bytes(const TrPrune *prune) {
  const TrArchiveWriter *writer = &prune->archive.writer;
  double plain = 0, goes = (double)(prune->selection.end - prune->selection.kept_bytes);
  for (size_t i = 0; i < writer->table.count; i++) plain += writer->table.frame[i].decompressed;
  return (int64_t)(plain > 0 ? goes * (double)writer->written / plain : goes);
}

int tr_archive_write_error(const TrPrune *prune, int code, char **message) {
  const TrPruneArchive *archive = &prune->archive;
  struct statvfs now;
  char what[160];
  int reason = archive->writer.reason;
  if (code == SQLITE_NOMEM || code == SQLITE_INTERRUPT) return code;
  if (code != SQLITE_FULL || fstatvfs(prune->dir->fd, &now) != 0) {
    bool is_read = code == SQLITE_IOERR_READ || code == SQLITE_CORRUPT;
    return tr_archive_error(prune, reason ? reason : EIO, archive->pending_name,
                            is_read ? "cannot take the segment in its place" : "cannot be written", message);
  }
  snprintf(what, sizeof what, "needs about %lld bytes, and the file system has %llu left beside what was written",
           (long long)estimate_bytes(prune), (unsigned long long)now.f_bavail * now.f_frsize);
  return tr_archive_error(prune, reason, archive->pending_name, what, message);
}

/* *taken: the newest segment is the beginning of the new one, which has its name. */
static int take_newest(TrPrune *prune, const char *newest, bool *taken, char **message) {
  int64_t size = 0;
  *taken = false;
  int fd = newest ? open_newest(prune, newest, &size) : -1;
  if (fd < 0) return SQLITE_OK;
  snprintf(prune->archive.name, sizeof prune->archive.name, "%s", newest);
  int code = make_pending(prune, message);
  if (code == SQLITE_OK) {
    code = tr_archive_writer_take(&prune->archive.writer, fd, size, taken);
    if (code != SQLITE_OK) code = tr_archive_write_error(prune, code, message);
  }
  close(fd);
  return code == SQLITE_OK && !*taken ? tr_archive_drop_pending(prune, message) : code;
}

int tr_archive_prepare(TrPrune *prune, char **message) {
  bool taken = false;
  if (!prune->options->archive) return SQLITE_OK;
  int64_t number = highest_number(prune);
  int code = tr_archive_enter(prune, true, message);
  if (code == SQLITE_OK) code = take_newest(prune, find_segment(prune, number), &taken, message);
  if (code != SQLITE_OK || taken) return code;
  code = raise_to_receipts(prune, &number, message);
  if (code == SQLITE_OK) code = name_segment(prune, number + 1, message);
  if (code == SQLITE_OK) code = check_name(prune, number + 1, message);
  return code == SQLITE_OK ? make_pending(prune, message) : code;
}

int tr_archive_finish(TrPrune *prune, char **message) {
  TrPruneArchive *archive = &prune->archive;
  if (!archive->is_made) return SQLITE_OK;
  int code = tr_archive_writer_end(&archive->writer);
  if (code != SQLITE_OK) return tr_archive_write_error(prune, code, message);
  if (TEMP_FAILURE_RETRY(fsync(archive->writer.fd)) != 0) {
    return tr_archive_error(prune, errno, archive->pending_name, "cannot be synced", message);
  }
  tr_archive_close_pending(archive);
  return tr_archive_sync(prune, message);
}
