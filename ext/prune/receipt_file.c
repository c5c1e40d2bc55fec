/*
** receipt_file.c - the receipt of a prune is made safe before the exchange, and appended to the job's others behind it.
**
** In the folder .taskresults/prunes, JOB.jsonl has the receipts of the job, one a line, and HASH.pending the one of a
** prune that is under way. The order is what makes each finished prune leave one receipt, and every other prune none:
**
**   1  the receipts are opened, or made, and room for one more is reserved; so what cannot be is noticed first
**   2  the receipt is written to the pending file, and is on disk
**   3  the journal, which names the receipt's id                                                  (journal.c)
**   4  the exchange: from now on the lines are gone                                               (exchange.c)
**   5  the receipt is appended, and is on disk                                                    (drain.c calls it)
**   6  the old file goes, then the journal, then the pending file
**
** A kill before 4 leaves a pending file that nobody needs. A kill behind it leaves the journal, too. Then the next
** prune looks for the id among the receipts, and appends the pending one if it is not there. A line that was cut short
** gets a newline first, and is not counted (history/receipts.c). A prune without a receipt goes on if that fails, and
** cuts off what is there of it.
**
** Others may own the directory. Both files have to be regular ones, with one name, and of the owner of the job's file;
** and nobody can read in them what he could not read in the job's file.
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WITHOUT "without a receipt: 'receipt', 0, or --no-receipt"
#define OPEN_FLAGS (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

static int receipt_error(const TrPrune *prune, int reason, const char *name, const char *what, char **message) {
  int code = reason ? tr_error_code(reason) : SQLITE_ERROR;
  return tr_prune_error(prune, code, message, reason,
                        "cannot be pruned (" WITHOUT "): " TR_OWN_FOLDER "/" TR_RECEIPTS_FOLDER "/%s %s", name, what);
}

/* --- who may own the files, and read them ------------------------------------------------------------------------- */

static int check_receipt_file(const TrPrune *prune, const char *name, const struct stat *found, char **message) {
  char what[64];
  if (S_ISREG(found->st_mode) && found->st_nlink <= 1) return SQLITE_OK;
  sqlite3_snprintf(sizeof what, what, "is %s",
                   S_ISREG(found->st_mode) ? "a file with several names (hard links)" : tr_file_type(found->st_mode));
  return receipt_error(prune, 0, name, what, message);
}

static int receipt_owner_error(const TrPrune *prune, const char *name, uid_t owner, uid_t wanted, char **message) {
  char what[96];
  sqlite3_snprintf(sizeof what, what, "belongs to user %u, and should to user %u", (unsigned)owner, (unsigned)wanted);
  return receipt_error(prune, 0, name, what, message);
}

/* A new file is of the owner of the job's file, with its mode. If it cannot get the group, that may not read it. */
static int give_receipts(const TrPrune *prune, int fd, const char *name, const struct stat *job, char **message) {
  mode_t mode = job->st_mode & 0666;
  if (fchown(fd, (uid_t)-1, job->st_gid) != 0) mode &= (mode_t)~S_IRWXG;
  if (job->st_uid != geteuid() && fchown(fd, job->st_uid, (gid_t)-1) != 0) {
    return receipt_error(prune, errno, name, "cannot be given to the owner of the job's file", message);
  }
  if (fchmod(fd, mode | S_IRUSR | S_IWUSR) == 0) return SQLITE_OK;
  return receipt_error(prune, errno, name, "cannot be given the mode of the job's file", message);
}

/* The job's file may be less open than it was. */
static int close_to_others(const TrPrune *prune, int fd, const struct stat *found, const struct stat *job,
                           char **message) {
  mode_t mode = found->st_mode & (job->st_mode | S_IRWXU) & 0777;
  if (found->st_gid != job->st_gid && !(job->st_mode & S_IROTH)) mode &= (mode_t)~S_IRWXG;
  if (mode == (found->st_mode & 0777) || fchmod(fd, mode) == 0) return SQLITE_OK;
  return receipt_error(prune, errno, prune->file_name, "cannot be closed to those who cannot read the job's file",
                       message);
}

/* --- 1: the receipts of the job ----------------------------------------------------------------------------------- */

