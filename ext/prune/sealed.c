/*
** sealed.c - a sealed file is pruned only if it matches its seals; and its receipt carries them on.
**
** So the file is read whole, before anything is changed. The receipt has the head of before, and the SHA-256 of the
** receipt before it; the new chain begins with a SHA-256 of all that, and leads over the sealed lines that stay. They
** are the beginning of the copy. Nothing is written to the seals: after a kill the receipt alone decides
** (ext/seal/eras.c).
*/
#include "prune.h"

#include <errno.h>
#include <fcntl.h>

#define NO_SEALS                                                                                                       \
  "to prune it all the same, move .taskresults/seals/%s and .taskresults/prunes/%s away, with all that they prove"

/* The message of something else, as one of the prune. */
static int sealed_error(const TrPrune *prune, int code, char *what, char **message) {
  if (what && code != SQLITE_NOMEM && code != SQLITE_INTERRUPT)
    tr_prune_error(prune, code, message, 0, "cannot be pruned: %s", what);
  sqlite3_free(what);
  return code;
}

/* Whoever has put something else in the place of the folders has no seals there. What is there is opened safely. */
static int find_seals(const TrPrune *prune, bool *exist, char **message) {
  char path[TR_NAME_SIZE + 32];
  struct stat found;
  sqlite3_snprintf(sizeof path, path, TR_OWN_FOLDER "/" TR_SEALS_FOLDER "/%s", prune->file_name);
  *exist = fstatat(prune->dir->fd, path, &found, AT_SYMLINK_NOFOLLOW) == 0;
  if (*exist || errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return SQLITE_OK;
  int reason = errno;
  return tr_prune_error(prune, tr_error_code(reason), message, reason, "has seals that cannot be examined");
}

static int tampered_error(const TrPrune *prune, char *what, char **message) {
  if (what == NULL) return SQLITE_NOMEM;
  tr_prune_error(prune, SQLITE_ERROR, message, 0,
                 "cannot be pruned, because it is sealed, and %s: see `taskresults verify`; " NO_SEALS, what,
                 prune->file_name, prune->file_name);
  sqlite3_free(what);
  return SQLITE_ERROR;
}

static int judge_verification(TrPrune *prune, const TrVerification *v, bool is_replaced, char **message) {
  TrSealedPrune *sealed = &prune->sealed;
  bool is_other = is_replaced || v->is_gone || v->file.stat.st_ino != prune->old_stat.st_ino;
  if (is_other && prune->options->dry_run) return SQLITE_OK; /* by another prune, which has looked at its seals */
  if (is_other) {
    return tr_prune_error(prune, SQLITE_ABORT, message, 0, "was replaced while it was being pruned");
  }
  if (v->seals.faults.count) return tampered_error(prune, sqlite3_mprintf("%s", v->seals.faults.name[0]), message);
  if (v->stretch.from >= 0) return tampered_error(prune, tr_verification_mismatch(v), message);
  sealed->is_sealed = tr_seals_are_any(&v->seals);
  sealed->old = v->sealed;
  sealed->has_receipts = v->seals.has_receipts;
  memcpy(sealed->last_receipt, v->seals.last_receipt, sizeof sealed->last_receipt);
  return SQLITE_OK;
}

/* A dry run has no lock, so another prune may be under way, or was interrupted. The journal is read behind the opening
** of the job's file, and before the receipts. */
static int find_unfinished(const TrPrune *prune, TrJournalState *journal, TrUnfinishedPrune *unfinished,
                           char **message) {
  bool is_unfinished;
  *unfinished = (TrUnfinishedPrune){0};
  if (!prune->options->dry_run) return SQLITE_OK;
  int reason = tr_journal_receipt(prune->dir->fd, prune->job_id, prune->job_length, journal, &is_unfinished);
  if (reason) {
    return tr_prune_error(prune, tr_error_code(reason), message, reason,
                          "cannot be pruned: the journal of an interrupted prune cannot be read");
  }
  if (is_unfinished && !journal->is_replaced) {
    *unfinished = (TrUnfinishedPrune){.receipt = journal->receipt_id, .new_inode = journal->live_ino};
  }
  return SQLITE_OK;
}

int tr_sealed_check(TrPrune *prune, char **message) {
  TrUnfinishedPrune unfinished;
  TrJournalState journal;
  TrVerification verification;
  char *what = NULL;
  bool exist, again = false;
  int code = find_seals(prune, &exist, message);
  if (code != SQLITE_OK || !exist) return code;
  if (prune->options->no_receipt) {
    return tr_prune_error(prune, SQLITE_ERROR, message, 0,
                          "cannot be pruned without a receipt, because it is sealed; " NO_SEALS, prune->file_name,
                          prune->file_name);
  }
  code = tr_verification_begin(&verification, prune->dir, prune->poll, prune->job_id, prune->job_length, &what);
  if (code == SQLITE_OK) code = find_unfinished(prune, &journal, &unfinished, message);
  if (code == SQLITE_OK) code = tr_verification_check(&verification, &unfinished, &again, &what);
  code = sealed_error(prune, code, what, message);
  if (code == SQLITE_OK) code = judge_verification(prune, &verification, again, message);
  tr_verification_end(&verification);
  return code;
}

bool tr_sealed_exists(const TrPrune *prune) {
  bool exist;
  return find_seals(prune, &exist, NULL) != SQLITE_OK || exist;
}

/* --- the receipt -------------------------------------------------------------------------------------------------- */

/* The kept ranges are in the copy one after another, so what was sealed is its beginning. */
static int64_t sealed_bytes_that_stay(const TrPrune *prune) {
  const TrSelection *selection = &prune->selection;
  int64_t bytes = 0, end = prune->sealed.old.bytes;
  for (size_t i = 0; i < selection->count && selection->range[i].from < end; i++) {
    int64_t to = selection->range[i].to;
    bytes += (to < end ? to : end) - selection->range[i].from;
  }
  return bytes;
}

/* All that the new chain begins with. */
static int begin_new_chain(const TrPrune *prune, TrReceipt *receipt, TrChain *chain) {
  unsigned char start[TR_DIGEST_BYTES];
  TrReceiptSeal *seal = &receipt->seal;
  const TrSealedPrune *sealed = &prune->sealed;
  receipt->is_sealed = true;
  seal->job_id = sqlite3_mprintf("%.*s", (int)prune->job_length, prune->job_id);
  if (seal->job_id == NULL) return SQLITE_NOMEM;
  seal->has_previous = sealed->has_receipts;
  memcpy(seal->previous, sealed->last_receipt, sizeof seal->previous);
  seal->old_lines = sealed->old.lines;
  seal->old_bytes = sealed->old.bytes;
  memcpy(seal->old_head, sealed->old.head, sizeof seal->old_head);
  seal->new_bytes = sealed_bytes_that_stay(prune);
  char *line = tr_receipt_encode(receipt);
  if (line == NULL) return SQLITE_NOMEM;
  int code = tr_chain_hash(chain, line, tr_receipt_seal_start(line, strlen(line)), start);
  sqlite3_free(line);
  if (code == SQLITE_OK) tr_chain_resume(chain, start, 0, 0);
  return code;
}

static int lead_new_chain(TrPrune *prune, TrReceiptSeal *seal, TrChain *chain, char **message) {
  int64_t reached = 0;
  bool is_whole = true;
  int code = tr_chain_add_file(chain, prune->live_fd, (TrRange){0, seal->new_bytes}, prune->poll, &reached);
  seal->new_lines = chain->lines;
  memcpy(seal->new_head, chain->head, sizeof seal->new_head);
  if (code == SQLITE_OK) code = tr_chain_tail(chain, prune->live_fd, seal->new_bytes, seal->new_tail, &is_whole);
  if (code == SQLITE_IOERR_READ) return tr_prune_error(prune, code, message, errno, "has a copy that cannot be read");
  if (code != SQLITE_OK || (is_whole && reached == seal->new_bytes && !chain->in_line)) return code;
  return tr_prune_error(prune, SQLITE_ABORT, message, 0, "has a copy that does not end where its sealed lines do");
}

int tr_sealed_carry(TrPrune *prune, TrReceipt *receipt, char **message) {
  TrChain chain;
  char *what = NULL;
  if (!prune->sealed.is_sealed) return SQLITE_OK;
  int code = sealed_error(prune, tr_chain_open(&chain, &what), what, message);
  if (code == SQLITE_OK) code = begin_new_chain(prune, receipt, &chain);
  if (code == SQLITE_OK) code = lead_new_chain(prune, &receipt->seal, &chain, message);
  tr_chain_close(&chain);
  return code;
}
