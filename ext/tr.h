/*
** tr.h - the map of taskresults: every module's interface, in the order in which a byte becomes a SQL value.
**
**   read/    directory -> file -> lines -> record -> value          (each knows only the ones before it)
**   sql/     the plan of a query, the scan that follows it, the tables on top, the entry point
**   write/   a row -> one line -> the file
**   retain/  a job's file -> the same file with fewer lines, beside a writer that takes no lock
**
** Conventions
**   - A function that can fail returns an SQLITE_* code. One that can explain itself takes `char **message`, which it
**     sets to a text from sqlite3_mprintf() (see tr_error); the caller frees it or hands it to SQLite.
**   - Spans borrow: a TrLine, and every TrSpan of a TrRecord, point into the reader's buffer and live until the next
**     line is read. What SQLite is to free comes from sqlite3_malloc64().
**   - Offsets and lengths are bytes; times are microseconds since the Unix epoch, UTC, and named `..._us`.
**   - Nothing is global: all state hangs on a connection, a table or a cursor, under SQLite's own mutex.
*/
#ifndef TR_H
#define TR_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <sqlite3ext.h>
#ifndef TR_EXTENSION_MAIN
SQLITE_EXTENSION_INIT3
#endif

#include "taskresults.h"

#pragma GCC visibility push(hidden)

#define TR_SUFFIX ".jsonl"
#define TR_SUFFIX_LEN 6
#define TR_NAME_SIZE 256 /* NAME_MAX and a NUL */
#define TR_DEFAULT_DIR "/opt/.task-scheduler/results"
#define TR_DEFAULT_MAX_LINE (1024 * 1024)        /* bytes, without the newline */
#define TR_HIGHEST_MAX_LINE (1024 * 1024 * 1024) /* spans count in 32 bits */
#define TR_MAX_NESTING 900                       /* levels; the record itself is the first */
#define TR_MAX_INT_DIGITS 4300                   /* Python's sys.int_info.default_max_str_digits */

/* ------------------------------------------------------------------------------------------------------------------
** sql/error.c - messages that name the file, the place and the cause
*/

/* Sets *message (freeing what was there; NULL is allowed and means "not wanted") and returns `code`. A message that
** cannot be allocated is left NULL: the code stands on its own. */
int tr_error(char **message, int code, const char *format, ...);

/* ------------------------------------------------------------------------------------------------------------------
** sql/poll.c - may this go on? Asked about every 256 KiB, at each file, and in every wait
*/
typedef struct TrPoll {
  sqlite3 *db;        /* borrowed; NULL means nobody can interrupt (tools, tests) */
  sqlite3_stmt *tick; /* owned: a cached statement whose step notices interrupts and drives progress handlers */
} TrPoll;

int tr_poll(TrPoll *poll); /* SQLITE_OK, or SQLITE_INTERRUPT */
int tr_poll_sleep(TrPoll *poll, int milliseconds);
void tr_poll_close(TrPoll *poll); /* before the connection closes: in xDisconnect */

/* ------------------------------------------------------------------------------------------------------------------
** read/names.c - file name -> ordinal, append-only, so that a rowid means the same line in every pass of a query
*/
typedef struct TrNames TrNames;

TrNames *tr_names_new(void); /* NULL: out of memory */
void tr_names_free(TrNames *names);
bool tr_names_find(const TrNames *names, const char *name, size_t length, uint32_t *ordinal);
int tr_names_intern(TrNames *names, const char *name, size_t length, uint32_t *ordinal); /* adds it if it is new */
const char *tr_names_get(const TrNames *names,
                         uint32_t ordinal); /* NUL-terminated, lives as long as the map; or NULL */

/* rowid = ordinal of the file, offset of the line: 23 and 40 bits, which is 8 million names and files of 1 TiB. */
#define TR_OFFSET_BITS 40
#define TR_MAX_ORDINAL ((UINT32_C(1) << 23) - 1)
#define TR_MAX_FILE_BYTES (INT64_C(1) << TR_OFFSET_BITS)

/* ------------------------------------------------------------------------------------------------------------------
** read/dir.c - directory -> files
*/
typedef struct TrDir {
  int fd;           /* -1 when closed */
  const char *path; /* borrowed, for messages */
} TrDir;

