/*
** folders.c - a path -> its folder, if nobody else can change what it leads to.
**
** Each folder on the way has to belong to us or to root, and only they may write to it; or it is one where nobody can
** rename what others made (a sticky one, like /tmp). The same goes for links: whose they are, not where they lead, as
** that is looked at in the same way. So what is in the folder has been put there by us. The folder itself is ours.
*/
#include "index.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST_FOLDER_LINKS 40

typedef struct FolderWalk {
  int fd;              /* owned: of the folder that was reached */
  char left[PATH_MAX]; /* what is left of the path */
  unsigned links;      /* that were followed */
  bool makes;
  const char *path; /* borrowed, like `why` */
  char *why;
  size_t why_size;
} FolderWalk;

/* The path up to this folder is what is not left of it; behind a link, we only have its name. */
static bool refuse_folder(const FolderWalk *walk, const char *name, const char *cause) {
  size_t length = strlen(walk->path), left = strlen(walk->left);
  if (walk->links == 0 && left < length)
    snprintf(walk->why, walk->why_size, "%.*s: %s", (int)(length - left), walk->path, cause);
  else
    snprintf(walk->why, walk->why_size, "%s: %s: %s", walk->path, name, cause);
  return false;
}

static bool is_ours(uid_t owner) {
  return owner == geteuid() || owner == 0;
}

static bool may_pass(const FolderWalk *walk, const char *name, const struct stat *folder) {
  if (!is_ours(folder->st_uid)) return refuse_folder(walk, name, "it belongs to another user");
  if (folder->st_mode & (S_IWGRP | S_IWOTH) && !(folder->st_mode & S_ISVTX)) {
    return refuse_folder(walk, name, "other users may write to it");
  }
  return true;
}

static bool enter_checked_folder(FolderWalk *walk, int parent, const char *name) {
  struct stat found;
  int fd = (int)TEMP_FAILURE_RETRY(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0) return refuse_folder(walk, name, strerror(errno));
  bool is_fine = fstat(fd, &found) == 0 ? may_pass(walk, name, &found) : refuse_folder(walk, name, strerror(errno));
  if (!is_fine) {
    close(fd);
    return false;
  }
  if (walk->fd >= 0) close(walk->fd);
  walk->fd = fd;
  return true;
}

/* The path goes on where the link leads. */
static bool follow_folder_link(FolderWalk *walk, const char *name, const struct stat *link) {
  char path[PATH_MAX], target[PATH_MAX];
  if (!is_ours(link->st_uid)) return refuse_folder(walk, name, "it is a link of another user");
  if (++walk->links > MOST_FOLDER_LINKS) return refuse_folder(walk, name, strerror(ELOOP));
  ssize_t length = readlinkat(walk->fd, name, target, sizeof target - 1);
  if (length <= 0) return refuse_folder(walk, name, strerror(errno));
  target[length] = '\0';
  if (snprintf(path, sizeof path, "%s/%s", target, walk->left) >= (int)sizeof path) {
    return refuse_folder(walk, name, strerror(ENAMETOOLONG));
  }
  memcpy(walk->left, path, strlen(path) + 1);
  return target[0] != '/' || enter_checked_folder(walk, AT_FDCWD, "/");
}

static bool take_folder(FolderWalk *walk, const char *name) {
  struct stat found;
  if (strcmp(name, ".") == 0) return true;
  if (fstatat(walk->fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0) {
    return S_ISLNK(found.st_mode) ? follow_folder_link(walk, name, &found) : enter_checked_folder(walk, walk->fd, name);
  }
  if (errno != ENOENT) return refuse_folder(walk, name, strerror(errno));
  if (!walk->makes) return false;
  if (mkdirat(walk->fd, name, 0700) != 0 && errno != EEXIST) return refuse_folder(walk, name, strerror(errno));
  return enter_checked_folder(walk, walk->fd, name);
}

/* Takes the next name off the path. False: there are no more. */
static bool next_name(FolderWalk *walk, char name[NAME_MAX + 1]) {
  size_t slashes = strspn(walk->left, "/"), length = strcspn(walk->left + slashes, "/");
  if (length == 0) return false;
  if (length > NAME_MAX) length = NAME_MAX; /* no such name exists, nor can it be made */
  memcpy(name, walk->left + slashes, length);
  name[length] = '\0';
  memmove(walk->left, walk->left + slashes + length, strlen(walk->left + slashes + length) + 1);
  return true;
}

static bool is_owned_by_us(const FolderWalk *walk) {
  struct stat found;
  if (fstat(walk->fd, &found) != 0) return refuse_folder(walk, "the folder", strerror(errno));
  if (found.st_uid != geteuid()) return refuse_folder(walk, "the folder", "it belongs to another user");
  if (found.st_mode & (S_IWGRP | S_IWOTH)) return refuse_folder(walk, "the folder", "other users may write to it");
  return true;
}

int tr_folders_open(const char *path, bool makes, char *why, size_t why_size) {
  FolderWalk walk = {.fd = -1, .makes = makes, .path = path, .why = why, .why_size = why_size};
  char name[NAME_MAX + 1];
  why[0] = '\0';
  bool is_fine = snprintf(walk.left, sizeof walk.left, "%s", path) < (int)sizeof walk.left;
  if (!is_fine) snprintf(why, why_size, "%s", strerror(ENAMETOOLONG));
  is_fine = is_fine && enter_checked_folder(&walk, AT_FDCWD, "/");
  while (is_fine && next_name(&walk, name)) is_fine = take_folder(&walk, name);
  is_fine = is_fine && is_owned_by_us(&walk);
  if (is_fine) return walk.fd;
  if (walk.fd >= 0) close(walk.fd);
  return -1;
}
