/*
** append.c - lines -> the end of one job's file, beside writers that take no lock.
**
** We rely on one promise of the system: with O_APPEND, write(2) puts all its bytes together, at what is the end of the
** file at that moment. The scheduler and all other writers append that way, one line at a time, so we write a batch
** with one write(2), too. But the file may not end with a newline: a writer that is killed in the middle of its line
** leaves a torn line. So
**
**   before we look at the last byte. If it is not a newline, our write begins with one. So the torn line stays a line
**            of its own (a reject), and no record is lost;
**   after we look at the byte before ours. If another writer left a torn line between our look and our write, our first
**            record is glued to it; so we write that record again. The others are intact.
**
** A short write leaves a torn line of our own. We go on in the same way: a newline, then the first incomplete line
** again from its start. We never write only the missing rest: it might land after another writer's torn line, and two
** halves can make a record that nobody wrote. We never truncate either: what we would cut off may be another writer's
** record by then. So each record ends up complete, once, on a line of its own, and in order (but for a glued one); or
** the error says how many records did.
**
** The file is open only for these few calls, because a pruner waits until nobody has it open for writing. A pruner may
** exchange the file between our open and our write. It then copies late records to the new file, so we need not care.
*/
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BETWEEN_LOOKS_NS 500000
#define MOST_LOOKS 10
#define MOST_IN_VAIN 5 /* short writes in a row that do not complete a line */

typedef struct Appender {
  const TrDir *dir;
  const char *name;
  const char *bytes; /* of the batch: a newline comes before every line, including the first */
  size_t end;        /* of the lines in bytes[] */
  int fd;
  bool is_new;    /* the file had no bytes when it was opened */
  int64_t looked; /* the file's size when we last looked at its end */
  bool wary;      /* a line was glued to one torn just before it: from now on every write begins with a newline */
  int vain;       /* writes since the last one that completed a line */
  TrAppend *done;
  char **message;
} Appender;

/* --- words ------------------------------------------------------------------------------------------------------- */

/* Never SQLITE_BUSY: a host would try COMMIT again. */
static int code_of(int reason, int otherwise) {
  switch (reason) {
  case ENOSPC:
  case EDQUOT:
  case EFBIG: return SQLITE_FULL;
  case EACCES:
  case EPERM: return SQLITE_PERM;
  case EROFS: return SQLITE_READONLY;
  case ENOMEM: return SQLITE_NOMEM;
  default: return otherwise;
  }
}

static const char *advice(int reason) {
  switch (reason) {
  case ENOSPC:
  case EDQUOT: return "make room and insert again";
  case EFBIG: return "prune it, or raise the limit on file sizes";
  case EACCES:
  case EPERM: return "give this user the right to read and write it and its directory";
  case EROFS: return "mount the file system for writing";
  case EAGAIN: return "a prune holds it; see whether that process is stopped";
  case EMFILE:
  case ENFILE: return "close files, or raise the limit on open ones";
  case ENOENT: return "the directory was removed; make it again";
  case EIO: return "look at the disk and the system's log";
  default: return "remove the cause and insert again";
  }
}

static int job_length(const char *name) {
  return (int)strlen(name) - TR_SUFFIX_LEN;
}

static int append_failure(const Appender *appender, int reason, int otherwise, const char *verb) {
  const char *name = appender->name;
  return tr_error(appender->message, code_of(reason, otherwise), "job '%.*s': cannot %s %s/%s: %s (%s)",
                  job_length(name), name, verb, appender->dir->path, name, strerror(reason), advice(reason));
}

static int only_pieces(const Appender *appender) {
  const char *name = appender->name;
  return tr_error(appender->message, SQLITE_IOERR_WRITE,
                  "job '%.*s': cannot append to %s/%s: the system took only pieces of a record, %d times (look at the "
                  "disk's free space and the limits)",
                  job_length(name), name, appender->dir->path, name, MOST_IN_VAIN);
}

