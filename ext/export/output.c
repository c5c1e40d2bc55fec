/*
** output.c - bytes -> a file that is there whole or not at all, or a pipe.
**
** A regular file is written beside its final name, flushed to the disk and renamed, so until all is written the old one
** is what it was, and a reader sees one or the other. A link is followed to its end and stays a link; an existing file's
** mode is kept. What is no regular file (a FIFO, a device) is written to as it is, and so are this process's own
** descriptors, which only their names tell: opening /dev/stdout anew would begin at the start of a file that others may
** have written to already.
**
** When a few megabytes have been written to a regular file, a second thread writes on (writer.c).
**
** A failure sticks: what is appended after it is dropped, so that callers need to look once a row and not once a cell.
** A kill can leave the temporary file behind, `.taskresults.` and six letters; never half of the file itself.
*/
#include "../tr.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_LINKS 40 /* as the system's own limit */
#define MOST_NAMES 100
#define WAIT_MS 20

static int failure(TrOutput *output, int code, int reason, const char *what) {
  const char *state = output->dir_fd >= 0 ? "; the file is what it was" : "";
  output->code = tr_error(output->message, code, "cannot write %s: %s%s%s%s", output->path, what,
                          *what && reason ? ": " : "", reason ? strerror(reason) : "", state);
  return output->code;
}

/* --- which file -------------------------------------------------------------------------------------------------- */

/* Cuts the last part off a path: "a/b" is "a" and "b", "b" is "." and "b", "/b" is "/" and "b". */
static const char *split(char *path, const char **dir) {
  char *slash = strrchr(path, '/');
  *dir = slash == NULL ? "." : slash == path ? "/" : path;
  if (slash) *slash = '\0';
  return slash ? slash + 1 : path;
}

/* A link that leads nowhere yet leads to the file that is to be made. 0, or errno. */
static int follow_link(char path[PATH_MAX]) {
  char link[PATH_MAX], whole[2 * PATH_MAX];
  ssize_t length = readlink(path, link, sizeof link - 1);
  if (length < 0) return errno;
  link[length] = '\0';
  const char *dir;
  split(path, &dir);
  int needed =
      *link == '/' ? snprintf(whole, sizeof whole, "%s", link) : snprintf(whole, sizeof whole, "%s/%s", dir, link);
  if (needed >= PATH_MAX) return ENAMETOOLONG;
  memcpy(path, whole, (size_t)needed + 1);
  return 0;
}

/* The path of the file itself, behind all links. 0, or errno. */
static int resolve(const char *path, char resolved[PATH_MAX]) {
  char next[PATH_MAX];
  if (realpath(path, resolved)) return 0;
  if (errno != ENOENT) return errno;
  snprintf(next, sizeof next, "%s", path);
  for (int links = 0; links < MOST_LINKS; links++) {
    memcpy(resolved, next, sizeof next);
    int reason = follow_link(next);
    if (reason == EINVAL || reason == ENOENT) return 0; /* no link, or nothing at all */
    if (reason) return reason;
  }
  return ELOOP;
}

/* The temporary, with the mode that the file has or would get. */
static int create_temporary(TrOutput *output, const struct stat *existing) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
  for (int i = 0; i < MOST_NAMES; i++) {
    unsigned char random[6];
    sqlite3_randomness(sizeof random, random);
    memcpy(output->temporary, ".taskresults.", 13);
    for (int k = 0; k < 6; k++) output->temporary[13 + k] = letters[random[k] % 32];
    output->temporary[19] = '\0';
    mode_t mode = existing ? 0600 : 0666;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    output->fd = (int)TEMP_FAILURE_RETRY(openat(output->dir_fd, output->temporary, flags, mode));
    if (output->fd >= 0 || errno != EEXIST) break;
  }
  if (output->fd < 0) {
    int reason = errno;
    output->temporary[0] = '\0'; /* nothing to remove */
    return failure(output, tr_error_code(reason), reason, "no temporary file beside it");
  }
  if (existing && fchmod(output->fd, existing->st_mode & 0777) != 0) {
    return failure(output, tr_error_code(errno), errno, "its mode cannot be kept");
  }
  return SQLITE_OK;
}

static int open_regular(TrOutput *output, const struct stat *existing) {
  char resolved[PATH_MAX];
  const char *dir;
  int reason = resolve(output->path, resolved);
  if (reason) return failure(output, SQLITE_CANTOPEN, reason, "");
  const char *name = split(resolved, &dir);
  if (*name == '\0') return failure(output, SQLITE_CANTOPEN, 0, "no such directory");
  output->name = sqlite3_mprintf("%s", name);
  if (output->name == NULL) return output->code = SQLITE_NOMEM;
  int dir_fd = (int)TEMP_FAILURE_RETRY(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir_fd < 0) return failure(output, SQLITE_CANTOPEN, errno, "its directory");
  output->dir_fd = dir_fd;
  return create_temporary(output, existing);
}

/* Without O_NONBLOCK, a FIFO nobody reads would wait where no interrupt reaches us. */
static int open_direct(TrOutput *output, const char *path) {
  output->one_thread = true;
  for (;;) {
    output->fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (output->fd >= 0) return SQLITE_OK;
    if (errno == EINTR) continue;
    if (errno != ENXIO) return failure(output, SQLITE_CANTOPEN, errno, "");
    struct stat stat;
    if (fstatat(AT_FDCWD, path, &stat, 0) != 0 || !S_ISFIFO(stat.st_mode)) {
      return failure(output, SQLITE_CANTOPEN, ENXIO, "");
    }
    int code = tr_poll_sleep(output->poll, WAIT_MS);
    if (code != SQLITE_OK) return output->code = code;
  }
}

