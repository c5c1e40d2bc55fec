/*
** prune.h - a job's file -> the same file with fewer lines, beside a writer that takes no lock.
*/
#ifndef TR_PRUNE_H
#define TR_PRUNE_H

#include "../base/base.h"
#include "../figures/figures.h"
#include "../read/read.h"
#include "../scheduler/scheduler.h"
#include "../history/history.h"
#include "../seal/seal.h"
#include "../marks/marks.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** prune/prune.c - one job's prune, step by step: what the SQL functions call
** prune/io.c - opening files of a prune, and errors of one form
** prune/policy.c - a policy file -> the rules of each job
** prune/rules.c - which lines are kept
** prune/select.c - the lines that are kept, as ranges of the file's bytes
** prune/copy.c - the kept lines -> a temporary file that can take the old one's place
** prune/lease.c - leases: make sure that nobody has a file open, and let others wait who open it
** prune/journal.c - what a killed prune leaves for the next one, so that it can go on
** prune/archive_file.c - the archive of the job, and which of its segments count: a pending one gets its name, or goes
** prune/archive_segment.c - the lines that a prune archives -> a new segment, which is pending
** prune/sum_up.c - the lines that go -> their receipt, and their segment of the archive
** prune/sealed.c - a sealed file is pruned only if it matches its seals; and its receipt carries them on
** prune/receipt_file.c - the receipt is made safe before the exchange, and appended to the job's others behind it
** prune/moves.c - tells `taskresults ship` where lines have moved
** prune/exchange.c - the temporary and the job's file change names
** prune/replaced.c - undoes an exchange that has met another program's file
** prune/drain.c - what writers appended to the old file meanwhile -> the live file; then the old file is removed
** prune/region.c - the region of the live file that receives that: a kill leaves no half of it
** prune/rotated.c - where a rotation has put the job's file, or what was in it, since a kill
** prune/recover.c - finishes or discards what a killed prune left
**
** Their functions return SQLITE_OK; SQLITE_BUSY, and *message tells what has the file in use (a result, not an error);
** or an error code with *message naming job, file, cause and what to do.
*/
typedef struct TrPolicy TrPolicy;
typedef struct TrPruneOptions {
  bool by_count, by_time; /* a record is kept if either rule keeps it; without both, max_bytes decides alone */
  bool by_size;           /* with max_bytes; at least one of the three is set */
  int64_t keep;           /* by_count: how many of the last records */
  int64_t since_us;       /* by_time: records from then on, and those without a readable time */
  int64_t keep_failures;  /* how many of the last failures that neither rule keeps */
  int64_t max_bytes;      /* by_size: of all the lines that these rules keep, only the newest that fit */
  bool keeps_all;         /* no rule: the job is left alone */
  const TrPolicy *policy; /* borrowed; not NULL: the rules of each job are there, and those above are not set */
  bool drop_rejects;      /* drop lines that are not records wherever they stand */
  bool count;             /* read everything, to count the lines that go */
  bool dry_run;           /* change nothing; implies count */
  bool one_thread;        /* no helper */
  bool unshipped;         /* drop lines that `taskresults ship` has not read yet, too */
  bool force;             /* prune even if the guard would refuse */
  bool no_receipt;        /* leave none: then the lines that go need not be read */
  bool archive;           /* what goes is archived: the beginning of the file up to the newest line that has to go */
  bool offline;           /* the caller says that no writer runs: leases and exchange are not required */
} TrPruneOptions;
typedef struct TrPolicyRule {
  TrPruneOptions options;
  const TrJson *jobs, *source; /* borrowed from the policy's tree: its patterns, and all of it */
} TrPolicyRule;
struct TrPolicy {
  TrJson *root;       /* owned */
  TrPolicyRule *rule; /* owned, in the order of the file */
  size_t count;
};

