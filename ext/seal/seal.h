/*
** seal.h - a job's file -> the head of a chain over its lines, kept beside it; and whether it still leads there.
**
**   h = SHA-256("taskresults seal 1\n" ‖ job_id), and for each line h = SHA-256(h ‖ line), without its newline
**
** A sealed file that is pruned begins a new chain, with the hash of the prune's receipt: an era of its own.
*/
#ifndef TR_SEAL_H
#define TR_SEAL_H

#include "../base/base.h"
#include "../read/read.h"
#include "../scheduler/scheduler.h"
#include "../codec/codec.h"
#include "../history/history.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** seal/chain.c - lines -> the head of their chain
*/
#define TR_SEAL_TAG "taskresults seal 1\n"
#define TR_SEAL_TAIL_BYTES 4096
#define TR_CHAIN_READ_BYTES (256 * 1024)

typedef struct TrChain {
  TrDigest *digest;                    /* owned */
  unsigned char *buffer;               /* owned: of TR_CHAIN_READ_BYTES, for whoever adds to it */
  unsigned char head[TR_DIGEST_BYTES]; /* over all whole lines so far */
  int64_t lines, bytes;                /* of the whole lines, with their newlines */
  bool in_line;                        /* part of a line has been added behind them */
  int64_t part;                        /* its length in bytes */
} TrChain;

/* Call order: open; begin or resume, and then add; close. An error if this build has no SHA-256, or libcrypto is
** missing. A zeroed one is a closed one. */
TR_CHECKED int tr_chain_open(TrChain *chain, char **message);
TR_CHECKED int tr_chain_begin(TrChain *chain, const char *job_id, size_t length);
void tr_chain_resume(TrChain *chain, const unsigned char head[TR_DIGEST_BYTES], int64_t lines, int64_t bytes);
TR_CHECKED int tr_chain_add(TrChain *chain, const void *text, size_t length);
/* Adds bytes of a file. *reached is less than range.to if the file ends there. SQLITE_IOERR_READ: see errno. */
TR_CHECKED int tr_chain_add_file(TrChain *chain, int fd, TrRange range, TrPoll *poll, int64_t *reached);
/* SHA-256 of a few bytes before `end`: so a seal that goes on notices that lines before have another length, without
** reading them. Between resume and add only. *is_whole: the file reaches that far. */
TR_CHECKED int tr_chain_hash(TrChain *chain, const void *text, size_t length, unsigned char out[TR_DIGEST_BYTES]);
TR_CHECKED int tr_chain_tail(TrChain *chain, int fd, int64_t end, unsigned char tail[TR_DIGEST_BYTES], bool *is_whole);
void tr_chain_close(TrChain *chain);

/* ------------------------------------------------------------------------------------------------------------------
** seal/seal_line.c - a seal <-> its line of JSON
*/
#define TR_SEAL_LINE_BYTES (64 * 1024) /* at the most: a signature may be long */

typedef struct TrSeal {
  int64_t at;                          /* byte of its line in the file of seals */
  int64_t sealed_us;                   /* when */
  int64_t lines, bytes;                /* from the beginning of the job's file */
  unsigned char head[TR_DIGEST_BYTES]; /* of the chain there */
  unsigned char tail[TR_DIGEST_BYTES]; /* see tr_chain_tail() */
  char after[TR_RECEIPT_ID_SIZE];      /* the receipt with which the chain begins; empty: it begins with the job id */
  size_t era;                          /* which one that is */
  char *signature;                     /* owned, by whoever parsed it; not NULL: it is no seal, but signs `head` */
} TrSeal;

char *tr_seal_encode(const TrSeal *seal);                                    /* with a newline; NULL: out of memory */
TR_CHECKED int tr_seal_parse(const char *text, size_t length, TrSeal *seal); /* SQLITE_CORRUPT: it is none */

/* ------------------------------------------------------------------------------------------------------------------
** seal/seals.c - what is known of a job: its seals
** seal/eras.c - and the receipts of the prunes that carried them on
*/
#define TR_SEALS_FOLDER "seals"
#define TR_SEALS_WHAT "the seals"

/* Of the job's file, from one prune to the next. */
typedef struct TrEra {
  unsigned char start[TR_DIGEST_BYTES]; /* of its chain */
  TrSeal sealed;                        /* what was sealed when it began; `after`: the receipt with which it began */
  TrSeal before;                        /* what that receipt says of the era before; all that follows is of it, too */
  int64_t at;                           /* its byte in the file of receipts */
  int64_t pruned_us, gone_lines, gone_bytes;
  char *archive; /* owned; NULL: what went is nowhere else */
} TrEra;

typedef struct TrSeals {
  TrPoll *poll; /* borrowed */
  TrEra *era;   /* owned; there is one at least */
  size_t eras, era_room;
  TrSeal *seal; /* owned: without the signatures */
  size_t count, room;
  int64_t whole;   /* its bytes, without what a kill has left behind the last line */
  char *signature; /* owned: the newest one; NULL: there is none */
  unsigned char signed_head[TR_DIGEST_BYTES];
  bool has_receipts;
  unsigned char last_receipt[TR_DIGEST_BYTES]; /* SHA-256 of its line */
  TrNameList faults;                           /* owned: what is wrong with the seals and receipts themselves */
} TrSeals;

/* The chain is used for hashes. A job without seals has none, and one era. `pending`: the id of a receipt that counts,
** even if it has not been appended yet; or NULL. *again: its prune has ended meanwhile. */
TR_CHECKED int tr_seals_load(TrSeals *seals, const TrDir *dir, const char *job_id, size_t length, TrChain *chain,
                             TrPoll *poll, const char *pending, bool *again, char **message);
