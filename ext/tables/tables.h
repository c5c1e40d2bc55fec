/*
** tables.h - one file a table: the virtual tables.
*/
#ifndef TR_TABLES_H
#define TR_TABLES_H

#include "../base/base.h"
#include "../figures/figures.h"
#include "../history/history.h"
#include "../scan/scan.h"

#pragma GCC visibility push(hidden)

/* ------------------------------------------------------------------------------------------------------------------
** tables/time_window.c - since and until, the arguments of task_stats and task_errors
*/
typedef struct TrTimeWindow {
  sqlite3_value *since, *until; /* owned; as given, or NULL */
} TrTimeWindow;
/* Bits of idxNum: SQLite compares the argument with the column, too. TR_CHECKS_END and above are free for tables. */
#define TR_CHECKS(column) (1 << ((column)-TR_COLUMN_SINCE))
#define TR_CHECKS_END TR_CHECKS(TR_COLUMN_OTHER)

/* tr_table_choose() for a table with the arguments; sets idxNum too. `table` is the table's name, for messages. */
TR_CHECKED int tr_time_window_choose(sqlite3_vtab *vtab, sqlite3_index_info *info, const char *table,
                                     TrColumn (*column_of)(int table_column), TrIndexUse index);
/* The arguments that the plan has -> the filter's times. A zeroed one is a valid freed one. */
TR_CHECKED int tr_time_window_bind(TrTimeWindow *time_window, const char *table, const TrPlan *plan, int flags,
                                   sqlite3_value **argv, TrFilter *filter, char **message);
void tr_time_window_free(TrTimeWindow *time_window);
void tr_time_window_result(sqlite3_context *context, sqlite3_value *argument); /* as it was given; NULL: it was not */
/* A single argument. *kept (if not NULL) gets a copy of it, *us (if not NULL) gets the time, if there is one. */
TR_CHECKED int tr_time_argument(const char *table, TrColumn column, int flags, const TrZone *zone, sqlite3_value *value,
                                sqlite3_value **kept, int64_t *us, char **message);

/* ------------------------------------------------------------------------------------------------------------------
** tables/table.c - what all tables share
** tables/results.c, history.c, rejects.c, lines.c, stats.c, errors.c, logs.c, jobs.c, runs.c, slots.c, prunes.c,
** days.c - the tables
*/

typedef struct TrTable {
  sqlite3_vtab base;
  TrConnection *connection; /* counted reference */
  TrPoll poll;
  TrSettings settings;
  bool direct_only;  /* made with arguments; triggers cannot reach it, so INSERT needs no opt-in */
  TrPending pending; /* task_results: what the open transaction has inserted */
} TrTable;

typedef struct TrCursor {
  sqlite3_vtab_cursor base;
  TrScratch scratch;
  bool at_end;
  bool joins_asked, outer_join; /* may the statement have an outer join? */
} TrCursor;

typedef struct TrScanCursor {
  TrCursor cursor; /* first, here and in every cursor that is built on this one */
  TrScan scan;
} TrScanCursor;
TR_CHECKED int tr_table_connect(sqlite3 *db, TrConnection *connection, const TrStore *store, bool has_segments,
                                const char *schema, int argc, const char *const *argv, sqlite3_vtab **vtab,
                                char **message);
TR_CHECKED int tr_table_declare(sqlite3 *db, const char *schema, int argc, char **message); /* with any: DIRECTONLY */
TR_CHECKED int tr_table_disconnect(sqlite3_vtab *vtab);
static inline TrConnection *tr_table_connection(const TrCursor *cursor) {
  return ((TrTable *)cursor->base.pVtab)->connection;
}
/* The first half of xFilter: decodes the plan, and binds the filter, which the caller owns. */
TR_CHECKED int tr_table_bind(TrCursor *cursor, const char *plan_text, int argc, sqlite3_value **argv, TrPlan *plan,
                             TrFilter *filter);
