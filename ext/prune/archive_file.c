/*
** archive_file.c - what a prune archives is made safe before the exchange, and gets its name behind it.
**
** The segment is .taskresults/archive/JOB.jsonl/{first time}-{number}.jsonl.zst. While it is pending, its name ends in
** the inode of its source, the job's file as it was. A reader counts it only while its source has one of our own names
** (history/segments.c), and so each record is in one place at every moment:
**
**   1  the segment is written, pending, while the lines that go are counted, and is on disk          (sum_up.c)
**   2  the receipt, the journal, which names the segment and its inode
**   3  the exchange: the source gets the temporary's name, and the pending segment counts at this instant
**   4  the segment gets its name, which is on disk before the source goes; it counts by itself       (settle)
**   5  the receipt is appended; the source goes, then the journal
**
** A prune offline replaces the job's file by a rename. There the source gets a name of its own before that: `.old`.
**
** If a segment that is taken into the new one is replaced, the pending one has its name. So exactly one of both counts.
**
** A pending segment is removed only if all of it is elsewhere: if the exchange has not happened, as the temporary is
** still there; if its source has the job's name; or if the exchange met another file (`replaced`), so that nothing was
** removed. Any other stays where it is, and never counts; no temporary gets the inode that it names.
**
** Nobody can read in a segment what he could not read in the job's file. It has that file's owner, mode and access list
** before anything is in it; and a segment with others is not taken into it.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define WITHOUT_ARCHIVE "to remove the lines for good: without 'archive', 1, or --archive"
#define SEGMENT_OPEN_FLAGS (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
#ifndef TR_ARCHIVE_TAKE_BYTES
#define TR_ARCHIVE_TAKE_BYTES (16 * 1024 * 1024) /* a smaller segment is taken into the next one */
#endif

static int archive_file_error(const TrPrune *prune, int reason, const char *name, const char *what, char **message) {
  int code = reason ? tr_error_code(reason) : SQLITE_ERROR;
  return tr_prune_error(prune, code, message, reason,
                        "cannot be archived (" WITHOUT_ARCHIVE "): " TR_OWN_FOLDER "/" TR_ARCHIVE_DIRECTORY "/%s/%s %s",
                        prune->file_name, name, what);
}

/* --- the archive as it is ----------------------------------------------------------------------------------------- */

static bool parse_segment(const TrPrune *prune, const char *text, TrSegmentName *name) {
  char path[2 * TR_NAME_SIZE + sizeof TR_OWN_FOLDER + sizeof TR_ARCHIVE_DIRECTORY];
  snprintf(path, sizeof path, TR_OWN_FOLDER "/" TR_ARCHIVE_DIRECTORY "/%s/%s", prune->file_name, text);
  return tr_segment_name_parse(path, name);
}

static int add_segment_name(void *context, const char *text) {
  TrPrune *prune = context;
  TrSegmentName name;
  if (!parse_segment(prune, text, &name)) return SQLITE_OK;
  return tr_name_list_add(&prune->archive.names, text, strlen(text));
}

static int open_archive(TrPrune *prune, bool makes, char **message) {
  TrPruneArchive *archive = &prune->archive;
  char folder[sizeof TR_ARCHIVE_DIRECTORY + TR_NAME_SIZE], *what = NULL;
  if (archive->folder.fd >= 0) return SQLITE_OK;
  snprintf(folder, sizeof folder, TR_ARCHIVE_DIRECTORY "/%s", prune->file_name);
  int code = tr_own_folder_open(&archive->folder, prune->dir->fd, prune->dir->path, folder, makes,
                                "the archive of the job", &what);
  if (what) tr_prune_error(prune, code, message, 0, "cannot be archived (" WITHOUT_ARCHIVE "): %s", what);
  sqlite3_free(what);
  return code;
}

