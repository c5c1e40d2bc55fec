/*
** keep.c - keeps one stream's output under --quiet, to show it later or never: the first KEPT_HEAD_BYTES in memory, so
** that most commands need no disk, and the rest in a file without a name.
*/
#include "base/base.h"

#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* 0, or errno. */
static int open_file(Kept *kept) {
  char path[PATH_MAX];
  const char *directory = getenv("TMPDIR");
  if (directory == NULL || *directory == '\0') directory = "/tmp";
  if (snprintf(path, sizeof path, "%s/taskresults.XXXXXX", directory) >= (int)sizeof path) return ENAMETOOLONG;
  int fd = mkostemp(path, O_CLOEXEC);
  if (fd < 0) return errno;
  unlink(path);
  kept->file = fd;
  kept->has_file = true;
  return 0;
}

/* How many bytes were written to the file; if not all, *reason is errno. */
static size_t add_to_file(Kept *kept, const unsigned char *bytes, size_t length, int *reason) {
  size_t done = 0;
  *reason = kept->has_file ? 0 : open_file(kept);
  while (*reason == 0 && done < length) {
    ssize_t count = TEMP_FAILURE_RETRY(write(kept->file, bytes + done, length - done));
    if (count < 0)
      *reason = errno;
    else
      done += (size_t)count;
  }
  kept->file_length += (off_t)done;
  return done;
}

int kept_add(Kept *kept, const unsigned char *bytes, size_t length) {
  int reason = 0;
  size_t count = smaller(length, sizeof kept->head - kept->head_length);
  memcpy(kept->head + kept->head_length, bytes, count);
  kept->head_length += count;
  if (count < length) count += add_to_file(kept, bytes + count, length - count, &reason);
  kept->tail_length = length - count;
  memcpy(kept->tail, bytes + count, kept->tail_length);
  return reason;
}

ssize_t kept_take(Kept *kept, unsigned char *out, size_t size) {
  size_t count = smaller(size, kept->head_length - kept->head_taken);
  if (count) {
    memcpy(out, kept->head + kept->head_taken, count);
    kept->head_taken += count;
  } else if (kept->file_taken < kept->file_length) {
    ssize_t got = TEMP_FAILURE_RETRY(pread(kept->file, out, size, kept->file_taken));
    if (got == 0) errno = EIO;
    if (got <= 0) return -1;
    kept->file_taken += got;
    return got;
  } else {
    count = smaller(size, kept->tail_length - kept->tail_taken);
    memcpy(out, kept->tail + kept->tail_taken, count);
    kept->tail_taken += count;
  }
  return (ssize_t)count;
}

bool kept_is_empty(const Kept *kept) {
  return kept->head_taken == kept->head_length && kept->file_taken == kept->file_length &&
         kept->tail_taken == kept->tail_length;
}

void kept_drop(Kept *kept) {
  kept->head_taken = kept->head_length;
  kept->file_taken = kept->file_length;
  kept->tail_taken = kept->tail_length;
}
