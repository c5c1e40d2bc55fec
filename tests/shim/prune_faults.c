/*
** prune_faults.c - an LD_PRELOAD shim for the prune: it counts the system calls of a prune from its lock on, and can
** fail, cut short or kill at any one of them, or let a writer append between any two.
**
**   PRUNE_LOG=PATH         every call is appended to the file, one name a line
**   PRUNE_AT=N             what follows happens at the N-th call (from 1)
**            NAME          or at the first call of that name, as PRUNE_LOG spells it
**            NAME/N        or at the N-th of that name
**            openat FILE   or at the first that opens this name
**   PRUNE_FAULT=errno E    it fails with that number, and the ones after it too if PRUNE_STICKY=1
**               lie E      it is done, but fails with that number, as over a network (calls that are done or not)
**               short      a pread or pwrite does half of its work and says so
**               kill       SIGKILL instead of the call
**               torn       SIGKILL after the call; a pwrite does half of its work
**               stop       SIGSTOP before the call
**   PRUNE_APPEND=PATH      before every call, a writer that takes no lock appends a record to PATH, if it can open it
**   PRUNE_ROTATE=PATH      in the last instant before the first exchange, the file is renamed to PATH.1, and there is a
**                          new one, with the next record of PRUNE_APPEND
**   PRUNE_NO_LEASES=1      no file can be leased, as on some file systems
**   PRUNE_NUMBER=N         the first such record's number; the numbers that were written go to PATH.numbers
**
** Calls that cannot be failed (nanosleep) count too: a kill can come there.
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
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static bool armed, inside;
static long calls;

static long number_of(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 10) : otherwise;
}

static void *next_symbol(const char *name) {
  return dlsym(RTLD_NEXT, name);
}

/* Raw system calls: the shim must not meet itself. */
static void append_line(const char *path, const char *text, int flags) {
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0644);
  if (fd < 0) return;
  if (syscall(SYS_write, fd, text, strlen(text)) < 0) abort();
  syscall(SYS_close, fd);
}

/* One record, in the open-write-close of a writer that takes no lock. It does not wait on a lease: it is in the way. */
static void append_record(void) {
  static char line[70000];
  static long number = -1;
  const char *path = getenv("PRUNE_APPEND");
  if (path == NULL) return;
  if (number < 0) number = number_of("PRUNE_NUMBER", 0);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return;
  int pad = number % 7 == 3 ? 20000 : number % 5 == 1 ? 5000 : 100;
  int length = snprintf(line, sizeof line,
                        "{\"timestamp\": \"2026-06-01T00:00:00Z\", \"job_id\": \"j\", \"job_name\": \"%ld\", "
                        "\"success\": true, \"output\": \"%0*d\", \"error\": \"\"}\n",
                        number, pad, 0);
  if (syscall(SYS_write, fd, line, length) != length) abort();
  syscall(SYS_close, fd);
  char log[4096], text[32];
  snprintf(log, sizeof log, "%s.numbers", path);
  snprintf(text, sizeof text, "%ld\n", number++);
  append_line(log, text, O_CREAT);
}

static const char *opened; /* by the current openat; or NULL */

static bool is_nth(const char *name, const char *at) {
  if (strncmp(at, "openat ", 7) == 0) return opened && strcmp(at + 7, opened) == 0;
  static long of_name;
  size_t length = strlen(name);
  if (strncmp(at, name, length) != 0 || (at[length] != '\0' && at[length] != '/')) return false;
  return ++of_name == (at[length] == '/' ? strtol(at + length + 1, NULL, 10) : 1);
}

/* Is this the call that PRUNE_AT names, or a later one that fails, too? */
static bool is_chosen(const char *name) {
  static bool was_chosen;
  const char *at = getenv("PRUNE_AT");
  if (was_chosen) return number_of("PRUNE_STICKY", 0);
  if (at) was_chosen = *at >= '0' && *at <= '9' ? calls == strtol(at, NULL, 10) : is_nth(name, at);
  return was_chosen;
}

typedef enum Fate { PASS, FAIL, LIE, HALF, HALF_AND_DIE } Fate;

/* What becomes of this call? FAIL: errno is set. */
static Fate meet(const char *name) {
  if (!armed || inside) return PASS;
  inside = true;
  append_record();
  calls++;
  char text[64];
  snprintf(text, sizeof text, "%s\n", name);
  if (getenv("PRUNE_LOG")) append_line(getenv("PRUNE_LOG"), text, O_CREAT);
  inside = false;
  const char *fault = getenv("PRUNE_FAULT");
  if (fault == NULL || !is_chosen(name)) return PASS;
  if (strncmp(fault, "errno ", 6) == 0) {
    errno = (int)strtol(fault + 6, NULL, 10);
    return FAIL;
  }
  if (strncmp(fault, "lie ", 4) == 0) return LIE;
  if (strcmp(fault, "kill") == 0) raise(SIGKILL);
  if (strcmp(fault, "stop") == 0) raise(SIGSTOP);
  if (strcmp(fault, "torn") == 0) return HALF_AND_DIE;
  return strcmp(fault, "short") == 0 ? HALF : PASS;
}

