/*
** scan.h - a query's plan -> the files, and the lines of them, that it wants.
*/
#ifndef TR_SCAN_H
#define TR_SCAN_H

#include "../base/base.h"
#include "../figures/figures.h"
#include "../scheduler/scheduler.h"
#include "../write/write.h"
#include "../history/history.h"
#include "../query/query.h"
#include "../prune/prune.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** scan/block.c - a range of a file -> its lines, parsed, all in memory at once */
/* LINES: both. FILES: the files of jobs, with the records and rejects of each. */
typedef enum TrWant { TR_WANT_RECORDS, TR_WANT_REJECTS, TR_WANT_LINES, TR_WANT_FILES } TrWant;

/* Is the line one that the scan wants? */
bool tr_wants_line(TrWant want, const TrFilter *filter, const TrParsed *parsed, uint64_t *untimed);

#ifndef TR_BLOCK_BYTES /* the tests also build with blocks of a few bytes and lines */
#define TR_BLOCK_BYTES (256 * 1024)
#define TR_BLOCK_LINES 4096             /* wanted lines; a block has so many if each is 64 bytes long */
#define TR_BLOCK_LINE_BYTES (64 * 1024) /* a longer line is left to the caller */
#endif
#define TR_FRAME_LINES (4 * TR_BLOCK_LINES)
/* Alignment of the buffer; a block is read from so many bytes before its start. If source and target of a copy are
** aligned differently, it can be four times as slow. */
#define TR_BLOCK_ALIGNMENT 64

typedef struct TrBlock {
  uint32_t ordinal; /* of the file */
  TrFile file;      /* a copy, all of whose blocks share the descriptor; its size is the snapshot */
  bool owns_file;   /* set on the first block of a file; whoever takes over the file clears it */
  int64_t from, to; /* bytes: the lines that begin in [from, to); one at `from` only if a newline comes before it */
  TrParsed *parsed; /* owned, room for `most` and one: the lines that are wanted */
  unsigned most, count;
  bool ends_line;           /* of a frame: its last byte is a newline */
  uint64_t untimed;         /* records not wanted because their time cannot be read */
  int64_t stopped_at;       /* the first line left to the caller, with all after it; `to` if none was */
  bool shrunk;              /* the file has shrunk, and ends here */
  bool unread;              /* the block could not be read; the start of its first line is unknown */
  bool done;                /* workers.c's */
  unsigned char *allocated; /* owned */
  unsigned char *buffer;    /* in it, aligned: `room` bytes and TR_PADDING more */
  size_t room;
} TrBlock;

typedef struct TrWanted {
  TrWant want;
  const TrFilter *filter;   /* borrowed */
  const TrMapping *mapping; /* borrowed; NULL: none */
  size_t max_line;
} TrWanted;

bool tr_block_make_room(TrBlock *block, size_t bytes, unsigned lines); /* false: out of memory, and it is empty */
void tr_block_free(TrBlock *block);
/* The unpacker must be open for a file with frames, of which each is a block. */
void tr_block_parse(TrBlock *block, const TrWanted *wanted, TrParser *parser, TrUnpacker *unpacker);

/* ------------------------------------------------------------------------------------------------------------------
** scan/workers.c - blocks that are parsed before the scan needs them, by helper threads and by the caller */
typedef struct TrWorkers TrWorkers;

/* What `wanted` borrows must live until tr_workers_stop(). NULL: no threads, or no memory; work without it. */
TrWorkers *tr_workers_start(const TrWanted *wanted, unsigned threads);
void tr_workers_stop(TrWorkers *workers); /* NULL is allowed */
/* Call order, any number of times: fill in the block that tr_workers_room() returns (NULL: all are in use), and post
** it; take the oldest posted block (*block NULL: there is none), and release it before you take the next one. */
TrBlock *tr_workers_room(TrWorkers *workers);
bool tr_workers_room_for_frames(TrWorkers *workers); /* that block may be a frame. False: out of memory */
bool tr_workers_are_low(const TrWorkers *workers);   /* true: post more blocks now */
void tr_workers_post(TrWorkers *workers);
TR_CHECKED int tr_workers_take(TrWorkers *workers, TrPoll *poll, TrBlock **block); /* SQLITE_OK or SQLITE_INTERRUPT */
void tr_workers_release(TrWorkers *workers);

