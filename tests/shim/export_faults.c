/*
** export_faults.c - an LD_PRELOAD shim that lets the system calls of an export fail, or kills the process at one of
** them. It counts the calls that write the temporary file (openat, fchmod, write, fsync, close, renameat) and the fsync
** of its directory; all others are left alone.
**
**   EXPORT_FAULTS_AT=N      the Nth of them (1 is the first) ...
**   EXPORT_FAULTS_ERRNO=E   ... fails with errno E, without doing anything ...
**   EXPORT_FAULTS_KILL=1    ... or the process is killed just before it
**   EXPORT_FAULTS_TIMES=N   and so do N - 1 more (default 0)
**   EXPORT_FAULTS_SHORT=N   a write takes N bytes at the most
**   EXPORT_FAULTS_LOG=PATH  every call's name is appended there
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(type, name, ...)                                                                                          \
  static type (*real)(__VA_ARGS__);                                                                                    \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

static int temporary_fd = -1, directory_fd = -1;
static long calls;

static long setting(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 10) : otherwise;
}

static bool fails(const char *name) {
  const char *log = getenv("EXPORT_FAULTS_LOG");
  if (log) {
    FILE *file = fopen(log, "a"); /* by descriptors that nobody watches */
    if (file) fprintf(file, "%s\n", name), fclose(file);
  }
  long first = setting("EXPORT_FAULTS_AT", 0);
  calls++;
  if (first == 0 || calls < first || calls >= first + setting("EXPORT_FAULTS_TIMES", 1)) return false;
  if (setting("EXPORT_FAULTS_KILL", 0)) raise(SIGKILL);
  errno = (int)setting("EXPORT_FAULTS_ERRNO", EIO);
  return true;
}

static bool is_temporary(const char *path) {
  return strncmp(path, ".taskresults.", 13) == 0;
}

int openat(int dirfd, const char *path, int flags, ...) {
  REAL(int, openat, int, const char *, int, ...);
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  bool watched = is_temporary(path);
  if (watched && fails("openat")) return -1;
  int fd = real(dirfd, path, flags, mode);
  if (watched && fd >= 0) temporary_fd = fd, directory_fd = dirfd;
  return fd;
}

int fchmod(int fd, mode_t mode) {
  REAL(int, fchmod, int, mode_t);
  if (fd >= 0 && fd == temporary_fd && fails("fchmod")) return -1;
  return real(fd, mode);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(ssize_t, write, int, const void *, size_t);
  if (fd < 0 || fd != temporary_fd) return real(fd, bytes, length);
  if (fails("write")) return -1;
  size_t most = (size_t)setting("EXPORT_FAULTS_SHORT", 0);
  return real(fd, bytes, most && most < length ? most : length);
}

int fsync(int fd) {
  REAL(int, fsync, int);
  bool watched = fd >= 0 && (fd == temporary_fd || fd == directory_fd);
  if (watched && fails(fd == temporary_fd ? "fsync" : "fsync directory")) return -1;
  return real(fd);
}

int close(int fd) {
  REAL(int, close, int);
  bool watched = fd >= 0 && fd == temporary_fd;
  if (watched) temporary_fd = -1;
  if (watched && fails("close")) {
    int reason = errno;
    real(fd); /* as the system does: it fails, and is closed all the same */
    errno = reason;
    return -1;
  }
  return real(fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
  REAL(int, renameat, int, const char *, int, const char *);
  if (is_temporary(from) && fails("renameat")) return -1;
  return real(from_dir, from, to_dir, to);
}
