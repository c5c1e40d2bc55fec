/*
** verify.c - does a job's file still lead to the heads of its seals?
**
** The file is read from its beginning, stretch by stretch: each seal ends one. The first head that differs tells in
** which stretch something was changed; of what follows nothing can be said, since each head depends on all before it.
**
** Nothing is locked, and nothing is changed, so whoever may read the files may verify them. The job's file is opened
** first, then the caller looks for the journal of a prune, and the receipts and the seals are read behind that: they
** can only be of more lines. If the job's file has got another inode meanwhile, the caller begins again. So nobody
** sees the file of before a prune with the receipt of it, or the other way round: see prune/counted_receipts.c.
*/
#include "seal.h"

#include <errno.h>
#include <fcntl.h>

static int verify_error(const TrVerification *v, int code, int reason, const char *what, char **message) {
  return tr_error(message, code, "job '%.*s': %s/%s %s%s%s", (int)v->length, v->job_id, v->dir->path, v->name, what,
                  reason ? ": " : "", reason ? strerror(reason) : "");
}

int tr_verification_begin(TrVerification *v, TrDir *dir, TrPoll *poll, const char *job_id, size_t length,
                          char **message) {
  TrEntry entry;
  *v = (TrVerification){.dir = dir, .poll = poll, .job_id = job_id, .length = length, .file.fd = -1};
  v->stretch.from = -1;
  sqlite3_snprintf(sizeof v->name, v->name, "%.*s" TR_SUFFIX, (int)length, job_id);
  int code = tr_dir_open_file(dir, v->name, poll, &v->file, &entry);
  if (code == SQLITE_OK && entry == TR_ENTRY_UNREADABLE)
    code = verify_error(v, SQLITE_CANTOPEN, v->file.error_number, "cannot be opened", message);
  v->is_gone = entry != TR_ENTRY_READABLE; /* a link or a folder is not the file that was sealed */
  if (code == SQLITE_OK) code = tr_chain_open(&v->chain, message);
  return code;
}

void tr_verification_end(TrVerification *v) {
  tr_seals_free(&v->seals);
  tr_chain_close(&v->chain);
  tr_file_close(&v->file);
  sqlite3_free(v->cause);
  v->cause = NULL;
}

/* --- the stretches ------------------------------------------------------------------------------------------------ */

static int mismatch(TrVerification *v, TrRange stretch, char *cause) {
  v->stretch = stretch;
  v->cause = cause;
  return cause ? SQLITE_OK : SQLITE_NOMEM;
}

/* Leads the chain through the file to the end of a seal. */
static int verify_stretch(TrVerification *v, const TrSeal *seal, char **message) {
  TrRange stretch = {v->sealed.bytes, seal->bytes};
  int64_t reached;
  int code = tr_chain_add_file(&v->chain, v->file.fd, stretch, v->poll, &reached);
  if (code == SQLITE_IOERR_READ) return verify_error(v, code, errno, "cannot be read", message);
  if (code != SQLITE_OK) return code;
  if (reached < stretch.to)
    return mismatch(v, stretch, sqlite3_mprintf("the file ends at byte %lld", (long long)reached));
  bool is_same =
      !v->chain.in_line && v->chain.lines == seal->lines && memcmp(v->chain.head, seal->head, TR_DIGEST_BYTES) == 0;
  if (!is_same) return mismatch(v, stretch, sqlite3_mprintf("its lines are not those that were sealed"));
  v->sealed = *seal;
  return SQLITE_OK;
}

/* The next seal trusts the tail of the last one, so nothing would be sealed any more. */
static int check_last_tail(TrVerification *v, char **message) {
  const TrSeals *seals = &v->seals;
  unsigned char tail[TR_DIGEST_BYTES];
  bool is_whole;
  if (v->sealed.bytes == 0) return SQLITE_OK;
  int code = tr_chain_tail(&v->chain, v->file.fd, v->sealed.bytes, tail, &is_whole);
  if (code == SQLITE_IOERR_READ) return verify_error(v, code, errno, "cannot be read", message);
  if (code != SQLITE_OK || (is_whole && memcmp(tail, v->sealed.tail, sizeof tail) == 0)) return code;
  bool is_seal = seals->count && seals->seal[seals->count - 1].era == seals->eras - 1;
  return tr_seals_add_fault(
      &v->seals, sqlite3_mprintf("the %s at byte %lld is damaged: its tail is not that of the lines before it",
                                 is_seal ? "seal" : "receipt",
                                 (long long)(is_seal ? v->sealed.at : seals->era[seals->eras - 1].at)));
}

