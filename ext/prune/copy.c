/*
** copy.c - the kept lines -> a temporary file that can take the old one's place.
**
** The temporary is in the same directory (a rename cannot cross file systems), and gets the owner and the permissions
** of the old file. It is synced before anything refers to it: a rename that reached the disk before the data would
** leave an empty file after a power failure.
**
** A kill leaves the temporary, which nothing refers to; the next prune of the job deletes it.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define COPY_BYTES (256 * 1024)
#define MOST_REFUSED 16 /* as many sinks have each marked another file of the job: more is not to be expected */
#define SPARE_BYTES (1024 * 1024) /* for the journal, and for lines appended meanwhile */

static int copy_block(TrPrune *prune, unsigned char *buffer, TrRange *from, int64_t at, char **message) {
  size_t count = from->to - from->from < COPY_BYTES ? (size_t)(from->to - from->from) : COPY_BYTES;
  ssize_t got = TEMP_FAILURE_RETRY(pread(prune->old_fd, buffer, count, from->from));
  if (got < 0) {
    int reason = errno;
    return tr_prune_error(prune, SQLITE_IOERR_READ, message, reason, "cannot be read at byte %lld",
                          (long long)from->from);
  }
  if (got == 0) return tr_prune_error(prune, SQLITE_ABORT, message, 0, "shrank while it was being copied");
  int reason = tr_write_at(prune->live_fd, buffer, (size_t)got, at);
  if (reason) return tr_prune_error(prune, tr_error_code(reason), message, reason, "its copy cannot be written");
  from->from += got;
  return SQLITE_OK;
}

int tr_copy_bytes(TrPrune *prune, TrRange from, int64_t at, TrPoll *poll, char **message) {
  unsigned char *buffer = sqlite3_malloc64(COPY_BYTES);
  int code = buffer ? SQLITE_OK : SQLITE_NOMEM;
  while (code == SQLITE_OK && from.from < from.to) {
    int64_t before = from.from;
    code = tr_poll(poll);
    if (code == SQLITE_OK) code = copy_block(prune, buffer, &from, at, message);
    at += from.from - before;
  }
  sqlite3_free(buffer);
  return code;
}

static int copy_attributes(const TrPrune *prune, int fd, const char *what, char **message) {
  const char *name;
  char *buffer = sqlite3_malloc64(TR_ATTRIBUTES_BYTES);
  if (buffer == NULL) return SQLITE_NOMEM;
  int reason = tr_attributes_copy(prune->old_fd, fd, buffer, &name), code = SQLITE_OK;
  if (reason && name) {
    code = tr_prune_error(prune, tr_error_code(reason), message, reason,
                          "has an attribute %s that its %s cannot be given: remove it from the file (setfattr -x, "
                          "setfacl -b), or remove the cause",
                          name, what);
  } else if (reason) {
    code = tr_prune_error(prune, tr_error_code(reason), message, reason, "its attributes cannot be listed");
  }
  sqlite3_free(buffer);
  return code;
}

static int give_owner(const TrPrune *prune, int fd, const char *what, char **message) {
  struct stat now;
  int reason = fstat(fd, &now) == 0 ? 0 : errno;
  bool is_ours = reason == 0 && now.st_uid == prune->old_stat.st_uid && now.st_gid == prune->old_stat.st_gid;
  if (is_ours) return SQLITE_OK;
  if (reason == 0 && fchown(fd, prune->old_stat.st_uid, prune->old_stat.st_gid) == 0) return SQLITE_OK;
  if (reason) return tr_prune_error(prune, SQLITE_IOERR_FSTAT, message, reason, "its %s cannot be examined", what);
  reason = errno;
  return tr_prune_error(prune, tr_error_code(reason), message, reason,
                        "belongs to user %u and group %u, and its %s cannot: prune as that user, or as root",
                        (unsigned)prune->old_stat.st_uid, (unsigned)prune->old_stat.st_gid, what);
}

/* Owner before mode: a change of owner clears set-id bits. */
int tr_copy_owner(const TrPrune *prune, int fd, const char *what, char **message) {
  int code = give_owner(prune, fd, what, message);
  if (code == SQLITE_OK) code = copy_attributes(prune, fd, what, message);
  if (code != SQLITE_OK || fchmod(fd, prune->old_stat.st_mode & 07777) == 0) return code;
  int reason = errno;
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "its %s cannot be given its mode, %04o", what,
                        (unsigned)(prune->old_stat.st_mode & 07777));
}