/* ------------------------------------------------------------------------------------------------------------------
** scan/hosts.c - a path with one star -> the directories of several hosts, and the files in them */
typedef struct TrHosts {
  char *base;                  /* owned; NULL: no star, so the path is a single directory */
  char *before, *after, *rest; /* owned; see hosts.c */
  bool of_files;               /* set by the caller: the path is that of a file of each host */
} TrHosts;

TR_CHECKED int tr_hosts_init(TrHosts *hosts, const char *path, char **message); /* free it after an error, too */
void tr_hosts_free(TrHosts *hosts);
/* Is this a file of the path, and of which host? Without a star: is it only a name? */
bool tr_hosts_own(const TrHosts *hosts, const char *file, TrBytes *host);
typedef int (*TrHostVisit)(void *context, TrDir *dir, TrBytes host, char **message); /* dir->path: below the base */
/* For each host that the filter wants, by name. An error if there is none at all. */
TR_CHECKED int tr_hosts_visit(const TrHosts *hosts, TrDir *base, TrPoll *poll, const TrFilter *filter,
                              TrHostVisit visit, void *context, char **message);
/* The name of a file in its own directory. */
static inline const char *tr_hosts_file_name(const char *file) {
  const char *slash = strrchr(file, '/');
  return slash ? slash + 1 : file;
}

/* ------------------------------------------------------------------------------------------------------------------
** scan/file_list.c - which entries of a directory a scan looks at, and in which order */
typedef enum TrListPurpose {
  TR_FOR_RECORDS,  /* without entries that cannot be a job's file */
  TR_FOR_REJECTS,  /* also what interrupted prunes left behind */
  TR_FOR_MESSAGES, /* of logs */
} TrListPurpose;

typedef struct TrHeldFile {
  TrFile file; /* its `stat` stays when it is taken */
  TrEntry entry;
  bool is_taken; /* or was not kept open: the next time it is opened anew */
} TrHeldFile;

typedef struct TrFileList {
  TrNames *names; /* borrowed: the connection's */
  TrPoll *poll;   /* borrowed */
  TrListPurpose purpose;
  const TrStore *store;
  const TrMapping *mapping; /* borrowed; NULL: none. Else `store` is this one: */
  TrStore mapped_store;
  TrHosts hosts;
  char *dir_path; /* owned: of the directory; of several hosts, their base */
  TrDir dir;
  uint32_t *ordinal; /* owned: of the files, in the order of the scan */
  size_t count, room;
  bool is_descending; /* by job */
  size_t at;          /* index of the next one to look at */
  TrHistory *history; /* owned; NULL: live files alone. Else `ordinal` has those of jobs, whose segments are here */
  TrHeldFile *held;   /* owned; NULL: a file is opened when its turn comes. Else for each ordinal: */
  size_t held_count;
  TrHistoryVisitor visitor; /* set by the caller: then jobs that have nothing but receipts are listed, too */
} TrFileList;

/* The directory of that file: a descriptor. The caller closes it if it is not list->dir.fd. -1: see errno. */
TR_CHECKED int tr_file_list_open_dir_of(const TrFileList *list, const char *path);

/* Call order: init; open; fill, next, open_file (not for a leftover) and advance for each; close (after a failed open,
** too); and open again for the next pass. fill finds the segments of the next job, if `next` has no more. */
void tr_file_list_init(TrFileList *list, TrNames *names, TrPoll *poll, TrListPurpose purpose);
TR_CHECKED int tr_file_list_open(TrFileList *list, const TrSettings *settings, const TrFilter *filter, char **message);
void tr_file_list_close(TrFileList *list);
TR_CHECKED int tr_file_list_fill(TrFileList *list, char **message);
bool tr_file_list_next(const TrFileList *list, uint32_t *ordinal, const char **name); /* does not move on to it */
TR_CHECKED int tr_file_list_open_file(TrFileList *list, TrFile *file, TrEntry *entry, char **message);
void tr_file_list_advance(TrFileList *list);
/* The job to which an entry (a file or a leftover) belongs. Adds no NUL. False: unknown. */
bool tr_file_list_job(const TrFileList *list, const char *name, char job_id[TR_NAME_SIZE], size_t *length);

/* ------------------------------------------------------------------------------------------------------------------
** scan/held_files.c - the files that jobs share, all open, as they were at one moment: for the list alone. Call order:
** open; compare, after they were listed again; take for each; close (after a failed open, too). */
TR_CHECKED int tr_held_files_open(TrFileList *list);
TR_CHECKED int tr_held_files_compare(const TrFileList *list, bool *are_same, char **message);
TR_CHECKED int tr_held_files_take(TrFileList *list, TrFile *file, TrEntry *entry, char **message);
void tr_held_files_close(TrFileList *list);

