/*
** base.h - what every other folder uses: errors, polling, threads, names, text, Linux, the connection.
*/
#ifndef TR_BASE_H
#define TR_BASE_H

#if !defined _GNU_SOURCE && !defined TR_POSIX
#define _GNU_SOURCE
#endif
#if __SIZEOF_LONG__ < 8 && !defined _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64 /* files over 2 GiB; elsewhere that only gives the calls other names, see the Makefile */
#endif
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <sqlite3ext.h>

#include "taskresults.h"

#pragma GCC visibility push(hidden)
#ifndef TR_EXTENSION_MAIN
SQLITE_EXTENSION_INIT3
#endif

/* For a function that returns a success or error code: the compiler warns if a caller ignores it. */
#define TR_CHECKED __attribute__((warn_unused_result))

#ifndef TEMP_FAILURE_RETRY /* glibc has it */
#define TEMP_FAILURE_RETRY(call)                                                                                       \
  __extension__({                                                                                                      \
    long retried;                                                                                                      \
    do retried = (call);                                                                                               \
    while (retried < 0 && errno == EINTR);                                                                             \
    retried;                                                                                                           \
  })
#endif

_Static_assert(sizeof(off_t) == 8, "a system's header was included before this one");

#define TR_NAME_SIZE 256 /* NAME_MAX and a NUL */
#define TR_US_PER_SECOND INT64_C(1000000)
#define TR_EXACT_DOUBLE 9007199254740992.0 /* 2^53: every whole number up to it is a double */

/* ------------------------------------------------------------------------------------------------------------------
** base/error.c - messages that name the file, the place and the cause
*/
/* Sets *message (frees the old text; `message` may be NULL if the caller wants no text) and returns `code`. If there is
** no memory for the text, *message becomes NULL and only the code tells of the error. */
int tr_error(char **message, int code, const char *format, ...);

/* errno -> SQLITE_FULL, SQLITE_NOMEM, SQLITE_READONLY or SQLITE_IOERR, for functions that write. */
int tr_error_code(int error_number);

const char *tr_file_type(mode_t mode); /* "a symbolic link", "a FIFO", ... for messages */

/* ------------------------------------------------------------------------------------------------------------------
** base/array.c - arrays that grow, and lists of names
*/
void *tr_array_grow(void *items, size_t *room, size_t wanted, size_t item_bytes);

/* Returns the array, with room for `wanted` items. If it has to grow, its room at least doubles. NULL: out of memory,
** and nothing has changed. */
static inline void *tr_array_reserve(void *items, size_t *room, size_t wanted, size_t item_bytes) {
  return wanted <= *room ? items : tr_array_grow(items, room, wanted, item_bytes);
}

/* Sorts; quick if the items are in order already, or in reverse order. */
void tr_array_sort(void *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *));

/* A zeroed one is an empty list. */
typedef struct TrNameList {
  char **name; /* owned, each: NUL-terminated */
  size_t count, room;
} TrNameList;

TR_CHECKED int tr_name_list_add(TrNameList *list, const char *name, size_t length); /* a copy */
void tr_name_list_sort(TrNameList *list);                                           /* by strcmp() */
void tr_name_list_free(TrNameList *list);

/* ------------------------------------------------------------------------------------------------------------------
** base/poll.c - has somebody interrupted us? Asked about every 256 KiB, at each file, and in every wait
*/
typedef struct TrPoll {
  sqlite3 *db;        /* borrowed; NULL means nobody can interrupt (tools, tests) */
  sqlite3_stmt *tick; /* owned: a cached statement whose step notices interrupts and drives progress handlers */
} TrPoll;

TR_CHECKED int tr_poll(TrPoll *poll); /* SQLITE_OK, or SQLITE_INTERRUPT */
TR_CHECKED int tr_poll_sleep(TrPoll *poll, int milliseconds);
void tr_poll_close(TrPoll *poll); /* before the connection closes: in xDisconnect */

/* ------------------------------------------------------------------------------------------------------------------
** base/platform_linux.c - what other systems lack or do in another way; platform_posix.c - the same for them. An
** `int` result is 0 or an errno value, unless the line says otherwise
*/
bool tr_can_prune(void);                        /* false: nothing stops a writer that takes no lock */
TR_CHECKED int tr_lease_take(int fd, int type); /* F_RDLCK or F_WRLCK. EAGAIN: others are in the way */
void tr_lease_drop(int fd);
bool tr_lease_is_held(int fd, int type); /* false as well if somebody waits for it */
int tr_lease_budget_ms(void);            /* how long a lease surely lasts while an open() waits */

