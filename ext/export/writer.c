/*
** writer.c - a second thread that writes one buffer to a file, while the caller fills another.
**
** The system spends a quarter of an export's time copying into its cache. The two threads swap buffers, so there is one
** write at a time, in order, and at most one buffer whose result the caller does not know yet.
*/
#include "export.h"

#include <errno.h>
#include <unistd.h>

#define WRITER_WAIT_MS 20 /* between two checks for an interrupt */

struct TrWriter {
  int fd;          /* borrowed: a regular file */
  char *buffer;    /* owned: TR_OUTPUT_BYTES */
  size_t length;   /* to be written; 0: the writer has nothing to do */
  int64_t written; /* of this buffer and those before it, since the caller asked */
  int reason;      /* errno of the first write that failed; it stays */
  bool stop;
  pthread_mutex_t mutex;
  pthread_cond_t work, done;
  pthread_t thread;
};

/* 0, or errno. */
static int write_all(int fd, const char *bytes, size_t length, int64_t *written) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n == 0) return ENOSPC;
    if (n < 0 && errno != EINTR && errno != EAGAIN) return errno;
    if (n < 0) continue;
    bytes += n;
    length -= (size_t)n;
    *written += n;
  }
  return 0;
}

static void *write_buffers(void *argument) {
  TrWriter *writer = argument;
  pthread_mutex_lock(&writer->mutex);
  while (!writer->stop) {
    if (writer->length == 0) {
      pthread_cond_wait(&writer->work, &writer->mutex);
      continue;
    }
    pthread_mutex_unlock(&writer->mutex);
    int64_t written = 0;
    int reason = write_all(writer->fd, writer->buffer, writer->length, &written);
    pthread_mutex_lock(&writer->mutex);
    writer->written += written;
    writer->reason = reason;
    writer->length = 0;
    pthread_cond_signal(&writer->done);
  }
  pthread_mutex_unlock(&writer->mutex);
  return NULL;
}

TrWriter *tr_writer_start(int fd) {
  TrWriter *writer = sqlite3_malloc64(sizeof *writer);
  char *buffer = sqlite3_malloc64(TR_OUTPUT_BYTES);
  if (writer && buffer) {
    *writer = (TrWriter){.fd = fd, .buffer = buffer};
    pthread_mutex_init(&writer->mutex, NULL);
    tr_condition_init(&writer->work);
    tr_condition_init(&writer->done);
    if (tr_thread_start(&writer->thread, write_buffers, writer)) return writer;
  }
  sqlite3_free(writer);
  sqlite3_free(buffer);
  return NULL;
}

int tr_writer_wait(TrWriter *writer, TrPoll *poll, int64_t *written, int *reason) {
  int code = SQLITE_OK;
  pthread_mutex_lock(&writer->mutex);
  while (writer->length > 0 && code == SQLITE_OK) {
    tr_condition_wait(&writer->done, &writer->mutex, WRITER_WAIT_MS);
    if (writer->length == 0) break;
    pthread_mutex_unlock(&writer->mutex);
    code = tr_poll(poll);
    pthread_mutex_lock(&writer->mutex);
  }
  *written += writer->written;
  writer->written = 0;
  *reason = writer->reason;
  pthread_mutex_unlock(&writer->mutex);
  return code;
}

char *tr_writer_put(TrWriter *writer, char *buffer, size_t length) {
  pthread_mutex_lock(&writer->mutex);
  char *other = writer->buffer;
  writer->buffer = buffer;
  writer->length = length;
  pthread_cond_signal(&writer->work);
  pthread_mutex_unlock(&writer->mutex);
  return other;
}

void tr_writer_stop(TrWriter *writer) {
  if (writer == NULL) return;
  pthread_mutex_lock(&writer->mutex);
  writer->stop = true;
  pthread_cond_signal(&writer->work);
  pthread_mutex_unlock(&writer->mutex);
  pthread_join(writer->thread, NULL);
  pthread_cond_destroy(&writer->work);
  pthread_cond_destroy(&writer->done);
  pthread_mutex_destroy(&writer->mutex);
  sqlite3_free(writer->buffer);
  sqlite3_free(writer);
}
