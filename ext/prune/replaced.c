/*
** replaced.c - another program has put its own file in the job's place in the last instant before the exchange.
**
** Then the exchange has met that file instead of the one that was copied. The lines that stay are in the copy, which
** has the job's name, and in the file from which they come, which a rotation has renamed. So we exchange the names
** back: the other program's file has the job's name again, and the copy the temporary's. Who had looked up the name
** meanwhile has appended to the copy, so what stands behind the lines that stay is drained to the job's file. To the
** drain, the copy is then the old file.
**
** The journal tells of that before the names change: it calls the copy the old file, and no file the live one.
**
**   killed                        the journal            T       N       the next prune
**   ----------------------------  ---------------------  ------  ------  ----------------------------------------
**   after the exchange            T is none of both      theirs  copy    finds the old file rotated: all that follows
**   before the names change       old: copy, live: none  theirs  copy    exchanges the names
**   after that                    old: copy, live: none  copy    theirs  drains T into N, behind the lines that stay
**
** If the copy was rotated, too, it changes its name with T, wherever it is. If the old file is gone, the copy has the
** only ones of the lines that stay: then it keeps its name, and all of the other program's file is drained into it
** (exchange.c, recover.c). The same if the copy is gone.
**
** An older version finishes all of these without losing a line, but as if the old file were gone.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NO_INODE 0

static bool names_temporary(const TrPrune *prune, uint64_t inode) {
  struct stat found;
  return fstatat(prune->dir->fd, prune->new_name, &found, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)found.st_ino == inode;
}

/* The name under which the copy is: the job's, or one that a rotation has given it. */
static int find_copy(const TrPrune *prune, uint64_t inode, char name[TR_NAME_SIZE], char **message) {
  struct stat found;
  if (fstatat(prune->dir->fd, prune->file_name, &found, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)found.st_ino == inode) {
    memcpy(name, prune->file_name, sizeof prune->file_name);
    return SQLITE_OK;
  }
  return tr_rotated_find(prune, inode, name, message);
}

/* Has the exchange met another file than the one that was copied, and is that one still there, rotated? */
int tr_replaced_is_met(const TrPrune *prune, bool *is, char **message) {
  const TrJournalState *state = &prune->journal.state;
  char name[TR_NAME_SIZE];
  *is = false;
  if (names_temporary(prune, state->old_ino) || names_temporary(prune, state->live_ino)) return SQLITE_OK;
  int code = tr_rotated_find(prune, state->old_ino, name, message);
  *is = code == SQLITE_OK && name[0];
  return code;
}

/* While the journal is as it was created, `region_at` is where the lines that stay end (journal.c). */
static int tell_journal(TrPrune *prune, char **message) {
  TrJournalState *state = &prune->journal.state;
  state->old_dev = state->live_dev;
  state->old_ino = state->live_ino;
  state->live_ino = NO_INODE;
  state->drained = state->region_at;
  state->region_at = 0;
  state->is_replaced = 1;
  return tr_journal_save(prune, message);
}

/* A rotation may rename the copy just then: if we have met a third file, it gets its name back. */
static int exchange_back(TrPrune *prune, const char *name, char **message) {
  int dir = prune->dir->fd, reason = tr_exchange_names(dir, prune->new_name, name);
  bool is_copy = reason == 0 && names_temporary(prune, prune->journal.state.old_ino);
  if (reason == 0 && !is_copy) reason = tr_exchange_names(dir, prune->new_name, name);
  if (reason == 0 && TEMP_FAILURE_RETRY(fsync(dir)) != 0) reason = errno;
  if (reason == 0 && !is_copy) reason = ESTALE;
  if (reason == 0) return SQLITE_OK;
  return tr_prune_error(prune, tr_error_code(reason), message, reason,
                        "was replaced while it was being pruned, and cannot get its name back from %s",
                        prune->new_name);
}

int tr_replaced_undo(TrPrune *prune, char **message) {
  const TrJournalState *state = &prune->journal.state;
  char copy[TR_NAME_SIZE];
  bool is_begun = state->live_ino == NO_INODE, is_new = false;
  if (is_begun && names_temporary(prune, state->old_ino)) return SQLITE_OK;
  int code = is_begun ? SQLITE_OK : tr_replaced_is_met(prune, &is_new, message);
  if (code != SQLITE_OK || (!is_begun && !is_new)) return code;
  code = find_copy(prune, is_begun ? state->old_ino : state->live_ino, copy, message);
  if (code != SQLITE_OK || copy[0] == '\0') return code;
  prune->state = TR_PRUNE_UNFINISHED;
  if (is_new) code = tell_journal(prune, message);
  return code == SQLITE_OK ? exchange_back(prune, copy, message) : code;
}
