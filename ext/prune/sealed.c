/*
** sealed.c - the seals of the job's file are verified before anything is dropped.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>

int tr_sealed_check(TrPrune *prune, char **message) {
  TrOwnFolder folder;
  struct stat found;
  int code =
      tr_own_folder_open(&folder, prune->dir->fd, prune->dir->path, TR_SEALS_FOLDER, false, TR_SEALS_WHAT, message);
  if (code != SQLITE_OK || folder.fd < 0) return code;
  if (fstatat(folder.fd, prune->file_name, &found, AT_SYMLINK_NOFOLLOW) == 0) {
    code = tr_prune_error(prune, SQLITE_ERROR, message, 0, "is sealed, and cannot be pruned yet");
  } else if (errno != ENOENT) {
    code = tr_prune_error(prune, tr_error_code(errno), message, errno, "has seals that cannot be examined");
  }
  tr_own_folder_close(&folder);
  return code;
}