TR_CHECKED int tr_eras_load(TrSeals *seals, const TrDir *dir, const char *job_id, size_t length, TrChain *chain,
                            const char *pending, bool *again, char **message);
TR_CHECKED int tr_eras_check(TrSeals *seals); /* behind the seals: does each receipt go on where they end? */
bool tr_seals_are_any(const TrSeals *seals);  /* false: nothing of the job has been sealed */
/* *era: the newest one that has it. */
bool tr_seals_find_head(const TrSeals *seals, const unsigned char head[TR_DIGEST_BYTES], size_t *era);
bool tr_seals_have_head(const TrSeals *seals, const unsigned char head[TR_DIGEST_BYTES]);
char *tr_seals_path(const char *dir_path); /* of the folder, for messages; the caller frees it. NULL: out of memory */
TR_CHECKED int tr_seals_add_fault(TrSeals *seals, char *text); /* consumes the text; NULL: out of memory */
TrSeal tr_seals_last(const TrSeals *seals, size_t era);        /* up to where the job's file was sealed in the end */
void tr_seals_free(TrSeals *seals);

/* ------------------------------------------------------------------------------------------------------------------
** seal/seal_file.c - the file of a job's seals, for writing
** seal/seal_job.c - seals what is new in a job's file
*/
TR_CHECKED int tr_seal_file_open(const TrDir *dir, const char *name, const struct stat *job, TrOwnFolder *folder,
                                 int *fd, char **message);
TR_CHECKED int tr_seal_file_append(const TrDir *dir, const char *name, const TrOwnFolder *folder, int fd, int64_t whole,
                                   const char *line, char **message); /* durable on return */

typedef enum TrSealResult { TR_SEAL_MADE, TR_SEAL_UNCHANGED, TR_SEAL_TAMPERED } TrSealResult;

typedef struct TrSealReport {
  TrSealResult result;
  int64_t new_lines; /* that were not sealed before */
  TrSeal last;       /* up to where it was before */
  TrSeal seal;       /* up to where the file is sealed now */
  bool is_signed;    /* the newest signature is of that head */
  char *reason;      /* owned; TAMPERED: what no longer matches */
} TrSealReport;

/* The caller holds the job's prune lock, and frees report->reason. */
TR_CHECKED int tr_seal_job(TrDir *dir, TrPoll *poll, const char *job_id, size_t length, TrSealReport *report,
                           char **message);
/* Appends a signature of a head that the job has; *is_known: it has. The same lock. */
TR_CHECKED int tr_seal_sign(TrDir *dir, TrPoll *poll, const char *job_id, size_t length,
                            const unsigned char head[TR_DIGEST_BYTES], const char *signature, bool *is_known,
                            char **message);

/* ------------------------------------------------------------------------------------------------------------------
** seal/verify.c - does a job's file still lead to the heads of its seals?
** seal/archived.c - and what prunes have archived of it?
*/
/* A prune that has not ended, as its journal says. */
typedef struct TrUnfinishedPrune {
  const char *receipt; /* borrowed: the id of its receipt; NULL: there is none */
  uint64_t new_inode;  /* which the job's file has from the exchange on */
} TrUnfinishedPrune;

typedef struct TrVerification {
  TrDir *dir; /* borrowed, like the next two */
  TrPoll *poll;
  const char *job_id;
  size_t length;
  char name[TR_NAME_SIZE];
  TrFile file; /* the job's; fd -1: it is gone */
  TrSeals seals;
  TrChain chain;
  bool is_gone;
  TrRange stretch; /* the first one that does not match; from -1: all do */
  char *cause;     /* owned: why it does not */
  TrSeal sealed;   /* up to where the file is sealed */
  int64_t unsealed_lines, unsealed_bytes;
  size_t proven_from; /* what prunes removed at the beginning of these eras is in the archive, and matches */
} TrVerification;

/* Call order: begin, check, end. *again: a prune or a rotation got in between, so begin again. */
TR_CHECKED int tr_verification_begin(TrVerification *verification, TrDir *dir, TrPoll *poll, const char *job_id,
                                     size_t length, char **message);
TR_CHECKED int tr_verification_check(TrVerification *verification, const TrUnfinishedPrune *unfinished, bool *again,
                                     char **message);
/* Behind that, with the same *again. */
TR_CHECKED int tr_verification_check_archive(TrVerification *verification, size_t max_line, bool *again,
                                             char **message);
/* Behind that: the newest prune since an era of which only a receipt tells what it removed, as the era that it began.
** Whoever has forged the receipt can have changed all lines, so heads of that era prove nothing of them. 0: none. */
size_t tr_verification_unproven_since(const TrVerification *verification, size_t era);
char *tr_verification_mismatch(const TrVerification *verification); /* in words; the caller frees it */
#define TR_FOREIGN_SIGNATURE "the newest signature is of a head that no seal has"
bool tr_verification_has_foreign_signature(const TrVerification *verification);
void tr_verification_end(TrVerification *verification);

/* What a prune of a sealed file has to know of it. */
typedef struct TrSealedPrune {
  bool is_sealed;
  TrSeal old; /* up to where */
  bool has_receipts;
  unsigned char last_receipt[TR_DIGEST_BYTES];
} TrSealedPrune;

#pragma GCC visibility pop
#endif /* TR_SEAL_H */
