/*
** prune.c - one job's prune, step by step.
**
**   1  lock         one prune of a job at a time; first finish what a killed one left               (recover.c)
**   2  marks        what `taskresults ship` has read already                                       (ship_marks.c)
**      inspect      refuse what cannot be done safely
**      select       which lines are kept                                                            (select.c)
**      sealed       if the file is sealed, it has to match                                          (sealed.c)
**   3  copy         the kept lines to a temporary, synced                                           (copy.c)
**      archive      what goes is compressed, if it is to be archived, synced                     (archive_segment.c)
**      receipt      and is read and counted, for the job's receipts, synced                         (receipt_file.c)
**   4  wait         until nobody has the file open for writing; else busy, and nothing was changed  (lease.c)
**      journal      which inodes are about to be exchanged, synced                                  (journal.c)
**   5  moves        where the lines go, for `taskresults ship`, synced                               (moves.c)
**      exchange     temporary and file swap names; whoever opens the job's file now waits           (exchange.c)
**   6  drain        what was appended meanwhile, to the new file                                    (drain.c)
**   7  release      writers go on; the archive gets its name, the receipt is appended, synced       (drain.c)
**      end          the old file and the journal are removed
**
** Before the exchange, an error, an interrupt or "busy" undoes everything. After it, they leave the old file and the
** journal, and the next prune goes on with step 6. A kill at any instant leaves a state of the table in recover.c.
**
** The file at the job's name holds only whole lines of the old one, byte for byte and in their order, and behind them
** what was appended since.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_PATIENCE_MS 200 /* task_rejects touches the lock for an instant */

/* No lock file is made for a job that has no file: a mistyped name should leave no trace. */
static int check_exists(TrPrune *prune, char **message) {
  const char *const name[] = {prune->file_name, prune->new_name, prune->journal_name};
  struct stat unused;
  for (int i = 0; i < 3; i++) {
    if (fstatat(prune->dir->fd, name[i], &unused, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT) return SQLITE_OK;
  }
  return tr_prune_error(prune, SQLITE_NOTFOUND, message, 0, "does not exist: there is no such job");
}

/* --- 1: lock ----------------------------------------------------------------------------------------------------- */

static int open_lock(TrPrune *prune, char **message) {
  struct stat found;
  prune->lock_fd = tr_prune_open(prune, prune->lock_name, O_RDONLY | O_CREAT, 0644);
  int reason = errno;
  bool is_open = prune->lock_fd >= 0;
  bool is_known = is_open ? fstat(prune->lock_fd, &found) == 0
                          : fstatat(prune->dir->fd, prune->lock_name, &found, AT_SYMLINK_NOFOLLOW) == 0;
  if (is_known) {
    int code = tr_trust_file(prune, prune->lock_name, &found, message);
    if (code != SQLITE_OK || is_open) return code;
  }
  if (is_open) reason = errno;
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "its lock %s cannot be opened",
                        prune->lock_name);
}

/* The lock file is never removed: two prunes could then lock two files of the same name. */
static int lock_job(TrPrune *prune, char **message) {
  int64_t deadline_ms = tr_clock_ms() + LOCK_PATIENCE_MS;
  int code = open_lock(prune, message);
  if (code != SQLITE_OK) return code;
  for (;;) {
    if (TEMP_FAILURE_RETRY(flock(prune->lock_fd, LOCK_EX | LOCK_NB)) == 0) return SQLITE_OK;
    if (errno != EWOULDBLOCK) break;
    if (tr_clock_ms() >= deadline_ms) {
      return tr_prune_error(prune, SQLITE_BUSY, message, 0, "is busy: another prune of it is running");
    }
    tr_lease_pause();
  }
  int reason = errno;
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "its lock %s cannot be taken", prune->lock_name);
}

/* --- 2: inspect -------------------------------------------------------------------------------------------------- */

