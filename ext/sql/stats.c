/*
** stats.c - task_stats: one row per job, with the figures of its history.
**
**   SELECT job_id, success_rate, streak, last_error FROM task_stats WHERE streak < 0;
**   SELECT job_id, runs, mttr_s FROM task_stats('2026-02-01T00:00:00Z', NULL);
**   SELECT * FROM task_stats WHERE job_id = 'my-job';
**
** A row is a file that task_results could read, also if none of its records counts; it is made in one pass over the
** file, and handed out before the next file is opened. tally.c has the definitions.
**
** since and until, the arguments, are the first hidden columns. They restrict the records that count, both ends
** included: so they are no property of a row that SQLite could check, and no other operator than = makes sense. Where
** the value is not there yet, in a join whose other table comes later, the plan is refused: SQLite finds another order.
*/
#include "../tr.h"

#include <math.h>
#include <string.h>

enum {
  COLUMN_JOB_ID,
  COLUMN_RUNS,
  COLUMN_SUCCESSES,
  COLUMN_FAILURES,
  COLUMN_SUCCESS_RATE,
  COLUMN_FIRST_RUN,
  COLUMN_LAST_RUN,
  COLUMN_LAST_SUCCESS,
  COLUMN_LAST_FAILURE,
  COLUMN_LAST_ERROR,
  COLUMN_STREAK,
  COLUMN_LONGEST_FAILURE_STREAK,
  COLUMN_MTBF_S,
  COLUMN_MTTR_S,
  COLUMN_REJECTS,
  COLUMN_SINCE, /* the first hidden columns are the arguments */
  COLUMN_UNTIL,
  COLUMN_JOB,
  COLUMN_FIRST_RUN_US,
  COLUMN_LAST_RUN_US,
  COLUMN_LAST_SUCCESS_US,
  COLUMN_LAST_FAILURE_US
};

static const char schema[] =
    "CREATE TABLE task_stats("
    "job_id TEXT, runs INTEGER, successes INTEGER, failures INTEGER, success_rate REAL, "
    "first_run TEXT, last_run TEXT, last_success TEXT, last_failure TEXT, last_error TEXT, "
    "streak INTEGER, longest_failure_streak INTEGER, mtbf_s REAL, mttr_s REAL, rejects INTEGER, "
    "since HIDDEN, until HIDDEN, job TEXT HIDDEN, " /* no type: SQLite must not convert what was given */
    "first_run_us INTEGER HIDDEN, last_run_us INTEGER HIDDEN, last_success_us INTEGER HIDDEN, "
    "last_failure_us INTEGER HIDDEN)";

typedef struct StatsCursor {
  TrCursor cursor; /* first: table.c knows only this */
  TrTally tally;
  sqlite3_value *since, *until; /* owned; as given, or NULL */
} StatsCursor;

/* --- planning ----------------------------------------------------------------------------------------------------- */

/* idxNum, beside the plan's words */
enum {
  WANTS_TIMES = 1,  /* the query uses the means of outages */
  CHECKS_SINCE = 2, /* SQLite compares the argument with the column all the same */
  CHECKS_UNTIL = 4,
};

static TrColumn column_of(int column) {
  switch (column) {
  case COLUMN_JOB_ID:
  case COLUMN_JOB: return TR_COLUMN_JOB_ID;
  case COLUMN_SINCE: return TR_COLUMN_SINCE;
  case COLUMN_UNTIL: return TR_COLUMN_UNTIL;
  default: return TR_COLUMN_OTHER;
  }
}

static int stats_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **vtab,
                         char **message) {
  return tr_table_connect(db, connection, &tr_results_store, schema, argc, argv, vtab, message);
}