/* A descriptor of ours is shared with others, so its flags are not ours to change; but a pipe can be opened anew. */
static int open_descriptor(TrOutput *output, int fd) {
  struct stat stat;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  bool known = fstat(fd, &stat) == 0;
  output->one_thread |= !known || !S_ISREG(stat.st_mode);
  if (known && S_ISFIFO(stat.st_mode)) {
    output->fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (output->fd >= 0) return SQLITE_OK;
  }
  output->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return output->fd >= 0 ? SQLITE_OK : failure(output, SQLITE_CANTOPEN, errno, "");
}

int tr_output_open(TrOutput *output, const char *path, bool sync, bool one_thread, TrPoll *poll, char **message) {
  *output = (TrOutput){
      .path = path, .sync = sync, .one_thread = one_thread, .poll = poll, .message = message, .fd = -1, .dir_fd = -1};
  struct stat stat;
  output->buffer = sqlite3_malloc64(TR_OUTPUT_BYTES);
  if (output->buffer == NULL) return output->code = SQLITE_NOMEM;
  if (strcmp(path, "/dev/stdout") == 0) return open_descriptor(output, STDOUT_FILENO);
  if (strcmp(path, "/dev/stderr") == 0) return open_descriptor(output, STDERR_FILENO);
  if (strlen(path) >= PATH_MAX) return failure(output, SQLITE_CANTOPEN, ENAMETOOLONG, "");
  if (fstatat(AT_FDCWD, path, &stat, 0) != 0) {
    return errno == ENOENT ? open_regular(output, NULL) : failure(output, SQLITE_CANTOPEN, errno, "");
  }
  if (S_ISREG(stat.st_mode)) return open_regular(output, &stat);
  if (S_ISDIR(stat.st_mode)) return failure(output, SQLITE_CANTOPEN, EISDIR, "");
  return open_direct(output, path);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static int write_failure(TrOutput *output, int reason) {
  char what[64];
  snprintf(what, sizeof what, "at byte %lld", (long long)output->written);
  return failure(output, tr_error_code(reason), reason, what);
}

static int wait_writable(TrOutput *output) {
  struct pollfd wanted = {.fd = output->fd, .events = POLLOUT};
  poll(&wanted, 1, WAIT_MS);
  return output->code = tr_poll(output->poll);
}

static int write_out(TrOutput *output, const char *bytes, size_t length) {
  while (length > 0 && output->code == SQLITE_OK) {
    ssize_t n = write(output->fd, bytes, length);
    if (n > 0) {
      bytes += n;
      length -= (size_t)n;
      output->written += n;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
      write_failure(output, n == 0 ? ENOSPC : errno);
    } else {
      wait_writable(output);
    }
  }
  return output->code;
}

/* Waits for the writer. */
static int settle(TrOutput *output) {
  int reason = 0;
  if (output->writer == NULL || output->code != SQLITE_OK) return output->code;
  output->code = tr_writer_wait(output->writer, output->poll, &output->written, &reason);
  return output->code == SQLITE_OK && reason ? write_failure(output, reason) : output->code;
}

void tr_output_flush(TrOutput *output) {
  size_t length = output->length;
  output->length = 0; /* after a failure too: there has to be room for what is dropped */
  if (settle(output) != SQLITE_OK || length == 0) return;
  if (output->writer == NULL && !output->one_thread && output->written >= TR_SHARE_BYTES) {
    output->writer = tr_writer_start(output->fd);
    output->one_thread = output->writer == NULL;
  }
  if (output->writer) {
    output->buffer = tr_writer_put(output->writer, output->buffer, length);
  } else {
    write_out(output, output->buffer, length);
  }
}

void tr_output_append(TrOutput *output, const char *bytes, size_t length) {
  while (length > TR_OUTPUT_BYTES - output->length) {
    size_t part = TR_OUTPUT_BYTES - output->length;
    memcpy(output->buffer + output->length, bytes, part);
    output->length += part;
    bytes += part;
    length -= part;
    tr_output_flush(output);
    if (output->code != SQLITE_OK) return;
  }
  memcpy(output->buffer + output->length, bytes, length);
  output->length += length;
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

int tr_output_commit(TrOutput *output) {
  tr_output_flush(output);
  if (settle(output) != SQLITE_OK || output->dir_fd < 0) return output->code;
  if (output->sync && TEMP_FAILURE_RETRY(fsync(output->fd)) != 0) return write_failure(output, errno);
  output->code = tr_poll(output->poll); /* the last moment at which all can be taken back */
  if (output->code != SQLITE_OK) return output->code;
  int closed = close(output->fd); /* where a network's disk may yet say that it is full */
  output->fd = -1;
  if (closed != 0) return write_failure(output, errno);
  if (renameat(output->dir_fd, output->temporary, output->dir_fd, output->name) != 0) {
    return failure(output, tr_error_code(errno), errno, "the temporary file cannot take its place");
  }
  output->temporary[0] = '\0';
  if (output->sync && TEMP_FAILURE_RETRY(fsync(output->dir_fd)) != 0) {
    output->code = tr_error(output->message, SQLITE_IOERR_DIR_FSYNC,
                            "%s is written, but may not outlast a power cut: fsync of its directory: %s", output->path,
                            strerror(errno));
  }
  return output->code;
}

void tr_output_close(TrOutput *output) {
  tr_writer_stop(output->writer);
  if (output->fd >= 0) close(output->fd);
  if (output->temporary[0]) unlinkat(output->dir_fd, output->temporary, 0);
  if (output->dir_fd >= 0) close(output->dir_fd);
  sqlite3_free(output->name);
  sqlite3_free(output->buffer);
  *output = (TrOutput){.fd = -1, .dir_fd = -1};
}