/* tr_plan_choose() for the table. */
TR_CHECKED int tr_table_choose(sqlite3_vtab *vtab, sqlite3_index_info *info, TrColumn (*column_of)(int table_column),
                               bool sorts_jobs, TrIndexUse index);
int tr_table_eof(sqlite3_vtab_cursor *cursor);

/* For a TrScanCursor. */
TR_CHECKED int tr_table_open(sqlite3_vtab *vtab, TrWant want, sqlite3_vtab_cursor **cursor);
TR_CHECKED int tr_table_close(sqlite3_vtab_cursor *cursor);
TR_CHECKED int tr_table_filter(sqlite3_vtab_cursor *cursor, int unused, const char *plan, int argc,
                               sqlite3_value **argv);
TR_CHECKED int tr_table_next(sqlite3_vtab_cursor *cursor);
TR_CHECKED int tr_table_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid);

void tr_result_job_id(sqlite3_context *context, TrBytes job); /* `job` must be UTF-8, as names of jobs' files are */
void tr_result_job(sqlite3_context *context, TrScanCursor *cursor); /* of the current record, as `ok` is */
void tr_result_ok(sqlite3_context *context, const TrScan *scan);
TR_CHECKED int tr_result_unbroken(sqlite3_context *context, TrScanCursor *cursor); /* 1: no run is missing behind it */
void tr_result_host(sqlite3_context *context, TrBytes host);                       /* NULL, if the path has no star */
void tr_result_bytes(sqlite3_context *context, const void *bytes, size_t length); /* TEXT, or BLOB if it is not UTF-8 */
/* A field of the current record. */
static inline void tr_result_field(sqlite3_context *context, TrScanCursor *cursor, TrField field) {
  tr_result_span(context, tr_scan_line(&cursor->scan), &tr_scan_record(&cursor->scan)->field[field],
                 tr_table_connection(&cursor->cursor)->c_locale, &cursor->cursor.scratch);
}
void tr_result_time_us(sqlite3_context *context, const TrLine *line, const TrSpan *timestamp); /* if it can be read */
void tr_result_timestamp(sqlite3_context *context, int64_t time_us);

/* ------------------------------------------------------------------------------------------------------------------
** tables/lines_row.c - task_lines: a record as `taskresults ship` sends it, and the hash of a line
*/
/* NULL: no record, or one by a mapping, or `success` is a number that ship's own SQL writes. SQLITE_OK, SQLITE_NOMEM or
** SQLITE_TOOBIG. */
TR_CHECKED int tr_lines_result_row(sqlite3_context *context, TrScanCursor *cursor);
void tr_lines_result_hash(sqlite3_context *context, const TrLine *line); /* of one that is too long: of its length */

/* ------------------------------------------------------------------------------------------------------------------
** tables/job_pass.c - tables whose rows come from one pass over each job's file
*/
typedef struct TrJobPass TrJobPass;
/* How such a table reads a job's file. */
typedef struct TrJobRows {
  const char *table;             /* its name */
  bool failures_only;            /* the table needs only failures; other records may come too */
  int (*begin)(TrJobPass *pass); /* the next job's file is open: start anew */
  int (*add)(TrJobPass *pass, const TrParsed *lines, unsigned count); /* records and rejects */
  int (*select)(TrJobPass *pass, size_t which); /* of the jobs that share files: all that follows is about this one */
  bool takes_unread;                            /* records whose lines an index makes needless; then, if not NULL: */
  int (*complete)(TrJobPass *pass, char **message); /* the file has been read. SQLITE_NOTFOUND: read it again */
} TrJobRows;
struct TrJobPass {
  TrScanCursor cursor; /* first */
  TrTimeWindow time_window;
  const TrJobRows *rows; /* static */
  TrJobIndex shared;     /* the jobs, if they share files: then all files are read before the first row */
  size_t passed;         /* of them */
  bool has_read;
};
/* Call order: init on a zeroed cursor; filter for each pass, next until it is not SQLITE_ROW; end, which frees it. */
void tr_job_pass_init(TrJobPass *pass, sqlite3_vtab *vtab, const TrJobRows *rows);
TR_CHECKED int tr_job_pass_filter(TrJobPass *pass, int flags, const char *plan, int argc, sqlite3_value **argv);
TR_CHECKED int tr_job_pass_next(TrJobPass *pass); /* SQLITE_ROW: a job's file has been read completely */
TR_CHECKED int tr_job_pass_end(TrJobPass *pass);
void tr_job_pass_result_job(sqlite3_context *context, const TrJobPass *pass); /* of the current row, */
void tr_job_pass_result_host(sqlite3_context *context, const TrJobPass *pass);
int64_t tr_job_pass_rowid(const TrJobPass *pass); /* if a row stands for all of a job */