/* SQLITE_CONSTRAINT: the argument has no value in this plan, but will have in another. */
static int check_argument(sqlite3_index_info *info, int column, char **message) {
  bool given = false, usable = false;
  for (int i = 0; i < info->nConstraint; i++) {
    unsigned char op = info->aConstraint[i].op;
    if (op == SQLITE_INDEX_CONSTRAINT_LIMIT || op == SQLITE_INDEX_CONSTRAINT_OFFSET) continue; /* of no column */
    if (info->aConstraint[i].iColumn != column) continue;
    if (op != SQLITE_INDEX_CONSTRAINT_EQ || sqlite3_vtab_in(info, i, -1)) {
      return tr_error(message, SQLITE_ERROR,
                      "task_stats: %s is an argument, not a value to compare with: only = can be "
                      "used; write task_stats(since, until)",
                      column == COLUMN_SINCE ? "since" : "until");
    }
    given = true;
    usable |= info->aConstraint[i].usable;
  }
  return given && !usable ? SQLITE_CONSTRAINT : SQLITE_OK;
}

/* SQLite heeds `omit` among the first 16 constraints only. */
static bool is_checked(const sqlite3_index_info *info, int column) {
  for (int i = 16; i < info->nConstraint; i++) {
    if (info->aConstraint[i].iColumn == column && info->aConstraintUsage[i].omit) return true;
  }
  return false;
}

static int stats_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const sqlite3_uint64 times = UINT64_C(1) << COLUMN_MTBF_S | UINT64_C(1) << COLUMN_MTTR_S;
  int code = check_argument(info, COLUMN_SINCE, &vtab->zErrMsg);
  if (code == SQLITE_OK) code = check_argument(info, COLUMN_UNTIL, &vtab->zErrMsg);
  if (code == SQLITE_OK) code = tr_plan_choose(info, column_of);
  if (code != SQLITE_OK) return code;
  info->idxNum = (info->colUsed & times ? WANTS_TIMES : 0) | (is_checked(info, COLUMN_SINCE) ? CHECKS_SINCE : 0) |
                 (is_checked(info, COLUMN_UNTIL) ? CHECKS_UNTIL : 0);
  info->estimatedRows = info->estimatedRows / 1000 + 1; /* records of a job */
  return SQLITE_OK;
}

/* --- the window --------------------------------------------------------------------------------------------------- */

/* Bounds of int64, as doubles: the lower is exact, the upper one too high. */
#define LOWEST -9223372036854775808.0
#define TOO_HIGH 9223372036854775808.0

/* A bound between two microseconds leaves out the one that is outside. */
static int64_t whole_us(double us, bool is_since) {
  us = is_since ? ceil(us) : floor(us);
  if (us < LOWEST) return INT64_MIN;
  return us >= TOO_HIGH ? INT64_MAX : (int64_t)us;
}

/* SQLITE_MISMATCH: it is no time. */
static int read_bound(sqlite3_value *value, bool is_since, int64_t *us) {
  switch (sqlite3_value_type(value)) {
  case SQLITE_INTEGER: *us = sqlite3_value_int64(value); return SQLITE_OK;
  case SQLITE_FLOAT: *us = whole_us(sqlite3_value_double(value), is_since); return SQLITE_OK;
  case SQLITE_TEXT: {
    const char *text = (const char *)sqlite3_value_text(value);
    if (text == NULL) return SQLITE_NOMEM;
    return tr_timestamp_parse(text, (size_t)sqlite3_value_bytes(value), us) ? SQLITE_OK : SQLITE_MISMATCH;
  }
  default: return SQLITE_MISMATCH;
  }
}

static int bound_error(const char *name, sqlite3_value *value, char **message) {
  bool is_text = sqlite3_value_type(value) == SQLITE_TEXT;
  return tr_error(message, SQLITE_ERROR,
                  "task_stats: %s: '%!.100s' is no time; write 2026-02-14T09:30:00Z, or microseconds since 1970 as an "
                  "integer",
                  name, is_text ? (const char *)sqlite3_value_text(value) : "(a BLOB)");
}

static int bind_argument(StatsCursor *stats, bool is_since, bool is_checked_again, sqlite3_value *value,
                         TrFilter *filter, char **message) {
  sqlite3_value **kept = is_since ? &stats->since : &stats->until;
  const char *name = is_since ? "since" : "until";
  *kept = sqlite3_value_dup(value);
  if (*kept == NULL) return SQLITE_NOMEM;
  if (sqlite3_value_type(*kept) == SQLITE_NULL) {
    if (!is_checked_again) return SQLITE_OK;
    return tr_error(message, SQLITE_ERROR,
                    "task_stats: %s cannot be NULL beside so many conditions; put the table into a subquery", name);
  }
  int code = read_bound(*kept, is_since, is_since ? &filter->from_us : &filter->to_us);
  if (code == SQLITE_MISMATCH) return bound_error(name, *kept, message);
  filter->timed = true;
  return code;
}

