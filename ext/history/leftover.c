/*
** leftover.c - the names a prune gives to its own files, and how to tell one that was left behind.
**
** A prune of job J works beside J's file, under names of fixed length (a job id may be 249 bytes long) that do not end
** in .jsonl, so that no reader takes them for a job:
**
**     .taskresults-<hash of J, 16 hex digits>.lock      held with flock() while the prune runs; never removed
**     .taskresults-<hash of J, 16 hex digits>.new       the kept lines; after the exchange, the old file
**     .taskresults-<hash of J, 16 hex digits>.journal   which inodes are being exchanged, and whose they are
**
** A .new or .journal whose lock nobody holds was left by a prune that was killed, or that gave up draining. It may hold
** records that are nowhere else, so task_rejects shows it until the next prune of that job has finished it.
*/
#include "history.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LEFTOVER_PREFIX ".taskresults-"
#define PREFIX_LEN (sizeof LEFTOVER_PREFIX - 1)
#define HASH_LEN 16

void tr_leftover_name(const char *job_id, size_t length, const char *suffix, char out[TR_LEFTOVER_NAME_SIZE]) {
  snprintf(out, TR_LEFTOVER_NAME_SIZE, LEFTOVER_PREFIX "%016llx%s", (unsigned long long)tr_hash_bytes(job_id, length),
           suffix);
}

bool tr_leftover_is_named(const char *name) {
  size_t length = strlen(name);
  if (length <= PREFIX_LEN + HASH_LEN || memcmp(name, LEFTOVER_PREFIX, PREFIX_LEN) != 0) return false;
  const char *suffix = name + PREFIX_LEN + HASH_LEN;
  return strcmp(suffix, ".new") == 0 || strcmp(suffix, ".journal") == 0;
}

bool tr_leftover_belongs(const char *name, const char *job_id, size_t length) {
  char expected[TR_LEFTOVER_NAME_SIZE];
  tr_leftover_name(job_id, length, "", expected);
  return strncmp(name, expected, PREFIX_LEN + HASH_LEN) == 0;
}

bool tr_leftover_is_held(int dirfd, const char *name) {
  char lock[TR_LEFTOVER_NAME_SIZE];
  snprintf(lock, sizeof lock, "%.*s.lock", (int)(PREFIX_LEN + HASH_LEN), name);
  int fd = openat(dirfd, lock, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  bool held = flock(fd, LOCK_SH | LOCK_NB) != 0; /* released at once; a pruner that meets it retries */
  close(fd);
  return held;
}