static int list_archive(TrPrune *prune, char **message) {
  TrPruneArchive *archive = &prune->archive;
  TrDir folder = *prune->dir;
  tr_name_list_free(&archive->names);
  archive->names = (TrNameList){0};
  folder.fd = archive->folder.fd;
  return folder.fd < 0 ? SQLITE_OK : tr_dir_list(&folder, prune->poll, add_segment_name, prune, message);
}

bool tr_archive_names_source(const TrPrune *prune, uint64_t inode) {
  TrSegmentName name;
  for (size_t i = 0; i < prune->archive.names.count; i++) {
    if (parse_segment(prune, prune->archive.names.name[i], &name) && name.is_pending && name.source == inode)
      return true;
  }
  return false;
}

static int remove_segment(const TrPrune *prune, const char *name, char **message) {
  struct stat found;
  int folder = prune->archive.folder.fd;
  if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? SQLITE_OK : archive_file_error(prune, errno, name, "cannot be examined", message);
  }
  if (!S_ISREG(found.st_mode)) return SQLITE_OK; /* it counts for nobody */
  if (TEMP_FAILURE_RETRY(unlinkat(folder, name, 0)) == 0 || errno == ENOENT) return SQLITE_OK;
  return archive_file_error(prune, errno, name, "cannot be removed", message);
}

/* On disk before anything else goes. */
static int sync_archive(const TrPrune *prune, char **message) {
  if (TEMP_FAILURE_RETRY(fsync(prune->archive.folder.fd)) == 0) return SQLITE_OK;
  return archive_file_error(prune, errno, "", "cannot be synced", message);
}

/* The caller knows that all lines of these are elsewhere. */
static int sweep(TrPrune *prune, uint64_t source, char **message) {
  TrSegmentName name;
  bool any = false;
  int code = SQLITE_OK;
  for (size_t i = 0; i < prune->archive.names.count && code == SQLITE_OK; i++) {
    const char *text = prune->archive.names.name[i];
    if (!parse_segment(prune, text, &name) || !name.is_pending || name.source != source) continue;
    code = remove_segment(prune, text, message);
    any = true;
  }
  if (code != SQLITE_OK || !any) return code;
  code = sync_archive(prune, message);
  return code == SQLITE_OK ? list_archive(prune, message) : code;
}

/* A prune that archives nothing goes on if the archive cannot be read. */
static int need_archive(const TrPrune *prune, int code, char *what, char **message) {
  bool is_needed = prune->options->archive || code == SQLITE_NOMEM || code == SQLITE_INTERRUPT;
  if (code != SQLITE_OK && is_needed && what) {
    sqlite3_free(*message);
    *message = what;
  } else {
    sqlite3_free(what);
  }
  return is_needed ? code : SQLITE_OK;
}

int tr_archive_find(TrPrune *prune, char **message) {
  char *what = NULL;
  int code = open_archive(prune, false, &what);
  if (code == SQLITE_OK) code = list_archive(prune, &what);
  if (code == SQLITE_OK) code = sweep(prune, prune->old_stat.st_ino, &what);
  return need_archive(prune, code, what, message);
}

/* --- 1: the pending segment --------------------------------------------------------------------------------------- */