static void die_if(Fate fate) {
  if (fate == HALF_AND_DIE) raise(SIGKILL);
}

static int lie(void) {
  errno = (int)strtol(getenv("PRUNE_FAULT") + 4, NULL, 10);
  return -1;
}

#define REAL(name) (*(__typeof__(&name) *)&(void *){next_symbol(#name)})

/* A call that returns -1 when it fails, and that can only be done or not. */
#define WRAP(name, parameters, arguments)                                                                              \
  int name parameters {                                                                                                \
    Fate fate = meet(#name);                                                                                           \
    if (fate == FAIL) return -1;                                                                                       \
    int result = REAL(name) arguments;                                                                                 \
    die_if(fate);                                                                                                      \
    return fate == LIE ? lie() : result;                                                                               \
  }

WRAP(fsync, (int fd), (fd))
WRAP(fdatasync, (int fd), (fd))
WRAP(ftruncate, (int fd, off_t size), (fd, size))
WRAP(renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(linkat, (int a, const char *b, int c, const char *d, int flags), (a, b, c, d, flags))
WRAP(unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
WRAP(fstat, (int fd, struct stat *out), (fd, out))
WRAP(fstatat, (int fd, const char *name, struct stat *out, int flags), (fd, name, out, flags))
WRAP(flock, (int fd, int operation), (fd, operation))
WRAP(fallocate, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
WRAP(fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
WRAP(fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags), (fd, name, value, size, flags))
WRAP(mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
WRAP(fstatvfs, (int fd, struct statvfs *out), (fd, out))

static void rotate(const char *path) {
  char rotated[4096];
  snprintf(rotated, sizeof rotated, "%s.1", path);
  if (syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, rotated, 0) != 0) abort();
  append_line(path, "", O_CREAT);
  append_record();
}

int renameat2(int a, const char *b, int c, const char *d, unsigned e) {
  static bool was_rotated;
  Fate fate = meet("renameat2");
  if (fate == FAIL) return -1;
  if (getenv("PRUNE_ROTATE") && !was_rotated) rotate(getenv("PRUNE_ROTATE"));
  was_rotated = true;
  int result = REAL(renameat2)(a, b, c, d, e);
  die_if(fate);
  return fate == LIE ? lie() : result;
}

int openat(int dirfd, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = (mode_t)va_arg(arguments, int);
  va_end(arguments);
  size_t length = strlen(path);
  if (length > 5 && strcmp(path + length - 5, ".lock") == 0) armed = true;
  opened = path;
  Fate fate = meet("openat");
  opened = NULL;
  if (fate == FAIL) return -1;
  int fd = REAL(openat)(dirfd, path, flags, mode);
  die_if(fate);
  return fd;
}

int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  long argument = va_arg(arguments, long);
  va_end(arguments);
  const char *name = command == F_SETLEASE   ? "fcntl F_SETLEASE"
                     : command == F_GETLEASE ? "fcntl F_GETLEASE"
                     : command == F_SETSIG   ? "fcntl F_SETSIG"
                                             : NULL;
  Fate fate = name ? meet(name) : PASS;
  if (fate == FAIL) return -1;
  if (command == F_SETLEASE && getenv("PRUNE_NO_LEASES")) {
    errno = EINVAL;
    return -1;
  }
  int result = REAL(fcntl)(fd, command, argument);
  die_if(fate);
  return result;
}

int nanosleep(const struct timespec *request, struct timespec *left) {
  Fate fate = meet("nanosleep");
  if (fate == FAIL && errno == EINTR) return -1;
  die_if(fate);
  return REAL(nanosleep)(request, left);
}

ssize_t flistxattr(int fd, char *list, size_t size) {
  Fate fate = meet("flistxattr");
  if (fate == FAIL) return -1;
  ssize_t length = REAL(flistxattr)(fd, list, size);
  die_if(fate);
  return length;
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size) {
  Fate fate = meet("fgetxattr");
  if (fate == FAIL) return -1;
  ssize_t length = REAL(fgetxattr)(fd, name, value, size);
  die_if(fate);
  return length;
}

ssize_t pread(int fd, void *into, size_t count, off_t at) {
  Fate fate = meet("pread");
  if (fate == FAIL) return -1;
  ssize_t got = REAL(pread)(fd, into, fate == HALF && count > 1 ? count / 2 : count, at);
  die_if(fate);
  return got;
}

ssize_t pwrite(int fd, const void *from, size_t count, off_t at) {
  Fate fate = meet("pwrite");
  if (fate == FAIL) return -1;
  ssize_t put = REAL(pwrite)(fd, from, fate >= HALF && count > 1 ? count / 2 : count, at);
  die_if(fate);
  return put;
}