/* `common`: what all rules share, such as dry_run. On failure nothing is owned. */
TR_CHECKED int tr_policy_load(TrPolicy *policy, const char *path, const TrPruneOptions *common, TrPoll *poll,
                              char **message);
TR_CHECKED int tr_policy_read(TrPolicy *policy, TrJson *root, const char *path, const TrPruneOptions *common,
                              char **message); /* of a tree, which it owns from then on; `path` is for messages */
void tr_policy_free(TrPolicy *policy);
const TrPolicyRule *tr_policy_find(const TrPolicy *policy, const char *job_id); /* NULL: none is for this job */
const TrPolicyRule *tr_policy_mistake(const TrPolicy *policy, int64_t now_us);  /* whose since is later than now, or
                                                                                   that keeps nothing; or NULL */

/* What the rules know of the lines so far, newest first. */
typedef struct TrRules {
  const TrPruneOptions *options; /* borrowed */
  TrParser parser;
  int64_t records;        /* seen so far, from the file's end */
  int64_t kept;           /* how many of them were kept */
  int64_t extra_failures; /* kept by keep_failures alone */
  int64_t bytes;          /* of the lines that the rules keep, with their newlines */
  bool is_full;           /* a line did not fit into max_bytes, or was to be archived: nothing older is kept */
  int64_t shipped_to;     /* a line that ends behind this byte stays; INT64_MAX: none has to */
  int64_t unshipped;      /* lines that were kept for that reason alone */
  bool keeps_last;        /* whether the line asked about before (the next one in the file) is kept */
  char old_day[11];       /* "2026-01-31T": a day that ends before `since`; or zeros */
} TrRules;

void tr_rules_begin(TrRules *rules, const TrPruneOptions *options);
bool tr_rules_keep(TrRules *rules, const TrLine *line);            /* a line with its newline, older than all before */
bool tr_rules_are_done(const TrRules *rules);                      /* true: no rule keeps anything older */
bool tr_rules_need_no_order(const TrPruneOptions *options);        /* true: each line is decided by itself */
bool tr_rules_keep_nothing(const TrPruneOptions *options);         /* whatever the lines are */
const char *tr_rules_contradiction(const TrPruneOptions *options); /* what cannot be given together; or NULL */
bool tr_rules_are_a_mistake(const TrPruneOptions *options, int64_t now_us); /* by themselves: nothing would stay, or
                                                                               `since` is later than now */

typedef struct TrSelection {
  TrRange *range; /* owned: kept lines, in file order, neighbours joined */
  size_t count, room;
  int64_t end;        /* of the last complete line; the drain copies what follows */
  int64_t kept_bytes; /* total length of the ranges */
  int64_t kept;       /* records among them */
  int64_t dropped;    /* lines that go; -1: not counted */
  int64_t unshipped;  /* lines that stay only because ship has not read them */
} TrSelection;

/* Reads `fd` backwards, and no further than it has to. `shipped_to`: see TrRules. */
TR_CHECKED int tr_select(TrSelection *selection, int fd, const TrPruneOptions *options, int64_t shipped_to,
                         size_t max_line, TrPoll *poll, char **message);