static int open_receipts_folder(TrPrune *prune, bool makes, char **message) {
  char *what = NULL;
  int code = tr_receipts_enter(&prune->receipt.folder, prune->dir->fd, prune->dir->path, makes, &what);
  if (code == SQLITE_OK && prune->receipt.folder.fd < 0) {
    return receipt_error(prune, 0, "", "is missing, with the receipt of an interrupted prune", message);
  }
  if (what) tr_prune_error(prune, code, message, 0, "cannot be pruned (" WITHOUT "): %s", what);
  sqlite3_free(what);
  return code;
}

static int open_receipts(TrPrune *prune, const struct stat *job, char **message) {
  const char *name = prune->file_name;
  struct stat found;
  int folder = prune->receipt.folder.fd, flags = O_RDWR | O_APPEND | OPEN_FLAGS;
  int fd = (int)TEMP_FAILURE_RETRY(openat(folder, name, flags));
  if (fd < 0 && errno == ENOENT) fd = (int)TEMP_FAILURE_RETRY(openat(folder, name, flags | O_CREAT | O_EXCL, 0600));
  prune->receipt.fd = fd;
  if (fd < 0) return receipt_error(prune, errno, name, "cannot be opened", message);
  if (fstat(fd, &found) != 0) return receipt_error(prune, errno, name, "cannot be examined", message);
  int code = check_receipt_file(prune, name, &found, message);
  if (code != SQLITE_OK) return code;
  bool is_new = found.st_size == 0 && found.st_uid == geteuid(); /* or a prune was killed that had just made it */
  if (is_new) return give_receipts(prune, fd, name, job, message);
  if (found.st_uid != job->st_uid) return receipt_owner_error(prune, name, found.st_uid, job->st_uid, message);
  return close_to_others(prune, fd, &found, job, message);
}

/* Not all file systems can; then writing will show it. */
static int reserve_receipt(const TrPrune *prune, char **message) {
  struct stat found;
  char what[64];
  if (fstat(prune->receipt.fd, &found) != 0) {
    return receipt_error(prune, errno, prune->file_name, "cannot be examined", message);
  }
  int reason = tr_reserve_space(prune->receipt.fd, found.st_size, (int64_t)prune->receipt.length + 1);
  if (reason != ENOSPC && reason != EDQUOT && reason != EFBIG) return SQLITE_OK;
  sqlite3_snprintf(sizeof what, what, "needs %lld bytes more", (long long)prune->receipt.length + 1);
  return receipt_error(prune, reason, prune->file_name, what, message);
}

/* --- 2: the pending file ------------------------------------------------------------------------------------------ */