static int64_t highest_number(const TrPrune *prune) {
  int64_t highest = 0;
  TrSegmentName name;
  for (size_t i = 0; i < prune->archive.names.count; i++) {
    bool is_higher = parse_segment(prune, prune->archive.names.name[i], &name) && name.number > highest;
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
    bool is_higher = archive && parse_segment(prune, archive, &name) && name.number > *highest;
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
  int code =
      tr_own_folder_open(&folder, prune->dir->fd, prune->dir->path, TR_RECEIPTS_FOLDER, false, TR_RECEIPTS_WHAT, NULL);
  if (code != SQLITE_OK || folder.fd < 0) return code == SQLITE_NOMEM ? code : SQLITE_OK;
  char *path = sqlite3_mprintf("%s/" TR_OWN_FOLDER "/" TR_RECEIPTS_FOLDER, prune->dir->path);
  dir.fd = folder.fd;
  dir.path = path;
  code = path ? read_receipts(prune, &dir, highest, &what) : SQLITE_NOMEM;
  if (what) tr_prune_error(prune, code, message, 0, "cannot be archived (" WITHOUT_ARCHIVE "): %s", what);
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
    if (!parse_segment(prune, text, &name) || name.number != number) continue;
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
  if (parse_segment(prune, prune->archive.name, &name) && name.number == number) return SQLITE_OK;
  return archive_file_error(prune, 0, prune->archive.name,
                            "would have a number with too many digits: give the segment with the highest number, and "
                            "the receipts that name it, a lower one",
                            message);
}

static void name_pending(TrPruneArchive *archive, uint64_t source) {
  snprintf(archive->pending_name, sizeof archive->pending_name, "%s" TR_PENDING_SEGMENT "%llu", archive->name,
           (unsigned long long)source);
}

static int make_pending(TrPrune *prune, char **message) {
  TrPruneArchive *archive = &prune->archive;
  struct stat made;
  name_pending(archive, prune->old_stat.st_ino);
  int fd = (int)TEMP_FAILURE_RETRY(
      openat(archive->folder.fd, archive->pending_name, O_RDWR | O_CREAT | O_EXCL | SEGMENT_OPEN_FLAGS, 0600));
  if (fd < 0) return archive_file_error(prune, errno, archive->pending_name, "cannot be made", message);
  archive->is_made = true;
  archive->writer.fd = fd;
  if (fstat(fd, &made) != 0) {
    return archive_file_error(prune, errno, archive->pending_name, "cannot be examined", message);
  }
  archive->inode = made.st_ino;
  int code = tr_copy_owner(prune, fd, "archive", message);
  if (code == SQLITE_OK) code = tr_archive_writer_open(&archive->writer, fd);
  return code == SQLITE_ERROR ? archive_file_error(prune, 0, archive->pending_name, "cannot be compressed", message)
                              : code;
}

static void close_pending(TrPruneArchive *archive) {
  if (archive->writer.fd >= 0) close(archive->writer.fd);
  tr_archive_writer_close(&archive->writer);
}

static int drop_pending(TrPrune *prune, char **message) {
  close_pending(&prune->archive);
  int code = remove_segment(prune, prune->archive.pending_name, message);
  prune->archive.is_made = code != SQLITE_OK;
  return code;
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
    return archive_file_error(prune, reason ? reason : EIO, archive->pending_name,
                              is_read ? "cannot take the segment in its place" : "cannot be written", message);
  }
  snprintf(what, sizeof what, "needs about %lld bytes, and the file system has %llu left beside what was written",
           (long long)estimate_bytes(prune), (unsigned long long)now.f_bavail * now.f_frsize);
  return archive_file_error(prune, reason, archive->pending_name, what, message);
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
  return code == SQLITE_OK && !*taken ? drop_pending(prune, message) : code;
}

int tr_archive_prepare(TrPrune *prune, char **message) {
  bool taken = false;
  if (!prune->options->archive) return SQLITE_OK;
  int64_t number = highest_number(prune);
  int code = open_archive(prune, true, message);
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
    return archive_file_error(prune, errno, archive->pending_name, "cannot be synced", message);
  }
  close_pending(archive);
  return sync_archive(prune, message);
}

/* --- 4 ------------------------------------------------------------------------------------------------------------ */

