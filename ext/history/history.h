/*
** history.h - the segments of a job's history: its live file, and what a rotation or an archive keeps of it.
*/
#ifndef TR_HISTORY_H
#define TR_HISTORY_H

#include "../base/base.h"
#include "../read/read.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** history/segment_name.c - a path -> the job to which it belongs, and which part of its history it is
*/
#define TR_OWN_DIRECTORY ".taskresults" /* below the results directory: everything that is ours */
#define TR_ARCHIVE_DIRECTORY "archive"  /* in that one */

typedef enum TrSegmentKind { TR_SEGMENT_ARCHIVED, TR_SEGMENT_ROTATED, TR_SEGMENT_LIVE } TrSegmentKind;
typedef enum TrCodec { TR_CODEC_PLAIN, TR_CODEC_GZIP, TR_CODEC_ZSTD, TR_CODEC_FOREIGN } TrCodec;

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

/* The path may have directories in front. False: it is no segment of a job. */
bool tr_segment_name_parse(const char *path, TrSegmentName *name);
size_t tr_segment_directory(const char *path); /* how much of it names the directory of results */
TR_CHECKED int
tr_segment_name_compare(const TrSegmentName *a,
                        const TrSegmentName *b); /* of one job: which is older; 0: both have one number */

/* ------------------------------------------------------------------------------------------------------------------
** history/listing.c - the names of a directory that are segments, listed again only when the directory has changed
*/
typedef struct TrListing {
  char *path;              /* owned: of the directory, with a slash at the end, below the base; or empty */
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
** history/decompress.c - a compressed file -> its bytes, forwards, in bounded memory
*/
typedef struct TrDecompressor {
  TrSource source;      /* first */
  int fd;               /* borrowed */
  TrPoll *poll;         /* borrowed */
  uint8_t codec;        /* TrCodec */
  void *stream;         /* owned: the library's state */
  unsigned char *input; /* owned: bytes of the compressed file, of which [input_at, input_length) are not used yet */
  size_t input_at, input_length;
  int64_t read_to; /* where the input ends in the file */
  int64_t given;   /* bytes, decompressed */
  bool has_begun;  /* the file is not empty */
  bool is_inside;  /* of a member or frame */
  char why[80];    /* if something is wrong: what, after the bytes before it */
} TrDecompressor;

const char *tr_codec_obstacle(uint8_t codec); /* why it cannot be read; or NULL */
/* Call order: open on a zeroed one, for each file; then source.read, which returns SQLITE_CORRUPT where something is
** wrong; close; end. */
TR_CHECKED int tr_decompressor_open(TrDecompressor *decompressor, int fd, uint8_t codec, TrPoll *poll);
void tr_decompressor_close(TrDecompressor *decompressor);
void tr_decompressor_end(TrDecompressor *decompressor);
int64_t tr_decompressor_position(const TrDecompressor *decompressor); /* in the compressed file */

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
  TrDir *base;        /* borrowed: all paths are below it */
  TrPoll *poll;       /* borrowed */
  size_t max_line;    /* bytes */
  TrListing *listing; /* owned, each: one for each directory */
  size_t listing_count, listing_room;
  TrBytes job;        /* borrowed: the current one */
  TrListing *current; /* borrowed: of its directory */
  TrDir dir, archive; /* owned: that directory; that of its archived segments */
  TrSegment *segment; /* owned: of the job */
  size_t count, room;
  size_t at; /* of the one that is read next */
  TrLines lines;
  TrDecompressor decompressor; /* for the caller, too, between two jobs */
} TrHistory;

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
void tr_history_end(TrHistory *history); /* a zeroed one is ended */

#pragma GCC visibility pop
#endif /* TR_HISTORY_H */