typedef enum TrEntry {
  TR_ENTRY_READABLE,   /* a regular file, now open */
  TR_ENTRY_VANISHED,   /* removed since it was listed */
  TR_ENTRY_IRREGULAR,  /* a link, directory, FIFO, socket or device: never opened for reading */
  TR_ENTRY_UNREADABLE, /* a regular file that the system will not let us read: see error_number */
} TrEntry;

typedef struct TrFile {
  int fd;           /* owned while READABLE, else -1 */
  struct stat stat; /* READABLE: of the open file; IRREGULAR: of the entry */
  int error_number; /* UNREADABLE */
} TrFile;

int tr_dir_open(TrDir *dir, const char *path, char **message);
void tr_dir_close(TrDir *dir);

/* Calls visit() for every entry's name, in the directory's own order, until it returns other than SQLITE_OK. */
int tr_dir_list(TrDir *dir, TrPoll *poll, int (*visit)(void *context, const char *name), void *context, char **message);

/* Opens one entry for reading: never follows a link, never waits on a FIFO; waits out a pruner's lease.
** Returns SQLITE_OK and *entry, or SQLITE_INTERRUPT. The caller closes file->fd with tr_file_close(). */
int tr_dir_open_file(TrDir *dir, const char *name, TrPoll *poll, TrFile *file, TrEntry *entry);
void tr_file_close(TrFile *file);
const char *tr_file_type(mode_t mode); /* "a symbolic link", "a FIFO", ... for messages */

/* Whether a directory entry is named as a job's file, and whether a job id can be a file's name at all. */
bool tr_name_is_job_file(const char *name, size_t length);
bool tr_job_id_is_usable(const char *job_id, size_t length);

/* ------------------------------------------------------------------------------------------------------------------
** retain/leftover.c - the names of a prune's own files, and those that were left behind
*/
#define TR_LEFTOVER_NAME_SIZE 48

void tr_leftover_name(const char *job_id, size_t length, const char *suffix, char out[TR_LEFTOVER_NAME_SIZE]);
bool tr_leftover_is_named(const char *name);           /* a .new or .journal, by its name */
bool tr_leftover_is_held(int dirfd, const char *name); /* a prune is at work on it right now */
bool tr_leftover_belongs(const char *name, const char *job_id, size_t length);

/* ------------------------------------------------------------------------------------------------------------------
** read/lines.c - file -> lines, forwards or backwards, through one small buffer
*/
#ifndef TR_READ_BYTES
#define TR_READ_BYTES (256 * 1024) /* the tests also build with a few bytes, to put a boundary everywhere */
#endif
#define TR_PADDING 64 /* readable bytes behind every line, so that the lanes may load whole blocks */

typedef struct TrLine {
  const unsigned char *text; /* without its newline; TR_PADDING more bytes may be loaded; NULL if too_long */
  uint64_t length;           /* bytes, without the newline */
  int64_t offset;            /* of its first byte in the file */
  bool terminated;           /* false only for the last line of a file that does not end in a newline */
  bool too_long;             /* longer than max_line: passed over without being held in memory */
} TrLine;

typedef struct TrLines {
  int fd;                /* borrowed */
  TrPoll *poll;          /* borrowed */
  unsigned char *buffer; /* owned; `capacity` bytes and TR_PADDING more */
  size_t capacity;
  size_t length;     /* bytes of the file now in the buffer */
  size_t read_bytes; /* size of the next read; grows, so that a short look at a file reads little of it */
  int64_t base;      /* file offset of buffer[0] */
  int64_t end;       /* where the scan ends: the size when it began, or where the file was seen to have shrunk to */
  int64_t seen_size; /* largest size seen: a smaller one betrays a truncation */
  size_t max_line;   /* bytes */
  bool backwards;
  size_t mark;     /* forwards: first byte not yet given out. backwards: end of what is not yet given out */
  size_t searched; /* forwards: no newline in [mark, searched) */
} TrLines;

/* Call order: open, then next until SQLITE_DONE, then close. `size` is a snapshot: what is appended later is not read.
** The buffer is kept when the same TrLines is opened on another file. A zeroed TrLines is a valid closed one. */
int tr_lines_open(TrLines *lines, int fd, int64_t from, int64_t size, size_t max_line, bool backwards, TrPoll *poll);
int tr_lines_next(TrLines *lines, TrLine *line); /* SQLITE_ROW, SQLITE_DONE, SQLITE_INTERRUPT, SQLITE_NOMEM, or
                                                    SQLITE_IOERR_* with errno set; see tr_lines_position() */
