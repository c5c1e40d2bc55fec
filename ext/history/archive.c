/*
** archive.c - the directories below .taskresults, where a prune archives what it removes.
**
** Whoever may write to the results directory could put a link, or a directory of their own, where we look for the
** archive, and so add records. So no link is followed, and each directory must belong to the owner of the results
** directory, or to root.
*/
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int archive_error(const TrDir *dir, const char *name, const char *cause, char **message) {
  return tr_error(message, SQLITE_CANTOPEN, "%s directory %s: the archive's directory %s %s", dir->store->word,
                  dir->path, name, cause);
}

static int check_owner(const TrDir *dir, int fd, const char *name, char **message) {
  struct stat results, found;
  if (fstat(dir->fd, &results) != 0 || fstat(fd, &found) != 0)
    return archive_error(dir, name, strerror(errno), message);
  if (found.st_uid == results.st_uid || found.st_uid == 0) return SQLITE_OK;
  return archive_error(
      dir, name, "does not belong to the owner of the results directory: find out who made it, and remove it", message);
}

/* Moves *fd, which is closed unless it is the directory of results, to a directory in it. */
static int enter_part(const TrDir *dir, const char *name, int *fd, char **message) {
  int into = (int)TEMP_FAILURE_RETRY(openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  int reason = errno;
  if (*fd != dir->fd) close(*fd);
  *fd = into;
  if (into < 0 && reason == ENOENT) return SQLITE_OK;
  if (into < 0) return archive_error(dir, name, strerror(reason), message);
  return check_owner(dir, into, name, message);
}

int tr_archive_open(const TrDir *dir, TrBytes job, int *fd, char **message) {
  char job_file[TR_NAME_SIZE];
  const char *steps[] = {TR_OWN_FOLDER, TR_ARCHIVE_DIRECTORY, job_file, NULL};
  if (job.text == NULL) steps[2] = NULL;
  if (job.text) tr_segment_live_name(dir->store, job, job_file);
  *fd = dir->fd;
  int code = SQLITE_OK;
  for (int i = 0; steps[i] && *fd >= 0 && code == SQLITE_OK; i++) code = enter_part(dir, steps[i], fd, message);
  if (code != SQLITE_OK && *fd >= 0) {
    close(*fd);
    *fd = -1;
  }
  return code;
}
