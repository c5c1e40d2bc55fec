/*
** platform_linux.c - everything in the extension that needs Linux. A port to another system replaces this file.
** .ci/layers keeps leases, renameat2, fallocate, O_PATH, extended attributes, /proc and the like out of all other
** files.
**
** Leases: a read lease is granted only when nobody has the file open for writing, a write lease only when nobody but us
** has it open at all; and while we hold one, an open() that conflicts with it waits in the kernel until we release it
** (or fails with EAGAIN, with O_NONBLOCK). On Linux, a lease is the only lock that also stops writers that take no
** lock.
**
** A waiting open() makes the kernel signal us. The default, SIGIO, would kill the host process, so SIGURG, which is
** ignored by default, is chosen before every lease: dropping one resets the choice. We never act on the signal; we ask
** with F_GETLEASE. The kernel takes a lease away after /proc/sys/fs/lease-break-time seconds, so nobody waits for ever,
** even if we are stopped. When a process ends, its leases end too.
*/
#include "base.h"

#ifndef TR_POSIX

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_BREAK_TIME_S 45
#define PROC_MAGIC 0x9fa0

#ifndef RENAME_EXCHANGE /* glibc has it, and musl may not have it */
#define RENAME_EXCHANGE 2
static int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
  return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}
#endif

bool tr_can_prune(void) {
  return true;
}

/* --- leases ------------------------------------------------------------------------------------------------------- */

int tr_lease_take(int fd, int type) {
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return errno;
  return fcntl(fd, F_SETLEASE, type) == 0 ? 0 : errno;
}

void tr_lease_drop(int fd) {
  fcntl(fd, F_SETLEASE, F_UNLCK);
}

bool tr_lease_is_held(int fd, int type) {
  return fcntl(fd, F_GETLEASE) == type;
}

int tr_lease_budget_ms(void) {
  int seconds = 0;
  FILE *file = fopen("/proc/sys/fs/lease-break-time", "re");
  if (file == NULL || fscanf(file, "%d", &seconds) != 1 || seconds <= 0) seconds = DEFAULT_BREAK_TIME_S;
  if (file) fclose(file);
  return seconds > 3600 ? 1800 * 1000 : seconds * 500;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

/* O_PATH: a descriptor that only names. */
int tr_locate(int dir_fd, const char *name, struct stat *found) {
  int fd = (int)TEMP_FAILURE_RETRY(openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0 || fstat(fd, found) == 0) return fd;
  int reason = errno;
  close(fd);
  errno = reason;
  return -1;
}

int tr_locate_dir(int dir_fd, const char *path) {
  return (int)TEMP_FAILURE_RETRY(openat(dir_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

ssize_t tr_read_link(int link_fd, const char *name, const struct stat *found, char *text, size_t size) {
  (void)name, (void)found;
  return readlinkat(link_fd, "", text, size);
}

/* Attributes that only the system can set (security.*) appear by themselves on the new file. */
static bool is_copied(const char *attribute) {
  return strncmp(attribute, "user.", 5) == 0 || strncmp(attribute, "system.posix_acl", 16) == 0;
}

int tr_attributes_copy(int from_fd, int to_fd, char buffer[TR_ATTRIBUTES_BYTES], const char **name) {
  _Static_assert(TR_ATTRIBUTES_BYTES == XATTR_LIST_MAX + XATTR_SIZE_MAX, "the names, and the value of one");
  char *value = buffer + XATTR_LIST_MAX;
  *name = NULL;
  ssize_t length = flistxattr(from_fd, buffer, XATTR_LIST_MAX);
  if (length < 0) return errno == ENOTSUP || errno == ENOSYS ? 0 : errno; /* a file system without attributes */
  for (const char *listed = buffer; listed < buffer + length; listed += strlen(listed) + 1) {
    if (!is_copied(listed)) continue;
    *name = listed;
    ssize_t size = fgetxattr(from_fd, listed, value, XATTR_SIZE_MAX);
    if (size < 0 || fsetxattr(to_fd, listed, value, (size_t)size, 0) != 0) return errno;
  }
  return 0;
}

static ssize_t read_access_list(int fd, char *list, size_t size) {
  ssize_t length = fgetxattr(fd, "system.posix_acl_access", list, size);
  return length < 0 && (errno == ENODATA || errno == ENOTSUP || errno == ENOSYS) ? 0 : length;
}

bool tr_access_lists_are_same(int one_fd, int other_fd) {
  char one[4096], other[4096]; /* longer ones are none that people write */
  ssize_t length = read_access_list(one_fd, one, sizeof one);
  return length >= 0 && read_access_list(other_fd, other, sizeof other) == length &&
         memcmp(one, other, (size_t)length) == 0;
}

int tr_exchange_names(int dir_fd, const char *one, const char *other) {
  return TEMP_FAILURE_RETRY(renameat2(dir_fd, one, dir_fd, other, RENAME_EXCHANGE)) == 0 ? 0 : errno;
}

int tr_reserve_space(int fd, int64_t offset, int64_t length) {
  return TEMP_FAILURE_RETRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length)) == 0 ? 0 : errno;
}

int tr_random_bytes(void *bytes, size_t count) {
  return getrandom(bytes, count, 0) == (ssize_t)count ? 0 : errno;
}

/* /dev/stdout leads to /proc/self/fd/1, whose link text need not be a path ("pipe:[123]"). */
int tr_descriptor_named(int dir_fd, const char *name) {
  struct statfs system;
  struct stat here, ours;
  if (name[strspn(name, "0123456789")] != '\0') return -1;
  if (fstatfs(dir_fd, &system) != 0 || system.f_type != PROC_MAGIC) return -1;
  if (fstat(dir_fd, &here) != 0 || stat("/proc/self/fd", &ours) != 0) return -1;
  return here.st_dev == ours.st_dev && here.st_ino == ours.st_ino ? atoi(name) : -1;
}

int tr_reopen_descriptor(int fd, int flags) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return (int)TEMP_FAILURE_RETRY(open(path, flags | O_CLOEXEC));
}

int64_t tr_birth_ns(int fd) {
#ifdef STATX_BTIME
  struct statx found;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &found) != 0 || !(found.stx_mask & STATX_BTIME)) return 0;
  return (int64_t)found.stx_btime.tv_sec * 1000000000 + found.stx_btime.tv_nsec;