/* ------------------------------------------------------------------------------------------------------------------
** tables/logged_table.c - tables of results that also read the jobs' logs
*/
typedef struct TrLoggedTable {
  TrTable table; /* first: of the results */
  TrSettings logs;
  char *jobs_file; /* owned; NULL: the environment's, or the default */
} TrLoggedTable;
/* With the arguments dir, logs and max_line; if it `has_jobs`, with file, results, logs and max_line. */
TR_CHECKED int tr_logged_table_connect(sqlite3 *db, TrConnection *connection, const char *schema, bool has_jobs,
                                       int argc, const char *const *argv, sqlite3_vtab **vtab, char **message);
TR_CHECKED int tr_logged_table_disconnect(sqlite3_vtab *vtab);

/* ------------------------------------------------------------------------------------------------------------------
** tables/run_log.c - a job's log -> when its runs began
*/
typedef struct TrRunLog {
  TrLoggedTable *table; /* borrowed */
  bool is_optional;     /* the default directory of logs may be missing; then no start is known */
  TrLogScan messages;
  TrDurations durations;
  bool loaded;         /* durations are those of ... */
  int64_t loaded_file; /* ... the job whose file has this rowid */
} TrRunLog;
/* Call order: init; forget for each pass, since the log grows; load for a job, then start and duration for its runs;
** end. */
void tr_run_log_init(TrRunLog *log, TrLoggedTable *table);
void tr_run_log_forget(TrRunLog *log);
TR_CHECKED int tr_run_log_load(TrRunLog *log, const TrScan *results);             /* of the current record, or file */
bool tr_run_log_start(const TrRunLog *log, int64_t finish_us, int64_t *start_us); /* false: unknown */
bool tr_run_log_duration(const TrRunLog *log, int64_t finish_us, int64_t *us);
void tr_run_log_end(TrRunLog *log);

/* ------------------------------------------------------------------------------------------------------------------
** tables/job_durations.c - the records of a job, and its log -> the durations of its runs */
typedef struct TrJobDurations {
  bool is_wanted; /* set by the table: does the query need any? */
  TrRunLog log;
  int64_t *finish_us; /* owned: of records whose durations have not been looked up yet */
  size_t count, room;
  TrQuantiles *known_us; /* borrowed: the durations found in the log, or in the records */
} TrJobDurations;
/* Call order: init; begin for each job; add for its records; then the durations; end. `results` is at the job's file.
** us is set if it is known. */
void tr_job_durations_init(TrJobDurations *durations, TrLoggedTable *table);
void tr_job_durations_begin(TrJobDurations *durations);
TR_CHECKED int tr_job_durations_add(TrJobDurations *durations, const TrScan *results, const TrParsed *lines,
                                    unsigned count);
TR_CHECKED int tr_job_durations_quantile(TrJobDurations *durations, const TrScan *results, unsigned percent,
                                         int64_t *us, bool *is_known);
TR_CHECKED int tr_job_durations_of_run(TrJobDurations *durations, const TrScan *results, int64_t finish_us, int64_t *us,
                                       bool *is_known);
void tr_job_durations_end(TrJobDurations *durations);