int64_t tr_lines_position(const TrLines *lines); /* where in the file the scan stands, for messages */
void tr_lines_close(TrLines *lines);

/* ------------------------------------------------------------------------------------------------------------------
** read/text.c - UTF-8 and JSON escapes
*/

/* The length of the UTF-8 sequence that begins at text[0] (>= 0x80), as Python's strict decoder sees it; 0 if it is not
** valid. Reads at most `available` bytes. */
unsigned tr_utf8_sequence(const unsigned char *text, size_t available);
bool tr_utf8_is_valid(const void *text, size_t length);

/* Decodes the inside of a JSON string that a lane has accepted. `out` has room for `length` bytes (decoding never
** lengthens). Returns the bytes written. A lone surrogate becomes U+FFFD, \u0000 a NUL byte. */
size_t tr_decode_string(const unsigned char *text, size_t length, unsigned char *out);

/* ------------------------------------------------------------------------------------------------------------------
** read/record.c - line -> record: which lane judges it
** read/fast.c, fast_walk.h - the fast lane: flat objects of scalars
** read/slow.c - the slow lane: everything, and the reasons
*/
typedef enum TrField { TR_TIMESTAMP, TR_JOB_NAME, TR_SUCCESS, TR_OUTPUT, TR_ERROR, TR_FIELD_COUNT } TrField;

typedef enum TrKind {
  TR_ABSENT, /* the key is not there */
  TR_NULL,
  TR_FALSE,
  TR_TRUE,
  TR_INTEGER, /* the digits, with sign */
  TR_REAL,    /* has a fraction or an exponent */
  TR_NAN,
  TR_PLUS_INFINITY,
  TR_MINUS_INFINITY,
  TR_STRING, /* what stands between the quotes, escapes and all */
  TR_NESTED, /* an object or array, brackets included */
} TrKind;

typedef struct TrSpan {
  uint32_t start;  /* from the line's first byte */
  uint32_t length; /* bytes */
  uint8_t kind;    /* TrKind */
  bool escaped;    /* TR_STRING: holds at least one backslash */
} TrSpan;

typedef struct TrRecord {
  TrSpan field[TR_FIELD_COUNT + 1]; /* the last one takes the values of all other keys */
} TrRecord;

typedef enum TrReason {
  TR_OK,
  TR_BLANK, /* white space only: neither a record nor a reject */
  TR_NOT_UTF8,
  TR_BOM,
  TR_CONTROL_CHARACTER,
  TR_BAD_ESCAPE,
  TR_CUT_SHORT,
  TR_EXTRA_DATA,
  TR_BAD_NUMBER,
  TR_MALFORMED,
  TR_NOT_AN_OBJECT,
  TR_TOO_MANY_DIGITS,
  TR_TOO_DEEP,
  TR_TOO_LONG,
  TR_UNFINISHED,
  TR_REASON_COUNT
} TrReason;

const char *tr_reason_text(TrReason reason); /* stable, documented in README.md; static */

#define TR_LAYOUT_MEMBERS 12
#define TR_LAYOUT_TEXT 32

/* What stood around the values of the line before: its keys and separators, as bytes to compare with. */
typedef struct TrLayout {
  unsigned count; /* members; 0: no layout known */
  struct {
    unsigned char text[TR_LAYOUT_TEXT]; /* from the end of the value before, up to this value */
    uint8_t length;                     /* of text */
    uint8_t field;                      /* TrField, or TR_FIELD_COUNT */
  } member[TR_LAYOUT_MEMBERS];
} TrLayout;

/* A fast lane answers true ("a record, and here are its spans") or false ("not mine": ask the slow lane).
** `text` must have TR_PADDING readable bytes behind text[length]. */
typedef bool (*TrFastLane)(const unsigned char *text, size_t length, TrLayout *layout, TrRecord *record);

TrFastLane tr_fast_lane(void); /* the best for this processor */
bool tr_fast_lane_portable(const unsigned char *text, size_t length, TrLayout *layout, TrRecord *record);
#if defined(__x86_64__) || defined(__i386__)
#define TR_HAVE_AVX2 1
bool tr_fast_lane_avx2(const unsigned char *text, size_t length, TrLayout *layout, TrRecord *record);
#endif

TrReason tr_slow_lane(const unsigned char *text, size_t length, TrRecord *record);

