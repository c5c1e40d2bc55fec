/*
** faults.c - an LD_PRELOAD shim that counts and fails the extension's system calls, so that the rare paths are tested.
** It acts on files whose name ends in .jsonl, .log or .json only; the host's own files are left alone.
**
**   FAULTS_LOG=PATH        at exit, writes "opens N\nbytes N\n": job files opened for reading, bytes pread from them
**   FAULTS_PREAD_AFTER=N   the preads that follow the first N ones fail
**   FAULTS_PREAD_TIMES=N   so many of them
**   FAULTS_ERRNO=E         ... with errno E (default 5, EIO); 0: it returns 0, as a file that shrank would
**   FAULTS_OPEN_ERRNO=E    an open fails with errno E ...
**   FAULTS_OPEN_NAME=NAME  ... if the file is called so (default: any job file) ...
**   FAULTS_OPEN_TIMES=N    ... the first N times (default: always)
**   FAULTS_FSTAT_AFTER=N   the fstat of a job file that follows the first N ones fails with FAULTS_ERRNO
**   FAULTS_EINTR=1         every other open and pread fails with EINTR first
**   FAULTS_SHORT=N         a pread returns N bytes at the most
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define WATCHED_FDS 4096

static bool watched[WATCHED_FDS];
static long opens, bytes, preads, fstats, refused;
static unsigned calls;

static long setting(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 10) : otherwise;
}

static bool is_job_file(const char *path) {
  const char *dot = strrchr(path, '.');
  return dot && (strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".log") == 0 || strcmp(dot, ".json") == 0);
}

static bool interrupted(void) {
  if (!setting("FAULTS_EINTR", 0) || calls++ % 2) return false;
  errno = EINTR;
  return true;
}

static bool refuses(const char *path) {
  long reason = setting("FAULTS_OPEN_ERRNO", 0), times = setting("FAULTS_OPEN_TIMES", -1);
  const char *name = getenv("FAULTS_OPEN_NAME");
  if (!reason || (name && strcmp(path, name) != 0) || (times >= 0 && refused >= times)) return false;
  refused++;
  errno = (int)reason;
  return true;
}

int openat(int dirfd, const char *path, int flags, ...) {
  static int (*real)(int, const char *, int, ...);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "openat");
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = (mode_t)va_arg(arguments, int);
  va_end(arguments);
  bool job = is_job_file(path);
  if (job && (interrupted() || refuses(path))) return -1;
  int fd = real(dirfd, path, flags, mode);
  if (fd >= 0 && fd < WATCHED_FDS) watched[fd] = job;
  if (fd >= 0 && job) opens++;
  return fd;
}

int close(int fd) {
  static int (*real)(int);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "close");
  if (fd >= 0 && fd < WATCHED_FDS) watched[fd] = false;
  return real(fd);
}

static ssize_t faulty_pread(ssize_t (*real)(int, void *, size_t, off_t), int fd, void *buffer, size_t count, off_t at) {
  if (fd < 0 || fd >= WATCHED_FDS || !watched[fd]) return real(fd, buffer, count, at);
  if (interrupted()) return -1;
  long after = setting("FAULTS_PREAD_AFTER", -1);
  if (after >= 0 && preads++ >= after && preads - after <= setting("FAULTS_PREAD_TIMES", LONG_MAX)) {
    errno = (int)setting("FAULTS_ERRNO", EIO);
    return errno ? -1 : 0;
  }
  long limit = setting("FAULTS_SHORT", 0);
  if (limit > 0 && count > (size_t)limit) count = (size_t)limit;
  ssize_t got = real(fd, buffer, count, at);
  if (got > 0) bytes += got;
  return got;
}

ssize_t pread(int fd, void *buffer, size_t count, off_t at) {
  static ssize_t (*real)(int, void *, size_t, off_t);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pread");
  return faulty_pread(real, fd, buffer, count, at);
}

ssize_t pread64(int fd, void *buffer, size_t count, off64_t at) {
  static ssize_t (*real)(int, void *, size_t, off_t);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pread64");
  return faulty_pread(real, fd, buffer, count, at);
}

static bool fails_fstat(int fd) {
  long after = setting("FAULTS_FSTAT_AFTER", -1);
  if (after < 0 || fd < 0 || fd >= WATCHED_FDS || !watched[fd] || fstats++ < after) return false;
  errno = (int)setting("FAULTS_ERRNO", EIO);
  return true;
}

int fstat(int fd, struct stat *out) {
  static int (*real)(int, struct stat *);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "fstat");
  return fails_fstat(fd) ? -1 : real(fd, out);
}

int fstat64(int fd, struct stat64 *out) {
  static int (*real)(int, struct stat64 *);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "fstat64");
  return fails_fstat(fd) ? -1 : real(fd, out);
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("FAULTS_LOG");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (file == NULL) return;
  fprintf(file, "opens %ld\nbytes %ld\n", opens, bytes);
  fclose(file);
}
