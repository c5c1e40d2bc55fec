/*
** stream.c - one of the command's two streams: what it prints is captured for the record, and shown or kept.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

_Static_assert(SHOW_BYTES <= KEPT_TAIL_BYTES, "all that is read at once can be kept");

void stream_begin(Stream *stream, const char *name, int to, Showing *showing) {
  stream->name = name;
  stream->from = -1;
  stream->to = to;
  stream->showing = showing;
}

/* A closed pipe (EPIPE) is not an error: nobody wants the rest. */
static void refuse(Stream *stream) {
  stream->refused = true;
  stream->length = stream->written = 0;
  kept_drop(&stream->kept);
  if (errno == EPIPE) return;
  stream->showing->lost = true;
  say("%s cannot be shown any more: %s", stream->name, strerror(errno));
}

static void write_some(Stream *stream) {
  ssize_t count = write(stream->to, stream->buffer + stream->written, stream->length - stream->written);
  if (count < 0) {
    if (errno != EINTR && errno != EAGAIN) refuse(stream);
    return;
  }
  stream->written += (size_t)count;
  if (stream->written == stream->length) stream->length = stream->written = 0;
}

static void end_stream(Stream *stream) {
  if (stream->from < 0) return;
  close(stream->from);
  stream->from = -1;
  capture_end(&stream->capture);
}

/* If no more can be kept, everything is shown: first what was kept, then the rest as it comes. */
static void keep(Stream *stream, size_t length) {
  int reason = kept_add(&stream->kept, stream->buffer, length);
  if (reason == 0) return;
  say("cannot keep the output, so it is shown: %s", strerror(reason));
  stream->showing->keeping = false;
}

static void read_some(Stream *stream) {
  ssize_t count = read(stream->from, stream->buffer, sizeof stream->buffer);
  if (count < 0 && errno == EINTR) return;
  if (count < 0) {
    stream->showing->lost = true;
    say("the command's %s cannot be read any more: %s", stream->name, strerror(errno));
  }
  if (count <= 0) {
    end_stream(stream);
    return;
  }
  capture_bytes(&stream->capture, stream->buffer, (size_t)count);
  tail_add(&stream->showing->tail, stream->buffer, (size_t)count);
  if (stream->showing->keeping) {
    keep(stream, (size_t)count);
  } else {
    stream->length = stream->refused ? 0 : (size_t)count;
  }
}

bool stream_is_done(const Stream *stream) {
  return stream->from < 0 && stream->length == 0 && (stream->showing->keeping || kept_is_empty(&stream->kept));
}

/* What was kept is shown before anything that is read later. */
static void take_kept(Stream *stream) {
  ssize_t count = kept_take(&stream->kept, stream->buffer, sizeof stream->buffer);
  if (count < 0) {
    stream->showing->lost = true;
    say("what was kept of %s cannot be read: %s", stream->name, strerror(errno));
    kept_drop(&stream->kept);
  } else {
    stream->length = (size_t)count;
  }
}

struct pollfd stream_wanted(Stream *stream) {
  if (!stream->showing->keeping && stream->length == 0) take_kept(stream);
  if (stream->length) return (struct pollfd){.fd = stream->to, .events = POLLOUT};
  return (struct pollfd){.fd = stream->from, .events = POLLIN}; /* poll() ignores -1 */
}

void stream_serve(Stream *stream, const struct pollfd *ready) {
  if (ready->revents == 0) return;
  if (stream->length) {
    write_some(stream);
  } else if (stream->from >= 0) {
    read_some(stream);
  }
}

void stream_abandon(Stream *stream) {
  end_stream(stream);
  if (stream->length == 0) return;
  stream->length = stream->written = 0;
  kept_drop(&stream->kept);
  stream->showing->lost = true;
  say("nobody reads %s, so not all of it was shown", stream->name);
}

int stream_show_kept(Stream *stream, const Signals *signals) {
  stream->showing->keeping = false;
  while (!stream_is_done(stream)) {
    struct pollfd ready[] = {{.fd = signals->fd, .events = POLLIN}, stream_wanted(stream)};
    if (stream_is_done(stream)) break; /* what was kept could not be read */
    if (poll(ready, 2, -1) <= 0) continue;
    if (ready[1].revents) write_some(stream);
    int number = ready[0].revents ? signals_take(signals->fd) : 0;
    if (number != 0 && number != SIGCHLD && number != SIGTSTP) return number;
  }
  return 0;
}
