/*
** held_files.c - the files that jobs share, all open, as they were at one moment.
**
** While a query reads such a log, its program may rotate it: each file gets the name of the next older one. A file
** that is opened when its turn comes would then be another one than was listed, and records would be read twice, or
** not at all. So all are opened before the first is read; file_list.c lists them again; and if the names are the
** same, and each is still that of the file that we opened, these were the log's files at one moment. Of very many
** files the last ones are opened again when their turn comes; if one is another file by then, that is an error.
*/
#include "scan.h"

#include <errno.h>
#include <fcntl.h>

#ifndef TR_MOST_HELD_FILES
#define TR_MOST_HELD_FILES 128
#endif

static const char *path_of_held(const TrFileList *list, size_t which) {
  return tr_names_get(list->names, list->ordinal[which]);
}

static bool is_same_file(const struct stat *a, const struct stat *b) {
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

int tr_held_files_open(TrFileList *list) {
  int code = SQLITE_OK;
  list->held = sqlite3_malloc64((list->count + 1) * sizeof *list->held);
  if (list->held == NULL) return SQLITE_NOMEM;
  for (list->held_count = 0; list->held_count < list->count && code == SQLITE_OK; list->held_count++) {
    TrHeldFile *held = &list->held[list->held_count];
    *held = (TrHeldFile){.file.fd = -1};
    code = tr_dir_open_file(&list->dir, path_of_held(list, list->held_count), list->poll, &held->file, &held->entry);
    if (list->held_count < TR_MOST_HELD_FILES) continue;
    held->is_taken = held->entry == TR_ENTRY_READABLE;
    tr_file_close(&held->file);
  }
  return code;
}

int tr_held_files_compare(const TrFileList *list, bool *are_same, char **message) {
  *are_same = true;
  for (size_t i = 0; i < list->held_count && *are_same; i++) {
    struct stat now;
    const char *path = path_of_held(list, i);
    const TrHeldFile *held = &list->held[i];
    *are_same = held->entry != TR_ENTRY_VANISHED;
    if (held->entry != TR_ENTRY_READABLE) continue;
    if (fstatat(list->dir.fd, path, &now, AT_SYMLINK_NOFOLLOW) == 0) {
      *are_same = is_same_file(&now, &held->file.stat);
      continue;
    }
    *are_same = false;
    if (errno != ENOENT)
      return tr_error(message, tr_error_code(errno), "%s/%s cannot be examined: %s", list->dir_path, path,
                      strerror(errno));
  }
  return SQLITE_OK;
}

int tr_held_files_take(TrFileList *list, TrFile *file, TrEntry *entry, char **message) {
  TrHeldFile *held = &list->held[list->at];
  const char *path = path_of_held(list, list->at);
  if (!held->is_taken) {
    *file = held->file;
    *entry = held->entry;
    held->is_taken = held->entry == TR_ENTRY_READABLE;
    held->file.fd = -1;
    return SQLITE_OK;
  }
  int code = tr_dir_open_file(&list->dir, path, list->poll, file, entry);
  bool is_same = *entry == TR_ENTRY_READABLE && is_same_file(&file->stat, &held->file.stat);
  if (code != SQLITE_OK || is_same || *entry == TR_ENTRY_UNREADABLE) return code;
  tr_file_close(file);
  return tr_error(message, SQLITE_BUSY, "%s/%s was replaced while the files that jobs share were read; read them again",
                  list->dir_path, path);
}

void tr_held_files_close(TrFileList *list) {
  for (size_t i = 0; i < list->held_count; i++) tr_file_close(&list->held[i].file);
  sqlite3_free(list->held);
  list->held = NULL;
  list->held_count = 0;
}
