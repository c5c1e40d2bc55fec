/*
** fresh_folder.c - is a folder, found under a name, the one that we have just made there?
**
** Who owns the directory around it can put another folder under its name, before we have opened it. What root makes for
** somebody is given to him; so it must not be a folder of root's in which something is.
*/
#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool is_empty_folder(int fd) {
  int own = (int)TEMP_FAILURE_RETRY(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR *stream = own >= 0 ? fdopendir(own) : NULL;
  if (stream == NULL) {
    if (own >= 0) close(own);
    return false;
  }
  const struct dirent *entry;
  errno = 0;
  do entry = readdir(stream);
  while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
  bool is_empty = entry == NULL && errno == 0;
  closedir(stream);
  return is_empty;
}

bool tr_folder_is_fresh(int fd, const struct stat *found) {
  return found->st_uid == geteuid() && (found->st_mode & (S_IRWXG | S_IRWXO)) == 0 && is_empty_folder(fd);
}
