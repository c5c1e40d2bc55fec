/*
** target.h - where an output goes: a file that takes its place whole, or a pipe, a device, a descriptor of ours.
**
** It knows nothing of SQLite, so that shell/runner/write.c writes the files of `-o` in the same way.
*/
#ifndef TR_TARGET_H
#define TR_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#pragma GCC visibility push(hidden)

typedef struct TrTarget {
  int fd;             /* owned: what is written to; -1: closed */
  int dir_fd;         /* owned: of the file and the temporary; -1: written to as it is */
  char name[256];     /* the file's, in dir_fd */
  char temporary[20]; /* its name; empty: there is none */
  dev_t device;       /* of the temporary: */
  ino_t inode;
  bool in_place;    /* the temporary has become the file */
  const char *what; /* static: what could not be done, beside errno; NULL: a write */
} TrTarget;

/* Call order: open, write to fd, commit, close; close without commit takes everything back (but not what a pipe took).
** open and commit: 0, or errno. EAGAIN from open: a FIFO that nobody reads yet; ask again. `path` is needed no longer than
** open. If commit fails with in_place, the file is written, but may not outlast a power cut. */
int tr_target_open(TrTarget *target, const char *path);
int tr_target_commit(TrTarget *target, bool sync);
void tr_target_close(TrTarget *target);

#pragma GCC visibility pop
#endif /* TR_TARGET_H */
