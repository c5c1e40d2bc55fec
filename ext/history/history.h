/*
** history.h - a job's history beyond its live file: the segments that a rotation or an archive keeps of it, and the
** receipts of what was removed.
*/
#ifndef TR_HISTORY_H
#define TR_HISTORY_H

#include "../base/base.h"
#include "../read/read.h"
#include "../figures/figures.h"
#include "../scheduler/scheduler.h"
#include "../codec/codec.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** history/leftover.c - the names of a prune's own files, and those that were left behind
*/
#define TR_LEFTOVER_NAME_SIZE 48

void tr_leftover_name(const char *job_id, size_t length, const char *suffix, char out[TR_LEFTOVER_NAME_SIZE]);
bool tr_leftover_is_named(const char *name);           /* a .new or .journal, by its name */
bool tr_leftover_is_held(int dirfd, const char *name); /* a prune is working on it right now */
bool tr_leftover_belongs(const char *name, const char *job_id, size_t length);

/* ------------------------------------------------------------------------------------------------------------------
** history/segment_name.c - a path -> the job to which it belongs, and which part of its history it is
*/
#define TR_ARCHIVE_DIRECTORY "archive" /* in TR_OWN_FOLDER */
#define TR_PENDING_SEGMENT ".pending-" /* in front of the inode of its source */

typedef enum TrSegmentKind { TR_SEGMENT_ARCHIVED, TR_SEGMENT_ROTATED, TR_SEGMENT_LIVE } TrSegmentKind;

typedef struct TrSegmentName {
  TrBytes job;        /* its id; borrows from the path */
  uint8_t kind;       /* TrSegmentKind */
  uint8_t codec;      /* TrCodec */
  bool is_dated;      /* ROTATED: its number is a date, and a higher one is newer; else a lower one is */
  bool is_pending;    /* ARCHIVED: its prune has not ended */
  int64_t number;     /* ROTATED, ARCHIVED */
  uint64_t source;    /* pending: the inode of the live file from which it is made */
  size_t base_length; /* of the path: two paths that are the same up to there are two states of one segment */
} TrSegmentName;

/* The path may have directories in front. False: it is no segment of a job. `store`: which names files of jobs have. */
bool tr_segment_name_parse_in(const TrStore *store, const char *path, TrSegmentName *name);
bool tr_segment_name_parse(const char *path, TrSegmentName *name); /* the same for the results directory */
/* The job of a live file, and the name of a job's live file: how long it is. */
TrBytes tr_segment_job(const TrStore *store, const char *name, size_t length);
size_t tr_segment_live_name(const TrStore *store, TrBytes job, char name[TR_NAME_SIZE]);
size_t tr_segment_directory(const char *path); /* how much of it names the directory of results */
TR_CHECKED int
tr_segment_name_compare(const TrSegmentName *a,
                        const TrSegmentName *b); /* of one job: which is older; 0: both have one number */

/* ------------------------------------------------------------------------------------------------------------------
** history/listing.c - the names of a directory that are segments, listed again only when the directory has changed
*/
typedef struct TrListing {
  char *path;              /* owned: of the directory, with a slash at the end, below the base; or empty */
  const TrStore *store;    /* borrowed */
  struct timespec changed; /* the directory's time of change, before it was listed */
  bool is_settled;         /* every later change has a later time */
  bool is_listed;
  TrNameList names; /* sorted */
} TrListing;

void tr_listing_free(TrListing *listing);
/* Lists it if it was not listed, or may have changed since. *changed: it was listed now. */
TR_CHECKED int tr_listing_refresh(TrListing *listing, TrDir *base, TrPoll *poll, bool *changed, char **message);
/* The names of a job's live and rotated files. `visit` gets each. */
TR_CHECKED int tr_listing_visit(const TrListing *listing, TrBytes job, int (*visit)(void *, const char *),
                                void *context);

