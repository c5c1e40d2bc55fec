/*
** exchange.c - the temporary and the job's file change names.
**
** One system call, renameat2(RENAME_EXCHANGE), so that the job has a file at every instant, and the old file keeps a
** name while it may hold the only copy of a record. We first take a write lease on the temporary: whoever opens the
** job's file after the exchange waits in the kernel until the drain is done, and then appends after the drained lines.
**
** A kill before the call leaves a temporary to delete; a kill after it leaves an old file to drain. The journal, which
** is on disk before the exchange, tells which (see recover.c).
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXCHANGE_PATIENCE_MS 200 /* a backup or a search may be reading the temporary */

static int lease_temporary(TrPrune *prune, char **message) {
  int64_t deadline_ms = tr_clock_ms() + EXCHANGE_PATIENCE_MS;
  int reason;
  while ((reason = tr_lease_take(prune->live_fd, F_WRLCK)) == EAGAIN && tr_clock_ms() < deadline_ms) tr_lease_pause();
  prune->exclusive_until_ms = tr_clock_ms() + tr_lease_budget_ms();
  if (reason == 0) return SQLITE_OK;
  int code = reason == EAGAIN ? SQLITE_BUSY : SQLITE_IOERR;
  return tr_prune_error(prune, code, message, reason, "its copy %s cannot be leased: another program has it open",
                        prune->new_name);
}

/* Checks that the job's name still leads to the file that we copied. */
static int check_unreplaced(TrPrune *prune, char **message) {
  struct stat now;
  if (fstatat(prune->dir->fd, prune->file_name, &now, AT_SYMLINK_NOFOLLOW) != 0) {
    int reason = errno;
    return tr_prune_error(prune, reason == ENOENT ? SQLITE_NOTFOUND : SQLITE_IOERR, message, reason,
                          "cannot be examined");
  }
  bool same = now.st_dev == prune->old_stat.st_dev && now.st_ino == prune->old_stat.st_ino;
  if (same && now.st_nlink == 1 && now.st_size >= prune->selection.end) return SQLITE_OK;
  return tr_prune_error(prune, SQLITE_ABORT, message, 0,
                        "was replaced, linked or truncated while it was being pruned: stop the program that does that");
}

/* The file may have been replaced just between the check and the exchange. Then the file that lost its name is not the
** one that we copied. If that one is still there, rotated, the exchange is undone (replaced.c); else all of the other
** one is drained. */
static int check_exchanged(TrPrune *prune, char **message) {
  struct stat now, live;
  bool is_met;
  if (fstatat(prune->dir->fd, prune->new_name, &now, AT_SYMLINK_NOFOLLOW) != 0) {
    int reason = errno;
    return tr_prune_error(prune, SQLITE_IOERR, message, reason, "its predecessor %s cannot be examined",
                          prune->new_name);
  }
  if (now.st_dev == prune->old_stat.st_dev && now.st_ino == prune->old_stat.st_ino) return SQLITE_OK;
  int code = tr_replaced_is_met(prune, &is_met, message);
  if (code != SQLITE_OK) return code;
  if (is_met) return tr_recover_from_replaced(prune, message);
  int fd = tr_prune_open(prune, prune->new_name, O_RDONLY, 0);
  if (fd < 0 || fstat(fd, &now) != 0 || fstat(prune->live_fd, &live) != 0) {
    int reason = errno;
    if (fd >= 0) close(fd);
    return tr_prune_error(prune, SQLITE_IOERR, message, reason, "was replaced; the replacement, now %s, cannot be read",
                          prune->new_name);
  }
  close(prune->old_fd);
  prune->old_fd = fd;
  code = tr_trust_drain(prune, &now, &live, geteuid(), message);
  if (code != SQLITE_OK) return code;
  prune->journal.state.old_dev = now.st_dev;
  prune->journal.state.old_ino = now.st_ino;
  prune->journal.state.drained = 0;
  prune->journal.state.is_replaced = 1;
  return tr_journal_save(prune, message);
}

static int rename_error(TrPrune *prune, int reason, char **message) {
  if (reason == ENOENT) return tr_prune_error(prune, SQLITE_NOTFOUND, message, reason, "vanished");
  if (reason != EINVAL && reason != ENOSYS) {
    return tr_prune_error(prune, tr_error_code(reason), message, reason, "cannot be exchanged with its copy");
  }
  if (prune->options->offline) return SQLITE_NOLFS;
  return tr_prune_error(prune, SQLITE_NOLFS, message, 0,
                        "is on a file system that cannot exchange two files (RENAME_EXCHANGE), so records could get "
                        "lost beside a writer: stop all writers and prune with 'offline', 1");
}