void tr_selection_free(TrSelection *selection);
#define TR_ARCHIVE_NAME_SIZE 64
/* On disk, in the machine's own byte order, as it names inodes of this machine. It is complete if `checksum` is
** right. */
typedef struct TrJournalState {
  char magic[16];
  uint64_t sequence;                   /* of the two slots, the one with the higher sequence counts */
  uint64_t old_dev, old_ino;           /* the file that was copied */
  uint64_t live_dev, live_ino;         /* the temporary, which the exchange makes the live file */
  int64_t drained;                     /* bytes of the old file that are done: kept, dropped, or in the live file */
  int64_t region_at;                   /* start of the region of the live file that receives old[drained...]; as long as
                                          there was none: how much of the live file was copied */
  int64_t region_length;               /* its length; 0: no region. Its last byte is a newline */
  uint32_t region_adds_newline;        /* that newline is not in the old file */
  uint32_t region_reserved;            /* the live file surely reaches past it; if not set, look */
  uint32_t job_length;                 /* bytes */
  char job_id[TR_NAME_SIZE];           /* so that a leftover can be assigned when the job's file is gone */
  uint32_t zero;                       /* fills the gap: the checksum covers every byte */
  uint64_t checksum;                   /* of what stands before it; of a prune with a receipt, also of what follows */
  char receipt_id[TR_RECEIPT_ID_SIZE]; /* empty: it leaves none */
  uint8_t is_replaced;                 /* 1: the file that was exchanged is not the one that was copied */
  char rest[6];
  uint64_t archive_inode,
      archive_source;                 /* of a prune that archives: of the segment, and of the file that was copied */
  char archive[TR_ARCHIVE_NAME_SIZE]; /* the segment's name in the end; empty: nothing is archived */
} TrJournalState;
typedef struct TrJournal {
  int fd;      /* owned; -1 when there is none */
  uid_t owner; /* the file's, if it was loaded */
  TrJournalState state;
} TrJournal;

/* The receipt of a prune, or of an interrupted one that is being finished. */
typedef struct TrPruneReceipt {
  TrOwnFolder folder; /* fd -1: there will be no receipt */
  int fd;             /* owned: the job's receipts; -1 when closed */
  char id[TR_RECEIPT_ID_SIZE];
  char *line;      /* owned: with its newline, as the pending file has it; NULL: it was appended before */
  size_t length;   /* bytes */
  int64_t torn_at; /* from there on, the receipts are what a kill has left of this one; -1: there is nothing of it */
  char pending_name[TR_PENDING_NAME_SIZE];
  bool has_pending; /* that file is ours: to be removed in the end */
} TrPruneReceipt;
/* The segment of a prune that archives, or of an interrupted one that is being finished. */
typedef struct TrPruneArchive {
  TrOwnFolder folder;              /* of the job's segments; fd -1: there is none */
  TrNameList names;                /* owned: of the segments in it, as they were found */
  TrArchiveWriter writer;          /* owned, as is its file; fd -1 when closed */
  bool is_made, is_settled;        /* the pending segment is ours; it has its name, or is not needed */
  uint64_t inode;                  /* of the segment */
  char name[TR_ARCHIVE_NAME_SIZE]; /* in the end */
  char pending_name[TR_ARCHIVE_NAME_SIZE + 32];
} TrPruneArchive;
/* What a prune has changed so far: its errors tell it. */
typedef enum TrPruneState {
  TR_PRUNE_UNTOUCHED,
  TR_PRUNE_RECOVERED,  /* an interrupted prune was finished or discarded; nothing else changed */
  TR_PRUNE_UNFINISHED, /* from the exchange or the start of a recovery on: the journal tells how to go on */
  TR_PRUNE_REPLACED,   /* offline: the copy has the job's name */
} TrPruneState;
typedef struct TrPrune {
  TrDir *dir;                    /* borrowed */
  TrPoll *poll;                  /* borrowed; not polled between the exchange and the end */
  const TrPruneOptions *options; /* borrowed */
  TrMarks *marks;                /* borrowed */
  const char *job_id;            /* borrowed, `job_length` bytes */
  size_t job_length;
  size_t max_line;
  char file_name[TR_NAME_SIZE]; /* these relative to dir */
  char new_name[TR_LEFTOVER_NAME_SIZE], journal_name[TR_LEFTOVER_NAME_SIZE], lock_name[TR_LEFTOVER_NAME_SIZE];
  char source_name[TR_LEFTOVER_NAME_SIZE]; /* offline, if it archives: a second name of the old file */
  int lock_fd;                             /* owned, like the next two; -1 when closed */
  int old_fd;  /* O_RDONLY (a read lease needs that): the file being pruned, which ends up under new_name */
  int live_fd; /* O_RDWR, never O_APPEND (pwrite() would append): the temporary, which ends up under file_name */
  struct stat old_stat;
  bool no_leases, has_source_name; /* offline, on a file system without them */
  TrPruneState state;
  int64_t exclusive_until_ms; /* our write lease on the live file lasts at least until then; 0: we have none */
  TrSelection selection;
  TrSealedPrune sealed;
  TrPruneReceipt receipt;
  TrPruneArchive archive;
  TrJournal journal;
} TrPrune;