static int prune_open_error(TrPrune *prune, TrEntry entry, const TrFile *file, char **message) {
  switch (entry) {
  case TR_ENTRY_VANISHED: return tr_prune_error(prune, SQLITE_NOTFOUND, message, ENOENT, "cannot be opened");
  case TR_ENTRY_IRREGULAR:
    return tr_prune_error(prune, SQLITE_ERROR, message, 0, "is %s: only a regular file can be pruned",
                          tr_file_type(file->stat.st_mode));
  default:
    return tr_prune_error(prune, tr_error_code(file->error_number), message, file->error_number, "cannot be opened");
  }
}

/* Opened for writing and closed again: whoever may not write the file may not prune it either; and on an overlay this
** brings the file to the upper layer now, and not in the middle, where it would change inodes. */
static int check_writable(TrPrune *prune, char **message) {
  int fd = tr_prune_open(prune, prune->file_name, O_WRONLY | O_APPEND, 0);
  if (fd >= 0) {
    close(fd);
    return SQLITE_OK;
  }
  int reason = errno;
  if (reason == EAGAIN) return SQLITE_OK; /* leased by another program; the kernel has checked permissions before */
  if (reason == ENOENT || reason == ELOOP || reason == EISDIR || reason == ENXIO)
    return SQLITE_OK; /* reported better by a later check */
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "cannot be written");
}

static int check_leases(TrPrune *prune, char **message) {
  int reason = tr_lease_take(prune->old_fd, F_RDLCK);
  tr_lease_drop(prune->old_fd);
  if (reason == 0 || reason == EAGAIN) return SQLITE_OK;
  prune->no_leases = prune->options->offline;
  if (prune->no_leases) return SQLITE_OK;
  if (reason == EACCES) {
    return tr_prune_error(prune, SQLITE_READONLY, message, 0,
                          "belongs to user %u, and only its owner (or who has CAP_LEASE) can see whether a writer has "
                          "it open: prune as that user, or stop all writers and prune with 'offline', 1",
                          (unsigned)prune->old_stat.st_uid);
  }
  return tr_prune_error(prune, SQLITE_NOLFS, message, reason,
                        "is on a file system without leases, so records could get lost beside a writer: stop all "
                        "writers and prune with 'offline', 1; leases");
}

static int inspect(TrPrune *prune, char **message) {
  TrFile file = {.fd = -1};
  TrEntry entry;
  int code = prune->options->dry_run ? SQLITE_OK : check_writable(prune, message);
  if (code == SQLITE_OK) code = tr_dir_open_file(prune->dir, prune->file_name, prune->poll, &file, &entry);
  if (code != SQLITE_OK) return code;
  if (entry != TR_ENTRY_READABLE) return prune_open_error(prune, entry, &file, message);
  prune->old_fd = file.fd;
  prune->old_stat = file.stat;
  if (prune->options->dry_run) return SQLITE_OK;
  if (file.stat.st_nlink != 1) {
    return tr_prune_error(prune, SQLITE_ERROR, message, 0,
                          "has %lu names (hard links), and the others would keep the old records: remove them first",
                          (unsigned long)file.stat.st_nlink);
  }
  return check_leases(prune, message);
}

/* Read after the lock and the recovery, and before the file is opened: then they can only be behind what ship has
** read. */
static int read_marks(TrPrune *prune, char **message) {
  char *what = NULL;
  int code = tr_marks_refresh(prune->marks, prune->dir, prune->poll, &what);
  if (what && prune->options->unshipped) {
    code = SQLITE_OK;
  } else if (what) {
    tr_prune_error(prune, code, message, 0, "cannot be pruned: %s; " TR_MARKS_REMEDY, what);
  }
  sqlite3_free(what);
  return code;
}

static int choose_lines(TrPrune *prune, TrPruneReport *report, char **message) {
  char *what = NULL;
  int64_t shipped_to = tr_marks_end(prune->marks, prune->file_name, &prune->old_stat, &report->sink);
  if (prune->options->unshipped) shipped_to = INT64_MAX;
  int code =
      tr_select(&prune->selection, prune->old_fd, prune->options, shipped_to, prune->max_line, prune->poll, &what);
  if (code != SQLITE_OK && what) tr_prune_error(prune, code, message, 0, "%s", what);
  sqlite3_free(what);
  return code;
}

