/*
** query.h - what a query asks for: of which directory, and which files and lines, as SQLite plans it.
*/
#ifndef TR_QUERY_H
#define TR_QUERY_H

#include "../base/base.h"
#include "../mapping/mapping.h"
#include "../figures/figures.h"
#include "../scheduler/scheduler.h"
#include "../write/write.h"
#include "../history/history.h"
#include "../index/index.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** query/settings.c - which directory, how long a line, when a write is synced: arguments, environment, defaults */
typedef enum TrSegments { TR_SEGMENTS_UNSET, TR_SEGMENTS_LIVE, TR_SEGMENTS_ALL } TrSegments;
typedef struct TrSettings {
  const TrStore *store;
  char *dir;       /* owned; NULL: the environment's, or the default */
  size_t max_line; /* 0: the environment's, or the default */
  TrSync sync;
  bool has_segments;   /* the table can read all segments of a job: by the environment, */
  TrSegments segments; /* or by what was set */
  char *map;           /* owned; NULL: the environment's, or none */
} TrSettings;

enum TrSetting { TR_SETTING_DIR, TR_SETTING_MAX_LINE, TR_SETTING_SYNC, TR_SETTING_MAP, TR_SETTING_SEGMENTS };
typedef enum TrSetting TrSetting;

/* Takes over `value`. */
TR_CHECKED int tr_settings_set(TrSettings *settings, const TrConnection *connection, TrSetting setting, char *value,
                               char **message);
TR_CHECKED int tr_settings_parse(TrSettings *settings, const TrConnection *connection, const TrStore *store,
                                 const char *table, bool has_segments, int argc, const char *const *argv,
                                 char **message);
void tr_settings_free(TrSettings *settings);
const char *tr_settings_dir(const TrSettings *settings); /* borrowed: until the environment changes */
/* The settings of a scan. A setting that cannot be understood is an error, even if this scan would not need it. */
typedef struct TrScanSettings {
  size_t max_line;
  unsigned threads;      /* at most, the caller's included */
  bool skips_unreadable; /* skip files of results that we may not read? By default, they are an error */
  const char *index;     /* borrowed until the environment changes: where indexes are kept; NULL: none is used */
} TrScanSettings;

TR_CHECKED int tr_settings_read(const TrSettings *settings, TrScanSettings *read, char **message);
TR_CHECKED int tr_settings_max_line(const TrSettings *settings, size_t *max_line, char **message);
TR_CHECKED int tr_settings_threads(unsigned *threads, char **message); /* the environment's, or the default */
TR_CHECKED int tr_settings_sync(const TrSettings *settings, TrSync *sync, char **message);
TR_CHECKED int tr_settings_segments(const TrSettings *settings, bool *all, char **message);
TR_CHECKED int tr_settings_mapping(const TrSettings *settings, TrMapping **mapping, char **message); /* NULL: native */
/* Which files a mapping has (NULL: the same as without): `own` has room for the answer. */
const TrStore *tr_settings_store(const TrSettings *settings, const TrMapping *mapping, TrStore *own);
TR_CHECKED int tr_settings_check_native(const TrSettings *settings, const char *what, char **message);
/* The same, of what no mapping has. `lacking`: "is no index" */
TR_CHECKED int tr_settings_check_unmapped(const TrSettings *settings, const char *what, const char *lacking,
                                          char **message);

