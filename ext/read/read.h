/*
** read.h - directory -> file -> lines -> record -> value.
*/
#ifndef TR_READ_H
#define TR_READ_H

#include "../base/base.h"
#include "../mapping/mapping.h"

#pragma GCC visibility push(hidden)

#define TR_SUFFIX ".jsonl"
#define TR_SUFFIX_LEN 6
#define TR_DEFAULT_MAX_LINE (1024 * 1024)        /* bytes, without the newline */
#define TR_HIGHEST_MAX_LINE (1024 * 1024 * 1024) /* spans count in 32 bits */
#define TR_MAX_NESTING 900                       /* levels; the record itself is the first */
#define TR_MAX_INT_DIGITS 4300                   /* Python's sys.int_info.default_max_str_digits */

/* ------------------------------------------------------------------------------------------------------------------
** read/dir.c - directory -> files */
/* A directory with one file for each job: the results, or the logs. */
typedef struct TrStore {
  const char *prefix, *suffix; /* of the files' names; the part between them is the job's id */
  size_t prefix_length, suffix_length;
  bool is_one_name;     /* all of it is the prefix */
  const char *word;     /* for messages: what the directory holds, */
  const char *table;    /* and the table that reads it */
  const char *variable; /* the environment variable that names it */
  const char *default_dir;
} TrStore;

extern const TrStore tr_results_store, tr_logs_store;

typedef struct TrDir {
  int fd;               /* -1 when closed */
  const TrStore *store; /* for messages */
  const char *path;     /* for messages; borrowed */
} TrDir;

typedef enum TrEntry {
  TR_ENTRY_READABLE,   /* a regular file, now open */
  TR_ENTRY_VANISHED,   /* removed since it was listed */
  TR_ENTRY_IRREGULAR,  /* a link, directory, FIFO, socket or device: never opened for reading */
  TR_ENTRY_UNREADABLE, /* a regular file that the system will not let us read: see error_number */
} TrEntry;

typedef struct TrFile {
  int fd;                  /* owned while READABLE, else -1 */
  struct stat stat;        /* READABLE: of the open file; IRREGULAR: of the entry */
  int error_number;        /* UNREADABLE */
  uint32_t segment;        /* its number in its job's history, from 1 on; 0: only live files are read */
  bool has_more;           /* it has segments that follow */
  uint8_t codec;           /* TrCodec of history.h: how it is compressed */
  struct TrFrames *frames; /* owned: of an archived segment; then the size in `stat` is that of its text */
  void (*free_frames)(struct TrFrames *frames);
  struct TrIndex *index; /* owned: what is known of its lines already */
  void (*free_index)(struct TrIndex *index);
} TrFile;

TR_CHECKED int tr_dir_check_single(const TrStore *store, const char *path, char **message); /* an error if it has a * */
TR_CHECKED int tr_dir_open(TrDir *dir, const TrStore *store, const char *path, char **message);
void tr_dir_close(TrDir *dir);

/* Calls visit() for every entry's name, in the directory's own order, until visit() returns anything but SQLITE_OK. */
TR_CHECKED int tr_dir_list(TrDir *dir, TrPoll *poll, int (*visit)(void *, const char *), void *context, char **message);

/* Opens one entry for reading: never follows a link, never waits on a FIFO; waits out a pruner's lease. Returns
** SQLITE_OK and *entry, or SQLITE_INTERRUPT. The caller closes file->fd with tr_file_close(). */
TR_CHECKED int tr_dir_open_file(TrDir *dir, const char *name, TrPoll *poll, TrFile *file, TrEntry *entry);
void tr_file_close(TrFile *file);

/* Is the entry's name that of a job's file? Can the job id be part of a file's name at all? */
bool tr_store_has_name(const TrStore *store, const char *name, size_t length);
bool tr_store_has_job(const TrStore *store, const char *job_id, size_t length);
bool tr_name_is_job_file(const char *name, size_t length); /* the same for the results directory */
bool tr_job_id_is_usable(const char *job_id, size_t length);

/* ------------------------------------------------------------------------------------------------------------------
** read/lines.c - file -> lines, forwards or backwards, through one small buffer */
#ifndef TR_READ_BYTES
#define TR_READ_BYTES (256 * 1024) /* the tests also build with a few bytes, to put a boundary everywhere */
#endif
#define TR_PADDING 64 /* bytes after every line that may be read (not used), so that the lanes can load whole blocks */

typedef struct TrLine {
  const unsigned char *text; /* without its newline; TR_PADDING more bytes can be read; NULL if too_long */
  uint64_t length;           /* bytes, without the newline */
  int64_t offset;            /* of its first byte in the file */
  bool terminated;           /* false only for the last line of a file that does not end in a newline */
  bool too_long;             /* longer than max_line: skipped, not held in memory */
} TrLine;