/* Descriptors that name an entry without opening it, so they need no permission on it. -1: see errno. */
TR_CHECKED int tr_locate(int dir_fd, const char *name, struct stat *found); /* the entry itself, be it a link */
TR_CHECKED int tr_locate_dir(int dir_fd, const char *path);                 /* for openat() and the like */
ssize_t tr_read_link(int link_fd, const char *name, const struct stat *found, char *text, size_t size);

/* Copies extended attributes: access lists, and what users have attached to a file. On an error, *name is the attribute
** that could not be copied (in `buffer`), or NULL if they could not be listed. */
#define TR_ATTRIBUTES_BYTES (128 * 1024)
TR_CHECKED int tr_attributes_copy(int from_fd, int to_fd, char buffer[TR_ATTRIBUTES_BYTES], const char **name);
bool tr_access_lists_are_same(int one_fd, int other_fd); /* neither has one, or both have the same */

TR_CHECKED int tr_exchange_names(int dir_fd, const char *one, const char *other); /* their files, at one instant */
TR_CHECKED int tr_reserve_space(int fd, int64_t offset, int64_t length); /* of the file system; the file's size stays */
TR_CHECKED int tr_random_bytes(void *bytes, size_t count);               /* a few */
int tr_descriptor_named(int dir_fd, const char *name);  /* of /proc/self/fd: our descriptor of that name; -1: none */
TR_CHECKED int tr_reopen_descriptor(int fd, int flags); /* a new one, with other flags; -1: see errno */
#define TR_PROCESS_HIDDEN (-1)                          /* no errno value: it cannot be known */
TR_CHECKED int tr_process_read(int64_t pid, char *state, int64_t *started_us); /* its state as ps shows it */
const char *tr_secure_environment(const char *name); /* NULL as well in a program that runs as somebody else */
int64_t tr_birth_ns(int fd);                         /* when the file was made; 0: unknown */
unsigned tr_processors(void);                        /* that this process may run on */

void tr_condition_init(pthread_cond_t *condition); /* for the monotonic clock */
void tr_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int milliseconds); /* at the most */
const void *tr_last_byte(const void *bytes, int byte, size_t length);                        /* NULL: there is none */
void tr_sort(void *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *, void *),
             void *context);
#ifdef fdatasync /* the Makefile gives macOS ours, as fsync() does not reach the disk there */
TR_CHECKED int fdatasync(int fd);
#endif
bool tr_thread_join_ended(pthread_t thread); /* false: it runs on. Where that cannot be asked, it is waited for */

/* ------------------------------------------------------------------------------------------------------------------
** base/open.c - opening a file that another process may have leased
*/
#define TR_LEASE_RETRY_MS 2
#define TR_LEASE_PATIENCE_MS 10000 /* a prune holds its lease for milliseconds; longer only if it was stopped */

/* Follows no link and waits for no peer (O_NONBLOCK); a new file gets mode 0644. SQLITE_OK: *fd is open, or is -1 and
** *reason is the errno value (EAGAIN: leased for too long). SQLITE_INTERRUPT: interrupted while waiting. */
TR_CHECKED int tr_open_leased(int dir_fd, const char *name, int flags, TrPoll *poll, int *fd, int *reason);

/* ------------------------------------------------------------------------------------------------------------------
** base/own_folder.c - what taskresults keeps in a directory of results: .taskresults/NAME, or .taskresults/NAME/NAME
** base/fresh_folder.c - is a folder the one that we have just made?
*/
#define TR_OWN_FOLDER ".taskresults"

typedef struct TrOwnFolder {
  int fd;            /* owned; -1: there is none */
  uid_t dir_owner;   /* of the directory of results */
  struct stat found; /* of the folder, when it was opened */
} TrOwnFolder;

/* Opens the folder NAME, and makes it and .taskresults if `makes` is set and they are missing. None may be a link,
** and all have to belong to somebody whom tr_own_folder_trusts(). `what` begins the messages: "the receipts". Returns
** SQLITE_OK, or an error with nothing to close. */
TR_CHECKED int tr_own_folder_open(TrOwnFolder *folder, int dir_fd, const char *dir_path, const char *name, bool makes,
                                  const char *what, char **message);
/* May the folder, or a file in it, belong to this user? That is us, root, or the owner of the directory of results. */
bool tr_own_folder_trusts(const TrOwnFolder *folder, uid_t owner);
void tr_own_folder_close(TrOwnFolder *folder);
bool tr_folder_is_fresh(int fd, const struct stat *found); /* it is ours, of nobody else's use, and empty */

/* ------------------------------------------------------------------------------------------------------------------
** base/thread.c - a helper thread: how many there may be, and how one is started
*/
#define TR_MAX_THREADS 8
#ifndef TR_SHARE_BYTES
#define TR_SHARE_BYTES (4 * 1024 * 1024) /* starting a thread takes longer than reading less than this */
#endif