/* ------------------------------------------------------------------------------------------------------------------
** query/plan.c - what xBestIndex chose, as a text that EXPLAIN QUERY PLAN shows and xFilter parses */
typedef enum TrColumn {
  TR_COLUMN_JOB_ID,
  TR_COLUMN_HOST,
  TR_COLUMN_SUCCESS,
  TR_COLUMN_OK,
  TR_COLUMN_TIMESTAMP,
  TR_COLUMN_TIME_US,
  TR_COLUMN_OUTPUT,
  TR_COLUMN_ERROR,
  TR_COLUMN_ROWID,
  TR_COLUMN_OFFSET,
  TR_COLUMN_SEGMENT_NO,
  TR_COLUMN_SINCE, /* arguments: see time_window.c; not compared with anything */
  TR_COLUMN_UNTIL,
  TR_COLUMN_GRACE,
  TR_COLUMN_ZONE,
  TR_COLUMN_PER_JOB,
  TR_COLUMN_AS_OF,
  TR_COLUMN_OTHER
} TrColumn;
enum TrOp { TR_EQ, TR_IS, TR_IN, TR_GLOB, TR_LIKE, TR_NE, TR_IS_NOT, TR_LT, TR_LE, TR_GT, TR_GE, TR_ISNULL, TR_OPS };
typedef enum TrOp TrOp;
typedef enum TrOrder { /* of the rows that a scan can deliver; for any other, SQLite sorts */
                       TR_ORDER_ANY,
                       TR_ORDER_ROWID,
                       TR_ORDER_ROWID_DESC,
                       TR_ORDER_JOB, /* by job_id as memcmp() compares, and by rowid within a job */
                       TR_ORDER_JOB_DESC,
                       TR_ORDER_SEGMENTS, /* as JOB; within a job, by segment and offset */
                       TR_ORDER_SEGMENTS_DESC,
                       TR_ORDER_COUNT
} TrOrder;
#define TR_PLAN_TERMS 16
/* Of the lines that an index knows, which ones are read? */
typedef enum TrIndexUse {
  TR_INDEX_UNUSED, /* all, and without it */
  TR_INDEX_FINDS,  /* those that are wanted */
  TR_INDEX_COVERS, /* none, unless its `success` is unusual */
  TR_INDEX_USES
} TrIndexUse;
typedef struct TrPlan {
  int count;
  struct {
    uint8_t column;      /* TrColumn */
    uint8_t op;          /* TrOp */
  } term[TR_PLAN_TERMS]; /* term i is bound to argv[i] of xFilter */
  uint8_t order;         /* TrOrder */
  bool all_segments;     /* of each job; else the live files alone */
  uint8_t index;         /* TrIndexUse */
} TrPlan;

typedef struct TrPlanned { /* the table; all is borrowed */
  TrColumn (*column_of)(int table_column);
  const TrConnection *connection;
  const TrSettings *settings;
  bool sorts_jobs;      /* its scans can have the files in the order of their jobs */
  bool has_row_for_job; /* not for each line */
  TrIndexUse index;     /* the most that its scans make of it; TR_INDEX_COVERS: for some columns */
} TrPlanned;
TR_CHECKED int tr_plan_choose(sqlite3_index_info *info, const TrPlanned *planned, char **message);
static inline bool tr_column_is_argument(TrColumn column) {
  return column >= TR_COLUMN_SINCE && column < TR_COLUMN_OTHER;
}
/* query/descending.c - can all segments be read from their ends? SQLITE_OK, SQLITE_NOMEM or SQLITE_INTERRUPT. */
TR_CHECKED int tr_descending_is_possible(sqlite3_index_info *info, const TrPlanned *planned, bool *possible);
bool tr_op_may_be_of_outer_join(TrOp op); /* then it may not restrict the table's rows: see joins.c */
char *tr_plan_encode(const TrPlan *plan); /* for sqlite3_free(); NULL: out of memory */
bool tr_plan_decode(const char *text, TrPlan *plan);

/* ------------------------------------------------------------------------------------------------------------------
** query/like_phrase.c - a LIKE pattern -> bytes that a text must hold to match it */
#define TR_LIKE_PHRASE_BYTES 64

typedef struct TrLikePhrase {
  uint8_t field;                             /* TrField */
  uint8_t length;                            /* of bytes */
  unsigned char bytes[TR_LIKE_PHRASE_BYTES]; /* in lower case */
  uint8_t shift[256];                        /* how far to move, by the byte of the text under the phrase's last byte */
} TrLikePhrase;

