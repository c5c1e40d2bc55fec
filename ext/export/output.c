/*
** output.c - bytes -> a file that appears complete or not at all, or a pipe.
**
** target.c opens the target and puts the file in its place. After a few megabytes to a regular file, a second thread
** does the writing (writer.c).
**
** A failure stays: later appends are dropped, so callers need to check only once a row, not once a cell.
*/
#include "export.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_WAIT_MS 20

static int output_failure(TrOutput *output, int code, int reason, const char *what) {
  const char *state = output->target.dir_fd >= 0 ? "; the file is what it was" : "";
  output->code = tr_error(output->message, code, "cannot write %s: %s%s%s%s", output->path, what,
                          *what && reason ? ": " : "", reason ? strerror(reason) : "", state);
  return output->code;
}

int tr_output_open(TrOutput *output, const char *path, bool sync, bool one_thread, TrPoll *poll, char **message) {
  *output = (TrOutput){.path = path, .sync = sync, .one_thread = one_thread, .poll = poll, .message = message};
  output->target.fd = output->target.dir_fd = -1;
  output->buffer = sqlite3_malloc64(TR_OUTPUT_BYTES);
  if (output->buffer == NULL) return output->code = SQLITE_NOMEM;
  int reason;
  while ((reason = tr_target_open(&output->target, path, NULL)) == EAGAIN) {
    tr_target_close(&output->target);
    int code = tr_poll_sleep(output->poll, OUTPUT_WAIT_MS);
    if (code != SQLITE_OK) return output->code = code;
  }
  struct stat stat;
  output->one_thread |= reason || fstat(output->target.fd, &stat) != 0 || !S_ISREG(stat.st_mode);
  if (reason == 0) return SQLITE_OK;
  bool is_found = output->target.dir_fd >= 0;
  return output_failure(output, is_found ? tr_error_code(reason) : SQLITE_CANTOPEN, reason, output->target.what);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static int write_failure(TrOutput *output, int reason) {
  char what[64];
  snprintf(what, sizeof what, "at byte %lld", (long long)output->written);
  return output_failure(output, tr_error_code(reason), reason, what);
}

static int wait_writable(TrOutput *output) {
  struct pollfd wanted = {.fd = output->target.fd, .events = POLLOUT};
  poll(&wanted, 1, OUTPUT_WAIT_MS);
  return output->code = tr_poll(output->poll);
}

static int write_out(TrOutput *output, const char *bytes, size_t length) {
  while (length > 0 && output->code == SQLITE_OK) {
    ssize_t n = write(output->target.fd, bytes, length);
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
  output->length = 0; /* also after a failure, so that later appends find room */
  if (settle(output) != SQLITE_OK || length == 0) return;
  if (output->writer == NULL && !output->one_thread && output->written >= TR_SHARE_BYTES) {
    output->writer = tr_writer_start(output->target.fd);
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
  if (settle(output) != SQLITE_OK || output->target.dir_fd < 0) return output->code;
  output->code = tr_poll(output->poll); /* the last moment at which the output can be undone */
  if (output->code != SQLITE_OK) return output->code;
  int reason = tr_target_commit(&output->target, output->sync);
  if (reason == 0) return SQLITE_OK;
  if (output->target.what == NULL) return write_failure(output, reason);
  if (!output->target.in_place) return output_failure(output, tr_error_code(reason), reason, output->target.what);
  output->code =
      tr_error(output->message, SQLITE_IOERR_DIR_FSYNC, "%s is written, but may not outlast a power cut: %s: %s",
               output->path, output->target.what, strerror(reason));
  return output->code;
}

void tr_output_close(TrOutput *output) {
  tr_writer_stop(output->writer);
  tr_target_close(&output->target);
  sqlite3_free(output->buffer);
  *output = (TrOutput){.target = {.fd = -1, .dir_fd = -1}};
}
