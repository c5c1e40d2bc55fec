/*
** lock.c - --lock: one run of a job at a time.
**
** The lock is flock() on a file of its own, RESULTS/.taskresults/locks/JOB.lock. There it is the same file for cron, a
** terminal and a service, whatever their HOME is and however the directory is spelled; the scheduler only looks at
** names ending in .jsonl. A user who may not write there cannot record a run anyway. The directories are 0700 and the
** file 0600, so no stranger can hold the lock. All are made on first need, owned like the results directory, empty, and
** never removed: otherwise two runs could lock two files of the same name.
**
** The system releases the lock when we end, in whatever way. The descriptor is closed on exec, so neither the command
** nor a daemon that it leaves holds it.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Gives what root creates to the results directory's owner, who must be able to lock, too. */
static int give_to(int fd, uid_t owner, gid_t group) {
  return owner == geteuid() || geteuid() != 0 || fchown(fd, owner, group) == 0 ? 0 : errno;
}

/* Who may enter the directory of results may enter ours, and its owner may write in it, as in ext/base/own_folder.c:
** what taskresults keeps beside the locks is for whoever reads the results. */
static int let_in(int fd, const struct stat *results) {
  mode_t mode = results->st_mode & 0755;
  if (fchown(fd, (uid_t)-1, results->st_gid) != 0) mode &= (mode_t)~S_IRWXG;
  int reason = fchmod(fd, mode) == 0 ? 0 : errno;
  return reason ? reason : give_to(fd, results->st_uid, results->st_gid);
}

/* What root makes in another user's directory, whoever of us finds it first; as in base/own_folder.c. 0, or errno. */
static int adopt(int fd, bool is_new, const struct stat *found, const struct stat *results) {
  if (found->st_uid != geteuid()) return 0;
  if (geteuid() != 0 || results->st_uid == 0) return is_new ? let_in(fd, results) : 0;
  if (tr_folder_is_fresh(fd, found)) return let_in(fd, results);
  return is_new ? EPERM : 0; /* its owner has put another folder in its place */
}

/* `parent` is closed. The directory's descriptor; -1 and errno. */
static int enter(int parent, const char *name, const struct stat *results) {
  struct stat stat;
  bool is_new = mkdirat(parent, name, 0700) == 0;
  int reason = is_new || errno == EEXIST ? 0 : errno, fd = -1;
  if (reason == 0) {
    fd = (int)TEMP_FAILURE_RETRY(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    reason = fd < 0 ? errno : 0;
  }
  close(parent);
  if (reason == 0 && fstat(fd, &stat) != 0) reason = errno;
  if (reason == 0) reason = adopt(fd, is_new, &stat, results);
  if (reason == 0 && stat.st_uid != results->st_uid && stat.st_uid != geteuid() && stat.st_uid != 0) reason = EPERM;
  if (reason && fd >= 0) close(fd);
  errno = reason;
  return reason ? -1 : fd;
}

static int open_file(int directory, const char *name, const struct stat *results) {
  struct stat stat;
  int flags = O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int fd = (int)TEMP_FAILURE_RETRY(openat(directory, name, flags | O_EXCL, 0600)), reason = 0;
  if (fd >= 0) reason = give_to(fd, results->st_uid, results->st_gid);
  if (fd < 0 && errno == EEXIST) fd = (int)TEMP_FAILURE_RETRY(openat(directory, name, flags & ~O_CREAT));
  if (fd < 0) return -1;
  if (reason == 0 && fstat(fd, &stat) != 0) reason = errno;
  if (reason == 0 && !S_ISREG(stat.st_mode)) reason = EINVAL;
  if (reason) close(fd);
  errno = reason;
  return reason ? -1 : fd;
}

int lock_open(const char *results, const char *job) {
  struct stat stat;
  char name[NAME_MAX + 1];
  int directory = (int)TEMP_FAILURE_RETRY(open(results, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory >= 0 && fstat(directory, &stat) != 0) {
    close(directory);
    return -1;
  }
  if (directory >= 0) directory = enter(directory, ".taskresults", &stat);
  if (directory >= 0) directory = enter(directory, "locks", &stat);
  if (directory < 0) return -1;
  snprintf(name, sizeof name, "%s.lock", job);
  int fd = open_file(directory, name, &stat), reason = errno;
  close(directory);
  errno = reason;
  return fd;
}

int lock_try(int fd) {
  return TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB)) == 0 ? 0 : errno;
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

/* The process shares the open file with us, so its lock is ours. Only KILL ends it, and TERM, which it gets when we
** have ended. */
_Noreturn static void wait_for_lock(int fd) {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  signal(SIGTERM, SIG_DFL);
  end_with_parent();
  sigprocmask(SIG_UNBLOCK, &term, NULL);
  _exit(TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) == 0 ? 0 : errno);
}

/* Our signals are blocked, so they could not interrupt flock(): a separate process waits instead. */
int lock_wait(int fd, const Signals *signals, int *reason) {
  int status = 0;
  *reason = 0;
  for (;;) {
    pid_t helper = fork();
    if (helper == 0) wait_for_lock(fd);
    if (helper < 0) {
      *reason = errno;
      return 0;
    }
    int number;
    pid_t ended = 0;
    do {
      number = signals_wait(signals, -1);
      if (number == SIGCHLD) ended = waitpid(helper, &status, WNOHANG);
    } while (number == SIGCHLD && ended != helper);
    if (ended != helper) {
      kill(helper, SIGKILL);
      (void)TEMP_FAILURE_RETRY(waitpid(helper, &status, 0));
      return number;
    }
    if (WIFEXITED(status)) {
      *reason = WEXITSTATUS(status);
      return 0;
    }
  }
}