/* ------------------------------------------------------------------------------------------------------------------
** scan/scan_file.c - the scan's current file: opened, or why it cannot be read */
typedef struct TrScanFile {
  TrFileList *list; /* borrowed */
  bool skips_unreadable;
  uint32_t ordinal;
  const char *path; /* below the list's directory; lives with the connection, as does */
  const char *name; /* the last part of it: all, unless there are several hosts */
  TrBytes job;      /* whose file it is; borrows from the path; of a leftover, no text */
  TrFile file;      /* while it is being read */
  char *reason;     /* owned: if the entry as a whole is a row without a line: the reason */
} TrScanFile;

/* SQLITE_DONE: no more entries. SQLITE_ROW: the entry as a whole is a row, see `reason`. SQLITE_OK: its file is open,
** or (fd < 0) there is nothing to read. */
TR_CHECKED int tr_scan_file_open_next(TrScanFile *current, char **message);
void tr_scan_file_set(TrScanFile *current, uint32_t ordinal, const char *path);
void tr_scan_file_forget(TrScanFile *current); /* the reason */
void tr_scan_file_close(TrScanFile *current);
/* NULL: there is only one. Borrows as the name does. */
TrBytes tr_scan_file_host(const TrScanFile *current);
/* A rowid is valid only if a line begins at its offset: then *from is that offset, else the end of the file. */
TR_CHECKED int tr_scan_file_seek(const TrScanFile *current, int64_t rowid, int64_t *from, int64_t *size,
                                 char **message);
