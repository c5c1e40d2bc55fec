/*
** own_file.c - a file of ours that belongs to a job's: who may own it, and who may read it.
**
** Others may own the directory. So the file has to be a regular one, with one name, and of the owner of the job's file;
** and nobody can read in it what he could not read in the job's file.
*/
#include "history.h"

#include <errno.h>
#include <fcntl.h>

/* If a new file cannot get the group, that may not read it. */
static int give_file(int fd, const struct stat *job, char what[TR_OWN_FILE_TEXT_SIZE]) {
  mode_t mode = job->st_mode & 0666;
  const char *failed = NULL;
  if (fchown(fd, (uid_t)-1, job->st_gid) != 0) mode &= (mode_t)~S_IRWXG;
  if (job->st_uid != geteuid() && fchown(fd, job->st_uid, (gid_t)-1) != 0) {
    failed = "it cannot be given to the owner of the job's file";
  } else if (fchmod(fd, mode | S_IRUSR | S_IWUSR) != 0) {
    failed = "it cannot be given the mode of the job's file";
  }
  int reason = failed ? errno : 0;
  if (failed) sqlite3_snprintf(TR_OWN_FILE_TEXT_SIZE, what, "%s", failed);
  return reason;
}

/* The job's file may be less open than it was. */
static int close_to_others_than(int fd, const struct stat *found, const struct stat *job,
                                char what[TR_OWN_FILE_TEXT_SIZE]) {
  mode_t mode = found->st_mode & (job->st_mode | S_IRWXU) & 0777;
  if (found->st_gid != job->st_gid && !(job->st_mode & S_IROTH)) mode &= (mode_t)~S_IRWXG;
  if (mode == (found->st_mode & 0777) || fchmod(fd, mode) == 0) return 0;
  int reason = errno;
  sqlite3_snprintf(TR_OWN_FILE_TEXT_SIZE, what, "it cannot be closed to those who cannot read the job's file");
  return reason;
}

int tr_own_file_adopt(int fd, const struct stat *job, char what[TR_OWN_FILE_TEXT_SIZE]) {
  struct stat found;
  what[0] = '\0';
  if (fstat(fd, &found) != 0) {
    int reason = errno;
    sqlite3_snprintf(TR_OWN_FILE_TEXT_SIZE, what, "it cannot be examined");
    return reason;
  }
  if (!S_ISREG(found.st_mode) || found.st_nlink > 1) {
    const char *type = S_ISREG(found.st_mode) ? "a file with several names (hard links)" : tr_file_type(found.st_mode);
    sqlite3_snprintf(TR_OWN_FILE_TEXT_SIZE, what, "it is %s", type);
    return 0;
  }
  bool is_new = found.st_size == 0 && found.st_uid == geteuid(); /* or somebody was killed who had just made it */
  if (is_new) return give_file(fd, job, what);
  if (found.st_uid == job->st_uid) return close_to_others_than(fd, &found, job, what);
  sqlite3_snprintf(TR_OWN_FILE_TEXT_SIZE, what, "it belongs to user %u, and should to user %u", (unsigned)found.st_uid,
                   (unsigned)job->st_uid);
  return 0;
}
