/*
** recover.c - finishes or discards what a killed prune left.
**
** What is on disk after a kill, a power failure or an error, and what the next prune of the job does first. N is the
** job's file, T and J are the temporary's and the journal's names.
**
**   killed                         N          T              J          the next prune
**   -----------------------------  ---------  -------------  ---------  --------------------------------------------
**   taking the lock                old        -              -          nothing to do
**   while it copies, up to J       old        part, or all   -          deletes T
**   while it creates J             old        all            cut short  deletes T, then J
**   before the exchange            old        temporary      whole      (T is J's temporary) deletes T, then J
**   after the exchange             new        old            whole      (T is not J's temporary) drains T into N
**   while it drains                new        old            region     fills the region in again, drains the rest
**   the same, then a rotation      other      old            region     fills it in in the rotated file (rotated.c)
**   before old is removed          new        old            whole      finds nothing to drain; deletes T, then J
**   before J is removed            new        -              whole      deletes J
**   offline, after the rename      new        -              whole      appends the receipt, deletes J
**   another file was exchanged     new        other          whole      see replaced.c
**
** A prune that leaves a receipt has written it to a pending file before J (receipt_file.c). Wherever the table says
** that T is drained, the receipt is appended then, unless it is there already. In the last two states, N is J's new
** file, so the prune has happened; if N is another one, it may have been undone, and then no receipt must be left.
**
** Discarding deletes T before J and draining relies on J alone, so a recovery that is itself killed leaves one of the
** same states. A prune that gives up draining ("busy") also leaves the state "after the exchange". If somebody has
** replaced N since, what T holds is appended to the replacement; if N is gone, a new N gets it. If others may have put
** something under the names of T and J, that is refused before anything is changed (trust.c).
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int leftover_error(const TrPrune *prune, const char *what, char **message) {
  int reason = errno;
  return tr_prune_error(prune, SQLITE_IOERR, message, reason, "an interrupted prune left %s, which cannot be %s",
                        prune->new_name, what);
}

static bool is_inode(const struct stat *found, uint64_t dev, uint64_t ino) {
  return found->st_dev == dev && found->st_ino == ino;
}

static int open_old(TrPrune *prune, char **message) {
  prune->old_fd = tr_prune_open(prune, prune->new_name, O_RDONLY, 0);
  if (prune->old_fd >= 0 && fstat(prune->old_fd, &prune->old_stat) == 0) return SQLITE_OK;
  return leftover_error(prune, "opened", message);
}

static int live_open_error(const TrPrune *prune, char **message) {
  int reason = errno;
  return tr_prune_error(prune, tr_error_code(reason), message, reason,
                        "cannot be opened to finish an interrupted prune");
}

/* Opens N for writing: the file that the exchange made, or what others have put there since. If it is gone, live_fd
** stays -1. */
static int open_live(TrPrune *prune, struct stat *found, char **message) {
  prune->live_fd = tr_lease_open(prune, prune->file_name);
  if (prune->live_fd < 0 && errno == EAGAIN) {
    return tr_prune_error(prune, SQLITE_BUSY, message, 0, "is busy: another program has leased it");
  }
  if (prune->live_fd < 0) return errno == ENOENT ? SQLITE_OK : live_open_error(prune, message);
  if (fstat(prune->live_fd, found) != 0) return live_open_error(prune, message);
  if (S_ISREG(found->st_mode)) return SQLITE_OK;
  return tr_prune_error(prune, SQLITE_ERROR, message, 0, "is %s, and an interrupted prune cannot be finished",
                        tr_file_type(found->st_mode));
}

