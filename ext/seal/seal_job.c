/*
** seal_job.c - seals what is new in a job's file.
**
** Only what comes behind the last seal is read, and a few KB before it: if their SHA-256 is another one, or the file is
** shorter, the lines before were changed. What has been changed without changing any length, only a verification finds.
**
** The seal is one line, written with one call, and on disk before it is reported. A kill before that leaves the seals
** as they were, or the beginning of a line, which counts for nothing.
*/
#include "seal.h"

#include <errno.h>

typedef struct SealJob {
  TrDir *dir; /* borrowed, like the next two */
  TrPoll *poll;
  const char *job_id;
  size_t length;
  char name[TR_NAME_SIZE];
  TrFile file;
  TrChain chain;
  TrSeals seals;
  TrOwnFolder folder;
  int fd; /* owned: of the file of seals */
} SealJob;

static int job_error(const SealJob *job, int code, int reason, const char *what, char **message) {
  return tr_error(message, code, "job '%.*s': %s/%s %s%s%s", (int)job->length, job->job_id, job->dir->path, job->name,
                  what, reason ? ": " : "", reason ? strerror(reason) : "");
}

static int open_job(SealJob *job, char **message) {
  TrEntry entry;
  int code = tr_dir_open_file(job->dir, job->name, job->poll, &job->file, &entry);
  if (code != SQLITE_OK || entry == TR_ENTRY_READABLE) return code;
  if (entry == TR_ENTRY_VANISHED) return job_error(job, SQLITE_NOTFOUND, ENOENT, "cannot be opened", message);
  if (entry == TR_ENTRY_UNREADABLE)
    return job_error(job, SQLITE_CANTOPEN, job->file.error_number, "cannot be opened", message);
  return job_error(job, SQLITE_ERROR, 0, "is no regular file: only such a one can be sealed", message);
}

static int begin_seal_job(SealJob *job, TrDir *dir, TrPoll *poll, const char *job_id, size_t length, char **message) {
  *job = (SealJob){.dir = dir, .poll = poll, .job_id = job_id, .length = length, .file.fd = -1, .folder.fd = -1};
  job->fd = -1;
  sqlite3_snprintf(sizeof job->name, job->name, "%.*s" TR_SUFFIX, (int)length, job_id);
  int code = open_job(job, message);
  if (code == SQLITE_OK) code = tr_chain_open(&job->chain, message);
  if (code == SQLITE_OK) {
    bool unused; /* under the lock, no prune is under way */
    code = tr_seals_load(&job->seals, dir, job_id, length, &job->chain, poll, NULL, &unused, message);
  }
  return code;
}

static void end_seal_job(SealJob *job) {
  if (job->fd >= 0) close(job->fd);
  tr_own_folder_close(&job->folder);
  tr_seals_free(&job->seals);
  tr_chain_close(&job->chain);
  tr_file_close(&job->file);
}

static int append_seal(SealJob *job, const TrSeal *seal, char **message) {
  char *line = tr_seal_encode(seal);
  if (line == NULL) return SQLITE_NOMEM;
  int code = tr_seal_file_open(job->dir, job->name, &job->file.stat, &job->folder, &job->fd, message);
  if (code == SQLITE_OK) {
    code = tr_seal_file_append(job->dir, job->name, &job->folder, job->fd, job->seals.whole, line, message);
  }
  sqlite3_free(line);
  return code;
}

/* --- what was sealed before --------------------------------------------------------------------------------------- */

static int tell_tampered(TrSealReport *report, char *reason) {
  report->result = TR_SEAL_TAMPERED;
  report->reason = reason;
  return reason ? SQLITE_OK : SQLITE_NOMEM;
}

/* Is the beginning of the file still as long as it was? */
static int check_sealed_part(SealJob *job, const TrSeal *last, TrSealReport *report, char **message) {
  unsigned char tail[TR_DIGEST_BYTES];
  char newline = '\n';
  bool is_whole;
  int code = SQLITE_OK;
  if (job->file.stat.st_size < last->bytes) {
    return tell_tampered(report, sqlite3_mprintf("the file has %lld bytes, and the first %lld are sealed",
                                                 (long long)job->file.stat.st_size, (long long)last->bytes));
  }
  if (last->bytes == 0) return SQLITE_OK;
  if (tr_read_at(job->file.fd, &newline, 1, last->bytes - 1, &is_whole) != 0 ||
      (code = tr_chain_tail(&job->chain, job->file.fd, last->bytes, tail, &is_whole)) == SQLITE_IOERR_READ) {
    return job_error(job, SQLITE_IOERR_READ, errno, "cannot be read", message);
  }
  bool is_same = is_whole && newline == '\n' && memcmp(tail, last->tail, sizeof tail) == 0;
  if (code != SQLITE_OK || is_same) return code;
  return tell_tampered(
      report, sqlite3_mprintf("the lines before byte %lld are not those that were sealed", (long long)last->bytes));
}

