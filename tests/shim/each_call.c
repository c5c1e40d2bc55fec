/*
** each_call.c - an LD_PRELOAD shim that counts the calls which our own code makes into libc (the system calls, and what
** allocates there), and lets one of them fail. Ours is what is called from taskresults.so, or from the program
** taskresults-run; the host's own calls are left alone. All processes of a command share one count.
**
**   EACH_CALL_STATE=PATH   a file of eight zero bytes, for the count
**   EACH_CALL_LOG=PATH     each call's name is appended there, one a line; on another thread than the first, behind
**                          "helper "; "fault NAME" for the one that fails; and "leak FD NAME", when a process ends, for
**                          a descriptor that our code opened by the call NAME and did not close
**   EACH_CALL_NAME=NAME    the calls of this name alone are counted (any: every call), ...
**   EACH_CALL_AT=N         and the N-th of them (from 1) ...
**   EACH_CALL_ERRNO=E      ... fails with errno E, without doing anything (a close does close), ...
**   EACH_CALL_SHORT=1      ... or, for a read or a write, does half of its work,
**   EACH_CALL_KILL=1       ... or the process is killed instead of it,
**   EACH_CALL_RUN=COMMAND  ... or the shell runs that first, and then the call is made,
**   EACH_CALL_ON=1         and so do all that follow
*/
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define WATCHED_FDS 1024

static atomic_long own_count, *count = &own_count;
static _Atomic uintptr_t ours_from, ours_to; /* the code that is watched; 0: not loaded yet */
static bool is_runner;
static atomic_bool counts_are_written;     /* the end, in a build for `make coverage` */
static const char *opened_by[WATCHED_FDS]; /* the call that made this descriptor, NULL: not ours, or closed */

static long setting(const char *name) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 10) : 0;
}

/* Raw system calls: the shim must not meet itself. */
static void log_line(const char *text) {
  const char *path = getenv("EACH_CALL_LOG");
  int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
  if (fd < 0) return;
  if (syscall(SYS_write, fd, text, strlen(text)) < 0) abort();
  syscall(SYS_close, fd);
}

__attribute__((constructor)) static void begin(void) {
  is_runner = strcmp(program_invocation_short_name, "taskresults-run") == 0;
  const char *path = getenv("EACH_CALL_STATE");
  int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
  if (fd < 0) return;
  void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (shared != MAP_FAILED) count = shared;
  syscall(SYS_close, fd);
}

__attribute__((destructor)) static void end(void) {
  for (int fd = 0; fd < WATCHED_FDS && !is_runner; fd++) {
    char text[64];
    snprintf(text, sizeof text, "leak %d %s\n", fd, opened_by[fd]);
    if (opened_by[fd]) log_line(text);
  }
}

static int find_object(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;
  if (is_runner ? *name != '\0' : strcmp(name, "taskresults.so") != 0) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
    ours_to = info->dlpi_addr + part->p_vaddr + part->p_memsz;
    ours_from = info->dlpi_addr + part->p_vaddr;
  }
  return 1;
}

/* dlopen() gives no sign of what it has loaded, so as long as we are not there each new caller may be us. */
static bool is_ours(const void *caller) {
  static _Thread_local bool searching;
  uintptr_t address = (uintptr_t)caller;
  if (counts_are_written) return false;
  if (ours_from == 0 && !searching) {
    searching = true;
    dl_iterate_phdr(find_object, NULL);
    searching = false;
  }
  return address >= ours_from && address < ours_to;
}

typedef enum Fate { PASS, FAIL, HALF } Fate;

