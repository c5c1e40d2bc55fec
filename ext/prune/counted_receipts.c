/*
** counted_receipts.c - the segments of a job, all open -> the receipts of what was removed from them before that
** moment.
**
** A record must be counted once, also beside a prune. Let M be the moment at which all segments were open together. A
** prune exchanges the job's file at a moment X, and appends its receipt later, at A. If X is before M, what it removed
** is in no segment, and the receipt counts; if X is after M, we still have the old file open, and it must not. So,
** after M, and in this order:
**
**   1  read the journal. It is there from before X until after A
**   2  read the receipts
**   3  if the journal names one that was not among these, A has not come yet. Has X, before M? Yes, if one of our
**      segments is the file that the journal calls the new one. Then the receipt, which is still in its pending file,
**      counts, too
**   4  is the file at the job's name still the one that we have open? Then X was before M for all that was read. Since
**      we have it open, nobody else can have got its inode
**
** If the answer to 4 is no, or the pending file of 3 has gone, all is opened and read again. A receipt of records that
** are in the archive does not count as long as the archived segment is there, nor does one of a prune that removed
** nothing, because another file had taken the place of the job's.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char *name_in(const TrHistory *history, const char *path) {
  return path + strlen(history->current->path);
}

void tr_counted_receipts_init(TrCountedReceipts *counted, TrPoll *poll) {
  *counted = (TrCountedReceipts){.poll = poll, .folder.fd = -1, .receipts.file.fd = -1};
}

void tr_counted_receipts_end(TrCountedReceipts *counted) {
  tr_receipts_close(&counted->receipts);
  tr_own_folder_close(&counted->folder);
  sqlite3_free(counted->directory);
  sqlite3_free(counted->folder_path);
  tr_counted_receipts_init(counted, counted->poll);
}

/* Jobs of one directory follow each other. A folder that is missing is looked for again. */
static int enter_receipts(TrCountedReceipts *counted, const TrHistory *history, char **message) {
  const char *below = history->current->path;
  if (counted->folder.fd >= 0 && strcmp(counted->directory, below) == 0) return SQLITE_OK;
  tr_counted_receipts_end(counted);
  counted->directory = sqlite3_mprintf("%s", below);
  char *path =
      sqlite3_mprintf("%s%s%.*s", history->base->path, *below ? "/" : "", *below ? (int)strlen(below) - 1 : 0, below);
  int code = counted->directory && path ? SQLITE_OK : SQLITE_NOMEM;
  if (code == SQLITE_OK) {
    code = tr_receipts_enter(&counted->folder, history->dir.fd, path, false, message);
  }
  if (code == SQLITE_OK) {
    counted->folder_path = tr_receipts_path(path);
    if (counted->folder_path == NULL) code = SQLITE_NOMEM;
  }
  sqlite3_free(path);
  counted->dir = (TrDir){.fd = counted->folder.fd, .store = history->base->store, .path = counted->folder_path};
  return code;
}

/* --- which receipts count ----------------------------------------------------------------------------------------- */

/* Is there a segment in the archive with that name, be it finished or not? A link or a folder has no records. */
static bool is_archived(const TrHistory *history, const char *archive) {
  for (size_t i = 0; i < history->count; i++) {
    const TrSegment *segment = &history->segment[i];
    if (segment->name.kind != TR_SEGMENT_ARCHIVED || segment->entry != TR_ENTRY_READABLE) continue;
    const char *slash = strrchr(segment->path, '/'), *name = slash ? slash + 1 : segment->path;
    size_t length = segment->name.base_length - (size_t)(name - segment->path);
    if (strlen(archive) == length && memcmp(archive, name, length) == 0) return true;
  }
  return false;
}

static int add_receipt(const TrHistory *history, const TrReceipt *receipt, TrDayCounts *counts) {
  int code = SQLITE_OK;
  if (receipt->is_replaced || (receipt->archive && is_archived(history, receipt->archive))) return SQLITE_OK;
  for (size_t i = 0; i < receipt->days && code == SQLITE_OK; i++) {
    const TrReceiptDay *day = &receipt->day[i];
    TrRemovedRuns removed = {day->runs, day->failures, day->first_us, day->last_us};
    code = tr_day_counts_add_removed(counts, &removed);
  }
  tr_day_counts_add_removed_untimed(counts, receipt->untimed, receipt->untimed_failures);
  return code;
}