/* Does this prune look like a mistake? Then *refusal (owned) tells why and what would go; else it is NULL. `name`: of
** the one job's file that is to be pruned; NULL: of all. SQLITE_BUSY: another program has leased that file. */
TR_CHECKED int tr_guard(TrDir *dir, TrPoll *poll, const TrPruneOptions *options, const TrMarks *marks, size_t max_line,
                        const char *name, char **refusal, char **message);

typedef enum TrPruneResult { TR_PRUNED, TR_PRUNE_UNCHANGED, TR_PRUNE_DRY_RUN, TR_REFUSED, TR_PRUNE_BUSY } TrPruneResult;

typedef struct TrPruneReport {
  TrPruneResult result;
  int64_t kept;                       /* records, without those appended meanwhile. -1: not known (busy) */
  int64_t bytes_freed;                /* 0 if nothing was */
  int64_t dropped;                    /* lines; -1: not counted */
  int64_t unshipped;                  /* lines that stay only because ship has not read them for `sink` */
  const char *sink;                   /* borrowed from the marks: the file of the slowest one's; NULL: nobody ships */
  bool recovered;                     /* an interrupted prune of the job was finished or discarded first */
  char archive[TR_ARCHIVE_NAME_SIZE]; /* the segment in which the lines are; or empty */
  char *reason;                       /* owned; BUSY: what has the file in use; REFUSED, only by a dry run: why */
} TrPruneReport;

/* Prunes one job. SQLITE_NOTFOUND: it has no file (and *message says so). The caller frees report->reason. */
TR_CHECKED int tr_prune_job(TrDir *dir, TrPoll *poll, const TrPruneOptions *options, TrMarks *marks, size_t max_line,
                            const char *job_id, size_t job_length, TrPruneReport *report, char **message);

/* Does something else under the job's lock, when an interrupted prune was finished. SQLITE_BUSY: a prune is running. */
TR_CHECKED int tr_prune_locked(TrDir *dir, TrPoll *poll, size_t max_line, const char *job_id, size_t job_length,
                               int (*act)(void *context, char **message), void *context, char **message);

int tr_prune_error(const TrPrune *prune, int code, char **message, int error_number, const char *format, ...);
TR_CHECKED int tr_prune_open(const TrPrune *prune, const char *name, int flags, mode_t mode); /* -1: see errno */

TR_CHECKED int tr_copy_kept(TrPrune *prune, char **message); /* creates the temporary, and fsyncs it */
TR_CHECKED int tr_copy_bytes(TrPrune *prune, TrRange from, int64_t at, TrPoll *poll,
                             char **message); /* old file -> live file */
/* The owner of the old file, its mode and access lists -> another one: its `what`. */
TR_CHECKED int tr_copy_owner(const TrPrune *prune, int fd, const char *what, char **message);
TR_CHECKED int tr_copy_discard(TrPrune *prune, char **message); /* temporary and journal */

void tr_lease_pause(void);                                         /* between two tries: 0.1 ms */
bool tr_lease_is_unbroken(int fd, int type, int milliseconds);     /* true: nobody opened the file for so long */
TR_CHECKED int tr_lease_wait_idle(TrPrune *prune, char **message); /* step 4: nobody has the file open for writing */
TR_CHECKED int tr_lease_claim_live(TrPrune *prune, int64_t deadline_ms, char **message); /* nobody else has it open */
TR_CHECKED int tr_lease_open(const TrPrune *prune, const char *name); /* for writing, when no other lease is on it */
void tr_lease_release_live(TrPrune *prune);

