/*
** prune.h - a job's file -> the same file with fewer lines, beside a writer that takes no lock.
*/
#ifndef TR_PRUNE_H
#define TR_PRUNE_H

#include "../base/base.h"
#include "../figures/figures.h"
#include "../read/read.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** prune/leftover.c - the names of a prune's own files, and those that were left behind
*/
#define TR_LEFTOVER_NAME_SIZE 48

void tr_leftover_name(const char *job_id, size_t length, const char *suffix, char out[TR_LEFTOVER_NAME_SIZE]);
bool tr_leftover_is_named(const char *name);           /* a .new or .journal, by its name */
bool tr_leftover_is_held(int dirfd, const char *name); /* a prune is at work on it right now */
bool tr_leftover_belongs(const char *name, const char *job_id, size_t length);

/* ------------------------------------------------------------------------------------------------------------------
** prune/prune.c - one job's prune, step by step: what the SQL functions call
** prune/io.c - the system calls of all steps, tried again, done to the end, explained
** prune/rules.c - which lines are kept
** prune/select.c - the lines that are kept, as ranges of the file's bytes
** prune/copy.c - the kept lines -> a temporary file that can take the old one's place
** prune/lease.c - leases: knowing that nobody has a file open, and making those wait who want to
** prune/journal.c - what a killed prune leaves for the next one to read
** prune/exchange.c - the temporary and the job's file change names
** prune/drain.c - what writers appended to the old file meanwhile -> the live file; then the old one goes
** prune/recover.c - finishes or discards what a killed prune left
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
bool tr_rules_need_no_order(const TrPruneOptions *options); /* is each line decided by itself? */

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
TR_CHECKED int tr_select(TrSelection *selection, int fd, const TrPruneOptions *options, size_t max_line, TrPoll *poll,
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

/* Would that be a slip of the hand? *refusal (owned) says why, and what would go; or it is NULL. `name`: of the one
** job's file that is to be pruned; NULL: of all. SQLITE_BUSY: another program has leased the one. */
TR_CHECKED int tr_guard(TrDir *dir, TrPoll *poll, const TrPruneOptions *options, size_t max_line, const char *name,
                        char **refusal, char **message);

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
TR_CHECKED int tr_prune_job(TrDir *dir, TrPoll *poll, const TrPruneOptions *options, size_t max_line,
                            const char *job_id, size_t job_length, TrPruneReport *report, char **message);

int tr_prune_error(const TrPrune *prune, int code, char **message, int error_number, const char *format, ...);
TR_CHECKED int tr_prune_open(const TrPrune *prune, const char *name, int flags, mode_t mode); /* -1: see errno */
TR_CHECKED int tr_write_at(int fd, const void *bytes, size_t length, int64_t at);             /* 0, or errno */
TR_CHECKED int tr_read_at(int fd, void *bytes, size_t length, int64_t at,
                          bool *whole); /* 0, or errno; not whole: it ends there */

TR_CHECKED int tr_copy_kept(TrPrune *prune, char **message); /* creates the temporary, and fsyncs it */
TR_CHECKED int tr_copy_bytes(TrPrune *prune, TrRange from, int64_t at, TrPoll *poll,
                             char **message); /* old file -> live file */
TR_CHECKED int tr_copy_owner(TrPrune *prune,
                             char **message); /* of the old file -> live file; its mode and access lists too */
TR_CHECKED int tr_copy_discard(TrPrune *prune, char **message); /* temporary and journal */

void tr_lease_pause(void);                                         /* between two tries: 0.1 ms */
bool tr_lease_is_unbroken(int fd, int type, int milliseconds);     /* nobody has wanted the file for so long */
TR_CHECKED int tr_lease_wait_idle(TrPrune *prune, char **message); /* step 4: nobody has the file open for writing */

TR_CHECKED int tr_journal_create(TrPrune *prune, char **message);
TR_CHECKED int tr_journal_load(TrPrune *prune, bool *complete, char **message); /* fd stays -1 if there is none */
TR_CHECKED int tr_journal_save(TrPrune *prune, char **message);                 /* durable on return */
void tr_journal_close(TrJournal *journal);
bool tr_journal_job(int dirfd, const char *leftover, char out[TR_NAME_SIZE], size_t *length); /* whose is it? */

/* Whose files may be believed. `found` is the lock, the journal or the temporary; `live` may be NULL: there is none. */
TR_CHECKED int tr_trust_file(const TrPrune *prune, const char *name, const struct stat *found, char **message);
TR_CHECKED int tr_trust_leftover(const TrPrune *prune, const char *name, const struct stat *found, char **message);
TR_CHECKED int tr_trust_drain(const TrPrune *prune, const struct stat *old, const struct stat *live,
                              uid_t journal_owner, char **message);

TR_CHECKED int tr_exchange(TrPrune *prune, char **message);         /* prune->state tells how far it came */
TR_CHECKED int tr_exchange_offline(TrPrune *prune, char **message); /* a plain rename, for want of leases or exchange */
TR_CHECKED int tr_drain(TrPrune *prune, char **message); /* on success the old file and the journal are gone */
TR_CHECKED int tr_recover(TrPrune *prune, bool *recovered, char **message);

#pragma GCC visibility pop
#endif /* TR_PRUNE_H */
