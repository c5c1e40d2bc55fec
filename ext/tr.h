/*
** tr.h - the map of taskresults: every module's interface, in the order in which a byte becomes a SQL value.
**
**   read/    directory -> file -> lines -> record -> value          (each knows only the ones before it)
**   sql/     the plan of a query, the scan that follows it, the tables on top, the entry point
**   write/   a row -> one line -> the file
**   retain/  a job's file -> the same file with fewer lines, beside a writer that takes no lock
**   export/  rows -> a CSV file
**
** Conventions
**   - A function that can fail returns an SQLITE_* code. One that can explain itself takes `char **message`, which it
**     sets to a text from sqlite3_mprintf() (see tr_error); the caller frees it or hands it to SQLite.
**   - Spans borrow: a TrLine, and every TrSpan of a TrRecord, point into the reader's buffer and live until the next
**     line is read. What SQLite is to free comes from sqlite3_malloc64().
**   - Offsets and lengths are bytes; times are microseconds since the Unix epoch, UTC, and named `..._us`.
**   - Nothing is global: all state hangs on a connection, a table or a cursor, under SQLite's own mutex. Helper threads
**     (read/thread.c) have what they work on to themselves, and call nothing of SQLite's.
*/
#ifndef TR_H
#define TR_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <locale.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <sqlite3ext.h>
#ifndef TR_EXTENSION_MAIN
SQLITE_EXTENSION_INIT3
#endif

#include "export/target.h"
#include "taskresults.h"

#pragma GCC visibility push(hidden)

#include "read/timespan.h"

#define TR_SUFFIX ".jsonl"
#define TR_SUFFIX_LEN 6
#define TR_NAME_SIZE 256                         /* NAME_MAX and a NUL */
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

/* errno -> SQLITE_FULL, SQLITE_NOMEM, SQLITE_READONLY or SQLITE_IOERR: for what writes. */
int tr_error_code(int error_number);

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
** read/thread.c - a helper thread: how many there may be, and how one is started
*/
#define TR_MAX_THREADS 8
#ifndef TR_SHARE_BYTES
#define TR_SHARE_BYTES (4 * 1024 * 1024) /* less than this is read before a thread has started */
#endif

unsigned tr_threads_default(void); /* as many as are of use here, the caller's included; 1: no helper */
bool tr_thread_start(pthread_t *thread, void *(*work)(void *), void *argument); /* false: there is none to be had */
void tr_condition_init(pthread_cond_t *condition);
void tr_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int milliseconds); /* at the most */

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

/* A kind of directory with one file for each job. */
typedef struct TrStore {
  const char *suffix; /* of the files' names: what stands before it is the job's id */
  size_t suffix_length;
  const char *word;     /* what the directory holds, and ... */
  const char *table;    /* ... what reads it, for messages */
  const char *variable; /* the environment's name for it */
  const char *default_dir;
} TrStore;

extern const TrStore tr_results_store, tr_logs_store;

