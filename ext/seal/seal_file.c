/*
** seal_file.c - the file of a job's seals, for writing.
**
** Others may own the directory, so no link is followed. The file has to be a regular one, with one name, and of the
** owner of the job's file; it gets that owner and a mode that is no more open, before anything is in it.
*/
#include "seal.h"

#include <errno.h>
#include <fcntl.h>

#define SEAL_FILE_FLAGS (O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

static int seal_file_error(const TrDir *dir, const char *name, int reason, const char *what, char **message) {
  return tr_error(message, reason ? tr_error_code(reason) : SQLITE_ERROR,
                  TR_SEALS_WHAT ", %s/" TR_OWN_FOLDER "/" TR_SEALS_FOLDER "/%s: %s%s%s", dir->path, name, what,
                  reason ? ": " : "", reason ? strerror(reason) : "");
}

int tr_seal_file_open(const TrDir *dir, const char *name, const struct stat *job, TrOwnFolder *folder, int *fd,
                      char **message) {
  char what[TR_OWN_FILE_TEXT_SIZE];
  *fd = -1;
  int code = tr_own_folder_open(folder, dir->fd, dir->path, TR_SEALS_FOLDER, true, TR_SEALS_WHAT, message);
  if (code != SQLITE_OK) return code;
  *fd = (int)TEMP_FAILURE_RETRY(openat(folder->fd, name, SEAL_FILE_FLAGS));
  if (*fd < 0 && errno == ENOENT)
    *fd = (int)TEMP_FAILURE_RETRY(openat(folder->fd, name, SEAL_FILE_FLAGS | O_CREAT | O_EXCL, 0600));
  if (*fd < 0) {
    code = seal_file_error(dir, name, errno, "it cannot be opened", message);
  } else {
    int reason = tr_own_file_adopt(*fd, job, what);
    if (what[0]) code = seal_file_error(dir, name, reason, what, message);
  }
  if (code == SQLITE_OK) return code;
  if (*fd >= 0) close(*fd);
  *fd = -1;
  tr_own_folder_close(folder);
  return code;
}

/* What a kill has left behind the last whole line is cut off first, and our own line, if it cannot be written. */
int tr_seal_file_append(const TrDir *dir, const char *name, const TrOwnFolder *folder, int fd, int64_t whole,
                        const char *line, char **message) {
  struct stat found;
  char what[64];
  if (fstat(fd, &found) != 0) return seal_file_error(dir, name, errno, "it cannot be examined", message);
  if (found.st_size > whole && TEMP_FAILURE_RETRY(ftruncate(fd, whole)) != 0)
    return seal_file_error(dir, name, errno, "what a kill has left at its end cannot be cut off", message);
  int reason = tr_write_at(fd, line, strlen(line), whole);
  if (reason == 0 && TEMP_FAILURE_RETRY(fsync(fd)) != 0) reason = errno;
  if (reason == 0 && TEMP_FAILURE_RETRY(fsync(folder->fd)) != 0) reason = errno;
  if (reason == 0) return SQLITE_OK;
  if (ftruncate(fd, whole) == 0) (void)TEMP_FAILURE_RETRY(fsync(fd));
  sqlite3_snprintf(sizeof what, what, "it needs %d bytes more, and cannot be written", (int)strlen(line));
  return seal_file_error(dir, name, reason, what, message);
}