typedef struct TrParser {
  TrFastLane fast;
  TrLayout layout;
} TrParser;

void tr_parser_init(TrParser *parser);
TrReason tr_parse(TrParser *parser, const TrLine *line, TrRecord *record);

/* Which column a key is: its raw bytes, without quotes. TR_FIELD_COUNT for every other key. */
TrField tr_field_named(const unsigned char *key, size_t length);

/* ------------------------------------------------------------------------------------------------------------------
** read/value.c - span -> SQL value
** read/timestamp.c - text <-> microseconds
*/

/* Sets the result of a SQL function or column as json_extract() would; `c_locale` is for numbers. */
void tr_result_span(sqlite3_context *context, const TrLine *line, const TrSpan *span, locale_t c_locale);

bool tr_timestamp_parse(const char *text, size_t length, int64_t *time_us); /* DESIGN: see read/timestamp.c */
bool tr_span_time_us(const TrLine *line, const TrSpan *span, int64_t *time_us);
#define TR_TIMESTAMP_SIZE 32
void tr_timestamp_format(int64_t time_us, char out[TR_TIMESTAMP_SIZE]); /* as Python's isoformat() + "Z" */

/* ------------------------------------------------------------------------------------------------------------------
** sql/connection.c - what the tables and functions of one connection share
*/
typedef struct TrConnection {
  unsigned references; /* one for each module and function registered */
  sqlite3 *db;
  TrNames *names;    /* owned */
  locale_t c_locale; /* owned: numbers are read with '.', whatever the host's locale */
} TrConnection;

TrConnection *tr_connection_new(sqlite3 *db);
void tr_connection_unref(void *connection);

/* ------------------------------------------------------------------------------------------------------------------
** sql/source.c - which directory, and how long a line may be: module arguments, environment, defaults
*/
typedef struct TrSource {
  char *dir;       /* owned; NULL: the environment's, or the default */
  size_t max_line; /* 0: the environment's, or the default */
} TrSource;