/* Creates a new N with the owner and the permissions of the old file. */
static int create_live(TrPrune *prune, struct stat *found, char **message) {
  prune->live_fd = tr_prune_open(prune, prune->file_name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (prune->live_fd < 0 || fstat(prune->live_fd, found) != 0) return live_open_error(prune, message);
  return tr_copy_owner(prune, prune->live_fd, "copy", message);
}

/* T holds the old file, or (see exchange.c) one that had replaced it in the last instant: then nothing has been drained
** yet. */
static int update_journal(TrPrune *prune, const struct stat *live, char **message) {
  TrJournalState *state = &prune->journal.state;
  bool same_old = is_inode(&prune->old_stat, state->old_dev, state->old_ino);
  bool same_live = is_inode(live, state->live_dev, state->live_ino);
  if (same_old && same_live) return SQLITE_OK;
  if (!same_old) {
    state->old_dev = prune->old_stat.st_dev;
    state->old_ino = prune->old_stat.st_ino;
    state->drained = 0;
    state->is_replaced = 1;
  }
  if (!same_live) {
    state->live_dev = live->st_dev;
    state->live_ino = live->st_ino;
    state->region_at = state->region_length = 0;
    state->region_adds_newline = state->region_reserved = 0;
  }
  return tr_journal_save(prune, message);
}

/* Decides by the open files, not by what was seen under their names before. */
static int finish_recovery(TrPrune *prune, char **message) {
  struct stat live;
  int code = open_old(prune, message);
  if (code == SQLITE_OK) code = open_live(prune, &live, message);
  if (code != SQLITE_OK) return code;
  bool has_live = prune->live_fd >= 0;
  code = tr_trust_drain(prune, &prune->old_stat, has_live ? &live : NULL, prune->journal.owner, message);
  if (code == SQLITE_OK) code = tr_receipt_recover(prune, has_live ? &live : &prune->old_stat, message);
  if (code != SQLITE_OK) return code;
  prune->state = TR_PRUNE_UNFINISHED;
  if (!has_live) code = create_live(prune, &live, message);
  bool is_rotated = !is_inode(&live, prune->journal.state.live_dev, prune->journal.state.live_ino);
  if (code == SQLITE_OK && is_rotated) code = tr_rotated_settle_region(prune, message);
  if (code == SQLITE_OK) code = update_journal(prune, &live, message);
  if (code == SQLITE_OK && TEMP_FAILURE_RETRY(fsync(prune->dir->fd)) != 0) {
    code = leftover_error(prune, "secured", message);
  }
  return code == SQLITE_OK ? tr_drain(prune, message) : code;
}

static int discard(TrPrune *prune, char **message) {
  prune->state = TR_PRUNE_UNFINISHED;
  int code = tr_archive_discard(prune, message);
  if (code == SQLITE_OK) code = tr_copy_discard(prune, message);
  if (code == SQLITE_OK) tr_receipt_discard(prune);
  return code;
}

/* Has the exchange happened, of which the temporary's name is gone? Then the job's file is the one that the journal
** calls the new one; or it was replaced since, and a segment is pending. *live: whose owner the job's file has. */
static bool is_exchanged(const TrPrune *prune, struct stat *live) {
  const TrJournalState *state = &prune->journal.state;
  bool is_there = fstatat(prune->dir->fd, prune->file_name, live, AT_SYMLINK_NOFOLLOW) == 0;
  if (is_there && is_inode(live, state->live_dev, state->live_ino)) return true;
  if (is_there && (uint64_t)live->st_ino == state->archive_source) return false;
  return tr_archive_is_pending(prune, live);
}

/* The old file is gone already, or has but the name that a prune offline gives it. */
static int finish_receipt(TrPrune *prune, const struct stat *live, char **message) {
  int code = tr_receipt_recover(prune, live, message);
  if (code != SQLITE_OK) return code;
  prune->state = TR_PRUNE_UNFINISHED;
  if (TEMP_FAILURE_RETRY(fsync(prune->dir->fd)) != 0) return leftover_error(prune, "secured", message);
  code = tr_archive_settle(prune, message);
  if (code == SQLITE_OK) code = tr_receipt_append(prune, message);
  return code == SQLITE_OK ? discard(prune, message) : code;
}

static void close_files(TrPrune *prune) {
  if (prune->old_fd >= 0) close(prune->old_fd);
  if (prune->live_fd >= 0) close(prune->live_fd);
  prune->old_fd = prune->live_fd = -1;
  prune->exclusive_until_ms = 0;
  prune->has_source_name = false;
  tr_journal_close(&prune->journal);
  prune->journal.state = (TrJournalState){0};
  tr_receipt_close(prune);
  tr_archive_close(prune);
}

/* Checks that an entry under one of a prune's names, if it exists, is what a prune leaves. */
static int examine(TrPrune *prune, const char *name, struct stat *found, bool *exists, char **message) {
  *exists = fstatat(prune->dir->fd, name, found, AT_SYMLINK_NOFOLLOW) == 0;
  if (*exists) return tr_trust_leftover(prune, name, found, message);
  if (errno == ENOENT) return SQLITE_OK;
  int reason = errno;
  return tr_prune_error(prune, SQLITE_IOERR, message, reason, "%s beside it cannot be examined", name);
}

static int finish_or_discard(TrPrune *prune, bool has_new, char **message) {
  bool is_complete;
  struct stat new, live;
  int code = tr_journal_load(prune, &is_complete, message);
  if (code != SQLITE_OK) return code;
  const TrJournalState *state = &prune->journal.state;
  if (!is_complete) prune->journal.state = (TrJournalState){0};
  if (is_complete && has_new) code = tr_replaced_undo(prune, message);
  if (code == SQLITE_OK && has_new) code = examine(prune, prune->new_name, &new, &has_new, message);
  if (code != SQLITE_OK) return code;
  bool is_old = is_complete && has_new && !is_inode(&new, state->live_dev, state->live_ino);
  code = tr_archive_recover(prune, is_old ? &new : NULL, message);
  if (code != SQLITE_OK) return code;
  if (is_old) return finish_recovery(prune, message);
  bool may_lack_receipt = is_complete && !has_new && state->receipt_id[0] && is_exchanged(prune, &live);
  return may_lack_receipt ? finish_receipt(prune, &live, message) : discard(prune, message);
}

/* It is a second name of the job's file, as it is or was, and no more. */
static bool has_source_name(const TrPrune *prune) {
  struct stat found;
  return fstatat(prune->dir->fd, prune->source_name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode);
}

int tr_recover(TrPrune *prune, bool *recovered, char **message) {
  struct stat new, journal;
  bool has_new, has_journal;
  *recovered = false;
  prune->has_source_name = has_source_name(prune);
  int code = examine(prune, prune->new_name, &new, &has_new, message);
  if (code == SQLITE_OK) code = examine(prune, prune->journal_name, &journal, &has_journal, message);
  if (code != SQLITE_OK || (!has_new && !has_journal && !prune->has_source_name)) return code;
  code = finish_or_discard(prune, has_new, message);
  close_files(prune);
  *recovered = code == SQLITE_OK;
  if (*recovered) prune->state = TR_PRUNE_RECOVERED;
  return code;
}

int tr_recover_from_replaced(TrPrune *prune, char **message) {
  close_files(prune);
  int code = finish_or_discard(prune, true, message);
  close_files(prune);
  if (code != SQLITE_OK) return code;
  prune->state = TR_PRUNE_UNTOUCHED;
  return tr_prune_error(prune, SQLITE_ABORT, message, 0,
                        "was replaced while it was being pruned: stop the program that does that");
}
