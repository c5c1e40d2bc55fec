/*
** scan.h - a query's plan -> the files, and the lines of them, that it wants.
*/
#ifndef TR_SCAN_H
#define TR_SCAN_H

#include "../base/base.h"
#include "../figures/figures.h"
#include "../scheduler/scheduler.h"
#include "../write/write.h"
#include "../prune/prune.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** scan/argument.c - a module's argument, `name=value` -> which one it is, and its value
*/

/* `known` ends with NULL; each is a name, an equals sign and what the value looks like: "dir='PATH'". *which is the
** index of the one that the argument names. The caller frees *value; white space alone gives *value NULL. A PATH must
** not be empty, and is refused on a connection that was loaded without the power to act. */
TR_CHECKED int tr_argument_parse(const TrConnection *connection, const char *table, const char *argument,
                                 const char *const *known, int *which, char **value, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** scan/settings.c - which directory, how long a line may be, when a write is synced: module arguments, environment,
** defaults
*/
typedef struct TrSettings {
  const TrStore *store;
  char *dir;       /* owned; NULL: the environment's, or the default */
  size_t max_line; /* 0: the environment's, or the default */
  TrSync sync;
} TrSettings;

typedef enum TrSetting { TR_SETTING_DIR, TR_SETTING_MAX_LINE, TR_SETTING_SYNC } TrSetting;

/* Takes over `value`. */
TR_CHECKED int tr_settings_set(TrSettings *settings, TrSetting setting, char *value, char **message);
TR_CHECKED int tr_settings_parse(TrSettings *settings, const TrConnection *connection, const TrStore *store,
                                 const char *table, int argc, const char *const *argv, char **message);
void tr_settings_free(TrSettings *settings);
const char *tr_settings_dir(const TrSettings *settings); /* borrowed: until the environment changes */
/* What every scan needs to know; and what cannot be read of it is an error, whether this one would need it or not. */
typedef struct TrScanSettings {
  size_t max_line;
  unsigned threads;      /* at most, the caller's included */
  bool skips_unreadable; /* are files of results that one may not read passed over? By default, they are an error */
} TrScanSettings;

TR_CHECKED int tr_settings_read(const TrSettings *settings, TrScanSettings *read, char **message);
TR_CHECKED int tr_settings_max_line(const TrSettings *settings, size_t *max_line, char **message);
TR_CHECKED int tr_settings_threads(unsigned *threads, char **message); /* the environment's, or the default */
TR_CHECKED int tr_settings_sync(const TrSettings *settings, TrSync *sync, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** scan/plan.c - what xBestIndex chose, in words that EXPLAIN QUERY PLAN shows and xFilter reads back
*/
typedef enum TrColumn {
  TR_COLUMN_JOB_ID,
  TR_COLUMN_SUCCESS,
  TR_COLUMN_OK,
  TR_COLUMN_TIMESTAMP,
  TR_COLUMN_TIME_US,
  TR_COLUMN_OUTPUT,
  TR_COLUMN_ERROR,
  TR_COLUMN_ROWID,
  TR_COLUMN_OFFSET,
  TR_COLUMN_SINCE, /* arguments: see time_window.c; not compared with anything */
  TR_COLUMN_UNTIL,
  TR_COLUMN_GRACE,
  TR_COLUMN_ZONE,
  TR_COLUMN_OTHER
} TrColumn;
typedef enum TrOp {
  TR_EQ,
  TR_IS,
  TR_IN,
  TR_GLOB,
  TR_LIKE,
  TR_NE,
  TR_IS_NOT,
  TR_LT,
  TR_LE,
  TR_GT,
  TR_GE,
  TR_ISNULL,
  TR_OP_COUNT
} TrOp;
/* Of the rows; SQLite sorts what is wanted in any other. */
typedef enum TrOrder {
  TR_ORDER_ANY,
  TR_ORDER_ROWID,
  TR_ORDER_ROWID_DESC,
  TR_ORDER_JOB, /* as memcmp() compares their names, and by rowid within a job */
  TR_ORDER_JOB_DESC,
  TR_ORDER_COUNT
} TrOrder;
#define TR_PLAN_TERMS 16

typedef struct TrPlan {
  int count;
  struct {
    uint8_t column;      /* TrColumn */
    uint8_t op;          /* TrOp */
  } term[TR_PLAN_TERMS]; /* term i is bound to argv[i] of xFilter */
  uint8_t order;         /* TrOrder */
} TrPlan;

/* `sorts_jobs`: the table's scans can have the files in the order of their jobs. */
TR_CHECKED int tr_plan_choose(sqlite3_index_info *info, TrColumn (*column_of)(int table_column),
                              const TrConnection *connection, bool sorts_jobs);
bool tr_op_may_be_of_outer_join(TrOp op); /* and so not hold for the table: see joins.c */
char *tr_plan_encode(const TrPlan *plan); /* for sqlite3_free(); NULL: out of memory */
bool tr_plan_decode(const char *text, TrPlan *plan);

/* ------------------------------------------------------------------------------------------------------------------
** scan/joins.c - could an outer join be at work, on a SQLite that confuses ON with WHERE? (On others: no.)
*/
TR_CHECKED int tr_joins_in_schemas(sqlite3 *db, bool *possible); /* SQLITE_OK, or SQLITE_INTERRUPT */
bool tr_joins_in_statements(sqlite3 *db);

/* ------------------------------------------------------------------------------------------------------------------
** scan/host_like.c - are the pattern operators of this connection SQLite's own?
*/
TR_CHECKED int tr_host_like_is_builtin(sqlite3 *db, bool *builtin); /* SQLITE_OK, or SQLITE_INTERRUPT */
bool tr_host_like_is_short(sqlite3_value *pattern, sqlite3 *db); /* a long one is an error that SQLite has to raise */

/* ------------------------------------------------------------------------------------------------------------------
** scan/like_phrase.c - a LIKE pattern -> bytes that a text must hold to match it
*/
#define TR_LIKE_PHRASE_BYTES 64

typedef struct TrLikePhrase {
  uint8_t field;                             /* TrField */
  uint8_t length;                            /* of bytes */
  unsigned char bytes[TR_LIKE_PHRASE_BYTES]; /* in lower case */
  uint8_t shift[256];                        /* how far to move on, by the byte under the last one */
} TrLikePhrase;

bool tr_like_phrase_set(TrLikePhrase *phrase, TrField field,
                        const char *pattern); /* false: nothing can be told from it */
bool tr_like_phrase_is_missing(const TrLikePhrase *phrase, const TrLine *line, const TrRecord *record); /* provably */

/* ------------------------------------------------------------------------------------------------------------------
** scan/filter.c - the plan with its values: which files, and which lines can be passed over unseen
*/
typedef struct TrText {
  char *text;    /* owned, NUL-terminated */
  size_t length; /* bytes */
} TrText;

typedef struct TrJobTerm {
  bool decided;   /* false: something is in it that must be left to SQLite */
  TrText glob;    /* a pattern; or with no text: */
  TrNames *names; /* owned; NULL: none. A job must be one of them, */
  bool numeric;   /* or read as a number: affinity may turn one of the values into it */
} TrJobTerm;

typedef struct TrFilter {
  bool nothing;  /* a comparison with NULL: no row at all */
  uint8_t order; /* TrOrder */
  bool by_rowid;
  int64_t rowid;
  int64_t from_offset; /* bytes: no line that begins before it, in any file */
  int job_count;
  TrJobTerm job[TR_PLAN_TERMS]; /* a file must satisfy each */
  bool skip_true, skip_false;   /* records whose success is just that are provably not wanted */
  bool skip_ok, skip_not_ok;    /* and those that are a success, or are none */
  int64_t from_us, to_us;       /* inclusive */
  bool timed;                   /* from_us and to_us count, and a record without time_us is not wanted */
  int text_count;
  struct {
    uint8_t op;
    TrText value;
  } text[TR_PLAN_TERMS]; /* comparisons with timestamp as text */
  int phrase_count;
  TrLikePhrase *phrase; /* owned; a text must hold each */
  bool of_records;      /* of the above, something is about records, not only about files */
} TrFilter;

TR_CHECKED int tr_filter_bind(TrFilter *filter, const TrPlan *plan, int argc, sqlite3_value **argv, TrPoll *poll);
TR_CHECKED int tr_filter_for_job(TrFilter *filter, const char *job_id, size_t length, TrOrder order);
void tr_filter_free(TrFilter *filter);
bool tr_filter_wants_job(const TrFilter *filter, const char *job_id, size_t length);
const TrJobTerm *tr_filter_exact_jobs(const TrFilter *filter); /* a term that names every file by itself, or NULL */
bool tr_filter_is_of_records(const TrFilter *filter);
/* Adds to *untimed if it skips the record since its time cannot be read. */
bool tr_filter_skips(const TrFilter *filter, const TrLine *line, const TrRecord *record, uint64_t *untimed);
bool tr_looks_numeric(const char *text, size_t length);

/* ------------------------------------------------------------------------------------------------------------------
** scan/time_window.c - since and until, the arguments of task_stats and task_errors
*/
typedef struct TrTimeWindow {
  sqlite3_value *since, *until; /* owned; as given, or NULL */
} TrTimeWindow;

/* Bits of idxNum: SQLite compares the argument with the column all the same. The last and above are a table's own. */
#define TR_CHECKS(column) (1 << ((column)-TR_COLUMN_SINCE))
#define TR_CHECKS_END 16

/* tr_plan_choose() for a table with the arguments; sets idxNum too. `table` is the table's name, for messages. */
TR_CHECKED int tr_time_window_choose(sqlite3_index_info *info, const char *table,
                                     TrColumn (*column_of)(int table_column), const TrConnection *connection,
                                     char **message);
/* The arguments that the plan has -> the filter's times. A zeroed one is a valid freed one. */
TR_CHECKED int tr_time_window_bind(TrTimeWindow *time_window, const char *table, const TrPlan *plan, int flags,
                                   sqlite3_value **argv, TrFilter *filter, char **message);
void tr_time_window_free(TrTimeWindow *time_window);
void tr_time_window_result(sqlite3_context *context, sqlite3_value *argument); /* as it was given; NULL: it was not */
/* One argument by itself: *kept (if wanted) is a copy, to be given back, *us (if wanted) the time, if there is one. */
TR_CHECKED int tr_time_argument(const char *table, TrColumn column, int flags, const TrZone *zone, sqlite3_value *value,
                                sqlite3_value **kept, int64_t *us, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** scan/block.c - a stretch of a file -> its lines, parsed, all held at once
*/
/* LINES: both. FILES: the files of jobs, with the records and rejects of each. */
typedef enum TrWant { TR_WANT_RECORDS, TR_WANT_REJECTS, TR_WANT_LINES, TR_WANT_FILES } TrWant;

/* Is the line one that the scan wants? */
bool tr_wants_line(TrWant want, const TrFilter *filter, const TrParsed *parsed, uint64_t *untimed);

#ifndef TR_BLOCK_BYTES /* the tests also build with blocks of a few bytes and lines */
#define TR_BLOCK_BYTES (256 * 1024)
#define TR_BLOCK_LINES 4096             /* that are wanted; as many as are found in a block of lines of 64 bytes */
#define TR_BLOCK_LINE_BYTES (64 * 1024) /* a longer line is left to the caller */
#endif
/* Of the buffer, and a block is read from so much before it on: copies between places that differ in this can be four
** times as slow. */
#define TR_BLOCK_ALIGNMENT 64

typedef struct TrBlock {
  uint32_t ordinal;   /* of the file */
  TrFile file;        /* a copy, all of whose blocks share the descriptor; its size is the snapshot */
  bool owns_file;     /* the first of a file: whoever takes the file over clears this */
  int64_t from, to;   /* bytes: the lines that begin here. None before `from`, unless there is a newline before it */
  TrParsed *parsed;   /* owned, room for TR_BLOCK_LINES and one: the lines that are wanted */
  unsigned count;     /* of them */
  uint64_t untimed;   /* records that are not, since their time cannot be read */
  int64_t stopped_at; /* the line that was left to the caller, with all behind it; `to` if none was */
  bool shrunk;        /* the file is smaller than it was: it ends here */
  bool unread;        /* it could not be read, so it is not known where its first line begins */
  bool done;          /* workers.c's */
  unsigned char *allocated; /* owned */
  unsigned char *buffer;    /* in it, aligned: `room` bytes and TR_PADDING more */
  size_t room;
} TrBlock;

typedef struct TrWanted {
  TrWant want;
  const TrFilter *filter; /* borrowed */
  size_t max_line;
} TrWanted;

void tr_block_parse(TrBlock *block, const TrWanted *wanted, TrParser *parser);

/* ------------------------------------------------------------------------------------------------------------------
** scan/workers.c - blocks, parsed ahead of their turn, by helper threads and by the caller
*/
typedef struct TrWorkers TrWorkers;

/* What `wanted` borrows must live until tr_workers_stop(). NULL: no threads, or no memory; do without. */
TrWorkers *tr_workers_start(const TrWanted *wanted, unsigned threads);
void tr_workers_stop(TrWorkers *workers); /* NULL is allowed */
/* Call order, any number of times: describe the block that room returns (NULL: all are in use) and post it; take the
** oldest that was posted (*block NULL: there is none), and release it before the next one is taken. */
TrBlock *tr_workers_room(TrWorkers *workers);
bool tr_workers_are_low(const TrWorkers *workers); /* is it time to post more? */
void tr_workers_post(TrWorkers *workers);
TR_CHECKED int tr_workers_take(TrWorkers *workers, TrPoll *poll, TrBlock **block); /* SQLITE_OK or SQLITE_INTERRUPT */
void tr_workers_release(TrWorkers *workers);

/* ------------------------------------------------------------------------------------------------------------------
** scan/file_list.c - which entries of a directory a scan looks at, and in which order
*/
typedef enum TrListPurpose {
  TR_FOR_RECORDS,  /* what cannot be a job's file is left out */
  TR_FOR_REJECTS,  /* what interrupted prunes have left behind is there, too */
  TR_FOR_MESSAGES, /* of logs */
} TrListPurpose;

typedef struct TrFileList {
  TrNames *names; /* borrowed: the connection's */
  TrPoll *poll;   /* borrowed */
  TrListPurpose purpose;
  const TrStore *store;
  char *dir_path; /* owned */
  TrDir dir;
  uint32_t *ordinal; /* owned: of the files, in the order of the scan */
  size_t count, room;
  size_t at; /* index of the next one to look at */
} TrFileList;

/* Call order: init, open, next and `at++`, close (after a failed open, too); and open again for the next pass. */
void tr_file_list_init(TrFileList *list, TrNames *names, TrPoll *poll, TrListPurpose purpose);
TR_CHECKED int tr_file_list_open(TrFileList *list, const TrSettings *settings, const TrFilter *filter, char **message);
void tr_file_list_close(TrFileList *list);
bool tr_file_list_next(const TrFileList *list, uint32_t *ordinal, const char **name); /* without turning to it */
/* Whose is the entry, a file or a leftover? Adds no NUL. False: nobody knows. */
bool tr_file_list_job(const TrFileList *list, const char *name, char job_id[TR_NAME_SIZE], size_t *length);

/* ------------------------------------------------------------------------------------------------------------------
** scan/scan_file.c - the file that a scan is at: opened, or why there is nothing in it to read
*/
typedef struct TrScanFile {
  TrFileList *list; /* borrowed */
  bool skips_unreadable;
  uint32_t ordinal;
  const char *name; /* lives with the connection */
  TrFile file;      /* while it is being read */
  char *reason;     /* owned: why the entry as a whole is a row; there is no line then */
} TrScanFile;

/* SQLITE_DONE: there is none. SQLITE_ROW: the entry is a row, see `reason`. SQLITE_OK: its file is open, or (fd < 0)
** there is nothing to see. */
TR_CHECKED int tr_scan_file_open_next(TrScanFile *current, char **message);
void tr_scan_file_forget(TrScanFile *current); /* the reason */
void tr_scan_file_close(TrScanFile *current);
static inline TrBytes tr_scan_file_job(const TrScanFile *current) { /* its id; borrows from the name */
  return (TrBytes){current->name, strlen(current->name) - current->list->store->suffix_length};
}
/* A rowid is good only where a line begins: *from is there, or at the end. */
TR_CHECKED int tr_scan_file_seek(const TrScanFile *current, int64_t rowid, int64_t *from, int64_t *size,
                                 char **message);
/* A failure of tr_lines_next() and the like, with errno still set. */
TR_CHECKED int tr_scan_file_line_error(const TrScanFile *current, const TrLines *lines, int code, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** scan/read_ahead.c - the files of a list, as blocks, ahead of their turn
*/
typedef struct TrReadAhead {
  TrFileList *list;   /* borrowed */
  uint64_t *untimed;  /* borrowed: what blocks have counted is added here */
  unsigned threads;   /* at most, the caller's included */
  int64_t starts_at;  /* bytes: of a file that is opened ahead, lines that begin before it are not wanted */
  int64_t begins_at;  /* of the current file: when it has been read up to there, line by line */
  int64_t passed;     /* bytes that were wanted of the files so far, the current one included */
  TrWorkers *workers; /* owned; NULL: line by line */
  TrBlock *block;     /* borrowed: the current one */
  unsigned given;     /* of its lines */
  bool by_line;       /* what it left is being read */
  uint32_t ordinal;   /* of the file whose blocks are posted next, */
  TrFile file;        /* a copy, */
  int64_t from;       /* and the first of them */
  bool waits;         /* for the list's next entry, which is not plain, to have its turn */
} TrReadAhead;

void tr_read_ahead_init(TrReadAhead *read_ahead, TrFileList *list, uint64_t *untimed);
void tr_read_ahead_stop(TrReadAhead *read_ahead); /* it is then as after init */
/* That part of a file is read now; may its lines come from blocks? */
void tr_read_ahead_look_at(TrReadAhead *read_ahead, int64_t from, int64_t to, bool in_blocks);
/* These: SQLITE_OK or SQLITE_INTERRUPT, and read_ahead->block is the block to go on with, or NULL.
**   begin       goes over to blocks. NULL: not worth it, or no threads
**   next_block  of the current file
**   next_file   is then the current one. NULL: no file was opened ahead
**   leave_file  closes it. NULL: its rest is not wanted */
TR_CHECKED int tr_read_ahead_begin(TrReadAhead *read_ahead, const TrScanFile *current, int64_t from,
                                   const TrWanted *wanted);
TR_CHECKED int tr_read_ahead_next_block(TrReadAhead *read_ahead);
TR_CHECKED int tr_read_ahead_next_file(TrReadAhead *read_ahead, TrScanFile *current);
TR_CHECKED int tr_read_ahead_leave_file(TrReadAhead *read_ahead, TrScanFile *current);

/* ------------------------------------------------------------------------------------------------------------------
** scan/scan.c - directory, files, lines and records put together: one pass over what a filter wants
*/
typedef struct TrScan {
  TrPoll *poll;      /* borrowed */
  uint64_t *untimed; /* borrowed: records that are not wanted since their time cannot be read are counted here */
  TrWant want;
  TrFilter filter; /* owned */
  size_t max_line;
  TrFileList files;
  TrScanFile current;
  TrReadAhead read_ahead;
  TrLines lines;
  TrParser parser;
  TrParsed own;           /* the current line, unless a block has it */
  const TrParsed *parsed; /* the current line: that, or the block's */
} TrScan;

/* Call order: init, begin, next until SQLITE_DONE, end. begin may be called again without end, for a cursor's next
** xFilter. It takes over what `filter` owns. */
void tr_scan_init(TrScan *scan, TrConnection *connection, TrPoll *poll, TrWant want);
TR_CHECKED int tr_scan_begin(TrScan *scan, const TrSettings *settings, TrFilter *filter, char **message);
TR_CHECKED int tr_scan_next(TrScan *scan, char **message); /* SQLITE_ROW, SQLITE_DONE, or an error */
void tr_scan_end(TrScan *scan);

/* TR_WANT_FILES: instead of tr_scan_next, next_file until SQLITE_DONE, and within each next_lines until SQLITE_DONE: as
** many lines as are at hand, and at most so many. They live until the next call. */
TR_CHECKED int tr_scan_next_file(TrScan *scan, char **message);
TR_CHECKED int tr_scan_next_lines(TrScan *scan, unsigned most, const TrParsed **lines, unsigned *count, char **message);

/* What a table asks the scan for; it does not look into it. All borrow, until the next row. */
static inline const TrLine *tr_scan_line(const TrScan *scan) {
  return &scan->parsed->line;
}
static inline const TrRecord *tr_scan_record(const TrScan *scan) {
  return &scan->parsed->record;
}
static inline TrReason tr_scan_reason(const TrScan *scan) { /* TR_OK, or why the line is not a record */
  return scan->parsed->reason;
}
/* Why the entry as a whole is a row, without a line; or NULL. */
static inline const char *tr_scan_entry_reason(const TrScan *scan) {
  return scan->current.reason;
}
static inline TrBytes tr_scan_job_id(const TrScan *scan) {
  return tr_scan_file_job(&scan->current);
}
bool tr_scan_job_of_entry(const TrScan *scan, char job_id[TR_NAME_SIZE], size_t *length); /* of a reject, if known */
int64_t tr_scan_rowid(const TrScan *scan);                                                /* of the line */
int64_t tr_scan_file_rowid(const TrScan *scan, int64_t offset);                           /* of that byte in its file */
bool tr_scan_is_backwards(const TrScan *scan); /* are the newest rows wanted first? */

/* ------------------------------------------------------------------------------------------------------------------
** scan/log_scan.c - the same for the messages of logs
*/
typedef struct TrLogScan {
  TrPoll *poll;      /* borrowed */
  uint64_t *untimed; /* borrowed, as a scan's */
  TrFilter filter;   /* owned */
  size_t max_line;
  TrFileList logs;
  TrScanFile current;
  TrLines lines;
  TrMessages messages;
  TrMessage message; /* the current one */
} TrLogScan;

/* Call order and results: as tr_scan_*(). */
void tr_log_scan_init(TrLogScan *scan, TrConnection *connection, TrPoll *poll);
TR_CHECKED int tr_log_scan_begin(TrLogScan *scan, const TrSettings *settings, TrFilter *filter, char **message);
TR_CHECKED int tr_log_scan_next(TrLogScan *scan, char **message);
void tr_log_scan_end(TrLogScan *scan);
/* Of the current row: */
static inline const char *tr_log_scan_entry_reason(const TrLogScan *scan) { /* as tr_scan_entry_reason() */
  return scan->current.reason;
}
static inline const TrMessage *tr_log_scan_message(const TrLogScan *scan) {
  return &scan->message;
}
static inline TrBytes tr_log_scan_job_id(const TrLogScan *scan) {
  return tr_scan_file_job(&scan->current);
}
int64_t tr_log_scan_rowid(const TrLogScan *scan);

#pragma GCC visibility pop
#endif /* TR_SCAN_H */