static int check_space(TrPrune *prune, char **message) {
  struct statvfs now;
  if (fstatvfs(prune->dir->fd, &now) != 0) return SQLITE_OK; /* not a reason to refuse: writing will show it */
  uint64_t free_bytes = (uint64_t)now.f_bavail * now.f_frsize;
  if (free_bytes >= (uint64_t)prune->selection.kept_bytes + SPARE_BYTES) return SQLITE_OK;
  return tr_prune_error(prune, SQLITE_FULL, message, 0,
                        "needs %lld bytes for the lines to keep, and the file system has %llu left: free some, or keep "
                        "fewer",
                        (long long)prune->selection.kept_bytes + SPARE_BYTES, (unsigned long long)free_bytes);
}

static int copy_ranges(TrPrune *prune, char **message) {
  int64_t at = 0;
  int code = SQLITE_OK;
  for (size_t i = 0; i < prune->selection.count && code == SQLITE_OK; i++) {
    TrRange range = prune->selection.range[i];
    code = tr_copy_bytes(prune, range, at, prune->poll, message);
    at += range.to - range.from;
  }
  return code;
}

/* Checks that the file was not truncated while it was copied: the copy could mix old and new lines. */
static int check_unshrunk(TrPrune *prune, char **message) {
  struct stat now;
  if (fstat(prune->old_fd, &now) != 0) {
    int reason = errno;
    return tr_prune_error(prune, SQLITE_IOERR_FSTAT, message, reason, "cannot be examined");
  }
  if (now.st_size >= prune->selection.end) return SQLITE_OK;
  return tr_prune_error(prune, SQLITE_ABORT, message, 0, "shrank while it was being copied");
}

/* False: a mark of `taskresults ship`, or a segment that was left pending, names this inode, which a file of the job
** had before. It would seem to be of our file then. The file is kept open until another one exists, so that this gets
** another inode. */
static bool has_new_inode(const TrPrune *prune) {
  struct stat made;
  if (fstat(prune->live_fd, &made) != 0) return true;
  return !tr_marks_name_inode(prune->marks, prune->file_name, &made) && !tr_archive_names_source(prune, made.st_ino);
}

/* 0, or errno. */
static int create_copy(TrPrune *prune) {
  int refused[MOST_REFUSED], count = 0, reason = 0;
  while (reason == 0) {
    prune->live_fd = tr_prune_open(prune, prune->new_name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (prune->live_fd < 0) reason = errno;
    if (reason || has_new_inode(prune) || count == MOST_REFUSED) break;
    if (unlinkat(prune->dir->fd, prune->new_name, 0) != 0) {
      reason = errno;
      break;
    }
    refused[count++] = prune->live_fd;
    prune->live_fd = -1;
  }
  while (count > 0) close(refused[--count]);
  return reason;
}

int tr_copy_kept(TrPrune *prune, char **message) {
  int code = check_space(prune, message);
  if (code != SQLITE_OK) return code;
  int failed = create_copy(prune);
  if (failed) {
    return tr_prune_error(prune, tr_error_code(failed), message, failed, "a temporary beside it cannot be created");
  }
  code = tr_copy_owner(prune, prune->live_fd, "copy", message);
  if (code == SQLITE_OK) code = copy_ranges(prune, message);
  if (code == SQLITE_OK) code = check_unshrunk(prune, message);
  if (code == SQLITE_OK && TEMP_FAILURE_RETRY(fsync(prune->live_fd)) != 0) {
    int reason = errno;
    code = tr_prune_error(prune, tr_error_code(reason), message, reason, "its copy cannot be synced");
  }
  return code;
}

static int remove_name(TrPrune *prune, const char *name, char **message) {
  if (TEMP_FAILURE_RETRY(unlinkat(prune->dir->fd, name, 0)) == 0 || errno == ENOENT) return SQLITE_OK;
  int reason = errno;
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "%s beside it cannot be removed", name);
}

/* The journal is removed last: while it exists, we can tell whether the temporary's name is the new or the old file. */
int tr_copy_discard(TrPrune *prune, char **message) {
  int code = remove_name(prune, prune->new_name, message);
  if (code == SQLITE_OK && prune->has_source_name) code = remove_name(prune, prune->source_name, message);
  if (code == SQLITE_OK) code = remove_name(prune, prune->journal_name, message);
  return code;
}
