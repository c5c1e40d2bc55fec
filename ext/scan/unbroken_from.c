/*
** unbroken_from.c - of the file that a scan reads now: from which byte on has no prune removed runs?
**
** It is asked for each line, and found once for each file.
*/
#include "scan.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int find_unbroken(TrScan *scan, char **message) {
  const TrScanFile *current = &scan->current;
  const TrFileList *list = current->list;
  size_t before = tr_segment_directory(current->path);
  char name[TR_NAME_SIZE];
  char *directory =
      sqlite3_mprintf("%s%s%.*s", list->dir_path, before ? "/" : "", (int)before - (before > 0), current->path);
  if (directory == NULL) return SQLITE_NOMEM;
  tr_segment_live_name(list->store, current->job, name);
  int dir_fd = tr_file_list_open_dir_of(list, current->path), code = SQLITE_CANTOPEN;
  if (dir_fd < 0) {
    code = tr_error(message, code, "%s cannot be opened: %s", directory, strerror(errno));
  } else {
    bool lists = tr_filter_exact_jobs(&scan->filter) == NULL;
    code = tr_unbroken_find(&scan->unbroken, dir_fd, directory, lists, name, &current->file, &scan->unbroken_from,
                            message);
  }
  if (dir_fd >= 0 && dir_fd != list->dir.fd) close(dir_fd);
  sqlite3_free(directory);
  return code;
}

/* Cheaply. Prunes are of plain files of our own scheduler's. */
static bool may_be_broken(const TrScan *scan) {
  const TrScanFile *current = &scan->current;
  bool are_none = scan->unbroken.directory && scan->unbroken.folder.fd < 0 && current->list->hosts.base == NULL;
  return !are_none && current->file.codec == TR_CODEC_PLAIN && current->job.text && scan->mapping == NULL;
}

int tr_scan_unbroken_from(TrScan *scan, int64_t *from, char **message) {
  const TrScanFile *current = &scan->current;
  int code = SQLITE_OK;
  if (scan->unbroken_path != current->path) {
    scan->unbroken_from = 0;
    if (may_be_broken(scan)) code = find_unbroken(scan, message);
    scan->unbroken_path = code == SQLITE_OK ? current->path : NULL;
  }
  *from = scan->unbroken_from;
  return code;
}