static int irregular(const Appender *appender, mode_t mode) {
  const char *name = appender->name;
  return tr_error(appender->message, SQLITE_CANTOPEN,
                  "job '%.*s': cannot append to %s/%s: it is %s (only a regular file can hold a job's records)",
                  job_length(name), name, appender->dir->path, name, tr_file_type(mode));
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

/* If the file is missing, checks whether its directory can take a new one. */
int tr_append_check(const TrDir *dir, const char *name, char **message) {
  Appender appender = {.dir = dir, .name = name, .message = message};
  struct stat stat;
  bool exists = fstatat(dir->fd, name, &stat, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists && !S_ISREG(stat.st_mode)) return irregular(&appender, stat.st_mode);
  if (!exists && errno != ENOENT) return append_failure(&appender, errno, SQLITE_CANTOPEN, "append to");
  int wanted = exists ? R_OK | W_OK : W_OK | X_OK;
  if (faccessat(dir->fd, exists ? name : ".", wanted, AT_EACCESS) == 0) return SQLITE_OK;
  return errno == ENOENT ? SQLITE_OK : append_failure(&appender, errno, SQLITE_CANTOPEN, exists ? "append to" : "make");
}

/* Opened for reading too, to look at the bytes before ours. */
static int open_file(Appender *appender, TrPoll *poll) {
  int reason, flags = O_RDWR | O_APPEND | O_CREAT;
  int code = tr_open_leased(appender->dir->fd, appender->name, flags, poll, &appender->fd, &reason);
  if (code != SQLITE_OK) return code;
  if (appender->fd < 0) return append_failure(appender, reason, SQLITE_CANTOPEN, "append to");
  struct stat stat;
  if (fstat(appender->fd, &stat) != 0) return append_failure(appender, errno, SQLITE_CANTOPEN, "append to");
  if (!S_ISREG(stat.st_mode)) return irregular(appender, stat.st_mode);
  appender->is_new = stat.st_size == 0;
  return SQLITE_OK;
}

/* --- looking ----------------------------------------------------------------------------------------------------- */

/* *inside: there is a byte at that offset, and it is not a newline. */
static int is_inside_line(Appender *appender, int64_t offset, bool *inside) {
  char byte = '\n';
  ssize_t n;
  *inside = false;
  do {
    n = pread(appender->fd, &byte, 1, offset);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return append_failure(appender, errno, SQLITE_IOERR_READ, "read");
  *inside = n == 1 && byte != '\n';
  return SQLITE_OK;
}

/* Does the file end inside a line? A line that somebody is writing at this moment looks torn too, so we look again
** until the file has stopped growing. A newline too many does no harm: it makes a blank line. */
static int ends_torn(Appender *appender, bool *torn) {
  off_t size_before = -1;
  *torn = false;
  for (int look = 0; look < MOST_LOOKS; look++) {
    struct stat stat;
    if (look > 0) nanosleep(&(struct timespec){.tv_nsec = BETWEEN_LOOKS_NS}, NULL);
    if (fstat(appender->fd, &stat) != 0) return append_failure(appender, errno, SQLITE_IOERR_FSTAT, "read");
    if (stat.st_size == size_before) return SQLITE_OK;
    appender->looked = stat.st_size;
    *torn = false;
    if (stat.st_size == 0) return SQLITE_OK;
    int code = is_inside_line(appender, stat.st_size - 1, torn);
    if (code != SQLITE_OK || !*torn) return code;
    size_before = stat.st_size;
  }
  return SQLITE_OK;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

/* One write(2) of bytes[from, to). *at becomes the offset in the file where they begin. */
static int write_once(Appender *appender, size_t from, size_t to, size_t *written, int64_t *at) {
  ssize_t n;
  for (int waited_ms = 0;; waited_ms += TR_LEASE_RETRY_MS) {
    do {
      n = write(appender->fd, appender->bytes + from, to - from);
    } while (n < 0 && errno == EINTR);
    if (n >= 0 || errno != EAGAIN || waited_ms >= TR_LEASE_PATIENCE_MS) break;
    if (tr_poll_sleep(NULL, TR_LEASE_RETRY_MS) != SQLITE_OK) break; /* without a poll it cannot fail */
  }
  if (n <= 0) return append_failure(appender, n < 0 ? errno : EIO, SQLITE_IOERR_WRITE, "append to");
  off_t position = lseek(appender->fd, 0, SEEK_CUR); /* after an O_APPEND write: the end of our last byte */
  *written = (size_t)n;
  *at = position > n ? position - n : 0;
  return SQLITE_OK;
}

static size_t line_end(const Appender *appender, size_t from) {
  const char *newline = memchr(appender->bytes + from, '\n', appender->end - from);
  return (size_t)(newline - appender->bytes) + 1;
}

/* The end of the last complete line in [from, to), and the number of complete lines. */
static size_t whole_lines(const Appender *appender, size_t from, size_t to, unsigned *count) {
  *count = 0;
  for (size_t end; from < to && (end = line_end(appender, from)) <= to; from = end) (*count)++;
  return from;
}

/* Was the first line of our write, which begins at `at`, glued to a line torn between our look and our write? */
static int was_glued(Appender *appender, int64_t at, bool behind_newline, bool *glued) {
  *glued = false;
  if (behind_newline || at == appender->looked || at == 0) return SQLITE_OK; /* unchanged since we looked */
  int code = is_inside_line(appender, at - 1, glued);
  if (*glued) appender->wary = true;
  return code;
}

/* Writes lines of [*from, to) with one write(2). Moves *from to the end of the last line that is complete now. *redo:
** the end of the first line if it was glued and must be written again, else 0. */
static int write_some(Appender *appender, size_t *from, size_t to, size_t *redo) {
  TrAppend *done = appender->done;
  size_t start = *from, written = 0;
  int64_t at = 0;
  bool torn, glued;
  unsigned count;
  *redo = 0;
  int code = ends_torn(appender, &torn);
  bool behind_newline = torn || appender->wary;
  if (code == SQLITE_OK) code = write_once(appender, start - behind_newline, to, &written, &at);
  if (code != SQLITE_OK) return code;
  size_t reached = start - behind_newline + written; /* `start` if only the newline was written */
  *from = whole_lines(appender, start, reached, &count);
  if (reached > *from) done->torn = true;
  appender->vain = count ? 0 : appender->vain + 1;
  code = was_glued(appender, at, behind_newline, &glued);
  if (glued && count > 0) {
    *redo = line_end(appender, start);
    count--;
  }
  done->records_written += count;
  return code == SQLITE_OK && appender->vain == MOST_IN_VAIN ? only_pieces(appender) : code;
}

/* A glued line is written again at once, so only lines of the same write(2) can come before it. */
static int write_lines(Appender *appender) {
  size_t from = 1, redo_to;
  while (from < appender->end) {
    size_t start = from;
    int code = write_some(appender, &from, appender->end, &redo_to);
    for (size_t redo_from = start; code == SQLITE_OK && redo_from < redo_to;) {
      size_t none; /* a wary write cannot be glued */
      code = write_some(appender, &redo_from, redo_to, &none);
    }
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

/* --- syncing ----------------------------------------------------------------------------------------------------- */

static int sync_fd(int fd, int (*sync)(int)) {
  int status;
  do {
    status = sync(fd);
  } while (status != 0 && errno == EINTR);
  return status;
}

/* Of a new file, the directory has to be synced, too. */
static int sync_file(Appender *appender) {
  if (sync_fd(appender->fd, fdatasync) != 0 || (appender->is_new && sync_fd(appender->dir->fd, fsync) != 0)) {
    return append_failure(appender, errno, SQLITE_IOERR_FSYNC, "sync");
  }
  return SQLITE_OK;
}

int tr_append(const TrDir *dir, const char *name, const TrBatch *batch, TrSync sync, TrPoll *poll, TrAppend *done,
              char **message) {
  Appender appender = {.dir = dir,
                       .name = name,
                       .bytes = batch->bytes,
                       .end = batch->length,
                       .fd = -1,
                       .done = done,
                       .message = message};
  *done = (TrAppend){0};
  int code = open_file(&appender, poll);
  if (code == SQLITE_OK) code = write_lines(&appender);
  if (code == SQLITE_OK && sync == TR_SYNC_DATA) code = sync_file(&appender);
  if (appender.fd >= 0) close(appender.fd);
  return code;
}