TR_CHECKED int tr_journal_create(TrPrune *prune, char **message);
TR_CHECKED int tr_journal_load(TrPrune *prune, bool *complete, char **message); /* fd stays -1 if there is none */
TR_CHECKED int tr_journal_save(TrPrune *prune, char **message);                 /* durable on return */
void tr_journal_close(TrJournal *journal);
bool tr_journal_job(int dirfd, const char *leftover, char out[TR_NAME_SIZE], size_t *length); /* its job */
/* For readers. *found: a prune of the job has not ended, and has, or will have, a receipt. 0, or errno. */
TR_CHECKED int tr_journal_receipt(int dirfd, const char *job_id, size_t length, TrJournalState *state, bool *found);

/* SQLITE_OK if the owner and mode of a file allow us to trust it. `found`: the lock, the journal or the temporary.
** `live` NULL: there is no live file. */
TR_CHECKED int tr_trust_file(const TrPrune *prune, const char *name, const struct stat *found, char **message);
TR_CHECKED int tr_trust_leftover(const TrPrune *prune, const char *name, const struct stat *found, char **message);
TR_CHECKED int tr_trust_drain(const TrPrune *prune, const struct stat *old, const struct stat *live,
                              uid_t journal_owner, char **message);

/* sum_up: `receipt` is empty but for its id; on failure it owns nothing.
** receipt_prepare: before the journal is written. Without it (no_receipt), the others do nothing.
** receipt_recover: what an interrupted prune has prepared; the journal is loaded, and names it. `live`: the job's file.
** receipt_append: durable on return. Does nothing if the receipt is there.
** receipt_discard: the pending file goes, behind the journal, if it is this prune's. If it stays, it does no harm. */
TR_CHECKED int tr_sum_up(TrPrune *prune, TrReceipt *receipt, char **message);
TR_CHECKED int tr_receipt_prepare(TrPrune *prune, char **message);
TR_CHECKED int tr_receipt_recover(TrPrune *prune, const struct stat *live, char **message);
TR_CHECKED int tr_receipt_append(TrPrune *prune, char **message);
void tr_receipt_discard(TrPrune *prune);
void tr_receipt_close(TrPrune *prune);

/* archive_find: before the temporary is made. archive_prepare: makes the pending segment; sum_up writes its lines;
** archive_finish makes it safe. archive_settle: behind the exchange, which is on disk: it gets its name, durably.
** archive_recover: of an interrupted prune; its journal is loaded. `old`: what has the temporary's name now; or NULL.
** archive_discard: the exchange has not happened: what is pending goes. archive_take_back: the same for our own one. */
TR_CHECKED int tr_archive_find(TrPrune *prune, char **message);
bool tr_archive_names_source(const TrPrune *prune, uint64_t inode); /* does a pending segment, as its source? */
TR_CHECKED int tr_archive_prepare(TrPrune *prune, char **message);
TR_CHECKED int tr_archive_write_error(const TrPrune *prune, int code, char **message); /* of the writer */
TR_CHECKED int tr_archive_finish(TrPrune *prune, char **message);
TR_CHECKED int tr_archive_settle(TrPrune *prune, char **message);
TR_CHECKED int tr_archive_recover(TrPrune *prune, const struct stat *old, char **message);
bool tr_archive_is_pending(const TrPrune *prune, struct stat *found); /* the interrupted prune's one */
TR_CHECKED int tr_archive_discard(TrPrune *prune, char **message);
TR_CHECKED bool tr_archive_take_back(TrPrune *prune); /* false: it is still there */
void tr_archive_close(TrPrune *prune);
/* Between the two files. enter: opens the archive, or makes it. drop_pending: our own one, which is not needed. */
#define TR_ARCHIVE_REMEDY "to remove the lines for good: without 'archive', 1, or --archive"
TR_CHECKED int tr_archive_enter(TrPrune *prune, bool makes, char **message);
TR_CHECKED int tr_archive_sync(const TrPrune *prune, char **message); /* on disk before anything else goes */
bool tr_archive_parse_name(const TrPrune *prune, const char *text, TrSegmentName *name);
void tr_archive_name_pending(TrPruneArchive *archive, uint64_t source);
void tr_archive_close_pending(TrPruneArchive *archive);
TR_CHECKED int tr_archive_drop_pending(TrPrune *prune, char **message);
TR_CHECKED int tr_archive_error(const TrPrune *prune, int reason, const char *name, const char *what, char **message);
TR_CHECKED int tr_moves_append(const TrPrune *prune, char **message); /* durable on return */
TR_CHECKED int tr_sealed_check(TrPrune *prune, char **message);       /* before anything is changed */
TR_CHECKED int tr_sealed_carry(TrPrune *prune, TrReceipt *receipt,
                               char **message); /* all else of the receipt is known */
