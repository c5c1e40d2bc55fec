/*
** write.c - standard input -> a file that appears complete or not at all: the commands' option `-o FILE`.
**
**   taskresults-run --write FILE SEAL [TEMPORARY]
**
** The end of the input does not tell whether the command that wrote it succeeded: it may have been killed. So the
** caller writes SEAL, a word that nobody can guess, as the last bytes. Without it, FILE stays unchanged; also after a
** signal, or if the shell that started us dies. TEMPORARY is the name that the file has beside FILE until then, if
** nothing else has it. INT and HUP stay ignored if they were ignored at our start (nohup).
**
** Exit status: 0 written; 1 no seal; 3 it could not be written, and the reason was printed.
*/
#include "base/base.h"
#include "runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES ((size_t)256 * 1024)
#define MOST_SEAL_BYTES 64
#define WAIT_MS 20

enum { EXIT_UNSEALED = 1 };

static volatile sig_atomic_t is_stopped;

static void stop(int signal) {
  (void)signal;
  is_stopped = 1;
}

/* Without SA_RESTART: a read or a write that waits ends with EINTR. We get TERM when the shell dies. */
static void hear_signals(void) {
  static const int signals[] = {SIGINT, SIGHUP};
  struct sigaction action = {.sa_handler = stop}, before;
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    sigaction(signals[i], NULL, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signals[i], &action, NULL);
  }
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  end_with_parent();
}

static int fail(const char *path, const TrTarget *target, int reason, long long written) {
  const char *what = target->what ? target->what : "", *state = target->dir_fd >= 0 ? "; the file is what it was" : "";
  if (target->in_place) {
    say("%s is written, but may not outlast a power cut: %s: %s", path, what, strerror(reason));
  } else if (target->what == NULL) {
    say("cannot write %s: at byte %lld: %s%s", path, written, strerror(reason), state);
  } else {
    say("cannot write %s: %s%s%s%s", path, what, *what ? ": " : "", strerror(reason), state);
  }
  return EXIT_IO;
}

static int open_target(TrTarget *target, const char *path, const char *temporary) {
  int reason = tr_target_open(target, path, temporary);
  while (reason == EAGAIN && !is_stopped) {
    tr_target_close(target);
    poll(NULL, 0, WAIT_MS);
    reason = tr_target_open(target, path, temporary);
  }
  return reason;
}

/* 0, or errno. */
static int write_out(int fd, const char *bytes, size_t length, long long *written) {
  while (length > 0 && !is_stopped) {
    ssize_t n = write(fd, bytes, length);
    if (n > 0) {
      bytes += n;
      length -= (size_t)n;
      *written += n;
    } else if (n < 0 && errno == EAGAIN) {
      poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    } else if (n == 0 || errno != EINTR) {
      return n == 0 ? ENOSPC : errno;
    }
  }
  return 0;
}

/* Copies until the end of the input, and holds back as many bytes as the seal has. 0, or errno. */
static int copy(TrTarget *target, const char *seal, bool *is_sealed, long long *written) {
  static char buffer[BLOCK_BYTES + MOST_SEAL_BYTES];
  size_t held = 0, seal_length = strlen(seal);
  while (!is_stopped) {
    ssize_t n = read(STDIN_FILENO, buffer + held, BLOCK_BYTES);
    if (n < 0 && errno != EINTR) return errno;
    if (n < 0) continue;
    held += (size_t)n;
    if (n == 0) break;
    size_t length = held > seal_length ? held - seal_length : 0;
    int reason = write_out(target->fd, buffer, length, written);
    if (reason) return reason;
    held -= length;
    memmove(buffer, buffer + length, held);
  }
  *is_sealed = !is_stopped && held == seal_length && memcmp(buffer, seal, held) == 0;
  return *is_sealed || target->dir_fd >= 0 ? 0 : write_out(target->fd, buffer, held, written);
}

int write_main(const char *path, const char *seal, const char *temporary) {
  TrTarget target;
  bool is_sealed = false;
  long long written = 0;
  if (*seal == '\0' || strlen(seal) > MOST_SEAL_BYTES) return EXIT_USAGE;
  hear_signals();
  int status = EXIT_UNSEALED, reason = open_target(&target, path, temporary);
  bool is_open = reason == 0;
  if (is_open) {
    target.what = NULL;
    reason = copy(&target, seal, &is_sealed, &written);
  }
  if (reason == 0 && is_sealed) reason = tr_target_commit(&target, true);
  if (reason == 0 && is_sealed) status = 0;
  bool is_unread = is_open && target.dir_fd < 0 && reason == EPIPE; /* a closed pipe is not an error */
  if (is_unread) status = 0;
  if (reason && !is_unread && !is_stopped) status = fail(path, &target, reason, written);
  tr_target_close(&target);
  return status;
}