/* Bytes that are not those of a file as they are. *got 0 is the end; SQLITE_CORRUPT: something is wrong there. read
** gives the first bytes from `offset` on; read_back the last ones before it, in the end of the room. */
typedef struct TrSource {
  int (*read)(struct TrSource *source, unsigned char *into, size_t room, int64_t offset, size_t *got);
  int (*read_back)(struct TrSource *source, unsigned char *into, size_t room, int64_t offset, size_t *got);
} TrSource; /* a stream has no read_back, and ignores the offset */

typedef struct TrLines {
  int fd;                /* borrowed */
  TrSource *source;      /* borrowed; set it after open: then lines are read from it, instead of from fd */
  TrPoll *poll;          /* borrowed */
  unsigned char *buffer; /* owned; `capacity` bytes and TR_PADDING more */
  size_t capacity;
  size_t length;              /* bytes of the file now in the buffer */
  size_t read_bytes;          /* size of the next read; grows, so that a reader of a few lines reads little */
  int64_t base;               /* file offset of buffer[0] */
  int64_t floor;              /* backwards: it ends there, where a line begins; 0, unless it is set after open */
  int64_t end;                /* where the scan ends: the size when it began, or less if the file was truncated since */
  int64_t seen_size;          /* largest size seen: a smaller one means that the file was truncated */
  size_t max_line;            /* bytes */
  bool backwards, has_shrunk; /* what was read last is cut short */
  size_t mark;                /* forwards: first byte not yet returned. backwards: end of the bytes not yet returned */
  size_t searched;            /* forwards: no newline in [mark, searched) */
} TrLines;

/* Call order: open, then next until SQLITE_DONE, then close. `size` is a snapshot: what is appended later is not read.
** The buffer is kept when the same TrLines is opened on another file. A zeroed TrLines is a valid closed one. */
TR_CHECKED int tr_lines_open(TrLines *lines, int fd, int64_t from, int64_t size, size_t max_line, bool backwards,
                             TrPoll *poll);
/* SQLITE_ROW, _DONE, _INTERRUPT, _NOMEM, _CORRUPT (of a source), or _IOERR_* with errno set: tr_lines_position(). */
TR_CHECKED int tr_lines_next(TrLines *lines, TrLine *line);
/* For a caller that finds the end of a line itself. tr_lines_buffered() gives the bytes not yet returned, which end
** with a NUL (NULL: the buffer is empty, or we read backwards). tr_lines_take() returns the first `length` of them as
** the next line; a newline must follow them. False: not possible; call tr_lines_next(). */
static inline const unsigned char *tr_lines_buffered(const TrLines *lines) {
  return lines->backwards || lines->mark == lines->length ? NULL : lines->buffer + lines->mark;
}
static inline bool tr_lines_take(TrLines *lines, size_t length, TrLine *line) {
  size_t end = lines->mark + length;
  if (length > lines->max_line || end >= lines->length) return false;
  *line = (TrLine){.text = lines->buffer + lines->mark,
                   .length = length,
                   .offset = lines->base + (int64_t)lines->mark,
                   .terminated = true};
  lines->mark = lines->searched = end + 1;
  return true;
}
/* Reads a range of the file again. *got is less than `count` only if the file has shrunk. */
TR_CHECKED int tr_lines_read_again(TrLines *lines, void *into, size_t count, int64_t offset, size_t *got);
int64_t tr_lines_position(const TrLines *lines);                 /* the scan's offset in the file, for messages */
static inline int64_t tr_lines_following(const TrLines *lines) { /* forwards: where the next line begins */
  return lines->base + (int64_t)lines->mark;
}
void tr_lines_close(TrLines *lines);

/* ------------------------------------------------------------------------------------------------------------------
** read/field.c - which keys have a column
** read/record.c - line -> record, or the reason why it is none: which lane parses it
** read/reason.c - the text of each reason
** read/mapped.c - line and mapping -> record
** read/fast.c, fast_walk.inc - the fast lane: flat objects of scalars
** read/verdict.c - the slow lane: every line, and the reason if it is not a record */
typedef enum TrField { TR_TIMESTAMP, TR_JOB_NAME, TR_SUCCESS, TR_OUTPUT, TR_ERROR, TR_FIELD_COUNT } TrField;