/* A failure of tr_lines_next() and the like, with errno still set. */
TR_CHECKED int tr_scan_file_line_error(const TrScanFile *current, const TrLines *lines, int code, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** scan/indexed.c - of the current file, the lines that the index knows: without them, or only those that are wanted */
typedef struct TrScan TrScan;
typedef struct TrScanWalk {
  const TrIndex *index; /* borrowed */
  size_t block, count;  /* the next one; of so many */
  bool is_in_block;
  TrIndexWalk walk; /* in the one before it */
} TrScanWalk;

#define TR_UNREAD_LINES 64
typedef struct TrScanIndex {
  TrScan *scan; /* borrowed */
  TrIndexPlace place;
  enum { TR_KNOWN_PASSED, TR_KNOWN_RECORDS, TR_KNOWN_LINES, TR_KNOWN_AGAIN } state; /* what comes next */
  TrScanWalk walk;
  TrIndexed record; /* is_pushed_back: the next one */
  bool is_pushed_back;
  TrLines lines; /* is_open: of the current file */
  bool is_open;
  int64_t lines_to;        /* TR_KNOWN_LINES: those that begin before that byte */
  int64_t known_end;       /* bytes: what the index knew when the file was opened, */
  int64_t rejects;         /* and those among it */
  bool is_wrong;           /* the file is not what the index says */
  bool is_complete;        /* all lines have been read */
  uint64_t untimed_before; /* the scan's count when the file was opened */
  TrParsed unread[TR_UNREAD_LINES];
} TrScanIndex;

/* scan->index stays NULL if it is not used. load: for a file that has just been opened; file->index stays NULL if the
** file is read as ever. open: the scan begins with the file; from known_end on, lines are read as ever.
** next: as next_lines() of scan.c; SQLITE_OK: no more are known. pass_block: the current block, which has all lines,
** and then only those that are wanted. All lines are added, then save; it drops the file's index. */
TR_CHECKED int tr_scan_index_begin(TrScan *scan, const char *setting, char **message);
void tr_scan_index_end(TrScan *scan);
TR_CHECKED int tr_scan_index_load(TrScanIndex *index, const char *name, TrFile *file);
void tr_scan_index_open(TrScan *scan);
TR_CHECKED int tr_scan_index_next(TrScan *scan, unsigned most, unsigned *count, char **message);
TR_CHECKED int tr_scan_index_add(TrScan *scan); /* the line that has been read */
TR_CHECKED int tr_scan_index_pass_block(TrScan *scan);
void tr_scan_index_save(TrScan *scan);
/* For tables with a row for each file, when its lines have been read. rejects: how many there are of lines that were
** not read; false: the file is not what the index says. read: a record that was unread; SQLITE_NOTFOUND: the same.
** reread: then all lines of the file come again. */
bool tr_scan_index_rejects(const TrScan *scan, int64_t *rejects);
TR_CHECKED int tr_scan_index_read(TrScan *scan, int64_t offset, const TrParsed **parsed, char **message);
TR_CHECKED int tr_scan_index_reread(TrScan *scan);

/* ------------------------------------------------------------------------------------------------------------------
** scan/read_ahead.c - the files of a list, read as blocks before the scan needs them */
typedef struct TrReadAhead {
  TrFileList *list;       /* borrowed */
  uint64_t *untimed;      /* borrowed: the counts of all blocks are added here */
  unsigned threads;       /* at most, the caller's included */
  int64_t starts_at;      /* bytes: in files opened ahead, lines that begin before this are not wanted */
  int64_t begins_at;      /* read line by line up to this offset of the current file, then in blocks */
  int64_t passed;         /* bytes of all files so far, including the current one */
  TrWorkers *workers;     /* owned; NULL: line by line */
  TrBlock *block;         /* borrowed: the current one */
  unsigned given;         /* how many of its lines were returned */
  bool by_line;           /* the lines that the block left are being read */
  uint32_t ordinal;       /* of the file whose blocks are posted next */
  TrFile file;            /* a copy */
  int64_t from;           /* where its next block begins */
  bool waits;             /* the list's next entry is unusual, and is left to the scan */
  const TrFilter *filter; /* borrowed */
  TrScanIndex *index;     /* borrowed; NULL: none. In files opened ahead, what it knows is not read */
  bool is_new_block;      /* none of its lines was returned */
  int64_t known_to;       /* of frames: up to there all were read, */
  bool follows_line;      /* and that is where a line begins */
} TrReadAhead;

void tr_read_ahead_init(TrReadAhead *read_ahead, TrFileList *list, const TrFilter *filter, uint64_t *untimed);
void tr_read_ahead_stop(TrReadAhead *read_ahead); /* afterwards it is as after init */
/* The scan now reads [from, to) of a file; `in_blocks`: its lines may come from blocks. */
void tr_read_ahead_look_at(TrReadAhead *read_ahead, int64_t from, int64_t to, bool in_blocks);
/* These: SQLITE_OK or SQLITE_INTERRUPT, and read_ahead->block is the block to go on with, or NULL.
**   begin       starts with blocks. NULL: not worth it, or no threads
**   next_block  of the current file
**   next_file   moves `current` to the next file. NULL: no file was opened ahead
**   leave_file  drops the blocks of `current`, and closes it */
TR_CHECKED int tr_read_ahead_begin(TrReadAhead *read_ahead, const TrScanFile *current, int64_t from,
                                   const TrWanted *wanted);
TR_CHECKED int tr_read_ahead_next_block(TrReadAhead *read_ahead);
TR_CHECKED int tr_read_ahead_next_file(TrReadAhead *read_ahead, TrScanFile *current);
TR_CHECKED int tr_read_ahead_leave_file(TrReadAhead *read_ahead, TrScanFile *current);

/* ------------------------------------------------------------------------------------------------------------------
** scan/scan.c - one pass over the lines that a filter wants: files, lines and records together */
struct TrScan {
  TrPoll *poll;      /* borrowed */
  uint64_t *untimed; /* borrowed: counts records not wanted because their time cannot be read */
  TrWant want;
  TrFilter filter;        /* owned */
  TrMapping *mapping;     /* owned; NULL: none */
  TrMappedParser *mapped; /* owned: for the parser, if there is a mapping */
  size_t max_line;
  TrFileList files;
  TrScanFile current;
  TrReadAhead read_ahead;
  TrLines lines;
  TrFrameReader reader;     /* of the current file, if it has frames; lines reads from it */
  int64_t run_floor;        /* backwards, of frames: a line begins there, and no run has been read before it; or 0 */
  size_t stopped_behind;    /* backwards: which damaged frame ends the lines, plus 1; 0: none */
  int64_t run_from, run_to; /* bytes: backwards, lines that begin there are read; of frames, only a part of all */
  TrParser parser;
  TrParsed own;           /* the current line, unless it is in a block */
  const TrParsed *parsed; /* the current line: `own`, or in a block */
  TrUnbroken unbroken;
  const char *unbroken_path; /* borrowed: of the file for which the next one is known; NULL: of none */
  int64_t unbroken_from;
  bool is_read_only;      /* nothing is written, so no index is used */
  bool unread_are_enough; /* set by the table, as is the next one: it takes records without their lines, */
  bool keeps_texts;       /* and reads some of them later */
  TrScanIndex *index;     /* owned; NULL: none is used */
};

/* Call order: init, begin, next until SQLITE_DONE, end. begin may be called again without end, for a cursor's next
** xFilter. It takes over what `filter` owns. */
void tr_scan_init(TrScan *scan, TrConnection *connection, TrPoll *poll, TrWant want);
TR_CHECKED int tr_scan_begin(TrScan *scan, const TrSettings *settings, TrFilter *filter, char **message);
TR_CHECKED int tr_scan_next(TrScan *scan, char **message); /* SQLITE_ROW, SQLITE_DONE, or an error */
void tr_scan_end(TrScan *scan);

/* TR_WANT_FILES: instead of tr_scan_next, call next_file until SQLITE_DONE, and for each file next_lines until
** SQLITE_DONE. It returns the lines that are parsed already, but at most `most`. They live until the next call. */
TR_CHECKED int tr_scan_next_file(TrScan *scan, char **message);
TR_CHECKED int tr_scan_next_lines(TrScan *scan, unsigned most, const TrParsed **lines, unsigned *count, char **message);

/* What tables may read of a scan. All of it is borrowed until the next row. */
static inline const TrLine *tr_scan_line(const TrScan *scan) {
  return &scan->parsed->line;
}
static inline const TrRecord *tr_scan_record(const TrScan *scan) {
  return &scan->parsed->record;
}
static inline TrReason tr_scan_reason(const TrScan *scan) { /* TR_OK, or why the line is not a record */
  return scan->parsed->reason;
}
static inline const char *tr_scan_entry_reason(const TrScan *scan) { /* of an entry that is a row without a line */
  return scan->current.reason;
}
static inline const struct stat *tr_scan_stat(const TrScan *scan) { /* of the line's file, as it was opened */
  return &scan->current.file.stat;
}
static inline TrBytes tr_scan_job_id(const TrScan *scan) {
  return scan->current.job;
}
static inline TrBytes tr_scan_host(const TrScan *scan) { /* text NULL: there is only one */
  return tr_scan_file_host(&scan->current);
}
bool tr_scan_job_of_entry(const TrScan *scan, char job_id[TR_NAME_SIZE], size_t *length); /* of a reject, if known */
int64_t tr_scan_rowid(const TrScan *scan, const TrLine *line); /* of a line of the file that is read now */
int64_t tr_scan_file_rowid(const TrScan *scan);                /* of a row that stands for all of a job */
bool tr_scan_is_backwards(const TrScan *scan);                 /* newest rows first? */
/* scan/unbroken_from.c: from which byte of the file that is read now no run is missing. */
TR_CHECKED int tr_scan_unbroken_from(TrScan *scan, int64_t *from, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** scan/frame_runs.c - which frames of an archived segment a scan reads line by line; how it goes on behind a damaged
** one
**   begin      opens the lines of the current file
**   pass       the line read last is not of the run that is read; backwards
**   next       the run has no more lines. SQLITE_DONE: and there are no more runs
**   open_left  opens those from a byte on, of which it is known that a line begins there, or not
**   is_reject  a frame is damaged: scan->own is the reject. False: there was one already, or the order is descending
**   go_on      opens the lines beyond that frame */
TR_CHECKED int tr_frame_run_begin(TrScan *scan, bool backwards);
TR_CHECKED int tr_frame_run_pass(TrScan *scan);
TR_CHECKED int tr_frame_run_next(TrScan *scan);
TR_CHECKED int tr_frame_run_open_left(TrScan *scan, int64_t from, bool is_line);
bool tr_frame_run_is_reject(TrScan *scan);
TR_CHECKED int tr_frame_run_go_on(TrScan *scan);

/* ------------------------------------------------------------------------------------------------------------------
** scan/log_scan.c - one pass over the messages of logs that a filter wants */
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
static inline const char *tr_log_scan_entry_reason(const TrLogScan *scan) { /* as tr_scan_entry_reason() */
  return scan->current.reason;
}
static inline const TrMessage *tr_log_scan_message(const TrLogScan *scan) {
  return &scan->message;
}
static inline TrBytes tr_log_scan_job_id(const TrLogScan *scan) {
  return scan->current.job;
}
int64_t tr_log_scan_rowid(const TrLogScan *scan);

#pragma GCC visibility pop
#endif /* TR_SCAN_H */