static int verify_stretches(TrVerification *v, char **message) {
  size_t last = v->seals.eras - 1;
  const TrEra *era = &v->seals.era[last];
  tr_chain_resume(&v->chain, era->start, 0, 0);
  memcpy(v->sealed.head, era->start, sizeof v->sealed.head);
  int code = verify_stretch(v, &era->sealed, message);
  for (size_t i = 0; i < v->seals.count && v->stretch.from < 0 && code == SQLITE_OK; i++) {
    if (v->seals.seal[i].era == last) code = verify_stretch(v, &v->seals.seal[i], message);
  }
  return code == SQLITE_OK && v->stretch.from < 0 ? check_last_tail(v, message) : code;
}

static int count_unsealed(TrVerification *v, char **message) {
  struct stat now;
  int64_t reached;
  if (fstat(v->file.fd, &now) != 0) return verify_error(v, SQLITE_IOERR_FSTAT, errno, "cannot be examined", message);
  v->unsealed_bytes = now.st_size - v->sealed.bytes;
  int code = tr_chain_add_file(&v->chain, v->file.fd, (TrRange){v->sealed.bytes, now.st_size}, v->poll, &reached);
  v->unsealed_lines = v->chain.lines - v->sealed.lines;
  return code == SQLITE_IOERR_READ ? verify_error(v, code, errno, "cannot be read", message) : code;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int is_still_there(const TrVerification *v, bool *is_same, char **message) {
  struct stat now;
  bool exists = fstatat(v->dir->fd, v->name, &now, AT_SYMLINK_NOFOLLOW) == 0;
  if (!exists && errno != ENOENT) return verify_error(v, SQLITE_IOERR, errno, "cannot be examined", message);
  if (v->file.fd < 0)
    *is_same = !exists || !S_ISREG(now.st_mode);
  else
    *is_same = exists && now.st_ino == v->file.stat.st_ino && now.st_dev == v->file.stat.st_dev;
  return SQLITE_OK;
}

/* Its receipt counts from the exchange on, even if it has not been appended yet. */
static const char *pending_receipt(const TrVerification *v, const TrUnfinishedPrune *unfinished) {
  bool is_exchanged = v->file.fd >= 0 && v->file.stat.st_ino == unfinished->new_inode;
  return is_exchanged ? unfinished->receipt : NULL;
}

int tr_verification_check(TrVerification *v, const TrUnfinishedPrune *unfinished, bool *again, char **message) {
  bool is_same = true;
  int code = tr_seals_load(&v->seals, v->dir, v->job_id, v->length, &v->chain, v->poll, pending_receipt(v, unfinished),
                           again, message);
  if (code == SQLITE_OK) code = is_still_there(v, &is_same, message);
  *again |= !is_same;
  if (code != SQLITE_OK || *again || v->is_gone) return code;
  code = verify_stretches(v, message);
  return code == SQLITE_OK && v->stretch.from < 0 ? count_unsealed(v, message) : code;
}

size_t tr_verification_unproven_since(const TrVerification *v, size_t era) {
  return era + 1 < v->proven_from ? v->proven_from - 1 : 0;
}

char *tr_verification_mismatch(const TrVerification *v) {
  return sqlite3_mprintf("the sealed stretch [%lld, %lld) does not match: %s", (long long)v->stretch.from,
                         (long long)v->stretch.to, v->cause);
}

bool tr_verification_has_foreign_signature(const TrVerification *v) {
  return v->seals.signature && !tr_seals_have_head(&v->seals, v->seals.signed_head);
}
