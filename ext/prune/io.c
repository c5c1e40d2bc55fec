/*
** io.c - what all steps of a prune share: opening one of its files, and errors of one form.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* "job 'x': /dir/x.jsonl cannot be read: Input/output error (nothing was changed)" */
int tr_prune_error(const TrPrune *prune, int code, char **message, int error_number, const char *format, ...) {
  if (message == NULL) return code;
  va_list arguments;
  va_start(arguments, format);
  char *what = sqlite3_vmprintf(format, arguments);
  va_end(arguments);
  static const char *const state[] = {
      [TR_PRUNE_UNTOUCHED] = "nothing was changed",
      [TR_PRUNE_RECOVERED] = "an interrupted prune was finished; nothing else was changed",
      [TR_PRUNE_UNFINISHED] = "the next prune of the job goes on from here",
      [TR_PRUNE_REPLACED] = "it was pruned, which a power failure could undo: call sync before a writer starts",
  };
  tr_error(message, code, "job '%.*s': %s/%s %s%s%s (%s)", (int)prune->job_length, prune->job_id, prune->dir->path,
           prune->file_name, what ? what : "", error_number ? ": " : "", error_number ? strerror(error_number) : "",
           state[prune->state]);
  sqlite3_free(what);
  return code;
}

/* One of the prune's files, by its name in the directory. Never follows a link, never waits. -1: see errno. */
int tr_prune_open(const TrPrune *prune, const char *name, int flags, mode_t mode) {
  int fd;
  do {
    fd = openat(prune->dir->fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}