static void free_arguments(StatsCursor *stats) {
  sqlite3_value_free(stats->since);
  sqlite3_value_free(stats->until);
  stats->since = stats->until = NULL;
}

static int bind_arguments(StatsCursor *stats, const TrPlan *plan, int flags, sqlite3_value **argv, TrFilter *filter,
                          char **message) {
  int code = SQLITE_OK;
  free_arguments(stats);
  for (int i = 0; i < plan->count && code == SQLITE_OK; i++) {
    if (plan->term[i].column == TR_COLUMN_SINCE)
      code = bind_argument(stats, true, flags & CHECKS_SINCE, argv[i], filter, message);
    if (plan->term[i].column == TR_COLUMN_UNTIL)
      code = bind_argument(stats, false, flags & CHECKS_UNTIL, argv[i], filter, message);
  }
  return code;
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

static int stats_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  TrTable *table = (TrTable *)vtab;
  StatsCursor *stats = sqlite3_malloc64(sizeof *stats);
  if (stats == NULL) return SQLITE_NOMEM;
  *stats = (StatsCursor){.cursor.at_end = true, .tally.c_locale = table->connection->c_locale};
  tr_scan_init(&stats->cursor.scan, table->connection, &table->poll, TR_WANT_FILES);
  *out = &stats->cursor.base;
  return SQLITE_OK;
}

static int stats_close(sqlite3_vtab_cursor *base) {
  StatsCursor *stats = (StatsCursor *)base;
  free_arguments(stats);
  tr_tally_free(&stats->tally);
  return tr_table_close(base);
}

/* SQLITE_ROW: the tally is that of the next job. */
static int next_job(TrScan *scan, TrTally *tally, char **message) {
  int code = tr_scan_next_file(scan, message);
  if (code != SQLITE_ROW) return code;
  tr_tally_begin(tally);
  while ((code = tr_scan_next_line(scan, message)) == SQLITE_ROW) {
    if (scan->reason != TR_OK) {
      tally->rejects++;
      continue;
    }
    code = tr_tally_record(tally, &scan->line, &scan->record);
    if (code != SQLITE_OK) return code;
  }
  return code == SQLITE_DONE ? SQLITE_ROW : code;
}

