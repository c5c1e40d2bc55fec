/*
** own_folder.c - what taskresults keeps in a directory of results: .taskresults/NAME, or .taskresults/NAME/NAME.
**
** The scheduler looks at no such folder. The directory of results may belong to another user than the one who prunes
** (root's cron job, for instance), and that user can put anything there. So no link is followed on the way, and all
** of these folders have to belong to us, to root, or to the owner of the directory of results.
**
** A folder that we make belongs to the owner of the directory of results, and may be entered by those who may enter
** that. Only its owner may write in it.
*/
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One of the folders, while it is opened. */
typedef struct OwnStep {
  TrOwnFolder *folder;        /* borrowed, like all but the numbers */
  const struct stat *results; /* of the directory of results */
  const char *what, *path;    /* for messages */
  const char *name;
  int parent;
} OwnStep;

static int own_folder_error(const OwnStep *step, int code, const char *cause, char **message) {
  return tr_error(message, code, "%s, %s: %s", step->what, step->path, cause);
}

static int own_folder_errno(const OwnStep *step, int reason, const char *call, char **message) {
  return tr_error(message, tr_error_code(reason), "%s, %s: %s%s", step->what, step->path, call, strerror(reason));
}

bool tr_own_folder_trusts(const TrOwnFolder *folder, uid_t owner) {
  return owner == geteuid() || owner == 0 || owner == folder->dir_owner;
}

/* *fd is -1 if there is none. */
static int open_step(const OwnStep *step, int *fd, char **message) {
  struct stat found;
  *fd = (int)TEMP_FAILURE_RETRY(openat(step->parent, step->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (*fd >= 0 || errno == ENOENT) return SQLITE_OK;
  int reason = errno;
  if (fstatat(step->parent, step->name, &found, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(found.st_mode)) {
    return own_folder_errno(step, reason, "", message);
  }
  char cause[64];
  snprintf(cause, sizeof cause, "it is %s", tr_file_type(found.st_mode));
  return own_folder_error(step, SQLITE_ERROR, cause, message);
}

/* A folder of one group must not open to another one. */
static int give_step(const OwnStep *step, int fd, char **message) {
  const struct stat *results = step->results;
  mode_t mode = results->st_mode & 0755;
  if (fchown(fd, (uid_t)-1, results->st_gid) != 0) mode &= (mode_t)~S_IRWXG;
  if (fchmod(fd, mode) != 0) return own_folder_errno(step, errno, "its mode cannot be set: ", message);
  if (geteuid() == results->st_uid || fchown(fd, results->st_uid, (gid_t)-1) == 0) return SQLITE_OK;
  return own_folder_errno(step, errno, "it cannot be given to the owner of the directory of results: ", message);
}

static int make_step(const OwnStep *step, int *fd, bool *is_new, char **message) {
  *is_new = mkdirat(step->parent, step->name, 0700) == 0;
  if (!*is_new && errno != EEXIST) return own_folder_errno(step, errno, "it cannot be made: ", message);
  int code = open_step(step, fd, message);
  return code == SQLITE_OK && *fd < 0 ? own_folder_errno(step, ENOENT, "", message) : code;
}

/* Whoever finds a folder that root has just made gives it to the owner of the directory, before anything is put into
** it. So if something is in one that we have just made, and it is still ours, it is another folder. */
static int adopt_step(const OwnStep *step, int fd, bool is_new, char **message) {
  struct stat found;
  bool is_mine = geteuid() == step->results->st_uid;
  if (fstat(fd, &found) != 0) return own_folder_errno(step, errno, "", message);
  if (found.st_uid != geteuid()) return SQLITE_OK;
  if (!is_new && (is_mine || geteuid() != 0)) return SQLITE_OK;
  if (is_mine && (found.st_mode & (S_IRWXG | S_IRWXO))) return SQLITE_OK; /* another process has seen to it */
  if (!is_mine && !tr_folder_is_fresh(fd, &found)) {
    if (!is_new) return SQLITE_OK;
    return own_folder_error(step, SQLITE_ERROR, "it was made, and another folder has its name now", message);
  }
  int code = give_step(step, fd, message);
  if (code == SQLITE_OK && TEMP_FAILURE_RETRY(fsync(step->parent)) != 0) {
    code = own_folder_errno(step, errno, "it cannot be secured: ", message);
  }
  if (code != SQLITE_OK && is_new) unlinkat(step->parent, step->name, AT_REMOVEDIR);
  return code;
}

static int take_step(const OwnStep *step, bool makes, int *fd, char **message) {
  bool is_new = false;
  int code = open_step(step, fd, message);
  if (code == SQLITE_OK && *fd < 0 && makes) code = make_step(step, fd, &is_new, message);
  if (code != SQLITE_OK || *fd < 0) return code;
  struct stat *found = &step->folder->found;
  if (makes) code = adopt_step(step, *fd, is_new, message);
  if (code != SQLITE_OK) {
    close(*fd);
    return code;
  }
  if (fstat(*fd, found) != 0) {
    code = own_folder_errno(step, errno, "", message);
  } else if (!tr_own_folder_trusts(step->folder, found->st_uid)) {
    code = tr_error(message, SQLITE_ERROR, "%s, %s: it belongs to user %u, and should to user %u or %u", step->what,
                    step->path, (unsigned)found->st_uid, (unsigned)step->folder->dir_owner, (unsigned)geteuid());
  }
  if (code != SQLITE_OK) close(*fd);
  return code;
}

/* Enters the folders of `path`, which begins with that of the results, one after the other. `path` is cut, and made
** whole again. */
static int take_steps(OwnStep *step, char *path, size_t from, bool makes, int *fd, char **message) {
  int parent = -1, code = SQLITE_OK;
  size_t length = strlen(path);
  do {
    step->name = path + from;
    from += strcspn(step->name, "/");
    path[from] = '\0';
    step->path = path;
    code = take_step(step, makes, fd, message);
    if (parent >= 0) close(parent);
    parent = step->parent = code == SQLITE_OK ? *fd : -1;
    if (from < length) path[from] = '/';
  } while (++from < length && parent >= 0);
  return code;
}

int tr_own_folder_open(TrOwnFolder *folder, int dir_fd, const char *dir_path, const char *name, bool makes,
                       const char *what, char **message) {
  struct stat results;
  OwnStep step = {.folder = folder, .results = &results, .what = what, .path = dir_path, .parent = dir_fd};
  char *path = sqlite3_mprintf("%s/" TR_OWN_FOLDER "/%s", dir_path, name);
  *folder = (TrOwnFolder){.fd = -1};
  int fd = -1, code = path ? SQLITE_OK : SQLITE_NOMEM;
  if (code == SQLITE_OK && fstat(dir_fd, &results) != 0) {
    code = own_folder_errno(&step, errno, "", message);
  }
  if (code == SQLITE_OK) {
    folder->dir_owner = results.st_uid;
    code = take_steps(&step, path, strlen(dir_path) + 1, makes, &fd, message);
  }
  if (code == SQLITE_OK) folder->fd = fd;
  sqlite3_free(path);
  return code;
}

void tr_own_folder_close(TrOwnFolder *folder) {
  if (folder->fd >= 0) close(folder->fd);
  folder->fd = -1;
}