bool tr_sealed_exists(const TrPrune *prune);    /* the job has seals; or that cannot be found out */

TR_CHECKED int tr_exchange(TrPrune *prune, char **message);         /* prune->state tells how far it came */
TR_CHECKED int tr_exchange_offline(TrPrune *prune, char **message); /* a plain rename */
TR_CHECKED int tr_drain(TrPrune *prune, char **message); /* on success the old file and the journal are gone */
TR_CHECKED int tr_recover(TrPrune *prune, bool *recovered, char **message);
TR_CHECKED int tr_recover_from_replaced(TrPrune *prune,
                                        char **message); /* our own exchange: SQLITE_ABORT when undone */

/* replaced_is_met: the exchange has met another file, and the one that was copied is still there, rotated.
** replaced_undo: if it is so by the journal, which is loaded. */
TR_CHECKED int tr_replaced_is_met(const TrPrune *prune, bool *is, char **message);
TR_CHECKED int tr_replaced_undo(TrPrune *prune, char **message);

/* region_settle: fills the one in again that a killed prune has left in the live file. region_lose: its file is gone.
** rotated_settle_region: its file has another name by now, or is gone. rotated_count_copied: how much of that range of
** the old file stands where the region was in other files of the job. rotated_find: name[0] is NUL if there is none. */
TR_CHECKED int tr_region_append(TrPrune *prune, int64_t end, bool add_newline, char **message); /* old[drained, end) */
TR_CHECKED int tr_region_settle(TrPrune *prune, char **message);
TR_CHECKED int tr_region_lose(TrPrune *prune, char **message);
TR_CHECKED int tr_rotated_find(const TrPrune *prune, uint64_t inode, char name[TR_NAME_SIZE], char **message);
TR_CHECKED int tr_rotated_settle_region(TrPrune *prune, char **message);
TR_CHECKED int tr_rotated_count_copied(const TrPrune *prune, TrRange range, int64_t *copied, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** prune/counted_receipts.c - the segments of a job, all open -> the receipts of what was removed before that moment
*/
typedef struct TrCountedReceipts {
  TrPoll *poll;                  /* borrowed */
  char *directory, *folder_path; /* owned: of the folder that is open, below the base; and for messages */
  TrOwnFolder folder;
  TrDir dir; /* the folder, as one whose files are opened */
  TrReceipts receipts;
} TrCountedReceipts;

/* Call order: init; add for each job; end, after which it is as after init. *again: a prune got in between, so open the
** segments again, and begin the counts anew. */
void tr_counted_receipts_init(TrCountedReceipts *counted, TrPoll *poll);
TR_CHECKED int tr_counted_receipts_add(TrCountedReceipts *counted, const TrHistory *history, const char *live_path,
                                       TrDayCounts *counts, bool *again, char **message);
void tr_counted_receipts_end(TrCountedReceipts *counted);

#pragma GCC visibility pop
#endif /* TR_PRUNE_H */
