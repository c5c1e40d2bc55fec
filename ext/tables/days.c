/*
** days.c - task_days: one row per job and day: how many runs and failures there were, be their records in the live
** file, in a rotated one or in the archive, or be they removed by a prune that has left a receipt.
**
**   SELECT day, runs, failures FROM task_days('my-job') WHERE day >= '2026-02-01';
**   SELECT day, sum(runs), sum(failures) FROM task_days WHERE zone = 'Europe/Berlin' GROUP BY day;
**
** day_counts.c says what a day is, and counts; counted_receipts.c says which receipts count, so that a prune that runs
** meanwhile makes no difference. Records without a readable time have a row of their own, in which `day` is NULL.
**
** When the segments of a job are opened, which may be ahead of time, its receipts are counted, and it is appended to a
** queue. When its records have been counted, too, its rows follow. Jobs without any file are in the queue as well.
*/
#include "tables.h"

enum {
  DAYS_JOB_ID,
  DAYS_DAY,
  DAYS_RUNS,
  DAYS_FAILURES,
  DAYS_FIRST_RUN,
  DAYS_LAST_RUN,
  DAYS_PRUNED_RUNS,
  DAYS_JOB,
  DAYS_ZONE, /* these two are arguments */
  DAYS_AS_OF,
  DAYS_AGE,
  DAYS_PRUNED_FAILURES,
  DAYS_FIRST_RUN_US,
  DAYS_LAST_RUN_US,
  DAYS_HOST
};

static const char days_schema[] =
    "CREATE TABLE task_days("
    "job_id TEXT, day TEXT, runs INTEGER, failures INTEGER, first_run TEXT, last_run TEXT, pruned_runs INTEGER, "
    "job TEXT HIDDEN, zone HIDDEN, as_of HIDDEN, " /* no type: SQLite must not convert what was given */
    "age INTEGER HIDDEN, pruned_failures INTEGER HIDDEN, first_run_us INTEGER HIDDEN, last_run_us INTEGER HIDDEN, "
    "host TEXT HIDDEN)";

typedef struct DaysJob {
  uint32_t ordinal; /* of its live file */
  const char *path; /* borrowed, from the connection's names: below the list's directory */
  TrDayCounts counts;
} DaysJob;

typedef struct DaysCursor {
  TrJobPass pass; /* first: job_pass.c knows only this */
  TrCountedReceipts receipts;
  sqlite3_value *zone_value, *as_of_value; /* owned; as given, or NULL */
  TrZone *zone;                            /* owned */
  bool has_as_of;
  int64_t as_of_us;
  DaysJob *job; /* owned: the queue */
  size_t count, room;
  size_t first;  /* index of the job whose rows are returned */
  size_t ready;  /* so many jobs, from that one on, have been counted */
  size_t filled; /* index of the job whose records are counted */
  size_t row;    /* index of the next row of the first job */
  const TrDayCell *cell;
  bool is_done; /* all files have been read */
} DaysCursor;

/* --- planning ----------------------------------------------------------------------------------------------------- */

static TrColumn days_column_of(int column) {
  switch (column) {
  case DAYS_JOB_ID:
  case DAYS_JOB: return TR_COLUMN_JOB_ID;
  case DAYS_HOST: return TR_COLUMN_HOST;
  case DAYS_ZONE: return TR_COLUMN_ZONE;
  case DAYS_AS_OF: return TR_COLUMN_AS_OF;
  default: return TR_COLUMN_OTHER;
  }
}

static int days_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                        char **message) {
  int code = tr_table_connect(db, connection, &tr_results_store, false, days_schema, argc, argv, vtab, message);
  if (code == SQLITE_OK) ((TrTable *)*vtab)->settings.segments = TR_SEGMENTS_ALL;
  return code;
}

static int days_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int code = tr_time_window_choose(vtab, info, "task_days", days_column_of, TR_INDEX_COVERS);
  info->estimatedRows = info->estimatedRows / 100 + 1; /* records of a job on a day */
  return code;
}

/* --- the queue ---------------------------------------------------------------------------------------------------- */

static void drop_jobs(DaysCursor *days) {
  for (size_t i = 0; i < days->count; i++) tr_day_counts_free(&days->job[i].counts);
  days->count = days->first = days->ready = days->row = 0;
  days->is_done = false;
}

/* Jobs whose rows have been returned make room. */
static void drop_shown_jobs(DaysCursor *days) {
  if (days->first == 0) return;
  for (size_t i = 0; i < days->first; i++) tr_day_counts_free(&days->job[i].counts);
  days->count -= days->first;
  memmove(days->job, days->job + days->first, days->count * sizeof *days->job);
  days->first = 0;
}