typedef struct TrDir {
  int fd;               /* -1 when closed */
  const TrStore *store; /* for messages, */
  const char *path;     /* and so is this; borrowed */
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

int tr_dir_open(TrDir *dir, const TrStore *store, const char *path, char **message);
void tr_dir_close(TrDir *dir);

/* Calls visit() for every entry's name, in the directory's own order, until it returns other than SQLITE_OK. */
int tr_dir_list(TrDir *dir, TrPoll *poll, int (*visit)(void *context, const char *name), void *context, char **message);

/* Opens one entry for reading: never follows a link, never waits on a FIFO; waits out a pruner's lease.
** Returns SQLITE_OK and *entry, or SQLITE_INTERRUPT. The caller closes file->fd with tr_file_close(). */
int tr_dir_open_file(TrDir *dir, const char *name, TrPoll *poll, TrFile *file, TrEntry *entry);
void tr_file_close(TrFile *file);
const char *tr_file_type(mode_t mode); /* "a symbolic link", "a FIFO", ... for messages */

/* Whether a directory entry is named as a job's file, and whether a job id can be a file's name at all. */
bool tr_store_has_name(const TrStore *store, const char *name, size_t length);
bool tr_store_has_job(const TrStore *store, const char *job_id, size_t length);
bool tr_name_is_job_file(const char *name, size_t length); /* the same of the results directory */
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
/* For who can tell by himself where a line ends: the bytes not yet given out, up to a NUL at the latest (NULL if there are
** none at hand, or when reading backwards); and the taking of that many, which a newline must follow, as the next line.
** False: not to be taken like that; ask tr_lines_next(). */
const unsigned char *tr_lines_ahead(const TrLines *lines);
bool tr_lines_take(TrLines *lines, size_t length, TrLine *line);
/* Reads a stretch of the file once more. *got is less than `count` only if the file has shrunk. */
int tr_lines_read_again(TrLines *lines, void *into, size_t count, int64_t offset, size_t *got);
int64_t tr_lines_position(const TrLines *lines);                 /* where in the file the scan stands, for messages */
static inline int64_t tr_lines_following(const TrLines *lines) { /* forwards: where the next line begins */
  return lines->base + (int64_t)lines->mark;
}
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

/* Copies the text with U+FFFD for every byte that is part of no character. `out` has room for 3 * length bytes. */
size_t tr_utf8_repair(const unsigned char *text, size_t length, unsigned char *out);

/* ------------------------------------------------------------------------------------------------------------------
** read/field.c - which keys have a column
** read/record.c - line -> record: which lane judges it
** read/ok.c - is a record a success?
** read/fast.c, fast_walk.h - the fast lane: flat objects of scalars
** read/slow.c - the slow lane: everything, and the reasons
*/
typedef enum TrField { TR_TIMESTAMP, TR_JOB_NAME, TR_SUCCESS, TR_OUTPUT, TR_ERROR, TR_FIELD_COUNT } TrField;

/* Which column a key is: its raw bytes, without quotes. TR_FIELD_COUNT for every other key. */
TrField tr_field_named(const unsigned char *key, size_t length);

typedef enum TrKind {
  TR_ABSENT, /* the key is not there, and nothing else in the span means anything */
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

/* A fast lane answers "a record, and here are its spans", by returning what its line ends before; or NULL, "not mine":
** ask the slow lane. It need not be told where that is: it stops at the first newline or NUL, of which there must be one,
** with TR_PADDING readable bytes from there on. */
typedef const unsigned char *(*TrFastLane)(const unsigned char *text, TrLayout *layout, TrRecord *record);

TrFastLane tr_fast_lane(void); /* the best for this processor */
const unsigned char *tr_fast_lane_portable(const unsigned char *text, TrLayout *layout, TrRecord *record);
#if defined(__x86_64__) || defined(__i386__)
#define TR_HAVE_AVX2 1
const unsigned char *tr_fast_lane_avx2(const unsigned char *text, TrLayout *layout, TrRecord *record);
#endif

TrReason tr_slow_lane(const unsigned char *text, size_t length, TrRecord *record);
TrReason tr_slow_lane_at(const unsigned char *text, size_t length, size_t *at); /* and the byte where it was found */

typedef struct TrParser {
  TrFastLane fast;
  TrLayout layout;
  bool looks_ahead; /* the line before was one for the fast lane, so the next one may be */
} TrParser;

void tr_parser_init(TrParser *parser);
TrReason tr_parse(TrParser *parser, const TrLine *line, TrRecord *record);

/* tr_lines_next() and tr_parse() in one, which is faster: a record's end need not be searched for before it is parsed. */
int tr_parse_next(TrParser *parser, TrLines *lines, TrLine *line, TrRecord *record, TrReason *reason);

bool tr_record_is_ok(const TrLine *line, const TrRecord *record); /* the one meaning of success: see the file */

/* ------------------------------------------------------------------------------------------------------------------
** read/value.c - span -> SQL value
** read/timestamp.c - text <-> microseconds
*/

/* Where texts are decoded, one after the other. A zeroed one is valid. */
typedef struct TrScratch {
  unsigned char *bytes; /* owned */
  size_t room;
} TrScratch;

void tr_scratch_free(TrScratch *scratch);

typedef struct TrBytes {
  const char *text; /* borrowed; valid UTF-8; may hold NUL */
  size_t length;    /* bytes */
} TrBytes;

/* Sets the result of a SQL function or column as json_extract() would; `c_locale` is for numbers. */
void tr_result_span(sqlite3_context *context, const TrLine *line, const TrSpan *span, locale_t c_locale,
                    TrScratch *scratch);
/* The same as SQLite would cast it to text, and empty for NULL. It lives as long as the line and until the scratch is used
** again. SQLITE_OK or SQLITE_NOMEM. */
int tr_span_text(const TrLine *line, const TrSpan *span, locale_t c_locale, TrScratch *scratch, TrBytes *text);

bool tr_timestamp_parse(const char *text, size_t length, int64_t *time_us); /* which forms: see the file */
bool tr_span_time_us(const TrLine *line, const TrSpan *span, int64_t *time_us);
#define TR_TIMESTAMP_SIZE 32
void tr_timestamp_format(int64_t time_us, char out[TR_TIMESTAMP_SIZE]); /* as Python's isoformat() + "Z" */

/* ------------------------------------------------------------------------------------------------------------------
** read/timespan.c - a length of time as people write it -> microseconds (read/timespan.h)
** read/time.c - a time as people write it -> microseconds
*/
#define TR_TIME_FORMS                                                                                                  \
  "2026-02-14, 2026-02-14T09:30:00Z, today, yesterday, now, or how long ago: " TR_TIMESPAN_FORMS                       \
  "; from the year 1 up to 9999"

/* The first and the last microsecond that are meant: the same, or those of a day. */
typedef struct TrTimePoint {
  int64_t first_us, last_us;
} TrTimePoint;

bool tr_time_parse(const char *text, size_t length, int64_t now_us, TrTimePoint *point); /* which forms: see the file */
int64_t tr_time_now_us(void);

/* ------------------------------------------------------------------------------------------------------------------
** read/messages.c - the lines of a log -> its messages, each with the lines that belong to it
** read/event.c - what a message tells of
*/
typedef struct TrMessages {
  TrLines *lines;      /* borrowed: open, in the direction in which messages are wanted */
  unsigned char *text; /* owned: the current message, as far as it is held: at most lines->max_line bytes */
  size_t held, room;
  TrLine ahead; /* forwards: the line that ended the message before, and begins the current one */
  bool has_ahead;
} TrMessages;

/* Call order: open on lines that are open or about to be, next until SQLITE_DONE, close. A zeroed one is a valid closed
** one. A message is a TrLine of several lines; its `length` is what it has in the file, and if it is `too_long`, only
** the first max_line bytes are in `text`. It lives until the next one is read. */
void tr_messages_open(TrMessages *messages, TrLines *lines);
int tr_messages_next(TrMessages *messages, TrLine *message); /* as tr_lines_next() */
void tr_messages_close(TrMessages *messages);

/* A message as a record with nothing but a timestamp, which the lines before the first timestamp do not have. False: no
** message begins there. */
bool tr_message_parse(const TrLine *message, TrRecord *record);
size_t tr_message_start(const TrRecord *record); /* where its words begin, behind the timestamp */
#define TR_MESSAGE_HEAD 64                       /* bytes in which a timestamp with its brackets has to find room */

typedef enum TrEvent {
  TR_EVENT_SCHEDULED,
  TR_EVENT_STARTED,
  TR_EVENT_SUCCEEDED,
  TR_EVENT_FAILED,
  TR_EVENT_TIMED_OUT,
  TR_EVENT_EXCEPTION,
  TR_EVENT_NOTIFIED,
  TR_EVENT_NOTIFY_FAILED,
  TR_EVENT_NOTIFY_SKIPPED,
  TR_EVENT_PAUSED,
  TR_EVENT_RESUMED,
  TR_EVENT_DELETED,
  TR_EVENT_UPDATED,
  TR_EVENT_MANUAL_RUN,
  TR_EVENT_SKIPPED,
  TR_EVENT_OTHER,
  TR_EVENT_COUNT
} TrEvent;

TrEvent tr_event_of(const char *words, size_t length); /* a message behind its timestamp */
const char *tr_event_name(TrEvent event);              /* static */

/* ------------------------------------------------------------------------------------------------------------------
** read/json_file.c - a small JSON file that others rewrite in place -> its values
** read/jobs_file.c - jobs.json -> the jobs that the scheduler knows
** read/checkpoint.c - is a job running?
*/
typedef struct TrJson TrJson; /* a value of a tree, which tr_json_free() frees as a whole */

/* Looks again for `patience_ms` while the file does not parse or changes under the read. `flags` are more for open().
** SQLITE_NOTFOUND: it is not there. SQLITE_CORRUPT: it still does not parse. *message has the cause, without the name. */
int tr_json_load(int dirfd, const char *name, int flags, int patience_ms, TrPoll *poll, TrJson **root, char **message);
void tr_json_free(TrJson *root); /* NULL is allowed, as in all that follow but first and next */
bool tr_json_is_object(const TrJson *value);
bool tr_json_is_array(const TrJson *value);
const TrJson *tr_json_member(const TrJson *object,
                             const char *key);              /* the last of that name; NULL: none, or no object */
const TrJson *tr_json_first(const TrJson *array);           /* NULL: it is empty */
const TrJson *tr_json_next(const TrJson *element);          /* NULL: that was the last */
const char *tr_json_text(const TrJson *value);              /* NULL: not a string. Lives as long as the tree */
bool tr_json_integer(const TrJson *value, int64_t *number); /* below 2^53 */
bool tr_json_is_truthy(const TrJson *value);                /* as Python's bool() */
void tr_json_result(sqlite3_context *context, const TrJson *value);        /* as json_extract() would */
void tr_json_result_source(sqlite3_context *context, const TrJson *value); /* as JSON */

typedef struct TrJobs {
  TrJson *root;       /* owned */
  const TrJson **job; /* owned: the elements of "jobs" */
  size_t count;
  int state_fd; /* owned, O_PATH: the directory that the file is in */
} TrJobs;

int tr_jobs_load(TrJobs *jobs, const char *path, TrPoll *poll, char **message); /* on failure nothing is owned */
void tr_jobs_free(TrJobs *jobs);
const char *tr_jobs_id(const TrJobs *jobs, size_t i); /* NULL: it has none that is a text */
bool tr_jobs_is_enabled(const TrJobs *jobs, size_t i);
bool tr_jobs_time_us(const TrJobs *jobs, size_t i, const char *key, int64_t *time_us);

typedef enum TrRun {
  TR_RUN_NONE,  /* no checkpoint */
  TR_RUN_ALIVE, /* it names a process, which lives */
  TR_RUN_DEAD,  /* it names none that does */
} TrRun;

int tr_checkpoint_look(int state_fd, const char *job_id, TrPoll *poll, TrRun *run, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** write/encode.c - row -> line
*/
#define TR_MAX_TEXT 5000 /* code points of output and error that are kept, as the scheduler does */

typedef struct TrRow {
  TrBytes timestamp, job_id, job_name, output, error;
  bool success;
} TrRow;

TrBytes tr_cut_text(TrBytes text);        /* its first TR_MAX_TEXT code points */
size_t tr_encode_least(const TrRow *row); /* no line of the row is shorter */
size_t tr_encode_bound(const TrRow *row); /* nor longer */
/* Writes the row as one line, its newline included, and returns its length. `out` has room for tr_encode_bound(). */
size_t tr_encode(const TrRow *row, char *out);

/* ------------------------------------------------------------------------------------------------------------------
** read/durations.c - what a log says of starts and finishes -> the start of the run that ended at a given time
*/
#define TR_UNFINISHED_US INT64_MIN /* a finish that the log does not tell of */

typedef struct TrTimedRun {
  int64_t start_us, finish_us; /* as the log has them */
} TrTimedRun;

typedef struct TrDurations {
  TrTimedRun *run; /* owned; after end(), in the order of finish_us */
  size_t count, room;
  int64_t finish_us;  /* while messages are added: of the run whose start comes next, */
  bool finish_known;  /* if this is set */
  bool executing;     /* the message before was `Executing (...)` */
  bool finishes_told; /* there is a finish in this log */
} TrDurations;

/* Call order: begin, add for each message with a time, newest first, end, find, free. A zeroed one is a valid freed one,
** and begin() may follow at any point. */
void tr_durations_begin(TrDurations *durations);
int tr_durations_add(TrDurations *durations, TrBytes words, int64_t time_us);
bool tr_durations_are_full(const TrDurations *durations); /* add no more: enough is enough */
void tr_durations_end(TrDurations *durations);
bool tr_durations_find(const TrDurations *durations, int64_t time_us, int64_t *start_us);
void tr_durations_free(TrDurations *durations);

/* ------------------------------------------------------------------------------------------------------------------
** write/pending.c - the rows of a transaction, held until it commits; what its savepoints take back
*/
#ifndef TR_MAX_BATCH_BYTES
#define TR_MAX_BATCH_BYTES (INT64_C(1) << 30) /* of one job in one transaction: it leaves in one write(2) */
#endif

typedef enum TrSync {
  TR_SYNC_UNSET, /* not said: the environment's, or the default */
  TR_SYNC_OFF,   /* the system writes back when it likes */
  TR_SYNC_DATA,  /* fdatasync() before a COMMIT returns */
} TrSync;

typedef struct TrBatch {
  char *bytes;           /* owned: a newline, then the lines; so that a newline stands before every line */
  size_t length, room;   /* of bytes; length 0 or 1: no lines */
  unsigned record_count; /* lines */
} TrBatch;

typedef struct TrPending {
  bool open;  /* between xBegin and xCommit or xRollback */
  char *path; /* owned: the directory, as it was named when the first row came. NULL: no row came yet */
  size_t max_line;
  TrSync sync;   /* OFF or DATA */
  TrDir dir;     /* open while there are rows */
  TrNames *jobs; /* owned: file name -> index into batch[], in the order of their first rows */
  TrBatch *batch;
  size_t batch_count, batch_room;
  struct TrPendingRow {
    uint32_t batch;  /* which */
    uint32_t length; /* bytes of its line */
  } * row;           /* in the order of their INSERTs */
  size_t row_count, row_room;
  size_t *mark; /* mark[n]: row_count when savepoint n was set */
  size_t mark_room;
  int mark_count;
} TrPending;

/* A zeroed TrPending is a valid one without a transaction. */
void tr_pending_begin(TrPending *pending);
void tr_pending_end(TrPending *pending); /* drops what there is: after the commit, or on ROLLBACK */
int tr_pending_open_dir(TrPending *pending, const char *path, char **message);              /* before the first row */
int tr_pending_add(TrPending *pending, const char *name, const TrRow *row, char **message); /* name: of the file */
void tr_pending_written(TrPending *pending); /* the rows are in their files; savepoints can no longer take them back */
int tr_pending_savepoint(TrPending *pending, int savepoint);
void tr_pending_release(TrPending *pending, int savepoint);
void tr_pending_rollback_to(TrPending *pending, int savepoint); /* -1: to the beginning of the transaction */

/* ------------------------------------------------------------------------------------------------------------------
** write/append.c - lines -> the end of one job's file, beside writers that take no lock
*/
typedef struct TrAppend {
  unsigned records_written; /* whole, each on a line of its own */
  bool torn;                /* a piece of one was left in the file, for task_rejects to show */
} TrAppend;

/* Would appending to this file fail for a reason that can be seen beforehand? SQLITE_OK if it would not. */
int tr_append_check(const TrDir *dir, const char *name, char **message);

/* Appends a batch with one write(2), if the system takes it whole. `poll` may be NULL: then nothing interrupts the wait
** for a pruner's lease. On failure *done tells what is in the file all the same. Never returns SQLITE_BUSY. */
int tr_append(const TrDir *dir, const char *name, const TrBatch *batch, TrSync sync, TrPoll *poll, TrAppend *done,
              char **message);

/* ------------------------------------------------------------------------------------------------------------------
** write/commit.c - the batches of a transaction -> their files, job by job
*/

/* Writes every batch, then marks all as written; after a failure the rest is dropped, and the message names what was
** written and what was not. `elsewhere`: records that this COMMIT wrote through other tables; counted on. */
int tr_commit(TrPending *pending, TrPoll *poll, uint64_t *elsewhere, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** sql/connection.c - what the tables and functions of one connection share
*/
typedef struct TrConnection {
  unsigned references; /* one for each module and function registered */
  sqlite3 *db;
  TrNames *names;    /* owned */
  locale_t c_locale; /* owned: numbers are read with '.', whatever the host's locale */
  bool read_only;    /* loaded without the power to act: no function that acts, no INSERT, no path as an argument */
  bool writable;     /* taskresults_writable(1): task_results without arguments takes INSERTs */
  uint64_t written;  /* records that the COMMIT now under way has written, through any table */
  uint64_t untimed;  /* records that conditions on time have passed over, since it cannot be read */
  bool exporting;    /* inside taskresults_export_csv(), which must not nest */
} TrConnection;

TrConnection *tr_connection_new(sqlite3 *db, bool read_only);
/* Are the texts of its databases? In doubt, they are not. SQLITE_OK, or SQLITE_INTERRUPT. */
int tr_connection_is_utf8(const TrConnection *connection, bool *is_utf8);
void tr_connection_unref(void *connection);

/* ------------------------------------------------------------------------------------------------------------------
** sql/argument.c - a module's argument, `name=value` -> which one it is, and its value
*/

/* `known` ends with NULL; each is a name, an equals sign and what the value looks like: "dir='PATH'". *which is the
** index of the one that the argument names. The caller frees *value; white space alone gives *value NULL. A PATH must not
** be empty, and is refused on a connection that was loaded without the power to act. */
int tr_argument_parse(const TrConnection *connection, const char *table, const char *argument, const char *const *known,
                      int *which, char **value, char **message);
const char *tr_environment(const char *name); /* NULL if it is not set, or empty */

/* ------------------------------------------------------------------------------------------------------------------
** sql/source.c - which directory, how long a line may be, when a write is synced: module arguments, environment,
** defaults
*/
typedef struct TrSource {
  const TrStore *store;
  char *dir;       /* owned; NULL: the environment's, or the default */
  size_t max_line; /* 0: the environment's, or the default */
  TrSync sync;
} TrSource;

typedef enum TrSetting { TR_SOURCE_DIR, TR_SOURCE_MAX_LINE, TR_SOURCE_SYNC } TrSetting;

/* Takes over `value`. */
int tr_source_set(TrSource *source, TrSetting setting, char *value, char **message);
int tr_source_parse(TrSource *source, const TrConnection *connection, const TrStore *store, const char *table, int argc,
                    const char *const *argv, char **message);
void tr_source_free(TrSource *source);
const char *tr_source_dir(const TrSource *source); /* borrowed: until the environment changes */
int tr_source_max_line(const TrSource *source, size_t *max_line, char **message);
int tr_source_threads(unsigned *threads, char **message); /* the environment's, or the default */
/* Are files of results that one may not read passed over? By the environment; or by default, they are an error. */
int tr_source_skips_unreadable(bool *skips, char **message);
int tr_source_sync(const TrSource *source, TrSync *sync, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** sql/plan.c - what xBestIndex chose, in words that EXPLAIN QUERY PLAN shows and xFilter reads back
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
  TR_COLUMN_SINCE, /* arguments: see window.c; not compared with anything */
  TR_COLUMN_UNTIL,
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
int tr_plan_choose(sqlite3_index_info *info, TrColumn (*column_of)(int table_column), const TrConnection *connection,
                   bool sorts_jobs);
bool tr_op_may_be_of_outer_join(TrOp op); /* and so not hold for the table: see joins.c */
char *tr_plan_encode(const TrPlan *plan); /* for sqlite3_free(); NULL: out of memory */
bool tr_plan_decode(const char *text, TrPlan *plan);

/* ------------------------------------------------------------------------------------------------------------------
** sql/joins.c - could an outer join be at work, on a SQLite that confuses ON with WHERE? (On others: no.)
*/
int tr_joins_in_schemas(sqlite3 *db, bool *possible); /* SQLITE_OK, or SQLITE_INTERRUPT */
bool tr_joins_in_statements(sqlite3 *db);
bool tr_joins_names_outer(const char *sql); /* LEFT, RIGHT or FULL as a word */

/* ------------------------------------------------------------------------------------------------------------------
** sql/patterns.c - are the pattern operators of this connection SQLite's own?
*/
int tr_patterns_are_builtin(sqlite3 *db, bool *builtin);       /* SQLITE_OK, or SQLITE_INTERRUPT */
bool tr_pattern_is_short(sqlite3_value *pattern, sqlite3 *db); /* a long one is an error that SQLite has to raise */

/* ------------------------------------------------------------------------------------------------------------------
** sql/phrase.c - a LIKE pattern -> bytes that a text must hold to match it
*/
#define TR_PHRASE_BYTES 64

typedef struct TrPhrase {
  uint8_t field;                        /* TrField */
  uint8_t length;                       /* of bytes */
  unsigned char bytes[TR_PHRASE_BYTES]; /* in lower case */
  uint8_t shift[256];                   /* how far to move on, by the byte under the last one */
} TrPhrase;

bool tr_phrase_set(TrPhrase *phrase, TrField field, const char *pattern); /* false: nothing can be told from it */
bool tr_phrase_is_missing(const TrPhrase *phrase, const TrLine *line, const TrRecord *record); /* provably */

/* ------------------------------------------------------------------------------------------------------------------
** sql/filter.c - the plan with its values: which files, and which lines can be passed over unseen
*/
typedef struct TrText {
  char *text;    /* owned, NUL-terminated */
  size_t length; /* bytes */
} TrText;

typedef struct TrJobTerm {
  bool judged;    /* false: something is in it that must be left to SQLite */
  TrText glob;    /* a pattern; or with no text: */
  TrNames *names; /* owned; NULL: none. A job must be one of them, */
  bool numeric;   /* or read as a number: affinity may turn one of the values into it */
} TrJobTerm;

typedef struct TrFilter {
  bool nothing;  /* a comparison with NULL: no row at all */
  uint8_t order; /* TrOrder */
  bool by_rowid;
  int64_t rowid;
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
  TrPhrase *phrase; /* owned; a text must hold each */
} TrFilter;

int tr_filter_bind(TrFilter *filter, const TrPlan *plan, int argc, sqlite3_value **argv, TrPoll *poll);
int tr_filter_for_job(TrFilter *filter, const char *job_id, size_t length, TrOrder order);
void tr_filter_free(TrFilter *filter);
bool tr_filter_wants_job(const TrFilter *filter, const char *job_id, size_t length);
const TrJobTerm *tr_filter_exact_jobs(const TrFilter *filter); /* a term that names every file by itself, or NULL */
/* Adds to *untimed if it skips the record since its time cannot be read. */
bool tr_filter_skips(const TrFilter *filter, const TrLine *line, const TrRecord *record, uint64_t *untimed);
bool tr_looks_numeric(const char *text, size_t length);

/* ------------------------------------------------------------------------------------------------------------------
** sql/window.c - since and until, the arguments of task_stats and task_errors
*/
typedef struct TrWindow {
  sqlite3_value *since, *until; /* owned; as given, or NULL */
} TrWindow;

/* Bits of idxNum: SQLite compares the argument with the column all the same. */
enum { TR_CHECKS_SINCE = 1, TR_CHECKS_UNTIL = 2, TR_CHECKS_END = 4 }; /* the last: the first one of the table's own */

/* tr_plan_choose() for a table with the arguments; sets idxNum too. `table` is the table's name, for messages. */
int tr_window_choose(sqlite3_index_info *info, const char *table, TrColumn (*column_of)(int table_column),
                     const TrConnection *connection, char **message);
/* The arguments that the plan has -> the filter's times. A zeroed window is a valid freed one. */
int tr_window_bind(TrWindow *window, const char *table, const TrPlan *plan, int flags, sqlite3_value **argv,
                   TrFilter *filter, char **message);
void tr_window_free(TrWindow *window);
void tr_window_result(sqlite3_context *context, sqlite3_value *argument); /* as it was given; NULL: it was not */

/* ------------------------------------------------------------------------------------------------------------------
** sql/block.c - a stretch of a file -> its lines, judged, all held at once
*/
typedef enum TrWant {
  TR_WANT_RECORDS,
  TR_WANT_REJECTS,
  TR_WANT_FILES,    /* the files of jobs, with the records and rejects of each */
  TR_WANT_MESSAGES, /* of logs */
} TrWant;

/* Is the line one that the scan wants? `reason` is the parser's; `record` counts where that is TR_OK. */
bool tr_wants_line(TrWant want, const TrFilter *filter, const TrLine *line, const TrRecord *record, TrReason reason,
                   uint64_t *untimed);

#ifndef TR_BLOCK_BYTES /* the tests also build with blocks of a few bytes and lines */
#define TR_BLOCK_BYTES (256 * 1024)
#define TR_BLOCK_LINES 4096             /* that are wanted; as many as are found in a block of lines of 64 bytes */
#define TR_BLOCK_LINE_BYTES (64 * 1024) /* a longer line is left to the caller */
#endif
/* Of the buffer, and a block is read from so much before it on: copies between places that differ in this can be four times
** as slow. */
#define TR_BLOCK_ALIGNMENT 64

typedef struct TrJudged {
  TrLine line; /* borrows from the block's buffer */
  TrRecord record;
  TrReason reason;
} TrJudged;

typedef struct TrBlock {
  uint32_t ordinal;   /* of the file */
  TrFile file;        /* a copy, all of whose blocks share the descriptor; its size is the snapshot */
  bool owns_file;     /* the first of a file: whoever takes the file over clears this */
  int64_t from, to;   /* bytes: the lines that begin here. None before `from`, unless there is a newline before it */
  TrJudged *judged;   /* owned, room for TR_BLOCK_LINES and one: the lines that are wanted */
  unsigned count;     /* of them */
  uint64_t untimed;   /* records that are not, since their time cannot be read */
  int64_t stopped_at; /* the line that was left to the caller, with all behind it; `to` if none was */
  bool shrunk;        /* the file is smaller than it was: it ends here */
  bool unread;        /* it could not be read, so it is not known where its first line begins */
  bool done;          /* ahead.c's */
  unsigned char *allocated; /* owned */
  unsigned char *buffer;    /* in it, aligned: `room` bytes and TR_PADDING more */
  size_t room;
} TrBlock;

typedef struct TrWanted {
  TrWant want;
  const TrFilter *filter; /* borrowed */
  size_t max_line;
} TrWanted;

void tr_block_judge(TrBlock *block, const TrWanted *wanted, TrParser *parser);

/* ------------------------------------------------------------------------------------------------------------------
** sql/ahead.c - blocks, judged ahead of their turn, by helper threads and by the caller
*/
#define TR_AHEAD_BLOCKS 4

typedef struct TrAhead TrAhead;

/* What `wanted` borrows must live until tr_ahead_stop(). NULL: no threads, or no memory; do without. */
TrAhead *tr_ahead_start(const TrWanted *wanted, unsigned threads);
void tr_ahead_stop(TrAhead *ahead); /* NULL is allowed */
/* Call order, any number of times: describe the block that room returns (NULL: all are in use) and post it; take the oldest
** that was posted (*block NULL: there is none), and release it before the next one is taken. */
TrBlock *tr_ahead_room(TrAhead *ahead);
bool tr_ahead_is_low(const TrAhead *ahead); /* is it time to post more? */
void tr_ahead_post(TrAhead *ahead);
int tr_ahead_take(TrAhead *ahead, TrPoll *poll, TrBlock **block); /* SQLITE_OK or SQLITE_INTERRUPT */
void tr_ahead_release(TrAhead *ahead);

/* ------------------------------------------------------------------------------------------------------------------
** sql/queue.c - which entries a scan looks at, and in which order
** sql/lookahead.c - the files of a scan, as blocks, ahead of their turn
** sql/scan.c - directory, files, lines and records put together: one pass over what a filter wants
*/

typedef struct TrScan {
  TrConnection *connection; /* borrowed */
  TrPoll *poll;             /* borrowed */
  TrWant want;
  const TrStore *store;
  TrFilter filter; /* owned */
  size_t max_line;
  bool skips_unreadable;
  char *dir_path; /* owned */
  TrDir dir;
  uint32_t *queue; /* owned: ordinals of the files to scan, in the order of the scan */
  size_t queue_count, queue_room, queue_at;
  uint32_t ordinal; /* of the current entry */
  const char *name; /* of the current entry; lives with the connection */
  TrFile file;      /* the current entry, while it is being read */
  struct {
    unsigned threads;  /* at most, the caller's included */
    int64_t begins_at; /* of the current file: when so much of it has been read line by line */
    int64_t passed;    /* bytes of the files so far, the current one included */
    TrAhead *blocks;   /* owned; NULL: line by line */
    TrBlock *block;    /* borrowed: the current one */
    unsigned given;    /* of its lines */
    bool by_line;      /* what it left is being read */
    uint32_t ordinal;  /* of the file whose blocks are posted next, */
    TrFile file;       /* a copy, */
    int64_t from;      /* and the first of them */
    bool waits;        /* for the entry at queue_at, which is not plain, to have its turn */
  } ahead;
  TrLines lines;
  TrMessages messages; /* WANT_MESSAGES */
  TrParser parser;
  TrLine line;        /* the current line, or message */
  TrReason reason;    /* TR_OK, or why it is not a record */
  TrRecord record;    /* TR_OK: its spans */
  char *entry_reason; /* owned. REJECTS, MESSAGES: why the entry as a whole is a row; there is no line then */
} TrScan;

int tr_queue_fill(TrScan *scan, char **message);

/* All of these: SQLITE_OK or SQLITE_INTERRUPT, and scan->ahead.block is the block to go on with, or NULL. */
int tr_lookahead_begin(TrScan *scan); /* from the next line of the current file on; NULL: not worth it, or no threads */
int tr_lookahead_next_block(TrScan *scan); /* of the current file */
int tr_lookahead_next_file(TrScan *scan);  /* the current file is then that one; NULL: no file was opened ahead */
int tr_lookahead_leave_file(TrScan *scan); /* closes it; NULL: whatever is left of it is not wanted */

/* Call order: init, begin, next until SQLITE_DONE, end. begin may be called again without end, for a cursor's next
** xFilter. It takes over what `filter` owns. */
void tr_scan_init(TrScan *scan, TrConnection *connection, TrPoll *poll, TrWant want);
int tr_scan_begin(TrScan *scan, const TrSource *source, TrFilter *filter, char **message);
int tr_scan_next(TrScan *scan, char **message); /* SQLITE_ROW, SQLITE_DONE, or an error */
void tr_scan_end(TrScan *scan);
int64_t tr_scan_rowid(const TrScan *scan);
TrBytes tr_scan_words(const TrScan *scan);     /* WANT_MESSAGES: of the current message, as far as they are held */
size_t tr_scan_job_length(const TrScan *scan); /* bytes of scan->name that are the job's id */

/* TR_WANT_FILES: instead of tr_scan_next, next_file until SQLITE_DONE, and within each next_line until SQLITE_DONE. */
int tr_scan_next_file(TrScan *scan, char **message);
int tr_scan_next_line(TrScan *scan, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** sql/tally.c - the records and rejects of one job -> its figures
*/
typedef struct TrKept {
  TrSpan span;          /* into bytes; its start is 0 */
  unsigned char *bytes; /* owned; a NUL follows the span */
  size_t room;
} TrKept;

/* A mean of durations: of those that are known. */
typedef struct TrMean {
  double sum_us;
  int64_t count;
} TrMean;

typedef struct TrTally {
  locale_t c_locale; /* borrowed */
  bool wants_times;  /* repair and between are asked for: the times of outages have to be read */
  int64_t runs, successes, rejects;
  int64_t streak; /* n: the last n runs succeeded; -n: failed; 0: no runs */
  int64_t longest_failure_streak;
  bool outage_timed; /* the last outage has begun at a known time, */
  int64_t outage_us; /* this one */
  TrMean repair;     /* from an outage's first failure to the success that ended it */
  TrMean between;    /* from one outage's beginning to that of the next */
  TrKept first_run, last_success, last_failure, last_error; /* as in the record; of kind TR_ABSENT if there was none */
} TrTally;

/* A zeroed TrTally but for c_locale and wants_times is a valid one. begin keeps the memory of the job before. */
void tr_tally_begin(TrTally *tally);
int tr_tally_record(TrTally *tally, const TrLine *line, const TrRecord *record); /* SQLITE_OK or SQLITE_NOMEM */
void tr_tally_free(TrTally *tally);
const TrKept *tr_tally_last_run(const TrTally *tally); /* the timestamp */
bool tr_kept_time_us(const TrKept *kept, int64_t *time_us);

/* ------------------------------------------------------------------------------------------------------------------
** retain/prune.c - one job's prune, step by step: what the SQL functions call
** retain/io.c - the system calls of all steps, tried again, done to the end, explained
** retain/rules.c - which lines are kept
** retain/select.c - the lines that are kept, as ranges of the file's bytes
** retain/copy.c - the kept lines -> a temporary file that can take the old one's place
** retain/lease.c - leases: knowing that nobody has a file open, and making those wait who want to
** retain/journal.c - what a killed prune leaves for the next one to read
** retain/exchange.c - the temporary and the job's file change names
** retain/drain.c - what writers appended to the old file meanwhile -> the live file; then the old one goes
** retain/recover.c - finishes or discards what a killed prune left
**
** Their functions return SQLITE_OK; SQLITE_BUSY with *message saying who is in the way (a result, not an error); or an
** error code with *message naming job, file, cause and what to do.
*/
typedef struct TrPruneOptions {
  bool by_count, by_time; /* at least one; a record is kept if either rule keeps it */
  int64_t keep;           /* by_count: the last so many records */
  int64_t since_us;       /* by_time: and what is as new as this, or has no time */
  int64_t keep_failures;  /* and the last so many failures that neither rule keeps */
  bool drop_rejects;      /* lines that are not records are not kept by their neighbours, nor for want of a time */
  bool count;             /* read everything, to tell how many lines go */
  bool dry_run;           /* look, change nothing; implies count */
  bool one_thread;        /* no helper */
  bool force;             /* do it although a guard would refuse */
  bool offline;           /* the caller says that no writer runs: do without what this file system lacks */
} TrPruneOptions;

/* What the rules know of the lines so far, newest first. */
typedef struct TrRules {
  const TrPruneOptions *options; /* borrowed */
  TrParser parser;
  int64_t records;        /* seen so far, that is from the end */
  int64_t kept;           /* of them */
  int64_t extra_failures; /* kept by keep_failures alone */
  bool keeps_last;        /* whether the line asked about last, the next one in the file, is kept */
  char old_day[11];       /* "2026-01-31T": a day that is older than `since` to its last microsecond; or zeros */
} TrRules;

void tr_rules_begin(TrRules *rules, const TrPruneOptions *options);
bool tr_rules_keep(TrRules *rules, const TrLine *line); /* a line with its newline, before all that were asked about */
bool tr_rules_are_done(const TrRules *rules);           /* can no rule keep anything that is older? */
bool tr_rules_need_no_order(const TrPruneOptions *options); /* is each line judged by itself? */

typedef struct TrRange {
  int64_t from, to; /* bytes [from, to) of a file: whole lines */
} TrRange;

typedef struct TrSelection {
  TrRange *range; /* owned: kept lines, in file order, neighbours joined */
  size_t count, room;
  int64_t end;        /* of the last whole line: what follows is left to the drain */
  int64_t kept_bytes; /* sum of the ranges */
  int64_t kept;       /* records among them */
  int64_t dropped;    /* lines that go; -1: not counted */
} TrSelection;

/* Reads `fd` backwards, and no further than it has to. */
int tr_select(TrSelection *selection, int fd, const TrPruneOptions *options, size_t max_line, TrPoll *poll,
              char **message);
void tr_selection_free(TrSelection *selection);

/* On disk, in the machine's own byte order: it names inodes of this machine. All of it is whole when `checksum` is. */
typedef struct TrJournalState {
  char magic[16];
  uint64_t sequence;            /* the higher of the two slots counts */
  uint64_t old_dev, old_ino;    /* the file that was copied */
  uint64_t live_dev, live_ino;  /* the temporary, which the exchange makes the live file */
  int64_t drained;              /* bytes of the old file that need no more care: kept, dropped, or in the live file */
  int64_t region_at;            /* a region of the live file that belongs to old[drained...]: from here, */
  int64_t region_length;        /* so many bytes; 0: there is none. Its last byte is a newline, */
  uint32_t region_adds_newline; /* which the old file lacks, if this is set */
  uint32_t region_reserved;     /* the live file is known to reach behind it; else it has to be looked at */
  uint32_t job_length;          /* bytes */
  char job_id[TR_NAME_SIZE];    /* so that a leftover can be told when the job's file is gone */
  uint32_t zero;                /* no padding: the sum goes over every byte */
  uint64_t checksum;
} TrJournalState;

typedef struct TrJournal {
  int fd;      /* owned; -1 when there is none */
  uid_t owner; /* of one that was loaded */
  TrJournalState state;
} TrJournal;

/* How far a prune has changed anything: what its errors say. */
typedef enum TrPruneState {
  TR_PRUNE_UNTOUCHED,
  TR_PRUNE_RECOVERED,  /* what an interrupted prune had left was finished or discarded, and nothing changed since */
  TR_PRUNE_UNFINISHED, /* from the exchange, or the beginning of a recovery, on: the journal tells how to go on */
  TR_PRUNE_REPLACED,   /* offline: the copy has the job's name */
} TrPruneState;

typedef struct TrPrune {
  TrDir *dir;                    /* borrowed */
  TrPoll *poll;                  /* borrowed; not asked between the exchange and the end */
  const TrPruneOptions *options; /* borrowed */
  const char *job_id;            /* borrowed, `job_length` bytes */
  size_t job_length;
  size_t max_line;
  char file_name[TR_NAME_SIZE]; /* these four relative to dir */
  char new_name[TR_LEFTOVER_NAME_SIZE], journal_name[TR_LEFTOVER_NAME_SIZE], lock_name[TR_LEFTOVER_NAME_SIZE];
  int lock_fd; /* owned, like the next two; -1 when closed */
  int old_fd;  /* O_RDONLY (a read lease asks for that): the file being pruned, which ends up under new_name */
  int live_fd; /* O_RDWR, never O_APPEND (pwrite() would append): the temporary, which ends up under file_name */
  struct stat old_stat;
  bool no_leases; /* offline, on a file system without them */
  TrPruneState state;
  int64_t exclusive_until_ms; /* our write lease on the live file holds until then at least; 0: we have none */
  TrSelection selection;
  TrJournal journal;
} TrPrune;

/* Would that be a slip of the hand? *refusal (owned) says why, and what would go; or it is NULL. `name`: of the one job's
** file that is to be pruned; NULL: of all. SQLITE_BUSY: another program has leased the one. */
int tr_guard(TrDir *dir, TrPoll *poll, const TrPruneOptions *options, size_t max_line, const char *name, char **refusal,
             char **message);

typedef enum TrPruneResult { TR_PRUNED, TR_PRUNE_UNCHANGED, TR_PRUNE_DRY_RUN, TR_PRUNE_BUSY } TrPruneResult;

typedef struct TrPruneReport {
  TrPruneResult result;
  int64_t kept;        /* records; what is appended meanwhile is not counted. -1: not known (busy) */
  int64_t bytes_freed; /* 0 if nothing was */
  int64_t dropped;     /* lines; -1: not counted */
  bool recovered;      /* an interrupted prune of the job was finished or discarded first */
  char *reason;        /* owned; TR_PRUNE_BUSY: who is in the way */
} TrPruneReport;

/* Prunes one job. SQLITE_NOTFOUND: it has no file (and *message says so). The caller frees report->reason. */
int tr_prune_job(TrDir *dir, TrPoll *poll, const TrPruneOptions *options, size_t max_line, const char *job_id,
                 size_t job_length, TrPruneReport *report, char **message);

int tr_prune_error(const TrPrune *prune, int code, char **message, int error_number, const char *format, ...);
int tr_prune_open(const TrPrune *prune, const char *name, int flags, mode_t mode); /* -1: see errno */
int tr_write_at(int fd, const void *bytes, size_t length, int64_t at);             /* 0, or errno */
int tr_read_at(int fd, void *bytes, size_t length, int64_t at, bool *whole); /* 0, or errno; not whole: it ends there */

int tr_copy_kept(TrPrune *prune, char **message); /* creates the temporary, and fsyncs it */
int tr_copy_bytes(TrPrune *prune, TrRange from, int64_t at, TrPoll *poll, char **message); /* old file -> live file */
int tr_copy_owner(TrPrune *prune, char **message);   /* of the old file -> live file; its mode and access lists too */
int tr_copy_discard(TrPrune *prune, char **message); /* temporary and journal */

int64_t tr_clock_ms(void);           /* monotonic */
void tr_lease_pause(void);           /* between two tries: 0.1 ms */
int tr_lease_take(int fd, int type); /* F_RDLCK or F_WRLCK; 0, or errno: EAGAIN if others are in the way */
void tr_lease_drop(int fd);
bool tr_lease_is_unbroken(int fd, int type, int milliseconds); /* nobody has wanted the file for so long */
int tr_lease_budget_ms(void);                                  /* how long one surely holds against a waiting open */
int tr_lease_wait_idle(TrPrune *prune, char **message);        /* step 4: nobody has the file open for writing */

int tr_journal_create(TrPrune *prune, char **message);
int tr_journal_load(TrPrune *prune, bool *complete, char **message); /* fd stays -1 if there is none */
int tr_journal_save(TrPrune *prune, char **message);                 /* durable on return */
void tr_journal_close(TrJournal *journal);
bool tr_journal_job(int dirfd, const char *leftover, char out[TR_NAME_SIZE], size_t *length); /* whose is it? */

/* Whose files may be believed. `found` is the lock, the journal or the temporary; `live` may be NULL: there is none. */
int tr_trust_file(const TrPrune *prune, const char *name, const struct stat *found, char **message);
int tr_trust_leftover(const TrPrune *prune, const char *name, const struct stat *found, char **message);
int tr_trust_drain(const TrPrune *prune, const struct stat *old, const struct stat *live, uid_t journal_owner,
                   char **message);

int tr_exchange(TrPrune *prune, char **message);         /* prune->state tells how far it came */
int tr_exchange_offline(TrPrune *prune, char **message); /* a plain rename, for want of leases or exchange */
int tr_drain(TrPrune *prune, char **message);            /* on success the old file and the journal are gone */
int tr_recover(TrPrune *prune, bool *recovered, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** export/writer.c - a second thread that writes one buffer to a file, while the caller fills another
*/
typedef struct TrWriter TrWriter;

TrWriter *tr_writer_start(int fd); /* a regular file, borrowed. NULL: no thread, or no memory; do without */
/* Call order: wait, then put, any number of times; wait, then stop. wait returns when nothing is left to write: SQLITE_OK,
** with *written counted on and *reason 0 or the errno of what failed; or SQLITE_INTERRUPT. put takes over the buffer, of
** TR_OUTPUT_BYTES, and returns another one. */
int tr_writer_wait(TrWriter *writer, TrPoll *poll, int64_t *written, int *reason);
char *tr_writer_put(TrWriter *writer, char *buffer, size_t length);
void tr_writer_stop(TrWriter *writer); /* NULL is allowed */

/* ------------------------------------------------------------------------------------------------------------------
** export/target.c (target.h) - a path -> an open file that nobody else can have put there
** export/output.c - bytes -> a file that is there whole or not at all, or a pipe
*/
#define TR_OUTPUT_BYTES ((size_t)256 * 1024)

typedef struct TrOutput {
  const char *path; /* borrowed: as it was given, for messages */
  char *buffer;     /* owned: TR_OUTPUT_BYTES */
  size_t length;    /* bytes in it */
  int64_t written;  /* bytes that the system has taken */
  int code;         /* the first failure; it sticks, and what is appended after it is dropped */
  char **message;   /* borrowed: the first failure's words */
  TrTarget target;  /* owned */
  bool sync;        /* wait until the disk has it */
  bool one_thread;  /* no writer; also when the output is no regular file */
  TrWriter *writer; /* owned; NULL: not yet, or none */
  TrPoll *poll;     /* borrowed */
} TrOutput;

/* Call order: open, append, commit, close; close without commit takes everything back (but not what a pipe took). */
int tr_output_open(TrOutput *output, const char *path, bool sync, bool one_thread, TrPoll *poll, char **message);
void tr_output_append(TrOutput *output, const char *bytes, size_t length);
void tr_output_flush(TrOutput *output); /* empties the buffer, also when that fails */
static inline void tr_output_byte(TrOutput *output, char byte) {
  if (output->length == TR_OUTPUT_BYTES) tr_output_flush(output);
  output->buffer[output->length++] = byte;
}
int tr_output_commit(TrOutput *output);
void tr_output_close(TrOutput *output);

/* ------------------------------------------------------------------------------------------------------------------
** export/formula.c - would a spreadsheet take this cell for a formula?
*/
bool tr_formula_is(const char *text, size_t length); /* any bytes */

/* ------------------------------------------------------------------------------------------------------------------
** export/csv.c - a SQL value -> one cell, by RFC 4180
** sql/export_function.c - taskresults_export_csv(): the rows of one SELECT -> cells -> the output
*/
typedef struct TrCsv {
  char delimiters[16]; /* the delimiter as often as it is compared at a step; set by tr_csv_delimiter() */
  bool guard;          /* a ' before formulas */
} TrCsv;

bool tr_csv_delimiter(TrCsv *csv, const char *text); /* false: that is none */
void tr_csv_value(TrOutput *output, const TrCsv *csv, sqlite3_value *value, int64_t max_chars); /* -1: not cut */
void tr_csv_text(TrOutput *output, const TrCsv *csv, const char *text);

/* ------------------------------------------------------------------------------------------------------------------
** sql/signature.c - taskresults_signature(error): what kind of failure a text tells of
*/
#define TR_SIGNATURE_SIZE 900 /* bytes */

size_t tr_signature_of(TrBytes error, char out[TR_SIGNATURE_SIZE]); /* its length; no NUL is added */
int tr_signature_register(sqlite3 *db);

/* ------------------------------------------------------------------------------------------------------------------
** sql/hash.c - taskresults_hash(record): a number by which a stored line is found again
*/
int tr_hash_register(sqlite3 *db);

/* ------------------------------------------------------------------------------------------------------------------
** sql/time_functions.c - taskresults_time(), taskresults_span() and taskresults_untimed()
*/
int tr_time_functions_register(TrConnection *connection);

/* ------------------------------------------------------------------------------------------------------------------
** sql/kinds.c - the failures of one job -> how often each kind of them occurred
*/
typedef struct TrErrorKind {
  char *signature; /* owned; no NUL ends it, but there may be some in it */
  size_t length;   /* bytes */
  int64_t times;
  int64_t offset;            /* of the first one's line */
  bool timed;                /* the times of one at least could be read: */
  int64_t first_us, last_us; /* the earliest and the latest */
} TrErrorKind;

typedef struct TrMemo TrMemo; /* a text of this job whose kind is known */

typedef struct TrErrorKinds {
  locale_t c_locale; /* borrowed */
  TrErrorKind *kind; /* owned; in the order of the file */
  size_t count, room;
  size_t *slot;      /* owned: index into kind[] + 1, or 0 */
  size_t slot_count; /* a power of two, twice the room */
  TrMemo *memo;      /* owned */
  uint64_t seed;
  TrScratch scratch;
} TrErrorKinds;

/* A zeroed TrErrorKinds but for c_locale is a valid one. begin forgets the job before. All: SQLITE_OK or SQLITE_NOMEM. */
int tr_kinds_begin(TrErrorKinds *kinds);
int tr_kinds_add(TrErrorKinds *kinds, const TrLine *line, const TrRecord *record);
void tr_kinds_free(TrErrorKinds *kinds);

/* ------------------------------------------------------------------------------------------------------------------
** sql/table.c - what the tables have in common
** sql/results.c, sql/rejects.c, sql/stats.c, sql/errors.c, sql/logs.c, sql/jobs.c, sql/runs.c - the tables
** sql/prune_functions.c - taskresults_prune() and taskresults_prune_all()
** sql/extension.c - the entry points
*/

typedef struct TrTable {
  sqlite3_vtab base;
  TrConnection *connection; /* counted reference */
  TrPoll poll;
  TrSource source;
  bool direct_only;  /* made with arguments, out of reach of triggers: INSERT needs no opt-in */
  TrPending pending; /* task_results: what the open transaction has inserted */
} TrTable;

typedef struct TrCursor {
  sqlite3_vtab_cursor base;
  TrScan scan;
  TrScratch scratch;
  bool at_end;
  bool joins_asked, outer_join; /* could the statement have one? */
} TrCursor;

int tr_table_connect(sqlite3 *db, TrConnection *connection, const TrStore *store, const char *schema, int argc,
                     const char *const *argv, sqlite3_vtab **vtab, char **message);
int tr_table_declare(sqlite3 *db, const char *schema, int argc, char **message); /* DIRECTONLY, if it has arguments */
int tr_table_disconnect(sqlite3_vtab *vtab);
int tr_table_open(sqlite3_vtab *vtab, TrWant want, sqlite3_vtab_cursor **cursor);
int tr_table_close(sqlite3_vtab_cursor *cursor);
int tr_table_filter(sqlite3_vtab_cursor *cursor, int unused, const char *plan, int argc, sqlite3_value **argv);
/* The same for a table with the arguments since and until (see window.c), the beginning of its scan included. */
int tr_table_begin_window(sqlite3_vtab_cursor *cursor, TrWindow *window, const char *name, bool failures_only,
                          int flags, const char *plan, int argc, sqlite3_value **argv);
int tr_table_next(sqlite3_vtab_cursor *cursor);
int tr_table_eof(sqlite3_vtab_cursor *cursor);
int tr_table_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid);
void tr_result_bytes(sqlite3_context *context, const void *bytes, size_t length); /* TEXT, or BLOB if it is not UTF-8 */

/* ------------------------------------------------------------------------------------------------------------------
** sql/insert.c - INSERT: SQL values -> row
** sql/transaction.c - SQLite's transaction and savepoints -> the pending rows
** sql/writable.c - taskresults_writable(), the opt-in
*/

/* The columns of task_results. */
enum {
  TR_RESULTS_TIMESTAMP,
  TR_RESULTS_JOB_ID,
  TR_RESULTS_JOB_NAME,
  TR_RESULTS_SUCCESS,
  TR_RESULTS_OUTPUT,
  TR_RESULTS_ERROR,
  TR_RESULTS_JOB, /* the first hidden column is the argument of task_results('my-job') */
  TR_RESULTS_TIME_US,
  TR_RESULTS_OFFSET,
  TR_RESULTS_RECORD,
  TR_RESULTS_OK,
  TR_RESULTS_COLUMNS
};

int tr_insert_update(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
int tr_transaction_begin(sqlite3_vtab *vtab);
int tr_transaction_sync(sqlite3_vtab *vtab);
int tr_transaction_commit(sqlite3_vtab *vtab);
int tr_transaction_rollback(sqlite3_vtab *vtab);
int tr_transaction_savepoint(sqlite3_vtab *vtab, int savepoint);
int tr_transaction_release(sqlite3_vtab *vtab, int savepoint);
int tr_transaction_rollback_to(sqlite3_vtab *vtab, int savepoint);
int tr_writable_register(TrConnection *connection);

/* sql/acting.c - the functions that act on files: who may call them, and when. */
int tr_acting_register(TrConnection *connection, const char *name, int argc,
                       void (*function)(sqlite3_context *, int, sqlite3_value **));
/* Both: false, and the error is set. */
bool tr_acting_is_run(sqlite3_context *context);  /* SQLite is not preparing */
bool tr_acting_may_act(sqlite3_context *context); /* nor is the connection under PRAGMA query_only */

int tr_results_register(TrConnection *connection);
int tr_rejects_register(TrConnection *connection);
int tr_stats_register(TrConnection *connection);
int tr_errors_register(TrConnection *connection);
int tr_logs_register(TrConnection *connection);
int tr_jobs_register(TrConnection *connection);
int tr_runs_register(TrConnection *connection);
int tr_prune_register(TrConnection *connection);
int tr_export_register(TrConnection *connection);

#pragma GCC visibility pop
#endif /* TR_H */