unsigned tr_threads_default(void); /* including the caller's; 1: no helper */
bool tr_thread_start(pthread_t *thread, void *(*work)(void *), void *argument); /* false: the system gives us none */

/* ------------------------------------------------------------------------------------------------------------------
** base/clock.c, environment.c - what time it is; the variables that the process was given
*/
int64_t tr_clock_us(void);                    /* since the Unix epoch, UTC */
int64_t tr_clock_ms(void);                    /* of the monotonic clock */
const char *tr_environment(const char *name); /* NULL if it is not set, or empty */

/* ------------------------------------------------------------------------------------------------------------------
** base/names.c - file name -> ordinal, append-only, so that a rowid means the same line in every pass of a query
*/
typedef struct TrNames TrNames;

TrNames *tr_names_new(void); /* NULL: out of memory */
void tr_names_free(TrNames *names);
bool tr_names_find(const TrNames *names, const char *name, size_t length, uint32_t *ordinal);
/* Adds it if it is new. */
TR_CHECKED int tr_names_intern(TrNames *names, const char *name, size_t length, uint32_t *ordinal);
const char *tr_names_get(const TrNames *names, uint32_t ordinal); /* NUL-terminated, for as long as the map; or NULL */

/* FNV-1a: spreads names well, and is no cryptographic hash. */
static inline uint64_t tr_hash_bytes(const void *bytes, size_t length) {
  const unsigned char *byte = (const unsigned char *)bytes;
  uint64_t hash = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < length; i++) hash = (hash ^ byte[i]) * UINT64_C(1099511628211);
  return hash;
}

/* rowid = ordinal of the file, offset of the line: 23 and 40 bits, which is 8 million names and files of 1 TiB. */
#define TR_OFFSET_BITS 40
#define TR_MAX_ORDINAL ((UINT32_C(1) << 23) - 1)
#define TR_MAX_FILE_BYTES (INT64_C(1) << TR_OFFSET_BITS)

/* ------------------------------------------------------------------------------------------------------------------
** base/text.c - ASCII, UTF-8 and JSON escapes
*/