static bool is_segment(const TrPrune *prune, const char *name, struct stat *found) {
  return prune->archive.folder.fd >= 0 && fstatat(prune->archive.folder.fd, name, found, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(found->st_mode) && found->st_ino == prune->archive.inode;
}

static int missing_error(const TrPrune *prune, char **message) {
  return tr_prune_error(prune, SQLITE_ERROR, message, 0,
                        "lacks what an interrupted prune has archived: " TR_OWN_FOLDER "/" TR_ARCHIVE_DIRECTORY
                        "/%s/%s is gone. %s beside it still has these lines: save them, then remove it, and %s",
                        prune->file_name, prune->archive.pending_name, prune->new_name, prune->journal_name);
}

int tr_archive_settle(TrPrune *prune, char **message) {
  TrPruneArchive *archive = &prune->archive;
  struct stat found;
  int code = SQLITE_OK, folder = archive->folder.fd;
  if (prune->journal.state.archive[0] == '\0' || archive->is_settled) return SQLITE_OK;
  if (prune->journal.state.is_replaced) {
    code = folder >= 0 ? remove_segment(prune, archive->pending_name, message) : SQLITE_OK;
  } else if (is_segment(prune, archive->pending_name, &found)) {
    if (TEMP_FAILURE_RETRY(renameat(folder, archive->pending_name, folder, archive->name)) != 0) {
      code = archive_file_error(prune, errno, archive->pending_name, "cannot get its name", message);
    }
  } else if (!is_segment(prune, archive->name, &found) && prune->old_fd >= 0) {
    return missing_error(prune, message);
  }
  if (code == SQLITE_OK && folder >= 0) code = sync_archive(prune, message);
  archive->is_settled = code == SQLITE_OK;
  return code;
}

/* --- an interrupted prune ----------------------------------------------------------------------------------------- */

bool tr_archive_is_pending(const TrPrune *prune, struct stat *found) {
  return prune->journal.state.archive[0] && is_segment(prune, prune->archive.pending_name, found);
}

/* The source must not go before its segment is there, in either state. */
static int check_archived(const TrPrune *prune, const struct stat *old, char **message) {
  const TrJournalState *state = &prune->journal.state;
  struct stat found;
  bool is_source = old->st_dev == state->old_dev && old->st_ino == state->old_ino && !state->is_replaced;
  if (!is_source || tr_archive_is_pending(prune, &found)) return SQLITE_OK;
  return is_segment(prune, prune->archive.name, &found) ? SQLITE_OK : missing_error(prune, message);
}

int tr_archive_recover(TrPrune *prune, const struct stat *old, char **message) {
  const TrJournalState *state = &prune->journal.state;
  TrPruneArchive *archive = &prune->archive;
  if (state->archive[0] == '\0') return SQLITE_OK;
  memcpy(archive->name, state->archive, sizeof archive->name);
  archive->inode = state->archive_inode;
  name_pending(archive, state->archive_source);
  int code = open_archive(prune, false, message);
  if (code == SQLITE_OK) code = list_archive(prune, message);
  return code == SQLITE_OK && old ? check_archived(prune, old, message) : code;
}

/* Without a journal, the exchange has not happened; then the source still has the job's name, or another one that
** somebody gave to it. */
int tr_archive_discard(TrPrune *prune, char **message) {
  struct stat job;
  char *what = NULL;
  if (prune->journal.state.archive[0]) return sweep(prune, prune->journal.state.archive_source, message);
  if (fstatat(prune->dir->fd, prune->file_name, &job, AT_SYMLINK_NOFOLLOW) != 0) return SQLITE_OK;
  int code = open_archive(prune, false, &what);
  if (code == SQLITE_OK) code = list_archive(prune, &what);
  if (code == SQLITE_OK) code = sweep(prune, job.st_ino, &what);
  return need_archive(prune, code, what, message);
}

bool tr_archive_take_back(TrPrune *prune) {
  if (!prune->archive.is_made) return true;
  return drop_pending(prune, NULL) == SQLITE_OK;
}

void tr_archive_close(TrPrune *prune) {
  TrPruneArchive *archive = &prune->archive;
  close_pending(archive);
  tr_own_folder_close(&archive->folder);
  tr_name_list_free(&archive->names);
  *archive = (TrPruneArchive){.folder.fd = -1, .writer.fd = -1};
}