/* ------------------------------------------------------------------------------------------------------------------
** tables/slot_arguments.c - the arguments of task_slots -> which slots are wanted, and how late a run may begin
*/
enum { TR_SLOT_ARGUMENTS = TR_COLUMN_OTHER - TR_COLUMN_SINCE };

typedef struct TrSlotArguments {
  sqlite3_value *value[TR_SLOT_ARGUMENTS]; /* owned; as given, or NULL */
  TrZone *zone;                            /* owned; NULL: UTC */
  int64_t from_us, to_us;                  /* the window, both ends included */
  int64_t grace_us;                        /* negative: the default */
  int64_t per_job;                         /* so many slots of each job: the first, or, negative, the last; 0: all */
} TrSlotArguments;
/* A zeroed one is a valid freed one; read frees it first. */
TR_CHECKED int tr_slot_arguments_read(TrSlotArguments *arguments, const TrPlan *plan, int flags, sqlite3_value **argv,
                                      int64_t now_us, char **message);
void tr_slot_arguments_free(TrSlotArguments *arguments);

/* ------------------------------------------------------------------------------------------------------------------
** tables/host_jobs.c - the path of jobs.json -> the jobs of the host, or, if it has a star, those of each host
*/
typedef struct TrHostJobs {
  char *host; /* owned; NULL: the path has no star */
  TrJobs jobs;
  TrNameList orphans; /* owned, of task_jobs, as the ordinal is: ids, in alphabetical order */
  uint32_t ordinal;
} TrHostJobs;

typedef struct TrHostJobsList {
  TrHostJobs *of; /* owned, by name */
  size_t count, room;
} TrHostJobsList;
/* A zeroed list is a valid freed one. `file` NULL: the environment's, or the default. An error if a host's file cannot
** be read, or if there is none at all. Free it after an error, too. */
TR_CHECKED int tr_host_jobs_load(TrHostJobsList *list, const char *file, const TrFilter *filter, TrPoll *poll,
                                 char **message);
void tr_host_jobs_free(TrHostJobsList *list);
/* Is the directory of several hosts if the file is, and only then? */
TR_CHECKED int tr_host_jobs_check(const char *file, const TrSettings *settings, char **message);
/* The ordinal of a job of the host, or, with an empty id, of the host. */
TR_CHECKED int tr_host_jobs_intern(const TrHostJobs *of, const char *job_id, const TrConnection *connection,
                                   uint32_t *ordinal, char **message);
void tr_host_jobs_result(sqlite3_context *context, const TrHostJobs *of); /* its name, or NULL */

/* ------------------------------------------------------------------------------------------------------------------
** tables/slot_job.c - a job of jobs.json -> its runs, from its records, its log and its checkpoint
*/
typedef struct TrSlotSource {
  TrPoll *poll;               /* borrowed, */
  TrSettings *results, *logs; /* and these */
  TrScan records;
  TrLogScan messages;
  TrJobLog log;
  TrSlotRun *run; /* owned */
  size_t count, room;
  bool *is_used; /* owned: for each run of the log: it has a record */
  size_t used_room;
  int64_t earliest_us; /* of the records */
} TrSlotSource;

/* Call order: init; load for each job, whose run, log and earliest_us are then set, until the next one; end. What is
** older than horizon_us need not be known. */
void tr_slot_source_init(TrSlotSource *source, TrConnection *connection, TrPoll *poll, TrSettings *results,
                         TrSettings *logs);
TR_CHECKED int tr_slot_source_load(TrSlotSource *source, const TrHostJobs *of, const char *job_id, int64_t horizon_us,
                                   TrSlotJob *job, char **message);
void tr_slot_source_end(TrSlotSource *source);

/* ------------------------------------------------------------------------------------------------------------------
** tables/receipt_files.c - the files of receipts that a query wants, and their receipts
*/
typedef struct TrReceiptPath {
  char *directory; /* owned by the first file of several with the same one: path of the results directory */
  char *path;      /* owned: of the job's file, as a file list has it */
  uint32_t ordinal;
} TrReceiptPath;