bool tr_like_phrase_set(TrLikePhrase *phrase, TrField field, const char *pattern); /* false: the pattern has no use */
bool tr_like_phrase_is_missing(const TrLikePhrase *phrase, const TrLine *line, const TrRecord *record); /* provably */

/* ------------------------------------------------------------------------------------------------------------------
** query/filter.c - the plan with its values: which files are wanted, and which lines can be skipped */
typedef struct TrText {
  char *text;    /* owned, NUL-terminated */
  size_t length; /* bytes */
} TrText;

typedef struct TrJobTerm {
  bool decided;   /* false: SQLite has to decide */
  TrText glob;    /* a pattern; if its text is NULL, `names` counts */
  TrNames *names; /* owned; NULL: none. A job must be one of them */
  bool numeric;   /* or look like a number: affinity may make it equal to one of the values */
} TrJobTerm;

#define TR_HOST_TERMS 2
typedef struct TrFilter {
  bool nothing;  /* a comparison with NULL: no row at all */
  uint8_t order; /* TrOrder */
  bool all_segments, by_rowid;
  int64_t rowid;
  int64_t from_offset, to_offset; /* bytes: no line that begins before the one, or behind the other, in any file */
  int job_count, host_count;
  TrJobTerm job[TR_PLAN_TERMS];  /* a file must satisfy each */
  TrJobTerm host[TR_HOST_TERMS]; /* and its host each of these */
  bool skip_true, skip_false;    /* records whose success is exactly true, or false, are surely not wanted */
  bool skip_ok, skip_not_ok;     /* nor are those with ok 1, or 0 */
  int64_t from_us, to_us;        /* inclusive */
  bool timed;                    /* from_us and to_us are set; a record without time_us is not wanted */
  int text_count;
  struct {
    uint8_t op;
    TrText value;
  } text[TR_PLAN_TERMS]; /* comparisons with timestamp as text */
  int phrase_count;
  TrLikePhrase *phrase; /* owned; the text of its column must contain each */
  bool of_records;      /* some of the above concerns records, not only files, */
  bool jobs_in_records; /* and so do the jobs */
} TrFilter;

TR_CHECKED int tr_filter_bind(TrFilter *filter, const TrPlan *plan, int argc, sqlite3_value **argv, TrPoll *poll);
TR_CHECKED int tr_filter_for_job(TrFilter *filter, const char *job_id, size_t length, TrOrder order);
void tr_filter_free(TrFilter *filter);
TR_CHECKED int tr_filter_add_host(TrFilter *filter, TrBytes host); /* only this one */
bool tr_filter_wants_host(const TrFilter *filter, const char *host, size_t length);
bool tr_filter_wants_job(const TrFilter *filter, const char *job_id, size_t length);
const TrJobTerm *tr_filter_exact_jobs(const TrFilter *filter); /* a term that lists all files by name, or NULL */
bool tr_filter_is_of_records(const TrFilter *filter);
/* Can it skip a record by its `success` and time alone? Then tr_filter_skips_indexed() may say, of one in an index,
** that it is skipped; else that it is wanted, or that its line has to be asked. Adds to *untimed as tr_filter_skips. */
bool tr_filter_finds_indexed(const TrFilter *filter);
typedef enum TrSkip { TR_SKIPPED, TR_WANTED, TR_ASK_LINE } TrSkip;
TrSkip tr_filter_skips_indexed(const TrFilter *filter, const TrIndexed *record, uint64_t *untimed);
bool tr_filter_skips_block(const TrFilter *filter, const TrIndexBlock *block); /* all records of it, none untimed */
bool tr_filter_skips_frame(const TrFilter *filter, const TrFrameEntry *frame); /* provably, all that begins in it */
/* Adds 1 to *untimed if it skips the record because its time cannot be read. */
bool tr_filter_skips(const TrFilter *filter, const TrLine *line, const TrRecord *record, uint64_t *untimed);
bool tr_looks_numeric(const char *text, size_t length);

#pragma GCC visibility pop
#endif /* TR_QUERY_H */
