/*
** target.c - a path -> an open file to write to, safely even in a directory that belongs to somebody else.
**
** A regular file is written under a temporary name beside it, flushed to the disk and renamed. So a reader sees either
** the old file or the complete new one. A link is followed to its end and stays a link; an existing file's mode is
** kept. Anything else (a FIFO, a device) is written to directly. So are this process's own descriptors (/dev/stdout,
** /dev/fd/63), which are recognised by name: opening them again would begin at the start of a file that others may have
** written to already.
**
** The directory may belong to somebody else, and we may be root. So the path is walked once, one name at a time, with
** each directory held open. Everything after that happens through the descriptor of the last directory: we never open,
** chmod or write by a path that the owner could redirect meanwhile. A link that belongs neither to us nor to root is
** followed only into a directory of the link's owner, who could write there anyway.
**
** A kill can leave the temporary file behind (`.taskresults.` and six letters), but never half of the file itself. A
** caller that would remove what is left chooses the name.
*/
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_LINKS 40 /* as the system's own limit */
#define MOST_NAMES 100

/* --- the walk ---------------------------------------------------------------------------------------------------- */

typedef struct Walk {
  char rest[PATH_MAX];     /* the part not walked yet */
  char name[NAME_MAX + 1]; /* the part being walked */
  int dir_fd;              /* owned: the directory of `name`; from tr_locate_dir() */
  int object_fd;           /* owned: the entry `name` itself, from tr_locate(); -1: there is none */
  struct stat object;
  int descriptor; /* the descriptor of ours that the path names; -1: it names none */
  int links;
  bool is_led;   /* we have followed a link of somebody else's */
  uid_t led_by;  /* that link's owner */
  bool ends_dir; /* the path ends with a slash */
} Walk;

static int open_in(int dir_fd, const char *name, int flags) {
  return (int)TEMP_FAILURE_RETRY(openat(dir_fd, name, flags | O_CLOEXEC));
}

static void step_into(Walk *walk, int dir_fd) {
  if (walk->dir_fd >= 0) close(walk->dir_fd);
  walk->dir_fd = dir_fd;
}

static int step_to_root(Walk *walk) {
  int root_fd = tr_locate_dir(AT_FDCWD, "/");
  if (root_fd < 0) return errno;
  step_into(walk, root_fd);
  return 0;
}

/* Moves the next part of the path from `rest` to `name`, without the slashes behind it. 0, or errno. */
static int take_name(Walk *walk) {
  const char *begin = walk->rest + strspn(walk->rest, "/");
  size_t length = strcspn(begin, "/"), slashes = strspn(begin + length, "/");
  if (length > NAME_MAX) return ENAMETOOLONG;
  memcpy(walk->name, begin, length);
  walk->name[length] = '\0';
  walk->ends_dir = slashes > 0;
  memmove(walk->rest, begin + length + slashes, strlen(begin + length + slashes) + 1);
  return 0;
}

static bool is_strange(uid_t owner) {
  return owner != geteuid() && owner != 0;
}

/* Puts the link's text before `rest`. 0, or errno. */
static int follow_link(Walk *walk, int link_fd) {
  char text[PATH_MAX], whole[PATH_MAX];
  uid_t owner = walk->object.st_uid;
  if (++walk->links > MOST_LINKS) return ELOOP;
  if (is_strange(owner)) {
    if (walk->is_led && walk->led_by != owner) return EPERM;
    walk->is_led = true;
    walk->led_by = owner;
  }
  ssize_t length = tr_read_link(link_fd, walk->name, &walk->object, text, sizeof text - 1);
  if (length < 0) return errno;
  text[length] = '\0';
  const char *slash = walk->ends_dir ? "/" : "";
  if (snprintf(whole, sizeof whole, "%s%s%s", text, slash, walk->rest) >= (int)sizeof whole) return ENAMETOOLONG;
  memcpy(walk->rest, whole, sizeof whole);
  return *text == '/' ? step_to_root(walk) : 0;
}