static int queue_job(void *context, uint32_t ordinal, const char *path, TrHistory *history, bool *again,
                     char **message) {
  DaysCursor *days = context;
  DaysJob *grown = tr_array_reserve(days->job, &days->room, days->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  days->job = grown;
  DaysJob *job = &grown[days->count];
  *job = (DaysJob){.ordinal = ordinal, .path = path};
  job->counts = (TrDayCounts){.zone = days->zone, .has_as_of = days->has_as_of, .as_of_us = days->as_of_us};
  const char *name = tr_hosts_file_name(path);
  bool may_be_pruned = tr_name_is_job_file(name, strlen(name)); /* no other files are, so they have no receipts */
  int code = SQLITE_OK;
  if (may_be_pruned) code = tr_counted_receipts_add(&days->receipts, history, path, &job->counts, again, message);
  if (code == SQLITE_OK && !*again)
    days->count++;
  else
    tr_day_counts_free(&job->counts);
  return code;
}

/* --- the records -------------------------------------------------------------------------------------------------- */

/* Is the file that is read now a segment of this job? */
static bool is_segment_of(const TrScanFile *current, const DaysJob *job) {
  char name[TR_NAME_SIZE];
  size_t before = tr_segment_directory(current->path);
  tr_segment_live_name(current->list->store, current->job, name);
  return strncmp(job->path, current->path, before) == 0 && strcmp(job->path + before, name) == 0;
}

static int begin_days(TrJobPass *pass) {
  DaysCursor *days = (DaysCursor *)pass;
  days->filled = days->first;
  while (days->filled < days->count && !is_segment_of(&pass->cursor.scan.current, &days->job[days->filled]))
    days->filled++;
  return days->filled < days->count ? SQLITE_OK : SQLITE_INTERNAL;
}

static int add_to_days(TrJobPass *pass, const TrParsed *lines, unsigned count) {
  DaysCursor *days = (DaysCursor *)pass;
  return tr_day_counts_add(&days->job[days->filled].counts, lines, count);
}

static int days_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  static const TrJobRows rows = {.table = "task_days", .begin = begin_days, .add = add_to_days, .takes_unread = true};
  TrTable *table = (TrTable *)vtab;
  DaysCursor *days = sqlite3_malloc64(sizeof *days);
  if (days == NULL) return SQLITE_NOMEM;
  *days = (DaysCursor){.cell = NULL};
  tr_job_pass_init(&days->pass, vtab, &rows);
  tr_counted_receipts_init(&days->receipts, &table->poll);
  days->pass.cursor.scan.files.visitor = (TrHistoryVisitor){queue_job, days};
  *out = &days->pass.cursor.cursor.base;
  return SQLITE_OK;
}

static void drop_arguments(DaysCursor *days) {
  sqlite3_value_free(days->zone_value);
  sqlite3_value_free(days->as_of_value);
  tr_zone_free(days->zone);
  days->zone_value = days->as_of_value = NULL;
  days->zone = NULL;
  days->has_as_of = false;
}

static int days_close(sqlite3_vtab_cursor *base) {
  DaysCursor *days = (DaysCursor *)base;
  drop_jobs(days);
  sqlite3_free(days->job);
  drop_arguments(days);
  tr_counted_receipts_end(&days->receipts);
  return tr_job_pass_end(&days->pass);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* Moves to the next row of the jobs that are ready. */
static bool next_ready_row(DaysCursor *days) {
  for (; days->ready > 0; days->ready--, days->first++, days->row = 0) {
    const TrDayCounts *counts = &days->job[days->first].counts;
    if (days->row == 0 && counts->untimed.runs == 0) days->row++;
    if (days->row > counts->count) continue;
    days->cell = days->row == 0 ? &counts->untimed : &counts->cell[days->row - 1];
    days->row++;
    return true;
  }
  return false;
}

static int days_next(sqlite3_vtab_cursor *base) {
  DaysCursor *days = (DaysCursor *)base;
  int code = SQLITE_OK;
  bool has_row = next_ready_row(days);
  while (!has_row && !days->is_done && code == SQLITE_OK) {
    drop_shown_jobs(days);
    code = tr_job_pass_next(&days->pass);
    days->is_done = code == SQLITE_DONE;
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
      days->ready = days->is_done ? days->count : days->filled + 1;
      code = SQLITE_OK;
      has_row = next_ready_row(days);
    }
  }
  days->pass.cursor.cursor.at_end = !has_row;
  return code;
}

static int read_days_zone(DaysCursor *days, sqlite3_value *value, char **message) {
  if (sqlite3_value_type(value) == SQLITE_NULL) return SQLITE_OK;
  const char *name = (const char *)sqlite3_value_text(value);
  return name ? tr_zone_load(name, &days->zone, message) : SQLITE_NOMEM;
}