static int stats_next(sqlite3_vtab_cursor *base) {
  StatsCursor *stats = (StatsCursor *)base;
  int code = next_job(&stats->cursor.scan, &stats->tally, &base->pVtab->zErrMsg);
  stats->cursor.at_end = code != SQLITE_ROW;
  return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int stats_filter(sqlite3_vtab_cursor *base, int flags, const char *plan_text, int argc, sqlite3_value **argv) {
  StatsCursor *stats = (StatsCursor *)base;
  TrTable *table = (TrTable *)base->pVtab;
  TrPlan plan;
  TrFilter filter;
  stats->cursor.at_end = true;
  stats->tally.wants_times = flags & WANTS_TIMES;
  int code = tr_table_bind(table, plan_text, argc, argv, &plan, &filter);
  if (code != SQLITE_OK) return code;
  code = bind_arguments(stats, &plan, flags, argv, &filter, &table->base.zErrMsg);
  if (code == SQLITE_OK) code = tr_scan_begin(&stats->cursor.scan, &table->source, &filter, &table->base.zErrMsg);
  tr_filter_free(&filter); /* if the scan has not taken it over */
  return code == SQLITE_OK ? stats_next(base) : code;
}

/* The rowid is the file, and no line in it. */
static int stats_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  *rowid = (int64_t)((TrCursor *)base)->scan.ordinal << TR_OFFSET_BITS;
  return SQLITE_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static void result_kept(sqlite3_context *context, const TrKept *kept, locale_t c_locale, TrScratch *scratch) {
  TrLine line = {.text = kept->bytes, .length = kept->span.length};
  if (kept->span.kind != TR_ABSENT) tr_result_span(context, &line, &kept->span, c_locale, scratch);
}

static void result_time_us(sqlite3_context *context, const TrKept *kept) {
  int64_t time_us;
  if (tr_kept_time_us(kept, &time_us)) sqlite3_result_int64(context, time_us);
}

static void result_mean_s(sqlite3_context *context, const TrMean *mean) {
  if (mean->count) sqlite3_result_double(context, mean->sum_us / 1e6 / (double)mean->count);
}

static void result_rate(sqlite3_context *context, const TrTally *tally) {
  if (tally->runs) sqlite3_result_double(context, 100.0 * (double)tally->successes / (double)tally->runs);
}

static void result_argument(sqlite3_context *context, sqlite3_value *value) {
  if (value) sqlite3_result_value(context, value);
}

static int stats_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  StatsCursor *stats = (StatsCursor *)base;
  TrScratch *scratch = &stats->cursor.scratch;
  const TrScan *scan = &stats->cursor.scan;
  const TrTally *tally = &stats->tally;
  switch (column) {
  case COLUMN_JOB_ID:
  case COLUMN_JOB:
    sqlite3_result_text(context, scan->name, (int)strlen(scan->name) - TR_SUFFIX_LEN, SQLITE_TRANSIENT);
    break;
  case COLUMN_RUNS: sqlite3_result_int64(context, tally->runs); break;
  case COLUMN_SUCCESSES: sqlite3_result_int64(context, tally->successes); break;
  case COLUMN_FAILURES: sqlite3_result_int64(context, tally->runs - tally->successes); break;
  case COLUMN_SUCCESS_RATE: result_rate(context, tally); break;
  case COLUMN_FIRST_RUN: result_kept(context, &tally->first_run, tally->c_locale, scratch); break;
  case COLUMN_LAST_RUN: result_kept(context, tr_tally_last_run(tally), tally->c_locale, scratch); break;
  case COLUMN_LAST_SUCCESS: result_kept(context, &tally->last_success, tally->c_locale, scratch); break;
  case COLUMN_LAST_FAILURE: result_kept(context, &tally->last_failure, tally->c_locale, scratch); break;
  case COLUMN_LAST_ERROR: result_kept(context, &tally->last_error, tally->c_locale, scratch); break;
  case COLUMN_STREAK: sqlite3_result_int64(context, tally->streak); break;
  case COLUMN_LONGEST_FAILURE_STREAK: sqlite3_result_int64(context, tally->longest_failure_streak); break;
  case COLUMN_MTBF_S: result_mean_s(context, &tally->between); break;
  case COLUMN_MTTR_S: result_mean_s(context, &tally->repair); break;
  case COLUMN_REJECTS: sqlite3_result_int64(context, tally->rejects); break;
  case COLUMN_SINCE: result_argument(context, stats->since); break;
  case COLUMN_UNTIL: result_argument(context, stats->until); break;
  case COLUMN_FIRST_RUN_US: result_time_us(context, &tally->first_run); break;
  case COLUMN_LAST_RUN_US: result_time_us(context, tr_tally_last_run(tally)); break;
  case COLUMN_LAST_SUCCESS_US: result_time_us(context, &tally->last_success); break;
  default: result_time_us(context, &tally->last_failure); break;
  }
  return SQLITE_OK;
}

int tr_stats_register(TrConnection *connection) {
  static const sqlite3_module module = {
      .iVersion = 2,
      .xCreate = stats_connect,
      .xConnect = stats_connect,
      .xBestIndex = stats_best_index,
      .xDisconnect = tr_table_disconnect,
      .xDestroy = tr_table_disconnect,
      .xOpen = stats_open,
      .xClose = stats_close,
      .xFilter = stats_filter,
      .xNext = stats_next,
      .xEof = tr_table_eof,
      .xColumn = stats_column,
      .xRowid = stats_rowid,
  };
  connection->references++;
  return sqlite3_create_module_v2(connection->db, "task_stats", &module, connection, tr_connection_unref);
}
