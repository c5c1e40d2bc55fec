/*
** place.c - where the indexes of a directory of results are:
**
**   CACHE/<hash of the directory's path and inode>/<format>.<verdict version>.<max_line>.<mapping>/<name of job's file>
**
** The directory of results may be another user's, and what a question finds out is ours alone: so nothing is written
** there. A version of taskresults that reads lines otherwise, or a question that does, has indexes of its own.
*/
#include "index.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACE_SEED 0 /* a path is no secret */
#define WITHOUT_INDEX "this build is without it (make WITH_INDEX=0)"

const char *tr_index_setting(void) {
  const char *setting = tr_secure_environment("TASKRESULTS_INDEX");
  return setting && *setting && strcmp(setting, "off") != 0 ? setting : NULL;
}

/* *cache: owned; NULL if there is no home, or out of memory. */
static int cache_of_user(char **cache) {
  const char *base = tr_secure_environment("XDG_CACHE_HOME"), *home = tr_secure_environment("HOME");
  *cache = NULL;
  if (base && *base) { /* a relative one is to be ignored, says the XDG Base Directory Specification */
    if (*base != '/') return SQLITE_OK;
    *cache = sqlite3_mprintf("%s/taskresults", base);
  } else {
    if (home == NULL || *home != '/') return SQLITE_OK;
    *cache = sqlite3_mprintf("%s/.cache/taskresults", home);
  }
  return *cache ? SQLITE_OK : SQLITE_NOMEM;
}

static int find_cache(TrIndexPlace *place, const char *setting, char **message) {
  if (setting == NULL || strcmp(setting, "off") == 0) return SQLITE_OK;
  if (strcmp(setting, "auto") == 0) {
    if (!tr_fast_hash_is_there()) {
      snprintf(place->why, sizeof place->why, WITHOUT_INDEX);
      return SQLITE_OK;
    }
    int code = cache_of_user(&place->cache);
    if (code == SQLITE_OK && place->cache == NULL) {
      snprintf(place->why, sizeof place->why, "there is no absolute XDG_CACHE_HOME, and no HOME");
    }
    return code;
  }
  if (*setting != '/') {
    return tr_error(message, SQLITE_ERROR, "TASKRESULTS_INDEX: '%s' is neither off, nor auto, nor an absolute path",
                    setting);
  }
  if (!tr_fast_hash_is_there()) {
    return tr_error(message, SQLITE_ERROR, "TASKRESULTS_INDEX: there is no index: " WITHOUT_INDEX);
  }
  place->cache = sqlite3_mprintf("%s", setting);
  return place->cache ? SQLITE_OK : SQLITE_NOMEM;
}

static void digits_of(const void *bytes, size_t length, char digits[17]) {
  unsigned char hash[TR_INDEX_HASH_BYTES];
  tr_fast_hash(bytes, length, PLACE_SEED, hash);
  for (int i = 0; i < 8; i++) snprintf(digits + 2 * i, 3, "%02x", hash[i]);
}

/* False: the path of the directory leads elsewhere by now, or is too long. */
static bool key_of_directory(const TrDir *dir, char digits[17]) {
  char real[PATH_MAX + 32];
  struct stat found, named;
  if (fstat(dir->fd, &found) != 0 || realpath(dir->path, real) == NULL || stat(real, &named) != 0) return false;
  if (found.st_dev != named.st_dev || found.st_ino != named.st_ino) return false;
  size_t length = strlen(real);
  length += (size_t)snprintf(real + length, sizeof real - length, "\n%llu", (unsigned long long)found.st_ino);
  digits_of(real, length, digits);
  return true;
}

static int find_path(TrIndexPlace *place, const TrDir *dir, size_t max_line, const char *mapping) {
  char directory[17], mapped[17] = "native";
  if (!key_of_directory(dir, directory)) {
    snprintf(place->why, sizeof place->why, "the path of the directory of results cannot be resolved");
    return SQLITE_OK;
  }
  if (mapping) digits_of(mapping, strlen(mapping), mapped);
  place->path = sqlite3_mprintf("%s/%s/%d.%d.%llu.%s", place->cache, directory, TR_INDEX_FORMAT, TR_VERDICT_VERSION,
                                (unsigned long long)max_line, mapped);
  return place->path ? SQLITE_OK : SQLITE_NOMEM;
}

bool tr_index_place_enter(TrIndexPlace *place, bool makes) {
  if (place->fd >= 0) return true;
  if (place->path == NULL || place->is_closed) return false;
  place->fd = tr_folders_open(place->path, makes, place->why, sizeof place->why);
  if (place->fd < 0 && (makes || place->why[0])) place->is_closed = true;
  return place->fd >= 0;
}

int tr_index_place_open(TrIndexPlace *place, const char *setting, const TrDir *dir, size_t max_line,
                        const char *mapping, char **message) {
  *place = (TrIndexPlace){.fd = -1, .dir_fd = dir->fd};
  int code = find_cache(place, setting, message);
  if (code == SQLITE_OK && place->cache) code = find_path(place, dir, max_line, mapping);
  if (code == SQLITE_OK && place->path) {
    tr_index_place_enter(place, false);
    if (tr_random_bytes(&place->random, sizeof place->random) != 0) place->random = (uint64_t)tr_clock_us();
    place->random |= 1;
  }
  if (code != SQLITE_OK) tr_index_place_close(place);
  return code;
}

void tr_index_place_close(TrIndexPlace *place) {
  if (place->fd >= 0) close(place->fd);
  sqlite3_free(place->path);
  sqlite3_free(place->cache);
  *place = (TrIndexPlace){.fd = -1};
}