#else /* musl before 1.2.5 */
  (void)fd;
  return 0;
#endif
}

const char *tr_secure_environment(const char *name) {
  const char *value = secure_getenv(name);
  return value && *value ? value : NULL;
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

/* None of this can fail. */
void tr_condition_init(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

void tr_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int milliseconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += milliseconds * 1000000L;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_cond_timedwait(condition, mutex, &until);
}

/* --- what only some C libraries have ------------------------------------------------------------------------------ */

const void *tr_last_byte(const void *bytes, int byte, size_t length) {
  return memrchr(bytes, byte, length);
}

void tr_sort(void *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *, void *),
             void *context) {
  qsort_r(items, count, item_bytes, compare, context);
}

bool tr_thread_join_ended(pthread_t thread) {
  return pthread_tryjoin_np(thread, NULL) == 0;
}

/* --- processes and processors ------------------------------------------------------------------------------------- */

static int64_t clock_us(clockid_t clock) {
  struct timespec now = {0};
  clock_gettime(clock, &now);
  return now.tv_sec * TR_US_PER_SECOND + now.tv_nsec / 1000;
}

/* /proc/PID/stat: `pid (name) state ...`, in which the name may hold anything; the 22nd field is the start, in ticks
** since boot. */
int tr_process_read(int64_t pid, char *state, int64_t *started_us) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
  int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC));
  if (fd < 0) return errno == ENOENT || errno == EACCES || errno == EPERM ? TR_PROCESS_HIDDEN : errno;
  ssize_t got = TEMP_FAILURE_RETRY(read(fd, text, sizeof text - 1));
  int reason = got < 0 && errno != ESRCH ? errno : TR_PROCESS_HIDDEN; /* ESRCH: it ended after the open() */
  close(fd);
  if (got <= 0) return reason;
  text[got] = '\0';
  const char *p = strrchr(text, ')');
  if (p == NULL || p[1] != ' ' || p[2] == '\0') return TR_PROCESS_HIDDEN;
  *state = p[2];
  for (int field = 2; field < 22 && p; field++) p = strchr(p + 1, ' ');
  long ticks = sysconf(_SC_CLK_TCK);
  if (p == NULL || ticks <= 0) return TR_PROCESS_HIDDEN;
  int64_t after_boot_us = (int64_t)((double)strtoull(p, NULL, 10) * 1e6 / (double)ticks);
  *started_us = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_BOOTTIME) + after_boot_us;
  return 0;
}

unsigned tr_processors(void) {
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) != 0) return 1; /* more than the set can hold */
  return (unsigned)CPU_COUNT(&processors);
}

#endif /* ifndef TR_POSIX */