/* SQLITE_NOLFS: this file system cannot do it, and nothing was changed. */
int tr_exchange(TrPrune *prune, char **message) {
  int code = lease_temporary(prune, message);
  if (code == SQLITE_OK) code = tr_moves_append(prune, message);
  if (code == SQLITE_OK) code = check_unreplaced(prune, message);
  if (code != SQLITE_OK) return code;
  int dir = prune->dir->fd, reason = tr_exchange_names(dir, prune->new_name, prune->file_name);
  if (reason) return rename_error(prune, reason, message);
  prune->state = TR_PRUNE_UNFINISHED;
  code = check_exchanged(prune, message);
  /* Sync before anybody can append to the new file: a power failure must not bring the old file back under the job's
  ** name. */
  if (code == SQLITE_OK && TEMP_FAILURE_RETRY(fsync(dir)) != 0) {
    reason = errno;
    code = tr_prune_error(prune, tr_error_code(reason), message, reason, "its directory cannot be synced");
  }
  return code;
}

/* The rename would leave the old file without a name, and so what is archived without a source. */
static int name_source(TrPrune *prune, char **message) {
  struct stat named;
  int dir = prune->dir->fd, reason = 0;
  if (linkat(dir, prune->file_name, dir, prune->source_name, 0) != 0) reason = errno;
  prune->has_source_name = reason == 0;
  if (reason == 0 && fstatat(dir, prune->source_name, &named, AT_SYMLINK_NOFOLLOW) != 0) reason = errno;
  if (reason == 0 && named.st_ino != prune->old_stat.st_ino) reason = ESTALE;
  if (reason == 0 && TEMP_FAILURE_RETRY(fsync(dir)) != 0) reason = errno;
  if (reason == 0) return SQLITE_OK;
  return tr_prune_error(prune, tr_error_code(reason), message, reason,
                        "cannot be archived offline: it needs a second name, %s (a hard link)", prune->source_name);
}

/* With a receipt, a journal, too: the next prune appends the receipt if we are killed before that. */
static int replace_offline(TrPrune *prune, char **message) {
  int dir = prune->dir->fd, code = SQLITE_OK;
  bool has_receipt = prune->receipt.line != NULL;
  if (has_receipt && prune->journal.fd < 0) code = tr_journal_create(prune, message);
  if (code == SQLITE_OK && prune->archive.is_made) code = name_source(prune, message);
  if (code != SQLITE_OK) return code;
  if (TEMP_FAILURE_RETRY(renameat(dir, prune->new_name, dir, prune->file_name)) != 0) {
    int reason = errno;
    return tr_prune_error(prune, tr_error_code(reason), message, reason, "cannot be replaced by its copy");
  }
  prune->state = has_receipt ? TR_PRUNE_UNFINISHED : TR_PRUNE_REPLACED;
  if (TEMP_FAILURE_RETRY(fsync(dir)) != 0) {
    int reason = errno;
    return tr_prune_error(prune, tr_error_code(reason), message, reason, "its directory cannot be synced");
  }
  if (!has_receipt) return SQLITE_OK;
  code = tr_archive_settle(prune, message);
  if (code == SQLITE_OK) code = tr_receipt_append(prune, message);
  if (code == SQLITE_OK) code = tr_copy_discard(prune, message);
  if (code == SQLITE_OK) tr_receipt_discard(prune);
  return code;
}

/* The caller says that no writer runs. If there is one after all, stop. */
int tr_exchange_offline(TrPrune *prune, char **message) {
  struct stat now;
  int code = check_unreplaced(prune, message);
  if (code != SQLITE_OK) return code;
  TrRange unfinished = {prune->selection.end, prune->old_stat.st_size};
  code = tr_copy_bytes(prune, unfinished, prune->selection.kept_bytes, prune->poll, message);
  if (code != SQLITE_OK) return code;
  if (fstat(prune->old_fd, &now) != 0 || now.st_size != prune->old_stat.st_size) {
    return tr_prune_error(prune, SQLITE_ABORT, message, 0, "grew, so there is a writer: 'offline' is for when none is");
  }
  code = tr_moves_append(prune, message);
  if (code != SQLITE_OK) return code;
  if (TEMP_FAILURE_RETRY(fsync(prune->live_fd)) != 0) {
    int reason = errno;
    return tr_prune_error(prune, tr_error_code(reason), message, reason, "its copy cannot be synced");
  }
  return replace_offline(prune, message);
}