/* ------------------------------------------------------------------------------------------------------------------
** history/archive.c - the directories below .taskresults
*/
/* Opens the directory of a job's archive, below an open directory of results; of all jobs, if job.text is NULL. *fd is
** -1 if there is none. Follows no link; an error if it belongs to somebody else than the results. */
TR_CHECKED int tr_archive_open(const TrDir *dir, TrBytes job, int *fd, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** history/segments.c - a job -> its segments, all open, in the order of their records
*/
typedef struct TrSegment {
  char *path; /* owned: below the base */
  TrSegmentName name;
  TrFile file; /* open from the listing on, so that a rotation cannot change what is read; see `is_reopened` */
  TrEntry entry;
  bool is_reopened; /* the job has too many segments to have them all open */
  uint32_t ordinal; /* for the caller */
  bool is_timed;
  int64_t first_us; /* timed: of the first record with a time */
} TrSegment;

typedef struct TrHistory {
  TrDir *base;              /* borrowed: all paths are below it */
  TrPoll *poll;             /* borrowed */
  size_t max_line;          /* bytes */
  const TrMapping *mapping; /* borrowed; NULL: none */
  TrListing *listing;       /* owned, each: one for each directory */
  size_t listing_count, listing_room;
  TrBytes job;        /* borrowed: the current one */
  TrListing *current; /* borrowed: of its directory */
  TrDir dir, archive; /* owned: that directory; that of its archived segments */
  TrSegment *segment; /* owned: of the job */
  size_t count, room;
  size_t at; /* of the one that is read next */
  TrLines lines;
  TrDecompressor decompressor; /* for the caller, too, between two jobs */
  TrRewinder rewinder;
  TrFrameReader reader; /* while a history is opened */
  bool is_descending;   /* the newest segment comes first */
} TrHistory;

/* The time of the first record that has one: SQLITE_ROW, SQLITE_DONE, or an error, as of tr_parse_next(). `mapping`: or
** NULL. */
TR_CHECKED int tr_history_first_time(TrLines *lines, const TrMapping *mapping, int64_t *time_us);
/* Call order: init; open for a job, then take for its segments; end. */
void tr_history_init(TrHistory *history, TrDir *base, TrPoll *poll, size_t max_line);
/* The segments of the job whose live file has, or would have, that path below the base. */
TR_CHECKED int tr_history_open(TrHistory *history, const char *live_path, char **message);
static inline const TrSegment *tr_history_next(const TrHistory *history) { /* NULL: there are no more */
  return history->at < history->count ? &history->segment[history->at] : NULL;
}
/* The caller gets the file of tr_history_next(), and then moves `at` on. SQLITE_BUSY: it is another one by now. */
TR_CHECKED int tr_history_take(TrHistory *history, TrFile *file, TrEntry *entry, char **message);
/* Opens the lines of a compressed file. They are read through history->decompressor, which the next call closes. */
TR_CHECKED int tr_history_open_lines(TrHistory *history, TrLines *lines, const TrFile *file, uint8_t codec);
TR_CHECKED int tr_history_open_lines_back(TrHistory *history, TrLines *lines, const TrFile *file);
void tr_history_end(TrHistory *history); /* a zeroed one is ended */

/* Is told when all segments of a job are open: `path` is that of its live file. *again: open them again. */
typedef struct TrHistoryVisitor {
  int (*visit)(void *context, uint32_t ordinal, const char *path, TrHistory *history, bool *again, char **message);
  void *context;
} TrHistoryVisitor; /* visit NULL: nobody */

/* ------------------------------------------------------------------------------------------------------------------
** history/digest.c - SHA-256, by libcrypto, which is loaded when it is first needed
*/
#define TR_DIGEST_BYTES 32
#define TR_DIGEST_TEXT_SIZE 65 /* 64 hexadecimal digits and a NUL */

typedef struct TrDigest TrDigest;

/* Call order: new, add, end, free; or, after end, restart for another one. *digest is NULL if this build goes without
** libcrypto: then there is none. The others return SQLITE_OK or SQLITE_NOMEM. */
TR_CHECKED int tr_digest_new(TrDigest **digest, char **message);
TR_CHECKED int tr_digest_restart(TrDigest *digest); /* what was added is forgotten */
TR_CHECKED int tr_digest_add(TrDigest *digest, const void *bytes, size_t length);
TR_CHECKED int tr_digest_end_bytes(TrDigest *digest, unsigned char out[TR_DIGEST_BYTES]);
TR_CHECKED int tr_digest_end(TrDigest *digest, char out[TR_DIGEST_TEXT_SIZE]);
void tr_digest_free(TrDigest *digest); /* NULL is allowed */
void tr_digest_text(const unsigned char bytes[TR_DIGEST_BYTES], char out[TR_DIGEST_TEXT_SIZE]);
bool tr_digest_parse(const char *text, unsigned char out[TR_DIGEST_BYTES]); /* false: not 64 hexadecimal digits */
/* A member of a JSON object, written as by tr_json_append_text(), or read. */
void tr_digest_append(sqlite3_str *out, const char *name, const unsigned char digest[TR_DIGEST_BYTES]);
bool tr_digest_take(const TrJson *object, const char *key, unsigned char digest[TR_DIGEST_BYTES]);

/* ------------------------------------------------------------------------------------------------------------------
** history/own_file.c - a file of ours that belongs to a job's: who may own it, and who may read it
*/
#define TR_OWN_FILE_TEXT_SIZE 96

/* Checks an open file below .taskresults that is to be written, and gives a new one to the owner of the job's file,
** with its mode. Returns 0 or errno; `what` is why it cannot be used, or empty. */
TR_CHECKED int tr_own_file_adopt(int fd, const struct stat *job, char what[TR_OWN_FILE_TEXT_SIZE]);

/* ------------------------------------------------------------------------------------------------------------------
** history/receipt.c - what a prune removed: counted record by record, and by days
** history/receipt_line.c - a receipt <-> its line of JSON
*/
#define TR_RECEIPT_ID_SIZE 33 /* 32 hexadecimal digits and a NUL */
#define TR_RECEIPT_MAX_RANGES 256
#ifndef TR_RECEIPT_MAX_DAYS
#define TR_RECEIPT_MAX_DAYS 36525 /* a hundred years */
#endif
#define TR_RECEIPT_MAX_BYTES (8 * 1024 * 1024) /* of the line; so many days need 5 MiB */

typedef struct TrRange {
  int64_t from, to; /* bytes [from, to) of a file: whole lines */
} TrRange;

typedef struct TrReceiptDay {
  int64_t day; /* UTC, since 1970-01-01 */
  int64_t runs, failures;
  int64_t first_us, last_us;
} TrReceiptDay;

typedef struct TrReceiptFile {
  uint64_t dev, inode;
  int64_t bytes;
} TrReceiptFile;

/* How the prune of a sealed file carries its seals on; see ext/seal. The members have this order in the line. */
typedef struct TrReceiptSeal {
  char *job_id; /* owned */
  bool has_previous;
  unsigned char previous[TR_DIGEST_BYTES]; /* SHA-256 of the receipt before it */
  int64_t old_lines, old_bytes;            /* that were sealed, */
  unsigned char old_head[TR_DIGEST_BYTES]; /* and the head there */
  int64_t new_bytes;                       /* of them, what stays */
  unsigned char new_head[TR_DIGEST_BYTES]; /* over these, in a new chain */
  int64_t new_lines;
  unsigned char new_tail[TR_DIGEST_BYTES]; /* of the last few bytes of what stays */
} TrReceiptSeal;

typedef struct TrReceipt {
  char id[TR_RECEIPT_ID_SIZE];
  int64_t pruned_us;
  char *rule; /* owned */
  int64_t uid, max_line;
  int64_t lines, records, failures, bytes;
  int64_t untimed, untimed_failures; /* of the records: those whose time cannot be read */
  TrReceiptDay *day;                 /* owned: those of the other records, in ascending order */
  size_t days, room;
  char sha256[TR_DIGEST_TEXT_SIZE]; /* empty: not known */
  TrReceiptFile old, new;           /* a parsed line sets the inodes, as far as they are below 2^53 */
  const TrRange *kept;              /* borrowed: what stayed of the old file. A parsed line does not set these two */
  size_t kept_count;
  bool has_unbroken;      /* else it is of a build that did not know what follows */
  int64_t unbroken_from;  /* a byte of the new file: from there on, no run is missing */
  uint64_t unbroken_hash; /* tr_unbroken_hash() */
  bool is_scattered;      /* what went was not just the beginning of the file */
  char *archive;          /* owned; NULL: the lines are nowhere else */
  bool is_sealed;
  TrReceiptSeal seal; /* if it is_sealed */
  bool is_replaced;   /* another file had taken the place of the one that was pruned: this receipt counts for nothing */
} TrReceipt;

/* A zeroed one is a valid empty one. SQLITE_OK; SQLITE_NOMEM; or SQLITE_TOOBIG: more days than a receipt can hold. */
TR_CHECKED int tr_receipt_add_record(TrReceipt *receipt, bool is_ok, bool is_timed, int64_t time_us);
void tr_receipt_free(TrReceipt *receipt);

TR_CHECKED int tr_receipt_make_id(char id[TR_RECEIPT_ID_SIZE]); /* 0, or errno */
char *tr_receipt_encode(const TrReceipt *receipt);              /* with a newline; NULL: out of memory */
/* How a line ends, if the receipt is not is_replaced, and if it is. */
#define TR_RECEIPT_END ",\"replaced\":false}\n"
#define TR_RECEIPT_END_REPLACED ",\"replaced\":true}\n"
/* How much of a line is hashed for the new chain: all before the new head. 0: it says nothing of seals. */
size_t tr_receipt_seal_start(const char *line, size_t length);
/* SQLITE_CORRUPT: it is no receipt, and *message tells why. On failure nothing is owned. */
TR_CHECKED int tr_receipt_parse(const char *text, size_t length, TrReceipt *receipt, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** history/receipts.c - .taskresults/prunes: the receipts of each job
*/
#define TR_RECEIPTS_FOLDER "prunes"
#define TR_RECEIPTS_WHAT "the receipts of prunes"
#define TR_PENDING_NAME_SIZE 32

/* Opens the folder in a directory of results, which messages name by its path. fd is -1 if there is none. */
TR_CHECKED int tr_receipts_enter(TrOwnFolder *folder, int dir_fd, const char *dir_path, bool makes, char **message);
char *tr_receipts_path(const char *dir_path); /* of the folder, for messages. NULL: out of memory */

/* The name in the folder of a receipt that has not been appended yet. */
void tr_receipts_pending_name(const char *job_id, size_t length, char out[TR_PENDING_NAME_SIZE]);

/* A file in it. file->fd is -1 if there is none; the caller closes it. */
TR_CHECKED int tr_receipts_open_file(TrDir *folder, const char *name, TrPoll *poll, TrFile *file, char **message);

typedef struct TrReceipts {
  TrDir *folder; /* borrowed */
  TrPoll *poll;  /* borrowed */
  char name[TR_NAME_SIZE];
  TrFile file;
  TrLines lines;
  TrLine line;       /* the current one: borrowed until the next call */
  TrReceipt receipt; /* of the current line */
  char *torn;        /* owned: a line that may be the beginning of the next one */
  size_t torn_length;
  int64_t torn_at;
  bool looks_again; /* at the end of the file, which seemed to be torn */
} TrReceipts;

/* Call order: open, next until SQLITE_DONE, close. A file that does not exist has no receipts. A zeroed one is a valid
** closed one. */
TR_CHECKED int tr_receipts_open(TrReceipts *receipts, TrDir *folder, const char *name, TrPoll *poll, char **message);
TR_CHECKED int tr_receipts_next(TrReceipts *receipts, char **message); /* SQLITE_ROW, SQLITE_DONE, or an error */
void tr_receipts_close(TrReceipts *receipts);

/* ------------------------------------------------------------------------------------------------------------------
** history/unbroken.c - from which byte of a job's file on no run is missing
*/
typedef struct TrUnbroken {
  TrPoll *poll;                  /* borrowed */
  char *directory, *folder_path; /* owned: the directory of results; and of its receipts, for messages */
  TrOwnFolder folder;
  bool is_listed;
  TrNameList names; /* owned: what is in the folder, if it is listed */
} TrUnbroken;

/* Call order: init; find for each file; end, after which it is as after init. *from is 0 if no run is missing, or
** nothing is known. `file`: open, and plain; its directory; and the name of the job's live file. `lists`: the query is
** of many jobs; so the folder is listed once, and those without receipts cost nothing. */
void tr_unbroken_init(TrUnbroken *unbroken, TrPoll *poll);
TR_CHECKED int tr_unbroken_find(TrUnbroken *unbroken, int dir_fd, const char *directory, bool lists, const char *name,
                                const TrFile *file, int64_t *from, char **message);
void tr_unbroken_end(TrUnbroken *unbroken);
/* For a prune, which has the receipts open (fd). SQLITE_OK, or an error, with errno set if it is SQLITE_IOERR_*. */
TR_CHECKED int tr_unbroken_of_receipts(int fd, int dir_fd, const char *name, const TrFile *file, TrPoll *poll,
                                       int64_t *from);
TR_CHECKED int tr_unbroken_hash(int fd, int64_t from, uint64_t *hash); /* of what stands before the byte. 0, or errno */

#pragma GCC visibility pop
#endif /* TR_HISTORY_H */