/* Looks at the entry `name` and goes on from it. 0, or errno. *is_end: the walk has come to its end. */
static int step(Walk *walk, bool *is_end) {
  bool is_last = *walk->rest == '\0';
  int fd = tr_locate(walk->dir_fd, walk->name, &walk->object);
  *is_end = fd < 0 && errno == ENOENT && is_last && !walk->ends_dir; /* a new file */
  if (fd < 0) return *is_end ? 0 : errno;
  int code = 0;
  walk->descriptor = is_last ? tr_descriptor_named(walk->dir_fd, walk->name) : -1;
  *is_end = walk->descriptor >= 0;
  if (!*is_end && S_ISLNK(walk->object.st_mode)) {
    code = follow_link(walk, fd);
  } else if (!*is_end && is_last && !walk->ends_dir) {
    *is_end = true;
    walk->object_fd = fd;
    return 0;
  } else if (!*is_end && S_ISDIR(walk->object.st_mode)) {
    step_into(walk, fd);
    return 0;
  } else if (!*is_end) {
    code = ENOTDIR;
  }
  close(fd);
  return code;
}

/* May another user's link lead here? Only where that user could write anyway: into a directory of theirs, whose entries
** they can replace, whoever owns them; or to a pipe of theirs. */
static int check_leader(const Walk *walk) {
  struct stat dir;
  if (!walk->is_led || walk->descriptor >= 0) return 0;
  if (fstat(walk->dir_fd, &dir) != 0) return errno;
  bool is_replaced = walk->object_fd < 0 || S_ISREG(walk->object.st_mode);
  uid_t owner = is_replaced ? dir.st_uid : walk->object.st_uid;
  return owner == walk->led_by ? 0 : EPERM;
}

static int walk_path(Walk *walk, const char *path) {
  if (*path == '\0') return ENOENT;
  if (strlen(path) >= PATH_MAX) return ENAMETOOLONG;
  strcpy(walk->rest, path);
  int code = *path == '/' ? step_to_root(walk) : 0;
  if (code == 0 && walk->dir_fd < 0) {
    walk->dir_fd = tr_locate_dir(AT_FDCWD, ".");
    code = walk->dir_fd < 0 ? errno : 0;
  }
  for (bool is_end = false; code == 0 && !is_end;) {
    code = take_name(walk);
    if (code == 0 && *walk->name == '\0') return EISDIR; /* the path ended in a directory */
    if (code == 0) code = step(walk, &is_end);
  }
  return code == 0 ? check_leader(walk) : code;
}

/* --- a file beside the file --------------------------------------------------------------------------------------- */

static int choose_name(TrTarget *target) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
  unsigned char random[6];
  int reason = tr_random_bytes(random, sizeof random);
  if (reason) return reason;
  memcpy(target->temporary, ".taskresults.", 13);
  for (int k = 0; k < 6; k++) target->temporary[13 + k] = letters[random[k] % 32];
  target->temporary[19] = '\0';
  return 0;
}

/* The temporary gets the mode of the existing file, or the default for a new one. */
static int create_temporary(TrTarget *target, const struct stat *existing, const char *wanted) {
  int code = 0;
  target->what = "a temporary file beside it cannot be made";
  for (int i = 0; i < MOST_NAMES && target->fd < 0; i++) {
    bool is_wanted = i == 0 && wanted && strlen(wanted) < sizeof target->temporary;
    code = is_wanted ? 0 : choose_name(target);
    if (code) break;
    if (is_wanted) strcpy(target->temporary, wanted);
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    target->fd = (int)TEMP_FAILURE_RETRY(openat(target->dir_fd, target->temporary, flags, existing ? 0600 : 0666));
    code = target->fd < 0 ? errno : 0;
    if (code != EEXIST && !(is_wanted && code == ENAMETOOLONG)) break;
  }
  struct stat made;
  if (code) target->temporary[0] = '\0'; /* nothing to remove */
  if (code == 0 && fstat(target->fd, &made) != 0) code = errno;
  if (code) return code;
  target->device = made.st_dev;
  target->inode = made.st_ino;
  target->what = "its mode cannot be kept";
  return existing && fchmod(target->fd, existing->st_mode & 0777) != 0 ? errno : 0;
}

