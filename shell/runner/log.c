/*
** log.c - the lines that a run leaves in its job's log, DIRECTORY/JOB.log, as the scheduler would: when it began, and
** how it ended. ext/scheduler/messages.c and durations.c read them.
**
** Each line is one write(2) at the end of the file, which is opened for each line. If the file does not end with a
** newline, because a writer was killed within its line, our line begins with one. If the log cannot be written, we say
** so once, and go on.
**
** The directory may belong to somebody else, and we may be root: no link is followed to the file, nor to a directory
** `logs` found beside the results. A directory that the user named may be reached by links.
*/
#include "base/base.h"
#include "read/read.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_CHARACTERS 200
#define ERROR_CHARACTERS 200 /* as many as the scheduler writes */

static void complain(JobLog *log, int reason) {
  if (log->has_complained || log->is_quiet) return;
  log->has_complained = true;
  say("the log %s%s/%s.log cannot be written: %s", log->directory, log->is_beside ? "/../logs" : "", log->job,
      strerror(reason));
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

/* Below a descriptor, -1 and errno. */
static int open_at(int dir_fd, const char *name, int flags) {
  return (int)TEMP_FAILURE_RETRY(openat(dir_fd, name, flags | O_CLOEXEC, 0644));
}

static int open_directory(const JobLog *log) {
  if (!log->is_beside) return open_at(AT_FDCWD, log->directory, O_RDONLY | O_DIRECTORY);
  int results = open_at(AT_FDCWD, log->directory, O_RDONLY | O_DIRECTORY);
  if (results < 0) return -1;
  int above = open_at(results, "..", O_RDONLY | O_DIRECTORY), reason = errno;
  close(results);
  errno = reason;
  if (above < 0) return -1;
  int directory = open_at(above, "logs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  reason = errno;
  close(above);
  errno = reason;
  return directory;
}

/* Opened for reading, too, to look at the last byte. 0, or errno. */
static int open_log(const JobLog *log, int directory, int *fd) {
  char name[NAME_MAX + 1];
  struct stat stat;
  if (snprintf(name, sizeof name, "%s.log", log->job) >= (int)sizeof name) return ENAMETOOLONG;
  *fd = open_at(directory, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (*fd < 0) return errno;
  int reason = fstat(*fd, &stat) != 0 ? errno : S_ISREG(stat.st_mode) ? 0 : EINVAL;
  if (reason) close(*fd);
  return reason;
}

static bool ends_torn(int fd) {
  struct stat stat;
  char last;
  return fstat(fd, &stat) == 0 && stat.st_size > 0 && pread(fd, &last, 1, stat.st_size - 1) == 1 && last != '\n';
}

/* The line with a newline on either side; the first one is for a torn end. 0, or errno. */
static int append(const JobLog *log, int directory, const char *line, size_t length) {
  int fd, reason = open_log(log, directory, &fd);
  if (reason) return reason;
  size_t skipped = ends_torn(fd) ? 0 : 1;
  ssize_t written = TEMP_FAILURE_RETRY(write(fd, line + skipped, length - skipped));
  if (written < 0) reason = errno;
  if (written >= 0 && (size_t)written < length - skipped) reason = ENOSPC;
  if (close(fd) != 0 && reason == 0) reason = errno;
  return reason;
}

/* --- the lines ---------------------------------------------------------------------------------------------------- */

static void write_line(JobLog *log, int64_t time_us, const char *begin, const Line *rest) {
  char stamp[TR_TIMESTAMP_SIZE], line[sizeof rest->text + 256];
  int directory = open_directory(log);
  if (directory < 0 && log->is_beside && errno == ENOENT) return; /* nobody keeps logs here */
  if (directory < 0) {
    complain(log, errno);
    return;
  }
  tr_timestamp_format(time_us, stamp);
  int length = snprintf(line, sizeof line, "\n[%s] %s%.*s\n", stamp, begin, (int)rest->length, rest->text);
  int reason = append(log, directory, line, (size_t)length);
  close(directory);
  if (reason) complain(log, reason);
}

int64_t log_time_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * TR_US_PER_SECOND + now.tv_nsec / 1000;
}

void log_begin(JobLog *log, char *const *command, bool tells_command) {
  Line line = {.left = PATH_MAX};
  char directory[PATH_MAX];
  if (log->directory == NULL) return;
  if (getcwd(directory, sizeof directory) == NULL) strcpy(directory, "?");
  line_add(&line, directory, strlen(directory));
  line.left = SIZE_MAX;
  line_add(&line, ", cmd=", 6);
  line.left = COMMAND_CHARACTERS;
  if (tells_command) line_add_words(&line, command);
  if (!tells_command) line_add(&line, "(not logged)", 12);
  write_line(log, log_time_us(), "Executing (command mode): working_dir=", &line);
}

static size_t without_end(const char *text, size_t length) {
  while (length && tr_is_blank(text[length - 1])) length--;
  return length;
}

void log_end(JobLog *log, int64_t time_us, const Outcome *outcome) {
  Line line = {.left = ERROR_CHARACTERS};
  if (log->directory == NULL) return;
  if (outcome->is_success) {
    write_line(log, time_us, "Command executed successfully", &line);
    return;
  }
  line_add(&line, outcome->error, without_end(outcome->error, outcome->error_length));
  write_line(log, time_us, outcome->timed_out ? "" : "Command failed: ", &line);
}

void log_skip(JobLog *log, const char *words) {
  Line line = {.left = SIZE_MAX};
  if (log->directory == NULL) return;
  line_add(&line, words, strlen(words));
  write_line(log, log_time_us(), "Skipped \xe2\x80\x94 gate 'lock' blocked: ", &line);
}