/* The column of a key, given by its raw bytes without quotes. TR_FIELD_COUNT for every other key. */
TrField tr_field_named(const unsigned char *key, size_t length);
typedef enum TrKind {
  TR_ABSENT, /* the key is missing; the rest of the span has no meaning */
  TR_NULL,
  TR_FALSE,
  TR_TRUE,
  TR_INTEGER, /* the digits, with sign */
  TR_REAL,    /* has a fraction or an exponent */
  TR_NAN,
  TR_PLUS_INFINITY,
  TR_MINUS_INFINITY,
  TR_STRING,  /* the bytes between the quotes, escapes not decoded */
  TR_NESTED,  /* an object or array, brackets included */
  TR_EPOCH,   /* of a mapping: a number, or a text of digits, that is a time */
  TR_UNKNOWN, /* of a mapping, for `success`: neither true nor false */
  TR_UNREAD,  /* the index tells of the record; this value is in its line, which has not been read */
  TR_TIME,    /* the same, of a timestamp whose time is known: read by tr_span_time_us() alone */
} TrKind;

typedef struct TrSpan {
  uint32_t start;  /* from the line's first byte */
  uint32_t length; /* bytes */
  uint8_t kind;    /* TrKind */
  bool escaped;    /* TR_STRING: holds at least one backslash */
} TrSpan;
typedef struct TrRecord {
  TrSpan field[TR_FIELD_COUNT + 1]; /* the last one is written for all other keys, and never read */
  TrSpan job, started, duration;    /* only under a mapping */
  bool duration_in_seconds;         /* else in milliseconds */
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
  TR_OTHER,   /* a line of JSON that the mapping does not want: neither a record nor a reject */
  TR_DAMAGED, /* not a line: from here on, a compressed file cannot be read */
  TR_REASON_COUNT
} TrReason;

const char *tr_reason_text(TrReason reason); /* stable, documented in ext/TABLES.md; static */
/* A fast lane returns the end of the line (its newline or NUL) if the line is a record, whose spans it has set; or
** NULL, "not mine": ask the slow lane. It finds the end of the line itself; so there must be a newline or a NUL, and
** TR_PADDING readable bytes from there on. */
typedef const unsigned char *(*TrFastLane)(const unsigned char *text, TrLayout *layout, TrRecord *record);
/* The same for the keys of a mapping: the spans are those of its slots; or, with layouts->is_direct, of the record
** (which may be NULL: never). */
typedef const unsigned char *(*TrMappedLane)(const unsigned char *text, TrMappedLayouts *layouts, const TrKeys *keys,
                                             TrSpan *slot, TrRecord *record);
typedef struct TrLane { /* for one kind of processor */
  const char *name;     /* for tests */
  TrFastLane native;
  TrMappedLane mapped;
} TrLane;
const TrLane *tr_fast_lane(unsigned rank); /* of those that this processor can run; 0: the best. NULL: no more */
TrReason tr_slow_mapped_lane(const unsigned char *text, size_t length, const TrKeys *keys, TrSpan *slot);
TrReason tr_slow_lane(const unsigned char *text, size_t length, TrRecord *record);
TrReason tr_slow_lane_at(const unsigned char *text, size_t length, size_t *at); /* *at: where it shows */
/* A line and the verdict on it. */
typedef struct TrParsed {
  TrLine line;
  TrRecord record; /* TR_OK: its spans */
  TrReason reason; /* TR_OK, or why it is not a record */
} TrParsed;

typedef struct TrMappedParser {
  const TrMapping *mapping; /* borrowed */
  TrMappedVerdict verdict[TR_VERDICTS];
  unsigned next_verdict; /* to be replaced */
  TrMappedLane fast;
  TrMappedLayouts layouts;
  bool expects_record;
  TrSpan slot[TR_MAX_KEYS + 1]; /* of the current line */
} TrMappedParser;
typedef struct TrParser {
  TrFastLane fast;
  TrLayout layout;
  bool expects_record;    /* the fast lane took the previous line, so it may take the next one */
  TrMappedParser *mapped; /* borrowed; NULL: lines of our scheduler */
} TrParser;
void tr_parser_init(TrParser *parser);
void tr_parser_map(TrParser *parser, TrMappedParser *mapped, const TrMapping *mapping); /* after init; NULL: none */
TrReason tr_parse(TrParser *parser, const TrLine *line, TrRecord *record);
/* tr_lines_next() and tr_parse() in one call. That is faster, because parsing a record finds its end, too. */
TR_CHECKED int tr_parse_next(TrParser *parser, TrLines *lines, TrParsed *parsed);
TR_CHECKED int tr_mapped_next(TrMappedParser *parser, TrLines *lines, TrParsed *parsed); /* the same, by a mapping */
/* ------------------------------------------------------------------------------------------------------------------
** read/value.c - span -> SQL value
** read/timestamp.c - text <-> microseconds */
/* A buffer in which texts are decoded, one at a time. A zeroed one is valid. */
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
/* The same value cast to text, as SQLite would do it; empty for NULL. It is valid as long as the line is, but only
** until the scratch is used again. SQLITE_OK or SQLITE_NOMEM. */
TR_CHECKED int tr_span_text(const TrLine *line, const TrSpan *span, locale_t c_locale, TrScratch *scratch,
                            TrBytes *text);