/* --- 3 to 7 ------------------------------------------------------------------------------------------------------ */

static bool is_same_inode(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_in_place(const TrPrune *prune) {
  struct stat now;
  return fstatat(prune->dir->fd, prune->file_name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
         is_same_inode(&now, &prune->old_stat);
}

/* Deletes the file under the temporary's name only if it is the temporary that we made, whatever an earlier call
** reported. False: it, or the journal, is still there. */
static bool take_back(TrPrune *prune) {
  struct stat named, made;
  if (prune->live_fd < 0) return true;
  if (fstat(prune->live_fd, &made) != 0) return false;
  bool is_named = fstatat(prune->dir->fd, prune->new_name, &named, AT_SYMLINK_NOFOLLOW) == 0;
  if (is_named && !is_same_inode(&named, &made)) return true;
  /* Whatever the rename of a prune offline has reported: is the old file still the job's? */
  if (!is_named && prune->archive.is_made && !is_in_place(prune)) return false;
  if (!tr_archive_take_back(prune)) return false;
  if (tr_copy_discard(prune, NULL) != SQLITE_OK) return false;
  tr_receipt_discard(prune);
  return true;
}

static void tell_of_copy(char **message) {
  char *more =
      *message ? sqlite3_mprintf("%s; a copy left beside it goes with the next prune of the job", *message) : NULL;
  if (more == NULL) return;
  sqlite3_free(*message);
  *message = more;
}

static int replace_beside_writers(TrPrune *prune, char **message) {
  int code = tr_lease_wait_idle(prune, message);
  if (code == SQLITE_OK) code = tr_journal_create(prune, message);
  if (code == SQLITE_OK) code = tr_exchange(prune, message);
  return code == SQLITE_OK ? tr_drain(prune, message) : code;
}

static int replace_file(TrPrune *prune, char **message) {
  int code = tr_archive_find(prune, message);
  if (code == SQLITE_OK) code = tr_copy_kept(prune, message);
  if (code == SQLITE_OK) code = tr_archive_prepare(prune, message);
  if (code == SQLITE_OK) code = tr_receipt_prepare(prune, message);
  if (code == SQLITE_OK && !prune->no_leases) {
    code = replace_beside_writers(prune, message);
    prune->no_leases = code == SQLITE_NOLFS && prune->options->offline;
    if (prune->no_leases) code = SQLITE_OK;
  }
  if (code == SQLITE_OK && prune->no_leases) code = tr_exchange_offline(prune, message);
  if (prune->state != TR_PRUNE_UNFINISHED && !take_back(prune)) tell_of_copy(message);
  return code;
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

static void begin_prune(TrPrune *prune, const char *job_id, size_t job_length) {
  prune->job_id = job_id;
  prune->job_length = job_length;
  prune->lock_fd = prune->old_fd = prune->live_fd = prune->journal.fd = -1;
  prune->receipt.fd = prune->receipt.folder.fd = -1;
  prune->receipt.torn_at = -1;
  prune->archive.folder.fd = prune->archive.writer.fd = -1;
  memcpy(prune->file_name, job_id, job_length);
  memcpy(prune->file_name + job_length, TR_SUFFIX, TR_SUFFIX_LEN + 1);
  tr_leftover_name(job_id, job_length, ".lock", prune->lock_name);
  tr_leftover_name(job_id, job_length, ".new", prune->new_name);
  tr_leftover_name(job_id, job_length, ".journal", prune->journal_name);
  tr_leftover_name(job_id, job_length, ".old", prune->source_name);
  tr_receipts_pending_name(job_id, job_length, prune->receipt.pending_name);
}

/* The lock is released last: without a lock, files that remain count as leftovers. */
static void end(TrPrune *prune) {
  if (prune->old_fd >= 0) close(prune->old_fd);
  if (prune->live_fd >= 0) close(prune->live_fd);
  tr_journal_close(&prune->journal);
  tr_receipt_close(prune);
  tr_archive_close(prune);
  if (prune->lock_fd >= 0) close(prune->lock_fd);
  tr_selection_free(&prune->selection);
}

/* What would make a prune fail is what a dry run wants to know. */
static int check_sealed_prune(TrPrune *prune, TrPruneReport *report, char **message) {
  int code = tr_sealed_check(prune, message);
  bool is_answer = code != SQLITE_OK && code != SQLITE_NOMEM && code != SQLITE_INTERRUPT && code != SQLITE_BUSY;
  if (!prune->options->dry_run || !is_answer) return code;
  report->result = TR_REFUSED;
  report->reason = *message;
  *message = NULL;
  return SQLITE_OK;
}

static int run_prune(TrPrune *prune, TrPruneReport *report, char **message) {
  const TrSelection *selection = &prune->selection;
  bool dry_run = prune->options->dry_run;
  int code = check_exists(prune, message);
  if (code == SQLITE_OK && prune->options->keeps_all) {
    *report = (TrPruneReport){.result = TR_PRUNE_UNCHANGED, .kept = -1};
    return SQLITE_OK;
  }
  if (code == SQLITE_OK && !dry_run) code = lock_job(prune, message);
  if (code == SQLITE_OK && !dry_run) code = tr_recover(prune, &report->recovered, message);
  if (code == SQLITE_OK) code = read_marks(prune, message);
  if (code == SQLITE_OK) code = inspect(prune, message);
  if (code == SQLITE_OK) code = choose_lines(prune, report, message);
  if (code != SQLITE_OK) return code;
  report->kept = selection->kept;
  report->dropped = selection->dropped;
  report->unshipped = selection->unshipped;
  report->bytes_freed = selection->end - selection->kept_bytes;
  report->result = dry_run ? TR_PRUNE_DRY_RUN : report->bytes_freed ? TR_PRUNED : TR_PRUNE_UNCHANGED;
  if (report->bytes_freed == 0) report->dropped = 0;
  if (report->bytes_freed) code = check_sealed_prune(prune, report, message);
  if (code == SQLITE_OK && report->result == TR_PRUNED) code = replace_file(prune, message);
  if (code != SQLITE_OK || report->result != TR_PRUNED) return code;
  report->dropped = selection->dropped; /* a receipt knows it */
  if (prune->options->archive) memcpy(report->archive, prune->archive.name, sizeof report->archive);
  return SQLITE_OK;
}

int tr_prune_job(TrDir *dir, TrPoll *poll, const TrPruneOptions *options, TrMarks *marks, size_t max_line,
                 const char *job_id, size_t job_length, TrPruneReport *report, char **message) {
  TrPrune prune = {.dir = dir, .poll = poll, .options = options, .marks = marks, .max_line = max_line};
  *report = (TrPruneReport){.kept = -1, .dropped = -1};
  begin_prune(&prune, job_id, job_length);
  int code = run_prune(&prune, report, message);
  if (code == SQLITE_BUSY) {
    *report = (TrPruneReport){.result = TR_PRUNE_BUSY, .kept = -1, .dropped = -1, .reason = *message};
    *message = NULL;
    code = SQLITE_OK;
  }
  end(&prune);
  return code;
}

int tr_prune_locked(TrDir *dir, TrPoll *poll, size_t max_line, const char *job_id, size_t job_length,
                    int (*act)(void *context, char **message), void *context, char **message) {
  static const TrPruneOptions none = {0};
  TrPrune prune = {.dir = dir, .poll = poll, .options = &none, .max_line = max_line};
  bool recovered;
  begin_prune(&prune, job_id, job_length);
  int code = check_exists(&prune, message);
  if (code == SQLITE_OK) code = lock_job(&prune, message);
  if (code == SQLITE_OK) code = tr_recover(&prune, &recovered, message);
  if (code == SQLITE_OK) code = act(context, message);
  end(&prune);
  return code;
}