/* What becomes of this call? FAIL: errno is set. */
static Fate meet(const char *name, const void *caller) {
  if (!is_ours(caller)) return PASS;
  int before = errno;
  char text[64], whole_name[48];
  snprintf(whole_name, sizeof whole_name, "%s%s", syscall(SYS_gettid) == syscall(SYS_getpid) ? "" : "helper ", name);
  snprintf(text, sizeof text, "%s\n", whole_name);
  log_line(text);
  errno = before;
  const char *chosen = getenv("EACH_CALL_NAME"), *command = getenv("EACH_CALL_RUN");
  if (chosen == NULL || (strcmp(whole_name, chosen) != 0 && strcmp(chosen, "any") != 0)) return PASS;
  long number = atomic_fetch_add(count, 1) + 1, at = setting("EACH_CALL_AT");
  if (number != at && !(number > at && setting("EACH_CALL_ON"))) return PASS;
  snprintf(text, sizeof text, "fault %s\n", whole_name);
  log_line(text);
  errno = before;
  if (setting("EACH_CALL_KILL")) raise(SIGKILL);
  if (command) {
    if (system(command) != 0) abort();
    errno = before;
    return PASS;
  }
  if (setting("EACH_CALL_SHORT")) return HALF;
  errno = (int)setting("EACH_CALL_ERRNO");
  return FAIL;
}

#define MEET(name) meet(#name, __builtin_return_address(0))
#define REAL(name) (*(__typeof__(&name) *)&(void *){dlsym(RTLD_NEXT, #name)})

/* A call that can only be done or not. */
#define WRAP(type, failure, name, parameters, arguments)                                                               \
  type name parameters {                                                                                               \
    return MEET(name) == FAIL ? failure : REAL(name) arguments;                                                        \
  }