bool tr_timestamp_parse(const char *text, size_t length, int64_t *time_us); /* the accepted forms are in timestamp.c */
bool tr_epoch_parse(const char *text, size_t length, int64_t *time_us);     /* the forms are in epoch.c */
bool tr_span_time_us(const TrLine *line, const TrSpan *span, int64_t *time_us);
void tr_span_set_time(TrSpan *span, int64_t time_us); /* it becomes a TR_TIME */
#define TR_TIMESTAMP_SIZE 32
void tr_timestamp_format(int64_t time_us, char out[TR_TIMESTAMP_SIZE]); /* as Python's isoformat() + "Z" */

/* The proleptic Gregorian calendar: months and days begin with 1; weekday 0 is a Sunday; days since 1970-01-01. */
int32_t tr_days_in_month(int year, int month);
int64_t tr_days_from_civil(int year, int month, int day);
void tr_civil_from_days(int64_t days, int *year, int *month, int *day);
int32_t tr_weekday_of(int64_t days);

/* ------------------------------------------------------------------------------------------------------------------
** read/zone_rule.c - the rule behind a zone's last change: CET-1CEST,M3.5.0,M10.5.0/3
** read/tzif.c - the bytes of a TZif file -> a zone
** read/zone.c - a zone by its name; what its clocks show, and when */
typedef struct TrRuleDay {
  char form;                     /* 'M': a weekday of a month; 'J': a day, 29 February not counted; 'D': a day */
  int month, week, weekday, day; /* week 5 is the last one; J counts days from 1 on, D from 0 on */
  int32_t time_s;                /* of that day's local time */
} TrRuleDay;

typedef struct TrZoneRule {
  int32_t standard_s, summer_s; /* ahead of UTC */
  bool has_summer;              /* and it is from one day to the other: */
  TrRuleDay begins, ends;
} TrZoneRule;
bool tr_zone_rule_parse(const char *text, size_t length, TrZoneRule *rule);
int64_t tr_zone_rule_change(const TrZoneRule *rule, int year, bool begins); /* of summer in that year: seconds UTC */

typedef struct TrZone {
  int64_t *change_s;  /* owned: when the clocks change, seconds UTC, in ascending order */
  int32_t *offset_s;  /* owned: from then on, ahead of UTC */
  size_t count;       /* of changes */
  int32_t earliest_s; /* the offset before all of them */
  bool has_rule;
  TrZoneRule rule; /* which counts from the last of them on */
} TrZone;          /* everywhere, NULL is UTC */
/* SQLITE_CORRUPT: it is damaged. On failure nothing is owned. */
TR_CHECKED int tr_tzif_parse(const unsigned char *bytes, size_t length, TrZone *zone);
TR_CHECKED int tr_zone_load(const char *name, TrZone **zone, char **message); /* *zone may be NULL, for UTC */
void tr_zone_free(TrZone *zone);                                              /* NULL is allowed */

/* A time from one change of the clocks up to the next: from_s <= t < to_s. */
typedef struct TrStretch {
  int64_t from_s, to_s; /* seconds UTC; INT64_MIN and INT64_MAX: without an end */
  int32_t offset_s;
} TrStretch;
void tr_zone_stretch(const TrZone *zone, int64_t utc_s, TrStretch *stretch); /* the one that holds utc_s */
int64_t tr_zone_local_us(const TrZone *zone, int64_t utc_us);                /* what clocks show, as if it were UTC */
/* When the clocks show that: first and last time, which differ where they are set back. Or when they pass over it. */
void tr_zone_utc_us(const TrZone *zone, int64_t local_us, int64_t *first_us, int64_t *last_us);

/* ------------------------------------------------------------------------------------------------------------------
** read/time.c - a time as people write it -> microseconds */
#define TR_TIME_FORMS                                                                                                  \
  "2026-02-14, 2026-02-14T09:30:00Z, today, yesterday, now, or how long ago: " TR_TIMESPAN_FORMS                       \
  "; from the year 1 up to 9999"

/* The first and the last microsecond that are meant: the same, or those of a day. */
typedef struct TrTimePoint {
  int64_t first_us, last_us;
} TrTimePoint;
/* The accepted forms are in time.c. Days, and times without a zone of their own, are taken to be in `zone`. */
bool tr_time_parse(const char *text, size_t length, int64_t now_us, const TrZone *zone, TrTimePoint *point);

#pragma GCC visibility pop
#endif /* TR_READ_H */
