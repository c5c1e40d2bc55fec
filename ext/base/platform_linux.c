/*
** platform_linux.c - what Linux alone has. No other file asks for leases, exchanges, space ahead of time, or /proc.
**
** Leases: a read lease is granted only when nobody has the file open for writing, a write lease only when nobody but us
** has it open at all; and while we hold one, an open() that is against it waits in the kernel until we let go (or fails
** with EAGAIN, under O_NONBLOCK). That is the one thing on Linux that a writer which takes no lock cannot get around.
**
** A waiting open() makes the kernel signal us. The default, SIGIO, would kill the host process, so SIGURG, which is
** ignored by default, is chosen before every lease: dropping one resets the choice. We never act on the signal; we ask
** (F_GETLEASE). A lease that is not given up is taken away after /proc/sys/fs/lease-break-time, so nobody waits on us
** for ever, not even if we are stopped. A kill drops all leases at once.
*/
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_BREAK_TIME_S 45
#define PROC_MAGIC 0x9fa0

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

int tr_exchange_names(int dir_fd, const char *one, const char *other) {
  return TEMP_FAILURE_RETRY(renameat2(dir_fd, one, dir_fd, other, RENAME_EXCHANGE)) == 0 ? 0 : errno;
}

int tr_reserve_space(int fd, int64_t offset, int64_t length) {
  return TEMP_FAILURE_RETRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length)) == 0 ? 0 : errno;
}

int tr_random_bytes(void *bytes, size_t count) {
  return getrandom(bytes, count, 0) == (ssize_t)count ? 0 : errno;
}

/* /dev/stdout leads to /proc/self/fd/1, whose text is not a path. */
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

/* --- processes and processors ------------------------------------------------------------------------------------- */

static int64_t clock_us(clockid_t clock) {
  struct timespec now = {0};
  clock_gettime(clock, &now);
  return now.tv_sec * TR_US_PER_SECOND + now.tv_nsec / 1000;
}

/* /proc/PID/stat: `pid (name) state ...`, in which the name may hold anything; the 22nd field is the start, in ticks since
** boot. */
int tr_process_read(int64_t pid, char *state, int64_t *started_us) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
  int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC));
  if (fd < 0) return errno == ENOENT || errno == EACCES || errno == EPERM ? TR_PROCESS_HIDDEN : errno;
  ssize_t got = TEMP_FAILURE_RETRY(read(fd, text, sizeof text - 1));
  int reason = got < 0 && errno != ESRCH ? errno : TR_PROCESS_HIDDEN; /* ESRCH: it ended behind the open() */
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
  if (sched_getaffinity(0, sizeof processors, &processors) != 0) return 1; /* more of them than this set can hold */
  return (unsigned)CPU_COUNT(&processors);
}