static int check_seals(SealJob *job, const TrSeal *last, TrSealReport *report, char **message) {
  if (job->seals.faults.count) return tell_tampered(report, sqlite3_mprintf("%s", job->seals.faults.name[0]));
  return check_sealed_part(job, last, report, message);
}

/* --- what is new -------------------------------------------------------------------------------------------------- */

static int add_new_lines(SealJob *job, const TrSeal *last, char **message) {
  int64_t reached, size = job->file.stat.st_size;
  tr_chain_resume(&job->chain, last->head, last->lines, last->bytes);
  int code = tr_chain_add_file(&job->chain, job->file.fd, (TrRange){last->bytes, size}, job->poll, &reached);
  if (code == SQLITE_IOERR_READ) return job_error(job, code, errno, "cannot be read", message);
  if (code != SQLITE_OK || reached == size) return code;
  return job_error(job, SQLITE_ABORT, 0, "shrank while it was sealed: stop the program that truncates it", message);
}

/* The chain has been led to the end of the file. */
static int make_seal(SealJob *job, TrSeal *seal, char **message) {
  bool is_whole;
  seal->sealed_us = tr_clock_us();
  seal->lines = job->chain.lines;
  seal->bytes = job->chain.bytes;
  memcpy(seal->head, job->chain.head, sizeof seal->head);
  int code = tr_chain_tail(&job->chain, job->file.fd, seal->bytes, seal->tail, &is_whole);
  if (code == SQLITE_IOERR_READ) return job_error(job, code, errno, "cannot be read", message);
  if (code == SQLITE_OK && !is_whole) return job_error(job, SQLITE_ABORT, 0, "shrank while it was sealed", message);
  return code == SQLITE_OK ? append_seal(job, seal, message) : code;
}

static int seal_lines(SealJob *job, TrSealReport *report, char **message) {
  TrSeal last = tr_seals_last(&job->seals, job->seals.eras - 1);
  report->seal = report->last = last;
  int code = check_seals(job, &last, report, message);
  if (code != SQLITE_OK || report->result == TR_SEAL_TAMPERED) return code;
  code = add_new_lines(job, &last, message);
  if (code != SQLITE_OK) return code;
  report->new_lines = job->chain.lines - last.lines;
  report->result = report->new_lines || !tr_seals_are_any(&job->seals) ? TR_SEAL_MADE : TR_SEAL_UNCHANGED;
  if (report->result == TR_SEAL_MADE) code = make_seal(job, &report->seal, message);
  report->is_signed = job->seals.signature && memcmp(job->seals.signed_head, report->seal.head, TR_DIGEST_BYTES) == 0;
  return code;
}

int tr_seal_job(TrDir *dir, TrPoll *poll, const char *job_id, size_t length, TrSealReport *report, char **message) {
  SealJob job;
  *report = (TrSealReport){.result = TR_SEAL_UNCHANGED};
  int code = begin_seal_job(&job, dir, poll, job_id, length, message);
  if (code == SQLITE_OK) code = seal_lines(&job, report, message);
  end_seal_job(&job);
  return code;
}

int tr_seal_sign(TrDir *dir, TrPoll *poll, const char *job_id, size_t length, const unsigned char head[TR_DIGEST_BYTES],
                 const char *signature, bool *is_known, char **message) {
  SealJob job;
  TrSeal seal = {0};
  *is_known = false;
  int code = begin_seal_job(&job, dir, poll, job_id, length, message);
  if (code == SQLITE_OK) *is_known = tr_seals_have_head(&job.seals, head);
  if (*is_known) {
    memcpy(seal.head, head, sizeof seal.head);
    seal.signature = (char *)signature;
    code = append_seal(&job, &seal, message);
  }
  end_seal_job(&job);
  return code;
}
