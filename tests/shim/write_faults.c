/*
** write_faults.c - an LD_PRELOAD shim that fails the system calls of an append, or lets somebody else come between two
** of them. It acts on files whose name ends in .jsonl and on the directory they are in; the host's files are left
** alone.
**
**   WRITE_FAULTS_CALL=NAME   the calls NAME (open, fstat, pread, write, lseek, fdatasync, fsync) ...
**   WRITE_FAULTS_AT=N        ... from the Nth on (1 is the first) ...
**   WRITE_FAULTS_TIMES=N     ... N times (default 1; 0: for ever) ...
**   WRITE_FAULTS_ERRNO=E     ... fail with errno E (default 5, EIO), without doing anything
**   WRITE_FAULTS_SHORT=N     a write takes N bytes at the most ...
**   WRITE_FAULTS_SHORT_AT=N  ... if it is the Nth (default: all)
**   WRITE_FAULTS_TEAR=N      just before the Nth write, somebody else appends a torn line (0: before every write)
**   WRITE_FAULTS_COME=N      just after the Nth write, somebody else appends a whole record (0: after every write)
**   WRITE_FAULTS_LOG=PATH    every call is logged there: its name, and for a write the bytes it was given
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define WATCHED_FDS 4096
#define REAL(type, name, ...)                                                                                          \
  static type (*real)(__VA_ARGS__);                                                                                    \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

static bool watched[WATCHED_FDS];
static char file_path[WATCHED_FDS][512];

static long setting(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 10) : otherwise;
}

static void log_call(const char *call, long bytes) {
  const char *path = getenv("WRITE_FAULTS_LOG");
  if (!path) return;
  char line[64];
  int length =
      bytes < 0 ? snprintf(line, sizeof line, "%s\n", call) : snprintf(line, sizeof line, "%s %ld\n", call, bytes);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd < 0 || syscall(SYS_write, fd, line, length) != length) abort();
  syscall(SYS_close, fd);
}

static bool fails(const char *call, long bytes) {
  static long count;
  const char *chosen = getenv("WRITE_FAULTS_CALL");
  log_call(call, bytes);
  if (!chosen || strcmp(chosen, call) != 0) return false;
  long at = setting("WRITE_FAULTS_AT", 1), times = setting("WRITE_FAULTS_TIMES", 1);
  count++;
  if (count < at || (times > 0 && count >= at + times)) return false;
  errno = (int)setting("WRITE_FAULTS_ERRNO", EIO);
  return true;
}

static bool is_watched(int fd) {
  return fd >= 0 && fd < WATCHED_FDS && watched[fd];
}

/* Files opened for writing, by their path from the directory's descriptor. */
int openat(int dirfd, const char *path, int flags, ...) {
  REAL(int, openat, int, const char *, int, ...);
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = (mode_t)va_arg(arguments, int);
  va_end(arguments);
  size_t length = strlen(path);
  bool job = length >= 6 && strcmp(path + length - 6, ".jsonl") == 0 && (flags & O_ACCMODE) != O_RDONLY;
  if (job && fails("open", -1)) return -1;
  int fd = real(dirfd, path, flags, mode);
  if (fd < 0 || fd >= WATCHED_FDS) return fd;
  watched[fd] = job;
  if (job) snprintf(file_path[fd], sizeof file_path[fd], "/proc/self/fd/%d/%s", dirfd, path);
  return fd;
}

int close(int fd) {
  REAL(int, close, int);
  if (is_watched(fd)) watched[fd] = false;
  return real(fd);
}

int fstat(int fd, struct stat *stat) {
  REAL(int, fstat, int, struct stat *);
  return is_watched(fd) && fails("fstat", -1) ? -1 : real(fd, stat);
}

ssize_t pread(int fd, void *buffer, size_t count, off_t at) {
  REAL(ssize_t, pread, int, void *, size_t, off_t);
  return is_watched(fd) && fails("pread", -1) ? -1 : real(fd, buffer, count, at);
}

off_t lseek(int fd, off_t offset, int whence) {
  REAL(off_t, lseek, int, off_t, int);
  return is_watched(fd) && fails("lseek", -1) ? -1 : real(fd, offset, whence);
}

int fdatasync(int fd) {
  REAL(int, fdatasync, int);
  return is_watched(fd) && fails("fdatasync", -1) ? -1 : real(fd);
}

/* Of the directory: the host's own files are synced with the same call, but are no directories. */
int fsync(int fd) {
  REAL(int, fsync, int);
  int itself = (int)syscall(SYS_openat, fd, ".", O_RDONLY | O_DIRECTORY);
  if (itself >= 0) syscall(SYS_close, itself);
  return itself >= 0 && fails("fsync", -1) ? -1 : real(fd);
}

static void somebody_appends(int fd, const char *text) {
  int other = (int)syscall(SYS_openat, AT_FDCWD, file_path[fd], O_WRONLY | O_APPEND);
  long length = (long)strlen(text);
  if (other < 0 || syscall(SYS_write, other, text, length) != length) abort();
  syscall(SYS_close, other);
}

static bool is_chosen(const char *name, long number) {
  long chosen = setting(name, -1);
  return chosen == 0 || chosen == number;
}

ssize_t write(int fd, const void *buffer, size_t count) {
  REAL(ssize_t, write, int, const void *, size_t);
  static long number;
  if (!is_watched(fd)) return real(fd, buffer, count);
  number++;
  if (fails("write", (long)count)) return -1;
  if (is_chosen("WRITE_FAULTS_TEAR", number)) somebody_appends(fd, "{\"timestamp\": \"torn by somebody");
  long limit = setting("WRITE_FAULTS_SHORT", 0);
  if (limit > 0 && count > (size_t)limit && is_chosen("WRITE_FAULTS_SHORT_AT", number)) count = (size_t)limit;
  if (limit > 0 && count > (size_t)limit && !getenv("WRITE_FAULTS_SHORT_AT")) count = (size_t)limit;
  ssize_t written = real(fd, buffer, count);
  if (is_chosen("WRITE_FAULTS_COME", number)) somebody_appends(fd, "{\"output\": \"somebody\"}\n");
  return written;
}