/* ASCII only, whatever the host's locale. */
static inline bool tr_is_digit(int c) {
  return c >= '0' && c <= '9';
}
static inline bool tr_is_hex(int c) {
  return tr_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static inline bool tr_is_letter(int c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool tr_is_blank(int c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The UTF-16 code unit that the four hexadecimal digits of a \u escape stand for, and what kind it is. */
static inline uint32_t tr_hex4(const unsigned char *p) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) value = value << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
  return value;
}
static inline bool tr_is_high_surrogate(uint32_t code) {
  return code >= 0xD800 && code < 0xDC00;
}
static inline bool tr_is_low_surrogate(uint32_t code) {
  return code >= 0xDC00 && code < 0xE000;
}

/* The length of the UTF-8 sequence that begins at text[0] (>= 0x80), as Python's strict decoder sees it; 0 if it is not
** valid. Reads at most `available` bytes. */
unsigned tr_utf8_sequence(const unsigned char *text, size_t available);
bool tr_utf8_is_valid(const void *text, size_t length);
size_t tr_utf8_put(uint32_t code_point, unsigned char *out); /* of 4 bytes; returns how many were written */

/* Decodes the inside of a JSON string that a lane has accepted. `out` has room for `length` bytes (decoding never
** lengthens). Returns the bytes written. A lone surrogate becomes U+FFFD, \u0000 a NUL byte. */
size_t tr_decode_string(const unsigned char *text, size_t length, unsigned char *out);

/* Copies the text with U+FFFD for every byte that is part of no character. `out` has room for 3 * length bytes. */
size_t tr_utf8_repair(const unsigned char *text, size_t length, unsigned char *out);

/* The length of the text, or of so much of it that it is at most `most_bytes` and ends with a whole character: for
** `%.*s`, since `%!.*s` counts characters, and reads on behind a text that holds fewer. */
TR_CHECKED int tr_utf8_cut(const char *text, size_t length, int most_bytes);

/* ------------------------------------------------------------------------------------------------------------------
** base/json_string.c - a text -> a JSON string, a number or text -> a member of a JSON object
*/
/* Appends a JSON string. Bytes that are not UTF-8 (file names may have them) become U+FFFD. */
void tr_json_append_string(sqlite3_str *out, const char *text, size_t length);
/* Appends "NAME":NUMBER, exactly: from 2^53 on, the number is a text, since many read numbers of JSON as doubles. */
void tr_json_append_exact(sqlite3_str *out, const char *name, uint64_t number);
/* These append a comma before it; null if the text is NULL. */
void tr_json_append_integer(sqlite3_str *out, const char *name, int64_t number);
void tr_json_append_text(sqlite3_str *out, const char *name, const char *text);

/* ------------------------------------------------------------------------------------------------------------------
** base/connection.c - what the tables and functions of one connection share
*/
typedef struct TrConnection {
  unsigned references; /* one for each module and function registered */
  sqlite3 *db;
  TrNames *names;    /* owned */
  locale_t c_locale; /* owned: numbers are read with '.', whatever the host's locale */
  bool read_only;    /* loaded read-only: no function with side effects, no INSERT, no path as an argument */
  bool writable;     /* taskresults_writable(1): task_results without arguments takes INSERTs */
  uint64_t written;  /* records that the COMMIT now under way has written, through any table */
  uint64_t untimed;  /* records that conditions on time skipped because their timestamp is unreadable */
  bool exporting;    /* inside taskresults_export_csv(), which must not nest */
} TrConnection;

TrConnection *tr_connection_new(sqlite3 *db, bool read_only);
/* Do the databases store text as UTF-8? False if that cannot be found out. SQLITE_OK, or SQLITE_INTERRUPT. */
TR_CHECKED int tr_connection_is_utf8(const TrConnection *connection, bool *is_utf8);
void tr_connection_unref(void *connection);

/* ------------------------------------------------------------------------------------------------------------------
** base/timespan.c - a length of time as people write it -> microseconds
*/
#define TR_TIMESPAN_FORMS "90s, 30m, 12h, 7d, 2w, 3mo, 1y, '90 days' or '1d 12h'" /* for messages */

/* False: the text is not a length of time, or is too long for int64_t. `plain_seconds`: a number alone is seconds, and
** numbers may have a fraction, which is cut to microseconds. */
bool tr_timespan_parse(const char *text, size_t length, bool plain_seconds, int64_t *span_us);

/* ------------------------------------------------------------------------------------------------------------------
** base/target.c - where an output goes: a file that is replaced in one step, or a pipe, a device, a descriptor of ours
*/
typedef struct TrTarget {
  int fd;              /* owned: what is written to; -1: closed */
  int dir_fd;          /* owned: the directory of both names; -1: no temporary, the target is written to directly */
  char name[256];      /* the file's, in dir_fd */
  char temporary[256]; /* its name; empty: there is none */
  dev_t device;        /* of the temporary */
  ino_t inode;
  bool in_place;    /* the temporary has been renamed to the file */
  const char *what; /* static: the step that failed, to explain errno; NULL: a write */
} TrTarget;

/* Call order: open, write to fd, commit, close; close without commit leaves the old file as it was (what went into a
** pipe cannot be undone). open and commit: 0, or errno. EAGAIN from open: a FIFO that nobody reads yet; try again.
** `path` is used only by open. If commit fails and in_place is set, the file is complete, but a power failure may undo
** it. `temporary`: its name, if nothing else has it; NULL: a random one. */
TR_CHECKED int tr_target_open(TrTarget *target, const char *path, const char *temporary);
TR_CHECKED int tr_target_commit(TrTarget *target, bool sync);
void tr_target_close(TrTarget *target);

/* ------------------------------------------------------------------------------------------------------------------
** base/joins.c - may the query have an outer join, on a SQLite that confuses ON with WHERE? (Always false on others)
*/
TR_CHECKED int tr_joins_in_schemas(sqlite3 *db, bool *possible); /* SQLITE_OK, or SQLITE_INTERRUPT */
bool tr_joins_in_statements(sqlite3 *db);

/* ------------------------------------------------------------------------------------------------------------------
** base/host_like.c - are like() and glob() of this connection SQLite's own?
*/
TR_CHECKED int tr_host_like_is_builtin(sqlite3 *db, bool *builtin); /* SQLITE_OK, or SQLITE_INTERRUPT */
bool tr_host_like_is_short(sqlite3_value *pattern, sqlite3 *db);    /* false: SQLite must refuse it */

/* ------------------------------------------------------------------------------------------------------------------
** base/argument.c - a module's argument, `name=value` -> which one it is, and its value
*/

/* `known` ends with NULL; each is a name, an equals sign and what the value looks like: "dir='PATH'". *which is the
** index of the one that the argument names. The caller frees *value; an argument of only white space gives *value NULL.
** A PATH must not be empty, and is refused on a connection that was loaded read-only. */
TR_CHECKED int tr_argument_parse(const TrConnection *connection, const char *table, const char *argument,
                                 const char *const *known, int *which, char **value, char **message);

#pragma GCC visibility pop
#endif /* TR_BASE_H */