/* Adds the receipts of a file. *has_id: that one is among them. */
static int add_receipts_of(TrCountedReceipts *counted, const TrHistory *history, const char *name, const char *id,
                           TrDayCounts *counts, bool *has_id, char **message) {
  TrReceipts *receipts = &counted->receipts;
  *has_id = false;
  int code = tr_receipts_open(receipts, &counted->dir, name, counted->poll, message);
  while (code == SQLITE_OK && (code = tr_receipts_next(receipts, message)) == SQLITE_ROW) {
    *has_id |= strcmp(receipts->receipt.id, id) == 0;
    code = add_receipt(history, &receipts->receipt, counts);
  }
  tr_receipts_close(receipts);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* --- a prune that has not ended ----------------------------------------------------------------------------------- */

/* Was the file exchanged before we opened the segments? The new one may have been rotated since, and even
** compressed. */
static bool was_exchanged(const TrHistory *history, const char *job_id, size_t length, const TrJournalState *journal) {
  char name[TR_LEFTOVER_NAME_SIZE];
  struct stat old;
  tr_leftover_name(job_id, length, ".new", name);
  bool has_old = fstatat(history->dir.fd, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino != journal->live_ino;
  for (size_t i = 0; i < history->count; i++) {
    const TrSegment *segment = &history->segment[i];
    if (segment->entry != TR_ENTRY_READABLE || segment->name.codec != TR_CODEC_PLAIN) continue;
    if (segment->file.stat.st_ino == journal->live_ino) return true;
    if (has_old && segment->file.stat.st_ino == old.st_ino) return false;
  }
  return has_old;
}

static int add_pending(TrCountedReceipts *counted, const TrHistory *history, const char *job_id, size_t length,
                       const TrJournalState *journal, TrDayCounts *counts, bool *again, char **message) {
  char name[TR_PENDING_NAME_SIZE];
  bool has_id;
  if (journal->is_replaced || !was_exchanged(history, job_id, length, journal)) return SQLITE_OK;
  tr_receipts_pending_name(job_id, length, name);
  int code = add_receipts_of(counted, history, name, journal->receipt_id, counts, &has_id, message);
  *again = code == SQLITE_OK && !has_id; /* it has been appended, and removed */
  return code;
}

static int journal_error(const TrHistory *history, const char *name, int reason, char **message) {
  return tr_error(message, tr_error_code(reason), "%s/%s%s: the journal of an interrupted prune cannot be read: %s",
                  history->base->path, history->current->path, name, strerror(reason));
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static const TrSegment *live_of(const TrHistory *history) {
  for (size_t i = 0; i < history->count; i++) {
    if (history->segment[i].name.kind == TR_SEGMENT_LIVE) return &history->segment[i];
  }
  return NULL;
}

/* Step 4. */
static int compare_live(const TrHistory *history, const char *name, const TrSegment *live, bool *is_same,
                        char **message) {
  struct stat now;
  bool exists = fstatat(history->dir.fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0;
  int reason = exists || errno == ENOENT ? 0 : errno;
  if (reason) {
    return tr_error(message, tr_error_code(reason), "%s/%s%s cannot be examined: %s", history->base->path,
                    history->current->path, name, strerror(reason));
  }
  if (live == NULL || !exists)
    *is_same = live == NULL && !exists;
  else
    *is_same = now.st_ino == live->file.stat.st_ino && now.st_dev == live->file.stat.st_dev;
  return SQLITE_OK;
}

int tr_counted_receipts_add(TrCountedReceipts *counted, const TrHistory *history, const char *live_path,
                            TrDayCounts *counts, bool *again, char **message) {
  const char *name = name_in(history, live_path);
  size_t length = strlen(name) - TR_SUFFIX_LEN;
  const TrSegment *live = live_of(history);
  TrJournalState journal;
  bool has_journal, has_id, is_same = true;
  if (live && live->entry == TR_ENTRY_UNREADABLE) return SQLITE_OK; /* nothing of the job is counted */
  int code = enter_receipts(counted, history, message);
  if (code != SQLITE_OK || counted->folder.fd < 0) return code;
  int reason = tr_journal_receipt(history->dir.fd, name, length, &journal, &has_journal);
  if (reason) return journal_error(history, name, reason, message);
  code = add_receipts_of(counted, history, name, has_journal ? journal.receipt_id : "", counts, &has_id, message);
  if (code == SQLITE_OK && has_journal && !has_id)
    code = add_pending(counted, history, name, length, &journal, counts, again, message);
  if (code == SQLITE_OK) code = compare_live(history, name, live, &is_same, message);
  *again |= !is_same;
  return code;
}