/* An earlier prune may have left it. */
static int remove_old_pending(const TrPrune *prune, const struct stat *job, char **message) {
  const char *name = prune->receipt.pending_name;
  struct stat found;
  if (fstatat(prune->receipt.folder.fd, name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? SQLITE_OK : receipt_error(prune, errno, name, "cannot be examined", message);
  }
  int code = check_receipt_file(prune, name, &found, message);
  if (code != SQLITE_OK) return code;
  if (found.st_uid != job->st_uid && found.st_uid != geteuid() && found.st_uid != 0) {
    return receipt_owner_error(prune, name, found.st_uid, job->st_uid, message);
  }
  if (TEMP_FAILURE_RETRY(unlinkat(prune->receipt.folder.fd, name, 0)) == 0) return SQLITE_OK;
  return receipt_error(prune, errno, name, "cannot be removed", message);
}

static int fill_pending(const TrPrune *prune, int fd, const struct stat *job, char **message) {
  const TrPruneReceipt *receipt = &prune->receipt;
  int code = give_receipts(prune, fd, receipt->pending_name, job, message); /* task_days reads it after a kill */
  if (code != SQLITE_OK) return code;
  int reason = tr_write_at(fd, receipt->line, receipt->length, 0);
  if (reason == 0 && TEMP_FAILURE_RETRY(fsync(fd)) != 0) reason = errno;
  if (reason == 0 && TEMP_FAILURE_RETRY(fsync(receipt->folder.fd)) != 0) reason = errno;
  if (reason == 0) return SQLITE_OK;
  char what[64];
  sqlite3_snprintf(sizeof what, what, "needs %lld bytes and cannot be written", (long long)receipt->length);
  return receipt_error(prune, reason, receipt->pending_name, what, message);
}

static int write_pending(TrPrune *prune, const struct stat *job, char **message) {
  TrPruneReceipt *receipt = &prune->receipt;
  int flags = O_WRONLY | O_CREAT | O_EXCL | OPEN_FLAGS, code = remove_old_pending(prune, job, message);
  if (code != SQLITE_OK) return code;
  int fd = (int)TEMP_FAILURE_RETRY(openat(receipt->folder.fd, receipt->pending_name, flags, 0600));
  if (fd < 0) return receipt_error(prune, errno, receipt->pending_name, "cannot be made", message);
  receipt->has_pending = true;
  code = fill_pending(prune, fd, job, message);
  close(fd);
  return code;
}

static int make_line(TrPrune *prune, char **message) {
  TrPruneReceipt *receipt = &prune->receipt;
  TrReceipt sum = {0};
  int reason = tr_receipt_make_id(receipt->id);
  if (reason) return receipt_error(prune, reason, prune->file_name, "needs a random number", message);
  memcpy(sum.id, receipt->id, sizeof sum.id);
  int code = tr_sum_up(prune, &sum, message);
  if (code == SQLITE_OK) code = tr_archive_finish(prune, message);
  if (code == SQLITE_OK) code = tr_sealed_carry(prune, &sum, message);
  if (code != SQLITE_OK) {
    tr_receipt_free(&sum);
    return code;
  }
  receipt->line = tr_receipt_encode(&sum);
  receipt->length = receipt->line ? strlen(receipt->line) : 0;
  prune->selection.dropped = sum.lines;
  tr_receipt_free(&sum);
  return receipt->line ? SQLITE_OK : SQLITE_NOMEM;
}

int tr_receipt_prepare(TrPrune *prune, char **message) {
  if (prune->options->no_receipt) return SQLITE_OK;
  int code = open_receipts_folder(prune, true, message);
  if (code == SQLITE_OK) code = open_receipts(prune, &prune->old_stat, message);
  if (code == SQLITE_OK) code = make_line(prune, message);
  if (code == SQLITE_OK) code = reserve_receipt(prune, message);
  return code == SQLITE_OK ? write_pending(prune, &prune->old_stat, message) : code;
}

/* --- an interrupted prune ----------------------------------------------------------------------------------------- */

/* Could the line be the receipt, or what a kill has left of it? Any other one is of another prune, or damaged. */
static bool may_be_receipt(const TrPruneReceipt *receipt, const TrLine *line) {
  char start[sizeof "{\"id\":\"" + TR_RECEIPT_ID_SIZE];
  sqlite3_snprintf(sizeof start, start, "{\"id\":\"%s", receipt->id);
  size_t length = strlen(start);
  return memcmp(line->text, start, line->length < length ? (size_t)line->length : length) == 0;
}

static int look_at_line(TrPruneReceipt *receipt, const TrLine *line, bool *found) {
  TrReceipt one = {0};
  int code = SQLITE_CORRUPT;
  bool is_candidate = !line->too_long && may_be_receipt(receipt, line);
  if (is_candidate && line->terminated) {
    code = tr_receipt_parse((const char *)line->text, (size_t)line->length, &one, NULL);
    *found = code == SQLITE_OK && strcmp(one.id, receipt->id) == 0;
    tr_receipt_free(&one);
  }
  if (!is_candidate || *found) receipt->torn_at = -1;
  if (is_candidate && !*found && receipt->torn_at < 0) receipt->torn_at = line->offset;
  return code == SQLITE_CORRUPT ? SQLITE_OK : code;
}

/* Is the receipt there, whole? */
static int find_receipt(TrPrune *prune, bool *found, char **message) {
  TrPruneReceipt *receipt = &prune->receipt;
  TrLines lines = {.fd = -1};
  TrLine line;
  struct stat now;
  *found = false;
  if (fstat(receipt->fd, &now) != 0)
    return receipt_error(prune, errno, prune->file_name, "cannot be examined", message);
  int code = tr_lines_open(&lines, receipt->fd, 0, now.st_size, TR_RECEIPT_MAX_BYTES, false, prune->poll);
  while (code == SQLITE_OK && !*found && (code = tr_lines_next(&lines, &line)) == SQLITE_ROW) {
    code = look_at_line(receipt, &line, found);
  }
  int reason = errno;
  tr_lines_close(&lines);
  if (code == SQLITE_OK || code == SQLITE_DONE) return SQLITE_OK;
  receipt->torn_at = -1; /* what follows is not known */
  if (code != SQLITE_IOERR_READ && code != SQLITE_IOERR_FSTAT) return code;
  return receipt_error(prune, reason, prune->file_name, "cannot be read", message);
}

static int read_pending(TrPrune *prune, int fd, const struct stat *live, char **message) {
  TrPruneReceipt *receipt = &prune->receipt;
  const char *name = receipt->pending_name;
  struct stat found;
  bool whole = false;
  if (fstat(fd, &found) != 0) return receipt_error(prune, errno, name, "cannot be examined", message);
  int code = check_receipt_file(prune, name, &found, message);
  if (code != SQLITE_OK) return code;
  if (found.st_uid != live->st_uid && found.st_uid != geteuid()) {
    return receipt_owner_error(prune, name, found.st_uid, live->st_uid, message);
  }
  if (found.st_size > TR_RECEIPT_MAX_BYTES) return receipt_error(prune, 0, name, "is too large", message);
  receipt->length = (size_t)found.st_size;
  receipt->line = sqlite3_malloc64(receipt->length + 1);
  if (receipt->line == NULL) return SQLITE_NOMEM;
  int reason = tr_read_at(fd, receipt->line, receipt->length, 0, &whole);
  if (reason) return receipt_error(prune, reason, name, "cannot be read", message);
  receipt->line[receipt->length] = '\0';
  return whole ? SQLITE_OK : receipt_error(prune, 0, name, "has shrunk", message);
}

/* Is it the receipt that the journal names? */
static int check_pending(TrPrune *prune, char **message) {
  const TrPruneReceipt *receipt = &prune->receipt;
  const size_t end = sizeof TR_RECEIPT_END - 1;
  TrReceipt one;
  int code = SQLITE_CORRUPT;
  bool is_same = false, has_end = receipt->length > end && memchr(receipt->line, '\n', receipt->length - 1) == NULL &&
                                  memcmp(receipt->line + receipt->length - end, TR_RECEIPT_END, end) == 0;
  if (has_end) code = tr_receipt_parse(receipt->line, receipt->length - 1, &one, NULL);
  if (code == SQLITE_OK) {
    is_same = strcmp(one.id, receipt->id) == 0;
    tr_receipt_free(&one);
  }
  if (is_same || code == SQLITE_NOMEM) return code;
  return receipt_error(prune, 0, receipt->pending_name, "is not the receipt of the interrupted prune", message);
}

static int load_pending(TrPrune *prune, const struct stat *live, char **message) {
  const char *name = prune->receipt.pending_name;
  int fd = (int)TEMP_FAILURE_RETRY(openat(prune->receipt.folder.fd, name, O_RDONLY | OPEN_FLAGS));
  if (fd < 0) {
    return receipt_error(prune, errno, name, "is missing, the receipt of an interrupted prune", message);
  }
  int code = read_pending(prune, fd, live, message);
  close(fd);
  return code == SQLITE_OK ? check_pending(prune, message) : code;
}

static int recover_receipt(TrPrune *prune, const struct stat *live, char **message) {
  bool is_there = false;
  int code = open_receipts_folder(prune, false, message);
  if (code == SQLITE_OK) code = open_receipts(prune, live, message);
  if (code == SQLITE_OK) code = find_receipt(prune, &is_there, message);
  if (code == SQLITE_OK && !is_there) code = load_pending(prune, live, message);
  if (code != SQLITE_OK) return code;
  prune->receipt.has_pending = true; /* also if it is there: who was killed may not have come to that */
  int fd = is_there ? prune->receipt.fd : prune->receipt.folder.fd;
  if (TEMP_FAILURE_RETRY(fsync(fd)) == 0) return SQLITE_OK;
  return receipt_error(prune, errno, prune->file_name, "cannot be secured", message);
}

/* What is there of the receipt goes: it would be damage as soon as another one follows. If it cannot be cut off,
** task_prunes will tell. */
static void cut_receipts(const TrPrune *prune, int64_t size) {
  if (size >= 0 && ftruncate(prune->receipt.fd, size) == 0) (void)TEMP_FAILURE_RETRY(fdatasync(prune->receipt.fd));
}

static int hand_on(int code, char *what, char **message) {
  if (code == SQLITE_OK || what == NULL) {
    sqlite3_free(what);
  } else {
    sqlite3_free(*message);
    *message = what;
  }
  return code;
}

static bool may_give_up(const TrPrune *prune, int code) {
  return prune->options->no_receipt && code != SQLITE_NOMEM && code != SQLITE_INTERRUPT && !tr_sealed_exists(prune);
}

int tr_receipt_recover(TrPrune *prune, const struct stat *live, char **message) {
  const TrJournalState *state = &prune->journal.state;
  if (state->receipt_id[0] == '\0') return SQLITE_OK;
  memcpy(prune->receipt.id, state->receipt_id, sizeof prune->receipt.id);
  char *what = NULL;
  int code = recover_receipt(prune, live, &what);
  if (code != SQLITE_OK && may_give_up(prune, code)) {
    cut_receipts(prune, prune->receipt.torn_at);
    tr_receipt_close(prune);
    code = SQLITE_OK;
  }
  return hand_on(code, what, message);
}

/* --- 5 and 6 ------------------------------------------------------------------------------------------------------ */

static int append_error(const TrPrune *prune, int reason, char **message) {
  return tr_prune_error(prune, tr_error_code(reason), message, reason,
                        "cannot be given its receipt, in " TR_OWN_FOLDER "/" TR_RECEIPTS_FOLDER "/%s; " WITHOUT,
                        prune->file_name);
}

static int append_line(const TrPrune *prune, int64_t size, char **message) {
  const TrPruneReceipt *receipt = &prune->receipt;
  char last = '\n';
  bool whole;
  int reason = size > 0 ? tr_read_at(receipt->fd, &last, 1, size - 1, &whole) : 0;
  if (reason) return append_error(prune, reason, message);
  size_t kept = receipt->length - (sizeof TR_RECEIPT_END - 1);
  char *text = sqlite3_mprintf("%s%.*s%s", last == '\n' ? "" : "\n", (int)kept, receipt->line,
                               prune->journal.state.is_replaced ? TR_RECEIPT_END_REPLACED : TR_RECEIPT_END);
  if (text == NULL) return SQLITE_NOMEM;
  reason = tr_write_at(receipt->fd, text, strlen(text), size); /* O_APPEND: at the end, wherever that is */
  if (reason == 0 && TEMP_FAILURE_RETRY(fdatasync(receipt->fd)) != 0) reason = errno;
  sqlite3_free(text);
  return reason ? append_error(prune, reason, message) : SQLITE_OK;
}

int tr_receipt_append(TrPrune *prune, char **message) {
  TrPruneReceipt *receipt = &prune->receipt;
  struct stat before;
  char *what = NULL;
  if (receipt->folder.fd < 0 || receipt->line == NULL) return SQLITE_OK;
  if (fstat(receipt->fd, &before) != 0) before.st_size = -1;
  int code = before.st_size < 0 ? append_error(prune, errno, &what) : append_line(prune, before.st_size, &what);
  if (code != SQLITE_OK && before.st_size >= 0) cut_receipts(prune, before.st_size);
  if (code != SQLITE_OK && may_give_up(prune, code)) {
    cut_receipts(prune, receipt->torn_at);
    code = SQLITE_OK;
  }
  if (code == SQLITE_OK) {
    sqlite3_free(receipt->line);
    receipt->line = NULL;
  }
  return hand_on(code, what, message);
}

void tr_receipt_discard(TrPrune *prune) {
  TrPruneReceipt *receipt = &prune->receipt;
  if (receipt->has_pending) unlinkat(receipt->folder.fd, receipt->pending_name, 0);
  receipt->has_pending = false;
}

void tr_receipt_close(TrPrune *prune) {
  TrPruneReceipt *receipt = &prune->receipt;
  if (receipt->fd >= 0) close(receipt->fd);
  receipt->fd = -1;
  tr_own_folder_close(&receipt->folder);
  receipt->has_pending = false;
  receipt->torn_at = -1;
  sqlite3_free(receipt->line);
  receipt->line = NULL;
}
