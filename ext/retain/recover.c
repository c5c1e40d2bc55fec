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
**   before old is removed          new        old            whole      finds nothing to drain; deletes T, then J
**   before J is removed            new        -              whole      deletes J
**
** Discarding deletes T before J and draining relies on J alone, so a recovery that is itself killed leaves one of the
** same states. An orderly "busy" in the drain leaves the state "after the exchange". If somebody has replaced N since,
** what T holds is appended to the replacement; if N is gone, a new N gets it.
*/
#include "../tr.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define OPEN_PATIENCE_MS 2000

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
  if (prune->old_fd < 0 || fstat(prune->old_fd, &prune->old_stat) != 0) return leftover_error(prune, "opened", message);
  if (S_ISREG(prune->old_stat.st_mode)) return SQLITE_OK;
  return tr_prune_error(prune, SQLITE_ERROR, message, 0, "was replaced by %s while it was pruned, now %s: remove that",
                        tr_file_type(prune->old_stat.st_mode), prune->new_name);
}

/* N is gone: a new one, for whoever could write the old one. */
static int create_live(TrPrune *prune, char **message) {
  prune->live_fd = tr_prune_open(prune, prune->file_name, O_RDWR | O_CREAT | O_EXCL, 0600);
  return prune->live_fd >= 0 ? tr_copy_owner(prune, message) : SQLITE_OK;
}

/* SQLITE_OK with live_fd or errno set, SQLITE_BUSY, or an error. */
static int open_or_create_live(TrPrune *prune, char **message) {
  int64_t deadline_ms = tr_clock_ms() + OPEN_PATIENCE_MS;
  for (;;) {
    prune->live_fd = tr_prune_open(prune, prune->file_name, O_RDWR, 0);
    if (prune->live_fd < 0 && errno == ENOENT) return create_live(prune, message);
    if (prune->live_fd >= 0 || errno != EAGAIN) return SQLITE_OK;
    if (tr_clock_ms() >= deadline_ms) {
      return tr_prune_error(prune, SQLITE_BUSY, message, 0, "is busy: another program has leased it");
    }
    tr_lease_pause();
  }
}

/* N for writing: the file that the exchange made, or what others have put there since. */
static int open_live(TrPrune *prune, char **message) {
  int code = open_or_create_live(prune, message);
  if (code != SQLITE_OK) return code;
  struct stat found;
  if (prune->live_fd < 0 || fstat(prune->live_fd, &found) != 0) {
    int reason = errno;
    return tr_prune_error(prune, tr_error_code(reason), message, reason,
                          "cannot be opened to finish an interrupted prune");
  }
  if (!S_ISREG(found.st_mode)) {
    return tr_prune_error(prune, SQLITE_ERROR, message, 0, "is %s, and an interrupted prune cannot be finished",
                          tr_file_type(found.st_mode));
  }
  TrJournalState *state = &prune->journal.state;
  if (is_inode(&found, state->live_dev, state->live_ino)) return SQLITE_OK;
  state->live_dev = found.st_dev;
  state->live_ino = found.st_ino;
  state->region_at = state->region_length = 0;
  state->region_adds_newline = state->region_reserved = 0;
  return tr_journal_save(prune, message);
}

/* T holds the old file, or (see exchange.c) one that had replaced it in the last instant: then nothing is drained. */
static int finish(TrPrune *prune, char **message) {
  TrJournalState *state = &prune->journal.state;
  prune->exchanged = true;
  int code = open_old(prune, message);
  if (code == SQLITE_OK && !is_inode(&prune->old_stat, state->old_dev, state->old_ino)) {
    state->old_dev = prune->old_stat.st_dev;
    state->old_ino = prune->old_stat.st_ino;
    state->drained = 0;
    code = tr_journal_save(prune, message);
  }
  if (code == SQLITE_OK) code = open_live(prune, message);
  if (code == SQLITE_OK && TEMP_FAILURE_RETRY(fsync(prune->dir->fd)) != 0) {
    code = leftover_error(prune, "secured", message);
  }
  return code == SQLITE_OK ? tr_drain(prune, message) : code;
}

static void close_files(TrPrune *prune) {
  if (prune->old_fd >= 0) close(prune->old_fd);
  if (prune->live_fd >= 0) close(prune->live_fd);
  prune->old_fd = prune->live_fd = -1;
  prune->exclusive_until_ms = 0;
  tr_journal_close(&prune->journal);
}

int tr_recover(TrPrune *prune, bool *recovered, char **message) {
  struct stat found;
  bool has_journal;
  *recovered = false;
  bool has_new = fstatat(prune->dir->fd, prune->new_name, &found, AT_SYMLINK_NOFOLLOW) == 0;
  if (!has_new && errno != ENOENT) return leftover_error(prune, "examined", message);
  int code = tr_journal_load(prune, &has_journal, message);
  if (code == SQLITE_OK && (has_new || prune->journal.fd >= 0)) {
    const TrJournalState *state = &prune->journal.state;
    bool is_old = has_new && has_journal && !is_inode(&found, state->live_dev, state->live_ino);
    code = is_old ? finish(prune, message) : tr_copy_discard(prune, message);
    *recovered = code == SQLITE_OK;
  }
  close_files(prune);
  if (code == SQLITE_OK) prune->exchanged = false;
  return code;
}