typedef struct TrReceiptFiles {
  TrNames *names; /* borrowed: the connection's */
  TrPoll *poll;   /* borrowed */
  const TrStore *store;
  TrHosts hosts;
  TrReceiptPath *file; /* owned */
  size_t count, room;
  size_t at;                    /* index of the next one */
  const TrReceiptPath *current; /* borrowed; set while there is a receipt */
  const char *directory;        /* borrowed: of the folder that is open, */
  char *folder_path;            /* and this owned, for messages */
  TrDir dir;
  TrOwnFolder folder;
  TrReceipts receipts; /* receipts.receipt: the current one */
} TrReceiptFiles;

/* Call order: init; find for each pass, and next until it is not SQLITE_ROW; end. */
void tr_receipt_files_init(TrReceiptFiles *files, TrNames *names, TrPoll *poll);
TR_CHECKED int tr_receipt_files_find(TrReceiptFiles *files, const TrSettings *settings, const TrFilter *filter,
                                     char **message);
TR_CHECKED int tr_receipt_files_next(TrReceiptFiles *files, char **message);
void tr_receipt_files_end(TrReceiptFiles *files);
int64_t tr_receipt_files_rowid(const TrReceiptFiles *files);
TrBytes tr_receipt_files_job(const TrReceiptFiles *files);  /* borrowed until end, as is the next one */
TrBytes tr_receipt_files_host(const TrReceiptFiles *files); /* text NULL: there is only one */

/* ------------------------------------------------------------------------------------------------------------------
** tables/insert.c - INSERT: SQL values -> row
** tables/transaction.c - SQLite's transaction and savepoints -> the pending rows
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
  TR_RESULTS_HOST,
  TR_RESULTS_UNBROKEN,
  TR_RESULTS_SEGMENT, /* these: of task_history alone */
  TR_RESULTS_SEGMENT_NO
};

#define TR_RESULTS_COLUMNS                                                                                             \
  "timestamp TEXT, job_id TEXT, job_name TEXT, success INTEGER, output TEXT, error TEXT, "                             \
  "job TEXT HIDDEN, time_us INTEGER HIDDEN, offset INTEGER HIDDEN, record TEXT HIDDEN, "                               \
  "ok INTEGER HIDDEN, host TEXT HIDDEN, unbroken INTEGER HIDDEN"

TrColumn tr_results_column_of(int column);
TR_CHECKED int tr_results_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column);

TR_CHECKED int tr_insert_update(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid);
TR_CHECKED int tr_transaction_begin(sqlite3_vtab *vtab);
TR_CHECKED int tr_transaction_sync(sqlite3_vtab *vtab);
TR_CHECKED int tr_transaction_commit(sqlite3_vtab *vtab);
TR_CHECKED int tr_transaction_rollback(sqlite3_vtab *vtab);
TR_CHECKED int tr_transaction_savepoint(sqlite3_vtab *vtab, int savepoint);
TR_CHECKED int tr_transaction_release(sqlite3_vtab *vtab, int savepoint);
TR_CHECKED int tr_transaction_rollback_to(sqlite3_vtab *vtab, int savepoint);

TR_CHECKED int tr_results_register(TrConnection *connection);
TR_CHECKED int tr_history_register(TrConnection *connection);
TR_CHECKED int tr_rejects_register(TrConnection *connection);
TR_CHECKED int tr_stats_register(TrConnection *connection);
TR_CHECKED int tr_errors_register(TrConnection *connection);
TR_CHECKED int tr_logs_register(TrConnection *connection);
TR_CHECKED int tr_jobs_register(TrConnection *connection);
TR_CHECKED int tr_runs_register(TrConnection *connection);
TR_CHECKED int tr_slots_register(TrConnection *connection);
TR_CHECKED int tr_lines_register(TrConnection *connection);
TR_CHECKED int tr_prunes_register(TrConnection *connection);
TR_CHECKED int tr_days_register(TrConnection *connection);

#pragma GCC visibility pop
#endif /* TR_TABLES_H */
