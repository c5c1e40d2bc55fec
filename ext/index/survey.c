/*
** survey.c - what there is of indexes: how a job's stands, what under it has changed, and how all of them are removed.
*/
#include "index.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- one job's ---------------------------------------------------------------------------------------------------- */

static TrIndexStanding standing_of(const TrIndexPlace *place, const TrIndex *index) {
  if (index->identity.size < TR_INDEX_LEAST_BYTES) return TR_INDEX_NEEDLESS;
  if (!tr_index_is_on(place)) return TR_INDEX_MISSING;
  if (index->saved.is_unusable) return TR_INDEX_UNUSABLE;
  if (index->end > 0) return TR_INDEX_BELIEVED;
  return index->saved.size == 0 ? TR_INDEX_MISSING : TR_INDEX_OUTDATED;
}

int tr_index_survey(TrIndexPlace *place, const char *file_name, const TrFile *file, TrPoll *poll, TrIndexSurvey *survey,
                    TrIndex *index) {
  int code = tr_index_load(place, file_name, file, poll, index);
  if (code != SQLITE_OK) return code;
  *survey = (TrIndexSurvey){.bytes = (int64_t)file->stat.st_size, .index_bytes = index->saved.size};
  index->identity.size = survey->bytes;
  survey->standing = standing_of(place, index);
  survey->end = index->end;
  survey->known_us = index->known_us;
  for (size_t i = 0; i < index->count; i++) survey->records += index->block[i].records;
  return SQLITE_OK;
}

int tr_index_find_change(const TrIndex *index, size_t *block, TrPoll *poll, TrRange *changed) {
  *changed = (TrRange){-1, -1};
  for (; *block < index->count; ++*block) {
    bool is_same;
    int code = tr_poll(poll);
    if (code == SQLITE_OK) code = tr_index_block_is_same(index, *block, &is_same);
    if (code != SQLITE_OK) return code;
    if (is_same && changed->from >= 0) return SQLITE_OK;
    if (is_same) continue;
    if (changed->from < 0) changed->from = index->block[*block].from;
    changed->to = index->block[*block].to;
  }
  return SQLITE_OK;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

/* The folder with the indexes of the directory, of all versions: the one above place->path. */
static char *folder_of_directory(const TrIndexPlace *place) {
  return sqlite3_mprintf("%.*s", (int)(strrchr(place->path, '/') - place->path), place->path);
}

static bool is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static DIR *list_folder(int parent, const char *name) {
  int fd = (int)TEMP_FAILURE_RETRY(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
  if (folder == NULL && fd >= 0) close(fd);
  return folder;
}

/* Adds what is in a folder, and removes it if `drops` is set. */
static void count_folder(int parent, const char *name, bool drops, TrIndexTotals *totals) {
  struct stat found;
  DIR *folder = list_folder(parent, name);
  if (folder == NULL) return;
  for (const struct dirent *entry; (entry = readdir(folder));) {
    if (is_dots(entry->d_name) || fstatat(dirfd(folder), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
    totals->files++;
    totals->bytes += (int64_t)found.st_size;
    if (drops && unlinkat(dirfd(folder), entry->d_name, 0) != 0) totals->left++;
  }
  closedir(folder);
  if (drops) unlinkat(parent, name, AT_REMOVEDIR);
}

int tr_index_count_all(const TrIndexPlace *place, bool drops, TrIndexTotals *own, TrIndexTotals *others) {
  char why[256];
  *own = *others = (TrIndexTotals){0};
  if (place->path == NULL) return SQLITE_OK;
  char *path = folder_of_directory(place);
  if (path == NULL) return SQLITE_NOMEM;
  int fd = tr_folders_open(path, false, why, sizeof why);
  sqlite3_free(path);
  DIR *folder = fd >= 0 ? list_folder(fd, ".") : NULL;
  for (const struct dirent *entry; folder && (entry = readdir(folder));) {
    if (is_dots(entry->d_name)) continue;
    bool is_own = strcmp(entry->d_name, strrchr(place->path, '/') + 1) == 0;
    count_folder(fd, entry->d_name, drops, is_own ? own : others);
  }
  if (folder) closedir(folder);
  if (fd >= 0) close(fd);
  return SQLITE_OK;
}