WRAP(int, -1, fstat, (int fd, struct stat *out), (fd, out))
WRAP(int, -1, stat, (const char *path, struct stat *out), (path, out))
WRAP(int, -1, fstatat, (int fd, const char *name, struct stat *out, int flags), (fd, name, out, flags))
WRAP(int, -1, fsync, (int fd), (fd))
WRAP(int, -1, fdatasync, (int fd), (fd))
WRAP(int, -1, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(int, -1, renameat2, (int a, const char *b, int c, const char *d, unsigned e), (a, b, c, d, e))
WRAP(int, -1, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
WRAP(int, -1, unlink, (const char *name), (name))
WRAP(int, -1, flock, (int fd, int operation), (fd, operation))
WRAP(int, -1, fallocate, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, -1, fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
WRAP(int, -1, fstatvfs, (int fd, struct statvfs *out), (fd, out))
WRAP(int, -1, faccessat, (int fd, const char *name, int mode, int flags), (fd, name, mode, flags))
WRAP(ssize_t, -1, readlink, (const char *path, char *out, size_t size), (path, out, size))
WRAP(char *, NULL, realpath, (const char *path, char *out), (path, out))
WRAP(off_t, -1, lseek, (int fd, off_t at, int whence), (fd, at, whence))
WRAP(int, -1, poll, (struct pollfd * fds, nfds_t number, int timeout_ms), (fds, number, timeout_ms))
WRAP(int, -1, nanosleep, (const struct timespec *time, struct timespec *left), (time, left))
WRAP(struct dirent *, NULL, readdir, (DIR * stream), (stream))
WRAP(DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(ssize_t, -1, flistxattr, (int fd, char *out, size_t size), (fd, out, size))
WRAP(ssize_t, -1, fgetxattr, (int fd, const char *name, void *out, size_t size), (fd, name, out, size))
WRAP(int, -1, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags))
WRAP(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
WRAP(FILE *, NULL, fdopen, (int fd, const char *mode), (fd, mode))
WRAP(locale_t, (locale_t)0, newlocale, (int mask, const char *name, locale_t base), (mask, name, base))
WRAP(int, -1, pipe2, (int fds[2], int flags), (fds, flags))
WRAP(pid_t, -1, fork, (void), ())
WRAP(int, -1, execvp, (const char *file, char *const *words), (file, words))
WRAP(char *, NULL, getcwd, (char *out, size_t size), (out, size))
WRAP(int, -1, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
WRAP(int, -1, fstatfs, (int fd, struct statfs *out), (fd, out))
WRAP(FILE *, NULL, open_memstream, (char **out, size_t *size), (out, size))
WRAP(pid_t, -1, waitpid, (pid_t pid, int *status, int options), (pid, status, options))

/* Only the runner's: what the library allocates fails in the units. dlsym() may allocate, so the real ones go by the
** names that glibc gives them as well. */
extern void *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

void *calloc(size_t number, size_t size) {
  return is_runner && MEET(calloc) == FAIL ? NULL : __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
  return is_runner && MEET(realloc) == FAIL ? NULL : __libc_realloc(old, size);
}

/* It returns its error. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  return MEET(pthread_create) == FAIL ? errno : REAL(pthread_create)(thread, attributes, body, argument);
}

int fcntl(int fd, int operation, ...) {
  va_list arguments;
  va_start(arguments, operation);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  return MEET(fcntl) == FAIL ? -1 : REAL(fcntl)(fd, operation, argument);
}

/* --- what makes and ends descriptors ------------------------------------------------------------------------------ */

static int watch(int fd, const char *name, const void *caller) {
  if (fd >= 0 && fd < WATCHED_FDS && is_ours(caller)) opened_by[fd] = name;
  return fd;
}

#define WATCH(fd, name) watch(fd, #name, __builtin_return_address(0))

static void forget(int fd) {
  if (fd >= 0 && fd < WATCHED_FDS) opened_by[fd] = NULL;
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = (mode_t)va_arg(arguments, int);
  va_end(arguments);
  /* What clang puts into our code, to be called at its end, is not ours. */
  if (strstr(path, ".profraw")) counts_are_written = true;
  return MEET(open) == FAIL ? -1 : WATCH(REAL(open)(path, flags, mode), open);
}

int openat(int dirfd, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = (mode_t)va_arg(arguments, int);
  va_end(arguments);
  return MEET(openat) == FAIL ? -1 : WATCH(REAL(openat)(dirfd, path, flags, mode), openat);
}

int closedir(DIR *stream) {
  forget(dirfd(stream));
  return REAL(closedir)(stream);
}

int close(int fd) {
  Fate fate = MEET(close);
  int reason = errno;
  forget(fd);
  int result = REAL(close)(fd);
  if (fate != FAIL) return result;
  errno = reason;
  return -1;
}

/* What is in the buffer is written all the same. */
int fclose(FILE *stream) {
  Fate fate = MEET(fclose);
  int reason = errno, result = REAL(fclose)(stream);
  if (fate != FAIL) return result;
  errno = reason;
  return EOF;
}

int mkostemp(char *template, int flags) {
  return MEET(mkostemp) == FAIL ? -1 : WATCH(REAL(mkostemp)(template, flags), mkostemp);
}

/* It always has a whole signal to read: those reads are left alone. */
static int signals = -1;

int signalfd(int fd, const sigset_t *mask, int flags) {
  return MEET(signalfd) == FAIL ? -1 : (signals = REAL(signalfd)(fd, mask, flags));
}

/* --- reading and writing ------------------------------------------------------------------------------------------ */

#define TRANSFER(name, parameters, arguments)                                                                          \
  ssize_t name parameters {                                                                                            \
    Fate fate = fd == signals ? PASS : MEET(name);                                                                     \
    if (fate == FAIL) return -1;                                                                                       \
    if (fate == HALF && length > 1) length /= 2;                                                                       \
    return REAL(name) arguments;                                                                                       \
  }

TRANSFER(read, (int fd, void *out, size_t length), (fd, out, length))
TRANSFER(pread, (int fd, void *out, size_t length, off_t at), (fd, out, length, at))
TRANSFER(write, (int fd, const void *bytes, size_t length), (fd, bytes, length))
TRANSFER(pwrite, (int fd, const void *bytes, size_t length, off_t at), (fd, bytes, length, at))
