/*
** io.c - reads and writes at a place of a file: retried when interrupted, and completed after short ones.
*/
#include "codec.h"

#include <errno.h>
#include <unistd.h>

int tr_write_at(int fd, const void *bytes, size_t length, int64_t at) {
  const char *from = bytes;
  while (length > 0) {
    ssize_t n = TEMP_FAILURE_RETRY(pwrite(fd, from, length, at));
    if (n < 0) return errno;
    if (n == 0) return ENOSPC;
    from += n;
    at += n;
    length -= (size_t)n;
  }
  return 0;
}

int tr_read_at(int fd, void *bytes, size_t length, int64_t at, bool *whole) {
  char *into = bytes;
  *whole = false;
  while (length > 0) {
    ssize_t n = TEMP_FAILURE_RETRY(pread(fd, into, length, at));
    if (n < 0) return errno;
    if (n == 0) break;
    into += n;
    at += n;
    length -= (size_t)n;
  }
  *whole = length == 0;
  return 0;
}