static int open_regular(TrTarget *target, const Walk *walk, const char *temporary) {
  target->what = "its directory";
  memcpy(target->name, walk->name, sizeof walk->name);
  target->dir_fd = open_in(walk->dir_fd, ".", O_RDONLY | O_DIRECTORY);
  const struct stat *existing = walk->object_fd >= 0 ? &walk->object : NULL;
  return target->dir_fd < 0 ? errno : create_temporary(target, existing, temporary);
}

/* --- what is written to as it is ---------------------------------------------------------------------------------- */

/* Without O_NONBLOCK, opening a FIFO that nobody reads would block, and could not be interrupted. */
static int open_direct(TrTarget *target, const Walk *walk) {
  struct stat opened;
  target->fd = open_in(walk->dir_fd, walk->name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (target->fd < 0) return errno == ENXIO && S_ISFIFO(walk->object.st_mode) ? EAGAIN : errno;
  if (fstat(target->fd, &opened) != 0) return errno;
  target->what = "another file has been put in its place";
  return opened.st_dev == walk->object.st_dev && opened.st_ino == walk->object.st_ino ? 0 : ESTALE;
}

/* Other processes may share this descriptor, so we must not change its flags; but a pipe can be opened a second
** time. */
static int open_descriptor(TrTarget *target, int fd) {
  struct stat stat;
  if (fstat(fd, &stat) != 0) return errno;
  if (S_ISFIFO(stat.st_mode)) {
    target->fd = tr_reopen_descriptor(fd, O_WRONLY | O_NONBLOCK);
    if (target->fd >= 0) return 0;
  }
  target->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return target->fd < 0 ? errno : 0;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int open_walked(TrTarget *target, const Walk *walk, const char *temporary) {
  if (walk->descriptor >= 0) return open_descriptor(target, walk->descriptor);
  if (walk->object_fd < 0 || S_ISREG(walk->object.st_mode)) return open_regular(target, walk, temporary);
  return S_ISDIR(walk->object.st_mode) ? EISDIR : open_direct(target, walk);
}

int tr_target_open(TrTarget *target, const char *path, const char *temporary) {
  Walk walk = {.dir_fd = -1, .object_fd = -1, .descriptor = -1};
  *target = (TrTarget){.fd = -1, .dir_fd = -1, .what = ""};
  if (strcmp(path, "/dev/stdout") == 0) return open_descriptor(target, STDOUT_FILENO); /* works without /proc */
  if (strcmp(path, "/dev/stderr") == 0) return open_descriptor(target, STDERR_FILENO);
  int code = walk_path(&walk, path);
  if (code == EPERM && walk.is_led) target->what = "a link of another user's leads there";
  if (code == ENOENT && walk.ends_dir) target->what = "its directory";
  if (code == 0) code = open_walked(target, &walk, temporary);
  if (walk.dir_fd >= 0) close(walk.dir_fd);
  if (walk.object_fd >= 0) close(walk.object_fd);
  return code;
}

static int flush(int fd) {
  return TEMP_FAILURE_RETRY(fsync(fd)) != 0 ? errno : 0;
}

/* Anybody who may write to the directory can remove the temporary, or put something else in its place. */
static int take_place(TrTarget *target) {
  struct stat made;
  target->what = "the temporary file cannot take its place";
  if (fstatat(target->dir_fd, target->temporary, &made, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (made.st_dev != target->device || made.st_ino != target->inode) return ESTALE;
  if (renameat(target->dir_fd, target->temporary, target->dir_fd, target->name) != 0) return errno;
  target->temporary[0] = '\0';
  target->in_place = true;
  return 0;
}

int tr_target_commit(TrTarget *target, bool sync) {
  if (target->dir_fd < 0) return 0;
  target->what = NULL;
  int code = sync ? flush(target->fd) : 0;
  if (code) return code;
  int closed = close(target->fd); /* network file systems may report a full disk only here */
  target->fd = -1;
  if (closed != 0) return errno;
  code = take_place(target);
  if (code) return code;
  target->what = "fsync of its directory";
  return sync ? flush(target->dir_fd) : 0;
}

void tr_target_close(TrTarget *target) {
  if (target->fd >= 0) close(target->fd);
  if (target->temporary[0]) unlinkat(target->dir_fd, target->temporary, 0);
  if (target->dir_fd >= 0) close(target->dir_fd);
  *target = (TrTarget){.fd = -1, .dir_fd = -1};
}