int tr_source_parse(TrSource *source, const char *table, int argc, const char *const *argv, char **message);
void tr_source_free(TrSource *source);
const char *tr_source_dir(const TrSource *source); /* borrowed: until the environment changes */
int tr_source_max_line(const TrSource *source, size_t *max_line, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** sql/plan.c - what xBestIndex chose, in words that EXPLAIN QUERY PLAN shows and xFilter reads back
*/
typedef enum TrColumn {
  TR_COLUMN_JOB_ID,
  TR_COLUMN_SUCCESS,
  TR_COLUMN_TIMESTAMP,
  TR_COLUMN_TIME_US,
  TR_COLUMN_ROWID,
  TR_COLUMN_OTHER
} TrColumn;
typedef enum TrOp {
  TR_EQ,
  TR_IS,
  TR_IN,
  TR_GLOB,
  TR_NE,
  TR_IS_NOT,
  TR_LT,
  TR_LE,
  TR_GT,
  TR_GE,
  TR_ISNULL,
  TR_OP_COUNT
} TrOp;
#define TR_PLAN_TERMS 16

typedef struct TrPlan {
  int count;
  struct {
    uint8_t column;      /* TrColumn */
    uint8_t op;          /* TrOp */
  } term[TR_PLAN_TERMS]; /* term i is bound to argv[i] of xFilter */
  bool newest_first;     /* ORDER BY rowid DESC */
  bool ordered;          /* the query asked for rowid order at all */
} TrPlan;

int tr_plan_choose(sqlite3_index_info *info, TrColumn (*column_of)(int table_column));
char *tr_plan_encode(const TrPlan *plan); /* for sqlite3_free(); NULL: out of memory */
bool tr_plan_decode(const char *text, TrPlan *plan);

/* ------------------------------------------------------------------------------------------------------------------
** sql/filter.c - the plan with its values: which files, and which lines can be passed over unseen
*/
typedef struct TrText {
  char *text;    /* owned, NUL-terminated */
  size_t length; /* bytes */
  bool numeric;  /* reads as a number, so affinity may turn it into one */
} TrText;

typedef struct TrJobTerm {
  bool glob;      /* one pattern, in choice[0] */
  int count;      /* names */
  TrText *choice; /* owned */
} TrJobTerm;

typedef struct TrFilter {
  bool nothing; /* a comparison with NULL: no row at all */
  bool newest_first;
  bool by_rowid;
  int64_t rowid;
  int job_count;
  TrJobTerm job[TR_PLAN_TERMS]; /* a file must satisfy each */
  bool skip_true, skip_false;   /* records whose success is just that are provably not wanted */
  int64_t from_us, to_us;       /* inclusive */
  bool timed;                   /* from_us and to_us count, and a record without time_us is not wanted */
  int text_count;
  struct {
    uint8_t op;
    TrText value;
  } text[TR_PLAN_TERMS]; /* comparisons with timestamp as text */
} TrFilter;

int tr_filter_bind(TrFilter *filter, const TrPlan *plan, int argc, sqlite3_value **argv);
void tr_filter_free(TrFilter *filter);
bool tr_filter_wants_job(const TrFilter *filter, const char *job_id, size_t length);
const TrJobTerm *tr_filter_exact_jobs(const TrFilter *filter); /* a term that names every file by itself, or NULL */
bool tr_filter_skips(const TrFilter *filter, const TrLine *line, const TrRecord *record);
bool tr_looks_numeric(const char *text, size_t length);

/* ------------------------------------------------------------------------------------------------------------------
** sql/scan.c - directory, files, lines and records put together: one pass over what a filter wants
*/
typedef enum TrWant { TR_WANT_RECORDS, TR_WANT_REJECTS } TrWant;

typedef struct TrScan {
  TrConnection *connection; /* borrowed */
  TrPoll *poll;             /* borrowed */
  TrWant want;
  TrFilter filter; /* owned */
  size_t max_line;
  char *dir_path; /* owned */
  TrDir dir;
  uint32_t *queue; /* owned: ordinals of the files to scan, in the order of the scan */
  size_t queue_count, queue_room, queue_at;
  uint32_t ordinal; /* of the current entry */
  const char *name; /* of the current entry; lives with the connection */
  TrFile file;      /* the current entry, while it is being read */
  TrLines lines;
  TrParser parser;
  TrLine line;        /* the current line */
  TrRecord record;    /* WANT_RECORDS: its spans */
  TrReason reason;    /* WANT_REJECTS: why it is not a record */
  char *entry_reason; /* owned. WANT_REJECTS: why the entry as a whole is a reject; there is no line then */
} TrScan;

/* Call order: init, begin, next until SQLITE_DONE, end. begin may be called again without end, for a cursor's next
** xFilter. It takes over what `filter` owns. */
void tr_scan_init(TrScan *scan, TrConnection *connection, TrPoll *poll, TrWant want);
int tr_scan_begin(TrScan *scan, const TrSource *source, TrFilter *filter, char **message);
int tr_scan_next(TrScan *scan, char **message); /* SQLITE_ROW, SQLITE_DONE, or an error */
void tr_scan_end(TrScan *scan);
int64_t tr_scan_rowid(const TrScan *scan);

/* ------------------------------------------------------------------------------------------------------------------
** sql/signature.c - taskresults_signature(error): what kind of failure a text tells of
*/
int tr_signature_register(sqlite3 *db);

/* ------------------------------------------------------------------------------------------------------------------
** sql/table.c - what the tables have in common
** sql/results.c, sql/rejects.c - the tables
** sql/extension.c - the entry point
*/
typedef struct TrTable {
  sqlite3_vtab base;
  TrConnection *connection; /* counted reference */
  TrPoll poll;
  TrSource source;
} TrTable;

typedef struct TrCursor {
  sqlite3_vtab_cursor base;
  TrScan scan;
  bool at_end;
} TrCursor;

int tr_table_connect(sqlite3 *db, TrConnection *connection, const char *schema, int argc, const char *const *argv,
                     sqlite3_vtab **vtab, char **message);
int tr_table_disconnect(sqlite3_vtab *vtab);
int tr_table_open(sqlite3_vtab *vtab, TrWant want, sqlite3_vtab_cursor **cursor);
int tr_table_close(sqlite3_vtab_cursor *cursor);
int tr_table_filter(sqlite3_vtab_cursor *cursor, int unused, const char *plan, int argc, sqlite3_value **argv);
int tr_table_next(sqlite3_vtab_cursor *cursor);
int tr_table_eof(sqlite3_vtab_cursor *cursor);
int tr_table_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid);

int tr_results_register(TrConnection *connection);
int tr_rejects_register(TrConnection *connection);

#pragma GCC visibility pop
#endif /* TR_H */