/* The zone first, because as_of may be a day in it. */
static int read_days_arguments(DaysCursor *days, const TrPlan *plan, int flags, sqlite3_value **argv, char **message) {
  int code = SQLITE_OK;
  drop_arguments(days);
  for (int i = 0; i < plan->count && code == SQLITE_OK; i++) {
    if (plan->term[i].column != TR_COLUMN_ZONE) continue;
    code = tr_time_argument("task_days", TR_COLUMN_ZONE, flags, NULL, argv[i], &days->zone_value, NULL, message);
    if (code == SQLITE_OK) code = read_days_zone(days, argv[i], message);
  }
  for (int i = 0; i < plan->count && code == SQLITE_OK; i++) {
    if (plan->term[i].column != TR_COLUMN_AS_OF) continue;
    days->has_as_of = sqlite3_value_type(argv[i]) != SQLITE_NULL;
    code = tr_time_argument("task_days", TR_COLUMN_AS_OF, flags, days->zone, argv[i], &days->as_of_value,
                            &days->as_of_us, message);
  }
  return code;
}

static int days_filter(sqlite3_vtab_cursor *base, int flags, const char *plan_text, int argc, sqlite3_value **argv) {
  DaysCursor *days = (DaysCursor *)base;
  TrTable *table = (TrTable *)base->pVtab;
  char **message = &table->base.zErrMsg;
  TrPlan plan;
  TrFilter filter;
  days->pass.cursor.cursor.at_end = true;
  drop_jobs(days);
  tr_counted_receipts_end(&days->receipts);
  int code = tr_table_bind(&days->pass.cursor.cursor, plan_text, argc, argv, &plan, &filter);
  if (code != SQLITE_OK) return code;
  code = read_days_arguments(days, &plan, flags, argv, message);
  if (code == SQLITE_OK) code = tr_scan_begin(&days->pass.cursor.scan, &table->settings, &filter, message);
  tr_filter_free(&filter); /* does nothing if the scan has taken it over */
  return code == SQLITE_OK ? days_next(base) : code;
}

/* A day has at most three parts: it may be 25 hours long. */
static int days_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  const DaysCursor *days = (const DaysCursor *)base;
  const TrDayCell *cell = days->cell;
  const int64_t before_year_0 = -720000;
  int64_t place = cell->is_timed ? (cell->day - before_year_0) * 4 + cell->part : 0;
  *rowid = (int64_t)((uint64_t)days->job[days->first].ordinal << TR_OFFSET_BITS | (uint64_t)place);
  return SQLITE_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static void result_of_timed(sqlite3_context *context, const DaysCursor *days, int column) {
  const TrDayCell *cell = days->cell;
  char text[TR_DAY_TEXT_SIZE];
  if (!cell->is_timed) return;
  switch (column) {
  case DAYS_DAY:
    tr_day_text(cell->day, text);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
    break;
  case DAYS_FIRST_RUN: tr_result_timestamp(context, cell->first_us); break;
  case DAYS_LAST_RUN: tr_result_timestamp(context, cell->last_us); break;
  case DAYS_FIRST_RUN_US: sqlite3_result_int64(context, cell->first_us); break;
  case DAYS_LAST_RUN_US: sqlite3_result_int64(context, cell->last_us); break;
  case DAYS_AGE:
    if (days->has_as_of) sqlite3_result_int64(context, cell->age);
    break;
  }
}

static void result_of_job(sqlite3_context *context, const DaysCursor *days, int column) {
  const char *path = days->job[days->first].path, *name = tr_hosts_file_name(path);
  TrBytes host;
  if (column != DAYS_HOST) {
    tr_result_job_id(context, tr_segment_job(days->pass.cursor.scan.files.store, name, strlen(name)));
    return;
  }
  tr_hosts_own(&days->pass.cursor.scan.files.hosts, path, &host);
  tr_result_host(context, host);
}

static int days_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  const DaysCursor *days = (const DaysCursor *)base;
  const TrDayCell *cell = days->cell;
  switch (column) {
  case DAYS_JOB_ID:
  case DAYS_JOB:
  case DAYS_HOST: result_of_job(context, days, column); break;
  case DAYS_RUNS: sqlite3_result_int64(context, cell->runs); break;
  case DAYS_FAILURES: sqlite3_result_int64(context, cell->failures); break;
  case DAYS_PRUNED_RUNS: sqlite3_result_int64(context, cell->removed_runs); break;
  case DAYS_PRUNED_FAILURES: sqlite3_result_int64(context, cell->removed_failures); break;
  case DAYS_ZONE: tr_time_window_result(context, days->zone_value); break;
  case DAYS_AS_OF: tr_time_window_result(context, days->as_of_value); break;
  default: result_of_timed(context, days, column); break;
  }
  return SQLITE_OK;
}

int tr_days_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = days_connect,
      .xConnect = days_connect,
      .xBestIndex = days_best_index,
      .xDisconnect = tr_table_disconnect,
      .xDestroy = tr_table_disconnect,
      .xOpen = days_open,
      .xClose = days_close,
      .xFilter = days_filter,
      .xNext = days_next,
      .xEof = tr_table_eof,
      .xColumn = days_column,
      .xRowid = days_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_days", &module, connection, tr_connection_unref);
}
